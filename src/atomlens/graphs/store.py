"""All graphs of a data set as flat tensors, from which batches are cut."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from jaxtyping import Float, Int, Integer
from torch import Tensor

from atomlens.errors import GraphError
from atomlens.graphs.batches import AtomGraph, GraphBatch
from atomlens.graphs.copying import copy_loops

_OPTIONAL = ("edge_vectors", "solid_angles", "edge_weights", "charges", "cells")


def collate(graphs: Iterable[AtomGraph], dtype: torch.dtype = torch.float32) -> GraphBatch:
    """Lay graphs end to end, with floating-point fields in ``dtype``.

    A field that only some of the graphs have is an error: batches come from one builder.
    """
    return GraphStore.from_graphs(graphs, dtype=dtype).batch()


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphStore:
    """All graphs of a data set as flat tensors, possibly memory-mapped or on a GPU.

    A batch is cut out with a few gathers; nothing is padded and no Python loop runs over
    graphs. Edge ends are counted inside each graph.
    """

    node_offsets: Int[Tensor, " n_graphs_plus_1"]
    edge_offsets: Int[Tensor, " n_graphs_plus_1"]
    atomic_numbers: Integer[Tensor, " n_nodes"]
    edge_source: Integer[Tensor, " n_edges"]
    edge_target: Integer[Tensor, " n_edges"]
    distances: Float[Tensor, " n_edges"]
    edge_vectors: Float[Tensor, "n_edges 3"] | None = None
    solid_angles: Float[Tensor, " n_edges"] | None = None
    edge_weights: Float[Tensor, " n_edges"] | None = None
    node_weights: Float[Tensor, " n_nodes"] | None = None
    ring_flags: Float[Tensor, "n_nodes 2"] | None = None
    charges: Float[Tensor, " n_nodes"] | None = None
    cells: Float[Tensor, "n_graphs 3 3"] | None = None

    def __len__(self) -> int:
        return int(self.node_offsets.shape[0]) - 1

    @property
    def node_counts(self) -> Int[Tensor, " n_graphs"]:
        """Number of atoms of each graph."""
        return self.node_offsets.diff()

    @property
    def edge_counts(self) -> Int[Tensor, " n_graphs"]:
        """Number of directed neighbour pairs of each graph."""
        return self.edge_offsets.diff()

    @classmethod
    def from_graphs(
        cls, graphs: Iterable[AtomGraph], dtype: torch.dtype = torch.float32
    ) -> "GraphStore":
        """Lay graphs end to end."""
        items = list(graphs)
        if not items:
            raise GraphError("There is no graph to batch: the list of structures is empty.")

        def cat(name: str) -> Tensor | None:
            values = [getattr(g, name) for g in items]
            present = [v for v in values if v is not None]
            if not present:
                return None
            if len(present) < len(values):
                raise GraphError(
                    f"Some graphs have {name} and some do not; build all with one builder."
                )
            return torch.cat(present).to(dtype)

        edges = torch.cat([g.edge_index for g in items], dim=1)
        return cls(
            node_offsets=_offsets([g.n_nodes for g in items]),
            edge_offsets=_offsets([g.n_edges for g in items]),
            atomic_numbers=torch.cat([g.atomic_numbers for g in items]),
            edge_source=edges[0],
            edge_target=edges[1],
            distances=torch.cat([g.distances for g in items]).to(dtype),
            edge_vectors=cat("edge_vectors"),
            solid_angles=cat("solid_angles"),
            edge_weights=cat("edge_weights"),
            node_weights=cat("node_weights"),
            ring_flags=cat("ring_flags"),
            charges=cat("charges"),
            cells=_stacked_cells(items, dtype),
        )

    def to(self, device: torch.device | str) -> "GraphStore":
        """Return the store on a device, so that batches are cut out there."""
        moved = {
            f.name: getattr(self, f.name).to(device)
            for f in fields(self)
            if getattr(self, f.name) is not None
        }
        return replace(self, **moved)

    def compact(self) -> "GraphStore":
        """Return the store with the smallest integers that hold it: less to keep and to read."""
        largest = int(self.node_counts.max()) if len(self) else 0
        ends = torch.int16 if largest <= torch.iinfo(torch.int16).max else torch.int32
        return replace(
            self,
            atomic_numbers=self.atomic_numbers.to(torch.uint8),
            edge_source=self.edge_source.to(ends),
            edge_target=self.edge_target.to(ends),
        )

    def select(self, names: Iterable[str]) -> "GraphStore":
        """Return the store with only the named optional fields, so batches stay lean."""
        keep = set(names)
        dropped: dict[str, Any] = {name: None for name in _OPTIONAL if name not in keep}
        return replace(self, **dropped)

    def batch(self, indices: Int[Tensor, " n_chosen"] | None = None) -> GraphBatch:
        """Cut out the graphs ``indices`` (all of them by default) as one batch."""
        device = self.node_offsets.device
        if indices is None:
            indices = torch.arange(len(self), device=device)
        indices = indices.to(device=device, dtype=torch.long)
        if device.type == "cpu" and copy_loops():
            return self._copied(indices)
        return self._gathered(indices)

    def _gathered(self, indices: Int[Tensor, " n_chosen"]) -> GraphBatch:
        """Cut with gathers, on every device."""
        node_counts, graph_index, node_rows = _ranges(self.node_offsets, indices)
        _, edge_graph, edge_rows = _ranges(self.edge_offsets, indices)
        first_node = (node_counts.cumsum(0) - node_counts).index_select(0, edge_graph)
        ends = (self.edge_source, self.edge_target)

        def cut(values: Tensor | None, rows: Tensor) -> Tensor | None:
            return None if values is None else values.index_select(0, rows)

        return GraphBatch(
            atomic_numbers=self.atomic_numbers.index_select(0, node_rows).long(),
            graph_index=graph_index,
            node_counts=node_counts,
            edge_index=torch.stack([e.index_select(0, edge_rows) + first_node for e in ends]),
            distances=self.distances.index_select(0, edge_rows),
            edge_vectors=cut(self.edge_vectors, edge_rows),
            solid_angles=cut(self.solid_angles, edge_rows),
            edge_weights=cut(self.edge_weights, edge_rows),
            node_weights=cut(self.node_weights, node_rows),
            ring_flags=cut(self.ring_flags, node_rows),
            charges=cut(self.charges, node_rows),
            cells=cut(self.cells, indices),
        )

    def _copied(self, indices: Int[Tensor, " n_chosen"]) -> GraphBatch:
        """Cut with compiled loops on the CPU: the rows of a graph stand together."""
        count, copy_graphs, copy_values = copy_loops()
        chosen = indices.numpy()
        node_offsets, edge_offsets = self.node_offsets.numpy(), self.edge_offsets.numpy()
        n_nodes, n_edges = count(chosen, node_offsets), count(chosen, edge_offsets)
        atomic_numbers, graph_index = torch.empty(2, n_nodes, dtype=torch.long).unbind()
        node_counts = torch.empty(len(chosen), dtype=torch.long)
        edge_index = torch.empty(2, n_edges, dtype=torch.long)
        stored = (self.atomic_numbers, self.edge_source, self.edge_target)
        made = (node_counts, atomic_numbers, graph_index, edge_index)
        arrays = [tensor.numpy() for tensor in (*stored, *made)]
        copy_graphs(chosen, node_offsets, edge_offsets, *arrays)

        def cut(values: Tensor, offsets: Any, n_rows: int) -> Tensor:
            rows = torch.empty((n_rows, *values.shape[1:]), dtype=values.dtype)
            width = values.shape[1:].numel()
            copy_values(chosen, offsets, width, values.reshape(-1).numpy(), rows.view(-1).numpy())
            return rows

        def cut_edges(values: Tensor | None) -> Tensor | None:
            return None if values is None else cut(values, edge_offsets, n_edges)

        def cut_nodes(values: Tensor | None) -> Tensor | None:
            return None if values is None else cut(values, node_offsets, n_nodes)

        return GraphBatch(
            atomic_numbers=atomic_numbers,
            graph_index=graph_index,
            node_counts=node_counts,
            edge_index=edge_index,
            distances=cut(self.distances, edge_offsets, n_edges),
            edge_vectors=cut_edges(self.edge_vectors),
            solid_angles=cut_edges(self.solid_angles),
            edge_weights=cut_edges(self.edge_weights),
            node_weights=cut_nodes(self.node_weights),
            ring_flags=cut_nodes(self.ring_flags),
            charges=cut_nodes(self.charges),
            cells=None if self.cells is None else self.cells.index_select(0, indices),
        )


def _stacked_cells(
    graphs: list[AtomGraph], dtype: torch.dtype
) -> Float[Tensor, "n_graphs 3 3"] | None:
    cells = [g.cell for g in graphs if g.cell is not None]
    return torch.stack(cells).to(dtype) if len(cells) == len(graphs) else None


def _offsets(counts: list[int]) -> Int[Tensor, " n_plus_1"]:
    return torch.tensor([0, *counts]).cumsum(0)


def _ranges(
    offsets: Int[Tensor, " n_plus_1"], indices: Int[Tensor, " n_chosen"]
) -> tuple[Int[Tensor, " n_chosen"], Int[Tensor, " n_rows"], Int[Tensor, " n_rows"]]:
    """Return the chosen ranges end to end: length of each, and for each row its range and place."""
    starts = offsets.index_select(0, indices)
    counts = offsets.index_select(0, indices + 1) - starts
    ends = counts.cumsum(0)
    n_rows = int(ends[-1]) if len(ends) else 0
    owner = torch.repeat_interleave(counts, output_size=n_rows)
    rows = torch.arange(n_rows, device=offsets.device)
    return counts, owner, rows.add_((starts - (ends - counts)).index_select(0, owner))
