"""Data in memory: a list of structures with their values, of pairs or of records; columns; samples.

What a structure holds beside its atoms are its values: of ase.Atoms the results of the calculator
and ``info``, of pymatgen ``properties`` and the energy and data of an entry, of rdkit the
properties of the molecule.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from atomlens.datasets.base import Dataset, Sample
from atomlens.datasets.tables.frames import (
    columns_of_frame,
    is_frame,
    refuse_other_order,
    refuse_set,
)
from atomlens.datasets.tables.headers import parse_header
from atomlens.errors import DatasetError
from atomlens.printing import counted, cut, kind_of_object, shown
from atomlens.structures.arrays import MADE_GEOMETRY, NAMED_GEOMETRY, Structure, StructureArrays
from atomlens.structures.objects import as_list, is_amounts, is_number_or_text, is_object, values_of
from atomlens.targets import Target

_STRUCTURE, _VALUE = "structure", "value"
_LIST, _COLUMNS, _FRAME = "the list", "the dictionary", "DataFrame"
IN_MEMORY = {
    _LIST: "a list in memory",
    _COLUMNS: "a dictionary in memory",
    _FRAME: "a DataFrame in memory",
}
"""What data without a name are called in messages, and what by those who were not there."""
WAYS = (
    "give a list of structures that hold their values, pairs of a structure and its value, a "
    "DataFrame, a Dataset, the name of one, or a path"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldTable:
    """A table that was in memory."""

    where: str
    """What it is, for messages."""
    columns: dict[str, list[Any]]
    structure_column: str | None = None
    """Which column holds the structures; None: found by its header."""
    name_column: str | None = None
    has_results: bool = False
    """Energies are those of ase: totals in eV."""


def held_in(given: Any, wanted: Sequence[str]) -> HeldTable:
    """Return data in memory as a table.

    Args:
        given: Columns by header, or an iterable of structures, pairs or records, or structures and
            their values in a tuple of two.
        wanted: Targets that are asked for; a value without a name is the only one of them.

    Raises:
        DatasetError: it is none of these, or there is nothing in it.
    """
    if isinstance(given, Mapping):
        return _of_columns(given)
    if (
        hasattr(given, "readline")
        or isinstance(given, str | bytes)
        or not (is_object(given) or isinstance(given, Iterable))
    ):
        raise DatasetError(f"The data are {_named(given)}, which is no data set; {WAYS}.")
    two = _two_lists(given)
    listed: list[Any] = as_list(given) if two is None else list(zip(*two, strict=True))
    where = _LIST
    if not listed:
        raise DatasetError("The list of structures is empty; there is nothing to learn from.")
    if all(map(_is_pair, listed)):
        return _of_pairs(where, listed, wanted)
    if all(isinstance(one, Mapping) for one in listed):
        headers = dict.fromkeys(str(key) for one in listed for key in one)
        by_text = [{str(key): value for key, value in one.items()} for one in listed]
        return HeldTable(where=where, columns={h: [one.get(h) for one in by_text] for h in headers})
    _refuse_others(where, listed)
    return _of_structures(where, listed, wanted)


def held_in_frame(frame: Any, wanted: Sequence[str], structure_column: str | None) -> HeldTable:
    """Return a DataFrame as a table.

    A target that is no column of it is looked for in what the objects of one column hold.

    Raises:
        DatasetError: two columns have one name.
    """
    columns = columns_of_frame(frame)
    names = {parse_header(h)[0].lower() for h in columns} | {h.strip().lower() for h in columns}
    missing = [name for name in wanted if name.strip().lower() not in names]
    holders = [h for h, cells in columns.items() if any(map(is_object, cells))]
    if structure_column is not None:
        holders = [h for h in holders if h == structure_column]
    has_results = False
    if missing and len(holders) == 1:
        rows = [values_of(one) if is_object(one) else {} for one in columns[holders[0]]]
        for name in missing:
            if any(is_number_or_text(row.get(name)) for row in rows):
                columns[name] = [row.get(name) for row in rows]
                has_results = True
    return HeldTable(where=_FRAME, columns=columns, has_results=has_results)


def dataset_of_samples(samples: Sequence[Sample]) -> Dataset:
    """Return samples as a data set.

    Raises:
        DatasetError: a sample has several values of one target.
    """
    names = list(dict.fromkeys(name for s in samples for name in s.targets))
    for sample in samples:
        for name, value in sample.targets.items():
            if np.ndim(value):
                raise DatasetError(
                    f"{sample.identifier}: {name!r} has several values, and a sample does not say "
                    "on which grid; give a Dataset whose Target has the grid."
                )
    structures = StructureArrays.from_structures(
        structure._replace(name=sample.identifier)
        for structure, sample in zip(
            StructureArrays.from_atoms([s.atoms for s in samples]), samples, strict=True
        )
    )
    values = [[s.targets.get(name, np.nan) for name in names] for s in samples]
    return Dataset(
        name="samples",
        structures=structures,
        targets=tuple(Target(name=name) for name in names),
        values=np.array(values, dtype=np.float64).reshape(len(samples), len(names)),
    )


def _of_columns(given: Mapping[Any, Any]) -> HeldTable:
    """Take columns by header, as pandas.DataFrame takes them."""
    columns: dict[str, list[Any]] = {}
    for header, column in given.items():
        if is_object(column) or isinstance(column, str | Mapping) or not _is_listed(column):
            raise DatasetError(
                f"The dictionary of data holds {kind_of_object(column)} under "
                f"{cut(str(header), 60)!r} where a column is expected; give a list for each header."
            )
        refuse_set(column, f"The entries under {cut(str(header), 60)!r}")
        columns[str(header)] = as_list(column)
    refuse_other_lengths(columns)
    refuse_other_order({f"column {cut(str(h), 60)!r}": column for h, column in given.items()})
    return HeldTable(where=_COLUMNS, columns=columns)


def refuse_other_lengths(columns: Mapping[str, Sequence[Any]]) -> None:
    """Refuse columns of a dictionary that have not as many entries each.

    Raises:
        DatasetError: they have not.
    """
    lengths = {header: len(column) for header, column in columns.items()}
    if len(set(lengths.values())) > 1:
        first, other = min(lengths, key=lengths.__getitem__), max(lengths, key=lengths.__getitem__)
        raise DatasetError(
            f"The dictionary of data has {lengths[first]} entries under {cut(first, 60)!r} and "
            f"{lengths[other]} under {cut(other, 60)!r}; give as many of each."
        )


def _is_listed(given: Any) -> bool:
    return hasattr(given, "tolist") or isinstance(given, Iterable)


def _two_lists(given: Any) -> tuple[list[Any], list[Any]] | None:
    """Return structures and values that were given as two lists; None if they were not.

    Raises:
        DatasetError: there are not as many of one as of the other.
    """
    if not isinstance(given, tuple | list) or len(given) != 2 or isinstance(given, Structure):
        return None
    if any(isinstance(one, str | Mapping | Structure) or is_object(one) for one in given):
        return None
    if not all(map(_is_listed, given)):
        return None
    structures, values = (as_list(_only_column(one)) for one in given)
    if not values or not all(map(_is_value, values)) or not any(map(_is_structure, structures)):
        return None
    if _is_pair(structures) and len(values) == 2 and _is_structure(values[0]):
        return None  # two pairs
    if len(structures) != len(values):
        raise DatasetError(
            f"There are {counted(len(structures), 'structure')} and "
            f"{counted(len(values), 'value')}; give one value for "
            "each structure."
        )
    for one, what in zip(given, ("The structures", "The values"), strict=True):
        refuse_set(one, what)
    refuse_other_order(dict(zip(("structures", "values"), given, strict=True)))
    return structures, values


def _only_column(given: Any) -> Any:
    """Return the column of a table that has but one."""
    if is_frame(given):
        return given.iloc[:, 0] if len(given.columns) == 1 else given
    return given[:, 0] if getattr(given, "ndim", 1) == 2 and given.shape[1] == 1 else given


def _is_structure(one: Any) -> bool:
    return isinstance(one, str | Structure) or hasattr(one, "__fspath__") or _is_held(one)


def _is_held(one: Any) -> bool:
    """Say whether something is a structure of another package, or a formula as a dictionary."""
    return is_object(one) or is_amounts(one)


def _is_value(one: Any) -> bool:
    return one is None or isinstance(one, str) or (np.ndim(one) == 0 and not is_object(one))


def _is_pair(one: Any) -> bool:
    """Say whether something is a structure with its value, or with several by name."""
    if not isinstance(one, tuple | list) or isinstance(one, Structure) or len(one) != 2:
        return False
    return _is_structure(one[0]) and (isinstance(one[1], Mapping) or _is_value(one[1]))


def _of_pairs(where: str, pairs: Sequence[Any], wanted: Sequence[str]) -> HeldTable:
    alone = wanted[0] if len(wanted) == 1 else _VALUE
    rows = [dict(v) if isinstance(v, Mapping) else {alone: v} for _, v in pairs]
    return _with_structures(where, [one for one, _ in pairs], rows, ())


def _of_structures(where: str, listed: Sequence[Any], wanted: Sequence[str]) -> HeldTable:
    """Take structures with what they hold beside their atoms.

    Raises:
        DatasetError: none of them holds a value, or a target that is asked for.
    """
    held = [values_of(one) for one in listed]
    single = {key for row in held for key, value in row.items() if is_number_or_text(value)}
    rows = [  # an array among numbers is a wrong value
        {
            k: v if is_number_or_text(v) or v is None else shown(v)
            for k, v in row.items()
            if k in single
        }
        for row in held
    ]
    if not any(rows):
        calculated = any(getattr(one, "calc", None) is not None for one in listed)
        why = (
            "their calculators have not run or hold no results for the atoms as they are now; call "
            "get_potential_energy() of each first"
            if calculated
            else WAYS
        )
        raise DatasetError(
            f"The structures in {where} hold no values to learn from (the first is "
            f"{kind_of_object(listed[0])}); {why}."
        )
    return _with_structures(where, listed, rows, wanted)


def _with_structures(
    where: str, structures: Sequence[Any], rows: Sequence[Mapping[str, Any]], wanted: Sequence[str]
) -> HeldTable:
    """Return a table of structures and their values; of a name and a split, too."""
    by_text = [{str(key): value for key, value in row.items()} for row in rows]
    headers = dict.fromkeys(key for row in by_text for key in row)
    own = _STRUCTURE
    while own in headers:
        own += "_"
    columns = {
        header: [row.get(header) for row in by_text]
        for header in headers
        if header in wanted or header not in _NO_COLUMNS
    }
    return HeldTable(
        where=where,
        columns={own: list(structures), **columns},
        structure_column=own,
        name_column="name" if "name" in columns else None,
        has_results=True,
    )


_NO_COLUMNS = frozenset(
    (
        *("source", "is_formula", "comment", "unique_id", "index", "typed", "warnings"),
        *(MADE_GEOMETRY, NAMED_GEOMETRY),
    )
)
"""What a structure says of itself, which is no value of it."""


def _refuse_others(where: str, listed: Sequence[Any]) -> None:
    """Raise a DatasetError unless each entry is a structure of another package."""
    strange = [(i, one) for i, one in enumerate(listed) if not is_object(one)]
    if not strange:
        return
    place, one = strange[0]
    if all(isinstance(other, str | Structure) or hasattr(other, "__fspath__") for other in listed):
        raise DatasetError(
            f"Structures alone ({len(listed)} in {where}) come without values to learn from; give "
            "pairs of a structure and its value, or a table."
        )
    kinds = Counter(type(other).__name__ for other in listed)
    more = "" if len(kinds) == 1 else f" among {kinds.most_common(1)[0][0]} objects"
    raise DatasetError(
        f"Entry {place} of {where} (counted from 0) is {_named(one)}{more}, which is no structure "
        f"with its value; {WAYS}."
    )


def _named(one: Any) -> str:
    """Return what an entry is, as part of a sentence."""
    if isinstance(one, str | int | float | bool) or one is None:
        return shown(one)
    return kind_of_object(one)
