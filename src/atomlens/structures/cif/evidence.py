"""What else a CIF says of its atoms: Z, density, F(000), numbers in the cell, multiplicities.

Every item is held against the atoms that symmetry makes; each agrees, contradicts or is silent.
"""

from collections.abc import Mapping
from fractions import Fraction
from math import gcd
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.elements import ATOMIC_NUMBERS
from atomlens.elements.masses import ATOMIC_MASSES
from atomlens.structures.cif.tags import MAGNETIC, Tags, first_tag
from atomlens.structures.cif.values import column, formula_amounts, number
from atomlens.structures.formulas import total_amount

_DALTON_PER_A3 = 1.66053907
"""g/cm3 of one dalton per cubic ångström."""

_OTHER_FORMULAS = (
    "_chemical_formula_structural",
    "_chemical_formula_moiety",
    "_chemical_formula_iupac",
    "_chemical_formula_analytical",
)
"""Formulas that stand for the sum formula where a file has none."""

_CLEARLY_MORE = 1.4
"""Factor by which masses or electrons contradict: missing hydrogens and solvents do less."""


class Evidence(NamedTuple):
    """How the atoms of a cell stand to the rest of the file."""

    agrees: tuple[str, ...]
    """What supports them, as parts of a sentence."""
    contradicts: tuple[str, ...]
    """What speaks against them, as parts of a sentence."""


def weigh(
    tags: Tags,
    counts: Mapping[str, float],
    volume: float,
    multiplicities: tuple[NDArray[np.float64], NDArray[np.int_], int] | None = None,
    n_operations: int = 0,
) -> Evidence:
    """Hold the atoms of one cell against what the file says of them.

    Args:
        tags: The data block.
        counts: Number of atoms of each element in the cell, by occupancy.
        volume: Of the cell, Å3.
        multiplicities: Those that the file gives (n_sites,), those found (n_sites,), and the
            number of operations; None where the file gives none.
        n_operations: Of the reading; 0: no matter.
    """
    agrees: list[str] = []
    contradicts: list[str] = []
    for said, verdict in (
        _by_formula(tags, counts),
        _by_mass(tags, counts, volume),
        _by_weight(tags, counts),
        _by_electrons(tags, counts),
        _by_units(tags, counts) if n_operations == 0 else _SILENT,
        _by_numbers_in_cell(tags, counts),
        _by_multiplicity(multiplicities),
        _by_wyckoff(tags, n_operations),
    ):
        if verdict is not None:
            (agrees if verdict else contradicts).append(said)
    return Evidence(tuple(agrees), tuple(contradicts))


def agrees(counts: Mapping[str, float], amounts: Mapping[str, Fraction]) -> bool:
    """Say whether numbers of atoms have the proportions of the sum formula."""
    if set(counts) != set(amounts):
        return False
    n_atoms, n_formula = sum(counts.values()), total_amount(amounts.values())
    return all(abs(counts[s] / n_atoms - float(amounts[s]) / n_formula) < 1e-3 for s in counts)


def is_part_of_a_unit(n_atoms: float, amounts: Mapping[str, Fraction], tags: Tags) -> bool:
    """Say whether a cell has fewer atoms than the sum formula, and nothing says how often it is."""
    return total_amount(amounts.values()) > 1.02 * n_atoms and units_in_cell(tags) is None


Item = tuple[str, bool | None]
"""What an item says, and whether it agrees; None where it says nothing."""

_SILENT: Item = ("", None)


def units_in_cell(tags: Tags) -> float | None:
    """Return Z, the number of formula units in the cell; None where the file gives none."""
    units = number(*column(tags, "_cell_formula_units_z")[:1])
    return units if units and units >= 1 else None


def _by_formula(tags: Tags, counts: Mapping[str, float]) -> Item:
    """Z times the sum formula; some programs write the formula of the whole cell next to Z."""
    amounts, units = formula_amounts(tags, *_OTHER_FORMULAS), units_in_cell(tags)
    if not amounts or units is None:
        return _SILENT
    heavy = [s for s in amounts if s != "H"] or list(amounts)
    if {s for s in counts if s != "H"} - {"H"} != set(heavy) - {"H"}:
        return _SILENT
    ratios = [float(amounts[s]) / counts.get(s, np.inf) for s in heavy]
    if max(ratios) > 1.02 * min(ratios):
        return _SILENT
    shown = " ".join(f"{s}{_plain(a)}" for s, a in amounts.items())
    n_said = units * total_amount(amounts[s] for s in heavy)
    kind = "atoms besides hydrogen" if "H" in amounts and heavy != ["H"] else "atoms"
    said = f"Z = {units:g} of {shown} makes {n_said:g} {kind}"
    whole = all(
        amount.denominator == 1 and amount.numerator % round(units) == 0
        for amount in amounts.values()
    )
    possible = (ratios[0] * units, ratios[0]) if whole else (ratios[0] * units,)
    return said, any(abs(r - 1) < 0.02 for r in possible)


