"""What one cell of a table holds: nothing, or a text that is the same however it is written."""

import math
from typing import Any

from atomlens.printing import shown

_MISSING = {"", "-", "?", "na", "n/a", "nan", "none", "null"}
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


def shown_cell(value: Any) -> str:
    """Return a cell as messages show it."""
    return repr(value) if isinstance(value, float) else shown(value)
