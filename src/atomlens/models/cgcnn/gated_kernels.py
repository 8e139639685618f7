"""Compiled loops of a layer of CGCNN that is trained: gated messages, there and back.

See `row_kernels` for the plan.
"""

from typing import Any

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
def _gate_and_core(gate: Any, a: Any, core: Any, b: Any) -> Any:
    """Return sigmoid(gate), sigmoid(-gate), softplus(core) and its slope, sigmoid(core).

    Given a = exp(-|gate|) and b = exp(-|core|).
    """
    one, two, zero = np.float32(1.0), np.float32(2.0), np.float32(0.0)
    third, fifth, seventh = np.float32(1 / 3), np.float32(1 / 5), np.float32(1 / 7)
    ninth, eleventh, thirteenth = np.float32(1 / 9), np.float32(1 / 11), np.float32(1 / 13)
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
    soft = max(core, zero) + two * s * (low + q * q * q * q * high)
    return opened, closed, soft, slope


@compiled
def gated_forward(
    rows: Floats,
    norm: Floats,
    presence: Floats,
    offsets: Ints,
    first_node: int,
    last_node: int,
    sums: Floats,
    slopes: Floats,
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
    own = np.empty(15 * APART, dtype=np.float32)
    one, zero = np.float32(1.0), np.float32(0.0)
    for k in range(3):
        for f in range(width):
            own[k * APART + f] = norm[k, f]
            own[(k + 3) * APART + f] = norm[k, f + width]
    for i in range(first_node, last_node):
        for k in range(6, 11):
            for f in range(width):
                own[k * APART + f] = zero
        for e in range(offsets[i], offsets[i + 1]):
            share = presence[e] if presence.shape[0] else one
            for f in range(width):
                gate = (rows[e, f] - own[f]) * own[APART + f] + own[2 * APART + f]
                own[11 * APART + f] = gate
                own[12 * APART + f] = falling(abs(gate))
            for f in range(width):
                core = (rows[e, f + width] - own[3 * APART + f]) * own[4 * APART + f]
                core += own[5 * APART + f]
                own[13 * APART + f] = core
                own[14 * APART + f] = falling(abs(core))
            for f in range(width):
                gate, a = own[11 * APART + f], own[12 * APART + f]
                core, b = own[13 * APART + f], own[14 * APART + f]
                opened, closed, soft, slope = _gate_and_core(gate, a, core, b)
                opened = share * opened
                message = opened * soft
                on_gate, on_core = message * closed, opened * slope
                own[6 * APART + f] += message
                own[7 * APART + f] += on_gate
                own[8 * APART + f] += on_gate * (rows[e, f] - own[f])
                own[9 * APART + f] += on_core
                own[10 * APART + f] += on_core * (rows[e, f + width] - own[3 * APART + f])
        for f in range(width):
            sums[i, f] = own[6 * APART + f]
        for k in range(4):
            for f in range(width):
                slopes[i, k, f] = own[(7 + k) * APART + f]


@compiled
def weighed_sums(numbers: Floats, weights: Floats, sums: NDArray[np.float64]) -> None:
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


@compiled
def gated_backward(
    rows: Floats,
    norm: Floats,
    presence: Floats,
    edges: Floats,
    weight: Floats,
    gradient: Floats,
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
    """Gradients of `gated_forward` and `pair_forward`, given that on the sums.

    Args:
        rows: as there.
        norm: (5, 2 n_features) mean, scale and shift, and what the normalisation takes off
            the gradient of a row: a part of its own and one for (row - mean).
        presence: as there.
        edges: as there.
        weight: the transposed one as `lay_out` leaves it; no rows: no gradient on edges.
        gradient: (n_nodes, n_features).
        source: as there.
        offsets: as there.
        first_node: Where to begin.
        last_node: Where to end.
        first_source: what the first row of ``d_source`` belongs to.
        d_target: (n_nodes, n_padded), added to.
        d_source: (n_sources, n_padded), added to.
        d_weight: (n_edge padded to `blocks.ROWS`, n_padded), added to.
        d_edges: (n_edges, n_edge), filled, or no rows.
    """
    width, n_padded = gradient.shape[1], rows.shape[1]
    most = most_edges(offsets, first_node, last_node, EDGES_OF_A_TILE)
    tile = np.zeros((most, n_padded + WIDER), dtype=np.float32)
    room = np.zeros((most, d_weight.shape[0]), dtype=np.float32)
    n_back = weight.shape[0] * weight.shape[2]
    d_room = np.empty((most, n_back), dtype=np.float32)
    nothing = np.zeros((1, n_back), dtype=np.float32)
    own = np.empty(15 * APART, dtype=np.float32)
    one = np.float32(1.0)
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
            for e in range(offsets[i], offsets[i + 1]):
                share = presence[e] if presence.shape[0] else one
                r, j = e - begin, source[e] - first_source
                for f in range(width):
                    gate = (rows[e, f] - own[f]) * own[APART + f] + own[2 * APART + f]
                    own[11 * APART + f] = gate
                    own[12 * APART + f] = falling(abs(gate))
                for f in range(width):
                    core = (rows[e, f + width] - own[5 * APART + f]) * own[6 * APART + f]
                    core += own[7 * APART + f]
                    own[13 * APART + f] = core
                    own[14 * APART + f] = falling(abs(core))
                for f in range(width):
                    gate, a = own[11 * APART + f], own[12 * APART + f]
                    core, b = own[13 * APART + f], own[14 * APART + f]
                    opened, closed, soft, slope = _gate_and_core(gate, a, core, b)
                    opened = share * opened * own[10 * APART + f]
                    tile[r, f] = (
                        opened * soft * closed * own[APART + f]
                        - own[3 * APART + f]
                        - (rows[e, f] - own[f]) * own[4 * APART + f]
                    )
                    tile[r, f + width] = (
                        opened * slope * own[6 * APART + f]
                        - own[8 * APART + f]
                        - (rows[e, f + width] - own[5 * APART + f]) * own[9 * APART + f]
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
