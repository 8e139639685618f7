"""What one cell of a table holds: nothing, or a text that is the same however it is written."""

import math
import re
from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np

from atomlens.printing import kind_of_object, shown

_MISSING = {"", "-", "?", "na", "n/a", "nan", "none", "null"}
_ERROR = re.compile(
    r"#¡?[A-ZÀ-Þ][A-ZÀ-Þ_/0-9]*[!?]"
    r"|#(?:N/A|N/D|NV|N/V|NULL|GETTING_DATA)|Err:\d{3}"
)
"""What a spreadsheet shows where it has no result, in the language of its user."""
TRUTH_WORDS = {"true": "True", "false": "False"}


def is_missing(value: Any) -> bool:
    """Say whether a cell is empty: None, NaN, or a word for nothing."""
    if value is None:
        return True
    if isinstance(value, str):
        return value.strip().lower() in _MISSING
    return isinstance(value, float) and math.isnan(value)


def is_empty(value: Any) -> bool:
    """Say whether there is nothing in a cell, not even a word for nothing."""
    return is_missing(value) and not (isinstance(value, str) and value.strip())


def is_error(value: Any) -> bool:
    """Say whether a cell holds what a spreadsheet shows where a formula failed: ``#DIV/0!``."""
    return isinstance(value, str) and _ERROR.fullmatch(value.strip()) is not None


def text_of(value: Any) -> str:
    """Return a class as text: 1, 1.0 and '1' are one class, as are True and 'true'."""
    text = str(value).strip()
    try:
        number = float(text) if "_" not in text and not isinstance(value, bool) else math.nan
    except ValueError:
        number = math.nan
    if math.isfinite(number) and number.is_integer():
        return str(int(number))
    return TRUTH_WORDS.get(text.lower(), text)


def is_time(value: Any) -> bool:
    """Say whether a cell is a date, a time of day or a duration, also one of pandas or numpy."""
    times = (date, time, timedelta, np.datetime64, np.timedelta64)
    return isinstance(value, times) or hasattr(value, "start_time")  # a period of pandas


def shown_cell(value: Any) -> str:
    """Return a cell as messages show it: dates as one writes them, objects by their kind."""
    if isinstance(value, float):
        return repr(float(value))
    if is_time(value):
        is_day = isinstance(value, datetime) and value.time() == time()
        return str(value.date() if is_day else value)
    text = shown(value)
    return kind_of_object(value) if re.fullmatch(r"<.* at 0x.*>", text) else text
