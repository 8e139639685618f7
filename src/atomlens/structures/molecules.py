"""Molecules through rdkit: SMILES, MOL and SDF.

Bonds decide nothing here but where atoms go: a SMILES gets hydrogens and 3D coordinates,
a file keeps the coordinates it has.
"""

import re
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.elements import NONMETALS, SYMBOLS
from atomlens.elements.radii import COVALENT_RADII
from atomlens.errors import StructureError
from atomlens.structures.arrays import chemical_formula, keep_made
from atomlens.structures.bonding import BONDING, LONGEST_SMILES, keep_bonding
from atomlens.structures.checks import check_atoms
from atomlens.structures.embedding import geometry_problem, positions_of
from atomlens.structures.records import (
    DEUTERIUM_NOTICE,
    ISOTOPE_NOTICE,
    Entry,
    add_warning,
    attempt,
    decimal_comma,
    one_line,
    short,
    tell_electrons,
)

if TYPE_CHECKING:
    from ase import Atoms

MOST_HEAVY_ATOMS = 80
"""Larger molecules are not embedded: distance geometry takes minutes and often fails."""

FRAGMENT_GAP = 3.0
"""Å between the fragments of a SMILES with a dot in it."""

ALIKE = 0.3
"""Å; conformers whose distances differ by less are one."""

_FLAT_NOTICE = "a flat drawing (all its heights are zero) got 3D coordinates from ETKDG"
_BONDLESS_NOTICE = (
    "it has no bonds, though its atoms stand as far apart as bonded ones; they were taken as they "
    "stand, and no hydrogens were added"
)
_HYDROGEN_NOTICE = "hydrogens that the file leaves out were added"
_ABSENT_NOTICE = (
    "{n} hydrogens that its valences ask for are not in it, and it was read without them; add them "
    "unless it is a radical"
)
_NEIGHBOURING_RADICALS = (
    "bonded atoms that both have unpaired electrons were set as far apart as the bond is written; "
    "write the double bond if they are paired"
)
_FRAGMENT_NOTICE = (
    f"its molecules (a salt or solvent?) were set {FRAGMENT_GAP:g} Å apart, since it does not say "
    "where they are; if one of them is meant, give it alone"
)


def from_smiles(smiles: str, conformer: int = 0) -> "Atoms":
    """Return a SMILES as ase.Atoms with hydrogens and 3D coordinates.

    The coordinates depend on the molecule, not on how its SMILES is written (see
    `atomlens.structures.embedding`); atoms stand in the order of the SMILES, then the
    hydrogens. Fragments separated by a dot are set `FRAGMENT_GAP` apart. Another number of the
    ``conformer`` may give another shape.

    Raises StructureError for a text that is no SMILES, and where no geometry can be made.
    Remarks for the user wait in ``info``; `atomlens.structures.to_atoms` tells them.
    """
    text = smiles.strip()
    molecule = parse_smiles(text)
    if molecule is None:
        raise StructureError(f"{short(text)} is not a SMILES: {smiles_problem(text)}")
    atoms = _embedded(molecule, f"SMILES {short(text)}", conformer)
    del atoms.info[BONDING]  # the SMILES says as much
    atoms.info.update(name=text, smiles=text)
    keep_made(atoms)
    check_atoms(atoms)
    return atoms


def conformers_of(smiles: str, n_most: int) -> "list[Atoms]":
    """Return up to ``n_most`` shapes of a molecule that differ, numbered by ``info["conformer"]``.

    The first is that of `from_smiles`. Twice as many are made as are asked for; two are alike if
    no distance between heavy atoms differs by `ALIKE`, so mirror images are. They are what the
    force field finds, not weighted by their energies.

    Raises StructureError like `from_smiles`.
    """
    found: list[Atoms] = []
    shapes: list[NDArray[np.float64]] = []
    for number in range(1 if n_most == 1 else 2 * n_most):
        if len(found) == n_most:
            break
        try:
            atoms = from_smiles(smiles, conformer=number)
        except StructureError:
            if number == 0:
                raise
            continue
        shape = _distances(atoms)
        if all(float(np.abs(shape - other).max(initial=0.0)) > ALIKE for other in shapes):
            shapes.append(shape)
            found.append(atoms)
    if n_most > 1:
        for i, atoms in enumerate(found):
            atoms.info["conformer"] = i
    return found


