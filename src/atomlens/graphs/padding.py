"""Batches of one fixed size, cut on the device without waiting for it.

A batch whose sizes the processor must know before it can be made stops the device at every step,
and a recorded step (`atomlens.training.capture`) takes no other sizes at all. So a batch here
always has the same numbers of graphs, nodes and edges: one made-up graph at its end takes what the
real ones leave, and its values are unknown to the loss.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Int
from numpy.typing import NDArray
from torch import Tensor

from atomlens.graphs.batches import GraphBatch
from atomlens.graphs.fields import FIELDS
from atomlens.graphs.store import GraphStore

ABSENT = -1
"""Row of a graph that is not there; its place is filled too."""
SIGMAS = 4.5
"""A batch drawn at random fits but for 3 in a million."""
_STEP = 64
"""Capacities are multiples of this."""
_DISTANCE = math.sqrt(3)
"""Å; of the edges of the made-up graph, whose vectors are (1, 1, 1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """The size of every batch, without the graph that fills it."""

    n_graphs: int
    n_nodes: int
    """Nodes, at least one more than those of the real graphs."""
    n_edges: int

    @classmethod
    def of(
        cls,
        node_counts: NDArray[np.int64],
        edge_counts: NDArray[np.int64],
        n_graphs: int,
        *,
        sigmas: float = SIGMAS,
    ) -> "Capacity":
        """Return what random batches of ``n_graphs`` of these graphs need.

        Args:
            node_counts: Of the graphs that batches are drawn from.
            edge_counts: The same.
            n_graphs: Real graphs of a batch.
            sigmas: How many standard deviations more than the mean of a batch.
        """
        return cls(
            n_graphs=n_graphs,
            n_nodes=_room(node_counts, n_graphs, sigmas, least=1),
            n_edges=_room(edge_counts, n_graphs, sigmas, least=0),
        )

    def fits(
        self, node_counts: NDArray[np.int64], edge_counts: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """(n_batches,) which batches have room, from the counts (n_batches, n_graphs)."""
        nodes, edges = node_counts.sum(axis=1), edge_counts.sum(axis=1)
        return np.asarray((nodes < self.n_nodes) & (edges <= self.n_edges))


def counts_of(store: GraphStore) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the nodes and the edges of every graph, where the processor can read them."""
    return store.node_counts.cpu().numpy(), store.edge_counts.cpu().numpy()


def smallest_graph(node_counts: NDArray[np.int64], edge_counts: NDArray[np.int64]) -> int:
    """Return the graph that stands in the place of an ``ABSENT`` row."""
    return int(np.argmin(node_counts + edge_counts))


def _room(counts: NDArray[np.int64], n_graphs: int, sigmas: float, *, least: int) -> int:
    """Return the room for a batch, at most what the largest graphs need together."""
    largest = int(counts.max(initial=0))
    if largest == 0:
        return least
    mean, spread = float(counts.mean()), float(counts.std()) * math.sqrt(n_graphs)
    usual = mean * n_graphs + sigmas * spread
    with_largest = largest + mean * (n_graphs - 1) + spread
    most = np.sort(counts)[-n_graphs:].sum() + max(0, n_graphs - len(counts)) * largest
    wanted = min(max(usual, with_largest), float(most)) + least
    return math.ceil(wanted / _STEP) * _STEP


class _Rows(NamedTuple):
    """The rows of chosen graphs end to end, the made-up graph last."""

    counts: Int[Tensor, " n_graphs"]
    first: Int[Tensor, " n_graphs"]
    """Place of the first row of each graph in the batch."""
    owner: Int[Tensor, " n_rows"]
    """Graph of each row."""
    place: Int[Tensor, " n_rows"]
    """Number of each row in its graph."""
    stored: Int[Tensor, " n_rows"]
    """Row in the store; 0 for made-up ones."""
    made_up: Bool[Tensor, " n_rows"]


class PaddedCutter:
    """Cuts batches of a capacity out of a store, on its device."""

    def __init__(self, store: GraphStore, capacity: Capacity) -> None:
        device = store.node_offsets.device
        self.store, self.capacity = store, capacity
        self.node_counts, self.edge_counts = store.node_counts, store.edge_counts
        self.nodes = torch.arange(capacity.n_nodes, device=device)
        self.edges = torch.arange(capacity.n_edges, device=device)
        self.smallest = torch.tensor(smallest_graph(*counts_of(store)), device=device)

    def __call__(self, rows: Int[Tensor, " n_chosen"]) -> GraphBatch:
        """Cut out the graphs ``rows``; the batch has one graph more than there are rows.

        In the place of an ``ABSENT`` row stands the smallest graph of the store. The graphs must
        fit (`Capacity.fits`): nobody looks, as looking would mean to wait.
        """
        store = self.store
        rows = torch.where(rows >= 0, rows, self.smallest)
        nodes = _lay(rows, self.node_counts, store.node_offsets, self.nodes)
        edges = _lay(rows, self.edge_counts, store.edge_offsets, self.edges)
        # the made-up edges are spread over the made-up nodes, sorted by target as all edges are
        shares = edges.place * nodes.counts[-1]
        spread = torch.div(shares, edges.counts[-1].clamp(min=1), rounding_mode="floor")
        first = nodes.first.index_select(0, edges.owner)

        def ends(stored: Tensor) -> Tensor:
            chosen = stored.index_select(0, edges.stored).long()
            return torch.where(edges.made_up, spread, chosen) + first

        def cut(values: Tensor, at: _Rows, filler: int | float) -> Tensor:
            chosen = values.index_select(0, at.stored)
            hidden = at.made_up.view(-1, *[1] * (values.dim() - 1))
            return chosen.masked_fill(hidden, filler)

        def field(name: str, values: Tensor) -> Tensor:
            row = FIELDS[name]
            if row.scope == "graph":
                filler = values.new_full((1, *values.shape[1:]), row.filler)
                return torch.cat([values.index_select(0, rows), filler])
            return cut(values, nodes if row.scope == "node" else edges, row.filler)

        return GraphBatch(
            atomic_numbers=cut(store.atomic_numbers, nodes, 1).long(),
            graph_index=nodes.owner,
            node_counts=nodes.counts,
            edge_index=torch.stack([ends(store.edge_source), ends(store.edge_target)]),
            distances=cut(store.distances, edges, _DISTANCE),
            fields={name: field(name, values) for name, values in store.fields.items()},
        )


def _lay(
    rows: Int[Tensor, " n_chosen"],
    counts: Int[Tensor, " n_stored"],
    offsets: Int[Tensor, " n_stored_plus_1"],
    index: Int[Tensor, " n_rows"],
) -> _Rows:
    chosen = counts.index_select(0, rows)
    chosen = torch.cat([chosen, len(index) - chosen.sum(0, keepdim=True)])
    ends = chosen.cumsum(0)
    # not repeat_interleave, whose result has a size that the processor must know
    owner = torch.searchsorted(ends, index, right=True).clamp(max=len(rows))
    place = index - (ends - chosen).index_select(0, owner)
    start = torch.cat([offsets.index_select(0, rows), offsets.new_zeros(1)])
    made_up = owner == len(rows)
    stored = (start.index_select(0, owner) + place).masked_fill(made_up, 0)
    return _Rows(chosen, ends - chosen, owner, place, stored, made_up)
