"""Whether a column of a table holds numbers or classes.

What the user says of a target holds. Otherwise, empty cells left out:

* all are true or false, or some of them 1 or 0 for it: classes;
* at least half are numbers (see `numerals`): regression, and a row with anything else there is a
  failure;
* few different texts (2 to 20, each used twice on average): classes, unless they look like numbers
  with something about them (``<0.1``, ``1.5 eV``), which is an error;
* otherwise the column is no target.

Words such as ``NA`` and ``none`` stand for an empty cell among numbers, truth values and numbers
of classes. Among the words of classes they are a class of their own, and a warning says so.
"""

import math
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from numbers import Real
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.tables.cells import (
    TRUTH_WORDS,
    is_empty,
    is_error,
    is_missing,
    is_time,
    shown_cell,
    text_of,
)
from atomlens.datasets.tables.headers import LETTER_UNIT, UNIT
from atomlens.datasets.tables.numerals import (
    advice_on,
    is_numeral,
    looks_like_a_number,
    read_numerals,
    spoilt_number,
)
from atomlens.datasets.tables.target_doubts import (
    tell_bounds,
    tell_decades,
    tell_errors,
    tell_few_numbers,
    tell_odd_classes,
    tell_sentinels,
    tell_two_units,
)
from atomlens.errors import DatasetError, warn
from atomlens.printing import few, kind_of_object
from atomlens.targets import LARGEST_VALUE
from atomlens.units import is_unit

