"""From exceptions and warnings to exit codes and single sentences on stderr."""

import argparse
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from atomlens.errors import AtomlensError, TrainingStopped
from atomlens.printing import origin_of, printable

INTERRUPTED = 130


def run_guarded(command: Callable[[argparse.Namespace], int], options: argparse.Namespace) -> int:
    """Run a command; turn whatever it raises into one sentence and an exit code."""
    try:
        with warnings_as_lines(), compilation_told(quiet=getattr(options, "quiet", False)):
            code = command(options)
            sys.stdout.flush()
    except TrainingStopped as stopped:
        say(str(stopped))
        return INTERRUPTED
    except KeyboardInterrupt:
        say("stopped by you. Finished files are whole; nothing half-written is left behind.")
        return INTERRUPTED
    except BrokenPipeError:
        _forget_stdout()
        return 0
    except Exception as error:
        if options.debug:
            traceback.print_exc()
        say(sentence_of(error))
        return INTERRUPTED if _was_interrupted(error) else 2
    return code


@contextmanager
def compilation_told(*, quiet: bool) -> Iterator[None]:
    """Say on a terminal what the first run waits for, and in the end for how long it was."""
    if quiet or not sys.stderr.isatty():
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
        return f"{where}{error.strerror[0].lower()}{error.strerror[1:]}."
    if isinstance(error, MemoryError):
        return "there is not enough memory. Give fewer inputs at once, or smaller ones."
    return (
        f"this is a bug in atomlens ({origin_of(error)}). Please report it "
        "with the command, the input and what the same command prints with --debug."
    )


def say(text: str) -> None:
    """Write one line to stderr, signed with the program's name."""
    write(sys.stderr, f"atomlens: {printable(text)}\n")
    sys.stderr.flush()


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


def _forget_stdout() -> None:
    """Point stdout nowhere, so that the interpreter does not complain when it closes it."""
    try:
        target = sys.stdout.fileno()
    except (OSError, ValueError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, target)
    os.close(nowhere)
