"""The columns of a table beside structures and targets: what its rows may be divided by."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LONGEST = 1000
"""Letters of a cell; a longer one is a structure or a report and no group."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OtherColumns(Mapping[str, list[Any]]):
    """Columns by header, one cell a sample; those with structures, lists or long texts left out.

    The cells stand as they were read, and what was read is shared by all parts of a data set.
    """

    cells: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """By header, one cell a row of the source"""
    rows: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """(n,) row of each sample among the cells"""

    @classmethod
    def of(cls, cells: Mapping[str, Sequence[Any]], rows: Sequence[int]) -> "OtherColumns":
        """Return the columns of a table whose cells are single numbers, words and dates."""
        kept = {
            header: column
            for header, column in cells.items()
            if str(header).strip() and all(map(_is_single, column))
        }
        return cls(cells=kept, rows=np.asarray(rows, dtype=np.int64)) if kept else cls()

    def __getitem__(self, header: str) -> list[Any]:
        column = self.cells[header]
        return [column[row] for row in self.rows.tolist()]

    def __iter__(self) -> Iterator[str]:
        return iter(self.cells)

    def __len__(self) -> int:
        return len(self.cells)

    def subset(self, chosen: NDArray[np.int64]) -> "OtherColumns":
        """Return the cells of some samples, in the given order."""
        return OtherColumns(cells=self.cells, rows=self.rows[chosen]) if self.cells else self

    def to_plain(self) -> dict[str, list[Any]]:
        """Return the cells as JSON can hold them; what is no number is None, a date is its text."""
        return {header: [_plain(cell) for cell in self[header]] for header in self}


def _is_single(cell: Any) -> bool:
    if isinstance(cell, str):
        return len(cell) <= _LONGEST
    return cell is None or isinstance(cell, int | float | np.number | np.bool_ | date)


def _plain(cell: Any) -> Any:
    if isinstance(cell, np.number | np.bool_):
        cell = cell.item()
    if isinstance(cell, float) and not math.isfinite(cell):
        return None
    return cell.isoformat() if isinstance(cell, date) else cell
