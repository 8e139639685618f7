"""What every structure must satisfy before a graph is built from it.

Messages name atoms by index, counted from 0, and symbol. They do not name the file: the
caller puts that in front.
"""

import math
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.elements import NONMETALS, SYMBOLS
from atomlens.elements.radii import COVALENT_RADII
from atomlens.errors import StructureError
from atomlens.machine import compiler, plain, worth_compiling
from atomlens.structures.arrays import has_made_geometry

if TYPE_CHECKING:
    from ase import Atoms

MINIMUM_DISTANCE = 0.1
"""Å; two atoms closer than this are one atom written twice, or a wrong unit."""

SHORTEST_BOND = 0.5
"""Å; no two atoms bond at less (H2: 0.74 Å). Nearer ones are alternatives of one another."""

SHORTEST_OF_METALS = 0.72
"""Sums of covalent radii; the bonds of M=O and M≡N are longer."""

SHORTEST_OF_GASES = 2.0
"""Å; no compound of He, Ne or Ar is nearer that anyone gives as a file."""

NM_NOTICE = (
    "nearly all of its atoms are about ten times nearer to each other than bonds are long, so the "
    "lengths may be in nm; check the unit, which must be Å"
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

LONGEST_TO_A_NEIGHBOUR = 6.0
"""Å; the metal of the longest bond, caesium, has 5.3."""

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
STRETCHED_NOTICE = (
    "no hydrogen has a neighbour within 1.4 Å, so the coordinates may be in bohr; check the unit, "
    "which must be Å"
)

UNBOUND_NOTICE = (
    "no two of its atoms are within the length of a bond, and all would be if the coordinates were "
    "in bohr; check the unit, which must be Å"
)
_NO_BOND, _BOND_IN_BOHR = 1.35, 2.3
"""Sums of covalent radii; 0.71 to 1.2 of them in Å, if given in bohr."""

LARGEST_LENGTH = 1e6
"""Å; larger coordinates are rubbish and would overflow later."""


_PLAIN_POINTS = 500
"""Compiling the loop over pairs takes a second."""
_CROWD = 100
"""Atoms; so many never fit into a box of half an ångström."""


_MOST_IMAGES = 5_000_000


class CrowdError(StructureError):
    """More atoms at one place than any structure has."""


def check_atoms(atoms: "Atoms") -> None:
    """Raise a StructureError that names the atom if the structure cannot be used."""
    if len(atoms) == 0:
        raise StructureError("there is no atom in it; give a structure with at least one atom")
    _check_elements(atoms)
    if atoms.info.get("is_formula"):
        return
    _check_positions(atoms)
    cell, pbc = np.asarray(atoms.cell[:], dtype=float), np.asarray(atoms.pbc, dtype=bool)
    check_cell(cell, pbc)
    pair = closest_overlap(atoms.positions, cell, pbc)
    if pair is not None and looks_like_nm(atoms):
        raise StructureError(NM_NOTICE)
    if pair is not None:
        raise StructureError(_overlap_message(atoms.numbers, *pair))


def atom_label(numbers: NDArray[np.int_], index: int) -> str:
    """Return for example ``atom 3 (Fe, counted from 0)``."""
    return f"atom {index} ({_symbol(int(numbers[index]))}, counted from 0)"


def closest_overlap(
    positions: NDArray[np.float64], cell: NDArray[np.float64], pbc: NDArray[np.bool_]
) -> tuple[int, int, float] | None:
    """Return the two atoms that are nearest to each other, if nearer than `MINIMUM_DISTANCE`.

    Periodic images count; both indices are equal where an atom meets its own image. Only
    atoms within the minimum distance of a cell face get an image, so this costs one k-d
    tree. Returns (first index, second index, distance in Å) or None.
    """
    pairs = overlapping_pairs(positions, cell, pbc)
    if not len(pairs.distances):
        return None
    k = int(pairs.distances.argmin())
    first, second = sorted((int(pairs.first[k]), int(pairs.second[k])))
    return first, second, float(pairs.distances[k])


def atoms_overlap(atoms: "Atoms") -> bool:
    """Say whether two atoms are nearer than any bond, as alternatives of a disordered part are."""
    cell, pbc = np.asarray(atoms.cell[:], dtype=float), np.asarray(atoms.pbc, dtype=bool)
    try:
        check_cell(cell, pbc)
        thin = pbc.any() and _heights(_periodic_basis(cell, pbc))[pbc].min() < 2 * SHORTEST_BOND
        find = pairs_within if thin else overlapping_pairs
        pairs = find(atoms.positions, cell, pbc, SHORTEST_BOND)
    except CrowdError:
        return True
    except (StructureError, ValueError):
        return False  # positions or cell are worse than that, and `check_atoms` says how
    return len(pairs.distances) > 0


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
            return i, f"it is {d:.2f} Å from atom {j} ({_symbol(int(numbers[j]))}), too near for it"
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


def nothing_to_doubt(atoms: "Atoms") -> bool:
    """Say at little cost that no distance of a crystal is odd; False: perhaps one is.

    Then `doubtful_distance` has nothing to say, and no atoms overlap.
    """
    cell, pbc = np.asarray(atoms.cell[:], dtype=float), np.asarray(atoms.pbc, dtype=bool)
    own = _least_radii(atoms.numbers)
    reach = max(SHORTEST_BOND, 2 * float(own.max(initial=0)))
    near = _nearness(atoms.positions, cell, pbc, reach, own)
    if near == 2 or (near == 0 and _about_loneliness(atoms, cell, pbc)):
        return False
    return not _about_lone_atoms(atoms, cell, pbc)


def _least_radii(numbers: NDArray[np.int_]) -> NDArray[np.float64]:
    """(n_atoms,) Å; atoms nearer than the sum of two of these are doubted."""
    least: NDArray[np.float64] = _NEAREST * COVALENT_RADII[numbers]
    return np.where(numbers > 1, np.maximum(least, _HEAVY), least)


def doubtful_distance(atoms: "Atoms") -> str:
    """Return why distances between atoms cannot be right, as a sentence; empty if they can.

    Two atoms that are far nearer than the sum of their covalent radii, or several that all stand
    farther from each other than van der Waals radii reach, are signs of another unit, or of
    fractions read as Å.
    """
    cell, pbc = np.asarray(atoms.cell[:], dtype=float), np.asarray(atoms.pbc, dtype=bool)
    radii, own = COVALENT_RADII[atoms.numbers], _least_radii(atoms.numbers)
    reach = max(SHORTEST_BOND, 2 * float(own.max(initial=0)))
    near = _nearness(atoms.positions, cell, pbc, reach, own)
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
        return (
            f"each of its atoms has very many neighbours within {reach:.2f} Å; check the unit, "
            "which must be Å"
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
    return (
        f"{who} are {apart}, nearer than such atoms ever are; check the unit, which must be Å, and "
        "whether coordinates are fractions of the cell"
    )


def far_fractions(fractions: NDArray[np.float64]) -> str:
    """Return a sentence where coordinates in parts of the cell may be lengths, else ``""``.

    Atoms of molecules stand outside of the cell, seldom farther than a second one.
    """
    finite = fractions[np.isfinite(fractions)]
    largest = float(np.abs(finite).max(initial=0.0))
    if largest <= _MOST_CELLS_AWAY:
        return ""
    return (
        f"its coordinates reach {largest:.4g} and were taken as parts of the cell; check whether "
        "they are lengths in Å"
    )


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
    nearest = pairs.distances[np.isin(pairs.first, hydrogens)].min(initial=np.inf)
    return bool(1.4 < nearest < 3.0)


def _is_stretched_without_hydrogen(atoms: "Atoms") -> bool:
    """Say whether a molecule without hydrogens has no bond, and has them if its lengths are bohr.

    Parts of a salt that were set apart here are no such molecule.
    """
    n = len(atoms)
    are_bonding = np.isin(atoms.numbers, sorted(NONMETALS - {1, *_GASES})).all()
    if not 1 < n <= _FEW_ATOMS or atoms.pbc.any() or not are_bonding or has_made_geometry(atoms):
        return False
    between = atoms.positions[:, None] - atoms.positions[None]
    sums = COVALENT_RADII[atoms.numbers][:, None] + COVALENT_RADII[atoms.numbers][None]
    ratios = np.linalg.norm(between, axis=2) / sums
    np.fill_diagonal(ratios, np.inf)
    nearest = ratios.min(axis=1)
    return bool(nearest.min() > _NO_BOND and nearest.max() < _BOND_IN_BOHR)


class OverlappingPairs(NamedTuple):
    """Pairs of atoms nearer than a distance."""

    first: NDArray[np.int_]
    """(n_pairs,)"""
    second: NDArray[np.int_]
    """(n_pairs,)"""
    distances: NDArray[np.float64]
    """(n_pairs,), Å"""


def overlapping_pairs(
    positions: NDArray[np.float64],
    cell: NDArray[np.float64],
    pbc: NDArray[np.bool_],
    distance: float = MINIMUM_DISTANCE,
) -> OverlappingPairs:
    """Return all pairs of atoms nearer than ``distance``, periodic images included."""
    if _all_apart(positions, cell, pbc, distance):
        none = np.zeros(0, dtype=int)
        return OverlappingPairs(none, none, np.zeros(0))
    from scipy.spatial import cKDTree

    points, owners = positions, np.arange(len(positions))
    if pbc.any():
        points, owners = _with_images(positions, cell, pbc, distance)
    _refuse_crowd(points, distance)
    found = cKDTree(points).query_pairs(distance, output_type="ndarray")
    distances = np.linalg.norm(points[found[:, 0]] - points[found[:, 1]], axis=1)
    return OverlappingPairs(owners[found[:, 0]], owners[found[:, 1]], distances)


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
    return f"{who} {near} of {whom}{told}; check the unit, which must be Å"


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
    return (
        f"no atom is within {LONGEST_TO_A_NEIGHBOUR:g} Å of {who}{more}, so to a model it stands "
        "alone; check its coordinates and their unit, which must be Å"
    )


def lone_atoms(
    positions: NDArray[np.float64], cell: NDArray[np.float64], pbc: NDArray[np.bool_]
) -> NDArray[np.int_]:
    """Return the atoms that have no other, and no image, within `LONGEST_TO_A_NEIGHBOUR` Å.

    Small cells and molecules need no search, and in others most atoms have one among a few.
    """
    n, reach = len(positions), LONGEST_TO_A_NEIGHBOUR
    none = np.zeros(0, dtype=int)
    lengths = np.sqrt((cell * cell).sum(axis=1))
    if n < 2 or bool((lengths[pbc] < reach).any()):
        return none
    if pbc.all() and abs(np.linalg.det(cell)) < reach**3 / 2**0.5:  # of balls of 3 Å, packed
        return none
    if not pbc.any() and float(np.square(np.ptp(positions, axis=0)).sum()) < reach**2:
        return none
    basis = _periodic_basis(cell, pbc) if pbc.any() else np.eye(3)
    parts, left = positions @ np.linalg.inv(basis), np.arange(n)
    n_steps = -(-n // _AT_A_TIME)
    for step in range(n_steps):  # most atoms have a neighbour among the first few that are tried
        others = np.arange(step, n, n_steps)
        if len(left) * (n - step * len(others)) > _MOST_COMPARED:
            break
        left = left[_nearest_among(parts, basis, pbc, left, others) >= reach]
        if not len(left):
            return none
    from scipy.spatial import cKDTree

    points = positions
    if pbc.any():
        try:
            points, _ = _with_images(positions, cell, pbc, reach)
        except StructureError:  # a thin cell
            return np.setdiff1d(left, pairs_within(positions, cell, pbc, reach).first)
    nearest = cKDTree(points).query(points[left], k=2, distance_upper_bound=reach)[0][:, 1]
    found: NDArray[np.int_] = left[np.isinf(nearest)]
    return found


def _nearest_among(
    parts: NDArray[np.float64],
    basis: NDArray[np.float64],
    pbc: NDArray[np.bool_],
    these: NDArray[np.int_],
    others: NDArray[np.int_],
) -> NDArray[np.float64]:
    """(n_these,) a distance to the nearest of others, Å; in slanted cells it may be too long."""
    shifts = parts[these][:, None] - parts[others][None]
    shifts[..., pbc] -= np.round(shifts[..., pbc])
    vectors = shifts.reshape(-1, 3) @ basis
    squares = np.square(vectors).sum(axis=1).reshape(len(these), len(others))
    squares[these[:, None] == others[None]] = np.inf
    return np.asarray(np.sqrt(squares.min(axis=1)))


_AT_A_TIME = 16
_MOST_COMPARED = 1_000_000


@cache
def contact_radii() -> NDArray[np.float64]:
    """(n_elements,) Å; within the sum of two of these, atoms of a substance touch."""
    from ase.data.vdw_alvarez import vdw_radii

    known = np.concatenate([vdw_radii, np.full(len(SYMBOLS) - len(vdw_radii), np.nan)])
    reach = _APART * np.nan_to_num(known, nan=LONGEST_TO_A_NEIGHBOUR / 2)
    reach[list(_GASES)] *= _GASES_APART / _APART
    return np.asarray(reach)


def _all_apart(
    positions: NDArray[np.float64],
    cell: NDArray[np.float64],
    pbc: NDArray[np.bool_],
    distance: float,
) -> bool:
    """Say at little cost that no two atoms are near, as of most structures; False: perhaps."""
    return _nearness(positions, cell, pbc, distance) == 0


def _nearness(
    positions: NDArray[np.float64],
    cell: NDArray[np.float64],
    pbc: NDArray[np.bool_],
    distance: float,
    radii: NDArray[np.float64] | None = None,
) -> int:
    """Return 0 where all atoms are farther apart than a distance, else 2; 2 also where unknown.

    With ``radii`` (n,) 2 is for a pair nearer than the sum of its two or than `SHORTEST_BOND`,
    and 1 for one that is nearer than ``distance``, which is at least the largest of these.
    """
    if compiler() is None or not len(positions):
        return 2
    content = (positions.tobytes(), cell.tobytes(), pbc.tobytes())
    known, apart = _last_apart[0]
    if distance <= apart and known == content:
        return 0
    from atomlens.structures.kernels import nearness, nearness_in_cell

    if radii is not None and pbc.all() and 0 < len(positions) <= _FEW_ATOMS:
        heights, inverse = _heights_and_inverse(cell)
        far, least = _a_little_more(distance), _a_little_more(SHORTEST_BOND)
        if not (heights.min() * _MOST_IMAGES_ALONG > far and abs(positions.sum()) < math.inf):
            return 2
        compiled = worth_compiling(nearness_in_cell, len(positions) ** 2, _PLAIN_PAIRS)
        few = nearness_in_cell if compiled else plain(nearness_in_cell)
        found = int(few(positions, cell, inverse, heights, far, _a_little_more(radii), least))
        if found < 2:
            _last_apart[0] = content, distance if found == 0 else SHORTEST_BOND
        return found
    basis = np.ascontiguousarray(_periodic_basis(cell, pbc)) if pbc.any() else np.eye(3)
    heights, inverse = _heights_and_inverse(basis)
    if not heights[pbc].min(initial=np.inf) > (2.01 * distance if radii is None else 0):
        return 2
    points = positions @ inverse if pbc.any() else positions
    if pbc.any():
        points[:, pbc] -= np.floor(points[:, pbc])
    if radii is not None:
        points, basis, radii = _repeated(points, basis, pbc, heights, 2.01 * distance, radii)
        if len(points) > _MOST_REPEATED:
            return 2
        heights = _heights(basis)
    order = points[:, 0].argsort()
    points = points[order]
    far, least = _a_little_more(distance), _a_little_more(SHORTEST_BOND)
    own = _NO_RADII if radii is None else _a_little_more(radii[order])
    loop = nearness if worth_compiling(nearness, len(points), _PLAIN_POINTS) else plain(nearness)
    found = int(loop(points, basis, pbc, far / heights, far, own, least))
    if found < 2:
        _last_apart[0] = content, distance if found == 0 else SHORTEST_BOND
    return found


def _repeated(
    points: NDArray[np.float64],
    basis: NDArray[np.float64],
    pbc: NDArray[np.bool_],
    heights: NDArray[np.float64],
    least: float,
    radii: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Repeat a cell until all its heights are above ``least``; far too many points stay as few."""
    with np.errstate(divide="ignore"):
        times = np.where(pbc, np.floor(least / heights) + 1, 1.0)
    n_cells = float(times.prod())
    if n_cells == 1:
        return points, basis, radii
    if not n_cells * len(points) <= _MOST_REPEATED:
        return np.zeros((_MOST_REPEATED + 1, 3)), basis, radii
    axes = [np.arange(n) for n in times]
    shifts = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    return (
        ((points + shifts) / times).reshape(-1, 3),
        basis * times[:, None],
        np.tile(radii, len(shifts)),
    )


_MOST_REPEATED = 2000
_PLAIN_PAIRS = 20_000
"""As many pairs are looked at in plain Python before compiling that loop pays."""
_FEW_ATOMS = 40
"""All pairs of so many are looked at in less time than it takes to sort them."""
_MOST_IMAGES_ALONG = 10.0
"""Cells to each side; a thinner cell is looked at in another way."""
_GASES = (2, 10, 18, 36, 54, 86)
_NO_RADII = np.zeros(0)
_last_apart: list[tuple[tuple[bytes, ...], float]] = [((), 0.0)]
"""Positions, cell and pbc that were looked at last, and how far all of them are apart: readers ask
for several distances of one structure in turn."""


def _a_little_more(distance: Any) -> Any:
    return distance * (1 + 1e-6) + 1e-9


def _refuse_crowd(points: NDArray[np.float64], distance: float) -> None:
    """Raise a StructureError for atoms so many at one place that their pairs fill the memory."""
    if len(points) <= _CROWD:
        return
    boxes = np.floor((points - points.min(axis=0)) / distance)
    order = np.lexsort(boxes.T)
    changes = np.flatnonzero(np.any(np.diff(boxes[order], axis=0) != 0, axis=1))
    most = int(np.diff(np.concatenate([[-1], changes, [len(points) - 1]])).max())
    if most > max(_CROWD, 2 * distance**3):
        raise CrowdError(
            f"{most} atoms stand within {distance:g} Å of one another; check the unit of the "
            "coordinates (it must be Å), and remove atoms that are written more than once"
        )


def pairs_within(
    positions: NDArray[np.float64],
    cell: NDArray[np.float64],
    pbc: NDArray[np.bool_],
    distance: float,
) -> OverlappingPairs:
    """Return all pairs nearer than ``distance``, which may be longer than the cell.

    Unlike `overlapping_pairs`, each pair stands twice, as (i, j) and (j, i), and an atom may
    meet several images of another.
    """
    from scipy.spatial import cKDTree

    n = len(positions)
    points, owners = positions, np.arange(n)
    if pbc.any():
        from ase.geometry import minkowski_reduce

        basis = minkowski_reduce(_periodic_basis(cell, pbc), pbc)[0]
        heights = _heights(basis)
        fractional = positions @ np.linalg.inv(basis)
        fractional[:, pbc] -= np.floor(fractional[:, pbc])
        positions = fractional @ basis
        reach = np.where(pbc, np.ceil(distance / heights), 0).astype(int)
        axes = [np.arange(-k, k + 1) for k in reach]
        n_shifts = int(np.prod(2.0 * np.minimum(reach, 1e6) + 1))
        if n_shifts * n > _MOST_IMAGES:
            raise StructureError(
                f"the cell is so thin that {n_shifts} of its images lie within {distance:g} Å; "
                "check the cell's unit (it must be Å)"
            )
        shifts = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
        shifts = shifts[np.argsort((shifts != 0).any(axis=1), kind="stable")]
        margin = np.where(pbc, distance / heights, np.inf)
        low, high = fractional.min(axis=0) - margin, fractional.max(axis=0) + margin
        images = (fractional[None] + shifts[:, None]).reshape(-1, 3)
        inside = ((images >= low) & (images <= high)).all(axis=1)
        owners = np.tile(owners, len(shifts))[inside]
        points = images[inside] @ basis
    _refuse_crowd(points, distance)
    found = cKDTree(positions).query_ball_point(points, distance)
    second = np.repeat(np.arange(len(points)), [len(f) for f in found])
    first = np.fromiter((i for f in found for i in f), dtype=int, count=len(second))
    distances = np.linalg.norm(positions[first] - points[second], axis=1)
    other = (first != second) if not pbc.any() else (first != owners[second]) | (distances > 1e-6)
    return OverlappingPairs(first[other], owners[second[other]], distances[other])


def _with_images(
    positions: NDArray[np.float64],
    cell: NDArray[np.float64],
    pbc: NDArray[np.bool_],
    distance: float,
) -> tuple[NDArray[np.float64], NDArray[np.int_]]:
    """Wrap the atoms and add an image of each that lies within ``distance`` of a face."""
    basis = _periodic_basis(cell, pbc)
    if _heights(basis)[pbc].min() < 2 * distance:
        from ase.geometry import minkowski_reduce

        basis = minkowski_reduce(basis, pbc)[0]
    heights = _heights(basis)
    if heights[pbc].min() < 2 * distance:
        raise StructureError(
            f"the cell is only {heights[pbc].min():.3g} Å thick, so that atoms meet their own "
            "periodic images; check the cell's unit (it must be Å)"
        )
    fractional = positions @ np.linalg.inv(basis)
    fractional[:, pbc] -= np.floor(fractional[:, pbc])
    owners = np.arange(len(positions))
    for axis in np.flatnonzero(pbc):
        margin = distance / heights[axis]
        low = np.flatnonzero(fractional[:, axis] < margin)
        high = np.flatnonzero(fractional[:, axis] > 1 - margin)
        shift = np.eye(3)[axis]
        fractional = np.concatenate([fractional, fractional[low] + shift, fractional[high] - shift])
        owners = np.concatenate([owners, owners[low], owners[high]])
    return fractional @ basis, owners


def _check_elements(atoms: "Atoms") -> None:
    bad = np.flatnonzero((atoms.numbers < 1) | (atoms.numbers >= len(SYMBOLS)))
    if len(bad):
        raise StructureError(
            f"{atom_label(atoms.numbers, int(bad[0]))} is a dummy atom, not an element; "
            "replace it by an element or remove it"
        )


def _check_positions(atoms: "Atoms") -> None:
    positions = atoms.positions
    bad = np.flatnonzero(~np.isfinite(positions).all(axis=1))
    if len(bad):
        i = int(bad[0])
        raise StructureError(
            f"{atom_label(atoms.numbers, i)} has the position {_vector(positions[i])}, which is "
            "not a point in space; correct or remove it"
        )
    far = np.flatnonzero((np.abs(positions) > LARGEST_LENGTH).any(axis=1))
    if len(far):
        i = int(far[0])
        raise StructureError(
            f"{atom_label(atoms.numbers, i)} is at {_vector(positions[i])} Å, farther than "
            f"{LARGEST_LENGTH:.0e} Å from the origin; correct its coordinates"
        )


def check_cell(cell: NDArray[np.float64], pbc: NDArray[np.bool_]) -> None:
    """Raise a StructureError unless the periodic lattice vectors (3, 3) span a volume."""
    content = (cell.tobytes(), pbc.tobytes())
    if content == _last_good_cell[0] or not pbc.any():
        return
    if not all(abs(x) <= LARGEST_LENGTH for row in cell.tolist() for x in row):
        row = int(np.flatnonzero(~(np.abs(cell) <= LARGEST_LENGTH).all(axis=1))[0])
        raise StructureError(
            f"lattice vector {'abc'[row]} is {_vector(cell[row])}, which is not a length in Å; "
            "correct the cell"
        )
    lengths = np.sqrt((cell * cell).sum(axis=1))
    for axis in np.flatnonzero(pbc & (lengths == 0)):
        raise StructureError(
            f"it repeats along {'abc'[axis]} (pbc), but lattice vector {'abc'[axis]} is missing or "
            "zero, so the cell has no volume; give the vector or switch that direction off in pbc"
        )
    if _heights(_periodic_basis(cell, pbc))[pbc].min() < 1e-6 * lengths[pbc].max():
        vectors = ", ".join(_vector(cell[axis]) for axis in np.flatnonzero(pbc))
        raise StructureError(
            f"the cell has zero volume: its lattice vectors {vectors} lie in one plane or line; "
            "correct the cell"
        )
    _last_good_cell[0] = content


_last_good_cell: list[tuple[bytes, ...]] = [()]
"""The cell that was looked at last, and its pbc: readers look more than once."""


def _periodic_basis(cell: NDArray[np.float64], pbc: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the periodic vectors, completed by unit vectors at right angles to them."""
    if pbc.all():
        return cell
    basis = np.array(cell, dtype=float)
    _, _, directions = np.linalg.svd(basis[pbc])
    basis[~pbc] = directions[int(pbc.sum()) :]
    return basis


def _heights(basis: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3,) distance between opposite faces, Å; zero for a cell without volume."""
    return _heights_and_inverse(basis)[0]


def _heights_and_inverse(
    basis: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the heights, and the inverse (3, 3), which is of no use without a volume."""
    (ax, ay, az), (bx, by, bz), (cx, cy, cz) = basis.tolist()
    faces = (
        (by * cz - bz * cy, bz * cx - bx * cz, bx * cy - by * cx),
        (cy * az - cz * ay, cz * ax - cx * az, cx * ay - cy * ax),
        (ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx),
    )
    signed = ax * faces[0][0] + ay * faces[0][1] + az * faces[0][2]
    areas = [math.sqrt(x * x + y * y + z * z) for x, y, z in faces]
    heights = np.array([abs(signed) / area if area else 0.0 for area in areas])
    return heights, np.array(faces).T / (signed or 1.0)


def _overlap_message(numbers: NDArray[np.int_], i: int, j: int, distance: float) -> str:
    limit = f"less than {MINIMUM_DISTANCE} Å"
    if i == j:
        return (
            f"{atom_label(numbers, i)} and its own periodic image are {distance:.3f} Å apart, "
            f"{limit}; check the cell's unit (it must be Å)"
        )
    return (
        f"atoms {i} ({_symbol(int(numbers[i]))}) and {j} ({_symbol(int(numbers[j]))}), counted "
        f"from 0, are {distance:.3f} Å apart, {limit}; remove one of them or correct the "
        "coordinates"
    )


def _symbol(number: int) -> str:
    return SYMBOLS[number] if 0 <= number < len(SYMBOLS) else f"Z={number}"


def _vector(values: NDArray[np.float64]) -> str:
    return "(" + ", ".join(f"{x:.6g}" for x in values) + ")"
