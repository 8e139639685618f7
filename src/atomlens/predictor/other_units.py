"""Values that are ordered as predicted and missed in size: what another unit looks like."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atomlens.predictor.figures import plain_number
from atomlens.predictor.measuring import spearman
from atomlens.units import ENERGIES

Values = NDArray[np.float64]

_ORDERED, _ENOUGH = 0.7, 10
"""Rank correlation from which predictions order values well, and values it takes to say so."""
_MISSED = (
    "the predictions order these values well (rank correlation {:.2f}) and miss their sizes"
).format
_ANOTHER_UNIT = "may be in another unit or relative to something else"


def wrong_sizes(targets: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield a sentence on each target whose values are ordered well and missed in size.

    That is what values in another unit look like, or of another reference.

    Args:
        targets: Figures by target, as in ``metrics.json``.
    """
    for name, figures in targets.items():
        ordered, r2 = plain_number(figures, "spearman"), plain_number(figures, "r2")
        if ordered is None or r2 is None or figures["n"] < _ENOUGH:
            continue
        if ordered > _ORDERED and r2 < -1:
            unit = f", which are taken as {figures['unit']}," if figures["unit"] else ""
            yield f"{name}: {_MISSED(ordered)} (R² {r2:.3g}); the values{unit} {_ANOTHER_UNIT}."


_NEAR = 1.15
"""So far from a known factor the middle one of many may be."""
_FAR, _SMALL = 100, 0.4
"""Beyond the first factor even a model that says little more than a mean is in another unit."""


def wrong_factor(true: Values, predicted: Values) -> str:
    """Return a sentence on values that are ordered as predicted, with other sizes; empty if not.

    Their factor is the median of the ratios: above 2.5, or below 0.4, as none but other units
    (or other zeros) give.

    Args:
        true: (n,) values of one target; NaN where unknown.
        predicted: (n,) what a model says of them in its unit.
    """
    known = np.isfinite(true) & np.isfinite(predicted) & (predicted != 0)
    if known.sum() < _ENOUGH:
        return ""
    t, p = true[known], predicted[known]
    deviation = float(np.square(t - t.mean()).sum())
    ordered, factor = spearman(t, p), float(np.median(t / p))
    misses = float(np.square(p - t).sum()) > 2 * deviation
    if not (ordered > _ORDERED and (misses or abs(factor) > _FAR)):
        return ""
    size = abs(factor)
    if _SMALL <= size <= 1 / _SMALL:
        return ""
    whole = max(size, 1 / size)
    number = f"{whole:,.0f}" if whole >= 100 else f"{whole:.3g}"
    times = f"{number} times" if size >= 1 else f"1/{number} of"
    units = [
        f"{count:.4g} {unit} are one {other}"
        for unit, other, count in ENERGIES
        if 1 / _NEAR < whole / count < _NEAR
    ]
    thousand = "1000 meV are one eV, 1000 mHa one Ha" if 1 / _NEAR < whole / 1000 < _NEAR else ""
    hint = " or ".join(filter(None, (*units, thousand)))
    return (
        f"{_MISSED(ordered)}: the values are about {times} what is predicted"
        f"{f' ({hint})' if hint else ''}, so they {_ANOTHER_UNIT}"
    )
