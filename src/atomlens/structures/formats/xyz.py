"""XYZ and extended XYZ, one frame or many. ase reads each frame."""

import re
from collections.abc import Iterator
from functools import partial
from io import StringIO
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from atomlens.elements import SYMBOLS
from atomlens.elements.masses import ATOMIC_MASSES
from atomlens.elements.naming import chemical_formula
from atomlens.errors import StructureError
from atomlens.printing import counted, reason, short
from atomlens.structures.arrays import keep_maker
from atomlens.structures.checks import check_cell
from atomlens.structures.distance_doubts import impossible_neighbour, no_hydrogen
from atomlens.structures.formats.poscar import agrees_with_title
from atomlens.structures.formats.xyz_comment import Comment, charge_and_multiplicity, read_comment
from atomlens.structures.makers import named_maker
from atomlens.structures.records import (
    DEUTERIUM_NOTICE,
    Entry,
    add_warning,
    as_float,
    attempt,
    decimal_comma,
    drop_masses,
    keep_results,
    odd_number,
    without_unused_cell,
)
from atomlens.structures.text import is_smiles

if TYPE_CHECKING:
    from ase import Atoms

_FORTRAN = re.compile(r"(\.\d*)[dD]([+-]?\d+)\b")
"""Numbers of Fortran in double precision, such as 0.1173D0"""
_LONGEST_COMMENT = 20_000
"""Letters; ase takes more than a line's time to take longer ones apart."""
_DEFAULT_COLUMNS = "species:S:1:pos:R:3"
_COLUMN_NAMES = {
    **dict.fromkeys(("species", "element", "elements", "symbol", "symbols", "atom"), "species"),
    **dict.fromkeys(("pos", "position", "positions", "coords", "coordinates", "xyz"), "pos"),
    **dict.fromkeys(("z", "numbers", "number", "atomic_number", "atomic_numbers"), "Z"),
}


class _Frame(NamedTuple):
    """The lines of one frame, and where they begin in the file."""

    comment: str
    rows: list[str]
    line: int
    """Line number of the frame's number of atoms, counted from 1."""


def read_xyz(text: str, n_before: int = 0) -> list[Entry]:
    """Return one entry a frame; a broken frame does not take the good ones with it.

    Args:
        text: A file, or some frames of it.
        n_before: Lines that stand before the text in the file.
    """
    entries = []
    for frame in _frames(text, n_before):
        if isinstance(frame, str):
            entries.append(Entry("", None, frame))
            continue
        entry = attempt("", partial(_build, frame), "frame")
        name = entry.atoms.info.get("name") if entry.atoms is not None else None
        entries.append(entry._replace(name=str(name) if name is not None else ""))
    return entries


def _frames(text: str, n_before: int = 0) -> Iterator[_Frame | str]:
    """Yield the frames, or a sentence where the file stops making sense."""
    lines = text.splitlines()
    start = 0
    while start < len(lines):
        if not lines[start].strip():
            start += 1
            continue
        number = n_before + start + 1
        count = _count(lines[start])
        if count is None:
            if start and lines[1].startswith("gdb "):
                return  # QM9's own files go on with frequencies, SMILES and InChI
            yield (
                f"line {number} is {short(lines[start])} where XYZ has the number of atoms; "
                "correct the file or give it the extension of its real kind"
            )
            return
        rows = [_FORTRAN.sub(r"\1e\2", row) for row in lines[start + 2 : start + 2 + count]]
        if len(rows) < count:
            yield (
                f"line {number} announces {counted(count, 'atom')}, but only "
                f"{counted(len(rows), 'line', 'follow')}, so the file is cut off; get a complete "
                "copy"
            )
            return
        end = start + 2 + count
        if rows and end < len(lines) and _goes_on(rows[-1], lines[end]):
            more = next(
                (i for i, row in enumerate(lines[end:]) if not _goes_on(rows[-1], row)),
                len(lines) - end,
            )
            yield (
                f"line {number} announces {counted(count, 'atom')}, but "
                f"{counted(count + more, 'line')} of atoms follow; correct the number"
            )
            start = end + more
            continue
        behind = next((k for k in range(end, len(lines)) if lines[k].strip()), end)
        if behind < len(lines) and _CELL_BEHIND.match(lines[behind]):
            yield (
                f"line {n_before + behind + 1} ({short(lines[behind].strip())}) begins a cell "
                'behind the atoms; write it into the title, Lattice="..." of nine numbers'
            )
            return
        yield _Frame(lines[start + 1] if start + 1 < len(lines) else "", rows, number)
        start = end


