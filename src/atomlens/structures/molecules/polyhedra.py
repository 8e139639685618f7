"""The polyhedra of VSEPR, for centres whose neighbours the force fields would put elsewhere.

Those are atoms with five and more neighbours, or with lone pairs beside them, and metals of few
neighbours.
"""

from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.elements import ATOMIC_NUMBERS, NONMETALS
from atomlens.elements.radii import COVALENT_RADII

_OF_MULTIPLE_BONDS = {2.0: 0.87, 3.0: 0.78}
"""Their length in that of a single bond."""
SQUARE_PLANAR = frozenset((46, 78, 79))
"""Pd, Pt, Au with four neighbours."""
_LINEAR = frozenset((4, 12, 29, 30, 47, 48, 79, 80))
"""Be, Mg, Cu, Zn, Ag, Cd, Au, Hg with two neighbours."""
_OF_FLUORIDES = {
    ATOMIC_NUMBERS[symbol]: float(length)
    for symbol, length in (
        entry.split(":")
        for entry in (
            "Be:1.37 Mg:1.75 Al:1.63 Sc:1.84 Ti:1.75 V:1.71 Cr:1.70 Ga:1.71 Y:2.02 Zr:1.90 Nb:1.88 "
            "Mo:1.82 Tc:1.81 In:1.87 La:2.13 Hf:1.91 Ta:1.86 W:1.83 Re:1.83 Th:2.12 Pa:2.03 U:2.00 "
            "Np:1.98 Pu:1.97"
        ).split()
    )
}
"""Å, bonds of metals in their highest states to fluorine, to about 0.05; after M. Hargittai, Chem.
Rev. 100, 2233 (2000). Sums of radii are 0.1 to 0.4 longer."""
_OF_HALOGENS = {9: 0.0, 17: 0.43, 35: 0.59, 53: 0.81}
"""Å, what other halogens add to that."""
_OF_A_CHARGE = 0.055
"""Å, what each negative charge adds."""
_ELECTRONS_OF_METALS = {
    **dict.fromkeys((4, 12), 2),
    **dict.fromkeys((13, 21, 31, 39, 49, 57), 3),
    **dict.fromkeys((22, 40, 72), 4),
    **dict.fromkeys((23, 41, 73), 5),
    **dict.fromkeys((24, 42, 74), 6),
    **dict.fromkeys((43, 75), 7),
}
"""Outer ones of metals whose highest state uses them all, or all but one."""
_WITH_D_OR_F = frozenset((*range(21, 31), *range(39, 49), *range(57, 81), *range(89, 104)))
_ACTINIDES = frozenset(range(90, 95))
_OF_ACTINYLS = 1.77
"""Å, a double bond of U, Np, Pu to oxygen, of which two stand opposite to each other."""
_OUTER_ELECTRONS = {
    **dict.fromkeys((15, 33, 51, 83), 5),
    **dict.fromkeys((16, 34, 52), 6),
    **dict.fromkeys((17, 35, 53), 7),
    **dict.fromkeys((36, 54), 8),
}
"""Of the atoms that have more than four pairs around them."""
_TRIANGLE = [(np.cos(a), np.sin(a), 0.0) for a in (0, 2 * np.pi / 3, 4 * np.pi / 3)]
_PENTAGON = [(np.cos(2 * np.pi * k / 5), np.sin(2 * np.pi * k / 5), 0.0) for k in range(5)]
_AXIS = [(0.0, 0.0, 1.0), (0.0, 0.0, -1.0)]
_CROSS = [(1.0, 0.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, -1.0, 0.0)]
_TETRAHEDRON = [
    (x / np.sqrt(3), y / np.sqrt(3), z / np.sqrt(3))
    for x, y, z in ((1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1))
]
_WITH_LONE_PAIRS: dict[tuple[int, int], list[tuple[float, float, float]]] = {
    (2, 3): _AXIS,
    (3, 2): [*_AXIS, _TRIANGLE[0]],
    (4, 1): [*_AXIS, *_TRIANGLE[:2]],
    (4, 2): _CROSS,
    (5, 1): [_AXIS[0], *_CROSS],
}
"""Corners by numbers of neighbours and lone pairs: XeF2, ClF3, SF4, XeF4, BrF5."""
_POLYHEDRA: dict[int, list[tuple[float, float, float]]] = {
    4: _CROSS,
    5: [*_AXIS, *_TRIANGLE],
    6: [*_AXIS, *_CROSS],
    7: [*_AXIS, *_PENTAGON],
    8: [
        (np.sin(b) * np.cos(a), np.sin(b) * np.sin(a), np.cos(b))
        for b, turn in ((np.radians(59.25), 0.0), (np.radians(120.75), np.pi / 4))
        for a in (turn, turn + np.pi / 2, turn + np.pi, turn + 3 * np.pi / 2)
    ],
}


