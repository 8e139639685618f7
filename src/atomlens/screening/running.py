"""Shards worked off on this machine: in this process, or in others beside it."""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Any

from atomlens.machine import choose_device, n_cores
from atomlens.screening.jobs import Row, ScreenJob, answers, read_shard, rescued, screen_shard
from atomlens.screening.shards import Shard
from atomlens.structures.workers import Outcome, Task, Worker, WorkerDiedError, outcomes

_WORTH_IT = 1500
"""Structures; for fewer it takes longer to start processes than to predict."""

Done = tuple[Shard, list[Row]]


def run_here(job: ScreenJob, shards: Iterator[Shard], n_workers: int) -> Iterator[Done]:
    """Yield the rows of each shard, in order.

    On the CPU every process reads and predicts whole shards in one thread; where there is a GPU,
    the others read and this one predicts. An input that ends a process is a failure in its place.

    Args:
        job: What to do.
        shards: With what.
        n_workers: Processes; 0: one a core, where there is enough to do.
    """
    first = list(islice(shards, 4))
    shards = chain(first, shards)
    if not n_workers:
        n_workers = n_cores() if sum(shard.n for shard in first) >= _WORTH_IT else 1
    on_cpu = choose_device(job.device).type == "cpu"
    function: Callable[..., list[Any]] = screen_shard if on_cpu else read_shard
    begun: deque[Shard] = deque()

    def tasks() -> Iterator[Task]:
        for shard in shards:
            begun.append(shard)
            yield function, (job, shard.pieces)

    found = outcomes(tasks(), n_workers, together=1, ahead=2 * n_workers)
    try:
        for outcome in found:
            shard = begun.popleft()
            made = settled(outcome, (function, (job, shard.pieces)))
            yield shard, made if on_cpu else answers(job, made)
    finally:
        found.close()


def settled(outcome: Outcome, task: Task) -> list[Any]:
    """Return what came of a task; if it ended its process, what is left without the culprit."""
    if isinstance(outcome.error, WorkerDiedError):
        with Worker() as worker:
            return rescued(worker, task)
    found: list[Any] = outcome.get()
    return found
