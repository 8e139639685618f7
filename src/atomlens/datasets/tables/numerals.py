"""Numbers as people write them in tables: 2.75, 2,75, 1,500.5, 1.5(2), 3.5 ± 0.1, −4.

What a comma or a point means is decided for a whole column: one cell such as ``2,75`` makes every
comma of its column a decimal comma. Where the cells contradict one another, or allow two
readings (``1,234`` beside ``2.345``), nothing is guessed.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from atomlens.datasets.tables.cells import is_error
from atomlens.units import is_unit

_SPACES = "\u00a0\u2009\u202f "
_NUMERAL = re.compile(
    r"(?P<body>[+-]?(\d+([.,'" + _SPACES + r"]\d+)*[.,]?|[.,]\d+))"
    r"(\(\d+\))?"
    r"(?P<exponent>([eE]|\s*[x×*·]\s*10\s*(\^|\*\*)?)[+-]?\d+)?"
    r"(\(\d+\)|\s*(±|\+/-|\+-)\s*[\d.,eE+-]+)?"
)
_ERROR = re.compile(r"\(\d+\)|±|\+/-|\+-")
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}([" + _SPACES + r"']\d{3})+(?=$|[.,])")
_LONGEST = 100
"""Letters; no number is longer."""
_DECIMAL = r"[+-]?\d*{0}\d*"
_WORDS = {"inf", "+inf", "-inf", "infinity", "+infinity", "-infinity", "nan"}
_DECORATED = re.compile(
    r"[<>≤≥~≈=]+\s*[+-]?[\d.,]+.*"
    r"|[+-]?\d[\d.,]*\s*(%|\*+|m?eV(/\w+)?|k?Ha|hartree|k?(J|cal)(/mol)?|[kMG]?Pa|Å|nm|K|°C|g/cm3)"
    r"|[+-]?\d[\d.,]*\s*(-|–|to|\.\.\.?)\s*[+-]?\d[\d.,]*\s*\D*"
)
_PLAIN = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_BEFORE_A_UNIT = re.compile(
    rf"(?P<number>{_PLAIN})(?P<blank>\s*)(?P<unit>(?![eEdD]\s?[-+]?\d)[^\d\s.,;:+/-].*)"
)
_SPOILT = {
    "a number with what a program prints around it; write the number alone": (
        r"(?:tensor|array|(?:np|numpy)\.\w+|float|int|Decimal|Fraction)\(.*\)"
        rf"|\[\s*[+-]?\d*\.\d.*\]|['\"]{_PLAIN}['\"]?|b'{_PLAIN}'"
    ),
    "an exponent that Fortran writes; write E in place of D": (
        r"[+-]?\d*[.,]\d*\s?[dD][+-]?\d+|[+-]?\d+\s?[dD][+-]\d+"
    ),
    "a number whose exponent lost its E, as Fortran writes it; write the E": (
        r"[+-]?\d*\.\d{3,}[+-]\d{3}"
    ),
    "a number as programs write it; write its decimal digits alone": (
        r"[+-]?0(?:x[\da-f]+|o[0-7]+|b[01]+)|[+-]?\d{1,3}(?:_\d{3})+(?:\.\d*)?"
    ),
    "an amount of money; write the number alone": rf"[$€£¥]\s*{_PLAIN}.*|{_PLAIN}\s*[$€£¥]",
    "a complex number; write a real one": rf"\(?(?:{_PLAIN})?[+-]{_PLAIN}[ij]\)?",
    "several numbers in one cell; write one": rf"{_PLAIN}(?:\s*[,;]\s*{_PLAIN}|\s+{_PLAIN})*[,;]?",
}
"""Texts that were numbers once and are no names of classes, by what to say of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Numerals:
    """A column read as numbers."""

    numbers: tuple[float | None, ...]
    """None where a cell is no number; infinite or NaN where it says so."""
    problem: str = ""
    """Why the numbers of this column cannot be told; part of a sentence, empty if they can."""
    with_error: tuple[str, ...] = ()
    """The cells that tell an error of their number (``1.5(2)``, ``3.5 ± 0.1``), which is left."""


def read_numerals(values: Sequence[Any], *, comma_is_decimal: bool = False) -> Numerals:
    """Read the cells of one column.

    Args:
        values: Numbers or texts; anything else is no number.
        comma_is_decimal: How to take a column of nothing but cells like ``1,234``, which is
            1.234 in one country and 1234 in another; known for a table whose cells are
            separated by semicolons. Otherwise such a column is a problem.
    """
    if not any(isinstance(v, str) and ("," in v or v.count(".") > 1) for v in values):
        one = tuple(map(_one_number, values))
        return Numerals(numbers=one, with_error=_with_error(values, one))
    bodies = [_body(v) if isinstance(v, str) else None for v in values]
    mark, problem = _decimal_mark([b for b, _ in filter(None, bodies)], comma_is_decimal)
    numbers: list[float | None] = []
    for value, body in zip(values, bodies, strict=True):
        if isinstance(value, str):
            numbers.append(_word(value) if body is None else _value(*body, mark))
        else:
            numbers.append(_plain_number(value))
    return Numerals(
        numbers=tuple(numbers), problem=problem, with_error=_with_error(values, numbers)
    )


