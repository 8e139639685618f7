"""``atomlens study``: a claim about attention, measured, with controls."""

import argparse
import os
import sys
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from atomlens.cli.common import (
    add_chemiscope,
    add_common_arguments,
    add_out_folder,
    add_set,
    refuse_idle_options,
)
from atomlens.cli.guard import say
from atomlens.cli.outputs import check_folder, emit, exit_code, usable_folder
from atomlens.cli.progress import ProgressLine
from atomlens.cli.reading import Reads, reading_options
from atomlens.cli.settings import read_assignments
from atomlens.errors import SettingsError, StudyError, unknown_name
from atomlens.files import to_json

if TYPE_CHECKING:
    from atomlens.predictor import Predictor
    from atomlens.studies import Study, StudyResult
    from atomlens.studies.given import StudyData

SUMMARY = "measure a claim about attention, with controls"
DESCRIPTION = """\
Measure a claim about attention: effect size, confidence interval, and the same number of an
untrained network and of a model trained on shuffled labels. `atomlens study list` names the
studies, `atomlens study info NAME` the settings of one.

A model of several targets, such as those of the box, is asked about one with MODEL:TARGET
(qm9:homo). INPUT is a data set's name, a table, a structure file, a folder, a glob or a SMILES.
Samples that a model was trained on are left out unless --all is given."""
EXAMPLES = """\
examples:
  atomlens study list
  atomlens study relative-attention qm9 --limit 5000 --model runs/homo --model runs/lumo \\
      --shuffled runs/homo-shuffled --out studies/relative-attention
  atomlens study orbits C60.xyz --model qm9:homo --model qm9:lumo --out studies/orbits
  atomlens study orbits C60.xyz --model runs/homo --out studies/orbits --set tolerance=0.05

The control is trained like its model, with: --set training.shuffle_targets=true
"""

READS = Reads()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this command."""
    parser.add_argument("study", metavar="NAME", help="a study, or `list`, or `info`")
    parser.add_argument("inputs", metavar="INPUT", nargs="*", help="data set, table, structures")
    parser.add_argument(
        "--model",
        metavar="M[:TARGET]",
        action="append",
        default=[],
        help="trained model, or one target of it; may repeat",
    )
    parser.add_argument(
        "--shuffled",
        metavar="M[:TARGET]",
        action="append",
        default=[],
        help="control: a model trained on shuffled labels; may repeat",
    )
    parser.add_argument("--limit", type=int, metavar="N", help="use only this many structures")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="draws them (default 0)")
    parser.add_argument(
        "--all", action="store_true", help="use also what the models were trained on"
    )
    add_set(parser, "FIELD=V", "one setting of the study; may repeat")
    add_out_folder(parser, required=False, help_text="folder for figures, tables, study.json")
    parser.add_argument("--format", choices=("table", "json"), default="table")
    add_chemiscope(parser)
    add_common_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Run the study, show its effects and claims, write everything."""
    if options.study in ("list", "info"):
        taken = ("inputs",) if options.study == "info" else ()
        refuse_idle_options(
            options,
            sys.modules[__name__],
            ("study", "seed", "format", "quiet", "debug", *taken),
            f"`study {options.study}` runs no study; leave it out.",
        )
        return describe(options)
    from atomlens.studies import STUDIES, StudyInput
    from atomlens.studies.answering import answer, independent

    if options.study not in STUDIES:
        raise SettingsError(unknown_name("study", options.study, STUDIES))
    if options.out is None:
        raise SettingsError("A study writes figures and tables: name a folder with --out.")
    check_folder(options.out)
    if options.limit is not None and options.limit < 1:
        raise SettingsError(f"--limit {options.limit}: it must be 1 or more.")
    study = make_study(STUDIES[options.study], options.assignments)
    check_explorer(study, options.chemiscope)
    if not options.model:
        raise StudyError(f"{study.name}: give at least one trained model with --model.")
    refuse_named_targets(study, [*options.model, *options.shuffled])
    models = load_all(options.model)
    study.check_models(models)
    data, left_out = load_inputs(study, options, models)
    if options.chemiscope is not None:
        from atomlens.reports.chemiscope_file import refuse_bare

        refuse_bare(data.structures.names, data.structures.is_formula, options.chemiscope)
    folder = usable_folder(options.out)
    with ProgressLine(study.name, quiet=options.quiet) as progress:
        given = independent(
            StudyInput(
                models=models,
                data=data,
                shuffled=load_all(options.shuffled),
                use_known=options.all,
                progress=progress,
                seed=options.seed,
                left_out=left_out,
            )
        )
        result = answer(study, given)
    result.save(folder)
    study.draw(result, folder)
    if options.chemiscope is not None:
        with ProgressLine("explaining", quiet=options.quiet) as progress:
            study.write_map(result, given, options.chemiscope, progress)
    emit(to_json(result.to_dict()) if options.format == "json" else report(result, folder))
    n_given = len(data) + len(data.failures)
    return exit_code(result.failures, max(n_given, len(result.failures) + 1))


