"""What relates samples to each other: a scaffold, a word or a moment in a column of their table."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.base import Dataset
from atomlens.datasets.tables.cells import is_missing
from atomlens.datasets.tables.headers import bare_name, is_of_smiles, parse_header
from atomlens.datasets.tables.times import read_times
from atomlens.errors import SettingsError, unknown_name
from atomlens.printing import cut, shown
from atomlens.targets import value_slices

_NUMBER = re.compile(r"\d{1,12}(\.\d{1,3})?")


class Relatives(NamedTuple):
    """A key for each sample; samples of one key are relatives."""

    keys: NDArray[np.str_]
    """(n,)"""
    what: str
    """What a key is, in the plural."""
    remarks: tuple[str, ...] = ()
    """What may make parts less apart than they look, a sentence each."""


def relatives(dataset: Dataset, by: str) -> Relatives:
    """Return what relates the samples.

    Args:
        dataset: The samples.
        by: ``scaffold``, or ``group:COLUMN``.

    Raises:
        SettingsError: there is no such column, it has empty cells or is what is learned, or some
            samples are no molecules.
    """
    word, _, column = by.partition(":")
    return _of_scaffolds(dataset) if word == "scaffold" else _of_column(dataset, column)


def _of_scaffolds(dataset: Dataset) -> Relatives:
    from atomlens.chemistry.scaffolds import scaffold_of_smiles, scaffold_of_structure

    structures = dataset.structures
    others = np.flatnonzero(structures.is_formula | structures.pbc.any(axis=1))
    if len(others):
        n, row = len(others), int(others[0])
        what = "a formula" if structures.is_formula[row] else "a crystal"
        raise SettingsError(
            f"{dataset.name}: scaffolds are of molecules, and {n} of {len(dataset)} samples are "
            f"none ({structures.names[row]} is {what}); use composition or group:COLUMN."
        )
    scaffolds: list[str] = []
    for header in dataset.columns:
        if is_of_smiles(header):
            read = [scaffold_of_smiles(str(cell)) for cell in dataset.columns[header]]
            scaffolds = [one for one in read if one is not None]
            if len(scaffolds) == len(dataset):
                break
    if len(scaffolds) < len(dataset):  # in one way for all, or one scaffold would have two names
        scaffolds = [scaffold_of_structure(structure) for structure in structures]
    n_open = scaffolds.count("")
    said = (
        f"{n_open} of {len(dataset)} molecules have no ring and count as one scaffold, which is in "
        "one part."
    )
    keys = np.array(scaffolds, dtype=np.str_)
    return Relatives(keys, "scaffolds", (said,) if n_open > 1 else ())


def _of_column(dataset: Dataset, column: str) -> Relatives:
    header, cells = _cells(dataset, column, f"group:{column}")
    name = parse_header(header)[0]
    if name in [t.name for t in dataset.targets]:
        raise SettingsError(
            f"{dataset.name}: group:{column} would divide by what is learned, so that the test "
            "part has values that training never had; name another column."
        )
    keys = [_key(cell) for cell in cells]
    said = []
    known = set(keys)
    if len(known) == len(keys) > 1:
        said.append(
            f"No two samples have the same {cut(name, 60)}, so group:{column} divides like random."
        )
    elif not is_of_smiles(header) and header.strip().lower() not in ("formula", "composition"):
        said += _spelled_twice(known, name)
    return Relatives(np.array(keys, dtype=np.str_), f"values of {cut(name, 60)}", tuple(said))


def _spelled_twice(keys: set[str], name: str) -> list[str]:
    """Return a sentence if two keys differ in blanks, large letters or zeros only (01 and 1.0)."""
    alike: dict[str, str] = {}
    for key in sorted(keys):
        plain = "".join(key.split()).casefold()
        other = alike.setdefault(repr(float(plain)) if _NUMBER.fullmatch(plain) else plain, key)
        if other != key:
            return [
                f"The column {cut(name, 60)!r} has {shown(other)} and {shown(key)}, which are two "
                "groups; write them alike if they are one."
            ]
    return []


def _key(cell: Any) -> str:
    """Return what a cell says; 3 and 3.0 are one number."""
    if isinstance(cell, float | np.floating) and float(cell).is_integer():
        return str(int(cell))
    return str(cell).strip()


def times_of(dataset: Dataset, column: str) -> NDArray[np.float64]:
    """(n,) numbers that grow with what a column says: years, counts, dates.

    Raises:
        SettingsError: there is no such column, or it has empty cells or does not say when.
    """
    header, cells = _cells(dataset, column, f"time:{column}")
    found = read_times(cells)
    if found.problem:
        raise SettingsError(
            f"{dataset.name}: time:{column} cannot be used, since the column {cut(header, 60)!r} "
            f"{found.problem}."
        )
    return found.values


def _cells(dataset: Dataset, column: str, spec: str) -> tuple[str, Sequence[Any]]:
    """Return a column by its header, or name in letters of any case; every cell says something."""
    header = find_column(dataset, column)
    if header is None:
        known = dict.fromkeys(parse_header(header)[0] for header in dataset.columns)
        if not dataset.columns:
            raise SettingsError(
                f"{dataset.name}: {spec} needs a column of a table, and these data have kept none "
                "beside their values; give the table, or a file that was packed from it by this "
                "version."
            )
        raise SettingsError(f"{dataset.name}: {spec}: {unknown_name('column', column, known)}")
    cells: Sequence[Any]
    if header in dataset.columns:
        cells = dataset.columns[header]
    else:
        place = [t.name for t in dataset.targets].index(header)
        cells = dataset.values[:, value_slices(dataset.targets)[place].start].tolist()
    empty = [i for i, cell in enumerate(cells) if is_missing(cell)]
    if empty:
        raise SettingsError(
            f"{dataset.name}: {len(empty)} of {len(dataset)} samples have nothing in the column "
            f"{cut(header, 60)!r} (the first is {dataset.structures.names[empty[0]]}), so {spec} "
            "cannot tell where they belong; fill it, or leave these rows out."
        )
    return header, cells


def find_column(dataset: Dataset, column: str) -> str | None:
    """Return the header of the column that is meant; None if there is none.

    Raises:
        SettingsError: several may be.
    """
    headers: list[str] = list(dict.fromkeys([*dataset.columns, *(t.name for t in dataset.targets)]))
    if column in headers:
        return column
    found: list[str]
    for same in (str, str.lower):
        word = same(column.strip())
        found = [h for h in headers if word in (same(h.strip()), same(parse_header(h)[0]))]
        found = found or [h for h in headers if word == same(bare_name(h))]
        found = [h for h in found if h in dataset.columns] or found
        if len(found) > 1:
            listed = ", ".join(cut(h, 60) for h in found[:5])
            raise SettingsError(
                f"{dataset.name}: {column!r} may be any of the columns {listed}; write the whole "
                "header."
            )
        if found:
            return found[0]
    return None
