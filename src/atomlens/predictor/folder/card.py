"""The model card: what a stranger must know before trusting a model."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from atomlens.datasets.in_memory import IN_MEMORY
from atomlens.datasets.tables.files import is_table
from atomlens.elements import SYMBOLS
from atomlens.models import MODELS
from atomlens.predictor.folder.card_figures import how_good
from atomlens.predictor.folder.card_limits import limits
from atomlens.predictor.folder.card_marks import code, plain, table, unit_of
from atomlens.predictor.record import TrainingRecord
from atomlens.predictor.trained import TrainedModel
from atomlens.printing import counted, encodable, few, one_line
from atomlens.structures.files import kind_of
from atomlens.targets import Target


def model_card(predictor: TrainedModel) -> str:
    """Return the text of ``README.md``."""
    names = ", ".join(plain(t.name) for t in predictor.targets)
    sections = [
        f"# {predictor.model_name}: {names}",
        *([] if predictor.record.about is None else [predictor.record.about.summary]),
        _what(predictor),
        "## Data\n\n" + _data(predictor),
        "## How good it is\n\n" + how_good(predictor),
        "## What the numbers do not mean\n\n" + limits(predictor),
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


def _what(predictor: TrainedModel) -> str:
    kind = MODELS[predictor.model_name]
    sizes = Counter(sum(p.numel() for p in model.parameters()) for model in predictor.models)
    n, (n_weights, *others) = len(predictor.models), sizes
    members = "One model" if n == 1 else f"An ensemble of {n} models"
    weights = f"{counted(n_weights, 'weight')}{' each' if n > 1 else ''}"
    if others:
        weights = few(f"{counted(size, 'weight')} ({n} of them)" for size, n in sizes.items())
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
        *(f"- {code(t.name)}{unit_of(t)}: {_describe(t)}" for t in predictor.targets),
    ]
    return "\n".join(lines)


def _describe(target: Target) -> str:
    if target.kind == "classification":
        return "one of " + ", ".join(map(plain, target.classes))
    words = [plain(target.description)] if target.description else []
    if target.is_spectrum:
        ends = f"{target.grid[0]:g} to {target.grid[-1]:g} {target.grid_unit}".rstrip()
        n_points = counted(len(target.grid), "point")
        words.append(f"a spectrum of {n_points} from {ends} ({plain(target.grid_name)})")
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
        lines.append(f"Split {code(how)}: {sizes} (names in `split.json`).")
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
        said = ", ".join(f"{plain(k)} {code(v)}" for k, v in record.reading.items())
        lines.append(f"Read with {said}.")
    if record.remarks:  # a list ends at an empty line: what follows would be part of its last item
        lines += ["", *(f"- {plain(remark)}" for remark in record.remarks), ""]
    if predictor.elements:
        lines.append("Elements: " + ", ".join(SYMBOLS[z] for z in predictor.elements) + ".")
    if record.rare_elements:
        rare = [f"{SYMBOLS[z]} in {n}" for z, n in sorted(record.rare_elements.items())]
        lines.append(f"Few structures of the training part have some: {', '.join(rare)}.")
    return "\n".join(lines).strip()


def _file(record: TrainingRecord) -> str:
    """Return which file the data are, and where in it the values stand."""
    held = "its columns hold the values" if is_table(Path(record.file)) else ""
    if kind_of(Path(record.file)) is not None:
        held = "its structures carry the values"
    more = f"; {held}" if held else ""
    return f"{code(record.file)} (SHA-256 `{record.file_sha256}`){more}."


def _named(record: TrainingRecord) -> str:
    """Return the name of the data, or what they were where they had none."""
    if record.data not in IN_MEMORY:
        return f"`{record.data}`"
    n, what = sum(map(len, record.split.values())), IN_MEMORY[record.data]
    of = f", {counted(n, 'structure')}" if n else ""
    return f"{what[0].upper()}{what[1:]}{of}"


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
        used = _settings_used(predictor)
        rows = [(plain(key), code(value)) for key, value in used.items()]
        lines += ["", *table(("setting", "value"), rows)]
    if record.versions:
        lines.append(
            "\nVersions: " + ", ".join(f"{k} {v}" for k, v in record.versions.items()) + "."
        )
    return "\n".join(lines) or "Not recorded."


def _start(origin: Mapping[str, Any]) -> str:
    learned = ", ".join(code(name) for name in origin["targets"])
    sentences = [
        f"Fine-tuned: it started from {code(origin['name'])} ({origin['model']}, learned "
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
