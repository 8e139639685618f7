"""The command line: one file a command, and `main`, which runs them."""

import sys
from argparse import Namespace
from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command as typed and return its exit code.

    0 all good, 1 some inputs failed (listed on stderr), 2 nothing could be done (one
    sentence on stderr), 130 stopped by Ctrl-C.
    """
    try:
        return _main(argv)
    except KeyboardInterrupt:  # pressed before the command itself began
        sys.stderr.write("atomlens: stopped by you.\n")
        return 130


def _main(argv: Sequence[str] | None) -> int:
    from atomlens.cli.guard import StdoutError, run_guarded, told
    from atomlens.cli.outputs import (
        check_results_have_a_place,
        empty_folders_removed,
        replaced_files_told,
    )
    from atomlens.cli.parser import as_options, build_parser

    words = as_options(sys.argv[1:] if argv is None else argv)
    parser = build_parser(words)
    try:
        options = parser.parse_args(words)
    except SystemExit as stop:  # argparse leaves this way after --help and after an error
        code = stop.code if isinstance(stop.code, int) else 2
        return run_guarded(lambda _: code, Namespace())
    except StdoutError as problem:  # of --help
        return told(problem)

    def command(options: Namespace) -> int:
        check_results_have_a_place(options)
        if options.command is None:
            parser.print_help()
            return 0
        with replaced_files_told(options), empty_folders_removed(options):
            return int(options.run(options))

    return run_guarded(command, options)