_CELL_BEHIND = re.compile(
    r"\s*(?:tv|vec_?\d|[%#@]?\s*(?:pbc|cell|lattice|box|cryst1)|(?:lattice_)?vectors?)\b", re.I
)
"""Vectors of a cell as some programs write them behind the atoms."""


def _count(line: str) -> int | None:
    return int(line) if re.fullmatch(r"\s*\d{1,9}\s*", line) else None


def _goes_on(row: str, following: str) -> bool:
    """Say whether a line behind the last row of a frame is one more atom."""
    words = following.split()
    if len(words) < 4 or len(words) != len(row.split()) or words[0].capitalize() not in SYMBOLS[1:]:
        return False
    try:
        return all(np.isfinite(as_float(word)) for word in words[1:4])
    except ValueError:
        return False


def _build(frame: _Frame) -> "Atoms":
    from ase.io.extxyz import read_xyz as read_extended

    if not frame.rows:
        raise StructureError("there is no atom in it; give a structure with at least one atom")
    if len(frame.comment) > _LONGEST_COMMENT:
        raise StructureError(
            f"the comment line {frame.line + 1} has {counted(len(frame.comment), 'letter')}, more "
            f"than {_LONGEST_COMMENT}; shorten it"
        )
    said = read_comment(frame.comment)
    properties = re.search(r'Properties=\s*"?([^\s"]+)', said.plain)
    columns = _usual_columns(properties[1]) if properties else _DEFAULT_COLUMNS
    _check_columns(frame, columns)
    _check_both_elements(frame, columns)
    if properties:
        _check_types(frame, properties[1], columns)
    else:
        _refuse_a_number_before_the_positions(frame)
    names = _Names(list(frame.rows), False, False, (), ())
    if columns.startswith("species:S:1"):
        names = _with_elements(frame)
    comment = said.plain if "=" in said.plain else ""
    if properties:
        comment = comment.replace(properties[0], f"Properties={columns}")
    source = StringIO("\n".join([str(len(names.rows)), comment, *names.rows, ""]))
    try:
        _refuse_odd_numbers(frame, columns)
        atoms: Atoms = next(iter(read_extended(source, index=slice(None))))
    except Exception as error:
        raise StructureError(_diagnosis(frame, columns, error)) from error
    if not comment and frame.comment.strip():
        atoms.info["comment"] = frame.comment.strip()
    keep_results(atoms)
    atoms.info.update(said.texts)
    drop_masses(atoms)
    _place(atoms, said)
    for doubt in said.doubts:
        add_warning(atoms, doubt)
    charge, multiplicity = charge_and_multiplicity(frame.comment, int(atoms.numbers.sum()))
    for key, value, usual in (("charge", charge, 0), ("multiplicity", multiplicity, 1)):
        if value != usual:
            atoms.info.setdefault(key, value)
    if names.has_deuterium:
        add_warning(atoms, DEUTERIUM_NOTICE)
    _doubt_geometry(atoms, names, frame)
    _doubt_title(atoms, frame, columns)
    maker = named_maker(frame.comment)
    if maker:
        keep_maker(atoms, maker)
    return atoms


def _refuse_odd_numbers(frame: _Frame, columns: str) -> None:
    """Raise ValueError for a number such as ``1_0``, which ase would read as Python does."""
    words = columns.split(":")
    kinds = [k for k, n in zip(words[1::3], words[2::3], strict=False) for _ in range(int(n))]
    for i, row in enumerate(frame.rows):
        for kind, cell in zip(kinds, row.split(), strict=False) if "_" in row else ():
            if kind != "S" and odd_number(cell):
                raise ValueError(f"{short(cell)} in line {frame.line + 2 + i} is no number")


