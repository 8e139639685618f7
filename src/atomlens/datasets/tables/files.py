"""Tables in files, as they stand there: CSV, TSV, JSONL, Parquet, Excel and lines of SMILES.

A row of a ``.smi`` file is a SMILES, then a name, then numbers if there are any; a first row that
begins with ``smiles`` names the columns.
"""

import csv
import io
import re
import sys
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from atomlens.boundary import net, parse_json, read_text
from atomlens.datasets.tables.pandas_files import PACKAGES, read_with_pandas
from atomlens.errors import DatasetError, warn
from atomlens.printing import counted, cut, is_number, reason, short, shown, uncell

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".smi", ".smiles", ".parquet", ".xlsx")
"""Files that are tables; the text formats may be packed (``.csv.gz``)."""
PACKED = (".gz", ".bz2", ".xz")
_DELIMITERS = ",;\t|"
_END = "the end of a table"


@dataclass(frozen=True, slots=True)
class Content:
    """What a table holds, before anybody asks which column is what."""

    columns: dict[str, list[Any]]
    """Cells by header, one a row"""
    comma_is_decimal: bool = False
    """Cells are separated by semicolons, as where 1,234 is less than two."""
    problems: dict[int, str] = field(default_factory=dict)
    """Rows that cannot be told apart, with the reason; part of a sentence."""


def is_table(path: Path) -> bool:
    """Say whether a file's name is that of a table."""
    return _suffix(path) in SUFFIXES


def headers_of(
    path: Path, structure_column: str | None = None, sheet: str | None = None
) -> tuple[str, ...]:
    """Return the headers of a table; which sheet of an Excel file is read, see `read_table`.

    Raises:
        DatasetError: the file is no table.
    """
    with warnings.catch_warnings():  # who reads the table says which sheet it is
        warnings.simplefilter("ignore")
        return tuple(read_content(path, structure_column, sheet).columns)


def refuse_sheet(where: str, sheet: str | None) -> None:
    """Refuse the sheet of what is no Excel file.

    Raises:
        DatasetError: there is one.
    """
    if sheet is not None:
        raise DatasetError(
            f"{where}: the sheet {cut(sheet, 60)!r} is one of an Excel file, and this is none; "
            "leave it out."
        )


def read_content(path: Path, structure_column: str | None, sheet: str | None) -> Content:
    """Read a table; which sheet of an Excel file is read, see `atomlens.datasets.tables.table`.

    Raises:
        DatasetError: the file is no table, is damaged, or has no such sheet.
    """
    suffix = _suffix(path)
    if suffix != ".xlsx":
        refuse_sheet(str(path), sheet)
    try:
        with net(DatasetError, str(path), "get a complete copy, or save the table again"):
            if suffix in PACKAGES:
                return Content(read_with_pandas(path, suffix, structure_column, sheet))
            text = _text_of(path)
            _refuse_others(path, text)
            if suffix in (".smi", ".smiles"):
                return Content(_smiles_lines(path, text))
            if suffix in (".csv", ".tsv"):
                return _delimited(path, text)
            return _json_lines(path, text)
    except DatasetError as problem:
        if isinstance(problem.__cause__, FileNotFoundError):
            raise DatasetError(f"{path}: there is no such file; check the path.") from problem
        if isinstance(problem.__cause__, UnicodeDecodeError):
            wrong = problem.__cause__
            line = wrong.object[: wrong.start].count(b"\n") + 1
            raise DatasetError(
                f"{path}: the text is not UTF-8 (line {line}); save it as UTF-8."
            ) from problem
        raise


def _refuse_others(path: Path, text: str) -> None:
    """Refuse what a failed download leaves in the place of a table.

    Raises:
        DatasetError: it is a web page, or a pointer of Git LFS.
    """
    if re.match(r"\ufeff?\s*<(!DOCTYPE|html|\?xml)", text[:200], re.IGNORECASE):
        raise DatasetError(f"{path}: this is a web page or XML and no table; fetch the file again.")
    if text.startswith("version https://git-lfs"):
        raise DatasetError(
            f"{path}: this is a pointer of Git LFS, not the table; `git lfs pull` fetches that."
        )


def _text_of(path: Path) -> str:
    """Return the text of a table; one in Windows-1252, as older programs write it, is told.

    Raises:
        UnicodeDecodeError: it is in neither encoding, or UTF-8 that is damaged somewhere.
    """
    try:
        return read_text(path)
    except UnicodeDecodeError as problem:
        content = problem.object
        as_utf = content.decode("utf-8", errors="replace").replace("\ufffd", "")
        if problem.encoding != "utf-8" or not as_utf.isascii():
            raise
        try:
            text = content.decode("cp1252")
        except UnicodeDecodeError:
            raise problem from None
        if re.search(r"[\x00-\x08\x0e-\x1f\x7f]", text.rstrip("\x1a\0")):
            raise
    words = re.split(r"[ \t\n\r,;|]+", text)  # an unbreakable space is a letter here
    word = next(word for word in words if not word.isascii())
    warn(
        f"{path}: the text is not UTF-8 and was read as Windows-1252, in which it says "
        f"{cut(word, 60)!r}; save it as UTF-8 if that is wrong"
    )
    return text


