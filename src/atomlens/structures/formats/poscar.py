"""POSCAR and CONTCAR: checked line by line for clear messages, then read by ase."""

import math
import re
from collections import Counter
from collections.abc import Iterator
from functools import partial
from io import StringIO
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from atomlens.elements import SYMBOLS
from atomlens.elements.naming import chemical_formula
from atomlens.errors import StructureError
from atomlens.printing import counted, short
from atomlens.structures.distance_doubts import far_fractions
from atomlens.structures.formulas import amounts_in_formula
from atomlens.structures.records import (
    DEUTERIUM_NOTICE,
    Entry,
    add_warning,
    as_float,
    attempt,
    check_tritium,
    decimal_comma,
)

if TYPE_CHECKING:
    from ase import Atoms


def read_poscar(text: str) -> list[Entry]:
    """Return the structures of a POSCAR or XDATCAR, periodic in all directions.

    A POSCAR holds one, and further ones if they stand behind it; an XDATCAR one a frame.
    """
    lines = text.splitlines()
    try:
        frames = list(_frames(lines))
    except StructureError as error:
        return [Entry("", None, str(error))]
    return [
        frame if isinstance(frame, Entry) else attempt("", partial(_build, frame), "POSCAR")
        for frame in frames
    ]


class _Frame(NamedTuple):
    """The lines of one structure."""

    header: list[str]
    """Up to the line that says direct or Cartesian"""
    rows: list[str]
    first_row: int
    """Line number of the first row, counted from 0"""
    counts: list[int]


def _frames(lines: list[str]) -> Iterator["_Frame | Entry"]:
    """Yield the frames, or an entry with the problem where a later one breaks off."""
    n_header, counts = _check_header(lines)
    header, start, n_atoms = lines[:n_header], n_header, sum(counts)
    while True:
        end = start + n_atoms
        if end < len(lines) and len(_numbers(lines[end])) == 3:
            n_rows = next(
                (i for i, row in enumerate(lines[start:]) if len(_numbers(row)) < 3),
                len(lines) - start,
            )
            yield Entry(
                "",
                None,
                f"it announces {counted(n_atoms, 'atom')}, but "
                f"{counted(n_rows, 'position', 'follow')}; correct the "
                "numbers of atoms",
            )
            return
        yield _Frame(header, lines[start : start + n_atoms], start, counts)
        while end < len(lines) and not lines[end].strip():
            end += 1
        if end < len(lines) and _CONFIGURATION.match(lines[end]):
            start = end + 1
            continue
        following = _next_header(lines, end)
        if following is None:
            return  # velocities and the like
        try:
            n_header, counts = _check_header(lines[following:])
        except StructureError as error:
            yield Entry("", None, f"the structure from line {following + 1} on: {error}")
            return
        header = lines[following : following + n_header]
        start, n_atoms = following + n_header, sum(counts)


_CONFIGURATION = re.compile(
    r"\s*(Direct|Cartesian|Konfig\w*)\s*(configuration)?\s*=", re.IGNORECASE
)
"""The line that begins a frame of an XDATCAR."""


_MODE = re.compile(r"(?:[ck](?:ar\w*)?(?!\w)|d\w*|frac|fract\w*|rel\w*|s\w*)", re.IGNORECASE)
"""Direct or Cartesian. VASP looks at the first letter alone, but nobody who writes Crystal (the
fractions of Quantum ESPRESSO) or Angstrom means what VASP would take them for."""


def _next_header(lines: list[str], start: int) -> int | None:
    """Return the line where another structure begins; velocities and cells of MD are none."""
    for i in range(start, len(lines) - 6):
        if len(lines[i + 1].split()) != 1 or len(_numbers(lines[i + 1])) != 1:
            continue
        if any(len(_numbers(line)) < 3 for line in lines[i + 2 : i + 5]):
            continue
        words, numbers = lines[i + 5].split(), lines[i + 6].split()
        if not words or not numbers:
            continue
        names = [w.split("/")[0].split("_")[0] for w in words]
        if all(n in SYMBOLS[1:] for n in names) and all(n.isdecimal() for n in numbers):
            return i
    return None


