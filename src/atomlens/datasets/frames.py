"""DataFrames of pandas, known without importing it."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from atomlens.errors import DatasetError

if TYPE_CHECKING:
    import pandas as pd


def is_frame(given: Any) -> bool:
    """Say whether an object is a table of pandas, without importing it."""
    return type(given).__name__ == "DataFrame" and hasattr(given, "columns")


def index_of_rows(given: Any) -> "pd.Index | None":
    """Return what a Series or DataFrame of pandas calls its rows; None for anything else."""
    of_pandas = any(cls.__module__.partition(".")[0] == "pandas" for cls in type(given).__mro__)
    if not of_pandas or not (is_frame(given) or hasattr(given, "items")):
        return None
    index: pd.Index | None = getattr(given, "index", None)
    return index


def columns_of_frame(frame: Any) -> dict[str, list[Any]]:
    """Return the columns of a DataFrame by header, their cells as a file would hold them.

    Raises:
        DatasetError: two of them have one name.
    """
    names = [str(name) for name in frame.columns]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise DatasetError(f"DataFrame: two columns are called {twice[0]!r}; rename one of them.")
    columns = {name: frame[own] for name, own in zip(names, frame.columns, strict=True)}
    return {
        name: list(map(plain_cell, column.tolist() if hasattr(column, "tolist") else column))
        for name, column in columns.items()
    }


def plain_cell(value: Any) -> Any:
    """Return a cell of a DataFrame as a file would hold it."""
    if type(value).__name__ in ("NAType", "NaTType"):  # no value, no date
        return None
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):  # of numpy or torch
        return value.item()
    return float(value) if isinstance(value, Decimal) else value
