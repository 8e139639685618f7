"""Probabilities of classes: how they order samples, and how far they can be believed."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Flags = NDArray[np.bool_]

N_GROUPS = 10
"""Groups of like probability, as far as each has ten values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LikeProbability:
    """Samples of about one probability."""

    probability: float
    """Their mean"""
    share: float
    """Which part of them it is true of"""
    n: int


def like_probability(probability: Values, true: Flags) -> tuple[LikeProbability, ...]:
    """Return up to ten groups of as many samples each, ten at least, least probable first.

    Samples of equal probability stay together, so their order decides nothing: a forest says 1 of
    many.

    Args:
        probability: (n,)
        true: (n,) whether what has this probability is so.

    Returns:
        Nothing for fewer than 20 samples.
    """
    n_groups = min(N_GROUPS, len(probability) // 10)
    if n_groups < 2:
        return ()
    order = np.argsort(probability, kind="stable")
    p, is_so = probability[order], true[order]
    sizes = np.array([len(part) for part in np.array_split(p, n_groups)])
    starts = np.concatenate([[0], sizes.cumsum()[:-1]])
    starts = np.unique(np.searchsorted(p, p[starts], side="left"))
    ends = np.concatenate([starts[1:], [len(p)]])
    return tuple(
        LikeProbability(
            probability=float(p[a:b].mean()), share=float(is_so[a:b].mean()), n=int(b - a)
        )
        for a, b in zip(starts.tolist(), ends.tolist(), strict=True)
    )


def expected_calibration_error(groups: tuple[LikeProbability, ...]) -> float | None:
    """Return the mean of |share - probability| over the samples; None without groups."""
    n = sum(group.n for group in groups)
    if not n:
        return None
    return sum(group.n * abs(group.share - group.probability) for group in groups) / n


def brier_score(labels: NDArray[np.int64], probabilities: Values) -> float:
    """Return the mean squared error of the probabilities (Brier, Mon. Weather Rev. 78, 1, 1950).

    Added up over the classes (0 to 2); of two classes that of one of them (0 to 1), as is usual.

    Args:
        labels: (n,) the class of each sample.
        probabilities: (n, n_classes)
    """
    n_classes = probabilities.shape[1]
    squares = np.square(probabilities - np.eye(n_classes)[labels]).sum(axis=1)
    return float(squares.mean()) / (2 if n_classes == 2 else 1)


def roc_curve(positive: Flags, score: Values) -> tuple[Values, Values]:
    """Return false and true positive rates at every threshold, from (0, 0) to (1, 1).

    Args:
        positive: (n,) at least one of both kinds.
        score: (n,) equal ones share a threshold.
    """
    right, said = _counts(positive, score)
    wrong = said - right
    return (
        np.concatenate([[0.0], wrong / wrong[-1]]),
        np.concatenate([[0.0], right / right[-1]]),
    )


def area_under(x: Values, y: Values) -> float:
    """Return the area under a curve of straight pieces, (n,) each."""
    return float((np.diff(x) * (y[1:] + y[:-1]) / 2).sum())


def precision_recall_curve(positive: Flags, score: Values) -> tuple[Values, Values]:
    """Return recall, ascending, and precision at every threshold, at least one positive."""
    right, said = _counts(positive, score)
    return right / right[-1], right / said


def average_precision(positive: Flags, score: Values) -> float:
    """Return the precision, averaged over the recall: the sum of (R_i - R_{i-1}) P_i.

    By chance it is the share of positives. NaN where there are none.
    """
    if not positive.any():
        return math.nan
    recall, precision = precision_recall_curve(positive, score)
    return float((np.diff(recall, prepend=0.0) * precision).sum())


def _counts(positive: Flags, score: Values) -> tuple[Values, Values]:
    """Return how many are positive, and how many there are, down to each score that occurs."""
    order = np.argsort(-score, kind="stable")
    last = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))
    right = positive[order].cumsum()[last]
    return right.astype(np.float64), (last + 1).astype(np.float64)
