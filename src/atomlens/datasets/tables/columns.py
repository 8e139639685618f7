"""From columns of a table to targets: which columns, which unit, numbers or classes.

What the user says of a target (``units``, ``kinds``, ``classes``) holds. Otherwise the header or a
column of units says the unit, and the cells whether they are numbers or classes (see
`column_kinds`); ``50%`` is 50 under a header with a ``%``, and where every cell has one. A column
that is neither is no target: an error if it was asked for by name.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.tables.cells import is_missing
from atomlens.datasets.tables.column_kinds import Kind, TypedColumn
from atomlens.datasets.tables.headers import (
    bare_name,
    in_brackets,
    loosely,
    open_unit,
    parse_header,
    second_unit,
)
from atomlens.datasets.tables.numerals import (
    decimal_comma,
    is_numeral,
    read_numerals,
    thousands_or_decimals,
)
from atomlens.errors import DatasetError, MissingTargetError, unknown_name, warn
from atomlens.printing import cut, few
from atomlens.targets import Target
from atomlens.units import same_unit, share_of

Columns = Mapping[str, Sequence[Any]]
"""Values by header; every column has one value a row, None where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetOptions:
    """What a user knows about the targets of a file, by the target's name."""

    units: Mapping[str, str] = field(default_factory=dict)
    """Units that the headers do not say."""
    energies: Mapping[str, str] = field(default_factory=dict)
    """Units of energies of a calculator that hold where nothing says another; they grow with the
    number of atoms unless they are shares of it."""
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    """Targets whose kind is not to be guessed: class numbers 0, 1, 2 look like values."""
    classes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Targets whose classes are known, those of a model; the data may have fewer of them."""
    extensive: Sequence[str] = ()
    """Targets that grow with the number of atoms."""
    nonnegative: Sequence[str] = ()
    """Targets that cannot be below zero."""
    comma_is_decimal: bool = False
    """What the comma of ``1,234`` is, where the column does not tell (see `read_numerals`)."""


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
    gaps: dict[int, str] = field(default_factory=dict)
    """Why a value counts as missing in a row whose other values are used; part of a sentence."""

    def with_gaps(self) -> "TargetColumns":
        """Return the same, but rows that have another good value are used for that."""
        good: NDArray[np.bool_] = np.asarray(np.isfinite(self.values).any(axis=1))
        return replace(
            self,
            problems={row: why for row, why in self.problems.items() if not good[row]},
            gaps={row: why for row, why in self.problems.items() if good[row]},
        )


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
    names = _names(columns)
    _refuse_missing(columns, names, wanted, where)
    for word in wanted:  # a whole header is a name, as that of a model which learned from it
        if word in columns and in_brackets(word)[1] == "":
            names[word] = word
    beside = _unit_columns(columns, names, wanted)
    headers = list(dict.fromkeys(_find(w, names, where) for w in wanted))
    headers = headers or [header for header in columns if header not in beside.values()]
    options = _by_name(options, names, headers, where)
    n_rows = len(next(iter(columns.values()), ()))
    targets, values, reasons = [], [], []
    problems: dict[int, str] = {}
    for header in headers:
        name = names[header]
        cells, percent = columns[header], ""
        if options.kinds.get(name) != "classification" and not options.classes.get(name):
            cells, percent = _without_percent(cells, header, where)
        column = TypedColumn.read(
            cells,
            name,
            where,
            kind=options.kinds.get(name),
            known_classes=options.classes.get(name, ()),
            comma_is_decimal=options.comma_is_decimal,
        )
        if not column.kind:
            if wanted:
                raise DatasetError(column.problem)
            reasons.append(column.problem)
            continue
        if column.kind == "regression":
            _refuse_two_readings(columns, header, name, options, where)
            _tell_relations(columns, header, column, len(headers), where)
            _tell_several_kinds(columns, header, column, where)
        unit = _unit(
            header,
            options.units.get(name),
            where,
            _said_beside(columns, header, beside, column, len(headers), where) or percent,
        )
        is_energy = name in options.energies and column.kind == "regression"
        unit = unit or (options.energies[name] if is_energy else "")
        targets.append(
            Target(
                name=name,
                unit=unit,
                kind=column.kind,
                classes=column.classes,
                extensive=name in options.extensive or (is_energy and not share_of(unit)),
                nonnegative=name in options.nonnegative,
            )
        )
        values.append(column.numbers)
        problems = column.problems | problems
    if not targets:
        first = reasons[0] if len(reasons) == 1 else ""
        there = cut(", ".join(map(str, columns)), 500) or "none"
        raise DatasetError(
            first or f"{where}: there is no column with target values; it has {there}."
        )
    stacked = np.stack(values, axis=1) if n_rows else np.zeros((0, len(targets)))
    _check_options(options, [t.name for t in targets], where)
    return TargetColumns(targets=tuple(targets), values=stacked, problems=problems)


def read_numbers(
    columns: Columns, header: str, where: str, *, comma_is_decimal: bool
) -> list[float | None]:
    """Return the cells of a column as the numbers that they would be as a target; None if none.

    Raises:
        DatasetError: they may be read in two ways.
    """
    cells, _ = _without_percent(columns[header], header, where)
    name = parse_header(header)[0]
    found = read_numerals(
        [None if is_missing(v) else v for v in cells], comma_is_decimal=comma_is_decimal
    )
    if found.problem:
        raise DatasetError(f"{where}: the column {name!r} {found.problem}.")
    options = TargetOptions(comma_is_decimal=comma_is_decimal)
    _refuse_two_readings(columns, header, name, options, where)
    return list(found.numbers)


_PERCENT = re.compile(r"\s*([-+−]?[\d.,]*\d[.,]?)\s*%\s*")


def _without_percent(cells: Sequence[Any], header: str, where: str) -> tuple[Sequence[Any], str]:
    """Return cells with ``50%`` as ``50``, and the unit ``%`` if that is what they are in.

    That is so where the header has a ``%``, or every cell. Bare numbers beside them that are all
    below one may be fractions, which is told.
    """
    found = [_PERCENT.fullmatch(v) if isinstance(v, str) else None for v in cells]
    known = [not is_missing(v) for v in cells]
    n = sum(one is not None for one in found)
    said = "%" in header
    if not n or not (said or (n == sum(known) and not parse_header(header)[1])):
        return cells, ""
    plain = [v if one is None else one[1] for v, one in zip(cells, found, strict=True)]
    numbers = read_numerals(plain, comma_is_decimal=True).numbers
    bare = [
        x for x, one in zip(numbers, found, strict=True) if one is None and x is not None and x != 0
    ]
    shares = [x for x, one in zip(numbers, found, strict=True) if one is not None and x is not None]
    if bare and max(map(abs, bare)) <= 1 < max(map(abs, shares), default=0):
        warn(
            f"{where}: {cut(header, 60)!r} has cells with a % and others such as {bare[0]:g} "
            "without, which were taken as per cent too; if they are fractions, write them in one "
            "way."
        )
    return plain, "%"


def _unit_columns(
    columns: Columns, names: Mapping[str, str], wanted: Sequence[str]
) -> dict[str, str]:
    """Return the column that says the unit of another, by the header of that one.

    Those are ``gap_unit`` beside ``gap``, as a table of predictions has it; under ``""`` a column
    ``unit``, which is of the only target.
    """
    known = {header.strip().lower(): header for header in columns if header not in wanted}
    found = {}
    for header, name in names.items():
        for called in dict.fromkeys((name.lower(), header.strip().lower())):
            for ending in ("_unit", " unit", "_units", " units"):
                if called + ending in known:
                    found[header] = known[called + ending]
            of_value = re.fullmatch(r"(.*?)values?", called)  # Standard Value, Standard Units
            if of_value is not None and of_value[1]:
                for ending in ("unit", "units"):
                    if of_value[1] + ending in known:
                        found[header] = known[of_value[1] + ending]
    alone = known.get("unit", known.get("units"))
    return found | ({} if alone is None else {"": alone})


def _said_beside(
    columns: Columns,
    header: str,
    beside: Mapping[str, str],
    column: TypedColumn,
    n_targets: int,
    where: str,
) -> str:
    """Return the unit that a column beside that of a target says; empty if there is none.

    Raises:
        DatasetError: it says several, or another than the header.
    """
    place = beside.get(header, beside.get("", "") if n_targets == 1 else "")
    if not place or place == header or column.kind != "regression":
        return ""
    known = np.isfinite(column.numbers).tolist()
    cells = [v for v, here in zip(columns[place], known, strict=True) if here]
    units = Counter(str(v).strip() for v in cells if not is_missing(v))
    if not units or any(is_numeral(unit) for unit in units):
        return ""  # no words, so something else of that name
    name, written = parse_header(header)
    if len(units) > 1:
        said = " and ".join(f"{cut(u, 30)} ({n} rows)" for u, n in units.most_common(2))
        more = f" and {len(units) - 2} more" if len(units) > 2 else ""
        raise DatasetError(
            f"{where}: the column {place!r} says that {name!r} is in {said}{more}; convert the "
            "values into one unit."
        )
    (unit,) = units
    if written and not same_unit(written, unit):
        raise DatasetError(
            f"{where}: the header {header!r} says {written} and the column {place!r} says {unit}; "
            "correct whichever is wrong."
        )
    return unit


_RELATION = re.compile(r"(.*?)[ _]*(relations?|qualifiers?|operators?|modifiers?|censor\w*)")


def _tell_relations(
    columns: Columns, header: str, column: TypedColumn, n_targets: int, where: str
) -> None:
    """Warn of values that a column beside them (``Standard Relation``: ``>``) says are bounds."""
    name = re.sub(r"[ _]*values?$", "", parse_header(header)[0].lower())
    for other, cells in columns.items():
        found = None if other == header else _RELATION.fullmatch(other.strip().lower())
        if found is None or not (found[1] == name or n_targets == 1):
            continue
        signs = ["" if is_missing(v) else str(v).strip(" '\"") for v in cells]
        if not all(re.fullmatch(r"[<>≤≥=~≈]*", sign) for sign in signs):
            continue
        known = np.isfinite(column.numbers).tolist()
        bounds = [
            s for s, here in zip(signs, known, strict=True) if here and re.search("[<>≤≥]", s)
        ]
        if bounds:
            many = "1 value" if len(bounds) == 1 else f"{len(bounds)} values"
            warn(
                f"{where}: the column {cut(other, 60)!r} says that {many} of "
                f"{parse_header(header)[0]!r} of {sum(known)} are bounds ({bounds[0]}); they are "
                "taken like the others, so leave those rows out if that is wrong."
            )
            return


def _tell_several_kinds(columns: Columns, header: str, column: TypedColumn, where: str) -> None:
    """Warn of values of several quantities, as ``Standard Type`` beside ``Standard Value`` says."""
    found = re.fullmatch(r"(.+?[ _]?)values?", parse_header(header)[0].lower())
    other = found and next((h for h in columns if h.strip().lower() == f"{found[1]}type"), None)
    if not other:
        return
    known = np.isfinite(column.numbers).tolist()
    cells = [v for v, here in zip(columns[other], known, strict=True) if here and not is_missing(v)]
    kinds = Counter(str(v).strip() for v in cells)
    if len(kinds) > 1:
        named = " and ".join(f"{cut(kind, 30)} ({n})" for kind, n in kinds.most_common(2))
        more = f" and {len(kinds) - 2} more" if len(kinds) > 2 else ""
        warn(
            f"{where}: the column {cut(other, 60)!r} says that {parse_header(header)[0]!r} holds "
            f"{named}{more}, which are taken as one; keep the rows of one kind."
        )


def _refuse_two_readings(
    columns: Columns, header: str, name: str, options: TargetOptions, where: str
) -> None:
    """Refuse a column of numbers such as ``1.500`` in a table of decimal commas.

    Raises:
        DatasetError: its points may be those of thousands.
    """
    cell, thousands_are_likely = thousands_or_decimals(columns[header])
    if not cell:
        return
    why = ""
    if options.comma_is_decimal and thousands_are_likely:
        why = "in a table with semicolons, whose whole numbers below 1,000 have no point"
    for other, values in columns.items():
        comma = (
            ""
            if other == header
            else decimal_comma(values, comma_is_decimal=options.comma_is_decimal)
        )
        if comma:
            why = f"since the column {parse_header(other)[0]!r} has decimal commas ({comma!r})"
            break
    if why:
        raise DatasetError(
            f"{where}: the column {name!r} holds {cell!r}, which may be {cell.replace('.', '')} "
            f"or {cell.rstrip('0').rstrip('.')}, {why}; write it without a separator of thousands, "
            "or with the decimal mark of the other columns."
        )


def _names(columns: Columns) -> dict[str, str]:
    """Return the target's name by header; the whole header where two would be called the same."""
    short = {header: parse_header(header)[0] for header in columns}
    often = Counter(short.values())
    return {header: header if often[name] > 1 else name for header, name in short.items()}


