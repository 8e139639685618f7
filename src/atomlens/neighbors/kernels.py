"""From structures to the compiled loops and back: checks, room for results, errors."""

import threading
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.elements import SYMBOLS
from atomlens.errors import Failure, GraphError
from atomlens.machine import plain, worth_compiling
from atomlens.neighbors import table as outcome
from atomlens.neighbors.base import EdgeArrays, GraphBuilder, PackedEdges
from atomlens.neighbors.table import (
    MOST_IMAGES,
    MOST_PAIRS,
    EdgeTable,
    empty_table,
    enlarge_table,
    table_in,
)
from atomlens.structures.arrays import Structure, StructureArrays

Loop = Callable[..., int]
"""A compiled loop over structures; says which array is too small, and goes on from there."""
MakeRoom = Callable[[int, int, int], Any]
"""Its workspace for so many atoms a structure, images, and vertices or faces of a cell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """A compiled loop with its settings, and structures for it."""

    loop: Loop
    structures: StructureArrays
    """As the loop shall see them."""
    rules: tuple[Any, ...]
    """What the loop takes between the structures and the workspace."""
    make_room: MakeRoom
    n_edges: int
    """How many pairs to expect; more are found all the same, but not as fast."""
    plain_atoms: int = 0
    """So many atoms a process runs the loop as plain Python rather than compile it."""


class _Room(NamedTuple):
    """A workspace and its sizes."""

    n_atoms: int
    n_images: int
    capacity: int
    work: Any


_LONGEST = 1e7
"""Å; longer vectors are a mistake in the input."""
_EXPECTED_PAIRS = 4_000_000
"""Room for more is made only when it is needed."""
_KEPT_ATOMS = 1000
"""Workspaces for larger structures are given back at once."""
_KEPT_PAIRS = 131_072
"""Tables with room for more are given back at once; they take 68 bytes a pair."""
_kept = threading.local()
"""Workspaces and a table of each thread, so that small structures need not wait for memory."""


class KernelBuilder(GraphBuilder):
    """A builder whose work is done by a compiled loop over structures."""

    has_faces: ClassVar[bool] = False
    """Whether the pairs share a face, so that there are solid angles and weights."""
    cuts_shells: ClassVar[bool] = False
    """Whether an atom may be given some of several neighbours equally far."""

    @abstractmethod
    def kernel(self, structures: StructureArrays) -> Kernel:
        """Return the loop to run; this is where the compiler is first imported."""

    def edges(self, structure: Structure) -> EdgeArrays:
        """Return the neighbour pairs of one structure.

        Raises:
            GraphError: the structure admits no graph; the message names it and says why.
        """
        reason = unusable(structure)
        if reason:
            raise GraphError(f"{structure.name}: {reason}")
        table = run(self.kernel(_alone(structure)))
        if table.status[0, 0] != outcome.FINE:
            raise GraphError(_explain(structure, table.status[0]))
        n = int(table.progress[1])
        ends, values = table.ends[:, :n], table.values[:, :n]
        return EdgeArrays(
            source=ends[1].astype(np.int64),
            target=ends[0].astype(np.int64),
            distances=values[3].copy(),
            edge_vectors=np.ascontiguousarray(values[:3].T),
            images=ends[2:].T.astype(np.int64, order="C"),
            solid_angles=values[4].copy() if self.has_faces else None,
            edge_weights=values[5].copy() if self.has_faces else np.ones(n),
            cut_shell=np.array(table.is_cut[0]) if self.cuts_shells else None,
        )

    def pack(self, structures: StructureArrays) -> PackedEdges:
        """Return the neighbour pairs of many structures; those that fail are listed by name."""
        usable, reasons = self._sift(structures)
        chosen = structures if len(usable) == len(structures) else structures.subset(usable)
        table = run(self.kernel(chosen))
        fine = table.status[:, 0] == outcome.FINE
        counts, is_cut = table.counts, table.is_cut
        if not fine.all():
            for k in np.flatnonzero(~fine):
                reasons[int(usable[k])] = _explain(chosen[int(k)], table.status[k])
            chosen = chosen.subset(np.flatnonzero(fine))
            usable, counts, is_cut = usable[fine], counts[fine], is_cut[fine]
        n = int(table.progress[1])
        values = table.values[: 6 if self.has_faces else 4, :n]
        return PackedEdges(
            kept=usable,
            node_counts=chosen.n_atoms,
            edge_counts=counts,
            atomic_numbers=chosen.atomic_numbers,
            source=table.ends[1, :n].copy(),
            target=table.ends[0, :n].copy(),
            distances=values[3].astype(np.float32),
            edge_vectors=values[:3].T.astype(np.float32, order="C"),
            solid_angles=values[4].astype(np.float32) if self.has_faces else None,
            edge_weights=values[5].astype(np.float32) if self.has_faces else np.ones(n, np.float32),
            cut_shell=is_cut if self.cuts_shells else None,
            failures=tuple(
                Failure(name=structures.names[i], message=reasons[i]) for i in sorted(reasons)
            ),
        )

    def _sift(self, structures: StructureArrays) -> tuple[NDArray[np.int64], dict[int, str]]:
        """Return which structures the loop can take, and what is wrong with the others."""
        odd = ~searchable(structures)
        reasons: dict[int, str] = {}
        if not odd.any():
            return np.arange(len(odd)), reasons
        for index in np.flatnonzero(odd):
            structure = structures[int(index)]
            try:
                self.check(structure)
                reasons[int(index)] = f"{structure.name}: {unusable(structure)}"
            except GraphError as error:
                reasons[int(index)] = str(error)
        return np.flatnonzero(~odd).astype(np.int64), reasons


def run(kernel: Kernel) -> EdgeTable:
    """Run a loop over its structures, making room as it asks for it.

    The pairs stand in arrays that the next search of this thread fills anew: copy them out.
    """
    structures = kernel.structures
    n_structures, most = len(structures), int(structures.n_atoms.max(initial=1))
    table = _kept_table(n_structures, min(kernel.n_edges, _EXPECTED_PAIRS) + 64)
    room = _kept_room(kernel, most)
    positions = np.ascontiguousarray(structures.positions, dtype=np.float64)
    cells = np.ascontiguousarray(structures.cells, dtype=np.float64)
    pbc = np.ascontiguousarray(structures.pbc, dtype=np.bool_)
    offsets = np.ascontiguousarray(structures.offsets, dtype=np.int64)
    loop = kernel.loop
    if not worth_compiling(loop, int(offsets[-1]), kernel.plain_atoms):
        loop = _quiet(plain(loop))
    while True:
        try:
            status = loop(offsets, positions, cells, pbc, *kernel.rules, room.work, table)
        except (ArithmeticError, ValueError):
            if loop is kernel.loop:
                raise
            loop, table = kernel.loop, empty_table(n_structures, table.values.shape[1])
            continue
        if status == outcome.FINE:
            return table
        if status == outcome.MORE_EDGES:
            done, n_pairs, _ = table.progress.tolist()
            if table.values.shape[1] - n_pairs >= MOST_PAIRS:
                table.status[done, 0] = outcome.TOO_MANY_PAIRS
                table.progress[0] = done + 1
                continue
            table = enlarge_table(table, 2 * table.values.shape[1] + 1024)
            continue
        more_images = status == outcome.MORE_IMAGES
        room = _make_room(
            kernel.make_room,
            most,
            room.n_images * (4 if more_images else 1),
            room.capacity * (1 if more_images else 2),
        )


def _quiet(loop: Loop) -> Loop:
    """Return a loop in plain Python without numpy's warnings, of which compiled code has none."""

    def run_quietly(*given: Any) -> int:
        with np.errstate(all="ignore"):
            return loop(*given)

    return run_quietly


