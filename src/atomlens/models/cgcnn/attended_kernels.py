"""Compiled loops of a layer of AE-CGCNN that is trained: attention over neighbours, there and back.

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
from atomlens.nn.loops import Floats, Ints, falling


@compiled
def _largest_scores(
    rows: Floats, own: Floats, begin: int, end: int, width: int, n_heads: int
) -> None:
    """Fill scratch row 6 with the largest normalised score of each column.

    That is of all heads where there are more than one, which then share one softmax.
    """
    features = width // n_heads
    for f in range(width):
        own[6 * APART + f] = np.float32(-np.inf)
    for e in range(begin, end):
        for f in range(width):
            score = (rows[e, f] - own[f]) * own[APART + f] + own[2 * APART + f]
            own[6 * APART + f] = max(own[6 * APART + f], score)
    if n_heads == 1:
        return
    for f in range(features):
        own[15 * APART + f] = own[6 * APART + f]
    for head in range(1, n_heads):
        for f in range(features):
            one_of = own[6 * APART + f + head * features]
            own[15 * APART + f] = max(own[15 * APART + f], one_of)
    for head in range(n_heads):
        for f in range(features):
            own[6 * APART + f + head * features] = own[15 * APART + f]


@compiled
def attended_forward(
    rows: Floats,
    norm: Floats,
    presence: Floats,
    offsets: Ints,
    n_heads: int,
    first_node: int,
    last_node: int,
    sums: Floats,
    slopes: Floats,
) -> None:
    """sums_i = Σ_j S_ij ReLU(core_ij), S the softmax of the scores over the neighbours.

    Args:
        rows: (n_edges, n_padded) scores, then cores, each with its columns head by head.
        norm: (3, 2 n_columns) mean, scale and shift of the columns.
        presence: (n_edges,) share of a core that is heard, or (0,).
        offsets: (n_nodes + 1,) where the edges of each node begin.
        n_heads: that share one softmax.
        first_node: Where to begin.
        last_node: Where to end.
        sums: (n_nodes, n_columns), filled.
        slopes: (n_nodes, 7, n_columns), filled with what the way back needs: the largest score,
            what weights are multiplied with to add up to one; the sums of the shares, of these
            times (score - mean), of both times the core, of the derivatives on cores, and of
            these times (row - mean). The sum of shares times cores is in ``sums``.
    """
    width = sums.shape[1]
    features = width // n_heads
    own = np.empty(16 * APART, dtype=np.float32)
    one, zero = np.float32(1.0), np.float32(0.0)
    for k in range(3):
        for f in range(width):
            own[k * APART + f] = norm[k, f]
            own[(k + 3) * APART + f] = norm[k, f + width]
    for i in range(first_node, last_node):
        begin, end = offsets[i], offsets[i + 1]
        _largest_scores(rows, own, begin, end, width, n_heads)
        for k in range(8, 14):
            for f in range(width):
                own[k * APART + f] = zero
        for e in range(begin, end):
            share = presence[e] if presence.shape[0] else one
            for f in range(width):
                score = (rows[e, f] - own[f]) * own[APART + f] + own[2 * APART + f]
                own[14 * APART + f] = falling(own[6 * APART + f] - score)
            for f in range(width):
                of_score = rows[e, f] - own[f]
                of_core = rows[e, f + width] - own[3 * APART + f]
                core = of_core * own[4 * APART + f] + own[5 * APART + f]
                weight = own[14 * APART + f]
                on_core = share * weight if core > zero else zero
                message = on_core * core
                own[8 * APART + f] += weight
                own[9 * APART + f] += weight * of_score
                own[10 * APART + f] += message
                own[11 * APART + f] += message * of_score
                own[12 * APART + f] += on_core
                own[13 * APART + f] += on_core * of_core
        if n_heads == 1:
            for f in range(width):
                own[15 * APART + f] = own[8 * APART + f]
        else:
            for f in range(features):
                own[15 * APART + f] = zero
            for head in range(n_heads):
                for f in range(features):
                    own[15 * APART + f] += own[8 * APART + f + head * features]
        for f in range(features):
            total = own[15 * APART + f]
            own[15 * APART + f] = one / total if total > zero else one
        for head in range(n_heads):
            for f in range(features):
                own[7 * APART + f + head * features] = own[15 * APART + f]
        for f in range(width):
            sums[i, f] = own[10 * APART + f] * own[7 * APART + f]
        for f in range(width):
            slopes[i, 0, f] = own[6 * APART + f]
            slopes[i, 1, f] = own[7 * APART + f]
        for f in range(width):
            slopes[i, 2, f] = own[8 * APART + f] * own[7 * APART + f]
            slopes[i, 3, f] = own[9 * APART + f] * own[7 * APART + f]
        for k in range(11, 14):
            for f in range(width):
                slopes[i, k - 7, f] = own[k * APART + f] * own[7 * APART + f]


@compiled
def attended_sums(
    slopes: Floats,
    heard: Floats,
    gradient: Floats,
    n_heads: int,
    level: Floats,
    sums: NDArray[np.float64],
) -> None:
    """Sums over all edges of the gradient on normalised rows, for the way back of a norm.

    Args:
        slopes: as `attended_forward` fills them.
        heard: (n_nodes, n_columns) what it gives.
        gradient: (n_nodes, n_columns) on that.
        n_heads: that share one softmax.
        level: (n_nodes, n_columns), filled with gradient times ``heard``, added up over these
            heads.
        sums: (4, n_columns), filled: of scores, and times (score - mean); of cores likewise.
    """
    n_nodes, width = heard.shape
    features = width // n_heads
    own = np.empty(5 * APART, dtype=np.float32)
    sums[:] = 0.0
    for start in range(0, n_nodes, EDGES_OF_A_TILE):
        own[: 4 * APART] = np.float32(0.0)
        for i in range(start, min(start + EDGES_OF_A_TILE, n_nodes)):
            for f in range(features):
                own[4 * APART + f] = gradient[i, f] * heard[i, f]
            for head in range(1, n_heads):
                at = head * features
                for f in range(features):
                    own[4 * APART + f] += gradient[i, f + at] * heard[i, f + at]
            for head in range(n_heads):
                at = head * features
                for f in range(features):
                    level[i, f + at] = own[4 * APART + f]
            for f in range(width):
                d, all_heads = gradient[i, f], level[i, f]
                own[f] += d * heard[i, f] - all_heads * slopes[i, 2, f]
                own[2 * APART + f] += d * slopes[i, 5, f]
            for f in range(width):
                d, all_heads = gradient[i, f], level[i, f]
                own[APART + f] += d * slopes[i, 4, f] - all_heads * slopes[i, 3, f]
                own[3 * APART + f] += d * slopes[i, 6, f]
        for k in range(4):
            for f in range(width):
                sums[k, f] += own[k * APART + f]


@compiled
def attended_backward(
    rows: Floats,
    norm: Floats,
    presence: Floats,
    edges: Floats,
    weight: Floats,
    gradient: Floats,
    level: Floats,
    slopes: Floats,
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
    """Gradients of `attended_forward` and `pair_forward`; arguments as in `gated_backward`.

    Also ``level`` (n_nodes, n_columns), the gradient times the sums, added up over the heads that
    share a softmax, and the ``slopes`` of the way there.
    """
    width, n_padded = gradient.shape[1], rows.shape[1]
    most = most_edges(offsets, first_node, last_node, EDGES_OF_A_TILE)
    tile = np.zeros((most, n_padded + WIDER), dtype=np.float32)
    room = np.zeros((most, d_weight.shape[0]), dtype=np.float32)
    n_back = weight.shape[0] * weight.shape[2]
    d_room = np.empty((most, n_back), dtype=np.float32)
    nothing = np.zeros((1, n_back), dtype=np.float32)
    own = np.empty(15 * APART, dtype=np.float32)
    one, zero = np.float32(1.0), np.float32(0.0)
    for k in range(5):
        for f in range(width):
            own[k * APART + f] = norm[k, f]
            own[(k + 5) * APART + f] = norm[k, f + width]
    start = first_node
    while start < last_node:
        stop = tile_behind(offsets, start, last_node, EDGES_OF_A_TILE)
        begin, end = offsets[start], offsets[stop]
        for i in range(start, stop):
            for f in range(width):
                own[10 * APART + f] = gradient[i, f]
                own[11 * APART + f] = level[i, f]
            for f in range(width):
                own[12 * APART + f] = slopes[i, 0, f]
                own[13 * APART + f] = slopes[i, 1, f]
            for e in range(offsets[i], offsets[i + 1]):
                share = presence[e] if presence.shape[0] else one
                r, j = e - begin, source[e] - first_source
                for f in range(width):
                    score = (rows[e, f] - own[f]) * own[APART + f] + own[2 * APART + f]
                    fallen = falling(own[12 * APART + f] - score)
                    own[14 * APART + f] = fallen * own[13 * APART + f]
                for f in range(width):
                    of_score = rows[e, f] - own[f]
                    of_core = rows[e, f + width] - own[5 * APART + f]
                    core = of_core * own[6 * APART + f] + own[7 * APART + f]
                    part = own[14 * APART + f]
                    on_core = share * part * own[10 * APART + f] if core > zero else zero
                    on_score = on_core * core - part * own[11 * APART + f]
                    tile[r, f] = (
                        on_score * own[APART + f]
                        - own[3 * APART + f]
                        - of_score * own[4 * APART + f]
                    )
                    tile[r, f + width] = (
                        on_core * own[6 * APART + f]
                        - own[8 * APART + f]
                        - of_core * own[9 * APART + f]
                    )
                for f in range(2 * width):
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
        start = stop
