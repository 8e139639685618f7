"""Compiled loops of a layer of AE-CGCNN that changes its edges while it is trained, there and back.

See `row_kernels` for the plan.
"""

import numpy as np
from numpy.typing import NDArray

from atomlens.models.cgcnn.row_kernels import (
    APART,
    EDGES_OF_A_TILE,
    WIDER,
    compiled,
    pair_backward,
)
from atomlens.nn.blocks import most_edges, tile_behind
from atomlens.nn.loops import Floats, Ints


@compiled
def changed_forward(
    rows: Floats,
    norm: Floats,
    before: Floats,
    first_edge: int,
    last_edge: int,
    changed: Floats,
) -> None:
    """changed = before + ReLU(normalised row).

    Args:
        rows: (n_edges, n_padded).
        norm: (3, n_columns) mean, scale and shift of the columns.
        before: (n_edges, n_columns), or no rows: zeros.
        first_edge: Where to begin.
        last_edge: Where to end.
        changed: (n_edges, n_columns), filled.
    """
    width = changed.shape[1]
    zero = np.float32(0.0)
    own = np.empty(3 * APART, dtype=np.float32)
    for k in range(3):
        for f in range(width):
            own[k * APART + f] = norm[k, f]
    for e in range(first_edge, last_edge):
        for f in range(width):
            value = (rows[e, f] - own[f]) * own[APART + f] + own[2 * APART + f]
            changed[e, f] = zero if value < zero else value
        if before.shape[0]:
            for f in range(width):
                changed[e, f] += before[e, f]


@compiled
def changed_sums(
    rows: Floats,
    norm: Floats,
    gradient: Floats,
    first_edge: int,
    last_edge: int,
    sums: NDArray[np.float64],
) -> None:
    """Fill the sums (2, n_columns) of the gradient on normalised rows, and times (row - mean).

    Arguments as in `changed_forward`; ``gradient`` (n_edges, n_columns) is that on ``changed``.
    """
    width = gradient.shape[1]
    zero = np.float32(0.0)
    own = np.empty(5 * APART, dtype=np.float32)
    for k in range(3):
        for f in range(width):
            own[k * APART + f] = norm[k, f]
    sums[:] = 0.0
    for start in range(first_edge, last_edge, EDGES_OF_A_TILE):
        for k in range(3, 5):
            for f in range(width):
                own[k * APART + f] = zero
        for e in range(start, min(start + EDGES_OF_A_TILE, last_edge)):
            for f in range(width):
                apart = rows[e, f] - own[f]
                value = apart * own[APART + f] + own[2 * APART + f]
                on_row = gradient[e, f] if value > zero else zero
                own[3 * APART + f] += on_row
                own[4 * APART + f] += on_row * apart
        for k in range(2):
            for f in range(width):
                sums[k, f] += own[(k + 3) * APART + f]


@compiled
def changed_backward(
    rows: Floats,
    norm: Floats,
    edges: Floats,
    weight: Floats,
    gradient: Floats,
    residual: bool,
    source: Ints,
    offsets: Ints,
    first_node: int,
    last_node: int,
    first_source: int,
    d_target: Floats,
    d_source: Floats,
    d_weight: Floats,
    d_edges: Floats,
) -> None:
    """Gradients of `changed_forward` and `pair_forward`; arguments as in `gated_backward`.

    ``gradient`` (n_edges, n_columns) is that on ``changed``, which ``residual`` says to add to that
    on the edges.
    """
    width, n_padded, n_edge = gradient.shape[1], rows.shape[1], edges.shape[1]
    most = most_edges(offsets, first_node, last_node, EDGES_OF_A_TILE)
    tile = np.zeros((most, n_padded + WIDER), dtype=np.float32)
    room = np.zeros((most, d_weight.shape[0]), dtype=np.float32)
    n_back = weight.shape[0] * weight.shape[2]
    d_room = np.empty((most, n_back), dtype=np.float32)
    nothing = np.zeros((1, n_back), dtype=np.float32)
    own = np.empty(5 * APART, dtype=np.float32)
    zero = np.float32(0.0)
    for k in range(5):
        for f in range(width):
            own[k * APART + f] = norm[k, f]
    start = first_node
    while start < last_node:
        stop = tile_behind(offsets, start, last_node, EDGES_OF_A_TILE)
        begin, end = offsets[start], offsets[stop]
        for i in range(start, stop):
            for e in range(offsets[i], offsets[i + 1]):
                r, j = e - begin, source[e] - first_source
                for f in range(width):
                    apart = rows[e, f] - own[f]
                    value = apart * own[APART + f] + own[2 * APART + f]
                    on_row = gradient[e, f] if value > zero else zero
                    tile[r, f] = (
                        on_row * own[APART + f] - own[3 * APART + f] - apart * own[4 * APART + f]
                    )
                for f in range(width):
                    value = tile[r, f]
                    d_target[i, f] += value
                    d_source[j, f] += value
        pair_backward(
            tile[: end - begin],
            edges[begin:end],
            weight,
            nothing,
            room,
            d_room,
            d_weight,
            d_edges[begin:end],
        )
        if residual and weight.shape[0]:
            for e in range(begin, end):
                for f in range(n_edge):
                    d_edges[e, f] += gradient[e, f]
        start = stop
