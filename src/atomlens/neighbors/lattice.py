"""Lattice vectors made short, and the translations that can bound a Voronoi cell.

A lattice of any rank (crystal 3, slab 2, wire 1, molecule 0) is reduced to an obtuse
superbase (Selling; Conway and Sloane, Proc. R. Soc. A 436, 55, 1992): short vectors that,
with minus their sum, meet at no acute angle. Then the sums over the non-empty subsets of the
basis, and their negatives, are all the translations whose bisector can bound the cell of the
lattice. So very skewed cells cost no more than well-chosen ones.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.machine import compiled
from atomlens.neighbors.arithmetic import whole

SHORTEST = 1e-3
"""Å; a lattice vector or a distance between atoms below this is a mistake in the input."""


class Lattice(NamedTuple):
    """A reduced lattice; directions without lattice vector are filled with unit vectors."""

    basis: NDArray[np.float64]
    """(4, 3) rows: ``rank`` reduced lattice vectors, then unit vectors normal to them; the
    last row is working room"""
    inverse: NDArray[np.float64]
    """(3, 3) ``position @ inverse`` are the coordinates in the basis"""
    transform: NDArray[np.int64]
    """(4, 3) reduced vector k is ``transform[k] @ cell``"""


def empty_lattice() -> Lattice:
    """Return room for a lattice."""
    return Lattice(np.zeros((4, 3)), np.zeros((3, 3)), np.zeros((4, 3), np.int64))


@compiled
def reduce_lattice(cell: NDArray[np.float64], pbc: NDArray[np.bool_], lattice: Lattice) -> int:
    """Reduce the lattice of the directions that repeat; return its rank, -1 if degenerate."""
    basis, transform = lattice.basis, lattice.transform
    rank = whole(0)
    for k in range(4):
        for c in range(3):
            basis[k, c] = 0.0
            transform[k, c] = 0
    for k in range(3):
        if pbc[k]:
            for c in range(3):
                basis[rank, c] = cell[k, c]
            transform[rank, k] = 1
            rank += 1
    if not _shorten_pairs(basis, transform, rank):
        return -1
    if rank >= 2 and not _make_obtuse(basis, transform, rank):
        return -1
    for k in range(rank):
        if not _product(basis, k, k) > SHORTEST * SHORTEST:
            return -1
    _fill_directions(basis, rank)
    return rank if _invert(lattice) else -1


@compiled
def cell_volume(lattice: Lattice) -> float:
    """Return the volume of the basis, Å³ (area or length where it has unit vectors)."""
    volume = 0.0
    for c in range(3):
        d, e = (c + 1) % 3, (c + 2) % 3
        b = lattice.basis
        volume += b[0, c] * (b[1, d] * b[2, e] - b[1, e] * b[2, d])
    return abs(volume)


@compiled
def lattice_size(lattice: Lattice) -> float:
    """Return the sum of the lengths of the basis vectors."""
    total = 0.0
    for k in range(3):
        total += math.sqrt(_product(lattice.basis, k, k))
    return total


@compiled
def _product(basis: NDArray[np.float64], i: int, j: int) -> float:
    """Return the scalar product of two rows."""
    return float(basis[i, 0] * basis[j, 0] + basis[i, 1] * basis[j, 1] + basis[i, 2] * basis[j, 2])


@compiled
def _shorten_pairs(basis: NDArray[np.float64], transform: NDArray[np.int64], rank: int) -> bool:
    """Subtract multiples of vectors from longer ones until nothing gets shorter."""
    for _ in range(200):
        changed = False
        for i in range(rank):
            for j in range(rank):
                square = _product(basis, j, j)
                if i == j or square > _product(basis, i, i):
                    continue
                if not square > SHORTEST * SHORTEST:
                    return False
                # halves round towards zero, so that nothing swings to and fro
                times = math.floor(abs(_product(basis, i, j)) / square + (0.5 - 1e-9))
                if times != 0.0:
                    changed = True
                    if _product(basis, i, j) < 0.0:
                        times = -times
                    for c in range(3):
                        basis[i, c] -= times * basis[j, c]
                        transform[i, c] -= whole(times) * transform[j, c]
        if not changed:
            return True
    return False


@compiled
def _make_obtuse(basis: NDArray[np.float64], transform: NDArray[np.int64], rank: int) -> bool:
    """Turn the basis and minus its sum into an obtuse superbase, shortest vectors first."""
    for k in range(rank):
        for c in range(3):
            basis[rank, c] -= basis[k, c]
            transform[rank, c] -= transform[k, c]
    # the flipped vector is added to the others so that the sum stays zero
    times = 1 if rank == 3 else 2
    for _ in range(1000):
        a, b, longest = -1, -1, 0.0
        for i in range(rank + 1):
            longest = max(longest, _product(basis, i, i))
        for i in range(rank + 1):
            for j in range(i):
                if _product(basis, i, j) > 1e-12 * longest:
                    a, b = i, j
        if a < 0:
            _sort_by_length(basis, transform, rank + 1)
            return True
        for k in range(rank + 1):
            for c in range(3):
                if k == a:
                    continue
                if k != b:
                    basis[k, c] += times * basis[a, c]
                    transform[k, c] += times * transform[a, c]
        for c in range(3):
            basis[a, c] = -basis[a, c]
            transform[a, c] = -transform[a, c]
    return False


@compiled
def _sort_by_length(basis: NDArray[np.float64], transform: NDArray[np.int64], count: int) -> None:
    for i in range(count):
        for j in range(count - 1 - i):
            if _product(basis, j, j) > _product(basis, j + 1, j + 1):
                for c in range(3):
                    x, t = basis[j, c], transform[j, c]
                    basis[j, c], transform[j, c] = basis[j + 1, c], transform[j + 1, c]
                    basis[j + 1, c], transform[j + 1, c] = x, t


@compiled
def _fill_directions(basis: NDArray[np.float64], rank: int) -> None:
    """Fill the rows beyond the rank with unit vectors normal to all others."""
    if rank == 0:
        for c in range(3):
            basis[0, c] = 1.0 if c == 0 else 0.0
    if rank <= 1:
        # the axis farthest from the first row, made normal to it
        axis = 0
        for c in range(3):
            if abs(basis[0, c]) < abs(basis[0, axis]):
                axis = c
        along = basis[0, axis] / _product(basis, 0, 0)
        for c in range(3):
            basis[1, c] = (1.0 if c == axis else 0.0) - along * basis[0, c]
        _normalize(basis, 1)
    if rank <= 2:
        for c in range(3):
            d, e = (c + 1) % 3, (c + 2) % 3
            basis[2, c] = basis[0, d] * basis[1, e] - basis[0, e] * basis[1, d]
        _normalize(basis, 2)


@compiled
def _normalize(basis: NDArray[np.float64], row: int) -> None:
    length = math.sqrt(_product(basis, row, row))
    for c in range(3):
        basis[row, c] = basis[row, c] / length if length > 0.0 else 0.0


@compiled
def _invert(lattice: Lattice) -> bool:
    """Invert the basis by cross products; False if it spans no volume."""
    basis, inverse = lattice.basis, lattice.inverse
    size, volume = 1.0, 0.0
    for k in range(3):
        p, q = (k + 1) % 3, (k + 2) % 3
        for c in range(3):
            d, e = (c + 1) % 3, (c + 2) % 3
            inverse[c, k] = basis[p, d] * basis[q, e] - basis[p, e] * basis[q, d]
        size *= math.sqrt(_product(basis, k, k))
    for c in range(3):
        volume += basis[0, c] * inverse[c, 0]
    if not abs(volume) > 1e-6 * size:
        return False
    for c in range(3):
        for k in range(3):
            inverse[c, k] /= volume
    return True
