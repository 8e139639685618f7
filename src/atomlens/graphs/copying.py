"""Compiled loops that cut the rows of chosen graphs out of flat arrays, on the CPU.

The rows of a graph stand together, so a loop copies them in one go and needs no list of rows
as a gather does.
"""

from collections.abc import Callable
from functools import cache
from inspect import unwrap
from typing import Any

from atomlens.machine import compiler, kept

_Array = Any  # numpy arrays, left open so that the compiler sees the loops as they are


@cache
def copy_loops() -> tuple[Callable[..., int], ...]:
    """Compile the loops below at the first batch; nothing where numba is not installed.

    Returns:
        ``count(indices, offsets)``, ``copy_graphs`` and ``copy_values``.
    """
    if compiler() is None:
        return ()
    return tuple(kept(nogil=True)(unwrap(loop)) for loop in (_count, _copy_graphs, _copy_values))


def _count(indices: _Array, offsets: _Array) -> int:
    total = 0
    for i in indices:
        if i < 0 or i + 1 >= len(offsets):
            raise IndexError("there is no graph of this number in the store")
        total += offsets[i + 1] - offsets[i]
    return total


# The first loop of the next two touches every cache line, many at a time: graphs are drawn at
# random, and waiting for the memory of one after the other would take longer than all the rest.


def _copy_graphs(
    indices: _Array,
    node_offsets: _Array,
    edge_offsets: _Array,
    numbers: _Array,
    source: _Array,
    target: _Array,
    node_counts: _Array,
    numbers_out: _Array,
    graph_out: _Array,
    edges_out: _Array,
) -> int:
    touched = 0
    for i in indices:
        for k in range(node_offsets[i], node_offsets[i + 1], 8):
            touched += numbers[k]
        for k in range(edge_offsets[i], edge_offsets[i + 1], 8):
            touched += source[k] + target[k]
    node, edge = 0, 0
    for graph in range(len(indices)):
        i = indices[graph]
        start, n = node_offsets[i], node_offsets[i + 1] - node_offsets[i]
        node_counts[graph] = n
        for k in range(n):
            numbers_out[node + k] = numbers[start + k]
            graph_out[node + k] = graph
        start, m = edge_offsets[i], edge_offsets[i + 1] - edge_offsets[i]
        for k in range(m):
            edges_out[0, edge + k] = source[start + k] + node
        for k in range(m):
            edges_out[1, edge + k] = target[start + k] + node
        node, edge = node + n, edge + m
    return touched


def _copy_values(indices: _Array, offsets: _Array, width: int, flat: _Array, rows: _Array) -> int:
    touched, place = 0, 0
    for i in indices:
        for k in range(offsets[i] * width, offsets[i + 1] * width, 16):
            touched += flat[k] != 0
    for i in indices:
        start, n = offsets[i] * width, (offsets[i + 1] - offsets[i]) * width
        for k in range(n):
            rows[place + k] = flat[start + k]
        place += n
    return touched
