"""Blocks of MOL and SDF files, with what their programs write into them."""

import re
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from atomlens.elements import SYMBOLS
from atomlens.elements.naming import chemical_formula
from atomlens.elements.radii import COVALENT_RADII
from atomlens.errors import StructureError
from atomlens.printing import counted, short
from atomlens.structures.arrays import has_made_geometry, keep_made, keep_maker
from atomlens.structures.doubts import Doubt
from atomlens.structures.makers import named_maker
from atomlens.structures.molecules import (
    ORDERS,
    bond_without_order,
    completed,
    embedded,
    valence_problem,
    with_conformer,
)
from atomlens.structures.records import Entry, add_warning, as_float, attempt, decimal_comma
from atomlens.structures.smiles import atoms_and_bonds

if TYPE_CHECKING:
    from ase import Atoms

_FLAT_NOTICE = "a flat drawing (all its heights are zero) got 3D coordinates from ETKDG"
_BONDLESS_NOTICE = Doubt(
    "it has no bonds, though its atoms stand as far apart as bonded ones; they were taken as they "
    "stand, and no hydrogens were added",
    "hydrogens",
)
_QUERY_NOTICE = Doubt(
    "its atoms have the counts of hydrogens of a query, which say how many there are at least; "
    "the valences were taken instead",
    "hydrogens",
)
_ATTACHED_NOTICE = Doubt(
    "it has points of attachment, so it is a part of a molecule; hydrogens stand in the place of "
    "the rest",
    "hydrogens",
)
_FORMULA_FIELDS = re.compile(
    r"(pubchem_)?(mol(ecular)?|chemical|sum|empirical)?[ _-]?formula", re.IGNORECASE
)


_SMILES_FIELDS = re.compile(
    r"((pubchem|openeye|can(on(ical)?)?|iso(meric)?|rdkit|std|standardi[sz]ed|mol(ecule)?)[ _]?)*"
    r"smiles",
    re.IGNORECASE,
)


def read_sdf(text: str) -> list[Entry]:
    """Return one entry a record of a MOL or SDF file, data fields in ``info``.

    Where there are many, each is named by its title line.

    Coordinates are kept. A flat drawing (all heights zero and not marked 3D) gets
    hydrogens and 3D coordinates like a SMILES. A 3D molecule that lacks hydrogens gets those
    that its valences ask for (see `completed`). Both are told with a warning.
    """
    records = re.split(r"^[ \t]*\$\$\$\$.*$", text, flags=re.MULTILINE)
    blocks = [record.removeprefix("\n") if i else record for i, record in enumerate(records)]
    blocks = [_without_blank_start(block) for block in blocks]
    if not blocks[-1].strip():
        blocks.pop()
    titles = [block.splitlines()[0] if len(blocks) > 1 and block else "" for block in blocks]
    return [
        attempt(title, partial(_from_block, block), "record")
        for title, block in zip(titles, blocks, strict=True)
    ]


def _without_blank_start(block: str) -> str:
    """Return a block without blank lines before its title; the fourth line has the counts."""
    if block[:1] != "\n":
        return block
    lines = block.split("\n", 12)
    place = next((i for i, line in enumerate(lines[:12]) if re.search(_COUNTS, line)), 3)
    above = lines[: max(0, place - 3)]
    return block if any(map(str.strip, above)) else "\n".join(lines[len(above) :])


_COUNTS = r"^ *\d.*V[23]000\s*$"


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
    maker = named_maker(block.partition("\n")[2].partition("\n")[0])
    if maker and not has_made_geometry(atoms):
        keep_maker(atoms, maker)
    if is_query:
        add_warning(atoms, _QUERY_NOTICE)
    label = _label_of_group(molecule)
    if label:
        add_warning(atoms, label)
    if re.search(r"^M  (?:APO\s+[1-9]|V30 .* ATTCHPT=[-12])", block, re.M):
        add_warning(atoms, _ATTACHED_NOTICE)
    for said in filter(None, (_repeat_unit(block), _link_node(block))):
        add_warning(atoms, said)
    fields = _data_fields(block)
    _doubt_formula(atoms, fields)
    _doubt_smiles(atoms, fields)
    atoms.info.update(fields)
    return atoms


def _refuse_what_rdkit_misreads(block: str) -> None:
    """Raise a StructureError for a second molecule behind the end of one, and for odd numbers.

    Of a coordinate such as 1,5 or 1.2.3 rdkit takes the digits up to where it is none.
    """
    before, _, after = block.partition("\nM  END")
    behind = re.split(r"^>", after, maxsplit=1, flags=re.MULTILINE)[0]  # a field may hold another
    if re.search(r"V[23]000\s*$", behind, re.MULTILINE):
        raise StructureError(
            "a second molecule follows behind the end of the first; write a line $$$$ between them"
        )
    lines = before.split("\n")[3:]
    n = int(lines[0][:3]) if lines and re.match(r"[ \d]{2}\d", lines[0]) else 0
    for i, line in enumerate(lines[1 : 1 + n] if n and "V2000" in lines[0][33:] else ()):
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
        for word in (line[0:10], line[10:20], line[20:30]):
            if word.strip() and not re.fullmatch(_COORDINATE, word.strip(), re.IGNORECASE):
                raise StructureError(_no_coordinate(i, 5 + i, word))
    if lines and "V3000" in lines[0][33:]:
        for i, (number, words) in enumerate(_rows_of_v3000(before)):
            for word in words[2:5] if words[1:2] != ["NOT"] else ():
                if not re.fullmatch(_COORDINATE, word, re.IGNORECASE):
                    raise StructureError(_no_coordinate(i, number, word))


