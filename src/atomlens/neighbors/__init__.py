"""Neighbour builders: from structures to pairs of atoms that see each other."""

from dataclasses import fields
from typing import Any

from atomlens.errors import SettingsError, unknown_name
from atomlens.neighbors.base import EdgeArrays, GraphBuilder, PackedEdges
from atomlens.neighbors.formula import FormulaBuilder
from atomlens.neighbors.nearest import NearestBuilder
from atomlens.neighbors.pack import BuildResult, build_store
from atomlens.neighbors.radius import RadiusBuilder
from atomlens.neighbors.voronoi import VoronoiBuilder

BUILDERS: dict[str, type[GraphBuilder]] = {
    "voronoi": VoronoiBuilder,
    "nearest": NearestBuilder,
    "radius": RadiusBuilder,
    "formula": FormulaBuilder,
}
"""Every neighbour builder by name."""

__all__ = [
    "BUILDERS",
    "BuildResult",
    "EdgeArrays",
    "FormulaBuilder",
    "GraphBuilder",
    "NearestBuilder",
    "PackedEdges",
    "RadiusBuilder",
    "VoronoiBuilder",
    "build_store",
    "make_builder",
]


def make_builder(name: str, **settings: Any) -> GraphBuilder:
    """Return the builder of that name with these settings.

    Raises:
        SettingsError: there is no such builder or setting, or a value is impossible.
    """
    if name not in BUILDERS:
        raise SettingsError(unknown_name("neighbour builder", name, BUILDERS))
    builder = BUILDERS[name]
    known = {field.name: field for field in fields(builder)}  # type: ignore[arg-type]
    for setting, value in settings.items():
        if setting not in known:
            kind = f"setting of the {name} builder"
            raise SettingsError(unknown_name(kind, setting, known))
        _check_type(name, setting, value, str(known[setting].type))
    return builder(**settings)


def _check_type(builder: str, setting: str, value: Any, kind: str) -> None:
    """Raise a SettingsError for a value of the wrong type; numbers may be whole."""
    if "bool" in kind:
        fits, wanted = isinstance(value, bool), "true or false"
    elif "int" in kind:
        fits, wanted = isinstance(value, int) and not isinstance(value, bool), "a whole number"
    elif "float" in kind:
        fits = isinstance(value, int | float) and not isinstance(value, bool)
        fits = fits or (value is None and "None" in kind)
        wanted = "a number"
    else:
        fits, wanted = isinstance(value, str), "a name"
    if not fits:
        raise SettingsError(f"{builder} builder: `{setting}` must be {wanted}, got {value!r}.")
