"""The atoms that a CIF lists, before symmetry; disorder and unknown elements are refused."""

import math
import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from atomlens.elements import SYMBOLS
from atomlens.errors import StructureError
from atomlens.structures.cif.tags import Tags
from atomlens.structures.formulas import amounts_in_formula

if TYPE_CHECKING:
    from ase import Atoms


_CHARGE_TAGS = (
    "_atom_site_charge",
    "_atom_type_partial_charge",
    "_atom_site_partial_charge",
    "_atom_site_charges",
)


def column(tags: Tags, *names: str) -> list[Any]:
    """Return the values of the first of the tags that is there; empty if none is."""
    for name in names:
        value = tags.get(name)
        if value is not None and value != []:
            return value if isinstance(value, list) else [value]
    return []


def number(value: Any = None) -> float | None:
    """Return a CIF number without its uncertainty; None for ``?``, ``.`` and words."""
    try:
        found = float(re.sub(r"\(\d*\)?$", "", value) if isinstance(value, str) else value)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None


def formula_amounts(tags: Tags) -> dict[str, Fraction]:
    """Return the sum formula of the file; empty if it has none."""
    text = " ".join(str(x) for x in column(tags, "_chemical_formula_sum"))
    try:
        return amounts_in_formula(text)
    except StructureError:
        return {}


