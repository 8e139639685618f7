"""Predicted crossings beside those of known spectra: found or not, how far off, how sure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atomlens.predictor.measuring import spearman
from atomlens.screening.enz.numbers import Criteria, mean_and_std
from atomlens.screening.enz.ranking import SpectrumReading
from atomlens.studies.base import Effect, Row
from atomlens.studies.statistics import area_under_curve, bootstrap

Values = NDArray[np.float64]

MEAN_OF_OTHERS = "mean of the others"
"""Control without a network: the mean true crossover of all other materials."""
_ERROR = "error of the crossover"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Materials with known spectra, and what the members of an ensemble say about them."""

    names: tuple[str, ...]
    true: Values
    """(n,) eV; NaN where the material does not cross in the known range"""
    seen_by: Values
    """(n,) share of the members that see a crossing"""
    energy: Values
    """(n,) eV, mean over the members that see one; NaN where none does"""
    std: Values
    """(n,) eV, spread over the members; NaN where fewer than two see one"""
    passes: NDArray[np.bool_]
    """(n,) whether the known spectrum passes the criteria"""
    passed_by: Values
    """(n,) share of the members in which the material passes"""

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        true: Sequence[SpectrumReading],
        found: Sequence[Sequence[SpectrumReading]],
        criteria: Criteria,
    ) -> "Check":
        """Compare true readings with those of the members, by material."""
        energies = [[r.crossing.energy for r in rs if r.crossing is not None] for rs in found]
        spreads = [mean_and_std(e) for e in energies]
        return cls(
            names=tuple(names),
            true=np.array([np.nan if r.crossing is None else r.crossing.energy for r in true]),
            seen_by=np.array([len(e) / len(rs) for e, rs in zip(energies, found, strict=True)]),
            energy=np.array([mean for mean, _ in spreads]),
            std=np.array([std for _, std in spreads]),
            passes=np.array([criteria.passes(r.crossing) for r in true], dtype=np.bool_),
            passed_by=np.array(
                [np.mean([criteria.passes(r.crossing) for r in readings]) for readings in found]
            ),
        )

    @property
    def crosses(self) -> NDArray[np.bool_]:
        """(n,) whether there is a crossing."""
        return np.isfinite(self.true)

    @property
    def predicted(self) -> NDArray[np.bool_]:
        """(n,) whether at least half of the members see one."""
        return self.seen_by >= 0.5

    @property
    def both(self) -> NDArray[np.bool_]:
        """(n,) whether there is a crossing and it is predicted."""
        return self.crosses & self.predicted

    @property
    def errors(self) -> Values:
        """(n_both,) absolute error of the crossover where one is and is predicted, eV."""
        return np.abs(self.energy - self.true)[self.both]

    def confusion_rows(self, network: str) -> list[Row]:
        """Return how many materials are of each of the four kinds."""
        kinds = [(t, p) for t in (True, False) for p in (True, False)]
        return [
            {
                "network": network,
                "crosses": "yes" if true else "no",
                "predicted": "yes" if predicted else "no",
                "n": int(((self.crosses == true) & (self.predicted == predicted)).sum()),
            }
            for true, predicted in kinds
        ]

    def material_rows(self) -> list[Row]:
        """Return true and predicted crossover of each material."""
        names = ("formula", "true [eV]", "seen_by", "predicted [eV]", "std [eV]")
        columns = [self.names, self.true, self.seen_by, self.energy, self.std]
        rows = zip(*columns, self.passes, self.passed_by, strict=True)
        return [dict(zip((*names, "passes", "passed_by"), row, strict=True)) for row in rows]

    def right(self, least_share: float) -> NDArray[np.bool_]:
        """(n_candidates,) whether the known spectra of the candidates pass the criteria."""
        return self.passes[self.passed_by >= least_share]

    def candidates(self, least_share: float) -> NDArray[np.bool_]:
        """(n_passing,) whether what passes the criteria is a candidate."""
        return self.passed_by[self.passes] >= least_share

    def seen_and_crosses(self) -> Values:
        """(n, 2) share of the members that see a crossing, and 1 where there is one."""
        return np.stack([self.seen_by, self.crosses.astype(np.float64)], axis=1)

    def error_of_mean(self) -> float:
        """Return the error of the mean of all other true crossovers, same materials, eV."""
        true = self.true[self.crosses]
        if len(true) < 2:
            return np.nan
        others = (true.sum() - true) / (len(true) - 1)
        return _mean(np.abs(others - true)[self.predicted[self.crosses]])

    def spread_and_error(self) -> Values:
        """(n_known, 2) spread of the members and error of the crossover, eV."""
        pairs = np.stack([self.std[self.both], self.errors], axis=1)
        known: Values = pairs[np.isfinite(pairs).all(axis=1)]
        return known


def _mean(values: Values) -> float:
    return float(values.mean()) if len(values) else np.nan


def _area(pairs: Values) -> float:
    crosses = pairs[:, 1] > 0
    return area_under_curve(pairs[~crosses, 0], pairs[crosses, 0])


def _correlation(pairs: Values) -> float:
    return spearman(pairs[:, 0], pairs[:, 1])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measure:
    """One number of a check: what of each material goes into it, and how."""

    name: str
    meaning: str
    values: Callable[[Check], Any]
    """(n, ...) of the materials that count"""
    statistic: Callable[[Values], float] = _mean
    unit: str = ""


def _measures(least_share: float) -> tuple[_Measure, ...]:
    return (
        _Measure(
            name="crossings that are predicted",
            meaning="share of the materials that cross for which at least half of the members see "
            "a crossing",
            values=lambda c: c.predicted[c.crosses],
        ),
        _Measure(
            name="crossings that are invented",
            meaning="the same share of the materials that do not cross",
            values=lambda c: c.predicted[~c.crosses],
        ),
        _Measure(
            name="materials that cross told apart",
            meaning="area under the ROC curve of the share of the members that see a crossing; "
            "0.5 is chance",
            values=Check.seen_and_crosses,
            statistic=_area,
        ),
        _Measure(
            name=_ERROR,
            meaning="mean absolute error where there is a crossing and it is predicted",
            values=lambda c: c.errors,
            unit="eV",
        ),
        _Measure(
            name="Spearman of spread and error",
            meaning="does the spread of the members tell the error of the crossover?",
            values=Check.spread_and_error,
            statistic=_correlation,
        ),
        _Measure(
            name="candidates that are right",
            meaning="share of the candidates whose known spectrum passes the criteria",
            values=lambda c: c.right(least_share),
        ),
        _Measure(
            name="low-loss zeros that are found",
            meaning="share of the known spectra that pass the criteria whose material is a "
            "candidate",
            values=lambda c: c.candidates(least_share),
        ),
    )


def check_effects(
    check: Check, controls: Mapping[str, Check], least_share: float, seed: int
) -> list[Effect]:
    """Return what the check says, with the same numbers of the controls; materials resampled."""
    effects = []
    for measure in _measures(least_share):
        values = np.asarray(measure.values(check), dtype=np.float64)
        interval = bootstrap(values, measure.statistic, seed=seed)
        beside = {
            name: measure.statistic(np.asarray(measure.values(c), dtype=np.float64))
            for name, c in controls.items()
        }
        if measure.name == _ERROR:
            beside[MEAN_OF_OTHERS] = check.error_of_mean()
        effects.append(
            Effect.within(
                measure.name,
                interval,
                n=len(values),
                unit=measure.unit,
                meaning=measure.meaning,
                controls=beside,
            )
        )
    return effects
