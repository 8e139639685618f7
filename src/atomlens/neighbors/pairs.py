"""Neighbours by distance: the compiled loop behind the `nearest` and `radius` builders."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.machine import compiled, entry_point, inlined
from atomlens.neighbors.arithmetic import whole
from atomlens.neighbors.images import (
    Candidates,
    Images,
    empty_candidates,
    empty_images,
    find_within,
    list_images,
    sort_shells,
    wrap_sites,
)
from atomlens.neighbors.lattice import SHORTEST, Lattice, cell_volume, empty_lattice, reduce_lattice
from atomlens.neighbors.table import (
    CLOSE_ATOMS,
    DEGENERATE_CELL,
    FINE,
    MORE_EDGES,
    EdgeTable,
)

_TOLERANCE = 1e-8
"""Å; neighbours exactly at the cutoff are in, however their distance was rounded."""
_FEWEST_SHELLS, _MOST_SHELLS = 64, 1024
"""With about one candidate in each nothing is left to sort."""
_UNLIKE = 1e-2
"""Between what atoms of one site have in common, more than rounding makes of it."""


class PairRules(NamedTuple):
    """Settings of the search as the compiled code sees them."""

    cutoff: float
    n_neighbors: int
    """0: all within the cutoff"""
    tie_tolerance: float
    keep_shell: bool
    pad: bool


class PairWorkspace(NamedTuple):
    """Arrays that are used again for every atom."""

    lattice: Lattice
    images: Images
    candidates: Candidates
    surroundings: NDArray[np.float64]
    """(n_atoms or more,) the same number for atoms of one element with the same neighbours"""


def empty_pair_workspace(n_atoms: int, n_images: int, _capacity: int) -> PairWorkspace:
    """Return room for so many atoms a structure, and images."""
    return PairWorkspace(
        empty_lattice(),
        empty_images(n_atoms, n_images),
        empty_candidates(n_images, _MOST_SHELLS),
        np.empty(n_atoms),
    )


@entry_point
def find_pairs(
    offsets: NDArray[np.int64],
    positions: NDArray[np.float64],
    cells: NDArray[np.float64],
    pbc: NDArray[np.bool_],
    rules: PairRules,
    numbers: NDArray[np.uint8],
    work: PairWorkspace,
    table: EdgeTable,
) -> int:
    """Add the neighbours of the structures that are left to the table.

    Structures that fail are noted there. Returns FINE when all are done, else which array is
    too small; called again with a larger one, it goes on where it stopped.
    """
    for s in range(table.progress[0], offsets.size - 1):
        points = positions[offsets[s] : offsets[s + 1]]
        first = table.progress[1]
        table.progress[2] = 0
        rank = reduce_lattice(cells[s], pbc[s], work.lattice)
        outcome = DEGENERATE_CELL
        if rank >= 0:
            wrap_sites(work.images, points, work.lattice, rank)
            start = _first_radius(points.shape[0], rank, rules, work)
            outcome = list_images(work.images, points.shape[0], work.lattice, rank, start)
            for atom in range(points.shape[0]):
                if outcome == FINE:
                    outcome = _neighbors_of(atom, points, cells[s], rank, start, rules, work, table)
                    table.status[s, 1] = atom
        if outcome != FINE:
            table.progress[1] = first
        if outcome < FINE:
            return outcome
        if outcome == FINE and table.progress[2] > 0:
            own = numbers[offsets[s] : offsets[s + 1]]
            table.is_cut[s] = _is_cut_unlike(first, own, rules, work.surroundings, table)
        table.status[s, 0] = outcome
        table.counts[s] = table.progress[1] - first
        table.progress[0] = s + 1
    return FINE


@compiled
def _first_radius(n: int, rank: int, rules: PairRules, work: PairWorkspace) -> float:
    """Return a radius within which most atoms find enough neighbours."""
    cutoff = rules.cutoff + _TOLERANCE
    if rules.n_neighbors == 0 or (rank == 0 and n <= 32):
        return cutoff
    volume, bounds = cell_volume(work.lattice), work.images.bounds
    for k in range(rank, 3):
        volume *= bounds[3, k] - bounds[2, k] + 2.5
    sphere = 1.6 * (rules.n_neighbors + 1.0) * volume / n
    return min(float((0.75 * sphere / math.pi) ** (1.0 / 3.0)), cutoff)


@compiled
def _neighbors_of(
    i: int,
    points: NDArray[np.float64],
    vectors: NDArray[np.float64],
    rank: int,
    start: float,
    rules: PairRules,
    work: PairWorkspace,
    table: EdgeTable,
) -> int:
    """Write the neighbours of atom ``i``, looking farther until there are enough."""
    radius, cutoff = start, rules.cutoff + _TOLERANCE
    squares, k = work.candidates.squares, rules.n_neighbors
    while True:
        if radius > work.images.grid[7] and rank > 0:
            outcome = list_images(work.images, points.shape[0], work.lattice, rank, radius)
            if outcome != FINE:
                return outcome
        count = find_within(work.images, i, -1.0, radius, work.candidates)
        if k == 0 or count > k or radius >= cutoff:
            n_shells = min(max(count, _FEWEST_SHELLS), _MOST_SHELLS)
            sort_shells(work.candidates, count, radius * radius, n_shells)
            _sort_within_shells(work.candidates, count)
            if k == 0 or radius >= cutoff:
                break
            # the nearest candidate is the atom itself
            if math.sqrt(squares[1, k]) + rules.tie_tolerance < radius:
                break
        radius = min(1.3 * radius, cutoff)
    if count > 1 and squares[1, 1] < SHORTEST * SHORTEST:
        return CLOSE_ATOMS
    if k > 0 and count > k + 1:
        count = _choose(i, rank, count, rules, work, table)
        if count == MORE_EDGES:
            return MORE_EDGES
    return _write(i, points, vectors, count, rules, work, table)


@compiled
def _sort_within_shells(candidates: Candidates, count: int) -> None:
    """Finish the sorting by distance; nothing has far to go."""
    squares, found = candidates.squares, candidates.found
    for p in range(1, count):
        square, m, place = squares[1, p], found[1, p], p
        while place > 0 and squares[1, place - 1] > square:
            squares[1, place], found[1, place] = squares[1, place - 1], found[1, place - 1]
            place -= 1
        squares[1, place], found[1, place] = square, m


@compiled
def _choose(
    i: int, rank: int, count: int, rules: PairRules, work: PairWorkspace, table: EdgeTable
) -> int:
    """Decide which of the neighbours at the last distance belong to the nearest ones.

    Candidate 0 is the atom itself. Returns how many candidates are left, itself included, or
    MORE_EDGES.
    """
    squares, k = work.candidates.squares, rules.n_neighbors
    last = math.sqrt(squares[1, k])
    start, stop = k, k + 1
    while start > 1 and math.sqrt(squares[1, start - 1]) >= last - rules.tie_tolerance:
        start -= 1
    while stop < count and math.sqrt(squares[1, stop]) <= last + rules.tie_tolerance:
        stop += 1
    if rules.keep_shell:
        return stop
    if stop == k + 1:
        return stop
    found = work.candidates.found
    for p in range(start + 1, stop):
        square, m, place = squares[1, p], found[1, p], p
        while place > start and _precedes(m, found[1, place - 1], i, rank, work):
            squares[1, place], found[1, place] = squares[1, place - 1], found[1, place - 1]
            place -= 1
        squares[1, place], found[1, place] = square, m
    last_row = table.values.shape[1] - 1 - table.progress[2]
    if last_row - (stop - start) < table.progress[1]:
        return MORE_EDGES
    for p in range(start, stop):
        row = last_row - (p - start)
        table.ends[0, row], table.ends[1, row] = i, work.images.owners[found[1, p], 0]
        table.ends[2, row] = 1 if p > k else 0
        table.values[3, row] = math.sqrt(squares[1, p])
    table.progress[2] += stop - start
    return k + 1


@compiled
def _is_cut_unlike(
    first: int,
    numbers: NDArray[np.uint8],
    rules: PairRules,
    surroundings: NDArray[np.float64],
    table: EdgeTable,
) -> bool:
    """Say whether a shell was cut whose atoms are unlike.

    Alike are atoms of one element with the same neighbours, as all are of bcc iron: which of
    them are taken changes nothing. The shells stand in the last rows of the table, those that
    were left out included.
    """
    ends, distances = table.ends, table.values[3]
    room = distances.size
    for i in range(numbers.size):
        surroundings[i] = 1e4 * numbers[i]
    for row in range(first, table.progress[1]):
        if distances[row] <= rules.cutoff + _TOLERANCE:  # else it was made up
            surroundings[ends[0, row]] += numbers[ends[1, row]] * math.exp(-distances[row])
    for row in range(room - table.progress[2], room):
        if ends[2, row]:
            surroundings[ends[0, row]] += numbers[ends[1, row]] * math.exp(-distances[row])
    least = most = surroundings[ends[1, room - 1]]
    for row in range(room - 2, room - 1 - table.progress[2], -1):
        value = surroundings[ends[1, row]]
        if ends[0, row] != ends[0, row + 1]:
            least = most = value
        least, most = min(least, value), max(most, value)
        if most - least > _UNLIKE:
            return True
    return False


@compiled
def _precedes(m: int, n: int, i: int, rank: int, work: PairWorkspace) -> bool:
    """Order of neighbours that are equally far: image, then atom."""
    for c in range(3):
        a, b = _translation(m, i, c, rank, work), _translation(n, i, c, rank, work)
        if a != b:
            return bool(a < b)
    return bool(work.images.owners[m, 0] < work.images.owners[n, 0])


@inlined
def _translation(m: int, i: int, c: int, rank: int, work: PairWorkspace) -> int:
    """Return by how many of lattice vector ``c`` image ``m`` is away from its atom, seen from i."""
    owners, moves, total = work.images.owners, work.images.moves, whole(0)
    j = owners[m, 0]
    for k in range(rank):
        steps = owners[m, 1 + k] + moves[j, k] - moves[i, k]
        total += steps * work.lattice.transform[k, c]
    return total


@compiled
def _write(
    i: int,
    points: NDArray[np.float64],
    vectors: NDArray[np.float64],
    count: int,
    rules: PairRules,
    work: PairWorkspace,
    table: EdgeTable,
) -> int:
    """Add all candidates but the atom itself to the table, nearest first."""
    first = table.progress[1]
    ends, values, found = table.ends, table.values, work.candidates.found
    owners, moves, transform = work.images.owners, work.images.moves, work.lattice.transform
    if first + max(count, rules.n_neighbors) > values.shape[1] - table.progress[2]:
        return MORE_EDGES
    row = first
    for p in range(1, count):
        m = found[1, p]
        j = owners[m, 0]
        da = owners[m, 1] + moves[j, 0] - moves[i, 0]
        db = owners[m, 2] + moves[j, 1] - moves[i, 1]
        dc = owners[m, 3] + moves[j, 2] - moves[i, 2]
        a = da * transform[0, 0] + db * transform[1, 0] + dc * transform[2, 0]
        b = da * transform[0, 1] + db * transform[1, 1] + dc * transform[2, 1]
        c = da * transform[0, 2] + db * transform[1, 2] + dc * transform[2, 2]
        square = 0.0
        for d in range(3):
            x = points[j, d] - points[i, d]
            x += a * vectors[0, d] + b * vectors[1, d] + c * vectors[2, d]
            values[d, row] = x
            square += x * x
        values[3, row] = math.sqrt(square)
        ends[0, row], ends[1, row] = i, j
        ends[2, row], ends[3, row], ends[4, row] = a, b, c
        _settle(values, ends, first, row)
        row += 1
    if rules.pad:
        for _ in range(count - 1, rules.n_neighbors):
            for c in range(4):
                ends[1 + c, row] = 0
                values[c, row] = rules.cutoff + 1.0 if c == 3 else 0.0
            ends[0, row] = i
            row += 1
    table.progress[1] = row
    return FINE


@inlined
def _settle(values: NDArray[np.float64], ends: NDArray[np.int32], first: int, row: int) -> None:
    """Move the last row before those that rounding put before it."""
    while row > first and values[3, row] < values[3, row - 1]:
        for c in range(4):
            x = values[c, row]
            values[c, row] = values[c, row - 1]
            values[c, row - 1] = x
        for c in range(5):
            e = ends[c, row]
            ends[c, row] = ends[c, row - 1]
            ends[c, row - 1] = e
        row -= 1
