"""What a setting is: a field of a dataclass, with its type, bounds, default and an explanation.

A class of settings derives from `Settings` and writes bounds where the field stands, as in
``epochs: int = bounded(100, least=1)``. Whoever makes one gets it checked; whoever types one (on a
command line, in a file) gets it converted first.
"""

import ast
import inspect
import itertools
import math
import re
import textwrap
import types
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import MISSING, Field, dataclass, field, fields
from functools import wraps
from types import NoneType, UnionType
from typing import Any, ClassVar, Literal, TypeVar, Union, cast, get_args, get_origin

import numpy as np

from atomlens.boundary import net, parse_json
from atomlens.errors import SettingsError, unknown_name
from atomlens.printing import shown


def names_given(given: Any, argument: str, *, may_be_empty: bool = False) -> tuple[str, ...]:
    """Return the names that an argument gives: one text, several, or none (None).

    Raises:
        SettingsError: it is something else, or holds something else, or nothing where that is not
            allowed: a list that came out empty does not mean all.
    """
    if given is None:
        return ()
    several = [given] if isinstance(given, str) else given
    if isinstance(several, Iterable) and not isinstance(several, bytes | Mapping):
        names = tuple(several)
        if not names and not may_be_empty:
            raise SettingsError(
                f"{argument}={shown(given)}: there is no name in it; name one, or leave "
                f"{argument} out."
            )
        if all(isinstance(name, str) for name in names):
            return names
    raise SettingsError(
        f"{argument}={shown(given)}: it must be a name as text, or a list of names as text."
    )


_PYTHON_WORDS: dict[Any, str] = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    NoneType: "None",
}
_BY_NAME: dict[str, Any] = {"bool": bool, "int": int, "float": float, "None": NoneType}


def kinds_of(annotation: Any) -> tuple[Any, ...]:
    """Return the types of an argument that is a number, a flag or None; of others none."""
    if isinstance(annotation, str):
        parts = tuple(_BY_NAME.get(part.strip()) for part in annotation.split("|"))
    else:
        parts = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    return parts if all(part in _PYTHON_WORDS for part in parts) else ()


def argument_given(given: Any, kinds: Sequence[Any], argument: str) -> Any:
    """Return the value of an argument with Python's own numbers.

    A text that says no would be taken for a yes, and a number for a flag.

    Raises:
        SettingsError: it is of none of the types.
    """
    value = _plain(given)
    if any(fits(value, kind) or (kind is float and isinstance(value, float)) for kind in kinds):
        return value
    words = ", ".join(_PYTHON_WORDS[kind] for kind in kinds)
    raise SettingsError(f"{argument}={shown(value)} must be {' or '.join(words.rsplit(', ', 1))}.")


_F = TypeVar("_F", bound=Callable[..., Any])

_WORDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    NoneType: "null",
}
_SEVERAL: dict[Any, str] = {
    int: "a list of whole numbers",
    float: "a list of numbers",
    float | None: "a list of numbers and nulls",
}


_LARGEST = 2**63
"""What no setting reaches: beyond it numbers do not fit into the arrays that they describe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Between what a number must lie; also the numbers of a tuple."""

    least: float | None = None
    above: float | None = None
    below: float | None = None
    most: float | None = None
    unit: str = ""

    def hold(self, value: float) -> bool:
        """Say whether a number lies inside."""
        return (
            (self.least is None or value >= self.least)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
            and (self.most is None or value <= self.most)
            and abs(value) < _LARGEST
        )

    def __str__(self) -> str:
        ends = (
            ("at least", self.least),
            ("above", self.above),
            ("below", self.below),
            ("at most", self.most),
        )
        words = " and ".join(f"{word} {end:g}" for word, end in ends if end is not None)
        return f"{words} {self.unit}".rstrip()


@dataclass(frozen=True, slots=True)
class Names:
    """A table out of which a text is a name."""

    table: Collection[str]
    kind: str
    """What the names are of."""


@dataclass(frozen=True, slots=True)
class OnlyWith:
    """Another setting, and those of its values with which a setting is read."""

    other: str
    values: "tuple[Any, ...] | Bounds"
    """Some, or all in between; no values: any that is no null and no empty text."""

    def why_not(self, settings: Any) -> str:
        """Return why a setting changes nothing beside the others, as part of a sentence."""
        value = getattr(settings, self.other)
        if not self.values:
            return "" if value else f"it belongs to {self.other}, and there is none"
        if isinstance(self.values, Bounds):
            known, is_read = f" {self.values}", self.values.hold(value)
        else:
            known, is_read = f"={' or '.join(map(_as_typed, self.values))}", value in self.values
        if is_read:
            return ""
        return f"it belongs to {self.other}{known}, and {self.other} is {_as_typed(value)}"


