"""What the cells of a row are in an expression: numbers, texts, nothing, symbols of a formula."""

import math
import re
from collections.abc import Mapping
from itertools import groupby, product
from typing import Any

from atomlens.datasets.tables.cells import is_empty, is_missing
from atomlens.datasets.tables.numerals import read_numerals
from atomlens.elements import ATOMIC_NUMBERS
from atomlens.errors import StructureError
from atomlens.screening.columns import NUMBERS
from atomlens.structures.formulas import amounts_in_formula

Row = Mapping[str, Any]


class _NumberText(str):
    """A cell of a table without types that reads as a number."""

    __slots__ = ("number",)
    number: float


class NothingText(str):
    """A cell with a word for nothing: ``NA``, ``nan``; the text where it meets such a word."""

    __slots__ = ()


def cell_of(row: Row, name: str) -> Any:
    """Return a cell, None if it is empty; texts that read as numbers or as nothing told apart.

    What a text is as a number depends on the others of its column, so it was found where the table
    was read. A cell alone is read by itself.
    """
    value = row.get(name)
    if is_empty(value):
        return None
    if not isinstance(value, str):
        return value
    if is_missing(value) and value.strip() != "Na":
        return NothingText(value)
    known = row.get(NUMBERS) or {}
    number = known.get(name) if name in known else _number_alone(value)
    if number is None or not math.isfinite(number):
        return value
    found = _NumberText(value)
    found.number = number
    return found


def _number_alone(text: str) -> float | None:
    found = read_numerals([text])
    return None if found.problem else found.numbers[0]


def plain_value(value: Any) -> Any:
    """Return the number that a cell reads as, None for a word for nothing, else what it is."""
    if isinstance(value, NothingText):
        return None
    return value.number if isinstance(value, _NumberText) else value


def is_word_for_nothing(value: Any) -> bool:
    """Say whether a value, or one of a list, is such as tables write where nothing is known."""
    if isinstance(value, list):
        return any(map(is_word_for_nothing, value))
    return isinstance(value, str) and is_missing(value)


def is_number(value: Any) -> bool:
    """Say whether a value is a number; what is true or false is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def alike(a: Any, b: Any) -> tuple[Any, Any]:
    """Return cells that read as numbers as what they meet: a number, or the text."""
    if any(isinstance(x, str) and not isinstance(x, _NumberText) for x in (a, b)):
        return _as_text(a), _as_text(b)
    return plain_value(a), plain_value(b)


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, _NumberText) else value


def alike_in(a: Any, items: list[Any]) -> tuple[bool, list[bool]]:
    """Return True and, of each item of the list, whether it is the value: a number or a text."""
    pairs = [alike(a, item) for item in items]
    return True, [bool(x == y) for x, y in pairs]


class _Elements(list[str]):
    """The symbols of a formula, which are the same in any order."""

    __slots__ = ()
    __hash__ = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, list) and sorted(self) == sorted(map(str, other))

    def __ne__(self, other: object) -> bool:
        return not self == other


def elements_of(row: Row) -> list[str] | None:
    """Return the symbols in the formula of a row; None where it has none."""
    formula = row.get("formula")
    return _Elements(re.findall(r"[A-Z][a-z]?", formula)) if isinstance(formula, str) else None


def amounts_key(formula: str) -> str | None:
    """Return the same text for all formulas with the same amounts; None for what is no formula."""
    try:
        amounts = amounts_in_formula(formula)
    except StructureError:
        return None
    return " ".join(f"{symbol}{amount}" for symbol, amount in sorted(amounts.items()))


_LONGEST_GUESSED = 24
"""Letters of a formula of which another spelling is looked for"""


def formula_meant(text: str) -> str:
    """Return the formula that ``nacl`` or ``TIO2`` means, the one of fewest elements; or ``""``.

    Of spellings up to some place that have the same elements two are kept: more than one is no
    answer, and all of ``ininininin`` would be very many.
    """
    if len(text) > _LONGEST_GUESSED or not text.isascii():
        return ""
    spelled: list[dict[frozenset[str], list[str]]] = [{} for _ in range(len(text) + 1)]
    spelled[0][frozenset()] = [""]
    for start, size in product(range(len(text)), (2, 1)):
        part = re.compile(rf"[A-Za-z]{{{size}}}[\d.]*").match(text, start)
        if part is None or (symbol := part[0][:size].capitalize()) not in ATOMIC_NUMBERS:
            continue
        for elements, formulas in spelled[start].items():
            longer = spelled[part.end()].setdefault(elements | {symbol}, [])
            longer += [f"{before}{symbol}{part[0][size:]}" for before in formulas]
            del longer[2:]
    by_number = sorted(spelled[-1].items(), key=lambda pair: len(pair[0]))
    for _, group in groupby(by_number, key=lambda pair: len(pair[0])):
        meant = [formula for _, formulas in group for formula in formulas]
        meant = [f for f in meant if sum(map(str.isupper, f)) > 1 and amounts_key(f) is not None]
        if meant:
            return meant[0] if len(meant) == 1 else ""
    return ""