_PERMUTATIONS = {
    "CHI_SQUAREPLANAR": "0213 0123 0312".split(),
    "CHI_TRIGONALBIPYRAMIDAL": (
        "04123 04132 03124 03142 02134 02143 01234 01243 14023 13024 14032 13042 12034 "
        "12043 24013 23014 34012 34021 23041 24031"
    ).split(),
    "CHI_OCTAHEDRAL": (
        "051324 051342 041325 051423 041523 031425 031524 051234 041235 051243 041253 "
        "031245 031254 051432 041532 041352 031542 031452 021435 021534 021345 021354 "
        "021543 021453 012435 012534 012345 012354 012543 012453"
    ).split(),
}
"""Which neighbours, counted from 0, stand on the corners of `_POLYHEDRA` for @SP1 and so on.

As rdkit perceives them in coordinates, which is as the OpenSMILES specification has them.
"""


class Centre(NamedTuple):
    """An atom whose neighbours stand on a polyhedron."""

    atom: int
    neighbours: list[int]
    places: NDArray[np.float64]
    """(n_neighbours, 3) relative to the centre, Å"""


def bind(bounds: NDArray[np.float64], centre: Centre, molecule: Any) -> None:
    """Fix the distances of a centre's polyhedron in a matrix of bounds.

    What hangs on its corners is set free of the other corners: rdkit's bounds between them
    belong to angles that the centre does not have.
    """
    ring = {centre.atom, *centre.neighbours}
    for other in molecule.GetAtoms():
        attached = {a.GetIdx() for a in other.GetNeighbors()}
        for corner in ring - attached if other.GetIdx() not in ring else ():
            low, high = sorted((other.GetIdx(), corner))
            shortest = 1.3 * _bond_length(other, molecule.GetAtomWithIdx(corner))
            longest = 30.0
            if corner == centre.atom and attached & ring:  # an angle of 90 to 180 degrees
                k = centre.neighbours.index(next(iter(attached & ring)))
                first = float(np.linalg.norm(centre.places[k]))
                second = _bond_length(other, molecule.GetAtomWithIdx(centre.neighbours[k]))
                shortest, longest = float(np.hypot(first, second)), first + second
            bounds[high, low] = min(bounds[high, low], shortest)
            bounds[low, high] = max(bounds[low, high], longest)
    atoms = [centre.atom, *centre.neighbours]
    places = np.concatenate([np.zeros((1, 3)), centre.places])
    for a, b in combinations(range(len(atoms)), 2):
        distance = float(np.linalg.norm(places[a] - places[b]))
        slack = 0.01 if a == 0 else 0.05
        low, high = sorted((atoms[a], atoms[b]))
        bounds[low, high], bounds[high, low] = distance + slack, distance - slack


def centres_of(molecule: Any) -> list[Centre]:
    """Return the atoms whose neighbours need a polyhedron, with its corners given out."""
    centres = []
    for atom in molecule.GetAtoms():
        neighbours = [bond.GetOtherAtomIdx(atom.GetIdx()) for bond in atom.GetBonds()]
        order = _stated_order(atom)
        polyhedron = _POLYHEDRA[len(order)] if order else _polyhedron(atom)
        if polyhedron is None:
            continue
        corners = np.array(polyhedron)
        if order:
            neighbours = [neighbours[k] for k in order]
        else:
            neighbours = _given_out(molecule, neighbours, corners)
        lengths = [_bond_length(atom, molecule.GetAtomWithIdx(i)) for i in neighbours]
        centres.append(Centre(atom.GetIdx(), neighbours, corners * np.array(lengths)[:, None]))
    return centres


def is_mirrored(positions: NDArray[np.float64], centre: Centre) -> bool:
    """Say whether the neighbours of a centre stand as in a mirror; never where they lie in a plane.

    Args:
        positions: (n_atoms, 3) of the molecule, Å.
        centre: With its polyhedron.
    """
    corners = positions[centre.neighbours] - positions[centre.atom]
    turn = centre.places.T @ corners
    strengths = np.linalg.svd(turn, compute_uv=False)
    return bool(strengths[-1] > _FLAT * strengths[0] and np.linalg.det(turn) < 0)


_FLAT = 0.1


