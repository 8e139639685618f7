"""Comparing predictions with the values of a data set."""

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.base import Dataset
from atomlens.errors import DatasetError
from atomlens.predictor.metrics import (
    ClassificationMetrics,
    Metrics,
    RegressionMetrics,
    classification_metrics,
    regression_metrics,
)
from atomlens.predictor.prediction import Prediction
from atomlens.targets import Target

Values = NDArray[np.float64]


def score(prediction: Prediction, true: Values) -> Metrics:
    """Return the metrics of predictions against true values (n, n_targets); NaN is left out."""
    targets: dict[str, RegressionMetrics | ClassificationMetrics] = {}
    for column, target in enumerate(prediction.targets):
        probabilities = prediction.probabilities[column]
        if probabilities is not None:
            targets[target.name] = classification_metrics(
                true[:, column], probabilities, target=target.name, classes=target.classes
            )
            continue
        known_std = np.isfinite(prediction.std[prediction.ok, column]).all()
        targets[target.name] = regression_metrics(
            true[:, column],
            prediction.values[:, column],
            target=target.name,
            unit=target.unit,
            std=prediction.std[:, column] if known_std else None,
            low=prediction.interval_low[:, column] if known_std else None,
            high=prediction.interval_high[:, column] if known_std else None,
        )
    return Metrics(n_samples=len(prediction), n_failed=len(prediction.failures), targets=targets)


def matching_values(dataset: Dataset, targets: tuple[Target, ...]) -> Values:
    """(n, n_targets) the data set's values of a model's targets, classes as the model has them.

    Raises:
        DatasetError: a target is missing, or has another unit or other classes.
    """
    chosen = dataset.select_targets([t.name for t in targets])
    values = np.array(chosen.values, dtype=np.float64)
    for column, (theirs, ours) in enumerate(zip(chosen.targets, targets, strict=True)):
        if theirs.unit and ours.unit and theirs.unit != ours.unit:
            raise DatasetError(
                f"{dataset.name}: {ours.name!r} is in {theirs.unit}, and the model predicts it in "
                f"{ours.unit}. Convert the data set."
            )
        if ours.kind == "classification" and theirs.classes != ours.classes:
            values[:, column] = _renumber(values[:, column], theirs, ours, dataset.name)
    return values


def _renumber(column: Values, theirs: Target, ours: Target, name: str) -> Values:
    """Return class numbers of the data set as class numbers of the model."""
    labels = theirs.classes or tuple(str(i) for i in range(len(ours.classes)))
    strange = sorted(set(labels) - set(ours.classes))
    if strange:
        raise DatasetError(
            f"{name}: the class {strange[0]!r} of {ours.name!r} is unknown to the model, which "
            f"knows {', '.join(ours.classes)}."
        )
    table = np.array([ours.classes.index(label) for label in labels], dtype=np.float64)
    known = np.isfinite(column)
    renumbered = np.full(len(column), np.nan)
    renumbered[known] = table[column[known].astype(np.int64)]
    return renumbered
