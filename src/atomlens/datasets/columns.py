"""From columns of a table to targets: which columns, which unit, numbers or classes.

What the user says of a target (``kinds``, ``classes``) holds. Otherwise, empty cells left out:

* all are true or false, or some of them 1 or 0 for it: classes;
* at least half are numbers (see `numerals`): regression, and a row with anything else there is a
  failure; ``50%`` is 50 under a header with a ``%``, and where every cell has one;
* few different texts (2 to 20, each used twice on average): classes, unless they look like numbers
  with something about them (``<0.1``, ``1.5 eV``), which is an error;
* otherwise the column is no target: an error if it was asked for by name.

Words such as ``NA`` and ``none`` stand for an empty cell among numbers, truth values and numbers
of classes. Among the words of classes they are a class of their own, and a warning says so.
"""

import math
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.numerals import (
    advice_on,
    decimal_comma,
    looks_like_a_number,
    read_numerals,
    spoilt_number,
    thousands_or_decimals,
)
from atomlens.errors import DatasetError, MissingTargetError, unknown_name, warn
from atomlens.printing import clean_name, cut, kind_of_object, shown
from atomlens.targets import LARGEST_VALUE, Target
from atomlens.units import is_unit

MOST_CLASSES = 20
_MISSING = {"", "-", "?", "na", "n/a", "nan", "none", "null"}
_NOT_KNOWN = frozenset(
    "unknown unk undefined undetermined missing tbd tba n.a. n.d. nd nil void nothing".split()
)
"""Words that may mean the same where they stand among classes."""
_SENTINELS = (-99.0, -999.0, -9999.0, -99999.0, -999999.0)
_ENOUGH = 12
"""Values of which it can be said that a part of them is in another unit."""
_FEWEST = 3
_NEAR = 0.15
"""How far from a factor between units a ratio may be, as a decimal logarithm."""
_FEW = 4
"""So few different whole numbers may be names of classes."""
ABOUT_CLASSES = "is learned as a number; if they are names of classes, say --classification"
"""Of a column of few whole numbers, said to whom learns from it."""
_TRUTH = {"true": "True", "false": "False"}
_DIGITS = ("0", "1")
_SAME_AS_DIGITS = (("false", "true"), ("no", "yes"), ("f", "t"), ("n", "y"))
"""Words for what others of their column call 0 and 1."""
_MOST_SPELLINGS = 8
"""Of 0, 1 and such words, in letters of any case."""
_UNIT = (
    r"m?eV(/(\w+|\(\w+\)))?|m?Ry|[km]?Ha(/\w+)?|[hH]artree(/\w+)?|E_?h|k?(J|cal)/mol(/\w+)?|[GMk]Pa"
    r"|Å|bohr(\^\d)?|Å\^\d|cm\^?-1|1/cm|nm|[dD]ebye"
)
_LETTER = "[KVDAJ]"
"""Units of one letter, which stand behind a name with blanks or a comma only: ``T / K``."""
_BEHIND = {
    "ev": "eV",
    "mev": "meV",
    "ev_atom": "eV/atom",
    "ev_per_atom": "eV/atom",
    "mev_atom": "meV/atom",
    "mev_per_atom": "meV/atom",
    "ha": "Ha",
    "hartree": "hartree",
    "kj_mol": "kJ/mol",
    "kj_per_mol": "kJ/mol",
    "kcal_mol": "kcal/mol",
    "kcal_per_mol": "kcal/mol",
    "gpa": "GPa",
    "nm": "nm",
    "angstrom": "Å",
    "debye": "debye",
}
"""Units as names of columns have them, in any case (``gap_eV``, ``e_kj_mol``)."""
_FACTORS = {
    1000.0: "meV and eV, or MPa and GPa",
    27.211386: "eV and hartree",
    96.485: "kJ/mol and eV",
    23.0605: "kcal/mol and eV",
    627.509: "kcal/mol and hartree",
    2625.5: "kJ/mol and hartree",
    27211.386: "meV and hartree",
    8065.54: "cm^-1 and eV",
}
"""How many times larger a value is in one unit than in another."""
_MONTH = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DATE = re.compile(
    r"(\d{4}[-/.]\d\d?[-/.]\d\d?|\d\d?[./-]\d\d?[./-]\d{2,4})([ T][\d:.]+(Z|[+-][\d:]+)?)?"
    rf"|\d\d?[-. ]\s*{_MONTH}([-. ]\d{{2,4}})?|{_MONTH}[-. ]\d{{1,4}}(,? \d{{4}})?",
    re.IGNORECASE,
)
_FRACTION = re.compile(r"[+-]?\d+/\d+")
_WITH_UNIT = re.compile(r"[-+−]?\d[\d.,]*(?:[eE][-+]?\d+)?\s*([^\d\s.,;:+-][^\d\s]*[\d]?)")
"""A number with its unit behind it, as in ``7.1 eV``."""
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


