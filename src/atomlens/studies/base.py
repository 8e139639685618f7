"""What every study owes its reader: numbers with intervals, controls, and verdicts.

A study asks one question about what attention shows. Its answer is a `StudyResult`: effects
(a number, its confidence interval, the same number of the controls), claims (a published
statement, its criterion, whether it holds here), tables, and what could not be used.
"""

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from atomlens.datasets.base import Dataset
from atomlens.errors import Failure, SettingsError, StudyError, StudySettingsError
from atomlens.files import place_of
from atomlens.settings import Settings
from atomlens.studies.statistics import Interval

if TYPE_CHECKING:
    from atomlens.predictor import Predictor

Verdict = Literal["holds", "as much in controls", "fails", "not tested"]
"""``holds``: beyond its limit and beyond every control, intervals included, in every training."""
Row = Mapping[str, object]
Progress = Callable[[int, int], None]
"""Called with the number of steps done and in all."""


def no_progress(done: int, total: int) -> None:
    """Say nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One measured number, with what the controls give in its place."""

    name: str
    value: float
    low: float
    """Lower end of the 95 % confidence interval; NaN if there is none."""
    high: float
    """Upper end of the 95 % confidence interval; NaN if there is none."""
    n: int
    """Units that were resampled for the interval (molecules, crystals, atoms: see meaning)."""
    unit: str = ""
    meaning: str = ""
    controls: Mapping[str, float] = field(default_factory=dict)
    """The same number of ``untrained``, ``shuffled labels`` and whatever else is a control."""

    @classmethod
    def within(
        cls,
        name: str,
        interval: Interval,
        n: int,
        meaning: str,
        controls: Mapping[str, float] | None = None,
        unit: str = "",
    ) -> "Effect":
        """Return a number with the interval that it was measured with."""
        value, low, high = interval
        return cls(
            name=name,
            value=value,
            low=low,
            high=high,
            n=n,
            unit=unit,
            meaning=meaning,
            controls=controls or {},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """By how much the trained network is beyond a control, in the direction of the claim."""

    value: float
    low: float
    """Ends of the 95 % confidence interval; NaN if there is none."""
    high: float
    control: float
    """The number itself in the control, the mean of its networks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One number that a claim rests on, with its limit and its controls."""

    name: str
    value: float
    low: float
    high: float
    limit: float
    above: bool = True
    """Whether the claim wants it above the limit; else below."""
    learned: bool = True
    """Whether it must be beyond the controls; what symmetry forces need not be."""
    controls: Mapping[str, Margin] = field(default_factory=dict)
    """By the control's name."""
    unit: str = ""
    n: int = 0
    """Units, or trainings, that were drawn."""
    n_beyond: int = 0
    """Trainings whose own number is beyond the limit, where trainings are drawn."""
    unjudged: str = ""
    """Why there is no interval, or no number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedTraining:
    """A claim in one training; in several, where nothing but trainings can be drawn."""

    training: str
    """Label of the model, or of the models."""
    verdict: Verdict
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A statement of a paper, and what we find."""

    identifier: str
    """As in the list of claims of the documentation, such as S6."""
    statement: str
    criterion: str
    """What must be found for the claim to hold, fixed beforehand."""
    verdict: Verdict
    evidence: str
    """The numbers that decide, also those of the controls."""
    chance: str = ""
    """How often, or at which level, nothing but chance meets the criterion."""
    n_held: int = 0
    """Trainings in which it holds."""
    n_trainings: int = 0
    """Trainings in which it could be tested."""
    judged: tuple[JudgedTraining, ...] = ()
    """Every training, in the order of its label: the order of the models decides nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyResult:
    """The answer of a study."""

    study: str
    question: str
    models: tuple[str, ...]
    settings: Mapping[str, object]
    n_structures: int
    """Structures that were used."""
    effects: tuple[Effect, ...]
    claims: tuple[Claim, ...] = ()
    tables: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    """Rows by the name of the table; each is written as a CSV file."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """How many structures were given, left out for a reason that is no fault, and so on."""
    failures: tuple[Failure, ...] = ()
    """Structures that could not be used, with the reason."""
    notes: tuple[str, ...] = ()
    """What a reader must know to judge the numbers."""
    shown: Sequence[Row] = ()
    """Rows for the terminal, such as the first ones of a ranked table."""
    seen_in: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """By model: how many of the structures given were in each part of its training, by content;
    ``none``: in no part, ``unknown``: its folder does not say."""
    warnings: Mapping[str, str] = field(default_factory=dict)
    """By name: what the readers found doubtful about a structure."""
    made_by: tuple[Mapping[str, str], ...] = ()
    """What tells each model from others: `Predictor.identity`."""

    def noted(self, *notes: str) -> "StudyResult":
        """Return the result with more notes."""
        return replace(self, notes=(*self.notes, *notes))

    def effect(self, name: str) -> Effect:
        """Return the effect of a name."""
        return next(e for e in self.effects if e.name == name)

    def __repr__(self) -> str:
        verdicts = ", ".join(f"{claim.identifier} {claim.verdict}" for claim in self.claims)
        told = verdicts or ", ".join(e.name for e in self.effects)
        models = ", ".join(self.models)
        return f"<StudyResult: {self.study} of {models}, {self.n_structures} structures: {told}>"

    def _repr_html_(self) -> str:
        from atomlens.reports.notebook import table_html

        effects = [
            {
                "number": e.name,
                "value": e.value,
                "low": e.low,
                "high": e.high,
                "unit": e.unit or None,
            }
            | {f"{name} (control)": value for name, value in e.controls.items()}
            | {"n": e.n, "meaning": e.meaning}
            for e in self.effects
        ]
        claims = [
            {"claim": c.identifier, "statement": c.statement, "verdict": c.verdict}
            | {"evidence": c.evidence}
            for c in self.claims
        ]
        title = f"Study {self.study}: {self.question}"
        used = f"{self.n_structures} structures; models: {', '.join(self.models)}."
        tables = table_html(effects, title=title, notes=[used, *self.notes])
        return tables + (table_html(claims, title="Claims") if claims else "")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON; numbers that are not finite become None."""
        content = asdict(self)
        del content["tables"], content["shown"]
        plain: dict[str, Any] = _plain(content)
        return plain

    def save(self, folder: str | Path) -> list[Path]:
        """Write ``study.json`` and a CSV file for each table; return what was written."""
        from atomlens.files import make_folder, write_text
        from atomlens.reports.tables import write_table

        out = make_folder(place_of(folder))
        written = []
        for name, rows in self.tables.items():
            if rows:
                write_table([dict(row) for row in rows], out / f"{name}.csv")
                written.append(out / f"{name}.csv")
        text = json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False)
        write_text(text + "\n", out / "study.json")
        return [*written, out / "study.json"]


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyInput:
    """What a study works on."""

    models: tuple["Predictor", ...]
    """Trained models, in the order given; studies tell them apart by their target."""
    data: Dataset
    """Structures, with values where the source has them."""
    shuffled: tuple["Predictor", ...] = ()
    """Control: models of the same kinds, trained on shuffled labels (`shuffle_targets`)."""
    use_known: bool = False
    """Also judge what the models were trained on (``--all``); for studies that leave it out by
    themselves, in the data of the others it is left out already."""
    progress: Progress = no_progress
    seed: int = 0
    """Draws which form of a structure is taken, where it has several (`answering.independent`)."""
    notes: tuple[str, ...] = ()
    """What was done to the structures before; stands in the result."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Structures that were read and are not in the data, by the reason; stands in the result's
    counts."""


