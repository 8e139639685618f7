"""What there is to be read, piece by piece, before anything is: for shards of many inputs."""

import os
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from atomlens.datasets.packed import load_packed
from atomlens.datasets.tables.columns import read_numbers
from atomlens.datasets.tables.files import headers_of, is_table
from atomlens.datasets.tables.table import read_table
from atomlens.errors import AtomlensError, DatasetError, Failure
from atomlens.predictor.inputs.rows import has_rows, is_nested, is_packed, plain_columns
from atomlens.reports.tables import packed, plain
from atomlens.structures.arrays import Structure, StructureArrays
from atomlens.structures.forms import DisorderChoice
from atomlens.structures.parts import FilePart, Pick
from atomlens.structures.reading import list_pieces, read_piece

if TYPE_CHECKING:
    from ase import Atoms

_PACKED_TOGETHER = 256
"""Structures of a packed file that are one piece."""


class Piece(NamedTuple):
    """Something that is read at a time, in this process or another."""

    kind: str
    """text, file, member (a file of a folder), part (of a long file), row (of a table), packed,
    other (a file of a folder whose name is of no known kind), or failed"""
    what: Any
    source: str
    """Path, or the text itself; what failures and rows name"""
    mark: str
    """Changes when there is something else to read: text, or path with size and time"""
    n: int = 1
    """About how many structures it holds"""
    cells: Mapping[str, Any] | None = None
    """The cells of the row of a table"""
    numbers: Mapping[str, float | None] | None = None
    """What texts among them are as numbers, by header, of columns that can be read so"""


class PieceItem(NamedTuple):
    """A structure, or why there is none, with where it comes from."""

    item: "Atoms | Structure | Failure"
    source: str
    cells: Mapping[str, Any] | None = None
    left_out: bool = False
    """A file of a folder that holds something else than structures"""
    numbers: Mapping[str, float | None] | None = None
    """What texts among the cells are as numbers, of columns that can be read so"""


def pieces_of(
    inputs: Sequence[str],
    reading: Mapping[str, Any],
    leave_out: Iterable[Path] = (),
    as_numbers: Collection[str] = (),
) -> Iterator[Piece]:
    """Yield the pieces of texts, files, folders, patterns and tables, in order.

    Files of folders that are of no known kind come last.

    Args:
        inputs: As typed on the command line.
        reading: How tables are read: ``structure_column``, ``name_column``, ``structure_folder``,
            ``sheet``.
        leave_out: Files and folders that folders and patterns pass over, such as outputs.
        as_numbers: Headers of tables whose texts are asked for as numbers; of the others, too, it
            is kept what they are as numbers, where there is one way to read them.

    Raises:
        DatasetError: a column that is asked for can be read in two ways.
    """
    passed, others = list(leave_out), []
    for one in inputs:
        if not has_rows(one):
            for found in list_pieces([one], passed):
                if isinstance(found, Failure) or found[0] != "other":
                    yield _plain_piece(found)
                else:
                    others.append(_plain_piece(found))
        elif is_packed(one):
            yield from _packed_pieces(one)
        else:
            yield from _rows(one, reading, as_numbers)
    yield from others


