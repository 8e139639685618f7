"""Signs that distances cannot be right: another unit, another element, an atom that is alone."""

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from atomlens.elements import NONMETALS, SYMBOLS
from atomlens.elements.naming import atom_label, symbol_of
from atomlens.elements.radii import COVALENT_RADII
from atomlens.errors import StructureError
from atomlens.structures.arrays import has_made_geometry
from atomlens.structures.distances import (
    FEW_ATOMS,
    LONGEST_TO_A_NEIGHBOUR,
    SHORTEST_BOND,
    CrowdError,
    lone_atoms,
    nearness_of,
    pairs_within,
)
from atomlens.structures.doubts import Doubt

if TYPE_CHECKING:
    from ase import Atoms

SHORTEST_OF_METALS = 0.72
"""Sums of covalent radii; the bonds of M=O and M≡N are longer."""
SHORTEST_OF_GASES = 2.0
"""Å; no compound of He, Ne or Ar is nearer that anyone gives as a file."""

NM_NOTICE = Doubt(
    "nearly all of its atoms are about ten times nearer to each other than bonds are long, so the "
    "lengths may be in nm; check the unit, which must be Å",
    "unit",
    "distances",
)
_NEAR_IN_NM = 0.25
"""Sums of covalent radii; in nm, bonds are about 0.1."""
_LEAST_IN_NM = 0.07
"""Sums of covalent radii; the shortest bonds, to metals and of strong acids, have 0.7 in Å."""
_LEAST_VOLUME = 1.0
"""Å3 of a cell for each of its atoms; crystals have 5 or more (in nm: 0.005), frameworks 100."""
_NEARLY_ALL = 0.9
_NEAREST, _NEAREST_OF_METALS = 0.6, 0.5
"""Sums of covalent radii; of 5,000 crystals none has a pair below 0.67. Alkali metals come down to
0.53 under the highest pressures, pairs with a nonmetal do not."""
_HEAVY = 0.45
"""Å, half of what no two atoms come near to of which none is hydrogen; N2 has 1.1 Å."""
_APART, _GASES_APART = 1.15, 1.3
"""Sums of van der Waals radii (Alvarez, Dalton Trans. 42, 8617, 2013): of 5,000 crystals all have
a pair below 0.83, solid noble gases below 1.0, helium below 1.26."""
LONGEST_OF_HYDROGEN = 2.0
"""Å; a hydrogen is nearer to something: metal hydrides come up to 1.9."""
LONGEST_H = 1.3
"""Å; what is called T or 1 and has no neighbour that near is no hydrogen."""
LONGEST_D = 2.6
"""Å; to a metal it may be that far, in ionic hydrides."""
_MOST_CELLS_AWAY = 2.0
STRETCHED_NOTICE = Doubt(
    "no hydrogen has a neighbour within 1.4 Å, so the coordinates may be in bohr; check the unit, "
    "which must be Å",
    "unit",
    "distances",
    "hydrogens",
)
UNBOUND_NOTICE = Doubt(
    "no two of its atoms are within the length of a bond, and all would be if the coordinates were "
    "in bohr; check the unit, which must be Å",
    "unit",
    "distances",
)
_NO_BOND, _BOND_IN_BOHR = 1.35, 2.3
"""Sums of covalent radii; 0.71 to 1.2 of them in Å, if given in bohr."""
_GASES = (2, 10, 18, 36, 54, 86)


LEAST_RADII: NDArray[np.float64] = _NEAREST * COVALENT_RADII
"""(n_elements,) Å; atoms nearer than the sum of two of these are doubted."""
LEAST_RADII[2:] = np.maximum(LEAST_RADII[2:], _HEAVY)


def nothing_to_doubt(atoms: "Atoms") -> bool:
    """Say at little cost that no distance of a crystal is odd; False: perhaps one is.

    Then `doubtful_distance` has nothing to say, and no atoms overlap.
    """
    cell, pbc = np.asarray(atoms.cell[:], dtype=float), np.asarray(atoms.pbc, dtype=bool)
    own = LEAST_RADII[atoms.numbers]
    reach = max(SHORTEST_BOND, 2 * float(own.max(initial=0)))
    near = nearness_of(atoms.positions, cell, pbc, reach, own)
    if near == 2 or (near == 0 and _about_loneliness(atoms, cell, pbc)):
        return False
    return not _about_lone_atoms(atoms, cell, pbc)


