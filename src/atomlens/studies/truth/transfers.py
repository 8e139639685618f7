"""Which part of atom terms their sums determine.

What one atom hands to a neighbour and the neighbour takes leaves every total as it is. Of terms
that were learned from totals alone such transfers are a convention, and so they are of the truth:
terms without them are what both can be held to.
"""

from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from atomlens.chemistry.bonds import find_bonds, near_pairs
from atomlens.explain.question import Indices, Values
from atomlens.structures.arrays import Structure, StructureArrays

REACH = 4.0
"""Å: how far neighbours are in a crystal. In a molecule they are bonded."""
_CENTRES = np.array([2.4, 2.8, 3.2, 3.6])
_WIDTH = 0.35
"""Å: of the functions of the distance that a transfer in a crystal is made of."""
LEAST_ATOMS = 5
"""For each kind of transfer; with fewer, they would take away what is true as well."""
_SMALLEST = 1e-8
"""Of the largest singular value: smaller ones are none."""
_NEIGHBOURS = 64
"""More than an atom has: a kind of atom is one number, element * _NEIGHBOURS + neighbours."""


class _Pairs(NamedTuple):
    """Neighbours of the atoms of a structure, each pair from both ends."""

    first: Indices
    second: Indices
    kinds: Indices
    """(n_atoms,) what kind of atom each is"""
    amounts: Values
    """(n_pairs, n_parts) how much goes over in each part of a transfer"""


@final
class Transfers:
    """The transfers between neighbours of many structures.

    Every atom of one kind hands the same amount to each neighbour of another kind. In molecules a
    kind of atom is an element with its number of neighbours; in crystals it is an element, and
    the amount is any smooth function of the distance.
    """

    def __init__(self, structures: StructureArrays) -> None:
        handed = _handed(structures)
        self._space = np.zeros((len(handed), 0))
        if handed.shape[1]:
            left, sizes, _ = np.linalg.svd(handed, full_matrices=False)
            self._space = left[:, sizes > _SMALLEST * sizes.max()]

    @property
    def usable(self) -> bool:
        """Whether there are transfers, and enough atoms to tell them from anything else."""
        return self._space.shape[1] > 0

    def aside(self, terms: Values) -> Values:
        """Return terms with the same sum in every structure that are as small as possible.

        Args:
            terms: (n_atoms,) of all structures.
        """
        rest: Values = terms - self._space @ (self._space.T @ terms)
        return rest


def _handed(structures: StructureArrays) -> NDArray[np.float64]:
    """(n_atoms, n_kinds) What each atom gets by the transfers of each kind.

    No kinds if there are too many for the atoms: crystals of eighty elements have thousands.
    """
    found = [_pairs(structure) for structure in structures]
    starts = np.cumsum([0, *(len(pairs.kinds) for pairs in found)])
    n_parts = max((pairs.amounts.shape[1] for pairs in found), default=1)
    atoms, keys, signs, amounts = [], [], [], []
    for start, pairs in zip(starts[:-1].tolist(), found, strict=True):
        a, b = pairs.kinds[pairs.first], pairs.kinds[pairs.second]
        other = a != b  # alike atoms hand each other the same
        atoms.append(start + pairs.first[other])
        keys.append(np.stack([np.minimum(a, b), np.maximum(a, b)], axis=1)[other])
        signs.append(np.sign(b - a)[other])
        wide = np.zeros((len(pairs.amounts), n_parts))
        wide[:, : pairs.amounts.shape[1]] = pairs.amounts
        amounts.append(wide[other])
    rows, n_atoms = np.concatenate(atoms), int(starts[-1])
    kinds, of_pair = np.unique(np.concatenate(keys), axis=0, return_inverse=True)
    if not 0 < LEAST_ATOMS * len(kinds) * n_parts <= n_atoms:
        return np.zeros((n_atoms, 0))
    handed = np.zeros((n_atoms, len(kinds), n_parts))
    given = np.concatenate(signs)[:, None] * np.concatenate(amounts)
    np.add.at(handed, (rows, of_pair.reshape(-1)), given)
    flat = handed.reshape(len(handed), -1)
    return flat[:, flat.any(axis=0)]


def _pairs(structure: Structure) -> _Pairs:
    numbers = structure.atomic_numbers.astype(np.int64)
    if structure.is_formula:
        nobody = np.zeros(0, dtype=np.int64)
        return _Pairs(nobody, nobody, numbers, np.zeros((0, 1)))
    if not structure.pbc.any():
        first, second = find_bonds(structure).reshape(-1, 2).T
        beside = np.bincount(first, minlength=len(numbers))
        kinds = numbers * _NEIGHBOURS + beside
        return _Pairs(first, second, kinds, np.ones((len(first), 1)))
    near = near_pairs(
        structure.positions, structure.cell, structure.pbc, np.full(len(numbers), REACH / 2)
    )
    fading = (1 + np.cos(np.pi * near.distances / REACH)) / 2
    smooth = np.exp(-(((near.distances[:, None] - _CENTRES) / _WIDTH) ** 2))
    amounts = fading[:, None] * smooth
    return _Pairs(near.first, near.second, numbers * _NEIGHBOURS, amounts)