def _build(frame: _Frame) -> "Atoms":
    from ase.io.vasp import read_vasp

    _check_rows(frame.rows, sum(frame.counts), frame.first_row)
    header, has_deuterium = _without_deuterium(frame.header)
    if _CONFIGURATION.match(header[-1]):
        header = [*header[:-1], header[-1].split("=")[0]]
    rows = frame.rows
    if header[-2].strip()[:1].lower() == "s":  # what may move is no part of the structure
        header = [*header[:-2], header[-1]]
        rows = [" ".join(row.split()[:3]) for row in rows]
    atoms: Atoms = read_vasp(StringIO("\n".join([*header, *rows]) + "\n"))
    atoms.set_constraint()
    _doubt_names(atoms, frame)
    _check_tritium(atoms, frame)
    if frame.header[-1].strip()[:1].lower() not in ("c", "k"):
        far = far_fractions(np.array([_numbers(row) for row in frame.rows]))
        if far:
            add_warning(atoms, far)
    if has_deuterium:
        add_warning(atoms, DEUTERIUM_NOTICE)
    return atoms


def _check_tritium(atoms: "Atoms", frame: _Frame) -> None:
    """Refuse a T that stands where no hydrogen can: the place of a silicon in a zeolite."""
    words = frame.header[5].split()
    names = [word.split("/")[0].split("_")[0] for word in words]
    called = [name for name, n in zip(names, frame.counts, strict=False) for _ in range(n)]
    check_tritium(atoms, called, "correct the line of elements")


def _doubt_names(atoms: "Atoms", frame: _Frame) -> None:
    """Note names behind the positions, and a title, that are not those of the elements' line."""
    symbols = atoms.get_chemical_symbols()
    for i, row in enumerate(frame.rows):
        name = _name_behind(row)
        if name and name != symbols[i]:
            add_warning(
                atoms,
                f"line {frame.first_row + i + 1} calls atom {i} (counted from 0) {name}, the line "
                f"of elements makes it {symbols[i]}; the latter was taken",
            )
            break
    title = frame.header[0].strip()
    if not agrees_with_title(atoms, title):
        add_warning(
            atoms,
            f"its title is {short(title)}, but its atoms are {chemical_formula(atoms.numbers)}; "
            "the atoms were taken",
        )


_NAME = re.compile(r"([A-Z][a-z]?)(?:\d{0,3}[+-]{1,2}\d?|_?\d+[a-z]?|_[a-z]{1,2}\w*)?")
"""An element, or one with an oxidation state, a number or the name of its potential."""


def _name_behind(row: str) -> str:
    """Return the element that is named behind a position, or behind its flags; empty without one.

    Programs write ``Cl``, ``Cl1``, ``Cl-`` (pymatgen) or the same behind ``!`` and ``#``.
    """
    before, mark, comment = re.match(r"([^!#]*)([!#]?)\s*(.*)", row).groups()  # type: ignore[union-attr]
    words = before.split()[3:]
    if words[:3] and all(re.fullmatch(r"\.?[TF]\w*\.?", word, re.IGNORECASE) for word in words[:3]):
        words = words[3:] if len(words) >= 3 else []
    candidates = [*words[:1], *(comment.split()[:1] if mark else [])]
    for word in candidates:
        found = _NAME.fullmatch(word)
        if found and found[1] in SYMBOLS[1:]:
            return found[1]
    return ""


def agrees_with_title(atoms: "Atoms", title: str) -> bool:
    """Say whether atoms are those of a title, if it is a formula or a list of elements."""
    counts = Counter(atoms.get_chemical_symbols())
    words = title.split()
    if len(words) > 1 and all(word in SYMBOLS[1:] for word in words):
        return set(words) == set(counts)  # ase's title: the elements, without amounts
    return _agrees_with_formula(counts, title)


def _agrees_with_formula(counts: Counter[str], title: str) -> bool:
    """Say whether atoms have the proportions of a title; one that is no formula agrees."""
    try:
        amounts = amounts_in_formula(title, adducts=False)
    except StructureError:
        return True
    if len(amounts) < 2 or any(n != int(n) for n in amounts.values()):
        return True
    ratios = {float(amounts[s]) / counts[s] if s in counts else 0.0 for s in amounts}
    return set(amounts) == set(counts) and max(ratios) <= 1.001 * min(ratios)


