"""When: the cells of a column as numbers that grow with time, however dates are written in it."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.tables.numerals import read_numerals
from atomlens.printing import cut, shown

_CLOCK = (
    r"(?:[ T,]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}(?:\.\d+)?))?"
    r"\s*(?P<zone>Z|[+-]\d\d:?\d\d)?)?"
)
_YEAR_FIRST = re.compile(
    r"(?P<year>\d{4})[-/.](?P<month>\d{1,2})(?:[-/.](?P<day>\d{1,2})" + _CLOCK + r")?"
)
_YEAR_LAST = re.compile(
    r"(?P<one>\d{1,2})(?P<mark>[-/.])(?P<two>\d{1,2})(?P=mark)(?P<year>\d{4})" + _CLOCK
)
_NAMED = re.compile(
    r"(?:(?P<day>\d{1,2})(?:st|nd|rd|th)?[-. ]+(?P<word>[A-Za-z]{3,9})"
    r"|(?P<first_word>[A-Za-z]{3,9})(?:[. ]+(?P<second>\d{1,2})(?:st|nd|rd|th)?,)?"
    r")[-., ]+(?P<year>\d{4})"
)
_MONTHS = (
    "january february march april may june july august september october november december".split()
)
_START = datetime(1970, 1, 1, tzinfo=UTC)


class Times(NamedTuple):
    """A column that says when."""

    values: NDArray[np.float64]
    """(n,) numbers as they are, dates in seconds since 1970; meaningless with a problem"""
    problem: str = ""
    """Why the column does not say when; part of a sentence, empty if it does"""


def read_times(cells: Sequence[Any]) -> Times:
    """Read a column of numbers (years, counts) or of dates; nothing is guessed.

    Args:
        cells: None of them is empty. A date without a time zone is taken in UTC.
    """
    nothing = np.zeros(0)
    flag = next((cell for cell in cells if isinstance(cell, bool | np.bool_)), None)
    if flag is not None:
        return Times(nothing, f"holds {flag}, which is neither a number nor a date")
    if not any(isinstance(cell, date) for cell in cells):
        numerals = read_numerals(cells)
        numbers = [n for n in numerals.numbers if n is not None and np.isfinite(n)]
        if len(numbers) == len(cells) and not numerals.problem:
            odd = _year_at_the_end(cells)
            return Times(np.array(numbers), odd)
    texts = [cell.strip() for cell in cells if isinstance(cell, str)]
    matches = [_YEAR_LAST.fullmatch(text) for text in texts]
    day_first, problem = _day_first([match for match in matches if match])
    if problem:
        return Times(nothing, problem)
    found = []
    for cell in cells:
        when = _when(cell, day_first=day_first)
        if when is None:
            what = f"holds {cut(shown(cell), 60)}, which is neither a number nor a date that can "
            return Times(nothing, f"{what}be told; write dates as 2019-03-27")
        found.append((when - _START).total_seconds())
    return Times(np.array(found))


def _year_at_the_end(cells: Sequence[Any]) -> str:
    """Return a problem of dates as 27032019, whose numbers do not grow with time."""
    texts = [str(cell).strip() for cell in cells if isinstance(cell, str | int | np.integer)]
    if len(texts) < len(cells) or not all(re.fullmatch(r"\d{7,8}", text) for text in texts):
        return ""
    padded = [text.zfill(8) for text in texts]
    if all(_date(int(t[:4]), int(t[4:6]), int(t[6:])) for t in padded):
        return ""
    if all(1800 <= int(text[4:]) <= 2200 for text in padded):
        return f"holds {texts[0]!r}, whose year stands at the end; write dates as 2019-03-27"
    return ""


def _day_first(found: Sequence[re.Match[str]]) -> tuple[bool, str]:
    """Return whether dates such as 27.3.2019 begin with the day, and why that cannot be told."""
    if not found:
        return False, ""
    first = next((m for m in found if int(m["one"]) > 12), None)
    second = next((m for m in found if int(m["two"]) > 12), None)
    if first and second:
        return False, (
            f"holds {first[0]!r} and {second[0]!r}, of which one begins with the day and one with "
            "the month; write dates as 2019-03-27"
        )
    if first or second or all(m["mark"] == "." for m in found):
        return second is None, ""
    differing = next((m for m in found if m["one"] != m["two"]), found[0])
    return False, (
        f"holds {differing[0]!r}, which may begin with the day or with the month; write dates as "
        "2019-03-27"
    )


def _when(cell: Any, *, day_first: bool) -> datetime | None:
    if isinstance(cell, datetime):
        return cell if cell.tzinfo is not None else cell.replace(tzinfo=UTC)
    if isinstance(cell, date):
        return datetime(cell.year, cell.month, cell.day, tzinfo=UTC)
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    text = str(cell).strip()
    if re.fullmatch(r"\d{4}", text):
        return _date(int(text), 1, 1)
    if match := _YEAR_FIRST.fullmatch(text):
        return _at(match, int(match["month"]), int(match["day"] or 1))
    if match := _YEAR_LAST.fullmatch(text):
        one, two = int(match["one"]), int(match["two"])
        return _at(match, two if day_first else one, one if day_first else two)
    if match := _NAMED.fullmatch(text):
        word = (match["word"] or match["first_word"]).lower()
        named = [i for i, month in enumerate(_MONTHS, start=1) if month.startswith(word)]
        named = [9] if word == "sept" else named
        day = int(match["day"] or match["second"] or 1)
        return _date(int(match["year"]), named[0], day) if len(named) == 1 else None
    return None


def _date(year: int, month: int, day: int) -> datetime | None:
    try:
        return datetime(year, month, day, tzinfo=UTC)
    except ValueError:
        return None


def _at(match: re.Match[str], month: int, day: int) -> datetime | None:
    """Return the moment of a date with or without a time of day; None if there is no such day."""
    found = _date(int(match["year"]), month, day)
    if found is None or match["hour"] is None:
        return found
    hour, minute = int(match["hour"]), int(match["minute"])
    if hour > 24 or minute > 59:
        return None
    seconds = 3600.0 * hour + 60 * minute + float(match["second"] or 0)
    zone = match["zone"] or "Z"
    if zone != "Z":
        sign = -1 if zone[0] == "-" else 1
        seconds -= sign * (3600 * int(zone[1:3]) + 60 * int(zone[-2:]))
    return found + timedelta(seconds=seconds)
