"""One system as a graph, and several systems laid end to end.

Edges point from a neighbour (source) to the atom that looks at it (target) and are always
sorted by target, so that the edges of one atom stand together. One periodic image of a
neighbour is one edge; several images of the same atom are several edges.
"""

from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class AtomGraph:
    """One system: atoms and neighbour pairs. Lengths in Å, solid angles in sr."""

    atomic_numbers: Int[Tensor, " n_nodes"]
    edge_index: Int[Tensor, "2 n_edges"]
    """Rows: source, target; sorted by target."""
    distances: Float[Tensor, " n_edges"]
    edge_vectors: Float[Tensor, "n_edges 3"]
    """From target to source."""
    images: Int[Tensor, "n_edges 3"]
    """Lattice translation of the source, in units of the cell vectors."""
    solid_angles: Float[Tensor, " n_edges"] | None = None
    """Solid angle of the shared Voronoi face seen from the target."""
    edge_weights: Float[Tensor, " n_edges"] | None = None
    """Solid angle over the largest of the target; 1 for builders without faces."""
    node_weights: Float[Tensor, " n_nodes"] | None = None
    """Amount of each node in a formula graph; None where every node is one atom."""
    ring_flags: Float[Tensor, "n_nodes 2"] | None = None
    """1 where an atom is in a ring, and 1 where it is aromatic; None where nobody asked."""
    charges: Float[Tensor, " n_nodes"] | None = None
    """Partial charges, e; 0 where unknown."""
    cell: Float[Tensor, "3 3"] | None = None
    """Rows are lattice vectors; zero rows where there is none."""
    name: str = ""

    @property
    def n_nodes(self) -> int:
        """Number of atoms."""
        return int(self.atomic_numbers.shape[0])

    @property
    def n_edges(self) -> int:
        """Number of directed neighbour pairs."""
        return int(self.edge_index.shape[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphBatch:
    """Several graphs end to end. Optional edge fields are None where nobody asked for them."""

    atomic_numbers: Int[Tensor, " n_nodes"]
    graph_index: Int[Tensor, " n_nodes"]
    """Graph of each node, ascending."""
    node_counts: Int[Tensor, " n_graphs"]
    edge_index: Int[Tensor, "2 n_edges"]
    """Rows: source, target, counted over the whole batch; sorted by target."""
    distances: Float[Tensor, " n_edges"]
    edge_vectors: Float[Tensor, "n_edges 3"] | None = None
    solid_angles: Float[Tensor, " n_edges"] | None = None
    edge_weights: Float[Tensor, " n_edges"] | None = None
    node_weights: Float[Tensor, " n_nodes"] | None = None
    ring_flags: Float[Tensor, "n_nodes 2"] | None = None
    charges: Float[Tensor, " n_nodes"] | None = None
    cells: Float[Tensor, "n_graphs 3 3"] | None = None

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
        moved: dict[str, Tensor] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None:
                floating = value.is_floating_point()
                moved[field.name] = value.to(device=device, dtype=dtype if floating else None)
        return replace(self, **moved)
