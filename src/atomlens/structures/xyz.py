"""XYZ and extended XYZ, one frame or many. ase reads each frame."""

import re
from collections.abc import Iterator
from io import StringIO
from typing import TYPE_CHECKING, NamedTuple

from atomlens.elements import SYMBOLS
from atomlens.errors import StructureError
from atomlens.structures.records import (
    DEUTERIUM_NOTICE,
    Entry,
    add_warning,
    attempt,
    keep_results,
    reason,
    short,
)

if TYPE_CHECKING:
    from ase import Atoms

_DEFAULT_COLUMNS = "species:S:1:pos:R:3"


class _Frame(NamedTuple):
    """The lines of one frame, and where they begin in the file."""

    comment: str
    rows: list[str]
    line: int
    """Line number of the frame's number of atoms, counted from 1."""


def read_xyz(text: str) -> list[Entry]:
    """Return one entry a frame; a broken frame does not take the good ones with it."""
    entries = []
    for frame in _frames(text):
        if isinstance(frame, str):
            entries.append(Entry("", None, frame))
            continue
        entry = attempt("", lambda frame=frame: _build(frame), "frame")  # type: ignore[misc]
        name = entry.atoms.info.get("name") if entry.atoms is not None else None
        entries.append(entry._replace(name=str(name) if name is not None else ""))
    return entries


def _frames(text: str) -> Iterator[_Frame | str]:
    """Yield the frames, or a sentence where the file stops making sense."""
    lines = text.splitlines()
    start = 0
    while start < len(lines):
        if not lines[start].strip():
            start += 1
            continue
        count = _count(lines[start])
        if count is None:
            if start and lines[1].startswith("gdb "):
                return  # QM9's own files go on with frequencies, SMILES and InChI
            yield (
                f"line {start + 1} is {short(lines[start])} where XYZ has the number of atoms; "
                "correct the file or give it the extension of its real kind"
            )
            return
        rows = lines[start + 2 : start + 2 + count]
        if len(rows) < count:
            yield (
                f"line {start + 1} announces {count} atoms, but only {len(rows)} lines follow, so "
                "the file is cut off; get a complete copy"
            )
            return
        yield _Frame(lines[start + 1] if start + 1 < len(lines) else "", rows, start + 1)
        start += 2 + count


def _count(line: str) -> int | None:
    return int(line) if re.fullmatch(r"\s*\d{1,9}\s*", line) else None


def _build(frame: _Frame) -> "Atoms":
    from ase.io.extxyz import read_xyz as read_extended

    if not frame.rows:
        raise StructureError("there is no atom in it; give a structure with at least one atom")
    properties = re.search(r'Properties\s*=\s*"?([^\s"]+)', frame.comment, re.IGNORECASE)
    columns = properties[1] if properties else _DEFAULT_COLUMNS
    rows, has_deuterium = frame.rows, False
    if columns.startswith("species:S:1:pos:R:3"):
        rows, has_deuterium = _with_elements(frame)
    comment = frame.comment if "=" in frame.comment else ""
    source = StringIO("\n".join([str(len(rows)), comment, *rows, ""]))
    try:
        atoms: Atoms = next(iter(read_extended(source, index=slice(None))))
    except Exception as error:
        raise StructureError(_diagnosis(frame, columns, error)) from error
    if not comment and frame.comment.strip():
        atoms.info["comment"] = frame.comment.strip()
    keep_results(atoms)
    if not atoms.pbc.any():
        atoms.cell[:] = 0.0
    if has_deuterium:
        add_warning(atoms, DEUTERIUM_NOTICE)
    return atoms


def _with_elements(frame: _Frame) -> tuple[list[str], bool]:
    """Return the rows with proper symbols in the first column, and if there was deuterium."""
    rows, has_deuterium = [], False
    for i, row in enumerate(frame.rows):
        first, rest = [*row.split(None, 1), "", ""][:2]
        symbol = first.capitalize()
        if symbol.isdecimal() and 0 < int(symbol) < len(SYMBOLS):
            symbol = SYMBOLS[int(symbol)]
        elif symbol in ("D", "T"):
            symbol, has_deuterium = "H", True
        elif symbol not in SYMBOLS[1:]:
            raise StructureError(
                f"atom {i} (counted from 0, line {frame.line + 2 + i}): {short(first)} is not an "
                "element; correct or remove the atom"
            )
        rows.append(f"{symbol} {rest.replace('*^', 'e')}")
    return rows, has_deuterium


def _diagnosis(frame: _Frame, columns: str, error: Exception) -> str:
    """Find the line that ase could not read."""
    for i, row in enumerate(frame.rows if columns == _DEFAULT_COLUMNS else []):
        coordinates = row.replace("*^", "e").split()[1:4]
        where = f"atom {i} (counted from 0, line {frame.line + 2 + i})"
        if len(coordinates) < 3:
            return f"{where} has {len(coordinates)} coordinates instead of 3; complete the line"
        for word in coordinates:
            try:
                float(word)
            except ValueError:
                return f"{where}: the coordinate {short(word)} is not a number; correct it"
    return (
        f"the frame at line {frame.line} does not agree with its comment line ({reason(error)}); "
        "correct its Properties, Lattice and pbc"
    )