def carried_headers(inputs: Sequence[str], reading: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the headers of all tables among the inputs; those that cannot be read have none.

    ``reading`` is how they are read, as for `pieces_of`.
    """
    column, sheet = reading.get("structure_column"), reading.get("sheet")
    found: dict[str, None] = {}
    for one in inputs:
        if is_table(Path(one)) and os.path.isfile(os.path.expanduser(one)):
            try:
                found |= dict.fromkeys(headers_of(Path(one).expanduser(), column, sheet))
            except AtomlensError:
                continue
    return tuple(found)


def read_pieces(pieces: Sequence[Piece], forms: DisorderChoice) -> list[PieceItem]:
    """Return what some pieces hold, in order; what cannot be read keeps its place.

    What readers remark stays with each structure; no warning is given here.
    """
    found: list[PieceItem] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for piece in pieces:
            found += _read(piece, forms)
    return found


def _read(piece: Piece, forms: DisorderChoice) -> list[PieceItem]:
    if piece.kind == "failed":
        return [PieceItem(piece.what, piece.source, piece.cells)]
    if piece.kind == "row":
        items = _of_row(*piece.what, forms=forms)
        return [PieceItem(item, piece.source, piece.cells, numbers=piece.numbers) for item in items]
    if piece.kind == "packed":
        return [PieceItem(item, piece.source) for item in _of_packed(*piece.what)]
    found, left_out = read_piece(piece.kind, piece.what, forms)
    return [PieceItem(item, piece.source, left_out=left_out) for item in found]


def _plain_piece(found: "tuple[str, Any] | Failure") -> Piece:
    if isinstance(found, Failure):
        return Piece("failed", found, found.source or found.name, f"failed {found.message}")
    kind, what = found
    if kind == "other":
        return Piece(kind, what, str(what), f"{kind} {stamp(what)}", 0)
    if isinstance(what, Pick):
        mark = f"{kind} {stamp(what.path)} {what.choice}"
        return Piece(kind, what, str(what.path), mark)
    if isinstance(what, FilePart):
        place = f"{what.first} {what.start} {what.size} {len(what.ids)}"
        mark = f"{kind} {stamp(what.path)} {place}"
        return Piece(kind, what, str(what.path), mark, what.n)
    if isinstance(what, Path):
        return Piece(kind, what, str(what), f"{kind} {stamp(what)}")
    return Piece(kind, what, str(what).strip(), f"{kind} {what}")


def stamp(path: Path) -> str:
    """Return path, size and time of a file, which change when its content does."""
    try:
        status = path.stat()
    except OSError:
        return str(path)
    return f"{path} {status.st_size} {status.st_mtime_ns}"


def _packed_pieces(given: str) -> Iterator[Piece]:
    path = Path(given).expanduser()
    try:
        n = len(_packed(str(path), stamp(path)))
    except DatasetError as problem:
        failure = Failure(name=path.name, message=str(problem))
        yield Piece("failed", failure, str(path), f"failed {failure.message}")
        return
    for start in range(0, n, _PACKED_TOGETHER):
        stop = min(n, start + _PACKED_TOGETHER)
        mark = f"packed {stamp(path)} {start} {stop}"
        yield Piece("packed", (str(path), stamp(path), start, stop), str(path), mark, stop - start)


@lru_cache(maxsize=1)
def _packed(path: str, _stamp: str) -> StructureArrays:
    return load_packed(Path(path)).structures


def _of_packed(path: str, stamped: str, start: int, stop: int) -> "list[Structure | Failure]":
    try:
        structures = _packed(path, stamped)
    except DatasetError as problem:
        return [Failure(name=Path(path).name, message=str(problem))]
    return [structures[i] for i in range(start, min(stop, len(structures)))]


def _rows(given: str, reading: Mapping[str, Any], as_numbers: Collection[str]) -> Iterator[Piece]:
    """Yield the rows of a table."""
    path = Path(given).expanduser()
    folder = reading.get("structure_folder")
    try:
        if not os.path.exists(path):
            raise DatasetError(f"{path}: there is no such file or folder; check the path")
        table = read_table(
            path,
            reading.get("structure_column"),
            reading.get("name_column"),
            None if folder is None else Path(folder).expanduser(),
            reading.get("sheet"),
        )
    except AtomlensError as problem:
        failure = Failure(name=path.name, message=str(problem))
        yield Piece("failed", failure, str(path), f"failed {failure.message}")
        return
    columns = {
        header: [packed(plain(cell)) if is_nested(cell) else cell for cell in cells]
        for header, cells in plain_columns(table).items()
    }
    numbers = _numbers_of(columns, str(path), as_numbers, comma_is_decimal=table.comma_is_decimal)
    for row in range(table.n_rows):
        called = table.names[row] or f"row {row + 1}"
        cells = {header: column[row] for header, column in columns.items()}
        if row in table.problems:
            message = f"{path}, {called}: {table.problems[row]}"
            failure = Failure(name=called, message=message)
            yield Piece("failed", failure, str(path), f"failed {message} {cells}", 1, cells)
            continue
        reader, file = table.forms_of, table.forms_of.file_of(row)
        arguments = reader.arguments(row)
        what = (reader.function, arguments, str(path), called, table.names[row])
        source = str(path) if file is None else str(file)
        own = {header: column[row] for header, column in numbers.items()}
        mark = f"row {arguments} {called} {cells} {'' if file is None else stamp(file)}"
        mark += f" {own}" if own else ""  # another row may tell what a comma means
        yield Piece("row", what, source, mark, 1, cells, own or None)


def _numbers_of(
    columns: Mapping[str, list[Any]],
    where: str,
    asked: Collection[str],
    *,
    comma_is_decimal: bool,
) -> dict[str, list[float | None]]:
    """Return what columns of texts are as numbers; of those that nobody asked for, if they can be.

    Raises:
        DatasetError: a column that is asked for can be read in two ways.
    """
    found: dict[str, list[float | None]] = {}
    for header, cells in columns.items():
        if not any(isinstance(cell, str) for cell in cells):
            continue
        if header in asked:
            found[header] = read_numbers(columns, header, where, comma_is_decimal=comma_is_decimal)
            continue
        with warnings.catch_warnings(), suppress(DatasetError):
            warnings.simplefilter("ignore")
            found[header] = read_numbers(columns, header, where, comma_is_decimal=comma_is_decimal)
    return found


def _of_row(
    function: Any,
    arguments: tuple[Any, ...],
    path: str,
    called: str,
    name: str | None,
    *,
    forms: DisorderChoice,
) -> "list[Atoms | Failure]":
    try:
        found: list[Atoms] = function(*arguments, forms)
    except AtomlensError as problem:
        return [Failure(name=called, message=f"{path}, {called}: {problem}")]
    for atoms in found:
        if name:
            atoms.info["name"] = name
    return [*found]
