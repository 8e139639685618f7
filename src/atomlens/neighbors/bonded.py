"""Which atoms of molecules are bonded, as one number of each: for many thousands at once."""

import numpy as np
from numpy.typing import NDArray

from atomlens.machine import entry_point, plain, worth_compiling
from atomlens.structures.arrays import StructureArrays

_PLAIN_WORK = 100_000
"""Pairs of atoms that plain Python looks at before the loop is compiled."""
_SEED = 20


def bond_numbers(
    structures: StructureArrays, rows: NDArray[np.int64], radii: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n_rows,) one number of the bonds of each structure, by the numbers of their atoms.

    Structures with the same atoms in the same order have the same number if the same of them are
    bonded, and else, but for a chance of 1e-15, another. Bonds across a cell are not looked for.

    Args:
        structures: Any.
        rows: Which of them.
        radii: (n_atoms,) Å; atoms are bonded that are nearer than the sum of two of these.
    """
    sums = np.zeros(len(rows))
    if not len(rows):
        return sums
    counts = np.asarray(structures.n_atoms)[rows]
    marks = np.random.default_rng(_SEED).random((int(counts.max()), 2))
    compiles = worth_compiling(sum_bonds, int(np.square(counts).sum()) // 2, _PLAIN_WORK)
    loop = sum_bonds if compiles else plain(sum_bonds)
    loop(
        np.asarray(structures.offsets, dtype=np.int64),
        np.asarray(rows, dtype=np.int64),
        np.ascontiguousarray(structures.positions, dtype=np.float64),
        np.ascontiguousarray(radii, dtype=np.float64),
        marks,
        sums,
    )
    return sums


@entry_point
def sum_bonds(
    offsets: NDArray[np.int64],
    rows: NDArray[np.int64],
    positions: NDArray[np.float64],
    radii: NDArray[np.float64],
    marks: NDArray[np.float64],
    sums: NDArray[np.float64],
) -> None:
    """Sum over the bonds of each structure the product of the marks of both ends.

    Args:
        offsets: (n + 1,) first atom of each structure.
        rows: (n_rows,) which structures.
        positions: (n_atoms, 3) Å.
        radii: (n_atoms,) Å.
        marks: (n_largest, 2) of an atom as the first and as the second end.
        sums: (n_rows,) is filled.
    """
    for k in range(rows.shape[0]):
        first, last = offsets[rows[k]], offsets[rows[k] + 1]
        total = 0.0
        for i in range(first, last):
            x, y, z = positions[i, 0], positions[i, 1], positions[i, 2]
            for j in range(i + 1, last):
                reach = radii[i] + radii[j]
                a, b, c = positions[j, 0] - x, positions[j, 1] - y, positions[j, 2] - z
                if a * a + b * b + c * c < reach * reach:
                    total += marks[i - first, 0] * marks[j - first, 1]
        sums[k] = total