def doubtful_distance(atoms: "Atoms") -> str:
    """Return why distances between atoms cannot be right, as a sentence; empty if they can.

    Two atoms that are far nearer than the sum of their covalent radii, or several that all stand
    farther from each other than van der Waals radii reach, are signs of another unit, or of
    fractions read as Å.
    """
    cell, pbc = np.asarray(atoms.cell[:], dtype=float), np.asarray(atoms.pbc, dtype=bool)
    radii, own = COVALENT_RADII[atoms.numbers], LEAST_RADII[atoms.numbers]
    reach = max(SHORTEST_BOND, 2 * float(own.max(initial=0)))
    near = nearness_of(atoms.positions, cell, pbc, reach, own)
    if near == 1:
        return _about_lone_atoms(atoms, cell, pbc)
    if near == 0:
        said = STRETCHED_NOTICE if is_stretched(atoms) else ""
        said = said or (UNBOUND_NOTICE if _is_stretched_without_hydrogen(atoms) else "")
        said = said or _about_loneliness(atoms, cell, pbc)
        return said or _about_lone_atoms(atoms, cell, pbc)
    if looks_like_nm(atoms):
        return NM_NOTICE
    try:
        pairs = pairs_within(atoms.positions, cell, pbc, reach)
    except CrowdError:
        return Doubt(
            f"each of its atoms has very many neighbours within {reach:.2f} Å; check the unit, "
            "which must be Å",
            "unit",
        )
    except StructureError:
        return ""  # `check_atoms` and the readers say what is wrong
    if not len(pairs.distances):
        return _about_lone_atoms(atoms, cell, pbc)
    is_metal = ~np.isin(atoms.numbers, sorted(NONMETALS))
    metals = is_metal[pairs.first] & is_metal[pairs.second]
    of_metals = _NEAREST_OF_METALS * (radii[pairs.first] + radii[pairs.second])
    shortest = np.where(metals, of_metals, own[pairs.first] + own[pairs.second])
    shortest = np.maximum(SHORTEST_BOND, shortest)
    worst = int((pairs.distances / shortest).argmin())
    if pairs.distances[worst] >= shortest[worst]:
        return _about_lone_atoms(atoms, cell, pbc)
    i, j = sorted((int(pairs.first[worst]), int(pairs.second[worst])))
    numbers, apart = atoms.numbers, f"{pairs.distances[worst]:.2f} Å apart"
    who = (
        f"{atom_label(numbers, i)} and its own periodic image"
        if i == j
        else f"{atom_label(numbers, i)} and {atom_label(numbers, j)}"
    )
    return Doubt(
        f"{who} are {apart}, nearer than such atoms ever are; check the unit, which must be Å, and "
        "whether coordinates are fractions of the cell",
        "unit",
    )


def looks_like_nm(atoms: "Atoms") -> bool:
    """Say whether the lengths may be in nm: ten times as long, they would be those of bonds.

    Nearly every atom then has a neighbour at far less than a bond, which the alternatives of a
    disordered part have not, and no two atoms are at one place, as atoms written twice are.
    """
    cell, pbc = np.asarray(atoms.cell[:], dtype=float), np.asarray(atoms.pbc, dtype=bool)
    if pbc.all() and abs(np.linalg.det(cell)) > _LEAST_VOLUME * len(atoms):
        return False
    try:
        pairs = pairs_within(atoms.positions, cell, pbc, SHORTEST_BOND)
    except (StructureError, ValueError):
        return False
    if not len(pairs.distances):
        return False
    radii = COVALENT_RADII[atoms.numbers]
    bonds = pairs.distances / (radii[pairs.first] + radii[pairs.second])
    nearest = np.full(len(atoms), np.inf)
    np.minimum.at(nearest, pairs.first, bonds)
    is_near = (nearest < _NEAR_IN_NM).mean() >= _NEARLY_ALL
    return bool(is_near and bonds.min() > _LEAST_IN_NM)


_BOND_OF_HYDROGEN = 1.3
"""Sums of covalent radii; in bohr all bonds are 1.8 and more."""


def is_stretched(atoms: "Atoms") -> bool:
    """Say whether a molecule of nonmetals has hydrogens, but none near to anything.

    That is what a molecule in bohr looks like where Å are expected.
    """
    hydrogens = np.flatnonzero(atoms.numbers == 1)
    if not len(hydrogens) or atoms.pbc.any() or len(atoms) < 2:
        return False
    if not np.isin(atoms.numbers, sorted(NONMETALS)).all():
        return False
    pairs = pairs_within(atoms.positions, np.zeros((3, 3)), atoms.pbc, 3.0)
    own = np.isin(pairs.first, hydrogens)
    nearest = pairs.distances[own].min(initial=np.inf)
    sums = COVALENT_RADII[atoms.numbers[pairs.first]] + COVALENT_RADII[atoms.numbers[pairs.second]]
    is_bonded = (pairs.distances[own] < _BOND_OF_HYDROGEN * sums[own]).any()  # HI, PH3
    return bool(1.4 < nearest < 3.0 and not is_bonded)


