"""``atomlens evaluate``: how far predictions are from known values."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atomlens.cli.common import (
    add_common_arguments,
    add_file_options,
    add_out_folder,
    file_options,
)
from atomlens.cli.guard import say
from atomlens.cli.outputs import emit, exit_code, usable_folder
from atomlens.cli.progress import ProgressLine
from atomlens.errors import DatasetError

if TYPE_CHECKING:
    from atomlens.datasets.base import Dataset
    from atomlens.predictor import Metrics, Predictor

SUMMARY = "compare predictions with known values"
DESCRIPTION = """\
Compare a model's predictions with the values of a data set: MAE, RMSE, R², Spearman's rank
correlation, MAD:MAE (how many times better than always saying the mean) and how far the
error estimates can be believed."""
EXAMPLES = """\
examples:
  atomlens evaluate runs/gap table.csv --part test
  atomlens evaluate runs/gap new-measurements.csv --out report

--part takes a part of the model's own split, so that a model is not judged by the samples
it was trained on. With --out: metrics.json, predictions.csv and figures.
"""
PARTS = ("test", "validation", "train", "all")
ROWS = (
    ("n", "samples", False),
    ("mae", "MAE", True),
    ("rmse", "RMSE", True),
    ("mad", "MAE of the mean predictor", True),
    ("mad_mae", "MAD:MAE", False),
    ("r2", "R²", False),
    ("spearman", "Spearman", False),
    ("interval_coverage", "inside the 90 % interval", False),
    ("miscalibration_area", "miscalibration area", False),
    ("foreseen_errors", "Spearman of error and estimate", False),
    ("accuracy", "accuracy", False),
    ("f1", "F1", False),
    ("auc", "ROC AUC", False),
    ("cross_entropy", "cross-entropy", False),
)
"""Field of the metrics, how it is called, and whether it carries the target's unit."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this command."""
    parser.add_argument("model", metavar="MODEL", help="folder of a trained model")
    parser.add_argument("data", metavar="DATA", help="data set, table, file or folder")
    parser.add_argument("--part", choices=PARTS, default="all", help="default: all")
    parser.add_argument("--limit", type=int, metavar="N", help="use only this many samples")
    add_out_folder(parser, required=False, help_text="folder for metrics, predictions, figures")
    add_file_options(parser)
    add_common_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Predict, compare, print the metrics, write the report."""
    from atomlens.predictor import load, score
    from atomlens.predictor.evaluation import matching_values
    from atomlens.predictor.report import write_evaluation
    from atomlens.reports.tables import format_table

    model = load(options.model)
    data = load_evaluated(model, options)
    unused = data.failures
    if options.part == "all":
        _warn_of_training_samples(model, data)
    true = matching_values(data, model.targets)
    with ProgressLine("predicting", quiet=options.quiet) as progress:
        prediction = model.predict(data.structures, progress=progress)
    metrics = score(prediction, true)
    if len(prediction.failures) < len(prediction):
        emit(format_table(metric_rows(metrics)))
        if options.out is not None:
            write_evaluation(prediction, true, metrics, usable_folder(options.out))
            emit(f"Written to {options.out}: {', '.join(_files(options.out))}.")
    failures = [*unused, *prediction.failures]
    return exit_code(failures, len(data) + len(unused))


def load_evaluated(model: "Predictor", options: argparse.Namespace) -> "Dataset":
    """Return the samples to predict: the data with the model's targets, the part, the limit."""
    from atomlens.datasets import DATASETS, load_dataset

    chosen = file_options(options, ())
    spectra = [t for t in model.targets if t.is_spectrum]
    if spectra and not options.data.endswith(".npz"):
        chosen.setdefault("grid", spectra[0].grid)
    classes = [t.name for t in model.targets if t.kind == "classification"]
    if classes and options.data not in DATASETS:
        chosen["kinds"] = dict.fromkeys(classes, "classification")
    has_part = options.part != "all"
    data = load_dataset(
        options.data,
        [t.name for t in model.targets],
        limit=None if has_part else options.limit,
        seed=int(model.record.settings.get("seed", 0)),
        **chosen,
    )
    if not has_part:
        return data
    part = choose_part(model, data, options.part)
    return part if options.limit is None else part.subset(range(min(options.limit, len(part))))


def choose_part(model: "Predictor", data: "Dataset", part: str) -> "Dataset":
    """Return the samples of a data set that were in one part of the model's split.

    Raises:
        DatasetError: the model has no such part, or the data set has none of its samples.
    """
    wanted = set(model.record.split.get(part, ()))
    if not wanted:
        raise DatasetError(
            f"--part {part}: the model does not know which samples its {part} part had. Use "
            "--part all on data that it was not trained on."
        )
    rows = _rows_named(data, wanted)
    if not rows:
        raise DatasetError(
            f"--part {part}: {data.name} has none of the {len(wanted)} samples of the model's "
            f"{part} part. Give the data it was trained on, or use --part all."
        )
    return data.subset(rows)


def _rows_named(data: "Dataset", wanted: set[str]) -> list[int]:
    from atomlens.datasets.splits import distinct_names

    names = distinct_names(data.structures.names)
    return [i for i, name in enumerate(names) if name in wanted]


def _warn_of_training_samples(model: "Predictor", data: "Dataset") -> None:
    known = _rows_named(data, set(model.record.split.get("train", ())))
    if known and model.record.data == data.name:
        say(
            f"warning: {len(known)} of the {len(data)} samples were in the training part, so the "
            "error is too small. --part test leaves them out."
        )


def metric_rows(metrics: "Metrics") -> list[dict[str, Any]]:
    """Return one row a figure, one column a target."""
    rows: dict[str, dict[str, Any]] = {}
    for name, figures in metrics.to_dict()["targets"].items():
        for field, label, has_unit in ROWS:
            value = figures.get(field)
            if value is None:
                continue
            unit = figures.get("unit", "") if has_unit else ""
            text = str(value) if isinstance(value, int) else f"{value:.4g}"
            points = field == "n" and value > metrics.n_samples
            label = "values" if points else label
            rows.setdefault(label, {"": label})[name] = f"{text} {unit}".rstrip()
    return list(rows.values())


def _files(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))
