"""From columns of a table to targets: which columns, which unit, numbers or classes.

The rule for a column's values, missing ones left out:

* all are true or false, or ``kinds`` says classification: classes;
* at least half are numbers: regression, and a row with anything else there is a failure;
* few different texts (2 to 20, each used twice on average): classes;
* otherwise the column is no target: an error if it was asked for by name.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from atomlens.errors import DatasetError, unknown_name
from atomlens.targets import Target

MOST_CLASSES = 20
_MISSING = {"", "-", "?", "na", "n/a", "nan", "none", "null"}
_TRUTH = {"true": "True", "false": "False"}
_UNIT = r"m?eV(/\w+)?|k?Ha|hartree|k(J|cal)/mol|[GM]Pa|Å|bohr(\^\d)?|Å\^\d|cm\^?-1"
_HEADER = re.compile(
    r"(?P<name>.*?\S)(\s*\[(?P<unit>[^\]]*)\]|\s+\((?P<unit2>.*)\)|\((?P<unit3>" + _UNIT + r")\))"
)

Kind = Literal["regression", "classification"]
Columns = Mapping[str, Sequence[Any]]
"""Values by header; every column has one value a row, None where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetOptions:
    """What a user knows about the targets of a file, by the target's name."""

    units: Mapping[str, str] = field(default_factory=dict)
    """Units that the headers do not say."""
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    """Targets whose kind is not to be guessed: class numbers 0, 1, 2 look like values."""
    extensive: Sequence[str] = ()
    """Targets that grow with the number of atoms."""
    nonnegative: Sequence[str] = ()
    """Targets that cannot be below zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetColumns:
    """The targets of a table."""

    targets: tuple[Target, ...]
    values: NDArray[np.float64]
    """(n_rows, n_values), NaN where unknown"""
    problems: dict[int, str]
    """Why a row cannot be used, by row; part of a sentence."""
    held: NDArray[np.bool_] | None = None
    """(n_rows, n_values) see `Dataset.held`"""


def parse_header(header: str) -> tuple[str, str]:
    """Return name and unit of headers like ``homo [eV]`` or ``homo (eV)``; else unit ''.

    Without a space in front, parentheses must hold a usual unit: ``log10(K_VRH)`` is a name, but
    ``homo(eV)`` has a unit.
    """
    match = _HEADER.fullmatch(header.strip())
    if match is None:
        return header.strip(), ""
    return match["name"], (match["unit"] or match["unit2"] or match["unit3"] or "").strip()


def target_columns(
    columns: Columns, wanted: Sequence[str], options: TargetOptions, where: str
) -> TargetColumns:
    """Return the wanted targets (every column that can be one if none is named).

    Args:
        columns: Candidates by header, without names and structures.
        wanted: Names or whole headers.
        options: What the user said about them.
        where: The file, for messages.

    Raises:
        DatasetError: a wanted column is not there or holds neither numbers nor classes, or no
            column can be a target.
    """
    names = {header: parse_header(header)[0] for header in columns}
    headers = [_find(w, names, where) for w in wanted] if wanted else list(columns)
    n_rows = len(next(iter(columns.values()), ()))
    targets, values = [], []
    problems: dict[int, str] = {}
    for header in headers:
        name, unit = parse_header(header)
        kind, classes = _kind(columns[header], options.kinds.get(name))
        if kind is None:
            if wanted:
                raise DatasetError(_no_target(columns[header], name, where))
            continue
        targets.append(
            Target(
                name=name,
                unit=options.units.get(name, unit),
                kind=kind,
                classes=classes,
                extensive=name in options.extensive,
                nonnegative=name in options.nonnegative,
            )
        )
        numbers, bad = _numbers(columns[header], name, classes)
        values.append(numbers)
        problems = bad | problems
    if not targets:
        there = ", ".join(columns) or "none"
        raise DatasetError(f"{where}: there is no column with target values; it has {there}.")
    stacked = np.stack(values, axis=1) if n_rows else np.zeros((0, len(targets)))
    _check_options(options, [t.name for t in targets], where)
    return TargetColumns(targets=tuple(targets), values=stacked, problems=problems)


def is_missing(value: Any) -> bool:
    """Say whether a cell is empty: None, NaN, or a word for nothing."""
    if value is None:
        return True
    if isinstance(value, str):
        return value.strip().lower() in _MISSING
    return isinstance(value, float) and math.isnan(value)


def _find(wanted: str, names: Mapping[str, str], where: str) -> str:
    """Return the header of a wanted target."""
    if wanted in names:
        return wanted
    for same in (str, str.lower):
        found = [h for h, name in names.items() if same(wanted.strip()) in (same(name), same(h))]
        if len(found) == 1:
            return found[0]
    raise DatasetError(f"{where}: {unknown_name('target column', wanted, set(names.values()))}")


def _kind(values: Sequence[Any], forced: Kind | None) -> tuple[Kind | None, tuple[str, ...]]:
    """Return what a column can be, and its classes."""
    known = [v for v in values if not is_missing(v)]
    texts = sorted({_text(v) for v in known}, key=_class_order)
    truth = bool(known) and all(_text(v) in _TRUTH.values() for v in known)
    if forced == "classification" or (truth and forced is None):
        return ("classification", tuple(texts)) if len(texts) > 1 else (None, ())
    n_numbers = sum(_number(v) is not None for v in known)
    if n_numbers and (forced == "regression" or 2 * n_numbers >= len(known)):
        return "regression", ()
    if forced is None and 2 <= len(texts) <= min(MOST_CLASSES, len(known) // 2):
        return "classification", tuple(texts)
    return None, ()


def _numbers(
    values: Sequence[Any], name: str, classes: tuple[str, ...]
) -> tuple[NDArray[np.float64], dict[int, str]]:
    """(n_rows,) numbers or class numbers, and the rows that have neither."""
    numbers = np.full(len(values), np.nan)
    problems: dict[int, str] = {}
    for row, value in enumerate(values):
        if is_missing(value):
            continue
        number = float(classes.index(_text(value))) if classes else _number(value)
        if number is None:
            problems[row] = f"the target {name!r} is {value!r}, which is not a number; correct it"
        elif not math.isfinite(number):
            problems[row] = f"the target {name!r} is {value!r}, which is not finite; correct it"
        else:
            numbers[row] = number
    return numbers, problems


def _number(value: Any) -> float | None:
    if isinstance(value, (bool, np.bool_)):
        return None
    if isinstance(value, (int, float, np.number)):
        return float(value)
    if isinstance(value, str) and "_" not in value:
        try:
            return float(value)
        except ValueError:
            return None
    return None


def _text(value: Any) -> str:
    """Return a class as text: 1, 1.0 and '1' are one class, as are True and 'true'."""
    text = str(value).strip()
    number = _number(value)
    if number is not None and number.is_integer():
        return str(int(number))
    return _TRUTH.get(text.lower(), text)


def _class_order(text: str) -> tuple[int, float, str]:
    number = _number(text)
    return (0, number, text) if number is not None else (1, 0.0, text)


def _no_target(values: Sequence[Any], name: str, where: str) -> str:
    n_texts = len({_text(v) for v in values if not is_missing(v)})
    if n_texts < 2:
        return f"{where}: the column {name!r} has no values to learn; fill it or choose another."
    return (
        f"{where}: the column {name!r} holds {n_texts} different texts, neither numbers nor at "
        f"most {MOST_CLASSES} classes that repeat; choose another column."
    )


def _check_options(options: TargetOptions, names: list[str], where: str) -> None:
    """Raise an error if an option is about a target that does not exist."""
    for group in (options.units, options.kinds, options.extensive, options.nonnegative):
        for name in group:
            if name not in names:
                raise DatasetError(f"{where}: {unknown_name('target', name, names)}")
