"""Parquet and Excel: files of tables that pandas reads."""

import html
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
from atomlens.printing import counted, cut, reason
from atomlens.units import is_unit

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

    try:
        frame = pandas.read_parquet(path)
    except ImportError:
        raise
    except Exception:
        _refuse_doubled_of_parquet(path)
        raise
    return frame.reset_index() if any(n is not None for n in frame.index.names) else frame


def _refuse_doubled_of_parquet(path: Path) -> None:
    """Raise a DatasetError for a column that stands twice, which pandas does not read."""
    try:
        from pyarrow.parquet import read_schema

        names = read_schema(path).names
    except Exception:  # what pandas stumbled over says more
        return
    for name, n in Counter(names).items():
        if n > 1:
            raise DatasetError(f"{path}: the column {cut(name, 60)!r} occurs twice; rename one.")


def _excel(
    path: Path, structure_column: str | None, sheet: str | None
) -> "tuple[pd.DataFrame, list[str]]":
    """Return a sheet of an Excel file, and what is to be said of it."""
    import pandas

    with pandas.ExcelFile(path) as book:
        sheets = [str(name) for name in book.sheet_names]
        offered = sheets if sheet is not None else _shown(book, sheets)
        heads: list[pd.DataFrame] = []
        if len(offered) > 1 and sheet is None:
            heads = [pandas.read_excel(book, sheet_name=name, nrows=0) for name in offered]
        name, said = _sheet(path, offered, heads, structure_column, sheet)
        _refuse_doubled(path, pandas.read_excel(book, sheet_name=name, header=None, nrows=1))
        # NaN is a formula, NA a class, and of True among numbers pandas would make 1
        frame = pandas.read_excel(
            book, sheet_name=name, keep_default_na=False, na_values=[""], dtype=object
        )
    remarks = [said] if said else []
    if hidden := [one for one in sheets if one not in offered]:
        remarks.append(f"{cut(', '.join(hidden), 200)} is hidden and was not read")
    remarks += _hidden_rows(path, sheets.index(name), len(frame))
    remarks += _units_of_formats(path, [str(column) for column in frame.columns])
    remarks += _with_per_cent(path, name, frame)
    if frame.isna().to_numpy().any():
        _show_errors(path, name, frame)
        remarks += _fill_merged(path, name, frame)
    return frame, remarks


def _shown(book: Any, sheets: Sequence[str]) -> list[str]:
    """Return the sheets that Excel shows; all of them if it hides each."""
    pages = getattr(book, "book", {})
    shown = [s for s in sheets if getattr(pages[s], "sheet_state", "visible") == "visible"]
    return shown or list(sheets)


def _hidden_rows(path: Path, place: int, n_rows: int) -> list[str]:
    """Say how many rows of a table Excel does not show, by a filter or one by one; all are read."""
    if path.stat().st_size > _LARGEST_BOOK:
        return []
    with zipfile.ZipFile(path) as book:
        names = set(book.namelist())
        wanted = ("xl/workbook.xml", "xl/_rels/workbook.xml.rels")
        if not names.issuperset(wanted):
            return []
        pages, links = (book.read(name).decode("utf-8", errors="replace") for name in wanted)
        identities = re.findall(r'<(?:\w+:)?sheet\b[^>]*\br:id="([^"]+)"', pages)
        targets = {
            found[1]: attributes
            for attributes in re.findall(r"<Relationship\b([^>]*)>", links)
            if (found := re.search(r'\bId="([^"]+)"', attributes))
        }
        target = re.search(r'\bTarget="([^"]+)"', targets.get("".join(identities[place:][:1]), ""))
        inside = "" if target is None else target[1].lstrip("/")
        inside = inside if inside.startswith("xl/") else f"xl/{inside}"
        if inside not in names or book.getinfo(inside).file_size > 10 * _LARGEST_BOOK:
            return []
        rows = re.findall(rb"<row\b([^>]*)>", book.read(inside))
    numbers = [re.search(rb'\br="(\d+)"', row) for row in rows if b'hidden="1"' in row]
    n = sum(1 for found in numbers if found and 1 < int(found[1]) <= n_rows + 1)
    if not n:
        return []
    return [f"{n} of {n_rows} rows are hidden (by a filter?) and were read all the same"]


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
            f"in the column {cut(header, 60)!r} {counted(len(places), 'cell', 'are')} shown as per "
            f"cent and read as shown, such as {frame.iat[places[0], column]:g}"
        )
    if as_fractions:
        remarks.append(
            f"cells of {cut(' and '.join(as_fractions), 200)} are shown as per cent and were read "
            "as the fractions that they hold"
        )
    return remarks


