"""Files of other programs: trajectories, XSF, GEN, pw.x, OUTCAR through ase's readers, FHI-aims.

All of them write elements, cell and units in full, so there is nothing to guess. Formats that
number their kinds of atoms are in ``lammps.py``.
"""

import json
import math
import re
import struct
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from io import StringIO
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from atomlens.elements import SYMBOLS
from atomlens.elements.masses import ATOMIC_MASSES
from atomlens.elements.naming import chemical_formula
from atomlens.errors import StructureError
from atomlens.printing import counted, short
from atomlens.structures.formats.poscar import agrees_with_title
from atomlens.structures.records import (
    DEUTERIUM_NOTICE,
    ISOTOPE_NOTICE,
    Entry,
    add_warning,
    as_float,
    attempt,
    keep_results,
    quiet,
    refuse_odd_numbers,
    tell_electrons,
    without_unused_cell,
)

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
    lines = [re.sub(r"#.*|^\s*MOLECULE\s*$", "", line) for line in text.split("\n")]
    heads = [line.strip().upper() for line in lines]
    for at, head in enumerate(heads):
        if head.startswith("PRIMCOORD") and at + 1 < len(lines):
            n = re.match(r"\s*(\d+)", lines[at + 1])
            _agree("PRIMCOORD", n, _rows_of_atoms(lines[at + 2 :], r"\s*\w+"), at + 2)
    steps = next((m for head in heads if (m := re.match(r"ANIMSTEPS\s+(\d+)", head))), None)
    n_said = int(steps[1]) if steps else 1
    n_frames = sum(bool(re.match(r"(PRIMCOORD|ATOMS)\b", head)) for head in heads)
    if n_frames not in (0, n_said):
        said_by = f"ANIMSTEPS says {n_said}" if steps else "there is no ANIMSTEPS"
        raise StructureError(
            f"it has {counted(n_frames, 'frame')}, and {said_by}; correct the line ANIMSTEPS"
        )
    return _through_ase("\n".join(lines), "xsf", ":")


def read_gen(text: str) -> list[Entry]:
    """Return one entry a geometry of a GEN file of DFTB+, which may append them to each other."""
    filled = [
        (number, line)
        for number, line in enumerate(text.split("\n"), start=1)
        if line.partition("#")[0].strip()
    ]
    entries: list[Entry] = []
    while filled:
        try:
            end = _end_of_geometry(filled)
        except StructureError as error:
            if not entries:
                raise
            return [*entries, Entry("", None, str(error))]
        own = "\n".join([*(line for _, line in filled[:end]), ""])
        own = re.sub(r"^(\s*\d+\s+)([a-z])", lambda m: m[1] + m[2].upper(), own)
        entries.append(attempt("", lambda own=own: _one_through_ase(own, "gen"), "geometry"))  # type: ignore[misc]
        filled = filled[end:]
    return entries


def _end_of_geometry(filled: Sequence[tuple[int, str]]) -> int:
    """Return how many lines the first geometry of a GEN file has; each has its number beside it."""
    head = re.match(r"\s*(\d+)\s+([A-Za-z])", filled[0][1])
    kind = head[2].upper() if head else ""
    if kind == "H":
        raise StructureError("it is a helix (kind H), which is not read; convert it to a supercell")
    names = filled[1][1].split() if len(filled) > 1 else []
    unknown = next((name for name in names if name not in SYMBOLS[1:]), None)
    if unknown:
        raise StructureError(f"line {filled[1][0]}: {short(unknown)} is not an element; correct it")
    rows = _rows_of_atoms([line for _, line in filled[2:]])
    _agree("The first line", re.match(r"\s*(\d+)", filled[0][1]), rows, filled[0][0])
    return 2 + rows + (4 if kind in ("S", "F") else 0)