def _refuse_missing(
    columns: Columns, names: Mapping[str, str], wanted: Sequence[str], where: str
) -> None:
    """Raise a MissingTargetError that names all wanted targets without a column or any cell."""
    missing = []
    for word in wanted:
        try:
            header = _find(word, names, where)
        except MissingTargetError:
            missing.append(word)
            continue
        if len(wanted) > 1 and all(map(is_missing, columns[header])):
            missing.append(word)
    if missing:
        raise MissingTargetError(where, missing, set(names.values()))


def _find(wanted: str, names: Mapping[str, str], where: str) -> str:
    """Return the header of a wanted target, called by its name or header in letters of any case.

    ``eps_re`` is ``eps re`` where nothing else is.

    Raises:
        DatasetError: there is none, or more than one.
    """
    if wanted in names:
        return wanted
    found: list[str] = []
    for same in (str, str.lower, loosely):
        word = same(wanted.strip())
        found = [
            h for h, n in names.items() if word in (same(n), same(h), same(parse_header(h)[0]))
        ] or [h for h in names if word == same(bare_name(h))]
        if len(found) == 1:
            return found[0]
        if found:
            raise DatasetError(
                f"{where}: {wanted!r} may be any of the columns {few(found)}; write the "
                "whole header."
            )
    raise MissingTargetError(where, [wanted], set(names.values()))


