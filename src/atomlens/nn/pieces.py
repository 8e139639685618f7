"""Work of compiled loops on the CPU: tensors as arrays, tiles of edges, one piece a thread."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise
from threading import Barrier
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_Item = TypeVar("_Item")
_Found = TypeVar("_Found")


@lru_cache(maxsize=1)
def thread_pool(n_threads: int, process: int) -> ThreadPoolExecutor:
    """Return one pool a process: threads do not survive a fork."""
    return ThreadPoolExecutor(n_threads, thread_name_prefix="atomlens-kernel")


def in_pieces(offsets: NDArray[np.int64], work: Callable[[int, int], None]) -> None:
    """Call ``work(first_node, last_node)`` for about one piece a thread, cut between any nodes.

    For work that writes nothing to sources. ``offsets`` tells where the edges of each node begin.
    """
    n_threads = torch.get_num_threads()
    if n_threads == 1:
        work(0, len(offsets) - 1)
        return
    wanted = np.linspace(0, offsets[-1], n_threads + 1)[1:-1]
    ends = sorted({0, len(offsets) - 1, *np.searchsorted(offsets, wanted).tolist()})
    pool = thread_pool(n_threads, os.getpid())
    for done in [pool.submit(work, a, b) for a, b in pairwise(ends)]:
        done.result()


@lru_cache(maxsize=1)
def _single_threads(n_threads: int, process: int) -> ThreadPoolExecutor:
    """Return threads in each of which torch has one thread."""
    all_there = Barrier(n_threads)

    def begin() -> None:
        torch.set_num_threads(1)
        torch.get_num_threads()  # a thread takes over what is set for all when it first asks
        all_there.wait()

    pool = ThreadPoolExecutor(n_threads, thread_name_prefix="atomlens-alone", initializer=begin)
    for started in [pool.submit(int) for _ in range(n_threads)]:
        started.result()
    torch.set_num_threads(n_threads)  # what threads of others begin with
    return pool


def side_by_side(work: Callable[[_Item], _Found], items: Sequence[_Item]) -> list[_Found]:
    """Return ``work(item)`` of every item, each in a thread that has torch to itself.

    For work of many small steps: shared out by torch, each step would end when the last thread
    does. Gradients are asked for as in a new thread, which is always.
    """
    n_threads = torch.get_num_threads()
    if n_threads == 1:
        return [work(item) for item in items]
    return list(_single_threads(n_threads, os.getpid()).map(work, items))


def as_arrays(*tensors: Tensor) -> tuple[NDArray[Any], ...]:
    """Return tensors as arrays that share their memory where they lie in it without gaps."""
    return tuple(t.detach().contiguous().numpy() for t in tensors)


def tiles_of(offsets: NDArray[np.int64], n_edges: int) -> Iterator[tuple[int, int]]:
    """Yield targets that follow one another, with at most so many edges, or a single one."""
    start, n_nodes = 0, len(offsets) - 1
    while start < n_nodes:
        fitting = int(np.searchsorted(offsets, offsets[start] + n_edges, side="right")) - 1
        stop = max(start + 1, min(n_nodes, fitting))
        yield start, stop
        start = stop