class Sites:
    """The rows of the atom loop, with disorder and unknown elements refused."""

    def __init__(self, tags: Tags) -> None:
        self.tags = tags
        self.axes = "fract" if column(tags, "_atom_site_fract_x") else "cartn"
        columns = [column(tags, f"_atom_site_{self.axes}_{axis}") for axis in "xyz"]
        labels = column(tags, "_atom_site_label") or []
        types = column(tags, "_atom_site_type_symbol") or []
        n = len(columns[0])
        if any(len(c) != n for c in columns) or any(len(c) not in (0, n) for c in (labels, types)):
            raise StructureError(
                "the loop of atoms ends within a row, so the file is cut off or a value is "
                "missing; get a complete copy of the file"
            )
        if not labels and not types:
            raise StructureError(
                "the loop of atoms has neither _atom_site_type_symbol nor _atom_site_label, so "
                "the elements are unknown; add one of them"
            )
        dummy = [str(x).lower() == "dum" for x in column(tags, "_atom_site_calc_flag") or [""] * n]
        self.rows = [i for i in range(n) if not dummy[i]] if len(dummy) == n else list(range(n))
        self.labels = [str(x) for x in (labels or types)]
        found = [self._element(i, types) for i in self.rows]
        self.has_deuterium = any(symbol in ("D", "T") for symbol in found)
        self.symbols = ["H" if symbol in ("D", "T") else symbol for symbol in found]
        self.coordinates = self._positions(columns)

    def name(self, row: int) -> str:
        """Return what messages call a row of the atom loop."""
        return f"atom {row} ({self.labels[row]}, row of the atom loop counted from 0)"

    def _element(self, row: int, types: list[Any]) -> str:
        text = str(types[row]) if types else self.labels[row]
        letters = re.match(r"\s*([A-Za-z]*)", text)
        symbol = letters[1] if letters else ""
        if not types:
            symbol = self._element_of_label(row, symbol)
        symbol = symbol.capitalize()
        if symbol in ("D", "T") or symbol in SYMBOLS[1:]:
            return symbol
        raise StructureError(
            f"{self.name(row)}: {text!r} is not an element; correct _atom_site_type_symbol or "
            "remove the atom"
        )

    def _element_of_label(self, row: int, letters: str) -> str:
        """Return the element that a label like ``Fe1``, ``O2A`` or ``CL3`` starts with."""
        one, two = letters[:1].capitalize(), letters[:2].capitalize()
        options = [s for s in dict.fromkeys((two, one)) if s in SYMBOLS[1:] or s in ("D", "T")]
        if len(options) == 2:
            if letters[1:2].islower():
                return two
            listed = [s for s in options if s in formula_amounts(self.tags)]
            if len(listed) != 1:
                raise StructureError(
                    f"{self.name(row)}: the label may mean {one} or {two}; add the column "
                    "_atom_site_type_symbol"
                )
            return listed[0]
        return options[0] if options else letters

    def _positions(self, columns: list[list[Any]]) -> NDArray[np.float64]:
        try:
            table = np.array([columns[0], columns[1], columns[2]], dtype=float).T[self.rows]
        except ValueError:  # uncertainties in brackets, or something that is no number
            table = np.full((1, 3), np.nan)
        if np.isfinite(table).all():
            return table
        rows = [[self._coordinate(i, c[i]) for c in columns] for i in self.rows]
        return np.array(rows).reshape(-1, 3)

    def _coordinate(self, row: int, value: Any) -> float:
        found = number(value)
        if found is None:
            raise StructureError(
                f"{self.name(row)}: the coordinate {value!r} is not a number; give the atom "
                "a position or remove it"
            )
        return found

    def fractional(self, cell: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n_sites, 3) fractional coordinates, also for a file that gives Cartesian ones."""
        if self.axes == "fract":
            return self.coordinates
        return np.asarray(np.linalg.solve(cell.T, self.coordinates.T).T)

    def molecule(self) -> "Atoms":
        """Return the sites of a file without a cell as they stand."""
        from ase import Atoms

        if self.axes == "fract":
            raise StructureError(
                "the CIF has fractional coordinates but no cell (_cell_length_a and its fellows); "
                "add the cell"
            )
        self.full_sites(self.coordinates, np.eye(3))
        return Atoms(self.symbols, positions=self.coordinates)

    def charges(self) -> NDArray[np.float64] | None:
        """(n_sites,) partial charges of the file, e; None unless every atom has one.

        The tags are those that force-field and MOF programs write beside the IUCr's own.
        """
        listed = column(self.tags, *_CHARGE_TAGS)
        values = [number(listed[i]) if i < len(listed) else None for i in self.rows]
        known = [v for v in values if v is not None]
        return np.array(known) if known and len(known) == len(values) else None

    def full_sites(
        self, fractional: NDArray[np.float64], cell: NDArray[np.float64]
    ) -> NDArray[np.int_]:
        """Return the sites to keep, each fully occupied by one element.

        Entries of one element at one place, such as Fe2+ and Fe3+, are added up first.
        """
        n = len(self.symbols)
        listed = column(self.tags, "_atom_site_occupancy")
        if not listed:
            return np.arange(n)
        values = [number(listed[i]) if i < len(listed) else None for i in self.rows]
        occupancies = np.array([1.0 if v is None else v for v in values])
        if np.abs(occupancies - 1).max(initial=0) < 1e-3:
            return np.arange(n)
        places: dict[tuple[str, ...], list[int]] = {}
        for i, (symbol, place) in enumerate(zip(self.symbols, fractional, strict=True)):
            places.setdefault((symbol, *(f"{x % 1:.4f}" for x in place)), []).append(i)
        for members in places.values():
            total = float(occupancies[members].sum())
            if abs(total - 1) > 1e-3:
                raise StructureError(self._disorder_message(members[0], total, fractional, cell))
        return np.array(sorted(members[0] for members in places.values()))

    def _disorder_message(
        self, i: int, total: float, fractional: NDArray[np.float64], cell: NDArray[np.float64]
    ) -> str:
        shifts = fractional - fractional[i]
        near = np.linalg.norm((shifts - np.round(shifts)) @ cell, axis=1) < 0.1
        others = sorted({self.symbols[j] for j in np.flatnonzero(near)} - {self.symbols[i]})
        shared = f" and shares its place with {', '.join(others)}" if others else ""
        return (
            f"{self.name(self.rows[i])} is occupied by {total:g} {self.symbols[i]}{shared}: the "
            "structure is disordered; make an ordered model of it, for example with pymatgen's "
            "OrderDisorderedStructureTransformation"
        )
