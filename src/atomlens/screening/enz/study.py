"""Epsilon near zero: which formulas have a low-loss zero of their permittivity (F10)?

After Ihalage and Hao, "Formula graph self-attention network for representation-domain independent
materials discovery", Advanced Science (2022), whose screening this follows. What it adds: every
member of an ensemble judges by itself, and where spectra are known, predictions stand beside them.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, final

import numpy as np

from atomlens.datasets.base import Dataset
from atomlens.datasets.splits import reduced_formulas
from atomlens.errors import StudyError
from atomlens.predictor import Predictor
from atomlens.printing import counted
from atomlens.screening.enz.candidates import (
    hull_energies,
    keys_in_file,
    most_stable,
    read_candidates,
    read_known,
    reads_spectra,
)
from atomlens.screening.enz.causality import departure
from atomlens.screening.enz.check import check_effects
from atomlens.screening.enz.claim import Screened, papers_list
from atomlens.screening.enz.figure import draw_check, draw_dispersion, draw_losses, draw_pairs
from atomlens.screening.enz.judging import (
    JudgedCandidates,
    Task,
    Truth,
    judge_all,
    may_judge,
    members_of,
)
from atomlens.screening.enz.members import Judge, judges_of
from atomlens.screening.enz.numbers import (
    Criteria,
    Pick,
    Wanted,
    element_pairs,
    frequent_pairs,
)
from atomlens.screening.enz.ranking import Candidate, Choice, band_rows, ranked
from atomlens.settings import bounded
from atomlens.studies.base import Effect, Row, Study, StudyInput, StudyResult, StudySettings
from atomlens.studies.controls import refuse_unshuffled
from atomlens.studies.rows import as_number
from atomlens.studies.statistics import bootstrap

_SHOWN = ("formula", "passes", "crossover [eV]", "crossover_std [eV]", "range", "loss", "loss_std")
_N_SHOWN = 10
_N_CAUSAL = 50
"""Formulas whose two parts are held against each other, the first of the ranking."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnzSettings(StudySettings):
    """Settings of ``enz``; the defaults are the criteria of the paper."""

    real: str = "eps_re"
    """target name of the real part of the permittivity"""
    imaginary: str = "eps_im"
    """target name of the imaginary part"""
    direction: Wanted = "down"
    """which zeros count: from positive to negative with rising energy, up, or both"""
    pick: Pick = "first"
    """of several, the first one or the one of lowest-loss"""
    above: float = bounded(0.1, least=0)
    """eV; zeros at or below it do not count"""
    limit: float = bounded(1.0, above=0)
    """the window is where the absolute real part is below it"""
    lowest: float = bounded(0.5, above=0, unit="eV")
    """eV; criterion: the crossover is not below it"""
    highest: float = bounded(12.4, above=0, unit="eV")
    """eV; criterion: the crossover is not above it"""
    largest_loss: float = bounded(2.0, above=0)
    """criterion: the imaginary part at the crossover is below it"""
    largest_hull_energy: float = bounded(0.025, least=0)
    """eV/atom; criterion: the energy above the convex hull is below it, where it is known"""
    least_share: float = bounded(0.5, above=0, most=1)
    """a candidate passes in at least this share of the members"""
    least_pairs: int = bounded(5, least=1)
    """pairs of elements in fewer candidates are not drawn"""
    exclude: str = ""
    """file with formulas to leave out, such as those that the models were trained on"""
    n_drawn: int = bounded(4, least=1)
    """candidates whose dielectric function is drawn"""
    seed: int = bounded(0, least=0)
    """decides the resampling of the intervals"""

    def check_together(self) -> None:
        """Refuse an empty range of crossovers."""
        if self.lowest >= self.highest:
            raise StudyError(f"enz: lowest={self.lowest:g} is not below highest={self.highest:g}.")


def choice_of(s: EnzSettings) -> Choice:
    """Return which zero counts."""
    return Choice(direction=s.direction, above=s.above, pick=s.pick, limit=s.limit)


def criteria_of(s: EnzSettings) -> Criteria:
    """Return what a candidate must satisfy."""
    return Criteria(
        lowest=s.lowest,
        highest=s.highest,
        largest_loss=s.largest_loss,
        largest_hull_energy=s.largest_hull_energy,
    )


