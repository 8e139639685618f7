"""``atomlens train``: from a data set to a model folder."""

import argparse
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atomlens.cli.common import (
    add_common_arguments,
    add_file_options,
    add_out_folder,
    add_set,
    add_target_options,
    file_options,
)
from atomlens.cli.guard import say, write_stderr
from atomlens.cli.outputs import default_folder, emit, failure_sentence
from atomlens.cli.reading import Reads
from atomlens.cli.recipes import GROUPS, RECIPE, recipe_from
from atomlens.cli.settings import Groups, merge, read_assignments, read_config
from atomlens.errors import Failure, MissingTargetError, SettingsError, unknown_name
from atomlens.files import place_of

if TYPE_CHECKING:
    from atomlens.datasets.base import Dataset
    from atomlens.predictor import Predictor
    from atomlens.training import TrainSettings

SUMMARY = "train a model on a data set or a table"
DESCRIPTION = """\
Train a model. DATA is a data set's name (qm9, toy), a table (CSV, Excel, Parquet, JSONL) with a
column `file`, `smiles`, `formula` or `composition`, an extxyz, an ase.db, a packed file or
a folder with id_prop.csv. A recipe (--config) can name it instead."""
EXAMPLES = """\
examples:
  atomlens train table.csv --target gap --out runs/gap
  atomlens train qm9 --target homo --limit 10000 --epochs 50 --out runs/homo
  atomlens train table.csv --target gap --model ridge --out runs/ridge
  atomlens train table.csv --target gap --set model.n_layers=5 --set learning_rate=1e-3
  atomlens train table.csv --target gap --config settings.yaml --ensemble 5
  atomlens train table.csv --target gap --out runs/gap --resume
  atomlens train table.csv --target gap --out runs/gap --log tensorboard
  atomlens train table.csv --target gap --from runs/homo --set learning_rate=1e-4
  atomlens train --config recipes/qm9-homo-scann-plus.yaml --subset 10000

`atomlens models info scann-plus` lists the settings of a model, `atomlens models info
training` those of the training.
"""
DEFAULT_MODEL = "scann-plus"
LOGGERS = ("tensorboard", "mlflow", "wandb")
_NAMED = {
    "epochs": int,
    "batch_size": int,
    "seed": int,
    "split": str,
    "devices": int,
    "ensemble": int,
    "limit": int,
    "subset": int,
    "builder": str,
}
_TRANSFER = ("start_from", "frozen_layers", "fresh_output")
_HELP = {
    "epochs": "passes over the training part",
    "batch_size": "structures a step",
    "seed": "decides split, first weights and order",
    "split": "random:.8/.1/.1, stratified:..., composition:..., scaffold:..., group:COLUMN:..., "
    "time:COLUMN:..., source, fold:K, elements:K/N, or a file",
    "devices": "devices that share each step",
    "ensemble": "models of different seeds; their spread is the error estimate",
    "limit": "use only this many samples",
    "subset": "use only this many training samples, with the same test part",
    "builder": "voronoi, nearest, radius or formula; by default the one of the paper",
}

