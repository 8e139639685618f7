"""One progress line on stderr, with the time left; silent where nobody watches."""

import sys
import time
from collections.abc import Callable
from typing import TextIO

Progress = Callable[[int, int, str], None]
"""Called with what is done, what there is, and a word about it."""


class ProgressLine:
    """A line that rewrites itself. Call it with (done, total, note)."""

    def __init__(self, label: str, *, quiet: bool = False, stream: TextIO | None = None) -> None:
        self.label = label
        self.stream = sys.stderr if stream is None else stream
        self.active = not quiet and self.stream.isatty()
        self.start = self.last = time.monotonic()
        self.width = 0

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Show how far the work is; at most ten times a second, and always at the end."""
        now = time.monotonic()
        if not self.active or (now - self.last < 0.1 and done < total):
            return
        self.last = now
        text = progress_text(self.label, done, total, now - self.start, note)
        self.stream.write("\r" + text.ljust(self.width))
        self.stream.flush()
        self.width = len(text)

    def __enter__(self) -> "ProgressLine":
        return self

    def __exit__(self, *_: object) -> None:
        """Wipe the line, so that results stand alone."""
        if self.width:
            self.stream.write("\r" + " " * self.width + "\r")
            self.stream.flush()
            self.width = 0


def progress_text(label: str, done: int, total: int, seconds: float, note: str = "") -> str:
    """Return one line such as ``training  [#####.....]  3/6  0:12 left  MAE 0.21``."""
    share = done / total if total else 1.0
    filled = round(20 * min(1.0, share))
    bar = "#" * filled + "." * (20 - filled)
    left = f"{clock(seconds / share - seconds)} left" if 0 < share < 1 else clock(seconds)
    parts = [label, f"[{bar}]", f"{done}/{total}", left, note]
    return "  ".join(p for p in parts if p)


def clock(seconds: float) -> str:
    """Return a duration as ``m:ss``, or ``h:mm:ss`` from one hour on."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
