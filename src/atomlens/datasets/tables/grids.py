"""One grid for many spectra: named grids, interpolation, and what is no spectrum.

Values between the points of a spectrum are interpolated linearly. Beyond its last point the last
value is held and marked as such (as Ihalage and Hao did with dielectric functions), or nothing is
said (``mask``); below its first point nothing is ever said.
"""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.tables.cells import is_missing
from atomlens.errors import SettingsError, unknown_name
from atomlens.printing import counted, shown

Values = NDArray[np.float64]
Beyond = Literal["hold", "mask"]
GRIDS = {"optical-nk": "1.5:3:151", "jarvis": "0:30:3000", "jarvis-quick": "0:30:300"}
"""Grids by name, in eV."""
MOST_POINTS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class GridOptions:
    """How spectra are brought onto one grid."""

    grid: str | Sequence[float] | None = None
    """``FIRST:LAST:N``, a name in ``GRIDS``, the points, or None: that of the spectra, if all
    stand on the same."""
    beyond: Beyond = "hold"
    """Beyond the end of a spectrum: hold its last value, or mask (say nothing)."""
    grid_column: str | None = None
    """Header of the column with the points of each spectrum."""

    def __post_init__(self) -> None:
        """Check the choice; the grid is checked when it is used."""
        if self.beyond not in get_args(Beyond):
            raise SettingsError(
                unknown_name("treatment beyond the end", self.beyond, get_args(Beyond))
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Spectrum:
    """One spectrum as it was measured or calculated."""

    points: Values
    """(n_points,) strictly ascending"""
    values: Values
    """(n_points,)"""


def parse_grid(grid: str | Sequence[float]) -> tuple[float, ...]:
    """Return the points of ``FIRST:LAST:N`` (N points, both ends included), or of a named grid.

    Raises:
        SettingsError: the text is neither, or the points do not ascend.
    """
    if not isinstance(grid, str):
        points = tuple(float(p) for p in grid)
        if len(points) < 2 or not np.all(np.diff(points) > 0) or not np.isfinite(points).all():
            raise SettingsError("A grid needs at least two finite points in ascending order.")
        return points
    parts = GRIDS.get(grid, grid).split(":")
    try:
        first, last, n = float(parts[0]), float(parts[1]), int(parts[2])
        if len(parts) != 3 or "_" in grid or not (math.isfinite(first) and first < last < math.inf):
            raise ValueError
        if not 2 <= n <= MOST_POINTS:
            raise ValueError
    except (ValueError, IndexError):
        raise SettingsError(
            f"The grid {grid!r} is not FIRST:LAST:N with FIRST below LAST and N from 2 to "
            f"{MOST_POINTS:,}, such as 0.5:6:300; known by name: {', '.join(GRIDS)}."
        ) from None
    return tuple(np.linspace(first, last, n).tolist())


def on_grid(
    spectrum: Spectrum, grid: Values, beyond: Beyond = "hold"
) -> tuple[Values, NDArray[np.bool_]]:
    """Interpolate a spectrum on a grid.

    Returns:
        (n_grid,) values, NaN below the first point and, with ``mask``, beyond the last one; and
        (n_grid,) where the last value is held, always False with ``mask``.
    """
    values = np.interp(grid, spectrum.points, spectrum.values)
    tolerance = 1e-9 * max(1.0, float(np.abs(grid).max()))
    values[grid < spectrum.points[0] - tolerance] = np.nan
    after = grid > spectrum.points[-1] + tolerance
    if beyond == "mask":
        values[after] = np.nan
        after = np.zeros(len(grid), dtype=np.bool_)
    return values, after


def sound_spectrum(points: Any, values: Any, names: tuple[str, str]) -> Spectrum:
    """Return two arrays of a row as a spectrum; descending points are turned round.

    Raises:
        ValueError: a part of a sentence says what is wrong with which array.
    """
    x, y = (numbers_of(a, name) for a, name in zip((points, values), names, strict=True))
    if len(x) != len(y):
        raise ValueError(
            f"{names[0]!r} has {counted(len(x), 'point')} and {names[1]!r} {len(y)}; give as many "
            "of both"
        )
    if len(x) < 2:
        raise ValueError(
            f"{names[1]!r} has {counted(len(x), 'point')}; a spectrum needs at least 2"
        )
    steps = np.diff(x)
    if np.all(steps < 0):
        return Spectrum(points=x[::-1], values=y[::-1])
    if not np.all(steps > 0):
        place = int(np.argmax(steps <= 0))
        raise ValueError(
            f"{names[0]!r} does not ascend ({x[place]:g} is followed by {x[place + 1]:g}); sort "
            "the spectrum and keep one value a point"
        )
    return Spectrum(points=x, values=y)


def numbers_of(array: Any, name: str) -> Values:
    """Return an array of finite numbers, or raise a ValueError that says what is in the way."""
    if not isinstance(array, list | tuple | np.ndarray):
        if is_missing(array):
            raise ValueError(f"there is no {name!r}; add it")
        raise ValueError(f"{name!r} is {shown(array)} and not a list of numbers; correct it")
    for place, value in enumerate(array):
        if isinstance(value, bool) or not isinstance(value, int | float | np.number):
            raise ValueError(
                f"entry {place + 1} of {name!r} is {shown(value)}, not a number; correct it"
            )
        if isinstance(value, int) and abs(value) > sys.float_info.max:
            raise ValueError(f"entry {place + 1} of {name!r} is {shown(value)}; correct it")
        if not math.isfinite(value):
            raise ValueError(f"entry {place + 1} of {name!r} is {value!r}, a gap; fill or cut it")
    return np.array(array, dtype=np.float64)