def _distances(atoms: "Atoms") -> NDArray[np.float64]:
    """(n, n) distances between heavy atoms; between all of them where fewer than four are heavy."""
    heavy = atoms.positions[atoms.numbers > 1]
    places = heavy if len(heavy) > 3 else atoms.positions
    return np.asarray(np.linalg.norm(places[:, None] - places[None], axis=-1))


class AtomsAndBonds(NamedTuple):
    """What a SMILES says a molecule is, however it is written; without stereochemistry."""

    counts: Counter[str]
    """Atoms of each element, hydrogens included; those of isotopes are ordinary ones"""
    bonds: str
    """The canonical SMILES"""


def atoms_and_bonds(smiles: str) -> AtomsAndBonds | None:
    """Return what a SMILES says, or None if it is none."""
    from rdkit import Chem, rdBase

    molecule = parse_smiles(smiles)
    if molecule is None:
        return None
    with rdBase.BlockLogs():
        for atom in molecule.GetAtoms():
            atom.SetIsotope(0)
            atom.SetAtomMapNum(0)
        counts = Counter(atom.GetSymbol() for atom in Chem.AddHs(molecule).GetAtoms())
        plain = Chem.MolToSmiles(Chem.RemoveHs(molecule), isomericSmiles=False)
    return AtomsAndBonds(counts, plain)


def parse_smiles(text: str) -> Any | None:
    """Return the rdkit molecule of a SMILES, or None if the text is not one."""
    from rdkit import Chem, rdBase

    if not text or len(text) > LONGEST_SMILES or not text.isascii() or re.search(r"\s", text):
        return None
    with rdBase.BlockLogs():
        return Chem.MolFromSmiles(with_isotopes(text))


def with_isotopes(smiles: str) -> str:
    """Return a SMILES with ``[D]`` and ``[T]``, as some programs write them, as [2H] and [3H]."""
    return re.sub(r"\[([DT])(?=[]+:-])", lambda m: "[2H" if m[1] == "D" else "[3H", smiles)


def has_smiles_grammar(text: str) -> bool:
    """Say whether a text is written by the rules of SMILES, be its bonds possible or not."""
    from rdkit import Chem, rdBase

    if not text or len(text) > LONGEST_SMILES or not text.isascii() or re.search(r"\s", text):
        return False
    with rdBase.BlockLogs():
        return Chem.MolFromSmiles(with_isotopes(text), sanitize=False) is not None


def smiles_problem(text: str) -> str:
    """Say why a text is not a SMILES and what to do."""
    from rdkit import Chem, rdBase

    if len(text) > LONGEST_SMILES:
        return f"it is longer than {LONGEST_SMILES} letters; give a file with coordinates"
    if re.search(r"\s\|.*\|$", text):
        return (
            "it is an extended SMILES, and what stands between the bars is not read; write "
            "radicals and charges in brackets, or give a file"
        )
    with rdBase.BlockLogs():
        readable = bool(text) and text.isascii()
        molecule = Chem.MolFromSmiles(with_isotopes(text), sanitize=False) if readable else None
        if molecule is not None:
            return _valence_problem(molecule)
    return "brackets, ring numbers or symbols do not fit; correct it"


def _valence_problem(molecule: Any) -> str:
    from rdkit import Chem

    try:
        Chem.SanitizeMol(molecule)
    except ValueError as error:
        return f"{one_line(str(error))}; correct it"
    return "its bonds cannot be understood; correct it"


