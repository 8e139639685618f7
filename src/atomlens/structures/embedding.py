"""3D coordinates for a molecule that has none, and the checks that they must pass.

Coordinates come from ETKDG (Riniker and Landrum, J. Chem. Inf. Model. 55, 2562, 2015) with a
fixed seed, relaxed with MMFF94 or else UFF. They depend on the molecule alone: its canonical
SMILES is embedded, whatever order its atoms were given in, and of two mirror images one is the
reflection of the other. Centres with five and more neighbours, which the force fields do not
know, and metals of few neighbours get the polyhedron of VSEPR. What is made is tried before it is
used: no bond is far from the sum of its radii, no two atoms lie on one another, alike bonds of a
metal are about as long; else other ways are tried.
"""

from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.elements import ATOMIC_NUMBERS, NONMETALS, SYMBOLS
from atomlens.elements.radii import COVALENT_RADII
from atomlens.errors import StructureError
from atomlens.structures.records import reason

_SEED = 20240229
_SECONDS = 10
"""rdkit looks at the clock between steps, so a large molecule may take twice as long."""

_SHORTEST_BOND, _LONGEST_BOND = 0.65, 1.4
"""Sums of covalent radii."""
_LONGEST_OF_METALS = 1.6
_SHORTEST_CONTACT = 1.15
"""Sums of covalent radii between atoms that are not bonded; the cage of [1.1.1] has 1.23."""
_SHORTEST_OF_METALS = 1.0
_OF_MULTIPLE_BONDS = {2.0: 0.87, 3.0: 0.78}
"""Their length in that of a single bond."""
_SHORTEST_H_H = 1.2
"""Å"""

_LONGEST_MULTIPLE = 0.96
"""The longest double bond in the sum of the radii of single ones; C=C has 0.88, S=O 0.85."""
_ALIKE = 1.12
"""The longest bond of a metal to bare atoms of one element in its shortest."""

_SQUARE_PLANAR = frozenset((46, 78, 79))
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
_DIATOMICS = {
    (1, 1): 0.741,
    (1, 6): 1.120,
    (1, 7): 1.036,
    (1, 8): 0.970,
    (1, 9): 0.917,
    (1, 16): 1.341,
    (1, 17): 1.275,
    (1, 35): 1.414,
    (1, 53): 1.609,
    (6, 6): 1.243,
    (6, 7): 1.172,
    (6, 8): 1.128,
    (6, 16): 1.535,
    (7, 7): 1.098,
    (7, 8): 1.151,
    (8, 8): 1.208,
    (8, 14): 1.510,
    (8, 16): 1.481,
    (9, 9): 1.412,
    (9, 17): 1.628,
    (15, 15): 1.893,
    (16, 16): 1.889,
    (17, 17): 1.988,
    (17, 35): 2.136,
    (17, 53): 2.321,
    (34, 34): 2.166,
    (35, 35): 2.281,
    (53, 53): 2.666,
}
"""Å, equilibrium distances in the ground state by atomic numbers; K. P. Huber, G. Herzberg,
Constants of Diatomic Molecules (1979)."""
_DIATOMIC_IONS = {
    (1, 8, -1): 0.964,
    (6, 7, -1): 1.177,
    (7, 8, 1): 1.063,
    (8, 8, -1): 1.35,
}
"""Å, by atomic numbers and charge: the same, and of hydroxide and cyanide J. C. Owrutsky et al., J.
Chem. Phys. 83, 5338 (1985), S. E. Bradforth et al., J. Chem. Phys. 98, 800 (1993)."""
_SMALL: dict[str, tuple[tuple[float, ...], float]] = {
    "O=C=O": ((1.160, 1.160), 180.0),
    "S=C=S": ((1.553, 1.553), 180.0),
    "O=C=S": ((1.157, 1.561), 180.0),
    "O=S=O": ((1.431, 1.431), 119.3),
    "O=S(=O)=O": ((1.420, 1.420, 1.420), 120.0),
    "O=[O+][O-]": ((1.272, 1.272), 116.8),
    "N#[N+][O-]": ((1.128, 1.184), 180.0),
    "[N-]=[N+]=O": ((1.128, 1.184), 180.0),
    "[N-]=[N+]=[N-]": ((1.188, 1.188), 180.0),
    "O=[N+]=O": ((1.15, 1.15), 180.0),
    "[O]N=O": ((1.193, 1.193), 134.1),
    "O=N[O-]": ((1.24, 1.24), 115.0),
}
"""Molecules of one centre that the force fields take to have single bonds: by canonical SMILES, the
lengths of the bonds (Å) in the order of the SMILES and the angle between them; CRC Handbook of
Chemistry and Physics, 9: structure of free molecules, and of ions from crystals."""
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


