"""Ctrl-C between two steps instead of in the middle of one."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class Interruption:
    """While entered, the first Ctrl-C is remembered; the second one acts at once.

    Outside the main thread, where Python delivers no signals, it does nothing; nor if it is
    not ``wanted``: one of several devices must not stop while the others wait for it.
    """

    def __init__(self, wanted: bool = True) -> None:
        self.wanted = wanted
        self.requested = False
        self._before: Any = None
        self._entered = False

    def __enter__(self) -> "Interruption":
        if self.wanted and threading.current_thread() is threading.main_thread():
            before = signal.getsignal(signal.SIGINT)
            if before is signal.default_int_handler:
                self._before = signal.signal(signal.SIGINT, self._remember)
                self._entered = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give Ctrl-C back to whom it belonged."""
        if self._entered:
            signal.signal(signal.SIGINT, self._before)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
