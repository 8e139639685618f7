"""POSCAR and CONTCAR: checked line by line for clear messages, then read by ase."""

import math
from io import StringIO
from typing import TYPE_CHECKING

from atomlens.elements import SYMBOLS
from atomlens.errors import StructureError
from atomlens.structures.records import DEUTERIUM_NOTICE, Entry, add_warning, attempt, short

if TYPE_CHECKING:
    from ase import Atoms


def read_poscar(text: str) -> list[Entry]:
    """Return the one structure of a POSCAR, periodic in all directions."""
    return [attempt("", lambda: _build(text), "POSCAR")]


def _build(text: str) -> "Atoms":
    from ase.io.vasp import read_vasp

    lines = text.splitlines()
    n_header, counts = _check_header(lines)
    n_atoms = sum(counts)
    rows = lines[n_header : n_header + n_atoms]
    _check_rows(rows, n_atoms, n_header)
    lines, has_deuterium = _without_deuterium(lines)
    body = "\n".join(lines[: n_header + n_atoms]) + "\n"
    atoms: Atoms = read_vasp(StringIO(body))
    atoms.set_constraint()
    if has_deuterium:
        add_warning(atoms, DEUTERIUM_NOTICE)
    return atoms


def _check_header(lines: list[str]) -> tuple[int, list[int]]:
    """Return the number of lines before the coordinates, and the atoms of each element."""
    if len(lines) < 7:
        raise StructureError(
            f"it has {len(lines)} lines, fewer than the header of a POSCAR, so the file is cut off "
            "or of another kind; get a complete copy"
        )
    if len(_numbers(lines[1])) not in (1, 3):
        raise StructureError(
            f"line 2 is {short(lines[1])} where a POSCAR has its scale (1 or 3 numbers); correct "
            "it or give the file the extension of its real kind"
        )
    for i in (2, 3, 4):
        if len(_numbers(lines[i])) < 3:
            raise StructureError(
                f"line {i + 1} is {short(lines[i])} where a POSCAR has a lattice vector (3 "
                "numbers); correct it or give the file the extension of its real kind"
            )
    first = lines[5].split()
    has_symbols = bool(first) and not first[0].isdecimal()
    symbols = first if has_symbols else _symbols_of_title(lines)
    counts = _counts(lines, 6 if has_symbols else 5)
    if len(symbols) < len(counts):
        raise StructureError(
            f"it names {len(symbols)} elements for {len(counts)} numbers of atoms; write one "
            "element for each number in the line above the numbers"
        )
    for word in symbols[: len(counts)]:
        symbol = word.split("/")[0].split("_")[0]
        if symbol not in SYMBOLS[1:] and symbol not in ("D", "T"):
            raise StructureError(f"{symbol!r} is not an element; correct the line of elements")
    n_header = 8 if has_symbols else 7
    if n_header <= len(lines) and lines[n_header - 1].strip()[:1].lower() == "s":
        n_header += 1
    return n_header, counts


def _counts(lines: list[str], i: int) -> list[int]:
    words = lines[i].partition("!")[0].split() if i < len(lines) else []
    if (
        not words
        or not all(w.isdecimal() and len(w) < 10 for w in words)
        or not any(map(int, words))
    ):
        raise StructureError(
            f"line {i + 1} is {short(lines[i] if i < len(lines) else '')} where a POSCAR has the "
            "number of atoms of each element; correct it"
        )
    return [int(word) for word in words]


def _symbols_of_title(lines: list[str]) -> list[str]:
    """Return the elements of the old format (VASP 4), which stand in the title if anywhere."""
    symbols = lines[0].split()
    if not symbols or any(s not in SYMBOLS[1:] for s in symbols[: len(lines[5].split())]):
        raise StructureError(
            "the line of elements above the numbers of atoms is missing (the old format of VASP "
            "4); add it"
        )
    return symbols


def _check_rows(rows: list[str], n_atoms: int, n_header: int) -> None:
    filled = next((i for i, row in enumerate(rows) if not row.strip()), len(rows))
    if filled < n_atoms:
        raise StructureError(
            f"it announces {n_atoms} atoms, but only {filled} positions follow, so the file is cut "
            "off; get a complete copy"
        )
    for i, row in enumerate(rows):
        if len(_numbers(row)) < 3:
            raise StructureError(
                f"atom {i} (counted from 0, line {n_header + i + 1}): the position {short(row)} "
                "is not three finite numbers; correct it"
            )


def _without_deuterium(lines: list[str]) -> tuple[list[str], bool]:
    words = lines[5].split()
    changed = ["H" if w.split("_")[0] in ("D", "T") else w for w in words]
    return [*lines[:5], " ".join(changed), *lines[6:]], changed != words


def _numbers(line: str) -> list[float]:
    """Return the finite numbers that a line begins with, at most three."""
    numbers: list[float] = []
    for word in line.split():
        try:
            value = float(word)
        except ValueError:
            break
        if not math.isfinite(value):
            break
        numbers.append(value)
    return numbers[:3]
