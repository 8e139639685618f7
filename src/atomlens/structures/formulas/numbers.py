"""Amounts of elements as numbers: from other packages, and to whole numbers of atoms."""

import math
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from math import lcm
from numbers import Integral, Real
from typing import TYPE_CHECKING

import numpy as np

from atomlens.elements.naming import formula_of
from atomlens.errors import StructureError
from atomlens.printing import short
from atomlens.structures.formulas.grammar import ELEMENTS
from atomlens.structures.formulas.judging import (
    THIRDS_NOTICE,
    meant_amounts,
    rounded_shares,
    shares_notice,
)
from atomlens.structures.records import DEUTERIUM_NOTICE, add_warning

if TYPE_CHECKING:
    from ase import Atoms


MOST_ATOMS = 100_000
"""Whole-number formulas above this are refused: nobody means them, and they fill the memory."""
MOST_ATOMS_OF_FRACTIONS = 10_000
"""Fractions that need more atoms than this are rounded to that many."""
ROUNDED_NOTICE = "the amounts are rounded to shares of 10,000 atoms"


def atoms_of_amounts(amounts: Mapping[str, Fraction], name: str) -> "Atoms":
    """Return the amounts of a formula as ase.Atoms, elements in the given order."""
    from ase import Atoms

    counts = whole_counts(amounts, name)
    symbols = [symbol for symbol, count in counts.items() for _ in range(count)]
    info = {"name": name, "is_formula": True}
    atoms = Atoms(symbols, positions=[[0.0, 0.0, 0.0]] * len(symbols), info=info)
    if _is_rounded(counts, amounts):
        add_warning(atoms, ROUNDED_NOTICE)
    return atoms


_NEAR = 1e-9
"""Of an amount: so near to a fraction of a small denominator is what it stands for."""
_SMALL_DENOMINATOR = 1000
_BYTES_OF_DOUBLES = 8
_LONGEST_AMOUNT = 12
"""Digits and a point; a number with more decimals than fit is what was computed, not written."""
_KEY = re.compile(r"([A-Z][a-z]?)(?:\d*(?:\.\d+)?[+-])?(?:,.*)?")
"""An element as others call it in a dictionary: Fe, Fe3+, Fe3+,spin=5."""


def symbol_of_key(key: object) -> str:
    """Return the element that a key of a dictionary of amounts names; empty if it names none."""
    found = _KEY.fullmatch(key) if isinstance(key, str) else None
    symbol = found[1] if found else ""
    return symbol if symbol in ELEMENTS or symbol in ("D", "T") else ""


def number_in(thing: object) -> Fraction | float | None:
    """Return a single number of Python, numpy or torch; None for all else, such as true and false.

    What has fewer digits than a float of Python (``float32``) is the shortest decimal that it can
    be.
    """
    detach = getattr(thing, "detach", None)
    if detach is not None and getattr(thing, "ndim", 1) == 0:  # a tensor of torch
        whole = not thing.dtype.is_floating_point  # type: ignore[attr-defined]
        is_double = getattr(thing, "element_size", lambda: 0)() == _BYTES_OF_DOUBLES
        item = detach().item()
        thing = item if whole or is_double else np.float32(item)
    elif isinstance(thing, np.ndarray) and not thing.ndim:
        thing = thing[()]
    if isinstance(thing, bool | np.bool_):
        return None
    if isinstance(thing, Decimal):
        return Fraction(thing) if thing.is_finite() else float(thing)
    if isinstance(thing, np.floating):
        return float(str(thing))
    if isinstance(thing, Integral | Fraction):
        return Fraction(int(thing)) if isinstance(thing, Integral) else thing
    return float(thing) if isinstance(thing, Real) else None


def from_amounts(amounts: Iterable[tuple[str, float]], name: str) -> "Atoms":
    """Return amounts of elements, as other packages hold them, as ase.Atoms like `from_formula`.

    Decimals are read as those of a text; what is a fraction to all the digits of a number is that
    fraction.

    Args:
        amounts: Symbols of elements and numbers; a symbol that stands there twice is added up.
        name: What messages call it; its formula where it is empty.

    Raises:
        StructureError: there is none, an amount is not above zero, or a symbol is no element.
    """
    symbols, numbers = [], []
    for symbol, amount in amounts:
        if not (symbol in ELEMENTS or symbol in ("D", "T")):
            raise StructureError(f"{short(symbol)} is not an element; leave it out or replace it")
        number = number_in(amount)
        if number is None or not 0 < number < math.inf:
            shown = repr(amount) if number is None else f"{float(number):g}"
            raise StructureError(
                f"the amount of {symbol} is {shown}; give one above zero, or leave the element out"
            )
        symbols.append(symbol)
        numbers.append(number)
    if not symbols:
        raise StructureError("there is no element in it; give a formula of one at least")
    decimals = [_decimals_of(number) for number in numbers]
    exact = meant_amounts([_exact(number) for number in numbers], decimals)
    total: dict[str, Fraction] = {}
    for symbol, share in zip(symbols, exact, strict=True):
        own = "H" if symbol in ("D", "T") else symbol
        total[own] = total.get(own, Fraction(0)) + share
    is_third = any(a != _exact(number) for a, number in zip(exact, numbers, strict=True))
    shares = rounded_shares(total, max(len(d.partition(".")[2]) for d in decimals))
    atoms = atoms_of_amounts(
        shares or total, name or formula_of({s: float(n) for s, n in total.items()})
    )
    if {"D", "T"}.intersection(symbols):
        add_warning(atoms, DEUTERIUM_NOTICE)
    if is_third:
        add_warning(atoms, THIRDS_NOTICE)
    if shares:
        add_warning(atoms, shares_notice(total, shares))
    return atoms


def _exact(number: Fraction | float) -> Fraction:
    """Return the fraction that a number stands for."""
    exact = Fraction(number)
    near = exact.limit_denominator(_SMALL_DENOMINATOR)
    if near and abs(near - exact) <= _NEAR * exact:
        return near
    return exact if isinstance(number, Fraction) else Fraction(repr(number))


def _decimals_of(number: Fraction | float) -> str:
    """Return a number as a text would have it; empty if it has more digits than anybody writes."""
    written = f"{float(number):.12f}".rstrip("0")
    return written if len(written) < _LONGEST_AMOUNT else ""


def _is_rounded(counts: Mapping[str, int], amounts: Mapping[str, Fraction]) -> bool:
    symbol, whole = next(iter(counts.items()))
    factor = Fraction(whole) / amounts[symbol]
    return any(amounts[symbol] * factor != count for symbol, count in counts.items())


def whole_counts(amounts: Mapping[str, Fraction], name: str) -> dict[str, int]:
    """Return whole numbers of atoms in the proportions of ``amounts``."""
    factor = lcm(*(amount.denominator for amount in amounts.values()))
    counts = {symbol: int(amount * factor) for symbol, amount in amounts.items()}
    total = sum(counts.values())
    if factor > 1 and total > MOST_ATOMS_OF_FRACTIONS:
        scale = Fraction(MOST_ATOMS_OF_FRACTIONS, total)
        counts = {symbol: max(1, round(count * scale)) for symbol, count in counts.items()}
    elif total > MOST_ATOMS:
        raise StructureError(
            f"formula {short(name)} has {total} atoms, more than {MOST_ATOMS}; check its numbers"
        )
    return counts


def total_amount(amounts: Iterable[Fraction]) -> float:
    """Return the sum of amounts, without fractions of whole numbers, which most are."""
    listed = list(amounts)
    if all(amount.denominator == 1 for amount in listed):
        return float(sum(amount.numerator for amount in listed))
    return float(sum(listed))
