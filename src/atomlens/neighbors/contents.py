"""What a crystal is whatever its cell: primitive cells, and distances that no cell alters.

The atoms are first folded into the smallest cell that repeats them. Then two kinds of numbers are
taken, both the same for every basis of the lattice, every origin and every orientation: the
shortest vectors of the classes of the lattice L modulo 2 L (vonorms; Conway and Sloane, Proc. R.
Soc. A 436, 55, 1992), and for every pair of atoms the shortest of the distances between them in
each class of L modulo a multiple of L, the shortest class first. A distance moves by no more than
the atoms do, and so do these.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.machine import compiled, entry_point
from atomlens.neighbors.arithmetic import whole
from atomlens.neighbors.lattice import (
    Lattice,
    cell_volume,
    empty_lattice,
    reduce_lattice,
)

N_SIDES = 8
"""Numbers of a lattice: its shortest vectors of seven classes, and the size of its cell."""
N_DISTANCES = 9
"""At most so many distances of a pair are looked at: those of 8, 9 and 8 classes of a lattice of
one, two and three directions."""
LARGEST_CELL = 1500
"""Atoms of a primitive cell up to which all pairs are looked at."""
LARGEST_GIVEN = 5_000
"""Atoms of a given cell up to which a smaller one is searched for."""
SAME_PLACE = 0.005
"""Å; atoms this near to where a translation takes others are where it takes them."""
_SAME_AFTER_MANY = 0.05
"""Å; the same after many translations, each of which is off by a little."""


class Room(NamedTuple):
    """Working room for structures up to some number of atoms."""

    lattice: Lattice
    coordinates: NDArray[np.float64]
    """(n, 3) in the reduced basis, within [0, 1) where it repeats"""
    owners: NDArray[np.int64]
    """(n,) which atom stands for it in a smaller cell; -1 for none"""
    shifts: NDArray[np.float64]
    """(n, 4) sum of what the atoms for which it stands are away from it, Å, and their number"""
    vectors: NDArray[np.float64]
    """(7, 4) sums over subsets of the reduced basis, Å, and their lengths"""
    corners: NDArray[np.float64]
    """(9, 3) a vector of each class, Å"""
    rows: NDArray[np.int64]
    """(4, 3) lattice vectors and a step, in parts"""
    cell: NDArray[np.float64]
    """(3, 3) Å"""
    repeats: NDArray[np.bool_]
    """(3,)"""
    numbers: NDArray[np.float64]
    """(5, 9) a vector, a step, no step, room for steps and for distances"""


def empty_room(n_atoms: int) -> Room:
    """Return room for so many atoms."""
    return Room(
        empty_lattice(),
        np.zeros((n_atoms, 3)),
        np.zeros(n_atoms, np.int64),
        np.zeros((n_atoms, 4)),
        np.zeros((7, 4)),
        np.zeros((9, 3)),
        np.zeros((4, 3), np.int64),
        np.zeros((3, 3)),
        np.zeros(3, np.bool_),
        np.zeros((5, 9)),
    )


@entry_point
def read_contents(
    offsets: NDArray[np.int64],
    kinds: NDArray[np.int64],
    positions: NDArray[np.float64],
    cells: NDArray[np.float64],
    pbc: NDArray[np.bool_],
    sides: NDArray[np.float64],
    distances: NDArray[np.float64],
    weights: NDArray[np.float64],
    counts: NDArray[np.int64],
    room: Room,
) -> None:
    """Fold periodic structures into primitive cells and take their numbers.

    Args:
        offsets: (n + 1,) first atom of each structure.
        kinds: (n_atoms,) elements, those of a structure ascending; becomes those of the primitive
            cells, which stand where the atoms stood, less of them.
        positions: (n_atoms, 3) Å; is overwritten.
        cells: (n, 3, 3) rows are lattice vectors, Å.
        pbc: (n, 3) along which of them a structure repeats.
        sides: (n, 8) receives lengths of the lattice, Å; zeros behind them.
        distances: (n_atoms, 9) receives of each atom the means over the atoms of the cell of the
            shortest, second shortest ... distance, times the weights of the elements, Å.
        weights: (119,) of the elements.
        counts: (n,) receives the atoms of the primitive cell; 0 for structures that have none, or
            too many atoms.
        room: For the largest of them.
    """
    lattice = room.lattice
    for s in range(offsets.shape[0] - 1):
        counts[s] = 0
        first, last = offsets[s], offsets[s + 1]
        rank = reduce_lattice(cells[s], pbc[s], lattice)
        if rank < 1 or first == last or last - first > LARGEST_GIVEN:
            continue
        own, places = kinds[first:last], positions[first:last]
        n = _fold(own, places, rank, room)
        if n > LARGEST_CELL:
            continue
        counts[s] = n
        n_vectors = _list_vectors(rank, room)
        for q in range(n_vectors):
            sides[s, q] = room.vectors[q, 3]
        _sort(sides[s], n_vectors)
        sides[s, N_SIDES - 1] = cell_volume(lattice) ** (1.0 / rank)
        _mean_distances(own, places, n, rank, n_vectors, weights, distances[first:last], room)


@compiled
def _sort(numbers: NDArray[np.float64], count: int) -> None:
    for i in range(1, count):
        x = numbers[i]
        j = i
        while j > 0 and numbers[j - 1] > x:
            numbers[j] = numbers[j - 1]
            j -= 1
        numbers[j] = x


@compiled
def _list_vectors(rank: int, room: Room) -> int:
    """List the sums over subsets of the reduced basis with their lengths; return how many."""
    vectors, basis = room.vectors, room.lattice.basis
    count = whole(1)
    for _ in range(rank):
        count *= 2
    count -= 1
    for q in range(count):
        square = 0.0
        for c in range(3):
            vectors[q, c] = 0.0
            for k in range(rank):
                if (q + 1) >> k & 1:
                    vectors[q, c] += basis[k, c]
            square += vectors[q, c] * vectors[q, c]
        vectors[q, 3] = math.sqrt(square)
    return count


@compiled
def _find_coordinates(places: NDArray[np.float64], n: int, rank: int, room: Room) -> None:
    inverse = room.lattice.inverse
    for i in range(n):
        for k in range(3):
            f = 0.0
            for c in range(3):
                f += places[i, c] * inverse[c, k]
            room.coordinates[i, k] = f - math.floor(f) if k < rank else f


@compiled
def _aside(i: int, j: int, step: NDArray[np.float64], times: float, rank: int, room: Room) -> float:
    """Return the squared distance, Å², of the image of atom j next to atom i and some steps.

    ``room.numbers[0]`` receives the vector, Å.
    """
    basis, away, found = room.lattice.basis, room.numbers[0], room.coordinates
    for c in range(3):
        away[c] = 0.0
    for k in range(3):
        f = found[j, k] - found[i, k] - times * step[k]
        if k < rank:
            f -= math.floor(f + 0.5)
        for c in range(3):
            away[c] += f * basis[k, c]
    return float(away[0] * away[0] + away[1] * away[1] + away[2] * away[2])


@compiled
def _fold(kinds: NDArray[np.int64], places: NDArray[np.float64], rank: int, room: Room) -> int:
    """Fold the atoms into a primitive cell and make the lattice that of it; return their number."""
    n = whole(kinds.shape[0])
    step = room.numbers[1]
    searching = True
    while searching:
        searching = False
        rarest, count, common, start = whole(0), n + 1, whole(0), whole(0)
        for i in range(1, n + 1):
            if i == n or kinds[i] != kinds[start]:
                common = _divisor(common, i - start)
                if i - start < count:
                    rarest, count = start, i - start
                start = whole(i)
        if common == 1:
            break
        _find_coordinates(places, n, rank, room)
        for candidate in range(rarest + 1, rarest + count):
            for k in range(3):
                step[k] = room.coordinates[candidate, k] - room.coordinates[rarest, k]
            parts = _whole_parts(step, common, rank, room)
            if parts > 1 and _repeats(kinds, n, step, rank, room):
                smaller = _fold_along(kinds, places, n, step, parts, rank, room)
                if smaller < n:
                    n = smaller
                    searching = True
                    break
    return n


@compiled
def _divisor(a: int, b: int) -> int:
    """Return the greatest common divisor."""
    while b:
        a, b = b, a % b
    return a


@compiled
def _whole_parts(step: NDArray[np.float64], common: int, rank: int, room: Room) -> int:
    """Make a step whole parts of the lattice vectors; return how many steps lead back, or 0."""
    slack, basis = room.numbers[3], room.lattice.basis
    for k in range(3):
        slack[k] = SAME_PLACE
        if k < rank:
            square = basis[k, 0] * basis[k, 0] + basis[k, 1] * basis[k, 1]
            slack[k] /= math.sqrt(square + basis[k, 2] * basis[k, 2])
        elif abs(step[k]) > slack[k]:
            return 0
        else:
            step[k] = 0.0
    for parts in range(2, common + 1):
        if common % parts:
            continue
        fits = True
        for k in range(rank):
            if abs(step[k] - math.floor(step[k] * parts + 0.5) / parts) > slack[k]:
                fits = False
        if fits:
            for k in range(rank):
                step[k] = math.floor(step[k] * parts + 0.5) / parts
            return whole(parts)
    return 0


@compiled
def _repeats(
    kinds: NDArray[np.int64], n: int, step: NDArray[np.float64], rank: int, room: Room
) -> bool:
    """Whether the step takes every atom to one of its kind."""
    start, stop = whole(0), whole(0)
    for i in range(n):
        if i == stop:
            start = whole(i)
            while stop < n and kinds[stop] == kinds[start]:
                stop += 1
        there = False
        for j in range(start, stop):
            if _aside(i, j, step, 1.0, rank, room) < SAME_PLACE * SAME_PLACE:
                there = True
                break
        if not there:
            return False
    return True


@compiled
def _fold_along(
    kinds: NDArray[np.int64],
    places: NDArray[np.float64],
    n: int,
    step: NDArray[np.float64],
    parts: int,
    rank: int,
    room: Room,
) -> int:
    """Take one atom for all that a step leads to, at their middle; return how many are left.

    All stays as it was if that is not the part of them that it should be.
    """
    owners, shifts, away = room.owners, room.shifts, room.numbers[0]
    left = whole(0)
    for i in range(n):
        owners[i] = -1
        for c in range(4):
            shifts[i, c] = 0.0
    for i in range(n):
        if owners[i] >= 0:
            continue
        left += 1
        for times in range(parts):
            for j in range(i, n):
                if kinds[j] != kinds[i]:
                    break
                if owners[j] >= 0:
                    continue
                aside = _aside(i, j, step, float(times), rank, room)
                if aside < _SAME_AFTER_MANY * _SAME_AFTER_MANY:
                    owners[j] = i
                    shifts[i, 3] += 1.0
                    for c in range(3):
                        shifts[i, c] += away[c]
                    break
    if left * parts != n:
        return n
    left = whole(0)
    for i in range(n):
        if owners[i] == i:
            kinds[left] = kinds[i]
            for c in range(3):
                places[left, c] = places[i, c] + shifts[i, c] / shifts[i, 3]
            left += 1
    _divide(step, parts, rank, room)
    return left


@compiled
def _divide(step: NDArray[np.float64], parts: int, rank: int, room: Room) -> None:
    """Add a step to the lattice: echelon form of its whole numbers by Euclid's steps."""
    rows, cell, repeats = room.rows, room.cell, room.repeats
    for k in range(rank + 1):
        for c in range(3):
            rows[k, c] = parts if k == c else 0
    for k in range(rank):
        rows[rank, k] = whole(math.floor(step[k] * parts + 0.5))
    if rank < 3:
        for k in range(rank, 3):
            rows[rank, k] = 0
    for k in range(rank):
        for other in range(k + 1, rank + 1):
            while rows[other, k] != 0:
                times = rows[k, k] // rows[other, k]
                for c in range(3):
                    x = rows[k, c] - times * rows[other, c]
                    rows[k, c] = rows[other, c]
                    rows[other, c] = x
    for k in range(3):
        repeats[k] = k < rank
        for c in range(3):
            cell[k, c] = 0.0
            for m in range(rank):
                cell[k, c] += rows[k, m] / parts * room.lattice.basis[m, c]
    reduce_lattice(cell, repeats, room.lattice)


