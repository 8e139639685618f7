"""``atomlens models``: what can be trained, what was trained, and models of other codes."""

import argparse
import os
import shlex
from pathlib import Path
from typing import Any

from atomlens.boundary import net, read_text
from atomlens.cli.common import add_common_arguments, add_out_folder
from atomlens.cli.guard import say
from atomlens.cli.outputs import emit
from atomlens.cli.progress import ProgressLine
from atomlens.errors import (
    ForeignModelError,
    MissingDependencyError,
    ModelError,
    SettingsError,
    unknown_name,
)
from atomlens.files import place_of, to_json

SUMMARY = "list, describe, verify and import models"
DESCRIPTION = """\
List the trained models in the box and the models that can be trained, describe one, repeat
the test of a trained one, or import a published one."""
EXAMPLES = """\
examples:
  atomlens models list
  atomlens models info scann-plus          its paper and every setting for `train --set`
  atomlens models info training            every setting of the training
  atomlens models info voronoi             every setting of a neighbour builder
  atomlens models info qm9                 the card of a model of the box
  atomlens models info runs/homo           what was trained, on what, how well
  atomlens models verify qm9               repeats its test and compares
  atomlens models verify mp --data mp.npz
  atomlens models push runs/homo OWNER/NAME        needs pip install "atomlens[hub]"
  atomlens models pull OWNER/NAME --out runs/homo
  atomlens models import scann FILE.h5 --settings FILE.json --out runs/published
  atomlens models import cgcnn FILE.pth.tar --out runs/published
"""
IMPORTERS = ("scann", "cgcnn")
READS = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this command."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser(
        "list", help="trained models in the box, and those that can be trained"
    )
    info = actions.add_parser("info", help="one model: a name, or the folder of a trained one")
    info.add_argument("name", metavar="NAME|DIR")
    for action in (listing, info):
        action.add_argument("--format", choices=("table", "json"), default="table")
    verifying = actions.add_parser(
        "verify", help="repeat the test of a trained model and compare with its card"
    )
    verifying.add_argument("name", metavar="NAME|DIR")
    verifying.add_argument(
        "--data", metavar="DATA", help="its data set; default: the one it names, if it has a name"
    )
    verifying.add_argument("--format", choices=("table", "json"), default="table")
    importing = actions.add_parser("import", help="turn the checkpoint of another code into ours")
    importing.add_argument("kind", metavar="KIND", help=", ".join(IMPORTERS))
    importing.add_argument(
        "weights", type=place_of, metavar="FILE", help="Keras .h5 (scann) or .pth.tar (cgcnn)"
    )
    importing.add_argument(
        "--settings", type=place_of, metavar="FILE.json", help="scann: settings of that model"
    )
    add_out_folder(importing, required=True, help_text="folder to write")
    importing.add_argument("--target", metavar="T", help="name of the property")
    importing.add_argument("--unit", metavar="U", help="unit of the predictions")
    importing.add_argument(
        "--mean",
        type=float,
        metavar="X",
        help="added to the output; default: as the settings file says, else 0",
    )
    importing.add_argument(
        "--std",
        type=float,
        metavar="X",
        help="the output is multiplied by it first; default: as the settings file says, else 1",
    )
    importing.add_argument(
        "--neighbors",
        choices=("ghost", "reference", "box30"),
        help="exact (default), or as the authors' later or first code finds those of molecules",
    )
    pushing = actions.add_parser("push", help="upload a model folder to the Hugging Face Hub")
    pushing.add_argument("name", metavar="DIR")
    pushing.add_argument("repository", metavar="OWNER/NAME")
    pushing.add_argument("--public", action="store_true", help="a new repository is for everyone")
    pulling = actions.add_parser("pull", help="download a model folder from the Hugging Face Hub")
    pulling.add_argument("repository", metavar="OWNER/NAME")
    add_out_folder(pulling, required=True, help_text="folder to write")
    for action in (pushing, pulling):
        action.add_argument("--revision", metavar="R", help="branch, tag or commit")
    for action in (listing, info, verifying, importing, pushing, pulling):
        add_common_arguments(action)