def read_espresso(text: str) -> list[Entry]:
    """Return the structure of an input of pw.x (Quantum ESPRESSO) with ``ibrav=0``."""
    text = _as_ase_reads(text)
    plain = re.sub(r"[!#].*", "", text)
    lattice = re.search(r"\bibrav\s*=\s*(-?\d+)", plain, re.IGNORECASE)
    if lattice is None:
        raise StructureError("&SYSTEM does not say ibrav; write ibrav=0 and CELL_PARAMETERS")
    if lattice[1] != "0":
        raise StructureError(
            f"ibrav={lattice[1]} leaves the cell to pw.x; write ibrav=0 and CELL_PARAMETERS"
        )
    if re.search(r"^\s*ATOMIC_POSITIONS.*crystal_sg", plain, re.MULTILINE | re.IGNORECASE):
        raise StructureError(
            "ATOMIC_POSITIONS crystal_sg lists a part of the atoms; write all of them"
        )
    for name, unit in re.findall(_UNIT_OF_CARD, plain):
        if unit.lower() not in _UNITS_OF_CARDS[name.upper()]:
            raise StructureError(
                f"{name.upper()} {short(unit)} is no unit of pw.x; write one of "
                f"{', '.join(filter(None, _UNITS_OF_CARDS[name.upper()]))}"
            )
    card = re.search(r"^\s*ATOMIC_POSITIONS.*\n((?:.*\n?)*)", plain, re.MULTILINE | re.IGNORECASE)
    if card is None:
        raise StructureError("there are no ATOMIC_POSITIONS; add them")
    rows = _rows_of_atoms(card[1].split("\n"), r"\s*[A-Za-z]\S*", _EXPRESSION)
    _agree("&SYSTEM", re.search(r"\bnat\s*=\s*(\d+)", plain, re.IGNORECASE), rows)
    vectors = re.search(rf"^\s*CELL_PARAMETERS.*\n{_VECTORS}", plain, re.MULTILINE | re.IGNORECASE)
    if vectors is None:
        raise StructureError(
            "there are no CELL_PARAMETERS with three rows of three numbers, which ibrav=0 needs; "
            "add them"
        )
    filled = [line.split() for line in card[1].split("\n") if line.strip()]
    isotopes = _check_species(plain, {words[0] for words in filled[:rows]})
    entries = _through_ase(text, "espresso-in")
    alone = re.search(r"\bassume_isolated\s*=\s*['\"](?!none)(\w[^'\"]*)", plain, re.IGNORECASE)
    charge = re.search(r"\btot_charge\s*=\s*([-+\d.]+)", plain, re.IGNORECASE)
    for atoms in (entry.atoms for entry in entries if entry.atoms is not None):
        for said in isotopes:
            add_warning(atoms, said)
        if alone:
            add_warning(
                atoms,
                f"assume_isolated={short(alone[1])} says that it does not repeat in all "
                "directions, and it was read as a crystal",
            )
        tell_electrons(atoms, float(charge[1]) if charge else 0.0, 0.0)
    return entries


_EXPRESSION = r"[-+(]*[\d.]\S*"
"""A number, or what pw.x calculates one from: 1/3."""
_VECTORS = rf"(?:[ \t]*{_EXPRESSION}(?:[ \t]+{_EXPRESSION}){{2}}[ \t]*(?:\n\s*|\Z)){{3}}"


def _as_ase_reads(text: str) -> str:
    """Return an input of pw.x without what ase passes over or takes for something else.

    Comments behind a card may name another unit than the card does, ``A`` is the lattice parameter
    in Å, and exponents may be written with a ``d``.
    """
    from ase.units import Bohr

    lines = (line for line in text.split("\n") if re.match(r"\s*[^\s!#]", line))
    plain = re.sub(r"!.*", "", "\n".join(lines))
    plain = re.sub(r"(?<=[\d.])[dD](?=[-+]?\d)", "e", plain)
    plain = re.sub(_CARD, lambda card: card[0].upper(), plain)
    if not re.search(_LATTICE_PARAMETER, plain):
        plain = re.sub(
            rf"(?im)(?<![^\s,])A\s*=\s*({_NUMBER})",
            lambda found: f"celldm(1)={float(found[1]) / Bohr!r}",
            plain,
            count=1,
        )
    return plain if re.search(_LATTICE_PARAMETER, plain) else _with_lattice_parameter(plain)


def _with_lattice_parameter(text: str) -> str:
    """Return an input of pw.x whose positions are in alat with that of pw.x where it gives none.

    That is the length of the first vector of the cell.
    """
    from ase.units import Bohr

    units = {name.upper(): unit.lower() for name, unit in re.findall(_UNIT_OF_CARD, text)}
    card = re.search(rf"(?im)^\s*CELL_PARAMETERS.*\n({_VECTORS})", text)
    if units.get("ATOMIC_POSITIONS") not in ("", "alat") or card is None:
        return text
    words = card[1].split()
    if units["CELL_PARAMETERS"] == "alat" or not all(re.fullmatch(_NUMBER, w) for w in words):
        return text
    vectors = np.array(words, dtype=np.float64).reshape(3, 3)
    length = float(np.linalg.norm(vectors[0]))
    if not length:
        return text
    rows = "".join(" ".join(map(repr, row)) + "\n" for row in (vectors / length).tolist())
    in_bohr = length / Bohr if units["CELL_PARAMETERS"] == "angstrom" else length
    text = text[: card.start()] + f"\nCELL_PARAMETERS alat\n{rows}" + text[card.end() :]
    return re.sub(r"(?i)(\bibrav\s*=\s*0)", rf"\1, celldm(1)={in_bohr!r}", text, count=1)


