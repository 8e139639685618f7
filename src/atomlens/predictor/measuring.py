"""Measuring predictions against true values: errors, ranks, probabilities, error estimates."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from atomlens.predictor.figures import MEAN_OF_CLASSES
from atomlens.predictor.metrics import ClassFigures, ClassificationMetrics, RegressionMetrics
from atomlens.reports.coverage import area_between, staircase
from atomlens.reports.probabilities import (
    area_under,
    average_precision,
    brier_score,
    expected_calibration_error,
    like_probability,
    roc_curve,
)

Values = NDArray[np.float64]
Numbers = NDArray[np.float64] | NDArray[np.int64]
LEVELS = (0.50, 0.68, 0.90, 0.95)
"""Shares of a normal distribution at which the error estimates are checked."""


def regression_metrics(
    true: Values,
    predicted: Values,
    *,
    target: str = "",
    unit: str = "",
    std: Values | None = None,
    low: Values | None = None,
    high: Values | None = None,
    baseline: Values | None = None,
    n_points: int = 1,
) -> RegressionMetrics:
    """Compare predictions with true values, all of shape (n,); pairs with a NaN are left out.

    ``n_points`` values in a row are of one sample, whose errors are not independent. ``baseline``
    is what always saying the mean of the training part would predict. Error estimates are judged
    where there are some: a model has none of what is too unlike its data.
    """
    known = np.isfinite(true) & np.isfinite(predicted)
    t, p = true[known], predicted[known]
    error = p - t
    mae = float(np.abs(error).mean()) if len(t) else math.nan
    deviation = t - t.mean() if len(t) else t
    about_training = baseline is not None and bool(np.isfinite(baseline[known]).all())
    constant = baseline[known] if baseline is not None and about_training else t - deviation
    mad = float(np.abs(t - constant).mean()) if len(t) else math.nan
    total = float(np.square(deviation).sum())
    coverage = area = inside = foreseen = ence = None
    told = np.zeros(len(t), dtype=np.bool_) if std is None else np.isfinite(std[known])
    if std is not None and told.any():
        shares = normal_shares(error[told], std[known][told])
        coverage = {f"{level:.2f}": float((shares <= level).mean()) for level in LEVELS}
        area = miscalibration_area(shares)
        foreseen = spearman(np.abs(error[told]), std[known][told])
        ence = calibration_error(error[told], std[known][told])
    if low is not None and high is not None:
        ends = np.column_stack([low[known], t, high[known]])
        ends = ends[np.isfinite(ends).all(axis=1)]  # without bounds there is no interval
        if len(ends):
            inside = float(((ends[:, 0] <= ends[:, 1]) & (ends[:, 1] <= ends[:, 2])).mean())
    known_points = known.reshape(-1, n_points).sum(axis=1)
    sizes = np.zeros(len(true))
    sizes[known] = np.abs(error)
    sums = sizes.reshape(-1, n_points).sum(axis=1)
    of_samples = sums[known_points > 0] / known_points[known_points > 0]
    return RegressionMetrics(
        target=target,
        unit=unit,
        n=len(t),
        mae=mae,
        mae_interval=mean_interval(of_samples),
        rmse=float(np.sqrt(np.square(error).mean())) if len(t) else math.nan,
        r2=1 - float(np.square(error).sum()) / total if total > 0 else math.nan,
        spearman=spearman(t, p),
        mad=mad,
        mad_mae=mad / mae if mae > 0 else math.nan,
        mad_about="training part" if about_training else "these values",
        n_judged=int(told.sum()) if told.any() else None,
        n_structures=int((known_points > 0).sum()) if n_points > 1 else None,
        n_judged_structures=_structures_of(known, told, n_points),
        coverage=coverage,
        miscalibration_area=area,
        calibration_error=ence,
        interval_coverage=inside,
        foreseen_errors=foreseen,
    )


def _structures_of(known: NDArray[np.bool_], told: NDArray[np.bool_], n_points: int) -> int | None:
    """Return how many spectra have error estimates.

    Args:
        known: (n * n_points,) which values are known.
        told: (n_known,) which of those have an estimate.
        n_points: Of a spectrum; 1 of numbers.
    """
    if n_points == 1 or not told.any():
        return None
    return len(np.unique(np.flatnonzero(known)[told] // n_points))


_IN_95 = 0.975
"""Share below the upper end of a central interval of 95 %."""


def mean_interval(errors: Values) -> tuple[float, float] | None:
    """Return the 95 % interval of the mean of positive numbers, by Student's t; not below 0.

    Args:
        errors: (n,) one a sample, taken as independent: relatives among the samples (polymorphs,
            conformers) make it too narrow.

    Returns:
        Both ends; None for fewer than two samples.
    """
    from scipy.special import stdtrit

    n = len(errors)
    if n < 2:
        return None
    mean = float(errors.mean())
    half = float(stdtrit(n - 1, _IN_95)) * float(errors.std(ddof=1)) / math.sqrt(n)
    return max(mean - half, 0.0), mean + half


def share_interval(n_right: int, n: int) -> tuple[float, float] | None:
    """Return Wilson's 95 % interval of a share (J. Am. Stat. Assoc. 22, 209, 1927)."""
    from scipy.special import ndtri

    if not n:
        return None
    z2 = float(ndtri(_IN_95)) ** 2
    middle = (n_right + z2 / 2) / (n + z2)
    half = math.sqrt(z2 * (n_right * (n - n_right) / n + z2 / 4)) / (n + z2)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def normal_shares(error: Values, std: Values) -> Values:
    """(n,) the central share of a normal distribution at whose edge each true value lies."""
    from scipy.special import erf

    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.abs(error) / std
    z = np.where(np.isnan(z), 0.0, z)  # no error and no spread
    shares: Values = erf(z / math.sqrt(2))
    return shares