def _check_header(lines: list[str]) -> tuple[int, list[int]]:
    """Return the number of lines before the coordinates, and the atoms of each element."""
    if len(lines) < 7:
        raise StructureError(
            f"it has {counted(len(lines), 'line')}, fewer than the header of a POSCAR, so the "
            "file is cut off or of another kind; get a complete copy"
        )
    if len(_numbers(lines[1])) not in (1, 3):
        raise StructureError(
            f"line 2 is {short(lines[1])} where a POSCAR has its scale (1 or 3 numbers); correct "
            "it or give the file the extension of its real kind"
        )
    for i in (2, 3, 4):
        if len(_numbers(lines[i])) < 3:
            otherwise = "correct it or give the file the extension of its real kind"
            raise StructureError(
                f"line {i + 1} is {short(lines[i])} where a POSCAR has a lattice vector (3 "
                f"numbers); {_advice(lines[i], otherwise)}"
            )
    first = lines[5].split()
    has_symbols = bool(first) and not first[0].isdecimal()
    symbols = first if has_symbols else _symbols_of_title(lines)
    counts = _counts(lines, 6 if has_symbols else 5)
    if len(symbols) < len(counts):
        raise StructureError(
            f"it names {counted(len(symbols), 'element')} for {len(counts)} numbers of atoms; "
            "write one element for each number in the line above the numbers"
        )
    more = [word for word in symbols[len(counts) :] if word in SYMBOLS[1:]]
    if more and len(more) == len(symbols) - len(counts):
        raise StructureError(
            f"it names {counted(len(symbols), 'element')} for {len(counts)} numbers of atoms; "
            f"write a number for {more[0]}, or remove it"
        )
    for word in symbols[: len(counts)]:
        symbol = word.split("/")[0].split("_")[0]
        if symbol not in SYMBOLS[1:] and symbol not in ("D", "T"):
            raise StructureError(f"{symbol!r} is not an element; correct the line of elements")
    n_header = 8 if has_symbols else 7
    if n_header <= len(lines) and lines[n_header - 1].strip()[:1].lower() == "s":
        n_header += 1
    mode = lines[n_header - 1].strip() if n_header <= len(lines) else "x"
    if not _MODE.match(mode) and not _CONFIGURATION.match(mode):
        raise StructureError(
            f"line {n_header} is {short(mode)} where a POSCAR says Direct or Cartesian; write one "
            "of them above the positions"
        )
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
    """Return the elements of the old format (VASP 4), which are the title if it has them.

    A title of other words is none, though some of them may look like elements (``In As bulk``).
    """
    symbols = lines[0].split()
    if len(symbols) != len(lines[5].split()) or any(s not in SYMBOLS[1:] for s in symbols):
        raise StructureError(
            "the line of elements above the numbers of atoms is missing (the old format of VASP "
            "4); add it"
        )
    return symbols


def _check_rows(rows: list[str], n_atoms: int, n_header: int) -> None:
    filled = next((i for i, row in enumerate(rows) if not row.strip()), len(rows))
    if filled < n_atoms:
        raise StructureError(
            f"it announces {counted(n_atoms, 'atom')}, but only "
            f"{counted(filled, 'position', 'follow')}, so the file is cut "
            "off; get a complete copy"
        )
    for i, row in enumerate(rows):
        if len(_numbers(row)) < 3:
            raise StructureError(
                f"atom {i} (counted from 0, line {n_header + i + 1}): the position {short(row)} "
                f"is not three finite numbers; {_advice(row)}"
            )


def _advice(row: str, otherwise: str = "correct it") -> str:
    return next(filter(None, map(decimal_comma, row.split())), otherwise)


def _without_deuterium(lines: list[str]) -> tuple[list[str], bool]:
    words = lines[5].split()
    changed = ["H" if w.split("_")[0] in ("D", "T") else w for w in words]
    return [*lines[:5], " ".join(changed), *lines[6:]], changed != words


def _numbers(line: str) -> list[float]:
    """Return the finite numbers that a line begins with, at most three."""
    numbers: list[float] = []
    for word in line.split():
        try:
            value = as_float(word)
        except ValueError:
            break
        if not math.isfinite(value):
            break
        numbers.append(value)
    return numbers[:3]
