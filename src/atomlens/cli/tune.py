"""``atomlens tune``: the search for settings."""

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atomlens.cli import train as training
from atomlens.cli.common import data_options
from atomlens.cli.guard import say
from atomlens.cli.outputs import default_folder, emit
from atomlens.errors import SettingsError
from atomlens.files import place_of
from atomlens.printing import counted

if TYPE_CHECKING:
    from atomlens.selection.tuning import Trial

SUMMARY = "search for settings with the smallest validation error"
DESCRIPTION = """\
Search for settings with optuna. Trials are judged by the validation part; the test part decides
nothing and is not looked at. Trials that are worse than the median at the same epoch are stopped.
Writes trials.csv, best.yaml (for `train --config`) and a figure; it is resumable by
its journal."""
EXAMPLES = """\
examples:
  atomlens tune table.csv --target gap --out runs/tune
  atomlens tune table.csv --target gap --trials 50 --search learning_rate=1e-4:1e-2:log \\
      --search model.n_layers=2:6 --search model.n_features=32,64,128 --out runs/tune
  atomlens tune table.csv --target gap --space space.yaml --max-minutes 60 --out runs/tune
  atomlens tune table.csv --target gap --out runs/tune --trials 80 --resume
  atomlens train table.csv --target gap --config runs/tune/best.yaml --out runs/gap

--search NAME alone takes the range around the default, inside the bounds of the setting. space.yaml
has blocks as a config file, with `[A, B]` or `{low: 1e-4, high: 1e-2, log: true}` behind a name.
Needs optuna: pip install "atomlens[tune]".
"""

READS = training.READS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this command: those of a training, and the search."""
    parser.add_argument("--trials", type=int, default=20, metavar="N", help="in all; default: 20")
    parser.add_argument(
        "--search", action="append", metavar="NAME[=VALUES]", help="a setting; may repeat"
    )
    parser.add_argument("--space", type=place_of, metavar="FILE.yaml", help="ranges in blocks")
    parser.add_argument(
        "--max-minutes", type=float, metavar="M", help="begin no trial after so long"
    )
    parser.add_argument("--no-pruning", action="store_true", help="let every trial end")
    training.add_training_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Search, print the best trials, say what to do with them."""
    from atomlens.cli.training_line import TrainingLine
    from atomlens.reports.tables import format_table
    from atomlens.selection import tune

    if options.max_minutes is not None and not options.max_minutes > 0:
        raise SettingsError(f"--max-minutes {options.max_minutes:g} must be above 0.")
    space = wanted_space(options)
    data, settings = training.data_and_settings(options)
    names = [t.name for t in data.targets]
    out = options.out or default_folder("tune", Path(options.data).stem, *names)

    def told(trial: "Trial", total: int) -> None:
        if not options.quiet:
            value = "" if trial.value is None else f", {trial.value:.4g}"
            why = f", {trial.problem}" if trial.problem else ""
            say(f"trial {trial.number + 1} of {total}: {trial.state}{value}{why}")

    found = tune(
        data,
        model=options.model,
        target=names,
        space=space,
        n_trials=options.trials,
        max_seconds=None if options.max_minutes is None else 60 * options.max_minutes,
        out=out,
        settings=settings,
        prune=not options.no_pruning,
        resume=options.resume,
        told=told,
        progress=TrainingLine(quiet=True),
    )
    rows = [r for r in found.to_rows() if r["state"] == "complete"]
    emit(format_table(sorted(rows, key=lambda row: row[found.objective])[:5]))
    emit(
        f"{counted(len(found.trials), 'trial', 'are')} in {out}/trials.csv. Next:\n"
        f"  {_training(options, names, found.model, out)}"
    )
    return 1 if data.failures else 0


def _training(options: argparse.Namespace, names: list[str], model: str, out: Path) -> str:
    """Return the command that trains with the best settings on what the search was told of."""
    words = ["atomlens", "train", str(options.data)]
    for name in names:
        words += ["--target", name]
    words += ["--model", model, "--config", str(out / "best.yaml"), *data_options(options)]
    return shlex.join([*words, "--out", "runs/best"])


def wanted_space(options: argparse.Namespace) -> dict[str, Any] | None:
    """Return the ranges of --space, then those of --search; None if nothing is said."""
    from atomlens.cli.recipes import GROUPS
    from atomlens.cli.settings import read_config
    from atomlens.selection.space import parse_dimension

    space: dict[str, Any] = {}
    if options.space is not None:
        blocks = read_config(options.space, GROUPS, "--space")
        space = {
            f"{g}.{name}": values for g, block in blocks.items() for name, values in block.items()
        }
        if not space:
            raise SettingsError(
                f"--space {options.space}: it names no setting; write ranges in blocks, such as "
                "training: {learning_rate: [0.0001, 0.01]}, or leave the option out."
            )
    for text in options.search or ():
        name, values = parse_dimension(text)
        space[name if "." in name else f"training.{name}"] = values
    return space or None
