"""Predictions as tables: files for other programs, text for the terminal, extended XYZ."""

import csv
import io
import math
import re
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

import numpy as np

from atomlens.boundary import net, parse_json, read_text
from atomlens.errors import SettingsError, missing_package
from atomlens.files import TABLE_SUFFIXES, place_of, replacing, write_text
from atomlens.files import to_json as json_text
from atomlens.printing import cell as safe_cell
from atomlens.printing import encodable, printable, uncell
from atomlens.reports.wording import shortened

if TYPE_CHECKING:
    from ase import Atoms

Record = Mapping[str, Any]
"""One row: column name to text, number, truth value or None."""

_NARROWEST = 12
"""Letters that a column of texts keeps where the terminal is narrow."""
_HEADING = 8
"""Letters that a heading of numbers keeps there."""
_WIDEST = 44
"""Letters; longer cells are cut in the middle on the terminal."""


def check_table(path: str | Path, otherwise: str = "write .csv or .jsonl") -> None:
    """Refuse a table that cannot be written, before any work is done.

    Args:
        path: Where it is to be written.
        otherwise: How to go on without the package of its format.

    Raises:
        SettingsError: the ending is none of ``TABLE_SUFFIXES``.
        MissingDependencyError: a package for it is not installed.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in TABLE_SUFFIXES:
        raise SettingsError(
            f"{path}: tables are written as {', '.join(TABLE_SUFFIXES)}. Change the ending."
        )
    needed = {".parquet": ("Parquet", "pyarrow"), ".xlsx": ("Excel", "openpyxl")}
    if suffix in needed:
        kind, package = needed[suffix]
        missing = [name for name in ("pandas", package) if find_spec(name) is None]
        if missing:
            raise missing_package(f"{path}: {kind}", missing[0], "tables", otherwise)


def write_table(records: Sequence[Record], path: str | Path) -> Path:
    """Write rows as .csv, .json (one array), .jsonl, .parquet or .xlsx.

    Columns come in the order in which the rows first name them; a row without a column leaves
    it empty. Numbers keep all their digits; NaN and infinity become empty cells or ``null``.
    """
    check_table(path)
    suffix = Path(path).suffix.lower()
    if suffix == ".parquet":
        return _write_parquet(records, path)
    if suffix == ".xlsx":
        return _write_excel(records, path)
    writer = {".csv": to_csv, ".json": to_json, ".jsonl": to_json_lines}[suffix]
    return write_text(writer(records), path)


def read_rows(path: str | Path) -> list[dict[str, Any]]:
    """Return the rows that `write_table` wrote: texts as they are, numbers as numbers.

    Raises:
        SettingsError: the file is damaged or none of ours.
    """
    suffix = Path(path).suffix.lower()
    with net(SettingsError, f"{path}, a table of an earlier run", "move it away and begin anew"):
        if suffix in (".parquet", ".xlsx"):
            import pandas

            reader = pandas.read_parquet if suffix == ".parquet" else pandas.read_excel
            frame = reader(path)
            return [{k: plain(v) for k, v in row.items()} for row in frame.to_dict("records")]
        text = read_text(path)
        if suffix == ".csv":
            rows = csv.DictReader(io.StringIO(text))
            return [{str(k): _value_of(v) for k, v in row.items() if v} for row in rows]
        content = (
            parse_json(text)
            if suffix == ".json"
            else [parse_json(line) for line in text.splitlines() if line.strip()]
        )
        if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
            raise ValueError("it is no list of rows")
        return content


def _value_of(cell: str) -> Any:
    """Return a cell of a CSV file as the number or text that it was: 007 is a text."""
    for kind in (int, float):
        try:
            found = kind(cell)
        except ValueError:
            continue
        if cell_text(found) == cell:
            return found
    return uncell(cell)


def to_csv(records: Sequence[Record]) -> str:
    """Return the rows as comma-separated values with a heading."""
    names = column_names(records)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([safe_cell(name) for name in names])
    writer.writerows([cell_text(plain(record.get(name))) for name in names] for record in records)
    return buffer.getvalue()


def to_json(records: Sequence[Record]) -> str:
    """Return the rows as one JSON array, a row a line."""
    lines = ",\n".join(dump_record(record) for record in records)
    return f"[\n{lines}\n]\n" if lines else "[]\n"


def to_json_lines(records: Sequence[Record]) -> str:
    """Return one JSON object a line."""
    return "".join(dump_record(record) + "\n" for record in records)


def format_table(records: Sequence[Record]) -> str:
    """Return the rows as aligned text, numbers with six significant digits, errors below errors.

    On a terminal, texts are cut in the middle where they are long, or the table is wider than it;
    then headings of numbers are, too.
    """
    widest = _WIDEST if sys.stdout is not None and sys.stdout.isatty() else None
    names = column_names(records)
    if not names:
        return "(no rows)\n"
    values = [[plain(record.get(name)) for name in names] for record in records]
    cells = [[_shown(value, widest) for value in row] for row in values]
    numeric = [are_numbers([row[j] for row in values]) for j in range(len(names))]
    columns = [_errors_below_errors([row[j] for row in cells]) for j in range(len(names))]
    cells = [list(row) for row in zip(*columns, strict=True)]
    taken = [max(map(len, column)) for column in columns]
    widths = [max(len(name), width) for name, width in zip(names, taken, strict=True)]
    if widest is not None:
        least = [
            max(width, min(len(name), _HEADING)) if is_number else _NARROWEST
            for name, width, is_number in zip(names, taken, numeric, strict=True)
        ]
        widths = _fitted(widths, numeric, least, get_terminal_size().columns)
        names = [shortened(name, width) for name, width in zip(names, widths, strict=True)]
        cells = [[shortened(c, w) for c, w in zip(row, widths, strict=True)] for row in cells]
    lines = [names, ["─" * width for width in widths], *cells]
    return "".join(
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        + "\n"
        for line in lines
    )


_FIGURE = re.compile(r"[+−-]?\d+(\.\d+)?(e[+−-]?\d+)?( ± \d\S*)?|–")
"""A number as `atomlens.reports.wording` writes it, maybe with its error."""


def are_numbers(values: Sequence[Any]) -> bool:
    """Say whether a column holds numbers, or texts of numbers, and nothing else but gaps."""
    known = [value for value in values if value is not None]
    return bool(known) and all(
        isinstance(value, int | float)
        or (isinstance(value, str) and _FIGURE.fullmatch(value) is not None)
        for value in known
    )


def _errors_below_errors(column: list[str]) -> list[str]:
    """Return cells of one column with room for the longest error behind each value."""
    parts = [cell.partition(" ± ") for cell in column]
    longest = max(len(sign + error) for _, sign, error in parts)
    return [value + f"{sign}{error}".ljust(longest) for value, sign, error in parts]


def _fitted(
    widths: list[int], numeric: Sequence[bool], least: Sequence[int], room: int
) -> list[int]:
    """Return widths of columns that fit into a line, if any do.

    The widest texts give way, then the headings of numbers; numbers do not.
    """
    found = list(widths)
    for giving in (False, True):
        some = [j for j, is_number in enumerate(numeric) if is_number is giving]
        while sum(found) + 2 * (len(found) - 1) > room:
            j = max(some, key=lambda j: found[j] - least[j], default=None)
            if j is None or found[j] <= least[j]:
                break
            found[j] -= 1
    return found


def column_names(records: Sequence[Record]) -> list[str]:
    """Return every column that some row has, in the order of first mention."""
    return list(dict.fromkeys(name for record in records for name in record))


_PLAIN = frozenset((str, int, bool))
"""Types of what JSON holds as it is; those that are made of them, as of numpy, are others."""


def plain(value: Any) -> Any:
    """Return what JSON can hold: numpy values as numbers and lists, NaN and infinity as None."""
    if value is None or type(value) in _PLAIN:  # most cells
        return value
    if type(value) is float:
        return value if math.isfinite(value) else None
    if isinstance(value, np.ndarray):
        return [plain(item) for item in value.tolist()]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value)


def write_extxyz(atoms: "Atoms | Sequence[Atoms]", path: str | Path) -> Path:
    """Write structures as extended XYZ with their per-atom numbers (``attention``) and facts.

    Of ``atoms.info`` the text, numbers and truth values are kept; of the per-atom arrays those
    of numbers or text. Other things, such as ASE's space group objects, have no place in the
    format.
    """
    from ase import Atoms
    from ase.io import write

    frames = [_writable(one) for one in ([atoms] if isinstance(atoms, Atoms) else atoms)]
    if not frames:
        raise SettingsError(f"{path}: there is no structure to write.")
    with replacing(path) as draft:
        write(draft, frames, format="extxyz")
    return place_of(path)


def _writable(atoms: "Atoms") -> "Atoms":
    copy = atoms.copy()
    copy.calc = None
    copy.info = {
        printable(str(key)): _plain_info(value)
        for key, value in atoms.info.items()
        if isinstance(value, str | int | float | bool | np.generic)
    }
    for name, array in list(copy.arrays.items()):
        if array.dtype.kind not in "fiubUS":
            del copy.arrays[name]
    return copy


def _plain_info(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    return printable(value) if isinstance(value, str) else value


def _write_parquet(records: Sequence[Record], path: str | Path) -> Path:
    import pandas

    names = column_names(records)
    frame = pandas.DataFrame(
        {name: [packed(plain(record.get(name))) for record in records] for name in names}
    )
    with replacing(path) as draft:
        frame.to_parquet(draft, index=False)
    return place_of(path)


_MOST_ROWS, _LONGEST_CELL = 1_048_575, 32_767
"""What a sheet of Excel holds, the heading left out."""


def _write_excel(records: Sequence[Record], path: str | Path) -> Path:
    """Write one sheet; texts that look like formulas of Excel stay texts."""
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    if len(records) > _MOST_ROWS:
        raise SettingsError(
            f"{path}: a sheet of Excel holds {_MOST_ROWS} rows and there are {len(records)}; write "
            ".csv or .parquet."
        )
    names = column_names(records)
    book = Workbook(write_only=True)
    sheet = book.create_sheet("atomlens")

    def cell(value: Any) -> Any:
        known = packed(plain(value))
        if not isinstance(known, str):
            return known
        text = ILLEGAL_CHARACTERS_RE.sub("", known)[:_LONGEST_CELL]
        made = WriteOnlyCell(sheet, value=text)
        made.data_type = "s"  # never a formula
        return made

    sheet.append([cell(str(name)) for name in names])
    for record in records:
        sheet.append([cell(record.get(name)) for name in names])
    with replacing(path) as draft:
        book.save(draft)
    return place_of(path)


def packed(value: Any) -> Any:
    """Return a value for a column of a file: lists and dictionaries as JSON."""
    if isinstance(value, dict | list):
        return encodable(json_text(value))
    return encodable(value) if isinstance(value, str) else value


def dump_record(record: Record) -> str:
    """Return a row as one line of JSON."""
    return json_text({str(key): plain(value) for key, value in record.items()})


def cell_text(value: Any) -> str:
    """Return a value as a cell of a CSV file."""
    if value is None:
        return ""
    if isinstance(value, dict | list | bool):
        return json_text(value)
    return safe_cell(value) if isinstance(value, str) else str(value)


def _shown(value: Any, widest: int | None) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict) and value and all(isinstance(v, float) for v in value.values()):
        return ", ".join(f"{key} {share:.3g}" for key, share in value.items())
    text = json_text(value) if isinstance(value, dict | list | bool) else str(value)
    text = " ".join(text.split())
    return text if widest is None else shortened(text, widest)
