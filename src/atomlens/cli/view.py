"""``atomlens view``: the local application, in the user's browser."""

import argparse

from atomlens.cli.common import add_common_arguments
from atomlens.cli.guard import flush_stdout
from atomlens.cli.outputs import emit
from atomlens.cli.reading import Reads, reading_options

SUMMARY = "look at predictions and their atoms in the browser"
DESCRIPTION = """\
Open an application in your browser: drop files or paste SMILES and formulas, choose a model, see
values, errors and atoms, compare, change atoms and watch the prediction move. It runs on this
machine alone and uses no network."""
EXAMPLES = """\
examples:
  atomlens view                                  with the models of the box
  atomlens view runs/homo runs/homo-small        with your own beside them
  atomlens view --port 8765 --no-browser

The address holds a token; keep it to yourself. Ctrl-C ends the application. It needs the extra
`web`: pip install "atomlens[web]". The same answers as JSON: see docs/view.md.
"""

READS = Reads(
    refused={
        "--structure-folder": "the application opens what the browser sends and nothing else",
        "--conformers": "the application shows one shape of each SMILES; a file of several "
        "structures shows them all",
    }
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this command."""
    parser.add_argument(
        "models",
        metavar="MODEL",
        nargs="*",
        help="folder of a trained model, or a model of the box, to be shown first",
    )
    parser.add_argument(
        "--port", type=int, default=0, metavar="N", help="port of 127.0.0.1 (default: a free one)"
    )
    parser.add_argument(
        "--no-browser", action="store_true", help="print the address, open no browser"
    )
    add_common_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    from atomlens.web.serving import check_packages, serve

    check_packages()

    def tell(address: str) -> None:
        emit(f"Open {address}\n" if options.quiet else f"Open {address}\nCtrl-C ends it.\n")
        flush_stdout()

    serve(
        options.models,
        reading=reading_options(options),
        port=options.port,
        browser=not options.no_browser,
        debug=options.debug,
        tell=tell,
    )
    return 0
