"""Which surroundings of an atom go with which score? Means over a data set, with intervals.

The atoms of all structures are sorted by element, number of neighbours, hybridisation, ring,
functional group and, in crystals, site symmetry. Atoms of one molecule are not independent, so
intervals and tests resample whole structures.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, final

import numpy as np

from atomlens.chemistry.groups import KINDS, AtomNames, names_of_atoms
from atomlens.errors import ExplanationError, StudyError
from atomlens.explain import EXPLAINERS, check_method, default_method
from atomlens.explain.question import Values
from atomlens.predictor.explaining import explain_one
from atomlens.settings import bounded
from atomlens.structures.arrays import StructureArrays
from atomlens.studies.base import Effect, Row, Study, StudyInput, StudyResult, StudySettings
from atomlens.studies.environments.numbers import LEAST, Atoms, environment_row, with_holm
from atomlens.studies.faithful.asked import Asked
from atomlens.studies.networks import prepare
from atomlens.studies.rows import as_number, within
from atomlens.studies.statistics import Interval

_MOST_EXAMPLES = 12
"""Environments of which an example is drawn."""
_MOST_EFFECTS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentSettings(StudySettings):
    """Settings of ``environments``."""

    method: str = ""
    """method of `atomlens explain`; empty: contribution, attention or occlusion, the first that
    the model has"""
    target: str = ""
    """which property; empty: the first"""
    least: int = bounded(LEAST, least=1)
    """structures that an environment must occur in to have a row"""
    tolerance: float = bounded(0.01, above=0, unit="Å")
    """of the site symmetry of crystals"""
    seed: int = bounded(0, least=0)
    """decides the resampling of intervals"""


@final
class Environments(Study):
    """The study."""

    name = "environments"
    summary = "which surroundings of an atom go with which score?"
    Settings = EnvironmentSettings
    reads_values = False
    takes_spectra = True
    takes_shuffled = False

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        self._examples: list[tuple[str, Any]] = []

    def run(self, given: StudyInput) -> StudyResult:
        """Average the scores of one model.

        Raises:
            StudyError: there are several models, or no structure can be used.
        """
        if len(given.models) != 1:
            raise StudyError("environments are those of one model; run it once for each.")
        predictor, settings = given.models[0], self.settings
        method = settings.method or default_method(predictor.models[0])
        check_method(method)
        prepared = prepare(predictor, given.data.structures)
        structures = prepared.inputs.structures
        asked = _of_one_class(Asked.about(predictor, structures, settings.target or None))
        scores = {"score": _scores(asked, method)}
        notes: list[str] = []
        if method != "attention":
            try:
                shares = _scores(asked, "attention")
                scores["attention"] = shares * asked.structures.n_atoms[_owner(structures)]
            except ExplanationError as problem:
                notes.append(f"attention is left out: {problem}")
        known = []
        for done, structure in enumerate(structures, start=1):
            known.append(names_of_atoms(structure, settings.tolerance))
            given.progress(done, len(structures))
        unit = EXPLAINERS[method]().score_unit(asked.questions[0])
        rows: list[Row] = [
            {**row, "unit": unit} for row in with_holm(_rows(structures, known, scores, settings))
        ]
        has_attention = "attention" in scores
        notes = [
            *_notes(method, unit, rows, known, structures, settings.least, attention=has_attention),
            *notes,
        ]
        self._examples = _examples(asked, method, rows, known, scores["score"])
        return StudyResult(
            study=self.name,
            question="Which surroundings of an atom go with which score?",
            models=(predictor.model_name,),
            settings={
                **asdict(settings),
                "method": method,
                "target": asked.questions[0].target.name,
                "unit": unit,
            },
            n_structures=len(structures),
            effects=tuple(_effects(rows, unit)),
            tables={"environments": rows},
            counts={"given": len(given.data), "used": len(structures)},
            failures=prepared.failures,
            notes=tuple(notes),
            shown=_shown(rows),
        )

    def draw(self, result: StudyResult, folder: Path) -> list[Path]:
        """Draw the means with intervals, and write the page of examples."""
        from atomlens.files import write_text
        from atomlens.reports.page import write_page
        from atomlens.reports.still import can_be_text, structure_svg
        from atomlens.studies.environments.figure import draw_environments

        rows = result.tables["environments"]
        written = [draw_environments(rows, result.settings, folder / "environments.png")]
        pictures = [picture for _, picture in self._examples]
        if pictures:
            title = "Examples of environments, those that stand out most first"
            written.append(write_page(pictures, folder / "examples.html", title=title))
        for number, picture in enumerate(pictures, start=1):
            if can_be_text(picture):
                path = folder / f"example-{number:02}.svg"
                written.append(write_text(structure_svg(picture), path))
        return written


def _of_one_class(asked: Asked) -> Asked:
    """Ask all structures about one class, since means over several classes say nothing of any.

    It is the second of two, such as yes after no, and of more the one that is said most often.
    """
    target, labels = asked.questions[0].target, asked.labels
    if labels is None:
        return asked
    label = 1 if len(target.classes) == 2 else int(np.bincount(labels).argmax())
    return Asked.about(asked.predictor, asked.structures, target.name, label)


def _scores(asked: Asked, method: str) -> Values:
    """(n_atoms,) Scores of the structures, where one cannot be scored an error names it."""
    return asked.scores(method)[0]


def _owner(structures: StructureArrays) -> Any:
    return np.repeat(np.arange(len(structures)), structures.n_atoms)


def _rows(
    structures: StructureArrays,
    known: list[AtomNames],
    scores: dict[str, Values],
    settings: EnvironmentSettings,
) -> list[Row]:
    atoms = Atoms(
        owner=_owner(structures),
        element=structures.atomic_numbers.astype(np.int64),
        n_structures=len(structures),
    )
    weights = atoms.resampled(settings.seed)
    rows: list[Row] = []
    for kind in KINDS:
        names = np.array(_names(known, kind, structures))
        for name in np.unique(names[names != ""]).tolist():
            inside = names == name
            if len(np.unique(atoms.owner[inside])) >= settings.least:
                rows.append(environment_row(atoms, kind, name, inside, scores, weights))
    if not rows:
        raise StudyError(
            f"environments: none occurs in {settings.least} structures ({len(structures)} given); "
            "give more structures, or lower `least` (--least N of explain, --set least=N of study, "
            "in Python least=N)."
        )
    return rows


def _names(known: list[AtomNames], kind: Any, structures: StructureArrays) -> list[str]:
    counts = structures.n_atoms.tolist()
    return [
        name
        for own, n in zip(known, counts, strict=True)
        for name in own.names.get(kind, ("",) * n)
    ]


def _notes(
    method: str,
    unit: str,
    rows: list[Row],
    known: list[AtomNames],
    structures: StructureArrays,
    least: int,
    *,
    attention: bool,
) -> list[str]:
    beside = (
        " `attention` is in even shares (1: as much as the average atom of the structure)."
        if attention
        else ""
    )
    of = f" in {unit}" if unit else ""
    if not EXPLAINERS[method].in_target_units:
        of = " as a share (those of a structure sum to 1)"
    n_tested = sum(bool(np.isfinite(as_number(row["p"]))) for row in rows)
    notes = [
        f"`score` is the {method}{of}, the mean over atoms with the 95 % interval of resampled "
        f"structures.{beside} `difference` is to the other atoms of the same element (of an "
        "element: to all others), `cliffs_delta` its size without a unit, from -1 to 1; "
        f"`p_holm` is adjusted for the {n_tested} differences that were tested (Holm).",
        f"Environments in fewer than {least} structures have no row.",
        "A mean score of an environment is a statement on this model, and on these structures.",
    ]
    molecules = [
        own for own, s in zip(known, structures, strict=True) if not (s.pbc.any() or s.is_formula)
    ]
    lost = sum(not own.perceived for own in molecules)
    if lost:
        notes.append(
            f"Of {lost} of {len(molecules)} molecules no bond orders were found: they have no "
            "hybridisation, rings and groups."
        )
    return notes


def _examples(
    asked: Asked, method: str, rows: list[Row], known: list[AtomNames], scores: Values
) -> list[tuple[str, Any]]:
    """Return the environments that stand out most, each with a typical structure."""
    finest = [row for row in rows if row["kind"] in ("group", "site symmetry")] or rows
    sizes = [-abs(as_number(row["difference"])) for row in finest]
    order = np.argsort(np.nan_to_num(sizes, nan=0.0), kind="stable")[:_MOST_EXAMPLES]
    found = []
    for i in order.tolist():
        row = finest[i]
        names = np.array(_names(known, row["kind"], asked.structures))
        inside = np.flatnonzero(names == row["environment"])
        typical = inside[np.abs(scores[inside] - as_number(row["score"])).argmin()]
        index = int(np.searchsorted(asked.structures.offsets, typical, side="right")) - 1
        one = asked.structures.subset([index])
        target = asked.questions[0].target.name
        picture = explain_one(asked.predictor, one, method=method, target=target).picture()
        atom = int(typical - asked.structures.offsets[index])
        title = f"{row['environment']} (atom {atom} of {picture.name})"
        found.append((str(row["environment"]), replace(picture, name=title)))
    return found


def _effects(rows: list[Row], unit: str) -> list[Effect]:
    chosen = [row for row in rows if row["kind"] in ("element", "group", "site symmetry")]
    chosen.sort(key=lambda row: -int(as_number(row["n_atoms"])))
    return [
        Effect.within(
            f"{row['environment']}",
            Interval(*(as_number(row[f"score{end}"]) for end in ("", "_low", "_high"))),
            int(as_number(row["n_structures"])),
            "mean score of the atoms of an environment; structures are resampled",
            unit=unit,
        )
        for row in chosen[:_MOST_EFFECTS]
    ]


def _shown(rows: list[Row]) -> list[Row]:
    return [
        {
            "kind": row["kind"],
            "environment": row["environment"],
            "score": within(row, "score"),
            **({"attention": within(row, "attention")} if "attention" in row else {}),
            "difference": within(row, "difference"),
            "delta": _two_digits(as_number(row["cliffs_delta"])),
            "p (Holm)": _p(as_number(row["p_holm"])),
            "atoms": row["n_atoms"],
            "structures": row["n_structures"],
        }
        for row in rows
    ]


def _two_digits(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else ""


def _p(value: float) -> str:
    if not np.isfinite(value):
        return "not tested"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
