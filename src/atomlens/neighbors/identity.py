"""Which structure it is, whatever it is called: one number of its content."""

import hashlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.machine import plain, worth_compiling
from atomlens.neighbors.contents import N_DISTANCES, N_SIDES, empty_room, read_contents
from atomlens.structures.arrays import StructureArrays

_STEP = 0.01
"""Å; finer differences are rounding."""
_CELL_STEPS = 1000
"""Fractional coordinates are told apart in so many steps along each lattice vector."""
_SHIFT = 0.2718
"""Of a step: keeps round numbers (0, 1/8, 1/3) away from the edges of the steps."""
_LARGEST_FOR_PAIRS = 1000
"""Atoms of a molecule up to which the distances between all pairs are looked at."""
_PAIRS_AT_ONCE = 1_000_000
_FORMULA, _MOLECULE, _CRYSTAL, _PRIMITIVE = 1, 2, 3, 4
_EDGE = 0.008
"""Of a step: what is this near to an edge may have been rounded over it."""
_MOST_AT_EDGES = 6
"""Numbers near an edge that are tried on its other side."""
_ALIKE = 0.05
"""Of a step: numbers of atoms of a crystal that are this near to each other are one number."""
_PLAIN_WORK = 5000
"""Pairs of atoms whose distances plain Python finds in a part of the time of the compiler."""
_WEIGHTS: NDArray[np.float64] = 0.5 + np.arange(119, dtype=np.float64) * 0.6180339887 % 1
"""(119,) of the elements: tell apart what differs in the kinds of atoms alone."""


def structure_digests(structures: StructureArrays) -> NDArray[np.uint64]:
    """(n,) one number of the content of each structure; names and charges do not count.

    Equal for the same atoms in another order, turned, moved or mirrored, and for positions that
    differ by rounding, unless that carries a number over the edge of a step of 0.01 Å (see
    `Identities.nearby`). Of a crystal, a slab or a wire the choice of the cell and of its origin do
    not count: a supercell is its primitive cell (of more than 5,000 atoms, or 1,500 in the
    primitive cell, they count as in `digests_in_given_cells`). Of a bare formula the ratio of its
    elements counts.
    """
    return Identities(structures).digests


def composition_digests(structures: StructureArrays) -> NDArray[np.uint32]:
    """(n,) one number of the ratio of the elements of each structure.

    What has one digest (`structure_digests`) has one composition, so that this says of most
    structures that they are none of some others, for a hundredth of the price.
    """
    owners = np.repeat(np.arange(len(structures)), structures.n_atoms)
    keys, amounts = np.unique(256 * owners + structures.atomic_numbers, return_counts=True)
    owners, numbers = np.divmod(keys, 256)
    filled, starts = np.unique(owners, return_index=True)
    found = np.zeros(len(structures), dtype=np.uint64)
    if len(filled):
        divisors = np.gcd.reduceat(amounts, starts)
        amounts //= np.repeat(divisors, np.diff(starts, append=len(owners)))
        found[filled] = np.add.reduceat(amounts.astype(np.uint64) * _MARKS[numbers], starts)
    return (found >> np.uint64(32)).astype(np.uint32)


def digests_in_given_cells(structures: StructureArrays) -> NDArray[np.uint64]:
    """(n,) the digests of folders made before cells were folded: of crystals the cell counts too.

    A crystal may be turned, and its atoms moved by lattice vectors, but the choice of its cell and
    origin counts. Of molecules and formulas it is the same number.
    """
    return Identities(structures).digests_in_given_cells


