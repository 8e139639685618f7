"""Effect sizes with confidence intervals, by resampling."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.predictor.measuring import spearman

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
    relatives: "NDArray[np.str_] | NDArray[np.int64] | None" = None,
) -> Interval:
    """Return a statistic of independent values with its percentile bootstrap interval.

    Args:
        values: (n,) or (n, ...) one entry per independent unit, such as a molecule.
        statistic: Of the (resampled) values.
        seed: Decides the resampling.
        relatives: (n,) name of the family of each, such as its formula: polymorphs are no
            independent values, and families are drawn, each with all that it has.

    Returns:
        NaN bounds for fewer than two values, or families.
    """
    sample = np.asarray(values, dtype=np.float64)
    if not len(sample):
        return Interval(np.nan, np.nan, np.nan)
    value = float(statistic(sample))
    if n_drawn(len(sample), relatives) < 2:
        return Interval(value, np.nan, np.nan)
    random = np.random.default_rng(seed)
    if relatives is None:
        draws = random.integers(0, len(sample), (N_RESAMPLES, len(sample)))
        found = np.array([statistic(sample[rows]) for rows in draws])
        return Interval(value, *percentiles(found))
    every, draw = np.arange(len(sample)), drawing(len(sample), random, relatives=relatives)
    found = np.array(
        [statistic(sample[np.repeat(every, draw().astype(np.int64))]) for _ in range(N_RESAMPLES)]
    )
    return Interval(value, *percentiles(found))


def n_drawn(n_units: int, relatives: "NDArray[np.str_] | NDArray[np.int64] | None") -> int:
    """Return how many independent things there are to draw: units, or families of them."""
    return n_units if relatives is None else len(np.unique(relatives))


def drawing(
    n_units: int,
    random: np.random.Generator,
    *,
    groups: "NDArray[np.str_] | None" = None,
    relatives: "NDArray[np.str_] | NDArray[np.int64] | None" = None,
) -> Callable[[], Values]:
    """Return what draws once with repetition: how often each unit, (n_units,).

    Args:
        n_units: Units.
        random: Decides the draws.
        groups: (n_units,) as in `draw_units`; not beside relatives.
        relatives: (n_units,) families of units; all of a family are drawn as often.
    """
    if relatives is None:
        return lambda: draw_units(n_units, random, groups)
    names, families = np.unique(relatives, return_inverse=True)
    return lambda: draw_units(len(names), random)[families.reshape(-1)]


def draw_units(
    n_units: int, random: np.random.Generator, groups: "NDArray[np.str_] | None" = None
) -> Values:
    """Return how often each unit is drawn with repetition, (n_units,).

    Args:
        n_units: Units.
        random: Decides the draw.
        groups: (n_units,) as many are drawn inside each group as it has; by default from all.
    """
    if groups is None:
        picked = random.integers(0, n_units, n_units)
    else:
        members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
        picked = np.concatenate([m[random.integers(0, len(m), len(m))] for m in members])
    return np.bincount(picked, minlength=n_units).astype(np.float64)


def bootstrap_units(
    n_units: int,
    statistic: Callable[[Values], Values],
    *,
    seed: int = 0,
    groups: "NDArray[np.str_] | None" = None,
    relatives: "NDArray[np.str_] | None" = None,
) -> list[Interval]:
    """Return several numbers with their intervals where each unit holds many values.

    Atoms of one molecule are no independent observations: molecules are drawn, and all atoms of
    a molecule come with it.

    Args:
        n_units: Independent units, such as molecules.
        statistic: From how often each unit was drawn, shape (n_units,), to k numbers.
        seed: Decides the resampling.
        groups: (n_units,) units are drawn inside these groups; by default from all.
        relatives: (n_units,) families of units that are drawn together, as in `bootstrap`.

    Returns:
        k numbers with percentile intervals; NaN bounds for fewer than two units.
    """
    values = statistic(np.ones(n_units))
    if n_drawn(n_units, relatives) < 2:
        return [Interval(float(v), np.nan, np.nan) for v in values]
    draw = drawing(n_units, np.random.default_rng(seed), groups=groups, relatives=relatives)
    found = np.stack([statistic(draw()) for _ in range(N_RESAMPLES)])
    return [Interval(float(v), *percentiles(f)) for v, f in zip(values, found.T, strict=True)]


@dataclass(frozen=True, slots=True)
class GroupedSample:
    """Values and the unit of each, sorted, for statistics of units drawn with repetition."""

    values: Values
    """(n,) ascending"""
    units: NDArray[np.int64]
    """(n,)"""

    @classmethod
    def of(cls, values: Values, units: NDArray[np.int64]) -> "GroupedSample":
        """Sort values (n,), each with the number (n,) of the unit that it is of."""
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


def resampled_delta(low: GroupedSample, high: GroupedSample) -> Callable[[Values], float]:
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


def percentiles(found: Values) -> tuple[float, float]:
    """Return the ends of the percentile interval of resampled numbers.

    NaN if more than a tenth of them are NaN: what is left would be a choice.
    """
    finite = found[np.isfinite(found)]
    if not len(finite) or len(finite) < 0.9 * len(found):
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


def wilcoxon_p(differences: Values) -> float:
    """Return the two-sided p-value of Wilcoxon's signed-rank test; NaN without a difference."""
    from scipy.stats import wilcoxon

    given = np.asarray(differences, dtype=np.float64)
    given = given[np.isfinite(given) & (given != 0)]
    return float(wilcoxon(given).pvalue) if len(given) else np.nan


