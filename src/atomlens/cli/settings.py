"""Settings as typed: ``--set group.field=value`` and a YAML file fill dataclass fields."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from atomlens.cli.guard import say
from atomlens.errors import SettingsError, unknown_name
from atomlens.printing import shown

Groups = dict[str, dict[str, Any]]


def read_config(path: Path, groups: Iterable[str], option: str = "--config") -> Groups:
    """Read a YAML file with one block of settings per group; no includes, no expressions."""
    from atomlens.boundary import CONFIG_BYTES, net, parse_yaml, read_text

    known = sorted(groups)
    if not os.path.exists(path):
        raise SettingsError(f"{option} {path}: there is no such file.")
    with net(SettingsError, f"{option} {path}", "correct the file"):
        text = read_text(path, most=CONFIG_BYTES)
        try:
            content = parse_yaml(text)
        except ValueError as error:
            raise SettingsError(f"{option} {path}: this is not valid YAML ({error}).") from None
    settings: Groups = {}
    for group, values in ({} if content is None else _mapping(content, path, option)).items():
        if group not in known:
            raise SettingsError(f"{option} {path}: {unknown_name('block', group, known)}")
        settings[group] = {} if values is None else dict(_mapping(values, path, option))
    return settings


def _mapping(value: Any, path: Path, option: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise SettingsError(
            f"{option} {path}: expected blocks of `field: value` lines, got {shown(value)}."
        )
    return value


def read_assignments(items: Iterable[str], groups: Iterable[str], default_group: str) -> Groups:
    """Read ``group.field=value`` (or ``field=value`` for the default group).

    Of a field that is set twice the later value holds, which is said.
    """
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
        values, value = settings.setdefault(group, {}), value.strip()
        if values.get(field, value) != value:
            say(f"--set {field}={values[field]} is not used: a later one says {value}.")
        values[field] = value
    return settings


def merge(*layers: Groups) -> Groups:
    """Lay settings over each other; the later one wins, field by field."""
    merged: Groups = {}
    for layer in layers:
        for group, values in layer.items():
            merged.setdefault(group, {}).update(values)
    return merged
