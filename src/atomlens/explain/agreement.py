"""Do the terms of a model say what its prediction loses without each atom?

For every atom of some structures, the term that the readout gives it is held against the change
of the prediction when its element is hidden (``mask``) and when it is taken out of the graph
(``graph``), as a correlation inside each structure.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from atomlens.errors import ExplanationError
from atomlens.graphs import GraphBatch, GraphStore
from atomlens.models.base import ModelOutput, PropertyModel
from atomlens.nn.additive import Absence
from atomlens.nn.segment import segment_sum
from atomlens.targets import output_slices

if TYPE_CHECKING:
    from atomlens.predictor.trained import TrainedModel

MEANINGS = ("mask", "graph")
_FLAT = 1e-3
"""Structures whose terms or effects spread less than this, in scaled units, have no order."""
_LARGEST = 60_000
"""Nodes plus edges of the copies that are asked at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Correlations of terms and effects of one target in one meaning."""

    target: str
    meaning: str
    pearson: NDArray[np.float64]
    """(n_structures,) inside each structure; NaN where there is nothing to order."""

    def to_dict(self) -> dict[str, float | int]:
        """Return mean, median and the number of structures with an order."""
        known = self.pearson[np.isfinite(self.pearson)]
        if not len(known):
            return {"n": 0}
        return {
            "n": len(known),
            "mean": float(known.mean()),
            "median": float(np.median(known)),
            "worst_tenth": float(np.quantile(known, 0.1)),
        }


@torch.no_grad()
def agreement(
    trained: "TrainedModel",
    store: GraphStore,
    rows: NDArray[np.int64],
    progress: Callable[[int, int], None] | None = None,
) -> list[Agreement]:
    """Hold terms against effects, for every target in both meanings.

    Terms and effects of an ensemble are means over its members. Both are of the network alone:
    the sum over elements that some scalings add would make them agree better. Structures of
    fewer than three atoms, and those whose atoms are all alike, have no order.

    Args:
        trained: A model whose readout is a sum of terms.
        store: Graphs.
        rows: Which of them to measure.
        progress: Called with the number of structures done and in all.

    Raises:
        ExplanationError: the model has no terms.
    """
    places = output_slices(trained.targets)
    found: dict[tuple[int, str], list[float]] = {
        (t, m): [] for m in MEANINGS for t in range(len(places))
    }
    for done, row in enumerate(rows.tolist()):
        batch = store.batch(torch.tensor([row]))
        terms = torch.stack([_terms(model(batch), trained) for model in trained.models]).mean(dim=0)
        amounts = _amounts(batch)
        for meaning in MEANINGS:
            effects = _effects(trained, store, row, meaning)
            for t, place in enumerate(places):
                own = terms[:, place.start]
                if trained.targets[t].extensive:  # in units of the whole structure
                    own = own * amounts.sum()
                found[t, meaning].append(_pearson(own, effects[:, place.start]))
        if progress is not None:
            progress(done + 1, len(rows))
    return [
        Agreement(target=trained.targets[t].name, meaning=m, pearson=np.array(values))
        for (t, m), values in found.items()
    ]


def _terms(output: ModelOutput, trained: "TrainedModel") -> Float[Tensor, "n_nodes n_outputs"]:
    if output.node_terms is None:
        raise ExplanationError(
            f"A {trained.model_name!r} is no sum of terms of its atoms; take `lens`."
        )
    return output.node_terms


def _amounts(batch: GraphBatch) -> Float[Tensor, " n_nodes"]:
    """Return how many atoms each node stands for."""
    if batch.node_weights is None:
        return torch.ones(batch.n_nodes, dtype=batch.distances.dtype)
    weights: Tensor = batch.node_weights
    return weights


def _effects(
    trained: "TrainedModel", store: GraphStore, row: int, meaning: str
) -> Float[Tensor, "n_nodes n_outputs"]:
    """Return what the outputs lose without each node, in scaled units.

    Extensive outputs, which are learned per atom, are multiplied by the number of atoms.
    """
    batch = store.batch(torch.tensor([row]))
    n, amounts = batch.n_nodes, _amounts(batch)
    extensive = torch.tensor([t.extensive for t in trained.targets for _ in range(t.n_outputs)])
    left = amounts.sum().expand(n) if meaning == "mask" else amounts.sum() - amounts
    together = max(1, _LARGEST // (n + batch.n_edges))
    effects = []
    for model in trained.models:
        rest = torch.cat(
            [
                _without(model, trained, store, row, torch.arange(i, min(n, i + together)), meaning)
                for i in range(0, n, together)
            ]
        )
        whole = _terms(model(batch), trained).sum(dim=0)
        before = torch.where(extensive, whole * amounts.sum(), whole)
        effects.append(before - torch.where(extensive, rest * left.unsqueeze(1), rest))
    return torch.stack(effects).mean(dim=0)


def _without(
    model: PropertyModel,
    trained: "TrainedModel",
    store: GraphStore,
    row: int,
    nodes: Int[Tensor, " n_absent"],
    meaning: str,
) -> Float[Tensor, "n_absent n_outputs"]:
    """Return the sum of the terms without each of some nodes, one at a time."""
    copies = store.batch(torch.full((len(nodes),), row))
    gone = torch.zeros(len(nodes), copies.n_nodes // len(nodes), dtype=torch.bool)
    gone[torch.arange(len(nodes)), nodes] = True
    flat = gone.flatten()
    absence = Absence(masked=flat) if meaning == "mask" else Absence(removed=flat)
    output = cast(Any, model)(copies, absence)
    return segment_sum(_terms(output, trained), copies.graph_index, len(nodes))


def _pearson(a: Tensor, b: Tensor) -> float:
    a, b = a.double(), b.double()
    if len(a) < 3 or min(float(a.std()), float(b.std())) < _FLAT:
        return float("nan")
    return float(np.corrcoef(a.numpy(), b.numpy())[0, 1])
