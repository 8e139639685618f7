"""One progress line on stderr, with the time left; silent where nobody watches."""

import sys
import time
from typing import Any, Self, TextIO


class ProgressLine:
    """A line that rewrites itself. Call it with (done, total)."""

    def __init__(self, label: str, *, quiet: bool = False, stream: TextIO | None = None) -> None:
        self.label = label
        self.stream = sys.stderr if stream is None else stream
        self.active = not quiet and self.stream.isatty()
        self.start = time.monotonic()
        self.last = 0.0
        self.width = 0

    def __call__(self, done: int, total: int) -> None:
        """Show how far the work is; the time left follows from the time spent."""
        share = done / total if total else 1.0
        seconds = time.monotonic() - self.start
        self.show(share, f"{done}/{total}", time_left(share, seconds))

    def count(self, done: int) -> None:
        """Show how many are done where nobody knows how many there are."""
        now = time.monotonic()
        if not self.active or now - self.last < 0.1:
            return
        self.last = now
        text = f"{self.label}  {done:,}  {clock(now - self.start)}"
        self.stream.write("\r" + text.ljust(self.width))
        self.stream.flush()
        self.width = len(text)

    def show(self, share: float, *notes: str) -> None:
        """Rewrite the line, at most ten times a second, and always at the end."""
        now = time.monotonic()
        if not self.active or (now - self.last < 0.1 and share < 1):
            return
        self.last = now
        text = "  ".join([self.label, bar(share), *(n for n in notes if n)])
        self.stream.write("\r" + text.ljust(self.width))
        self.stream.flush()
        self.width = len(text)

    def __getstate__(self) -> dict[str, Any]:
        """Travel to another process without the stream, which is stderr there."""
        return {**self.__dict__, "stream": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.stream = sys.stderr

    def close(self) -> None:
        """Wipe the line, so that results stand alone."""
        if self.width:
            self.stream.write("\r" + " " * self.width + "\r")
            self.stream.flush()
            self.width = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def bar(share: float) -> str:
    """Return a bar of twenty signs."""
    filled = round(20 * min(1.0, share))
    return f"[{'#' * filled}{'.' * (20 - filled)}]"


def time_left(share: float, seconds: float) -> str:
    """Return how long the rest takes if it goes on like this; the time spent once it is done."""
    return f"{clock(seconds / share - seconds)} left" if 0 < share < 1 else clock(seconds)


def clock(seconds: float) -> str:
    """Return a duration as ``m:ss``, or ``h:mm:ss`` from one hour on."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
