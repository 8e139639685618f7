"""The grammar of the command line. Imports nothing heavy, so that ``--help`` answers at once."""

import argparse
import sys
from difflib import get_close_matches
from importlib import import_module
from typing import NoReturn

from atomlens.version import __version__

COMMANDS: tuple[str, ...] = (
    "demo",
    "train",
    "predict",
    "explain",
    "evaluate",
    "study",
    "faithful",
    "label",
    "graph",
    "datasets",
    "models",
)
"""Every command, in the order of ``--help``. The module of the same name has SUMMARY,
``add_arguments(parser)`` and ``run(options) -> int``."""

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


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one sentence and offer the nearest known word."""

    def error(self, message: str) -> NoReturn:
        """Print one sentence to stderr and leave with 2."""
        sys.stderr.write(f"{self.prog}: {message}. See `{self.prog} --help`.\n")
        raise SystemExit(2)

    def _check_value(self, action: argparse.Action, value: object) -> None:
        if action.choices is None or value in action.choices:
            return
        known = [str(choice) for choice in action.choices]
        close = get_close_matches(str(value), known, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        message = f"there is no {value!r} here; {hint}choose from {', '.join(known)}"
        raise argparse.ArgumentError(action, message)


def build_parser() -> Parser:
    """Return the parser of the whole command line."""
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
        module = import_module(f"atomlens.cli.{name}")
        command = commands.add_parser(
            name,
            help=module.SUMMARY,
            description=module.DESCRIPTION,
            epilog=module.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser
