"""From exceptions and warnings to exit codes and single sentences on stderr."""

import argparse
import errno
import os
import stat
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from atomlens.errors import AtomlensError, TrainingStopped, WriteError
from atomlens.printing import origin_of, printable, said_by_system

INTERRUPTED = 130


def run_guarded(command: Callable[[argparse.Namespace], int], options: argparse.Namespace) -> int:
    """Run a command; turn whatever it raises into one sentence and an exit code."""
    try:
        with warnings_as_lines(), compilation_told(quiet=getattr(options, "quiet", False)):
            code = command(options)
            flush_stdout()
    except TrainingStopped as stopped:
        say(str(stopped))
        return INTERRUPTED
    except KeyboardInterrupt:
        say("stopped by you. Finished files are whole; nothing half-written is left behind.")
        return INTERRUPTED
    except BrokenPipeError:
        _forget(sys.stdout)
        return 0
    except Exception as error:
        if getattr(options, "debug", False):
            traceback.print_exc()
        return told(error)
    return code


def told(error: Exception) -> int:
    """Say an error in one sentence, and return the exit code that it calls for."""
    say(sentence_of(error))
    if isinstance(error, StdoutError):
        _forget(sys.stdout)
    return INTERRUPTED if _was_interrupted(error) else 2


@contextmanager
def compilation_told(*, quiet: bool) -> Iterator[None]:
    """Say on a terminal what the first run waits for, and in the end for how long it was."""
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        yield
        return
    from atomlens.machine import watch_compilation

    def begun() -> None:
        say("first run: the inner loops are compiled for this machine and kept for the next.")

    with watch_compilation(begun) as watched:
        yield
    if watched.n_functions:
        say(f"compiled {watched.n_functions} loops in {watched.seconds:.0f} s; kept on disk.")


def _was_interrupted(error: BaseException) -> bool:
    """Say whether Ctrl-C stands behind an error: packages turn it into errors of their own."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        if isinstance(one, KeyboardInterrupt):
            return True
        seen.add(id(one))
        one = one.__cause__ or one.__context__
    return False


def sentence_of(error: Exception) -> str:
    """Return what the user reads about an error."""
    if isinstance(error, AtomlensError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{said_by_system(error)}."
    if isinstance(error, MemoryError):
        return "there is not enough memory. Give fewer inputs at once, or smaller ones."
    return (
        f"this is a bug in atomlens ({origin_of(error)}). Please report it "
        "with the command, the input and what the same command prints with --debug."
    )


class StdoutError(WriteError):
    """Standard output takes nothing: it is closed, or where it goes is full."""


def check_stdout() -> None:
    """Refuse a standard output that takes nothing, before any work is done for it.

    Raises:
        StdoutError: it is closed, or where it goes is full.
    """
    if sys.stdout is None:
        raise StdoutError(_not_printed("it is closed"))
    try:
        place = sys.stdout.fileno()
    except (OSError, ValueError):  # a stream of this process, as in a notebook
        return
    try:
        os.write(place, b"")
        full = hasattr(os, "fstatvfs") and stat.S_ISREG(os.fstat(place).st_mode)
        if full and os.fstatvfs(place).f_bavail == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as problem:
        raise StdoutError(_not_printed(said_by_system(problem)), problem) from problem


def write_stdout(text: str) -> None:
    """Write a text to standard output.

    Raises:
        StdoutError: it is closed, or where it goes is full.
    """
    if sys.stdout is None:
        raise StdoutError(_not_printed("it is closed"))
    with _stdout_named():
        write(sys.stdout, text)


def flush_stdout() -> None:
    """Send what was printed on its way.

    Raises:
        StdoutError: where it goes is full.
    """
    if sys.stdout is not None:
        with _stdout_named():
            sys.stdout.flush()


@contextmanager
def _stdout_named() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:  # its reader has enough
        raise
    except OSError as problem:
        raise StdoutError(_not_printed(said_by_system(problem)), problem) from problem


def _not_printed(reason: str) -> str:
    return (
        f"standard output takes nothing ({reason}), so no result can be printed. Send it elsewhere."
    )


def say(text: str) -> None:
    """Write one line to stderr, signed with the program's name."""
    write_stderr(f"atomlens: {printable(text)}\n")


def write_stderr(text: str) -> None:
    """Write a text to stderr; nothing where that is closed or full, as nobody can be told."""
    if sys.stderr is None:
        return
    try:
        write(sys.stderr, text)
        sys.stderr.flush()
    except OSError:
        _forget(sys.stderr)


def write(stream: TextIO, text: str) -> None:
    """Write a text; letters that the terminal's encoding lacks become question marks."""
    try:
        stream.write(text)
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        stream.write(text.encode(encoding, errors="replace").decode(encoding))


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Show every Python warning as one line on stderr, each text once."""
    seen: set[str] = set()

    def show(message: Warning | str, *_: object) -> None:
        text = " ".join(str(message).split())
        if text not in seen:
            seen.add(text)
            say(f"warning: {text}")

    before = warnings.showwarning
    warnings.showwarning = show  # type: ignore[assignment]
    try:
        yield
    finally:
        warnings.showwarning = before


def _forget(stream: TextIO | None) -> None:
    """Point stdout or stderr nowhere, so that the interpreter does not complain at its end."""
    if stream is None:
        return
    try:
        target = stream.fileno()
    except (OSError, ValueError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, target)
    os.close(nowhere)