class Identities:
    """What structures are known by, for several questions about the same ones.

    What it takes to say what `structure_digests` and its like say is worked out once, when it is
    asked for.
    """

    def __init__(self, structures: StructureArrays) -> None:
        self.structures = structures
        self._known: dict[int, _Content] = {}

    @cached_property
    def digests(self) -> NDArray[np.uint64]:
        """(n,) as of `structure_digests`."""
        counts = self._contents.counts
        digests = np.zeros(len(self.structures), dtype=np.uint64)
        if not counts.all():
            rest = counts == 0
            digests[rest] = self.digests_in_given_cells[rest]
        for i in np.flatnonzero(counts).tolist():
            digests[i] = self._content(i).digest
        return digests

    @cached_property
    def digests_in_given_cells(self) -> NDArray[np.uint64]:
        """(n,) as of `digests_in_given_cells`."""
        found, structures = self._numbers, self.structures
        rows = found.rows[_order(found.owners, found.rows)]
        digests = np.zeros(len(structures), dtype=np.uint64)
        formulas, offsets = structures.is_formula.tolist(), structures.offsets.tolist()
        for i in range(len(structures)):
            own = rows[offsets[i] : offsets[i + 1]]
            parts = [found.heads[i], own]
            if formulas[i]:
                numbers, counts = np.unique(own[:, 0], return_counts=True)
                divisor = np.gcd.reduce(counts) if len(counts) else 1
                parts = [np.array([_FORMULA]), numbers, counts // divisor]
            digests[i] = _number(parts)
        return digests

    def nearby(self, i: int) -> list[int]:
        """Return what `structure_digests` may say of one structure when it was rounded.

        Steps have edges: of a molecule of 18 atoms there are 54 numbers, and positions that were
        rounded to 4 decimals carry one of them over an edge in 6 of 100 molecules. So numbers that
        are within 8e-5 Å of an edge are tried on its other side, six of them at most.
        """
        if self._contents.counts[i]:
            return self._content(i).nearby()
        return self.nearby_in_given_cell(i)

    def sides(self, i: int) -> NDArray[np.float64]:
        """(8,) lengths of the lattice of the primitive cell, Å, as of `read_contents`; else 0."""
        return np.asarray(self._contents.sides[i])

    def nearby_in_given_cell(self, i: int) -> list[int]:
        """Return what `digests_in_given_cells` may say of one structure when it was rounded."""
        if self.structures.is_formula[i]:
            return []
        own = slice(int(self.structures.offsets[i]), int(self.structures.offsets[i + 1]))
        return _other_sides(self._numbers, i, own)

    @cached_property
    def _contents(self) -> "_Contents":
        return _Contents.of(self.structures)

    @cached_property
    def _numbers(self) -> "_Numbers":
        return _Numbers.of(self.structures)

    def _content(self, i: int) -> "_Content":
        if i not in self._known:
            self._known[i] = self._contents.of_one(i)
        return self._known[i]


def _other_sides(found: "_Numbers", i: int, own: slice) -> list[int]:
    digests: list[int] = []
    for moves in _moves_across_edges(found.above[own]):
        other = found.rows[own].copy()
        other[:, 1:] += moves
        if found.heads[i, 0] == _CRYSTAL:
            other[:, 1:] %= _CELL_STEPS
        order = np.lexsort((other[:, 3], other[:, 2], other[:, 1], other[:, 0]))
        digests.append(_number([found.heads[i], other[order]]))
    return digests


def _moves_across_edges(above: NDArray[np.float64]) -> Iterator[NDArray[np.int64]]:
    """Yield the steps, 1 or -1, that take some numbers at the edge of a step to its other side.

    Every choice of the nearest ones is made once; ``above`` says how far each number is above the
    edge below it, in steps.
    """
    aside = np.minimum(above, 1 - above)
    is_near = aside < _EDGE
    if not is_near.any():
        return
    places = np.argwhere(is_near)
    places = places[np.argsort(aside[tuple(places.T)], kind="stable")][:_MOST_AT_EDGES]
    for chosen in range(1, 1 << len(places)):
        moves = np.zeros(above.shape, dtype=np.int64)
        for bit, place in enumerate(map(tuple, places.tolist())):
            if chosen >> bit & 1:
                moves[place] = 1 if above[place] > 0.5 else -1
        yield moves


class _Content(NamedTuple):
    """The numbers of one crystal, each near to others as one number: its levels."""

    head: NDArray[np.int64]
    """(2,) kind of content, directions that repeat"""
    kinds: NDArray[np.int64]
    """(n_atoms,) elements"""
    members: NDArray[np.int64]
    """(8 + 9 n_atoms,) level of each number: of the lattice, then of the atoms"""
    levels: NDArray[np.float64]
    """(n_levels,) in steps"""

    @property
    def digest(self) -> int:
        return self._digest(np.floor(self.levels))

    def nearby(self) -> list[int]:
        """Return the digests with numbers at the edge of a step on its other side."""
        below = np.floor(self.levels)
        sides = _moves_across_edges(self.levels - below)
        return [self._digest(below + moves) for moves in sides]

    def _digest(self, steps: NDArray[np.float64]) -> int:
        numbers = steps.astype(np.int64)[self.members]
        rows = np.column_stack([self.kinds, numbers[N_SIDES:].reshape(-1, N_DISTANCES)])
        rows = rows[np.lexsort(rows.T[::-1])]
        return _number([self.head, numbers[:N_SIDES], rows])


class _Contents(NamedTuple):
    """What crystals, slabs and wires are told apart by, whatever their cells."""

    counts: NDArray[np.int64]
    """(n,) atoms of the primitive cell; 0 for all that has none"""
    offsets: NDArray[np.int64]
    kinds: NDArray[np.int64]
    sides: NDArray[np.float64]
    distances: NDArray[np.float64]
    n_directions: NDArray[np.int64]

    @classmethod
    def of(cls, structures: StructureArrays) -> "_Contents":
        n_directions = structures.pbc.sum(axis=1)
        periodic = np.flatnonzero((n_directions > 0) & ~structures.is_formula)
        counts = np.zeros(len(structures), dtype=np.int64)
        offsets = np.zeros(len(structures), dtype=np.int64)
        chosen = structures.subset(periodic)
        owners = np.repeat(np.arange(len(chosen)), chosen.n_atoms)
        order = np.lexsort((chosen.atomic_numbers, owners))
        kinds = chosen.atomic_numbers[order].astype(np.int64)
        sides = np.zeros((len(structures), N_SIDES))
        distances = np.zeros((len(kinds), N_DISTANCES))
        found, lattices = np.zeros(len(chosen), np.int64), np.zeros((len(chosen), N_SIDES))
        if len(chosen):
            work = int(np.square(chosen.n_atoms).sum())
            compiled = worth_compiling(read_contents, work, _PLAIN_WORK)
            (read_contents if compiled else plain(read_contents))(
                chosen.offsets,
                kinds,
                chosen.positions[order],
                chosen.cells,
                chosen.pbc,
                lattices,
                distances,
                _WEIGHTS,
                found,
                empty_room(int(chosen.n_atoms.max())),
            )
        counts[periodic], offsets[periodic] = found, chosen.offsets[:-1]
        sides[periodic] = lattices
        return cls(counts, offsets, kinds, sides, distances, n_directions)

    def of_one(self, i: int) -> _Content:
        """Return the numbers of one structure, those that are near to each other as one."""
        own = slice(self.offsets[i], self.offsets[i] + self.counts[i])
        kinds = self.kinds[own]
        numbers = np.concatenate([self.sides[i], self.distances[own].ravel()])
        # what belongs together: the lattice, and each column of each element
        columns = np.arange(N_DISTANCES)[None, :] + N_DISTANCES * kinds[:, None]
        groups = np.concatenate([np.full(N_SIDES, -1), columns.ravel()])
        steps = numbers / _STEP + _SHIFT
        order = np.lexsort((steps, groups))
        first = np.ones(len(order), dtype=np.bool_)
        first[1:] = (np.diff(groups[order]) > 0) | (np.diff(steps[order]) > _ALIKE)
        members = np.empty(len(order), dtype=np.int64)
        members[order] = np.cumsum(first) - 1
        levels = np.bincount(members, steps) / np.bincount(members)
        return _Content(np.array([_PRIMITIVE, self.n_directions[i]]), kinds, members, levels)


class _Numbers(NamedTuple):
    """What structures are told apart by."""

    owners: NDArray[np.int64]
    """(n_atoms,) the structure of each atom"""
    rows: NDArray[np.int64]
    """(n_atoms, 4) element and three numbers in steps"""
    above: NDArray[np.float64]
    """(n_atoms, 3) how far each of them is above the edge below it, in steps"""
    heads: NDArray[np.int64]
    """(n, 10) kind and cell"""

    @classmethod
    def of(cls, structures: StructureArrays) -> "_Numbers":
        n = len(structures)
        owners = np.repeat(np.arange(n), structures.n_atoms)
        volumes = np.abs(np.linalg.det(structures.cells)) if n else np.zeros(0)
        crystals = structures.pbc.all(axis=1) & (volumes > 1e-6) & ~structures.is_formula
        molecules = ~crystals & ~structures.is_formula
        exact = np.zeros((len(owners), 3))
        inside, outside = crystals[owners], molecules[owners]
        if inside.any():
            exact[inside] = _fractional_steps(structures, crystals, owners[inside], inside)
        if outside.any():
            exact[outside] = _distance_steps(structures, molecules, owners, outside)
        edges = np.floor(exact)
        rows = np.zeros((len(owners), 4), dtype=np.int64)
        rows[:, 0] = structures.atomic_numbers
        rows[:, 1:] = edges
        rows[inside, 1:] %= _CELL_STEPS
        kinds = np.where(crystals, _CRYSTAL, _MOLECULE)[:, None]
        heads = np.concatenate([kinds, _cell_steps(structures.cells, structures.pbc)], axis=1)
        return cls(owners, rows, exact - edges, heads)


def _order(owners: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n_atoms,) the atoms of each structure by their rows (n_atoms, 4), the first column first."""
    keys = (rows[:, 3], rows[:, 2], rows[:, 1], rows[:, 0], owners)
    if len(rows) and rows[:, 1:].max() < 1 << 20 and len(rows) < 1 << 35:  # two sorts, not five
        element, a, b, c = rows.T
        keys = ((b << 20) | c, (owners << 28) | (element << 20) | a)  # type: ignore[assignment]
    order: NDArray[np.int64] = np.lexsort(keys)
    return order


def row_digests(structures: NDArray[np.uint64], values: NDArray[np.float64]) -> NDArray[np.uint64]:
    """(n,) one number of each structure (its digest) together with its values (n, n_values)."""
    plain = np.where(np.isnan(values), np.nan, values) + 0.0  # one kind of NaN, no minus zero
    pairs = zip(structures, np.ascontiguousarray(plain), strict=True)
    return np.array([_number([s.reshape(1), row]) for s, row in pairs], dtype=np.uint64)


def joint_digest(digests: Sequence[int]) -> int:
    """Return one number of several structures together, in whatever order."""
    return _number([np.array(sorted(digests), dtype=np.uint64)])


def _number(parts: Sequence[NDArray[Any]]) -> int:
    digest = hashlib.blake2b(b"".join([part.tobytes() for part in parts]), digest_size=8)
    return int.from_bytes(digest.digest(), "little")


_MARKS: NDArray[np.uint64] = np.array(
    [_number([np.array([z])]) for z in range(256)], dtype=np.uint64
)
"""(256,) one number of each element; their sums tell compositions apart."""


def _steps(lengths: NDArray[np.float64]) -> NDArray[np.float64]:
    return lengths / _STEP + _SHIFT


def _cell_steps(cells: NDArray[np.float64], pbc: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(n, 9) lengths of lattice vectors and diagonals of faces, zero where nothing repeats."""
    used = cells * pbc[:, :, None]
    diagonals = used + np.roll(used, -1, axis=1)
    lengths = np.linalg.norm(np.concatenate([used, diagonals], axis=1), axis=2)
    steps = np.floor(_steps(lengths)).astype(np.int64)
    return np.concatenate([steps, pbc.astype(np.int64)], axis=1)


def _fractional_steps(
    structures: StructureArrays,
    crystals: NDArray[np.bool_],
    owners: NDArray[np.int64],
    inside: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """(n_inside, 3) fractional coordinates of the atoms of crystals, in steps."""
    inverse = np.zeros_like(structures.cells)
    inverse[crystals] = np.linalg.inv(structures.cells[crystals])
    fractions = np.einsum("ni,nij->nj", structures.positions[inside], inverse[owners])
    steps: NDArray[np.float64] = fractions * _CELL_STEPS + _SHIFT
    return steps


def _distance_steps(
    structures: StructureArrays,
    molecules: NDArray[np.bool_],
    owners: NDArray[np.int64],
    outside: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """(n_outside, 3) of each atom: distance from the middle, mean and largest of all distances."""
    n_atoms = np.maximum(structures.n_atoms, 1)
    middles = np.stack(
        [
            np.bincount(owners, structures.positions[:, k], minlength=len(structures)) / n_atoms
            for k in range(3)
        ],
        axis=1,
    )
    found = np.zeros((len(owners), 3))
    found[:, 0] = np.linalg.norm(structures.positions - middles[owners], axis=1)
    chosen = np.flatnonzero(molecules & (structures.n_atoms <= _LARGEST_FOR_PAIRS))
    for size in np.unique(structures.n_atoms[chosen]).tolist():
        alike = chosen[structures.n_atoms[chosen] == size]
        for some in np.array_split(alike, 1 + len(alike) * size * size // _PAIRS_AT_ONCE):
            places = structures.offsets[some][:, None] + np.arange(size)
            own = structures.positions[places]
            distances = np.sqrt(np.square(own[:, :, None] - own[:, None]).sum(axis=3))
            found[places, 1] = distances.mean(axis=2)
            found[places, 2] = distances.max(axis=2, initial=0)
    steps: NDArray[np.float64] = _steps(found[outside])
    return steps
