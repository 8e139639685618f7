"""``atomlens evaluate``: how far predictions are from known values."""

import argparse
from typing import TYPE_CHECKING

from atomlens.cli.common import (
    add_chemiscope,
    add_common_arguments,
    add_file_options,
    add_model,
    add_out_folder,
    add_targets,
    chosen_targets,
    file_options,
    load_model,
)
from atomlens.cli.guard import say
from atomlens.cli.outputs import check_folder, emit, exit_code, usable_folder
from atomlens.cli.progress import ProgressLine
from atomlens.cli.reading import Reads

if TYPE_CHECKING:
    from atomlens.datasets.base import Dataset
    from atomlens.predictor import Predictor

SUMMARY = "compare predictions with known values"
DESCRIPTION = """\
Compare a model's predictions with the values of a data set: MAE, RMSE, R², Spearman's rank
correlation, MAD:MAE (how many times better than always saying the mean) and how far the
error estimates can be believed; of classes accuracy, balanced accuracy, F1, ROC AUC,
cross-entropy, each class by itself, and how far probabilities can be believed."""
EXAMPLES = """\
examples:
  atomlens evaluate runs/gap table.csv --part test
  atomlens evaluate qm9 my-molecules.csv
  atomlens evaluate runs/gap new-measurements.csv --out report

--part takes a part of the model's own split, so that a model is not judged by the samples
it was trained on. With --out: index.html, metrics.json, predictions.csv
and figures.
"""
PARTS = ("test", "validation", "train", "all")

READS = Reads()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this command."""
    add_model(parser)
    parser.add_argument("data", metavar="DATA", help="data set, table, file or folder")
    add_targets(parser)
    parser.add_argument("--part", choices=PARTS, default="all", help="default: all")
    parser.add_argument("--limit", type=int, metavar="N", help="use only this many samples")
    add_out_folder(parser, required=False, help_text="folder for metrics, predictions, figures")
    add_file_options(parser)
    add_chemiscope(parser)
    add_common_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Predict, compare, print the metrics, write the report."""
    from atomlens.predictor.evaluation import about_figures, about_neighbors, without_coverage
    from atomlens.predictor.report import write_evaluation
    from atomlens.reports.tables import format_table
    from atomlens.reports.wording import identity_sentence

    check_folder(options.out)
    if options.chemiscope is not None:
        from atomlens.reports.chemiscope_file import check_map

        check_map(options.chemiscope)
    model = load_model(options.model)
    data, remarks = load_evaluated(model, options)
    for remark in remarks:
        say(remark)
    unused = data.failures
    folder = None if options.out is None else usable_folder(options.out)
    with ProgressLine("predicting", quiet=options.quiet) as progress:
        prediction, true, metrics = model.compare(data, progress=progress)
    doubts = tuple(f"warning: {doubt}" for doubt in about_figures(model, metrics))
    for doubt in doubts:
        say(doubt)
    if len(prediction.failures) < len(prediction):
        emit(format_table(metrics.to_rows()))
        for sentence in without_coverage(prediction, true):
            say(sentence)
        for sentence in about_neighbors(prediction):
            say(f"warning: {sentence}")
        if options.chemiscope is not None:
            from atomlens.predictor.maps import write_evaluated_map

            write_evaluated_map(model, data.structures, prediction, true, options.chemiscope)
        if folder is not None:
            about = {"made_by": model.identity, "data": options.data, "part": options.part}
            of_data = f"Data: {options.data}, part: {options.part}."
            written = write_evaluation(
                prediction,
                true,
                metrics,
                folder,
                (f"{identity_sentence(model.identity)} {of_data}", *remarks, *doubts),
                about,
            )
            emit(f"Written to {options.out}: {', '.join(p.name for p in written)}.")
    failures = [*unused, *prediction.failures]
    return exit_code(failures, len(prediction) + len(unused))


def load_evaluated(
    model: "Predictor", options: argparse.Namespace
) -> "tuple[Dataset, tuple[str, ...]]":
    """Return the samples to predict, and what is to be said of them."""
    from atomlens.predictor.judged_data import evaluated_data

    wanted = chosen_targets(model, options.target) if options.target else ()
    found = evaluated_data(
        model,
        options.data,
        targets=wanted,
        part=options.part,
        limit=options.limit,
        options=file_options(options, ()),
        strict=options.strict,
    )
    return found.data, (*found.remarks, *(f"warning: {said}" for said in found.warnings))