class _Centre(NamedTuple):
    """An atom whose neighbours stand on a polyhedron."""

    atom: int
    neighbours: list[int]
    places: NDArray[np.float64]
    """(n_neighbours, 3) relative to the centre, Å"""


def positions_of(molecule: Any, what: str, conformer: int = 0) -> NDArray[np.float64]:
    """Return coordinates for a connected molecule with all its hydrogens.

    Args:
        molecule: Sanitized; the hydrogens are atoms.
        what: What messages call it.
        conformer: Other numbers lead to other shapes of a flexible molecule.

    Returns:
        (n_atoms, 3) Å, in the order of the molecule's atoms.

    Raises:
        StructureError: no way leads to coordinates that a molecule can have.
    """
    known = _diatomic(molecule)
    if known is None:
        known = _small(molecule)
    if known is not None:
        return known
    try:
        found = _canonical_positions(molecule, what, conformer)
        return found if found is not None else _embedded(molecule, what, conformer)
    except StructureError:
        raise
    except Exception as error:  # rdkit met bonds that its tables do not know
        raise StructureError(
            f"{what}: no 3D coordinates can be made for {_odd_parts(molecule)} ({reason(error)}); "
            "give a file with coordinates"
        ) from error


def _diatomic(molecule: Any) -> NDArray[np.float64] | None:
    """Return measured coordinates of two atoms, however their bond is written; None if unknown.

    Force fields have no such molecules in mind: they make N2 1.46 Å long. O2, with two unpaired
    electrons, is ``O=O`` and ``[O][O]`` alike.
    """
    atoms = list(molecule.GetAtoms())
    if len(atoms) != 2:
        return None
    charge = sum(a.GetFormalCharge() for a in atoms)
    first, second = sorted(a.GetAtomicNum() for a in atoms)
    known = _DIATOMIC_IONS.get((first, second, charge))
    length = known if charge else _DIATOMICS.get((first, second))
    return None if length is None else np.array([[0.0, 0.0, 0.0], [length, 0.0, 0.0]])


def _small(molecule: Any) -> NDArray[np.float64] | None:
    """Return measured coordinates of a molecule of one centre; None if unknown."""
    from rdkit import Chem

    if not 3 <= molecule.GetNumAtoms() <= 4:
        return None
    known = _SMALL.get(Chem.MolToSmiles(molecule))
    if known is None:
        return None
    lengths, angle = known
    order = _output_order(molecule)
    centre = max(order, key=lambda i: molecule.GetAtomWithIdx(i).GetDegree())
    positions = np.zeros((len(order), 3))
    ends = [i for i in order if i != centre]
    for k, (i, length) in enumerate(zip(ends, lengths, strict=True)):
        turn = np.radians(k * angle)
        positions[i] = length * np.array([np.cos(turn), np.sin(turn), 0.0])
    return positions


def _odd_parts(molecule: Any) -> str:
    metals = sorted(
        {a.GetSymbol() for a in molecule.GetAtoms() if a.GetAtomicNum() not in NONMETALS}
    )
    return f"the bonds of {', '.join(metals)}" if metals else "its bonds"