def parse_header(header: str) -> tuple[str, str]:
    """Return name and unit of headers like ``homo [eV]`` or ``homo (eV)``; else unit ''.

    What is no unit is part of the name: ``logP (shake-flask)``, ``LogP [exp]``. Without a space
    in front, parentheses must hold a usual unit: ``log10(K_VRH)`` is a name, but ``homo(eV)`` has
    a unit. So must what stands behind a slash (``U0 / Ha``), a comma (``gap, eV``) or an
    underscore (``gap_eV``).
    """
    name, unit = _in_brackets(header)
    if unit and not is_unit(unit):
        return clean_name(header), ""
    return (name, unit) if unit else _behind(name)


def bare_name(header: str) -> str:
    """Return the name of a column without what stands in brackets behind it, unit or not."""
    name, inside = _in_brackets(header)
    return name if inside else parse_header(header)[0]


def _behind(header: str) -> tuple[str, str]:
    """Return name and unit of headers without brackets: ``U0 / Ha``, ``gap, eV``, ``gap_eV``."""
    known = rf"(?P<unit>{_UNIT})"
    found = re.fullmatch(rf"(?P<name>.*[^\s/,])\s*[/,]\s*{known}", header) or re.fullmatch(
        rf"(?P<name>.*[^\s/,])(\s+/\s+|\s*,\s+)(?P<unit>{_LETTER})", header
    )
    if found is not None and not re.fullmatch(_UNIT, header):  # eV/Å is one unit
        return found["name"], found["unit"]
    for place in (at.start() for at in re.finditer("_", header)):
        unit = _BEHIND.get(header[place + 1 :].lower(), "")
        if not unit and re.fullmatch(_UNIT, header[place + 1 :]):
            unit = header[place + 1 :]
        if unit and header[:place]:
            return header[:place], unit
    return header, ""


