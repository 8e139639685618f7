"""LAMMPS: data files and dumps, through ase's readers, if they say which elements their types are.

LAMMPS numbers its types. Elements are known where a file names them, in its type labels, behind its
masses or in a column of a dump, or where the mass of each type is that of one element.
"""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from io import StringIO
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from atomlens.elements import ATOMIC_NUMBERS, SYMBOLS
from atomlens.elements.masses import ATOMIC_MASSES
from atomlens.errors import StructureError
from atomlens.printing import counted, short
from atomlens.structures.distance_doubts import impossible_neighbour, no_hydrogen
from atomlens.structures.records import (
    DEUTERIUM_NOTICE,
    Entry,
    add_warning,
    as_float,
    attempt,
    drop_masses,
    quiet,
    refuse_odd_numbers,
)

if TYPE_CHECKING:
    from ase import Atoms

_NEAR, _NEAR_OF_LIGHT = 0.1, 0.012
"""Dalton; a mass is that of an element if no other is as near. Those up to neon must be nearer: a
CH2 that is one particle has 14.027, nitrogen 14.007."""
_LIGHT = 20.5
_HEAVY_HYDROGEN = (2.014, 3.016)
_UNITS = {"metal", "real", "electron", "si", "cgs", "micro", "nano"}
_COLUMNS = {
    "atomic": (5, 8),
    "charge": (6, 9),
    "molecular": (6, 9),
    "bond": (6, 9),
    "angle": (6, 9),
    "full": (7, 10),
}
"""Numbers of columns of each style, without and with image flags."""


def read_lammps_data(text: str) -> list[Entry]:
    """Return the structure of a data file, periodic as LAMMPS takes it to be."""
    return [attempt("", lambda: _atoms_of_data(text), "data file")]


class _Section(NamedTuple):
    """One section of a data file."""

    title: str
    comment: str
    rows: list[str]
    line: int
    """Number of the line of its title"""


_TITLE = re.compile(r"\s*([A-Z][A-Za-z\d ]*[a-z])\s*(?:#\s*(.*))?$")


def _sections(lines: Sequence[str]) -> Iterator[_Section]:
    """Yield the header, as a section without a title, then the others."""
    rows: list[str] = []
    title, comment, begin = "", "", 1
    for number, line in enumerate(lines[1:], start=2):
        found = _TITLE.match(line)
        if found is None:
            if line.strip():
                rows.append(line)
            continue
        yield _Section(title, comment, rows, begin)
        title, comment, rows, begin = found[1], (found[2] or "").strip(), [], number
    yield _Section(title, comment, rows, begin)


def _atoms_of_data(text: str) -> "Atoms":
    from ase.io.lammpsdata import read_lammps_data as read

    lines = text.split("\n")
    header, *others = _sections(lines)
    sections = {one.title: one for one in others}
    atoms_section = sections.get("Atoms")
    if atoms_section is None:
        raise StructureError("it has no section 'Atoms'; give a data file with atoms")
    _check_header(header.rows, atoms_section)
    for row in (*header.rows, *atoms_section.rows):
        refuse_odd_numbers(row.partition("#")[0])
    style = _style(atoms_section)
    numbers = _elements(sections, atoms_section, style)
    labels = sections.get("Atom Type Labels")
    kept = [lines[0], "", *header.rows, ""]
    if labels:
        kept += ["Atom Type Labels", "", *labels.rows, ""]
    kept += ["Atoms", "", *atoms_section.rows, ""]
    with quiet():
        atoms: Atoms = read(
            StringIO("\n".join(kept)),
            Z_of_type={k: ATOMIC_NUMBERS["H" if one == "D" else one] for k, one in numbers.items()},
            sort_by_id=False,
            units=_units(lines[0]),
            atom_style=style,
        )
    order = np.argsort(atoms.arrays["id"], kind="stable")
    if len(set(atoms.arrays["id"].tolist())) < len(atoms):
        raise StructureError("two of its atoms have one number; correct the section 'Atoms'")
    atoms = atoms[order]
    _tidy(atoms, "D" in numbers.values())
    if not _are_named(sections, numbers):
        _check_places(atoms)
    return atoms


def _are_named(sections: dict[str, _Section], elements: dict[int, str]) -> bool:
    """Say whether the file names all elements, and none is known by its mass alone."""
    rows = [
        row
        for title in ("Atom Type Labels", "Masses")
        for row in getattr(sections.get(title), "rows", ())
    ]
    words = {word for row in rows for word in re.findall(r"[A-Za-z]+", row)}
    return words >= set(elements.values())