def read_sdf(text: str) -> list[Entry]:
    """Return one entry a record of a MOL or SDF file, data fields in ``info``.

    Where there are many, each is named by its title line.

    Coordinates are kept. A flat drawing (all heights zero and not marked 3D) gets
    hydrogens and 3D coordinates like a SMILES. A 3D molecule that lacks hydrogens gets those
    that its valences ask for (see `_completed`). Both are told with a warning.
    """
    records = re.split(r"^\$\$\$\$.*$", text, flags=re.MULTILINE)
    blocks = [record.removeprefix("\n") if i else record for i, record in enumerate(records)]
    if not blocks[-1].strip():
        blocks.pop()
    titles = [block.splitlines()[0] if len(blocks) > 1 and block else "" for block in blocks]
    return [
        attempt(title, lambda block=block: _from_block(block), "record")  # type: ignore[misc]
        for title, block in zip(titles, blocks, strict=True)
    ]


def from_molecule(molecule: Any) -> "Atoms":
    """Return an rdkit molecule as ase.Atoms: its 3D conformer, or a new one if it has none."""
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        if molecule.GetNumConformers() and molecule.GetConformer().Is3D():
            return _completed(Chem.Mol(molecule))
        copy = Chem.Mol(molecule)
        copy.UpdatePropertyCache(strict=False)
        atoms = _embedded(copy, "the rdkit molecule")
        keep_made(atoms)
        return atoms


def _from_block(block: str) -> "Atoms":
    from rdkit import Chem, rdBase

    if not block.strip():
        raise StructureError("the record between two lines $$$$ is empty; fill or remove it")
    _refuse_what_rdkit_misreads(block)
    block, is_query = _without_hydrogen_counts(_with_radicals(block))
    with rdBase.BlockLogs():
        try:
            molecule = Chem.MolFromMolBlock(block, sanitize=False, removeHs=False)
        except RuntimeError:
            molecule = None
        if molecule is None:
            raise StructureError(_block_problem(block))
        if molecule.GetNumAtoms() == 0:
            raise StructureError("there is no atom in it; give a molecule with at least one atom")
        atoms = _with_file_geometry(molecule, block)
    if is_query:
        add_warning(atoms, _QUERY_NOTICE)
    label = _label_of_group(molecule)
    if label:
        add_warning(atoms, label)
    if re.search(r"^M  (?:APO\s+[1-9]|V30 .* ATTCHPT=[-12])", block, re.M):
        add_warning(atoms, _ATTACHED_NOTICE)
    unit = _repeat_unit(block)
    if unit:
        add_warning(atoms, unit)
    fields = _data_fields(block)
    _doubt_formula(atoms, fields)
    atoms.info.update(fields)
    return atoms


def _refuse_what_rdkit_misreads(block: str) -> None:
    """Raise a StructureError for a second molecule behind the end of one, and for 1,5 as 1.5."""
    before, _, after = block.partition("\nM  END")
    behind = re.split(r"^>", after, maxsplit=1, flags=re.MULTILINE)[0]  # a field may hold another
    if re.search(r"V[23]000\s*$", behind, re.MULTILINE):
        raise StructureError(
            "a second molecule follows behind the end of the first; write a line $$$$ between them"
        )
    lines = before.split("\n")[3:]
    n = int(lines[0][:3]) if lines and re.match(r"[ \d]{2}\d", lines[0]) else 0
    for i, line in enumerate(lines[1 : 1 + n] if "V2000" in lines[0][33:] else ()):
        if _straddles(line):
            raise StructureError(
                f"atom {i} (counted from 0, line {5 + i}): the numbers behind its element do not "
                f"stand in the columns of the format ({short(line[31:].strip())}), so its charge "
                "or valence would be read wrongly; correct the line"
            )
        if "," in line[:30]:
            raise StructureError(
                f"atom {i} (counted from 0, line {5 + i}): its coordinates have a comma "
                f"({short(line[:30].strip())}); write decimal points"
            )


