"""How well scores find the atoms, or the atom terms, that an answer is known to rest on."""

from collections.abc import Callable, Sequence

import numpy as np

from atomlens.explain.question import Values
from atomlens.predictor.measuring import spearman
from atomlens.studies import statistics

Score = Callable[[Values, Values], float]
"""From the truth (n_atoms, n_columns) and scores (n_atoms,) to a number; NaN if undefined."""


def auroc(truth: Values, scores: Values) -> float:
    """Return the area under the ROC curve against the best of several sets of atoms.

    As published (Sanchez-Lengeling et al. 2020): for each column alone, and then the largest.
    """
    from scipy.stats import rankdata

    positive = truth > 0
    n_positive = positive.sum(axis=0)
    n_negative = len(truth) - n_positive
    known = (n_positive > 0) & (n_negative > 0)
    if not known.any():
        return np.nan
    above = rankdata(scores) @ positive - n_positive * (n_positive + 1) / 2
    return float((above[known] / (n_positive * n_negative)[known]).max())


def kendall(truth: Values, scores: Values) -> float:
    """Return Kendall's tau b with the true terms, as published for crippen."""
    from scipy.stats import kendalltau

    own = truth[:, -1]
    if len(own) < 2 or np.ptp(own) == 0 or np.ptp(scores) == 0:
        return np.nan
    return float(kendalltau(own, scores).statistic)


def pearson(truth: Values, scores: Values) -> float:
    """Return Pearson's correlation with the true terms."""
    return statistics.pearson(truth[:, -1], scores)


def rank(truth: Values, scores: Values) -> float:
    """Return Spearman's correlation with the true terms."""
    return spearman(truth[:, -1], scores)


def top_three(truth: Values, scores: Values) -> float:
    """Return which share of the three largest true terms is among the three largest scores."""
    sizes = np.abs(truth[:, -1])
    if np.ptp(sizes) == 0:
        return np.nan
    n = min(3, len(sizes))
    own, other = (np.argsort(-np.abs(s), kind="stable")[:n] for s in (sizes, scores))
    return len(np.intersect1d(own, other)) / n


ALIKE = 0.005
"""Populations of atoms that symmetry exchanges differ by up to so much in the molecules that come
with atomlens: their geometries and the grid of the calculation are not exactly symmetric."""


def top_one(truth: Values, scores: Values) -> float:
    """Return whether the largest score is that of a leading population.

    Leading is the largest one, and what is alike: symmetry decides between equal atoms no more
    than the calculation does. Several largest scores share the first place.
    """
    own = truth[:, -1]
    if np.ptp(own) == 0:
        return np.nan
    first = scores >= scores.max() - 1e-9 * max(np.abs(scores).max(), 1e-300)
    return float((own[first] >= own.max() - ALIKE * (1 + 1e-9)).mean())


def by_structure(truth: Sequence[Values], scores: Sequence[Values], score: Score) -> Values:
    """(n,) the score of each structure."""
    return np.array([score(t, s) for t, s in zip(truth, scores, strict=True)])


BINARY: dict[str, Score] = {"auroc": auroc}
TERMS: dict[str, Score] = {
    "pearson": pearson,
    "spearman": rank,
    "tau": kendall,
    "top three": top_three,
}
POPULATIONS: dict[str, Score] = {"spearman": rank, "top one": top_one}
