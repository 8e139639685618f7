"""The model card: what a stranger must know before trusting a model."""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from atomlens.datasets.in_memory import IN_MEMORY
from atomlens.datasets.tables.files import is_table
from atomlens.elements import SYMBOLS
from atomlens.models import MODELS
from atomlens.predictor.evaluation import about_skill
from atomlens.predictor.figures import f1_label, figure_text, tables_by_class, values_of
from atomlens.predictor.folder.tested import number, tested_methods, verdict_words
from atomlens.predictor.record import TrainingRecord
from atomlens.predictor.trained import TrainedModel
from atomlens.predictor.trust.calibration import FEWEST_FOR_TEMPERATURE, TargetCalibration
from atomlens.printing import counted, encodable, one_line
from atomlens.structures.files import kind_of
from atomlens.targets import Target, value_slices
from atomlens.units import unit_text

OF_MADE = "made_coordinates"
"""Key in ``metrics.json`` of the errors for coordinates that were made from SMILES."""

_METRICS = {
    "mae": ("MAE", True),
    "rmse": ("RMSE", True),
    "r2": ("R²", False),
    "spearman": ("Spearman", False),
    "mad_mae": ("MAD:MAE", False),
    "interval_coverage": ("inside the 90 % interval", False),
    "accuracy": ("accuracy", False),
    "balanced_accuracy": ("balanced accuracy", False),
    "f1": ("F1", False),
    "auc": ("ROC AUC", False),
    "cross_entropy": ("cross-entropy", False),
    "cross_entropy_of_shares": ("that of the class shares of the training part", False),
    "brier": ("Brier score", False),
    "confidence": ("mean probability of the class that is said", False),
    "class_calibration_error": ("calibration error of the probabilities", False),
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
        "## Use\n\n" + _use(predictor),
    ]
    return encodable("\n\n".join(sections) + "\n")


_EXAMPLES = {
    "molecule": ("molecules/", "molecule.xyz", "CCO"),
    "periodic structure": ("crystals/", "crystal.cif", "crystal.cif"),
    "formula": ("formulas.csv", "Fe2O3", "Fe2O3"),
}