def _has_per_cent(path: Path) -> bool:
    """Say whether a format of cells in an Excel file shows per cent."""
    return any("%" in form for form in _formats(path))


def _formats(path: Path) -> list[str]:
    """Return the formats of numbers that cells of an Excel file have."""
    with zipfile.ZipFile(path) as book:
        if "xl/styles.xml" not in book.namelist():
            return []
        with book.open("xl/styles.xml") as styles:
            text = styles.read(_LARGEST_BOOK).decode("utf-8", errors="replace")
    of_cells = text.partition("<cellXfs")[2].partition("</cellXfs>")[0]
    own = re.findall(r'<numFmt\b[^>]*numFmtId="(\d+)"[^>]*formatCode="([^"]*)"', text)
    known = [("9", "0%"), ("10", "0.00%"), *own]
    return [html.unescape(form) for number, form in known if f'numFmtId="{number}"' in of_cells]


def _units_of_formats(path: Path, headers: Sequence[str]) -> list[str]:
    """Say which units stand behind numbers by the format of their cells, and in no header."""
    if path.stat().st_size > _LARGEST_BOOK:
        return []
    texts = (t for form in _formats(path) for t in re.findall(r'"([^"]+)"', form))
    said = " ".join(headers)
    units = dict.fromkeys(t.strip() for t in texts if is_unit(t.strip()) and t.strip() not in said)
    units.pop("%", None)
    return [
        f"cells are shown with {cut(unit, 40)!r} behind their numbers, which is no part of them; "
        "write the unit into the header of the column"
        for unit in units
    ]


def _show_errors(path: Path, sheet_name: str, frame: "pd.DataFrame") -> None:
    """Write errors such as ``#DIV/0!`` where a sheet shows them; pandas leaves such cells empty."""
    with zipfile.ZipFile(path) as book:
        sheets = (one for one in book.namelist() if one.startswith("xl/worksheets/"))
        if not any(_holds(book, one, b't="e"') for one in sheets):
            return
    from openpyxl import load_workbook

    with closing(load_workbook(path, read_only=True, data_only=True)) as opened:
        rows = opened[sheet_name].iter_rows(min_row=2, max_row=len(frame) + 1)
        for i, row in enumerate(rows):
            for cell in row:
                if cell.data_type == "e" and cell.column <= len(frame.columns):
                    frame.iat[i, cell.column - 1] = str(cell.value)


def _holds(book: zipfile.ZipFile, name: str, sought: bytes) -> bool:
    """Say whether a file in a zip holds some bytes; it is looked at piece by piece."""
    end = b""
    with book.open(name) as stream:
        while piece := stream.read(1 << 20):
            if sought in end + piece:
                return True
            end = piece[-len(sought) :]
    return False


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
        f"in the column {cut(header, 60)!r} {counted(n, 'cell', 'are')} merged with one above, and "
        f"{'has' if n == 1 else 'have'} its value"
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
            f"{counted(len(bare), 'cell', 'hold')} a formula and no result (the first "
            f"is {bare[0]}): no program has calculated this file since it was written; open it in "
            "Excel or LibreOffice, save it, and read it again"
        )
    return remarks


def _sheet(
    path: Path,
    sheets: Sequence[str],
    heads: "Sequence[pd.DataFrame]",
    structure_column: str | None,
    sheet: str | None,
) -> tuple[str, str]:
    """Return the name of the sheet to read, and what is to be said of it.

    Raises:
        DatasetError: there is no such sheet, or only others than the first have structures.
    """
    if sheet is not None:
        if sheet not in sheets:
            raise DatasetError(f"{path}: {unknown_name('sheet', sheet, sheets)}")
        return sheet, ""
    if not heads:
        return sheets[0], ""
    lowered = [list(known_headers(map(str, head.columns))) for head in heads]
    wanted = {*TEXTS, *HOLDERS, "species"}
    if structure_column is not None:
        wanted = {structure_column.strip().lower()}
    fitting = [i for i, names in enumerate(lowered) if wanted.intersection(names)]
    others = cut(", ".join(sheets[1:]), 200)
    if 0 in fitting:
        return sheets[0], f"its first sheet {cut(sheets[0], 60)} was read, and not {others}"
    if len(fitting) == 1:
        others = cut(", ".join(s for s in sheets if s != sheets[fitting[0]]), 200)
        return sheets[fitting[0]], (
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
