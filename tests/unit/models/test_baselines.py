"""Facts about the closed-form baselines."""

from typing import Any

import numpy as np
import pytest
import torch

from atomlens.errors import SettingsError
from atomlens.graphs import collate
from atomlens.models.base import ClosedFormModel
from atomlens.models.baselines import MeanModel, RidgeConfig, RidgeModel
from graph_makers import random_graph


def fitted(
    kind: type[ClosedFormModel], targets: torch.Tensor, **settings: Any
) -> tuple[ClosedFormModel, object]:
    batch = collate([random_graph(5 + s % 7, 2, seed=s) for s in range(len(targets))])
    model = kind(kind.Config(**{"n_outputs": targets.shape[1], **settings})).double()
    model.fit(batch, targets)
    return model, batch


def test_the_mean_model_predicts_the_mean_of_the_known_values() -> None:
    targets = torch.tensor([[1.0, 5.0], [3.0, float("nan")]], dtype=torch.float64)
    model, batch = fitted(MeanModel, targets)
    assert torch.equal(model(batch).values, torch.tensor([[2.0, 5.0]] * 2, dtype=torch.float64))


def test_the_ridge_recovers_a_sum_over_atoms() -> None:
    graphs = [random_graph(3 + s % 9, 2, seed=s) for s in range(60)]
    per_element = torch.zeros(95, dtype=torch.float64)
    per_element[[1, 6, 7, 8]] = torch.tensor([0.5, -38.0, -54.0, -75.0], dtype=torch.float64)
    targets = torch.stack([per_element[g.atomic_numbers].sum() for g in graphs])[:, None] + 2.0
    model = RidgeModel(RidgeConfig(l2=1e-10)).double()
    model.fit(collate(graphs), targets)
    torch.testing.assert_close(model(collate(graphs)).values, targets, rtol=1e-5, atol=1e-3)


def test_the_ridge_of_an_extensive_target_recovers_what_each_atom_adds_per_atom() -> None:
    """It is learned per atom, which is linear in shares and not in numbers of atoms."""
    graphs = [random_graph(3 + s % 9, 2, seed=s) for s in range(60)]
    per_element = torch.zeros(95, dtype=torch.float64)
    per_element[[1, 6, 7, 8]] = torch.tensor([0.5, -38.0, -54.0, -75.0], dtype=torch.float64)
    targets = torch.stack([per_element[g.atomic_numbers].mean() for g in graphs])[:, None]
    model = RidgeModel(RidgeConfig(l2=1e-10, extensive=(True,))).double()
    model.fit(collate(graphs), targets)
    torch.testing.assert_close(model(collate(graphs)).values, targets, rtol=1e-5, atol=1e-3)


def _classes(n: int = 80) -> torch.Tensor:
    """Numbers of three classes that the elements tell, with noise, and gaps."""
    batch = collate([random_graph(5 + s % 7, 2, seed=s) for s in range(n)])
    labels = torch.zeros(n, dtype=torch.float64)
    for g in range(n):
        elements = batch.atomic_numbers[batch.graph_index == g]
        labels[g] = float((elements == 8).sum() > 1) + float((elements == 7).sum() > 1)
    labels[::9] = 2.0
    labels[::13] = torch.nan
    return labels[:, None]


def test_of_classes_the_mean_model_says_their_shares() -> None:
    targets = torch.tensor([[0.0], [0], [1], [float("nan")]], dtype=torch.float64)
    model, batch = fitted(MeanModel, targets, n_classes=(3,), n_outputs=3)
    shares = model(batch).values.softmax(dim=1)
    expected = torch.tensor([2, 1, 0.5], dtype=torch.float64) / 3.5
    torch.testing.assert_close(shares, expected.expand(4, -1))


@pytest.mark.parametrize("fractions", [False, True])
@pytest.mark.parametrize("l2", [1e-3, 1.0])
def test_of_classes_the_ridge_is_the_logistic_regression_of_scikit_learn(
    fractions: bool, l2: float
) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    targets = _classes()
    model, batch = fitted(
        RidgeModel, targets, n_classes=(3,), n_outputs=3, fractions=fractions, l2=l2
    )
    assert isinstance(model, RidgeModel)
    known = ~targets[:, 0].isnan()
    features = model._features(batch)
    x = (model._shares(features) if fractions else features)[known].detach().numpy()
    penalty = l2 * np.square(x - x.mean(axis=0)).mean() * len(x)
    theirs = linear_model.LogisticRegression(C=1 / penalty, max_iter=20_000, tol=1e-8)
    theirs.fit(x, targets[known, 0].long().numpy())
    found = model(batch).values.softmax(dim=1)[known].detach().numpy()
    np.testing.assert_allclose(found, theirs.predict_proba(x), atol=2e-3)


def test_a_number_beside_classes_is_what_it_is_alone() -> None:
    numbers = torch.randn(80, 1, dtype=torch.float64)
    both = torch.cat([_classes(), numbers], dim=1)
    together, batch = fitted(RidgeModel, both, n_classes=(3, 0), n_outputs=4)
    alone, _ = fitted(RidgeModel, numbers)
    torch.testing.assert_close(together(batch).values[:, 3:], alone(batch).values)


@pytest.mark.parametrize("n_classes", [(2,), (3, 1), (1, 1, 1)])
def test_classes_that_do_not_make_the_outputs_are_refused(n_classes: tuple[int, ...]) -> None:
    from atomlens.models import make_model

    for name in ("mean", "ridge", "rf-magpie"):
        with pytest.raises(SettingsError, match="does not make 3 outputs"):
            make_model(name, n_outputs=3, n_classes=n_classes)


def test_a_negative_number_of_classes_is_refused() -> None:
    from atomlens.models import make_model

    for name in ("mean", "ridge", "rf-magpie"):
        with pytest.raises(SettingsError, match="must be at least 0"):
            make_model(name, n_outputs=3, n_classes=(-1, 4))
