"""Neighbours by distance: the compiled loop behind the `nearest` and `radius` builders."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.neighbors._compile import compiled, entry_point, whole
from atomlens.neighbors.images import (
    NO_ROOM,
    TOO_MANY,
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
    MORE_IMAGES,
    TOO_MANY_IMAGES,
    EdgeTable,
)

_TOLERANCE = 1e-8
"""Å; neighbours exactly at the cutoff are in, however their distance was rounded."""


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
    order: NDArray[np.int32]
    """(room,) rows of ``shifts`` and ``vectors``, nearest first"""
    shifts: NDArray[np.int32]
    """(room, 4) each neighbour: atom, translation in lattice vectors of the structure"""
    vectors: NDArray[np.float64]
    """(room, 4) vector and distance to each"""


def empty_pair_workspace(n_atoms: int, n_images: int, _capacity: int) -> PairWorkspace:
    """Return room for so many atoms a structure, and images."""
    return PairWorkspace(
        empty_lattice(),
        empty_images(n_atoms, n_images),
        empty_candidates(n_images),
        np.empty(n_images, np.int32),
        np.empty((n_images, 4), np.int32),
        np.empty((n_images, 4)),
    )


@entry_point
def find_pairs(
    offsets: NDArray[np.int64],
    positions: NDArray[np.float64],
    cells: NDArray[np.float64],
    pbc: NDArray[np.bool_],
    rules: PairRules,
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
        rank = reduce_lattice(cells[s], pbc[s], work.lattice)
        outcome = DEGENERATE_CELL
        if rank >= 0:
            wrap_sites(work.images, points, work.lattice, rank)
            start = _first_radius(points.shape[0], rank, rules, work)
            outcome = _list(points.shape[0], rank, start, work)
            for atom in range(points.shape[0]):
                if outcome == FINE:
                    outcome = _neighbors_of(atom, points, cells[s], rank, start, rules, work, table)
                    table.status[s, 1] = atom
        if outcome != FINE:
            table.progress[1] = first
        if outcome < FINE:
            return outcome
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
def _list(n: int, rank: int, radius: float, work: PairWorkspace) -> int:
    count = list_images(work.images, n, work.lattice, rank, radius)
    if count == TOO_MANY:
        return TOO_MANY_IMAGES
    return MORE_IMAGES if count == NO_ROOM else FINE


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
    while True:
        if radius > work.images.grid[7] and rank > 0:
            outcome = _list(points.shape[0], rank, radius, work)
            if outcome != FINE:
                return outcome
        count = find_within(work.images, i, -1.0, radius, work.candidates)
        enough = rules.n_neighbors == 0 or count > rules.n_neighbors
        if enough or radius >= cutoff:
            sort_shells(work.candidates, count, radius * radius)
            count = _locate(i, points, vectors, rank, count, work)
            if count < 0:
                return CLOSE_ATOMS
            if rules.n_neighbors == 0 or radius >= cutoff:
                break
            farthest = work.vectors[work.order[rules.n_neighbors - 1], 3]
            if farthest + rules.tie_tolerance < radius:
                break
        radius = min(1.3 * radius, cutoff)
    if rules.n_neighbors > 0 and count > rules.n_neighbors:
        count = _choose(count, rules, work)
    return _write(i, count, rules, work, table)


@compiled
def _locate(
    i: int,
    points: NDArray[np.float64],
    vectors: NDArray[np.float64],
    rank: int,
    count: int,
    work: PairWorkspace,
) -> int:
    """Find vector and distance of each candidate and sort them; -1 if two atoms coincide."""
    owners, moves, transform = work.images.owners, work.images.moves, work.lattice.transform
    shifts, found, n = work.shifts, work.candidates.found, whole(0)
    for p in range(count):
        m = found[0, found[1, p]]
        j = owners[m, 0]
        shifts[n, 0], square = j, 0.0
        for c in range(3):
            steps = 0
            for k in range(rank):
                steps += (owners[m, 1 + k] + moves[j, k] - moves[i, k]) * transform[k, c]
            shifts[n, 1 + c] = steps
        for c in range(3):
            d = points[j, c] - points[i, c]
            for k in range(3):
                d += shifts[n, 1 + k] * vectors[k, c]
            work.vectors[n, c] = d
            square += d * d
        work.vectors[n, 3] = math.sqrt(square)
        if square < SHORTEST * SHORTEST:
            if j != i or shifts[n, 1] != 0 or shifts[n, 2] != 0 or shifts[n, 3] != 0:
                return -1
            continue
        work.order[n] = n
        n += 1
    _sort_part(n - n, n, True, work)
    return n


@compiled
def _precedes(f: int, g: int, by_distance: bool, work: PairWorkspace) -> bool:
    """Order of neighbours: distance (if it counts), then image, then atom."""
    if by_distance and work.vectors[f, 3] != work.vectors[g, 3]:
        return bool(work.vectors[f, 3] < work.vectors[g, 3])
    for c in range(1, 4):
        if work.shifts[f, c] != work.shifts[g, c]:
            return bool(work.shifts[f, c] < work.shifts[g, c])
    return bool(work.shifts[f, 0] < work.shifts[g, 0])


@compiled
def _choose(count: int, rules: PairRules, work: PairWorkspace) -> int:
    """Decide which of the neighbours at the last distance belong to the nearest ones."""
    order, k = work.order, rules.n_neighbors
    last = work.vectors[order[k - 1], 3]
    start, stop = k - 1, k
    while start > 0 and work.vectors[order[start - 1], 3] >= last - rules.tie_tolerance:
        start -= 1
    while stop < count and work.vectors[order[stop], 3] <= last + rules.tie_tolerance:
        stop += 1
    if rules.keep_shell:
        return stop
    if stop > k:
        _sort_part(start, stop, False, work)
        _sort_part(start, k, True, work)
    return k


@compiled
def _sort_part(start: int, stop: int, by_distance: bool, work: PairWorkspace) -> None:
    order = work.order
    for p in range(start + 1, stop):
        row, place = order[p], p
        while place > start and _precedes(row, order[place - 1], by_distance, work):
            order[place] = order[place - 1]
            place -= 1
        order[place] = row


@compiled
def _write(i: int, count: int, rules: PairRules, work: PairWorkspace, table: EdgeTable) -> int:
    """Add the neighbours to the table, in order."""
    row = table.progress[1]
    if row + max(count, rules.n_neighbors) > table.values.shape[0]:
        return MORE_EDGES
    for p in range(count):
        n = work.order[p]
        table.ends[row, 0] = i
        for c in range(4):
            table.ends[row, 1 + c] = work.shifts[n, c]
            table.values[row, c] = work.vectors[n, c]
        row += 1
    if rules.pad:
        for _ in range(count, rules.n_neighbors):
            table.ends[row, 0] = i
            for c in range(4):
                table.ends[row, 1 + c] = 0
                table.values[row, c] = rules.cutoff + 1.0 if c == 3 else 0.0
            row += 1
    table.progress[1] = row
    return FINE
