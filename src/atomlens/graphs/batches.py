"""One system as a graph, and several systems laid end to end.

Edges point from a neighbour (source) to the atom that looks at it (target) and are always
sorted by target, so that the edges of one atom stand together. One periodic image of a
neighbour is one edge; several images of the same atom are several edges.

What they hold besides atoms and pairs stands in ``FIELDS`` and is had as an attribute:
``batch.charges`` is a tensor, or None where nobody asked for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from atomlens.graphs.fields import Counts, HasFields, given_fields, names_its_fields


@names_its_fields
@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class AtomGraph(HasFields):
    """One system: atoms and neighbour pairs. Lengths in Å, solid angles in sr."""

    atomic_numbers: Int[Tensor, " n_nodes"]
    edge_index: Int[Tensor, "2 n_edges"]
    """Rows: source, target; sorted by target."""
    distances: Float[Tensor, " n_edges"]
    images: Int[Tensor, "n_edges 3"]
    """Lattice translation of the source, in units of the cell vectors."""
    name: str
    fields: Mapping[str, Tensor]
    """By name in ``FIELDS``; those of the whole graph without an axis for it."""

    def __init__(
        self,
        *,
        atomic_numbers: Int[Tensor, " n_nodes"],
        edge_index: Int[Tensor, "2 n_edges"],
        distances: Float[Tensor, " n_edges"],
        images: Int[Tensor, "n_edges 3"],
        name: str = "",
        fields: Mapping[str, Tensor] = {},
        **more: Tensor | None,
    ) -> None:
        counts: Counts = {"node": len(atomic_numbers), "edge": len(distances), "graph": None}
        self.fill(
            atomic_numbers=atomic_numbers,
            edge_index=edge_index,
            distances=distances,
            images=images,
            name=name,
            fields=given_fields(fields, more, counts),
        )

    @property
    def n_nodes(self) -> int:
        """Number of atoms."""
        return int(self.atomic_numbers.shape[0])

    @property
    def n_edges(self) -> int:
        """Number of directed neighbour pairs."""
        return int(self.edge_index.shape[1])


@names_its_fields
@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class GraphBatch(HasFields):
    """Several graphs end to end."""

    atomic_numbers: Int[Tensor, " n_nodes"]
    graph_index: Int[Tensor, " n_nodes"]
    """Graph of each node, ascending."""
    node_counts: Int[Tensor, " n_graphs"]
    edge_index: Int[Tensor, "2 n_edges"]
    """Rows: source, target, counted over the whole batch; sorted by target."""
    distances: Float[Tensor, " n_edges"]
    fields: Mapping[str, Tensor]
    """By name in ``FIELDS``, with a row a node, an edge or a graph."""

    def __init__(
        self,
        *,
        atomic_numbers: Int[Tensor, " n_nodes"],
        graph_index: Int[Tensor, " n_nodes"],
        node_counts: Int[Tensor, " n_graphs"],
        edge_index: Int[Tensor, "2 n_edges"],
        distances: Float[Tensor, " n_edges"],
        fields: Mapping[str, Tensor] = {},
        **more: Tensor | None,
    ) -> None:
        counts: Counts = {
            "node": len(atomic_numbers),
            "edge": len(distances),
            "graph": len(node_counts),
        }
        self.fill(
            atomic_numbers=atomic_numbers,
            graph_index=graph_index,
            node_counts=node_counts,
            edge_index=edge_index,
            distances=distances,
            fields=given_fields(fields, more, counts),
        )

    @property
    def n_graphs(self) -> int:
        """Number of graphs in the batch."""
        return int(self.node_counts.shape[0])

    @property
    def n_nodes(self) -> int:
        """Number of atoms in the batch."""
        return int(self.atomic_numbers.shape[0])

    @property
    def n_edges(self) -> int:
        """Number of directed neighbour pairs in the batch."""
        return int(self.distances.shape[0])

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> "GraphBatch":
        """Return the batch on a device, floating-point fields in ``dtype``."""

        def moved(value: Tensor) -> Tensor:
            return value.to(device=device, dtype=dtype if value.is_floating_point() else None)

        return GraphBatch(
            atomic_numbers=moved(self.atomic_numbers),
            graph_index=moved(self.graph_index),
            node_counts=moved(self.node_counts),
            edge_index=moved(self.edge_index),
            distances=moved(self.distances),
            fields={name: moved(value) for name, value in self.fields.items()},
        )
