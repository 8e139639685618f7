"""From what the members of an ensemble return to values with an error estimate, in units."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from atomlens.predictor.inference import RawOutputs
from atomlens.predictor.trust.calibration import (
    Calibration,
    ClassCalibration,
    Spread,
    fit_temperature,
)
from atomlens.structures.arrays import StructureArrays
from atomlens.targets import Target, output_slices, value_slices
from atomlens.targets.scaling import TargetScaling

Values = NDArray[np.float64]
Noise = Literal["none", "laplace", "gaussian"]
"""Which distribution the predicted noise scale belongs to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Combined:
    """The members' outputs as one, in scaled units."""

    values: Values
    """(n, n_outputs) mean over the members; logarithms of the mean probabilities for classes."""
    spread: Spread | None
    """(n, n_values) what members and noise heads say, NaN for classes; None if the model says
    nothing about its error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimates:
    """Values with an error estimate for n structures, in the units of the targets."""

    values: Values
    """(n, n_values); the most probable class's number for classes"""
    std: Values
    """(n, n_values)"""
    low: Values
    """(n, n_values)"""
    high: Values
    """(n, n_values)"""
    probabilities: tuple[Values | None, ...]
    """(n, n_classes) for each classification target"""
    unlike: Values | None = None
    """(n,) how unlike the training data the structures are, in percent; None: unknown"""


def combine(raw: RawOutputs, targets: tuple[Target, ...], noise: Noise) -> Combined:
    """Average over the members; their variance and the noise they predict add up.

    Lakshminarayanan et al., Simple and scalable predictive uncertainty estimation using deep
    ensembles, NeurIPS 2017: total variance = variance of the means + mean of the variances.
    """
    n_members, n = raw.values.shape[:2]
    mean = raw.values.mean(axis=0)
    shape = n, sum(t.n_values for t in targets)
    disagreement = np.full(shape, np.nan) if n_members > 1 else None
    variance = np.full(shape, np.nan) if raw.log_scale is not None else None
    for target, place, columns in _places(targets):
        members = raw.values[:, :, place]
        if target.kind == "classification":
            mean[:, place] = np.log(np.maximum(softmax(members).mean(axis=0), 1e-300))
            continue
        if disagreement is not None:
            disagreement[:, columns] = members.std(axis=0, ddof=1)
        if variance is not None and raw.log_scale is not None:
            factor = 2.0 if noise == "laplace" else 1.0
            log_scale = np.clip(raw.log_scale[:, :, place], -50, 50)
            variance[:, columns] = factor * np.exp(2 * log_scale).mean(axis=0)
    if disagreement is None and variance is None:
        return Combined(values=mean, spread=None)
    own_noise = None if variance is None else np.sqrt(variance)
    return Combined(values=mean, spread=Spread(members=disagreement, noise=own_noise))


def _places(targets: tuple[Target, ...]) -> list[tuple[Target, slice, slice]]:
    """Return each target with its place among the outputs, and that among the values."""
    return list(zip(targets, output_slices(targets), value_slices(targets), strict=True))


def softmax(logits: Values) -> Values:
    """(..., n_classes) logits -> their softmax over the last axis."""
    exponents = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: Values = exponents / exponents.sum(axis=-1, keepdims=True)
    return shares


def fit_classes(
    combined: Combined, values: Values, targets: tuple[Target, ...]
) -> tuple[ClassCalibration | None, ...]:
    """(n_values,) the temperature of each target that has classes; None for others, empty of none.

    Args:
        combined: Of n structures.
        values: (n, n_values) the known ones.
        targets: What the values are.
    """
    found: list[ClassCalibration | None] = [None] * values.shape[1]
    for target, place, columns in _places(targets):
        if target.kind == "classification":
            labels = values[:, columns.start]
            found[columns.start] = fit_temperature(combined.values[:, place], labels)
    return tuple(found) if any(found) else ()


