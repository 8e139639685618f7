"""Effect sizes with confidence intervals, by resampling."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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


def bootstrap_units(
    n_units: int, statistic: Callable[[Values], Values], *, seed: int = 0
) -> list[Interval]:
    """Return several numbers with their intervals where each unit holds many values.

    Atoms of one molecule are no independent observations: molecules are drawn, and all atoms of
    a molecule come with it.

    Args:
        n_units: Independent units, such as molecules.
        statistic: From how often each unit was drawn, shape (n_units,), to k numbers.
        seed: Decides the resampling.

    Returns:
        k numbers with percentile intervals; NaN bounds for fewer than two units.
    """
    values = statistic(np.ones(n_units))
    if n_units < 2:
        return [Interval(float(v), np.nan, np.nan) for v in values]
    random = np.random.default_rng(seed)
    found = np.stack(
        [
            statistic(
                np.bincount(random.integers(0, n_units, n_units), minlength=n_units).astype(float)
            )
            for _ in range(N_RESAMPLES)
        ]
    )
    return [Interval(float(v), *_percentiles(f)) for v, f in zip(values, found.T, strict=True)]


@dataclass(frozen=True, slots=True)
class Sample:
    """Values and the unit of each, sorted, for statistics of units drawn with repetition."""

    values: Values
    """(n,) ascending"""
    units: NDArray[np.int64]
    """(n,)"""

    @classmethod
    def of(cls, values: Values, units: NDArray[np.int64]) -> "Sample":
        """Sort values with their units."""
        order = np.argsort(values, kind="stable")
        return cls(np.asarray(values, dtype=np.float64)[order], units[order])

    def median(self, drawn: Values) -> float:
        """Return the median where unit i was drawn ``drawn[i]`` times; NaN without values."""
        filled = np.cumsum(drawn[self.units])
        if not len(filled) or filled[-1] == 0:
            return np.nan
        below = np.searchsorted(filled, filled[-1] / 2, side="left")
        above = np.searchsorted(filled, filled[-1] / 2, side="right")
        return float(self.values[below] + self.values[above]) / 2


def resampled_delta(low: Sample, high: Sample) -> Callable[[Values], float]:
    """Return Cliff's delta as a function of how often each unit was drawn."""
    first = np.searchsorted(low.values, high.values, side="left")
    last = np.searchsorted(low.values, high.values, side="right")

    def delta(drawn: Values) -> float:
        below = np.concatenate([[0.0], np.cumsum(drawn[low.units])])
        weights = drawn[high.units]
        n_pairs = below[-1] * weights.sum()
        if n_pairs == 0:
            return np.nan
        return float((weights * (below[first] + below[last])).sum() / n_pairs) - 1

    return delta


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


def partial_spearman(first: Values, second: Values, given: Values) -> float:
    """Return Spearman's correlation of two variables at equal ranks of a third, all (n,).

    NaN if one of them is constant, or follows the third exactly.
    """
    a, b, c = spearman(first, second), spearman(first, given), spearman(second, given)
    scale = np.sqrt((1 - b**2) * (1 - c**2))
    return float((a - b * c) / scale) if scale > 1e-6 else np.nan


def drawn_pairs(drawn: Values) -> NDArray[np.int64]:
    """Return pairs of units, each as often as both were drawn.

    Pairs stand in the order of ``numpy.triu_indices(n, 1)``; a unit drawn twice is no pair with
    itself.
    """
    rows, columns = np.triu_indices(len(drawn), 1)
    times = (drawn[rows] * drawn[columns]).astype(np.int64)
    return np.repeat(np.arange(len(rows)), times)
