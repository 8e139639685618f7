"""All graphs of a data set as flat tensors, from which batches are cut."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Int, Integer
from torch import Tensor

from atomlens.errors import GraphError
from atomlens.graphs.batches import AtomGraph, GraphBatch
from atomlens.graphs.copying import copy_loops
from atomlens.graphs.fields import FIELDS, Counts, HasFields, Scope, common_fields, given_fields
from atomlens.machine import worth_compiling

CORE = (
    "node_offsets",
    "edge_offsets",
    "atomic_numbers",
    "edge_source",
    "edge_target",
    "distances",
)
"""Tensors of every store; the others are those of ``FIELDS``."""
_PLAIN_GRAPHS = 100
"""So many a process gathers rather than compile the loops that copy them."""


def collate(graphs: Iterable[AtomGraph], dtype: torch.dtype = torch.float32) -> GraphBatch:
    """Lay graphs end to end, with floating-point fields in ``dtype``.

    A field that only some of the graphs have is an error: batches come from one builder.
    """
    return GraphStore.from_graphs(graphs, dtype=dtype).batch()


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class GraphStore(HasFields):
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
    fields: Mapping[str, Tensor]
    """By name in ``FIELDS``, with a row a node, an edge or a graph."""

    def __init__(
        self,
        *,
        node_offsets: Int[Tensor, " n_graphs_plus_1"],
        edge_offsets: Int[Tensor, " n_graphs_plus_1"],
        atomic_numbers: Integer[Tensor, " n_nodes"],
        edge_source: Integer[Tensor, " n_edges"],
        edge_target: Integer[Tensor, " n_edges"],
        distances: Float[Tensor, " n_edges"],
        fields: Mapping[str, Tensor] = {},
        **more: Tensor | None,
    ) -> None:
        counts: Counts = {
            "node": len(atomic_numbers),
            "edge": len(distances),
            "graph": len(node_offsets) - 1,
        }
        self.fill(
            node_offsets=node_offsets,
            edge_offsets=edge_offsets,
            atomic_numbers=atomic_numbers,
            edge_source=edge_source,
            edge_target=edge_target,
            distances=distances,
            fields=given_fields(fields, more, counts),
        )

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

    @property
    def n_bytes(self) -> int:
        """What its tensors take in memory."""
        return sum(t.numel() * t.element_size() for t in self.parts().values())

    @classmethod
    def from_graphs(
        cls, graphs: Iterable[AtomGraph], dtype: torch.dtype = torch.float32
    ) -> "GraphStore":
        """Lay graphs end to end."""
        items = list(graphs)
        if not items:
            raise GraphError("There is no graph to batch: the list of structures is empty.")

        def joined(name: str, values: list[Tensor]) -> Tensor:
            row = FIELDS[name]
            rows = torch.stack(values) if row.scope == "graph" else torch.cat(values)
            return rows.to(dtype if rows.is_floating_point() else rows.dtype)

        edges = torch.cat([g.edge_index for g in items], dim=1)
        return cls(
            node_offsets=_offsets([g.n_nodes for g in items]),
            edge_offsets=_offsets([g.n_edges for g in items]),
            atomic_numbers=torch.cat([g.atomic_numbers for g in items]),
            edge_source=edges[0],
            edge_target=edges[1],
            distances=torch.cat([g.distances for g in items]).to(dtype),
            fields={
                name: joined(name, values)
                for name, values in common_fields([g.fields for g in items]).items()
            },
        )

    def to(self, device: torch.device | str) -> "GraphStore":
        """Return the store on a device, so that batches are cut out there."""
        return self.of({name: tensor.to(device) for name, tensor in self.parts().items()})

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> "GraphStore":
        """Return the store of these tensors, such as the `parts` of another one.

        Raises:
            GraphError: a name or shape that is none of the fields of graphs.
            KeyError: there are no atoms or pairs.
        """
        core = {name: tensors[name] for name in CORE}
        return cls(**core, fields={n: t for n, t in tensors.items() if n not in CORE})

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
        """Return the store with only the named optional fields, so batches stay lean.

        Raises:
            ValueError: No field has one of these names.
        """
        keep = set(names)
        if unknown := sorted(keep - FIELDS.keys()):
            raise ValueError(f"{', '.join(unknown)}: no field of a graph has this name.")
        chosen = {n: v for n, v in self.fields.items() if n in keep or FIELDS[n].always}
        return replace(self, fields=chosen)

    def batch(self, indices: Int[Tensor, " n_chosen"] | None = None) -> GraphBatch:
        """Cut out the graphs ``indices`` (all of them by default) as one batch."""
        device = self.node_offsets.device
        if indices is None:
            indices = torch.arange(len(self), device=device)
        indices = indices.to(device=device, dtype=torch.long)
        if device.type == "cpu" and copy_loops():
            _, copy_graphs, _ = copy_loops()
            if worth_compiling(copy_graphs, len(indices), _PLAIN_GRAPHS):
                return self._copied(indices)
        return self._gathered(indices)

    def _gathered(self, indices: Int[Tensor, " n_chosen"]) -> GraphBatch:
        """Cut with gathers, on every device."""
        node_counts, graph_index, node_rows = _ranges(self.node_offsets, indices)
        _, edge_graph, edge_rows = _ranges(self.edge_offsets, indices)
        first_node = (node_counts.cumsum(0) - node_counts).index_select(0, edge_graph)
        ends = (self.edge_source, self.edge_target)

        rows = {"node": node_rows, "edge": edge_rows, "graph": indices}
        return GraphBatch(
            atomic_numbers=self.atomic_numbers.index_select(0, node_rows).long(),
            graph_index=graph_index,
            node_counts=node_counts,
            edge_index=torch.stack([e.index_select(0, edge_rows) + first_node for e in ends]),
            distances=self.distances.index_select(0, edge_rows),
            fields={
                name: values.index_select(0, rows[FIELDS[name].scope])
                for name, values in self.fields.items()
            },
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

        cut_rows: dict[Scope, Callable[[Tensor], Tensor]] = {
            "node": lambda values: cut(values, node_offsets, n_nodes),
            "edge": lambda values: cut(values, edge_offsets, n_edges),
            "graph": lambda values: values.index_select(0, indices),
        }
        return GraphBatch(
            atomic_numbers=atomic_numbers,
            graph_index=graph_index,
            node_counts=node_counts,
            edge_index=edge_index,
            distances=cut(self.distances, edge_offsets, n_edges),
            fields={n: cut_rows[FIELDS[n].scope](v) for n, v in self.fields.items()},
        )


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