@compiled
def _mean_distances(
    kinds: NDArray[np.int64],
    places: NDArray[np.float64],
    n: int,
    rank: int,
    n_vectors: int,
    weights: NDArray[np.float64],
    means: NDArray[np.float64],
    room: Room,
) -> None:
    """Take the distances of all pairs in the classes of the lattice modulo a multiple of it."""
    multiple = 8 if rank == 1 else 3 if rank == 2 else 2
    n_classes = _list_corners(rank, multiple, room)
    away, none, own = room.numbers[0], room.numbers[2], room.numbers[4]
    _find_coordinates(places, n, rank, room)
    for i in range(n):
        for q in range(n_classes):
            means[i, q] = 0.0
    for i in range(n):
        for j in range(i, n):
            _aside(i, j, none, 0.0, rank, room)
            for q in range(n_classes):
                own[q] = _shortest(away, room.corners[q], room.vectors, n_vectors, multiple)
            _sort(own, n_classes)
            for q in range(n_classes):
                means[i, q] += weights[kinds[j]] * own[q] / n
                if i != j:
                    means[j, q] += weights[kinds[i]] * own[q] / n


@compiled
def _list_corners(rank: int, multiple: int, room: Room) -> int:
    """List a vector of each class of the lattice modulo a multiple of it; return how many."""
    count = whole(1)
    for _ in range(rank):
        count *= multiple
    for q in range(count):
        rest = whole(q)
        for c in range(3):
            room.corners[q, c] = 0.0
        for k in range(rank):
            for c in range(3):
                room.corners[q, c] += rest % multiple * room.lattice.basis[k, c]
            rest //= multiple
    return count


@compiled
def _shortest(
    away: NDArray[np.float64],
    corner: NDArray[np.float64],
    vectors: NDArray[np.float64],
    n_vectors: int,
    multiple: int,
) -> float:
    """Return the length of the shortest vector that differs by multiples of lattice vectors."""
    x, y, z = away[0] + corner[0], away[1] + corner[1], away[2] + corner[2]
    for _ in range(100):
        changed = False
        for q in range(n_vectors):
            a, b, c = vectors[q, 0], vectors[q, 1], vectors[q, 2]
            along = (x * a + y * b + z * c) / (multiple * vectors[q, 3] * vectors[q, 3])
            if abs(along) > 0.5 + 1e-9:
                times = multiple * math.floor(along + 0.5)
                x, y, z = x - times * a, y - times * b, z - times * c
                changed = True
        if not changed:
            break
    return math.sqrt(x * x + y * y + z * z)
