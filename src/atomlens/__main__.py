"""``python -m atomlens`` is the command ``atomlens``."""

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_OUT_OF_THE_CALLBACK = 0.05
"""Seconds after which an interrupt that was swallowed is sent again."""


def run() -> None:
    """Run the command line as a program: Ctrl-C is quiet from the first moment to the last."""
    sys.unraisablehook = _interrupt_again
    if sys.stderr is None:  # closed by whoever started this
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - to the end
    try:
        from atomlens.cli import main

        code = main()
    except KeyboardInterrupt:
        sys.stderr.write("atomlens: stopped by you.\n")
        code = 130
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # nothing is left that could be stopped
    sys.exit(code)


def _interrupt_again(swallowed: "UnraisableHookArgs") -> None:
    """Send an interrupt again that hit a place where nothing can be raised.

    In a callback from C (as of the compiler of the inner loops) or in a destructor Python prints
    the traceback and goes on, as if Ctrl-C had not been pressed.
    """
    if not issubclass(swallowed.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(swallowed)
        return
    import signal
    import threading
    import time

    left = threading.Event()

    def interrupt() -> None:
        left.wait()  # in here it would be swallowed once more
        time.sleep(_OUT_OF_THE_CALLBACK)
        if sys.platform == "win32":
            signal.raise_signal(signal.SIGINT)
        else:  # to the thread that waits, so that its waiting ends
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    left.set()


if __name__ == "__main__":
    run()
