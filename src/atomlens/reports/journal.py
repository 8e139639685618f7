"""Tables that grow row by row, of any length, and are whole or not there at all.

Rows are written as JSON lines beside the place of the table. At the end, when all columns are
known, the table is made from them in a second pass. Memory holds one part of it at a time.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray

from atomlens.errors import SettingsError
from atomlens.files import only_writer, place_of, replacing
from atomlens.printing import cell as safe_cell
from atomlens.printing import encodable
from atomlens.reports.tables import (
    Record,
    cell_text,
    check_table,
    dump_record,
    packed,
    plain,
    write_table,
)

_ROWS = 16_384
"""Rows of a group of a Parquet file."""
_AT_A_TIME = 512
"""So many of them are objects of Python at a time, ten times as large as Arrow's"""


class TableJournal:
    """Takes rows, and makes a table of them when all are there.

    A table that stands at the place is replaced in the end. If the block is left by an
    exception, nothing is left behind.
    """

    def __init__(self, path: str | Path, types: Mapping[str, type] | None = None) -> None:
        """Take a place.

        Args:
            path: Of the table; its ending says its kind.
            types: Of columns (str, int, float), whatever their cells turn out to hold: Parquet
                keeps the types of columns, and those of two tables are the same then.
        """
        check_table(path)
        self.types = types or {}
        self.path = place_of(path)
        self.columns: dict[str, set[type]] = {}
        """Every column that some row has, in the order of first mention, and what it holds."""
        self.n_rows = 0
        self._stack = _place(self.path)
        self._lines: IO[str] | None = None
        self._draft = Path()

    def __enter__(self) -> Self:
        self._draft = self._stack.__enter__()
        self._lines = self._draft.open("w", encoding="utf-8", newline="\n")
        return self

    def add(self, records: Iterable[Record]) -> None:
        """Add rows."""
        assert self._lines is not None
        for record in records:
            row = {str(key): plain(value) for key, value in record.items()}
            for key, value in row.items():
                self.columns.setdefault(key, set()).add(type(value))
            self._lines.write(encodable(dump_record(row)) + "\n")
            self.n_rows += 1

    def finish(self, order: NDArray[np.int64] | None = None) -> Path:
        """Put the table in its place.

        Args:
            order: (n_rows,) the rows as the table has them, by number in the order in which they
                were added; None: just so.
        """
        assert self._lines is not None
        self._lines.close()
        self._lines = None
        suffix = self.path.suffix.lower()
        if suffix == ".xlsx":  # one sheet, which its writer holds in memory
            return write_table(list(self._rows(order)), self.path)
        with replacing(self.path) as draft:
            if suffix == ".parquet":
                _write_parquet(draft, self._rows(order), self.columns, self.types)
            else:
                with draft.open("w", encoding="utf-8", newline="\n") as stream:
                    for text in _texts(suffix, self._rows(order), list(self.columns)):
                        stream.write(text)
        return self.path

    def _rows(self, order: NDArray[np.int64] | None) -> Iterator[dict[str, Any]]:
        with self._draft.open("rb") as lines:
            if order is None:
                yield from map(json.loads, lines)
                return
            ends = np.cumsum(np.fromiter(map(len, lines), dtype=np.int64, count=self.n_rows))
            for row in order:
                lines.seek(0 if row == 0 else int(ends[row - 1]))
                yield json.loads(lines.readline())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._lines is not None:
            with suppress(OSError):
                self._lines.close()
        self._stack.__exit__(kind, problem, trace)


@contextmanager
def _place(path: Path) -> Iterator[Path]:
    """Give a hidden file beside a table, which no other process writes at the same time."""
    with ExitStack() as stack:
        try:
            stack.enter_context(only_writer(path))
        except OSError as error:
            raise SettingsError(
                f"{path}: this cannot be written ({error.strerror}). Choose another place."
            ) from error
        yield stack.enter_context(replacing(path, keep=False))


def _texts(suffix: str, rows: Iterable[Record], names: list[str]) -> Iterator[str]:
    if suffix == ".jsonl":
        for row in rows:
            yield f"{dump_record(row)}\n"
    elif suffix == ".json":
        before = "[\n"
        for row in rows:
            yield f"{before}{dump_record(row)}"
            before = ",\n"
        yield "[]\n" if before == "[\n" else "\n]\n"
    else:
        yield _csv_line(map(safe_cell, names))
        for row in rows:
            yield _csv_line(cell_text(row.get(name)) for name in names)


def _csv_line(cells: Iterable[str]) -> str:
    import csv
    import io

    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(list(cells))
    return buffer.getvalue()


def _write_parquet(
    path: Path,
    rows: Iterator[Record],
    columns: dict[str, set[type]],
    types: Mapping[str, type],
) -> None:
    import pyarrow
    from pyarrow import parquet

    known = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64()}
    kinds = {
        name: known[types[name]] if name in types else _arrow_type(found, pyarrow)
        for name, found in columns.items()
    }
    schema = pyarrow.schema(list(kinds.items()))
    with parquet.ParquetWriter(path, schema) as writer:
        for parts in _groups(rows, kinds, schema):
            writer.write_table(pyarrow.concat_tables(parts).combine_chunks())


def _groups(
    rows: Iterator[Record], kinds: Mapping[str, Any], schema: Any
) -> Iterator[Sequence[Any]]:
    """Yield the groups of rows of a Parquet file, the last one smaller, as tables of a few rows."""
    import pyarrow

    parts, left = [schema.empty_table()], _ROWS
    while some := [
        {name: _fitting(row.get(name), kind, pyarrow) for name, kind in kinds.items()}
        for row in islice(rows, min(_AT_A_TIME, left))
    ]:
        parts.append(pyarrow.Table.from_pylist(some, schema=schema))
        left -= len(some)
        if not left:
            yield parts
            parts, left = [schema.empty_table()], _ROWS
    yield parts


def _arrow_type(found: set[type], pyarrow: Any) -> Any:
    """Return the type of a column: as pandas has it, whole numbers with gaps are floats."""
    kinds = found - {type(None)}
    if not kinds:
        return pyarrow.null()
    if kinds == {bool}:
        return pyarrow.bool_()
    if kinds == {int} and type(None) not in found:
        return pyarrow.int64()
    return pyarrow.float64() if kinds <= {int, float} else pyarrow.string()


def _fitting(value: Any, kind: Any, pyarrow: Any) -> Any:
    if value is None:
        return None
    if kind == pyarrow.string():
        value = packed(value)
        return value if isinstance(value, str) else cell_text(value)
    return float(value) if kind == pyarrow.float64() else value
