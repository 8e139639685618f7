"""The maps of a study with their structures, to be walked in chemiscope."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from atomlens.errors import Failure
from atomlens.explain import default_method
from atomlens.predictor import Predictor
from atomlens.reports.chemiscope_file import MapProperty, write_map
from atomlens.structures.arrays import StructureArrays
from atomlens.studies.base import Progress, Row, StudyInput, StudyResult, no_progress
from atomlens.studies.rows import numbers_of
from atomlens.studies.statistics import Values


def write_study_map(
    result: StudyResult, given: StudyInput, path: str | Path, progress: Progress = no_progress
) -> Path:
    """Write the structures of a result with places, values, errors and the scores of their atoms.

    Of two models each has its own places and numbers, under its label; all can be chosen in the
    viewer. What is unknown for every structure is left out.

    Args:
        result: Of the study ``embeddings``.
        given: What it was made of.
        path: Ends with .json or .json.gz.
        progress: Runs over the structures that are explained, of all models.

    Raises:
        SettingsError: a structure has no positions.
        MissingDependencyError: chemiscope is not installed.
    """
    tables = {
        label: [row for row in result.tables["map"] if row["model"] == label]
        for label in result.models
    }
    first = next(iter(tables.values()))
    chosen = given.data.structures.subset([int(str(row["row"])) for row in first])
    properties = {
        "name": MapProperty(values=[str(row["name"]) for row in first]),
        "class": MapProperty(values=[str(row["class"]) for row in first]),
    }
    prefixes = [f"{label}: " if len(tables) > 1 else "" for label in tables]
    scores: dict[str, MapProperty] = {}
    for k, (model, prefix) in enumerate(zip(given.models, prefixes, strict=True)):
        properties |= _numbers(tables[result.models[k]], prefix, str(result.settings["map"]))

        def one_more(done: int, before: int = k * len(chosen)) -> None:
            progress(before + done, len(given.models) * len(chosen))

        scores |= _scores(model, chosen, prefix, one_more)
    target, prefix = str(first[0]["target"]), prefixes[0]
    return write_map(
        [chosen.to_atoms(i) for i in range(len(chosen))],
        properties | scores,
        path,
        name=f"Study {result.study}: {', '.join(result.models)}",
        x=f"{prefix}map 1",
        y=f"{prefix}map 2",
        colour=f"{prefix}{target}",
    )


def _numbers(rows: Sequence[Row], prefix: str, how: str) -> dict[str, MapProperty]:
    """Return places, predictions and what is known of their errors, of one model.

    Args:
        rows: One a structure, of the table ``map``.
        prefix: Before every name.
        how: The map was made.
    """
    target, unit = str(rows[0]["target"]), str(rows[0]["unit"])
    found = {
        f"{prefix}map {k}": MapProperty(
            values=numbers_of(rows, column), description=f"place in the map by {how}"
        )
        for k, column in ((1, "x"), (2, "y"))
    }
    predicted, true = numbers_of(rows, "prediction"), numbers_of(rows, "value")
    found[f"{prefix}{target}"] = MapProperty(values=predicted, unit=unit, description="predicted")
    known = np.isfinite(true)
    if known.any():
        found[f"{prefix}{target} true"] = MapProperty(
            values=np.where(known, true, predicted), unit=unit
        )
        found[f"{prefix}{target} error"] = MapProperty(
            values=np.where(known, predicted - true, 0.0),
            unit=unit,
            description="predicted less true; 0 where the true value is unknown",
        )
    std = numbers_of(rows, "error_estimate")
    if np.isfinite(std).any():
        found[f"{prefix}{target} error estimate"] = MapProperty(values=std, unit=unit)
    return found


def _scores(
    model: Predictor, structures: StructureArrays, prefix: str, one_more: Callable[[int], None]
) -> dict[str, MapProperty]:
    """Return the score of every atom by the model's own method; nothing if it has none."""
    method, units = default_method(model.models[0]), dict[str, None]()
    scores: list[Values] = []
    for i, found in enumerate(model.explain_many(structures, method=method)):
        if isinstance(found, Failure):
            scores.append(np.full(int(structures.n_atoms[i]), np.nan))
        else:
            units[found.score_unit] = None
            scores.append(found.scores)
        one_more(i + 1)
    values = np.concatenate(scores)
    if not np.isfinite(values).any():
        return {}
    return {
        f"{prefix}{method}": MapProperty(
            values=values,
            unit=" or ".join(units),
            description=f"score of each atom by {method}",
            of_atoms=True,
        )
    }
