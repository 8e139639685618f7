"""What a setting is: a field of a dataclass, with its type, default and a line of explanation."""

import ast
import inspect
import itertools
import textwrap
import warnings
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin

from atomlens.boundary import net
from atomlens.errors import SettingsError, unknown_name
from atomlens.printing import shown

_WORDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    NoneType: "null",
}


def typed_values(settings_class: type, values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the values converted to the types of a dataclass's fields.

    Raises:
        SettingsError: no such field (the nearest one is offered), or a value of another type.
    """
    known = {f.name: f for f in fields(settings_class)}
    for key in values:
        if key not in known:
            raise SettingsError(f"{where}: {unknown_name('setting', key, known)}")
    if not values:
        return {}
    import jsonargparse

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parser = jsonargparse.ArgumentParser(exit_on_error=False)
        parser.add_class_arguments(settings_class, "settings", fail_untyped=False)
        for key, value in values.items():
            try:
                parser.parse_object({"settings": {key: value}})
            except Exception:  # jsonargparse meets odd values in many ways
                kind = type_name(known[key])
                raise SettingsError(
                    f"{where}: {key} cannot be {shown(value)}, it must be {kind}."
                ) from None
        with net(SettingsError, where, "correct the settings"):
            parsed = parser.parse_object({"settings": dict(values)})["settings"]
    return {key: _as_declared(parsed[key]) for key in values}


def _as_declared(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def type_name(field: "Field[Any]") -> str:
    """Return a field's type in words that fit a sentence."""
    parts = get_args(field.type) if isinstance(field.type, UnionType) else (field.type,)
    return " or ".join(_in_words(part) for part in parts)


def _in_words(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(map(str, get_args(kind)))
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