def run(options: argparse.Namespace) -> int:
    """List, describe, verify or import."""
    if options.action == "import":
        return _import(options)
    if options.action == "verify":
        return _verify(options)
    if options.action == "push":
        from atomlens.predictor.hub import push_model

        emit(
            push_model(
                options.name,
                options.repository,
                private=not options.public,
                revision=options.revision,
            )
        )
        return 0
    if options.action == "pull":
        from atomlens.predictor.hub import pull_model

        place = pull_model(options.repository, options.out, revision=options.revision)
        emit(f"The model is in {place}. Next:\n  atomlens models info {shlex.quote(str(place))}")
        return 0
    text = _list(options.format) if options.action == "list" else _info(options)
    emit(text)
    return 0


def _list(form: str) -> str:
    import torch

    from atomlens.models import MODELS, PRESETS, make_model

    def n_parameters(name: str) -> int | None:
        try:
            with torch.device("meta"):  # sizes without memory
                return make_model(name).n_parameters
        except MissingDependencyError:
            return None

    def row(name: str) -> dict[str, Any]:
        kind = MODELS[name]
        builders = (kind.default_builder, kind.formula_builder)
        return {
            "model": name,
            "parameters": n_parameters(name) if kind.learns_in_steps else 0,
            "neighbours": " or ".join(builder[0] for builder in builders if builder),
            "presets": _presets(PRESETS.get(name, {}), form),
            "paper": kind.paper,
        }

    rows = []
    for name in MODELS:
        try:
            rows.append(row(name))
        except SettingsError as problem:  # of another package
            say(str(problem))
    boxed = boxed_rows()
    if form == "json":
        return to_json(
            [*rows, *({"model": one.pop("name"), "trained": True, **one} for one in boxed)]
        )
    ready = [
        {
            "name": "" if i else one["name"],
            "reads": "" if i else one["reads"],
            "predicts": f"{target} ({figures['unit']})" if figures["unit"] else target,
            "mean absolute error": f"{figures['mae']:.3g}",
            "of": one["part"],
        }
        for one in boxed
        for i, (target, figures) in enumerate(one["errors"].items())
    ]
    shown = f"Trained, ready for `atomlens predict NAME`:\n\n{_show(ready, form)}\n"
    untrained = f"To be trained (`atomlens train --model NAME`):\n\n{_show(rows, form)}"
    return f"{shown if ready else ''}{untrained}"


_MOST_PRESETS = 30
"""Letters of the settings of a model in the table; all stand in `models info` and in JSON."""


def _presets(settings: dict[str, Any], form: str) -> str:
    """Return the settings that a name stands for; in the table the first of many."""
    said = [f"{name}={value}" for name, value in settings.items()]
    n = len(said)
    while form == "table" and n > 1 and len(", ".join(said[:n])) > _MOST_PRESETS:
        n -= 1
    more = f" and {len(said) - n} more" if n < len(said) else ""
    return f"{', '.join(said[:n])}{more}"


def boxed_rows() -> list[dict[str, Any]]:
    """Return what is known of every model in the box: what it reads and predicts, how well."""
    from atomlens.predictor.folder import METRICS, read_optional_json, read_settings, weights_place
    from atomlens.predictor.folder.box import boxed_names, model_place

    rows = []
    for name in boxed_names():
        folder = model_place(f"box:{name}")
        settings, metrics = read_settings(folder), read_optional_json(folder / METRICS) or {}
        part = "test" if metrics.get("test") else "validation"
        rows.append(
            {
                "name": name,
                "reads": "formulas" if settings["builder"]["name"] == "formula" else "structures",
                "part": part,
                "errors": {
                    target: {"mae": figures["mae"], "unit": figures["unit"]}
                    for target, figures in metrics.get(part, {}).get("targets", {}).items()
                },
                "learned from": settings["training"]["data"],
                "MB": round(weights_place(folder).stat().st_size / 1e6, 1),
            }
        )
    return rows


def _info(options: argparse.Namespace) -> str:
    from atomlens.models import MODELS, PRESETS
    from atomlens.settings import settings_table

    folder = _trained_place(options.name)
    if folder is not None:
        return _trained(folder, options.format)
    described, group = _described(options.name)
    rows = settings_table(described, PRESETS.get(options.name, {}))
    kind = MODELS.get(options.name, described)
    paper = str(getattr(kind, "paper", ""))
    if options.format == "json":
        return to_json({"model": options.name, "paper": paper, "settings": rows})
    about = " ".join((kind.__doc__ or "").split("\n\n")[0].split())
    heading = f"{options.name}: {about}\n{paper}".rstrip()
    lines = [f"{heading}\n\nsettings (`train --set {group}SETTING=VALUE`):"]
    for row in rows:
        lines.append(f"  {row['setting']} = {row['default']}  ({row['type']})")
        lines += [f"      {row['meaning']}"] if row["meaning"] else []
    return "\n".join(lines)


