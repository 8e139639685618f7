"""Files of other programs, through ase's readers: trajectories, XSF, GEN, pw.x.

All of them write elements, cell and units in full, so there is nothing to guess. Formats that
number their kinds of atoms (LAMMPS) or leave out the cell are not among them.
"""

import json
import math
import re
import struct
from collections.abc import Iterator, Sequence
from io import StringIO
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from atomlens.elements import SYMBOLS
from atomlens.errors import StructureError
from atomlens.structures.records import Entry, attempt, keep_results, quiet, short

if TYPE_CHECKING:
    from ase import Atoms


def read_trajectory(path: Path) -> list[Entry]:
    """Return one entry a frame of a trajectory of ase, its energy and charges in ``info``."""
    from ase.io.trajectory import TrajectoryReader

    _check_sizes(path)
    with path.open("rb") as stream, TrajectoryReader(stream) as frames:
        return [attempt("", lambda i=i: _taken(frames[i]), "frame") for i in range(len(frames))]  # type: ignore[misc]


_ULM_HEAD = struct.Struct("<8s16sqqq")
"""Magic, kind, version, number of items and place of the list of their places, little-endian."""


def _check_sizes(path: Path) -> None:
    """Raise a StructureError where a trajectory announces more than its file holds.

    ase makes room for what is announced before it reads (format: ase's ``ulm``, 8-byte integers).
    """
    size = path.stat().st_size

    def check(start: int, n: int) -> None:
        if start < 0 or n < 0 or start + n > size:
            raise StructureError("it breaks off or is damaged; get a complete copy")

    with path.open("rb") as stream:

        def cut(start: int, n: int) -> bytes:
            check(start, n)
            stream.seek(start)
            return stream.read(n)

        magic, _, _, n_items, place = _ULM_HEAD.unpack(cut(0, _ULM_HEAD.size))
        if magic != b"- of Ulm":
            raise StructureError(
                "it is no trajectory of ase; give it the extension of its real kind"
            )
        for (start,) in struct.iter_unpack("<q", cut(place, 8 * min(n_items, size))):
            (length,) = struct.unpack("<q", cut(start, 8))
            for shape, kind, at in _arrays_in(json.loads(cut(start + 8, length))):
                check(int(at), math.prod(map(int, shape)) * np.dtype(kind).itemsize)


def _arrays_in(item: Any) -> Iterator[Any]:
    """Yield shape, type and place of each array that a frame says it has."""
    for key, value in item.items() if isinstance(item, dict) else ():
        if key == "ndarray":
            yield value
        else:
            yield from _arrays_in(value)


def read_xsf(text: str) -> list[Entry]:
    """Return one entry a frame of an XSF file of XCrySDen; its grids are not read."""
    lines = text.split("\n")
    for at, line in enumerate(lines):
        if line.strip().upper().startswith("PRIMCOORD") and at + 1 < len(lines):
            n = re.match(r"\s*(\d+)", lines[at + 1])
            _agree("PRIMCOORD", n, _rows_of_atoms(lines[at + 2 :], r"\s*\w+"), at + 2)
    return _through_ase(text, "xsf", ":")


def read_gen(text: str) -> list[Entry]:
    """Return the structure of a GEN file of DFTB+."""
    lines = [line for line in text.split("\n") if not line.lstrip().startswith("#")]
    kind = re.match(r"\s*\d+\s+([A-Za-z])", lines[0])
    if kind and kind[1].upper() == "H":
        raise StructureError("it is a helix (kind H), which is not read; convert it to a supercell")
    names = lines[1].split() if len(lines) > 1 else []
    unknown = next((name for name in names if name not in SYMBOLS[1:]), None)
    if unknown:
        raise StructureError(f"line 2: {short(unknown)} is not an element; correct it")
    _agree("The first line", re.match(r"\s*(\d+)", lines[0]), _rows_of_atoms(lines[2:]), 1)
    return _through_ase(text, "gen", ":")


def read_espresso(text: str) -> list[Entry]:
    """Return the structure of an input of pw.x (Quantum ESPRESSO) with ``ibrav=0``."""
    plain = re.sub(r"[!#].*", "", text)
    lattice = re.search(r"\bibrav\s*=\s*(-?\d+)", plain)
    if lattice and lattice[1] != "0":
        raise StructureError(
            f"ibrav={lattice[1]} leaves the cell to pw.x; write ibrav=0 and CELL_PARAMETERS"
        )
    if re.search(r"^\s*ATOMIC_POSITIONS.*crystal_sg", plain, re.MULTILINE | re.IGNORECASE):
        raise StructureError(
            "ATOMIC_POSITIONS crystal_sg lists a part of the atoms; write all of them"
        )
    card = re.search(r"^\s*ATOMIC_POSITIONS.*\n((?:.*\n?)*)", plain, re.MULTILINE | re.IGNORECASE)
    if card is None:
        raise StructureError("there are no ATOMIC_POSITIONS; add them")
    rows = _rows_of_atoms(card[1].split("\n"), r"\s*[A-Za-z]\S*")
    _agree("&SYSTEM", re.search(r"\bnat\s*=\s*(\d+)", plain), rows)
    return _through_ase(text, "espresso-in")


_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][-+]?\d+)?"


def _rows_of_atoms(lines: Sequence[str], start: str = r"\s*\d+\s+\d+") -> int:
    """Return how many of the first lines are atoms: ``start`` and three numbers."""
    row = re.compile(rf"{start}(?:\s+{_NUMBER}){{3}}(?:\s|$)")
    filled = (line for line in lines if line.strip())
    return sum(1 for _ in takewhile(row.match, filled))


def _agree(where: str, said: re.Match[str] | None, n: int, line: int = 0) -> None:
    """Raise a StructureError where a file announces another number of atoms than it lists."""
    if said is None:
        raise StructureError(f"{where} does not say how many atoms there are; add their number")
    if int(said[1]) != n:
        place = f" (line {line})" if line else ""
        raise StructureError(
            f"{where}{place} says {said[1]} atoms, and {n} follow; correct the one that is wrong"
        )


def _through_ase(text: str, format_name: str, index: str | int = 0) -> list[Entry]:
    from ase.io import read

    with quiet():
        found = read(StringIO(text), index=index, format=format_name)
    frames = found if isinstance(found, list) else [found]
    return [attempt("", lambda atoms=atoms: _taken(atoms), "frame") for atoms in frames]  # type: ignore[misc]


def _taken(atoms: "Atoms") -> "Atoms":
    keep_results(atoms)
    atoms.set_constraint()
    if not atoms.pbc.any():
        atoms.cell[:] = 0.0
    return atoms