def _as_typed(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def by_option(**words: "str | tuple[str, Callable[[Any], Any]]") -> "Callable[[_F], _F]":
    """Return a decorator: arguments may have the names of the options of a command, too.

    Args:
        words: Name of the argument by the option's name (``workers="n_workers"``), with what makes
            the argument's value of the option's where they differ.

    An argument that does not exist is a SettingsError that offers the nearest one, and so is one
    that is given by both names, and one of another type than the number or flag it is declared as.
    """

    def decorate(function: "_F") -> "_F":
        declared = inspect.signature(function).parameters.values()
        kinds = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        known = [p.name for p in declared if p.kind in kinds and p.name != "self"]
        is_open = any(p.kind is p.VAR_KEYWORD for p in declared)
        plain = {p.name: of for p in declared if (of := kinds_of(p.annotation))}
        called_as = function.__name__

        @wraps(function)
        def called(*args: Any, **given: Any) -> Any:
            for word in [word for word in given if word in words and word not in known]:
                meant = words[word]
                name, value_of = (meant, None) if isinstance(meant, str) else meant
                if name in given:
                    raise SettingsError(
                        f"{called_as}: {word} and {name} are two names of one thing; give one."
                    )
                value = given.pop(word)
                given[name] = value if value_of is None else value_of(value)
            for name in given:
                if not is_open and name not in known:
                    raise SettingsError(f"{called_as}: {unknown_name('argument', name, known)}")
                if name in plain:
                    given[name] = argument_given(given[name], plain[name], name)
            return function(*args, **given)

        return cast(_F, called)

    return decorate


def bounded(
    default: Any,
    *,
    least: float | None = None,
    above: float | None = None,
    below: float | None = None,
    most: float | None = None,
    unit: str = "",
) -> Any:
    """Return the field of a number, or of a tuple of numbers, with its bounds."""
    bounds = Bounds(least=least, above=above, below=below, most=most, unit=unit)
    return field(default=default, metadata={"bounds": bounds})


def name_of(table: Collection[str], default: str, kind: str) -> Any:
    """Return the field of a text that must be a name in a table."""
    return field(default=default, metadata={"names": Names(table, kind)})


def only_with(default: Any, **others: Any) -> Any:
    """Return the field of a setting that is read only with some values of other ones.

    Args:
        default: Its default, or its field (see `bounded`).
        others: Such values by the name of the other setting: one, a tuple of them, `Bounds` of a
            number, or an empty tuple for whatever is no null and no empty text.
    """
    needs = tuple(
        OnlyWith(name, values if isinstance(values, tuple | Bounds) else (values,))
        for name, values in others.items()
    )
    made = default if isinstance(default, Field) else field(default=default)
    return field(default=made.default, metadata={**made.metadata, "only_with": needs})


def why_idle(settings: Any, name: str, free: Collection[str] = ()) -> str:
    """Return why a setting changes nothing beside the others, as part of a sentence; else "".

    Args:
        settings: All of them.
        name: Of one.
        free: Others that may still change.
    """
    (one,) = (f for f in fields(settings) if f.name == name)
    needs: tuple[OnlyWith, ...] = one.metadata.get("only_with", ())
    reasons = (need.why_not(settings) for need in needs if need.other not in free)
    return next((why for why in reasons if why), "")


def told_idle(reasons: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield a sentence on the settings that are ignored for one reason, for each reason.

    Args:
        reasons: Name and why; an empty text if it is not.
    """
    by_reason: dict[str, list[str]] = {}
    for name, why in reasons:
        if why:
            by_reason.setdefault(why, []).append(name)
    for why, names in by_reason.items():
        if len(names) > 1:
            yield f"{', '.join(names)} are ignored: {why.replace('it belongs', 'they belong')}."
        else:
            yield f"{names[0]} is ignored: {why}."


class Settings:
    """Base of the classes of settings: frozen dataclasses that check themselves."""

    __slots__ = ()
    error: ClassVar[type[SettingsError]] = SettingsError

    @property
    def whose(self) -> str:
        """What stands in front of every complaint, such as ``voronoi builder: ``."""
        return ""

    def __post_init__(self) -> None:
        """Refuse impossible values before any work is done.

        Raises:
            SettingsError: a value of another type or beyond its bounds, or two that contradict
                each other.
        """
        make_plain(self)
        check_settings(self, self.whose, self.error)
        self.check_together()

    def check_together(self) -> None:
        """Refuse values that are possible alone and impossible together."""


def make_plain(settings: Any) -> None:
    """Put Python's own numbers in the place of numpy's, which loops and searches hand over."""
    for one in fields(settings):
        value = getattr(settings, one.name)
        plain = _plain(value)
        if plain is not value:
            object.__setattr__(settings, one.name, plain)


def _plain(value: Any) -> Any:
    """Return a value with Python's own numbers, also inside of tuples, lists and blocks."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if type(value) in (tuple, list):
        return type(value)(map(_plain, value))
    return value


def check_settings(settings: Any, whose: str, error: type[SettingsError] = SettingsError) -> None:
    """Check every field of a dataclass against its type and bounds.

    Raises:
        SettingsError: the first value that does not fit; for a misspelt name the nearest one is
            offered.
    """
    for one in fields(settings):
        _check_setting(one, getattr(settings, one.name), whose, error)


def _check_setting(one: "Field[Any]", value: Any, whose: str, error: type[SettingsError]) -> None:
    names: Names | None = one.metadata.get("names")
    if names is not None and not (isinstance(value, str) and value in names.table):
        raise error(f"{whose}{unknown_name(names.kind, str(value), names.table)}")
    if get_origin(one.type) is Literal and not fits(value, one.type):
        choices = list(map(str, get_args(one.type)))
        raise error(f"{whose}{one.name}: {unknown_name('choice', str(value), choices)}")
    bounds: Bounds | None = one.metadata.get("bounds")
    if not fits(value, one.type):
        raise error(f"{whose}{one.name}={shown(value)} must be {type_name(one)}.")
    if bounds is not None and not _inside(value, bounds):
        raise error(f"{whose}{one.name}={shown(value)} must be {_possible(value, bounds)}.")


def fits(value: Any, kind: Any) -> bool:
    """Say whether a value is of a type as fields declare it; a whole number is a number, too."""
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return any(fits(value, part) for part in get_args(kind))
    if origin is Literal:
        return any(value is part or value == part for part in get_args(kind))
    if origin is tuple:
        inner, *others = get_args(kind)
        if not isinstance(value, tuple):
            return False
        if others == [...]:
            return all(fits(part, inner) for part in value)
        return len(value) == 1 + len(others) and all(map(fits, value, (inner, *others)))
    if kind in (int, float):
        numbers = (int,) if kind is int else (int, float)
        return isinstance(value, numbers) and not isinstance(value, bool) and value == value
    if kind is None:
        return value is None
    declared = origin or kind
    return isinstance(value, declared) if isinstance(declared, type) else True


def _inside(value: Any, bounds: Bounds) -> bool:
    return all(map(bounds.hold, _numbers(value)))


def _possible(value: Any, bounds: Bounds) -> str:
    """Return what a number beyond its bounds must be: what no number is, first."""
    if any(n in (math.inf, -math.inf) for n in _numbers(value)):
        return "a finite number"
    return "below 2**63" if any(n >= _LARGEST for n in _numbers(value)) else str(bounds)


def _numbers(value: Any) -> tuple[Any, ...]:
    """Return the numbers of a value: of several all, of none nothing."""
    return tuple(n for n in (value if isinstance(value, tuple) else (value,)) if n is not None)


def typed_values(settings_class: type, values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the values converted to the types of a dataclass's fields.

    Raises:
        SettingsError: no such field (the nearest one is offered), or a value of another type.
    """
    known = {f.name: f for f in fields(settings_class)}
    for key in values:
        if key not in known:
            raise SettingsError(f"{where}: {unknown_name('setting', key, known)}")
    for key, value in values.items():
        kinds = get_args(known[key].type) or (known[key].type,)
        if str not in kinds and _holds_odd_number(value):
            raise SettingsError(_no_such_value(known[key], value, where))
    if not values:
        return {}
    try:
        import jsonargparse
    except ImportError:  # a machine that only trains has the packages of training alone
        return {key: _plainly_typed(known[key], value, where) for key, value in values.items()}

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parser = jsonargparse.ArgumentParser(exit_on_error=False)
        parser.add_class_arguments(settings_class, "settings", fail_untyped=False)
        for key, value in values.items():
            try:
                parser.parse_object({"settings": {key: value}})
            except Exception:  # jsonargparse meets odd values in many ways
                raise SettingsError(_no_such_value(known[key], value, where)) from None
        with net(SettingsError, where, "correct the settings"):
            parsed = parser.parse_object({"settings": dict(values)})["settings"]
    return {key: _as_declared(parsed[key]) for key in values}


_ODD_NUMBER = re.compile(
    r"(?<![\w.])[-+]?(?:0[xX][\da-fA-F_]+|0[bB][01_]+|0\d[\d_]*(?!\.)|\d+(?::[0-5]?\d)+(?:\.\d*)?"
    r"|[\d.]*\d_[\d_.]*(?:[eE][-+]?\d+)?)(?!\w)"
)
"""What YAML 1.1 or Python alone read as a number: ``0x10``, ``010`` (eight or ten), ``1:30`` (90),
``1_0``."""


def _holds_odd_number(value: Any) -> bool:
    """Say whether a typed text, or one of a list of such, holds a number of two meanings."""
    if isinstance(value, list | tuple):
        return any(map(_holds_odd_number, value))
    return isinstance(value, str) and _ODD_NUMBER.search(value) is not None


def _no_such_value(field: "Field[Any]", value: Any, where: str) -> str:
    return f"{where}: {field.name} cannot be {shown(value)}, it must be {type_name(field)}."


def _plainly_typed(field: "Field[Any]", value: Any, where: str) -> Any:
    """Return a value converted to the type of a field: numbers, texts, choices, lists, blocks."""
    try:
        return _converted(value, field.type)
    except (ValueError, TypeError, KeyError, RecursionError):
        raise SettingsError(_no_such_value(field, value, where)) from None


def _converted(value: Any, kind: Any) -> Any:
    """Return a typed text, or what a file holds, as a value of a type, or raise a ValueError."""
    if get_origin(kind) in (Union, types.UnionType):
        for part in sorted(get_args(kind), key=lambda part: part is str):  # text fits everything
            with suppress(ValueError, TypeError, KeyError):
                return _converted(value, part)
        raise ValueError
    if isinstance(value, str):
        value = _read(value.strip(), kind)
    if isinstance(value, list):
        value = tuple(value)
    if not fits(value, kind):
        raise ValueError
    return float(value) if kind is float else value


def _read(text: str, kind: Any) -> Any:
    if kind in (int, float):
        return kind(text)
    if kind is bool:
        return {"true": True, "false": False}[text.lower()]
    if kind is None or kind is NoneType:
        return {"null": None, "None": None}[text]
    if get_origin(kind) is Literal:
        return next((choice for choice in get_args(kind) if str(choice) == text), text)
    if (get_origin(kind) or kind) in (tuple, list, dict):
        return parse_json(text)
    return text


def _as_declared(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def type_name(field: "Field[Any]") -> str:
    """Return a field's type and bounds in words that fit a sentence."""
    parts = get_args(field.type) if isinstance(field.type, UnionType) else (field.type,)
    bounds: Bounds | None = field.metadata.get("bounds")
    return " or ".join(_in_words(part, bounds) for part in parts)


def _in_words(kind: Any, bounds: Bounds | None) -> str:
    between = "" if bounds is None else f" {bounds}".replace(" at ", " of at ", 1)
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(map(str, get_args(kind)))
    if get_origin(kind) is tuple and get_args(kind)[0] in _SEVERAL:
        return _SEVERAL[get_args(kind)[0]] + between
    if kind in (int, float):
        return _WORDS[kind] + between
    if kind in _WORDS:
        return _WORDS[kind]
    return str(kind).replace("typing.", "").replace("pathlib.", "")


def settings_table(settings_class: type, presets: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return name, type, default and meaning of every field of a dataclass."""
    notes = field_notes(settings_class)
    return [
        {
            "setting": f.name,
            "type": type_name(f),
            "default": repr(presets.get(f.name, _default(f))),
            "meaning": notes.get(f.name, ""),
        }
        for f in fields(settings_class)
    ]


def _default(field: "Field[Any]") -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return None if field.default is MISSING else field.default


def field_notes(settings_class: type) -> dict[str, str]:
    """Return the docstring below each field of a class and of its bases, from their source."""
    notes: dict[str, str] = {}
    for one in reversed(settings_class.__mro__):
        notes |= _own_notes(one)
    return notes


def _own_notes(settings_class: type) -> dict[str, str]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(settings_class)))
    except (OSError, TypeError):
        return {}
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    notes: dict[str, str] = {}
    for statement, following in itertools.pairwise(body):
        if (
            isinstance(statement, ast.AnnAssign)
            and isinstance(statement.target, ast.Name)
            and isinstance(following, ast.Expr)
            and isinstance(following.value, ast.Constant)
            and isinstance(following.value.value, str)
        ):
            notes[statement.target.id] = " ".join(following.value.value.split())
    return notes


def taken_apart(given: Sequence[str], known: Collection[str]) -> list[str]:
    """Return names, those of lists such as ``homo,lumo`` one by one where all of them are known."""
    names: list[str] = []
    for one in given:
        parts = one.split(",")
        names += parts if one not in known and set(parts) <= set(known) else [one]
    return names
