"""Hydrogens that the places of other atoms ask for, where a file lists none or a part of them.

Programs of crystallography, docking and drawing leave hydrogens out. A molecule without them has
carbons with one neighbour, or with two at an angle, as no molecule has them in such numbers.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.elements import NONMETALS
from atomlens.elements.radii import COVALENT_RADII
from atomlens.errors import StructureError
from atomlens.structures.arrays import warnings_of
from atomlens.structures.distances import (
    ClosePairs,
    have_others_near,
    pairs_within,
    periodic_basis,
)
from atomlens.structures.doubts import Doubt, are_about

if TYPE_CHECKING:
    from ase import Atoms

_CARBON = 6
BONDED = 1.25
"""Sums of covalent radii."""
_SINGLE = 0.93
"""Sums of covalent radii; an end of a molecule that is no CH3 is nearer: CO, CS, isocyanides."""
_STRAIGHT = 150.0
"""Degrees; carbons of triple and cumulated bonds have more."""
_MOST_ATOMS = 5000
_ORGANIC = frozenset((1, 6, 7, 8, 9, 15, 16, 17, 34, 35, 53))
_SHARE_OF_LINKERS = 0.25
"""Of the carbons of a network, those that lack a hydrogen: a half in benzenedicarboxylates."""


def absent_hydrogens(atoms: "Atoms") -> str:
    """Return a sentence where carbons of molecules lack hydrogens; ``""`` where none do.

    One carbene (CF2, an N-heterocyclic one) is none such; a CH3 without hydrogens is. Of networks
    without end those count that are no carbon alone and lack hydrogens at many carbons: frameworks
    of linkers, no graphene with a hole and no surface.
    """
    carbons = np.flatnonzero(atoms.numbers == _CARBON)
    if not len(carbons) or not 1 < len(atoms) <= _MOST_ATOMS or "disorder" in atoms.info:
        return ""
    if "smiles" in atoms.info or "bonding" in atoms.info:  # their hydrogens were added
        return ""
    if are_about(warnings_of(atoms), "hydrogens"):
        return ""
    radii, cell = BONDED * COVALENT_RADII[atoms.numbers], np.asarray(atoms.cell[:], dtype=float)
    if have_others_near(atoms.positions, cell, atoms.pbc, radii, carbons, 3):
        return ""
    pairs = _bonded_pairs(atoms, radii, cell)
    if pairs is None:
        return ""
    counts = np.bincount(pairs.first, minlength=len(atoms))[carbons]
    few = carbons[(counts == 1) | (counts == 2)]
    if not len(few):
        return ""
    bonds = _bonds(atoms, pairs)
    ends, bent = [], []
    for i in few.tolist():
        around = bonds.get(i, [])
        if not all(int(atoms.numbers[bond.to]) in NONMETALS for bond in around):
            continue
        lengths = [float(np.linalg.norm(bond.vector)) for bond in around]
        if len(around) == 1:
            radii = COVALENT_RADII[[_CARBON, int(atoms.numbers[around[0].to])]]
            is_single = lengths[0] > _SINGLE * float(radii.sum())
            ends += [i] if is_single and atoms.numbers[around[0].to] != 1 else []
        elif len(around) == 2:
            cosine = float(around[0].vector @ around[1].vector) / (lengths[0] * lengths[1])
            bent += [i] if np.degrees(np.arccos(np.clip(cosine, -1, 1))) < _STRAIGHT else []
    if atoms.pbc.any():
        lacking = {*ends, *bent}
        kept = {i for part in _parts(bonds, lacking) for i in _of_part(atoms, bonds, part, lacking)}
        ends, bent = [i for i in ends if i in kept], [i for i in bent if i in kept]
    if not ends and len(bent) < 2:
        return ""
    return Doubt(
        f"{len(ends) + len(bent)} of its {len(carbons)} carbons have too few neighbours, so "
        "hydrogens seem to be missing; add them, since a model takes the atoms that are there",
        "hydrogens",
    )


class _Bond(NamedTuple):
    """A bond from one atom."""

    to: int
    vector: NDArray[np.float64]
    """(3,), Å"""
    image: tuple[int, int, int]
    """Lattice translation of the other atom"""


def _bonded_pairs(
    atoms: "Atoms", radii: NDArray[np.float64], cell: NDArray[np.float64]
) -> ClosePairs | None:
    """Return the pairs of bonded atoms, each twice; None of a crowd or a thin cell."""
    try:
        pairs = pairs_within(atoms.positions, cell, atoms.pbc, 2 * float(radii.max()))
    except StructureError:
        return None
    near = pairs.distances < radii[pairs.first] + radii[pairs.second]
    first, second, distances, vectors = pairs
    return ClosePairs(first[near], second[near], distances[near], vectors[near])


def _bonds(atoms: "Atoms", pairs: ClosePairs) -> dict[int, list[_Bond]]:
    """Return the bonds of each atom that has some."""
    moved = pairs.vectors - atoms.positions[pairs.second] + atoms.positions[pairs.first]
    is_periodic = atoms.pbc.any()
    basis = periodic_basis(np.asarray(atoms.cell[:]), atoms.pbc) if is_periodic else np.eye(3)
    images = np.rint(moved @ np.linalg.inv(basis)).astype(int)
    bonds: dict[int, list[_Bond]] = {}
    every = zip(
        pairs.first.tolist(), pairs.second.tolist(), pairs.vectors, images.tolist(), strict=True
    )
    for i, j, vector, image in every:
        bonds.setdefault(i, []).append(_Bond(j, vector, tuple(image)))
    return bonds


class _Part(NamedTuple):
    """What hangs together."""

    atoms: frozenset[int]
    is_endless: bool
    """It is bonded to its own periodic image."""


def _parts(bonds: dict[int, list[_Bond]], seeds: set[int]) -> Iterator[_Part]:
    """Yield the parts in which some atoms are."""
    left = set(seeds)
    while left:
        first = left.pop()
        places, waiting, is_endless = {first: (0, 0, 0)}, [first], False
        while waiting:
            atom = waiting.pop()
            x, y, z = places[atom]
            for bond in bonds.get(atom, []):
                there = (x + bond.image[0], y + bond.image[1], z + bond.image[2])
                if bond.to not in places:
                    places[bond.to] = there
                    waiting.append(bond.to)
                is_endless |= places[bond.to] != there
        left -= places.keys()
        yield _Part(frozenset(places), is_endless)


def _of_part(
    atoms: "Atoms", bonds: dict[int, list[_Bond]], part: _Part, lacking: set[int]
) -> set[int]:
    """Return which of the carbons that have too few neighbours count in a part."""
    own = lacking & part.atoms
    if not part.is_endless:
        return own
    numbers = {i: int(atoms.numbers[i]) for i in part.atoms}
    own = {i for i in own if all(numbers[bond.to] in _ORGANIC for bond in bonds[i])}
    n_carbons = sum(number == _CARBON for number in numbers.values())
    is_carbon = n_carbons == len(numbers)
    return set() if is_carbon or len(own) < max(2, _SHARE_OF_LINKERS * n_carbons) else own
