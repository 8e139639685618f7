"""DataFrames of pandas, known without importing it."""

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from atomlens.datasets.tables.cells import is_time
from atomlens.errors import DatasetError, warn
from atomlens.printing import shown

if TYPE_CHECKING:
    import pandas as pd


def is_frame(given: Any) -> bool:
    """Say whether an object is a table of pandas, without importing it."""
    return type(given).__name__ == "DataFrame" and hasattr(given, "columns")


def as_frame(given: Any) -> Any:
    """Return a table of Arrow as a DataFrame, anything else as it is."""
    of_arrow = type(given).__module__.partition(".")[0] == "pyarrow"
    return given.to_pandas() if of_arrow and hasattr(given, "column_names") else given


def index_of_rows(given: Any) -> "pd.Index | None":
    """Return what a Series or DataFrame of pandas calls its rows; None for anything else."""
    of_pandas = any(cls.__module__.partition(".")[0] == "pandas" for cls in type(given).__mro__)
    if not of_pandas or not (is_frame(given) or hasattr(given, "items")):
        return None
    index: pd.Index | None = getattr(given, "index", None)
    return index


def refuse_other_order(parts: Mapping[str, Any]) -> None:
    """Refuse columns of pandas whose rows have the same labels in another order; tell of others.

    What is given in columns of its own is paired by place, as scikit-learn does it, and a sorted or
    shuffled column would give each structure the value of another.

    Args:
        parts: Columns, by what a message calls them; what has no labels is passed over.

    Raises:
        DatasetError: the rows of two columns have the same labels in another order.
    """
    labelled = [(name, index_of_rows(given)) for name, given in parts.items()]
    named = [(name, index) for name, index in labelled if index is not None]
    for name, index in named[1:]:
        first, labels = named[0]
        if len(index) != len(labels) or index.equals(labels):
            continue
        ours, others = _labels(labels), _labels(index)
        pairs = enumerate(zip(ours, others, strict=True))
        place = next((i for i, (a, b) in pairs if {a} != {b}), None)  # pd.NA is equal to nothing
        if place is None:
            continue
        apart = (
            f"row {place + 1} is {shown(ours[place])} in {first} and "
            f"{shown(others[place])} in {name}"
        )
        if set(ours) == set(others):
            raise DatasetError(
                f"{first} and {name} have the same row labels in another order ({apart}), so each "
                "structure would get the value of another row; put both into one DataFrame, or "
                "take the labels away with .to_numpy() if they belong together as they stand."
            )
        warn(
            f"{first} and {name} have other row labels ({apart}); they are paired by their place. "
            "One DataFrame with both pairs them by label."
        )


def _labels(index: "pd.Index") -> list[Any]:
    """Return labels as equal objects where they are equal, which NaN is not to itself."""
    return [None if isinstance(x, float) and x != x else x for x in index.tolist()]


def refuse_set(given: Any, what: str) -> None:
    """Refuse a set where the order of its entries decides which value is whose.

    Raises:
        DatasetError: it is one.
    """
    if isinstance(given, set | frozenset):
        raise DatasetError(f"{what} are a set, which has no order; give a list.")


def columns_of_frame(frame: Any) -> dict[str, list[Any]]:
    """Return the columns of a DataFrame by header, their cells as a file would hold them.

    Raises:
        DatasetError: two of them have one name.
    """
    names = [str(name) for name in frame.columns]
    stripped = Counter(name.strip() for name in names)
    twice = [name for name, n in stripped.items() if n > 1]
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
        if is_time(value):  # of nanoseconds numpy makes a number
            found = value.astype(f"{value.dtype.kind}8[us]").item()
            return str(value) if isinstance(found, int) else found
        return value.item()
    if isinstance(value, bytes):  # texts of HDF5 and Parquet
        return value.decode(errors="replace")
    return float(value) if isinstance(value, Decimal | Fraction) else value