def _cells_of_smiles(line: str) -> list[str]:
    """Split a line at tabs or blanks; the extension of a SMILES (``CC |^1:0|``) stays with it."""
    extended = re.match(r"(\S+ +\|[^|]*\|)\s*", line)
    if extended is not None:
        rest = line[extended.end() :]
        return [extended[1], *(rest.split("\t") if "\t" in rest else rest.split())]
    return line.split("\t") if "\t" in line else line.split()


def _smiles_lines(path: Path, text: str) -> dict[str, list[Any]]:
    """Read lines of a SMILES, a name and numbers, with tabs or blanks between."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    rows = [_cells_of_smiles(line) for line in lines]
    if not rows:
        raise DatasetError(f"{path}: this table is empty.")
    if all(len(row) == 1 and "," in row[0] for row in rows):
        raise DatasetError(
            f"{path}: its lines have commas between the cells, and those of a {path.suffix} have "
            "blanks or tabs; give it the ending .csv and a line of names above, such as "
            "smiles,value."
        )
    first = [cell.strip().lower() for cell in rows[0]]
    if first[0] in ("smiles", "smi"):
        header, rows = ["smiles", *(cell.strip() for cell in rows[0][1:])], rows[1:]
    else:
        width = min(map(len, rows))
        n_values = 0
        while n_values < width - 1 and all(is_number(row[-1 - n_values]) for row in rows):
            n_values += 1
        if n_values == width - 1 and width > 2:
            n_values -= 1  # a name that is a number
        rows = [
            [row[0], " ".join(row[1 : len(row) - n_values]), *row[len(row) - n_values :]]
            for row in rows
        ]
        values = ["value"] if n_values == 1 else [f"value_{i}" for i in range(1, n_values + 1)]
        header = ["smiles", "name", *values]
    return {
        name: [row[i].strip() if i < len(row) else None for row in rows]
        for i, name in enumerate(header)
    }


def _delimited(path: Path, text: str) -> Content:
    """Read comma-separated values: header, rows, and lines of comment that begin with ``#``."""
    csv.field_size_limit(sys.maxsize)
    text = text.rstrip("\x1a\0")
    text = text.replace("\r\n", "\n").replace("\r", "\n")  # as Windows and old Macs end lines
    said = re.match(r"\ufeff?sep=([,;\t|])\r?\n", text, re.IGNORECASE)  # as Excel writes it
    text = text[said.end() :] if said else text
    start = _start(text)
    delimiter = said[1] if said else max(_DELIMITERS, key=text[start:].partition("\n")[0].count)
    rows = _rows(path, text[start:], delimiter, text.count("\n", 0, start))
    if not rows:
        raise DatasetError(f"{path}: this table is empty.")
    header = [name.strip() if name.startswith((" ", "\t")) else name for name in rows[0]]
    header[0] = header[0].lstrip("# ") if header[0].startswith("#") else header[0]
    header = [uncell(name) for name in header]
    width = len(header)
    body = [r for r in rows[1:] if not (r[0].startswith("#") and len(r) != width)]
    remarked = [row for row in body if row[0].startswith("#")]
    if 0 < 2 * len(remarked) < len(body):  # else these are names, such as #12
        body = [row for row in body if not row[0].startswith("#")]
        warn(
            f"{path}: {counted(len(remarked), 'line', 'begin')} with a # and count as remarks "
            f"({short(delimiter.join(remarked[0]))}); remove the # if they are rows"
        )
    stripped = Counter(name.strip() for name in header)
    doubled = sorted(name for name, n in stripped.items() if n > 1 and name)
    if doubled:
        raise DatasetError(f"{path}: the column {doubled[0]!r} occurs twice; rename one.")
    problems = {
        place: f"it has {len(row)} cells where the header has {width}; put quotation marks around "
        "cells with a comma"
        for place, row in enumerate(body)
        if len(row) > width and any(cell.strip() for cell in row[width:])
    }
    if problems and all(len(row) == width + 1 for row in body):
        raise DatasetError(
            f"{path}: row {next(iter(problems)) + 1} has {width + 1} cells where the header has "
            f"{width}, as all rows have; if they begin with their number or name, write a comma in "
            "front of the header, and if numbers have decimal commas, write points."
        )
    if 2 * len(problems) >= len(body) > 0:
        first, problem = next(iter(problems.items()))
        raise DatasetError(f"{path}: row {first + 1} {problem.removeprefix('it ')}.")
    _tell_odd_rows(path, header, body, delimiter)
    columns = {
        name: [uncell(row[i].strip()) if i < len(row) else None for row in body]
        for i, name in enumerate(header)
    }
    return Content(columns, delimiter == ";", problems)


