"""The atoms that a CIF lists, before symmetry: elements, places, shares and alternatives."""

import re
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atomlens.errors import StructureError
from atomlens.printing import counted, short
from atomlens.structures.cif.elements import (
    Element,
    contradicted,
    element_of,
    hydrogens_of_name,
    species_of,
)
from atomlens.structures.cif.tags import Tags
from atomlens.structures.cif.values import column, formula_amounts, known, last_digit, number
from atomlens.structures.doubts import Doubt
from atomlens.structures.forms import IS_DISORDERED
from atomlens.structures.records import decimal_comma

_CHARGE_OF_TYPES = "_atom_type_partial_charge"
"""Some programs write it into the loop of the atoms, as a charge of each."""
_CHARGE_TAGS = (
    "_atom_site_charge",
    _CHARGE_OF_TYPES,
    "_atom_site_partial_charge",
    "_atom_site_charges",
)
MULTIPLICITY_TAGS = (
    "_atom_site_symmetry_multiplicity",
    "_atom_site_site_symmetry_multiplicity",
)
_WYCKOFF_TAGS = ("_atom_site_wyckoff_symbol", "_atom_site_wyckoff_letter")
_GROUP_TAGS = ("_atom_site_disorder_group", "_atom_site_label_alt_id")
_PLACE_TAGS = (
    ("_atom_site_label_asym_id", "_atom_site_auth_asym_id"),
    ("_atom_site_auth_seq_id", "_atom_site_label_seq_id"),
)
"""Chain of an mmCIF, and number of the residue in it: alternatives of one exclude each other."""
_WATERS = frozenset(("HOH", "WAT", "DOD", "H2O"))
_OF_CHAINS = frozenset(
    "ALA ARG ASN ASP CYS GLN GLU GLY HIS ILE LEU LYS MET PHE PRO SER THR TRP TYR VAL "
    "A C G U DA DC DG DT".split()
)
"""Residues of proteins and nucleic acids."""
_LABEL_TAGS = ("_atom_site_label", "_atom_site_label_atom_id", "_atom_site_auth_atom_id")
_MOST_COMPARED = 50
"""So many atoms are enough to see whether two kinds of coordinates agree."""
_SLACK = 1.5e-3
"""An occupancy this near to 1 is 1: thirds and the last of three digits."""
_SLACK_ABOVE = 0.05
"""More than everything is refinement noise up to here."""


def with_a_row_for_each_species(tags: Tags) -> Tags:
    """Return the tags with a row for each species that a type symbol mixes (``0.8Nb + 0.2Zr``).

    The first takes the row of the file, so that rows keep their numbers; its occupancy is that of
    the site times its share. Types without shares stay, and are refused with the elements.
    """
    types = [known(x) for x in column(tags, "_atom_site_type_symbol")]
    mixed = {
        i: [(symbol, share) for symbol, share in species_of(kind) if share is not None]
        for i, kind in enumerate(types)
        if len(kind) > 2 and species_of(kind)
    }
    mixed = {i: found for i, found in mixed.items() if len(found) == len(species_of(types[i]))}
    if not mixed:
        return tags
    n = len(types)
    order = [*range(n), *(i for i, found in mixed.items() for _ in found[1:])]
    loop = {
        tag: [value[i] for i in order]
        for tag, value in tags.items()
        if tag.startswith("_atom_site_") and isinstance(value, list) and len(value) == n
    }
    symbols = [mixed[i][0][0] if i in mixed else kind for i, kind in enumerate(types)]
    shares = [mixed[i][0][1] if i in mixed else 1.0 for i in range(n)]
    for found in mixed.values():
        symbols += [symbol for symbol, _ in found[1:]]
        shares += [share for _, share in found[1:]]
    written = loop.get("_atom_site_occupancy", ["1"] * len(order))
    occupancies = [
        text
        if share == 1 or (own := number(text) if known(text) else 1.0) is None
        else str(own * share)
        for text, share in zip(written, shares, strict=True)
    ]
    new = {"_atom_site_type_symbol": symbols, "_atom_site_occupancy": occupancies}
    for tag in _LABEL_TAGS:
        if tag in loop:  # the names of the others would contradict their types
            new[tag] = [*loop[tag][:n], *symbols[n:]]
    return {**tags, **loop, **new}


