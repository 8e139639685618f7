"""Processes beside this one that read structures: safe to start anywhere, and to be killed.

Each is a fresh interpreter with a pipe to it, so that neither a script without an ``if __name__``
guard nor threads and locks of this process matter. A worker ends when its pipe closes, whatever
became of us. Where a worker dies, its tasks are tried again one at a time: the input that ends
the process becomes an error in its place, and the others lose nothing.
"""

import gc
import os
import pickle
import signal
import struct
import subprocess
import sys
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from numbers import Integral
from queue import SimpleQueue
from typing import IO, Any, NamedTuple, Self

from atomlens.errors import SettingsError, StructureError, warn
from atomlens.machine import n_cores

_WORTH_IT = 2.0
"""Seconds of work; for less it takes longer to start processes than to read."""
_AHEAD = 1024
"""Tasks that are done before somebody asks for their outcome."""
_MOST = 256
_LENGTH = struct.Struct("<Q")
_START = """
import pickle, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
try:
    sys.path[:] = pickle.load(sys.stdin.buffer)
except EOFError:  # whoever started this is gone
    sys.exit()
from atomlens.structures.workers import serve
serve()
"""

Arguments = tuple[Any, ...]
Task = tuple[Callable[..., Any], Arguments]
"""A function of a module, and plain arguments."""


class WorkerDiedError(StructureError):
    """What was to be done has ended the process that was to do it."""


class Outcome(NamedTuple):
    """What came of one task: a value or an error, and what was remarked."""

    value: Any
    error: Exception | None
    remarks: tuple[tuple[str, type[Warning]], ...] = ()

    def get(self) -> Any:
        """Return the value or raise the error, after passing on the warnings."""
        for text, category in self.remarks:
            warn(text, category)
        if self.error is not None:
            raise self.error
        return self.value


def chosen_workers(n_workers: int, seconds: float) -> int:
    """Return how many processes to use: ``n_workers``, or for 0 what the work is worth.

    Raises:
        SettingsError: the number is negative, absurd or no whole one.
    """
    given: Any = n_workers
    if not isinstance(given, Integral) or not 0 <= int(given) <= _MOST:
        raise SettingsError(
            f"`n_workers` must be a whole number between 0 and {_MOST}, got {n_workers!r}."
        )
    if n_workers:
        return n_workers
    return n_cores() if seconds > _WORTH_IT else 1


def chosen_readers(n_workers: int, seconds: float, meanwhile: float) -> int:
    """Return how many processes read beside this one, which has its own work; 0: none, it reads.

    Args:
        n_workers: As many, but for 1 none; for 0 what the work is worth: this process and the
            readers share the cores as their work is.
        seconds: Of reading.
        meanwhile: Seconds of work in this process.

    Raises:
        SettingsError: as `chosen_workers`.
    """
    n = chosen_workers(n_workers, seconds)
    if n <= 1:
        return 0
    return n if n_workers else max(1, round(n * seconds / (seconds + meanwhile)))