def _kept_room(kernel: Kernel, n_atoms: int) -> _Room:
    """Return the workspace this thread used last, if it is large enough."""
    rooms: dict[MakeRoom, _Room] = _kept.__dict__.setdefault("rooms", {})
    room = rooms.get(kernel.make_room)
    if room is None or room.n_atoms < n_atoms:
        room = _make_room(kernel.make_room, max(n_atoms, 64), 8192 + 4 * n_atoms, 96)
        if n_atoms <= _KEPT_ATOMS:
            rooms[kernel.make_room] = room
    return room


def _kept_table(n_structures: int, room: int) -> EdgeTable:
    """Return an empty table, with the arrays for pairs that this thread used last if they do."""
    used: EdgeTable | None = _kept.__dict__.get("table")
    if used is None or used.values.shape[1] < room:
        table = empty_table(n_structures, room)
        if room <= _KEPT_PAIRS:
            _kept.table = table
        return table
    return table_in(used.ends, used.values, n_structures)


def _make_room(make: MakeRoom, n_atoms: int, n_images: int, capacity: int) -> _Room:
    return _Room(n_atoms, n_images, capacity, make(n_atoms, n_images, capacity))


def _alone(structure: Structure) -> StructureArrays:
    """Return a list of one structure, without copying it."""
    return StructureArrays(
        offsets=np.array([0, len(structure.atomic_numbers)], dtype=np.int64),
        atomic_numbers=structure.atomic_numbers,
        positions=structure.positions,
        cells=structure.cell[None],
        pbc=structure.pbc[None],
        names=(structure.name,),
        is_formula=np.array([structure.is_formula]),
    )