def _with_error(values: Sequence[Any], numbers: Sequence[float | None]) -> tuple[str, ...]:
    return tuple(
        value.strip()
        for value, number in zip(values, numbers, strict=True)
        if number is not None and isinstance(value, str) and _ERROR.search(value)
    )


def _one_number(value: Any) -> float | None:
    """Return the number of a cell without a comma, which needs no column to be understood."""
    if not isinstance(value, str):
        return _plain_number(value)
    if "_" not in value:
        try:
            return float(value)
        except ValueError:
            pass
    body = _body(value)
    return None if body is None else _value(*body, ".")


def thousands_or_decimals(values: Sequence[Any]) -> tuple[str, bool]:
    """Return a cell such as ``1.500`` if no point of a column tells what points are in it.

    That is so if every point of its texts has three digits behind it and no zero in front of it,
    and no other sign tells. Beside it stands whether thousands are likely: whole numbers have no
    point, and one of the others ends in a zero that nobody writes behind a decimal point, unless
    behind all of them.
    """
    found, n_whole = [], 0
    for value in values:
        body = _body(value) if isinstance(value, str) else None
        if body is None:
            continue
        text, exponent = body
        if "," in text or exponent:
            return "", False
        if "." not in text:
            n_whole += 1
        elif re.fullmatch(r"[+-]?[1-9]\d{0,2}\.\d{3}", text) is None:
            return "", False
        else:
            found.append(text)
    ends_in_zero = any(text.endswith("0") for text in found)
    return (found[0] if found else ""), bool(n_whole and ends_in_zero)


def decimal_comma(values: Sequence[Any], *, comma_is_decimal: bool) -> str:
    """Return a cell of a column of numbers that shows that its commas are decimal, or ``""``."""
    texts = [v for v in values if isinstance(v, str) and v.strip()]
    bodies = [body for body in map(_body, texts) if body is not None]
    if 2 * len(bodies) < len(texts):
        return ""
    mark, problem = _decimal_mark([text for text, _ in bodies], comma_is_decimal)
    if mark != "," or problem:
        return ""
    return next((text for text, _ in bodies if "," in text), "")


_BOUND = re.compile(r"(?:[<>≤≥]=?|less than|more than|under|over|up to)\s*[+-]?[\d.,]+.*", re.I)
_RANGE = re.compile(
    r"(?P<low>[+-]?\d+(?:\.\d+)?)\s*(?:-|–|—|to|\.\.\.?|…)\s*(?P<high>[+-]?\d+(?:\.\d+)?)\s*\D*"
)
_NOTED = re.compile(
    r"(?:~|≈|ca\.?|approx\.?|about|=)?\s*(?P<number>[+-]?\d+(?:[.,]\d+)?)\s*"
    r"(?:\*+|%|[(\[][^()\[\]]*[)\]]|[a-zA-Z][a-zA-Z. ]*)?"
)


def advice_on(text: str) -> str:
    """Return what to write for a cell that is not a plain number; part of a sentence."""
    text = _with_minus(text)
    if len(text) > _LONGEST:
        return "correct it"
    if _BOUND.fullmatch(text):
        return "a bound is no value: leave the cell empty, or write the value itself"
    if (found := _RANGE.fullmatch(text)) and float(found["low"]) < float(found["high"]):
        middle = (float(found["low"]) + float(found["high"])) / 2
        return f"a range is no value: write one number, such as its middle {middle:.6g}"
    if found := _NOTED.fullmatch(text):
        return f"write the number alone: {found['number']}"
    if (found := _BEFORE_A_UNIT.fullmatch(text)) and is_unit(found["unit"]):
        return f"write the number alone: {found['number']}"
    if not re.search(r"\d", text):
        return "correct it, or leave the cell empty if nothing is known"
    return "correct it"


def looks_like_a_number(text: str) -> bool:
    """Say whether a text is a number with something about it: ``<0.1``, ``1.5 eV``, ``12%``.

    So are texts that were numbers once: ``[1.5]``, ``tensor(1.5)``, ``1.5D-3``, ``#DIV/0!``.
    """
    text = text.strip()
    if len(text) > _LONGEST:
        return False
    return bool(_DECORATED.fullmatch(text) or spoilt_number(text)) or _has_unit(text)


def _has_unit(text: str) -> bool:
    """Say whether a text is a number and a unit, as ``1e-3 M`` is; ``2D``, ``4mm`` are none."""
    found = _BEFORE_A_UNIT.fullmatch(text)
    if found is None or not is_unit(found["unit"]):
        return False
    molar = re.fullmatch("[pnuµμm]M", found["unit"])
    return bool(molar or found["blank"] or re.search(r"[.eE]", found["number"]))


