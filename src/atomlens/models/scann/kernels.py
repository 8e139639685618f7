"""Compiled loops for the CPU: SCANN's edge update and local attention, each in one pass.

On a CPU these parts are bound by memory, not arithmetic: written with one tensor operation a
step, the edge features are read and written some forty times a layer. Here every edge is read
once, worked on in the first-level cache, and written once. Rows are float32, one an edge; the
kernels see only the edges ``first_edge:last_edge`` and the nodes ``first_node:last_node``, so
that threads work on separate graphs.

Numba compiles at first use and keeps the result on disk.
"""

import numpy as np
from numpy.typing import NDArray

from atomlens.nn.loops import REORDERED, Floats, Ints, exp, loop

_NOTHING = np.float32(-60.0)
"""Scores so far below the largest get no attention at all, as those of edges that are taken away:
what is left of an exponential there would make gradients subnormal, and products of such numbers
take the processor many times as long. Attention of e⁻⁶⁰ is lost in the rounding of the others."""


@loop(fastmath=REORDERED)
def edge_update_forward(
    inputs: tuple[Floats, ...],
    ends: tuple[Ints, Ints],
    eps: float,
    first_edge: int,
    last_edge: int,
    results: tuple[Floats, ...],
) -> None:
    """updated = LayerNorm(g + SiLU(mixed + at_target_i + at_source_j)); message = c_j updated.

    Args:
        inputs: mixed (n_edges, n_features), at_target and at_source (n_nodes, n_features),
            geometry g (n_edges, n_features), nodes c (n_nodes, n_features), and the scale and
            shift (n_features,) of the layer norm.
        ends: source and target node of each edge.
        eps: added to the variance.
        first_edge: where to begin.
        last_edge: where to end.
        results: filled: updated and message (n_edges, n_features), and the mean and 1/σ
            (n_edges,) of each row, which the backward pass needs.
    """
    mixed, at_target, at_source, geometry, nodes, scale, shift = inputs
    source, target = ends
    updated, message, mean, inverse = results
    width = mixed.shape[1]
    row = np.empty(width, dtype=np.float32)
    one = np.float32(1.0)
    for e in range(first_edge, last_edge):
        j, i = source[e], target[e]
        for f in range(width):
            m = mixed[e, f] + at_target[i, f] + at_source[j, f]
            row[f] = geometry[e, f] + m / (one + exp(-m))
        total = np.float32(0.0)
        for f in range(width):
            total += row[f]
        center = total / np.float32(width)
        squares = np.float32(0.0)
        for f in range(width):
            squares += (row[f] - center) * (row[f] - center)
        spread = one / np.sqrt(squares / np.float32(width) + np.float32(eps))
        for f in range(width):
            value = (row[f] - center) * spread * scale[f] + shift[f]
            updated[e, f] = value
            message[e, f] = value * nodes[j, f]
        mean[e] = center
        inverse[e] = spread


@loop(fastmath=REORDERED)
def edge_update_backward(
    inputs: tuple[Floats, ...],
    ends: tuple[Ints, Ints],
    saved: tuple[Floats, ...],
    first_edge: int,
    last_edge: int,
    results: tuple[Floats, ...],
) -> None:
    """Gradients of `edge_update_forward`.

    ``saved`` is mean, 1/σ and the gradients on updated and message. ``results`` are the
    gradients on the inputs, in another order: mixed and geometry are overwritten; at_target,
    at_source, nodes, scale and shift are added to.
    """
    mixed, at_target, at_source, geometry, nodes, scale, shift = inputs
    source, target = ends
    mean, inverse, d_updated, d_message = saved
    d_mixed, d_geometry, d_at_target, d_at_source, d_nodes, d_scale, d_shift = results
    width = mixed.shape[1]
    normed = np.empty(width, dtype=np.float32)
    slope = np.empty(width, dtype=np.float32)
    d_row = np.empty(width, dtype=np.float32)
    one = np.float32(1.0)
    for e in range(first_edge, last_edge):
        j, i = source[e], target[e]
        center, spread = mean[e], inverse[e]
        for f in range(width):
            m = mixed[e, f] + at_target[i, f] + at_source[j, f]
            gate = one / (one + exp(-m))
            slope[f] = gate * (one + m * (one - gate))
            normed[f] = (geometry[e, f] + m * gate - center) * spread
        sum_d = np.float32(0.0)
        sum_dn = np.float32(0.0)
        for f in range(width):
            value = normed[f] * scale[f] + shift[f]
            d_value = d_updated[e, f] + d_message[e, f] * nodes[j, f]
            d_nodes[j, f] += d_message[e, f] * value
            d_scale[f] += d_value * normed[f]
            d_shift[f] += d_value
            d_normed = d_value * scale[f]
            d_row[f] = d_normed
            sum_d += d_normed
            sum_dn += d_normed * normed[f]
        sum_d /= np.float32(width)
        sum_dn /= np.float32(width)
        for f in range(width):
            d_sum = (d_row[f] - sum_d - normed[f] * sum_dn) * spread
            d_geometry[e, f] = d_sum
            d_m = d_sum * slope[f]
            d_mixed[e, f] = d_m
            d_at_target[i, f] += d_m
            d_at_source[j, f] += d_m


