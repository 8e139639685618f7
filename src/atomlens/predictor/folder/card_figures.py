"""How good a model is, for its card: figures of its parts, others beside it, what was tested."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from atomlens.predictor.evaluation import about_skill
from atomlens.predictor.figures import (
    FIGURES,
    f1_label,
    figure_text,
    plain_number,
    tables_by_class,
    values_of,
)
from atomlens.predictor.folder.card_marks import code, plain, table, unit_of
from atomlens.predictor.folder.tested import number, tested_methods, verdict_words
from atomlens.predictor.trained import TrainedModel
from atomlens.printing import counted
from atomlens.units import unit_text

OF_MADE = "made_coordinates"
"""Key in ``metrics.json`` of the errors for coordinates that were made from SMILES."""
_SHOWN = (
    *("mae", "rmse", "r2", "spearman", "mad_mae", "interval_coverage"),
    *("accuracy", "balanced_accuracy", "f1", "auc", "cross_entropy", "cross_entropy_of_shares"),
    *("brier", "confidence", "class_calibration_error"),
)
_BEHIND_ANOTHER = {"cross_entropy_of_shares": "that of the class shares of the training part"}
"""What is called otherwise where it stands behind the figure it is compared with."""


def how_good(predictor: TrainedModel) -> str:
    """Return its figures on the parts of its data, beside those of others, and what was tested."""
    parts = [p for p in ("validation", "test") if isinstance(predictor.metrics.get(p), Mapping)]
    if not parts:
        return "\n".join(line for line in ("Not measured.", _faithful(predictor)) if line)
    lines = []
    for part in parts:
        content: Mapping[str, Any] = predictor.metrics[part]
        for name, figures in content.get("targets", {}).items():
            unit = figures.get("unit", "")
            values = [
                _figure(figures, key, unit)
                for key in _SHOWN
                if plain_number(figures, key) is not None
            ]
            n_values = counted(figures.get("n", 0), "value")
            if figures.get("n_structures"):
                n_values = f"values {values_of(figures)}"
            lines.append(f"- {part}, {code(name)}, {n_values}: {', '.join(values)}")
    lines += _by_class(predictor.metrics[parts[-1]].get("targets", {}), parts[-1])
    lines += _about_parts(predictor, parts)
    lines += [f"\n⚠ {plain(sentence)}" for sentence in about_skill(predictor)]
    lines += [
        _beside_others(predictor),
        _of_made(predictor),
        _agreement(predictor),
        _faithful(predictor),
    ]
    return "\n".join(line for line in lines if line)


def _figure(figures: Mapping[str, Any], key: str, unit: str) -> str:
    label, has_unit = FIGURES[key]
    label = plain(f1_label(figures)) if key == "f1" else _BEHIND_ANOTHER.get(key, label)
    text = f"{label} {figures[key]:.4g}{' ' + plain(unit_text(unit)) if has_unit and unit else ''}"
    ends = figures.get(f"{key}_interval")
    return f"{text} (95 %: {figure_text(ends)})" if _are_ends(ends) else text


def _are_ends(value: Any) -> bool:
    """Say whether a figure is an interval; files of a model may hold anything."""
    return (
        isinstance(value, list | tuple)
        and len(value) == 2
        and all(isinstance(end, int | float) and math.isfinite(end) for end in value)
    )


def _by_class(targets: Mapping[str, Any], part: str) -> list[str]:
    """Return a table of each target that has classes: how well each one is found."""
    lines = []
    for name, rows in tables_by_class(targets).items():
        cells = [
            ["" if value is None else plain(str(value)) for value in row.values()] for row in rows
        ]
        lines += [f"\n{code(name)} by class, on the {part} part:\n", *table(list(rows[0]), cells)]
    return lines


def _about_parts(predictor: TrainedModel, parts: Sequence[str]) -> list[str]:
    """Return what the validation part has decided, and whether the test part was looked at."""
    said = []
    if "validation" in parts:
        has_temperature = any(c and c.temperature != 1 for c in predictor.calibration.classes)
        uses = ["the epoch that was kept"] if predictor.record.history else []
        uses += ["the intervals"] if any(predictor.intervals) else []
        uses += ["the temperature of the probabilities"] if has_temperature else []
        if uses:
            listed = (", ".join(uses[:-1]), uses[-1])
            said.append(
                f"The validation part decided about {' and '.join(filter(None, listed))}, so its "
                "figures are a little too good."
            )
    if "test" in parts:
        said.append("The test part was looked at once, after training.")
    elif predictor.record.split.get("test"):
        said.append("The test part has not been looked at yet.")
    return [f"\n{' '.join(said)}"] if said else []


def _beside_others(predictor: TrainedModel) -> str:
    """Return a table of the test error beside those of other models; empty without any."""
    others: dict[str, Mapping[str, Any]] = dict(predictor.metrics.get("others", {}))
    about = predictor.record.about
    if about is not None and about.published:
        others[about.published_by] = about.published
    own = predictor.metrics.get("test")
    if not others or not isinstance(own, Mapping):
        return ""
    heads = ["target", "this model", *map(plain, others)]
    rows = []
    for target in predictor.targets:
        mae = own.get("targets", {}).get(target.name, {}).get("mae")
        cells = [code(target.name) + unit_of(target), _rounded(mae)]
        cells += [_rounded(errors.get(target.name)) for errors in others.values()]
        rows.append(cells)
    said = "\nMean absolute error on the test part, and that of others:\n"
    return "\n".join([said, *table(heads, rows)])


def _rounded(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else ""


def _of_made(predictor: TrainedModel) -> str:
    """Return the errors for coordinates that were made here; empty if nobody measured."""
    measured = predictor.metrics.get(OF_MADE)
    if not isinstance(measured, Mapping) or not isinstance(measured.get("targets"), Mapping):
        return ""
    said = (
        "\nFrom a SMILES alone, with coordinates made by a force field, of which the model has not "
        f"learned ({measured.get('n_samples')} molecules of the test part):\n"
    )
    rows = []
    for target in predictor.targets:
        figures = measured["targets"].get(target.name, {})
        inside = figures.get("interval_coverage")
        share = f"{100 * inside:.1f} %" if isinstance(inside, int | float) else ""
        rows.append([code(target.name) + unit_of(target), _rounded(figures.get("mae")), share])
    return "\n".join([said, *table(("target", "MAE", "inside the 90 % interval"), rows)])


def _agreement(predictor: TrainedModel) -> str:
    """Return how well terms and effects agree; empty if nobody measured."""
    measured = predictor.metrics.get("agreement")
    if not isinstance(measured, Mapping) or not measured:
        return ""
    said = (
        "\nDo the atoms' terms say what the prediction loses without the atom? Pearson's "
        "correlation inside a structure (mean over validation structures; 1: the term is the "
        "effect up to a factor), of the network without the sum over elements:\n"
    )
    rows = []
    for name, by_meaning in measured.items():
        mask, graph = by_meaning.get("mask", {}), by_meaning.get("graph", {})
        means = [_rounded(mask.get("mean")), _rounded(graph.get("mean"))]
        rows.append([code(name), *means, str(graph.get("n", 0))])
    heads = ("target", "element hidden", "atom taken out of the graph", "structures")
    return "\n".join([said, *table(heads, rows)])


def _faithful(predictor: TrainedModel) -> str:
    """Return which explanation methods have passed their test; empty if nobody tested."""
    rows = []
    for target in predictor.targets:
        for method, figures in tested_methods(predictor.metrics, target.name).items():
            cells = [code(target.name), code(method), verdict_words(figures)]
            for meaning in ("mask", "graph"):
                own = figures["meanings"].get(meaning, {})
                beside = number(own.get("table"))
                if "untrained" in own:
                    beside += f"; {number(own['untrained'])}"
                cells.append(f"{number(own.get('deletion'))} ({beside})")
            rows.append(cells)
    if not rows:
        return ""
    said = (
        "\nDo explanations say what the prediction loses without the atoms (`atomlens faithful`)? "
        "Change over the first half of the deletions, over that of a random order; in brackets "
        "that of the best table of the same scores and, behind a semicolon, of the order that "
        "untrained networks give. By a hair: less than 2 % above one of them.\n"
    )
    heads = ("target", "method", "verdict", "element hidden", "atom taken out of the graph")
    return "\n".join([said, *table(heads, rows)])
