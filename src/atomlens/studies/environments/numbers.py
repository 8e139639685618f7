"""Means over kinds of atoms, with intervals by resampling whole structures."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atomlens.elements import SYMBOLS
from atomlens.studies.base import Row
from atomlens.studies.statistics import CONFIDENCE, N_RESAMPLES, cliffs_delta

Values = NDArray[np.float64]
Indices = NDArray[np.int64]

LEAST = 5
"""Structures below which a difference is not tested: an interval over fewer says little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Atoms:
    """The atoms of all structures, end to end."""

    owner: Indices
    """(n_atoms,) structure of each"""
    element: Indices
    """(n_atoms,) atomic number"""
    n_structures: int

    def resampled(self, seed: int) -> Values:
        """(n_resamples, n_structures) how often each structure is drawn."""
        even = np.full(self.n_structures, 1 / self.n_structures)
        draws = np.random.default_rng(seed).multinomial(self.n_structures, even, N_RESAMPLES)
        return draws.astype(np.float64)

    def sums(self, values: Values) -> Values:
        """(n_structures,) sum in each structure."""
        summed = np.bincount(self.owner, weights=values, minlength=self.n_structures)
        return summed.astype(np.float64)


def environment_row(
    atoms: Atoms,
    kind: str,
    name: str,
    inside: NDArray[np.bool_],
    scores: dict[str, Values],
    weights: Values,
) -> dict[str, object]:
    """Return means of every score over the atoms of an environment, and how far they stand out.

    They are held against all other atoms of the same element, and those of an element against all
    other atoms.

    Args:
        atoms: All atoms.
        kind: Kind of environment.
        name: Name of the environment.
        inside: (n_atoms,) which atoms are in it.
        scores: (n_atoms,) by name; the first is the one whose difference is tested.
        weights: How often each structure is drawn in each resample.
    """
    alike = np.ones_like(inside) if kind == "element" else atoms.element == atoms.element[inside][0]
    others = alike & ~inside
    n_in, n_out = atoms.sums(inside.astype(np.float64)), atoms.sums(others.astype(np.float64))
    row: dict[str, object] = {
        "kind": kind,
        "environment": name,
        "element": SYMBOLS[int(atoms.element[inside][0])],
        "n_atoms": int(inside.sum()),
        "n_structures": int((n_in > 0).sum()),
    }
    for number, (label, values) in enumerate(scores.items()):
        own = _means(atoms.sums(values * inside), n_in, weights)
        row |= {label: float(values[inside].mean())} | _bounds(label, own)
        if number:
            continue
        rest = _means(atoms.sums(values * others), n_out, weights)
        apart = own - rest
        enough = min(int((n_in > 0).sum()), int((n_out > 0).sum())) >= LEAST
        difference = (
            float(values[inside].mean() - values[others].mean()) if others.any() else math.nan
        )
        spread = float(np.nanstd(apart, ddof=1)) if enough else math.nan
        row |= {
            "difference": difference,
            **(_bounds("difference", apart) if enough else _bounds("difference", apart[:0])),
            "cliffs_delta": cliffs_delta(values[others], values[inside])
            if others.any()
            else math.nan,
            "p": _two_sided(difference, spread),
        }
    return row


def with_holm(rows: Sequence[Row]) -> list[Row]:
    """Return the rows with ``p_holm``: p over all of them that were tested, after Holm (1979)."""
    p = np.array([row["p"] for row in rows], dtype=np.float64)
    tested = np.flatnonzero(np.isfinite(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    adjusted = np.full(len(rows), math.nan)
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0) if len(order) else steps
    return [{**row, "p_holm": float(a)} for row, a in zip(rows, adjusted, strict=True)]


def _means(sums: Values, counts: Values, weights: Values) -> Values:
    """(n_resamples,) mean of a resample; NaN where none of its structures has such an atom."""
    total = weights @ counts
    found: Values = np.where(total > 0, weights @ sums / np.maximum(total, 1e-300), math.nan)
    return found


def _bounds(label: str, drawn: Values) -> dict[str, float]:
    known = drawn[np.isfinite(drawn)]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(known, [tail, 1 - tail]) if len(known) else (math.nan, math.nan)
    return {f"{label}_low": float(low), f"{label}_high": float(high)}


def _two_sided(difference: float, error: float) -> float:
    """Return the two-sided p of a normal deviate."""
    if not (math.isfinite(difference) and error > 0):
        return math.nan
    return math.erfc(abs(difference) / error / math.sqrt(2))
