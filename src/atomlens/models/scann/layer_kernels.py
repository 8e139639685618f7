"""Compiled loops over the edges of a whole layer of SCANN+: update, keys and attention.

Some hundred edges at a time go through everything while they are near the processor, products
included (`blocks`), there and back.
"""

import numpy as np

from atomlens.models.scann.kernels import (
    attention_backward,
    attention_forward,
    edge_update_backward,
    edge_update_forward,
)
from atomlens.nn.blocks import add_outer, most_edges, rows_times, tile_behind
from atomlens.nn.loops import Floats, Ints, loop


@loop()
def edges_forward(
    inputs: tuple[Floats, ...],
    weights: tuple[Floats, ...],
    ends: tuple[Ints, Ints, Ints],
    eps: float,
    first_node: int,
    last_node: int,
    n_edges: int,
    results: tuple[Floats, ...],
) -> None:
    """Update the edges of some targets and let these listen; see `kernels` for the arithmetic.

    Args:
        inputs: query and at_target (n_targets, n_features), at_source and nodes
            (n_nodes, n_features), geometry (n_edges, n_features), mask (n_edges, n_heads) or no
            rows, bias (n_edges,) or no rows.
        weights: of the geometry in the update and of the keys, laid out by `blocks.packed`; the
            scale and the shift of the layer norm, and the bias of the keys (n_features,).
        ends: source and target of each edge, and where the edges of each target begin.
        eps: of the layer norm.
        first_node: the first target.
        last_node: the one behind the last.
        n_edges: of a tile.
        results: filled: updated (n_edges, n_features), which may be the geometry; context
            (n_targets, n_features); attention (n_edges, n_heads); and for the way back mean and
            1/σ (n_edges,), mixed and keys (n_edges, n_features), of which the last two may have no
            rows.
    """
    query, at_target, at_source, nodes, geometry, mask, bias = inputs
    mix, key, scale, shift, key_bias = weights
    source, target, offsets = ends
    updated, context, attention, mean, inverse, all_mixed, all_keys = results
    n_heads, width = attention.shape[1], geometry.shape[1]
    heads, kept = width // n_heads, all_mixed.shape[0] > 0
    most = most_edges(offsets, first_node, last_node, n_edges)
    room = np.empty((1 if kept else 3, most, width), dtype=np.float32)
    zero = np.zeros((1, width), dtype=np.float32)
    key_begins = key_bias.reshape((1, width))
    start = first_node
    while start < last_node:
        stop = tile_behind(offsets, start, last_node, n_edges)
        first, last = offsets[start], offsets[stop]
        n = last - first
        message = room[0, :n]
        mixed = all_mixed[first:last] if kept else room[1, :n]
        keys = all_keys[first:last] if kept else room[2, :n]
        old, new = geometry[first:last], updated[first:last]
        rows_times(old, mix, zero, mixed)
        edge_update_forward(
            (mixed, at_target, at_source, old, nodes, scale, shift),
            (source[first:last], target[first:last]),
            eps,
            0,
            n,
            (new, message, mean[first:last], inverse[first:last]),
        )
        rows_times(message, key, key_begins, keys)
        n_targets = stop - start
        attention_forward(
            query[start:stop].reshape((n_targets, n_heads, heads)),
            keys.reshape((n, n_heads, heads)),
            offsets[start : stop + 1] - first,
            mask[first:last],
            bias[first:last],
            0,
            n_targets,
            context[start:stop].reshape((n_targets, n_heads, heads)),
            attention[first:last],
        )
        start = stop


@loop()
def edges_backward(
    inputs: tuple[Floats, ...],
    weights: tuple[Floats, ...],
    ends: tuple[Ints, Ints, Ints],
    first_node: int,
    last_node: int,
    n_edges: int,
    saved: tuple[Floats, ...],
    gradients: tuple[Floats, ...],
    results: tuple[Floats, ...],
) -> None:
    """Gradients of `edges_forward`.

    Args:
        inputs: as there, without the bias.
        weights: as there, but transposed ones laid out, and without the bias of the keys.
        ends: as there.
        first_node: the first target.
        last_node: the one behind the last.
        n_edges: of a tile.
        saved: updated, attention, mean, 1/σ, mixed and keys.
        gradients: on updated, context and attention; the first and the last may have no rows.
        results: gradients on query and geometry are filled; those on at_target, at_source, nodes,
            scale, shift, the bias of the keys and both weights (n_features, n_features) are added
            to. Geometry and weights may have no rows: then theirs is not worked out.
    """
    query, at_target, at_source, nodes, geometry, mask = inputs
    mix, key, scale, shift = weights
    source, target, offsets = ends
    updated, attention, mean, inverse, all_mixed, all_keys = saved
    d_updated, d_context, d_attention = gradients
    d_query, d_geometry, d_at_target, d_at_source, d_nodes = results[:5]
    d_scale, d_shift, d_key_bias, d_mix, d_key_weight = results[5:]
    n_heads, width = attention.shape[1], geometry.shape[1]
    heads = width // n_heads
    most = most_edges(offsets, first_node, last_node, n_edges)
    room = np.empty((5, most, width), dtype=np.float32)
    nothing = np.zeros((1 if d_updated.shape[0] else most, width), dtype=np.float32)
    zero = np.zeros((1, width), dtype=np.float32)
    start = first_node
    while start < last_node:
        stop = tile_behind(offsets, start, last_node, n_edges)
        first, last = offsets[start], offsets[stop]
        n = last - first
        n_targets = stop - start
        d_key, d_message, d_mixed = room[0, :n], room[1, :n], room[2, :n]
        message, further = room[3, :n], room[4, :n]
        attention_backward(
            query[start:stop].reshape((n_targets, n_heads, heads)),
            all_keys[first:last].reshape((n, n_heads, heads)),
            offsets[start : stop + 1] - first,
            mask[first:last],
            attention[first:last],
            d_context[start:stop].reshape((n_targets, n_heads, heads)),
            d_attention[first:last],
            0,
            n_targets,
            d_query[start:stop].reshape((n_targets, n_heads, heads)),
            d_key.reshape((n, n_heads, heads)),
        )
        rows_times(d_key, key, zero, d_message)
        old = geometry[first:last]
        edge_update_backward(
            (all_mixed[first:last], at_target, at_source, old, nodes, scale, shift),
            (source[first:last], target[first:last]),
            (
                mean[first:last],
                inverse[first:last],
                d_updated[first:last] if d_updated.shape[0] else nothing[:n],
                d_message,
            ),
            0,
            n,
            (d_mixed, further, d_at_target, d_at_source, d_nodes, d_scale, d_shift),
        )
        if d_geometry.shape[0]:
            rows_times(d_mixed, mix, further, d_geometry[first:last])
        if d_mix.shape[0]:
            for e in range(n):
                j = source[first + e]
                for f in range(width):
                    message[e, f] = updated[first + e, f] * nodes[j, f]
                    d_key_bias[f] += d_key[e, f]
            add_outer(d_key, message, d_key_weight)
            add_outer(d_mixed, old, d_mix)
        start = stop