def _trained_place(name: str) -> Path | None:
    """Return the folder of a trained model, if the name means one."""
    from atomlens.predictor.folder.box import PREFIX, boxed_names, model_place

    if name.startswith(PREFIX) or name in boxed_names() or os.path.isdir(name):
        return model_place(name)
    return None


def _described(name: str) -> tuple[type, str]:
    """Return the dataclass that holds the settings of a model, a builder or the training."""
    from atomlens.models import MODELS
    from atomlens.neighbors import BUILDERS
    from atomlens.training import TrainSettings

    if name == "training":
        return TrainSettings, ""
    if name in BUILDERS:
        return BUILDERS[name], "builder."
    if name not in MODELS:
        from atomlens.predictor.folder.box import boxed_names

        known = [*MODELS, *BUILDERS, *boxed_names(), "training"]
        raise SettingsError(unknown_name("model or folder", name, known))
    return MODELS[name].Config, "model."


def _trained(folder: Path, form: str) -> str:
    """Return the model card, or for scripts the settings and metrics."""
    from atomlens.predictor.folder import CARD, METRICS, read_optional_json, read_settings
    from atomlens.predictor.folder.loading import load_trained

    settings, trained = read_settings(folder), None
    try:
        trained = load_trained(folder)  # what no command can use is not described
    except (ForeignModelError, MissingDependencyError) as problem:
        say(str(problem))
    card = folder / CARD
    if form != "json" and trained is not None and not card.is_file():
        from atomlens.predictor.folder.card import model_card

        say(f"{folder}: there is no card (README.md) here; this one is made from what is there.")
        return model_card(trained)
    if form == "json":
        return to_json({"settings": settings, "metrics": read_optional_json(folder / METRICS)})
    with net(ModelError, f"{card}, the card of the model", "ask with --format json"):
        return read_text(card)


def _verify(options: argparse.Namespace) -> int:
    from atomlens.predictor.verifying import verify

    with ProgressLine("predicting", quiet=False) as progress:
        found = verify(options.name, options.data, progress=progress)
    rows = [
        {
            "target": f.target,
            "measure": f.measure,
            "its card": f"{f.said:.5g} {f.unit}".rstrip(),
            "found": f"{f.found:.5g} {f.unit}".rstrip(),
            "": "same" if f.agrees else "DIFFERS",
        }
        for f in found.figures
    ]
    if options.format == "json":
        emit(to_json({"part": found.part, "n": found.n, "agrees": found.agrees, "figures": rows}))
    else:
        emit(f"{found.n:,} samples of the {found.part} part:\n\n{_show(rows, 'table')}")
    for remark in found.remarks:
        say(remark)
    if not found.agrees:
        raise ModelError(
            f"{options.name}: the errors are not what its card says; the data, or this "
            "installation, differ from those of its training."
        )
    return 0


def _import(options: argparse.Namespace) -> int:
    if options.kind not in IMPORTERS:
        raise SettingsError(unknown_name("importer", options.kind, IMPORTERS))
    from atomlens.checkpoints import import_cgcnn, import_scann

    if options.kind == "cgcnn":
        own = {
            "--settings": options.settings is not None,
            "--mean": options.mean is not None,
            "--std": options.std is not None,
            "--neighbors": options.neighbors is not None,
        }
        for name in (name for name, given in own.items() if given):
            raise SettingsError(
                f"{name}: it is about models of scann; a checkpoint of cgcnn holds what belongs to "
                "it. Leave it out."
            )
        import_cgcnn(options.weights, options.out, target=options.target, unit=options.unit)
    elif options.settings is None:
        raise SettingsError("import scann: name the settings file of that model with --settings.")
    else:
        import_scann(
            options.weights,
            options.settings,
            options.out,
            target=options.target,
            unit=options.unit or "",
            mean=options.mean,
            std=options.std,
            neighbors=options.neighbors or "ghost",
        )
    emit(
        f"Imported to {options.out}. Try:\n"
        f"  atomlens predict {shlex.quote(str(options.out))} INPUT...\n"
        f"  atomlens explain {shlex.quote(str(options.out))} INPUT... --out pages"
    )
    return 0


def _show(rows: list[dict[str, Any]], form: str) -> str:
    from atomlens.reports.tables import format_table

    return to_json(rows) if form == "json" else format_table(rows)