class StudySettings(Settings):
    """Base of the settings of studies."""

    __slots__ = ()
    error: ClassVar[type[SettingsError]] = StudySettingsError


class Study(ABC):
    """A question about what attention shows; an entry of ``STUDIES``."""

    name: ClassVar[str]
    summary: ClassVar[str]
    """One line: the question."""
    Settings: ClassVar[type]
    """Frozen dataclass of the settings, each with a default and a line of explanation."""
    needs_data: ClassVar[bool] = True
    """Whether structures must be given."""
    reads_values: ClassVar[bool] = True
    """Whether values that stand beside the structures are used; else nothing is read of them, and
    a cell that is no number leaves no structure out."""
    leaves_out_known: ClassVar[bool] = False
    """Whether it finds out by itself what the models were trained on, unless `use_known`."""

    asks_attention: ClassVar[bool] = False
    """Whether it is about the attention of a model, and not about one target by its settings."""
    takes_spectra: ClassVar[bool] = False
    """Whether it is about models of spectra, not of single numbers."""
    takes_formulas: ClassVar[bool] = True
    """Whether it is also about models of formulas, which tell no two atoms of an element apart."""
    takes_shuffled: ClassVar[bool] = True
    """Whether models trained on shuffled labels are a control of it."""
    makes_map: ClassVar[bool] = False
    """Whether `write_map` lays structures out in a plane for an explorer."""

    def __init__(self, settings: Any = None) -> None:
        self.settings = self.Settings() if settings is None else settings

    def check_models(self, models: "Sequence[Predictor]") -> None:
        """Raise a StudyError for a model that the study is not about.

        That is one of a spectrum in a study of single numbers, or of formulas in one of atoms.
        """
        for model in models:
            if not (self.takes_formulas or model.builder.needs_positions):
                named = ", ".join(t.name for t in model.targets[:3])
                raise StudyError(
                    f"{self.name}: the model of {named} reads formulas, and this study is about "
                    "atoms that stand somewhere; give a model of structures."
                )
        for target in (t for model in models for t in model.targets):
            if target.is_spectrum and not self.takes_spectra:
                raise StudyError(
                    f"{self.name}: {target.name!r} is a spectrum, and this study is about single "
                    "numbers; give a model of one."
                )

    def read(self, inputs: Sequence[str]) -> Dataset | None:
        """Read the inputs of the command in a way of its own; None to have them read as usual."""
        return None

    @abstractmethod
    def run(self, given: StudyInput) -> StudyResult:
        """Answer the question.

        Raises:
            StudyError: nothing that was given can be used.
        """

    @abstractmethod
    def draw(self, result: StudyResult, folder: Path) -> list[Path]:
        """Draw the figures of a result from its tables; return the files."""

    def write_map(
        self, result: StudyResult, given: StudyInput, path: Path, progress: Progress = no_progress
    ) -> None:
        """Write structures, laid out in a plane, for chemiscope; see `makes_map`.

        Raises:
            StudyError: this study has no map.
            SettingsError: a structure has no positions, or the name ends otherwise.
            MissingDependencyError: chemiscope is not installed.
        """
        raise StudyError(f"{self.name}: this study lays nothing out; leave --chemiscope out.")
