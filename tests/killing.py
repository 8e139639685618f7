"""Work in a process of its own that is killed at a random moment, or meets a full disk.

The processes are forked from one that has imported everything, so that a kill meets work and not
the start of Python, and a hundred of them cost little.
"""

import ctypes
import gc
import os
import resource
import signal
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

N_KILLS = int(os.environ.get("ATOMLENS_KILLS", "4"))
"""Kills of each test: few in ``make test``, as many as the variable says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a process ended."""

    code: int | None
    """Exit code; None after a kill."""
    seconds: float
    said: str
    """Its stdout and stderr."""


def start(work: Callable[[], int], said: int, before: Callable[[], None] | None = None) -> int:
    """Fork a process that does some work and exits with what it returns; return its number.

    Its stdout and stderr go to the file descriptor ``said``; ``before`` may take rights away.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from Python 3.12 on: of threads that others have started
        child = os.fork()
    if child:
        return child
    code = 70
    gc.freeze()  # a round of the garbage collector would copy all memory of the process before
    try:
        os.setsid()
        for stream in (1, 2):
            os.dup2(said, stream)
        sys.stdout = os.fdopen(1, "w", closefd=False)
        sys.stderr = os.fdopen(2, "w", closefd=False)
        if "torch" in sys.modules:  # the threads of OpenMP are those of the process before
            sys.modules["torch"].set_num_threads(1)
        if before is not None:
            before()
        code = work()
    except BaseException as problem:
        with suppress(OSError):
            sys.stderr.write(f"Traceback: {type(problem).__name__}: {problem}\n")
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):
                stream.flush()
        os._exit(code)


class Running:
    """A process that does some work."""

    def __init__(self, work: Callable[[], int], before: Callable[[], None] | None = None) -> None:
        self._said, writing = os.pipe()
        os.set_blocking(self._said, False)
        self._begin = time.monotonic()
        self.child = start(work, writing, before)
        os.close(writing)
        self._text = b""

    def wait(self, kill_after: float | None = None) -> Ended:
        """Wait for its end; kill it, and all that it started, after some seconds."""
        code, killed = None, False
        while True:
            with suppress(BlockingIOError):
                self._text += os.read(self._said, 1 << 16)
            done, status = os.waitpid(self.child, os.WNOHANG)
            passed = time.monotonic() - self._begin
            if done:
                code = None if killed else os.waitstatus_to_exitcode(status)
                break
            if kill_after is not None and passed >= kill_after and not killed:
                killed = True
                with suppress(ProcessLookupError):
                    os.killpg(self.child, signal.SIGKILL)
                os.kill(self.child, signal.SIGKILL)
            time.sleep(0.002)
        with suppress(BlockingIOError):
            self._text += os.read(self._said, 1 << 16)
        os.close(self._said)
        return Ended(code=code, seconds=passed, said=self._text.decode(errors="replace"))


def run(
    work: Callable[[], int],
    *,
    kill_after: float | None = None,
    before: Callable[[], None] | None = None,
) -> Ended:
    """Do some work in a process of its own; kill it and all that it started after some seconds."""
    return Running(work, before).wait(kill_after)


def small_files(n_bytes: int) -> Callable[[], None]:
    """Return what lets a process write no file beyond a size, as a disk that is full does."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))


def as_anybody() -> None:
    """Let the rights of files hold for this process, root's included."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3, this process
    nothing = (ctypes.c_uint32 * 6)()
    if os.geteuid() == 0 and ctypes.CDLL(None).capset(header, nothing):
        raise OSError("the rights of root cannot be given up")


@dataclass(slots=True)
class Kills:
    """Kills one kind of work again and again, and counts how it went."""

    name: str
    seconds: float
    """What the work takes undisturbed; kills are spread over it."""
    n_killed: int = 0
    n_ended: int = 0
    """How often the work was over before its kill."""
    n_whole: int = 0
    """How often a finished output was there after the kill."""
    random: Random = field(default_factory=lambda: Random(17))

    def kill(self, work: Callable[[], int]) -> bool:
        """Do the work and kill it at a random moment; return whether it was over before."""
        moment = self.random.uniform(0.0, self.seconds)
        ended = run(work, kill_after=moment)
        assert "Traceback" not in ended.said, ended.said
        assert "bug" not in ended.said, ended.said
        if ended.code is None:
            self.n_killed += 1
            return False
        assert ended.code == 0, ended.said
        self.n_ended += 1
        return True

    def told(self) -> str:
        """Return one line of a table."""
        return (
            f"{self.name}: {self.n_killed} kills over {self.seconds:.2f} s, {self.n_ended} times "
            f"over before, {self.n_whole} whole outputs found after a kill"
        )