def _straddles(line: str) -> bool:
    """Say whether a number behind the element of a V2000 line lies across two of its columns.

    They are three letters wide, from the 37th letter on; rdkit reads 15 across two as 1 and 5.
    """
    for edge in range(36, min(len(line), 69), 3):
        both = line[edge - 1].isdigit() and line[edge : edge + 1].isdigit()
        if both and " " in line[edge : edge + 3].ljust(3):  # else a number that fills its column
            return True
    return False


def _with_radicals(block: str) -> str:
    """Return a V2000 block whose old sign of a radical (a charge of 4) is written as M  RAD.

    That sign means a doublet; the properties block has the last word, as in the format.
    """
    lines = block.split("\n")
    if len(lines) < 4 or "V2000" not in lines[3][33:] or re.search(r"^M  (RAD|CHG)", block, re.M):
        return block
    n = int(lines[3][:3]) if lines[3][:3].strip().isdecimal() else 0
    places = [i for i, line in enumerate(lines[4 : 4 + n], start=1) if line[36:39].strip() == "4"]
    end = next((i for i, line in enumerate(lines) if line.startswith("M  END")), None)
    if not places or end is None:
        return block
    said = [f"M  RAD  1 {i:3d}   2" for i in places]
    return "\n".join([*lines[:end], *said, *lines[end:]])


_QUERY_NOTICE = (
    "its atoms have the counts of hydrogens of a query, which say how many there are at least; "
    "the valences were taken instead"
)


_ATTACHED_NOTICE = (
    "it has points of attachment, so it is a part of a molecule; hydrogens stand in the place of "
    "the rest"
)


def _without_hydrogen_counts(block: str) -> tuple[str, bool]:
    """Return a block without the hydrogen counts of queries, and whether it had some.

    Those counts (``hhh`` in V2000, ``HCOUNT`` in V3000) are lower bounds for a search. With them
    rdkit gives such an atom no hydrogens at all.
    """
    lines = block.split("\n")
    if len(lines) < 4 or "V2000" not in lines[3][33:]:
        plain = re.sub(r"(?m)^(M  V30 .*?) HCOUNT=-?\d+", r"\1", block)
        return plain, plain != block
    n = int(lines[3][:3]) if lines[3][:3].strip().isdecimal() else 0
    counted = [i for i in range(4, 4 + n) if i < len(lines) and lines[i][42:45].strip(" 0")]
    for i in counted:
        lines[i] = f"{lines[i][:42]}  0{lines[i][45:]}"
    return "\n".join(lines), bool(counted)


def _label_of_group(molecule: Any) -> str:
    """Return a sentence where one atom is drawn as a group, such as Ph or Boc; else nothing.

    Aliases of atoms and contracted groups are text: the atoms they stand for are not in the file.
    """
    from rdkit import Chem

    labels = {
        atom.GetIdx(): atom.GetProp("molFileAlias").strip()
        for atom in molecule.GetAtoms()
        if atom.HasProp("molFileAlias")
    }
    for group in Chem.GetMolSubstanceGroups(molecule):
        members = list(group.GetAtoms())
        if group.HasProp("LABEL") and group.GetProp("TYPE") == "SUP" and len(members) == 1:
            labels.setdefault(members[0], group.GetProp("LABEL").strip())
    for i, label in sorted(labels.items()):
        symbol = molecule.GetAtomWithIdx(i).GetSymbol()
        own = rf"{symbol}[ABGDEZHX]?[\d'*A-C]*(?:H\d*)?[+-]?|H\d*{symbol}[+-]?"  # CA, C1', NH2
        if label and not label.islower() and not re.fullmatch(own, label):
            return (
                f"atom {i} (counted from 0) is drawn as {short(label)}; its own element, {symbol}, "
                "was taken and not the group; draw the group out"
            )
    return ""


_FORMULA_FIELDS = re.compile(
    r"(pubchem_)?(mol(ecular)?|chemical|sum|empirical)?[ _-]?formula", re.IGNORECASE
)


