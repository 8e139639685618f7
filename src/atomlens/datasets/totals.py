"""Whether values grow with the structure: how they are taken, and how they look."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.base import Dataset
from atomlens.targets import Target, value_slices

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
        slope, error, sizes = found
        if slope + 3 * error < 0.5:
            yield (
                f"{target.name} is taken for a total, but its values do not grow with the number "
                f"of atoms ({sizes}): they look like values per atom. If they are, say so with the "
                f"unit, --unit {_per_atom(target)} (in Python unit={_per_atom(target)!r})."
            )


def _per_atom(target: Target) -> str:
    return f"{target.unit or 'eV'}/atom"


def _slope(
    n_atoms: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[float, float, str] | None:
    """Return the slope of log |value| over log of the number of atoms, and its standard error.

    None where too few are known or all structures are of one size.
    """
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
    return slope, error, f"{int(sizes.min())} to {int(sizes.max())}"
