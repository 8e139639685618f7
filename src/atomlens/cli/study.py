"""``atomlens study``: a claim about attention, measured, with controls."""

import argparse
import os
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atomlens.cli.common import (
    add_chemiscope,
    add_common_arguments,
    add_out_folder,
    add_set,
    refuse_idle_options,
)
from atomlens.cli.guard import say
from atomlens.cli.outputs import emit, exit_code, failure_sentence, usable_folder
from atomlens.cli.progress import ProgressLine
from atomlens.cli.reading import Reads, forms_given, reading_options
from atomlens.cli.settings import read_assignments
from atomlens.errors import DatasetError, Failure, SettingsError, StudyError, unknown_name
from atomlens.files import to_json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from atomlens.datasets.base import Dataset
    from atomlens.predictor import Predictor
    from atomlens.studies import Study, StudyResult

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
    from atomlens.studies.base import answer, independent

    if options.study not in STUDIES:
        raise SettingsError(unknown_name("study", options.study, STUDIES))
    if options.out is None:
        raise SettingsError("A study writes figures and tables: name a folder with --out.")
    if options.limit is not None and options.limit < 1:
        raise SettingsError(f"--limit {options.limit}: it must be 1 or more.")
    study = make_study(STUDIES[options.study], options.assignments)
    check_explorer(study, options.chemiscope)
    if not options.model:
        raise StudyError(f"{study.name}: give at least one trained model with --model.")
    refuse_named_targets(study, [*options.model, *options.shuffled])
    models = load_all(options.model)
    study.check_models(models)
    data = load_inputs(study, options, models)
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
            )
        )
        result = answer(study, given)
    result.save(folder)
    study.draw(result, folder)
    if options.chemiscope is not None:
        with ProgressLine("explaining", quiet=options.quiet) as progress:
            study.write_map(result, given, options.chemiscope, progress)
    emit(to_json(result.to_dict()) if options.format == "json" else report(result, folder))
    failures = (*data.failures, *result.failures)
    return exit_code(failures, max(len(data) + len(data.failures), len(failures) + 1))


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
    """Load a model, or one target of a model of several.

    Raises:
        ModelError: there is no such model.
        StudyError: it has no such target.
    """
    from atomlens.predictor import load
    from atomlens.studies.one_target import about_target, split_name

    name, target = (given, "") if os.path.exists(given) else split_name(given)
    if not target:
        return load(given)
    try:
        return about_target(load(name), target)
    except StudyError as problem:
        raise StudyError(f"{given}: {problem}") from None


def load_inputs(
    study: "Study", options: argparse.Namespace, models: "tuple[Predictor, ...]"
) -> "Dataset":
    """Return the structures of the inputs, without what the models were trained on.

    Raises:
        StudyError: there is no input, or nothing is left.
    """
    import numpy as np

    from atomlens.predictor.evaluation import NAMES_ONLY

    if not options.inputs:
        if study.needs_data:
            raise StudyError(f"{study.name}: name the structures or the data set to study.")
        return _as_dataset([])
    own = study.read(options.inputs)
    if own is not None and forms_given(options):
        raise StudyError(
            f"{study.name}: {options.inputs[0]} is read in a way of its own; leave --disorder, "
            "--ordered-models and --conformers out."
        )
    data = _read(options, models) if own is None else own
    if not len(data):
        reason = f" {failure_sentence(data.failures[0])}" if data.failures else ""
        raise StudyError(f"{study.name}: there is no structure to study.{reason}")
    if options.strict:
        from atomlens.datasets.sampling import strict_dataset

        data = strict_dataset(data)
    if not (study.leaves_out_known or options.all):
        trained = np.zeros(len(data), dtype=np.bool_)
        for model in models:
            trained |= model.was_in(data.structures, "train", "pretraining")
            if model.record.samples is None and model.record.split:
                say(NAMES_ONLY)
        rows = np.flatnonzero(~_any_form(trained, data)).tolist()
        if not rows:
            raise StudyError(
                f"{study.name}: the models were trained on every one of the {len(data)} "
                "structures; give others, or use --all."
            )
        if len(rows) < len(data):
            say(f"{len(data) - len(rows)} structures are left out: the models were trained on them")
        data = _keep(data, rows)
    if options.limit is not None:
        from atomlens.datasets.sampling import sample_structures

        data = _keep(data, sample_structures(data, options.limit, options.seed).tolist())
    return data


def _any_form(marked: "NDArray[np.bool_]", data: "Dataset") -> "NDArray[np.bool_]":
    """(n,) whether a sample, or another form of its structure, is marked."""
    import numpy as np

    if data.row_numbers is None:
        return marked
    return np.isin(data.row_numbers, data.row_numbers[marked])


def _keep(data: "Dataset", rows: list[int]) -> "Dataset":
    return data if len(rows) == len(data) else data.subset(rows)


def _read(options: argparse.Namespace, models: "tuple[Predictor, ...]") -> "Dataset":
    """Read one data set or table with its values, or any number of structures without."""
    from atomlens.datasets import DATASETS, load_dataset
    from atomlens.datasets.tables import is_table
    from atomlens.predictor.inputs import read_atoms
    from atomlens.predictor.reading import take_formulas_first

    inputs, reading = options.inputs, reading_options(options, leave_out=[options.out])
    first = take_formulas_first(models)
    reading = reading.for_formulas(first)
    given = {**reading.places, **forms_given(options)}
    if len(inputs) == 1:
        path = Path(inputs[0])
        if is_table(path):
            return load_dataset(path, seed=options.seed, formulas_first=first, **given)
        if inputs[0] in DATASETS or path.suffix.lower() == ".npz":
            return load_dataset(inputs[0], seed=options.seed, **given)
        if path.suffix.lower() in {".extxyz", ".db"} and path.is_file():
            with suppress(DatasetError):  # there are no values in it
                return load_dataset(path, seed=options.seed, **given)
        if (path / "id_prop.csv").is_file():
            return load_dataset(path, seed=options.seed, **given)
    items, sources = read_atoms(inputs, reading)
    both = [(i, s) for i, s in zip(items, sources, strict=True) if not isinstance(i, Failure)]
    return replace(
        _as_dataset([item for item, _ in both]),
        sources=tuple(source for _, source in both),
        failures=tuple(item for item in items if isinstance(item, Failure)),
    )


def _as_dataset(structures: Any) -> "Dataset":
    import numpy as np

    from atomlens.datasets.base import Dataset
    from atomlens.structures.arrays import StructureArrays
    from atomlens.structures.disorder import form_of

    listed = list(structures)
    arrays = StructureArrays.from_atoms(listed)
    firsts = np.array([form_of(atoms) <= 0 for atoms in listed], dtype=np.int64)
    return Dataset(
        name="inputs",
        structures=arrays,
        targets=(),
        values=np.zeros((len(arrays), 0)),
        row_numbers=None if firsts.all() else np.cumsum(firsts) - 1,
    )


def report(result: "StudyResult", folder: Path) -> str:
    """Return effects, claims and notes as text."""
    from atomlens.reports.tables import format_table

    rows = [
        {
            "effect": e.name,
            "value": f"{e.value:.3g} {e.unit}".rstrip(),
            "95 % interval": f"{e.low:.3g} to {e.high:.3g}" if e.low == e.low else "",
            "n": e.n,
            **{name: f"{value:.3g}" for name, value in e.controls.items()},
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
