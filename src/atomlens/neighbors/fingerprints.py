"""How near two structures are to each other that are the same in steps of 0.01 Å.

Of every atom the distances to its nearest neighbours are kept. No choice of cell, origin or
orientation alters them, none moves by more than twice what the atoms do, and an atom that is moved
alone shows in its own. Two structures are compared by the atoms that are farthest from any of the
other one, so that a supercell is its primitive cell.
"""

import base64
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.neighbors.contents import N_SIDES
from atomlens.neighbors.identity import Identities

_N_NEAREST = 24
"""So many neighbours hold the next layer of layered crystals too."""
_REACH = 8.0
"""Å; those farther away are taken to be here."""
_UNIT = 1e-5
"""Å in which lengths are kept."""
_SAME_ROW = 5
"""Of these; atoms of an element with surroundings so equal are kept once."""
_MOST_COMPARED = 1000
"""Atoms with surroundings of their own up to which equal ones are looked for."""
_LEAST = 3e-4
"""Å; smaller differences are rounding in the last of four decimals."""
_MOST = 5e-4
"""Å; larger ones are none in the same cell, however coarsely coordinates are written."""
_MOST_ELSEWHERE = 2e-3
"""Å; the same in another cell, where all coordinates were rounded anew."""
_SIMPLE = 24
"""Fractions of this many parts are exact in every file."""


class Fingerprint(NamedTuple):
    """What of a structure is compared finely; lengths in steps of 1e-5 Å."""

    slack: int
    """By how much the rounding of its coordinates moves distances"""
    cell: NDArray[np.int32]
    """(6,) lengths and angles (in steps of 1e-5 degrees) of the cell in which it is given"""
    sides: NDArray[np.int32]
    """(8,) of the lattice of its primitive cell, as of `read_contents`"""
    rows: NDArray[np.int32]
    """(n, 25) of atoms that differ: element, distances to the nearest neighbours"""

    def is_near(self, other: "Fingerprint") -> bool:
        """Say whether the two differ by no more than rounding explains."""
        if np.abs(self.sides - other.sides).max() > _LEAST / _UNIT:
            return False
        elsewhere = np.abs(self.cell - other.cell).max() > 1
        most = (_MOST_ELSEWHERE if elsewhere else _MOST) / _UNIT
        most = min(most, _LEAST / _UNIT + self.slack + other.slack)
        return _farthest(self.rows, other.rows) <= most and (
            _farthest(other.rows, self.rows) <= most
        )

    def to_text(self) -> str:
        """Return it as a short text."""
        head = np.concatenate([[self.slack], self.cell, self.sides])
        steps = np.diff(self.rows[:, 1:], axis=1, prepend=0)
        parts = [head, self.rows[:, 0], steps.T.ravel()]
        packed = np.concatenate(parts).astype("<i4").tobytes()
        return base64.b85encode(zlib.compress(packed, 6)).decode()

    @classmethod
    def of_text(cls, text: str) -> "Fingerprint":
        """Return what `to_text` wrote.

        Raises:
            ValueError: it did not write this.
        """
        try:
            numbers = np.frombuffer(zlib.decompress(base64.b85decode(text)), dtype="<i4")
        except zlib.error as error:
            raise ValueError(str(error)) from error
        head, rest = numbers[: N_SIDES + 7].astype(np.int32), numbers[N_SIDES + 7 :]
        table = rest.reshape(_N_NEAREST + 1, -1)
        rows = np.concatenate([table[:1], np.cumsum(table[1:], axis=0)]).T
        return cls(int(head[0]), head[1:7], head[7:], rows.astype(np.int32))


def fingerprints(same: Identities, wanted: Sequence[int]) -> dict[int, Fingerprint]:
    """Return what is compared finely of some structures, by their number; of formulas nothing.

    Args:
        same: What the structures are known by.
        wanted: Which of them.
    """
    from atomlens.neighbors.nearest import NearestBuilder

    structures = same.structures.subset(np.asarray(wanted, dtype=np.int64))
    found = NearestBuilder(n_neighbors=_N_NEAREST, cutoff=_REACH).pack(structures)
    atom_ends, edge_ends = np.cumsum(found.node_counts), np.cumsum(found.edge_counts)
    known = {}
    for k, place in enumerate(found.kept.tolist()):
        n, first = int(found.node_counts[k]), int(edge_ends[k] - found.edge_counts[k])
        own = slice(first, int(edge_ends[k]))
        target = found.target[own].astype(np.int64)
        counts = np.bincount(target, minlength=n)
        column = np.arange(len(target)) - np.repeat(np.cumsum(counts) - counts, counts)
        rows = np.full((n, _N_NEAREST), _REACH)
        rows[target, column] = found.distances[own]
        rows.sort(axis=1)
        table = np.empty((n, _N_NEAREST + 1), dtype=np.int32)
        table[:, 0] = found.atomic_numbers[int(atom_ends[k]) - n : int(atom_ends[k])]
        table[:, 1:] = np.round(rows / _UNIT)
        one = structures[place]
        slack = _rounding(one.positions, one.cell, one.pbc)
        sides = np.round(same.sides(wanted[place]) / _UNIT).astype(np.int32)
        known[wanted[place]] = Fingerprint(
            round(slack / _UNIT), _shape(one.cell * one.pbc[:, None]), sides, _different(table)
        )
    return known


def _shape(cell: NDArray[np.float64]) -> NDArray[np.int32]:
    lengths = np.linalg.norm(cell, axis=1)
    products = np.maximum(np.roll(lengths, 1) * np.roll(lengths, 2), 1e-12)
    cosines = (np.roll(cell, 1, axis=0) * np.roll(cell, 2, axis=0)).sum(axis=1) / products
    angles = np.degrees(np.arccos(np.clip(cosines, -1, 1)))
    return np.round(np.concatenate([lengths, angles]) / _UNIT).astype(np.int32)


def _farthest(some: NDArray[np.int32], others: NDArray[np.int32]) -> float:
    """Return how far, at most, an atom of the first is from the nearest one of the second."""
    from scipy.spatial import cKDTree

    weights = np.ones(_N_NEAREST + 1)
    weights[0] = 1e7  # another element is farther than any distance
    if not len(some) or not len(others):
        return 0.0 if len(some) == len(others) else np.inf
    distances, _ = cKDTree(others * weights).query(some * weights, p=np.inf)
    return float(distances.max())


def _different(rows: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return rows of which no two are nearly the same."""
    left = np.unique(rows, axis=0)
    if len(left) > _MOST_COMPARED:
        return left
    kept = []
    while len(left):
        kept.append(left[0])
        left = left[np.abs(left - left[0]).max(axis=1) > _SAME_ROW]
    return np.array(kept, dtype=np.int32).reshape(-1, rows.shape[1])


def _rounding(
    positions: NDArray[np.float64], cell: NDArray[np.float64], pbc: NDArray[np.bool_]
) -> float:
    """Return by how much distances are off if coordinates have as few decimals as it seems, Å."""
    numbers, unit = positions, 1.0
    if pbc.all() and abs(np.linalg.det(cell)) > 1e-6:
        numbers, unit = positions @ np.linalg.inv(cell), float(np.linalg.norm(cell, axis=1).max())
        parts = numbers * _SIMPLE
        numbers = 3 * numbers[np.abs(parts - np.round(parts)) > 1e-6]  # thirds, of symmetry
    if not numbers.size:
        return 0.0
    for n_decimals in (3, 4, 5):
        steps = numbers * 10.0**n_decimals
        if np.abs(steps - np.round(steps)).max() < 1e-4:
            return 0.5 * 10.0**-n_decimals * unit
    return 0.0
