"""Stated and observed coverage: the curve, and the area between it and the diagonal."""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def staircase(shares: Values) -> tuple[Values, Values]:
    """Return the corners (2 n + 2,) of the step function that counts ``shares`` up to each p.

    Args:
        shares: (n,) the central share of its distribution at whose edge each true value lies.

    Returns:
        Stated shares p, from 0 to 1, and the observed ones F(p).
    """
    edges, steps = np.sort(shares), np.arange(len(shares) + 1) / len(shares)
    stated = np.concatenate([[0.0], np.repeat(edges, 2), [1.0]])
    return stated, np.repeat(steps, 2)


def area_between(stated: Values, observed: Values) -> float:
    """Area between a curve of straight pieces (n,) and the diagonal, exactly."""
    a, b = (observed - stated)[:-1], (observed - stated)[1:]
    width = np.diff(stated)
    both = np.abs(a) + np.abs(b)
    heights = both / 2
    crossing = a * b < 0
    heights[crossing] = (a**2 + b**2)[crossing] / (2 * both[crossing])
    return float((width * heights).sum())
