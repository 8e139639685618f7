"""From a structure to its neighbour pairs."""

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from atomlens.errors import GraphError
from atomlens.graphs import AtomGraph
from atomlens.structures.arrays import Structure, structure_of

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeArrays:
    """Directed neighbour pairs of one structure, sorted by target (then distance)."""

    source: NDArray[np.int64]
    """(n_edges,)"""
    target: NDArray[np.int64]
    """(n_edges,)"""
    distances: NDArray[np.float64]
    """(n_edges,), Å"""
    vectors: NDArray[np.float64]
    """(n_edges, 3), Å, from target to source"""
    images: NDArray[np.int64]
    """(n_edges, 3), lattice translation of the source"""
    solid_angles: NDArray[np.float64] | None = None
    """(n_edges,), sr"""
    weights: NDArray[np.float64] | None = None
    """(n_edges,), solid angle over the largest of the target"""
    atomic_numbers: NDArray[np.uint8] | None = None
    """Set by builders whose nodes are not the atoms (formula): the nodes' elements."""
    node_weights: NDArray[np.float64] | None = None
    """Set together with ``atomic_numbers``: the amount of each node."""


class GraphBuilder(ABC):
    """Finds the neighbours of every atom. Real builders are frozen dataclasses."""

    name: ClassVar[str]
    """Key in ``BUILDERS``."""
    needs_positions: ClassVar[bool] = True

    @abstractmethod
    def edges(self, structure: Structure) -> EdgeArrays:
        """Return the neighbour pairs of one structure.

        Raises:
            GraphError: the structure admits no graph; the message names it and says why.
        """

    def build(self, atoms: "Atoms") -> AtomGraph:
        """Return the graph of one ase.Atoms, in float64."""
        return self.build_structure(structure_of(atoms))

    def build_structure(self, structure: Structure) -> AtomGraph:
        """Return the graph of one structure, in float64."""
        self.check(structure)
        e = self.edges(structure)
        numbers = structure.atomic_numbers if e.atomic_numbers is None else e.atomic_numbers
        return AtomGraph(
            atomic_numbers=torch.from_numpy(numbers.astype(np.int64)),
            edge_index=torch.from_numpy(np.stack([e.source, e.target])),
            distances=torch.from_numpy(e.distances),
            edge_vectors=torch.from_numpy(e.vectors),
            images=torch.from_numpy(e.images),
            solid_angles=None if e.solid_angles is None else torch.from_numpy(e.solid_angles),
            edge_weights=None if e.weights is None else torch.from_numpy(e.weights),
            node_weights=None if e.node_weights is None else torch.from_numpy(e.node_weights),
            name=structure.name,
        )

    def check(self, structure: Structure) -> None:
        """Raise a GraphError for a structure that no builder of this kind can use."""
        if len(structure.atomic_numbers) == 0:
            raise GraphError(f"{structure.name}: there are no atoms. Drop this structure.")
        if self.needs_positions and structure.is_formula:
            raise GraphError(
                f"{structure.name}: this is a bare formula without positions, and the "
                f"{self.name!r} builder needs positions. Give a structure file or a SMILES, "
                "or use a model that reads formulas."
            )

    def settings(self) -> dict[str, Any]:
        """Return the settings as plain values, enough to make the same builder again."""
        return asdict(self)  # type: ignore[call-overload,no-any-return]
