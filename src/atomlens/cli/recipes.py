"""Recipes: config files that also say on what to train, and what was published and measured.

A recipe has, beside the blocks ``training``, ``model`` and ``builder`` of every config file:

    recipe:     data (of spectra also the grid), target(s) and model, and where it was published
    published:  the published figures: never ours, never read by the training
    reduced:    blocks that replace some settings when only a ``--subset`` is trained on
    results:    what we measured so far, with the command; never read by the training
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from atomlens.cli.settings import Groups
from atomlens.errors import SettingsError, unknown_name
from atomlens.printing import shown

RECIPE = ("recipe", "published", "reduced", "results")
"""Blocks of a recipe that are no settings."""
_FIELDS = ("data", "grid", "target", "model", "title", "source", "note")
GROUPS = ("training", "model", "builder")
"""Blocks of settings, in every config file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a recipe says beside the settings; empty for a plain config file."""

    data: str | None = None
    grid: str | None = None
    """Of spectra."""
    targets: tuple[str, ...] = ()
    model: str | None = None
    reduced: Groups = field(default_factory=dict)


def recipe_from(config: Mapping[str, Any], path: Path | None) -> Recipe:
    """Return the recipe in a config file that was read.

    Raises:
        SettingsError: a field or block of the recipe does not exist.
    """
    said = config.get("recipe", {})
    for name in said:
        if name not in _FIELDS:
            raise SettingsError(f"--config {path}: recipe: {unknown_name('field', name, _FIELDS)}")
    for name in ("data", "model", "grid"):
        if said.get(name) is not None and not isinstance(said[name], str):
            raise SettingsError(
                f"--config {path}: recipe: {name} is {shown(said[name])} and must be text; write "
                "it in quotes."
            )
    reduced = config.get("reduced", {})
    for name, block in reduced.items():
        if name not in GROUPS:
            raise SettingsError(f"--config {path}: reduced: {unknown_name('block', name, GROUPS)}")
        if not isinstance(block, Mapping):
            raise SettingsError(f"--config {path}: reduced.{name} must be `field: value` lines.")
    target = said.get("target", ())
    targets = (target,) if isinstance(target, str) else target
    if not isinstance(targets, list | tuple) or not all(isinstance(t, str) for t in targets):
        raise SettingsError(
            f"--config {path}: recipe: target is {shown(target)} and must be a name or a list of "
            "names."
        )
    return Recipe(
        data=said.get("data"),
        grid=said.get("grid"),
        targets=tuple(targets),
        model=said.get("model"),
        reduced={name: dict(block) for name, block in reduced.items()},
    )