def _by_units(tags: Tags, counts: Mapping[str, float]) -> Item:
    """Z where no formula is given: atoms hold no more formula units than all their amounts share.

    For atoms without symmetry: one that symmetry made may lack atoms of a disordered solvent.
    """
    units = units_in_cell(tags)
    if units is None or formula_amounts(tags, *_OTHER_FORMULAS):
        return _SILENT
    if any(n != round(n) for n in counts.values()):
        return _SILENT
    most = gcd(*(round(n) for n in counts.values()))
    shown = " ".join(f"{n:g} {symbol}" for symbol, n in counts.items())
    said = f"Z = {units:g}, while {shown} are {most} formula unit{'s'[: most != 1]} at most"
    return said, False if most < units else None


def _by_mass(tags: Tags, counts: Mapping[str, float], volume: float) -> Item:
    given = column(tags, "_exptl_crystal_density_diffrn", "_exptl_crystal_density_meas")
    density = number(*given[:1])
    if density is None or density <= 0 or volume <= 0:
        return _SILENT
    density = density / 1000 if density > 100 else density  # some write kg/m3
    ours = _mass(counts) * _DALTON_PER_A3 / volume
    return f"the density is {density:g} g/cm3 (these atoms: {ours:.3g})", _compare(density, ours)


def _by_weight(tags: Tags, counts: Mapping[str, float]) -> Item:
    weight, units = number(*column(tags, "_chemical_formula_weight")[:1]), units_in_cell(tags)
    if weight is None or weight <= 0 or units is None:
        return _SILENT
    ours = _mass(counts)
    said = f"Z = {units:g} of {weight:g} g/mol (these atoms: {ours:.4g})"
    return said, _compare(units * weight, ours)


def _by_electrons(tags: Tags, counts: Mapping[str, float]) -> Item:
    said = number(*column(tags, "_exptl_crystal_f_000")[:1])
    if said is None or said <= 0:
        return _SILENT
    ours = sum(n * ATOMIC_NUMBERS[s] for s, n in counts.items())
    return f"F(000) is {said:g} (these atoms: {ours:.4g})", _compare(said, ours)


def _by_numbers_in_cell(tags: Tags, counts: Mapping[str, float]) -> Item:
    symbols = column(tags, "_atom_type_symbol")
    numbers = [number(x) for x in column(tags, "_atom_type_number_in_cell")]
    if not symbols or len(symbols) != len(numbers) or None in numbers:
        return _SILENT
    said: dict[str, float] = {}
    for symbol, n in zip(symbols, numbers, strict=True):
        element = str(symbol).rstrip("+-0123456789").capitalize()
        said[element] = said.get(element, 0.0) + float(n or 0)
    said.pop("H", None)
    if not said or set(said) != {s for s in counts if s != "H"}:
        return _SILENT
    shown = ", ".join(f"{n:g} {s}" for s, n in said.items())
    same = all(abs(n - counts[s]) < 0.02 * max(n, 1) for s, n in said.items())
    return f"_atom_type_number_in_cell is {shown}", same


def _by_multiplicity(given: tuple[NDArray[np.float64], NDArray[np.int_], int] | None) -> Item:
    """Multiplicities; an old SHELXL wrote the order of the site symmetry in their place."""
    if given is None:
        return _SILENT
    said, found, n_operations = given
    known = np.isfinite(said)
    if not known.any():
        return _SILENT
    said, found = said[known], found[known]
    if (said == found).all():
        return "the multiplicities of its sites", True
    if (said * found == n_operations).all():
        return _SILENT
    wrong = int(np.flatnonzero(said != found)[0])
    row = int(np.flatnonzero(known)[wrong])
    return (
        f"site {row} (counted from 0) has multiplicity {said[wrong]:g} (here {found[wrong]})",
        False,
    )


def _by_wyckoff(tags: Tags, n_operations: int) -> Item:
    """Letters of Wyckoff positions; without symmetry there is ``a`` alone."""
    letters = {
        str(x).strip().lower()[-1:]
        for x in column(tags, "_atom_site_wyckoff_symbol", "_atom_site_wyckoff_letter")
    } - {"a", "?", ".", ""}
    if n_operations != 1 or not letters or first_tag(tags, MAGNETIC):  # else of the parent
        return _SILENT
    shown = ", ".join(sorted(letters))
    return f"its sites have the Wyckoff letters {shown}, where P 1 has a alone", False


def _compare(said: float, ours: float) -> bool | None:
    """Say whether two amounts agree; None where hydrogens or solvents may make the difference."""
    ratio = said / ours if ours > 0 else np.inf
    if not 1 / _CLEARLY_MORE < ratio < _CLEARLY_MORE:
        return False
    return True if 0.95 < ratio < 1.05 else None


def _mass(counts: Mapping[str, float]) -> float:
    return float(sum(n * ATOMIC_MASSES[ATOMIC_NUMBERS[s]] for s, n in counts.items()))


def _plain(amount: Fraction) -> str:
    return "" if amount == 1 else f"{float(amount):g}"
