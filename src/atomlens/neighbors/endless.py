"""What plainly goes on without end: crystals, chains and layers, told apart in a compiled loop.

Of the many crystals that a model of molecules is asked about, this says for a hundredth of the
price that they are no molecules in boxes.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.machine import compiled, entry_point
from atomlens.neighbors.arithmetic import whole
from atomlens.neighbors.images import (
    Candidates,
    Images,
    empty_candidates,
    empty_images,
    find_within,
    list_images,
    wrap_sites,
)
from atomlens.neighbors.kernels import Kernel, run, searchable
from atomlens.neighbors.lattice import Lattice, empty_lattice, reduce_lattice
from atomlens.neighbors.table import FINE, MORE_IMAGES, EdgeTable
from atomlens.structures.arrays import StructureArrays

_PLAINLY = 1e-6
"""Å; atoms must be nearer by so much, however their distance is rounded elsewhere."""


class _Walk(NamedTuple):
    """Arrays that are used again for every structure."""

    lattice: Lattice
    images: Images
    candidates: Candidates
    reached: NDArray[np.int64]
    """(n_atoms, 3) translation at which each atom was reached, in reduced lattice vectors"""
    was_reached: NDArray[np.bool_]
    """(n_atoms,)"""
    waiting: NDArray[np.int64]
    """(n_atoms,)"""


def plainly_endless(structures: StructureArrays, radii: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n,) whether each structure is certainly connected to its own periodic image.

    Where that is false nothing is said: those that repeat nowhere, or cannot be searched, are
    among them.

    Args:
        structures: Any.
        radii: (n_atoms,) Å; atoms are connected that are nearer than the sum of two of these.
    """
    asked = np.flatnonzero(structures.pbc.any(axis=1) & searchable(structures))
    found = np.zeros(len(structures), dtype=np.bool_)
    if len(asked):
        chosen = structures.subset(asked)
        own = np.repeat(np.isin(np.arange(len(structures)), asked), structures.n_atoms)
        table = run(
            Kernel(
                loop=find_endless,
                structures=chosen,
                rules=(np.ascontiguousarray(radii[own], dtype=np.float64),),
                make_room=_empty_walk,
                n_edges=0,
            )
        )
        found[asked] = table.counts > 0
    return found


def _empty_walk(n_atoms: int, n_images: int, _capacity: int) -> _Walk:
    return _Walk(
        empty_lattice(),
        empty_images(n_atoms, n_images),
        empty_candidates(n_images),
        np.zeros((n_atoms, 3), np.int64),
        np.zeros(n_atoms, np.bool_),
        np.zeros(n_atoms, np.int64),
    )


@entry_point
def find_endless(
    offsets: NDArray[np.int64],
    positions: NDArray[np.float64],
    cells: NDArray[np.float64],
    pbc: NDArray[np.bool_],
    radii: NDArray[np.float64],
    work: _Walk,
    table: EdgeTable,
) -> int:
    """Count 1 for each structure that is connected to its own image, 0 for the others.

    Returns FINE when all are done, or MORE_IMAGES; called again, it goes on where it stopped.
    """
    for s in range(table.progress[0], offsets.size - 1):
        points, own = positions[offsets[s] : offsets[s + 1]], radii[offsets[s] : offsets[s + 1]]
        rank = reduce_lattice(cells[s], pbc[s], work.lattice)
        if rank > 0:
            wrap_sites(work.images, points, work.lattice, rank)
            largest = 0.0
            for i in range(points.shape[0]):
                largest = max(largest, own[i])
            outcome = list_images(work.images, points.shape[0], work.lattice, rank, 2.0 * largest)
            if outcome == MORE_IMAGES:
                return MORE_IMAGES
            if outcome == FINE and _comes_back(own, largest, work):
                table.counts[s] = 1
        table.progress[0] = s + 1
    return FINE


@compiled
def _comes_back(radii: NDArray[np.float64], largest: float, work: _Walk) -> bool:
    """Walk from atom to atom; whether one of them is met again at another translation."""
    owners, squares, found = work.images.owners, work.candidates.squares, work.candidates.found
    n = radii.shape[0]
    for i in range(n):
        work.was_reached[i] = False
    for start in range(n):
        if work.was_reached[start]:
            continue
        work.was_reached[start], work.waiting[0], n_waiting = True, start, whole(1)
        for k in range(3):
            work.reached[start, k] = 0
        while n_waiting > 0:
            n_waiting -= 1
            i = work.waiting[n_waiting]
            for c in range(find_within(work.images, i, -1.0, radii[i] + largest, work.candidates)):
                m = found[0, c]
                j = owners[m, 0]
                near = radii[i] + radii[j] - _PLAINLY
                if near <= 0.0 or squares[0, c] >= near * near:
                    continue
                if not work.was_reached[j]:
                    work.was_reached[j], work.waiting[n_waiting] = True, j
                    n_waiting += 1
                    for k in range(3):
                        work.reached[j, k] = work.reached[i, k] + owners[m, 1 + k]
                    continue
                for k in range(3):
                    if work.reached[j, k] != work.reached[i, k] + owners[m, 1 + k]:
                        return True
    return False
