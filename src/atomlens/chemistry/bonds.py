"""Bonds from positions alone: pairs nearer than a multiple of the sum of their covalent radii.

Which multiple is right depends on the question, and every question says it: 1.15 for molecules,
1.2 for frameworks, whose drawn C-H bonds can be long, and 1.25 for metals, whose bonds are longer
for their radii and are kept apart.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.elements import NONMETALS
from atomlens.elements.radii import COVALENT_RADII
from atomlens.structures.arrays import Structure

MOLECULE_REACH = 1.15
"""Longest bond of a molecule, in sums of covalent radii; 1.25 would join atoms across the rings
of cages."""
REACH = 1.2
"""Longest bond between nonmetals, in sums of covalent radii: some C-H of drawn MOFs are long."""
METAL_REACH = 1.25
"""Longest bond of a metal, in sums of covalent radii: the long bonds of copper are found."""
_LARGEST_FOR_MATRIX = 500
"""Atoms; larger molecules are searched cell by cell."""


class Bonds(NamedTuple):
    """Bonds of a structure, each one twice, from either end."""

    ends: NDArray[np.int64]
    """(n_bonds, 2) first and second atom"""
    images: NDArray[np.int64]
    """(n_bonds, 3) lattice translation of the second atom"""


class NearPairs(NamedTuple):
    """Pairs of atoms whose spheres overlap, each one twice, from either end."""

    first: NDArray[np.int64]
    """(n_pairs,)"""
    second: NDArray[np.int64]
    """(n_pairs,)"""
    distances: NDArray[np.float64]
    """(n_pairs,), Å"""
    vectors: NDArray[np.float64]
    """(n_pairs, 3), Å, from the first to the second"""
    images: NDArray[np.int64]
    """(n_pairs, 3) lattice translation of the second atom"""


def is_metal(atomic_numbers: NDArray[np.integer]) -> NDArray[np.bool_]:
    """(n,) which of n atomic numbers are of metals; B, Si, Ge, As, Sb and Te are none."""
    return ~np.isin(atomic_numbers, list(NONMETALS))


def near_pairs(
    positions: NDArray[np.float64],
    cell: NDArray[np.float64],
    pbc: NDArray[np.bool_],
    radii: NDArray[np.float64],
) -> NearPairs:
    """Return the pairs that are nearer than their radii add up to, across the cell as well.

    Args:
        positions: (n_atoms, 3), Å.
        cell: (3, 3), rows are lattice vectors, Å.
        pbc: (3,) in which directions the structure repeats.
        radii: (n_atoms,), Å.
    """
    from ase.neighborlist import primitive_neighbor_list

    return NearPairs(*primitive_neighbor_list("ijdDS", pbc, cell, positions, radii))


def bond_matrix(
    atomic_numbers: NDArray[np.integer], positions: NDArray[np.float64], reach: float
) -> NDArray[np.bool_]:
    """Tell which atoms of a molecule are bonded, (n_atoms, n_atoms), by their distance."""
    radii = reach * COVALENT_RADII[atomic_numbers]
    apart = np.linalg.norm(positions[:, None] - positions, axis=2)
    near: NDArray[np.bool_] = apart < radii[:, None] + radii
    np.fill_diagonal(near, False)
    return near


def find_bonds(structure: Structure) -> NDArray[np.int64]:
    """Return bonded atoms, (n, 2); every bond twice, a bond to each periodic image."""
    numbers = structure.atomic_numbers
    if structure.pbc.any() or len(numbers) > _LARGEST_FOR_MATRIX:
        radii = MOLECULE_REACH * COVALENT_RADII[numbers]
        pairs = near_pairs(structure.positions, structure.cell, structure.pbc, radii)
        return np.stack([pairs.first, pairs.second], axis=1).astype(np.int64)
    return np.argwhere(bond_matrix(numbers, structure.positions, MOLECULE_REACH))


def find_framework_bonds(structure: Structure) -> Bonds:
    """Return the bonds between nonmetals, and those of metals with nonmetals.

    Metals are not bonded to each other here: no class asks for it.
    """
    numbers = structure.atomic_numbers
    radii, metal = COVALENT_RADII[numbers], is_metal(numbers)
    pairs = near_pairs(structure.positions, structure.cell, structure.pbc, METAL_REACH * radii)
    first, second = pairs.first, pairs.second
    reach = np.where(metal[first] | metal[second], METAL_REACH, REACH)
    bonded = pairs.distances < reach * (radii[first] + radii[second])
    bonded &= ~(metal[first] & metal[second])
    ends = np.stack([first, second], axis=1)[bonded].astype(np.int64)
    return Bonds(ends, pairs.images[bonded].astype(np.int64))
