"""Taking fewer samples than there are."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.base import Dataset
from atomlens.errors import Failure, SettingsError


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


def keep_rows(
    dataset: Dataset, rows: NDArray[np.int64], failures: tuple[Failure, ...] = ()
) -> Dataset:
    """Return the chosen samples; splits of the source follow them, failures are added."""
    place = np.full(len(dataset), -1, dtype=np.int64)
    place[rows] = np.arange(len(rows))
    splits = {part: place[old][place[old] >= 0] for part, old in dataset.splits.items()}
    kept = dataset.subset(rows)
    return replace(kept, splits=splits, failures=dataset.failures + failures)