def _doubt_formula(atoms: "Atoms", fields: dict[str, Any]) -> None:
    """Note a data field with another sum formula than that of the atoms."""
    from atomlens.structures.formulas import amounts_in_formula

    for name, text in fields.items():
        if not isinstance(text, str) or not _FORMULA_FIELDS.fullmatch(name.strip()):
            continue
        try:
            amounts = amounts_in_formula(text)
        except StructureError:  # a charge, a polymer, a name
            continue
        own = Counter(atoms.get_chemical_symbols())
        if {s: float(n) for s, n in amounts.items()} != {s: float(n) for s, n in own.items()}:
            add_warning(
                atoms,
                f"its field <{short(name)[1:-1]}> says {short(text)}, but its atoms are "
                f"{chemical_formula(atoms.numbers)}; the atoms were taken",
            )


def _repeat_unit(block: str) -> str:
    """Return a sentence where brackets of a drawing stand for a part that repeats unknown times."""
    found = re.search(
        r"^M  (?:STY.*\b(SRU|COP|MON|MIX)\b|V30 \d+ (SRU|COP|MON|MIX)\b)", block, re.M
    )
    if found is None:
        return ""
    return (
        f"its brackets ({found[1] or found[2]}) stand for a polymer or mixture; the atoms were "
        "taken once, as drawn"
    )


def _with_file_geometry(molecule: Any, block: str) -> "Atoms":
    from rdkit import Chem

    conformer = molecule.GetConformer()
    is_flat = not conformer.Is3D() and not np.any(conformer.GetPositions()[:, 2])
    if not molecule.GetNumBonds() and _bonded_without_bonds(molecule):
        atoms = _with_conformer(molecule)
        add_warning(atoms, _BONDLESS_NOTICE)
        return atoms
    if is_flat and molecule.GetNumAtoms() > 1:
        unclear = _bond_without_order(molecule)
        if unclear:
            raise StructureError(f"the flat drawing: {unclear}; {_ORDERS}")
        drawn = Chem.MolFromMolBlock(block, removeHs=False)
        if drawn is None:
            raise StructureError(
                f"the flat drawing makes no molecule: {_valence_problem(molecule)}"
            )
        atoms = _embedded(drawn, "the flat drawing")
        add_warning(atoms, _FLAT_NOTICE)
        keep_made(atoms)
        return atoms
    return _completed(molecule)


def _bonded_without_bonds(molecule: Any) -> bool:
    """Say whether atoms of a block without bonds stand as far apart as bonded atoms do, in Å."""
    positions = np.array(molecule.GetConformer().GetPositions())
    radii = COVALENT_RADII[[a.GetAtomicNum() for a in molecule.GetAtoms()]]
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    nearest = (distances / (radii[:, None] + radii[None])).min(axis=1, initial=np.inf)
    return len(radii) > 1 and bool((np.abs(nearest - 1.0) < 0.2).all())


_UNCLEAR = ("UNSPECIFIED", "ZERO", "OTHER", "HYDROGEN")
"""Kinds of bonds that say nothing of the valences used up."""

_ORDERS = "write a single, double or triple bond"


def _bond_without_order(molecule: Any) -> str:
    """Return which bond between nonmetals has no order, for a sentence; empty if none is so.

    An aromatic bond in no ring has none: amides, carboxylates and plain chains are written so.
    """
    from rdkit import Chem

    Chem.FastFindRings(molecule)
    for bond in molecule.GetBonds():
        ends = (bond.GetBeginAtom(), bond.GetEndAtom())
        kind = str(bond.GetBondType())
        is_unclear = kind in _UNCLEAR or (kind == "AROMATIC" and not bond.IsInRing())
        if is_unclear and all(a.GetAtomicNum() in NONMETALS for a in ends):
            one, two = (f"{a.GetIdx()} ({a.GetSymbol()})" for a in ends)
            return f"the bond between atoms {one} and {two}, counted from 0, has no order"
    return ""


