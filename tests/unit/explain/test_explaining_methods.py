"""Gradients, integrated gradients and occlusion on models whose answer is known."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from atomlens.errors import ExplanationError
from atomlens.explain import EXPLAINERS
from atomlens.explain.occlusion import without
from atomlens.graphs import GraphBatch, collate
from atomlens.models import ModelOutput, PropertyModel, make_model
from atomlens.nn.segment import segment_sum
from graph_makers import lone_atom, random_graph


@dataclass(frozen=True, slots=True, kw_only=True)
class SumConfig:
    power: int = 1
    n_outputs: int = 1
    n_elements: int = 20
    predict_scale: bool = False


class SumOfAtoms(PropertyModel):
    """y = Σ_i (h_i · w)^power, so that every method has an answer by hand."""

    Config = SumConfig
    element_tables: ClassVar[tuple[str, ...]] = ("embedding.weight",)

    def __init__(self, config: SumConfig) -> None:
        super().__init__(config)
        self.embedding = nn.Embedding(config.n_elements, 3).double()
        self.weight = nn.Parameter(torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64))

    def forward(self, batch: GraphBatch) -> ModelOutput:
        terms = (self.embedding(batch.atomic_numbers) @ self.weight) ** self.config.power
        values = segment_sum(terms.unsqueeze(1), batch.graph_index, batch.n_graphs)
        return ModelOutput(values=values, node_attention=torch.ones_like(terms) / len(terms))


def known(power: int = 1) -> tuple[SumOfAtoms, GraphBatch, np.ndarray]:
    torch.manual_seed(0)
    model = SumOfAtoms(SumConfig(power=power)).eval().requires_grad_(False)
    batch = collate([random_graph(6, 3)], torch.float64)
    terms = (model.embedding(batch.atomic_numbers) @ model.weight).numpy()
    return model, batch, terms


def scores(method: str, model: PropertyModel, batch: GraphBatch) -> np.ndarray:
    return EXPLAINERS[method]().explain(model, batch, 0).scores


def test_a_sum_of_atoms_is_shared_out_exactly() -> None:
    model, batch, terms = known()
    np.testing.assert_allclose(scores("occlusion", model, batch), terms, rtol=1e-10)
    found = scores("integrated-gradients", model, batch)
    np.testing.assert_allclose(found, terms - terms.mean(), rtol=1e-9, atol=1e-12)


def test_occlusion_finds_the_cube_of_each_atom() -> None:
    model, batch, terms = known(power=3)
    np.testing.assert_allclose(scores("occlusion", model, batch), terms**3, rtol=1e-9, atol=1e-12)


def test_the_gradient_of_a_sum_is_as_long_as_its_weights() -> None:
    model, batch, _ = known()
    np.testing.assert_allclose(scores("gradient", model, batch), 5.25**0.5, rtol=1e-10)


@pytest.mark.parametrize("name", ["scann", "scann-plus", "cgcnn", "ae-cgcnn-pool"])
def test_integrated_gradients_add_up_to_the_difference_to_the_reference(name: str) -> None:
    torch.manual_seed(0)
    model = make_model(name, n_layers=2).eval().requires_grad_(False).double()
    batch = collate([random_graph(8, 4)], torch.float64)
    total = scores("integrated-gradients", model, batch).sum()
    value = float(model(batch).values)
    table = model.get_parameter(model.element_tables[0])
    table[:] = table[batch.atomic_numbers].mean(dim=0)
    assert total == pytest.approx(value - float(model(batch).values), rel=2e-3, abs=1e-5)


def test_a_hole_has_no_edges_and_the_others_keep_theirs() -> None:
    batch = collate([random_graph(6, 3)], torch.float64)
    graph = without(batch, 2)
    touched = (batch.edge_index == 2).any(dim=0)
    assert graph.n_nodes == 5
    assert graph.n_edges == int((~touched).sum())
    torch.testing.assert_close(graph.distances, batch.distances[~touched])
    assert int(graph.edge_index.max()) < 5


def test_a_lone_atom_cannot_be_occluded() -> None:
    model, _, _ = known()
    with pytest.raises(ExplanationError, match="only one node"):
        scores("occlusion", model, collate([lone_atom()], torch.float64))


@pytest.mark.parametrize("method", ["gradient", "integrated-gradients"])
def test_a_model_without_element_vectors_has_no_gradients(method: str) -> None:
    model = make_model("ridge").double()
    with pytest.raises(ExplanationError, match="occlusion"):
        scores(method, model, collate([random_graph(4, 2)], torch.float64))
