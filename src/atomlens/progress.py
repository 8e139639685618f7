"""Progress bars for Python users: on a terminal, in a notebook, and as lines in a log.

The library never prints by itself; ``progress=True`` asks for these.
"""

import sys
import time
from importlib.util import find_spec
from typing import Any, TextIO

from atomlens import printing
from atomlens.errors import SettingsError

_SECONDS_BETWEEN_LINES = 10.0


def in_notebook() -> bool:
    """Say whether this is the kernel of a notebook, which shows HTML."""
    shell = sys.modules.get("IPython")
    kernel = None if shell is None else shell.get_ipython()
    return kernel is not None and "IPKernelApp" in kernel.config


class ProgressBar:
    """Called with (done, total), or (done) where nobody knows the total, it shows how far work is.

    On a terminal and in a notebook a bar (of tqdm, if that is installed), elsewhere a line every
    ten seconds and one at the total, so that logs stay short.

    Args:
        label: What is being done.
        stream: Where text goes; stderr by default.
        leave: Let the finished bar stand.
    """

    def __init__(self, label: str, *, stream: TextIO | None = None, leave: bool = False) -> None:
        self.label = label
        self.stream = sys.stderr if stream is None else stream
        self.leave = leave
        self._bar: Any = None
        self._done = 0
        self._start = self._last = time.monotonic()

    def __call__(self, done: int, total: int | None = None, note: str = "") -> None:
        """Show that ``done`` of ``total`` are done."""
        if done < self._done:
            self.close()
        if self._done == 0:
            self._start = time.monotonic()
        if self._draws():
            if self._bar is None:
                self._bar = _tqdm()(
                    total=total, desc=self.label, file=self.stream, leave=self.leave
                )
            if note:
                self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(done - self._done)
        else:
            self._line(done, total, note)
        self._done = done
        if total is not None and done >= total:
            self.close()

    def write(self, text: str) -> None:
        """Write a sentence without disturbing the bar."""
        if self._bar is not None:
            self._bar.write(text, file=self.stream)
        else:
            self.stream.write(text + "\n")
            self.stream.flush()

    def close(self) -> None:
        """End the bar; a further call begins a new one."""
        if self._bar is not None:
            self._bar.close()
        self._bar, self._done = None, 0

    def __getstate__(self) -> dict[str, Any]:
        """Travel to another process without the bar and the stream, which is stderr there."""
        return {**self.__dict__, "stream": None, "_bar": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.stream = sys.stderr

    def _draws(self) -> bool:
        seen = in_notebook() or self.stream.isatty()
        return seen and find_spec("tqdm") is not None

    def _line(self, done: int, total: int | None, note: str) -> None:
        now = time.monotonic()
        if now - self._last < _SECONDS_BETWEEN_LINES and (total is None or done < total):
            return
        self._last = now
        seconds = f"{now - self._start:.0f} s"
        count = f"{self.label}: {done}" + ("" if total is None else f"/{total}")
        self.write(", ".join([count, seconds, *([note] if note else [])]))


def _tqdm() -> Any:
    """Return the bar that suits: widgets in a notebook that has them, else text."""
    if in_notebook() and find_spec("ipywidgets") is not None:
        from tqdm.notebook import tqdm
    else:
        from tqdm import tqdm
    return tqdm


def shown(progress: Any, label: str, hears: str = "the number of steps done and in all") -> Any:
    """Return what hears of steps: a bar for True, nothing for False, else what was given.

    ``hears`` is what a function is called with.

    Raises:
        SettingsError: it is no function.
    """
    if progress is True:
        return ProgressBar(label)
    if progress is None or progress is False:
        return None
    if isinstance(progress, type) or not callable(progress):
        raise SettingsError(
            f"progress={printing.shown(progress)}: give True for a progress bar, or a function "
            f"that is called with {hears}."
        )
    return progress
