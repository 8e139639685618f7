"""What is in the rows of a study's tables, whose cells may be of any type or missing."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray


def as_number(value: object) -> float:
    """Return a cell as a number; NaN where it is empty."""
    if value is None:
        return float("nan")
    return float(value) if isinstance(value, int | float) else float(str(value))


def numbers_of(rows: Sequence[Mapping[str, object]], name: str) -> NDArray[np.float64]:
    """Return one column, (n_rows,); NaN where a row lacks it."""
    return np.array([as_number(row.get(name)) for row in rows], dtype=np.float64)


def control_names(rows: Sequence[Mapping[str, object]]) -> list[str]:
    """Return the networks of the rows that are no trained ones, in order."""
    return [n for n in dict.fromkeys(str(r["network"]) for r in rows) if n != "trained"]


def within(row: Mapping[str, object], name: str, digits: str = ".3g") -> str:
    """Return a value with its interval, the fields ``NAME``, ``NAME_low`` and ``NAME_high``.

    Without an interval the value alone; empty where there is no value.
    """
    value, low, high = (as_number(row.get(f"{name}{end}")) for end in ("", "_low", "_high"))
    if not math.isfinite(value):
        return ""
    shown = f"z{digits}"  # no -0.00
    if not (math.isfinite(low) and math.isfinite(high)):
        return f"{value:{shown}}"
    return f"{value:{shown}} ({low:{shown}} to {high:{shown}})"
