"""Numbers of one network for the study of relative attention."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from atomlens.studies.base import Row
from atomlens.studies.statistics import (
    Interval,
    Sample,
    Values,
    cliffs_delta,
    mann_whitney_p,
    resampled_delta,
)

ELEMENTS = ("C", "N", "O")
PAIRS = (("O", "N"), ("N", "C"), ("C(sp2)", "C(sp3)"), ("C(sp)", "C(sp3)"))
"""Of claim S6: the first is said to be above the second."""
SPREAD = "spread of medians, C N O"

_GRID = np.linspace(0.0, 4.0, 201)
_FEWEST_FOR_DENSITY = 20


@dataclass(frozen=True, slots=True)
class NetworkNumbers:
    """Relative attention of all atoms under one network, sorted by class."""

    classes: tuple[str, ...]
    """Classes that occur, without ``C``, the carbons of all kinds."""
    atoms: Mapping[str, Sample]
    """Relative attention of the atoms of each class, and of ``C``; units are molecules."""
    molecules: Mapping[str, Sample]
    """The mean of each class in each molecule that has it."""
    n_units: int
    """Molecules."""

    @classmethod
    def of(
        cls,
        ratios: Values,
        kinds: NDArray[np.str_],
        units: NDArray[np.int64],
        classes: tuple[str, ...],
    ) -> "NetworkNumbers":
        """Sort atoms, given by ratio, class and molecule."""
        n_units = int(units[-1]) + 1
        masks = {kind: kinds == kind for kind in classes}
        masks["C"] = np.char.startswith(kinds, "C(")
        atoms, molecules = {}, {}
        for kind, mask in masks.items():
            atoms[kind] = Sample.of(ratios[mask], units[mask])
            counts = np.bincount(units[mask], minlength=n_units)
            sums = np.bincount(units[mask], weights=ratios[mask], minlength=n_units)
            having = np.flatnonzero(counts)
            molecules[kind] = Sample.of(sums[having] / counts[having], having)
        return cls(classes, atoms, molecules, n_units)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Pairs of `PAIRS` of which both occur."""
        return [p for p in PAIRS if all(kind in self.atoms for kind in p)]

    @property
    def elements(self) -> list[str]:
        """Of carbon, nitrogen and oxygen those that occur."""
        return [kind for kind in ELEMENTS if kind in self.atoms]

    @property
    def names(self) -> list[tuple[str, int]]:
        """Name of each number, and the molecules that it rests on."""
        medians = [(f"median of {k}", len(self.molecules[k].values)) for k in (*self.classes, "C")]
        deltas = [
            (f"Cliff's delta {high} > {low}", len(self.molecules[high].values))
            for high, low in self.pairs
        ]
        return [*medians, (SPREAD, self.n_units), *deltas]

    def meaning(self, name: str) -> str:
        """Explain a number."""
        if name == SPREAD:
            return f"highest minus lowest median of {', '.join(self.elements)}"
        if name.startswith("median"):
            return "attention over the mean of the molecule's sp3 carbons; n molecules"
        return "1 if always above, -1 if always below; means of each molecule"

    def median(self, kind: str) -> float:
        """Return the median of a class; NaN if it does not occur."""
        atoms = self.atoms.get(kind)
        return np.nan if atoms is None else atoms.median(np.ones(self.n_units))

    def p_value(self, first: str, second: str) -> float:
        """Return Mann and Whitney's p-value of two classes, over molecules."""
        return mann_whitney_p(self.molecules[first].values, self.molecules[second].values)

    def __call__(self, drawn: Values) -> Values:
        """Return all numbers where molecule i was drawn ``drawn[i]`` times."""
        medians = {kind: self.atoms[kind].median(drawn) for kind in (*self.classes, "C")}
        spread = np.ptp([medians[kind] for kind in self.elements])
        deltas = [
            resampled_delta(self.molecules[low], self.molecules[high])(drawn)
            for high, low in self.pairs
        ]
        return np.array([*medians.values(), spread, *deltas])

    def median_rows(
        self, networks: "Sequence[NetworkNumbers]", intervals: Sequence[Interval] | None
    ) -> list[Row]:
        """Return a row for each class, averaged over networks; intervals of the trained one."""
        rows: list[Row] = []
        for i, kind in enumerate((*self.classes, "C")):
            quartiles = [np.quantile(n.atoms[kind].values, [0.25, 0.5, 0.75]) for n in networks]
            first, median, third = np.mean(quartiles, axis=0)
            rows.append(
                {
                    "class": kind,
                    "n_atoms": len(self.atoms[kind].values),
                    "n_molecules": len(self.molecules[kind].values),
                    "median": median,
                    "low": intervals[i].low if intervals else None,
                    "high": intervals[i].high if intervals else None,
                    "first_quartile": first,
                    "third_quartile": third,
                }
            )
        return rows


def pair_rows(networks: Sequence[NetworkNumbers]) -> list[Row]:
    """Return test and effect size of every pair of classes; the mean and the largest p-value."""
    kinds = (*networks[0].classes, "C")
    rows: list[Row] = []
    for first, second in combinations(kinds, 2):
        if second == "C" and first.startswith("C("):
            continue
        deltas = [
            cliffs_delta(n.molecules[first].values, n.molecules[second].values) for n in networks
        ]
        rows.append(
            {
                "first": first,
                "second": second,
                "cliffs_delta_second_above_first": float(np.mean(deltas)),
                "mann_whitney_p": max(n.p_value(first, second) for n in networks),
            }
        )
    return rows


def densities(networks: Sequence[NetworkNumbers]) -> list[Row]:
    """Return Gaussian kernel densities (Silverman's width), averaged over networks.

    Classes of few atoms are left out unless all are of few.
    """
    rows: list[Row] = []
    counts = {kind: len(networks[0].atoms[kind].values) for kind in networks[0].classes}
    common = [kind for kind, n in counts.items() if n >= _FEWEST_FOR_DENSITY]
    for kind in common or counts:
        mean = np.mean([_density(n.atoms[kind].values) for n in networks], axis=0)
        rows += [
            {"class": kind, "ratio": round(float(x), 3), "density": float(f"{y:.5g}")}
            for x, y in zip(_GRID, mean, strict=True)
        ]
    return rows


def _density(values: Values) -> Values:
    """(n_grid,) density from counts in fine bins, each blurred by a Gaussian."""
    quartiles = np.subtract(*np.quantile(values, [0.75, 0.25]))
    spread = min(values.std(), quartiles / 1.349) or values.std()
    width = max(0.9 * float(spread) * len(values) ** -0.2, 0.02)
    edges = np.linspace(0.0, 4.0, 1601)
    counts, _ = np.histogram(values, edges)
    centres = (edges[1:] + edges[:-1]) / 2
    bells = np.exp(-0.5 * ((_GRID[:, None] - centres) / width) ** 2)
    total = len(values) * width * np.sqrt(2 * np.pi)
    return np.asarray(bells @ counts / total)
