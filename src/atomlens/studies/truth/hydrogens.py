"""Hydrogens folded into the atoms that they are bonded to.

How a term is shared between a hydrogen and its atom is a convention, and a drawing in 2D has no
hydrogens: so atoms are also scored with theirs.
"""

import numpy as np

from atomlens.chemistry.bonds import find_bonds
from atomlens.explain.question import Indices, Values
from atomlens.structures.arrays import Structure
from atomlens.studies.truth.known import HYDROGEN


def hydrogen_owners(structure: Structure, n_truth: int, *, terms: bool) -> Indices:
    """(n_atoms,) the atom that each one is folded into: hydrogens into theirs, others stay.

    Where the truth is not about the last atoms, these are the hydrogens. Where it is about all and
    has a term of each, the hydrogens of molecules are folded on both sides.
    """
    numbers = structure.atomic_numbers
    owners = np.arange(len(numbers))
    if n_truth == len(numbers):
        if terms and not structure.pbc.any() and not structure.is_formula:
            for first, second in find_bonds(structure).tolist():
                if numbers[first] == HYDROGEN < numbers[second]:
                    owners[first] = second
        return owners
    for first, second in find_bonds(structure).tolist():
        if first >= n_truth > second:
            owners[first] = second
    lost = np.flatnonzero(owners >= n_truth)
    for atom in lost.tolist():  # no bond was seen: the nearest heavy atom
        apart = np.linalg.norm(structure.positions[:n_truth] - structure.positions[atom], axis=1)
        owners[atom] = int(apart.argmin())
    return owners


def folded_sums(scores: Values, owners: Indices) -> Values:
    """Return sums over the atoms that are folded into one, for each of those that are left."""
    sums: Values = np.bincount(owners, weights=scores).astype(np.float64)
    return sums[np.unique(owners)]
