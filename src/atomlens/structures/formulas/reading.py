"""From the text of a formula to amounts and to `ase.Atoms`."""

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

from atomlens.structures.formula_doubts import doubts_about
from atomlens.structures.formulas.adducts import parts_of
from atomlens.structures.formulas.alloys import (
    ALLOY,
    BY_WEIGHT,
    atoms_of_weights,
    is_alloy,
    is_by_weight,
    weights_in_name,
)
from atomlens.structures.formulas.grammar import (
    ELEMENTS,
    LONGEST_FORMULA,
    NUMBER,
    has_thirds,
    refuse,
    sum_of,
)
from atomlens.structures.formulas.judging import THIRDS_NOTICE, rounded_shares, shares_notice
from atomlens.structures.formulas.numbers import atoms_of_amounts
from atomlens.structures.records import DEUTERIUM_NOTICE, add_warning

if TYPE_CHECKING:
    from ase import Atoms


_DECIMAL = re.compile(r"\d*\.\d+")


def from_formula(text: str) -> "Atoms":
    """Return a formula as ase.Atoms; its positions mean nothing.

    Fractions become whole numbers: ``Li0.5CoO2`` is LiCo2O4. Decimals cut or rounded from
    thirds and sixths (0.33, 0.667) are taken as such, and so are rounded per cent of a compound
    (``Ti33.3O66.7``). Where exact whole numbers need more than 10,000 atoms (steels), each share
    is rounded to the nearest of 10,000. All this is noted.

    Raises StructureError for a text that is no formula.
    """
    name = text.strip()
    if is_by_weight(name):
        return atoms_of_amounts(_amounts_by_weight(name), name)
    _refuse_nothing(name)
    parts = parts_of(name)
    amounts = sum_of(parts, name)
    if re.fullmatch(r"T\d*O\d*", name) and amounts["O"] >= 2 * amounts["H"]:
        refuse(name, "'T' may be tritium or stand for the silicon and aluminium of a zeolite")
    shares = _shares_in(parts, amounts)
    atoms = atoms_of_amounts(shares or amounts, name)
    if re.search(r"[DT](?![a-z])", name):
        add_warning(atoms, DEUTERIUM_NOTICE)
    for said in doubts_about(name, amounts, amounts_in_formula):
        add_warning(atoms, said)
    if any(has_thirds(part) for part in parts):
        add_warning(atoms, THIRDS_NOTICE)
    if shares:
        add_warning(atoms, shares_notice(amounts, shares))
    if is_alloy(ALLOY.fullmatch(name)):
        add_warning(
            atoms,
            "its numbers are taken as those of atoms; if it is the name of an alloy, write "
            f"{BY_WEIGHT}{name}",
        )
    return atoms


_NOTHING = frozenset(("UNKNOWN", "UNK", "UNKN", "NaN"))
"""What tables write where nothing is known, of letters that are elements."""


def _refuse_nothing(name: str) -> None:
    """Raise a StructureError for a word that says that nothing is known."""
    if name in _NOTHING:
        spelled = "".join(f"{symbol}1" for symbol in re.findall("[A-Z][a-z]?", name))
        refuse(
            name, f"it is taken for a missing value; write {spelled} if those elements are meant"
        )


def amounts_in_formula(text: str, *, adducts: bool = True) -> dict[str, Fraction]:
    """Return the amount of each element, in the order of appearance.

    Args:
        text: The formula. Subscripts of Unicode, LaTeX and HTML are understood.
        adducts: Whether a dot before a number may begin a new part (``Al2O3.2SiO2``); in the
            sum formula of a CIF it never does.

    Raises StructureError for a text that is no formula, or one with two meanings.
    """
    return dict(_amounts(text, adducts))


@lru_cache(maxsize=1024)
def _amounts(text: str, adducts: bool) -> dict[str, Fraction]:
    """Return the amounts; a file names its formula up to three times while it is read."""
    if is_by_weight(text):
        return _amounts_by_weight(text)
    _refuse_nothing(text.strip())
    found = _plain_amounts(text) if not adducts and _PLAIN.fullmatch(text) else None
    if found is not None:
        return found
    parts = parts_of(text, adducts=adducts)
    amounts = sum_of(parts, text)
    return _shares_in(parts, amounts) or amounts


_PLAIN = re.compile(r"(?:[A-Z][a-z]?\d{0,9} ?){1,30}")
_PLAIN_TERM = re.compile(r"([A-Z][a-z]?)(\d*)")


def _plain_amounts(text: str) -> dict[str, Fraction] | None:
    """Return the amounts of a sum such as ``Al1 Co2 Si2``; None where there is more to it."""
    found: dict[str, int] = {}
    for symbol, digits in _PLAIN_TERM.findall(text):
        amount = int(digits or 1)
        if not amount or symbol not in ELEMENTS:
            return None
        found[symbol] = found.get(symbol, 0) + amount
    return {symbol: Fraction(amount) for symbol, amount in found.items()}


_HUNDRED = 0.5
"""How far from 100 weight percent may add up to."""


def _amounts_by_weight(text: str) -> dict[str, Fraction]:
    """Return the atoms of an alloy given by weight, in shares of 10,000.

    In a name the first element is the rest (``wt:Ti-6Al-4V``, ``wt:Ti6Al4V``); other amounts
    must add up to 100 (``wt:Fe74Cr18Ni8``).

    Raises:
        StructureError: the text names no alloy, or its amounts do not add up.
    """
    name = text.strip()[len(BY_WEIGHT) :].strip()
    if len(name) > LONGEST_FORMULA:
        refuse(text, f"it has {len(name)} letters, more than {LONGEST_FORMULA}")
    if is_by_weight(name):
        refuse(text, f"{BY_WEIGHT} stands twice in front of it")
    weights = weights_in_name(name, text)
    if weights is None:
        weights = {symbol: float(n) for symbol, n in sum_of(parts_of(name), name).items()}
        if abs(sum(weights.values()) - 100) > _HUNDRED:
            refuse(text, f"its weight percent add up to {sum(weights.values()):g}, not to 100")
    return atoms_of_weights(weights)


_SHARES = re.compile(rf"(?:[A-Z][a-z]?{NUMBER}){{2,}}")


def _shares_in(parts: Sequence[str], amounts: Mapping[str, Fraction]) -> dict[str, Fraction] | None:
    """Return the compound of which a formula gives rounded per cent; None if it does not."""
    if len(parts) != 1 or "." not in parts[0] or not _SHARES.fullmatch(parts[0]):
        return None
    return rounded_shares(
        amounts, max(len(n.partition(".")[2]) for n in _DECIMAL.findall(parts[0]))
    )