def _check_columns(frame: _Frame, columns: str) -> None:
    """Refuse a comment line that announces more columns than the lines have."""
    numbers = [int(word) for word in columns.split(":")[2::3] if word.isdecimal()]
    n_words = len(frame.rows[0].split())
    if sum(numbers) > n_words:
        raise StructureError(
            f"line {frame.line + 1} announces {sum(numbers)} columns (Properties), and line "
            f"{frame.line + 2} has {n_words}; correct one of them"
        )


def _check_types(frame: _Frame, given: str, columns: str) -> None:
    """Refuse types of LAMMPS in a column of whole numbers that is called ``species``."""
    found = re.search(r"(?:^|:)(?:species|elements?|symbols?|atom):I:1", given, re.IGNORECASE)
    if found is None:
        return
    words = columns.split(":")
    before = [int(n) for name, n in zip(words[::3], words[2::3], strict=False) if name != "Z"]
    place = sum(before[: words[::3].index("Z")])
    cells = [row.split()[place : place + 1] for row in frame.rows]
    _refuse_types(frame, {int(word) for cell in cells for word in cell if word.isdecimal()})


def _refuse_a_number_before_the_positions(frame: _Frame) -> None:
    """Refuse rows in which a flag, an index or an atomic number stands before the coordinates.

    Gaussian writes a flag there (``H -1 0.96 0.0 0.0``), GAMESS the atomic number, Molden both.
    Read as coordinates, all would be one column off.
    """
    rows = [row.split() for row in frame.rows]
    if any(len(row) < 5 for row in rows):
        return
    seconds = [row[1] for row in rows]
    symbols = [row[0].capitalize() for row in rows]
    are_whole = all(re.fullmatch(r"[-+]?\d+", word) for word in seconds)
    has_point = ["." in word for row in rows for word in row[2:5]]
    are_flags = set(seconds) in ({"-1"}, {"0", "-1"}) and any(has_point)
    are_counted = len(rows) > 1 and seconds == [str(i + 1) for i in range(len(rows))]
    protons = [re.fullmatch(r"(\d+)(?:\.0*)?", word) for word in seconds]
    are_flagged = all(
        len(row) >= 7 and all(w in ("0", "1", "-1", "+1", "+0") for w in row[2:7:2]) for row in rows
    )
    if are_flagged:
        raise StructureError(
            f"line {frame.line + 2} ({short(frame.rows[0].strip())}) has a flag behind each "
            "coordinate, as MOPAC writes them; remove the flags"
        )
    are_protons = all(
        n is not None and symbol in SYMBOLS and SYMBOLS.index(symbol) == int(n[1])
        for n, symbol in zip(protons, symbols, strict=True)
    )
    said_of_element = are_counted or are_protons or _are_masses(symbols, seconds)
    if (are_whole and all(has_point)) or are_flags or said_of_element:
        raise StructureError(
            f"line {frame.line + 2} ({short(frame.rows[0].strip())}) has a number between the "
            "element and the coordinates that looks like a flag, an index, an atomic number or a "
            "mass; remove that column, or name all columns with Properties"
        )


def _are_masses(symbols: list[str], words: list[str]) -> bool:
    """Say whether numbers are the masses of elements, Dalton."""
    try:
        return all(
            symbol in SYMBOLS and abs(as_float(word) - ATOMIC_MASSES[SYMBOLS.index(symbol)]) < 0.1
            for symbol, word in zip(symbols, words, strict=True)
        )
    except ValueError:
        return False


_FORMULAS = ("formula", "chemical_formula", "reduced_formula", "composition")
_NUMBERS = ("natoms", "n_atoms", "num_atoms", "nat")
"""Keys of extended XYZ about the atoms."""


def _doubt_title(atoms: "Atoms", frame: _Frame, columns: str) -> None:
    """Note a title whose formula, number of atoms or columns are not those of the rows."""
    said = {key.lower(): value for key, value in atoms.info.items() if isinstance(key, str)}
    title = next((str(said[key]) for key in _FORMULAS if key in said), frame.comment).strip()
    may_be_formula = re.fullmatch(r"[A-Z][A-Za-z\d.()\[\] ]{1,100}", title) is not None
    if may_be_formula and not agrees_with_title(atoms, title) and not is_smiles(title):
        add_warning(
            atoms,
            f"its title says {short(title)}, but its atoms are {chemical_formula(atoms.numbers)}; "
            "the atoms were taken",
        )
    n = next((said[key] for key in _NUMBERS if key in said), len(atoms))
    if isinstance(n, int | np.integer) and n != len(atoms):
        add_warning(atoms, f"its title says {counted(int(n), 'atom')}, but it has {len(atoms)}")
    announced = sum(int(word) for word in columns.split(":")[2::3] if word.isdecimal())
    found = len(frame.rows[0].split())
    if "properties" in frame.comment.lower() and announced < found:
        add_warning(
            atoms,
            f"its Properties name {counted(announced, 'column')}, and its lines have {found}; the "
            "last were left out, so check that the others are what they are called",
        )


