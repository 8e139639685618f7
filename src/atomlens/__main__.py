"""``python -m atomlens`` is the command ``atomlens``."""

import sys


def run() -> None:
    """Run the command line as a program: Ctrl-C is quiet from the first moment to the last."""
    try:
        from atomlens.cli import main

        code = main()
    except KeyboardInterrupt:
        sys.stderr.write("atomlens: stopped by you.\n")
        code = 130
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # nothing is left that could be stopped
    sys.exit(code)


if __name__ == "__main__":
    run()