def _in_brackets(header: str) -> tuple[str, str]:
    header = clean_name(header)
    name, unit = header, ""
    if header.endswith("]"):
        place = header.find("[", header.rfind("]", 0, len(header) - 1) + 1)
        name, unit = header[:place].rstrip(), header[place + 1 : -1]
    elif header.endswith(")"):
        found = re.search(r"\s\(", header)
        place = header.rfind("(") if found is None else found.end() - 1
        name, unit = header[:place].rstrip(), header[place + 1 : -1]
        if found is None and not re.fullmatch(_UNIT, unit):
            name = ""
    if unit and re.search(r"\s[/,]$|[^\s],$", name):  # E / (eV/atom)
        name = name[:-1].rstrip()
    return (name, unit.strip()) if name else (header, "")


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
        if word in columns and _in_brackets(word)[1] == "":
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
        column = _Column.read(cells, name, options, where)
        if not column.kind:
            if wanted:
                raise DatasetError(column.problem)
            reasons.append(column.problem)
            continue
        if column.kind == "regression":
            _refuse_two_readings(columns, header, name, options, where)
        targets.append(
            Target(
                name=name,
                unit=_unit(
                    header,
                    options.units.get(name),
                    where,
                    _said_beside(columns, header, beside, column, len(headers), where) or percent,
                ),
                kind=column.kind,
                classes=column.classes,
                extensive=name in options.extensive,
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
    alone = known.get("unit", known.get("units"))
    return found | ({} if alone is None else {"": alone})


def _said_beside(
    columns: Columns,
    header: str,
    beside: Mapping[str, str],
    column: "_Column",
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
    if not units or any(_is_number(unit) for unit in units):
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
    if written and written != unit:
        raise DatasetError(
            f"{where}: the header {header!r} says {written} and the column {place!r} says {unit}; "
            "correct whichever is wrong."
        )
    return unit


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


def is_missing(value: Any) -> bool:
    """Say whether a cell is empty: None, NaN, or a word for nothing."""
    if value is None:
        return True
    if isinstance(value, str):
        return value.strip().lower() in _MISSING
    return isinstance(value, float) and math.isnan(value)


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

    Raises:
        DatasetError: there is none, or more than one.
    """
    if wanted in names:
        return wanted
    found: list[str] = []
    for same in (str, str.lower):
        word = same(wanted.strip())
        found = [
            h for h, n in names.items() if word in (same(n), same(h), same(parse_header(h)[0]))
        ] or [h for h in names if word == same(bare_name(h))]
        if len(found) == 1:
            return found[0]
        if found:
            raise DatasetError(
                f"{where}: {wanted!r} may be any of the columns {', '.join(found)}; write the "
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
        kinds={name_of(w): k for w, k in options.kinds.items()},
        classes={name_of(w): c for w, c in options.classes.items()},
        extensive=[name_of(w) for w in options.extensive],
        nonnegative=[name_of(w) for w in options.nonnegative],
        comma_is_decimal=options.comma_is_decimal,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """A column taken as a target, or the reason why it is none."""

    kind: Kind | None = None
    classes: tuple[str, ...] = ()
    numbers: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    """(n_rows,) numbers or class numbers, NaN where unknown"""
    problems: dict[int, str] = field(default_factory=dict)
    """Why a row cannot be used; part of a sentence."""
    problem: str = ""
    """Why the column is no target; a sentence."""

    @classmethod
    def read(
        cls, values: Sequence[Any], name: str, options: TargetOptions, where: str
    ) -> "_Column":
        """Take a column as what the user says it is, else as what it looks like.

        Raises:
            DatasetError: its numbers can be read in two ways.
        """
        kind = options.kinds.get(name)
        known = options.classes.get(name)
        if not known and kind != "regression":
            values = _with_one_word(values, name, where)
        if known:
            return cls._of_known_classes(values, name, tuple(map(_text, known)))
        if kind == "classification":
            return cls._of_classes(values, name, where, asked_for=True)
        truth = [_text(v) for v in values if not is_missing(v)]
        if kind is None and truth and all(text in _TRUTH.values() for text in truth):
            return cls._of_classes(values, name, where)
        numerals = read_numerals(
            [None if is_missing(v) else v for v in values],
            comma_is_decimal=options.comma_is_decimal,
        )
        n_numbers = sum(v is not None for v in numerals.numbers)
        if n_numbers and (kind == "regression" or 2 * n_numbers >= len(truth)):
            if numerals.problem:
                raise DatasetError(f"{where}: the column {name!r} {numerals.problem}.")
            _tell_errors(numerals.with_error, name, where)
            return cls._of_numbers(values, numerals.numbers, name, where, hint=kind is None)
        if kind is None:
            return cls._of_classes(values, name, where)
        return cls(problem=_no_target(values, name, where))

    @classmethod
    def _of_numbers(
        cls,
        values: Sequence[Any],
        numbers: Sequence[float | None],
        name: str,
        where: str,
        *,
        hint: bool,
    ) -> "_Column":
        problems: dict[int, str] = {}
        found = np.full(len(values), np.nan)
        for row, (value, number) in enumerate(zip(values, numbers, strict=True)):
            if is_missing(value):
                continue
            said = f"the target {name!r} is {_short(value)}"
            if number is None:
                advice = advice_on(value) if isinstance(value, str) else "correct it"
                problems[row] = f"{said}, which is not a number; {advice}"
            elif not math.isfinite(number):
                problems[row] = f"{said}, which is not finite; correct it"
            elif abs(number) > LARGEST_VALUE:
                problems[row] = f"{said}, larger than any measured value; correct it"
            else:
                found[row] = number
        if hint:
            _tell_few_numbers(found, name, where)
        told = _tell_sentinels(found, name, where)
        _tell_two_units(found[~told], name, where)
        return cls(kind="regression", numbers=found, problems=problems)

    @classmethod
    def _of_classes(
        cls, values: Sequence[Any], name: str, where: str, *, asked_for: bool = False
    ) -> "_Column":
        """Take the texts as classes; whether words for nothing are a class depends on the rest."""
        texts = [None if _is_empty(v) else _text(v) for v in values]
        plain = {
            t for t, v in zip(texts, values, strict=True) if t is not None and not is_missing(v)
        }
        if plain and all(t in _TRUTH.values() or _is_number(t) for t in plain):
            texts = [None if is_missing(v) else t for t, v in zip(texts, values, strict=True)]
        classes = sorted({t for t in texts if t is not None}, key=_class_order)
        n_known = sum(t is not None for t in texts)
        if len(classes) < 2 or not (asked_for or len(classes) <= min(MOST_CLASSES, n_known // 2)):
            if not asked_for and plain <= set(_TRUTH.values()) and len(plain) == 2:
                return cls._numbered(texts, tuple(classes))
            return cls(problem=_no_target(values, name, where))
        if not asked_for and 2 * sum(map(_is_date_or_fraction, classes)) >= len(classes):
            return cls(problem=_no_target(values, name, where, may_be_classes=True))
        strange = [
            v for v in values if not is_missing(v) and not isinstance(v, str | Real | np.bool_)
        ]
        if not asked_for and strange:
            return cls(
                problem=f"{where}: the column {name!r} holds {_short(strange[0])}, "
                f"{kind_of_object(strange[0])}, which is neither a number nor a text; give plain "
                "numbers, or texts if they are names of classes."
            )
        odd = [t for t in classes if looks_like_a_number(t)]
        if not asked_for and 2 * len(odd) >= len(classes):
            what = spoilt_number(odd[0]) or (
                "which is neither a plain number nor the name of a class; write plain numbers with "
                f"the unit in the header ({advice_on(odd[0])})"
            )
            return cls(
                problem=f"{where}: the column {name!r} holds {odd[0]!r}, {what}, or say that these "
                "are classes (--classification)."
            )
        _tell_odd_classes(classes, name, where)
        if asked_for and len(classes) > max(10, n_known // 2):
            warn(
                f"{where}: the column {name!r} has {len(classes)} classes in {n_known} rows, too "
                "few of each to learn from; if these are quantities, leave --classification out"
            )
        return cls._numbered(texts, tuple(classes))

    @classmethod
    def _of_known_classes(
        cls, values: Sequence[Any], name: str, classes: tuple[str, ...]
    ) -> "_Column":
        """Take the texts as classes of a model; others are problems of their rows."""
        digits = _as_digits(classes)
        same = {digit: word for word, digit in digits.items()}
        if set(classes) == set(_DIGITS):
            same = {word: _DIGITS[i] for pair in _SAME_AS_DIGITS for i, word in enumerate(pair)}
        texts = [
            None if _is_empty(v) or (is_missing(v) and _text(v) not in classes) else _text(v)
            for v in values
        ]
        texts = [t if t is None or t in classes else same.get(t.lower(), t) for t in texts]
        problems = {
            row: f"the class {text!r} of {name!r} is none of {', '.join(classes)}; correct it"
            for row, text in enumerate(texts)
            if text is not None and text not in classes
        }
        return replace(
            cls._numbered([t if t in classes else None for t in texts], classes), problems=problems
        )

    @classmethod
    def _numbered(cls, texts: Sequence[str | None], classes: tuple[str, ...]) -> "_Column":
        number = {text: float(i) for i, text in enumerate(classes)}
        numbers = np.array([np.nan if t is None else number[t] for t in texts], dtype=np.float64)
        return cls(kind="classification", classes=classes, numbers=numbers)


def _is_empty(value: Any) -> bool:
    """Say whether there is nothing in a cell, not even a word for nothing."""
    return is_missing(value) and not (isinstance(value, str) and value.strip())


def _as_digits(words: Collection[str]) -> dict[str, str]:
    """Return 0 or 1 by word, of words that mean true and false in one way; empty for others."""
    lowered = {word.lower() for word in words}
    for pair in _SAME_AS_DIGITS:
        if lowered <= set(pair) and (len(pair[0]) > 1 or len(lowered) > 1):
            return {word: _DIGITS[pair.index(word.lower())] for word in words}
    return {}


def _with_one_word(values: Sequence[Any], name: str, where: str) -> Sequence[Any]:
    """Return a column of 1, 0, true and false with the words alone, which is said.

    True beside 1 is no number beside another: it would be two classes, or none.
    """
    different: set[str] = set()
    for value in values:
        if not is_missing(value):
            different.add(_text(value))
        if len(different) > _MOST_SPELLINGS:
            return values
    words = sorted(different - set(_DIGITS))
    if not words or len(words) == len(different):
        return values
    digits = _as_digits(words)
    if not digits:
        return values
    meant = {digit: word for word, digit in digits.items()}
    pair = next(pair for pair in _SAME_AS_DIGITS if words[0].lower() in pair)
    for digit, word in zip(_DIGITS, pair, strict=True):
        spelled = word.title() if words[0][0].isupper() else word
        meant.setdefault(digit, spelled)
    taken = " and ".join(f"{d} as {meant[d]}" for d in _DIGITS if d in different)
    warn(f"{where}: {name!r} holds numbers beside {' and '.join(words)}; {taken} is taken")
    return [v if is_missing(v) else meant.get(_text(v), v) for v in values]


def _is_date_or_fraction(text: str) -> bool:
    return bool(_DATE.fullmatch(text) or _FRACTION.fullmatch(text))


def _is_number(text: str) -> bool:
    return read_numerals([text], comma_is_decimal=True).numbers[0] is not None


def _text(value: Any) -> str:
    """Return a class as text: 1, 1.0 and '1' are one class, as are True and 'true'."""
    text = str(value).strip()
    try:
        number = float(text) if "_" not in text and not isinstance(value, bool) else math.nan
    except ValueError:
        number = math.nan
    if math.isfinite(number) and number.is_integer():
        return str(int(number))
    return _TRUTH.get(text.lower(), text)


def _class_order(text: str) -> tuple[int, float, str]:
    try:
        return 0, float(text), text
    except ValueError:
        return 1, 0.0, text


def _short(value: Any) -> str:
    return repr(value) if isinstance(value, float) else shown(value)


def _no_target(
    values: Sequence[Any], name: str, where: str, *, may_be_classes: bool = False
) -> str:
    """Return why a column is no target; ``may_be_classes``: it would be one as classes."""
    otherwise = ", or say that these are classes (--classification)" if may_be_classes else ""
    texts = list(dict.fromkeys(_text(v) for v in values if not is_missing(v)))
    if not texts:
        return f"{where}: the column {name!r} has no values to learn; fill it or choose another."
    if len(texts) == 1:
        return (
            f"{where}: the column {name!r} holds nothing but {_short(texts[0])}, so there is "
            "nothing to learn; choose another."
        )
    held = f"{where}: the column {name!r} holds {len(texts)} different texts, such as "
    dates = [text for text in texts if _DATE.fullmatch(text)]
    if len(dates) == len(texts) or (may_be_classes and dates):
        return (
            f"{held}{_short(dates[0])}, which {'are dates' if len(dates) > 1 else 'is a date'}; if "
            "they were numbers, a spreadsheet has changed them: format the column as numbers and "
            f"enter them again{otherwise}."
        )
    if all(_FRACTION.fullmatch(text) for text in texts):
        return f"{held}{_short(texts[-1])}, which are fractions; write decimals{otherwise}."
    found = [_WITH_UNIT.fullmatch(text) for text in texts]
    units = Counter(one[1] for one in found if one)
    usual = all(re.fullmatch(f"{_UNIT}|{_LETTER}|%", unit) for unit in units)
    if (len(units) == 1 and None not in found) or (usual and 2 * units.total() >= len(texts)):
        with_unit = [text for text, one in zip(texts, found, strict=True) if one]
        bare = "" if len(with_unit) == len(texts) else ", and others without a unit"
        if len(units) == 1:
            (unit,) = units
            if bare:
                held = f"{where}: the column {name!r} holds cells such as "
            return (
                f"{held}{_short(with_unit[-1])}{bare}; write plain numbers, and the unit in the "
                f"header: {name} [{unit}]."
            )
        first, second = (
            next(t for t, one in zip(texts, found, strict=True) if one and one[1] == unit)
            for unit, _ in units.most_common(2)
        )
        unit = units.most_common(1)[0][0]
        return (
            f"{where}: the column {name!r} holds {_short(first)} and {_short(second)}{bare}; "
            "convert the values into one unit, write plain numbers, and the unit in the header: "
            f"{name} [{unit}]."
        )
    strange = [text for text in texts if not _is_number(text)] or texts
    shown_texts = " and ".join(_short(text) for text in strange[:2])
    return (
        f"{held}{shown_texts}, neither numbers nor at most {MOST_CLASSES} classes that "
        "repeat; choose another column."
    )


def _unit(header: str, said: str | None, where: str, beside: str = "") -> str:
    """Return the unit of a column; warn where the user and the table say different ones.

    The table says it in the header, or in a column ``beside``.
    """
    name, written = parse_header(header)
    written = written or beside
    if said is None:
        return written
    if written and written != said:
        place = "unit column" if beside else "header"
        warn(
            f"{where}: the {place} of {name!r} says {written} and the unit that was given is "
            f"{said}; that one is taken and no number is converted: correct whichever is wrong."
        )
    return said


def _tell_errors(cells: Sequence[str], name: str, where: str) -> None:
    """Warn of the errors of values (``100 ± 2``, ``100(2)``), which nothing learns from."""
    if cells:
        some = "a value" if len(cells) == 1 else f"{len(cells)} values"
        warn(
            f"{where}: the error is left out of {some} of {name!r}, such as {cut(cells[0], 60)!r}; "
            "the number in front of it is learned."
        )


def _tell_few_numbers(numbers: NDArray[np.float64], name: str, where: str) -> None:
    """Warn of numbers that are likely the names of classes; they are learned as numbers."""
    known = numbers[np.isfinite(numbers)]
    different = np.unique(known)
    whole = bool(np.all(different == np.round(different)))
    if whole and 2 <= len(different) <= _FEW and len(known) >= 5 * len(different):
        shown = ", ".join(f"{v:g}" for v in different)
        warn(f"{where}: {name!r} holds only the numbers {shown} and {ABOUT_CLASSES}.")


def _tell_sentinels(numbers: NDArray[np.float64], name: str, where: str) -> NDArray[np.bool_]:
    """Warn of numbers that many programs write where they know nothing: -999, 9999 ...

    Returns (n,) which of the numbers are told of: those that lie far outside of all others.
    """
    signs: NDArray[np.bool_] = np.isin(np.abs(numbers), np.abs(_SENTINELS))
    rest = numbers[np.isfinite(numbers) & ~signs]
    if not signs.any() or not len(rest):
        return np.zeros_like(signs)
    low, high = rest.min() - 5 * np.ptp(rest), rest.max() + 5 * np.ptp(rest)
    signs &= (numbers < low) | (numbers > high)
    if not signs.any():
        return signs
    found = ", ".join(f"{v:g}" for v in np.unique(numbers[signs]))
    n = int(signs.sum())
    counted = f"1 value of {name!r} is" if n == 1 else f"{n} values of {name!r} are"
    warn(
        f"{where}: {counted} {found}, which many programs write "
        "where nothing is known; leave those cells empty if it means that."
    )
    return signs


def _tell_two_units(numbers: NDArray[np.float64], name: str, where: str) -> None:
    """Warn of values of which a part is about 1000, 27.2 ... times the rest, with none between.

    Values that span decades smoothly have no gap that is several times wider than all others.
    """
    known = numbers[np.isfinite(numbers) & (numbers != 0)]
    if len(known) < _ENOUGH:
        return
    sizes = np.sort(np.log10(np.abs(known)))
    gaps = np.diff(sizes)
    place = int(gaps.argmax())
    small, large = sizes[: place + 1], sizes[place + 1 :]
    if gaps[place] < 3 * np.sort(gaps)[-2] or 2 * gaps[place] < max(np.ptp(small), np.ptp(large)):
        return
    ratio = float(np.median(large) - np.median(small))
    factor = min(_FACTORS, key=lambda f: abs(math.log10(f) - ratio))
    fewer = min(len(small), len(large))
    if abs(math.log10(factor) - ratio) > _NEAR:
        return
    if fewer < _FEWEST and (len(small) < _FEWEST or factor < 1000):  # some are near 0 by chance
        return
    few_are_large = len(large) <= len(small)
    first = float(known[np.abs(known).argmax() if few_are_large else np.abs(known).argmin()])
    other = float(known[np.abs(known).argmin() if few_are_large else np.abs(known).argmax()])
    times = f"{factor:.3g} times" if few_are_large else f"1/{factor:.3g} of"
    are = "is" if fewer == 1 else "are"
    what = f"{fewer} value{'s' if fewer > 1 else ''} of {name!r} {are}"
    warn(
        f"{where}: {what} about {times} the others, such "
        f"as {first:g} beside {other:g}, with nothing between, as if two units were mixed "
        f"({_FACTORS[factor]}); convert them into one if that is so."
    )


def _tell_odd_classes(classes: Sequence[str], name: str, where: str) -> None:
    """Warn of a class that may mean an empty cell, and of classes that differ in case only."""
    nothing = [c for c in classes if is_missing(c) or c.lower() in _NOT_KNOWN]
    if nothing:
        warn(
            f"{where}: {nothing[0]!r} is a class of {name!r} like the others; leave the cells "
            "empty if it means that nothing is known."
        )
    lowered = [c.lower() for c in classes]
    often = Counter(lowered)
    alike = [c for c in classes if often[c.lower()] > 1]
    if alike:
        warn(
            f"{where}: {alike[0]!r} and {alike[1]!r} are two classes of {name!r}; write them in "
            "one way if they are one."
        )


def _check_options(options: TargetOptions, names: list[str], where: str) -> None:
    """Raise an error if an option is about a target that does not exist."""
    groups = (options.units, options.kinds, options.classes, options.extensive)
    for group in (*groups, options.nonnegative):
        for name in group:
            if name not in names:
                raise DatasetError(f"{where}: {unknown_name('target', name, names)}")
