"""From what the members of an ensemble return to values with an error estimate, in units."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.scaling import TargetScaling
from atomlens.predictor.calibration import Calibration
from atomlens.predictor.inference import RawOutputs
from atomlens.structures.arrays import StructureArrays
from atomlens.targets import Target, output_slices

Values = NDArray[np.float64]
Noise = Literal["none", "laplace", "gaussian"]
"""Which distribution the predicted noise scale belongs to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Combined:
    """The members' outputs as one, in scaled units."""

    values: Values
    """(n, n_outputs) mean over the members; logarithms of the mean probabilities for classes."""
    spread: Values | None
    """(n, n_targets) root of (variance over the members + mean noise variance), NaN for
    classes; None if the model says nothing about its error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimates:
    """Values with an error estimate for n structures, in the units of the targets."""

    values: Values
    """(n, n_targets); the most probable class's number for classes"""
    std: Values
    """(n, n_targets)"""
    low: Values
    """(n, n_targets)"""
    high: Values
    """(n, n_targets)"""
    probabilities: tuple[Values | None, ...]
    """(n, n_classes) for each classification target"""


def combine(raw: RawOutputs, targets: tuple[Target, ...], noise: Noise) -> Combined:
    """Average over the members; their variance and the noise they predict add up.

    Lakshminarayanan et al., Simple and scalable predictive uncertainty estimation using deep
    ensembles, NeurIPS 2017: total variance = variance of the means + mean of the variances.
    """
    n_members, n = raw.values.shape[:2]
    mean = raw.values.mean(axis=0)
    has_spread = n_members > 1 or raw.log_scale is not None
    variance = np.zeros((n, len(targets)))
    for column, (target, place) in enumerate(zip(targets, output_slices(targets), strict=True)):
        members = raw.values[:, :, place]
        if target.kind == "classification":
            mean[:, place] = np.log(np.maximum(softmax(members).mean(axis=0), 1e-300))
            variance[:, column] = np.nan
            continue
        if n_members > 1:
            variance[:, column] += members[:, :, 0].var(axis=0, ddof=1)
        if raw.log_scale is not None:
            factor = 2.0 if noise == "laplace" else 1.0
            log_scale = np.clip(raw.log_scale[:, :, place.start], -50, 50)
            variance[:, column] += factor * np.exp(2 * log_scale).mean(axis=0)
    return Combined(values=mean, spread=np.sqrt(variance) if has_spread else None)


def softmax(logits: Values) -> Values:
    """Return the softmax over the last axis."""
    exponents = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: Values = exponents / exponents.sum(axis=-1, keepdims=True)
    return shares


def residuals(
    combined: Combined, encoded: NDArray[np.float32], targets: tuple[Target, ...]
) -> Values:
    """(n, n_targets) scaled true value minus scaled prediction; NaN for classes and unknowns."""
    rest = np.full(encoded.shape, np.nan)
    for column, (target, place) in enumerate(zip(targets, output_slices(targets), strict=True)):
        if target.kind == "regression":
            rest[:, column] = encoded[:, column] - combined.values[:, place.start]
    return rest


def estimate(
    combined: Combined,
    structures: StructureArrays,
    scaling: TargetScaling,
    calibration: Calibration,
) -> Estimates:
    """Return values, standard deviations and 90 % intervals in units."""
    n, targets = len(structures), scaling.targets
    places = output_slices(targets)
    decoded = scaling.decode(combined.values, structures)
    std_outputs = np.zeros_like(decoded)
    std_scaled = calibration.std(combined.spread, n)
    for column, place in enumerate(places):
        std_outputs[:, place] = std_scaled[:, column, None]
    first = [p.start for p in places]
    std = scaling.decode_std(std_outputs, structures)[:, first]
    values = decoded[:, first]
    probabilities: list[Values | None] = []
    for column, (target, place) in enumerate(zip(targets, places, strict=True)):
        shares = None
        if target.kind == "classification":
            shares = softmax(decoded[:, place])
            values[:, column] = shares.argmax(axis=1)
            std[:, column] = np.nan
        probabilities.append(shares)
    half = calibration.quantiles * std
    low, high = values - half, values + half
    for column, target in enumerate(targets):
        if target.nonnegative:
            for array in (values, low, high):
                array[:, column] = np.maximum(array[:, column], 0.0)
    return Estimates(values=values, std=std, low=low, high=high, probabilities=tuple(probabilities))


def spread_out(
    found: Estimates | None, places: NDArray[np.int64], n: int, targets: tuple[Target, ...]
) -> Estimates:
    """Return estimates for n inputs, those that were found in their places, the others NaN."""

    def full(values: Values | None, width: int) -> Values:
        rows = np.full((n, width), np.nan)
        if values is not None:
            rows[places] = values
        return rows

    width = len(targets)
    shares = (None,) * width if found is None else found.probabilities
    return Estimates(
        values=full(None if found is None else found.values, width),
        std=full(None if found is None else found.std, width),
        low=full(None if found is None else found.low, width),
        high=full(None if found is None else found.high, width),
        probabilities=tuple(
            full(p, t.n_outputs) if t.kind == "classification" else None
            for p, t in zip(shares, targets, strict=True)
        ),
    )
