"""``atomlens predict``: values with an error estimate for structures of any form."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from atomlens.cli.common import (
    add_common_arguments,
    add_model_and_inputs,
    add_speed,
    add_targets,
    chosen_targets,
    load_model,
    refuse_models,
    tell_idle_speed,
)
from atomlens.cli.guard import say
from atomlens.cli.outputs import (
    add_out_table,
    check_table_name,
    emit,
    exit_code,
    tell_unfinished,
)
from atomlens.cli.progress import ProgressLine
from atomlens.cli.reading import Reads, reading_options
from atomlens.errors import SettingsError
from atomlens.files import place_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atomlens.errors import Failure
    from atomlens.predictor import Prediction, Predictor
    from atomlens.predictor.trust.doubts import DoubtsHeard
    from atomlens.reports.tables import Record

_MOST_DOUBTS = 5
"""Reasons to mistrust answers that are said on stderr, each once with the names of the answers."""

SUMMARY = "predict a property of structures"
DESCRIPTION = """\
Predict with a trained model. Every input gives one row, in the order given; an input
that cannot be used is listed on stderr and stands in its place with the reason."""
EXAMPLES = """\
examples:
  atomlens predict qm9 CCO                       a model of the box, no training needed
  atomlens predict mp "crystals/*.cif" --target band_gap
  atomlens predict runs/homo molecules/
  atomlens predict runs/homo "CCO" "c1ccccc1" ethanol.xyz
  atomlens predict runs/homo table.csv --out predicted.csv
  atomlens predict runs/homo "crystals/*.cif" --out gaps.csv
  atomlens predict runs/homo a.cif b.cif --format json
  atomlens predict mp crystals/ --out gaps.parquet --workers 8
  atomlens predict runs/homo molecules/ --embedding vectors.npz
  atomlens predict runs/eps TiO2 ZnS --plot spectra.png

