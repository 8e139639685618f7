"""Work that takes a while: done piece by piece, with its progress, until it ends or is stopped."""

import secrets
import sys
import threading
import traceback
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, final

from atomlens.errors import AtomlensError, SettingsError
from atomlens.printing import origin_of

State = Literal["waiting", "running", "done", "failed", "stopped"]
Answer = TypeVar("Answer")

MOST_JOBS = 32
"""So many may wait or run at a time."""
_KEPT = 64
"""Finished jobs whose results are kept for those who ask later."""


class Stopped(Exception):  # noqa: N818  it is no error
    """The user has stopped the job."""


@final
@dataclass(slots=True, kw_only=True, eq=False)
class WebJob:
    """One piece of work, as those who wait for it see it."""

    id: str
    kind: str
    state: State = "waiting"
    done: int = 0
    total: int = 0
    """0 where it is not known."""
    note: str = ""
    result: Any = None
    error: str = ""
    """One sentence, if it failed."""
    stop: threading.Event = field(default_factory=threading.Event)
    ended: Future[None] = field(default_factory=Future)

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ("done", "failed", "stopped")

    def progress(self, done: int, total: int) -> None:
        """Note how far the work is.

        Raises:
            Stopped: the user wants no more of it.
        """
        self.done, self.total = done, total
        self.check()

    def check(self) -> None:
        """Raise `Stopped` if the user wants no more of it."""
        if self.stop.is_set():
            raise Stopped

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        names = ("id", "kind", "state", "done", "total", "note", "result", "error")
        return {name: getattr(self, name) for name in names}


@final
class Bench:
    """The one place where models and readers work, one piece at a time, in the order of asking.

    Readers and some explainers change things that a process has only one of (warnings, gradients
    of a network), and two trainings' worth of threads are no faster than one. So every piece of
    every job is done by one thread; a job of many pieces lets others in between.
    """

    def __init__(self) -> None:
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="atomlens-bench")
        self._job: WebJob | None = None

    def do(self, job: WebJob, piece: Callable[[], Answer]) -> Answer:
        """Do one piece of a job and return what comes of it."""
        job.check()
        return self._worker.submit(self._run, job, piece).result()

    def _run(self, job: WebJob, piece: Callable[[], Answer]) -> Answer:
        job.check()
        self._job = job
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # remarks stand with their structures
                return piece()
        finally:
            self._job = None

    def watch(self, *_: Any) -> None:
        """End the piece at hand if its job was stopped; a network calls this at each pass."""
        if self._job is not None:
            self._job.check()

    def close(self) -> None:
        """Take no more work."""
        self._worker.shutdown(wait=False, cancel_futures=True)


@final
class Jobs:
    """All jobs of an application."""

    def __init__(self, *, debug: bool = False) -> None:
        self.bench = Bench()
        self.debug = debug
        self._jobs: OrderedDict[str, WebJob] = OrderedDict()
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="atomlens-job")

    def start(self, kind: str, work: Callable[[WebJob], Any]) -> WebJob:
        """Begin a job; its result is what ``work`` returns.

        Raises:
            SettingsError: too many are waiting.
        """
        job = WebJob(id=secrets.token_hex(8), kind=kind)
        with self._lock:
            if sum(not other.is_over for other in self._jobs.values()) >= MOST_JOBS:
                raise SettingsError(
                    f"{MOST_JOBS} jobs are waiting already; wait for one or stop it."
                )
            self._jobs[job.id] = job
            over = [other.id for other in self._jobs.values() if other.is_over]
            for old in over[: max(0, len(over) - _KEPT)]:
                del self._jobs[old]
        self._threads.submit(self._run, job, work)
        return job

    def get(self, job_id: str) -> WebJob | None:
        """Return a job, if it is known (still)."""
        with self._lock:
            return self._jobs.get(job_id)

    def stop(self, job: WebJob) -> None:
        """Ask a job to end; it does so before its next step."""
        job.stop.set()

    def close(self) -> None:
        """Stop everything."""
        with self._lock:
            jobs = list(self._jobs.values())
        for job in jobs:
            job.stop.set()
        self._threads.shutdown(wait=False, cancel_futures=True)
        self.bench.close()

    def _run(self, job: WebJob, work: Callable[[WebJob], Any]) -> None:
        with self._told(job):
            job.check()
            job.state = "running"
            job.result = work(job)
            job.state = "done"

    @contextmanager
    def _told(self, job: WebJob) -> Iterator[None]:
        """Note how a job ends, whatever happens to it."""
        try:
            yield
        except Stopped:
            job.state = "stopped"
        except AtomlensError as error:
            job.error, job.state = str(error), "failed"
        except Exception as error:
            if job.stop.is_set():  # what stopped it was turned into another error on the way
                job.state = "stopped"
            else:
                if self.debug:
                    traceback.print_exc(file=sys.stderr)
                job.error, job.state = _sentence(error), "failed"
        finally:
            job.ended.set_result(None)


def _sentence(error: Exception) -> str:
    """Return what the user reads about an error that is not ours."""
    if isinstance(error, MemoryError):
        return "There is not enough memory. Give fewer structures, or smaller ones."
    return (
        f"This is a bug in atomlens ({origin_of(error)}). Please report it "
        "with the input and what `atomlens view --debug` prints."
    )
