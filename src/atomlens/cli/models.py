"""``atomlens models``: what can be trained, what was trained, and models of other codes."""

import argparse
from pathlib import Path
from typing import Any

from atomlens.cli.common import add_common_arguments, add_out_folder
from atomlens.cli.guard import say
from atomlens.cli.outputs import emit
from atomlens.errors import MissingDependencyError, SettingsError, unknown_name
from atomlens.files import to_json

SUMMARY = "list, describe and import models"
DESCRIPTION = "List the models that can be trained, describe one, or import a published one."
EXAMPLES = """\
examples:
  atomlens models list
  atomlens models info scann-plus          its paper and every setting for `train --set`
  atomlens models info training            every setting of the training
  atomlens models info voronoi             every setting of a neighbour builder
  atomlens models info runs/homo           what was trained, on what, how well
  atomlens models import scann FILE.h5 --settings FILE.json --out runs/published
  atomlens models import cgcnn FILE.pth.tar --out runs/published
"""
IMPORTERS = ("scann", "cgcnn")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this command."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="models that can be trained")
    info = actions.add_parser("info", help="one model: a name, or the folder of a trained one")
    info.add_argument("name", metavar="NAME|DIR")
    for action in (listing, info):
        action.add_argument("--format", choices=("table", "json"), default="table")
    importing = actions.add_parser("import", help="turn the checkpoint of another code into ours")
    importing.add_argument("kind", metavar="KIND", help=", ".join(IMPORTERS))
    importing.add_argument(
        "weights", type=Path, metavar="FILE", help="Keras .h5 (scann) or .pth.tar (cgcnn)"
    )
    importing.add_argument(
        "--settings", type=Path, metavar="FILE.json", help="scann: settings of that model"
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
        default="ghost",
        choices=("ghost", "reference", "box30"),
        help="exact (default), or as the authors' later or first code finds those of molecules",
    )
    for action in (listing, info, importing):
        add_common_arguments(action)


def run(options: argparse.Namespace) -> int:
    """List, describe or import."""
    if options.action == "import":
        return _import(options)
    text = _list(options.format) if options.action == "list" else _info(options)
    emit(text)
    return 0


def _list(form: str) -> str:
    import torch

    from atomlens.models import MODELS, PRESETS, ClosedFormModel, make_model

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
            "parameters": 0 if issubclass(kind, ClosedFormModel) else n_parameters(name),
            "neighbours": " or ".join(builder[0] for builder in builders if builder),
            "presets": ", ".join(f"{k}={v}" for k, v in PRESETS.get(name, {}).items()),
            "paper": kind.paper,
        }

    rows = []
    for name in MODELS:
        try:
            rows.append(row(name))
        except SettingsError as problem:  # of another package
            say(str(problem))
    return _show(rows, form)


def _info(options: argparse.Namespace) -> str:
    from atomlens.models import MODELS, PRESETS
    from atomlens.settings import settings_table

    folder = Path(options.name)
    if folder.is_dir():
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
        known = [*MODELS, *BUILDERS, "training"]
        raise SettingsError(unknown_name("model or folder", name, known))
    return MODELS[name].Config, "model."


def _trained(folder: Path, form: str) -> str:
    """Return the model card, or for scripts the settings and metrics."""
    from atomlens.predictor.folder import CARD, METRICS, read_optional_json, read_settings

    settings = read_settings(folder)
    card = folder / CARD
    if form == "json" or not card.is_file():
        return to_json({"settings": settings, "metrics": read_optional_json(folder / METRICS)})
    return card.read_text(encoding="utf-8")


def _import(options: argparse.Namespace) -> int:
    if options.kind not in IMPORTERS:
        raise SettingsError(unknown_name("importer", options.kind, IMPORTERS))
    from atomlens.checkpoints import import_cgcnn, import_scann

    if options.kind == "cgcnn":
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
            neighbors=options.neighbors,
        )
    emit(
        f"Imported to {options.out}. Try:\n  atomlens predict {options.out} INPUT...\n"
        f"  atomlens explain {options.out} INPUT... --out pages"
    )
    return 0


def _show(rows: list[dict[str, Any]], form: str) -> str:
    from atomlens.reports.tables import format_table

    return to_json(rows) if form == "json" else format_table(rows)
