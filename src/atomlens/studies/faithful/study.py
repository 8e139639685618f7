"""Is a score of atoms what the model would lose without them? Measured against chance and tables.

Deletion and insertion curves in three meanings of absence, for every method and for the controls
that it must beat; agreement of scores with effects; and what else can be asked of a score: random
weights, other seeds, displaced atoms, larger cells, equal sites, sums that were promised.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any, final

import numpy as np

from atomlens.errors import Failure, StudyError
from atomlens.explain import named_methods
from atomlens.predictor import Predictor
from atomlens.predictor.folder.tested import PASSES
from atomlens.printing import counted
from atomlens.structures.arrays import StructureArrays
from atomlens.studies.base import Effect, Row, Study, StudyInput, StudyResult
from atomlens.studies.controls import refuse_unshuffled
from atomlens.studies.faithful import checks
from atomlens.studies.faithful.asked import Asked
from atomlens.studies.faithful.measured import FaithfulSettings, Measured
from atomlens.studies.faithful.words import (
    CONTROLS,
    FEW,
    judged,
    paragraph,
)
from atomlens.studies.networks import prepare
from atomlens.studies.rows import as_number, within
from atomlens.studies.statistics import Interval


@final
class Faithful(Study):
    """The study."""

    name = "faithful"
    summary = "do the scores of a method say what the model would lose without the atoms?"
    Settings = FaithfulSettings
    reads_values = False
    takes_spectra = True

    def run(self, given: StudyInput) -> StudyResult:
        """Measure one model.

        Raises:
            StudyError: there are several models, no usable structure, or no usable method.
        """
        refuse_unshuffled(given.shuffled)
        if len(given.models) != 1:
            raise StudyError("faithful judges one model at a time; run it once for each.")
        named_methods(self.settings.methods)  # before anything is computed
        predictor = given.models[0]
        structures, failures, counts = _usable(predictor, given.data.structures)
        asked = Asked.about(predictor, structures, self.settings.target or None)
        if np.any(asked.n_units < 2):
            several = np.flatnonzero(asked.n_units >= 2)
            counts["left out: one element only"] = len(structures) - len(several)
            if not len(several):
                raise StudyError("faithful: no formula of two elements is left to study.")
            structures = structures.subset(several)
            asked = Asked.about(predictor, structures, self.settings.target or None)
        equal = np.array([checks.all_equal(structure) for structure in structures])
        if equal.any():
            counts["left out: all atoms equal"] = int(equal.sum())
            if equal.all():
                raise StudyError(
                    f"faithful: {counted(len(structures), 'structure')} to study, and symmetry "
                    "makes all atoms of each equal: equal atoms have no order that could be "
                    "tested. Give others."
                )
            structures = structures.subset(np.flatnonzero(~equal))
            asked = Asked.about(predictor, structures, self.settings.target or None)
        counts["used"] = len(structures)
        measured = Measured(self.settings, asked, given)
        rows = measured.rows()
        check_rows = measured.check_rows()
        notes = [*measured.notes, paragraph(rows, check_rows, asked)]
        if len(structures) < FEW:
            few = counted(len(structures), "structure", "are")
            notes.insert(0, f"{few} too few for a useful interval.")
        return StudyResult(
            study=self.name,
            question="Do the scores of atoms say what the model would lose without them?",
            models=(predictor.model_name,),
            settings={**asdict(self.settings), "target": asked.questions[0].target.name},
            n_structures=len(structures),
            effects=tuple(_effects(rows)),
            tables={"faithful": rows, "curves": measured.curve_rows, "checks": check_rows},
            counts=counts,
            failures=failures,
            notes=tuple(notes),
            shown=shown_rows(rows),
        )

    def draw(self, result: StudyResult, folder: Path) -> list[Path]:
        """Draw deletion over chance of every method, beside the controls."""
        from atomlens.studies.faithful.figure import draw_faithful

        name = next((one["name"] for one in result.made_by if "name" in one), result.models[0])
        about = f"{name}, {result.settings['target']}"
        return [draw_faithful(result.tables["faithful"], folder / "faithful.png", about)]


def _usable(
    predictor: Predictor, structures: StructureArrays
) -> tuple[StructureArrays, tuple[Failure, ...], dict[str, int]]:
    """Return the structures of at least two atoms that the model can take."""
    prepared = prepare(predictor, structures)
    inputs = prepared.inputs
    rows = np.flatnonzero(inputs.structures.n_atoms >= 2)
    counts = {"given": len(structures), "used": len(rows)}
    if len(rows) < len(inputs.structures):
        counts["left out: one atom only"] = len(inputs.structures) - len(rows)
    if not len(rows):
        raise StudyError(
            "faithful: no structure of at least two atoms is left, and with one atom there is "
            "nothing to compare."
        )
    return inputs.structures.subset(rows), prepared.failures, counts


def _effects(rows: list[Row]) -> list[Effect]:
    effects = []
    for row in rows:
        controls = {n: as_number(row[n]) for n in CONTROLS if n in row}
        controls |= {"table": as_number(row[_best(row)])}
        interval = Interval(*(as_number(row[f"deletion{e}"]) for e in ("", "_low", "_high")))
        effects.append(
            Effect.within(
                f"{row['method']}, {row['meaning']}",
                interval,
                int(as_number(row["n"])),
                "change over the first half of the deletions, over that of a random order",
                controls,
            )
        )
    return effects


def _best(row: Row) -> str:
    return f"table {row['best_table']}"


def shown_rows(rows: list[Row]) -> list[Row]:
    """Return the table for the terminal."""

    return [
        {
            "method": row["method"],
            "meaning": row["meaning"],
            "deletion / random": within(row, "deletion", ".2f"),
            "best table": f"{as_number(row[_best(row)]):.2f} {row['best_table']}",
            "above it": within(row, "above_table", ".2f"),
            "untrained": f"{as_number(row.get('untrained')):.2f}",
            "insertion / random": within(row, "insertion", ".2f"),
            "Pearson with losses": within(row, "pearson", ".2f"),
            "passes": row["verdict"],
        }
        for row in rows
    ]


def check_table(result: StudyResult) -> list[dict[str, str]]:
    """Return the checks for the terminal: one a row, one method a column."""
    rows: dict[str, dict[str, str]] = {}
    methods = dict.fromkeys(str(row["method"]) for row in result.tables["faithful"])
    for check in result.tables["checks"]:
        row = rows.setdefault(str(check["check"]), {"check": str(check["check"])})
        row |= {m: row.get(m, "") for m in methods}
        value = as_number(check["value"])
        row[str(check["method"])] = (
            f"{value:.2g} {check['unit']}".rstrip() if value == value else ""
        )
    return list(rows.values())


def as_json(result: StudyResult) -> dict[str, Any]:
    """Return ``faithful.json``: key figures by method, the tables, and what they say."""
    content = result.to_dict()
    rows, check_rows = result.tables["faithful"], result.tables["checks"]
    methods: dict[str, Any] = {}
    for row in rows:
        said = judged(rows, str(row["method"]))
        own = methods.setdefault(
            str(row["method"]), {"passes": said == PASSES, "verdict": said, "meanings": {}}
        )
        own["meanings"][str(row["meaning"])] = {
            name: _or_none(value) for name, value in row.items() if name not in _NAMES
        }
    for check in check_rows:
        own = methods[str(check["method"])].setdefault("checks", {})
        own[str(check["check"])] = {
            name: _or_none(check[name]) for name in ("value", "low", "high", "unit", "n")
        }
    return {
        "study": result.study,
        "model": result.models[0],
        "made_by": dict(result.made_by[0]) if result.made_by else {},
        "target": result.settings["target"],
        "n_structures": result.n_structures,
        "settings": content["settings"],
        "methods": methods,
        "says": result.notes[-1],
        "notes": list(result.notes[:-1]),
        "counts": content["counts"],
        "seen_in": next(iter(content["seen_in"].values()), {}),
        "warnings": content["warnings"],
        "failures": content["failures"],
    }


_NAMES = ("method", "meaning")


def _or_none(value: object) -> object:
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value.item() if isinstance(value, np.generic) else value
