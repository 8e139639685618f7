"""The checks of `atomlens.testing` find what is wrong, and pass what is right."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import molecule
from torch import Tensor, nn

from atomlens.datasets import DATASETS
from atomlens.datasets.base import Dataset
from atomlens.datasets.sources.toy import Toy
from atomlens.explain import EXPLAINERS, AtomScores, Explainer, Question
from atomlens.graphs import AtomGraph, GraphBatch
from atomlens.models import ModelOutput, PropertyModel
from atomlens.neighbors import make_builder
from atomlens.neighbors.base import EdgeArrays, GraphBuilder
from atomlens.nn.readout import mean_pooling
from atomlens.nn.segment import segment_sum
from atomlens.structures.arrays import Structure, StructureArrays
from atomlens.targets import Target
from atomlens.testing import check_builder, check_dataset, check_explainer, check_model


@dataclass(frozen=True, kw_only=True)
class PlainConfig:
    n_features: int = 5
    n_outputs: int = 1
    n_elements: int = 95
    predict_scale: bool = False


class Plain(PropertyModel):
    """A graph convolution as plain as can be."""

    Config = PlainConfig
    default_builder: ClassVar[tuple[str, dict[str, Any]]] = ("radius", {"cutoff": 3.0})
    element_tables: ClassVar[tuple[str, ...]] = ("embedding.weight",)
    output_layers: ClassVar[tuple[str, ...]] = ("output",)

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.embedding = nn.Embedding(config.n_elements, config.n_features)
        self.message = nn.Linear(config.n_features, config.n_features)
        factor = 2 if config.predict_scale else 1
        self.output = nn.Linear(config.n_features, factor * config.n_outputs)

    @property
    def attends_to_atoms(self) -> bool:
        return False

    def forward(self, batch: GraphBatch) -> ModelOutput:
        nodes: Tensor = self.embedding(batch.atomic_numbers)
        source, target = batch.edge_index
        weights = (-batch.distances).exp().unsqueeze(1)
        messages = weights * self.message(nodes)[source]
        nodes = nodes + segment_sum(messages, target, batch.n_nodes).tanh()
        return self.read(batch, nodes)

    def read(self, batch: GraphBatch, nodes: Tensor) -> ModelOutput:
        pooled, shares = mean_pooling(nodes, batch.graph_index, batch.node_counts)
        values, scale = self.output(pooled), None
        if self.config.predict_scale:
            values, scale = values.chunk(2, dim=1)
        return ModelOutput(values=values, log_scale=scale, node_attention=shares)


class FeelsOrder(Plain):
    def read(self, batch: GraphBatch, nodes: Tensor) -> ModelOutput:
        place = torch.arange(batch.n_nodes, dtype=nodes.dtype) / batch.n_nodes
        return super().read(batch, nodes * place.unsqueeze(1))


class FeelsDirection(Plain):
    edge_fields: ClassVar[frozenset[str]] = frozenset({"edge_vectors"})

    def read(self, batch: GraphBatch, nodes: Tensor) -> ModelOutput:
        height = segment_sum(batch.edge_vectors[:, 2:], batch.edge_index[1], batch.n_nodes)
        return super().read(batch, nodes + height.tanh())


class FeelsBatch(Plain):
    def read(self, batch: GraphBatch, nodes: Tensor) -> ModelOutput:
        return super().read(batch, nodes - nodes.mean(dim=0))


class WrongShares(Plain):
    def read(self, batch: GraphBatch, nodes: Tensor) -> ModelOutput:
        output = super().read(batch, nodes)
        return replace(output, node_attention=torch.ones_like(output.node_attention))


class HiddenAttention(Plain):
    def read(self, batch: GraphBatch, nodes: Tensor) -> ModelOutput:
        output = super().read(batch, nodes)
        uneven = output.node_attention * (batch.atomic_numbers + 1)
        totals = segment_sum(uneven, batch.graph_index, batch.n_graphs)
        return replace(output, node_attention=uneven / totals[batch.graph_index])


class NotFinite(Plain):
    def read(self, batch: GraphBatch, nodes: Tensor) -> ModelOutput:
        degrees = torch.bincount(batch.edge_index[1], minlength=batch.n_nodes).to(nodes.dtype)
        return super().read(batch, nodes / degrees.unsqueeze(1))


class Idle(Plain):
    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.idle = nn.Linear(2, 2)


class OneColumn(Plain):
    def read(self, batch: GraphBatch, nodes: Tensor) -> ModelOutput:
        output = super().read(batch, nodes)
        return replace(output, values=output.values[:, :1])


class Scribbles(Plain):
    def forward(self, batch: GraphBatch) -> ModelOutput:
        batch.distances.add_(1.0)
        return super().forward(batch)


class Dices(Plain):
    def read(self, batch: GraphBatch, nodes: Tensor) -> ModelOutput:
        return super().read(batch, nodes + 1e-3 * torch.randn_like(nodes))


class WrongTable(Plain):
    element_tables: ClassVar[tuple[str, ...]] = ("table",)


class WrongField(Plain):
    edge_fields: ClassVar[frozenset[str]] = frozenset({"distance_to_the_moon"})


class NoNoise(Plain):
    def read(self, batch: GraphBatch, nodes: Tensor) -> ModelOutput:
        return replace(super().read(batch, nodes), log_scale=None)


def test_a_sound_model_passes() -> None:
    check_model(Plain, n_features=4)
    check_model("mean")


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (FeelsOrder, "another order of the atoms"),
        (FeelsDirection, "turning the structure"),
        (FeelsBatch, "feels the others of its batch"),
        (WrongShares, "does not add up to one"),
        (HiddenAttention, "attends_to_atoms is False"),
        (NotFinite, "not finite|feels the others"),
        (Idle, "idle.weight has no part"),
        (OneColumn, r"n_outputs=3 gives values \(1, 1\)"),
        (Scribbles, "writes into batch.distances"),
        (Dices, "another order|predicting twice"),
        (WrongTable, "'table', which is no parameter"),
        (WrongField, "distance_to_the_moon"),
        (NoNoise, "no log_scale"),
    ],
)
def test_a_faulty_model_is_found_and_the_fault_named(kind: type, sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        check_model(kind)


# ---- builders


@dataclass(frozen=True, kw_only=True)
class Nearby(GraphBuilder):
    """All atoms of a molecule within a distance."""

    name: ClassVar[str] = "nearby"
    cutoff: float = 2.0

    def pairs(self, structure: Structure) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        x = structure.positions
        apart = np.linalg.norm(x[:, None] - x[None], axis=2)
        target, source = np.nonzero((apart < self.cutoff) & (apart > 0))
        order = np.lexsort((apart[target, source], target))
        return source[order], target[order], apart[target, source][order]

    def edges(self, structure: Structure) -> EdgeArrays:
        source, target, distances = self.pairs(structure)
        return EdgeArrays(
            source=source,
            target=target,
            distances=distances,
            edge_vectors=structure.positions[source] - structure.positions[target],
            images=np.zeros((len(source), 3), dtype=np.int64),
        )


@dataclass(frozen=True, kw_only=True)
class Unsorted(Nearby):
    """The edges of an atom do not stand together."""

    def pairs(self, structure: Structure) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return tuple(column[::-1].copy() for column in super().pairs(structure))  # type: ignore[return-value]


@dataclass(frozen=True, kw_only=True)
class BackToFront(Nearby):
    """Vectors lead from source to target."""

    def edges(self, structure: Structure) -> EdgeArrays:
        e = super().edges(structure)
        return replace(e, fields={"edge_vectors": -e.fields["edge_vectors"]})


@dataclass(frozen=True, kw_only=True)
class Lopsided(Nearby):
    """Sees farther along one axis."""

    def pairs(self, structure: Structure) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        stretched = structure._replace(positions=structure.positions * [1.0, 1.0, 0.5])
        source, target, _ = Nearby.pairs(self, stretched)
        x = structure.positions
        apart = np.linalg.norm(x[source] - x[target], axis=1)
        order = np.lexsort((apart, target))
        return source[order], target[order], apart[order]


@dataclass(frozen=True, kw_only=True)
class Moves(Nearby):
    """Shifts the atoms that it is given."""

    def build(self, atoms: Atoms) -> AtomGraph:
        atoms.positions += 0.1
        return super().build(atoms)


def molecules() -> dict[str, Atoms]:
    return {name: molecule(name) for name in ("CH3CH2OH", "C6H6")}


def test_a_sound_builder_passes() -> None:
    check_builder(Nearby(), molecules())
    check_builder(make_builder("nearest"))


@pytest.mark.parametrize(
    ("builder", "sentence"),
    [
        (Unsorted(), "not sorted by target"),
        (BackToFront(), "do not lead from target to source"),
        (Lopsided(), "turned and shifted"),
        (Moves(), "changes the structure|other neighbours|do not lead"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_faulty_builder_is_found(builder: GraphBuilder, sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        check_builder(builder, molecules())


def test_a_builder_that_sees_no_images_is_found_in_a_crystal() -> None:
    with pytest.raises(AssertionError, match=r"crystal|slab"):
        check_builder(Nearby(cutoff=4.0))


# ---- explainers


class Even(Explainer):
    """Every atom has the same share."""

    name = "even"

    def explain(self, question: Question) -> AtomScores:
        shares = np.full(len(question.structure.atomic_numbers), 1.0)
        shares /= shares.sum()
        return AtomScores(scores=shares, by_member=shares[None])


class NotShares(Even):
    def explain(self, question: Question) -> AtomScores:
        found = super().explain(question)
        return replace(found, scores=2 * found.scores)


class ByPlace(Even):
    in_target_units = True

    def explain(self, question: Question) -> AtomScores:
        places = np.arange(float(len(question.structure.atomic_numbers)))
        return AtomScores(scores=places, by_member=places[None])


class OfTheNetwork(Even):
    """Changes of the network's output, in whatever unit that is."""

    in_target_units = True

    def explain(self, question: Question) -> AtomScores:
        (model,) = question.models
        with torch.no_grad():
            value = model(question.batch).values[0, 0].item()
        scores = value * question.structure.atomic_numbers.astype(float)
        return AtomScores(scores=scores, by_member=scores[None])


