"""Compiled loops of the readers; `atomlens.machine` says how they are compiled and kept."""

import math

import numpy as np
from numpy.typing import NDArray

from atomlens.machine import entry_point


@entry_point
def nearness(
    points: NDArray[np.float64],
    basis: NDArray[np.float64],
    periodic: NDArray[np.bool_],
    reach: NDArray[np.float64],
    distance: float,
    radii: NDArray[np.float64],
    least: float,
) -> int:
    """Return 2 if two of the points may be too near to each other, else 0; images count.

    Without radii too near is nearer than the distance. With radii it is nearer than the sum of
    those of the two, or than ``least``; 1 says then that two are nearer than the distance.

    Args:
        points: (n, 3) coordinates in the basis, ascending along the first axis; those along
            periodic axes in [0, 1).
        basis: (3, 3) rows are the axes, Å.
        periodic: (3,) along which axes the points repeat.
        reach: (3,) the distance in parts of the spacing of the planes of each axis, below 1/2
            for periodic ones, so that one image of a pair at most is near.
        distance: Å.
        radii: (n,) of the points, Å, or (0,).
        least: Å.
    """
    n, found = points.shape[0], 0
    limit = distance * distance
    for i in range(n):
        j, shift = i + 1, 0.0
        for _ in range(n - 1):
            if j == n:
                if not periodic[0]:
                    break
                j, shift = 0, 1.0
            x = points[j, 0] + shift - points[i, 0]
            if x > reach[0]:
                break
            y = points[j, 1] - points[i, 1]
            if periodic[1]:
                y -= math.floor(y + 0.5)
            z = points[j, 2] - points[i, 2]
            if periodic[2]:
                z -= math.floor(z + 0.5)
            j += 1
            if abs(y) > reach[1] or abs(z) > reach[2]:
                continue
            a = x * basis[0, 0] + y * basis[1, 0] + z * basis[2, 0]
            b = x * basis[0, 1] + y * basis[1, 1] + z * basis[2, 1]
            c = x * basis[0, 2] + y * basis[1, 2] + z * basis[2, 2]
            squared = a * a + b * b + c * c
            if squared > limit:
                continue
            if radii.shape[0] == 0 or squared <= max(least, radii[i] + radii[j - 1]) ** 2:
                return 2
            found = 1
    return found