_LATTICE_PARAMETER = r"(?i)celldm\s*\(\s*1\s*\)"
_UNIT_OF_CARD = r"(?im)^\s*(ATOMIC_POSITIONS|CELL_PARAMETERS)[ \t]*[({]?[ \t]*([^\s)}]*)"
_UNITS_OF_CARDS = {
    "ATOMIC_POSITIONS": ("alat", "bohr", "angstrom", "crystal", ""),
    "CELL_PARAMETERS": ("alat", "bohr", "angstrom", ""),
}
_CARD = r"(?im)^\s*(?:ATOMIC_(?:SPECIES|POSITIONS)|CELL_PARAMETERS|K_POINTS)\b"
_OF_POTENTIAL = re.compile(r"(?:.*/)?([A-Za-z]{1,2})[._-]")


def _check_species(text: str, used: Collection[str]) -> list[str]:
    """Refuse a species whose label names another element than its potential; tell other masses.

    Labels are free names to pw.x (``C1``), ase takes the element that they begin with. Those of the
    atoms (``used``) must be among them.
    """
    from ase.io.espresso import label_to_symbol

    card = re.search(r"^\s*ATOMIC_SPECIES.*\n((?:.*\n?)*)", text, re.MULTILINE | re.IGNORECASE)
    if card is None:
        raise StructureError("there are no ATOMIC_SPECIES; add them")
    lines = (line.split() for line in card[1].split("\n") if line.strip())
    rows = list(takewhile(lambda row: len(row) == 3, lines))
    known = {label.lower() for label, _, _ in rows}
    n_said = re.search(r"\bntyp\s*=\s*(\d+)", text, re.IGNORECASE)
    if n_said is None or int(n_said[1]) != len(rows):
        said_by = "no ntyp" if n_said is None else f"ntyp={n_said[1]}"
        raise StructureError(
            f"&SYSTEM has {said_by}, and ATOMIC_SPECIES has {counted(len(rows), 'row')} of label, "
            "mass and potential; correct the one that is wrong"
        )
    odd = sorted(label for label in used if label.lower() not in known)
    if odd:
        raise StructureError(
            f"ATOMIC_POSITIONS has the label {short(odd[0])}, and ATOMIC_SPECIES has no row of "
            "label, mass and potential for it; add it"
        )
    said: list[str] = []
    for label, mass, potential in rows:
        try:
            symbol, weight = label_to_symbol(label), as_float(mass.lower().replace("d", "e"))
        except (KeyError, ValueError):
            raise StructureError(
                f"ATOMIC_SPECIES: {short(' '.join((label, mass)))} does not begin with an element, "
                "or its mass is no number; correct it"
            ) from None
        found = _OF_POTENTIAL.match(potential)
        named = found[1].capitalize() if found else ""
        if named in SYMBOLS[1:] and named != symbol:
            raise StructureError(
                f"ATOMIC_SPECIES: the label {short(label)} is read as {symbol}, and its potential "
                f"is {short(potential)}; give it a label that begins with its element"
            )
        own = float(ATOMIC_MASSES[SYMBOLS.index(symbol)]) if symbol in SYMBOLS else weight
        if symbol == "H" and weight > own + _OTHER_MASS:
            said.append(DEUTERIUM_NOTICE)
        elif symbol != "H" and max(_OTHER_MASS, 0.02 * own) < abs(weight - own) < own / 2:
            said.append(ISOTOPE_NOTICE)
    return said


_OTHER_MASS = 0.5
"""Dalton; a mass that far from its element's is that of an isotope. 1.0 for all is of none."""


_ENDED = "General timing and accounting"
_CONVERGED = "aborting loop because EDIFF is reached"


class _Lines(StringIO):
    """The text of an OUTCAR; ase asks for its name, to look for a POSCAR beside it."""

    name = "/"


