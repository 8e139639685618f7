"""Losses with unknown values, several targets, noise and classes."""

import math

import pytest
import torch
from torch import Tensor

from atomlens.errors import SettingsError, TrainingError
from atomlens.models.base import ModelOutput
from atomlens.targets import Target
from atomlens.training.losses import TargetLoss
from atomlens.training.settings import TrainSettings

NAN = math.nan
ONE = (Target(name="y"),)
TWO = (Target(name="a"), Target(name="b"))


def loss(
    kind: str,
    values: list[list[float]],
    targets: list[list[float]],
    *,
    what: tuple[Target, ...] = ONE,
    log_scale: list[list[float]] | None = None,
    **settings: float,
) -> float:
    measure = TargetLoss(what, TrainSettings(loss=kind, **settings))  # type: ignore[arg-type]
    return float(measure(output(values, log_scale), torch.tensor(targets)))


def output(values: list[list[float]], log_scale: list[list[float]] | None = None) -> ModelOutput:
    return ModelOutput(
        values=torch.tensor(values),
        log_scale=None if log_scale is None else torch.tensor(log_scale),
        node_attention=torch.ones(len(values)),
    )


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("mae", 2.0), ("mse", 5.0), ("rmse", math.sqrt(5)), ("huber", 0.5 * (1.9 / 2 + 5.9 / 2) / 10)],
)
def test_the_plain_losses(kind: str, expected: float) -> None:
    """Errors 1 and 3; huber with delta 0.1 is delta (|d| - delta/2)."""
    found = loss(kind, [[1.0], [5.0]], [[2.0], [2.0]])
    assert found == pytest.approx(expected)


def test_the_smallest_gaussian_loss_is_at_the_true_noise() -> None:
    errors = [[1.0], [3.0]]
    zero = [[0.0], [0.0]]
    true = 0.5 * math.log(5)  # mean squared error 5
    at = [
        loss("gaussian", errors, zero, log_scale=[[s]] * 2) for s in (true - 0.1, true, true + 0.1)
    ]
    assert at[1] == min(at)
    assert at[1] == pytest.approx(0.5 + true)


def test_the_smallest_robust_loss_is_at_the_mean_absolute_error() -> None:
    errors = [[1.0], [3.0]]
    zero = [[0.0], [0.0]]
    true = math.log(2)
    at = [
        loss("robust-l1", errors, zero, log_scale=[[s]] * 2) for s in (true - 0.1, true, true + 0.1)
    ]
    assert at[1] == min(at)
    assert at[1] == pytest.approx(1 + true)


@pytest.mark.parametrize("kind", ["mae", "mse", "rmse", "huber"])
def test_an_unknown_value_does_not_count(kind: str) -> None:
    with_unknown = loss(kind, [[1.0, 9.0], [5.0, 1.0]], [[2.0, NAN], [2.0, 2.0]], what=TWO)
    first = loss(kind, [[1.0], [5.0]], [[2.0], [2.0]])
    second = loss(kind, [[1.0]], [[2.0]])
    assert with_unknown == pytest.approx((first + second) / 2)


def test_a_target_that_is_unknown_in_the_whole_batch_does_not_count() -> None:
    found = loss("mae", [[1.0, 9.0], [5.0, 1.0]], [[2.0, NAN], [2.0, NAN]], what=TWO)
    assert found == pytest.approx(2.0)


@pytest.mark.parametrize("kind", ["mae", "mse", "rmse", "robust-l1"])
def test_gradients_stay_finite_with_unknowns_and_perfect_predictions(kind: str) -> None:
    values = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    scale = torch.zeros(2, 2, requires_grad=True)
    found = ModelOutput(values=values, log_scale=scale, node_attention=torch.ones(2))
    settings = TrainSettings(loss=kind)  # type: ignore[arg-type]
    TargetLoss(TWO, settings)(found, torch.tensor([[1.0, NAN], [3.0, NAN]])).backward()
    for tensor in (values, scale) if kind == "robust-l1" else (values,):
        assert isinstance(tensor.grad, Tensor)
        assert tensor.grad.isfinite().all()
        assert (tensor.grad[:, 1] == 0).all()


def test_classes_cost_their_cross_entropy() -> None:
    colour = (Target(name="c", kind="classification", classes=("red", "green", "blue")),)
    found = loss("mae", [[0.0, 0.0, 0.0]] * 3, [[0.0], [2.0], [NAN]], what=colour)
    assert found == pytest.approx(math.log(3))


def test_classes_and_numbers_weigh_the_same() -> None:
    both = (Target(name="c", kind="classification", classes=("no", "yes")), Target(name="y"))
    found = loss("mae", [[0.0, 0.0, 4.0]], [[1.0, 2.0]], what=both)
    assert found == pytest.approx((math.log(2) + 2) / 2)


def test_a_model_without_noise_is_told_which_losses_it_can_have() -> None:
    with pytest.raises(TrainingError, match="mae, mse, rmse or huber"):
        loss("gaussian", [[1.0]], [[1.0]])


def test_a_target_counts_as_much_as_its_weight_says() -> None:
    """Errors 1 and 3: (3 * 1 + 1 * 3) / 4; a target that is unknown in the batch does not count."""
    both: list[list[float]] = [[1.0, 3.0]]
    assert loss("mae", both, [[0.0, 0.0]], what=TWO) == pytest.approx(2.0)
    weighted = TrainSettings(target_weights="a:3")
    for known, expected in (([0.0, 0.0], 1.5), ([NAN, 0.0], 3.0), ([NAN, NAN], 0.0)):
        found = TargetLoss(TWO, weighted)(output(both), torch.tensor([known]))
        assert float(found) == pytest.approx(expected)


def test_a_target_of_little_weight_counts_alone_where_nothing_else_is_known() -> None:
    found = TargetLoss(TWO, TrainSettings(target_weights="a:0.25"))
    assert float(found(output([[1.0, 3.0]]), torch.tensor([[0.0, NAN]]))) == pytest.approx(1.0)


def test_the_weight_of_a_class_is_its_own() -> None:
    """The classes come after the numbers, whatever the order of the targets."""
    what = (Target(name="metal", kind="classification", classes=("no", "yes")), Target(name="y"))
    values, true = [[0.0, 0.0, 2.0]], torch.tensor([[1.0, 0.0]])
    found = TargetLoss(what, TrainSettings(target_weights="metal:3"))(output(values), true)
    assert float(found) == pytest.approx((3 * math.log(2) + 2) / 4)


def test_weights_are_for_targets_that_there_are() -> None:
    with pytest.raises(SettingsError, match=r"no target 'gap'|target.*gap"):
        TargetLoss(TWO, TrainSettings(target_weights="gap:2"))
