"""From what the members of an ensemble say to a ranked list of candidates."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.printing import counted
from atomlens.screening.enz.numbers import (
    GAIN,
    Criteria,
    Crossing,
    EnergyWindow,
    Pick,
    Wanted,
    choose_crossing,
    mean_and_std,
    near_zero_window,
    spectral_range,
    zero_crossings,
)
from atomlens.studies.base import Row

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which crossing stands for a material, and what counts as its window."""

    direction: Wanted
    above: float
    """eV"""
    pick: Pick
    limit: float
    """Of the absolute real part in the window."""


class SpectrumReading(NamedTuple):
    """What is read off one spectrum; nothing where it has no crossing that counts."""

    crossing: Crossing | None
    window: EnergyWindow | None


def read_spectrum(
    energies: Values, eps_re: Values, eps_im: Values, choice: Choice
) -> SpectrumReading:
    """Read the crossing and its window off one spectrum, each part (n_points,)."""
    crossing = choose_crossing(
        zero_crossings(energies, eps_re, eps_im),
        direction=choice.direction,
        above=choice.above,
        pick=choice.pick,
    )
    if crossing is None:
        return SpectrumReading(None, None)
    return SpectrumReading(
        crossing, near_zero_window(energies, eps_re, crossing, limit=choice.limit)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A formula and what each member of the ensemble reads for it."""

    row: int
    """In the list of formulas."""
    name: str
    """What the list calls it."""
    formula: str
    elements: tuple[str, ...]
    hull_energy: float
    """eV/atom; NaN where unknown"""
    readings: tuple[SpectrumReading, ...]
    """One a member that may judge it."""
    criteria: Criteria
    warning: str = ""
    """Why the members should be mistrusted; empty where nothing is known."""

    @property
    def share(self) -> float:
        """Share of the members in which it passes the criteria."""
        passed = [self.criteria.passes(r.crossing, self.hull_energy) for r in self.readings]
        return float(np.mean(passed))

    @property
    def gain(self) -> str:
        """A sentence where members predict an imaginary part below zero at the crossing."""
        n = sum(loss < -GAIN for loss in self.losses)
        if not n:
            return ""
        return (
            f"the imaginary part is below zero at {n} of {counted(len(self.losses), 'crossing')} "
            "that the members see: a gain, which no passive material has, and no low loss"
        )

    @property
    def energies(self) -> list[float]:
        """Energies of the crossing, eV, of the members that see one."""
        return [r.crossing.energy for r in self.readings if r.crossing is not None]

    @property
    def losses(self) -> list[float]:
        """Imaginary parts at the crossing, of the members that see one."""
        return [r.crossing.loss for r in self.readings if r.crossing is not None]

    def table_row(self) -> Row:
        """Return everything about it as a row of the ranked table."""
        crossover, crossover_std = mean_and_std(self.energies)
        loss, loss_std = mean_and_std(self.losses)
        windows = [r.window for r in self.readings if r.window is not None]
        return {
            "formula": self.formula,
            "name": self.name,
            "passes": self.share,
            "crosses": len(self.energies) / len(self.readings),
            "members": len(self.readings),
            "crossover [eV]": crossover,
            "crossover_std [eV]": crossover_std,
            "range": spectral_range(crossover),
            "loss": loss,
            "loss_std": loss_std,
            "window_low [eV]": mean_and_std([w.low for w in windows])[0],
            "window_high [eV]": mean_and_std([w.high for w in windows])[0],
            "window_width [eV]": mean_and_std([w.width for w in windows])[0],
            "window_width [nm]": mean_and_std([w.width_nm for w in windows])[0],
            "window_cut": sum(w.is_cut for w in windows) / len(windows) if windows else None,
            "e_above_hull [eV/atom]": self.hull_energy,
            "warning": "; ".join(filter(None, (self.warning, self.gain))),
        }


def ranked(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates by the share of members that they pass in, then by |loss|."""

    def place(candidate: Candidate) -> tuple[float, float, float, str]:
        loss, _ = mean_and_std(candidate.losses)
        crosses = len(candidate.energies) / len(candidate.readings)
        return (
            -candidate.share,
            -crosses,
            float(np.nan_to_num(abs(loss), nan=np.inf)),
            candidate.formula,
        )

    return sorted(candidates, key=place)


def band_rows(formula: str, energies: Values, eps_re: Values, eps_im: Values) -> list[Row]:
    """Return the mean and spread over the members (n_members, n_points), a row a point."""

    def mean_std(members: Values) -> tuple[Values, Values]:
        several = len(members) > 1
        std = members.std(axis=0, ddof=1) if several else np.full(members.shape[1], np.nan)
        return members.mean(axis=0), std

    (real, real_std), (imaginary, imaginary_std) = mean_std(eps_re), mean_std(eps_im)
    columns = (energies, real, real_std, imaginary, imaginary_std)
    names = ("energy [eV]", "eps_re", "eps_re_std", "eps_im", "eps_im_std")
    points = zip(*(column.tolist() for column in columns), strict=True)
    return [{"formula": formula, **dict(zip(names, point, strict=True))} for point in points]
