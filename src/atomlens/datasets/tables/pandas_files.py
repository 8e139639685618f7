"""Parquet and Excel: files of tables that pandas reads."""

import re
import zipfile
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atomlens.boundary import regular_size
from atomlens.datasets.tables.frames import columns_of_frame
from atomlens.datasets.tables.headers import HOLDERS, TEXTS, known_headers
from atomlens.errors import DatasetError, missing_package, unknown_name, warn
from atomlens.printing import cut, reason

if TYPE_CHECKING:
    import pandas as pd

PACKAGES = {".parquet": ("pyarrow", "Parquet"), ".xlsx": ("openpyxl", "Excel")}
"""By the ending of a file: what pandas needs to read it, and what it is."""
_LARGEST_BOOK = 20_000_000
"""Bytes of an Excel file in which empty cells are looked into."""


def read_with_pandas(
    path: Path, suffix: str, structure_column: str | None, sheet: str | None
) -> dict[str, list[Any]]:
    """Return the columns of a Parquet file, or of one sheet of an Excel file, by header.

    Args:
        path: The file.
        suffix: One of ``PACKAGES``; behind it the name may go on, as for what is compressed.
        structure_column: The header of the column with the structures, if somebody says so.
        sheet: Which; otherwise the first, or the only one with structures.

    Raises:
        DatasetError: the file is damaged or has no such sheet, or a package is missing.
    """
    package, what = PACKAGES[suffix]
    missing = missing_package(f"{path}: reading {what}", package, "tables")
    if find_spec(package) is None:
        raise missing
    if regular_size(path) == 0:
        raise DatasetError(f"{path}: the file is empty; get a complete copy.")
    remarks: list[str] = []
    try:
        if suffix == ".parquet":
            frame = _parquet(path)
        else:
            frame, remarks = _excel(path, structure_column, sheet)
    except ImportError:
        raise missing from None
    except DatasetError:
        raise
    except Exception as problem:  # the packages below raise whatever they like
        said = reason(problem)
        raise DatasetError(f"{path}: this is not a readable {what} file ({said}).") from problem
    for remark in remarks:
        warn(f"{path}: {remark}")
    return columns_of_frame(frame)


def _parquet(path: Path) -> "pd.DataFrame":
    import pandas

    frame = pandas.read_parquet(path)
    return frame.reset_index() if any(n is not None for n in frame.index.names) else frame


def _excel(
    path: Path, structure_column: str | None, sheet: str | None
) -> "tuple[pd.DataFrame, list[str]]":
    """Return a sheet of an Excel file, and what is to be said of it."""
    import pandas

    with pandas.ExcelFile(path) as book:
        sheets = [str(name) for name in book.sheet_names]
        heads = {}
        if len(sheets) > 1 and sheet is None:
            heads = pandas.read_excel(book, sheet_name=None, nrows=0)
        place, said = _sheet(path, sheets, list(heads.values()), structure_column, sheet)
        _refuse_doubled(path, pandas.read_excel(book, sheet_name=place, header=None, nrows=1))
        # NaN is a formula, NA a class
        frame = pandas.read_excel(book, sheet_name=place, keep_default_na=False, na_values=[""])
    remarks = [said] if said else []
    remarks += _with_per_cent(path, sheets[place], frame)
    if frame.isna().to_numpy().any():
        remarks += _fill_merged(path, sheets[place], frame)
    return frame, remarks


def _refuse_doubled(path: Path, first: "pd.DataFrame") -> None:
    """Refuse a header that stands twice, which pandas would call ``y.1``.

    Raises:
        DatasetError: there is one.
    """
    names = [name for row in first.to_numpy().tolist() for name in row if isinstance(name, str)]
    stripped = Counter(name.strip() for name in names)
    doubled = sorted(name for name, n in stripped.items() if n > 1 and name)
    if doubled:
        raise DatasetError(
            f"{path}: the column {cut(doubled[0], 60)!r} occurs twice; rename one, and give a "
            "second table that stands beside the first a sheet of its own."
        )


def _with_per_cent(path: Path, sheet_name: str, frame: "pd.DataFrame") -> list[str]:
    """Take cells that a sheet shows as per cent as they are shown, under a header with a ``%``.

    Such a cell holds 0.5 and shows 50%. Returns what is to be said of them.
    """
    if path.stat().st_size > _LARGEST_BOOK or not _has_per_cent(path):
        return []
    from openpyxl import load_workbook

    found: dict[int, list[int]] = {}
    with closing(load_workbook(path, read_only=True)) as book:
        rows = book[sheet_name].iter_rows(min_row=2, max_row=len(frame) + 1)
        for i, row in enumerate(rows):
            for cell in row:
                if isinstance(cell.value, int | float) and "%" in str(cell.number_format):
                    found.setdefault(cell.column - 1, []).append(i)
    remarks, as_fractions = [], []
    for column, places in found.items():
        header = str(frame.columns[column])
        if "%" not in header:
            as_fractions.append(repr(cut(header, 60)))
            continue
        frame.isetitem(column, frame.iloc[:, column].astype(object))
        for i in places:
            frame.iat[i, column] = float(f"{100 * frame.iat[i, column]:.12g}")
        remarks.append(
            f"{len(places)} cells of the column {cut(header, 60)!r} are shown as per cent and were "
            f"read as they are shown, such as {frame.iat[places[0], column]:g}"
        )
    if as_fractions:
        remarks.append(
            f"cells of {cut(' and '.join(as_fractions), 200)} are shown as per cent and were read "
            "as the fractions that they hold"
        )
    return remarks