def spoilt_number(text: str) -> str:
    """Return what a text is that was a number once; empty if it is none, or still one."""
    if re.fullmatch(_PLAIN, text):
        return ""
    if is_error(text):
        return "an error of a spreadsheet; correct its formula, or leave the cell empty"
    found = (what for what, form in _SPOILT.items() if re.fullmatch(form, text, re.I))
    return next(found, "")


def _plain_number(value: Any) -> float | None:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.number)):
        return None
    if isinstance(value, np.complexfloating):
        return None
    try:
        return float(value)
    except OverflowError:  # an integer of four hundred digits
        return math.inf


def _word(text: str) -> float | None:
    return float(text.strip()) if text.strip().lower() in _WORDS else None


def _body(text: str) -> tuple[str, int] | None:
    """Return the digits of a numeral with their marks, and its power of ten."""
    if len(text) > _LONGEST:
        return None
    found = _NUMERAL.fullmatch(_with_minus(text))
    if found is None:
        return None
    body = found["body"]
    if any(space in body for space in _SPACES + "'"):
        grouped = _GROUPED.match(body)
        if grouped is None or any(s in body[grouped.end() :] for s in _SPACES + "'"):
            return None
        body = re.sub(f"[{_SPACES}']", "", body)
    power = found["exponent"]
    exponent = (
        0 if power is None else int(re.sub(r"^([eE]|\s*[x×*·]\s*10\s*(\^|\*\*)?)", "", power))
    )
    return (body, exponent) if _is_number(body) else None


def _with_minus(text: str) -> str:
    """Return a text with the signs of a keyboard for a minus; a dash between numbers is a range."""
    text = text.strip().replace("\u2212", "-")
    return f"-{text[1:]}" if re.match("[\u2010-\u2015\ufe63\uff0d][\\d.,]", text) else text


def _is_number(body: str) -> bool:
    """Say whether digits with commas and points can be a number in some country."""
    return any(_digits(body, mark) is not None for mark in ".,")


def _digits(body: str, mark: str) -> str | None:
    """Return a numeral as Python writes it, if ``mark`` divides its decimals."""
    other = "," if mark == "." else "."
    if re.fullmatch(_DECIMAL.format(re.escape(mark) + "?"), body):
        return body.replace(mark, ".")
    groups = rf"[+-]?[1-9]\d{{0,2}}({re.escape(other)}\d{{3}})+({re.escape(mark)}\d*)?"
    if re.fullmatch(groups, body):
        return body.replace(other, "").replace(mark, ".")
    return None


def _decimal_mark(bodies: Sequence[str], comma_is_decimal: bool) -> tuple[str, str]:
    """Return the decimal mark of a column, and a problem if there cannot be one.

    A cell such as ``1,234.5`` tells of all others what their commas and points are. One such as
    ``2.5`` does not tell that ``1,234`` beside it is more than a thousand.
    """
    only: dict[str, str] = {}  # decimal mark to a cell that allows no other
    telling: dict[str, str] = {}  # the same, of cells with thousands apart
    open_cells: dict[str, str] = {}  # mark to a cell in which it may be either
    for body in bodies:
        if "," not in body and "." not in body:
            continue
        possible = [mark for mark in ".," if _digits(body, mark) is not None]
        if len(possible) == 1:
            only.setdefault(possible[0], body)
            if ("." if possible[0] == "," else ",") in body:
                telling.setdefault(possible[0], body)
        else:
            open_cells.setdefault("," if "," in body else ".", body)
    for mark, other in ((",", "."), (".", ",")):
        if mark not in only or (mark == "." and "," in only):
            continue
        contrary = only.get(other)
        if contrary is None and mark not in telling:
            contrary = open_cells.get(other)
            if contrary is not None and mark == ".":
                return mark, _two_readings(contrary, only[mark])
        if contrary is not None:
            return mark, (
                f"has decimal commas ({only[',']!r}) and points ({contrary!r}); write all "
                "numbers in one way"
            )
        return mark, ""
    if "," not in open_cells:
        return ".", ""
    if "." in open_cells:
        return ".", _two_readings(open_cells[","], open_cells["."])
    return (",", "") if comma_is_decimal else (".", _two_readings(open_cells[","]))


def _two_readings(cell: str, beside: str = "") -> str:
    """Return the problem of a cell such as ``1,234``, perhaps beside one with a point."""
    other = f" beside {beside!r}" if beside else ""
    return (
        f"holds {cell!r}{other}, which may be {cell.replace(',', '')} or "
        f"{cell.replace(',', '.')}; write it with a decimal point, or without a separator of "
        "thousands"
    )


def _value(body: str, exponent: int, mark: str) -> float | None:
    digits = _digits(body, mark)
    if digits is None:
        return None
    try:
        return float(f"{digits}e{exponent}")
    except ValueError:
        return None


def is_numeral(text: str) -> bool:
    """Say whether a text is a number, whatever its comma is."""
    return read_numerals([text], comma_is_decimal=True).numbers[0] is not None
