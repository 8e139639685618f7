"""Shards worked off by a Ray cluster, with the same function as on one machine."""

import pickle
import re
import socket
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import islice
from typing import Any

from atomlens.errors import SettingsError, missing_package
from atomlens.machine import choose_device
from atomlens.printing import reason
from atomlens.screening.jobs import ScreenJob, screen_shard
from atomlens.screening.running import Done, settled
from atomlens.screening.shards import Shard
from atomlens.structures.workers import Worker

_WAVE = 4096
"""Shards that are handed to the cluster at a time: the names of two million structures."""


class _Screener:
    """Works off shards in a process of its own beside a worker of Ray.

    What ends that process costs one input and not the worker.
    """

    def __init__(self, job: bytes) -> None:
        self.job: ScreenJob = pickle.loads(job)  # from our own process
        self.worker = Worker()

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        rows = [self.one(pickle.loads(shard)) for shard in batch["shard"]]
        return {"number": batch["number"], "rows": [pickle.dumps(own) for own in rows]}

    def one(self, shard: Shard) -> list[Any]:
        task = (screen_shard, (self.job, shard.pieces))
        return settled(self.worker.run([task])[0], task)


def run_on_ray(
    job: ScreenJob, shards: Iterator[Shard], address: str, n_workers: int
) -> Iterator[Done]:
    """Yield the rows of each shard as the cluster finishes them, in any order.

    The machines of the cluster share the file system: models and inputs have the same paths on
    all. Ray replaces a worker that is lost and has its shard worked off again, as often as need be.

    Args:
        job: What to do.
        shards: With what.
        address: ``auto`` for the cluster that this machine belongs to, ``local`` for one on this
            machine alone, or the address of one.
        n_workers: Workers; 0: one a GPU of the cluster, or one a core where it has none.

    Raises:
        MissingDependencyError: Ray is not installed.
        SettingsError: there is no cluster at the address.
    """
    if find_spec("ray") is None:
        raise missing_package("ray=", "ray", "scale", "leave it out to use this machine alone")
    import ray

    started = _connect(address)
    try:
        resources = ray.cluster_resources()
        n_gpus = int(resources.get("GPU", 0)) if _wants_gpu(job.device) else 0
        n_workers = n_workers or n_gpus or max(1, int(resources.get("CPU", 1)))
        while wave := list(islice(shards, _WAVE)):
            yield from _wave(job, wave, n_workers, 1 if n_gpus else 0)
    finally:
        if started:
            ray.shutdown()


def _wants_gpu(device: str) -> bool:
    return device == "auto" or choose_device("cpu" if device == "cpu" else device).type != "cpu"


def _connect(address: str) -> bool:
    """Join a cluster; return whether that was done here."""
    import ray

    if ray.is_initialized():
        return False
    _knock(address)
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    try:
        if address == "local":
            ray.init(include_dashboard=False, **options)
        else:
            ray.init(address=address, **options)
    except (ConnectionError, ValueError, RuntimeError) as problem:
        raise SettingsError(
            f"ray {address}: there is no cluster that can be joined ({reason(problem)}). Start "
            'one with `ray start --head`, or use --ray local (in Python ray="local").'
        ) from problem
    return True


_SECONDS = 10.0
"""How long an address may take to answer; ray itself asks again for minutes."""


def _knock(address: str) -> None:
    """Raise a SettingsError where nobody answers at an address of host and port."""
    place = re.fullmatch(r"(?:ray://)?\[?([^\s/\]]+)\]?:(\d{1,5})", address)
    if place is None:
        return
    try:
        socket.create_connection((place[1], int(place[2])), timeout=_SECONDS).close()
    except (OSError, OverflowError) as problem:
        raise SettingsError(
            f"ray {address}: nobody answers there ({reason(problem)}). Check host and port; a "
            "cluster is started with `ray start --head`, which says its address."
        ) from problem


def _wave(job: ScreenJob, wave: list[Shard], n_workers: int, n_gpus: int) -> Iterator[Done]:
    import ray

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_options.verbose_progress = False
    items = [{"number": shard.number, "shard": pickle.dumps(shard)} for shard in wave]
    data = ray.data.from_items(items, override_num_blocks=len(items))
    done = data.map_batches(
        _Screener,
        fn_constructor_args=(pickle.dumps(job),),
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(size=min(n_workers, len(items))),
        num_cpus=0 if n_gpus else 1,
        num_gpus=n_gpus,
    )
    by_number = {shard.number: shard for shard in wave}
    for row in done.iter_rows():
        yield by_number[int(row["number"])], pickle.loads(row["rows"])