def _check_places(atoms: "Atoms") -> None:
    """Refuse elements that stand where none of them can, since a mass said something else."""
    if len(atoms) < 2:
        return
    only_hydrogen = set(atoms.numbers.tolist()) == {1}
    if only_hydrogen and no_hydrogen(atoms, set(range(len(atoms)))) is not None:
        raise StructureError(
            "all its types have the mass 1, as in units of Lennard-Jones, and no atom stands as a "
            "hydrogen does; name the elements behind the masses (# Ar)"
        )
    found = impossible_neighbour(atoms, np.arange(len(atoms)))
    if found is not None:
        i, why = found
        raise StructureError(
            f"atom {i} (counted from 0) is {atoms.symbols[i]} by its mass, but {why}; name the "
            "elements of the types"
        )


def _tidy(atoms: "Atoms", has_deuterium: bool) -> None:
    for name in ("id", "type", "mol-id", "mmcharges"):
        atoms.arrays.pop(name, None)
    atoms.info.pop("comment", None)
    atoms.set_constraint()
    atoms.set_celldisp(np.zeros(3))
    drop_masses(atoms)
    if has_deuterium:
        add_warning(atoms, DEUTERIUM_NOTICE)


def _units(title: str) -> str:
    """Return the units that LAMMPS writes into the title; lengths in Å without any."""
    found = re.search(r"\bunits?\s*[:=]?\s*([a-z]+)", title)
    if found is None or found[1] not in (*_UNITS, "lj"):
        return "metal"
    if found[1] == "lj":
        raise StructureError(_REDUCED)
    return found[1]


_REDUCED = (
    "its units are those of Lennard-Jones (lj), so lengths in Å are not known; give them in Å"
)


def _check_header(rows: Sequence[str], section: _Section) -> None:
    """Refuse another number of atoms than is announced, and a box that is not all there."""
    plain = [row.partition("#")[0] for row in rows]
    announced = next((m[1] for row in plain if (m := re.match(r"\s*(\d+)\s+atoms\b", row))), None)
    if announced is None:
        raise StructureError("it does not say how many atoms there are (N atoms); add their number")
    if int(announced) != len(section.rows):
        raise StructureError(
            f"it says {announced} atoms, and {len(section.rows)} follow behind 'Atoms' "
            f"(line {section.line}); correct the one that is wrong"
        )
    text = "\n".join(plain)
    if re.search(r"\bavec\b", text) and all(re.search(rf"\b{x}vec\b", text) for x in "bc"):
        return
    missing = next((x for x in "xyz" if not re.search(rf"\b{x}lo\s+{x}hi\b", text)), "")
    if missing:
        raise StructureError(f"its box has no line '{missing}lo {missing}hi'; add it")


def _style(section: _Section) -> str:
    """Return how the rows of atoms are to be read, which a comment or their number says."""
    widths = {len(row.partition("#")[0].split()) for row in section.rows}
    if len(widths) != 1:
        raise StructureError("its rows of atoms have different numbers of columns; correct them")
    n = widths.pop()
    named = section.comment.split()[:1]
    if named:
        if n not in _COLUMNS.get(named[0], ()):
            raise StructureError(
                f"its atoms are called {short(named[0])} and have {counted(n, 'column')}, which "
                f"is not read; write one of the styles {', '.join(_COLUMNS)}"
            )
        return named[0]
    if n in (6, 9):
        raise StructureError(
            "the third column of its atoms may be a charge or a type; write 'Atoms # charge' or "
            "'Atoms # molecular'"
        )
    cells = [row.split() for row in section.rows]
    is_full = all(one[1].isdecimal() and one[2].isdecimal() for one in cells)
    if n in (5, 8):
        return "atomic"
    if n in (7, 10) and is_full:
        return "full"
    raise StructureError(
        f"its atoms have {counted(n, 'column')}, and nothing says what they are; write the style "
        "behind 'Atoms', such as 'Atoms # full'"
    )


def _elements(sections: dict[str, _Section], atoms: _Section, style: str) -> dict[int, str]:
    """Return the element of each type that is used, D for deuterium.

    Raises:
        StructureError: one is not known for certain.
    """
    labels = {
        row.split()[1]: int(row.split()[0])
        for row in getattr(sections.get("Atom Type Labels"), "rows", ())
    }
    place = 2 if style in ("full", "molecular", "bond", "angle") else 1
    words = {row.split()[place] for row in atoms.rows}
    used = {labels.get(word) or (int(word) if word.isdecimal() else 0) for word in words}
    masses = {}
    for row in getattr(sections.get("Masses"), "rows", ()):
        before, _, comment = row.partition("#")
        kind, mass = before.split()[:2]
        masses[labels.get(kind) or int(kind)] = (as_float(mass), comment.strip())
    names = {kind: label for label, kind in labels.items()}
    return {
        kind: _element_of_type(kind, *masses.get(kind, (0.0, "")), names.get(kind, ""))
        for kind in sorted(used)
    }