def _canonical_positions(molecule: Any, what: str, conformer: int) -> NDArray[np.float64] | None:
    """Return the coordinates of the canonical form; None if the two cannot be matched."""
    from rdkit import Chem

    tracked = Chem.Mol(molecule)
    for atom in tracked.GetAtoms():
        atom.SetIntProp("_given", atom.GetIdx())
    heavy = Chem.RemoveHs(tracked)
    smiles = Chem.MolToSmiles(heavy)
    given = [heavy.GetAtomWithIdx(i).GetIntProp("_given") for i in _output_order(heavy)]
    mirrored = Chem.Mol(heavy)
    for atom in mirrored.GetAtoms():
        atom.InvertChirality()
    mirror_smiles = Chem.MolToSmiles(mirrored)
    reflect = mirror_smiles < smiles
    if reflect:
        smiles = mirror_smiles
        given = [heavy.GetAtomWithIdx(i).GetIntProp("_given") for i in _output_order(mirrored)]
    plain = Chem.MolFromSmiles(smiles)
    if plain is None or plain.GetNumAtoms() != len(given):
        return None
    canonical = Chem.AddHs(plain)
    order = _matched(canonical, molecule, given)
    if order is None:
        return None
    made = _embedded(canonical, what, conformer)
    if reflect:
        made = made * np.array([-1.0, 1.0, 1.0])
    positions = np.empty_like(made)
    positions[order] = made
    return positions


def _output_order(molecule: Any) -> list[int]:
    return [int(i) for i in molecule.GetPropsAsDict(True, True)["_smilesAtomOutputOrder"]]


def _matched(canonical: Any, molecule: Any, given: list[int]) -> NDArray[np.int_] | None:
    """Return the given atom (n_atoms,) that each atom of the canonical form is."""
    order = np.full(canonical.GetNumAtoms(), -1)
    order[: len(given)] = given
    taken = set(given)
    for k, i in enumerate(given):
        own = [
            a.GetIdx()
            for a in canonical.GetAtomWithIdx(k).GetNeighbors()
            if a.GetIdx() >= len(given)
        ]
        theirs = [
            a.GetIdx()
            for a in molecule.GetAtomWithIdx(i).GetNeighbors()
            if a.GetAtomicNum() == 1 and a.GetIdx() not in taken
        ]
        if len(own) != len(theirs):
            return None
        order[own] = theirs
    if len(order) != molecule.GetNumAtoms() or sorted(order.tolist()) != list(range(len(order))):
        return None
    numbers = [a.GetAtomicNum() for a in molecule.GetAtoms()]
    same = all(a.GetAtomicNum() == numbers[order[a.GetIdx()]] for a in canonical.GetAtoms())
    return order if same else None


def _embedded(molecule: Any, what: str, conformer: int) -> NDArray[np.float64]:
    """Return coordinates that pass the checks, by the first way that gives some."""
    from rdkit.Chem import rdMolDescriptors

    centres = _centres(molecule)
    alone = _lone_centre(molecule, centres)
    if alone is not None:
        return alone
    problem = ""
    first = _SEED + 1000 * conformer
    for seed, random in ((first, False), (first, True), (first + 1, True), (first + 2, True)):
        made = _distance_geometry(molecule, centres, seed, random)
        if made is None:
            continue
        for how in (_relaxed, _relaxed_by_uff, lambda molecule, _: molecule):
            relaxed = how(made, centres)
            positions = _snapped(relaxed, centres)
            problem = (
                geometry_problem(relaxed, positions)
                or _uneven(relaxed, positions)
                or _too_long(relaxed, positions)
            )
            if not problem:
                return positions
    if not problem:
        raise StructureError(
            f"{what}: no 3D coordinates satisfy its bonds; check rings and stereo centres or give "
            "a file with coordinates"
        )
    raise StructureError(
        f"{what}: the 3D coordinates that can be made for it are no molecule's ({problem}); give a "
        f"file with coordinates of {rdMolDescriptors.CalcMolFormula(molecule)}"
    )


def _distance_geometry(
    molecule: Any, centres: list[_Centre], seed: int, random: bool
) -> Any | None:
    """Return a copy with a conformer, or None if no coordinates satisfy the bounds."""
    from rdkit import Chem, DistanceGeometry
    from rdkit.Chem import rdDistGeom

    copy = Chem.Mol(molecule)
    parameters: Any = rdDistGeom.ETKDGv3()
    parameters.randomSeed = seed
    parameters.timeout = _SECONDS
    parameters.useRandomCoords = random
    parameters.maxIterations = 20 if random else 10
    if centres:
        bounds = rdDistGeom.GetMoleculeBoundsMatrix(copy)
        for centre in centres:
            _bind(bounds, centre, copy)
        if not DistanceGeometry.DoTriangleSmoothing(bounds):
            return None
        parameters.SetBoundsMat(bounds)
    if rdDistGeom.EmbedMolecule(copy, parameters) < 0:
        return None
    return copy