class Sites:
    """The rows of the atom loop that stand for atoms; unknown elements are refused."""

    def __init__(self, tags: Tags) -> None:
        self.tags = tags
        self.axes = "fract" if column(tags, "_atom_site_fract_x") else "cartn"
        columns = [column(tags, f"_atom_site_{self.axes}_{axis}") for axis in "xyz"]
        labels, types = column(tags, *_LABEL_TAGS), column(tags, "_atom_site_type_symbol")
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
        self.doubts: list[str] = []
        self._n_listed = n
        self.labels = [str(x) for x in (labels or types)]
        self.rows = self._rows()
        found = self._elements(labels, types)
        self.has_deuterium = any(e.symbol in ("D", "T") for e in found)
        self.is_called_t = np.array([e.symbol == "T" and not self._has_t for e in found])
        """(n_sites,) what may be tritium, or the silicon and aluminium of a zeolite"""
        self.symbols = ["H" if e.symbol in ("D", "T") else e.symbol for e in found]
        self.guessed = np.array([e.guessed for e in found], dtype=bool)
        self.hydrogens = np.nan_to_num(self._numbers("_atom_site_attached_hydrogens")[self.rows])
        """(n_sites,) hydrogens that the file counts at a site, and that have no position"""
        self.named_hydrogens = self._named_hydrogens(found)
        self.coordinates = self._positions(columns)
        self.groups = self._groups()

    def _rows(self) -> list[int]:
        """Return the rows to read: no dummies, and no atoms that are there in no cell."""
        n = self._n_listed
        flags = [str(x).lower() for x in self._values("_atom_site_calc_flag")]
        rows = [i for i in range(n) if flags[i] != "dum"]
        if len(rows) < n:
            self.doubts.append(
                "sites that it marks as dummies (_atom_site_calc_flag dum) were left out: "
                f"{counted(n - len(rows), 'row')} of its list"
            )
        self._shares = self._numbers("_atom_site_occupancy")
        self._refuse_odd_shares(rows)
        empty = [i for i in rows if self._shares[i] == 0]
        if empty and len(empty) < len(rows):
            self.doubts.append(
                f"{len(empty)} atoms of its list have the occupancy 0 and were left out"
            )
            rows = [i for i in rows if i not in set(empty)]
        return rows

    def _refuse_odd_shares(self, rows: list[int]) -> None:
        """Raise a StructureError for an occupancy that is a word, a fraction or below zero."""
        if not column(self.tags, "_atom_site_occupancy") or (self._shares >= 0).all():
            return
        texts = self._values("_atom_site_occupancy")
        for i in rows:
            share, text = self._shares[i], known(texts[i])
            if share < 0 or (text and not np.isfinite(share)):
                raise StructureError(
                    f"{self.name(i)}: the occupancy {short(text)} is no number from 0 to 1; "
                    f"{decimal_comma(text) or 'correct it'}"
                )

    def _elements(self, labels: list[Any], types: list[Any]) -> list[Element]:
        formula = frozenset(formula_amounts(self.tags))
        written = " ".join(str(x) for x in column(self.tags, "_chemical_formula_sum"))
        self._has_t = re.search(r"T(?![a-z])", written) is not None
        if self._has_t:
            formula |= {"T"}
        found = [
            element_of(
                partial(self.name, i),
                known(labels[i]) if labels else "",
                known(types[i]) if types else "",
                formula,
            )
            for i in self.rows
        ]
        symbols = {e.symbol for e in found}
        if not formula and not types and "W" in symbols and symbols != {"W"}:
            row = next(i for i, e in zip(self.rows, found, strict=True) if e.symbol == "W")
            raise StructureError(
                f"{self.name(row)}: the label may mean tungsten or the oxygen of a water; add the "
                "column _atom_site_type_symbol"
            )
        corrected = sorted({(e.corrected, e.symbol) for e in found if e.corrected})
        self.doubts += [
            f"the type symbols say {said}, which is not in the sum formula; {taken} was taken"
            for said, taken in corrected
        ]
        self.doubts += self._contradicted(found, formula) if labels and types else []
        return found

    def _contradicted(self, found: list[Element], formula: frozenset[str]) -> list[str]:
        """Say where a label names one element and the type another, and no formula decides."""
        doubtful = [
            (self.labels[i], name, e.symbol)
            for i, e in zip(self.rows, found, strict=True)
            if (name := contradicted(self.labels[i], e.symbol))
            and not (formula and name not in formula)
        ]
        if not doubtful:
            return []
        label, name, symbol = doubtful[0]
        more = f", and {len(doubtful) - 1} more are like it" if len(doubtful) > 1 else ""
        return [
            f"the label {label} names {name} and its type symbol {symbol}; the type was taken{more}"
        ]

    def _named_hydrogens(self, found: list[Element]) -> NDArray[np.float64]:
        """(n_sites,) hydrogens of a water or hydroxyl that the name of an oxygen speaks of."""
        formula = formula_amounts(self.tags)
        dry = bool(formula) and "H" not in formula
        own = [
            max(e.hydrogens, hydrogens_of_name(self.labels[i], dry) if e.symbol == "O" else 0)
            for i, e in zip(self.rows, found, strict=True)
        ]
        residues = [str(self._residues()[i]).upper() for i in self.rows]
        for k, (residue, e) in enumerate(zip(residues, found, strict=True)):
            if e.symbol == "O" and residue in _WATERS:
                own[k] = 2
        if _OF_CHAINS.intersection(residues) and not {"H", "D"} & {e.symbol for e in found}:
            self.doubts.append(
                Doubt(
                    "its residues have no hydrogens, which most files of proteins and nucleic "
                    "acids leave out; add them",
                    "hydrogens",
                )
            )
        return np.where(self.hydrogens > 0, 0, np.array(own, dtype=float))

    def _residues(self) -> list[Any]:
        """(n_listed,) names of the residues of an mmCIF, such as HOH."""
        return self._values("_atom_site_label_comp_id", "_atom_site_auth_comp_id")

    def _values(self, *names: str) -> list[Any]:
        """(n_listed,) the values of a column of the atom loop; None where it has none."""
        values = column(self.tags, *names)
        return values if len(values) == self._n_listed else [None] * self._n_listed

    def _numbers(self, *names: str) -> NDArray[np.float64]:
        """(n_listed,) the numbers of a column of the atom loop; NaN where it has none."""
        values = column(self.tags, *names)
        if len(values) != self._n_listed:
            return np.full(self._n_listed, np.nan)
        try:
            found = np.array(values, dtype=float)
        except ValueError:
            found = np.array([np.nan if (x := number(v)) is None else x for v in values])
        return np.where(np.isfinite(found), found, np.nan)

    def _groups(self) -> list[tuple[str, str] | None]:
        """(n_sites,) assembly and group of disorder; None where the file gives none."""
        if not column(self.tags, *_GROUP_TAGS):
            return [None] * len(self.rows)
        assemblies = self._values("_atom_site_disorder_assembly")
        groups = [self._values(tag) for tag in _GROUP_TAGS]
        chains, places = (self._values(*tags) for tags in _PLACE_TAGS)
        found: list[tuple[str, str] | None] = []
        for row in self.rows:
            group = next((g for values in groups if (g := known(values[row]))), "")
            alternative = known(groups[1][row])
            of_residue = f"residue {chains[row]} {places[row]}" if alternative else ""
            assembly = known(assemblies[row]) or of_residue
            found.append(None if group in ("", "0") else (assembly, group))
        return found

    def name(self, row: int) -> str:
        """Return what messages call a row of the atom loop."""
        return f"atom {row} ({self.labels[row]}, row of the atom loop counted from 0)"

    def _positions(self, columns: list[list[Any]]) -> NDArray[np.float64]:
        try:
            table = np.array([columns[0], columns[1], columns[2]], dtype=float).T[self.rows]
            if any("_" in str(columns[k][i]) for k in range(3) for i in self.rows):
                raise ValueError
        except ValueError:  # uncertainties in brackets, or something that is no number
            table = np.full((1, 3), np.nan)
        if np.isfinite(table).all():
            return table
        rows = [[self._coordinate(i, c[i]) for c in columns] for i in self.rows]
        return np.array(rows).reshape(-1, 3)

    def _coordinate(self, row: int, value: Any) -> float:
        found = number(value)
        if found is None:
            advice = decimal_comma(str(value)) or "give the atom a position or remove it"
            raise StructureError(
                f"{self.name(row)}: the coordinate {value!r} is not a number; {advice}"
            )
        return found

    def fractional(self, cell: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n_sites, 3) fractional coordinates, also for a file that gives Cartesian ones."""
        if self.axes == "fract":
            return self.coordinates
        own = _own_axes(self.tags, cell)
        if own is not None:
            return np.asarray(self.coordinates @ own[0].T + own[1])
        return np.asarray(np.linalg.solve(cell.T, self.coordinates.T).T)

    def odd_axes(self) -> str:
        """Return a sentence where a file describes other Cartesian axes than ours, in words."""
        described = "_atom_sites_cartn_transform_axes"
        said = " ".join(known(x) for x in column(self.tags, described))
        if self.axes == "fract" or not said or re.search(_USUAL_AXES, said, re.IGNORECASE):
            return ""
        if any(tag.startswith(_MATRIX_TAGS) and tag != described for tag in self.tags):
            return ""
        return (
            f"it describes its Cartesian axes as {short(said)}; a was taken along x and b in the "
            "plane of x and y"
        )

    def other_coordinates(self, cell: NDArray[np.float64]) -> str:
        """Return a sentence where Cartesian coordinates stand beside others and contradict them.

        Distances are compared, whatever the axes are, since either may be of another image.
        """
        columns = [column(self.tags, f"_atom_site_cartn_{axis}") for axis in "xyz"]
        rows = self.rows[:_MOST_COMPARED]
        if self.axes != "fract" or any(len(c) != self._n_listed for c in columns):
            return ""
        texts = [[number(c[i]) for c in columns] for i in rows]
        table = np.array([[np.nan if x is None else x for x in row] for row in texts])
        if not np.isfinite(table).all():
            return ""
        shifts = np.array(list(product((-1, 0, 1), repeat=3)))
        for j in range(1, len(rows)):
            between = self.coordinates[j] - self.coordinates[0]
            near = np.linalg.norm((between + shifts) @ cell, axis=1)
            given = float(np.linalg.norm(table[j] - table[0]))
            if np.abs(near - given).min() > 0.1:
                one, two = self.labels[rows[0]], self.labels[rows[j]]
                apart = f"{np.linalg.norm(between @ cell):.2f} and {given:.2f}"
                return (
                    f"its fractional and its Cartesian coordinates differ (atoms {one} and {two}: "
                    f"{apart} Å apart); the fractional ones were taken"
                )
        return ""

    def rounding(self) -> NDArray[np.float64]:
        """(n_sites, 3) the last digit that the file writes of each fractional coordinate."""
        if self.axes != "fract":
            return np.zeros((len(self.rows), 3))
        columns = [column(self.tags, f"_atom_site_fract_{axis}") for axis in "xyz"]
        return np.array([[last_digit(c[i]) for c in columns] for i in self.rows]).reshape(-1, 3)

    def multiplicities(self) -> NDArray[np.float64] | None:
        """(n_sites,) multiplicities that the file gives, NaN where unknown; None without any."""
        found = self._numbers(*MULTIPLICITY_TAGS)[self.rows]
        if np.isnan(found).all():  # "4a" says it as well
            letters = [re.match(r"\d+(?=[a-zA-Z])", str(x)) for x in self._values(*_WYCKOFF_TAGS)]
            found = np.array([float(m[0]) if (m := letters[i]) else np.nan for i in self.rows])
        there = found >= 1
        return np.where(there, found, np.nan) if there.any() else None

    def charges(self) -> NDArray[np.float64] | None:
        """(n_sites,) partial charges of the file, e; None unless every atom has one.

        The tags are those that force-field and MOF programs write beside the IUCr's own. Charges
        of which some are missing are doubts.
        """
        name = next((n for n in _CHARGE_TAGS if column(self.tags, n)), "")
        listed = column(self.tags, name) if name else []
        kinds = [str(kind) for kind in column(self.tags, "_atom_type_symbol")]
        if name == _CHARGE_OF_TYPES and len(kinds) == len(listed):  # in the loop of the types
            of_kind = dict(zip(kinds, listed, strict=True))
            types = column(self.tags, "_atom_site_type_symbol")
            named = [str(types[i]) for i in self.rows] if types else self.symbols
            values = [number(of_kind.get(kind)) for kind in named]
        else:
            values = [number(listed[i]) if i < len(listed) else None for i in self.rows]
        there = [v for v in values if v is not None]
        if there and len(there) < len(values):
            self.doubts.append(
                f"{len(values) - len(there)} of {len(values)} atoms have no number in {name}, so "
                "none of its partial charges was taken; complete the column"
            )
        return np.array(there) if there and len(there) == len(values) else None

    def occupied(
        self, fractional: NDArray[np.float64]
    ) -> tuple[NDArray[np.int_], NDArray[np.float64]]:
        """Return the sites to keep, and the occupancy of each.

        Entries of one element at one place, such as Fe2+ and Fe3+, are added up. What differs
        from 1 by no more than the digits written and the uncertainty given is 1.
        """
        n = len(self.symbols)
        occupancies = self._shares[self.rows]
        occupancies[np.isnan(occupancies)] = 1.0
        if (occupancies == 1).all():
            return np.arange(n), occupancies
        texts = self._values("_atom_site_occupancy")
        slacks = np.array([_slack(texts[i]) for i in self.rows])
        places: dict[tuple[object, ...], list[int]] = {}
        for i, (symbol, place) in enumerate(zip(self.symbols, fractional, strict=True)):
            key = (symbol, self.groups[i], *(f"{x % 1:.4f}" for x in place))
            places.setdefault(key, []).append(i)
        kept, shares = [], []
        for members in places.values():
            total = float(occupancies[members].sum())
            slack = max(_SLACK, float(slacks[members].sum()))
            if total > 1 + max(slack, _SLACK_ABOVE) + 1e-9:
                i = members[0]
                raise StructureError(
                    f"{self.name(self.rows[i])} is occupied by {total:g} {self.symbols[i]}, more "
                    "than one atom; correct its occupancy"
                )
            kept.append(members[0])
            shares.append(1.0 if total > 1 or abs(total - 1) <= slack + 1e-9 else total)
        order = np.argsort(kept)
        return np.array(kept)[order], np.array(shares)[order]

    def disorder_message(
        self,
        i: int,
        total: float,
        fractional: NDArray[np.float64],
        cell: NDArray[np.float64] | None,
    ) -> str:
        """Say which site of a disordered structure is not one whole atom."""
        shifts = fractional - fractional[i]
        if cell is not None:
            shifts = (shifts - np.round(shifts)) @ cell
        near = np.linalg.norm(shifts, axis=1) < 0.1
        others = sorted({self.symbols[j] for j in np.flatnonzero(near)} - {self.symbols[i]})
        shared = f" and shares its place with {', '.join(others)}" if others else ""
        group = self.groups[i]
        which = f" in disorder group {group[1]}" if group is not None else ""
        return (
            f"{self.name(self.rows[i])} is occupied by {total:g} {self.symbols[i]}{shared}{which}: "
            f"{IS_DISORDERED}"
        )


_USUAL_AXES = r"(?<!\w)a\s*(?:is|axis|vector|=|:|->)?\s*(?:along|\|\||//|parallel(?: to)?)?\s*x\b"
_MATRIX_TAGS = ("_atom_sites_fract_tran", "_atom_sites_cartn_tran")
_MATRICES = (
    ("_atom_sites_{}_tran_matrix_{}{}", "_atom_sites_{}_tran_vector_{}"),
    ("_atom_sites_{}_transf_matrix[{}][{}]", "_atom_sites_{}_transf_vector[{}]"),
    ("_atom_sites_{}_transform_mat_{}{}", "_atom_sites_{}_transform_vec_{}"),
)
"""As CIF, mmCIF and the newer dictionary of CIF call them."""


def _own_axes(
    tags: Tags, cell: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return matrix (3, 3) and shift (3,) from a file's Cartesian axes to fractions of its cell.

    None where the file gives none, or those of the usual axes.

    Raises StructureError for a matrix that does not fit the cell.
    """
    for kind in ("fract", "cartn"):
        for matrix_tag, vector_tag in _MATRICES:
            rows = [
                [number(*column(tags, matrix_tag.format(kind, i, j))[:1]) for j in "123"]
                for i in "123"
            ]
            shift = [number(*column(tags, vector_tag.format(kind, i))[:1]) or 0.0 for i in "123"]
            if all(x is not None for row in rows for x in row):
                return _checked_axes(np.array(rows, dtype=float), np.array(shift), kind, cell)
    return None


