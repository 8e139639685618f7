"""How good predictions are: the figures of each target, and how they are shown."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from atomlens.predictor.figures import FIGURES, f1_label, figure_text, tables_by_class, values_of
from atomlens.predictor.skill import without_skill
from atomlens.reports.probabilities import LikeProbability
from atomlens.units import unit_text


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
            for field, (label, has_unit) in FIGURES.items():
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


def _in_short(figures: RegressionMetrics | ClassificationMetrics) -> str:
    if isinstance(figures, ClassificationMetrics):
        return f"{figures.target} accuracy {figures.accuracy:.3g}"
    return f"{figures.target} MAE {figures.mae:.3g} {figures.unit}".rstrip()


def finite_or_none(value: Any) -> Any:
    """Return nested plain values with NaN and infinity replaced by None."""
    if isinstance(value, Mapping):
        return {str(k): finite_or_none(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [finite_or_none(v) for v in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value