def residuals(
    combined: Combined, encoded: NDArray[np.float32], targets: tuple[Target, ...]
) -> Values:
    """(n, n_values) scaled true value minus scaled prediction; NaN for classes and unknowns."""
    rest = np.full(encoded.shape, np.nan)
    for target, place, columns in _places(targets):
        if target.kind == "regression":
            rest[:, columns] = encoded[:, columns] - combined.values[:, place]
    return rest


def estimate(
    combined: Combined,
    structures: StructureArrays,
    scaling: TargetScaling,
    calibration: Calibration,
    remoteness: Values | None = None,
) -> Estimates:
    """Return values, standard deviations and 90 % intervals in units.

    ``remoteness`` is (n,) the distance to the training data over the usual one, if it is known.
    """
    n, places = len(structures), _places(scaling.targets)
    decoded = scaling.decode(combined.values, structures)
    std_outputs = np.zeros_like(decoded)
    std_scaled = calibration.std(combined.spread, n, remoteness)
    for target, place, columns in places:
        if target.kind == "regression":
            std_outputs[:, place] = std_scaled[:, columns]
    first = np.concatenate([np.arange(p.start, p.start + t.n_values) for t, p, _ in places])
    std = scaling.decode_std(std_outputs, structures)[:, first]
    values = decoded[:, first]
    probabilities: list[Values | None] = []
    for target, place, columns in places:
        shares = None
        if target.kind == "classification":
            shares = softmax(decoded[:, place] / calibration.temperature(columns.start))
            values[:, columns.start] = shares.argmax(axis=1)
            std[:, columns] = np.nan
        probabilities.append(shares)
    half = _half_widths(calibration.quantiles, std)
    low, high = values - half, values + half
    for target, _, columns in places:
        if target.nonnegative:
            for array in (values, low, high):
                array[:, columns] = np.maximum(array[:, columns], 0.0)
    return Estimates(values=values, std=std, low=low, high=high, probabilities=tuple(probabilities))


def with_errors_of(found: Estimates, other: Estimates, rows: NDArray[np.bool_]) -> Estimates:
    """Return the estimates with std and interval of other ones in some rows."""

    def mixed(old: Values, new: Values) -> Values:
        return np.where(rows[:, None], new, old)

    return replace(
        found,
        std=mixed(found.std, other.std),
        low=mixed(found.low, other.low),
        high=mixed(found.high, other.high),
    )


def without_errors(found: Estimates, rows: NDArray[np.bool_]) -> Estimates:
    """Return the estimates without std and interval in some rows."""

    def blank(values: Values) -> Values:
        return np.where(rows[:, None], np.nan, values)

    return replace(found, std=blank(found.std), low=blank(found.low), high=blank(found.high))


def _half_widths(quantiles: Values, std: Values) -> Values:
    """(n, n_values) of the intervals; NaN, no interval, where too few values bound it.

    The quantile is infinite there.
    """
    bounded: Values = np.where(np.isinf(quantiles), np.nan, quantiles)
    return bounded * std


def spread_out(
    found: Estimates | None, places: NDArray[np.int64], n: int, targets: tuple[Target, ...]
) -> Estimates:
    """Return estimates for n inputs, those that were found in their places, the others NaN."""

    def full(values: Values | None, width: int) -> Values:
        rows = np.full((n, width), np.nan)
        if values is not None:
            rows[places] = values
        return rows

    width = sum(t.n_values for t in targets)
    unlike = None if found is None else found.unlike
    shares = (None,) * len(targets) if found is None else found.probabilities
    return Estimates(
        values=full(None if found is None else found.values, width),
        std=full(None if found is None else found.std, width),
        low=full(None if found is None else found.low, width),
        high=full(None if found is None else found.high, width),
        probabilities=tuple(
            full(p, t.n_outputs) if t.kind == "classification" else None
            for p, t in zip(shares, targets, strict=True)
        ),
        unlike=None if unlike is None else full(unlike[:, None], 1)[:, 0],
    )