def _completed(molecule: Any) -> "Atoms":
    """Return a molecule in space with the hydrogens that its valences ask for.

    Hydrogens are added where most are absent, as in files of docking programs and crystals. A
    molecule that lacks few of many may be a radical: it is read as it stands, with a warning,
    and so is one where no place for them can be found.
    """
    from rdkit import Chem

    try:
        whole = _with_dative_bonds(molecule)
        Chem.SanitizeMol(whole)
    except (ValueError, RuntimeError) as problem:  # the coordinates are all there is to go by
        atoms = _with_conformer(molecule)
        said = one_line(str(problem))
        if re.search(r"# \d+ [CH], ", said):  # others may lack the charge that explains it
            add_warning(atoms, f"its bonds are odd ({said}); the atoms were taken as they stand")
        return atoms
    unclear = _bond_without_order(molecule)
    if unclear:
        atoms = _with_conformer(molecule)
        add_warning(atoms, f"{unclear}, so hydrogens that may be absent are not known")
        return atoms
    absent = sum(atom.GetTotalNumHs() for atom in whole.GetAtoms())
    if not absent:
        return _with_conformer(molecule)
    present = sum(atom.GetAtomicNum() == 1 for atom in molecule.GetAtoms())
    n_before = molecule.GetNumAtoms()
    if not present or absent > present / 3:
        try:
            with_hydrogens = Chem.AddHs(whole, addCoords=True)
            new = np.arange(with_hydrogens.GetNumAtoms()) >= n_before
            if _is_placed(with_hydrogens, new):
                atoms = _with_conformer(with_hydrogens)
                add_warning(atoms, _HYDROGEN_NOTICE)
                return atoms
        except (ValueError, RuntimeError):  # bonds that the tables do not know
            pass
    atoms = _with_conformer(molecule)
    add_warning(atoms, _ABSENT_NOTICE.format(n=absent))
    return atoms


def _is_placed(molecule: Any, new: NDArray[np.bool_]) -> bool:
    """Say whether added hydrogens stand where hydrogens can, after a relaxation if need be."""
    from rdkit.Chem import rdForceFieldHelpers

    positions = molecule.GetConformer().GetPositions()
    if not geometry_problem(molecule, positions, new):
        return True
    if not rdForceFieldHelpers.UFFHasAllMoleculeParams(molecule):
        return False
    field = rdForceFieldHelpers.UFFGetMoleculeForceField(molecule)
    for i in np.flatnonzero(~new).tolist():
        field.AddFixedPoint(i)
    field.Initialize()
    field.Minimize(maxIts=500)
    return not geometry_problem(molecule, molecule.GetConformer().GetPositions(), new)


def _with_dative_bonds(molecule: Any) -> Any:
    """Return a copy in which bonds of no order between a metal and a nonmetal are dative.

    A dative bond that a file writes from the metal is turned around.

    Metals get no hydrogens of their own.
    """
    from rdkit import Chem

    copy = Chem.RWMol(molecule)
    for atom in copy.GetAtoms():
        if atom.GetAtomicNum() not in NONMETALS:
            atom.SetNoImplicit(True)
    unclear = (Chem.BondType.UNSPECIFIED, Chem.BondType.ZERO, Chem.BondType.OTHER)
    for bond in molecule.GetBonds():
        metal = [
            a.GetAtomicNum() not in NONMETALS for a in (bond.GetBeginAtom(), bond.GetEndAtom())
        ]
        is_backward = bond.GetBondType() == Chem.BondType.DATIVE and metal[0]
        if metal[0] != metal[1] and (bond.GetBondType() in unclear or is_backward):
            ends = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
            copy.RemoveBond(*ends)
            donor, acceptor = reversed(ends) if metal[0] else ends
            copy.AddBond(donor, acceptor, Chem.BondType.DATIVE)
    return copy.GetMol()


