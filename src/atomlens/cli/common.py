"""Options that several commands share."""

import argparse
import os
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from atomlens.cli.guard import say
from atomlens.cli.reading import Reads, add_reading, forms_given
from atomlens.errors import SettingsError
from atomlens.files import place_of

if TYPE_CHECKING:
    from atomlens.predictor import Predictor


class Several(argparse._AppendAction):
    """An option of several numbers, each behind the last or in an option of its own.

    It takes no other word: a file behind the numbers is an argument of the command.
    """


def refuse_idle_options(
    options: argparse.Namespace, command: Any, free: Collection[str], why: str
) -> None:
    """Refuse options that have no part in what a command is asked for.

    Args:
        options: As typed.
        command: Module of the command.
        free: Destinations of those that have a part.
        why: Sentence behind the option; ``{option}`` stands for it.

    Raises:
        SettingsError: there is one.
    """
    parser = argparse.ArgumentParser(add_help=False)
    if command.READS is not None:
        add_reading(parser, command.READS)
    command.add_arguments(parser)
    for action in parser._actions:
        name = action.dest
        given = getattr(options, name)
        if name not in free and given not in (action.default, None, []):
            option = action.option_strings[-1] if action.option_strings else str(action.metavar)
            raise SettingsError(f"{option}: {why.format(option=option)}")


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that every command has."""
    group = parser.add_argument_group("always")
    group.add_argument("--quiet", action="store_true", help="no progress on stderr")
    group.add_argument("--debug", action="store_true", help="show the traceback of an error")


def add_model_and_inputs(parser: argparse.ArgumentParser) -> None:
    """Add the arguments MODEL and INPUT...."""
    add_model(parser)
    add_inputs(parser)


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add the argument MODEL."""
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="folder of a trained model, or a model of the box (`atomlens models list`)",
    )


def tell_hidden(given: str) -> None:
    """Say that a name means the folder here, where it hides the model of the box called so."""
    from atomlens.predictor.folder.box import PREFIX, hides_boxed

    if hides_boxed(given):
        say(f"{given}: this is the folder here; the model of the box is {PREFIX}{given}.")


def load_model(given: str) -> "Predictor":
    """Return the model that the argument MODEL means; say so if it could mean two.

    Raises:
        ModelError: there is no such model, or it is damaged.
    """
    from atomlens.predictor import load
    from atomlens.predictor.folder.box import names_model

    tell_hidden(given)
    model, colon, target = given.rpartition(":")
    if colon and not os.path.exists(given) and names_model(model):
        raise SettingsError(
            f"{given}: MODEL:TARGET is how studies are told a target; here give the model {model}, "
            f"and --target {target} where the command has it."
        )
    return load(given)


def refuse_models(inputs: Sequence[str], command: str) -> None:
    """Refuse inputs that are models: commands that ask one take the rest for structures.

    Raises:
        SettingsError: one is.
    """
    from atomlens.predictor.folder.box import is_model

    for given in inputs:
        if is_model(given):
            raise SettingsError(
                f"{given}: this is a model, where a structure is expected: `atomlens {command}` "
                "asks one model; `atomlens screen MODEL... INPUT... --out DIR` asks several."
            )


def tell_first_target(model: "Predictor", target: str | None) -> None:
    """Say which property is explained if several are there and none was named."""
    if target is None and len(model.targets) > 1:
        first, *others = (t.name for t in model.targets)
        say(
            f"{first} is explained, the first property of this model; --target names another: "
            f"{', '.join(others)}"
        )


def tell_idle_speed(model: "Predictor", options: argparse.Namespace) -> None:
    """Say which options of speed change nothing worth saying, as the model is no network."""
    from atomlens.models import MODELS

    kind = MODELS.get(model.model_name)
    if kind is None or kind.learns_in_steps:
        return
    given = {"--batch-size": getattr(options, "batch_size", None)}
    given |= {"--device": None if options.device == "auto" else options.device}
    idle = [f"{name} {value}" for name, value in given.items() if value is not None]
    if idle:
        say(
            f"{' and '.join(idle)}: the model {model.model_name!r} is no network, so this makes "
            "nothing faster."
        )


def add_targets(parser: argparse.ArgumentParser) -> None:
    """Add ``--target``, which may be repeated."""
    parser.add_argument(
        "--target",
        metavar="T",
        action="append",
        default=[],
        help="of a model of several targets only this one; may repeat",
    )


def chosen_targets(model: "Predictor", given: Sequence[str]) -> tuple[str, ...]:
    """Return the targets of a model that are wanted, all by default.

    Raises:
        SettingsError: the model has no such target.
    """
    from atomlens.predictor.columns import named_targets

    known = tuple(target.name for target in model.targets)
    given = named_targets(given, known, "this model")
    return tuple(name for name in known if not given or name in given)