READS = Reads()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this command. Defaults stand in TrainSettings."""
    add_training_arguments(parser)
    parser.add_argument(
        "--log", choices=LOGGERS, help="also log to this; TensorBoard's files go to OUT-log"
    )


def add_training_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what all commands that train have in common."""
    parser.add_argument(
        "data",
        metavar="DATA",
        nargs="?",
        help="data set, table, file or folder; may be in --config",
    )
    parser.add_argument("--target", metavar="T", action="append", help="what to learn; may repeat")
    parser.add_argument(
        "--model",
        metavar="M",
        help=f"default: {DEFAULT_MODEL}; for formulas rf-magpie, for classes of formulas finder",
    )
    add_out_folder(parser, required=False, help_text="model folder (default: runs/DATA-TARGET)")
    for name, kind in _NAMED.items():
        option = f"--{name.replace('_', '-')}"
        metavar = "N" if kind is int else name.upper()
        parser.add_argument(option, type=kind, metavar=metavar, help=_HELP[name])
    parser.add_argument(
        "--config", type=place_of, metavar="FILE.yaml", help="settings in blocks, or a recipe"
    )
    parser.add_argument(
        "--from", dest="start_from", metavar="MODEL", help="fine-tune this trained model"
    )
    parser.add_argument(
        "--freeze",
        dest="frozen_layers",
        type=int,
        metavar="N",
        help="with --from: its first N layers, and all before them, stay as they are",
    )
    parser.add_argument(
        "--fresh-output",
        action="store_const",
        const=True,
        help="with --from: the last linear layer starts anew",
    )
    add_set(parser, "GROUP.FIELD=V", "one setting: training, model or builder; may repeat")
    parser.add_argument("--resume", action="store_true", help="go on where a run was stopped")
    add_file_options(parser)
    add_target_options(parser)
    add_common_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Train, then say how well it went and what to do next."""
    from atomlens.cli.training_line import TrainingLine
    from atomlens.training import train
    from atomlens.training.launch import is_first_process

    first = is_first_process()  # of those that torchrun has started: the one that speaks
    data, settings = data_and_settings(options)
    names = [t.name for t in data.targets]
    out = options.out or default_folder(Path(options.data).stem, *names)
    if first:
        tell_failures(data.failures, len(data) + len(data.failures), out)
    with TrainingLine(quiet=options.quiet or not first, unit=data.targets[0].unit) as line:
        heard: Any = line
        if options.log is not None and first:
            heard = logged(options.log, out, settings, line)
        model = train(
            data,
            model=options.model,
            target=names if options.target else None,  # may be left out if there is only one
            out=out,
            settings=settings,
            resume=options.resume,
            progress=heard,
        )
        if heard is not line:
            from atomlens.training.loggers import final_figures

            heard.close(final_figures(model.metrics))
    if first:
        emit(summary(model, out))
    return 1 if data.failures else 0


def data_and_settings(options: argparse.Namespace) -> "tuple[Dataset, TrainSettings]":
    """Return what is trained on and how, out of the options, the config file and the data."""
    from atomlens.datasets import load_dataset
    from atomlens.settings import taken_apart
    from atomlens.training import TrainSettings
    from atomlens.training.pipeline import default_model

    config = take_recipe(options)
    given = given_settings(options, config)
    training = training_values(options, given)
    known = options.model is not None or training.get("start_from") is not None
    settings = settings_from(options, given) if known else TrainSettings(**training)

    def load() -> "Dataset":
        return load_dataset(
            options.data,
            options.target,
            limit=settings.limit,
            seed=settings.seed,
            **file_options(options, options.target or ()),
        )

    try:
        data = load()
    except MissingTargetError as problem:
        names = taken_apart(options.target, problem.known)
        if names == options.target:
            raise
        options.target = names
        data = load()
    if options.strict:
        from atomlens.datasets.sampling import strict_dataset

        data = strict_dataset(data)
    if not known:
        settings = settings_from(options, given, default_model(data))
    return data, settings


def logged(kind: str, out: Path, settings: "TrainSettings", line: Any) -> Any:
    """Return a listener that also logs to TensorBoard, MLflow or Weights & Biases.

    Its files stand beside the model folder, which a training begins empty.
    """
    from dataclasses import asdict

    from atomlens.training.loggers import LoggedTraining

    return LoggedTraining(kind, out.with_name(f"{out.name}-log"), asdict(settings), line)


def take_recipe(options: argparse.Namespace) -> Groups:
    """Fill in what a recipe says about data, target and model; return its blocks of settings.

    Raises:
        SettingsError: the file is no config or recipe, or nothing says what to train on.
    """
    config = {} if options.config is None else read_config(options.config, (*GROUPS, *RECIPE))
    recipe = recipe_from(config, options.config)
    options.data = options.data or recipe.data
    options.grid = options.grid or recipe.grid
    options.target = options.target or list(recipe.targets) or None
    options.model = options.model or recipe.model
    if options.data is None:
        raise SettingsError(
            "There is no DATA to train on; name a data set, table, file or folder, or give a "
            "recipe with --config."
        )
    if options.out is None and options.config is not None and recipe.data:
        size = "" if options.subset is None else f"-{options.subset}"
        options.out = Path("runs") / f"{options.config.stem}{size}"
    blocks = {group: config[group] for group in GROUPS if group in config}
    return merge(blocks, recipe.reduced) if options.subset is not None else blocks


def given_settings(options: argparse.Namespace, config: Groups) -> Groups:
    """Return what was set: in the config file, then by ``--set``, then by options."""
    from atomlens.settings import typed_values
    from atomlens.training import TrainSettings

    named = {name: getattr(options, name) for name in (*_NAMED, *_TRANSFER)}
    by_option = {name: value for name, value in named.items() if value is not None}
    assigned = read_assignments(options.assignments, GROUPS, "training")
    for layer in (config, assigned):  # what an option wins over must be a value all the same
        typed_values(TrainSettings, layer.get("training", {}), "training")
    return merge(config, assigned, {"training": by_option})


def training_values(options: argparse.Namespace, given: Groups) -> dict[str, Any]:
    """Return the settings of the training itself, typed.

    Raises:
        SettingsError: there is no such setting or model.
    """
    from atomlens.models import MODELS
    from atomlens.settings import typed_values
    from atomlens.training import TrainSettings

    if options.model is not None and options.model not in MODELS:
        raise SettingsError(f"--model: {unknown_name('model', options.model, MODELS)}")
    return typed_values(TrainSettings, given.get("training", {}), "training")


def settings_from(
    options: argparse.Namespace, given: Groups, default_model: str = DEFAULT_MODEL
) -> "TrainSettings":
    """Return the settings: defaults, and over them what `given_settings` has found."""
    from atomlens.models import MODELS
    from atomlens.neighbors import BUILDERS
    from atomlens.settings import typed_values
    from atomlens.training import TrainSettings

    training = training_values(options, given)
    model, default_builder = names_from(options, training.get("start_from"), default_model)
    kind = MODELS[model]
    builder = training.get("builder") or default_builder
    if builder not in BUILDERS:
        raise SettingsError(f"builder: {unknown_name('builder', builder, BUILDERS)}")
    parts = {
        "model_settings": ("model", kind.Config),
        "builder_settings": ("builder", BUILDERS[builder]),
    }
    for field, (group, settings_class) in parts.items():
        if given.get(group):
            training[field] = typed_values(settings_class, given[group], group)
    return TrainSettings(**training)


def names_from(
    options: argparse.Namespace, start_from: str | None, default_model: str
) -> tuple[str, str]:
    """Return model and default builder, whose settings are meant: those of ``--from``, if any."""
    from atomlens.models import MODELS
    from atomlens.training.transfer import recorded_names

    recorded = None if start_from is None else recorded_names(start_from, options.out)
    if recorded is not None and options.model in (None, recorded[0]):
        return recorded
    model = options.model or default_model
    return model, MODELS[model].default_builder[0]


def tell_failures(failures: "Sequence[Failure]", n_samples: int, out: Path) -> None:
    """Say on stderr which samples are left out; a long list stands in the model folder."""
    if not failures:
        return
    say(f"{len(failures)} of {n_samples} samples cannot be used and are left out:")
    for failure in failures[:10]:
        write_stderr(f"  {failure_sentence(failure)}\n")
    if len(failures) > 10:
        write_stderr(f"  ... all of them will be in {out / 'failures.json'}\n")


def summary(model: "Predictor", out: Path) -> str:
    """Return how well the training went, and what can be done next."""
    from atomlens.predictor.evaluation import about_skill
    from atomlens.reports.tables import format_table

    rows = [
        result_row(part, name, figures, "values" if model.has_spectra else "samples")
        for part in ("validation", "test")
        for name, figures in model.metrics.get(part, {}).get("targets", {}).items()
    ]
    lines = [format_table(rows)] if rows else []
    lines += [f"⚠ {sentence}\n" for sentence in about_skill(model)]
    lines.append(
        f"The model is in {out}. Next:\n"
        f"  atomlens predict {shlex.quote(str(out))} INPUT...\n"
        f"  atomlens explain {shlex.quote(str(out))} INPUT... --out pages"
    )
    return "\n".join(lines)


def result_row(
    part: str, target: str, figures: "Mapping[str, Any]", counted: str
) -> dict[str, Any]:
    """Return one row of the table that stands at the end of a training."""
    from atomlens.predictor.figures import figure_text, values_of

    n = values_of(figures) if figures.get("n_structures") else figures.get("n")
    row: dict[str, Any] = {"part": part, "target": target, counted: n}
    unit = figures.get("unit", "")
    for field, label in (
        ("mae", "MAE"),
        ("mad", "MAE of the mean"),
        ("accuracy", "accuracy"),
        ("most_common", "accuracy of the most common class"),
        ("balanced_accuracy", "balanced accuracy"),
    ):
        if figures.get(field) is not None:
            row[label] = f"{figures[field]:.4g} {unit}".rstrip()
        if figures.get(f"{field}_interval") is not None:
            row["95 % interval"] = figure_text(figures[f"{field}_interval"])
    return row
