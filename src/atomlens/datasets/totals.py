"""Whether values grow with the structure: how they are taken, and how they look."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets import DATASETS
from atomlens.datasets.base import Dataset
from atomlens.datasets.rows import ASE_RESULTS
from atomlens.structures.arrays import StructureArrays
from atomlens.targets import Target, value_slices
from atomlens.targets.scaling import element_fractions
from atomlens.units import share_of

_PROPORTIONAL = 0.95
_ENOUGH, _SIZES = 12, 2.0
"""Values, and how many times the largest structure must be the smallest, to say how they look."""
_FEWEST_SUMS, _SIZES_OF_SUMS = 10, 1.5
"""The same of sums over elements."""
_MOST_FITTED = 20_000
"""Samples, evenly spaced, by which it is judged whether values are sums."""
_EXPLAINED, _MUCH_BETTER, _AGAINST = 0.98, 0.25, 0.1
"""Of the variance by element counts, at least; how much of what shares leave counts may leave; part
of all terms that may have the other sign."""
_FEWEST_IN_PART, _EXPLAINED_IN_PART, _BETTER = 30, 0.7, 0.8
"""The same of what are sums in part: values at least; of the variance by counts; how much of what
shares leave counts may leave. Of 700 molecules logP and the polar surface are among them (counts
leave 18 and 13 %, shares 24 %); QED, numbers of donors and the share of sp3 carbons are not. Of QM9
polarizability and heat capacity are; dipole, orbitals and gap are not."""


def taken_as_totals(data: Dataset, *, unasked: bool = False) -> Iterator[str]:
    """Yield a sentence on each target that is taken for a total which grows with the structure.

    ``unasked``: only those that a reader takes for one, and nobody has called so.
    """
    asked = data.reading.get("extensive", ())
    is_read = data.row_numbers is not None and data.name not in DATASETS
    for target in data.targets:
        if unasked and not (is_read and target.name in ASE_RESULTS and target.name not in asked):
            continue
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


ADVICE = (
    "--extensive (in Python extensive=True) learns them per atom and predicts larger structures "
    "than those of the training"
)


def looks_like_totals(data: Dataset, advice: str = ADVICE) -> Iterator[str]:
    """Yield a sentence on each target that grows with the structure and is not taken for a total.

    So close to proportional (a correlation of the logarithms above 0.95, a slope of 0.8 to 1.2), or
    to a sum of one number an atom of each element, are values per structure only. Of the data sets
    that come with the package it is known. ``advice`` ends the sentence.
    """
    for target, place in _of_structures(data):
        sizes = _as_total(data, data.values[:, place.start])
        if sizes:
            yield (
                f"The values of {target.name} grow with the number of atoms ({sizes}) as "
                f"totals do; {advice}."
            )


def _of_structures(data: Dataset) -> Iterator[tuple[Target, slice]]:
    """Yield targets, with the place of their values, that are numbers taken for no totals.

    None of data sets that come with the package.
    """
    if data.name in DATASETS and not data.sources:
        return
    for target, place in zip(data.targets, value_slices(data.targets), strict=True):
        if target.extensive or target.is_spectrum or target.kind != "regression":
            continue
        if not share_of(target.unit):
            yield target, place


def _as_total(data: Dataset, values: NDArray[np.float64]) -> str:
    """Return the numbers of atoms, if values grow with them as totals do; else nothing.

    Two different values, such as 0 and 1, are no totals.
    """
    if len(np.unique(values[np.isfinite(values)])) <= 2:
        return ""
    found = _slope(np.asarray(data.structures.n_atoms, dtype=np.float64), values)
    grows = found is not None and abs(found.slope - 1) < 0.2 and found.correlation > _PROPORTIONAL
    if found is not None and grows and not data.structures.is_formula.any():
        return found.sizes  # of formulas sizes may be a matter of spelling
    return _sizes_of_sums(data.structures, values)


def partly_sums(data: Dataset) -> Iterator[str]:
    """Yield a sentence on each target of molecules that sizes decide in part, as they do logP.

    A linear fit of the element counts explains most of its values, and more than one of the shares
    of the elements does. What `looks_like_totals` speaks of is left out. Cells have no size, and of
    the data sets that come with the package it is known.
    """
    structures = data.structures
    if structures.is_formula.any() or structures.pbc.any():
        return
    for target, place in _of_structures(data):
        values = data.values[:, place.start]
        found = _fits(structures, values, _FEWEST_IN_PART)
        if found is None or _as_total(data, values):
            continue
        if found.by_counts > min(1 - _EXPLAINED_IN_PART, _BETTER * found.by_shares):
            continue
        yield (
            f"{target.name} goes by how many atoms of each element a molecule has, more than by "
            f"their shares ({found.sizes} atoms), as sums over atoms do. A model that averages "
            "over atoms cannot grow beyond the sizes that it has learned: for larger molecules "
            "learn a sum, with --extensive (in Python extensive=True) or, with lens, --set "
            'model.shares=gates (in Python model_settings={"shares": "gates"}).'
        )


def _sizes_of_sums(structures: StructureArrays, values: NDArray[np.float64]) -> str:
    """Return the numbers of atoms, if values are sums of one number an atom of each element.

    They are if a linear fit of the element counts explains nearly all of the values of samples that
    it has not seen, a fit of the shares of the elements explains much less of them, and all
    elements add in one direction: a boiling point of alkanes, linear in their length, is no sum.
    """
    found = _fits(structures, values, _FEWEST_SUMS)
    if found is None:
        return ""
    if found.by_counts > min(1 - _EXPLAINED, _MUCH_BETTER * found.by_shares):
        return ""
    added = found.added
    against = min(float(-added[added < 0].sum()), float(added[added > 0].sum()))
    return "" if against > _AGAINST * float(np.abs(added).sum()) else found.sizes


class _Fits(NamedTuple):
    """Linear fits of the values, of samples left out."""

    by_counts: float
    """Part of the variance that counts of the elements leave"""
    by_shares: float
    """The same of shares"""
    added: NDArray[np.float64]
    """(n, n_elements) terms of the first"""
    sizes: str
    """Numbers of atoms, from the smallest to the largest"""


def _fits(structures: StructureArrays, values: NDArray[np.float64], fewest: int) -> _Fits | None:
    """Return how values go by counts and shares; None if too few are known, or of one size."""
    rows = np.flatnonzero(np.isfinite(values))
    if len(rows) < fewest:
        return None
    rows = rows[:: -(-len(rows) // _MOST_FITTED)]
    chosen, y = structures.subset(rows), values[rows]
    sizes = np.asarray(chosen.n_atoms, dtype=np.float64)
    if sizes.min() < 1 or sizes.max() < _SIZES_OF_SUMS * sizes.min() or np.ptp(y) == 0:
        return None
    shares = element_fractions(chosen, np.unique(chosen.atomic_numbers).astype(np.int64))
    counts = shares * sizes[:, None]
    left, terms = _unexplained(counts, y)
    return _Fits(
        left,
        _unexplained(shares, y)[0],
        terms * counts,
        f"{int(sizes.min())} to {int(sizes.max())}",
    )


def _unexplained(
    x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Return what part of the variance a linear fit leaves of samples left out, and its terms."""
    gram = x.T @ x
    gram += 1e-8 * np.trace(gram) / len(gram) * np.eye(len(gram))
    inverse = np.linalg.inv(gram)
    terms = inverse @ (x.T @ y)
    own = ((x @ inverse) * x).sum(axis=1)  # what each sample says of itself
    rest = (y - x @ terms) / np.maximum(1 - own, 1e-6)
    constant = (y - y.mean()) * len(y) / (len(y) - 1)
    return float(rest @ rest / (constant @ constant)), terms


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
