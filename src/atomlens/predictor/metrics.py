"""How good predictions are: errors, ranks, and whether the error estimates can be believed."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atomlens.reports.coverage import area_between, staircase
from atomlens.units import unit_text

Values = NDArray[np.float64]

_ROWS = (
    ("n", "samples", False),
    ("mae", "MAE", True),
    ("rmse", "RMSE", True),
    ("mad", "MAE of always saying the mean", True),
    ("mad_mae", "MAD:MAE", False),
    ("r2", "R²", False),
    ("spearman", "Spearman", False),
    ("n_judged", "values on which ± is judged", False),
    ("interval_coverage", "inside the 90 % interval", False),
    ("miscalibration_area", "miscalibration area", False),
    ("calibration_error", "calibration error", False),
    ("foreseen_errors", "Spearman of error and estimate", False),
    ("accuracy", "accuracy", False),
    ("most_common", "accuracy of the most common class", False),
    ("f1", "F1", False),
    ("auc", "ROC AUC", False),
    ("cross_entropy", "cross-entropy", False),
)
"""Field of the metrics, how it is called, and whether it carries the target's unit."""

LEVELS = (0.50, 0.68, 0.90, 0.95)
"""Shares of a normal distribution at which the error estimates are checked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegressionMetrics:
    """Errors of one target over the samples whose value is known."""

    target: str
    unit: str
    n: int
    mae: float
    rmse: float
    r2: float
    """Share of the variance that is predicted; 0 for the mean, NaN if nothing varies."""
    spearman: float
    """Rank correlation; NaN if either side is constant."""
    mad: float
    """MAE of always saying the mean; of the training part (of extensive targets, its mean per
    atom times the number of atoms), or of these values themselves: see ``mad_about``."""
    mad_mae: float
    """MAD over MAE: 1 for a mean predictor, above 5 usually called good."""
    mad_about: str = "these values"
    """Of what the mean is: ``training part`` or ``these values``."""
    n_judged: int | None = None
    """Values with an error estimate that was judged: of what was given (`unseen`) none that the
    model has learned from, and none too unlike its data. None if there is no estimate."""
    coverage: dict[str, float] | None = None
    """Share of true values inside mean ± z std, by the share a normal distribution promises."""
    miscalibration_area: float | None = None
    """Area between promised and found share for all levels from 0 to 1; 0 is perfect."""
    calibration_error: float | None = None
    """Mean over groups of like error estimates of |RMSE - their root mean square| over the latter:
    0 is perfect; None for fewer than 20 values."""
    interval_coverage: float | None = None
    """Share of true values inside the interval that promises 90 %."""
    foreseen_errors: float | None = None
    """Rank correlation of absolute and estimated error; NaN if all estimates are equal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassificationMetrics:
    """Errors of one classification target over the samples whose class is known."""

    target: str
    classes: tuple[str, ...]
    n: int
    accuracy: float
    f1: float
    """Of the second class if there are two, else the mean over the classes that occur."""
    auc: float
    """Area under the ROC curve (mean of one-against-rest); NaN if one class only occurs."""
    cross_entropy: float
    """Mean of -log(probability of the true class), in nats."""
    most_common: float = math.nan
    """Accuracy of always saying the class that most of these values have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Metrics of every target on one data set."""

    n_samples: int
    n_failed: int
    """Structures that could not be predicted and are in no figure."""
    targets: dict[str, RegressionMetrics | ClassificationMetrics]

    def __getitem__(self, target: str) -> RegressionMetrics | ClassificationMetrics:
        return self.targets[target]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON; what is not a finite number becomes None."""
        content: dict[str, Any] = finite_or_none(asdict(self))
        return content

    def to_rows(self) -> list[dict[str, Any]]:
        """Return one row a figure, one column a target."""
        rows: dict[str, dict[str, Any]] = {}
        for name, figures in self.to_dict()["targets"].items():
            for field, label, has_unit in _ROWS:
                value = figures.get(field)
                if value is None or (field == "n_judged" and value == figures["n"]):
                    continue
                unit = unit_text(figures.get("unit", "")) if has_unit else ""
                text = str(value) if isinstance(value, int) else f"{value:.4g}"
                if field == "mad":
                    about = figures.get("mad_about", "these values")
                    label = (
                        f"MAE of the mean of {'the ' if about == 'training part' else ''}{about}"
                    )
                points = field == "n" and value > self.n_samples
                label = "values" if points else label
                rows.setdefault(label, {"": label})[name] = f"{text} {unit}".rstrip()
        return list(rows.values())

    def __repr__(self) -> str:
        failed = f", {self.n_failed} failed" if self.n_failed else ""
        errors = ", ".join(map(_in_short, self.targets.values()))
        return f"<Metrics of {self.n_samples} samples{failed}: {errors}>"

    def _repr_html_(self) -> str:
        from atomlens.reports.notebook import table_html

        failed = f"{self.n_failed} could not be predicted." if self.n_failed else ""
        notes = [failed, *without_skill(self.to_dict()["targets"])]
        return table_html(self.to_rows(), title=f"{self.n_samples} samples", notes=notes)


def _in_short(figures: RegressionMetrics | ClassificationMetrics) -> str:
    if isinstance(figures, ClassificationMetrics):
        return f"{figures.target} accuracy {figures.accuracy:.3g}"
    return f"{figures.target} MAE {figures.mae:.3g} {figures.unit}".rstrip()


def without_skill(targets: Mapping[str, Mapping[str, Any]], where: str = "") -> Iterator[str]:
    """Yield a sentence on each target that is predicted no better than by a constant.

    Args:
        targets: Figures by target, as in ``metrics.json``; those of older versions may lack some.
        where: What the figures are of, ``on the test part``.
    """
    place = f" {where}" if where else ""
    for name, figures in targets.items():
        n = figures.get("n")
        values = "1 value" if n == 1 else f"{n} values"
        mae, mad = _plain_number(figures, "mae"), _plain_number(figures, "mad")
        if mae is not None and mad is not None and n and mae >= mad:
            unit = f" {unit_text(figures.get('unit') or '')}".rstrip()
            about = figures.get("mad_about", "these values")
            about = "the training part" if about == "training part" else about
            yield (
                f"{name}: no better than predicting the mean of {about}{place}: the mean absolute "
                f"error is {mae:.4g}{unit}, that of the mean {mad:.4g}{unit} ({values})."
            )
        right = _plain_number(figures, "accuracy")
        common = _plain_number(figures, "most_common")
        if right is None or common is None or not n:
            continue
        if common == 1 == right:
            if n == 1:
                continue
            yield (
                f"{name}: all {values}{place} are of one class, so that they are right says "
                "nothing of telling the classes apart."
            )
        elif right <= common:
            yield (
                f"{name}: no better than always saying the most common class{place}: {right:.3g} "
                f"of {values} are right, {common:.3g} are of that class."
            )


def _plain_number(figures: Mapping[str, Any], key: str) -> float | None:
    """Return a figure that is a number; files of a model may hold anything."""
    value = figures.get(key)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def finite_or_none(value: Any) -> Any:
    """Return nested plain values with NaN and infinity replaced by None."""
    if isinstance(value, Mapping):
        return {str(k): finite_or_none(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [finite_or_none(v) for v in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value


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
) -> RegressionMetrics:
    """Compare predictions with true values, all of shape (n,); pairs with a NaN are left out.

    ``baseline`` is what always saying the mean of the training part would predict. Error
    estimates are judged where there are some: a model has none of what is too unlike its data.
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
    return RegressionMetrics(
        target=target,
        unit=unit,
        n=len(t),
        mae=mae,
        rmse=float(np.sqrt(np.square(error).mean())) if len(t) else math.nan,
        r2=1 - float(np.square(error).sum()) / total if total > 0 else math.nan,
        spearman=spearman(t, p),
        mad=mad,
        mad_mae=mad / mae if mae > 0 else math.nan,
        mad_about="training part" if about_training else "these values",
        n_judged=int(told.sum()) if told.any() else None,
        coverage=coverage,
        miscalibration_area=area,
        calibration_error=ence,
        interval_coverage=inside,
        foreseen_errors=foreseen,
    )


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
    miscalibration area does not: estimates that are right on average and wrong for each.
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

    F is the step function that counts the ``shares`` up to p (Tran et al., Machine Learning:
    Science and Technology 1, 025006, 2020).
    """
    return area_between(*staircase(shares))


def spearman(a: Values, b: Values) -> float:
    """Rank correlation, ties sharing their mean rank; NaN if either side is constant."""
    from scipy.stats import rankdata

    if len(a) < 2:
        return math.nan
    ranks_a, ranks_b = rankdata(a), rankdata(b)
    if np.ptp(ranks_a) == 0 or np.ptp(ranks_b) == 0:
        return math.nan
    return float(np.corrcoef(ranks_a, ranks_b)[0, 1])


def classification_metrics(
    true: Values, probabilities: Values, *, target: str = "", classes: tuple[str, ...] = ()
) -> ClassificationMetrics:
    """Compare class probabilities (n, n_classes) with class numbers (n,); NaN is left out."""
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
    f1 = np.array([_f1(labels == c, predicted == c) for c in range(n_classes)])
    auc = np.array([_auc(labels == c, p[:, c]) for c in range(n_classes)])
    chosen = p[np.arange(len(labels)), labels]
    return ClassificationMetrics(
        target=target,
        classes=classes,
        n=len(labels),
        accuracy=float((predicted == labels).mean()),
        f1=float(f1[1]) if n_classes == 2 else float(np.nanmean(f1)),
        auc=float(np.nanmean(auc)) if np.isfinite(auc).any() else math.nan,
        cross_entropy=float(-np.log(np.maximum(chosen, 1e-300)).mean()),
        most_common=float(np.bincount(labels).max() / len(labels)),
    )


def _f1(true: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> float:
    both, either = int((true & predicted).sum()), int(true.sum() + predicted.sum())
    return 2 * both / either if either else math.nan


def _auc(positive: NDArray[np.bool_], score: Values) -> float:
    """Probability that a positive has a higher score than a negative, ties counting half."""
    from scipy.stats import rankdata

    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    if not n_positive or not n_negative:
        return math.nan
    rank_sum = float(rankdata(score)[positive].sum())
    return (rank_sum - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative)