def _bind(bounds: NDArray[np.float64], centre: _Centre, molecule: Any) -> None:
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


def _relaxed_by_uff(molecule: Any, centres: list[_Centre]) -> Any:
    """Return a copy relaxed without MMFF94, which lacks some bonds and takes them as single."""
    return _relaxed(molecule, centres, mmff=False)


def _relaxed(molecule: Any, centres: list[_Centre], *, mmff: bool = True) -> Any:
    """Return a relaxed copy; the centres' polyhedra stay as they are."""
    from rdkit import Chem
    from rdkit.Chem import rdForceFieldHelpers

    copy = Chem.Mol(molecule)
    if copy.GetNumAtoms() < 2:
        return copy
    fixed = [i for centre in centres for i in (centre.atom, *centre.neighbours)]
    if mmff and rdForceFieldHelpers.MMFFHasAllMoleculeParams(copy):
        if not fixed:
            rdForceFieldHelpers.MMFFOptimizeMolecule(copy, maxIters=500)
            return copy
        properties = rdForceFieldHelpers.MMFFGetMoleculeProperties(copy)
        field = rdForceFieldHelpers.MMFFGetMoleculeForceField(copy, properties)
    elif rdForceFieldHelpers.UFFHasAllMoleculeParams(copy):
        if not fixed:
            rdForceFieldHelpers.UFFOptimizeMolecule(copy, maxIters=500)
            return copy
        field = rdForceFieldHelpers.UFFGetMoleculeForceField(copy)
    else:
        return copy
    for i in fixed:
        field.AddFixedPoint(i)
    field.Initialize()
    field.Minimize(maxIts=500)
    return copy


def _centres(molecule: Any) -> list[_Centre]:
    """Return the atoms whose neighbours need a polyhedron, with its corners given out."""
    centres = []
    for atom in molecule.GetAtoms():
        polyhedron = None if _has_stereo(atom) else _polyhedron(atom)
        if polyhedron is None:
            continue
        corners = np.array(polyhedron)
        neighbours = [a.GetIdx() for a in atom.GetNeighbors()]
        neighbours = _given_out(molecule, neighbours, corners)
        lengths = [_bond_length(atom, molecule.GetAtomWithIdx(i)) for i in neighbours]
        centres.append(_Centre(atom.GetIdx(), neighbours, corners * np.array(lengths)[:, None]))
    return centres


def _polyhedron(atom: Any) -> list[tuple[float, float, float]] | None:
    """Return the directions of an atom's neighbours; None where the force fields know them."""
    n, number = atom.GetDegree(), atom.GetAtomicNum()
    found = _WITH_LONE_PAIRS.get((n, _lone_pairs(atom)))
    if found is not None:
        return found
    if n in (2, 3, 4) and any(_is_oxo(atom, other) for other in atom.GetNeighbors()):
        return _TETRAHEDRON[:n]
    if 5 <= n <= 8 or (n == 4 and number in _SQUARE_PLANAR):
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


def _is_oxo(atom: Any, other: Any) -> bool:
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
    if bond is not None and (_is_oxo(atom, other) or _is_oxo(other, atom)):
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


def _has_stereo(atom: Any) -> bool:
    """Say whether the SMILES itself gives the corners (``@OH1``, ``@SP2``): rdkit knows them."""
    return str(atom.GetChiralTag()) in (
        "CHI_OCTAHEDRAL",
        "CHI_SQUAREPLANAR",
        "CHI_TRIGONALBIPYRAMIDAL",
    )


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


def _lone_centre(molecule: Any, centres: list[_Centre]) -> NDArray[np.float64] | None:
    """Return the coordinates of a molecule that is one polyhedron, such as SF6."""
    if len(centres) != 1 or molecule.GetNumAtoms() != 1 + len(centres[0].neighbours):
        return None
    positions = np.zeros((molecule.GetNumAtoms(), 3))
    positions[centres[0].neighbours] = centres[0].places
    return positions


def _snapped(molecule: Any, centres: list[_Centre]) -> NDArray[np.float64]:
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
                branch = _branch(molecule, i, centre.atom)
                turn = _rotation(*(x - positions[centre.atom] for x in (positions[i], place)))
                positions[branch] = place + (positions[branch] - positions[i]) @ turn.T
    return positions


