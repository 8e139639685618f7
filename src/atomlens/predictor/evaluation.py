"""Comparing predictions with true values, and what must be known to read the figures."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atomlens.predictor.measuring import classification_metrics, regression_metrics
from atomlens.predictor.metrics import ClassificationMetrics, Metrics, RegressionMetrics
from atomlens.predictor.other_units import wrong_sizes
from atomlens.predictor.prediction import Prediction
from atomlens.predictor.skill import without_skill, wrong_coverage
from atomlens.predictor.trained import TrainedModel
from atomlens.predictor.trust.doubts import about_cut_shells
from atomlens.targets import Target, target_places, value_slices

Values = NDArray[np.float64]


def score(
    prediction: Prediction,
    true: Values,
    means: "Sequence[float] | Values" = (),
    class_counts: Mapping[str, Sequence[int]] = MappingProxyType({}),
) -> Metrics:
    """Return the metrics of predictions against true values (n, n_values); NaN is left out.

    Those of a spectrum are over all materials and points of the grid together. ``means`` are those
    of the training part (`TrainingRecord.means`), with which the errors are compared, and
    ``class_counts`` the samples of its classes (`TrainingRecord.class_counts`). Error estimates are
    judged on all rows that have one; on new structures alone with `unseen`. Whether probabilities
    can be believed is judged on new structures alone.
    """
    baseline = _baseline(prediction, means)
    targets: dict[str, RegressionMetrics | ClassificationMetrics] = {}
    places = zip(prediction.targets, value_slices(prediction.targets), strict=True)
    for (target, place), probabilities in zip(places, prediction.probabilities, strict=True):
        if probabilities is not None:
            targets[target.name] = classification_metrics(
                true[:, place.start],
                probabilities,
                target=target.name,
                classes=target.classes,
                counts=class_counts.get(target.name, ()),
                judged=~learned_from(prediction),
            )
            continue
        known_std = np.isfinite(prediction.std[prediction.ok, place]).any()
        targets[target.name] = regression_metrics(
            true[:, place].ravel(),
            prediction.values[:, place].ravel(),
            target=target.name,
            unit=target.unit,
            std=prediction.std[:, place].ravel() if known_std else None,
            low=prediction.interval_low[:, place].ravel() if known_std else None,
            high=prediction.interval_high[:, place].ravel() if known_std else None,
            baseline=None if baseline is None else baseline[:, place].ravel(),
            n_points=place.stop - place.start,
        )
    return Metrics(n_samples=len(prediction), n_failed=len(prediction.failures), targets=targets)


def _baseline(prediction: Prediction, means: "Sequence[float] | Values") -> Values | None:
    """(n, n_values) what always saying the mean of the training part predicts."""
    if len(means) != prediction.values.shape[1]:
        return None
    baseline = np.tile(np.asarray(means, dtype=np.float64), (len(prediction), 1))
    for target, place in zip(prediction.targets, value_slices(prediction.targets), strict=True):
        if target.extensive:
            baseline[:, place] *= prediction.n_atoms[:, None]
    return baseline


def means_of(model: TrainedModel, targets: Sequence[Target]) -> Values:
    """Return the means of the training part of some targets of a model; empty if unknown."""
    means = np.asarray(model.record.means, dtype=np.float64)
    places = target_places(model.targets)
    if len(means) != value_slices(model.targets)[-1].stop:
        return np.zeros(0)
    return np.concatenate([means[places[target]] for target in targets])


LEARNED_FROM = ("train", "pretraining", "validation")
"""Parts of a training whose structures say nothing of error estimates on new ones: weights, or
the estimates themselves, were fitted to them."""


def learned_from(prediction: Prediction) -> NDArray[np.bool_]:
    """(n,) which inputs were known to the model, as far as its folder says."""
    if not prediction.seen:
        return np.zeros(len(prediction), dtype=np.bool_)
    return np.isin(prediction.seen, LEARNED_FROM)


def unseen(prediction: Prediction) -> Prediction:
    """Return the prediction without error estimates of what the model has learned from.

    With it `score` judges errors of all structures, and error estimates of new ones alone.
    """
    known = learned_from(prediction)[:, None]
    if not known.any():
        return prediction
    return replace(
        prediction,
        std=np.where(known, np.nan, prediction.std),
        interval_low=np.where(known, np.nan, prediction.interval_low),
        interval_high=np.where(known, np.nan, prediction.interval_high),
    )


def without_coverage(prediction: Prediction, true: Values) -> Iterator[str]:
    """Yield a sentence on each target of whose intervals these values say nothing, and why."""
    known = learned_from(prediction)[:, None]
    has = prediction.intervals or (False,) * len(prediction.targets)
    places = zip(prediction.targets, value_slices(prediction.targets), has, strict=True)
    for target, place, has_intervals in places:
        values = np.isfinite(true[:, place]) & np.isfinite(prediction.values[:, place])
        if target.kind != "regression" or not values.any():
            continue
        ends = np.isfinite(prediction.interval_low[:, place])
        ends = values & ends & np.isfinite(prediction.interval_high[:, place])
        if (ends & ~known).any():
            continue
        if ends.any():
            why = (
                "the model has learned from all structures that have one here; it takes others, "
                "such as its test part"
            )
        elif has_intervals:
            why = "all these structures are too unlike the training data for an error estimate"
        elif np.isfinite(prediction.std[:, place]).any():
            why = "the model has none: its validation part has fewer than nine values"
        else:
            why = "the model estimates no error: it had no validation part"
        yield f"{target.name}: nothing can be said of 90 % intervals, as {why}."


def about_neighbors(prediction: Prediction) -> Iterator[str]:
    """Yield a sentence if answers depend on the order of the atoms."""
    n_cut = sum(bool(doubts.about("cut shell")) for doubts in prediction.doubts)
    if n_cut:
        yield f"{about_cut_shells(n_cut)}."


def about_figures(model: TrainedModel, metrics: Metrics) -> tuple[str, ...]:
    """Return what must be known to read the errors of a model on some data, a sentence each."""
    figures = metrics.to_dict()["targets"]
    said = [*wrong_sizes(figures)]
    if model.models[0].looks_at_atoms:
        said += without_skill(figures)
    return (*said, *wrong_coverage(_numbers_of(model, figures), own=False))


def about_skill(model: TrainedModel) -> tuple[str, ...]:
    """Return a sentence on each target that a trained model predicts no better than its mean.

    And on each whose intervals do not hold what they promise. By its test part, else by its
    validation part, of which intervals are made; nothing of the skill of the model that is a mean.
    """
    parts = [p for p in ("test", "validation") if isinstance(model.metrics.get(p), Mapping)]
    if not parts:
        return ()
    part = parts[0]
    figures, where = model.metrics[part].get("targets", {}), f"on the {part} part"
    said = [*without_skill(figures, where)] if model.models[0].looks_at_atoms else []
    if part == "test":
        said += wrong_coverage(_numbers_of(model, figures), where)
    return tuple(said)


def _numbers_of(
    model: TrainedModel, figures: Mapping[str, Mapping[str, Any]]
) -> dict[str, Mapping[str, Any]]:
    """Return the figures of targets with one value a structure: points are not independent."""
    spectra = {t.name for t in model.targets if t.is_spectrum}
    return {name: own for name, own in figures.items() if name not in spectra}
