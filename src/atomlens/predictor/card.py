"""The model card: what a stranger must know before trusting a model."""

import math
import re
from collections.abc import Mapping
from typing import Any

from atomlens.elements import SYMBOLS
from atomlens.models import MODELS
from atomlens.predictor.evaluation import about_skill
from atomlens.predictor.tested import number, tested_methods
from atomlens.predictor.trained import TrainedModel
from atomlens.printing import encodable, one_line
from atomlens.targets import Target
from atomlens.units import unit_text

_METRICS = {
    "mae": ("MAE", True),
    "rmse": ("RMSE", True),
    "r2": ("R²", False),
    "spearman": ("Spearman", False),
    "mad_mae": ("MAD:MAE", False),
    "interval_coverage": ("inside the 90 % interval", False),
    "accuracy": ("accuracy", False),
    "f1": ("F1", False),
    "auc": ("ROC AUC", False),
}


def model_card(predictor: TrainedModel) -> str:
    """Return the text of ``README.md``."""
    names = ", ".join(_plain(t.name) for t in predictor.targets)
    sections = [
        f"# {predictor.model_name}: {names}",
        *([] if predictor.record.about is None else [predictor.record.about.summary]),
        _what(predictor),
        "## Data\n\n" + _data(predictor),
        "## How good it is\n\n" + _metrics(predictor),
        "## What the numbers do not mean\n\n" + _limits(predictor),
        "## How it was made\n\n" + _making(predictor),
        "## Use\n\n" + _USE,
    ]
    return encodable("\n\n".join(sections) + "\n")


_USE = """\
    atomlens predict THIS_FOLDER molecules/
    atomlens explain THIS_FOLDER molecule.xyz --out pages

    import atomlens
    model = atomlens.load("THIS_FOLDER")
    model.predict("CCO").to_frame()"""


def _plain(text: str) -> str:
    """Return a name as plain text: no link, no picture, no tag in a card that a browser shows."""
    return re.sub(r"([\\\[\]<>`|*!])", r"\\\1", one_line(text))


def _code(text: object) -> str:
    """Return a name between backticks."""
    return f"`{one_line(str(text)).replace('`', chr(39))}`"


def _what(predictor: TrainedModel) -> str:
    kind = MODELS[predictor.model_name]
    n_weights = sum(p.numel() for p in predictor.models[0].parameters())
    n = len(predictor.models)
    members = "One model" if n == 1 else f"An ensemble of {n} models"
    paper = f" Architecture: {kind.paper}." if kind.paper else ""
    lines = [
        f"{members} with {n_weights:,} weights each, over the neighbours that the builder "
        f"`{predictor.builder.name}` finds.{paper}",
        "",
        *(f"- {_code(t.name)}{_unit(t)}: {_describe(t)}" for t in predictor.targets),
    ]
    return "\n".join(lines)


def _unit(target: Target) -> str:
    return f" ({_plain(unit_text(target.unit))})" if target.unit else ""


def _describe(target: Target) -> str:
    if target.kind == "classification":
        return "one of " + ", ".join(map(_plain, target.classes))
    words = [_plain(target.description)] if target.description else []
    words.append("extensive, learned per atom" if target.extensive else "one value a structure")
    if target.nonnegative:
        words.append("never below zero")
    return "; ".join(words)


def _data(predictor: TrainedModel) -> str:
    record = predictor.record
    about = record.about
    lines = [f"`{record.data}`." if record.data else "Not recorded."]
    if about is not None:
        lines += [f"{about.data}\n", f"Licence: {about.licence}\n", f"Split: {about.split}\n"]
    elif record.split:
        sizes = ", ".join(f"{len(names):,} {part}" for part, names in record.split.items())
        how = record.settings.get("split", "")
        lines.append(f"Split {_code(how)}: {sizes} (names in `split.json`).")
    if record.failures:
        lines.append(
            f"{len(record.failures)} samples could not be used (names and reasons in "
            "`failures.json`)."
        )
    if record.n_without_value:
        lines.append(f"{record.n_without_value} rows have no value and were not used.")
    if record.warnings:
        lines.append(
            f"{len(record.warnings)} samples were read with a warning (names and sentences in "
            "`warnings.json`)."
        )
    if record.reading:
        said = ", ".join(f"{_plain(k)} {_code(v)}" for k, v in record.reading.items())
        lines.append(f"Read with {said}.")
    lines += [f"- {_plain(remark)}" for remark in record.remarks]
    if predictor.elements:
        lines.append("Elements: " + ", ".join(SYMBOLS[z] for z in predictor.elements) + ".")
    return "\n".join(lines)


