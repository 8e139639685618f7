"""Options that several commands share."""

import argparse
from pathlib import Path


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that every command has."""
    group = parser.add_argument_group("always")
    group.add_argument("--quiet", action="store_true", help="no progress on stderr")
    group.add_argument("--debug", action="store_true", help="show the traceback of an error")


def add_model_and_inputs(parser: argparse.ArgumentParser) -> None:
    """Add the arguments MODEL and INPUT...."""
    parser.add_argument("model", metavar="MODEL", help="folder of a trained model")
    add_inputs(parser)


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """Add the arguments INPUT...."""
    parser.add_argument(
        "inputs", metavar="INPUT", nargs="+", help="file, folder, glob, SMILES or formula"
    )


def add_set(parser: argparse.ArgumentParser, metavar: str, help_text: str) -> None:
    """Add ``--set``, which may be repeated."""
    parser.add_argument(
        "--set", dest="assignments", metavar=metavar, action="append", default=[], help=help_text
    )


def add_out_folder(parser: argparse.ArgumentParser, *, required: bool, help_text: str) -> None:
    """Add ``--out DIR``."""
    parser.add_argument("--out", type=Path, metavar="DIR", required=required, help=help_text)
