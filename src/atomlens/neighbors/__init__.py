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
    known = [field.name for field in fields(builder)]  # type: ignore[arg-type]
    for setting in settings:
        if setting not in known:
            kind = f"setting of the {name} builder"
            raise SettingsError(unknown_name(kind, setting, known))
    return builder(**settings)