def _embedded(molecule: Any, what: str, conformer: int = 0) -> "Atoms":
    """Return a sanitized molecule with hydrogens and made coordinates, its parts set apart."""
    from ase import Atoms
    from rdkit import Chem, rdBase

    dummies = [atom.GetIdx() for atom in molecule.GetAtoms() if atom.GetAtomicNum() == 0]
    if dummies:
        raise StructureError(
            f"{what}: atom {dummies[0]} (counted from 0) is a placeholder ('*'), not an element; "
            "replace it by an element"
        )
    unclear = _bond_without_order(molecule)
    if unclear:
        raise StructureError(f"{what}: {unclear}; {_ORDERS}")
    _refuse_open_dative(molecule, what)
    if molecule.GetNumHeavyAtoms() > MOST_HEAVY_ATOMS:
        raise StructureError(
            f"{what} has {molecule.GetNumHeavyAtoms()} heavy atoms, too many to make 3D "
            f"coordinates (at most {MOST_HEAVY_ATOMS}); give a file with coordinates"
        )
    with rdBase.BlockLogs():
        whole = Chem.AddHs(molecule)
        members = Chem.GetMolFrags(whole)
        parts = Chem.GetMolFrags(whole, asMols=True)
        made = [positions_of(part, what, conformer) for part in parts]
        order = sorted(range(len(parts)), key=lambda k: (Chem.MolToSmiles(parts[k]), k))
    positions = np.zeros((whole.GetNumAtoms(), 3))
    edge = 0.0
    for k in order:  # the order of the parts' names, so that the way they are written is no matter
        placed = made[k].copy()
        if k != order[0]:
            placed[:, 0] += edge + FRAGMENT_GAP - placed[:, 0].min()
        positions[list(members[k])] = placed
        edge = float(placed[:, 0].max())
    atoms = Atoms([a.GetAtomicNum() for a in whole.GetAtoms()], positions=positions)
    keep_bonding(atoms, whole)
    _tell_unseen(atoms, whole, is_whole=True)
    if len(parts) > 1:
        add_warning(atoms, _FRAGMENT_NOTICE)
    return atoms


def _refuse_open_dative(molecule: Any, what: str) -> None:
    """Refuse a dative bond to an atom whose hydrogens are not written, as in ``N->B``.

    rdkit takes the bond for one of the acceptor's own, so that the borane has two hydrogens.
    """
    for bond in molecule.GetBonds():
        acceptor = bond.GetEndAtom()
        if str(bond.GetBondType()) != "DATIVE" or acceptor.GetNoImplicit():
            continue
        if acceptor.GetNumImplicitHs():
            ends = f"{bond.GetBeginAtom().GetSymbol()} to {acceptor.GetSymbol()}"
            raise StructureError(
                f"{what}: beside the dative bond from {ends} (atom {acceptor.GetIdx()}, counted "
                "from 0) it is not known how many hydrogens there are; write charges and hydrogens "
                "instead, as in [NH3+][BH3-]"
            )


def _tell_unseen(atoms: "Atoms", molecule: Any, is_whole: bool = False) -> None:
    if any(a.GetAtomicNum() == 1 and a.GetIsotope() > 1 for a in molecule.GetAtoms()):
        add_warning(atoms, DEUTERIUM_NOTICE)
    if any(a.GetAtomicNum() > 1 and a.GetIsotope() for a in molecule.GetAtoms()):
        add_warning(atoms, ISOTOPE_NOTICE)
    charge = sum(a.GetFormalCharge() for a in molecule.GetAtoms())
    unpaired = sum(a.GetNumRadicalElectrons() for a in molecule.GetAtoms())
    if is_whole and (int(atoms.numbers.sum()) - charge - unpaired) % 2:
        unpaired += 1  # rdkit counts none of a metal ion
    tell_electrons(atoms, charge, unpaired)
    ends = [(bond.GetBeginAtom(), bond.GetEndAtom()) for bond in molecule.GetBonds()]
    both = (all(a.GetNumRadicalElectrons() for a in pair) for pair in ends)
    if any(both) and len(atoms) > 2:
        add_warning(atoms, _NEIGHBOURING_RADICALS)


