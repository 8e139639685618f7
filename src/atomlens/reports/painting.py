"""Spheres, sticks and cell lines as flat shapes, to be painted from back to front by matplotlib."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.collections import PathCollection
from matplotlib.path import Path as Shape
from numpy.typing import NDArray

from atomlens.reports.colours import mix
from atomlens.reports.projection import (
    BOND_RADIUS,
    CELL_COLOUR,
    STICK,
    Projection,
    bond_ends,
    cell_dashes,
)
from atomlens.reports.scene import Scene

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIMPLE_ABOVE = 400
"""With more spheres than this, each is two circles instead of twelve."""
_CIRCLE = Shape.unit_circle()
_CORNERS: NDArray[np.float64] = np.asarray(_CIRCLE.vertices, dtype=np.float64)


class Layer(NamedTuple):
    """One shape; larger depths are nearer and painted later."""

    depth: float
    shape: Shape
    colour: str


def draw_layers(axes: "Axes", layers: Iterable[Layer]) -> None:
    """Paint the shapes, the farthest first."""
    ordered = sorted(layers, key=lambda layer: layer.depth)
    shapes, fills = [layer.shape for layer in ordered], [layer.colour for layer in ordered]
    axes.add_collection(PathCollection(shapes, facecolors=fills, edgecolors="none"))


def paint_atoms(
    view: Projection,
    positions: NDArray[np.float64],
    radii: NDArray[np.float64],
    colours: Sequence[str],
) -> list[Layer]:
    """Return each atom as a rim, its true colour, and a soft highlight.

    Atoms do not fade with their depth, as bonds do: their colours stand for numbers.
    """
    rings = _RINGS if len(positions) <= _SIMPLE_ABOVE else _RINGS[:2]
    seen = view(positions)
    grown = radii * view.enlargement(seen[:, 2])
    layers = []
    for (x, y, depth), radius, base in zip(seen, grown, colours, strict=True):
        for order, (size, shift, tint, share) in enumerate(rings):
            centre = np.array([x - shift * radius, y + shift * radius])
            shape = Shape(_CORNERS * size * radius + centre, _CIRCLE.codes)
            layers.append(Layer(depth + 1e-6 * order, shape, mix(base, tint, share)))
    return layers


# size and shift in radii, tint and its share: a rim, the true colour, then towards the light
_RINGS = [
    (1.0, 0.0, "#000000", 0.42),
    *((0.94 * (1 - k / 11), 0.36 * k / 11, "#ffffff", 0.50 * (k / 10) ** 2) for k in range(11)),
]


def paint_bonds(view: Projection, scene: Scene, radii: NDArray[np.float64]) -> list[Layer]:
    """Return each bond as a stick with a dark edge and a light middle."""
    start, end = bond_ends(view, scene, radii)
    layers = []
    for a, b in zip(start, end, strict=True):
        depth = float(a[2] + b[2]) / 2
        fade = view.fade(depth)
        for order, (width, colour) in enumerate(STICK):
            layers.append(
                Layer(
                    depth + 1e-6 * order,
                    _stripe(a, b, width * BOND_RADIUS, view),
                    mix(colour, "#ffffff", fade),
                )
            )
    return layers


def paint_cell(view: Projection, scene: Scene, radii: NDArray[np.float64]) -> list[Layer]:
    """Return the lines of the cell, dashed, so that none looks like a bond, and outside atoms."""
    layers = []
    for a, b in cell_dashes(view, scene, radii):
        depth = float(a[2] + b[2]) / 2
        colour = mix(CELL_COLOUR, "#ffffff", 1.5 * view.fade(depth))
        layers.append(Layer(depth, _stripe(a, b, 0.03, view), colour))
    return layers


def _stripe(
    a: NDArray[np.float64], b: NDArray[np.float64], half_width: float, view: Projection
) -> Shape:
    """Return a four-cornered stripe from a to b, wider at the nearer end."""
    direction = b[:2] - a[:2]
    length = float(np.linalg.norm(direction))
    across = np.array([-direction[1], direction[0]]) / max(length, 1e-9)
    wide_a, wide_b = half_width * view.enlargement(np.array([a[2], b[2]]))
    corners = np.array(
        [
            a[:2] + wide_a * across,
            b[:2] + wide_b * across,
            b[:2] - wide_b * across,
            a[:2] - wide_a * across,
            a[:2] + wide_a * across,
        ]
    )
    return Shape(corners, closed=True)
