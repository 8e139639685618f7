"""Neighbours that share a face of their Voronoi cells."""

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, final

import numpy as np
import torch
from numpy.typing import NDArray

from atomlens.errors import GraphError
from atomlens.graphs import AtomGraph
from atomlens.neighbors.base import (
    LARGEST_CUTOFF,
    MOLECULE_CUTOFF,
    PERIODIC_CUTOFF,
    PackedEdges,
)
from atomlens.neighbors.features import ring_flags, why_no_rings
from atomlens.neighbors.kernels import Kernel, KernelBuilder
from atomlens.settings import bounded
from atomlens.structures.arrays import Structure, StructureArrays

Mode = Literal["ghost", "box30", "reference"]

_PLAIN_ATOMS = 500
"""These take plain Python a second; compiling the loop takes 14."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class VoronoiBuilder(KernelBuilder):
    """Atoms whose Voronoi cells share a face, with the solid angle of that face.

    M. O'Keeffe, Acta Cryst. A35, 772 (1979), as used by SCANN. Exact for structures that
    repeat in any number of directions, and the same for every choice of the cell and every
    orientation. An atom without neighbours is legal.
    """

    name: ClassVar[str] = "voronoi"
    has_faces: ClassVar[bool] = True

    cutoff: float | None = bounded(None, above=0, most=LARGEST_CUTOFF, unit="Å")
    """Å; farther neighbours are dropped. None: 4 for molecules, 6 for periodic structures."""
    min_solid_angle: float = bounded(0.4, least=0, below=4 * math.pi, unit="sr")
    """sr; neighbours behind smaller faces are dropped."""
    min_weight: float = bounded(0.2, least=0, most=1)
    """The same in parts of the largest face that the atom shares with another. Faces towards ghosts
    count in the full angle of 4π, but are no neighbours and never the largest: evenly spread over
    a sphere they have no single one. (The specification of SCANN, 2.2, counts those of its 32
    ghost points, which depend on how the molecule is turned.)"""
    mode: Mode = "ghost"
    """How the vacuum around a molecule is closed. ``ghost``: by a sphere of ghosts, exact and
    independent of the orientation. ``box30``: by images of the molecule in a cubic box of
    30 Å (20 Å more than the molecule if that is larger), as SCANN's first code. ``reference``:
    what SCANN's second code does, faults included: a box of at least 10 Å whose images count
    as neighbours, atoms within 7 Å only, open faces dropped, in crystals too."""
    ghost_distance: float = bounded(100.0, above=0, most=1e6, unit="Å")
    """Å from the outermost atom, counted from the centre of the molecule, to the ghosts."""
    ring_flags: bool = False
    """Also say of each atom whether it is in a ring, and whether it is aromatic (RDKit); for
    molecules only."""

    # the base is named below, as super() does not work in a class with slots

    def settings(self) -> dict[str, Any]:
        """Return the settings; ``ring_flags`` only where it is on, as older graphs know none."""
        found = KernelBuilder.settings(self)
        return {k: v for k, v in found.items() if k != "ring_flags" or v}

    def check(self, structure: Structure) -> None:
        """Raise a GraphError for a structure that cannot be used, with the reason."""
        KernelBuilder.check(self, structure)
        if self.ring_flags and structure.pbc.any():
            raise GraphError(why_no_rings(structure.name))

    def build_structure(self, structure: Structure) -> AtomGraph:
        """Return the graph of one structure, in float64."""
        graph = KernelBuilder.build_structure(self, structure)
        if not self.ring_flags:
            return graph
        return graph.with_fields(ring_flags=torch.from_numpy(ring_flags([structure])).double())

    def pack(self, structures: StructureArrays) -> PackedEdges:
        """Return the neighbour pairs of many structures; those that fail are listed by name."""
        packed = KernelBuilder.pack(self, structures)
        if not self.ring_flags or not len(packed.kept):
            return packed
        kept = (structures[index] for index in packed.kept.tolist())
        return packed.with_fields(ring_flags=ring_flags(kept))

    def _sift(self, structures: StructureArrays) -> tuple[NDArray[np.int64], dict[int, str]]:
        usable, reasons = KernelBuilder._sift(self, structures)
        if not self.ring_flags:
            return usable, reasons
        periodic = structures.pbc[usable].any(axis=1)
        for index in usable[periodic].tolist():
            reasons[index] = why_no_rings(structures.names[index])
        return usable[~periodic], reasons

    def kernel(self, structures: StructureArrays) -> Kernel:
        """Return the loop over the structures with these settings."""
        from atomlens.neighbors.tessellation import tessellate
        from atomlens.neighbors.workspace import Rules, empty_workspace

        limits = np.ones((len(structures), 4))
        default = np.where(structures.pbc.any(axis=1), PERIODIC_CUTOFF, MOLECULE_CUTOFF)
        limits[:, 0] = default if self.cutoff is None else self.cutoff
        if self.mode == "box30":
            limits[:, 1:] = structures.pbc
        if self.mode != "ghost":
            structures = in_box(structures, cubic=self.mode == "box30")
        rules = Rules(
            min_solid_angle=float(self.min_solid_angle),
            min_weight=float(self.min_weight),
            ghost_distance=float(self.ghost_distance),
            search_radius=7.0 if self.mode == "reference" else 0.0,
        )
        return Kernel(
            loop=tessellate,
            structures=structures,
            rules=(limits, rules),
            make_room=empty_workspace,
            n_edges=12 * int(structures.offsets[-1]),
            plain_atoms=_PLAIN_ATOMS,
        )


def in_box(structures: StructureArrays, cubic: bool) -> StructureArrays:
    """Make structures repeat in the directions in which they do not, across a vacuum.

    Cubic: all those edges are 30 Å, or the largest extent + 20 Å if that is more. Else each is
    10 Å, or the extent along it + 0.1 Å if that is more.
    """
    cells = structures.cells.copy()
    for index in np.flatnonzero(~structures.pbc.all(axis=1)):
        structure = structures[int(index)]
        frame = _frame(structure.cell, structure.pbc)
        free = np.flatnonzero(~structure.pbc)
        extent = np.ptp(structure.positions @ frame[free].T, axis=0)
        edges = np.maximum(10.0, extent + 0.1)
        if cubic:
            edges = np.full(len(free), max(30.0, extent.max() + 20.0))
        cells[index, free] = frame[free] * edges[:, None]
    return replace(structures, cells=cells, pbc=np.ones_like(structures.pbc))


def _frame(cell: NDArray[np.float64], pbc: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the lattice vectors, with unit vectors normal to them where there are none."""
    if not pbc.any():
        return np.eye(3)
    frame = np.where(pbc[:, None], cell, 0.0)
    # the right singular vectors beyond the rank are normal to all lattice vectors
    normals = np.linalg.svd(frame)[2][int(pbc.sum()) :]
    frame[~pbc] = normals
    return frame