def _element_of_type(kind: int, mass: float, comment: str, label: str) -> str:
    """Return the element of one type by its label, the comment behind its mass, or its mass."""
    said = [word for word in (label, *comment.split()[:1]) if word in SYMBOLS[1:]]
    if not mass:
        if said:
            return said[0]
        raise StructureError(
            f"type {kind} has neither a mass nor the symbol of an element; add the section "
            "'Masses' with the elements behind them (1 15.999 # O)"
        )
    likely = elements_of_mass(mass)
    if said and set(said) <= set(likely):
        return said[0]
    if said:
        raise StructureError(
            f"type {kind} is called {said[0]}, but its mass is {mass:g}; correct the one that is "
            "wrong"
        )
    if len(likely) == 1:
        return likely[0]
    raise StructureError(
        f"type {kind} has the mass {mass:g}, which is that of no element for certain; name the "
        f"element behind it ({kind} {mass:g} # O)"
    )


def elements_of_mass(mass: float) -> list[str]:
    """Return the elements that have a mass, Dalton; D for that of heavy hydrogen."""
    if any(abs(mass - heavy) < 0.0015 for heavy in _HEAVY_HYDROGEN):
        return ["D"]
    near = _NEAR_OF_LIGHT if mass < _LIGHT else _NEAR
    return [SYMBOLS[i + 1] for i in np.flatnonzero(np.abs(ATOMIC_MASSES[1:] - mass) <= near)]


def read_lammps_dump(text: str) -> list[Entry]:
    """Return one entry a time step of a dump that names elements, or has masses."""
    starts = [m.start() for m in re.finditer(r"^ITEM: TIMESTEP", text, re.MULTILINE)]
    if not starts:
        raise StructureError("it has no line 'ITEM: TIMESTEP'; give a dump of LAMMPS as text")
    units = re.search(r"^ITEM: UNITS\s*\n\s*(\w+)", text, re.MULTILINE)
    word = units[1] if units else ""
    ends = [*starts[1:], len(text)]
    return [
        attempt("", partial(_atoms_of_step, text[a:b], word), "time step")
        for a, b in zip(starts, ends, strict=True)
    ]


def _atoms_of_step(text: str, word: str) -> "Atoms":
    from ase.io import read

    if word == "lj":
        raise StructureError(_REDUCED)
    kept = re.sub(r"^ITEM: UNITS\s*\n.*\n", "", text, flags=re.MULTILINE)
    number = re.search(r"^ITEM: NUMBER OF ATOMS\s*\n\s*(\d+)", kept, re.MULTILINE)
    head = re.search(r"^ITEM: ATOMS[ \t]*(.*)\n", kept, re.MULTILINE)
    box = re.search(r"^ITEM: BOX BOUNDS[ \t]*(.*)$", kept, re.MULTILINE)
    if number is None or head is None or box is None:
        raise StructureError("a time step lacks its number of atoms, its box or its atoms")
    if len(box[1].split()) < 3:
        raise StructureError(
            "its box does not say along which directions it repeats (BOX BOUNDS pp pp pp); add it"
        )
    rows = list(takewhile(lambda row: row.strip(), kept[head.end() :].split("\n")))
    if int(number[1]) != len(rows):
        raise StructureError(
            f"a time step says {number[1]} atoms, and {len(rows)} follow; correct the one that is "
            "wrong"
        )
    refuse_odd_numbers(kept)
    names = head[1].split()
    symbols = _symbols_of_rows(names, rows)
    ids = [int(row.split()[names.index("id")]) for row in rows] if "id" in names else None
    with quiet():
        atoms: Atoms = read(
            StringIO(kept), format="lammps-dump-text", index=0, units=word or "metal", order=False
        )
    atoms.set_chemical_symbols(["H" if one == "D" else one for one in symbols])
    if ids is not None:
        atoms = atoms[np.argsort(ids, kind="stable")]
    atoms.calc = None
    _tidy(atoms, "D" in symbols)
    if "element" not in names:
        _check_places(atoms)
    if not atoms.pbc.any():
        atoms.cell[:] = 0.0
    return atoms


def _symbols_of_rows(names: Sequence[str], rows: Sequence[str]) -> list[str]:
    if "element" in names:
        place = names.index("element")
        found = [row.split()[place] for row in rows]
        odd = next((one for one in found if one not in (*SYMBOLS[1:], "D")), None)
        if odd is not None:
            raise StructureError(f"{short(odd)} is not an element; correct the column 'element'")
        return found
    if "mass" not in names:
        raise StructureError(
            "its atoms have types and no elements; write the dump with a column 'element' "
            "(dump_modify element) or 'mass'"
        )
    place = names.index("mass")
    likely = {word: elements_of_mass(as_float(word)) for word in {r.split()[place] for r in rows}}
    unclear = next((word for word, one in likely.items() if len(one) != 1), None)
    if unclear is not None:
        raise StructureError(
            f"the mass {unclear} is that of no element for certain; write a column 'element'"
        )
    return [likely[row.split()[place]][0] for row in rows]
