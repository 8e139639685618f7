"""The smallest valid changes of a structure: one atom, group, site or element exchanged."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from atomlens.chemistry.bonds import find_bonds, is_metal
from atomlens.chemistry.hybridisation import perceive_molecule
from atomlens.chemistry.orbits import find_orbits
from atomlens.elements import ATOMIC_NUMBERS, SYMBOLS
from atomlens.elements.radii import COVALENT_RADII
from atomlens.errors import StructureError
from atomlens.structures.arrays import Structure, structure_of
from atomlens.structures.bonding import molecule_of
from atomlens.structures.molecules.polyhedra import branch
from atomlens.structures.smiles import from_smiles

if TYPE_CHECKING:
    from ase import Atoms

CLOSE = 0.15
"""Ions of one charge replace each other if their radii differ by less than this share, after
V. M. Goldschmidt (1926)."""
CLOSE_ANIONS = 0.5
"""The same of anions, which yield: sulfide may stand for oxide."""
_MOST_STATES = 40_000
"""Assignments of charges that are tried."""
_LARGEST_GROUP = 4
"""Heavy atoms of a group that is exchanged as a whole."""
_TOLERANCE = 0.01

GROUPS: Mapping[str, str] = {
    "H": "[H]",
    "F": "F",
    "Cl": "Cl",
    "OH": "O",
    "NH2": "N",
    "SH": "S",
    "CH3": "C",
    "CN": "C#N",
    "CHO": "C=O",
    "OCH3": "OC",
    "C≡CH": "C#C",
    "CF3": "C(F)(F)F",
    "NO2": "[N+](=O)[O-]",
}
"""Groups that take the place of others, as SMILES that begin with the atom that is bonded."""
_RING_ATOMS = ("C", "N", "O", "S", "Si", "P", "B", "F", "Cl", "Br")

_IONS = (
    "Li +1 0.9; Be +2 0.59; B +3 0.41; C +4 0.3; N -3 1.32, +3 0.3, +5 0.27; O -2 1.26; F -1 "
    "1.19; Na +1 1.16; Mg +2 0.86; Al +3 0.675; Si +4 0.54; P +3 0.58, +5 0.52; S -2 1.7, +4 "
    "0.51, +6 0.43; Cl -1 1.67, +5 0.26, +7 0.41; K +1 1.52; Ca +2 1.14; Sc +3 0.885; Ti +4 "
    "0.745, +2 1, +3 0.81; V +5 0.68, +2 0.93, +3 0.78, +4 0.72; Cr +3 0.755, +6 0.58, +2 "
    "0.94, +4 0.69; Mn +2 0.97, +4 0.67, +3 0.785; Fe +2 0.92, +3 0.785; Co +2 0.885, +3 "
    "0.75, +4 0.67; Ni +2 0.83, +3 0.74; Cu +2 0.87, +1 0.91, +3 0.68; Zn +2 0.88; Ga +3 "
    "0.76; Ge +2 0.87, +4 0.67; As +3 0.72, +5 0.6; Se -2 1.84, +4 0.64, +6 0.56; Br -1 1.82, "
    "+3 0.73, +5 0.45; Rb +1 1.66; Sr +2 1.32; Y +3 1.04; Zr +4 0.86; Nb +5 0.78, +3 0.86, +4 "
    "0.82; Mo +4 0.79, +6 0.73, +3 0.83, +5 0.75; Tc +4 0.785, +7 0.7; Ru +3 0.82, +4 0.76, "
    "+5 0.705; Rh +3 0.805, +4 0.74; Pd +2 1, +4 0.755; Ag +1 1.29, +2 1.08, +3 0.89; Cd +2 "
    "1.09; In +3 0.94; Sn +4 0.83; Sb +3 0.9, +5 0.76; Te -2 2.07, +4 1.11, +6 0.7; I -1 "
    "2.06, +5 1.09, +7 0.67; Cs +1 1.81; Ba +2 1.49; La +3 1.172; Ce +3 1.15, +4 1.01; Pr +3 "
    "1.13, +4 0.99; Nd +3 1.123, +2 1.43; Pm +3 1.11; Sm +3 1.098, +2 1.36; Eu +2 1.31, +3 "
    "1.087; Gd +3 1.075; Tb +3 1.063, +4 0.9; Dy +3 1.052; Ho +3 1.041; Er +3 1.03; Tm +3 "
    "1.02; Yb +3 1.008, +2 1.16; Lu +3 1.001; Hf +4 0.85; Ta +5 0.78, +3 0.86, +4 0.82; W +4 "
    "0.8, +6 0.74, +5 0.76; Re +4 0.77, +7 0.67, +5 0.72, +6 0.69; Os +4 0.77; Ir +3 0.82, +4 "
    "0.765, +5 0.71; Pt +2 0.94, +4 0.765; Au +3 0.99; Hg +1 1.33, +2 1.16; Tl +1 1.64, +3 "
    "1.025; Pb +2 1.33, +4 0.915; Bi +3 1.17, +5 0.9; Po +4 1.08; Fr +1 1.94; Ra +2 1.62; Ac "
    "+3 1.26; Th +4 1.08; Pa +5 0.92; U +6 0.87, +3 1.165, +4 1.03, +5 0.9; Np +5 0.89; Pu +4 "
    "1 "
)
"""Charges of the elements, common ones first, and Shannon's crystal radii of the ions in Å (R. D.
Shannon, Acta Crystallographica A32, 751, 1976; six neighbours)."""


class Exchange(NamedTuple):
    """One changed structure."""

    atoms: "Atoms"
    change: str
    """Such as ``OH → NH2`` or ``Ti → Zr``"""
    size: int
    """Heavy atoms that went or came."""


class Exchanges(NamedTuple):
    """What a structure can be changed into."""

    start: "Atoms"
    """The structure itself, its geometry made as those of the others are."""
    found: tuple[Exchange, ...]
    notes: tuple[str, ...]
    """How the changed structures were made."""


def exchanges(atoms: "Atoms", elements: Collection[int]) -> Exchanges:
    """Return what one exchange makes of a structure.

    Args:
        atoms: Molecule, crystal or bare formula.
        elements: Atomic numbers that may come in.

    Raises:
        StructureError: no rule says what may be exchanged.
    """
    known = {SYMBOLS[z] for z in elements if 0 < z < len(SYMBOLS)}
    if atoms.info.get("is_formula"):
        return _of_formula(atoms, known)
    if atoms.pbc.any():
        return _of_crystal(atoms, known)
    return _of_molecule(atoms, known)


def ions() -> Mapping[str, Mapping[int, float]]:
    """Return the crystal radius in Å of each charge of each element, common charges first."""
    return _ions()


@cache
def _ions() -> dict[str, dict[int, float]]:
    table: dict[str, dict[int, float]] = {}
    for row in "".join(_IONS).split(";"):
        symbol, rest = row.strip().split(" ", 1)
        pairs = (part.split() for part in rest.split(","))
        table[symbol] = {int(q): float(r) for q, r in pairs}
    return table


def charges(counts: Mapping[str, int]) -> dict[str, int] | None:
    """Return a charge for each element that makes a neutral compound; None if there is none.

    Of several ways the one of the most common charges; the most electronegative element is
    negative.
    """
    table = _ions()
    if len(counts) < 2 or not all(symbol in table for symbol in counts):
        return None
    order = sorted(counts, key=lambda s: _PULLS.index(s) if s in _PULLS else len(_PULLS))
    options = [list(enumerate(table[s])) for s in order]
    best: tuple[float, dict[str, int]] | None = None
    for number, chosen in enumerate(product(*options)):
        if number > _MOST_STATES:
            break
        values = [q for _, q in chosen]
        total = sum(q * counts[s] for s, q in zip(order, values, strict=True))
        if values[0] >= 0 or total != 0:
            continue
        cost = float(sum(rank for rank, _ in chosen))
        if best is None or cost < best[0]:
            best = cost, dict(zip(order, values, strict=True))
    return None if best is None else best[1]


_PULLS = ("F", "O", "Cl", "N", "Br", "I", "S", "Se", "C", "At", "H", "Te", "P", "As", "Sb", "Bi")
"""Elements that can be negative, the most electronegative first."""


def replacements(symbol: str, charge: int | None, known: Collection[str]) -> dict[str, float]:
    """Return the elements that may stand for another one, and by what share their radii differ.

    With a charge: ions of the same charge whose radii differ by less than `CLOSE`; an element that
    is negative in other compounds takes no metal's place. Without one (elements, alloys, compounds
    such as GaAs): elements that are metals, or are none, like the first, by their covalent radii,
    and of its own group those that differ by less than `CLOSE_ANIONS`. Noble gases bond to
    nothing, so they stand for each other alone.
    """
    if charge is not None:
        own, alike = _ions()[symbol][charge], symbol in _PULLS
        limit = CLOSE if charge > 0 else CLOSE_ANIONS
        near = {
            s: r[charge] / own - 1
            for s, r in _ions().items()
            if charge in r and (s in _PULLS) == alike and abs(r[charge] / own - 1) < limit
        }
    else:
        near = _near_in_size(ATOMIC_NUMBERS[symbol])
    return {s: d for s, d in near.items() if s in known and s != symbol}


_NOBLE = (2, 10, 18, 36, 54, 86, 118)


def _near_in_size(z: int) -> dict[str, float]:
    metal = is_metal(np.arange(len(SYMBOLS)))
    near = {}
    for i in range(1, 95):
        difference = float(COVALENT_RADII[i] / COVALENT_RADII[z]) - 1
        limit = CLOSE_ANIONS if _group(i) == _group(z) else CLOSE * (metal[i] == metal[z])
        if abs(difference) < limit and (i in _NOBLE) == (z in _NOBLE):
            near[SYMBOLS[i]] = difference
    return near


def _group(z: int) -> int:
    """Return a number that the elements of one group of the periodic table share."""
    noble = next(one for one in _NOBLE if one >= z)
    left = z - max((one for one in _NOBLE if one < z), default=0)
    return left if left <= 2 else z - noble


def _charges_of(atoms: "Atoms") -> tuple[dict[str, int] | None, str]:
    numbers, counts = np.unique(atoms.numbers, return_counts=True)
    divisor = int(np.gcd.reduce(counts))
    found = charges(
        {
            SYMBOLS[z]: int(n) // divisor
            for z, n in zip(numbers.tolist(), counts.tolist(), strict=True)
        }
    )
    if found is None:
        return None, (
            "No charges make it neutral, so elements were exchanged by their covalent radii "
            f"(within {CLOSE:.0%}, in one group of the periodic table {CLOSE_ANIONS:.0%})."
        )
    text = ", ".join(f"{s} {q:+d}" for s, q in found.items())
    return (
        found,
        f"Ions of the same charge ({text}) whose radii differ by less than {CLOSE:.0%} (anions "
        f"{CLOSE_ANIONS:.0%}).",
    )


def _of_formula(atoms: "Atoms", known: Collection[str]) -> Exchanges:
    by_element, note = _charges_of(atoms)
    found = []
    for symbol in dict.fromkeys(atoms.get_chemical_symbols()):
        charge = None if by_element is None else by_element[symbol]
        for other in replacements(symbol, charge, known):
            if other in atoms.get_chemical_symbols():
                continue
            changed = _changed(atoms, atoms.numbers == ATOMIC_NUMBERS[symbol], other)
            found.append(Exchange(changed, f"{symbol} → {other}", 1))
    return Exchanges(atoms, tuple(found), (note, "All atoms of an element were exchanged."))


def _of_crystal(atoms: "Atoms", known: Collection[str]) -> Exchanges:
    by_element, note = _charges_of(atoms)
    structure = structure_of(atoms)
    symbols = atoms.get_chemical_symbols()
    found = []
    for site in _distinct(structure):
        charge = None if by_element is None else by_element[symbols[site]]
        for other in replacements(symbols[site], charge, known):
            at = np.arange(len(atoms)) == site
            found.append(
                Exchange(_changed(atoms, at, other), f"{symbols[site]}{site} → {other}", 1)
            )
    notes = (
        note,
        "One site of the cell was exchanged, atoms and cell stayed where they were: nothing was "
        "relaxed. Of sites that symmetry makes equal one was taken.",
    )
    return Exchanges(atoms, tuple(found), notes)


def _distinct(structure: Structure) -> list[int]:
    """Return one atom of each orbit, or every atom where no symmetry is found."""
    try:
        labels = find_orbits(structure, _TOLERANCE).labels
    except StructureError:
        return list(range(len(structure.atomic_numbers)))
    return [int(i) for i in np.unique(labels, return_index=True)[1]]


def _changed(atoms: "Atoms", at: Any, symbol: str) -> "Atoms":
    changed = atoms.copy()
    changed.numbers[at] = ATOMIC_NUMBERS[symbol]
    for key in ("bonding", "smiles", "warnings", "name"):
        changed.info.pop(key, None)
    changed.calc = None
    return changed


def _of_molecule(atoms: "Atoms", known: Collection[str]) -> Exchanges:
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        molecule = molecule_of(atoms)
        if molecule is None:
            structure = structure_of(atoms)
            molecule = perceive_molecule(
                structure.atomic_numbers, find_bonds(structure), orders=True
            )
        if molecule is None:
            raise StructureError(
                f"{structure_of(atoms).name}: no bond orders were found, so no rule says what may "
                "be exchanged; give the molecule as SMILES, MOL or SDF."
            )
        for atom in molecule.GetAtoms():
            atom.SetIntProp(_PLACE, atom.GetIdx())
        plain = Chem.RemoveHs(molecule)
        Chem.RemoveStereochemistry(plain)
        own = Chem.MolToSmiles(plain)
        by_smiles: dict[str, tuple[str, int]] = {}
        for smiles, change, size in (*_atoms_of(plain, known), *_groups_of(plain, known)):
            if _odd_bonds(smiles) > _odd_bonds(own):
                continue
            if smiles != own and size < by_smiles.get(smiles, ("", 10**6))[1]:
                by_smiles[smiles] = change, size
    found = []
    for smiles, (change, size) in by_smiles.items():
        try:
            found.append(Exchange(from_smiles(smiles), change, size))
        except StructureError:
            continue  # no geometry: not a molecule that could be asked about
    note = (
        "Geometries were made from SMILES, that of the molecule itself for the comparison as well; "
        "stereochemistry was not kept. New bonds between N, O, S and halogens were left out."
    )
    return Exchanges(from_smiles(own), tuple(found), (note,))


_PLACE = "_atom"
"""Property with the number of an atom in the structure that was given."""


def _called(atom: Any) -> str:
    return f"{atom.GetSymbol()}{atom.GetIntProp(_PLACE)}"


def _odd_bonds(smiles: str) -> int:
    """Return the number of single bonds between N, O, S and halogens, rare in stable molecules."""
    from rdkit import Chem

    molecule, pattern = Chem.MolFromSmiles(smiles), Chem.MolFromSmarts(_ODD)
    return len(molecule.GetSubstructMatches(pattern))


_ODD = "[#7X3&+0,#8X2,F,Cl,Br,#16X2]-[#7X3&+0,#7+,#8X2,F,Cl,Br,#16X2]"
Edit = tuple[str, str, int]
"""SMILES, what was changed, heavy atoms that went or came."""


def _atoms_of(molecule: Any, known: Collection[str]) -> Iterator[Edit]:
    """Give the molecules in which one heavy atom is of another element; hydrogens follow."""
    from rdkit import Chem

    for atom in _different(molecule):
        for symbol in _RING_ATOMS:
            if symbol not in known or symbol == atom.GetSymbol() or atom.GetFormalCharge():
                continue
            edited = Chem.RWMol(molecule)
            try:
                Chem.Kekulize(edited, clearAromaticFlags=True)
            except ValueError:
                continue
            one = edited.GetAtomWithIdx(atom.GetIdx())
            one.SetAtomicNum(ATOMIC_NUMBERS[symbol])
            one.SetNumExplicitHs(0)
            one.SetNoImplicit(False)
            yield from _valid(edited, f"{_called(atom)} → {symbol}", 1, known)


def _groups_of(molecule: Any, known: Collection[str]) -> Iterator[Edit]:
    """Give the molecules in which a hydrogen or a small group is exchanged for another group."""
    from rdkit import Chem

    for atom in _different(molecule):
        if atom.GetTotalNumHs() and not atom.GetFormalCharge():
            for name, smiles in GROUPS.items():
                if name == "H":
                    continue
                change = f"H on {_called(atom)} → {name}"
                yield from _joined(molecule, atom.GetIdx(), smiles, change, 0, known)
    ranks = list(Chem.CanonicalRankAtoms(molecule, breakTies=False))
    seen = set()
    for bond in molecule.GetBonds():
        if bond.IsInRing() or bond.GetBondType() != Chem.BondType.SINGLE:
            continue
        for keeps, goes in (
            (bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()),
            (bond.GetEndAtomIdx(), bond.GetBeginAtomIdx()),
        ):
            group = branch(molecule, goes, keeps)
            kind = (ranks[keeps], ranks[goes])
            if len(group) > min(_LARGEST_GROUP, molecule.GetNumAtoms() // 2) or kind in seen:
                continue
            seen.add(kind)
            name = _name_of(molecule, group, goes)
            for other, smiles in GROUPS.items():
                if other == name:
                    continue
                edited = Chem.RWMol(molecule)
                anchor = keeps - sum(i < keeps for i in group)
                for i in reversed(group):
                    edited.RemoveAtom(i)
                edited.GetAtomWithIdx(anchor).SetNoImplicit(False)
                change = f"{name} on {_called(molecule.GetAtomWithIdx(keeps))} → {other}"
                if other == "H":
                    yield from _valid(edited, change, len(group), known)
                else:
                    yield from _joined(edited, anchor, smiles, change, len(group), known)


def _name_of(molecule: Any, group: list[int], first: int) -> str:
    """Return the name in ``GROUPS`` of a group, or its SMILES."""
    from rdkit import Chem

    smiles = Chem.MolFragmentToSmiles(molecule, group, rootedAtAtom=first)
    text: str = next((n for n, s in _rooted().items() if s == smiles), smiles)
    return text


@cache
def _rooted() -> dict[str, str]:
    from rdkit import Chem

    return {
        name: Chem.MolToSmiles(Chem.MolFromSmiles(smiles), rootedAtAtom=0)
        for name, smiles in GROUPS.items()
        if name != "H"
    }


def _joined(
    molecule: Any, place: int, smiles: str, change: str, n_gone: int, known: Collection[str]
) -> Iterator[Edit]:
    """Give the molecule with a group on an atom in the place of a hydrogen."""
    from rdkit import Chem

    group = Chem.MolFromSmiles(smiles)
    n = molecule.GetNumAtoms()
    edited = Chem.RWMol(Chem.CombineMols(molecule, group))
    anchor = edited.GetAtomWithIdx(place)
    anchor.SetNumExplicitHs(max(anchor.GetNumExplicitHs() - 1, 0))
    edited.AddBond(place, n, Chem.BondType.SINGLE)
    yield from _valid(edited, change, n_gone + group.GetNumAtoms(), known)


def _valid(edited: Any, change: str, size: int, known: Collection[str]) -> Iterator[Edit]:
    """Give a molecule if its valences are possible, and it is whole, neutral and no radical."""
    from rdkit import Chem

    try:
        Chem.SanitizeMol(edited)
    except (ValueError, RuntimeError):
        return
    if Chem.GetFormalCharge(edited) or any(a.GetNumRadicalElectrons() for a in edited.GetAtoms()):
        return
    if not {a.GetSymbol() for a in edited.GetAtoms()} <= set(known):
        return
    smiles = Chem.MolToSmiles(edited)
    if "." not in smiles:
        yield smiles, change, size


def _different(molecule: Any) -> Sequence[Any]:
    """Return one atom of each set that symmetry of the graph makes equal."""
    from rdkit import Chem

    ranks = list(Chem.CanonicalRankAtoms(molecule, breakTies=False))
    first = {rank: i for i, rank in reversed(list(enumerate(ranks)))}
    return [molecule.GetAtomWithIdx(i) for i in sorted(first.values())]
