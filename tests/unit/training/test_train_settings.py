"""Settings of a training."""

from itertools import pairwise

import pytest

from atomlens.errors import SettingsError
from atomlens.training.settings import TrainSettings


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 0),
        ("epochs", 2.5),
        ("batch_size", -1),
        ("learning_rate", float("nan")),
        ("learning_rate", float("inf")),
        ("learning_rate", "fast"),
        ("ema_decay", 1.0),
        ("beta2", 1.5),
        ("min_learning_rate", 1.0),
        ("schedule", "cosin"),
        ("loss", "mea"),
        ("precision", "16"),
        ("ensemble", True),
        ("max_seconds", -1),
        ("seed", -1),
    ],
)
def test_an_impossible_value_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(SettingsError, match=field):
        TrainSettings(**{field: value})


def test_a_misspelt_setting_offers_the_nearest() -> None:
    with pytest.raises(SettingsError, match="Did you mean 'learning_rate'"):
        TrainSettings().changed({"learning_rat": 1e-3})


def test_a_misspelt_choice_offers_the_nearest() -> None:
    with pytest.raises(SettingsError, match="Did you mean 'cosine'"):
        TrainSettings(schedule="cosin")  # type: ignore[arg-type]


def test_changing_leaves_the_others_alone() -> None:
    changed = TrainSettings(seed=3).changed({"epochs": 7})
    assert (changed.seed, changed.epochs) == (3, 7)


def test_every_setting_is_explained() -> None:
    import ast
    import inspect

    body = ast.parse(inspect.getsource(TrainSettings)).body[0].body  # type: ignore[attr-defined]
    for field, note in pairwise(body):
        if isinstance(field, ast.AnnAssign):
            assert isinstance(note, ast.Expr), ast.unparse(field)


@pytest.mark.parametrize("wrong", ["element", "elements:", "elements:a,,b", "gap"])
def test_a_reference_is_none_or_elements_perhaps_of_named_targets(wrong: str) -> None:
    assert TrainSettings(reference="elements:alpha,cv").reference == "elements:alpha,cv"
    with pytest.raises(SettingsError, match="elements:NAME"):
        TrainSettings(reference=wrong)


@pytest.mark.parametrize("wrong", ["", "a", "a:", ":2", "a:0", "a:-1", "a:nan", "a:inf", "a:1,a:2"])
def test_weights_of_targets_are_names_and_numbers_above_zero(wrong: str) -> None:
    assert TrainSettings(target_weights="a:b:2,c:.5").weight_by_target() == {"a:b": 2, "c": 0.5}
    with pytest.raises(SettingsError, match="NAME:3"):
        TrainSettings(target_weights=wrong)


def test_infinity_is_told_to_be_no_finite_number() -> None:
    with pytest.raises(SettingsError, match="must be a finite number"):
        TrainSettings(learning_rate=float("inf"))