_COORDINATE = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|[-+]?nan|[-+]?inf(?:inity)?"
"""A number, or what is refused later for what it is."""


def _no_coordinate(i: int, line: int, word: str) -> str:
    return (
        f"atom {i} (counted from 0, line {line}): the coordinate {short(word)} is not a number; "
        f"{decimal_comma(word) or 'correct it'}"
    )


def _rows_of_v3000(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and words of each atom of a V3000 block: index, element, x, y, z ..."""
    rows = False
    open_row, first = "", 0
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.startswith("M  V30 "):
            continue
        open_row, first = open_row + line[7:], first or number
        if open_row.rstrip().endswith("-"):  # goes on in the next line
            open_row = open_row.rstrip()[:-1]
            continue
        row, open_row = open_row, ""
        if re.match(r"(BEGIN|END)\s", row):
            rows = re.match(r"BEGIN\s+ATOM\b", row) is not None
        elif rows:
            yield first, row.split()
        first = 0


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


def _doubt_smiles(atoms: "Atoms", fields: dict[str, Any]) -> None:
    """Note a data field with the SMILES of another molecule; hydrogens may move with its charge."""
    own = Counter(s for s in atoms.get_chemical_symbols() if s != "H")
    for name, text in fields.items():
        if not isinstance(text, str) or not _SMILES_FIELDS.fullmatch(name.strip()):
            continue
        said = atoms_and_bonds(text)
        if said is not None and Counter({s: n for s, n in said.counts.items() if s != "H"}) != own:
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


def _link_node(block: str) -> str:
    """Return a sentence where an atom of a query stands for a chain of several lengths."""
    found = re.search(r"^M  (?:LIN\s+[1-9]|V30 LINKNODE\s)", block, re.M)
    if found is None:
        return ""
    return (
        "an atom of it is a link node, which stands for one or several in a row; it was taken "
        "once, as drawn"
    )


def _with_file_geometry(molecule: Any, block: str) -> "Atoms":
    from rdkit import Chem

    conformer = molecule.GetConformer()
    is_flat = not conformer.Is3D() and not np.any(conformer.GetPositions()[:, 2])
    if not molecule.GetNumBonds() and _bonded_without_bonds(molecule):
        atoms = with_conformer(molecule)
        add_warning(atoms, _BONDLESS_NOTICE)
        return atoms
    if is_flat and molecule.GetNumAtoms() > 1:
        unclear = bond_without_order(molecule)
        if unclear:
            raise StructureError(f"the flat drawing: {unclear}; {ORDERS}")
        drawn = Chem.MolFromMolBlock(block, removeHs=False)
        if drawn is None:
            raise StructureError(f"the flat drawing makes no molecule: {valence_problem(molecule)}")
        atoms = embedded(drawn, "the flat drawing")
        add_warning(atoms, _FLAT_NOTICE)
        keep_made(atoms)
        return atoms
    return completed(molecule)


def _bonded_without_bonds(molecule: Any) -> bool:
    """Say whether atoms of a block without bonds stand as far apart as bonded atoms do, in Å."""
    positions = np.array(molecule.GetConformer().GetPositions())
    radii = COVALENT_RADII[[a.GetAtomicNum() for a in molecule.GetAtoms()]]
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    nearest = (distances / (radii[:, None] + radii[None])).min(axis=1, initial=np.inf)
    return len(radii) > 1 and bool((np.abs(nearest - 1.0) < 0.2).all())


def _data_fields(block: str) -> dict[str, Any]:
    """Return the data fields of an SDF record; numbers as numbers, several lines as one text."""
    fields: dict[str, Any] = {}
    lines = block.split("\n")
    for place, line in enumerate(lines[:-1]):
        name = line[line.find("<") + 1 : line.find(">", line.find("<"))]
        if not line.startswith("> ") or "<" not in line or not name or len(name) > 200:
            continue
        end = place + 1
        while end < len(lines) and lines[end].strip() and not lines[end].startswith("> "):
            end += 1
        value = "\n".join(one.strip() for one in lines[place + 1 : end])
        number: Any
        try:
            number = as_float(value) if not value.isdecimal() else int(value)
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
            f"it announces {counted(n_atoms, 'atom')} and {counted(n_bonds, 'bond')}, but only "
            f"{counted(len(lines) - 4, 'line', 'follow')}, so the file is cut off; get a complete "
            "copy"
        )
    for i, line in enumerate(lines[4 : 4 + n_atoms]):
        where = f"atom {i} (counted from 0, line {5 + i})"
        symbol = line[31:34].strip()
        for word in (line[0:10], line[10:20], line[20:30]):
            if not re.fullmatch(r"\s*[-+]?\d+\.\d*\s*", word):
                return _no_coordinate(i, 5 + i, word)
        if symbol not in SYMBOLS[1:]:
            return f"{where}: {short(symbol)} is not an element; correct or remove the atom"
    if not re.search(r"^M  END", block, flags=re.MULTILINE):
        return "the closing line 'M  END' is missing, so the file is cut off; get a complete copy"
    return "the bonds or properties of the MOL block are broken; get a correct copy of the file"