LONGEST_BOND = 4.5
"""Å; no bond of a metal is longer."""
_LONGEST = 1.6
"""Sums of covalent radii; no bond between nonmetals is longer. In bohr they have 1.9."""


def _with_conformer(molecule: Any) -> "Atoms":
    from ase import Atoms

    numbers = [atom.GetAtomicNum() for atom in molecule.GetAtoms()]
    positions: NDArray[np.float64] = molecule.GetConformer().GetPositions()
    atoms = Atoms(numbers, positions=positions)
    listed = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in molecule.GetBonds()]
    pairs = np.array(listed, dtype=np.int64).reshape(-1, 2)
    lengths = np.linalg.norm(positions[pairs[:, 0]] - positions[pairs[:, 1]], axis=1)
    of_nonmetals = np.isin(numbers, list(NONMETALS))[pairs].all(axis=1)
    sums = COVALENT_RADII[numbers][pairs].sum(axis=1)
    beyond = lengths - np.where(of_nonmetals, _LONGEST * sums, LONGEST_BOND)
    if beyond.max(initial=0.0) > 0:
        longest = int(beyond.argmax())
        one, two = pairs[longest].tolist()
        all_are = float(np.median(lengths / sums)) > _LONGEST
        what = "coordinates, which may be in bohr, " if all_are else "coordinates "
        add_warning(
            atoms,
            f"its bond between atoms {one} and {two}, counted from 0, is {lengths[longest]:.2f} Å "
            f"long, and no bond is; check the {what}and their unit, which must be Å",
        )
    keep_bonding(atoms, molecule)
    _tell_unseen(atoms, molecule)
    return atoms


def _data_fields(block: str) -> dict[str, Any]:
    """Return the data fields of an SDF record; numbers as numbers."""
    fields: dict[str, Any] = {}
    lines = block.split("\n")
    for line, following in pairwise(lines):
        name = line[line.find("<") + 1 : line.find(">", line.find("<"))]
        if not line.startswith("> ") or "<" not in line or not name or len(name) > 200:
            continue
        value = following.strip()
        number: Any
        try:
            number = float(value) if not value.isdecimal() else int(value)
        except ValueError:
            number = value
        if fields.setdefault(name, number) != number:
            raise StructureError(
                f"the data field <{short(name)}> is given twice in one record, as "
                f"{short(str(fields[name]))} and as {short(value)}; remove the wrong one"
            )
    return fields


def _block_problem(block: str) -> str:
    """Say what is wrong with a MOL block that rdkit refuses."""
    lines = block.splitlines()
    counts = lines[3] if len(lines) > 3 else ""
    if "V3000" in counts:
        return "the V3000 block is incomplete or broken; get a complete copy of the file"
    if not re.match(r"[\d ]{6}", counts):
        return (
            "line 4 is not the counts line of a MOL block (number of atoms and of bonds); the file "
            "is cut off or of another kind"
        )
    n_atoms, n_bonds = (int(counts[i : i + 3].strip() or 0) for i in (0, 3))
    if len(lines) < 4 + n_atoms + n_bonds:
        return (
            f"it announces {n_atoms} atoms and {n_bonds} bonds, but only {len(lines) - 4} lines "
            "follow, so the file is cut off; get a complete copy"
        )
    for i, line in enumerate(lines[4 : 4 + n_atoms]):
        where = f"atom {i} (counted from 0, line {5 + i})"
        symbol = line[31:34].strip()
        for word in (line[0:10], line[10:20], line[20:30]):
            if not re.fullmatch(r"\s*[-+]?\d+\.\d*\s*", word):
                advice = decimal_comma(word) or "correct it"
                return f"{where}: the coordinate {short(word)} is not a number; {advice}"
        if symbol not in SYMBOLS[1:]:
            return f"{where}: {short(symbol)} is not an element; correct or remove the atom"
    if not re.search(r"^M  END", block, flags=re.MULTILINE):
        return "the closing line 'M  END' is missing, so the file is cut off; get a complete copy"
    return "the bonds or properties of the MOL block are broken; get a correct copy of the file"
