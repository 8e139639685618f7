"""``atomlens complete``: what a shell needs to complete commands and options."""

import argparse

from atomlens.cli.common import add_common_arguments
from atomlens.cli.outputs import emit
from atomlens.errors import missing_package

SUMMARY = "print what a shell needs to complete commands"
DESCRIPTION = """\
Print a script with which bash, zsh or tcsh completes commands, options, choices and files."""
EXAMPLES = """\
examples:
  atomlens complete bash      into ~/.local/share/bash-completion/completions/atomlens
  atomlens complete zsh       into _atomlens in a folder of $fpath

Needs shtab: pip install "atomlens[completion]". Print it anew after an update.
"""
SHELLS = ("bash", "zsh", "tcsh")
READS = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this command."""
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help=", ".join(SHELLS))
    add_common_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Print the script."""
    try:
        import shtab
    except ImportError:
        raise missing_package("Completion", "shtab", "completion") from None
    from atomlens.cli.parser import build_parser

    emit(shtab.complete(build_parser(), shell=options.shell))
    return 0