def _branch(molecule: Any, start: int, centre: int) -> list[int]:
    """Return the atoms that hang on one neighbour of a centre, which is in no ring."""
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


def _too_long(molecule: Any, positions: NDArray[np.float64]) -> str:
    """Say which double or triple bond of C, N or O is as long as a single one."""
    for bond in molecule.GetBonds():
        atoms = bond.GetBeginAtom(), bond.GetEndAtom()
        numbers = [a.GetAtomicNum() for a in atoms]
        double = bond.GetBondTypeAsDouble() >= 2 or _is_oxo(*atoms) or _is_oxo(*atoms[::-1])
        if not double or not {6, 7, 8} & set(numbers):
            continue
        first, second = (a.GetIdx() for a in atoms)
        length = float(np.linalg.norm(positions[first] - positions[second]))
        if NONMETALS.issuperset(numbers) and length > _LONGEST_MULTIPLE * sum(
            COVALENT_RADII[numbers]
        ):
            names = f"{first} ({SYMBOLS[numbers[0]]}) and {second} ({SYMBOLS[numbers[1]]})"
            return f"the multiple bond of atoms {names} is {length:.2f} Å long"
    return ""


def _uneven(molecule: Any, positions: NDArray[np.float64]) -> str:
    """Say which bonds of a metal to bare atoms of one element differ as no molecule's do."""
    for atom in molecule.GetAtoms():
        if atom.GetAtomicNum() in NONMETALS or atom.GetDegree() in (5, 7):
            continue
        alike: dict[tuple[int, str, int], list[float]] = {}
        for bond in atom.GetBonds():
            other = bond.GetOtherAtom(atom)
            if other.GetDegree() == 1:
                key = (other.GetAtomicNum(), str(bond.GetBondType()), other.GetFormalCharge())
                length = np.linalg.norm(positions[atom.GetIdx()] - positions[other.GetIdx()])
                alike.setdefault(key, []).append(float(length))
        for (number, _, _), lengths in alike.items():
            if max(lengths) > _ALIKE * min(lengths):
                return (
                    f"bonds of {atom.GetSymbol()} to {SYMBOLS[number]} are from "
                    f"{min(lengths):.2f} to {max(lengths):.2f} Å long"
                )
    return ""


def geometry_problem(
    molecule: Any, positions: NDArray[np.float64], only: NDArray[np.bool_] | None = None
) -> str:
    """Say what is wrong with made coordinates; empty where nothing is.

    Args:
        molecule: Its bonds say which atoms may be near to each other.
        positions: (n_atoms, 3) Å
        only: (n_atoms,) atoms that are judged, against all; by default all of them
    """
    if not np.isfinite(positions).all():
        return "a position is no number"
    n = len(positions)
    if n < 2:
        return ""
    numbers = np.array([a.GetAtomicNum() for a in molecule.GetAtoms()])
    radii = COVALENT_RADII[numbers]
    metal = ~np.isin(numbers, sorted(NONMETALS))
    bonded = np.zeros((n, n), dtype=bool)
    for bond in molecule.GetBonds():
        a, b = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        bonded[a, b] = bonded[b, a] = True
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=2)
    sums = radii[:, None] + radii[None]
    with_metal = metal[:, None] | metal[None]
    longest = np.where(with_metal, _LONGEST_OF_METALS, _LONGEST_BOND) * sums
    contact = np.where(with_metal, _SHORTEST_OF_METALS, _SHORTEST_CONTACT) * sums
    both_hydrogen = (numbers[:, None] == 1) & (numbers[None] == 1)
    contact[both_hydrogen] = _SHORTEST_H_H
    wrong = np.where(
        bonded, (distances < _SHORTEST_BOND * sums) | (distances > longest), distances < contact
    )
    np.fill_diagonal(wrong, False)
    if only is not None:
        wrong &= only[:, None] | only[None]
    if not wrong.any():
        return ""
    i, j = (int(k) for k in np.argwhere(wrong)[0])
    kind = "bonded" if bonded[i, j] else "not bonded"
    return (
        f"atoms {i} ({SYMBOLS[numbers[i]]}) and {j} ({SYMBOLS[numbers[j]]}), {kind}, are "
        f"{distances[i, j]:.2f} Å apart"
    )
