"""From a structure to its neighbour pairs."""

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from atomlens.errors import Failure, GraphError
from atomlens.graphs import AtomGraph
from atomlens.structures.arrays import Structure, StructureArrays, structure_of

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


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedEdges:
    """Neighbour pairs of many structures end to end, in the types of a `GraphStore`."""

    kept: NDArray[np.int64]
    """(n_kept,) which structures these are; all arrays leave the failed ones out"""
    node_counts: NDArray[np.int64]
    """(n_kept,)"""
    edge_counts: NDArray[np.int64]
    """(n_kept,)"""
    atomic_numbers: NDArray[np.uint8]
    """(n_nodes,)"""
    source: NDArray[np.int32]
    """(n_edges,) counted inside each structure"""
    target: NDArray[np.int32]
    """(n_edges,)"""
    distances: NDArray[np.float32]
    """(n_edges,), Å"""
    vectors: NDArray[np.float32]
    """(n_edges, 3), Å"""
    solid_angles: NDArray[np.float32] | None = None
    """(n_edges,), sr"""
    weights: NDArray[np.float32] | None = None
    """(n_edges,)"""
    node_weights: NDArray[np.float32] | None = None
    """(n_nodes,)"""
    ring_flags: NDArray[np.float32] | None = None
    """(n_nodes, 2) in a ring, aromatic"""
    failures: tuple[Failure, ...] = ()
    """The structures that are left out, in order, with the reason."""


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

    def pack(self, structures: StructureArrays) -> PackedEdges:
        """Return the neighbour pairs of many structures; those that fail are listed by name.

        Builders with a compiled loop over structures override this with the same result.
        """
        kept, numbers, edges, failures = [], [], [], []
        for index, structure in enumerate(structures):
            try:
                self.check(structure)
                e = self.edges(structure)
            except GraphError as error:
                failures.append(Failure(name=structure.name, message=str(error)))
                continue
            kept.append(index)
            edges.append(e)
            given = e.atomic_numbers
            numbers.append(structure.atomic_numbers if given is None else given)
        return PackedEdges(
            kept=np.array(kept, dtype=np.int64),
            node_counts=np.array([len(z) for z in numbers], dtype=np.int64),
            edge_counts=np.array([len(e.source) for e in edges], dtype=np.int64),
            atomic_numbers=_join(numbers, np.uint8),
            source=_join([e.source for e in edges], np.int32),
            target=_join([e.target for e in edges], np.int32),
            distances=_join([e.distances for e in edges], np.float32),
            vectors=_join([e.vectors for e in edges], np.float32, (0, 3)),
            solid_angles=_join_optional([e.solid_angles for e in edges]),
            weights=_join_optional([e.weights for e in edges]),
            node_weights=_join_optional([e.node_weights for e in edges]),
            failures=tuple(failures),
        )

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
            charges=_known_charges(structure) if e.atomic_numbers is None else None,
            cell=torch.from_numpy(structure.cell),
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


def _known_charges(structure: Structure) -> torch.Tensor | None:
    if structure.charges is None:
        return None
    return torch.from_numpy(structure.charges.astype(np.float64))


def _join(
    arrays: list[NDArray[Any]], dtype: type[np.generic], empty: tuple[int, ...] = (0,)
) -> NDArray[Any]:
    if not arrays:
        return np.zeros(empty, dtype=dtype)
    return np.concatenate(arrays).astype(dtype, copy=False)


def _join_optional(arrays: list[NDArray[np.float64] | None]) -> NDArray[np.float32] | None:
    present = [a for a in arrays if a is not None]
    return _join(present, np.float32) if present else None
