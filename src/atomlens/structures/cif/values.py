"""What the values of tags say: columns, numbers with their uncertainties, what is unknown."""

import math
import re
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

from atomlens.elements import SYMBOLS
from atomlens.errors import StructureError
from atomlens.structures.cif.tags import Tags
from atomlens.structures.formulas import amounts_in_formula
from atomlens.structures.records import as_float


def column(tags: Tags, *names: str) -> list[Any]:
    """Return the values of the first of the tags that is there; empty if none is."""
    for name in names:
        value = tags.get(name)
        if value is not None and value != []:
            return value if isinstance(value, list) else [value]
    return []


def known(value: Any) -> str:
    """Return a value as text; empty for ``?``, ``.`` and nothing."""
    text = "" if value is None else str(value).strip()
    return "" if text in ("?", ".") else text


_UNCERTAINTY = re.compile(r"\(\d*\)?$")


def number(value: Any = None) -> float | None:
    """Return a CIF number without its uncertainty; None for ``?``, ``.`` and words."""
    try:
        found = as_float(_bare(value)) if isinstance(value, str) else float(value)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None


def _bare(text: str) -> str:
    """Return a number as text without its uncertainty."""
    return _UNCERTAINTY.sub("", text) if "(" in text else text


def last_digit(value: Any) -> float:
    """Return how far a coordinate may be from what is meant: the size of the last digit written.

    0 for simple fractions such as 0, .5 and 0.25. Of one digit it is less than half of it: 0.3 may
    be a third, but nobody writes 0.2 for a quarter.
    """
    text = _bare(str(value).strip())
    found = number(text)
    if found is None or abs(found * 24 - round(found * 24)) < 1e-9 or "e" in text.lower():
        return 0.0
    digits = len(text.partition(".")[2])
    return 0.0499 if digits == 1 else 10.0**-digits


def formula_amounts(tags: Tags, *others: str) -> dict[str, Fraction]:
    """Return the sum formula of the file, or that of another tag; empty if it has none."""
    return dict(_amounts_in(" ".join(map(known, column(tags, "_chemical_formula_sum", *others)))))


@lru_cache(maxsize=16)
def _amounts_in(text: str) -> Mapping[str, Fraction]:
    """Return the amounts of a formula; it is asked for several times while its file is read."""
    try:
        return amounts_in_formula(_in_usual_case(text), adducts=False)
    except StructureError:
        return {}


def _in_usual_case(text: str) -> str:
    """Return a sum formula that was written in capitals, such as ``NI O``, as ``Ni O``.

    The elements of a sum formula stand apart, so that two letters of one word are one element.
    """
    words = text.split()
    if len(words) < 2 or not all(re.fullmatch(r"[A-Z]{1,2}\d*(\.\d+)?", word) for word in words):
        return text
    return " ".join(
        word.capitalize() if word[:2].isalpha() and word[:2].capitalize() in SYMBOLS else word
        for word in words
    )
