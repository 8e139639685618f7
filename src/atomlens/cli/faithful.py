"""``atomlens faithful``: do explanations of a model say what it would lose without the atoms?"""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atomlens.cli.common import add_common_arguments, add_out_folder, add_set
from atomlens.cli.guard import say
from atomlens.cli.outputs import check_folder, emit, exit_code, usable_folder
from atomlens.cli.progress import ProgressLine
from atomlens.cli.reading import Reads
from atomlens.cli.study import load_all, load_inputs, make_study
from atomlens.errors import SettingsError
from atomlens.files import to_json, write_text
from atomlens.printing import counted

if TYPE_CHECKING:
    from atomlens.predictor import Predictor

SUMMARY = "test whether explanations say what the model loses without the atoms"
DESCRIPTION = """\
Test the explanations of one model: deletion and insertion curves in three meanings (element
hidden, taken from the graph, structure read again), over chance and beside tables that know an
atom's element, neighbours or environment; agreement of scores with effects; random weights,
displaced atoms, larger cells, equal sites. Writes faithful.json, faithful.csv, curves.csv,
checks.csv, inputs.csv (what is known of each structure) and faithful.png.

DATA is a data set's name, a table, a structure file, a folder, a glob or a SMILES. Samples that
the model was trained on are left out unless --all is given."""
EXAMPLES = """\
examples:
  atomlens faithful runs/homo qm9 --limit 300 --out faithful-homo
  atomlens faithful runs/homo "molecules/*.xyz" --methods contribution,attention --out check
"""

READS = Reads()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this command."""
    parser.add_argument("model", metavar="MODEL", help="folder of a trained model")
    parser.add_argument("inputs", metavar="DATA", nargs="+", help="data set, table, structures")
    add_out_folder(parser, required=True, help_text="folder for numbers, tables and the figure")
    parser.add_argument("--methods", metavar="A,B", help="methods of explain (all basic ones)")
    parser.add_argument("--target", metavar="T", help="which property, if the model has several")
    parser.add_argument(
        "--shuffled",
        metavar="M",
        action="append",
        default=[],
        help="control: the same model trained on shuffled labels; may repeat",
    )
    parser.add_argument("--limit", type=int, default=300, metavar="N", help="structures (300)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="draws them (default 0)")
    parser.add_argument("--all", action="store_true", help="use also what the model was trained on")
    parser.add_argument(
        "--record", action="store_true", help="keep the key figures in MODEL: its card says them"
    )
    add_set(parser, "FIELD=V", "one setting of the study; may repeat")
    parser.add_argument("--format", choices=("table", "json"), default="table")
    add_common_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Measure, write everything, print the table and what it says."""
    from atomlens.reports.tables import format_table
    from atomlens.studies.answering import answer
    from atomlens.studies.base import StudyInput
    from atomlens.studies.faithful.study import Faithful, as_json, check_table

    if options.limit < 1:
        raise SettingsError(f"--limit {options.limit}: it must be 1 or more.")
    check_folder(options.out)
    study = make_study(Faithful, _assignments(options))
    place = _recordable(options.model) if options.record else None
    models = load_all([options.model])
    data, left_out = load_inputs(study, options, models)
    folder = usable_folder(options.out)
    with ProgressLine("faithful", quiet=options.quiet) as progress:
        shuffled = load_all(options.shuffled)
        given = StudyInput(
            models=models,
            data=data,
            shuffled=shuffled,
            use_known=options.all,
            progress=progress,
            seed=options.seed,
            left_out=left_out,
        )
        result = answer(study, given)
    figures = as_json(result)
    content = to_json(figures)
    result.save(folder)
    study.draw(result, folder)
    write_text(content + "\n", folder / "faithful.json")
    if options.format == "json":
        emit(content)
    else:
        emit(format_table([dict(row) for row in result.shown]))
        emit("\n" + format_table(check_table(result)))
        emit("\n" + "\n\n".join(result.notes))
        emit(f"\nFigure, tables and faithful.json are in {folder}.")
    kept = place is None or _keep(record(models[0], figures), place, result.n_structures)
    n_given = len(data) + len(data.failures)
    code = exit_code(result.failures, max(n_given, len(result.failures) + 1))
    return code if kept else max(code, 1)


def _recordable(given: str) -> Path:
    """Return the folder of a model whose card is to say what was found.

    Raises:
        SettingsError: it is a model of the box, named: the package stays as it was installed.
    """
    from atomlens.predictor.folder.box import model_place

    place = model_place(given)
    if not Path(given).is_dir():
        raise SettingsError(
            f"--record: {given!r} is a model of the box, which stays as it was installed; copy the "
            f"folder {place} and give the copy."
        )
    return place


def _keep(model: "Predictor", place: Path, n: int) -> bool:
    """Write what was found to the model's folder if it is a verdict; say whether it is."""
    from atomlens.predictor.folder.saving import save_metrics
    from atomlens.studies.faithful.words import FEW

    if n < FEW:
        few = counted(n, "structure", "are")
        say(
            f"--record: {few} too few for a verdict that the model's card could repeat, so it "
            f"stays as it was; use {FEW} or more. Everything else was written."
        )
        return False
    save_metrics(model, place)
    return True


def record(model: "Predictor", figures: "Mapping[str, Any]") -> "Predictor":
    """Return the model with the key figures of its explanations among its metrics."""
    from atomlens.predictor.folder.tested import FAITHFUL, key_figures

    earlier = model.metrics.get(FAITHFUL)
    by_target = dict(earlier) if isinstance(earlier, dict) else {}
    own = by_target.get(figures["target"])
    methods = {**(own if isinstance(own, dict) else {}), **key_figures(figures)}
    by_target[figures["target"]] = methods
    return replace(model, metrics={**model.metrics, FAITHFUL: by_target})


def _assignments(options: argparse.Namespace) -> list[str]:
    """Return the settings of the study, those with an option of their own among them.

    Raises:
        SettingsError: ``--set`` says what such an option says.
    """
    given = list(options.assignments)
    for item in given:
        name = item.partition("=")[0].strip().removeprefix("study.")
        if name in ("methods", "target", "seed"):
            raise SettingsError(f"--set {item}: it has an option of its own; say --{name}.")
    if options.methods is not None:
        methods = [name for m in options.methods.split(",") if (name := m.strip())]
        if not methods:
            raise SettingsError("--methods names none; name some, or leave the option out for all.")
        given.append("methods=" + ",".join(methods))
    if options.target is not None:
        given.append(f"target={options.target}")
    given.append(f"seed={options.seed}")
    return given
