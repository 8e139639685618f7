"""Trained models around a network, and questions about made-up graphs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from atomlens.explain import Question
from atomlens.graphs import AtomGraph
from atomlens.models import PropertyModel
from atomlens.neighbors.base import EdgeArrays, GraphBuilder
from atomlens.predictor import Calibration, Predictor
from atomlens.structures.arrays import Structure, StructureArrays
from atomlens.targets import Target
from atomlens.targets.scaling import TargetScaling


@dataclass(frozen=True, kw_only=True)
class GivenGraph(GraphBuilder):
    """Gives the same graph, whatever the structure."""

    name: ClassVar[str] = "given"
    graph: AtomGraph

    def edges(self, structure: Structure) -> EdgeArrays:
        """Return the pairs of the graph, whatever the structure."""
        source, target = self.graph.edge_index.numpy().astype(np.int64)
        return EdgeArrays(
            source=source,
            target=target,
            distances=self.graph.distances.numpy().astype(np.float64),
            images=self.graph.images.numpy().astype(np.int64),
            atomic_numbers=self.graph.atomic_numbers.numpy().astype(np.uint8),
            fields={name: values.numpy() for name, values in self.graph.fields.items()},
        )

    def build_structure(self, structure: Structure) -> AtomGraph:
        """Return the graph, whatever the structure."""
        return self.graph


def trained_around(
    *models: PropertyModel,
    builder: GraphBuilder,
    targets: tuple[Target, ...],
    mean: float = 0.0,
    std: float = 1.0,
    shares: Mapping[int, float] | None = None,
) -> Predictor:
    """Return a predictor of these networks.

    Args:
        *models: The members of an ensemble, with an output for each output of the targets.
        builder: Their neighbours.
        targets: What they say.
        mean: Of the scaling of numbers that are free to have one (not of nonnegative ones).
        std: Of the scaling of all numbers.
        shares: What each element adds by itself (``reference=elements``); 0: all others.
    """
    numbers = [t.kind == "regression" for t in targets]
    free = [n and not t.nonnegative for n, t in zip(numbers, targets, strict=True)]
    return Predictor(
        model_name="made-up",
        models=models,
        builder=builder,
        scaling=TargetScaling(
            targets=targets,
            means=tuple(mean if f else 0.0 for f in free),
            stds=tuple(std if n else 1.0 for n in numbers),
            references=tuple(dict(shares or {}) if f else {} for f in free),
        ),
        calibration=Calibration.nothing(sum(t.n_values for t in targets)),
    )


def structures_of(graph: AtomGraph) -> StructureArrays:
    """Return a structure with the atoms of a graph."""
    n = graph.n_nodes
    return StructureArrays.from_structures(
        [
            Structure(
                atomic_numbers=graph.atomic_numbers.numpy().astype(np.uint8),
                positions=np.zeros((n, 3)),
                cell=np.zeros((3, 3)),
                pbc=np.zeros(3, dtype=np.bool_),
                name="made up",
                is_formula=False,
            )
        ]
    )


def asked(model: PropertyModel, graph: AtomGraph, output: int = 0, **scaling: Any) -> Question:
    """Return a question about one output of a network, in double precision and as it is.

    ``scaling`` may hold ``targets`` and what else `trained_around` takes.
    """
    n_outputs = model.config.n_outputs
    targets = scaling.pop("targets", tuple(Target(name=f"y{i}") for i in range(n_outputs)))
    trained = trained_around(model, builder=GivenGraph(graph=graph), targets=targets, **scaling)
    return Question.about(
        trained,
        structures_of(graph),
        target=targets[output].name,
        device="cpu",
        dtype=torch.float64,
    )
