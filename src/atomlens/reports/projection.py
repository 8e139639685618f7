"""Where things of a scene stand on paper, and how deep."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atomlens.reports.scene import Scene, drawn_radius

Points = NDArray[np.float64]

BOND_RADIUS = 0.10
"""Å"""
STICK = ((1.0, "#5d656e"), (0.72, "#98a1aa"), (0.28, "#bcc3ca"))
"""Widths in radii of a bond, and colours, from the edge to the middle."""
CELL_COLOUR = "#3d4650"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """A scene as seen by the eye: x to the right, y up (both Å on paper), z towards the eye."""

    centre: Points
    rotation: Points
    eye: float
    depth_range: tuple[float, float]

    def __call__(self, points: Points) -> Points:
        """Project points (n, 3); near things come out larger."""
        seen = (points - self.centre) @ self.rotation.T
        enlarged = seen[:, :2] * self.enlargement(seen[:, 2])[:, None]
        return np.column_stack([enlarged, seen[:, 2]])

    def enlargement(self, depth: Points) -> Points:
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


def atom_radii(scene: Scene, atomic_numbers: NDArray[np.int64]) -> Points:
    """Return the radius of each drawn atom in Å, before perspective."""
    by_element = {int(z): drawn_radius(int(z)) for z in np.unique(atomic_numbers)}
    return np.array([by_element[int(z)] for z in atomic_numbers[scene.atom_index]])


def bond_ends(view: Projection, scene: Scene, radii: Points) -> tuple[Points, Points]:
    """(n_bonds, 3) twice: on paper, where each bond leaves its atoms."""
    if not len(scene.bonds):
        return np.zeros((0, 3)), np.zeros((0, 3))
    first, second = scene.positions[scene.bonds[:, 0]], scene.positions[scene.bonds[:, 1]]
    along = second - first
    length = np.linalg.norm(along, axis=1, keepdims=True)
    along = along / np.maximum(length, 1e-9)
    start = view(first + 0.96 * radii[scene.bonds[:, 0], None] * along)
    end = view(second - 0.96 * radii[scene.bonds[:, 1], None] * along)
    return start, end


def cell_dashes(view: Projection, scene: Scene, radii: Points) -> Iterator[tuple[Points, Points]]:
    """Give both ends on paper of every dash of the cell's lines that is outside atoms and bonds."""
    for start, end in scene.cell_edges:
        n_dashes = int(np.clip(np.linalg.norm(end - start) / _DASH, 6, _MOST_DASHES))
        begin = (np.arange(n_dashes) + 0.2) / n_dashes
        first = start + (end - start) * begin[:, None]
        last = start + (end - start) * (begin + 0.6 / n_dashes)[:, None]
        apart = np.linalg.norm(((first + last) / 2)[:, None] - scene.positions[None], axis=2)
        outside = np.all(apart > radii, axis=1) & ~_on_bond((first + last) / 2, scene)
        yield from zip(view(first[outside]), view(last[outside]), strict=True)


def _on_bond(points: Points, scene: Scene) -> NDArray[np.bool_]:
    """(n_points,) Tell which points a bond hides."""
    if not len(scene.bonds):
        return np.zeros(len(points), dtype=np.bool_)
    start, end = scene.positions[scene.bonds[:, 0]], scene.positions[scene.bonds[:, 1]]
    along = end - start
    share = ((points[:, None] - start) * along).sum(axis=2) / (along * along).sum(axis=1)
    nearest = start + np.clip(share, 0.0, 1.0)[:, :, None] * along
    apart = np.linalg.norm(points[:, None] - nearest, axis=2)
    return np.asarray((apart < BOND_RADIUS).any(axis=1))
