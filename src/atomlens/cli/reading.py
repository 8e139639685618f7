"""What a user may have to say about how inputs are read: one place for every command.

A command declares ``READS``; the parser adds the options, and `reading_options` takes them back.
"""

import argparse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from atomlens.errors import SettingsError

if TYPE_CHECKING:
    from atomlens.structures.options import ReadingOptions

OPTIONS = (
    "--structure-column",
    "--structure-folder",
    "--name-column",
    "--sheet",
    "--disorder",
    "--ordered-models",
    "--conformers",
    "--strict",
)
"""Every option about reading."""


@dataclass(frozen=True, kw_only=True)
class Reads:
    """What a command says about the options of reading."""

    refused: Mapping[str, str] = field(default_factory=dict)
    """Options that have no meaning for it, each with the reason; all others it takes."""


def add_reading(parser: argparse.ArgumentParser, reads: Reads) -> None:
    """Add all options of reading; those without a meaning for the command refuse by name."""
    group = parser.add_argument_group("how inputs are read")
    about: dict[str, dict[str, Any]] = {
        "--structure-column": {"metavar": "C", "help": "column of a table with the structures"},
        "--structure-folder": {"metavar": "DIR", "help": "folder of the files that a table names"},
        "--name-column": {"metavar": "C", "help": "column of a table with the names"},
        "--sheet": {
            "metavar": "NAME",
            "help": "sheet of an Excel file (default: the first, or the only one with structures)",
        },
        "--disorder": {
            "choices": ("refuse", "majority", "enumerate"),
            "help": "disordered crystals: refuse them (default; a model reads them as its "
            "training data were read), take the majority of each place, or enumerate ordered "
            "models drawn by the occupancies",
        },
        "--ordered-models": {
            "type": int,
            "metavar": "N",
            "help": "models that `enumerate` makes at most (default: 8)",
        },
        "--conformers": {
            "type": int,
            "metavar": "N",
            "help": "of each SMILES make up to N shapes, of an mmCIF take up to N models; they "
            "stand for one structure (default: 1)",
        },
        "--strict": {
            "action": "store_true",
            "help": "structures read with a warning are failures",
        },
    }
    for name in OPTIONS:
        if name in reads.refused:
            group.add_argument(
                name,
                action=_Refused,
                nargs="?",
                default=False if name == "--strict" else None,
                const=reads.refused[name],
                help=argparse.SUPPRESS,
            )
        else:
            group.add_argument(name, **about[name])


class _Refused(argparse.Action):
    """An option that the command cannot take, and says why."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        parser.error(f"{self.option_strings[0]}: {self.const}; leave it out")


def forms_given(options: argparse.Namespace) -> dict[str, Any]:
    """Return what was said about structures of several forms, by the names of ``load_dataset``.

    Raises:
        SettingsError: a number of ordered models is named where none are made.
    """
    if options.ordered_models is not None and options.disorder != "enumerate":
        raise SettingsError(
            f"--ordered-models {options.ordered_models}: it says how many models --disorder "
            "enumerate makes; give that as well, or leave it out."
        )
    said = {
        "disorder": options.disorder,
        "n_models": options.ordered_models,
        "conformers": options.conformers,
    }
    return {name: value for name, value in said.items() if value is not None}


def reading_options(
    options: argparse.Namespace, *, leave_out: Iterable[Path | None] = (), n_workers: int = 1
) -> "ReadingOptions":
    """Return how inputs are read.

    Args:
        options: Of a command with ``READS``.
        leave_out: What the command writes, which folders and patterns pass over.
        n_workers: Processes that read; 0: one a core, where that is worth it.

    Raises:
        SettingsError: a number is out of bounds.
    """
    from atomlens.structures.forms import N_MODELS, DisorderChoice
    from atomlens.structures.options import PLACES, ReadingOptions

    forms = forms_given(options)
    return ReadingOptions(
        forms=DisorderChoice.asked(
            forms.get("disorder"), forms.get("n_models", N_MODELS), forms.get("conformers", 1)
        ),
        leave_out=tuple(path for path in leave_out if path is not None),
        n_workers=n_workers,
        strict=options.strict,
        **{name: getattr(options, name) for name in PLACES},
    )