N_GROUPS = 10
"""Groups of like error estimates, as far as each has ten values."""


def calibration_error(error: Values, std: Values) -> float | None:
    """Return by how much errors differ from their estimates, group by group of like estimates.

    The expected normalised calibration error of Levi et al., Sensors 22, 5540 (2022): the mean
    over groups of |RMSE - root mean square of the estimates| over the latter. It sees what the
    miscalibration area does not: estimates that are right on average and wrong for each. Errors
    and estimates are (n,); None for n below 20, and where a group of estimates is 0.
    """
    n_groups = min(N_GROUPS, len(error) // 10)
    if n_groups < 2:
        return None
    groups = np.array_split(np.argsort(std, kind="stable"), n_groups)
    found = np.array([float(np.sqrt(np.square(error[g]).mean())) for g in groups])
    said = np.array([float(np.sqrt(np.square(std[g]).mean())) for g in groups])
    if not (said > 0).all():
        return None
    return float((np.abs(found - said) / said).mean())


def miscalibration_area(shares: Values) -> float:
    """Area between the promised share p and the found share F(p), p from 0 to 1, exactly.

    F is the step function that counts the ``shares`` (n,) up to p (Tran et al., Machine Learning:
    Science and Technology 1, 025006, 2020).
    """
    return area_between(*staircase(shares))


def spearman(a: Values, b: Values) -> float:
    """Spearman's rank correlation of two (n,), ties sharing their mean rank; NaN if one is flat."""
    from scipy.stats import rankdata

    if len(a) < 2:
        return math.nan
    ranks_a, ranks_b = rankdata(a), rankdata(b)
    if np.ptp(ranks_a) == 0 or np.ptp(ranks_b) == 0:
        return math.nan
    return float(np.corrcoef(ranks_a, ranks_b)[0, 1])


def classification_metrics(
    true: Values,
    probabilities: Values,
    *,
    target: str = "",
    classes: tuple[str, ...] = (),
    counts: Sequence[int] = (),
    judged: NDArray[np.bool_] | None = None,
) -> ClassificationMetrics:
    """Compare class probabilities (n, n_classes) with class numbers (n,); NaN is left out.

    ``counts`` are the samples of each class in the training part, with whose shares the
    cross-entropy is compared. ``judged`` (n,) tells on which samples the calibration of the
    probabilities is judged: all by default.
    """
    known = np.isfinite(true) & np.isfinite(probabilities).all(axis=1)
    labels, p = true[known].astype(np.int64), probabilities[known]
    if not len(labels):
        nothing = math.nan
        return ClassificationMetrics(
            target=target,
            classes=classes,
            n=0,
            accuracy=nothing,
            f1=nothing,
            auc=nothing,
            cross_entropy=nothing,
        )
    predicted = p.argmax(axis=1)
    n_classes = p.shape[1]
    names = classes or tuple(map(str, range(n_classes)))
    confusion = confusion_matrix(labels, predicted, n_classes)
    own, said, both = confusion.sum(axis=1), confusion.sum(axis=0), confusion.diagonal()
    with np.errstate(divide="ignore", invalid="ignore"):
        recall, precision = both / own, both / said
    f1 = np.array([_f1(labels == c, predicted == c) for c in range(n_classes)])
    auc = np.array([_auc(labels == c, p[:, c]) for c in range(n_classes)])
    chosen = p[np.arange(len(labels)), labels]
    new = np.ones(len(labels), dtype=np.bool_) if judged is None else judged[known]
    groups = (
        like_probability(p[new, 1], labels[new] == 1)
        if n_classes == 2
        else like_probability(p[new].max(axis=1), predicted[new] == labels[new])
    )
    return ClassificationMetrics(
        target=target,
        classes=classes,
        n=len(labels),
        accuracy=float((predicted == labels).mean()),
        accuracy_interval=share_interval(int((predicted == labels).sum()), len(labels)),
        f1=float(f1[1]) if n_classes == 2 else float(np.nanmean(f1)),
        auc=float(np.nanmean(auc)) if np.isfinite(auc).any() else math.nan,
        cross_entropy=float(-np.log(np.maximum(chosen, 1e-300)).mean()),
        most_common=float(np.bincount(labels).max() / len(labels)),
        f1_of=names[1] if n_classes == 2 else MEAN_OF_CLASSES,
        balanced_accuracy=float(np.nanmean(recall)),
        cross_entropy_of_shares=_entropy_of_shares(labels, counts, n_classes),
        confidence=float(p.max(axis=1).mean()),
        n_judged=int(new.sum()),
        brier=brier_score(labels, p),
        class_calibration_error=expected_calibration_error(groups),
        reliability=groups,
        by_class=tuple(
            ClassFigures(
                label=label,
                n=int(own[c]),
                n_said=int(said[c]),
                recall=float(recall[c]),
                precision=float(precision[c]),
                auc=float(auc[c]),
                average_precision=average_precision(labels == c, p[:, c]),
            )
            for c, label in enumerate(names)
        ),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
    )


def confusion_matrix(true: Numbers, said: Numbers, n_classes: int) -> NDArray[np.int64]:
    """(n_classes, n_classes) samples by their class (rows) and the class that is said (columns).

    Args:
        true: (n,) numbers of the classes; samples with a NaN in either are left out.
        said: (n,)
        n_classes: How many there are.
    """
    known = np.isfinite(true) & np.isfinite(said)
    counts = np.zeros((n_classes, n_classes), dtype=np.int64)
    np.add.at(counts, (true[known].astype(np.int64), said[known].astype(np.int64)), 1)
    return counts


def _entropy_of_shares(labels: NDArray[np.int64], counts: Sequence[int], n_classes: int) -> float:
    """Return the cross-entropy of giving all samples the shares of the training part."""
    known = np.asarray(counts, dtype=np.float64)
    if len(known) != n_classes or not known.sum() > 0:
        return math.nan
    with np.errstate(divide="ignore"):
        return float(-np.log(known / known.sum())[labels].mean())


def _f1(true: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> float:
    both, either = int((true & predicted).sum()), int(true.sum() + predicted.sum())
    return 2 * both / either if either else math.nan


def _auc(positive: NDArray[np.bool_], score: Values) -> float:
    """Probability that a positive has a higher score than a negative, ties counting half."""
    if positive.all() or not positive.any():
        return math.nan
    return area_under(*roc_curve(positive, score))
