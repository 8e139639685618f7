"""``atomlens cv``: cross-validation, each sample predicted by a model that never saw it."""

import argparse
from pathlib import Path

from atomlens.cli import train as training
from atomlens.cli.guard import say
from atomlens.cli.outputs import default_folder, emit, exit_code
from atomlens.errors import SettingsError
from atomlens.printing import counted

SUMMARY = "cross-validate a model: k folds, a table and a figure"
DESCRIPTION = """\
Train one model a fold and predict each sample with the model that never saw it. Of the samples
outside a fold a tenth is its validation part, so a fold decides nothing about the model that it
tests. Writes folds.csv (each fold, mean and standard deviation), predictions.csv, summary.json, a
parity plot, and the model of each fold."""
EXAMPLES = """\
examples:
  atomlens cv table.csv --target gap --out runs/cv
  atomlens cv table.csv --target gap --model ridge --folds 10 --out runs/cv
  atomlens cv table.csv --target gap --by composition --out runs/cv   no formula on both sides
  atomlens cv table.csv --target gap --by scaffold --out runs/cv      no scaffold on both sides
  atomlens cv table.csv --target gap --by group:lab --out runs/cv     by its column `lab`
  atomlens cv table.csv --target gap --by source --out runs/cv        by its column `fold`
  atomlens cv table.csv --target gap --out runs/cv --resume           finished folds are kept
"""
BY = "random, composition, scaffold, group:COLUMN, source"

READS = training.READS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this command: those of a training, and the folds."""
    parser.add_argument("--folds", type=int, metavar="K", help="default: 5")
    parser.add_argument("--by", metavar="HOW", default="random", help=f"how folds are made: {BY}")
    training.add_training_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Train and test every fold, print the table, write the rest."""
    from atomlens.cli.training_line import TrainingLine
    from atomlens.predictor.skill import without_skill
    from atomlens.reports.tables import format_table
    from atomlens.selection import cross_validate
    from atomlens.selection.cross_validation import ALL_FOLDS

    if options.split is not None:
        raise SettingsError(
            "--split has no place in a cross-validation, whose folds are the test parts; use "
            "--folds and --by."
        )
    data, settings = training.data_and_settings(options)
    names = [t.name for t in data.targets]
    out = options.out or default_folder("cv", Path(options.data).stem, *names)
    with TrainingLine(quiet=options.quiet, unit=data.targets[0].unit) as line:

        def told(done: int, total: int) -> None:
            if not options.quiet:
                line.message(f"fold {done} of {total} is done")

        found = cross_validate(
            data,
            model=options.model,
            target=names,
            n_folds=options.folds,
            by=options.by,
            out=out,
            settings=settings,
            resume=options.resume,
            progress=line,
            told=told,
        )
    emit(format_table(found.to_rows()))
    for sentence in without_skill(found.overall["pooled"].to_dict()["targets"], ALL_FOLDS):
        say(f"warning: {sentence}")
    emit(f"Written to {out}: folds.csv, predictions.csv, summary.json, figures, a model a fold.")
    for remark in found.remarks:
        say(f"warning: {remark}")
    failures = [*data.failures, *found.failures]
    if failures:
        say(f"{counted(len(failures), 'sample', 'are')} in no figure:")
    return exit_code(failures, len(data) + len(data.failures))