@loop(fastmath=REORDERED)
def attention_forward(
    query: Floats,
    key: Floats,
    offsets: Ints,
    mask: Floats,
    bias: Floats,
    first_node: int,
    last_node: int,
    context: Floats,
    attention: Floats,
) -> None:
    """Softmax attention of each node over its own edges.

    Query, key and context are (n_rows, n_heads, width): counted from 0, the features of a head make
    a loop that becomes vector code. As a part of a longer row they would not (numba asks of every
    index whether it is below 0), and cost twice the time.

    ``mask`` (n_edges, n_heads) multiplies the attention in the sum (dropout), or has no rows.
    ``bias`` (n_edges,) is added to the scores of all heads, or has no rows.
    """
    n_heads, width = query.shape[1:]
    scale = np.float32(1.0) / np.sqrt(np.float32(width))
    masked, biased = mask.shape[0] > 0, bias.shape[0] > 0
    largest = np.empty(n_heads, dtype=np.float32)
    total = np.empty(n_heads, dtype=np.float32)
    for i in range(first_node, last_node):
        begin, end = offsets[i], offsets[i + 1]
        largest[:] = -np.inf
        total[:] = 0.0
        context[i, :, :] = 0.0
        for e in range(begin, end):
            for h in range(n_heads):
                score = np.float32(0.0)
                for f in range(width):
                    score += query[i, h, f] * key[e, h, f]
                score *= scale
                if biased:
                    score += bias[e]
                attention[e, h] = score
                largest[h] = max(largest[h], score)
        for e in range(begin, end):
            for h in range(n_heads):
                below = attention[e, h] - largest[h]
                weight = exp(below) if below > _NOTHING else np.float32(0.0)
                attention[e, h] = weight
                total[h] += weight
        for e in range(begin, end):
            for h in range(n_heads):
                attention[e, h] /= total[h]
                weight = attention[e, h]
                if masked:
                    weight *= mask[e, h]
                for f in range(width):
                    context[i, h, f] += weight * key[e, h, f]


@loop(fastmath=REORDERED)
def attention_backward(
    query: Floats,
    key: Floats,
    offsets: Ints,
    mask: Floats,
    attention: Floats,
    d_context: Floats,
    d_attention: Floats,
    first_node: int,
    last_node: int,
    d_query: Floats,
    d_key: Floats,
) -> None:
    """Gradients of `attention_forward`; ``d_attention`` is empty or the gradient on its output."""
    n_heads, width = query.shape[1:]
    scale = np.float32(1.0) / np.sqrt(np.float32(width))
    masked, read = mask.shape[0] > 0, d_attention.shape[0] > 0
    inner = np.empty(n_heads, dtype=np.float32)
    most = np.int64(0)
    for i in range(first_node, last_node):
        most = max(most, offsets[i + 1] - offsets[i])
    d_weight = np.empty((most, n_heads), dtype=np.float32)
    for i in range(first_node, last_node):
        begin, end = offsets[i], offsets[i + 1]
        inner[:] = 0.0
        for e in range(begin, end):
            for h in range(n_heads):
                d_a = np.float32(0.0)
                for f in range(width):
                    d_a += d_context[i, h, f] * key[e, h, f]
                if masked:
                    d_a *= mask[e, h]
                if read:
                    d_a += d_attention[e, h]
                d_weight[e - begin, h] = d_a
                inner[h] += d_a * attention[e, h]
        d_query[i, :, :] = 0.0
        for e in range(begin, end):
            for h in range(n_heads):
                weight = attention[e, h]
                d_score = weight * (d_weight[e - begin, h] - inner[h]) * scale
                if masked:
                    weight *= mask[e, h]
                for f in range(width):
                    d_query[i, h, f] += d_score * key[e, h, f]
                    d_key[e, h, f] = weight * d_context[i, h, f] + d_score * query[i, h, f]


@loop()
def separable_nodes(source: Ints, offsets: Ints, allowed: NDArray[np.bool_]) -> None:
    """Mark every node boundary that no edge crosses, where work can be cut into pieces."""
    n_nodes = offsets.shape[0] - 1
    reach = np.int64(-1)
    for n in range(n_nodes):
        allowed[n] = reach < n
        for e in range(offsets[n], offsets[n + 1]):
            reach = max(reach, source[e])
    lowest = np.int64(n_nodes)
    allowed[n_nodes] = True
    for n in range(n_nodes - 1, -1, -1):
        for e in range(offsets[n], offsets[n + 1]):
            lowest = min(lowest, source[e])
        if lowest < n:
            allowed[n] = False