def _checked_axes(
    matrix: NDArray[np.float64], shift: NDArray[np.float64], kind: str, cell: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    back: NDArray[np.float64] = np.zeros((3, 3))
    if abs(np.linalg.det(matrix)) > 1e-12:
        back = np.asarray(np.linalg.inv(matrix), dtype=np.float64)
    if kind == "cartn":
        matrix, back, shift = back, matrix, -back @ shift
    metric = cell @ cell.T
    if np.abs(back.T @ back - metric).max() > 0.02 * np.abs(metric).max():
        raise StructureError(
            "the matrix between its Cartesian and its fractional coordinates (_atom_sites_...) "
            "does not fit the cell; correct the one that is wrong"
        )
    is_usual = np.abs(back - cell.T).max() < 0.02 and np.abs(shift).max() < 1e-6
    return None if is_usual else (matrix, shift)


def _slack(value: Any) -> float:
    """Return how far an occupancy may be from what is meant: half its last digit, or twice its su.

    An occupancy of at least 0.95 only: what is written 0.9 is 0.9.
    """
    text = known(value)
    match = re.fullmatch(r"([-+]?\d*\.?(\d*))\((\d+)\)", text)
    if match:
        return min(2 * int(match[3]) * 10.0 ** -len(match[2]), _SLACK_ABOVE)
    digits = len(text.partition(".")[2])
    return 0.5 * 10.0**-digits if digits >= 2 else 0.0
