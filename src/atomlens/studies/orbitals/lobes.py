"""The lobes of an orbital as an image: rays through values on a grid, shaded where they hit."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.reports.projection import Projection

Values = NDArray[np.float64]

LOBE_COLOURS = ("#2f6fb5", "#d4503f")
"""Of the two signs, which have no meaning beyond being opposite."""
ENCLOSED = 0.65
"""Share of the orbital's density inside the drawn surface."""
_STEP = 0.07
"""Å along a ray."""
_LIGHT = np.array([-0.42, 0.60, 0.68])
"""Direction to the lamp: left, above, in front."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """An orbital on a regular grid."""

    values: Values
    """(n_x, n_y, n_z)"""
    origin: Values
    """(3,), Å"""
    spacing: float
    """Å"""

    def finer(self) -> "Volume":
        """Return the same orbital with half the spacing, smoothly interpolated."""
        from scipy.ndimage import zoom

        shape = np.array(self.values.shape)
        values = zoom(self.values, (2 * shape - 1) / shape, order=3)
        return Volume(values=values, origin=self.origin, spacing=self.spacing / 2)

    def surface_level(self, enclosed: float = ENCLOSED) -> float:
        """Return the absolute value whose surface holds this share of the density."""
        sizes = np.sort(np.abs(self.values).ravel())[::-1]
        held = np.cumsum(sizes**2)
        return float(sizes[np.searchsorted(held, enclosed * held[-1])])

    def inside(self, level: float) -> Values:
        """Return the points (n, 3) at which the orbital is larger than a level, in Å."""
        return np.argwhere(np.abs(self.values) >= level) * self.spacing + self.origin


class Window(NamedTuple):
    """A part of the paper, in Å."""

    left: float
    right: float
    bottom: float
    top: float


def render_lobes(
    volume: Volume, view: Projection, window: Window, *, pixels_per_angstrom: float = 45.0
) -> Values:
    """Return the lobes as an image (height, width, 4) of colours and opacity, top row first.

    Lobes are translucent where the eye looks straight at them, so that the molecule below
    shows through, and denser along their rims.
    """
    volume = volume.finer()
    level = volume.surface_level()
    fine = 2 * pixels_per_angstrom  # two by two rays a pixel smooth the rims
    n_columns = 2 * max(round((window.right - window.left) * fine / 2), 1)
    n_rows = 2 * max(round((window.top - window.bottom) * fine / 2), 1)
    x = np.linspace(window.left, window.right, n_columns)
    y = np.linspace(window.top, window.bottom, n_rows)
    rays = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    depth, sign = _first_hits(volume, level, view, rays)
    image = np.zeros((len(rays), 4))
    hit = np.flatnonzero(sign)
    if len(hit):
        points = _unproject(view, rays[hit], depth[hit])
        normals = _normals(volume, points, sign[hit]) @ view.rotation.T
        image[hit] = _shaded(normals, sign[hit])
    blocks = image.reshape(n_rows // 2, 2, n_columns // 2, 2, 4)
    return _mean_colours(blocks)


def _unproject(view: Projection, rays: Values, depth: Values) -> Values:
    """Return the points (n, 3) seen at places on paper at some depths."""
    plane = rays * ((view.eye - depth) / view.eye)[:, None]
    return np.column_stack([plane, depth]) @ view.rotation + view.centre


def _sample(values: Values, volume: Volume, points: Values) -> Values:
    from scipy.ndimage import map_coordinates

    places = ((points - volume.origin) / volume.spacing).T
    found: Values = map_coordinates(values, places, order=1, mode="constant")
    return found


def _first_hits(
    volume: Volume, level: float, view: Projection, rays: Values
) -> tuple[Values, Values]:
    """Return depth and sign of the lobe that each ray meets first; sign 0 where it meets none."""
    depths = ((volume.inside(level) - view.centre) @ view.rotation.T)[:, 2]
    depth, sign = np.zeros(len(rays)), np.zeros(len(rays))
    before = np.zeros(len(rays))
    for z in np.arange(depths.max() + volume.spacing, depths.min() - volume.spacing, -_STEP):
        open_rays = np.flatnonzero(sign == 0)
        points = _unproject(view, rays[open_rays], np.full(len(open_rays), z))
        now = _sample(volume.values, volume, points)
        met = np.abs(now) >= level
        rows = open_rays[met]
        old = np.abs(before[rows])
        passed = (np.abs(now[met]) - level) / np.maximum(np.abs(now[met]) - old, 1e-12)
        depth[rows] = z + _STEP * np.clip(passed, 0.0, 1.0)
        sign[rows] = np.sign(now[met])
        before[open_rays] = now
    return depth, sign


def _normals(volume: Volume, points: Values, sign: Values) -> Values:
    """Return unit vectors (n, 3) out of the lobes."""
    slopes = np.gradient(volume.values, volume.spacing)
    slope = np.column_stack([_sample(np.asarray(along), volume, points) for along in slopes])
    normals: Values = -slope * sign[:, None]
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return normals


def _shaded(normals: Values, sign: Values) -> Values:
    """Return colours and opacity (n, 4) of surfaces under one lamp."""
    colours = np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in LOBE_COLOURS])
    light = _LIGHT / np.linalg.norm(_LIGHT)
    facing = np.clip(normals @ light, 0.0, 1.0)
    halfway = light + np.array([0.0, 0.0, 1.0])
    gloss = np.clip(normals @ (halfway / np.linalg.norm(halfway)), 0.0, 1.0) ** 40
    base = colours[(sign < 0).astype(int)]
    lit = base * (0.62 + 0.42 * facing[:, None]) + 0.45 * gloss[:, None]
    rim = (1.0 - np.clip(normals[:, 2], 0.0, 1.0)) ** 2
    opacity = 0.60 + 0.35 * rim + 0.2 * gloss
    return np.column_stack([np.clip(lit, 0.0, 1.0), np.clip(opacity, 0.0, 1.0)])


def _mean_colours(blocks: Values) -> Values:
    """Average rays (rows, 2, columns, 2, 4) to pixels, colours by their opacity."""
    opacity = blocks[..., 3].mean(axis=(1, 3))
    weighted = (blocks[..., :3] * blocks[..., 3:]).mean(axis=(1, 3))
    colours = weighted / np.maximum(opacity, 1e-12)[..., None]
    image = np.concatenate([colours, opacity[..., None]], axis=-1)
    return np.asarray(np.clip(image, 0.0, 1.0))
