"""Whatever a user has, row by row: what was read, what stood beside it, where it came from."""

import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

import numpy as np

from atomlens.datasets.in_memory import refuse_other_lengths
from atomlens.datasets.packed import load_packed
from atomlens.datasets.tables.cells import is_missing
from atomlens.datasets.tables.files import is_table
from atomlens.datasets.tables.frames import as_frame, is_frame
from atomlens.datasets.tables.table import Table, frame_table, read_table
from atomlens.errors import AtomlensError, DatasetError, Failure, SettingsError, warn
from atomlens.structures.arrays import Structure, StructureArrays, source_of
from atomlens.structures.objects import as_list, is_amounts, is_object
from atomlens.structures.options import AS_IT_IS, FormsHeard, ReadingOptions

if TYPE_CHECKING:
    from ase import Atoms

    from atomlens.structures.reading import ReadResult

_OF_STRUCTURES = frozenset(("sites", "positions", "lattice_mat", "cartesian_site_positions"))
"""Keys of a dictionary that is a structure, as pymatgen, ase, JARVIS and OPTIMADE write one."""


class InputRow(NamedTuple):
    """What came of one input."""

    item: "Atoms | Structure | Failure"
    cells: dict[str, Any]
    """Of the row of a table that it came from"""
    source: str
    """Path of the file, or the text, that it came from; empty for an object"""
    place: int = -1
    """Row of the table in memory, or number of the input in a list, that it came of; -1 if of no
    single one"""


def read_inputs(
    given: Any, options: ReadingOptions = AS_IT_IS
) -> "tuple[list[Atoms | Structure | Failure], list[dict[str, Any]]]":
    """Return what came of each input, and the cells of the table that it came from.

    Files of tables (CSV, TSV, JSONL, Parquet, Excel, SMILES) give one for each row, packed files
    one for each structure, everything else is read by `read_structures`.
    """
    rows = read_rows(given, options)
    return [row.item for row in rows], [row.cells for row in rows]


def read_rows(given: Any, options: ReadingOptions) -> list[InputRow]:
    """Return what came of each input, with what stood beside it and where it came from.

    Args:
        given: Anything that can be read. A table gives one input a row.
        options: How it is read.
    """
    from atomlens.structures.reading import read_as

    listed = _listed(given, options)
    rows: list[InputRow] = []
    for is_one, group in groupby(enumerate(listed), key=lambda pair: has_rows(pair[1])):
        pairs = list(group)
        if is_one:
            for number, one in pairs:
                found = _rows_of_one(one, options)
                rows += found if one is given else [r._replace(place=number) for r in found]
        else:
            first = pairs[0][0]
            rows += _plain_rows(read_as([one for _, one in pairs], options, first), first)
    heard = FormsHeard(options.forms)
    heard.hear(row.item for row in rows)
    heard.tell()
    return rows


def _plain_rows(read: "ReadResult", first: int) -> list[InputRow]:
    """Return the rows of inputs of which the first has this number."""
    every = zip(read.items, read.sources, read.numbers, strict=True)
    return [InputRow(i, {}, source or own_source(i), first + number) for i, source, number in every]


def own_source(item: "Atoms | Structure | Failure") -> str:
    """Return the file or text that an item says it is from; empty if it says none."""
    return item.source if isinstance(item, Failure) else source_of(item)


def read_atoms(given: Any, options: ReadingOptions) -> "tuple[list[Atoms | Failure], list[str]]":
    """Return what came of each input as ase.Atoms, and the file or text that it came from.

    See `read_inputs`.
    """
    rows = read_rows(given, options)
    items = [r.item.to_atoms() if isinstance(r.item, Structure) else r.item for r in rows]
    return items, [row.source for row in rows]


def stream_rows(given: Any, options: ReadingOptions) -> Iterator[list[InputRow]]:
    """Yield what belongs together: the structures of a file, or one row of a table.

    Beside each structure, or the reason why there is none, stand the cells of the table that it
    came from. See `read_rows` for the arguments.
    """
    from atomlens.structures.reading import stream_as

    if isinstance(given, StructureArrays):
        for structure in given:
            yield [InputRow(structure, {}, "")]
        return
    listed, heard = _listed(given, options), FormsHeard(options.forms)
    for is_one, group in groupby(enumerate(listed), key=lambda pair: has_rows(pair[1])):
        pairs = list(group)
        if is_one:
            for number, one in pairs:
                for row in _rows_of_one(one, options):
                    heard.hear([row.item])
                    yield [row if one is given else row._replace(place=number)]
            continue
        for found in stream_as([one for _, one in pairs], options, pairs[0][0]):
            heard.hear(found.items)
            number = pairs[0][0] + found.number
            yield [
                InputRow(item, {}, found.source or own_source(item), number) for item in found.items
            ]
    heard.tell()


def _listed(given: Any, options: ReadingOptions) -> list[Any]:
    """Return the inputs one by one.

    Raises:
        SettingsError: something is said about tables, and none is among them.
    """
    every = map(as_frame, as_list(given))
    listed = [_as_columns(one) if _is_mapping(one) else one for one in every]
    check_places_used(listed, options.places)
    return listed