def _polyhedron(atom: Any) -> list[tuple[float, float, float]] | None:
    """Return the directions of an atom's neighbours; None where the force fields know them."""
    n, number = atom.GetDegree(), atom.GetAtomicNum()
    found = _WITH_LONE_PAIRS.get((n, _lone_pairs(atom)))
    if found is not None:
        return found
    if n in (2, 3, 4) and any(is_oxo(atom, other) for other in atom.GetNeighbors()):
        return _TETRAHEDRON[:n]
    if 5 <= n <= 8 or (n == 4 and number in SQUARE_PLANAR):
        return _POLYHEDRA[n]
    orders = [bond.GetBondTypeAsDouble() for bond in atom.GetBonds()]
    if n == 4 and max(orders) >= 2 and (number not in NONMETALS or number == 54):
        return _TETRAHEDRON
    if atom.IsInRing():
        return None
    bare = all(a.GetDegree() == 1 for a in atom.GetNeighbors())
    if n == 2 and number in _ACTINIDES and min(orders) >= 2:
        return _AXIS
    if n == 4 and (
        (bare and _is_high(atom)) or number == 82
    ):  # the force fields have no Pb of four
        return _TETRAHEDRON
    if bare and n in (2, 3, 4) and number in _WITH_D_OR_F:
        bent = n == 4 or (n == 2 and max(orders) >= 2)
        return _TETRAHEDRON[:n] if bent else {2: _AXIS, 3: _TRIANGLE}[n]
    if n == 3 and bare and _is_high(atom):
        return _TRIANGLE
    if n == 2 and bare and number == 82:
        return _TETRAHEDRON[:2]
    if n == 2 and number in _LINEAR:
        return _AXIS
    return None


def _is_high(atom: Any) -> bool:
    """Say whether a metal uses its outer electrons, or all but one, and bonds to it are short."""
    number = atom.GetAtomicNum()
    bonds = sum(bond.GetBondTypeAsDouble() for bond in atom.GetBonds())
    outer = _ELECTRONS_OF_METALS.get(number)
    if outer is None:
        return number in _ACTINIDES and bonds + atom.GetFormalCharge() >= 4
    left = outer - atom.GetFormalCharge() - bonds
    return bool(left in ((0, 1) if outer > 3 else (0,)))


def is_oxo(atom: Any, other: Any) -> bool:
    """Say whether a bond is one of a halogen to oxygen that is written with charges, as [O-][Cl+2].

    rdkit writes the double bonds of chlorates, bromates and iodates so.
    """
    return (
        atom.GetAtomicNum() in (17, 35, 53)
        and atom.GetFormalCharge() > 0
        and other.GetAtomicNum() == 8
        and other.GetFormalCharge() == -1
    )


