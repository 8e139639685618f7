"""Tables: one structure and its targets a row, from files, DataFrames and columns.

Which column is what stands in `headers`; how the structure of a row is read in `row_readers`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atomlens.datasets.tables.cells import is_missing
from atomlens.datasets.tables.cross_checks import held_against_others
from atomlens.datasets.tables.files import Content, read_content, refuse_sheet
from atomlens.datasets.tables.frames import columns_of_frame, plain_cell
from atomlens.datasets.tables.headers import FOLDS, IGNORED, NAMES, TEXTS, known_headers
from atomlens.datasets.tables.row_readers import RowReader, structure_reader
from atomlens.errors import DatasetError, warn
from atomlens.printing import clean_name, cut, few
from atomlens.structures.forms import REFUSE

if TYPE_CHECKING:
    from ase import Atoms

_ONE_EACH = ("file", "formula", "composition", "split", *FOLDS)
"""Columns of which a table has one; two that differ in capital letters may both be meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table taken apart. Every sequence has one entry a row."""

    n_rows: int
    forms_of: RowReader
    """Reads the structure of a row, or its ordered models or conformers; raises StructureError."""
    names: tuple[str | None, ...]
    """What the table calls the rows; None where it gives no name."""
    parts: tuple[str | None, ...] | None
    """The column ``split``, if there is one."""
    folds: tuple[str | None, ...] | None
    """The column ``fold`` or ``test_fold``: in which round of a cross-validation to test it."""
    columns: dict[str, list[Any]]
    """What may be a target, by header."""
    spare: dict[str, list[Any]]
    """What is a target only if asked for by name."""
    cells: dict[str, list[Any]]
    """All columns as they stand in the file."""
    problems: dict[int, str]
    """Rows that cannot be told apart, with the reason; part of a sentence."""
    comma_is_decimal: bool = False
    """Cells are separated by semicolons, as where 1,234 is less than two."""

    def structure_of(self, row: int) -> "Atoms":
        """Read the structure of a row; raises StructureError, for a disordered crystal too."""
        return self.forms_of(row, REFUSE)[0]


def read_table(
    path: Path,
    structure_column: str | None,
    name_column: str | None,
    structure_folder: Path | None = None,
    sheet: str | None = None,
) -> Table:
    """Read a table; no structure is read yet. ``structure_folder`` holds the files it names.

    Of an Excel file the sheet of this name is read, else the first, or the only one with a column
    of structures if the first has none; which one is a warning where there are several.

    Raises:
        DatasetError: the file is no table, or has no column with structures or no such sheet.
    """
    content = read_content(path, structure_column, sheet)
    return _taken_apart(path, content, structure_column, name_column, structure_folder)


def frame_table(
    frame: Any,
    structure_column: str | None = None,
    name_column: str | None = None,
    structure_folder: Path | None = None,
    sheet: str | None = None,
    *,
    where: str = "DataFrame",
) -> Table:
    """Take a DataFrame of pandas as a table; files that it names are relative to this folder.

    Columns by header will do in its place; ``where`` says what it is, for messages.

    Raises:
        DatasetError: it has no column with structures.
    """
    refuse_sheet(where, sheet)
    columns = (
        {header: [*map(plain_cell, cells)] for header, cells in frame.items()}
        if isinstance(frame, dict)
        else columns_of_frame(frame)
    )
    content = Content(columns)
    return _taken_apart(Path(where), content, structure_column, name_column, structure_folder)


def _taken_apart(
    path: Path,
    content: Content,
    structure_column: str | None,
    name_column: str | None,
    structure_folder: Path | None,
) -> Table:
    """Find out which column is what."""
    columns = content.columns
    n_rows = len(next(iter(columns.values()), []))
    if n_rows == 0:
        raise DatasetError(f"{path}: there is no row in this table; add some.")
    known = known_headers(columns)
    for given in (structure_column, name_column):
        if given is not None and given not in columns:
            raise DatasetError(f"{path}: there is no column {given!r}; it has {few(columns)}.")
    if structure_folder is not None and not structure_folder.is_dir():
        raise DatasetError(f"{structure_folder}: there is no such folder of structures.")
    _refuse_alike(path, columns, structure_column)
    forms_of, used = structure_reader(path, columns, known, structure_column, structure_folder)
    name_header = name_column or next((known[n] for n in NAMES if n in known), None)
    split_header = known.get("split")
    fold_header = next((known[f] for f in FOLDS if f in known), None)
    forms_of = held_against_others(path, forms_of, columns, used, known)
    names = _texts(columns, name_header) or (None,) * n_rows
    tell_shared_names(path, name_header, names)
    special = {*used, name_header, split_header, fold_header}
    special |= {known[k] for k in (*TEXTS, *NAMES, *IGNORED) if k in known}
    return Table(
        n_rows=n_rows,
        forms_of=forms_of,
        names=names,
        parts=_texts(columns, split_header),
        folds=_texts(columns, fold_header),
        columns={h: v for h, v in columns.items() if h not in special},
        spare={h: v for h, v in columns.items() if h in special and h not in used},
        cells=columns,
        problems=content.problems,
        comma_is_decimal=content.comma_is_decimal,
    )


def _refuse_alike(
    path: Path, columns: Mapping[str, list[Any]], structure_column: str | None
) -> None:
    """Refuse two columns such as ``Formula`` and ``formula`` that say different things.

    Raises:
        DatasetError: there are some.
    """
    seen: dict[str, str] = {}
    for header, cells in columns.items():
        word = header.strip().lower()
        other = seen.setdefault(word, header)
        named = structure_column in (header, other)
        if other != header and word in _ONE_EACH and not named and columns[other] != cells:
            raise DatasetError(
                f"{path}: the columns {other!r} and {header!r} differ, and both may be meant; "
                "rename one of them."
            )


def tell_shared_names(path: Path, header: str | None, names: Sequence[str | None]) -> None:
    """Say that rows are called the same, so that their names do not tell them apart."""
    often = Counter(name for name in names if name is not None)
    shared = [name for name, n in often.items() if n > 1]
    if shared and header is not None:
        n = sum(often[name] for name in shared)
        warn(
            f"{path}: {n} rows share their name in the column {cut(header, 60)!r} with another, "
            f"such as {cut(shared[0], 60)!r}; each stays a row of its own"
        )


def _texts(
    columns: Mapping[str, Sequence[Any]], header: str | None
) -> tuple[str | None, ...] | None:
    """Return the cells of a column as names; None without such a column."""
    if header is None:
        return None
    return tuple(None if is_missing(v) else clean_name(str(v)) for v in columns[header])
