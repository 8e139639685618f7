"""Spheres, sticks and cell lines as flat shapes, to be painted from back to front."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from matplotlib.path import Path as Shape
from numpy.typing import NDArray

from atomlens.reports.colours import mix
from atomlens.reports.scene import Scene, drawn_radius

BOND_RADIUS = 0.10
"""Å"""
_DASH = 0.56
"""Å; a dash of a cell line and the gap behind it."""
_MOST_DASHES = 60
"""Of one line of the cell."""
_EYE = 5.0
"""Distance of the eye from the middle, in half sizes of the scene."""
_MOST_FADING = 0.30
"""How far the rearmost things go towards white."""
_DEEP = 4.0
"""Å; a scene this deep fades fully, a flat one not at all."""
_SIMPLE_ABOVE = 400
"""With more spheres than this, each is two circles instead of twelve."""
_CIRCLE = Shape.unit_circle()
_CORNERS: NDArray[np.float64] = np.asarray(_CIRCLE.vertices, dtype=np.float64)


class Layer(NamedTuple):
    """One shape; larger depths are nearer and painted later."""

    depth: float
    shape: Shape
    colour: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """A scene as seen by the eye: x to the right, y up (both Å on paper), z towards the eye."""

    centre: NDArray[np.float64]
    rotation: NDArray[np.float64]
    eye: float
    depth_range: tuple[float, float]

    def __call__(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Project points (n, 3); near things come out larger."""
        seen = (points - self.centre) @ self.rotation.T
        enlarged = seen[:, :2] * self.enlargement(seen[:, 2])[:, None]
        return np.column_stack([enlarged, seen[:, 2]])

    def enlargement(self, depth: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return by how much things at a depth grow."""
        return np.asarray(self.eye / (self.eye - depth))

    def fade(self, depth: float) -> float:
        """Return how far a colour at a depth goes towards white."""
        low, high = self.depth_range
        span = max(high - low, 1e-9)
        return _MOST_FADING * min(span / _DEEP, 1.0) * (high - depth) / span


def project_scene(scene: Scene) -> Projection:
    """Place the eye in front of a scene, far enough for a slight perspective only."""
    points = np.concatenate([scene.positions, scene.cell_edges.reshape(-1, 3)])
    turned = points @ scene.rotation.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    half = float(np.linalg.norm(high - low)) / 2 + 1.0
    middle = (low + high) / 2
    return Projection(
        centre=middle @ scene.rotation,
        rotation=scene.rotation,
        eye=_EYE * half,
        depth_range=(float(low[2] - middle[2]), float(high[2] - middle[2])),
    )


def atom_radii(scene: Scene, atomic_numbers: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the radius of each drawn atom in Å, before perspective."""
    by_element = {int(z): drawn_radius(int(z)) for z in np.unique(atomic_numbers)}
    return np.array([by_element[int(z)] for z in atomic_numbers[scene.atom_index]])


def paint_atoms(
    view: Projection,
    positions: NDArray[np.float64],
    radii: NDArray[np.float64],
    colours: Sequence[str],
) -> list[Layer]:
    """Return each atom as a rim, its true colour, and a soft highlight."""
    rings = _RINGS if len(positions) <= _SIMPLE_ABOVE else _RINGS[:2]
    seen = view(positions)
    grown = radii * view.enlargement(seen[:, 2])
    layers = []
    for (x, y, depth), radius, colour in zip(seen, grown, colours, strict=True):
        base = mix(colour, "#ffffff", view.fade(depth))
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
    if not len(scene.bonds):
        return []
    first, second = scene.positions[scene.bonds[:, 0]], scene.positions[scene.bonds[:, 1]]
    along = second - first
    length = np.linalg.norm(along, axis=1, keepdims=True)
    along = along / np.maximum(length, 1e-9)
    start = view(first + 0.96 * radii[scene.bonds[:, 0], None] * along)
    end = view(second - 0.96 * radii[scene.bonds[:, 1], None] * along)
    layers = []
    for a, b in zip(start, end, strict=True):
        depth = float(a[2] + b[2]) / 2
        fade = view.fade(depth)
        for order, (width, colour) in enumerate(_STICK):
            layers.append(
                Layer(
                    depth + 1e-6 * order,
                    _stripe(a, b, width * BOND_RADIUS, view),
                    mix(colour, "#ffffff", fade),
                )
            )
    return layers


_STICK = ((1.0, "#5d656e"), (0.72, "#98a1aa"), (0.28, "#bcc3ca"))


def paint_cell(view: Projection, scene: Scene, radii: NDArray[np.float64]) -> list[Layer]:
    """Return the lines of the cell, dashed, so that none looks like a bond, and outside atoms."""
    layers = []
    for start, end in scene.cell_edges:
        n_dashes = int(np.clip(np.linalg.norm(end - start) / _DASH, 6, _MOST_DASHES))
        begin = (np.arange(n_dashes) + 0.2) / n_dashes
        first = start + (end - start) * begin[:, None]
        last = start + (end - start) * (begin + 0.6 / n_dashes)[:, None]
        apart = np.linalg.norm(((first + last) / 2)[:, None] - scene.positions[None], axis=2)
        outside = np.all(apart > radii, axis=1) & ~_on_bond((first + last) / 2, scene)
        for a, b in zip(view(first[outside]), view(last[outside]), strict=True):
            depth = float(a[2] + b[2]) / 2
            colour = mix("#3d4650", "#ffffff", 1.5 * view.fade(depth))
            layers.append(Layer(depth, _stripe(a, b, 0.03, view), colour))
    return layers


def _on_bond(points: NDArray[np.float64], scene: Scene) -> NDArray[np.bool_]:
    """(n_points,) Tell which points a bond hides."""
    if not len(scene.bonds):
        return np.zeros(len(points), dtype=np.bool_)
    start, end = scene.positions[scene.bonds[:, 0]], scene.positions[scene.bonds[:, 1]]
    along = end - start
    share = ((points[:, None] - start) * along).sum(axis=2) / (along * along).sum(axis=1)
    nearest = start + np.clip(share, 0.0, 1.0)[:, :, None] * along
    apart = np.linalg.norm(points[:, None] - nearest, axis=2)
    return np.asarray((apart < BOND_RADIUS).any(axis=1))


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
