"""Settings as typed: ``--set group.field=value`` and a YAML file fill dataclass fields."""

import argparse
import ast
import inspect
import itertools
import textwrap
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin

from atomlens.errors import SettingsError, unknown_name

Groups = dict[str, dict[str, Any]]

_WORDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    NoneType: "null",
}


def read_config(path: Path, groups: Iterable[str]) -> Groups:
    """Read a YAML file with one block of settings per group; no includes, no expressions."""
    import yaml

    known = sorted(groups)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"--config {path}: there is no such file.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise SettingsError(f"--config {path}: this is not valid YAML ({reason}).") from None
    settings: Groups = {}
    for group, values in ({} if content is None else _mapping(content, path)).items():
        if group not in known:
            raise SettingsError(f"--config {path}: {unknown_name('block', str(group), known)}")
        settings[group] = {} if values is None else dict(_mapping(values, path))
    return settings


def _mapping(value: Any, path: Path) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise SettingsError(
            f"--config {path}: expected blocks of `field: value` lines, got {value!r}."
        )
    return value


def read_assignments(items: Iterable[str], groups: Iterable[str], default_group: str) -> Groups:
    """Read ``group.field=value`` (or ``field=value`` for the default group)."""
    known = sorted(groups)
    settings: Groups = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not equals or not key.strip():
            raise SettingsError(f"--set {item}: write it as FIELD=VALUE.")
        group, dot, field = key.strip().partition(".")
        if not dot:
            group, field = default_group, group
        if group not in known:
            raise SettingsError(f"--set {item}: {unknown_name('group of settings', group, known)}")
        settings.setdefault(group, {})[field] = value.strip()
    return settings


def merge(*layers: Groups) -> Groups:
    """Lay settings over each other; the later one wins, field by field."""
    merged: Groups = {}
    for layer in layers:
        for group, values in layer.items():
            merged.setdefault(group, {}).update(values)
    return merged


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
            except (argparse.ArgumentError, TypeError, ValueError):
                kind = type_name(known[key])
                raise SettingsError(
                    f"{where}: {key} cannot be {value!r}, it must be {kind}."
                ) from None
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
