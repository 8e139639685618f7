"""One table of fields: what a stranger adds to it travels from the builder to the model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from ase import Atoms

import atomlens as al
from atomlens.datasets.base import Dataset
from atomlens.errors import GraphError
from atomlens.graphs import FIELDS, GraphBatch, GraphField, GraphStore, collate, keep_nodes
from atomlens.models import ModelOutput, PropertyModel
from atomlens.neighbors import BUILDERS, EdgeArrays, GraphBuilder
from atomlens.nn.readout import mean_pooling
from atomlens.structures.arrays import Structure, StructureArrays
from atomlens.targets import Target
from graph_makers import random_graph


@dataclass(frozen=True, slots=True, kw_only=True)
class HeightBuilder(GraphBuilder):
    """Every atom sees every other, and how high it stands."""

    name: ClassVar[str] = "height"

    def edges(self, structure: Structure) -> EdgeArrays:
        n = len(structure.atomic_numbers)
        target, source = np.nonzero(~np.eye(n, dtype=bool))
        vectors = structure.positions[source] - structure.positions[target]
        return EdgeArrays(
            source=source,
            target=target,
            distances=np.linalg.norm(vectors, axis=1),
            images=np.zeros((len(source), 3), dtype=np.int64),
            height=structure.positions[:, 2],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HeightConfig:
    n_outputs: int = 1
    n_elements: int = 119
    predict_scale: bool = False


class HeightModel(PropertyModel):
    """A linear function of the mean height; nothing else tells the structures apart."""

    Config = HeightConfig
    edge_fields = frozenset({"height"})
    default_builder = ("height", {})

    def __init__(self, config: HeightConfig) -> None:
        super().__init__(config)
        self.line = torch.nn.Linear(1, config.n_outputs)

    def forward(self, batch: GraphBatch) -> ModelOutput:
        pooled, shares = mean_pooling(
            batch.height.unsqueeze(1), batch.graph_index, batch.node_counts
        )
        return ModelOutput(values=self.line(pooled), node_attention=shares)


@pytest.fixture
def height(monkeypatch: pytest.MonkeyPatch) -> None:
    """One row in the table, and the name of a builder."""
    monkeypatch.setitem(FIELDS, "height", GraphField(scope="node", meaning="z, Å"))
    monkeypatch.setitem(BUILDERS, "height", HeightBuilder)


def towers(n: int = 60) -> Dataset:
    """Two atoms, the same apart and at different heights; the target is their mean height."""
    random = np.random.default_rng(0).normal(size=n)
    atoms = [Atoms("CO", [[0, 0, z], [1.2, 0, z]]) for z in random]
    return Dataset(
        name="towers",
        structures=StructureArrays.from_atoms(atoms),
        targets=(Target(name="z"),),
        values=random[:, None],
    )


def test_a_model_learns_from_a_field_that_was_added_from_outside(
    height: None, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"epochs": 60, "batch_size": 8, "learning_rate": 0.05}
    settings |= {"cache_dir": str(tmp_path / "graphs"), "regularization": 0.0}
    trained = al.train(towers(), model=HeightModel, **settings)
    assert trained.metrics["test"]["targets"]["z"]["mae"] < 0.05
    from_cache = al.train(towers(), model=HeightModel, **settings)
    assert from_cache.metrics == trained.metrics
    assert len(list((tmp_path / "graphs").iterdir())) == 1
    trained.save(tmp_path / "model")
    (z,) = al.load(tmp_path / "model").predict(Atoms("CO", [[0, 0, 1], [1, 0, 1]])).values[0]
    assert z == pytest.approx(1.0, abs=0.1)


def test_a_field_from_outside_is_cut_sorted_and_holed_like_the_others(height: None) -> None:
    builder = HeightBuilder()
    graphs = [builder.build(Atoms("CON", np.eye(3) * k)) for k in (1.0, 2.0, 3.0)]
    store = GraphStore.from_graphs(graphs)
    assert store.select(["height"]).batch(torch.tensor([2, 0])).height.tolist() == [
        *(0, 0, 3),
        *(0, 0, 1),
    ]
    assert store.select([]).batch().height is None
    cut = keep_nodes(collate(graphs[:1]), torch.tensor([False, True, True]))
    assert cut.height.tolist() == [0, 1]


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_is_cut_by_its_scope_and_has_the_shape_of_the_table(name: str) -> None:
    row = FIELDS[name]
    graphs = [random_graph(n, m, i) for i, (n, m) in enumerate([(3, 6), (2, 4)])]
    rows = {"node": [3, 2], "edge": [graphs[0].n_edges, graphs[1].n_edges], "graph": [1, 1]}
    random = np.random.default_rng(0)
    values = [torch.from_numpy(random.normal(size=(n, *row.shape))) for n in rows[row.scope]]
    given = [v[0] if row.scope == "graph" else v for v in values]
    graphs = [g.with_fields(**{name: v}) for g, v in zip(graphs, given, strict=True)]
    batch = GraphStore.from_graphs(graphs, torch.float64).batch(torch.tensor([1, 0]))
    torch.testing.assert_close(getattr(batch, name), torch.cat([values[1], values[0]]))


def test_a_wrong_shape_and_an_unknown_field_are_refused() -> None:
    graph = random_graph(3, 6)
    with pytest.raises(GraphError, match=r"'charges' has the shape \(4,\) instead of \(3,\)"):
        graph.with_fields(charges=torch.zeros(4))
    with pytest.raises(GraphError, match="'spin' is no field of graphs; put it into"):
        graph.with_fields(spin=torch.zeros(3))
    with pytest.raises(AttributeError, match="no 'spin'"):
        _ = graph.spin