def check_places_used(listed: Iterable[Any], places: Mapping[str, Any]) -> None:
    """Refuse what is said of the columns of tables where none is among some inputs.

    Raises:
        SettingsError: none is.
    """
    if places and not any(map(_is_table, listed)):
        name, value = next(iter(places.items()))
        raise SettingsError(
            f"{name.replace('_', ' ')} {str(value)!r}: no table is among the inputs; leave it out."
        )


def has_rows(given: Any) -> bool:
    """Say whether an input is a table or packed file, which give one input a row."""
    return is_packed(given) or _is_table(given)


def is_packed(given: Any) -> bool:
    """Return whether an input is a packed file, which no other package is needed to read."""
    try:
        return (
            isinstance(given, str | PathLike)
            and Path(given).suffix == ".npz"
            and os.path.isfile(Path(given).expanduser())
        )
    except (ValueError, RuntimeError):  # a text that is no path, or nobody's home
        return False


def _rows_of_one(given: Any, options: ReadingOptions) -> Iterator[InputRow]:
    """Yield the structures of each row of a table or packed file, and the cells beside them."""
    rows = _unpacked(given) if is_packed(given) else _rows_of(given, options)
    return (row._replace(item=options.judged(row.item)) for row in rows)


def _unpacked(path: Any) -> Iterator[InputRow]:
    try:
        structures = load_packed(Path(path).expanduser()).structures
    except DatasetError as problem:
        yield InputRow(Failure(name=Path(path).name, message=str(problem)), {}, str(path))
        return
    for structure in structures:
        yield InputRow(structure, {}, str(path))


def _as_columns(record: Mapping[Any, Any]) -> dict[str, list[Any]]:
    """Return a dictionary as columns of a table: lists are, a record or structure is one row."""
    if _OF_STRUCTURES.intersection(record):
        return {"structure": [dict(record)]}
    columns = {str(key): value for key, value in record.items()}
    if all(isinstance(v, list | tuple) or hasattr(v, "tolist") for v in columns.values()):
        return {key: as_list(value) for key, value in columns.items()}
    return {key: [value] for key, value in columns.items()}


def _is_mapping(given: Any) -> TypeGuard[Mapping[Any, Any]]:
    """Say whether it is a dictionary of a table; a Composition of pymatgen is a mapping, too.

    That of a formula, by the amounts of its elements, is none.
    """
    return isinstance(given, Mapping) and not is_object(given) and not is_amounts(given)


def _is_table(given: Any) -> bool:
    if is_frame(given) or _is_mapping(given):
        return True
    return isinstance(given, str | PathLike) and is_table(Path(given)) and "\0" not in str(given)


def _rows_of(given: Any, options: ReadingOptions) -> Iterator[InputRow]:
    if is_frame(given) and not len(
        given
    ):  # of nothing there is nothing to say, as of an empty list
        return
    places = options.for_tables()
    in_memory = is_frame(given) or isinstance(given, Mapping)
    where = "DataFrame" if is_frame(given) else "the dictionary"
    path = Path(where if in_memory else given).expanduser()
    own = "" if in_memory else str(path)
    try:
        if in_memory:
            if isinstance(given, Mapping):
                refuse_other_lengths(given)
            table = frame_table(given, *places, where=where)
        elif not os.path.exists(path):
            raise DatasetError(f"{path}: there is no such file or folder; check the path")
        else:
            table = read_table(path, *places)
    except AtomlensError as problem:
        if is_frame(given):  # one row of nothing would fill a column of the caller's table
            raise
        yield InputRow(Failure(name=path.name, message=str(problem)), {}, own)
        return
    plain = plain_columns(table)
    usable = [row for row in range(table.n_rows) if row not in table.problems]
    found = table.forms_of.read(usable, options.forms, options.n_workers)
    heard: list[str] = []
    for row in range(table.n_rows):
        called = table.names[row] or f"row {row + 1}"
        cells = {h: c[row] for h, c in plain.items()}
        if row in table.problems:
            message = f"{path}, {called}: {table.problems[row]}"
            yield InputRow(Failure(name=called, message=message), cells, own, row)
            continue
        outcome = next(found)
        file = table.forms_of.file_of(row)
        source = own if file is None else str(file)
        heard += [text for text, _ in outcome.remarks]
        if isinstance(outcome.error, AtomlensError):
            failure = Failure(name=called, message=f"{path}, {called}: {outcome.error}")
            yield InputRow(failure, cells, source, row)
            continue
        if outcome.error is not None:
            raise outcome.error
        for atoms in outcome.value:
            if table.names[row]:
                atoms.info["name"] = table.names[row]
            yield InputRow(atoms, cells, source, row)
    if heard:
        more = f" (and {len(heard) - 1} more remarks)" if len(heard) > 1 else ""
        warn(f"{path}: {heard[0]}{more}")


def plain_columns(table: Table) -> dict[str, list[Any]]:
    """Return the columns that are carried along: not those of lists, dictionaries or structures.

    One that has something else as well stays, its structures left empty.
    """
    return {
        header: [None if is_object(cell) else cell for cell in cells]
        for header, cells in table.cells.items()
        if not any(map(is_nested, cells))
        or not all(is_nested(cell) or is_missing(cell) for cell in cells)
    }


def is_nested(cell: Any) -> bool:
    """Say whether a cell is a list, a dictionary or a structure, and no single thing."""
    return isinstance(cell, dict | list | tuple | np.ndarray) or is_object(cell)
