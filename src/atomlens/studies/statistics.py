"""Effect sizes with confidence intervals, by resampling."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

N_RESAMPLES = 1000
CONFIDENCE = 0.95


class Interval(NamedTuple):
    """A number and its 95 % confidence interval."""

    value: float
    low: float
    high: float


def bootstrap(
    values: "Values | Sequence[float]",
    statistic: Callable[[Values], float] = lambda v: float(np.mean(v)),
    *,
    seed: int = 0,
) -> Interval:
    """Return a statistic of independent values with its percentile bootstrap interval.

    Args:
        values: (n,) or (n, ...) one entry per independent unit, such as a molecule.
        statistic: Of the (resampled) values.
        seed: Decides the resampling.

    Returns:
        NaN bounds for fewer than two values.
    """
    sample = np.asarray(values, dtype=np.float64)
    if not len(sample):
        return Interval(np.nan, np.nan, np.nan)
    value = float(statistic(sample))
    if len(sample) < 2:
        return Interval(value, np.nan, np.nan)
    draws = np.random.default_rng(seed).integers(0, len(sample), (N_RESAMPLES, len(sample)))
    found = np.array([statistic(sample[rows]) for rows in draws])
    return Interval(value, *_percentiles(found))


def bootstrap_groups(
    groups: Sequence[Values], statistic: Callable[[Sequence[Values]], float], *, seed: int = 0
) -> Interval:
    """Return a statistic of several samples, each resampled by itself, with its interval."""
    samples = [np.asarray(g, dtype=np.float64) for g in groups]
    if any(not len(s) for s in samples):
        return Interval(np.nan, np.nan, np.nan)
    random = np.random.default_rng(seed)
    found = np.array(
        [
            statistic([s[random.integers(0, len(s), len(s))] for s in samples])
            for _ in range(N_RESAMPLES)
        ]
    )
    return Interval(float(statistic(samples)), *_percentiles(found))


def _percentiles(found: Values) -> tuple[float, float]:
    finite = found[np.isfinite(found)]
    if not len(finite):
        return np.nan, np.nan
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(finite, [tail, 1 - tail])
    return float(low), float(high)


def area_under_curve(low: Values, high: Values) -> float:
    """Return the probability that a value of ``high`` is above one of ``low`` (ties: half).

    The area under the ROC curve, and Mann-Whitney's U over the number of pairs.
    """
    from scipy.stats import rankdata

    if not len(low) or not len(high):
        return np.nan
    ranks = rankdata(np.concatenate([low, high]))
    above = ranks[len(low) :].sum() - len(high) * (len(high) + 1) / 2
    return float(above / (len(low) * len(high)))


def cliffs_delta(low: Values, high: Values) -> float:
    """Return Cliff's delta: 1 if every value of ``high`` is above every one of ``low``."""
    return 2 * area_under_curve(low, high) - 1


def mann_whitney_p(first: Values, second: Values) -> float:
    """Return the two-sided p-value of Mann and Whitney's test."""
    from scipy.stats import mannwhitneyu

    if not len(first) or not len(second):
        return np.nan
    return float(mannwhitneyu(first, second).pvalue)


def spearman(first: Values, second: Values) -> float:
    """Return Spearman's rank correlation; NaN if one of both is constant."""
    from scipy.stats import rankdata

    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return np.nan
    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])
