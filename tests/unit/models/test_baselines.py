"""Facts about the closed-form baselines."""

import torch

from atomlens.graphs import collate
from atomlens.models.base import ClosedFormModel
from atomlens.models.baselines import MeanModel, RidgeConfig, RidgeModel
from graph_makers import random_graph


def fitted(
    kind: type[ClosedFormModel], targets: torch.Tensor, **settings: float
) -> tuple[ClosedFormModel, object]:
    batch = collate([random_graph(5 + s % 7, 2, seed=s) for s in range(len(targets))])
    model = kind(kind.Config(n_outputs=targets.shape[1], **settings)).double()
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