def _has_per_cent(path: Path) -> bool:
    """Say whether a format of cells in an Excel file shows per cent."""
    with zipfile.ZipFile(path) as book:
        if "xl/styles.xml" not in book.namelist():
            return False
        with book.open("xl/styles.xml") as styles:
            text = styles.read(_LARGEST_BOOK).decode("utf-8", errors="replace")
    of_cells = text.partition("<cellXfs")[2].partition("</cellXfs>")[0]
    own = re.findall(r'<numFmt\b[^>]*numFmtId="(\d+)"[^>]*formatCode="[^"]*%', text)
    return any(f'numFmtId="{number}"' in of_cells for number in ("9", "10", *own))


def _fill_merged(path: Path, sheet_name: str, frame: "pd.DataFrame") -> list[str]:
    """Fill cells that are merged with the one above them; return what is to be said of a sheet.

    Those are filled columns, and formulas that no program has calculated.
    """
    if path.stat().st_size > _LARGEST_BOOK:
        return []
    from openpyxl import load_workbook
    from openpyxl.utils import get_column_letter

    sheet = load_workbook(path)[sheet_name]
    filled: dict[str, int] = {}
    for merged in sheet.merged_cells.ranges:
        first, last, column = merged.min_row - 2, merged.max_row - 2, merged.min_col - 1
        if not 0 <= first < last < len(frame) or merged.max_col != merged.min_col:
            continue
        frame.isetitem(column, frame.iloc[:, column].astype(object))
        frame.iloc[first + 1 : last + 1, column] = frame.iloc[first, column]
        header = str(frame.columns[column])
        filled[header] = filled.get(header, 0) + last - first
    remarks = [
        f"{n} cells of the column {cut(header, 60)!r} are merged with one above them, whose value "
        "they were given"
        for header, n in filled.items()
    ]
    bare = [
        f"{get_column_letter(cell.column)}{cell.row}"
        for row in sheet.iter_rows(min_row=2, max_row=len(frame) + 1, max_col=len(frame.columns))
        for cell in row
        if cell.data_type == "f" and frame.isna().iat[cell.row - 2, cell.column - 1]
    ]
    if bare:
        remarks.append(
            f"{len(bare)} cells hold a formula and no result (the first is {bare[0]}): no program "
            "has calculated this file since it was written; open it in Excel or LibreOffice, save "
            "it, and read it again"
        )
    return remarks


def _sheet(
    path: Path,
    sheets: Sequence[str],
    heads: "Sequence[pd.DataFrame]",
    structure_column: str | None,
    sheet: str | None,
) -> tuple[int, str]:
    """Return the place of the sheet to read, and what is to be said of it.

    Raises:
        DatasetError: there is no such sheet, or only others than the first have structures.
    """
    if sheet is not None:
        if sheet not in sheets:
            raise DatasetError(f"{path}: {unknown_name('sheet', sheet, sheets)}")
        return sheets.index(sheet), ""
    if not heads:
        return 0, ""
    lowered = [list(known_headers(map(str, head.columns))) for head in heads]
    wanted = {*TEXTS, *HOLDERS, "species"}
    if structure_column is not None:
        wanted = {structure_column.strip().lower()}
    fitting = [i for i, names in enumerate(lowered) if wanted.intersection(names)]
    others = cut(", ".join(sheets[1:]), 200)
    if 0 in fitting:
        return 0, f"its first sheet {cut(sheets[0], 60)} was read, and not {others}"
    if len(fitting) == 1:
        others = cut(", ".join(s for s in sheets if s != sheets[fitting[0]]), 200)
        return fitting[0], (
            f"its sheet {cut(sheets[fitting[0]], 60)} was read, the only one with a column "
            f"of structures, and not {others}"
        )
    among = [sheets[i] for i in fitting] or sheets
    column = "file, smiles, formula or composition"
    column = column if structure_column is None else repr(cut(structure_column, 60))
    raise DatasetError(
        f"{path}: its first sheet {cut(sheets[0], 60)!r} has no column {column}; say which sheet "
        f"is meant with --sheet (in Python sheet=): {cut(', '.join(among), 200)}."
    )
