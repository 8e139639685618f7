"""Which structure it is, whatever it is called: one number of its content."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
_FORMULA, _MOLECULE, _CRYSTAL = 1, 2, 3


def structure_digests(structures: StructureArrays) -> NDArray[np.uint64]:
    """(n,) one number of the content of each structure; names and charges do not count.

    Equal for the same atoms in another order, and for positions that differ by rounding (about
    0.01 Å). A molecule may be turned, moved and mirrored; a crystal may be turned, and its atoms
    moved by lattice vectors, but the choice of its cell and origin counts. Of a bare formula the
    ratio of its elements counts.
    """
    n = len(structures)
    owners = np.repeat(np.arange(n), structures.n_atoms)
    volumes = np.abs(np.linalg.det(structures.cells)) if n else np.zeros(0)
    crystals = structures.pbc.all(axis=1) & (volumes > 1e-6) & ~structures.is_formula
    rows = np.zeros((len(owners), 4), dtype=np.int64)
    rows[:, 0] = structures.atomic_numbers
    inside = crystals[owners]
    if inside.any():
        rows[inside, 1:] = _fractional_steps(structures, crystals, owners[inside], inside)
    molecules = ~crystals & ~structures.is_formula
    outside = molecules[owners]
    if outside.any():
        rows[outside, 1:] = _distance_steps(structures, molecules, owners, outside)
    rows = rows[_order(owners, rows)]
    kinds = np.where(crystals, _CRYSTAL, _MOLECULE)[:, None]
    heads = np.concatenate([kinds, _cell_steps(structures.cells, structures.pbc)], axis=1)
    digests = np.zeros(n, dtype=np.uint64)
    formulas, offsets = structures.is_formula.tolist(), structures.offsets.tolist()
    for i in range(n):
        own = rows[offsets[i] : offsets[i + 1]]
        parts = [heads[i], own]
        if formulas[i]:
            numbers, counts = np.unique(own[:, 0], return_counts=True)
            divisor = np.gcd.reduce(counts) if len(counts) else 1
            parts = [np.array([_FORMULA]), numbers, counts // divisor]
        digests[i] = _number(parts)
    return digests


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


def _number(parts: Sequence[NDArray[Any]]) -> int:
    digest = hashlib.blake2b(b"".join([part.tobytes() for part in parts]), digest_size=8)
    return int.from_bytes(digest.digest(), "little")


def _steps(lengths: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.floor(lengths / _STEP + _SHIFT).astype(np.int64)


def _cell_steps(cells: NDArray[np.float64], pbc: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(n, 9) lengths of lattice vectors and diagonals of faces, zero where nothing repeats."""
    used = cells * pbc[:, :, None]
    diagonals = used + np.roll(used, -1, axis=1)
    lengths = np.linalg.norm(np.concatenate([used, diagonals], axis=1), axis=2)
    return np.concatenate([_steps(lengths), pbc.astype(np.int64)], axis=1)


def _fractional_steps(
    structures: StructureArrays,
    crystals: NDArray[np.bool_],
    owners: NDArray[np.int64],
    inside: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """(n_inside, 3) fractional coordinates of the atoms of crystals, in steps, inside the cell."""
    inverse = np.zeros_like(structures.cells)
    inverse[crystals] = np.linalg.inv(structures.cells[crystals])
    fractions = np.einsum("ni,nij->nj", structures.positions[inside], inverse[owners])
    steps: NDArray[np.int64] = np.floor(fractions * _CELL_STEPS + _SHIFT).astype(np.int64)
    return steps % _CELL_STEPS


def _distance_steps(
    structures: StructureArrays,
    molecules: NDArray[np.bool_],
    owners: NDArray[np.int64],
    outside: NDArray[np.bool_],
) -> NDArray[np.int64]:
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
    steps: NDArray[np.int64] = _steps(found[outside])
    return steps