def outcomes(
    tasks: Iterable[Task],
    n_workers: int,
    *,
    beside: bool = False,
    together: int = 16,
    ahead: int | None = None,
) -> Generator[Outcome, None, None]:
    """Yield what came of each task, in order; one worker is this process, unless it is ``beside``.

    Tasks are taken as the outcomes are, a few ahead, so that any number of them fits.

    Args:
        tasks: What to do.
        n_workers: Processes.
        beside: A single worker is a process of its own, too.
        together: Tasks that travel to a process at a time.
        ahead: So many lots of tasks are begun or done before somebody asks for their outcome.
    """
    if n_workers <= 1 and not beside:
        yield from map(_outcome, tasks)
        return
    waiting: deque[Future[list[Outcome]]] = deque()
    ahead = max(3 * n_workers, _AHEAD // together) if ahead is None else ahead
    rest = iter(tasks)
    idle: SimpleQueue[Worker] = SimpleQueue()
    workers = [Worker() for _ in range(n_workers)]
    for worker in workers:
        idle.put(worker)
    pool = ThreadPoolExecutor(n_workers)
    try:
        while True:
            while len(waiting) < ahead and (chunk := list(islice(rest, together))):
                waiting.append(pool.submit(_by_worker, idle, chunk))
            if not waiting:
                return
            yield from waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
        for worker in workers:
            worker.stop()
        pool.shutdown()
        for worker in workers:
            worker.close()


def _outcome(task: Task) -> Outcome:
    function, arguments = task
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", DeprecationWarning)  # of other packages
        try:
            value, error = function(*arguments), None
        except Exception as problem:
            value, error = None, problem
    return Outcome(value, error, tuple((str(w.message), w.category) for w in heard))


def _by_worker(idle: "SimpleQueue[Worker]", tasks: Sequence[Task]) -> list[Outcome]:
    worker = idle.get()
    try:
        return worker.run(tasks)
    finally:
        idle.put(worker)


class Worker:
    """A process, started when it gets its first task and again after its death."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.stopped = False

    def run(self, tasks: Sequence[Task]) -> list[Outcome]:
        """Return the outcomes of some tasks; a task that kills the process is an error."""
        found = self._ask(tasks)
        if isinstance(found, list):
            return found
        if len(tasks) > 1:
            return [outcome for task in tasks for outcome in self.run([task])]
        again = self._ask(tasks)  # once more, as somebody may have killed the process
        return again if isinstance(again, list) else [Outcome(None, WorkerDiedError(again))]

    def _ask(self, tasks: Sequence[Task]) -> list[Outcome] | str:
        """Return what the process answers, or how it ended."""
        if self.stopped:
            return "reading was stopped"
        if self.process is None:
            self.process = _started()
        given, taken = self.process.stdin, self.process.stdout
        assert given is not None
        assert taken is not None
        try:
            _send(given, tasks)
            packed: list[bytes] = _receive(taken)
            return [pickle.loads(one) for one in packed]  # from our own process
        except (OSError, EOFError):
            process, self.process = self.process, None
            _close(process)
            return f"reading it ended the process ({_end_of(process)}); correct or drop it"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.close()

    def stop(self) -> None:
        """End the process, whatever it is doing; whoever waits for it hears of its end."""
        self.stopped = True
        process = self.process
        if process is not None:
            process.kill()

    def close(self) -> None:
        """Close the pipes, when nobody waits any more."""
        if self.process is not None:
            _close(self.process)
            self.process = None


def _started() -> "subprocess.Popen[bytes]":
    one_thread = dict.fromkeys(
        ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", _START],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | one_thread,
    )
    assert process.stdin is not None
    with suppress(OSError):
        pickle.dump(sys.path, process.stdin)
    return process


def _close(process: "subprocess.Popen[bytes]") -> None:
    for stream in (process.stdin, process.stdout):
        with suppress(OSError):
            if stream is not None:
                stream.close()
    try:
        process.wait(timeout=1.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _end_of(process: "subprocess.Popen[bytes]") -> str:
    code = process.returncode
    if code is None or code >= 0:
        return f"exit code {code}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
    return f"signal {name}{', perhaps for want of memory' if name == 'SIGKILL' else ''}"


def _send(stream: IO[bytes], value: Any) -> None:
    content = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    stream.write(_LENGTH.pack(len(content)))
    stream.write(content)
    stream.flush()


def _receive(stream: IO[bytes]) -> Any:
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    length = _LENGTH.unpack(head)[0]
    content = stream.read(length)
    if len(content) < length:
        raise EOFError
    return pickle.loads(content)  # from our own process


def serve() -> None:
    """Do what comes through the pipe until it closes; what others print goes to stderr."""
    given = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with suppress(EOFError, BrokenPipeError):
        while True:
            tasks = _receive(given)
            _send(answers, [_packed(_outcome(task)) for task in tasks])
            if not gc.get_freeze_count():  # behind the first tasks all modules are there
                gc.freeze()
    os._exit(0)


def _packed(outcome: Outcome) -> bytes:
    """Return an outcome so that it can travel: an odd value or error of a package is a sentence."""
    try:
        content = pickle.dumps(outcome, protocol=pickle.HIGHEST_PROTOCOL)
        if outcome.error is not None or outcome.remarks:
            pickle.loads(content)
    except Exception:
        said = outcome.error or "what was read"
        error = StructureError(f"{said}: it cannot be passed on; check the input")
        return pickle.dumps(Outcome(None, error), protocol=pickle.HIGHEST_PROTOCOL)
    return content