def _lone_pairs(atom: Any) -> int:
    """Return the lone pairs of an atom by VSEPR; 0 where its electrons are none that it counts."""
    outer = _OUTER_ELECTRONS.get(atom.GetAtomicNum())
    if outer is None:
        return 0
    bonds = sum(bond.GetBondTypeAsDouble() for bond in atom.GetBonds())
    left = outer - atom.GetFormalCharge() - bonds - atom.GetNumRadicalElectrons()
    return int(left // 2) if left > 0 and left % 2 == 0 else 0


def _bond_length(atom: Any, other: Any) -> float:
    """Return about how long a bond is, Å: the sum of covalent radii, less for double bonds."""
    one, two = atom.GetAtomicNum(), other.GetAtomicNum()
    total = float(COVALENT_RADII[one] + COVALENT_RADII[two])
    bond = atom.GetOwningMol().GetBondBetweenAtoms(atom.GetIdx(), other.GetIdx())
    order = 1.0 if bond is None else bond.GetBondTypeAsDouble()
    if bond is not None and (is_oxo(atom, other) or is_oxo(other, atom)):
        order = 2.0
    if bond is not None:
        for metal, bare in ((atom, other), (other, atom)):
            known = _known_length(metal, bare, order)
            if known is not None:
                return known
    total *= _OF_MULTIPLE_BONDS.get(order, 1.0)
    if one not in NONMETALS or two not in NONMETALS:
        return 0.96 * total
    return total - (0.05 if 9 in (one, two) else 0.0)


def _known_length(metal: Any, bare: Any, order: float) -> float | None:
    """Return the length of a metal's bond to a bare halogen or oxygen, Å; None if not known."""
    number, end = metal.GetAtomicNum(), bare.GetAtomicNum()
    if bare.GetDegree() > 1 or not _is_high(metal):
        return None
    if order == 2 and end == 8 and number in _ACTINIDES:
        return _OF_ACTINYLS
    if order == 1 and number in _OF_FLUORIDES and end in _OF_HALOGENS:
        charge = max(0, -metal.GetFormalCharge())
        return float(_OF_FLUORIDES[number] + _OF_HALOGENS[end] + _OF_A_CHARGE * charge)
    return None


def _stated_order(atom: Any) -> list[int]:
    """Return which neighbour stands on each corner as a SMILES says (``@OH1``); empty if not."""
    written = _PERMUTATIONS.get(str(atom.GetChiralTag()), [])
    number = atom.GetIntProp(_PERMUTATION) if atom.HasProp(_PERMUTATION) else 0
    if not 0 < number <= len(written) or len(written[0]) != atom.GetDegree():
        return []
    return [int(k) for k in written[number - 1]]


_PERMUTATION = "_chiralPermutation"


def has_stated_corners(atom: Any) -> bool:
    """Say whether a SMILES says which neighbour stands on which corner."""
    return bool(_stated_order(atom))


def _given_out(molecule: Any, neighbours: list[int], corners: NDArray[np.float64]) -> list[int]:
    """Return the neighbours in the order of the corners.

    Small rings do not reach across, and the axis of a trigonal bipyramid belongs to the most
    electronegative.
    """
    rings = [set(ring) for ring in molecule.GetRingInfo().AtomRings() if len(ring) <= 7]
    opposite = [
        (a, b) for a, b in combinations(range(len(corners)), 2) if corners[a] @ corners[b] < -0.8
    ]

    def strain(order: list[int]) -> int:
        pairs = [{order[a], order[b]} for a, b in opposite]
        return sum(pair <= ring for pair in pairs for ring in rings)

    order = list(neighbours)
    if len(order) in (3, 4, 5) and len(opposite) == 1:
        rank = {9: 0, 8: 1, 7: 2, 17: 3, 35: 4, 53: 5}
        numbers = {i: molecule.GetAtomWithIdx(i).GetAtomicNum() for i in order}
        order.sort(key=lambda i: rank.get(numbers[i], 9))
    for _ in range(20):
        best = min(
            (_exchanged(order, a, b) for a, b in combinations(range(len(order)), 2)), key=strain
        )
        if strain(best) >= strain(order):
            break
        order = best
    return order


def _exchanged(order: list[int], a: int, b: int) -> list[int]:
    changed = list(order)
    changed[a], changed[b] = changed[b], changed[a]
    return changed


def lone_centre_positions(molecule: Any, centres: list[Centre]) -> NDArray[np.float64] | None:
    """Return the coordinates of a molecule that is one polyhedron, such as SF6."""
    if len(centres) != 1 or molecule.GetNumAtoms() != 1 + len(centres[0].neighbours):
        return None
    positions = np.zeros((molecule.GetNumAtoms(), 3))
    positions[centres[0].neighbours] = centres[0].places
    return positions


def snapped(molecule: Any, centres: list[Centre]) -> NDArray[np.float64]:
    """Return coordinates with neighbours of a centre that bear nothing else on their corners."""
    positions = np.array(molecule.GetConformer().GetPositions())
    for centre in centres:
        corners = positions[centre.neighbours] - positions[centre.atom]
        left, _, right = np.linalg.svd(centre.places.T @ corners)
        turn = left @ np.diag([1.0, 1.0, np.sign(np.linalg.det(left @ right))]) @ right
        ideal = positions[centre.atom] + centre.places @ turn
        for i, place in zip(centre.neighbours, ideal, strict=True):
            if molecule.GetAtomWithIdx(i).GetDegree() == 1:
                positions[i] = place
            elif not molecule.GetBondBetweenAtoms(centre.atom, i).IsInRing():
                moved = branch(molecule, i, centre.atom)
                turn = _rotation(*(x - positions[centre.atom] for x in (positions[i], place)))
                positions[moved] = place + (positions[moved] - positions[i]) @ turn.T
    return positions


def branch(molecule: Any, start: int, centre: int) -> list[int]:
    """Return the atoms, ascending, on the side of ``start`` of its bond to a centre, no ring's."""
    found, waiting = {start}, [start]
    while waiting:
        for other in molecule.GetAtomWithIdx(waiting.pop()).GetNeighbors():
            if other.GetIdx() != centre and other.GetIdx() not in found:
                found.add(other.GetIdx())
                waiting.append(other.GetIdx())
    return sorted(found)


def _rotation(before: NDArray[np.float64], after: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the matrix (3, 3) that turns one direction into another, less than half a turn."""
    one, two = before / np.linalg.norm(before), after / np.linalg.norm(after)
    x, y, z = np.cross(one, two)
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.asarray(np.eye(3) + cross + cross @ cross / (1.0 + one @ two))
