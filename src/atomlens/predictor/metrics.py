"""How good predictions are: errors, ranks, and whether the error estimates can be believed."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atomlens.predictor.trust.calibration import INTERVAL
from atomlens.printing import counted
from atomlens.reports.coverage import area_between, staircase
from atomlens.reports.probabilities import (
    LikeProbability,
    area_under,
    average_precision,
    brier_score,
    expected_calibration_error,
    like_probability,
    roc_curve,
)
from atomlens.units import unit_text

Values = NDArray[np.float64]
Numbers = NDArray[np.float64] | NDArray[np.int64]

_ROWS = (
    ("n", "samples", False),
    ("mae", "MAE", True),
    ("mae_interval", "MAE, 95 % interval", True),
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
    ("accuracy_interval", "accuracy, 95 % interval", False),
    ("most_common", "accuracy of the most common class", False),
    ("balanced_accuracy", "balanced accuracy", False),
    ("f1", "F1", False),
    ("auc", "ROC AUC", False),
    ("cross_entropy", "cross-entropy", False),
    ("cross_entropy_of_shares", "cross-entropy of the class shares of the training part", False),
    ("brier", "Brier score", False),
    ("confidence", "mean probability of the class that is said", False),
    ("class_calibration_error", "calibration error of the probabilities", False),
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
    n_structures: int | None = None
    """Of spectra: structures that the ``n`` values belong to, those of one being no independent
    ones; None of single numbers."""
    n_judged_structures: int | None = None
    """Of spectra: those of ``n_judged``."""
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
    mae_interval: tuple[float, float] | None = None
    """Where the MAE of many more samples of this kind lies, 95 %: see `mean_interval`; None for
    fewer than two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassFigures:
    """How well one class is told from the others."""

    label: str
    n: int
    """Samples that are of it."""
    n_said: int
    """Samples that are said to be of it."""
    recall: float
    """Share of those of it that are said to be; NaN where there is none."""
    precision: float
    """Share of those said to be of it that are; NaN where none is said to be."""
    auc: float
    """Area under the ROC curve of its probability; NaN where all or none are of it."""
    average_precision: float = math.nan
    """Precision, averaged over the recall, by its probability; by chance the share of samples that
    are of it. NaN where none are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassificationMetrics:
    """Errors of one classification target over the samples whose class is known."""

    target: str
    classes: tuple[str, ...]
    n: int
    accuracy: float
    f1: float
    """Of the second class if there are two, else the mean over the classes that occur or are
    said; ``f1_of`` names it."""
    auc: float
    """Area under the ROC curve (mean of one-against-rest); NaN if one class only occurs."""
    cross_entropy: float
    """Mean of -log(probability of the true class), in nats."""
    most_common: float = math.nan
    """Accuracy of always saying the class that most of these values have."""
    f1_of: str = ""
    """The class that ``f1`` is of, or ``mean of classes``."""
    balanced_accuracy: float = math.nan
    """Mean of the recalls of the classes that occur; always one class: 1 over their number."""
    cross_entropy_of_shares: float = math.nan
    """Cross-entropy of giving every sample the shares of the classes in the training part; NaN
    where they are unknown, infinite where one of these classes was not among them."""
    confidence: float = math.nan
    """Mean probability of the class that is said; ``accuracy``, if probabilities can be believed.
    """
    n_judged: int | None = None
    """Values on which probabilities are judged: of structures that the model has not learned from
    (`unseen`)."""
    brier: float = math.nan
    """Mean squared error of the probabilities (`brier_score`): of two classes 0 to 1, of more,
    added up over them, 0 to 2."""
    class_calibration_error: float | None = None
    """Expected calibration error: the mean over ``reliability`` of |share - probability|, weighted
    by the sizes; None for fewer than 20 values. Of two classes as in Naeini et al., AAAI 2015; of
    more as in Guo et al., ICML 2017."""
    reliability: tuple[LikeProbability, ...] = ()
    """Groups of like probability and how often it is so: of two classes the probability of the
    second, of more that of the class that is said, which is so where it is right."""
    by_class: tuple[ClassFigures, ...] = ()
    """(n_classes,) in the order of ``classes``"""
    confusion: tuple[tuple[int, ...], ...] = ()
    """(n_classes, n_classes) samples by their class (rows) and the class that is said (columns)"""
    accuracy_interval: tuple[float, float] | None = None
    """Where the accuracy over many more samples of this kind lies, 95 %: see `share_interval`."""


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
                called = self._label(field, figures) or label
                if field in ("n", "n_judged"):
                    rows.setdefault(called, {"": called})[name] = values_of(figures, field)
                    continue
                rows.setdefault(called, {"": called})[name] = (
                    f"{figure_text(value)} {unit}".rstrip()
                )
        return list(rows.values())

    def _label(self, field: str, figures: Mapping[str, Any]) -> str:
        """Return what a figure is called that has no name for all; empty for others."""
        if field == "mad":
            about = figures.get("mad_about", "these values")
            return f"MAE of the mean of {'the ' if about == 'training part' else ''}{about}"
        if field == "f1":
            return f1_label(figures)
        if field == "n_judged" and "accuracy" in figures:
            return "values on which probabilities are judged"
        return "values" if field == "n" and figures["n"] > self.n_samples else ""

    def __repr__(self) -> str:
        failed = f", {self.n_failed} failed" if self.n_failed else ""
        errors = ", ".join(map(_in_short, self.targets.values()))
        return f"<Metrics of {self.n_samples} samples{failed}: {errors}>"

    def _repr_html_(self) -> str:
        from atomlens.reports.notebook import table_html

        failed = f"{self.n_failed} could not be predicted." if self.n_failed else ""
        notes = [failed, *without_skill(self.to_dict()["targets"])]
        tables = [table_html(self.to_rows(), title=f"{self.n_samples} samples", notes=notes)]
        for name, rows in tables_by_class(self.to_dict()["targets"]).items():
            tables.append(table_html(rows, title=f"{name}, by class"))
        return "".join(tables)


def values_of(figures: Mapping[str, Any], field: str = "n") -> str:
    """Return how many values there are; of spectra also of how many structures.

    Args:
        figures: Of one target, as in ``metrics.json``.
        field: ``n``, or ``n_judged``.
    """
    n, n_structures = figures.get(field), figures.get(f"{field}_structures")
    if field == "n":
        n_structures = figures.get("n_structures")
    if not isinstance(n, int) or not isinstance(n_structures, int) or not n_structures:
        return str(n)
    whole = n % n_structures == 0
    what = f" x {counted(n // n_structures, 'point')}" if whole else ""
    of = "" if whole else "of "
    return f"{n} ({of}{counted(n_structures, 'structure')}{what})"


def figure_text(value: Any) -> str:
    """Return a figure as tables have it; of an interval both ends."""
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list | tuple):
        return " to ".join(f"{end:.3g}" for end in value)
    return f"{value:.4g}"


def _in_short(figures: RegressionMetrics | ClassificationMetrics) -> str:
    if isinstance(figures, ClassificationMetrics):
        return f"{figures.target} accuracy {figures.accuracy:.3g}"
    return f"{figures.target} MAE {figures.mae:.3g} {figures.unit}".rstrip()


def f1_label(figures: Mapping[str, Any]) -> str:
    """Return what the F1 of some figures is called: ``F1 of metal``, ``F1, mean of classes``."""
    of = figures.get("f1_of")
    if not isinstance(of, str) or not of:
        return "F1"
    return f"F1, {of}" if of == MEAN_OF_CLASSES else f"F1 of {of}"


_OF_A_CLASS = {
    "recall": "recall",
    "precision": "precision",
    "auc": "ROC AUC",
    "average_precision": "average precision",
}
"""Figure of a class, and what its column is called."""


def tables_by_class(targets: Mapping[str, Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return a table of each target that has classes: samples, recall, precision, ...

    Args:
        targets: Figures by target, as in ``metrics.json``; those of older versions have none.
    """
    found = {}
    for name, figures in targets.items():
        rows = []
        for one in _by_class(figures):
            row: dict[str, Any] = {"class": one["label"], "samples": one["n"]}
            row["predicted"] = one["n_said"]
            for key, label in _OF_A_CLASS.items():
                value = _plain_number(one, key)
                row[label] = None if value is None else f"{value:.4g}"
            rows.append(row)
        if rows:
            found[name] = rows
    return found


