"""From a structure to its neighbour pairs."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from atomlens.errors import Failure, GraphError
from atomlens.graphs import AtomGraph
from atomlens.graphs.fields import FIELDS, Counts, HasFields, Scope, common_fields, given_fields
from atomlens.neighbors.features import reduced_cells
from atomlens.settings import Settings
from atomlens.structures.arrays import Structure, StructureArrays, structure_of

if TYPE_CHECKING:
    from ase import Atoms


LARGEST_CUTOFF = 1e6
"""Å; the largest radius that a builder takes."""
MOLECULE_CUTOFF, PERIODIC_CUTOFF = 4.0, 6.0
"""Å; of builders that are told none."""


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class EdgeArrays(HasFields):
    """Directed neighbour pairs of one structure, sorted by target (then distance)."""

    source: NDArray[np.int64]
    """(n_edges,)"""
    target: NDArray[np.int64]
    """(n_edges,)"""
    distances: NDArray[np.float64]
    """(n_edges,), Å"""
    images: NDArray[np.int64]
    """(n_edges, 3), lattice translation of the source"""
    atomic_numbers: NDArray[np.uint8] | None
    """(n_nodes,) set by builders whose nodes are not the atoms (formula): the nodes' elements"""
    fields: Mapping[str, NDArray[Any]]
    """By name in ``FIELDS``; those of the whole graph without an axis for it."""

    def __init__(
        self,
        *,
        source: NDArray[np.int64],
        target: NDArray[np.int64],
        distances: NDArray[np.float64],
        images: NDArray[np.int64],
        atomic_numbers: NDArray[np.uint8] | None = None,
        fields: Mapping[str, NDArray[Any]] = {},
        **more: NDArray[Any] | None,
    ) -> None:
        counts: dict[Scope, int | None] = {"edge": len(distances), "graph": None}
        if atomic_numbers is not None:
            counts["node"] = len(atomic_numbers)
        self.fill(
            source=source,
            target=target,
            distances=distances,
            images=images,
            atomic_numbers=atomic_numbers,
            fields=given_fields(fields, more, counts),
        )


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class PackedEdges(HasFields):
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
    fields: Mapping[str, NDArray[Any]]
    """By name in ``FIELDS``, with a row a node, an edge or a graph."""
    failures: tuple[Failure, ...]
    """The structures that are left out, in order, with the reason."""

    def __init__(
        self,
        *,
        kept: NDArray[np.int64],
        node_counts: NDArray[np.int64],
        edge_counts: NDArray[np.int64],
        atomic_numbers: NDArray[np.uint8],
        source: NDArray[np.int32],
        target: NDArray[np.int32],
        distances: NDArray[np.float32],
        fields: Mapping[str, NDArray[Any]] = {},
        failures: tuple[Failure, ...] = (),
        **more: NDArray[Any] | None,
    ) -> None:
        counts: Counts = {"node": len(atomic_numbers), "edge": len(distances), "graph": len(kept)}
        self.fill(
            kept=kept,
            node_counts=node_counts,
            edge_counts=edge_counts,
            atomic_numbers=atomic_numbers,
            source=source,
            target=target,
            distances=distances,
            fields=given_fields(fields, more, counts),
            failures=failures,
        )


class GraphBuilder(Settings, ABC):
    """Finds the neighbours of every atom. Real builders are frozen dataclasses."""

    name: ClassVar[str]
    """Key in ``BUILDERS``."""
    needs_positions: ClassVar[bool] = True

    @property
    def whose(self) -> str:
        """Name the builder in front of complaints about its settings."""
        return f"{self.name} builder: "

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
            fields=packed_fields(edges),
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
        reduced = reduced_cells(structure.cell[None], structure.pbc[None])
        return AtomGraph(
            atomic_numbers=torch.from_numpy(numbers.astype(np.int64)),
            edge_index=torch.from_numpy(np.stack([e.source, e.target])),
            distances=torch.from_numpy(e.distances),
            images=torch.from_numpy(e.images),
            charges=_known_charges(structure) if e.atomic_numbers is None else None,
            cell=torch.from_numpy(structure.cell),
            reduced_cell=None if reduced is None else torch.from_numpy(reduced[0]),
            fields={name: torch.from_numpy(values) for name, values in e.fields.items()},
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

    @property
    def molecule_reach(self) -> float:
        """Å; atoms of a molecule that are farther apart are no neighbours."""
        return float(self.settings().get("cutoff") or MOLECULE_CUTOFF)

    def settings(self) -> dict[str, Any]:
        """Return the settings as plain values, enough to make the same builder again."""
        return asdict(self)  # type: ignore[call-overload,no-any-return]


def _known_charges(structure: Structure) -> torch.Tensor | None:
    if structure.charges is None:
        return None
    return torch.from_numpy(structure.charges.astype(np.float64))


def packed_fields(edges: list[EdgeArrays]) -> dict[str, NDArray[Any]]:
    """Return the fields of many structures end to end, in the types that stores have."""
    return {
        name: (np.stack if FIELDS[name].scope == "graph" else np.concatenate)(values).astype(
            FIELDS[name].dtype, copy=False
        )
        for name, values in common_fields([e.fields for e in edges]).items()
    }


def _join(arrays: list[NDArray[Any]], dtype: type[np.generic]) -> NDArray[Any]:
    if not arrays:
        return np.zeros(0, dtype=dtype)
    return np.concatenate(arrays).astype(dtype, copy=False)