def _is_stretched_without_hydrogen(atoms: "Atoms") -> bool:
    """Say whether a molecule without hydrogens has no bond, and has them if its lengths are bohr.

    Parts of a salt that were set apart here are no such molecule.
    """
    n = len(atoms)
    are_bonding = np.isin(atoms.numbers, sorted(NONMETALS - {1, *_GASES})).all()
    if not 1 < n <= FEW_ATOMS or atoms.pbc.any() or not are_bonding or has_made_geometry(atoms):
        return False
    between = atoms.positions[:, None] - atoms.positions[None]
    sums = COVALENT_RADII[atoms.numbers][:, None] + COVALENT_RADII[atoms.numbers][None]
    ratios = np.linalg.norm(between, axis=2) / sums
    np.fill_diagonal(ratios, np.inf)
    nearest = ratios.min(axis=1)
    return bool(nearest.min() > _NO_BOND and nearest.max() < _BOND_IN_BOHR)


def _about_loneliness(atoms: "Atoms", cell: NDArray[np.float64], pbc: NDArray[np.bool_]) -> str:
    """Return a sentence if no atom has another, or an image, within its reach; else nothing.

    Balls that far apart fill at most 74 % of a crystal, so most need no search.
    """
    positions, n = atoms.positions, len(atoms)
    if n < 2 and not pbc.any():
        return ""
    reach = contact_radii()[atoms.numbers]
    least = min(LONGEST_TO_A_NEIGHBOUR, 2 * float(reach.min()))
    if pbc.all() and abs(np.linalg.det(cell)) < n * least**3 / 2**0.5:
        return ""
    try:
        pairs = pairs_within(positions, cell, pbc, LONGEST_TO_A_NEIGHBOUR)
    except StructureError:
        return ""
    who = "no two of its atoms are" if n > 1 else "no image of its atom is"
    whom = "each other" if n > 1 else "it"
    if not len(pairs.distances):
        near, told = f"within {LONGEST_TO_A_NEIGHBOUR:g} Å", ""
    elif (pairs.distances < reach[pairs.first] + reach[pairs.second]).any():
        return ""
    else:
        near, told = "within reach", f" (the nearest are {pairs.distances.min():.2f} Å apart)"
    return Doubt(f"{who} {near} of {whom}{told}; check the unit, which must be Å", "unit")


def _about_lone_atoms(atoms: "Atoms", cell: NDArray[np.float64], pbc: NDArray[np.bool_]) -> str:
    """Return a sentence if some of several atoms have no other within 6 Å; else nothing."""
    try:
        lone = lone_atoms(atoms.positions, cell, pbc)
    except StructureError:
        return ""
    if not len(lone):
        return ""
    who = atom_label(atoms.numbers, int(lone[0]))
    more = f" (nor of {len(lone) - 1} others)" if len(lone) > 1 else ""
    return Doubt(
        f"no atom is within {LONGEST_TO_A_NEIGHBOUR:g} Å of {who}{more}, so to a model it stands "
        "alone; check its coordinates and their unit, which must be Å",
        "unit",
    )


@cache
def contact_radii() -> NDArray[np.float64]:
    """(n_elements,) Å; within the sum of two of these, atoms of a substance touch."""
    from ase.data.vdw_alvarez import vdw_radii

    known = np.concatenate([vdw_radii, np.full(len(SYMBOLS) - len(vdw_radii), np.nan)])
    reach = _APART * np.nan_to_num(known, nan=LONGEST_TO_A_NEIGHBOUR / 2)
    reach[list(_GASES)] *= _GASES_APART / _APART
    return np.asarray(reach)


def far_fractions(fractions: NDArray[np.float64]) -> str:
    """Return a sentence where coordinates in parts of the cell may be lengths, else ``""``.

    Atoms of molecules stand outside of the cell, seldom farther than a second one.
    """
    finite = fractions[np.isfinite(fractions)]
    largest = float(np.abs(finite).max(initial=0.0))
    if largest <= _MOST_CELLS_AWAY:
        return ""
    return Doubt(
        f"its coordinates reach {largest:.4g} and were taken as parts of the cell; check whether "
        "they are lengths in Å",
        "distances",
    )


_ACROSS, _MOST_IN_A_CELL = 1.15, 3000