def resampled_rank_biserial(
    differences: Values, units: NDArray[np.int64]
) -> Callable[[Values], float]:
    """Return the rank-biserial correlation of matched pairs, by how often each unit was drawn.

    The effect size of Wilcoxon's test (Kerby 2014): ranks of the sizes of the differences, those of
    positive ones minus those of negative ones over all. 1 if every difference is positive.

    Args:
        differences: (n,) one for each pair; zeros rank nothing.
        units: (n,) the unit of each.
    """
    kept = differences != 0
    given, owners = differences[kept], units[kept]
    sizes, places = np.unique(np.abs(given), return_inverse=True)
    signs = np.sign(given)

    def correlation(drawn: Values) -> float:
        weights = drawn[owners]
        of_size = np.bincount(places, weights=weights, minlength=len(sizes))
        ranks = np.cumsum(of_size) - (of_size - 1) / 2
        total = float(of_size @ ranks)
        return float((signs * weights) @ ranks[places]) / total if total > 0 else np.nan

    return correlation


def holm(p_values: "Values | Sequence[float]") -> Values:
    """Return p-values, (n,), corrected for their number by Holm's method; NaN stay NaN."""
    given = np.asarray(p_values, dtype=np.float64)
    corrected = np.full(len(given), np.nan)
    known = np.flatnonzero(np.isfinite(given))
    order = known[np.argsort(given[known], kind="stable")]
    scaled = given[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return corrected


def weighted_mean(values: Values) -> Callable[[Values], float]:
    """Return the mean of the values, (n_units,), by how often each was drawn; NaN are left out."""
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0)

    def mean(drawn: Values) -> float:
        total = float(drawn @ known)
        return float(drawn @ filled) / total if total > 0 else np.nan

    return mean


def ratio_of_sums(numerators: Values, denominators: Values) -> Interval:
    """Return a ratio of two sums over independent units, with Fieller's 95 % interval.

    The interval holds the ratios r for which Student's paired t-test of the numerators against r
    times the denominators does not reject. For few units of unequal size, of which some weigh much
    in both sums, a percentile bootstrap is too narrow; this is not.

    Args:
        numerators: (n,) one for each unit.
        denominators: (n,) none is negative.

    Returns:
        NaN bounds for fewer than two units, and where the sum of the denominators is not known to
        differ from zero; NaN all where it is zero.
    """
    n, total = len(numerators), float(denominators.sum())
    if not n or not total > 0:
        return Interval(np.nan, np.nan, np.nan)
    value = float(numerators.sum()) / total
    if n < 2:
        return Interval(value, np.nan, np.nan)
    from scipy.stats import t

    quantile = float(t.ppf((1 + CONFIDENCE) / 2, n - 1))
    mean = total / n
    apart = (numerators - value * denominators) / mean
    of_mean = denominators / mean - 1
    scale = quantile**2 / (n * (n - 1))
    a = 1 - scale * float(of_mean @ of_mean)
    if not a > 0:
        return Interval(value, np.nan, np.nan)
    # r = value + x with x**2 = scale * sum of (apart - x * of_mean)**2
    b, c = -scale * float(apart @ of_mean), scale * float(apart @ apart)
    half = float(np.sqrt(b**2 + a * c))
    return Interval(value, value + (b - half) / a, value + (b + half) / a)


def mean_of_known(values: Values) -> float:
    """Return the mean of the values that are numbers; NaN where none is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else np.nan


def pearson(first: Values, second: Values) -> float:
    """Return Pearson's correlation; NaN if one of both is constant."""
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return np.nan
    return float(np.corrcoef(first, second)[0, 1])


def weighted_correlation(first: Values, second: Values, weights: Values) -> float:
    """Return Pearson's correlation where value i counts ``weights[i]`` times; all (n,)."""
    shares = weights / weights.sum()
    a, b = first - shares @ first, second - shares @ second
    scale = np.sqrt((shares @ a**2) * (shares @ b**2))
    return float(shares @ (a * b) / scale) if scale > 0 else np.nan


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
