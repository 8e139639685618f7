"""The grammar of the command line. Imports nothing heavy, so that ``--help`` answers at once."""

import argparse
import re
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Any, NoReturn

from atomlens.cli.reading import add_reading
from atomlens.version import __version__

COMMANDS: tuple[str, ...] = (
    "demo",
    "train",
    "predict",
    "explain",
    "screen",
    "view",
    "evaluate",
    "cv",
    "tune",
    "study",
    "faithful",
    "label",
    "graph",
    "datasets",
    "models",
    "complete",
)
"""Every command, in the order of ``--help``. The module of the same name has SUMMARY, READS (how it
takes the options of reading; None: it reads nothing of the user's), ``add_arguments(parser)`` and
``run(options) -> int``."""

_EXAMPLES = """\
first steps:
  atomlens demo                                      the whole story in a few minutes
  atomlens train table.csv --target gap --out runs/gap
  atomlens predict runs/gap molecules/ "CCO" --out gaps.csv
  atomlens explain runs/gap molecules/ --out pages

An INPUT is a structure file, a folder, a glob, a SMILES or a formula.
Results go to stdout or --out; progress and warnings go to stderr.
Exit codes: 0 all good, 1 some inputs failed (listed), 2 nothing could be done.
"""


_SETTINGS = {
    "lr": "learning_rate",
    "rate": "learning_rate",
    "wd": "weight_decay",
    "l2": "regularization",
    "optim": "optimizer",
    "earlystopping": "patience",
    "ema": "ema_decay",
    "amp": "precision",
    "gpu": "accelerator",
    "device": "accelerator",
    "threads": "n_threads",
    "workers": "n_workers",
    "timelimit": "max_seconds",
    "dropout": "model.dropout",
    "layers": "model.n_layers",
    "nlayers": "model.n_layers",
    "hidden": "model.n_hidden",
    "features": "model.n_features",
    "cutoff": "builder.cutoff",
    **{
        name.replace("_", ""): name
        for name in (
            "learning_rate",
            "min_learning_rate",
            "schedule",
            "warmup_epochs",
            "plateau_patience",
            "decay",
            "optimizer",
            "weight_decay",
            "regularization",
            "loss",
            "clipping",
            "clip_norm",
            "ema_decay",
            "patience",
            "precision",
            "scaling",
            "reference",
            "accelerator",
            "n_workers",
            "n_threads",
            "max_seconds",
            "checkpoint_seconds",
            "cache_dir",
        )
    },
}
"""Settings by what people type as an option; a test holds them against ``TrainSettings``."""


def _key(word: str) -> str:
    return word.lower().replace("-", "").replace("_", "")


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one sentence and offer the nearest known word."""

    def error(self, message: str) -> NoReturn:
        """Print one sentence to stderr and leave with 2."""
        message += self._hint(message)
        sys.stderr.write(f"{self.prog}: {message}. See `{self.prog} --help`.\n")
        raise SystemExit(2)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse; a command refuses what it does not know itself, as it knows what is near."""
        found, strange = super().parse_known_args(args, namespace)
        if strange and " " in self.prog:
            self.error(f"unrecognized arguments: {' '.join(strange)}")
        return found, strange

    def _hint(self, message: str) -> str:
        """Return the nearest known option for one that does not exist."""
        strange = re.findall(r"(?<!\S)--?[A-Za-z][\w-]*", message.partition("arguments:")[2])
        if not strange:
            return ""
        word = strange[0].lstrip("-")
        if "--set" in self._option_string_actions and _key(word) in _SETTINGS:
            return f"; did you mean --set {_SETTINGS[_key(word)]}=VALUE"
        close = get_close_matches(strange[0], self._option_string_actions, n=1)
        if close:
            return f"; did you mean {close[0]}"
        settings = get_close_matches(_key(word), _SETTINGS, n=1)
        if "--set" in self._option_string_actions and settings:
            return f"; did you mean --set {_SETTINGS[settings[0]]}=VALUE"
        return ""

    def _check_value(self, action: argparse.Action, value: object) -> None:
        if action.choices is None or value in action.choices:
            return
        known = [str(choice) for choice in action.choices]
        close = get_close_matches(str(value), known, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        message = f"there is no {value!r} here; {hint}choose from {', '.join(known)}"
        raise argparse.ArgumentError(action, message)


def build_parser(words: Sequence[str] | None = None) -> Parser:
    """Return the parser of the command line.

    Args:
        words: What was typed. If it begins with a command, no other is imported, and of the others
            only the name is known; if not, of all commands only what ``--help`` shows. None: all of
            everything.
    """
    first = words[0] if words else ""
    chosen = first if first in COMMANDS else None
    parser = Parser(
        prog="atomlens",
        description="Learn a property from structures or formulas, say how sure the answer is,\n"
        "and show which atoms it rests on.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"atomlens {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for name in COMMANDS:
        if chosen not in (None, name):
            commands.add_parser(name)
            continue
        module = import_module(f"atomlens.cli.{name}")
        command = commands.add_parser(
            name,
            help=module.SUMMARY,
            description=module.DESCRIPTION,
            epilog=module.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if words is None or chosen:
            if module.READS is not None:
                add_reading(command, module.READS)
            module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser
