"""``atomlens evaluate``: how far predictions are from known values."""

import argparse
from dataclasses import replace
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
from atomlens.cli.outputs import emit, exit_code, usable_folder
from atomlens.cli.progress import ProgressLine
from atomlens.cli.reading import Reads, strict_dataset

if TYPE_CHECKING:
    from atomlens.datasets.base import Dataset
    from atomlens.predictor import Predictor

SUMMARY = "compare predictions with known values"
DESCRIPTION = """\
Compare a model's predictions with the values of a data set: MAE, RMSE, R², Spearman's rank
correlation, MAD:MAE (how many times better than always saying the mean) and how far the
error estimates can be believed."""
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
    from atomlens.predictor import score
    from atomlens.predictor.evaluation import (
        about_sizes,
        known_targets,
        matching_values,
        means_of,
        unseen,
        without_coverage,
    )
    from atomlens.predictor.inputs import gather
    from atomlens.predictor.metrics import without_skill
    from atomlens.predictor.ordered import mean_of_forms
    from atomlens.predictor.report import write_evaluation
    from atomlens.reports.tables import format_table

    if options.chemiscope is not None:
        from atomlens.reports.chemiscope_file import check_map

        check_map(options.chemiscope)
    model = load_model(options.model)
    data, remarks = load_evaluated(model, options)
    for remark in remarks:
        say(remark)
    unused = data.failures
    targets = known_targets(model, data)
    true = matching_values(data, targets)
    with ProgressLine("predicting", quiet=options.quiet) as progress:
        inputs = gather(data.structures)
        inputs = replace(inputs, sources=data.sources) if data.sources else inputs
        prediction = model.predict(inputs, progress=progress)
    prediction = prediction.of_targets([t.name for t in targets])
    prediction, true = mean_of_forms(prediction, true, data)
    metrics = score(unseen(prediction), true, means_of(model, targets))
    said = [*about_sizes(metrics)]
    if model.model_name != "mean":
        said += without_skill(metrics.to_dict()["targets"])
    doubts = tuple(f"warning: {doubt}" for doubt in said)
    for doubt in doubts:
        say(doubt)
    if len(prediction.failures) < len(prediction):
        emit(format_table(metrics.to_rows()))
        for sentence in without_coverage(prediction, true):
            say(sentence)
        if options.chemiscope is not None:
            from atomlens.predictor.maps import write_evaluated_map

            write_evaluated_map(model, data.structures, prediction, true, options.chemiscope)
        if options.out is not None:
            folder = usable_folder(options.out)
            written = write_evaluation(prediction, true, metrics, folder, (*remarks, *doubts))
            emit(f"Written to {options.out}: {', '.join(p.name for p in written)}.")
    failures = [*unused, *prediction.failures]
    return exit_code(failures, len(prediction) + len(unused))


def load_evaluated(
    model: "Predictor", options: argparse.Namespace
) -> "tuple[Dataset, tuple[str, ...]]":
    """Return the samples to predict, and what is to be said of them.

    They are read as the training data were; of these the part, of that the limit.
    """
    from atomlens.datasets.loading import load_dataset, load_known_targets
    from atomlens.predictor.evaluation import (
        about_known_structures,
        about_missing_targets,
        choose_part,
    )
    from atomlens.predictor.reading import reading_for

    has_part = options.part != "all"
    reading = reading_for(model, options.data, file_options(options, ()), strictly=has_part)
    load = load_dataset if options.target else load_known_targets  # what is named must be there
    wanted = chosen_targets(model, options.target)
    given = dict(reading.options)
    for about in ("kinds", "classes"):
        if about in given:
            given[about] = {name: said for name, said in given[about].items() if name in wanted}
    data = load(
        options.data,
        list(wanted),
        limit=None if has_part else options.limit,
        seed=int(model.record.settings.get("seed", 0)),
        **given,
    )
    if options.strict:
        data = strict_dataset(data)
    missing = "" if options.target else about_missing_targets(model, data)
    reading = replace(
        reading, remarks=(*reading.remarks, *([f"warning: {missing}"] if missing else []))
    )
    if not has_part:
        known = about_known_structures(model, data)
        return data, (*reading.remarks, *([f"warning: {known}"] if known else []))
    rows, remarks = choose_part(model, data, options.part)
    part = data.subset(rows if options.limit is None else rows[: options.limit])
    return part, (*reading.remarks, *(f"warning: {remark}" for remark in remarks))