def read_outcar(text: str) -> list[Entry]:
    """Return one entry an ionic step of an OUTCAR of VASP, its energies in ``info``.

    Elements are those of the potentials. Steps whose electrons did not converge, and a run that
    breaks off, are doubts, and so is a POSCAR whose title is another compound.
    """
    from ase.io.vasp_parsers.vasp_outcar_parsers import OutcarHeaderParser, outcarchunks

    if "FREE ENERGIE OF THE ION-ELECTRON SYSTEM" not in text:
        raise StructureError("no ionic step of it is complete; get a complete copy")
    counts = re.search(r"ions per type\s*=([\d ]*)", text)
    n_atoms = sum(map(int, counts[1].split())) if counts else 0
    if n_atoms > text.count("\n"):
        raise StructureError(
            f"it announces {n_atoms} atoms, more than it has lines, so it is cut off; get a "
            "complete copy"
        )
    with quiet():
        steps = list(outcarchunks(_Lines(text), header_parser=OutcarHeaderParser()))
    if not steps:
        raise StructureError("no ionic step of it is complete; get a complete copy")
    found = re.search(r"^\s*POSCAR\s*[:=]\s*(.*?)\s*$", text, re.MULTILINE)
    title = found[1] if found else ""

    def build(i: int) -> "Atoms":
        atoms = _taken(steps[i].build())
        if not agrees_with_title(atoms, title):
            add_warning(
                atoms,
                f"its POSCAR is called {short(title)}, but its potentials make it "
                f"{chemical_formula(atoms.numbers)}, which was calculated and is taken",
            )
        if not any(_CONVERGED in line for line in steps[i].lines):
            add_warning(
                atoms, "its electronic steps did not reach EDIFF, so energies are not final"
            )
        if i == len(steps) - 1 and _ENDED not in text:
            add_warning(atoms, "the calculation breaks off behind this step")
        return atoms

    return [attempt("", partial(build, i), "step") for i in range(len(steps))]


def read_aims(text: str) -> list[Entry]:
    """Return the structure of a ``geometry.in`` of FHI-aims, lengths in Å."""
    return [attempt("", lambda: _atoms_of_aims(text), "geometry.in")]


def _atoms_of_aims(text: str) -> "Atoms":
    from ase import Atoms

    vectors: list[list[float]] = []
    symbols: list[str] = []
    rows: list[tuple[bool, list[float]]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        words = line.partition("#")[0].split()
        keyword = words[0] if words else ""
        if keyword == "lattice_vector":
            vectors.append(_three(words, number))
        elif keyword in ("atom", "atom_frac"):
            name = words[4] if len(words) > 4 else ""
            if name not in SYMBOLS[1:]:
                raise StructureError(
                    f"line {number}: {short(name)} is not an element (a species of control.in?); "
                    "write its symbol"
                )
            symbols.append(name)
            rows.append((keyword == "atom_frac", _three(words, number)))
        elif keyword in ("empty", "pseudocore", "multipole"):
            raise StructureError(
                f"line {number}: {keyword} is a site without an atom, which is not read; remove it"
            )
    if len(vectors) not in (0, 3):
        raise StructureError(f"it has {len(vectors)} lattice_vector lines instead of 0 or 3")
    if any(is_part for is_part, _ in rows) and not vectors:
        raise StructureError("it has atom_frac lines but no lattice_vector; add the cell")
    cell = np.array(vectors) if vectors else np.zeros((3, 3))
    positions = [np.array(row) @ cell if is_part else np.array(row) for is_part, row in rows]
    return Atoms(symbols, positions=positions or None, cell=cell, pbc=bool(vectors))


def _three(words: Sequence[str], number: int) -> list[float]:
    try:
        found = [as_float(word) for word in words[1:4]]
    except ValueError:
        found = []
    if len(found) != 3 or not all(map(math.isfinite, found)):
        raise StructureError(
            f"line {number}: {short(' '.join(words))} has no three numbers; correct it"
        )
    return found


_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][-+]?\d+)?"


def _rows_of_atoms(
    lines: Sequence[str], start: str = r"\s*\d+\s+\d+", number: str = _NUMBER
) -> int:
    """Return how many of the first lines are atoms: ``start`` and three numbers."""
    row = re.compile(rf"{start}(?:\s+{number}){{3}}(?:\s|$)")
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


_TEXTS = {
    "gen": r"#.*",
    "xsf": r"(?s)\bBEGIN_(\w+).*?\bEND_\1",
    "espresso-in": r"'[^'\n]*'|\"[^\"\n]*\"",
}
"""What is no number of a structure, by format: comments, grids and remarks, texts in quotes."""


def _one_through_ase(text: str, format_name: str) -> "Atoms":
    from ase.io import read

    refuse_odd_numbers(re.sub(_TEXTS[format_name], "", text))
    found: Atoms = read(StringIO(text), format=format_name)
    return _taken(found)


def _through_ase(text: str, format_name: str, index: str | int = 0) -> list[Entry]:
    from ase.io import read

    refuse_odd_numbers(re.sub(_TEXTS[format_name], "", text))
    with quiet():
        found = read(StringIO(text), index=index, format=format_name)
    frames = found if isinstance(found, list) else [found]
    return [attempt("", partial(_taken, atoms), "frame") for atoms in frames]


def _taken(atoms: "Atoms") -> "Atoms":
    keep_results(atoms)
    atoms.set_constraint()
    without_unused_cell(atoms)
    return atoms
