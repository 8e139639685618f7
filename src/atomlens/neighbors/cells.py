"""Carving the Voronoi cell of one atom out of its surroundings."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.machine import compiled, inlined
from atomlens.neighbors.arithmetic import whole
from atomlens.neighbors.images import Candidates, Images
from atomlens.neighbors.lattice import SHORTEST, Lattice
from atomlens.neighbors.polytope import (
    CUT,
    MISSED,
    Polytope,
    copy_polytope,
    cut_off,
    empty_polytope,
    find_heights,
    set_cube,
    squared_radius,
)

CLOSED = 1
UNFINISHED = 0
TOUCHING = -3
"""Two atoms stand in the same place."""

OUTSIDE = -1
"""Owner of the faces of the cube from which every cell starts."""
ITSELF = -2
"""Owner of faces between an atom and its own images, whichever atom it is."""

_SLACK = 1e-11
"""A plane that passes a vertex this close, in parts of its squared distance, misses it."""
_ROUNDING = 4e-15
"""The same in parts of its distance times that of the vertex, for cells that reach far."""


class Cell(NamedTuple):
    """A Voronoi cell: its shape, and what stands behind each face."""

    shape: Polytope
    owners: NDArray[np.int32]
    """(capacity, 4) OUTSIDE, ITSELF or an atom, and reduced lattice vectors added to it"""


def empty_cell(capacity: int) -> Cell:
    """Return room for a cell of that many vertices and faces."""
    return Cell(empty_polytope(capacity), np.zeros((capacity, 4), np.int32))


@compiled
def copy_cell(source: Cell, target: Cell) -> None:
    """Start a cell as a copy of another."""
    copy_polytope(source.shape, target.shape)
    for f in range(source.shape.size[1]):
        for k in range(4):
            target.owners[f, k] = source.owners[f, k]


@compiled
def start_cell(cell: Cell, lattice: Lattice, rank: int, half_width: float) -> None:
    """Make the cell of the bare lattice: no atom's cell reaches beyond its own images."""
    set_cube(cell.shape, half_width)
    for f in range(6):
        cell.owners[f, 0] = OUTSIDE
        for k in range(3):
            cell.owners[f, 1 + k] = 0
    basis = lattice.basis
    for half in range(2, 2 << rank):
        sign = 1 - 2 * (half & 1)
        a, b, c = sign * ((half >> 1) & 1), sign * ((half >> 2) & 1), sign * ((half >> 3) & 1)
        x = a * basis[0, 0] + b * basis[1, 0] + c * basis[2, 0]
        y = a * basis[0, 1] + b * basis[1, 1] + c * basis[2, 1]
        z = a * basis[0, 2] + b * basis[1, 2] + c * basis[2, 2]
        square = x * x + y * y + z * z
        slack = _SLACK * square + _ROUNDING * math.sqrt(square * squared_radius(cell.shape))
        highest = find_heights(cell.shape, x, y, z, 0.5 * square)
        if highest > slack and cut_off(cell.shape, x, y, z, 0.5 * square, slack) == CUT:
            _own(cell, whole(ITSELF), a, b, c)


@inlined
def _own(cell: Cell, atom: int, a: int, b: int, c: int) -> None:
    """Note what stands behind the newest face."""
    f = cell.shape.size[1] - 1
    cell.owners[f, 0], cell.owners[f, 1], cell.owners[f, 2], cell.owners[f, 3] = atom, a, b, c


@compiled
def carve(cell: Cell, images: Images, atom: int, candidates: Candidates, outer: float) -> int:
    """Cut the cell by the candidates of all shells, nearest first.

    Returns CLOSED if no atom beyond the squared distance ``outer`` can change the cell, else
    UNFINISHED; or FULL, TORN or TOUCHING.
    """
    shells, points, owners = candidates.shells, images.points, images.owners
    n_shells = shells.size - 2
    sx, sy, sz = images.sites[atom, 0], images.sites[atom, 1], images.sites[atom, 2]
    reach = 4.0 * squared_radius(cell.shape)
    for shell in range(n_shells):
        if shell * outer >= reach * n_shells:
            return CLOSED
        for p in range(shells[shell], shells[shell + 1]):
            square = candidates.squares[1, p]
            if square >= reach:
                continue
            m = candidates.found[1, p]
            x, y, z = points[0, m] - sx, points[1, m] - sy, points[2, m] - sz
            a, b, c = whole(owners[m, 1]), whole(owners[m, 2]), whole(owners[m, 3])
            owner = whole(owners[m, 0])
            if square < SHORTEST * SHORTEST:
                if owner == atom and a == 0 and b == 0 and c == 0:
                    continue
                return TOUCHING
            slack = _SLACK * square + _ROUNDING * math.sqrt(square * reach)
            if find_heights(cell.shape, x, y, z, 0.5 * square) <= slack:
                continue
            status = cut_off(cell.shape, x, y, z, 0.5 * square, slack)
            if status == MISSED:
                continue
            if status != CUT:
                return status
            _own(cell, owner, a, b, c)
            reach = 4.0 * squared_radius(cell.shape)
    return CLOSED if outer >= reach else UNFINISHED
