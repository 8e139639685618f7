"""Compiled loops over the edges of a layer of CGCNN and AE-CGCNN that is trained, there and back.

What batch normalisation needs to know of all edges stands between a row and what is made of it.
So a row of every edge is worked out and kept (`pair_forward`, with the sums of each column); then
it is normalised, becomes a message and goes into the sum of its atom in one go. There, sums of
derivatives are kept for every atom. With them the sums of the gradient over all edges, which the
way back through the normalisation needs, are sums over atoms, and the way back is one pass: the
gradient on a row lives in a tile of some edges until weights, atoms and edges have got theirs.

Columns are padded to what `blocks` multiplies. Numbers of columns and of atoms stand in scratch
rows at a fixed distance: only then does the compiler see that they do not overlap, and make vector
code. Exponentials have loops of their own: of a long chain of steps the processor sees too little
at a time to work on two of them.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atomlens.machine import kept
from atomlens.models.cgcnn.kernels import _falling
from atomlens.nn.blocks import add_outer, most_edges, rows_times, tile_behind

EDGES_OF_A_TILE = 48
"""With 128 numbers each they stay in the first-level cache."""
_WIDER = 16
"""Columns of a tile behind the last, see `blocks.add_outer`."""
_APART = 1_216
"""Numbers from one scratch row to the next, at least `recorded.WIDEST`. Cache lines have 16 of them
and their places return after 64 lines: with 76 lines from row to row, rows of 64 or 192 numbers
take turns in all places."""

_Floats = NDArray[np.float32]
_Ints = NDArray[np.int64]
_compiled: Callable[..., Callable[[Any], Any]] = partial(kept, nogil=True, error_model="numpy")
_REASSOCIATE = {"reassoc", "contract", "nsz", "arcp"}


@_compiled(fastmath=_REASSOCIATE)
def gaussians(values: _Floats, centers: _Floats, width: float, rows: _Floats) -> None:
    """Fill rows (n, n_centers) with exp(-((value - center) / width)²), as `nn.basis` does."""
    inverse, farthest = np.float32(1.0 / width), np.float32(60.0)
    for r in range(values.shape[0]):
        for c in range(centers.shape[0]):
            scaled = (values[r] - centers[c]) * inverse
            exponent = scaled * scaled
            fallen = _falling(exponent)
            # what is no number is heard: it is not above
            rows[r, c] = np.float32(0.0) if exponent >= farthest else fallen + (exponent - exponent)


@_compiled(fastmath=_REASSOCIATE)
def softened_forward(nodes: _Floats, added: _Floats, softened: _Floats) -> None:
    """softened = softplus(nodes + added), all (n_nodes, n_features)."""
    one, two, zero = np.float32(1.0), np.float32(2.0), np.float32(0.0)
    third, fifth, seventh = np.float32(1 / 3), np.float32(1 / 5), np.float32(1 / 7)
    ninth, eleventh, thirteenth = np.float32(1 / 9), np.float32(1 / 11), np.float32(1 / 13)
    for i in range(nodes.shape[0]):
        for f in range(nodes.shape[1]):
            x = nodes[i, f] + added[i, f]
            t = _falling(abs(x))
            s = t / (two + t)
            q = s * s
            low = (one + q * third) + q * q * (fifth + q * seventh)
            high = (ninth + q * eleventh) + q * q * thirteenth
            value = max(x, zero) + two * s * (low + q * q * q * q * high)
            softened[i, f] = value if x == x else x


@_compiled(fastmath=_REASSOCIATE)
def softened_backward(nodes: _Floats, added: _Floats, gradient: _Floats, d_both: _Floats) -> None:
    """Fill the gradient of `softened_forward` on either of what is added."""
    one, zero = np.float32(1.0), np.float32(0.0)
    for i in range(nodes.shape[0]):
        for f in range(nodes.shape[1]):
            x = nodes[i, f] + added[i, f]
            t = _falling(abs(x))
            d_both[i, f] = gradient[i, f] * (one if x >= zero else t) / (one + t)


@_compiled(fastmath=_REASSOCIATE)
def pair_forward(
    at_target: _Floats,
    at_source: _Floats,
    edges: _Floats,
    weight: _Floats,
    source: _Ints,
    offsets: _Ints,
    first_node: int,
    last_node: int,
    rows: _Floats,
    sums: NDArray[np.float64],
) -> None:
    """rows_ij = target_i + source_j + W e_ij, and the sums of their columns.

    Args:
        at_target: (n_nodes, n_columns) what an atom adds to its own edges.
        at_source: (n_nodes, n_columns) what it adds to those of its neighbours.
        edges: (n_edges, n_edge).
        weight: laid out by `blocks.packed`.
        source: (n_edges,) row of ``at_source``.
        offsets: (n_nodes + 1,) where the edges of each node begin.
        first_node: Where to begin.
        last_node: Where to end.
        rows: (n_edges, n_padded), filled for the edges of these nodes.
        sums: (2, n_columns) filled with the sums of the distances to the first of these rows, and
            of their squares.
    """
    width = at_target.shape[1]
    nothing = np.zeros((1, rows.shape[1]), dtype=np.float32)
    own = np.zeros(6 * _APART, dtype=np.float32)
    begun = False
    sums[:] = 0.0
    start = first_node
    while start < last_node:
        stop = tile_behind(offsets, start, last_node, EDGES_OF_A_TILE)
        begin, end = offsets[start], offsets[stop]
        rows_times(edges[begin:end], weight, nothing, rows[begin:end])
        if not begun and end > begin:
            begun, i = True, start
            while offsets[i + 1] == begin:
                i += 1
            for f in range(width):
                own[f] = rows[begin, f] + at_target[i, f] + at_source[source[begin], f]
        for i in range(start, stop):
            for e in range(offsets[i], offsets[i + 1]):
                j = source[e]
                for f in range(width):
                    value = rows[e, f] + at_target[i, f] + at_source[j, f]
                    rows[e, f] = value
                    apart = value - own[f]
                    own[2 * _APART + f] += apart
                    own[4 * _APART + f] += apart * apart
        for k in range(2):
            for f in range(width):
                sums[k, f] += own[2 * (k + 1) * _APART + f]
                own[2 * (k + 1) * _APART + f] = np.float32(0.0)
        start = stop


@_compiled(fastmath=_REASSOCIATE)
def _pair_backward(
    d_rows: _Floats,
    edges: _Floats,
    weight: _Floats,
    nothing: _Floats,
    room: _Floats,
    d_room: _Floats,
    d_weight: _Floats,
    d_edges: _Floats,
) -> None:
    """Hand the gradient on the rows of some edges on to weights and edges.

    Args:
        d_rows: (n_own, n_padded).
        edges: (n_own, n_edge).
        weight: the transposed one laid out, without rows where no gradient on edges is asked for.
        nothing: (1, more than n_edge) zeros.
        room: (n_own or more, n_edge padded to `blocks.ROWS`), with zeros behind n_edge.
        d_room: (n_own or more, n_edge padded to `blocks.COLUMNS`).
        d_weight: (n_edge padded to `blocks.ROWS`, n_padded), added to.
        d_edges: (n_own, n_edge), filled.
    """
    n, width = edges.shape
    if d_weight.shape[0]:
        for e in range(n):
            for f in range(width):
                room[e, f] = edges[e, f]
        add_outer(room[:n], d_rows, d_weight)
    if weight.shape[0]:
        rows_times(d_rows, weight, nothing, d_room[:n])
        for e in range(n):
            for f in range(width):
                d_edges[e, f] = d_room[e, f]


@_compiled(fastmath=_REASSOCIATE)
def gated_forward(
    rows: _Floats,
    norm: _Floats,
    presence: _Floats,
    offsets: _Ints,
    first_node: int,
    last_node: int,
    sums: _Floats,
    slopes: _Floats,
) -> None:
    """sums_i = Σ_j sigmoid(gate_ij) softplus(core_ij); (gate, core) are the normalised rows.

    Args:
        rows: (n_edges, n_padded) gates, then cores.
        norm: (3, 2 n_features) mean, scale and shift of the columns.
        presence: (n_edges,) share of a message that is heard, or (0,).
        offsets: (n_nodes + 1,) where the edges of each node begin.
        first_node: Where to begin.
        last_node: Where to end.
        sums: (n_nodes, n_features), filled.
        slopes: (n_nodes, 4, n_features), filled with the sums of the derivatives on gates, of these
            times (row - mean), and of both for cores.
    """
    width = sums.shape[1]
    own = np.empty(15 * _APART, dtype=np.float32)
    one, two, zero = np.float32(1.0), np.float32(2.0), np.float32(0.0)
    third, fifth, seventh = np.float32(1 / 3), np.float32(1 / 5), np.float32(1 / 7)
    ninth, eleventh, thirteenth = np.float32(1 / 9), np.float32(1 / 11), np.float32(1 / 13)
    for k in range(3):
        for f in range(width):
            own[k * _APART + f] = norm[k, f]
            own[(k + 3) * _APART + f] = norm[k, f + width]
    for i in range(first_node, last_node):
        for k in range(6, 11):
            for f in range(width):
                own[k * _APART + f] = zero
        for e in range(offsets[i], offsets[i + 1]):
            share = presence[e] if presence.shape[0] else one
            for f in range(width):
                gate = (rows[e, f] - own[f]) * own[_APART + f] + own[2 * _APART + f]
                own[11 * _APART + f] = gate
                own[12 * _APART + f] = _falling(abs(gate))
            for f in range(width):
                core = (rows[e, f + width] - own[3 * _APART + f]) * own[4 * _APART + f]
                core += own[5 * _APART + f]
                own[13 * _APART + f] = core
                own[14 * _APART + f] = _falling(abs(core))
            for f in range(width):
                gate, a = own[11 * _APART + f], own[12 * _APART + f]
                core, b = own[13 * _APART + f], own[14 * _APART + f]
                # one division for three: 1 / (1 + a), 1 / (1 + b) and 1 / (2 + b)
                of_b = (one + b) * (two + b)
                all_three = one / ((one + a) * of_b)
                of_a, behind = all_three * of_b, all_three * (one + a)
                opened = (one if gate >= zero else a) * of_a
                closed = (a if gate >= zero else one) * of_a
                slope = (one if core >= zero else b) * behind * (two + b)
                s = b * behind * (one + b)  # log(1 + t) = 2 artanh(t / (2 + t)), at most 1/3
                q = s * s
                low = (one + q * third) + q * q * (fifth + q * seventh)
                high = (ninth + q * eleventh) + q * q * thirteenth
                opened = share * opened
                message = opened * (max(core, zero) + two * s * (low + q * q * q * q * high))
                on_gate, on_core = message * closed, opened * slope
                own[6 * _APART + f] += message
                own[7 * _APART + f] += on_gate
                own[8 * _APART + f] += on_gate * (rows[e, f] - own[f])
                own[9 * _APART + f] += on_core
                own[10 * _APART + f] += on_core * (rows[e, f + width] - own[3 * _APART + f])
        for f in range(width):
            sums[i, f] = own[6 * _APART + f]
        for k in range(4):
            for f in range(width):
                slopes[i, k, f] = own[(7 + k) * _APART + f]


@_compiled(fastmath=_REASSOCIATE)
def weighed_sums(numbers: _Floats, weights: _Floats, sums: NDArray[np.float64]) -> None:
    """Fill sums (k, n_columns) of numbers (n, k, n_columns) times weights (n, n_columns)."""
    n_sums, width = sums.shape
    some = np.empty(width, dtype=np.float32)
    sums[:] = 0.0
    for start in range(0, weights.shape[0], EDGES_OF_A_TILE):
        for k in range(n_sums):
            some[:] = np.float32(0.0)
            for r in range(start, min(start + EDGES_OF_A_TILE, weights.shape[0])):
                for f in range(width):
                    some[f] += numbers[r, k, f] * weights[r, f]
            for f in range(width):
                sums[k, f] += some[f]


@_compiled(fastmath=_REASSOCIATE)
def gated_backward(
    rows: _Floats,
    norm: _Floats,
    presence: _Floats,
    edges: _Floats,
    weight: _Floats,
    gradient: _Floats,
    source: _Ints,
    offsets: _Ints,
    first_node: int,
    last_node: int,
    first_source: int,
    d_target: _Floats,
    d_source: _Floats,
    d_weight: _Floats,
    d_edges: _Floats,
) -> None:
    """Gradients of `gated_forward` and `pair_forward`, given that on the sums.

    Args:
        rows: as there.
        norm: (5, 2 n_features) mean, scale and shift, and what the normalisation takes off
            the gradient of a row: a part of its own and one for (row - mean).
        presence: as there.
        edges: as there.
        weight: the transposed one laid out; no rows: no gradient on edges.
        gradient: (n_nodes, n_features).
        source: as there.
        offsets: as there.
        first_node: Where to begin.
        last_node: Where to end.
        first_source: what the first row of ``d_source`` belongs to.
        d_target: (n_nodes, 2 n_features), filled.
        d_source: (n_sources, 2 n_features), added to.
        d_weight: (n_edge padded to `blocks.ROWS`, n_padded), added to.
        d_edges: (n_edges, n_edge), filled, or no rows.
    """
    width, n_padded = gradient.shape[1], rows.shape[1]
    most = most_edges(offsets, first_node, last_node, EDGES_OF_A_TILE)
    tile = np.zeros((most, n_padded + _WIDER), dtype=np.float32)
    room = np.zeros((most, d_weight.shape[0]), dtype=np.float32)
    n_back = weight.shape[0] * weight.shape[2]
    d_room = np.empty((most, n_back), dtype=np.float32)
    nothing = np.zeros((1, n_back), dtype=np.float32)
    own = np.empty(15 * _APART, dtype=np.float32)
    one, two, zero = np.float32(1.0), np.float32(2.0), np.float32(0.0)
    third, fifth, seventh = np.float32(1 / 3), np.float32(1 / 5), np.float32(1 / 7)
    ninth, eleventh, thirteenth = np.float32(1 / 9), np.float32(1 / 11), np.float32(1 / 13)
    for k in range(5):
        for f in range(width):
            own[k * _APART + f] = norm[k, f]
            own[(k + 5) * _APART + f] = norm[k, f + width]
    start = first_node
    while start < last_node:
        stop = tile_behind(offsets, start, last_node, EDGES_OF_A_TILE)
        begin, end = offsets[start], offsets[stop]
        for i in range(start, stop):
            for f in range(width):
                own[10 * _APART + f] = gradient[i, f]
            for f in range(2 * width):
                d_target[i, f] = zero
            for e in range(offsets[i], offsets[i + 1]):
                share = presence[e] if presence.shape[0] else one
                r, j = e - begin, source[e] - first_source
                for f in range(width):
                    gate = (rows[e, f] - own[f]) * own[_APART + f] + own[2 * _APART + f]
                    own[11 * _APART + f] = gate
                    own[12 * _APART + f] = _falling(abs(gate))
                for f in range(width):
                    core = (rows[e, f + width] - own[5 * _APART + f]) * own[6 * _APART + f]
                    core += own[7 * _APART + f]
                    own[13 * _APART + f] = core
                    own[14 * _APART + f] = _falling(abs(core))
                for f in range(width):
                    gate, a = own[11 * _APART + f], own[12 * _APART + f]
                    core, b = own[13 * _APART + f], own[14 * _APART + f]
                    of_b = (one + b) * (two + b)
                    all_three = one / ((one + a) * of_b)
                    of_a, behind = all_three * of_b, all_three * (one + a)
                    opened = (one if gate >= zero else a) * of_a
                    closed = (a if gate >= zero else one) * of_a
                    slope = (one if core >= zero else b) * behind * (two + b)
                    s = b * behind * (one + b)
                    q = s * s
                    low = (one + q * third) + q * q * (fifth + q * seventh)
                    high = (ninth + q * eleventh) + q * q * thirteenth
                    soft = max(core, zero) + two * s * (low + q * q * q * q * high)
                    opened = share * opened * own[10 * _APART + f]
                    tile[r, f] = (
                        opened * soft * closed * own[_APART + f]
                        - own[3 * _APART + f]
                        - (rows[e, f] - own[f]) * own[4 * _APART + f]
                    )
                    tile[r, f + width] = (
                        opened * slope * own[6 * _APART + f]
                        - own[8 * _APART + f]
                        - (rows[e, f + width] - own[5 * _APART + f]) * own[9 * _APART + f]
                    )
                for f in range(2 * width):
                    value = tile[r, f]
                    d_target[i, f] += value
                    d_source[j, f] += value
        _pair_backward(
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


@_compiled(fastmath=_REASSOCIATE)
def _largest_scores(
    rows: _Floats, own: _Floats, begin: int, end: int, width: int, n_heads: int
) -> None:
    """Fill scratch row 6 with the largest normalised score of each column.

    That is of all heads where there are more than one, which then share one softmax.
    """
    features = width // n_heads
    for f in range(width):
        own[6 * _APART + f] = np.float32(-np.inf)
    for e in range(begin, end):
        for f in range(width):
            score = (rows[e, f] - own[f]) * own[_APART + f] + own[2 * _APART + f]
            own[6 * _APART + f] = max(own[6 * _APART + f], score)
    if n_heads == 1:
        return
    for f in range(features):
        own[15 * _APART + f] = own[6 * _APART + f]
    for head in range(1, n_heads):
        for f in range(features):
            one_of = own[6 * _APART + f + head * features]
            own[15 * _APART + f] = max(own[15 * _APART + f], one_of)
    for head in range(n_heads):
        for f in range(features):
            own[6 * _APART + f + head * features] = own[15 * _APART + f]


@_compiled(fastmath=_REASSOCIATE)
def attended_forward(
    rows: _Floats,
    norm: _Floats,
    presence: _Floats,
    offsets: _Ints,
    n_heads: int,
    first_node: int,
    last_node: int,
    sums: _Floats,
    slopes: _Floats,
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
    own = np.empty(16 * _APART, dtype=np.float32)
    one, zero = np.float32(1.0), np.float32(0.0)
    for k in range(3):
        for f in range(width):
            own[k * _APART + f] = norm[k, f]
            own[(k + 3) * _APART + f] = norm[k, f + width]
    for i in range(first_node, last_node):
        begin, end = offsets[i], offsets[i + 1]
        _largest_scores(rows, own, begin, end, width, n_heads)
        for k in range(8, 14):
            for f in range(width):
                own[k * _APART + f] = zero
        for e in range(begin, end):
            share = presence[e] if presence.shape[0] else one
            for f in range(width):
                score = (rows[e, f] - own[f]) * own[_APART + f] + own[2 * _APART + f]
                own[14 * _APART + f] = _falling(own[6 * _APART + f] - score)
            for f in range(width):
                of_score = rows[e, f] - own[f]
                of_core = rows[e, f + width] - own[3 * _APART + f]
                core = of_core * own[4 * _APART + f] + own[5 * _APART + f]
                weight = own[14 * _APART + f]
                on_core = share * weight if core > zero else zero
                message = on_core * core
                own[8 * _APART + f] += weight
                own[9 * _APART + f] += weight * of_score
                own[10 * _APART + f] += message
                own[11 * _APART + f] += message * of_score
                own[12 * _APART + f] += on_core
                own[13 * _APART + f] += on_core * of_core
        if n_heads == 1:
            for f in range(width):
                own[15 * _APART + f] = own[8 * _APART + f]
        else:
            for f in range(features):
                own[15 * _APART + f] = zero
            for head in range(n_heads):
                for f in range(features):
                    own[15 * _APART + f] += own[8 * _APART + f + head * features]
        for f in range(features):
            total = own[15 * _APART + f]
            own[15 * _APART + f] = one / total if total > zero else one
        for head in range(n_heads):
            for f in range(features):
                own[7 * _APART + f + head * features] = own[15 * _APART + f]
        for f in range(width):
            sums[i, f] = own[10 * _APART + f] * own[7 * _APART + f]
        for f in range(width):
            slopes[i, 0, f] = own[6 * _APART + f]
            slopes[i, 1, f] = own[7 * _APART + f]
        for f in range(width):
            slopes[i, 2, f] = own[8 * _APART + f] * own[7 * _APART + f]
            slopes[i, 3, f] = own[9 * _APART + f] * own[7 * _APART + f]
        for k in range(11, 14):
            for f in range(width):
                slopes[i, k - 7, f] = own[k * _APART + f] * own[7 * _APART + f]


@_compiled(fastmath=_REASSOCIATE)
def attended_sums(
    slopes: _Floats,
    heard: _Floats,
    gradient: _Floats,
    n_heads: int,
    level: _Floats,
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
    own = np.empty(5 * _APART, dtype=np.float32)
    sums[:] = 0.0
    for start in range(0, n_nodes, EDGES_OF_A_TILE):
        own[: 4 * _APART] = np.float32(0.0)
        for i in range(start, min(start + EDGES_OF_A_TILE, n_nodes)):
            for f in range(features):
                own[4 * _APART + f] = gradient[i, f] * heard[i, f]
            for head in range(1, n_heads):
                at = head * features
                for f in range(features):
                    own[4 * _APART + f] += gradient[i, f + at] * heard[i, f + at]
            for head in range(n_heads):
                at = head * features
                for f in range(features):
                    level[i, f + at] = own[4 * _APART + f]
            for f in range(width):
                d, all_heads = gradient[i, f], level[i, f]
                own[f] += d * heard[i, f] - all_heads * slopes[i, 2, f]
                own[2 * _APART + f] += d * slopes[i, 5, f]
            for f in range(width):
                d, all_heads = gradient[i, f], level[i, f]
                own[_APART + f] += d * slopes[i, 4, f] - all_heads * slopes[i, 3, f]
                own[3 * _APART + f] += d * slopes[i, 6, f]
        for k in range(4):
            for f in range(width):
                sums[k, f] += own[k * _APART + f]


@_compiled(fastmath=_REASSOCIATE)
def attended_backward(
    rows: _Floats,
    norm: _Floats,
    presence: _Floats,
    edges: _Floats,
    weight: _Floats,
    gradient: _Floats,
    level: _Floats,
    slopes: _Floats,
    source: _Ints,
    offsets: _Ints,
    first_node: int,
    last_node: int,
    first_source: int,
    d_target: _Floats,
    d_source: _Floats,
    d_weight: _Floats,
    d_edges: _Floats,
) -> None:
    """Gradients of `attended_forward` and `pair_forward`; arguments as in `gated_backward`.

    Also ``level`` (n_nodes, n_columns), the gradient times the sums, added up over the heads that
    share a softmax, and the ``slopes`` of the way there.
    """
    width, n_padded = gradient.shape[1], rows.shape[1]
    most = most_edges(offsets, first_node, last_node, EDGES_OF_A_TILE)
    tile = np.zeros((most, n_padded + _WIDER), dtype=np.float32)
    room = np.zeros((most, d_weight.shape[0]), dtype=np.float32)
    n_back = weight.shape[0] * weight.shape[2]
    d_room = np.empty((most, n_back), dtype=np.float32)
    nothing = np.zeros((1, n_back), dtype=np.float32)
    own = np.empty(15 * _APART, dtype=np.float32)
    one, zero = np.float32(1.0), np.float32(0.0)
    for k in range(5):
        for f in range(width):
            own[k * _APART + f] = norm[k, f]
            own[(k + 5) * _APART + f] = norm[k, f + width]
    start = first_node
    while start < last_node:
        stop = tile_behind(offsets, start, last_node, EDGES_OF_A_TILE)
        begin, end = offsets[start], offsets[stop]
        for i in range(start, stop):
            for f in range(width):
                own[10 * _APART + f] = gradient[i, f]
                own[11 * _APART + f] = level[i, f]
            for f in range(width):
                own[12 * _APART + f] = slopes[i, 0, f]
                own[13 * _APART + f] = slopes[i, 1, f]
            for f in range(2 * width):
                d_target[i, f] = zero
            for e in range(offsets[i], offsets[i + 1]):
                share = presence[e] if presence.shape[0] else one
                r, j = e - begin, source[e] - first_source
                for f in range(width):
                    score = (rows[e, f] - own[f]) * own[_APART + f] + own[2 * _APART + f]
                    fallen = _falling(own[12 * _APART + f] - score)
                    own[14 * _APART + f] = fallen * own[13 * _APART + f]
                for f in range(width):
                    of_score = rows[e, f] - own[f]
                    of_core = rows[e, f + width] - own[5 * _APART + f]
                    core = of_core * own[6 * _APART + f] + own[7 * _APART + f]
                    part = own[14 * _APART + f]
                    on_core = share * part * own[10 * _APART + f] if core > zero else zero
                    on_score = on_core * core - part * own[11 * _APART + f]
                    tile[r, f] = (
                        on_score * own[_APART + f]
                        - own[3 * _APART + f]
                        - of_score * own[4 * _APART + f]
                    )
                    tile[r, f + width] = (
                        on_core * own[6 * _APART + f]
                        - own[8 * _APART + f]
                        - of_core * own[9 * _APART + f]
                    )
                for f in range(2 * width):
                    value = tile[r, f]
                    d_target[i, f] += value
                    d_source[j, f] += value
        _pair_backward(
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


@_compiled(fastmath=_REASSOCIATE)
def _head_shares(heard: _Floats, i: int, own: _Floats) -> None:
    """Fill scratch row 0 with the largest number over the heads, 1 with Σ_m exp(h_m - largest)."""
    _, n_heads, width = heard.shape
    for f in range(width):
        own[f], own[_APART + f] = heard[i, 0, f], np.float32(0.0)
    for head in range(1, n_heads):
        for f in range(width):
            own[f] = max(own[f], heard[i, head, f])
    for head in range(n_heads):
        for f in range(width):
            own[_APART + f] += _falling(own[f] - heard[i, head, f])


@_compiled(fastmath=_REASSOCIATE)
def combined_forward(heard: _Floats, combined: _Floats) -> None:
    """combined = Σ_m softmax_m(h_m) h_m, of ``heard`` (n_nodes, n_heads, n_features)."""
    n_nodes, n_heads, width = heard.shape
    own = np.empty(3 * _APART, dtype=np.float32)
    for i in range(n_nodes):
        _head_shares(heard, i, own)
        for f in range(width):
            own[2 * _APART + f] = np.float32(0.0)
        for head in range(n_heads):
            for f in range(width):
                h = heard[i, head, f]
                own[2 * _APART + f] += h * _falling(own[f] - h)
        for f in range(width):
            combined[i, f] = own[2 * _APART + f] / own[_APART + f]


@_compiled(fastmath=_REASSOCIATE)
def combined_backward(
    heard: _Floats, combined: _Floats, gradient: _Floats, d_heard: _Floats
) -> None:
    """Fill the gradient on ``heard`` of `combined_forward`, given that on its result."""
    n_nodes, n_heads, width = heard.shape
    one = np.float32(1.0)
    own = np.empty(4 * _APART, dtype=np.float32)
    for i in range(n_nodes):
        _head_shares(heard, i, own)
        for f in range(width):
            own[2 * _APART + f] = gradient[i, f] / own[_APART + f]
            own[3 * _APART + f] = one - combined[i, f]
        for head in range(n_heads):
            for f in range(width):
                h = heard[i, head, f]
                share = _falling(own[f] - h) * own[2 * _APART + f]
                d_heard[i, head, f] = share * (h + own[3 * _APART + f])


@_compiled(fastmath=_REASSOCIATE)
def changed_forward(
    rows: _Floats,
    norm: _Floats,
    before: _Floats,
    first_edge: int,
    last_edge: int,
    changed: _Floats,
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
    own = np.empty(3 * _APART, dtype=np.float32)
    for k in range(3):
        for f in range(width):
            own[k * _APART + f] = norm[k, f]
    for e in range(first_edge, last_edge):
        for f in range(width):
            value = (rows[e, f] - own[f]) * own[_APART + f] + own[2 * _APART + f]
            changed[e, f] = zero if value < zero else value
        if before.shape[0]:
            for f in range(width):
                changed[e, f] += before[e, f]


@_compiled(fastmath=_REASSOCIATE)
def changed_sums(
    rows: _Floats,
    norm: _Floats,
    gradient: _Floats,
    first_edge: int,
    last_edge: int,
    sums: NDArray[np.float64],
) -> None:
    """Fill the sums (2, n_columns) of the gradient on normalised rows, and times (row - mean).

    Arguments as in `changed_forward`; ``gradient`` (n_edges, n_columns) is that on ``changed``.
    """
    width = gradient.shape[1]
    zero = np.float32(0.0)
    own = np.empty(5 * _APART, dtype=np.float32)
    for k in range(3):
        for f in range(width):
            own[k * _APART + f] = norm[k, f]
    sums[:] = 0.0
    for start in range(first_edge, last_edge, EDGES_OF_A_TILE):
        for k in range(3, 5):
            for f in range(width):
                own[k * _APART + f] = zero
        for e in range(start, min(start + EDGES_OF_A_TILE, last_edge)):
            for f in range(width):
                apart = rows[e, f] - own[f]
                value = apart * own[_APART + f] + own[2 * _APART + f]
                on_row = gradient[e, f] if value > zero else zero
                own[3 * _APART + f] += on_row
                own[4 * _APART + f] += on_row * apart
        for k in range(2):
            for f in range(width):
                sums[k, f] += own[(k + 3) * _APART + f]


@_compiled(fastmath=_REASSOCIATE)
def changed_backward(
    rows: _Floats,
    norm: _Floats,
    edges: _Floats,
    weight: _Floats,
    gradient: _Floats,
    residual: bool,
    source: _Ints,
    offsets: _Ints,
    first_node: int,
    last_node: int,
    first_source: int,
    d_target: _Floats,
    d_source: _Floats,
    d_weight: _Floats,
    d_edges: _Floats,
) -> None:
    """Gradients of `changed_forward` and `pair_forward`; arguments as in `gated_backward`.

    ``gradient`` (n_edges, n_columns) is that on ``changed``, which ``residual`` says to add to that
    on the edges.
    """
    width, n_padded, n_edge = gradient.shape[1], rows.shape[1], edges.shape[1]
    most = most_edges(offsets, first_node, last_node, EDGES_OF_A_TILE)
    tile = np.zeros((most, n_padded + _WIDER), dtype=np.float32)
    room = np.zeros((most, d_weight.shape[0]), dtype=np.float32)
    n_back = weight.shape[0] * weight.shape[2]
    d_room = np.empty((most, n_back), dtype=np.float32)
    nothing = np.zeros((1, n_back), dtype=np.float32)
    own = np.empty(5 * _APART, dtype=np.float32)
    zero = np.float32(0.0)
    for k in range(5):
        for f in range(width):
            own[k * _APART + f] = norm[k, f]
    start = first_node
    while start < last_node:
        stop = tile_behind(offsets, start, last_node, EDGES_OF_A_TILE)
        begin, end = offsets[start], offsets[stop]
        for i in range(start, stop):
            for f in range(width):
                d_target[i, f] = zero
            for e in range(offsets[i], offsets[i + 1]):
                r, j = e - begin, source[e] - first_source
                for f in range(width):
                    apart = rows[e, f] - own[f]
                    value = apart * own[_APART + f] + own[2 * _APART + f]
                    on_row = gradient[e, f] if value > zero else zero
                    tile[r, f] = (
                        on_row * own[_APART + f] - own[3 * _APART + f] - apart * own[4 * _APART + f]
                    )
                for f in range(width):
                    value = tile[r, f]
                    d_target[i, f] += value
                    d_source[j, f] += value
        _pair_backward(
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