def describe(options: argparse.Namespace) -> int:
    """List the studies, or describe one with its settings."""
    from atomlens.reports.tables import format_table
    from atomlens.settings import settings_table
    from atomlens.studies import STUDIES

    if options.study == "list":
        rows = [{"study": name, "question": study.summary} for name, study in STUDIES.items()]
        emit(to_json(rows) if options.format == "json" else format_table(rows))
        return 0
    if len(options.inputs) != 1:
        raise SettingsError(f"Which study? Known: {', '.join(sorted(STUDIES))}.")
    if options.inputs[0] not in STUDIES:
        raise SettingsError(unknown_name("study", options.inputs[0], STUDIES))
    study = STUDIES[options.inputs[0]]
    settings = settings_table(study.Settings, {})
    if options.format == "json":
        emit(to_json({"study": study.name, "question": study.summary, "settings": settings}))
    else:
        emit(f"{study.name}: {study.summary}\n\n{format_table(settings)}")
    return 0


def make_study(kind: "type[Study]", assignments: list[str]) -> "Study":
    """Return the study with the settings that were typed."""
    from atomlens.settings import typed_values

    given = read_assignments(assignments, ["study"], "study").get("study", {})
    return kind(kind.Settings(**typed_values(kind.Settings, given, kind.name)))


def check_explorer(study: "Study", path: Path | None) -> None:
    """Refuse a map that the study does not make or that cannot be written."""
    if path is None:
        return
    from atomlens.reports.chemiscope_file import check_map
    from atomlens.studies import STUDIES

    if not study.makes_map:
        able = ", ".join(name for name, kind in STUDIES.items() if kind.makes_map)
        raise SettingsError(
            f"--chemiscope: the study {study.name!r} lays nothing out in a plane; leave it out, "
            f"or run one that does: {able}."
        )
    check_map(path)


def load_all(given: list[str]) -> "tuple[Predictor, ...]":
    """Load models; of ``MODEL:TARGET`` that target alone."""
    return tuple(load_one(one) for one in given)


def refuse_named_targets(study: "Study", given: list[str]) -> None:
    """Raise a SettingsError for MODEL:TARGET in a study that has a setting for the target."""
    from atomlens.studies.one_target import split_name

    if not hasattr(study.settings, "target"):
        return
    for one in given:
        model, target = (one, "") if os.path.exists(one) else split_name(one)
        if target:
            raise SettingsError(
                f"{one}: {study.name} has a setting for the target; type --model {model} --set "
                f"target={target}."
            )


def load_one(given: str) -> "Predictor":
    """Load a model, or one target of a model of several; see `atomlens.studies.given`."""
    from atomlens.studies.given import load_one as load

    return load(given)


def load_inputs(
    study: "Study", options: argparse.Namespace, models: "tuple[Predictor, ...]"
) -> "StudyData":
    """Return the structures of the inputs, without what the models were trained on.

    Raises:
        StudyError: there is no input, or nothing is left.
    """
    from atomlens.studies.given import study_data

    return study_data(
        study,
        options.inputs or None,
        models,
        tell=say,
        reading=reading_options(options, leave_out=[options.out]),
        use_known=options.all,
        limit=options.limit,
        seed=options.seed,
    )


def report(result: "StudyResult", folder: Path) -> str:
    """Return effects, claims and notes as text."""
    from atomlens.reports.tables import format_table

    def cell(value: float) -> str:
        return f"{value:.3g}" if isfinite(value) else ""

    rows = [
        {
            "effect": e.name,
            "value": f"{cell(e.value)} {e.unit}".rstrip() if cell(e.value) else "",
            "95 % interval": f"{e.low:.3g} to {e.high:.3g}" if isfinite(e.low + e.high) else "",
            "n": e.n,
            **{name: cell(value) for name, value in e.controls.items()},
        }
        for e in result.effects
    ]
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [result.question]
    if rows:
        lines += ["", format_table([{name: row.get(name, "") for name in names} for row in rows])]
    if result.shown:
        lines += ["", format_table(result.shown)]
    for claim in result.claims:
        lines += ["", f"{claim.identifier} {claim.verdict}: {claim.statement}"]
        lines += [f"    criterion: {claim.criterion}", f"    found: {claim.evidence}"]
        lines += [f"    chance: {claim.chance}"] if claim.chance else []
    if result.counts:
        lines += ["", "; ".join(f"{name}: {n}" for name, n in result.counts.items())]
    lines += ["", *result.notes] if result.notes else []
    lines += ["", f"Figures, tables and study.json are in {folder}."]
    return "\n".join(lines)