def searchable(structures: StructureArrays) -> NDArray[np.bool_]:
    """(n,) which structures have atoms at places that a search can handle."""
    odd = structures.is_formula | (structures.n_atoms == 0)
    positions = _in_range(structures.positions)
    if not positions.all():
        bad_rows = np.flatnonzero(~positions.all(axis=1))
        odd[np.searchsorted(structures.offsets, bad_rows, side="right") - 1] = True
    vectors = _in_range(structures.cells)
    if not vectors.all():
        odd |= (~vectors.all(axis=2) & structures.pbc).any(axis=1)
    usable: NDArray[np.bool_] = np.logical_not(odd)
    return usable


def unusable(structure: Structure) -> str:
    """Say what is wrong with numbers that no search can use; empty if nothing is."""
    rows = _in_range(structure.positions)
    if not rows.all():
        row = int(np.argmin(rows.all(axis=1)))
        return (
            f"{_atom(structure, row)} has no usable position "
            f"({', '.join(str(x) for x in structure.positions[row])}). "
            "Correct it or drop this structure."
        )
    vectors = _in_range(structure.cell)
    if not vectors.all() and not vectors[structure.pbc].all():
        return (
            "a lattice vector is not a number, or absurdly long. Correct the cell or drop this "
            "structure."
        )
    return ""


def _in_range(lengths: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where lengths are numbers that a search can handle."""
    return np.abs(lengths) <= _LONGEST


def _atom(structure: Structure, index: int) -> str:
    return f"atom {index} ({SYMBOLS[structure.atomic_numbers[index]]})"


def _explain(structure: Structure, status: NDArray[np.int64]) -> str:
    """Say in one sentence why a structure has no graph."""
    code, atom = int(status[0]), int(status[1])
    if code == outcome.DEGENERATE_CELL:
        reason = (
            "its lattice vectors are linearly dependent or shorter than 0.001 Å, so the cell "
            "has no volume. Correct the cell, or mark those directions as not periodic."
        )
    elif code == outcome.CLOSE_ATOMS:
        reason = (
            f"{_atom(structure, atom)} stands in the same place as another atom or its own "
            "image. Remove one of the two."
        )
    elif code == outcome.TOO_MANY_IMAGES:
        reason = (
            f"more than {MOST_IMAGES:,} periodic images lie within the search radius: the cell is "
            "too thin or the radius too large. Correct the cell or lower `cutoff`."
        )
    elif code == outcome.TOO_MANY_PAIRS:
        reason = (
            f"it has more than {MOST_PAIRS:,} pairs of neighbours. Lower `cutoff` or "
            "`n_neighbors`, or drop this structure."
        )
    else:
        reason = (
            f"the Voronoi cell of {_atom(structure, atom)} does not close. Move that atom a "
            "little, or drop this structure."
        )
    return f"{structure.name}: {reason}"