def _by_name(
    options: TargetOptions, names: Mapping[str, str], headers: Sequence[str], where: str
) -> TargetOptions:
    """Return the options with every target called by its name, however the user called it."""
    chosen = {header: names[header] for header in headers}

    def name_of(word: str) -> str:
        try:
            return chosen[_find(word, chosen, where)]
        except DatasetError:
            raise DatasetError(
                f"{where}: {unknown_name('target', word, chosen.values())}"
            ) from None

    return TargetOptions(
        units={name_of(w): u for w, u in options.units.items()},
        energies={name_of(w): u for w, u in options.energies.items()},
        kinds={name_of(w): k for w, k in options.kinds.items()},
        classes={name_of(w): c for w, c in options.classes.items()},
        extensive=[name_of(w) for w in options.extensive],
        nonnegative=[name_of(w) for w in options.nonnegative],
        comma_is_decimal=options.comma_is_decimal,
    )


def _unit(header: str, said: str | None, where: str, beside: str = "") -> str:
    """Return the unit of a column; warn where the user and the table say different ones.

    The table says it in the header, or in a column ``beside``.

    Raises:
        DatasetError: the header has two, and the user says none.
    """
    name, written = parse_header(header)
    other = second_unit(header)
    if other and said is None:
        raise DatasetError(
            f"{where}: the header {cut(header, 60)!r} gives two units, {other} and {written}; "
            "remove the wrong one."
        )
    written = written or beside
    if said is None:
        either = "" if written else open_unit(header)
        if either:
            warn(f"{where}: the header {cut(header, 60)!r} {either}.")
        return written
    if written and not same_unit(written, said):
        place = "unit column" if beside else "header"
        warn(
            f"{where}: the {place} of {name!r} says {written} and the unit that was given is "
            f"{said}; that one is taken and no number is converted: correct whichever is wrong."
        )
    return said


def _check_options(options: TargetOptions, names: list[str], where: str) -> None:
    """Raise an error if an option is about a target that does not exist."""
    groups = (options.units, options.kinds, options.classes, options.extensive)
    for group in (*groups, options.nonnegative):
        for name in group:
            if name not in names:
                raise DatasetError(f"{where}: {unknown_name('target', name, names)}")
