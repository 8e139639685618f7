"""Occlusion: what the prediction loses with each atom."""

from dataclasses import fields, replace
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from atomlens.errors import ExplanationError
from atomlens.explain.base import Explainer, NodeScores, Outputs, explained_output
from atomlens.graphs import AtomGraph, GraphBatch, collate
from atomlens.models.base import PropertyModel

_NODES_AND_EDGES = 32_768
"""Of the holed structures that are predicted at once."""
_OF_NODES = ("charges", "node_weights", "ring_flags")
_OF_EDGES = ("distances", "edge_vectors", "solid_angles", "edge_weights")


@final
class OcclusionExplainer(Explainer):
    """f(structure) - f(structure without the atom), neighbours of the others unchanged.

    The graph loses the atom and its edges; no new neighbours are searched, so that what is
    measured is the atom and not the repaired structure around the hole.
    """

    name = "occlusion"
    summary = (
        "change of the prediction, in its unit, when the model is not shown the atom; a structure "
        "with a hole is one that the model has not been trained on."
    )
    in_target_units = True

    @torch.no_grad()
    def explain(self, model: PropertyModel, batch: GraphBatch, outputs: Outputs) -> NodeScores:
        """Predict the structure once without each atom."""
        if batch.n_nodes < 2:
            raise ExplanationError(
                "Occlusion takes one atom away at a time, and this structure has only one node; "
                "use another method."
            )
        output = model(batch)
        size = batch.n_nodes + batch.n_edges
        step = max(1, _NODES_AND_EDGES // size)
        values = []
        for start in range(0, batch.n_nodes, step):
            stop = min(start + step, batch.n_nodes)
            holed = collate((without(batch, atom) for atom in range(start, stop)), _dtype(batch))
            holed_output = model(holed.to(batch.distances.device))
            values.append(explained_output(holed_output.values, outputs))
        change = explained_output(output.values, outputs)[0] - torch.cat(values)
        return NodeScores(scores=change.double().cpu().numpy().astype(np.float64), output=output)


def _dtype(batch: GraphBatch) -> torch.dtype:
    return batch.distances.dtype


def without(batch: GraphBatch, atom: int) -> AtomGraph:
    """Return the one graph of a batch without an atom and the edges that end at it."""
    kept = torch.arange(batch.n_nodes, device=batch.graph_index.device) != atom
    edges = kept[batch.edge_index].all(dim=0)
    place = kept.cumsum(0) - 1
    chosen: dict[str, Any] = _rows(batch, _OF_NODES, kept) | _rows(batch, _OF_EDGES, edges)
    n_edges = int(edges.sum())
    vectors = chosen.pop("edge_vectors", None)
    graph = AtomGraph(
        atomic_numbers=batch.atomic_numbers[kept],
        edge_index=place[batch.edge_index[:, edges]],
        edge_vectors=batch.distances.new_zeros(n_edges, 3) if vectors is None else vectors,
        images=batch.edge_index.new_zeros(n_edges, 3),
        **chosen,
    )
    return graph if batch.cells is None else replace(graph, cell=batch.cells[0])


def _rows(
    batch: GraphBatch, names: tuple[str, ...], chosen: Bool[Tensor, " n_rows"]
) -> dict[str, Tensor]:
    known = {f.name for f in fields(batch)}
    found = {name: getattr(batch, name) for name in names if name in known}
    return {name: value[chosen] for name, value in found.items() if value is not None}