def _metrics(predictor: TrainedModel) -> str:
    parts = [p for p in ("validation", "test") if isinstance(predictor.metrics.get(p), Mapping)]
    if not parts:
        return "\n".join(line for line in ("Not measured.", _faithful(predictor)) if line)
    lines = []
    for part in parts:
        content: Mapping[str, Any] = predictor.metrics[part]
        for name, figures in content.get("targets", {}).items():
            unit = figures.get("unit", "")
            values = [_figure(figures[key], key, unit) for key in _METRICS if _known(figures, key)]
            lines.append(
                f"- {part}, {_code(name)}, {figures.get('n', 0):,} values: {', '.join(values)}"
            )
    lines.append(
        "\nThe model was chosen by its validation error, which is therefore a little too good; "
        "the test part was looked at once, after training."
        if "test" in parts
        else "\nThe test part has not been looked at yet."
    )
    lines += [f"\n⚠ {_plain(sentence)}" for sentence in about_skill(predictor)]
    lines += [_beside_others(predictor), _agreement(predictor), _faithful(predictor)]
    return "\n".join(line for line in lines if line)


def _beside_others(predictor: TrainedModel) -> str:
    """Return a table of the test error beside those of other models; empty without any."""
    others: dict[str, Mapping[str, Any]] = dict(predictor.metrics.get("others", {}))
    about = predictor.record.about
    if about is not None and about.published:
        others[about.published_by] = about.published
    own = predictor.metrics.get("test")
    if not others or not isinstance(own, Mapping):
        return ""
    heads = ["target", "this model", *map(_plain, others)]
    lines = [
        "\nMean absolute error on the test part, and that of others:\n",
        f"| {' | '.join(heads)} |",
        "|---" * len(heads) + "|",
    ]
    for target in predictor.targets:
        mae = own.get("targets", {}).get(target.name, {}).get("mae")
        cells = [_code(target.name) + _unit(target), _rounded(mae)]
        cells += [_rounded(errors.get(target.name)) for errors in others.values()]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _rounded(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else ""


def _agreement(predictor: TrainedModel) -> str:
    """Return how well terms and effects agree; empty if nobody measured."""
    measured = predictor.metrics.get("agreement")
    if not isinstance(measured, Mapping) or not measured:
        return ""
    lines = [
        "\nDo the atoms' terms say what the prediction loses without the atom? Pearson's "
        "correlation inside a structure (mean over validation structures; 1: the term is the "
        "effect up to a factor), of the network without the sum over elements:\n",
        "| target | element hidden | atom taken out of the graph | structures |",
        "|---|---|---|---|",
    ]
    for name, by_meaning in measured.items():
        mask, graph = by_meaning.get("mask", {}), by_meaning.get("graph", {})
        cells = [_code(name), _rounded(mask.get("mean")), _rounded(graph.get("mean"))]
        lines.append(f"| {' | '.join([*cells, str(graph.get('n', 0))])} |")
    return "\n".join(lines)


def _faithful(predictor: TrainedModel) -> str:
    """Return which explanation methods have passed their test; empty if nobody tested."""
    lines = []
    for target in predictor.targets:
        for method, figures in tested_methods(predictor.metrics, target.name).items():
            cells = [_code(target.name), _code(method), "yes" if figures["passes"] else "no"]
            for meaning in ("mask", "graph"):
                row = figures["meanings"].get(meaning, {})
                cells.append(f"{number(row.get('deletion'))} ({number(row.get('table'))})")
            lines.append(f"| {' | '.join(cells)} |")
    if not lines:
        return ""
    return "\n".join(
        [
            "\nDo explanations say what the prediction loses without the atoms (`atomlens "
            "faithful`)? Change over the first half of the deletions, over that of a random order; "
            "in brackets that of the best table of the same scores:\n",
            "| target | method | passes | element hidden | atom taken out of the graph |",
            "|---|---|---|---|---|",
            *lines,
        ]
    )


def _known(figures: Mapping[str, Any], key: str) -> bool:
    value = figures.get(key)
    return isinstance(value, int | float) and math.isfinite(value)


def _figure(value: float, key: str, unit: str) -> str:
    label, has_unit = _METRICS[key]
    return f"{label} {value:.4g}{' ' + _plain(unit_text(unit)) if has_unit and unit else ''}"


_FITTED = ", rescaled and with a constant part added in squares, both fitted to the validation part"
_SOURCES = {
    "ensemble": "the spread of the ensemble's members" + _FITTED,
    "heteroscedastic": "the noise that the model predicts" + _FITTED,
    "ensemble + heteroscedastic": "the spread of the ensemble's members and the noise they "
    "predict" + _FITTED,
    "validation": "the root mean squared error on the validation part, the same for every "
    "structure (per atom, for extensive targets)",
}


def _limits(predictor: TrainedModel) -> str:
    lines = [
        "- The errors hold for structures like the training data. For other elements, sizes or "
        "kinds of bonding they say nothing.",
        "- An attention score is the share of an atom in the model's readout. It says where the "
        "model looks, not what would change if the atom were removed, and it can be compared "
        "inside one structure only.",
    ]
    about = predictor.record.about
    lines += [] if about is None else [f"- {sentence}" for sentence in about.not_for]
    if predictor.familiarity is not None:
        lines.append(
            "- `unlike` is the share of the validation part (in percent) that is nearer to the "
            "training data than the input, as the network sees them. Above 99 there is a warning. "
            "At 100, and for elements and kinds of structure that training had not, no error is "
            "estimated. A low number is no promise: two structures may look alike and differ."
        )
    source = _SOURCES.get(predictor.std_source)
    if source:
        lines.append(
            f"- The error estimate (`_std`) is {source}. The 90 % interval is split conformal: "
            "nine of ten new values lie inside if they come from where the validation part did. "
            f"{_how_calibrated(predictor)}"
        )
    else:
        lines.append("- There was no validation part, so there is no error estimate.")
    return "\n".join(lines)


def _how_calibrated(predictor: TrainedModel) -> str:
    """Return what the validation part was used for, beside the interval."""
    share = predictor.record.settings.get("calibration_share")
    share = share if isinstance(share, float) and 0 < share < 1 else 0  # a file may say anything
    n_folds = max((t.n_folds for t in predictor.calibration.targets if t is not None), default=0)
    chosen = ""
    if share:
        chosen = f"{share:.0%} of the validation part was kept for it and chose no epoch."
    elif predictor.record.history:
        chosen = "The same part chose the epoch that was kept: it may be a little too narrow."
    if not n_folds:
        return chosen
    said = f"No value was judged by a fit of the spread that had seen it ({n_folds} parts)."
    return f"{chosen} {said}".strip()


def _start(origin: Mapping[str, Any]) -> str:
    learned = ", ".join(_code(name) for name in origin["targets"])
    sentences = [
        f"Fine-tuned: it started from {_code(origin['name'])} ({origin['model']}, learned "
        f"{learned}; SHA-256 of the weights {origin['weights_sha256']}).",
        *origin["notes"],
    ]
    return " ".join(sentences)


def _making(predictor: TrainedModel) -> str:
    record = predictor.record
    lines = [record.notes] if record.notes else []
    if record.about is not None:
        lines += [*record.about.making, f"\n    {one_line(record.about.command)}\n"]
        lines.append(record.about.compute)
    if record.started_from:
        lines.append(_start(record.started_from))
    if record.seconds:
        lines.append(
            f"Trained for {record.seconds:,.0f} s on {record.device or 'an unknown device'}; ended "
            f"because {record.ended}."
        )
    if record.settings:
        lines.append("\n| setting | value |\n|---|---|")
        lines += [f"| {_plain(key)} | {_code(value)} |" for key, value in record.settings.items()]
    if record.versions:
        lines.append(
            "\nVersions: " + ", ".join(f"{k} {v}" for k, v in record.versions.items()) + "."
        )
    return "\n".join(lines) or "Not recorded."