def _rows(path: Path, text: str, delimiter: str, n_above: int) -> list[list[str]]:
    """Return the cells of each line that has some.

    Raises:
        DatasetError: a quotation mark is opened and never closed.
    """
    reader = csv.reader(io.StringIO(f"{text}\n{_END}"), delimiter=delimiter)
    rows, begin, line = [], 0, 0
    for row in reader:
        begin, line = line, reader.line_num
        if row:
            rows.append(row)
    if rows[-1:] != [[_END]]:
        raise DatasetError(
            f"{path}: a quotation mark in line {n_above + begin + 1} is not closed, so that all "
            "lines behind it are one cell; close it, or remove it."
        )
    return rows[:-1]


def _tell_odd_rows(
    path: Path, header: Sequence[str], body: Sequence[Sequence[str]], delimiter: str
) -> None:
    """Warn of rows whose cells may stand in columns that are not theirs."""
    width = max((i for i, name in enumerate(header, start=1) if name.strip()), default=0)
    few = [i for i, row in enumerate(body) if len(row) < width and any(map(str.strip, row))]
    if few:
        warn(
            f"{path}: {counted(len(few), 'row', 'have')} fewer cells than the header (the first "
            f"is row {few[0] + 1}); what is missing is taken to be their last cells"
        )
    for i, row in enumerate(body):
        for place, cell in enumerate(row):
            if "\n" in cell and _holds_rows(cell, place, len(header), delimiter):
                warn(
                    f"{path}: a cell of row {i + 1} ({short(cell)}) goes on over lines that "
                    "look like rows of their own; is a quotation mark missing or too many?"
                )
                return


def _holds_rows(cell: str, place: int, width: int, delimiter: str) -> bool:
    """Say whether a cell of several lines holds the end of its row, whole rows, a beginning."""
    first, *between, last = cell.split("\n")
    if width < 2 or any(line.count(delimiter) != width - 1 for line in between):
        return False
    if first.count(delimiter) != width - 1 - place or last.count(delimiter) != place:
        return False
    cells = delimiter.join([first, *between, last]).split(delimiter)
    return any(is_number(one.strip()) for one in cells)


def _start(text: str) -> int:
    """Return where the header begins: behind lines of comment, unless it begins with # itself."""
    start, last = 0, 0
    while text.startswith("#", start):
        last = start
        start = text.find("\n", start) + 1
        if start == 0:
            return last
    if start:
        above, first = text[last:start], text[start:].partition("\n")[0]
        delimiter = max(_DELIMITERS, key=above.count)
        n = above.count(delimiter)
        if n and n == first.count(delimiter) and not any(map(is_number, above.split(delimiter))):
            values = next(csv.reader([first], delimiter=delimiter), [])
            return last if any(map(is_number, values)) else start
    return start


def _json_lines(path: Path, text: str) -> Content:
    """Read one JSON object a line; values in ``properties`` or ``targets`` count as columns."""
    records: list[dict[str, Any]] = []
    problems: dict[int, str] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record, said = parse_json(line), "not a JSON object {...}"
        except ValueError as problem:
            record, said = None, f"not JSON ({reason(problem)})"
        if not isinstance(record, dict):
            problems[len(records)] = f"line {number} is {said}; correct it"
            record = {}
        for group in ("properties", "targets"):
            inner = record.pop(group, None)
            inner = inner if isinstance(inner, dict) else {}
            twice = [key for key in inner if key in record and record[key] != inner[key]]
            if twice:
                problems[len(records)] = (
                    f"line {number} gives {shown(twice[0])} twice, the second time in {group!r}; "
                    "remove the wrong one"
                )
            record = inner | record
        records.append(record)
    if problems and len(problems) == len(records):
        raise DatasetError(f"{path}: {problems[0]}.")
    headers = dict.fromkeys(header for record in records for header in record)
    columns = {header: [record.get(header) for record in records] for header in headers}
    _tell_other_case(path, columns)
    return Content(columns, problems=problems)


def _tell_other_case(path: Path, columns: dict[str, list[Any]]) -> None:
    """Warn of keys that differ in case alone, of which no line has both, such as y and Y."""
    by_name: dict[str, list[str]] = {}
    for header in columns:
        by_name.setdefault(header.lower(), []).append(header)
    for first, *others in (headers for headers in by_name.values() if len(headers) > 1):
        for other in others:
            pairs = zip(columns[first], columns[other], strict=True)
            if not any(a is not None and b is not None for a, b in pairs):
                warn(
                    f"{path}: the keys {cut(first, 60)!r} and {cut(other, 60)!r} are of different "
                    "lines; if they are one, write them alike, since each is a column of its own"
                )


def _suffix(path: Path) -> str:
    is_packed = path.suffix.lower() in PACKED
    return Path(path.stem if is_packed else path.name).suffix.lower()
