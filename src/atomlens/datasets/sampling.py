"""Taking fewer samples than there are."""

import numpy as np
from numpy.typing import NDArray

from atomlens.errors import SettingsError


def sample_rows(n: int, limit: int | None, seed: int) -> NDArray[np.int64]:
    """Return at most ``limit`` of the rows 0 to n - 1: random by seed, in ascending order.

    With one seed, a smaller sample is a part of every larger one.
    """
    if limit is None:
        return np.arange(n, dtype=np.int64)
    if limit < 1:
        raise SettingsError(f"The limit of samples is {limit}; it must be 1 or more.")
    if limit >= n:
        return np.arange(n, dtype=np.int64)
    order = np.random.default_rng(seed).permutation(n)[:limit]
    return np.sort(order).astype(np.int64)
