"""Numbers of one network for the study of relative attention."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from atomlens.studies.base import Row
from atomlens.studies.statistics import (
    GroupedSample,
    Interval,
    Values,
    cliffs_delta,
    holm,
    mann_whitney_p,
    resampled_delta,
    resampled_rank_biserial,
    wilcoxon_p,
)

ELEMENTS = ("C", "N", "O")
PAIRS = (("O", "N"), ("N", "C"), ("C(sp2)", "C(sp3)"), ("C(sp)", "C(sp3)"))
"""Of claim S6: the first is said to be above the second."""
SPREAD = "spread of medians, C N O"
PAIRED = "{} above {}, inside molecules"
"""Rank-biserial correlation of the paired differences."""

_GRID = np.linspace(0.0, 4.0, 201)
_FEWEST_FOR_DENSITY = 20


@dataclass(frozen=True, slots=True)
class NetworkNumbers:
    """Relative attention of all atoms under one network, sorted by class."""

    classes: tuple[str, ...]
    """Classes that occur, without ``C``, the carbons of all kinds."""
    atoms: Mapping[str, GroupedSample]
    """Relative attention of the atoms of each class, and of ``C``; units are molecules."""
    molecules: Mapping[str, GroupedSample]
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
            atoms[kind] = GroupedSample.of(ratios[mask], units[mask])
            counts = np.bincount(units[mask], minlength=n_units)
            sums = np.bincount(units[mask], weights=ratios[mask], minlength=n_units)
            having = np.flatnonzero(counts)
            molecules[kind] = GroupedSample.of(sums[having] / counts[having], having)
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
        paired = [
            (PAIRED.format(high, low), self.n_together(high, low))
            for high, low in self.pairs
            if self.n_together(high, low)
        ]
        return [*medians, (SPREAD, self.n_units), *deltas, *paired]

    def meaning(self, name: str) -> str:
        """Explain a number."""
        if name == SPREAD:
            return f"highest minus lowest median of {', '.join(self.elements)}"
        if name.startswith("median"):
            return "attention over the mean of the molecule's sp3 carbons; n molecules"
        if name.endswith("inside molecules"):
            return (
                "rank-biserial correlation of the differences in the molecules that have both; "
                "1 if it is above in every one"
            )
        return "1 if always above, -1 if always below; means of each molecule"

    def median(self, kind: str) -> float:
        """Return the median of a class; NaN if it does not occur."""
        atoms = self.atoms.get(kind)
        return np.nan if atoms is None else atoms.median(np.ones(self.n_units))

    def p_value(self, first: str, second: str) -> float:
        """Return Mann and Whitney's p-value of two classes, over molecules."""
        return mann_whitney_p(self.molecules[first].values, self.molecules[second].values)

    def differences(self, high: str, low: str) -> tuple[Values, NDArray[np.int64]]:
        """Return the mean of one class minus that of another in each molecule that has both.

        Returns:
            Differences and molecules, (n,) each.
        """
        first, second = (self.molecules.get(kind) for kind in (high, low))
        if first is None or second is None:
            return np.zeros(0), np.zeros(0, dtype=np.int64)
        of_units = np.full((2, self.n_units), np.nan)
        of_units[0, first.units], of_units[1, second.units] = first.values, second.values
        found = of_units[0] - of_units[1]
        units = np.flatnonzero(np.isfinite(found))
        return found[units], units

    def n_together(self, high: str, low: str) -> int:
        """Return how many molecules have both classes."""
        return len(self.differences(high, low)[0])

    def paired_effect(self, high: str, low: str) -> Callable[[Values], float]:
        """Return the rank-biserial correlation of the differences, by how often units are drawn."""
        return resampled_rank_biserial(*self.differences(high, low))

    def paired_median(self, high: str, low: str) -> float:
        """Return the median of the differences; NaN if no molecule has both."""
        found, _ = self.differences(high, low)
        return float(np.median(found)) if len(found) else np.nan

    def paired_p(self, high: str, low: str) -> float:
        """Return Wilcoxon's p-value of the differences inside molecules."""
        return wilcoxon_p(self.differences(high, low)[0])

    def spread(self, drawn: Values) -> float:
        """Return highest minus lowest median of C, N and O."""
        return float(np.ptp([self.atoms[kind].median(drawn) for kind in self.elements]))

    def __call__(self, drawn: Values) -> Values:
        """Return all numbers where molecule i was drawn ``drawn[i]`` times."""
        medians = {kind: self.atoms[kind].median(drawn) for kind in (*self.classes, "C")}
        spread = np.ptp([medians[kind] for kind in self.elements])
        deltas = [
            resampled_delta(self.molecules[low], self.molecules[high])(drawn)
            for high, low in self.pairs
        ]
        paired = [
            self.paired_effect(high, low)(drawn)
            for high, low in self.pairs
            if self.n_together(high, low)
        ]
        return np.array([*medians.values(), spread, *deltas, *paired])

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
    """Return tests and effect sizes of every pair of classes.

    Effect sizes are means over the networks, p-values the largest; those of both tests are
    corrected for the number of pairs by Holm's method.
    """
    kinds = (*networks[0].classes, "C")
    pairs = [
        (first, second)
        for first, second in combinations(kinds, 2)
        if not (second == "C" and first.startswith("C("))
    ]
    rows: list[dict[str, object]] = []
    for first, second in pairs:
        deltas = [
            cliffs_delta(n.molecules[first].values, n.molecules[second].values) for n in networks
        ]
        n_both = networks[0].n_together(second, first)
        once = np.ones(networks[0].n_units)
        paired = [n.paired_effect(second, first)(once) for n in networks] if n_both else [np.nan]
        medians = [n.paired_median(second, first) for n in networks]
        rows.append(
            {
                "first": first,
                "second": second,
                "cliffs_delta_second_above_first": float(np.mean(deltas)),
                "mann_whitney_p": max(n.p_value(first, second) for n in networks),
                "n_with_both": n_both,
                "median_difference_inside": float(np.mean(medians)),
                "rank_biserial_second_above_first": float(np.mean(paired)),
                "wilcoxon_p": max(n.paired_p(second, first) for n in networks),
            }
        )
    for name in ("mann_whitney_p", "wilcoxon_p"):
        corrected = holm([float(str(row[name])) for row in rows])
        for row, p in zip(rows, corrected.tolist(), strict=True):
            row[f"{name}_holm"] = p
    return list(rows)


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