@final
class Enz(Study):
    """Which formulas are predicted to have a low-loss zero of their permittivity?"""

    name: ClassVar[str] = "enz"
    summary: ClassVar[str] = "which formulas have a permittivity near zero, and how sure is that?"
    Settings: ClassVar[type] = EnzSettings
    leaves_out_known: ClassVar[bool] = True
    takes_spectra: ClassVar[bool] = True

    def read(self, inputs: Sequence[str]) -> Dataset | None:
        """Read formulas, lists and tables of them; data with known spectra are read as usual."""
        if reads_spectra(inputs):
            return None
        s = self.settings
        known = read_known(inputs, s.real, s.imaginary)
        return read_candidates(inputs) if known is None else known

    def run(self, given: StudyInput) -> StudyResult:
        """Judge every formula that the models do not know.

        Raises:
            StudyError: models do not fit together, or no formula is left.
        """
        s = self.settings
        judges = judges_of(given.models, s.real, s.imaginary)
        refuse_unshuffled(given.shuffled)
        shuffled = judges_of(given.shuffled, s.real, s.imaginary) if given.shuffled else ()
        task, counts = self._task(given, judges)
        judged = judge_all(judges, task, given.progress)
        _refuse_nothing(judged, task)
        control = judge_all(shuffled, task) if shuffled else None
        order = ranked(judged.candidates)
        passing = [c for c in order if c.share >= s.least_share]
        pairs = element_pairs(c.elements for c in passing)
        rows = [c.table_row() for c in order]
        keys = dict(enumerate(task.keys))
        found = Screened.of(order, passing, keys, pairs, judges, given.models)
        return StudyResult(
            study=self.name,
            question=f"{self.summary[0].upper()}{self.summary[1:]}",
            models=tuple(_called(model) for model in given.models),
            settings=asdict(s),
            n_structures=len(order),
            effects=(
                *self._screening(judged, control),
                *self._check(judged, control),
                *self._causality(order, judges, task),
            ),
            claims=(papers_list(found, self._found_by(control, task, shuffled, given)),)
            if found.ranges  # else none of the compounds that it is about was judged
            else (),
            tables={
                "candidates": rows,
                "pairs": [{"first": a, "second": b, "n": n} for (a, b), n in pairs.items()],
                "spectra": self._spectra(order, judges, task),
                **_check_tables(judged, control),
            },
            counts=counts | {"judged": len(order), "candidates": len(passing)},
            failures=judged.failures,
            notes=_notes(judges, order, data=given.data),
            shown=[{name: row[name] for name in _SHOWN} for row in rows[:_N_SHOWN]],
        )

    def _found_by(
        self,
        control: JudgedCandidates | None,
        task: Task,
        judges: Sequence[Judge],
        given: StudyInput,
    ) -> list[Screened]:
        """Return what models trained on shuffled labels find, if there are some."""
        if control is None:
            return []
        order = ranked(control.candidates)
        passing = [c for c in order if c.share >= self.settings.least_share]
        pairs = element_pairs(c.elements for c in passing)
        keys = dict(enumerate(task.keys))
        return [Screened.of(order, passing, keys, pairs, judges, given.shuffled)]

    def _task(self, given: StudyInput, judges: Sequence[Judge]) -> tuple[Task, dict[str, int]]:
        """Return what is to be judged, and what was left out."""
        s, data = self.settings, given.data
        keys, energies = reduced_formulas(data.structures), hull_energies(data)
        excluded = keys_in_file(Path(s.exclude)) if s.exclude else frozenset()
        rows = most_stable(keys, energies)
        left = np.array([r for r in rows.tolist() if keys[r] not in excluded], dtype=np.int64)
        task = Task(
            data=data,
            rows=left,
            keys=keys,
            hull_energies=energies,
            truth=Truth.of(data, s.real, s.imaginary),
            choice=choice_of(s),
            criteria=criteria_of(s),
            judge_known=given.use_known,
        )
        n_left = len(set().union(*(may_judge(judge, task).tolist() for judge in judges)))
        counts = {
            "formulas given": len(data),
            "the same formula again": len(data) - len(rows),
            "left out, in the list to exclude": len(rows) - len(left),
            "left out, the models were trained on them": len(left) - n_left,
            "without energy above the hull": int(np.isnan(energies[left]).sum()),
        }
        if not n_left:
            raise StudyError(
                f"enz: none of the {len(data)} formulas is left to judge: the models were trained "
                "on them, or they are in the list to exclude; give others, or use --all (in Python "
                "use_known=True)."
            )
        return task, counts

    def _screening(
        self, judged: JudgedCandidates, control: JudgedCandidates | None
    ) -> list[Effect]:
        """Return how many candidates there are, and how many of them all members agree on."""
        s = self.settings
        n = len(judged.candidates)
        levels = (
            (f"candidates in {s.least_share:.0%} of the members", s.least_share),
            ("candidates in every member", 1.0),
        )
        return [
            Effect(
                name=name,
                value=_n_passing(judged, level),
                low=np.nan,
                high=np.nan,
                n=n,
                meaning="formulas that pass the criteria, of n that were judged",
                controls={} if control is None else {"shuffled labels": _n_passing(control, level)},
            )
            for name, level in levels
        ]

    def _check(self, judged: JudgedCandidates, control: JudgedCandidates | None) -> list[Effect]:
        """Return how right the crossovers are, where spectra are known."""
        if judged.check is None:
            return []
        known = {"shuffled labels": control.check} if control and control.check else {}
        s = self.settings
        return check_effects(judged.check, known, s.least_share, s.seed)

    def _causality(
        self, order: Sequence[Candidate], judges: Sequence[Judge], task: Task
    ) -> list[Effect]:
        """Return how far the predicted parts are from belonging together (Kramers and Kronig).

        The control exchanges them: the real part of one formula with the imaginary part of the
        next. Where spectra are known, theirs stand beside it.
        """
        energies = judges[0].energies
        parts = []
        for candidate in order[:_N_CAUSAL]:
            real, imaginary = members_of(judges, task, candidate.row)
            parts.append((real.mean(axis=0), imaginary.mean(axis=0)))
        own = np.array([departure(energies, *pair) for pair in parts])
        found = own[np.isfinite(own)]
        if not len(found):
            return []
        exchanged = [
            departure(energies, first[0], second[1])
            for first, second in zip(parts, parts[1:] + parts[:1], strict=True)
        ]
        controls = {}
        if len(parts) > 1:
            controls["parts of two formulas"] = float(np.nanmedian(exchanged))
        truth = task.truth
        if truth is not None:
            rows = [c.row for c in order[:_N_CAUSAL]]
            known = [departure(truth.energies, truth.eps_re[r], truth.eps_im[r]) for r in rows]
            if np.isfinite(known).any():
                controls["known spectra"] = float(np.nanmedian(known))
        return [
            Effect.within(
                "departure from Kramers and Kronig",
                bootstrap(found, lambda v: float(np.median(v)), seed=self.settings.seed),
                n=len(found),
                meaning="share of the spread of the real part that the imaginary part does not "
                "explain, median of the first formulas; 0 if both belong together",
                controls=controls,
            )
        ]

    def _spectra(
        self, order: Sequence[Candidate], judges: Sequence[Judge], task: Task
    ) -> list[Row]:
        """Return the dielectric functions of the first candidates, a row a point."""
        found: list[Row] = []
        for candidate in order[: self.settings.n_drawn]:
            real, imaginary = members_of(judges, task, candidate.row)
            found += band_rows(candidate.formula, judges[0].energies, real, imaginary)
        return found

    def draw(self, result: StudyResult, folder: Path) -> list[Path]:
        """Draw the first candidates, and the network of their elements if there is one."""
        spectra = result.tables["spectra"]
        pictures = [
            draw_dispersion(result.tables["candidates"], spectra, folder / "dispersion.png")
        ]
        found = result.tables["candidates"]
        if any(np.isfinite(as_number(row["crossover [eV]"])) for row in found):
            s = self.settings
            limits = (s.lowest, s.highest, s.largest_loss)
            pictures.append(draw_losses(found, limits, folder / "loss-against-crossover.png"))
        pairs = {
            (str(r["first"]), str(r["second"])): int(str(r["n"])) for r in result.tables["pairs"]
        }
        frequent = frequent_pairs(pairs, self.settings.least_pairs)
        if frequent:
            pictures.append(draw_pairs(frequent, folder / "pairs.png"))
        check = result.tables.get("check")
        if check:
            pictures.append(draw_check(check, folder / "check.png"))
        return pictures