class Tampers(Even):
    def explain(self, question: Question) -> AtomScores:
        with torch.no_grad():
            next(question.models[0].parameters()).mul_(0.5)
        return super().explain(question)


def test_a_sound_explainer_passes() -> None:
    check_explainer(Even)
    check_explainer(EXPLAINERS["occlusion"])


@pytest.mark.parametrize(
    ("explainer", "sentence"),
    [
        (NotShares, "the shares add up to 2"),
        (ByPlace, "do not follow the atoms"),
        (OfTheNetwork, "not in the unit of the target"),
        (Tampers, "changes the weight"),
    ],
)
def test_a_faulty_explainer_is_found(explainer: type[Explainer], sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        check_explainer(explainer)


# ---- data sets


def numbers() -> Dataset:
    atoms = [molecule(name) for name in ("H2O", "CH4", "NH3", "CO2", "C2H6", "CH3OH", "HCN", "N2")]
    for i, a in enumerate(atoms):
        a.info["name"] = f"number {i}"
    return Dataset(
        name="numbers",
        structures=StructureArrays.from_atoms(atoms),
        targets=(Target(name="y"),),
        values=np.array([[float(a.numbers.sum())] for a in atoms]),
    )


def test_a_sound_data_set_passes() -> None:
    check_dataset(numbers())
    check_dataset(DATASETS["toy"](n=40), limit=20)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"values": np.full((8, 1), np.nan)}, "known for no sample"),
        ({"values": np.zeros((8, 2))}, r"not \(8, 1\)"),
        ({"node_labels": tuple(np.zeros(2) for _ in range(8))}, "do not fit the atoms"),
        (
            {"targets": (Target(name="y", kind="classification", classes=("a", "b")),)},
            "no number of a class",
        ),
    ],
)
def test_a_faulty_data_set_is_found(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        check_dataset(replace(numbers(), **changes))


def test_two_samples_of_one_name_are_found() -> None:
    data = numbers()
    twins = replace(data.structures, names=("a",) * 8)
    with pytest.raises(AssertionError, match="the same name"):
        check_dataset(replace(data, structures=twins))


@dataclass(frozen=True, kw_only=True)
class Changing(Toy):
    """Gives other values whenever it is asked."""

    def load(self, targets: Sequence[str] = (), limit: int | None = None) -> Dataset:
        data = super().load(targets, limit)
        return replace(
            data, values=data.values + np.random.default_rng().normal(size=data.values.shape)
        )


def test_a_source_that_changes_its_mind_is_found() -> None:
    with pytest.raises(AssertionError, match=r"other values|values differ"):
        check_dataset(Changing(n=30), limit=20)
