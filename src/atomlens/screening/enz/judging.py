"""Every formula judged by every member of every ensemble that has not seen it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.base import Dataset
from atomlens.elements import SYMBOLS
from atomlens.errors import Failure
from atomlens.screening.enz.candidates import formula_as_written
from atomlens.screening.enz.check import Check
from atomlens.screening.enz.members import Judge, Spectra, predict_members
from atomlens.screening.enz.numbers import Criteria
from atomlens.screening.enz.ranking import Candidate, Choice, SpectrumReading, read_spectrum
from atomlens.studies.base import Progress, no_progress

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """Known spectra of all rows of a data set."""

    energies: Values
    """(n_points,) eV"""
    eps_re: Values
    """(n, n_points); NaN where unknown"""
    eps_im: Values
    """(n, n_points)"""

    @classmethod
    def of(cls, data: Dataset, real: str, imaginary: str) -> "Truth | None":
        """Return the spectra of a data set; None if it has none of both, on one grid in eV.

        Where a spectrum had ended and its last value is held, it is unknown.
        """
        targets = {t.name: t for t in data.targets if t.is_spectrum}
        if not {real, imaginary} <= set(targets):
            return None
        grid = targets[real].grid
        if grid != targets[imaginary].grid or targets[real].grid_unit != "eV":
            return None
        return cls(
            energies=np.array(grid),
            eps_re=_known_values(data.select_targets([real])),
            eps_im=_known_values(data.select_targets([imaginary])),
        )

    def known(self, row: int, energies: Values) -> NDArray[np.bool_]:
        """(n_energies,) which energies lie in the range where the spectrum of a row is known."""
        place = self.energies[np.isfinite(self.eps_re[row])]
        if not len(place):
            return np.zeros(len(energies), dtype=np.bool_)
        inside: NDArray[np.bool_] = (energies >= place[0]) & (energies <= place[-1])
        return inside

    def reading(self, row: int, energies: Values, choice: Choice) -> SpectrumReading:
        """Read the true crossing of a row, in the range of ``energies`` (those of the models)."""
        seen = (self.energies >= energies[0]) & (self.energies <= energies[-1])
        real = np.where(seen, self.eps_re[row], np.nan)
        return read_spectrum(self.energies, real, self.eps_im[row], choice)


def _known_values(data: Dataset) -> Values:
    return data.values if data.held is None else np.where(data.held, np.nan, data.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is to be judged, and how."""

    data: Dataset
    rows: NDArray[np.int64]
    """(n_given,) rows of the data to judge"""
    keys: NDArray[np.str_]
    """(n,) of all rows of the data"""
    hull_energies: Values
    """(n,) eV/atom"""
    truth: Truth | None
    choice: Choice
    criteria: Criteria
    judge_known: bool
    """Formulas are also judged by models that were trained on them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedCandidates:
    """What the judges said."""

    candidates: tuple[Candidate, ...]
    check: Check | None
    """Beside the known spectra, if there are any."""
    failures: tuple[Failure, ...]


def may_judge(judge: Judge, task: Task) -> NDArray[np.int64]:
    """Return the rows that a judge may judge: all that it was not trained on.

    They are told by their formula, and where samples are named otherwise by their name.
    """
    if task.judge_known:
        return task.rows
    names = task.data.structures.names
    unknown = [
        row
        for row in task.rows.tolist()
        if task.keys[row] not in judge.known and names[row] not in judge.samples
    ]
    return np.array(unknown, dtype=np.int64)


def judge_all(
    judges: Sequence[Judge], task: Task, progress: Progress = no_progress
) -> JudgedCandidates:
    """Read the crossings that all judges predict, some formulas at a time."""
    own = [may_judge(judge, task) for judge in judges]
    done, total = 0, sum(map(len, own))
    readings: dict[int, list[SpectrumReading]] = defaultdict(list)
    covered: dict[int, list[SpectrumReading]] = defaultdict(list)
    warnings: dict[int, str] = {}
    failures: dict[str, Failure] = {}
    for judge, rows in zip(judges, own, strict=True):
        for start in range(0, len(rows), judge.chunk):
            chunk = rows[start : start + judge.chunk]
            spectra = predict_members(judge, task.data.structures.subset(chunk))
            failures |= {failure.name: failure for failure in spectra.failures}
            for place, row in enumerate(chunk[spectra.rows].tolist()):
                energies = judge.energies
                readings[row] += _readings(energies, spectra, place, task.choice)
                if spectra.warnings[place]:
                    warnings[row] = spectra.warnings[place]
                if task.truth is not None:
                    inside = task.truth.known(row, energies)
                    covered[row] += _readings(energies, spectra, place, task.choice, inside)
            done += len(chunk)
            progress(done, total)
    return JudgedCandidates(
        candidates=tuple(_candidate(task, row, found, warnings) for row, found in readings.items()),
        check=_check(task, covered, judges[0].energies),
        failures=tuple(failures.values()),
    )


def _readings(
    energies: Values,
    spectra: Spectra,
    place: int,
    choice: Choice,
    inside: NDArray[np.bool_] | None = None,
) -> list[SpectrumReading]:
    """Return the reading of each member for one formula, of the energies inside alone."""
    real = spectra.eps_re[:, place]
    if inside is not None:
        real = np.where(inside, real, np.nan)
    pairs = zip(real, spectra.eps_im[:, place], strict=True)
    return [read_spectrum(energies, re, im, choice) for re, im in pairs]


def _candidate(
    task: Task, row: int, readings: Sequence[SpectrumReading], warnings: dict[int, str]
) -> Candidate:
    structure = task.data.structures[row]
    return Candidate(
        row=row,
        name=structure.name,
        formula=formula_as_written(structure.atomic_numbers),
        elements=tuple(SYMBOLS[z] for z in np.unique(structure.atomic_numbers).tolist()),
        hull_energy=float(task.hull_energies[row]),
        readings=tuple(readings),
        criteria=task.criteria,
        warning=warnings.get(row, ""),
    )


def _check(task: Task, covered: dict[int, list[SpectrumReading]], energies: Values) -> Check | None:
    """Compare the readings with the known spectra; None without any."""
    truth = task.truth
    rows = [] if truth is None else [r for r in covered if truth.known(r, energies).any()]
    if truth is None or not rows:
        return None
    return Check.of(
        [formula_as_written(task.data.structures[r].atomic_numbers) for r in rows],
        [truth.reading(r, energies, task.choice) for r in rows],
        [covered[r] for r in rows],
        task.criteria,
    )


def members_of(judges: Sequence[Judge], task: Task, row: int) -> tuple[Values, Values]:
    """Return both parts (n_members, n_points) that all judges of a formula predict for it."""
    able = [judge for judge in judges if row in may_judge(judge, task)]
    spectra = [predict_members(judge, task.data.structures.subset([row])) for judge in able]
    real, imaginary = (
        np.concatenate([getattr(s, part)[:, 0] for s in spectra if len(s.rows)])
        for part in ("eps_re", "eps_im")
    )
    return real, imaginary