A MODEL is a folder that `atomlens train` wrote, or the name of a model in the box (`atomlens
models list`); a model folder of that name here goes first, `box:NAME` is always the box. The
column TARGET_std says how far the answer may be off (one standard deviation), TARGET_low and
TARGET_high between which ends it lies in 90 % of cases (split conformal intervals, if the model has
them; `interval` in files repeats the share), `source` from which file or text it comes (on a
terminal where names leave that open), `unlike` how unlike the training data the input is (percent
of the validation part that is nearer, if the model knows), `seen_in` whether the model was trained
on the structure (the same atoms at the same places; coordinates made from a SMILES are others than
those of a calculation). A table (column `file`, `smiles`, `formula` or `composition`) gives one
prediction a row, beside its own columns.
"""
READS = Reads()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this command."""
    add_model_and_inputs(parser)
    add_targets(parser)
    add_out_table(parser)
    parser.add_argument(
        "--embedding",
        type=place_of,
        metavar="FILE.npz",
        help="also write the vector that the model makes of each structure",
    )
    parser.add_argument(
        "--plot", type=place_of, metavar="FILE", help="draw predicted spectra: .png, .svg or .pdf"
    )
    parser.add_argument(
        "--format", choices=("table", "json", "csv"), help="on stdout (default: table)"
    )
    add_speed(parser)
    add_common_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Predict, print or write the rows, list the failures."""
    check_table_name(options.out)
    if options.embedding is not None and options.embedding.suffix != ".npz":
        raise SettingsError(f"--embedding {options.embedding}: the name must end with .npz.")
    from atomlens.machine import choose_device
    from atomlens.reports.tables import check_table

    choose_device(options.device)
    if options.out is not None:
        check_table(options.out)
    model = load_model(options.model)
    refuse_models(options.inputs, "predict")
    tell_idle_speed(model, options)
    wanted = set(chosen_targets(model, options.target))
    others = [t.name for t in model.targets if t.name in options.inputs]
    if options.target and others and not Path(others[0]).exists():
        raise SettingsError(
            f"{others[0]!r} behind --target is a target of this model, too; for both say --target "
            f"{options.target[0]} --target {others[0]}, and for an input of that name smiles: or "
            "formula: in front of it."
        )
    if options.plot is not None and not any(
        t.is_spectrum for t in model.targets if t.name in wanted
    ):
        raise SettingsError(f"--plot {options.plot}: numbers are predicted, no spectra.")
    tell_unfinished(options.model)
    shown = (options.format, options.plot, options.embedding)
    if options.out is not None and all(one is None for one in shown):
        return write_as_they_come(model, options)
    return predict_at_once(model, options)


def write_as_they_come(model: "Predictor", options: argparse.Namespace) -> int:
    """Write the rows while others are still being read; memory holds some hundred at a time."""
    from atomlens.machine import long_lived
    from atomlens.predictor.inputs import stream_inputs
    from atomlens.predictor.reading import inputs_reading
    from atomlens.predictor.trust.doubts import DoubtsHeard
    from atomlens.reports.journal import TableJournal

    reading = reading_options(options, leave_out=[options.out], n_workers=options.workers)
    targets = chosen_targets(model, options.target)
    doubts, n_inputs = DoubtsHeard(_MOST_DOUBTS), 0
    failures: list[Failure] = []
    with (
        TableJournal(options.out, column_types(model, targets)) as journal,
        ProgressLine("predicting", quiet=options.quiet) as progress,
        long_lived(),
    ):
        for inputs in stream_inputs(options.inputs, inputs_reading(model, options.inputs, reading)):
            prediction = model.predict(
                inputs,
                batch_size=options.batch_size,
                n_workers=options.workers,
                device=options.device,
            )
            prediction = prediction.of_targets(targets)
            if options.strict:
                prediction = prediction.strictly()
            journal.add(rows_for(options.out, prediction))
            failures += prediction.failures
            n_inputs += len(prediction)
            doubts.hear(prediction)
            progress.count(n_inputs)
        journal.finish()
    say_doubts(doubts)
    return exit_code(failures, n_inputs)


def column_types(model: "Predictor", targets: "Sequence[str]") -> dict[str, type]:
    """Return what the columns of an answer hold; those of spectra are as their cells are."""
    from atomlens.screening.columns import own_columns

    types: dict[str, type] = {"text": str, "number": float, "whole": int}
    asked = tuple(t for t in model.targets if t.name in targets)
    own = own_columns(model, asked, has_forms=False)
    answer = {name: types[kind] for name, kind in own.items() if kind in types}
    told = dict.fromkeys(("name", "formula", "warning", "error"), str)
    return {**told, "n_atoms": int, **answer}


def predict_at_once(model: "Predictor", options: argparse.Namespace) -> int:
    """Predict all inputs, then show them."""
    from atomlens.predictor.inputs import gather
    from atomlens.predictor.reading import inputs_reading
    from atomlens.predictor.trust.doubts import DoubtsHeard
    from atomlens.reports.tables import format_table, to_csv, to_json, write_table

    outputs = [options.out, options.plot, options.embedding]
    reading = reading_options(options, leave_out=outputs, n_workers=options.workers)
    inputs = gather(options.inputs, inputs_reading(model, options.inputs, reading))
    vectors = model.embed(inputs, device=options.device) if options.embedding is not None else None
    with ProgressLine("predicting", quiet=options.quiet) as progress:
        prediction = model.predict(
            inputs,
            batch_size=options.batch_size,
            n_workers=options.workers,
            device=options.device,
            progress=progress,
        )
    prediction = prediction.of_targets(chosen_targets(model, options.target))
    if options.strict:
        prediction = prediction.strictly()
    records = prediction.to_records()
    n_failed = len(prediction.failures)
    in_table = options.format == "table" or (options.format is None and options.out is None)
    in_table &= n_failed < len(records)
    if options.out is not None:
        write_table(rows_for(options.out, prediction), options.out)
    if options.format == "json":
        emit(to_json(records))
    elif options.format == "csv":
        emit(to_csv(prediction.to_rows()))
    elif in_table:
        emit(format_table(prediction.to_summary()))
        if prediction.has_ends:
            emit(f"\n{prediction.about_intervals()}")
    if options.plot is not None and n_failed < len(records):
        plot_spectra(prediction, options.plot)
    if vectors is not None:
        vectors.save(options.embedding)
    doubts = DoubtsHeard(_MOST_DOUBTS)
    doubts.hear(prediction)
    say_doubts(doubts, marked=in_table and options.out is None)
    return exit_code(prediction.failures, len(records))


def rows_for(out: Path, prediction: "Prediction") -> "Sequence[Record]":
    """Return the rows as a table of this name holds them: spectra a row a point, or in a cell."""
    in_cells = out.suffix in (".json", ".jsonl")
    return prediction.to_records() if in_cells else prediction.to_rows()


def plot_spectra(prediction: "Prediction", path: Path) -> None:
    """Draw the predicted spectra of the first inputs, and say how many are left out."""
    from atomlens.predictor.spectrum_panels import axis_labels, spectrum_panels
    from atomlens.reports.spectrum_figure import MOST_PANELS, draw_spectra

    x_label, y_label = axis_labels(prediction.spectrum_target())
    several = sum(t.is_spectrum for t in prediction.targets) > 1
    panels = spectrum_panels(prediction, MOST_PANELS)
    draw_spectra(panels, path, x_label=x_label, y_label="" if several else y_label)
    n_left = int(prediction.ok.sum()) - len(panels)
    if n_left:
        say(f"The picture shows the first {len(panels)} spectra and leaves out {n_left}.")


def say_doubts(heard: "DoubtsHeard", *, marked: bool = False) -> None:
    """Say on stderr which numbers should be mistrusted, and why.

    Args:
        heard: What is doubtful about them.
        marked: The output has marks where it could have the reasons.
    """
    from atomlens.predictor.tables import MARK

    for sentence in heard.first:
        say(f"warning: {sentence}")
    if heard.n_more:
        where = f"{MARK} in the table" if marked else "a `warning` in the output"
        files = "; --format csv and --out FILE say why" if marked else ""
        say(f"warning: and {heard.n_more} more, which have {where}{files}")
    for sentence in heard.about_geometries():
        say(f"warning: {sentence}")
