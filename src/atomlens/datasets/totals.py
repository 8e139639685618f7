"""Whether values grow with the structure: how they are taken, and how they look."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.base import Dataset
from atomlens.targets import value_slices
from atomlens.units import share_of

_PROPORTIONAL = 0.95
_ENOUGH, _SIZES = 12, 2.0
"""Values, and how many times the largest structure must be the smallest, to say how they look."""


def taken_as_totals(data: Dataset) -> Iterator[str]:
    """Yield a sentence on each target that is taken for a total which grows with the structure."""
    for target in data.targets:
        if target.extensive:
            unit = f" in {target.unit}" if target.unit else ""
            yield (
                f"{target.name} is taken for a total{unit} that grows with the number of atoms: "
                "learned per atom, predicted for the whole structure."
            )


def doubts_about_sizes(data: Dataset) -> Iterator[str]:
    """Yield a sentence on each target that is taken for a total and looks like values per atom.

    By the slope of log |value| over log of the number of atoms, which is 1 for totals and 0 for
    values per atom, with its standard error.
    """
    n_atoms = np.asarray(data.structures.n_atoms, dtype=np.float64)
    for target, place in zip(data.targets, value_slices(data.targets), strict=True):
        if not target.extensive or target.is_spectrum:
            continue
        found = _slope(n_atoms, data.values[:, place.start])
        if found is None:
            continue
        if found.slope + 3 * found.error < 0.5:
            unit = f"{target.unit or 'eV'}/atom"
            yield (
                f"{target.name} is taken for a total, but its values do not grow with the number "
                f"of atoms ({found.sizes}): they look like values per atom. If they are, say so "
                f"with the unit, --unit {unit} (in Python unit={unit!r})."
            )


def looks_like_totals(data: Dataset) -> Iterator[str]:
    """Yield a sentence on each target that grows with the structure and is not taken for a total.

    So close to proportional (a correlation of the logarithms above 0.95, a slope of 0.8 to 1.2) are
    values per structure only.
    """
    n_atoms = np.asarray(data.structures.n_atoms, dtype=np.float64)
    for target, place in zip(data.targets, value_slices(data.targets), strict=True):
        if target.extensive or target.is_spectrum or target.kind != "regression":
            continue
        if share_of(target.unit) or data.structures.is_formula.any():
            continue
        found = _slope(n_atoms, data.values[:, place.start])
        if found is not None and abs(found.slope - 1) < 0.2 and found.correlation > _PROPORTIONAL:
            yield (
                f"The values of {target.name} grow with the number of atoms ({found.sizes}) as "
                "totals do; --extensive (in Python extensive=True) learns them per atom and "
                "predicts larger structures than those of the training."
            )


class _Slope(NamedTuple):
    """Of log |value| over log of the number of atoms."""

    slope: float
    error: float
    """Standard error of the slope"""
    correlation: float
    sizes: str
    """Numbers of atoms, from the smallest to the largest"""


def _slope(n_atoms: NDArray[np.float64], values: NDArray[np.float64]) -> _Slope | None:
    """Return how values go with sizes; None if too few are known or all are of one size."""
    usable = np.isfinite(values) & (values != 0) & (n_atoms > 0)
    if usable.sum() < _ENOUGH:
        return None
    sizes, amounts = n_atoms[usable], np.log(np.abs(values[usable]))
    if sizes.max() < _SIZES * sizes.min():
        return None
    x = np.log(sizes) - np.log(sizes).mean()
    slope = float(x @ amounts / (x @ x))
    rest = amounts - amounts.mean() - slope * x
    error = float(np.sqrt(rest @ rest / (len(x) - 2) / (x @ x)))
    spread = float(np.sum((amounts - amounts.mean()) ** 2))
    correlation = slope * float(np.sqrt(x @ x / spread)) if spread > 0 else 0.0
    return _Slope(slope, error, correlation, f"{int(sizes.min())} to {int(sizes.max())}")