def _by_class(figures: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the figures of each class; files of a model may hold anything."""
    rows = figures.get("by_class")
    if not isinstance(rows, list | tuple):
        return []
    return [
        one
        for one in rows
        if isinstance(one, Mapping)
        and isinstance(one.get("label"), str)
        and isinstance(one.get("n"), int)
        and isinstance(one.get("n_said"), int)
    ]


def without_skill(targets: Mapping[str, Mapping[str, Any]], where: str = "") -> Iterator[str]:
    """Yield a sentence on each target that is predicted no better than by a constant.

    And on each class that is never said, and on probabilities that are worse than the shares of
    the classes in the training part.

    Args:
        targets: Figures by target, as in ``metrics.json``; those of older versions may lack some.
        where: What the figures are of, ``on the test part``.
    """
    place = f" {where}" if where else ""
    for name, figures in targets.items():
        n = figures.get("n")
        values = "1 value" if n == 1 else f"{n} values"
        mae, mad = _plain_number(figures, "mae"), _plain_number(figures, "mad")
        if mae is not None and mad is not None and n and mae >= mad and mae > 0:
            unit = f" {unit_text(figures.get('unit') or '')}".rstrip()
            about = figures.get("mad_about", "these values")
            about = "the training part" if about == "training part" else about
            yield (
                f"{name}: no better than predicting the mean of {about}{place}: the mean absolute "
                f"error is {mae:.4g}{unit}, that of the mean {mad:.4g}{unit} ({values})."
            )
        yield from _of_classes_without_skill(name, figures, place)


_FEWEST_FOR_COVERAGE = 20
"""Values with an interval from which the share inside says something."""
_BY_CHANCE, _OFF = 0.005, 0.02
"""So seldom a share this far away from what was promised is chance; less than 2 % is no matter."""


def wrong_coverage(
    targets: Mapping[str, Mapping[str, Any]], where: str = "", *, own: bool = True
) -> Iterator[str]:
    """Yield a sentence on each target whose 90 % intervals do not hold what they promise.

    That is where so many values are outside (or inside) as chance leaves once in 200 times, by the
    binomial distribution: values count as independent, so give no spectra.

    Args:
        targets: Figures by target, as in ``metrics.json``.
        where: What the figures are of, ``on the test part``.
        own: They are of the data that the model was trained with.
    """
    from scipy.special import bdtr, bdtrc

    place = f" {where}" if where else ""
    for name, figures in targets.items():
        inside, n = _plain_number(figures, "interval_coverage"), figures.get("n_judged")
        n = figures.get("n") if n is None else n
        if inside is None or not isinstance(n, int) or n < _FEWEST_FOR_COVERAGE:
            continue
        n_inside = round(inside * n)
        if abs(inside - INTERVAL) <= _OFF:
            continue
        said = f"{n_inside} of {n:,} values{place} are inside ({inside:.1%})".replace("%)", " %)")
        if inside > INTERVAL:
            if float(bdtrc(n_inside - 1, n, INTERVAL)) < _BY_CHANCE:
                yield f"{name}: its 90 % intervals are wider than they need be: {said}."
            continue
        if float(bdtr(n_inside, n, INTERVAL)) >= _BY_CHANCE:
            continue
        other = "" if own else "These data may be of another kind than the training's. If not, what"
        yield (
            f"{name}: its 90 % intervals are too narrow: {said}, fewer than chance leaves. "
            f"{other or 'What'} helps: a larger validation part (split=random:.6/.3/.1), half of "
            "it for the intervals alone (calibration_share=0.5), or an ensemble (ensemble=5)."
        )


_RANKS_WELL, _CERTAIN = 0.8, 2.5
"""Area under the ROC curve from which classes are ranked well, and by how many standard deviations
of a random order it must be above a half: with 3 of 120 samples one of 0.99 is, with 2 none."""
_FEWEST_FOR_SHARES = 10
"""With fewer values a single one decides whether probabilities are better than shares."""
_FEW_OF_A_CLASS = 3
"""Samples of a class from which never saying it is worth a word."""


def _of_classes_without_skill(name: str, figures: Mapping[str, Any], place: str) -> Iterator[str]:
    """Yield what `without_skill` says of one target that has classes."""
    n = figures.get("n")
    right = _plain_number(figures, "accuracy")
    common = _plain_number(figures, "most_common")
    if right is None or common is None or not n:
        return
    values = "1 value" if n == 1 else f"{n} values"
    if common == 1 == right:
        if n > 1:
            yield (
                f"{name}: all {values}{place} are of one class, so that they are right says "
                "nothing of telling the classes apart."
            )
        return
    classes = _by_class(figures)
    ranked = [one for one in classes if _ranks_well(one, int(n))]
    never = [one for one in classes if not one["n_said"] and one["n"] >= _FEW_OF_A_CLASS]
    found = [one for one in never if one in ranked]
    for one in found:
        yield (
            f"{name}: never says {one['label']}{place} ({one['n']} of {values} are), but ranks "
            f"well (ROC AUC {one['auc']:.3g}): order by its probability, {name}_{one['label']}."
        )
    if right <= common and not found and ranked:
        best = min(ranked, key=lambda one: int(one["n"]))  # which is looked for
        yield (
            f"{name}: right no more often than always saying the most common class{place} "
            f"({right:.3g} and {common:.3g} of {values}), but ranks well (ROC AUC "
            f"{best['auc']:.3g}): order by the probability {name}_{best['label']}."
        )
    elif right <= common and not found:
        yield (
            f"{name}: no better than always saying the most common class{place}: {right:.3g} "
            f"of {values} are right, {common:.3g} are of that class."
        )
    elif right > common:
        for one in never:
            if one not in found:
                yield (
                    f"{name}: never says {one['label']}{place}, of which {one['n']} of {values} "
                    "are."
                )
    entropy = _plain_number(figures, "cross_entropy")
    of_shares = _plain_number(figures, "cross_entropy_of_shares")
    enough = int(figures.get("n", 0)) >= _FEWEST_FOR_SHARES
    if enough and entropy is not None and of_shares is not None and entropy > of_shares:
        yield (
            f"{name}: its probabilities are worse{place} than always giving the shares of the "
            f"classes in the training part: the cross-entropy is {entropy:.4g}, theirs "
            f"{of_shares:.4g} ({values})."
        )


def _ranks_well(one: Mapping[str, Any], n: int) -> bool:
    """Say whether the probability of a class orders n samples well, and not by chance."""
    auc, own = _plain_number(one, "auc"), one["n"]
    if auc is None or auc < _RANKS_WELL or not 0 < own < n:
        return False
    return (auc - 0.5) / math.sqrt((n + 1) / (12 * own * (n - own))) >= _CERTAIN


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


MEAN_OF_CLASSES = "mean of classes"


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