Kind = Literal["regression", "classification"]
MOST_CLASSES = 20
_MONTH = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DATE = re.compile(
    r"(\d{4}[-/.]\d\d?[-/.]\d\d?|\d\d?[./-]\d\d?[./-]\d{2,4})([ T][\d:.]+(Z|[+-][\d:]+)?)?"
    rf"|\d\d?[-. ]\s*{_MONTH}([-. ]\d{{2,4}})?|{_MONTH}[-. ]\d{{1,4}}(,? \d{{4}})?",
    re.IGNORECASE,
)
_FRACTION = re.compile(r"[+-]?\d+/\d+")
_WITH_UNIT = re.compile(r"[-+−]?\d[\d.,]*(?:[eE][-+]?\d+)?\s*([^\d\s.,;:+-][^\d\s]*[\d]?)")
"""A number with its unit behind it, as in ``7.1 eV``."""
_DIGITS = ("0", "1")
_TRUTHS = (("false", "true"), ("no", "yes"), ("f", "t"), ("n", "y"))
"""Words that mean 0 and 1."""
_SAME_AS_DIGITS = (
    *_TRUTHS,
    ("off", "on"),
    ("inactive", "active"),
    ("negative", "positive"),
    ("neg", "pos"),
    ("fail", "pass"),
    ("unstable", "stable"),
    ("nontoxic", "toxic"),
    ("non-toxic", "toxic"),
)
"""Words for what others of their column call 0 and 1."""
_MOST_SPELLINGS = 8
"""Of 0, 1 and such words, in letters of any case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedColumn:
    """A column taken as numbers or as classes, or the reason why it is no target."""

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
        cls,
        values: Sequence[Any],
        name: str,
        where: str,
        *,
        kind: Kind | None,
        known_classes: Sequence[str],
        comma_is_decimal: bool,
    ) -> "TypedColumn":
        """Take a column as what the user says it is, else as what it looks like.

        Raises:
            DatasetError: its numbers can be read in two ways.
        """
        if not known_classes and kind != "regression":
            values = _with_one_word(values, name, where)
        if known_classes:
            return cls._of_known_classes(values, name, tuple(map(text_of, known_classes)))
        if kind == "classification":
            return cls._of_classes(values, name, where, asked_for=True)
        truth = [text_of(v) for v in values if not is_missing(v)]
        if kind is None and truth and all(text in TRUTH_WORDS.values() for text in truth):
            return cls._of_classes(values, name, where)
        numerals = read_numerals(
            [None if is_missing(v) else v for v in values],
            comma_is_decimal=comma_is_decimal,
        )
        n_numbers = sum(v is not None for v in numerals.numbers)
        n_others = sum(map(is_error, values))
        if n_numbers and (kind == "regression" or 2 * n_numbers >= len(truth) - n_others):
            if numerals.problem:
                raise DatasetError(f"{where}: the column {name!r} {numerals.problem}.")
            tell_errors(numerals.with_error, name, where)
            return cls._of_numbers(values, numerals.numbers, name, where, is_guess=kind is None)
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
        is_guess: bool,
    ) -> "TypedColumn":
        """Take the numbers; a cell that is none is a problem of its row.

        ``is_guess``: nobody has said that they are numbers, so signs of classes are told.
        """
        problems: dict[int, str] = {}
        found = np.full(len(values), np.nan)
        for row, (value, number) in enumerate(zip(values, numbers, strict=True)):
            if is_missing(value):
                continue
            said = f"the target {name!r} is {shown_cell(value)}"
            if number is None:
                problems[row] = f"{said}, {_no_number(value, name, row)}"
            elif not math.isfinite(number):
                problems[row] = f"{said}, which is not finite; correct it"
            elif abs(number) > LARGEST_VALUE:
                problems[row] = f"{said}, larger than any measured value; correct it"
            else:
                found[row] = number
        tell_bounds([values[row] for row in problems], len(values), name, where)
        if is_guess:
            tell_few_numbers(found, name, where)
        told = tell_sentinels(found, name, where)
        tell_two_units(found[~told], name, where)
        if is_guess:
            tell_decades(found[~told], name, where)
        return cls(kind="regression", numbers=found, problems=problems)

    @classmethod
    def _of_classes(
        cls, values: Sequence[Any], name: str, where: str, *, asked_for: bool = False
    ) -> "TypedColumn":
        """Take the texts as classes; whether words for nothing are a class depends on the rest."""
        problems = {
            row: f"the target {name!r} is {shown_cell(v)}, {spoilt_number(text_of(v))}"
            for row, v in enumerate(values)
            if is_error(v)
        }
        texts = [None if is_empty(v) or is_error(v) else text_of(v) for v in values]
        plain = {
            t for t, v in zip(texts, values, strict=True) if t is not None and not is_missing(v)
        }
        if plain and all(t in TRUTH_WORDS.values() or is_numeral(t) for t in plain):
            texts = [None if is_missing(v) else t for t, v in zip(texts, values, strict=True)]
        classes = sorted({t for t in texts if t is not None}, key=_class_order)
        n_known = sum(t is not None for t in texts)
        if len(classes) < 2 or not (asked_for or len(classes) <= min(MOST_CLASSES, n_known // 2)):
            if not asked_for and plain <= set(TRUTH_WORDS.values()) and len(plain) == 2:
                return replace(cls._numbered(texts, tuple(classes)), problems=problems)
            return cls(problem=_no_target(values, name, where))
        if not asked_for and 2 * sum(map(_is_date_or_fraction, classes)) >= len(classes):
            return cls(problem=_no_target(values, name, where, may_be_classes=True))
        strange = [
            v for v in values if not is_missing(v) and not isinstance(v, str | Real | np.bool_)
        ]
        if not asked_for and strange:
            return cls(
                problem=f"{where}: the column {name!r} holds {shown_cell(strange[0])}, "
                f"{kind_of_object(strange[0])}, which is neither a number nor a text; give plain "
                "numbers, or texts if they are names of classes."
            )
        odd = [t for t in classes if looks_like_a_number(t)]
        n_numbers = sum(map(is_numeral, classes))
        if not asked_for and 2 * (len(odd) + n_numbers) >= len(classes) > n_numbers:
            often = Counter(t for t in texts if t is not None)
            if not odd and any("." in t for t in classes if is_numeral(t)):
                word = next(t for t in sorted(often, key=lambda t: -often[t]) if not is_numeral(t))
                return cls(problem=_words_and_numbers(often, word, name, where))
            if odd and n_numbers:
                return cls(problem=_no_plain_numbers(often, odd, name, where))
        if not asked_for and 2 * len(odd) >= len(classes):
            what = spoilt_number(odd[0]) or (
                "which is neither a plain number nor the name of a class; write plain numbers with "
                f"the unit in the header ({advice_on(odd[0])})"
            )
            return cls(
                problem=f"{where}: the column {name!r} holds {odd[0]!r}, {what}, or say that these "
                "are classes (--classification, in Python classification=True)."
            )
        tell_odd_classes(classes, name, where)
        if asked_for and len(classes) > max(10, n_known // 2):
            warn(
                f"{where}: the column {name!r} has {len(classes)} classes in {n_known} rows, too "
                "few of each to learn from; if these are quantities, leave --classification (in "
                "Python classification) out"
            )
        return replace(cls._numbered(texts, tuple(classes)), problems=problems)

    @classmethod
    def _of_known_classes(
        cls, values: Sequence[Any], name: str, classes: tuple[str, ...]
    ) -> "TypedColumn":
        """Take the texts as classes of a model; others are problems of their rows."""
        digits = _as_digits(classes)
        same = {digit: word for word, digit in digits.items()}
        if set(classes) == set(_DIGITS):
            same = {word: _DIGITS[i] for pair in _TRUTHS for i, word in enumerate(pair)}
        lowered = Counter(c.lower() for c in classes)
        same |= {c.lower(): c for c in classes if lowered[c.lower()] == 1}
        texts = [
            None if is_empty(v) or (is_missing(v) and text_of(v) not in classes) else text_of(v)
            for v in values
        ]
        texts = [t if t is None or t in classes else same.get(t.lower(), t) for t in texts]
        problems = {
            row: f"the class {text!r} of {name!r} is none of {few(classes)}; correct it"
            for row, text in enumerate(texts)
            if text is not None and text not in classes
        }
        return replace(
            cls._numbered([t if t in classes else None for t in texts], classes), problems=problems
        )

    @classmethod
    def _numbered(cls, texts: Sequence[str | None], classes: tuple[str, ...]) -> "TypedColumn":
        """Return classes by their numbers, NaN for None."""
        number = {text: float(i) for i, text in enumerate(classes)}
        numbers = np.array([np.nan if t is None else number[t] for t in texts], dtype=np.float64)
        return cls(kind="classification", classes=classes, numbers=numbers)


def _no_number(value: Any, name: str, row: int) -> str:
    """Return what a cell is that is no number, and what to do; part of a sentence."""
    text = value.strip() if isinstance(value, str) else ""
    if isinstance(value, timedelta):
        return "which is a duration and no number; write numbers in one unit"
    if is_time(value) or _DATE.fullmatch(text):
        return (
            "which is a date or time and no number; if a spreadsheet made it of one, format the "
            "column as numbers and enter it again"
        )
    if text.lower() == name.lower():
        return "as in the header; remove this row"
    bare = text[1:-1] if re.fullmatch(r"\[.*\]|\(.*\)", text) else text
    if row == 0 and is_unit(bare) and not re.match(r"[-+.\d]", bare):
        return (
            f"which is a unit and no number; write it into the header ({name} [{bare}]), and "
            "remove this row"
        )
    if what := spoilt_number(text):
        return f"which is not a number but {what}"
    return f"which is not a number; {advice_on(text) if text else 'correct it'}"


def _words_and_numbers(often: Counter[str], word: str, name: str, where: str) -> str:
    """Return why a column of a word and fewer numbers is no target."""
    number = next(t for t in often if is_numeral(t) and "." in t)
    n_words = sum(n for t, n in often.items() if not is_numeral(t))
    return (
        f"{where}: the column {name!r} holds {word!r} and the like in {n_words} of "
        f"{often.total()} cells and numbers such as {number} in the others; leave the cells "
        "without a number empty to learn the numbers, or say that these are classes "
        "(--classification, in Python classification=True)."
    )


def _no_plain_numbers(often: Counter[str], odd: Sequence[str], name: str, where: str) -> str:
    """Return why a column of texts such as ``>10`` and fewer numbers is no target."""
    n_odd = sum(often[t] for t in odd)
    return (
        f"{where}: {n_odd} of {often.total()} cells of the column {name!r} are such as "
        f"{odd[0]!r} and no plain numbers ({advice_on(odd[0])}); or say that these are classes "
        "(--classification, in Python classification=True)."
    )


def _is_date_or_fraction(text: str) -> bool:
    return bool(_DATE.fullmatch(text) or _FRACTION.fullmatch(text))


def _no_target(
    values: Sequence[Any], name: str, where: str, *, may_be_classes: bool = False
) -> str:
    """Return why a column is no target; ``may_be_classes``: it would be one as classes."""
    advice = ", or say that these are classes (--classification, in Python classification=True)"
    otherwise = advice if may_be_classes else ""
    texts = list(dict.fromkeys(text_of(v) for v in values if not is_missing(v)))
    if not texts:
        return f"{where}: the column {name!r} has no values to learn; fill it or choose another."
    if all(map(is_error, texts)):
        return (
            f"{where}: the column {name!r} holds errors of a spreadsheet alone, such as "
            f"{shown_cell(texts[0])}; correct its formulas, or choose another."
        )
    if len(texts) == 1:
        return (
            f"{where}: the column {name!r} holds nothing but {shown_cell(texts[0])}, so there is "
            "nothing to learn; choose another."
        )
    held = f"{where}: the column {name!r} holds {len(texts)} different texts, such as "
    dates = [text for text in texts if _DATE.fullmatch(text)]
    if len(dates) == len(texts) or (may_be_classes and dates):
        return (
            f"{held}{shown_cell(dates[0])}, which {'are dates' if len(dates) > 1 else 'is a date'}"
            "; if they were numbers, a spreadsheet has changed them: format the column as numbers "
            f"and enter them again{otherwise}."
        )
    if all(_FRACTION.fullmatch(text) for text in texts):
        return f"{held}{shown_cell(texts[-1])}, which are fractions; write decimals{otherwise}."
    found = [_WITH_UNIT.fullmatch(text) for text in texts]
    units = Counter(one[1] for one in found if one)
    usual = all(re.fullmatch(f"{UNIT}|{LETTER_UNIT}|%", unit) for unit in units)
    if (len(units) == 1 and None not in found) or (usual and 2 * units.total() >= len(texts)):
        with_unit = [text for text, one in zip(texts, found, strict=True) if one]
        bare = "" if len(with_unit) == len(texts) else ", and others without a unit"
        if len(units) == 1:
            (unit,) = units
            if bare:
                held = f"{where}: the column {name!r} holds cells such as "
            return (
                f"{held}{shown_cell(with_unit[-1])}{bare}; write plain numbers, and the unit in "
                f"the header: {name} [{unit}]."
            )
        first, second = (
            next(t for t, one in zip(texts, found, strict=True) if one and one[1] == unit)
            for unit, _ in units.most_common(2)
        )
        unit = units.most_common(1)[0][0]
        return (
            f"{where}: the column {name!r} holds {shown_cell(first)} and {shown_cell(second)}"
            f"{bare}; convert the values into one unit, write plain numbers, and the unit in the "
            f"header: {name} [{unit}]."
        )
    odd = [text for text in texts if looks_like_a_number(text)]
    if 2 * len(odd) >= len(texts):
        return f"{held}{shown_cell(odd[0])}, which is no plain number ({advice_on(odd[0])})."
    strange = [text for text in texts if not is_numeral(text)] or texts
    shown_texts = " and ".join(shown_cell(text) for text in strange[:2])
    return (
        f"{held}{shown_texts}, neither numbers nor at most {MOST_CLASSES} classes that "
        "repeat; choose another column."
    )


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
        if not (is_missing(value) or is_error(value)):
            different.add(text_of(value))
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
    return [v if is_missing(v) else meant.get(text_of(v), v) for v in values]


def _class_order(text: str) -> tuple[int, float, str]:
    try:
        return 0, float(text), text
    except ValueError:
        return 1, 0.0, text