def unused_cell(atoms: "Atoms") -> str:
    """Return a sentence where a cell that does not repeat (pbc) is that of a crystal, else ``""``.

    Atoms are bonded across the faces of a crystal's cell, and not across those of a box around a
    molecule; in a box that is too small they overlap.
    """
    cell = np.asarray(atoms.cell[:], dtype=float)
    if atoms.pbc.any() or not 0 < len(atoms) <= _MOST_IN_A_CELL or not np.isfinite(cell).all():
        return ""
    if abs(np.linalg.det(cell)) < _LEAST_VOLUME * len(atoms):
        return ""
    radii = COVALENT_RADII[atoms.numbers]
    try:
        pairs = pairs_within(
            atoms.positions, cell, np.ones(3, dtype=bool), 2 * _ACROSS * float(radii.max())
        )
    except (StructureError, ValueError):
        return ""
    direct = np.linalg.norm(atoms.positions[pairs.first] - atoms.positions[pairs.second], axis=1)
    inside = (pairs.first != pairs.second) & (np.abs(direct - pairs.distances) < 0.01)
    places = np.flatnonzero(inside)  # of images that are as near, all but one are across a face
    keys = pairs.first[places] * len(atoms) + pairs.second[places]
    across = np.ones(len(direct), dtype=bool)
    across[places[np.unique(keys, return_index=True)[1]]] = False
    ratios = pairs.distances[across] / (radii[pairs.first] + radii[pairs.second])[across]
    if not len(ratios) or not _NEAREST <= ratios.min() < _ACROSS:
        return ""
    return (
        "it has a cell across whose faces its atoms are bonded, but pbc is off, so it was read as "
        "a molecule; set pbc if it is a crystal"
    )


def impossible_neighbour(atoms: "Atoms", suspects: NDArray[np.int_]) -> tuple[int, str] | None:
    """Return a suspect that stands where no atom of its element can, and why.

    Metals do not come nearer to their neighbours than `SHORTEST_OF_METALS` sums of covalent
    radii, light noble gases not nearer than `SHORTEST_OF_GASES` Å, and a hydrogen has a neighbour
    within `LONGEST_OF_HYDROGEN` Å. Such places are signs that a name was read as another element:
    an alpha carbon as calcium, a type of LAMMPS as helium.

    Returns (index, part of a sentence) or None.
    """
    cell, pbc = np.asarray(atoms.cell[:], dtype=float), np.asarray(atoms.pbc, dtype=bool)
    numbers = atoms.numbers
    chosen = np.zeros(len(atoms), dtype=bool)
    chosen[suspects] = True
    is_metal = chosen & ~np.isin(numbers, sorted(NONMETALS))
    is_gas, is_hydrogen = chosen & np.isin(numbers, (2, 10, 18)), chosen & (numbers == 1)
    if not (is_metal | is_gas | is_hydrogen).any() or len(atoms) < 2:
        return None
    pairs = pairs_within(atoms.positions, cell, pbc, 2.6)
    near = dict.fromkeys(np.flatnonzero(is_hydrogen).tolist(), (LONGEST_OF_HYDROGEN, -1))
    for i, j, d in zip(
        pairs.first.tolist(), pairs.second.tolist(), pairs.distances.tolist(), strict=True
    ):
        limit = SHORTEST_OF_METALS * float(COVALENT_RADII[numbers[i]] + COVALENT_RADII[numbers[j]])
        if (is_metal[i] and d < limit) or (is_gas[i] and d < SHORTEST_OF_GASES):
            return (
                i,
                f"it is {d:.2f} Å from atom {j} ({symbol_of(int(numbers[j]))}), too near for it",
            )
        if is_hydrogen[i] and d < near[i][0]:
            near[i] = (d, j)
    lonely = next((k for k, (_, j) in near.items() if j < 0), None)
    if lonely is not None:
        return lonely, f"no atom is within {LONGEST_OF_HYDROGEN} Å of it, too far for a hydrogen"
    return None


def no_hydrogen(atoms: "Atoms", called_so: set[int]) -> tuple[int, str] | None:
    """Return an atom called T or 1 that stands where no hydrogen can, and why.

    T is tritium, or the place of a silicon or aluminium in a zeolite, which has oxygens around it.
    A hydrogen has a neighbour within 1.3 Å, or a metal for its nearest one, as in hydrides.
    Returns (index, part of a sentence) or None.
    """
    pairs = pairs_within(
        atoms.positions, np.asarray(atoms.cell[:], dtype=float), np.asarray(atoms.pbc), LONGEST_D
    )
    nearest = dict.fromkeys(called_so, (LONGEST_D, 0))
    for i, j, d in zip(
        pairs.first.tolist(), pairs.second.tolist(), pairs.distances.tolist(), strict=True
    ):
        if i in nearest and d < nearest[i][0]:
            nearest[i] = (d, int(atoms.numbers[j]))
    lonely = [i for i, (d, other) in nearest.items() if d > LONGEST_H and other in {0, *NONMETALS}]
    return (min(lonely), f"no atom is within {LONGEST_H} Å of it") if lonely else None