def _use(predictor: TrainedModel) -> str:
    """Return how to use the model, with inputs of a kind that it knows."""
    kinds = predictor.kinds or (("formula",) if predictor.reads_formulas else ("molecule",))
    many, one, given = _EXAMPLES[kinds[0]]
    return "\n".join(
        [
            f"    atomlens predict THIS_FOLDER {many}",
            f"    atomlens explain THIS_FOLDER {one} --out pages",
            "",
            "    import atomlens",
            '    model = atomlens.load("THIS_FOLDER")',
            f'    model.predict("{given}").to_frame()',
        ]
    )


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
    weights = f"{counted(n_weights, 'weight')}{' each' if n > 1 else ''}"
    reads = f"over the neighbours that the builder `{predictor.builder.name}` finds"
    if not predictor.builder.needs_positions:
        reads = "which reads the composition alone and no places of atoms"
    if not kind.looks_at_atoms:
        reads = "which says the mean of its training part of every input"
    has = f" with {weights}" if n_weights else ""
    paper = f" Architecture: {kind.paper}." if kind.paper else ""
    lines = [
        f"{members}{has}, {reads}.{paper}",
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
    if target.is_spectrum:
        ends = f"{target.grid[0]:g} to {target.grid[-1]:g} {target.grid_unit}".rstrip()
        n_points = counted(len(target.grid), "point")
        words.append(f"a spectrum of {n_points} from {ends} ({_plain(target.grid_name)})")
    else:
        words.append("extensive, learned per atom" if target.extensive else "one value a structure")
    if target.nonnegative:
        words.append("never below zero")
    return "; ".join(words)


def _data(predictor: TrainedModel) -> str:
    record = predictor.record
    about = record.about
    lines = [
        _file(record) if record.file else f"{_named(record)}." if record.data else "Not recorded."
    ]
    if about is not None:
        lines += [f"{about.data}\n", f"Licence: {about.licence}\n", f"Split: {about.split}\n"]
    elif record.split:
        sizes = ", ".join(f"{len(names):,} {part}" for part, names in record.split.items())
        how = record.settings.get("split", "")
        lines.append(f"Split {_code(how)}: {sizes} (names in `split.json`).")
    if record.failures:
        lines.append(
            f"{counted(len(record.failures), 'sample')} could not be used (names and reasons in "
            "`failures.json`)."
        )
    if record.n_without_value:
        lines.append(
            f"{counted(record.n_without_value, 'row', 'have')} no value, and cannot be used."
        )
    if record.warnings:
        lines.append(
            f"{counted(len(record.warnings), 'sample', 'were')} read with a warning (names and "
            "sentences in `warnings.json`)."
        )
    if record.reading:
        said = ", ".join(f"{_plain(k)} {_code(v)}" for k, v in record.reading.items())
        lines.append(f"Read with {said}.")
    lines += [f"- {_plain(remark)}" for remark in record.remarks]
    if predictor.elements:
        lines.append("Elements: " + ", ".join(SYMBOLS[z] for z in predictor.elements) + ".")
    if record.rare_elements:
        rare = [f"{SYMBOLS[z]} in {n}" for z, n in sorted(record.rare_elements.items())]
        lines.append(f"Few structures of the training part have some: {', '.join(rare)}.")
    return "\n".join(lines)


def _file(record: TrainingRecord) -> str:
    """Return which file the data are, and where in it the values stand."""
    held = "its columns hold the values" if is_table(Path(record.file)) else ""
    if kind_of(Path(record.file)) is not None:
        held = "its structures carry the values"
    more = f"; {held}" if held else ""
    return f"{_code(record.file)} (SHA-256 `{record.file_sha256}`){more}."


def _named(record: TrainingRecord) -> str:
    """Return the name of the data, or what they were where they had none."""
    if record.data not in IN_MEMORY:
        return f"`{record.data}`"
    n, what = sum(map(len, record.split.values())), IN_MEMORY[record.data]
    of = f", {counted(n, 'structure')}" if n else ""
    return f"{what[0].upper()}{what[1:]}{of}"


def _metrics(predictor: TrainedModel) -> str:
    parts = [p for p in ("validation", "test") if isinstance(predictor.metrics.get(p), Mapping)]
    if not parts:
        return "\n".join(line for line in ("Not measured.", _faithful(predictor)) if line)
    lines = []
    for part in parts:
        content: Mapping[str, Any] = predictor.metrics[part]
        for name, figures in content.get("targets", {}).items():
            unit = figures.get("unit", "")
            values = [_figure(figures, key, unit) for key in _METRICS if _known(figures, key)]
            n_values = counted(figures.get("n", 0), "value")
            if figures.get("n_structures"):
                n_values = f"values {values_of(figures)}"
            lines.append(f"- {part}, {_code(name)}, {n_values}: {', '.join(values)}")
    lines += _by_class(predictor.metrics[parts[-1]].get("targets", {}), parts[-1])
    lines += _about_parts(predictor, parts)
    lines += [f"\n⚠ {_plain(sentence)}" for sentence in about_skill(predictor)]
    lines += [
        _beside_others(predictor),
        _of_made(predictor),
        _agreement(predictor),
        _faithful(predictor),
    ]
    return "\n".join(line for line in lines if line)


def _by_class(targets: Mapping[str, Any], part: str) -> list[str]:
    """Return a table of each target that has classes: how well each one is found."""
    lines = []
    for name, rows in tables_by_class(targets).items():
        heads = list(rows[0])
        lines += [
            f"\n{_code(name)} by class, on the {part} part:\n",
            f"| {' | '.join(heads)} |",
            "|---" * len(heads) + "|",
        ]
        for row in rows:
            cells = ("" if value is None else _plain(str(value)) for value in row.values())
            lines.append(f"| {' | '.join(cells)} |")
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


def _of_made(predictor: TrainedModel) -> str:
    """Return the errors for coordinates that were made here; empty if nobody measured."""
    measured = predictor.metrics.get(OF_MADE)
    if not isinstance(measured, Mapping) or not isinstance(measured.get("targets"), Mapping):
        return ""
    lines = [
        "\nFrom a SMILES alone, with coordinates made by a force field, of which the model has not "
        f"learned ({measured.get('n_samples')} molecules of the test part):\n",
        "| target | MAE | inside the 90 % interval |",
        "|---|---|---|",
    ]
    for target in predictor.targets:
        figures = measured["targets"].get(target.name, {})
        inside = figures.get("interval_coverage")
        share = f"{100 * inside:.1f} %" if isinstance(inside, int | float) else ""
        cells = [_code(target.name) + _unit(target), _rounded(figures.get("mae")), share]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


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
            cells = [_code(target.name), _code(method), verdict_words(figures)]
            for meaning in ("mask", "graph"):
                row = figures["meanings"].get(meaning, {})
                beside = number(row.get("table"))
                if "untrained" in row:
                    beside += f"; {number(row['untrained'])}"
                cells.append(f"{number(row.get('deletion'))} ({beside})")
            lines.append(f"| {' | '.join(cells)} |")
    if not lines:
        return ""
    return "\n".join(
        [
            "\nDo explanations say what the prediction loses without the atoms (`atomlens "
            "faithful`)? Change over the first half of the deletions, over that of a random order; "
            "in brackets that of the best table of the same scores and, behind a semicolon, of the "
            "order that untrained networks give. By a hair: less than 2 % above one of them.\n",
            "| target | method | verdict | element hidden | atom taken out of the graph |",
            "|---|---|---|---|---|",
            *lines,
        ]
    )


def _known(figures: Mapping[str, Any], key: str) -> bool:
    value = figures.get(key)
    return isinstance(value, int | float) and math.isfinite(value)


def _figure(figures: Mapping[str, Any], key: str, unit: str) -> str:
    label, has_unit = _METRICS[key]
    label = _plain(f1_label(figures)) if key == "f1" else label
    text = f"{label} {figures[key]:.4g}{' ' + _plain(unit_text(unit)) if has_unit and unit else ''}"
    ends = figures.get(f"{key}_interval")
    return f"{text} (95 %: {figure_text(ends)})" if _are_ends(ends) else text


def _are_ends(value: Any) -> bool:
    """Say whether a figure is an interval; files of a model may hold anything."""
    return (
        isinstance(value, list | tuple)
        and len(value) == 2
        and all(isinstance(end, int | float) and math.isfinite(end) for end in value)
    )


_SOURCES = {
    "ensemble": "the spread of the ensemble's members",
    "heteroscedastic": "the noise that the model predicts",
    "ensemble + heteroscedastic": "the spread of the ensemble's members and the noise they predict",
}


def _limits(predictor: TrainedModel) -> str:
    others = ", sizes or kinds of bonding" if predictor.builder.needs_positions else ""
    lines = [
        "- The errors hold for what is like the training data. For other elements"
        f"{others or ' or kinds of compounds'} they say nothing."
        if _measured(predictor)
        else "- How large its errors are has not been measured.",
        *_about_scores(predictor),
    ]
    about = predictor.record.about
    lines += [] if about is None else [f"- {sentence}" for sentence in about.not_for]
    if about is not None and about.geometries:
        lines.append(
            f"- The errors hold for geometries that were relaxed as those of the data were "
            f"({_plain(about.geometries)}). Those of force fields and semi-empirical methods have "
            "larger ones."
        )
    if predictor.familiarity is not None:
        sizes = f" (molecules of more than {predictor.most_atoms} atoms, too)"
        sees = "the network sees" if predictor.models[0].makes_vectors else "this model reads"
        refused = (
            f" At 100{sizes if predictor.most_atoms else ''}, and for elements and kinds of "
            "structure that training had not, no error is estimated."
        )
        lines.append(
            "- `unlike` is the share of the validation part (in percent) that is nearer to the "
            f"training data than the input, as {sees} them. Above 99 there is a warning."
            f"{refused if _estimated(predictor) else ''} A low number is no promise: two "
            "structures may look alike and differ."
        )
    else:
        lines.append(
            "- It does not say how unlike its training data an input is (there is no `unlike`)"
            + (": it looks at no atom." if not predictor.models[0].looks_at_atoms else ".")
        )
    return "\n".join(lines + _about_errors(predictor))


def _measured(predictor: TrainedModel) -> bool:
    return any(isinstance(predictor.metrics.get(p), Mapping) for p in ("validation", "test"))


def _about_scores(predictor: TrainedModel) -> list[str]:
    """Return what scores of atoms mean, of the methods that this model has."""
    model, lines = predictor.models[0], []
    if not model.looks_at_atoms:
        return ["- It looks at no atom, so there is nothing to explain."]
    if model.is_additive:
        of = "that the prediction is"
        if all(t.kind == "classification" for t in predictor.targets):
            of = "from which probabilities are made"
        lines.append(
            f"- A contribution is the term of an atom in the sum {of}. It says how this model "
            "shares out its prediction, not what would change if the atom were removed."
        )
    if model.attends_to_atoms:
        lines.append(
            "- An attention score is the share of an atom in the model's readout. It says where "
            "the model looks, not what would change if the atom were removed, and it can be "
            "compared inside one structure only."
        )
    if not lines:
        lines.append(
            "- Every atom has the same share in its readout, so there is no attention to show. "
            "`explain` shows how the prediction changes when the model is not shown an atom; a "
            "structure with such a hole is one that it has not been trained on."
        )
    return lines


def _estimated(predictor: TrainedModel) -> list[Target]:
    """Return the targets whose error the model estimates."""
    has_spread = predictor.std_source not in ("none", "validation")
    places = zip(predictor.targets, value_slices(predictor.targets), strict=True)
    return [
        target
        for target, place in places
        if target.kind == "regression"
        and (has_spread or any(c is not None for c in predictor.calibration.targets[place]))
    ]


def _about_errors(predictor: TrainedModel) -> list[str]:
    """Return what `_std` and intervals are, of each group of targets that have the same."""
    found: dict[str, list[str]] = {}
    estimated = _estimated(predictor)
    places = zip(
        predictor.targets, value_slices(predictor.targets), predictor.intervals, strict=True
    )
    for target, place, has_interval in places:
        if target.kind == "classification":
            said = (
                "A class has no error estimate: beside it stand the probabilities of all classes. "
                + _about_probabilities(predictor, place.start)
            )
        elif target not in estimated:
            said = "There is no error estimate: the validation part had no value of it."
            if not predictor.record.split.get("validation"):
                said = "There was no validation part, so there is no error estimate."
        else:
            known = [c for c in predictor.calibration.targets[place] if c is not None]
            said = f"The error estimate (`_std`) is {_source(predictor, target, known)}. "
            said += _interval(predictor, known) if has_interval else _no_interval(known)
        found.setdefault(said, []).append(_code(target.name))
    return [
        f"- {said}" if len(found) == 1 else f"- {', '.join(names)}: {said}"
        for said, names in found.items()
    ]


def _about_probabilities(predictor: TrainedModel, column: int) -> str:
    """Return whether probabilities of classes are calibrated, and on what."""
    known = predictor.calibration.classes
    found = known[column] if known else None
    if found is None:
        return (
            "They are as the network says them and not calibrated, which takes "
            f"{FEWEST_FOR_TEMPERATURE} values of the validation part, of two classes or more."
        )
    if found.temperature == 1:
        return (
            f"No temperature makes them clearly better on {found.n} values of the validation part "
            f"(cross-entropy {found.cross_entropy:.4g}), so they are as the network says them."
        )
    sure = "too sure" if found.temperature > 1 else "not sure enough"
    return (
        f"They are calibrated: the network was {sure}, so its logits are divided by a temperature "
        f"of {found.temperature:.3g} (Guo et al. 2017), fitted to {found.n} values of the "
        f"validation part, on which the cross-entropy went from {found.cross_entropy:.4g} to "
        f"{found.calibrated:.4g}. The class that is said is the same with and without."
    )


def _source(predictor: TrainedModel, target: Target, known: Sequence[TargetCalibration]) -> str:
    """Return where the error estimate of a target comes from."""
    spread = _SOURCES.get(predictor.std_source)
    grows = any(c.growth > 0 for c in known)
    far = "; it grows with the distance to the training data" if grows else ""
    if spread is None:
        each = "atom" if target.extensive else "structure"
        near = " near the training data" if grows else ""
        return (
            "the root mean squared error on the validation part, the same for every "
            f"{each}{near}{far}"
        )
    if not known:
        return f"{spread}, which no errors of a validation part were compared with"
    return (
        f"{spread}, rescaled and with a constant part added in squares, both fitted to the "
        f"validation part{far}"
    )


def _interval(predictor: TrainedModel, known: Sequence[TargetCalibration]) -> str:
    """Return what an interval promises."""
    said = (
        "The 90 % interval is split conformal: nine of ten new values lie inside if they come from "
        "where the validation part did."
    )
    return f"{said} {_how_calibrated(predictor, known)}".rstrip()


def _no_interval(known: Sequence[TargetCalibration]) -> str:
    """Return why there is no interval."""
    n = max((c.n for c in known), default=0)
    return (
        f"There is no 90 % interval: it takes nine values of the validation part or more, and "
        f"there {'was' if n == 1 else 'were'} {n or 'none'}."
    )


def _how_calibrated(predictor: TrainedModel, known: Sequence[TargetCalibration]) -> str:
    """Return what the validation part was used for, beside the interval."""
    share = predictor.record.settings.get("calibration_share")
    share = share if isinstance(share, float) and 0 < share < 1 else 0  # a file may say anything
    n_folds = max((t.n_folds for t in known), default=0)
    chosen = ""
    if share:
        chosen = f"{share:.0%} of the validation part was kept for it and chose no epoch."
    elif predictor.record.history:
        chosen = f"The same part chose the epoch that was kept: {_how_narrow(predictor)}."
    if not n_folds:
        return chosen
    said = f"No value was judged by a fit of the spread that had seen it ({n_folds} parts)."
    return f"{chosen} {said}".strip()


def _how_narrow(predictor: TrainedModel) -> str:
    """Return what is known of an interval that may be too narrow: what the test part has shown."""
    test = predictor.metrics.get("test")
    targets = test.get("targets") if isinstance(test, Mapping) else None
    figures = targets.values() if isinstance(targets, Mapping) else ()
    if any(isinstance(one, Mapping) and _known(one, "interval_coverage") for one in figures):
        return "what it holds of the test part stands above"
    return "it may be a little too narrow"


def _start(origin: Mapping[str, Any]) -> str:
    learned = ", ".join(_code(name) for name in origin["targets"])
    sentences = [
        f"Fine-tuned: it started from {_code(origin['name'])} ({origin['model']}, learned "
        f"{learned}; SHA-256 of the weights {origin['weights_sha256']}).",
        *origin["notes"],
    ]
    if origin.get("licence"):
        sentences.append(f"Licence of what it started from: {origin['licence']}")
    return " ".join(sentences)


def _settings_used(predictor: TrainedModel) -> dict[str, Any]:
    """Return the settings; of classes alone with their own loss, and without scaling."""
    settings = dict(predictor.record.settings)
    if all(t.kind == "classification" for t in predictor.targets):
        settings.pop("scaling", None)
        if "loss" in settings:
            settings["loss"] = "cross entropy"
    return settings


def _making(predictor: TrainedModel) -> str:
    record = predictor.record
    lines = [record.notes] if record.notes else []
    if record.about is not None:
        lines += [*record.about.making, f"\n    {one_line(record.about.command)}\n"]
        lines.append(record.about.compute)
    if record.started_from:
        lines.append(_start(record.started_from))
    if record.seconds:
        took = f"{record.seconds:,.0f}" if record.seconds >= 1 else "less than 1"
        lines.append(
            f"Trained for {took} s on {record.device or 'an unknown device'}; ended because "
            f"{record.ended}."
        )
        if not predictor.models[0].learns_in_steps:
            lines.append("Settings of epochs, steps, rates and losses have no part in it.")
    if record.settings:
        lines.append("\n| setting | value |\n|---|---|")
        used = _settings_used(predictor)
        lines += [f"| {_plain(key)} | {_code(value)} |" for key, value in used.items()]
    if record.versions:
        lines.append(
            "\nVersions: " + ", ".join(f"{k} {v}" for k, v in record.versions.items()) + "."
        )
    return "\n".join(lines) or "Not recorded."