def _place(atoms: "Atoms", said: Comment) -> None:
    """Give the atoms their cell, and their positions in Å."""
    if said.cell is not None:
        atoms.set_cell(said.cell)
        atoms.pbc = True
    if said.pbc is not None:
        atoms.pbc = said.pbc
    if said.scaled:
        if said.cell is None:
            raise StructureError(
                "its title says that the coordinates are fractions of a cell, but gives no cell; "
                "add it"
            )
        atoms.positions = atoms.positions @ said.cell
    elif said.unit != 1.0:
        atoms.positions *= said.unit
    without_unused_cell(atoms)


def _check_both_elements(frame: _Frame, columns: str) -> None:
    """Refuse rows whose symbol and atomic number are those of two elements."""
    words = columns.split(":")
    starts = np.cumsum([0, *(int(w) if w.isdecimal() else 0 for w in words[2::3])]).tolist()
    place = dict(zip(words[::3], starts, strict=False))
    if "species" not in place or "Z" not in place:
        return
    for i, row in enumerate(frame.rows):
        cells = row.split()
        if max(place["species"], place["Z"]) >= len(cells):
            return  # ase says what is wrong
        symbol, number = cells[place["species"]].capitalize(), cells[place["Z"]]
        known = symbol in SYMBOLS[1:] and number.isdecimal() and 0 < int(number) < len(SYMBOLS)
        if known and SYMBOLS[int(number)] != symbol:
            raise StructureError(
                f"atom {i} (counted from 0, line {frame.line + 2 + i}) is {symbol} by its symbol "
                f"and {SYMBOLS[int(number)]} by its atomic number {number}; correct one of them"
            )


def _usual_columns(columns: str) -> str:
    """Return the columns of ``Properties`` under ase's names; refuse those without elements."""
    words = columns.split(":")
    if len(words) % 3:
        return columns  # ase says what is wrong
    for k in range(0, len(words), 3):
        words[k] = _COLUMN_NAMES.get(words[k].lower(), words[k])
        if words[k] == "species" and words[k + 1].upper() == "I":
            words[k] = "Z"
    names = words[::3]
    if "pos" not in names:
        raise StructureError(
            "its Properties have no column pos with the positions; name the column of three "
            "coordinates pos:R:3"
        )
    if "species" not in names and "Z" not in names:
        raise StructureError(
            "its Properties have neither species nor Z, so the elements are unknown; add one of "
            "the two (types of LAMMPS are no elements)"
        )
    return ":".join(words)


class _Names(NamedTuple):
    """The first column, as elements."""

    rows: list[str]
    has_deuterium: bool
    are_numbers: bool
    """Whether all are whole numbers, atomic numbers or types of LAMMPS"""
    capitals: tuple[int, ...]
    """Atoms whose symbol of two capitals may be a name: CA, CD, HG"""
    tritium: tuple[int, ...]
    """Atoms that are called T"""