def _refuse_nothing(judged: JudgedCandidates, task: Task) -> None:
    if not judged.candidates:
        first = f" {judged.failures[0].message}" if judged.failures else ""
        raise StudyError(f"enz: none of the {len(task.rows)} formulas can be judged.{first}")


def _called(model: Predictor) -> str:
    return f"{model.model_name} ({model.record.data or 'unknown data'})"


def _n_passing(judged: JudgedCandidates, level: float) -> float:
    return float(sum(c.share >= level for c in judged.candidates))


def _check_tables(
    judged: JudgedCandidates, control: JudgedCandidates | None
) -> dict[str, Sequence[Row]]:
    if judged.check is None:
        return {}
    confusion = judged.check.confusion_rows("trained")
    if control is not None and control.check is not None:
        confusion += control.check.confusion_rows("shuffled labels")
    return {"check": judged.check.material_rows(), "confusion": confusion}


def _notes(judges: Sequence[Judge], order: Sequence[Candidate], data: Dataset) -> tuple[str, ...]:
    energies = judges[0].energies
    members = {len(c.readings) for c in order}
    n_members = " or ".join(map(str, sorted(members)))
    notes = [
        f"Each formula is judged by {n_members} members; the models see "
        f"{energies[0]:g} to {energies[-1]:g} eV in {counted(len(energies), 'point')}, and no "
        "crossing outside."
    ]
    names = set(data.structures.names)
    if any(j.n_unknown or not j.samples for j in judges if not j.samples & names):
        notes.append(
            "A model does not say all formulas that it was trained on (samples named otherwise): "
            "list them in a file and give --set exclude=FILE (in Python exclude=)."
        )
    n_gain = sum(bool(c.gain) for c in order)
    if n_gain:
        notes.append(
            f"For {n_gain} of {counted(len(order), 'formula')} a member predicts an imaginary part "
            "below zero at the crossing, which no passive material has: such a member does not "
            "count as passing. A model of the imaginary part that was trained with --nonnegative "
            "(in Python nonnegative) predicts none; where the data write losses as negative, "
            "change their sign."
        )
    if max(members) == 1:
        notes.append(
            "One member alone says nothing about how sure it is: train with --ensemble 5 (in "
            "Python ensemble=5)."
        )
    return tuple(notes)