def add_speed(parser: argparse.ArgumentParser, *, batches: bool = True) -> None:
    """Add ``--workers``, ``--device`` and ``--batch-size``."""
    group = parser.add_argument_group("speed")
    group.add_argument(
        "--workers",
        type=_workers,
        default=0,
        metavar="N",
        help="processes that read files and SMILES beside the model (default: auto, which "
        "shares the cores with it where there is enough to read); the result does not depend on it",
    )
    group.add_argument(
        "--device", default="auto", metavar="D", help="auto, cpu, cuda, cuda:1 ... (default: auto)"
    )
    if batches:
        group.add_argument(
            "--batch-size",
            type=_batch_size,
            metavar="N",
            help="structures at a time in the model at most (default: as suits their sizes)",
        )


def _workers(text: str) -> int:
    return 0 if text == "auto" else _whole_number(text, 256, "auto or ")


def _batch_size(text: str) -> int:
    return _whole_number(text, 10**9)


def _whole_number(text: str, most: int, or_else: str = "") -> int:
    try:
        number = 0 if "_" in text else int(text)
    except ValueError:
        number = 0
    if not 1 <= number <= most:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not {or_else}a whole number from 1 to {most:,}"
        )
    return number


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """Add the arguments INPUT...."""
    what = "file, folder, glob, table, SMILES or formula"
    parser.add_argument("inputs", metavar="INPUT", nargs="+", help=what)


def add_set(parser: argparse.ArgumentParser, metavar: str, help_text: str) -> None:
    """Add ``--set``, which may be repeated."""
    parser.add_argument(
        "--set", dest="assignments", metavar=metavar, action="append", default=[], help=help_text
    )


def add_out_folder(parser: argparse.ArgumentParser, *, required: bool, help_text: str) -> None:
    """Add ``--out DIR``."""
    parser.add_argument("--out", type=place_of, metavar="DIR", required=required, help=help_text)


def add_chemiscope(parser: argparse.ArgumentParser) -> None:
    """Add ``--chemiscope FILE``."""
    parser.add_argument(
        "--chemiscope",
        type=place_of,
        metavar="FILE",
        help="also write a map for chemiscope (.json, .json.gz)",
    )


def add_file_options(parser: argparse.ArgumentParser) -> None:
    """Add what a user may have to say about a table or folder, beside how structures are read."""
    group = parser.add_argument_group("about your own data")
    group.add_argument(
        "--polymorphs",
        metavar="HOW",
        help="rows of one formula: keep (default), mean, or lowest by --energy-column",
    )
    group.add_argument("--energy-column", metavar="C", help="column with energies per atom")
    group.add_argument("--grid", metavar="FIRST:LAST:N", help="bring spectra onto this grid")
    group.add_argument(
        "--beyond", choices=("hold", "mask"), help="where a spectrum has ended (default: hold)"
    )
    group.add_argument("--grid-column", metavar="C", help="column with the points of spectra")


def add_target_options(parser: argparse.ArgumentParser) -> None:
    """Add what a user may have to say about the targets of a table or folder."""
    group = parser.add_argument_group("about your own targets")
    group.add_argument("--unit", metavar="U", help="unit, if the header does not say it as in [eV]")
    group.add_argument(
        "--extensive", action="store_true", help="grows with the number of atoms: learn it per atom"
    )
    group.add_argument("--nonnegative", action="store_true", help="cannot be below zero")
    group.add_argument(
        "--classification", action="store_true", help="the numbers are names of classes"
    )


def data_options(options: argparse.Namespace) -> list[str]:
    """Return what was said about the data and how they are read, as it may be typed again."""
    parser = argparse.ArgumentParser(add_help=False)
    add_reading(parser, Reads())
    add_file_options(parser)
    add_target_options(parser)
    words: list[str] = []
    for action in parser._actions:
        value = getattr(options, action.dest, None)
        if value not in (action.default, None):
            words += [action.option_strings[0], *([] if action.nargs == 0 else [str(value)])]
    return words


def file_options(options: argparse.Namespace, targets: Sequence[str]) -> dict[str, Any]:
    """Return the options of ``load_dataset`` that were given; they hold for all targets.

    Raises:
        SettingsError: something is said about the targets, but no target is named.
    """
    flags = ("unit", "classification", "extensive", "nonnegative")
    said = [flag for flag in flags if getattr(options, flag, None)]
    if said and not targets:
        raise SettingsError(f"--{said[0]} says something about a target; name it with --target.")
    given: dict[str, Any] = {
        "structure_column": options.structure_column,
        "structure_folder": options.structure_folder,
        "name_column": options.name_column,
        "sheet": options.sheet,
        **forms_given(options),
        "polymorphs": options.polymorphs,
        "energy_column": options.energy_column,
        "grid": options.grid,
        "beyond": options.beyond,
        "grid_column": options.grid_column,
        "units": dict.fromkeys(targets, options.unit) if getattr(options, "unit", None) else None,
    }
    if getattr(options, "classification", False):
        given["kinds"] = dict.fromkeys(targets, "classification")
    for flag in ("extensive", "nonnegative"):
        if getattr(options, flag, False):
            given[flag] = tuple(targets)
    return {name: value for name, value in given.items() if value is not None}