def _with_elements(frame: _Frame) -> _Names:
    """Return the rows with proper symbols in the first column."""
    first_words = [row.split(None, 1)[0] if row.strip() else "" for row in frame.rows]
    are_numbers = all(word.isdecimal() for word in first_words)
    if are_numbers:
        _refuse_types(frame, {int(word) for word in first_words})
    rows: list[str] = []
    capitals: list[int] = []
    tritium: list[int] = []
    has_deuterium = False
    for i, row in enumerate(frame.rows):
        first, rest = [*row.split(None, 1), "", ""][:2]
        symbol = first.capitalize()
        if symbol.isdecimal() and 0 < int(symbol) < len(SYMBOLS):
            symbol = SYMBOLS[int(symbol)]
        elif symbol in ("D", "T"):
            if symbol == "T":
                tritium.append(i)
            symbol, has_deuterium = "H", True
        elif symbol not in SYMBOLS[1:] and _CELL_BEHIND.match(row):
            raise StructureError(
                f"line {frame.line + 2 + i} ({short(row.strip())}) is a vector of a cell among the "
                'atoms; write the cell into the title, Lattice="..." of nine numbers, and the '
                "number of atoms without such lines"
            )
        elif symbol not in SYMBOLS[1:]:
            raise StructureError(
                f"atom {i} (counted from 0, line {frame.line + 2 + i}): {short(first)} is not an "
                "element; correct or remove the atom"
            )
        elif len(symbol) == 2 and first.isupper() and first[0] in SYMBOLS:
            capitals.append(i)
        rows.append(f"{symbol} {rest.replace('*^', 'e')}")
    return _Names(rows, has_deuterium, are_numbers, tuple(capitals), tuple(tritium))


def _refuse_types(frame: _Frame, numbers: set[int]) -> None:
    """Refuse the numbers of LAMMPS's types; nobody has hydrogen, helium, lithium in a row."""
    is_dump = re.search(r"timestep|item:", frame.comment, re.IGNORECASE) is not None
    in_a_row = len(numbers) > 1 and numbers == set(range(1, len(numbers) + 1))
    second = [row.split()[1:2] for row in frame.rows]
    if in_a_row and all(word and word[0] in SYMBOLS[1:] for word in second):
        raise StructureError(
            "the first column holds the numbers of the atoms, and the second their elements; "
            "remove the first"
        )
    if is_dump or in_a_row:
        shown = ", ".join(str(n) for n in sorted(numbers)[:5])
        raise StructureError(
            f"the first column holds the numbers {shown}, which look like types of LAMMPS and not "
            "like atomic numbers; write the symbols of the elements"
        )


def _lonely(atoms: "Atoms", names: _Names) -> tuple[int, str] | None:
    """Return a hydrogen that is none: a T that is no tritium, or the only type of LAMMPS."""
    chosen = set(names.tritium)
    if names.are_numbers and (atoms.numbers == 1).all():
        chosen = set(range(len(atoms)))
    if not chosen:
        return None
    return no_hydrogen(atoms, chosen)


def _doubt_geometry(atoms: "Atoms", names: _Names, frame: _Frame) -> None:
    """Refuse names that stand where their element cannot be."""
    if len(atoms) < 2 or not np.isfinite(atoms.positions).all():
        return
    try:
        check_cell(np.asarray(atoms.cell[:], dtype=float), np.asarray(atoms.pbc, dtype=bool))
    except StructureError:
        return  # the cell is worse than that, and the checks say how
    suspects = np.arange(len(atoms)) if names.are_numbers else np.array(names.capitals, dtype=int)
    found = impossible_neighbour(atoms, suspects) if len(suspects) else None
    found = found or _lonely(atoms, names)
    if found is not None:
        i, why = found
        word = frame.rows[i].split(None, 1)[0]
        raise StructureError(
            f"atom {i} (counted from 0, line {frame.line + 2 + i}): {short(word)} reads as "
            f"{atoms.symbols[i]}, but {why}; write the symbol of its element (Ca for calcium, C "
            "for an alpha carbon)"
        )


def _diagnosis(frame: _Frame, columns: str, error: Exception) -> str:
    """Find the line that ase could not read."""
    for i, row in enumerate(frame.rows if columns == _DEFAULT_COLUMNS else []):
        coordinates = row.replace("*^", "e").split()[1:4]
        where = f"atom {i} (counted from 0, line {frame.line + 2 + i})"
        if len(coordinates) < 3:
            return f"{where} has {len(coordinates)} coordinates instead of 3; complete the line"
        for word in coordinates:
            try:
                as_float(word)
            except ValueError:
                advice = decimal_comma(word) or "correct it"
                return f"{where}: the coordinate {short(word)} is not a number; {advice}"
    return (
        f"the frame at line {frame.line} does not agree with its comment line ({reason(error)}); "
        "correct its Properties, Lattice and pbc"
    )
