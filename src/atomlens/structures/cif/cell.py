"""The cell of a CIF: the tags that give it, and the lattice vectors that they mean."""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

CELL_TAGS = tuple(f"_cell_length_{x}" for x in "abc") + tuple(
    f"_cell_angle_{x}" for x in ("alpha", "beta", "gamma")
)


def vectors(
    a: float, b: float, c: float, alpha: float, beta: float, gamma: float
) -> NDArray[np.float64]:
    """(3, 3) lattice vectors as ase lays them, the first along x; NaN where there are none."""
    if not (0 < alpha < 180 and 0 < beta < 180 and 0 < gamma < 180):
        return np.full((3, 3), np.nan)
    (cos_alpha, _), (cos_beta, _), (cos_gamma, sin_gamma) = map(_turn, (alpha, beta, gamma))
    if sin_gamma == 0:
        return np.full((3, 3), np.nan)
    y = (cos_alpha - cos_beta * cos_gamma) / sin_gamma
    square = 1.0 - cos_beta * cos_beta - y * y
    if not square >= 0:
        return np.full((3, 3), np.nan)
    third = [c * cos_beta, c * y, c * math.sqrt(square)]
    return np.array([[a, 0.0, 0.0], [b * cos_gamma, b * sin_gamma, 0.0], third])


@lru_cache(maxsize=256)
def _turn(degrees: float) -> tuple[float, float]:
    """Return cosine and sine of an angle; those of right angles are exact."""
    if abs(abs(degrees) - 90) < 2 * math.ulp(90.0):
        return 0.0, math.copysign(1.0, degrees)
    radians = degrees * math.pi / 180.0
    return float(np.cos(radians)), float(np.sin(radians))
