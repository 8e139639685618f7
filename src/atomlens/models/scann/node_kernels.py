"""Compiled loops over atoms in a layer of SCANN+: what they add to edges, and what they become.

Some rows at a time go through all products (`blocks`), norms and activations while they are near
the processor, there and back.
"""

from typing import Any

import numpy as np

from atomlens.nn.blocks import add_outer, rows_times
from atomlens.nn.loops import REORDERED, Floats, exp, loop

ROWS_OF_A_TILE = 64


@loop(fastmath=REORDERED)
def _add_rows(rows: Floats, sums: Floats) -> None:
    """Add all rows to one."""
    for r in range(rows.shape[0]):
        for f in range(rows.shape[1]):
            sums[f] += rows[r, f]


@loop()
def linear_forward(
    rows: Floats,
    weights: tuple[Floats, ...],
    biases: tuple[Floats, ...],
    first: int,
    last: int,
    results: tuple[Floats, ...],
) -> None:
    """Multiply rows with several weights, laid out by `blocks.packed`; biases are (1, n_out)."""
    for start in range(first, last, ROWS_OF_A_TILE):
        own = slice(start, min(start + ROWS_OF_A_TILE, last))
        for i in range(len(weights)):
            rows_times(rows[own], weights[i], biases[i], results[i][own])


@loop()
def linear_backward(
    rows: Floats,
    weights: tuple[Floats, ...],
    gradients: tuple[Floats, ...],
    d_rows: Floats,
    d_weights: tuple[Floats, ...],
    d_biases: tuple[Floats, ...],
) -> None:
    """Gradients of `linear_forward`, with transposed weights laid out.

    That on rows is filled; those on weights and biases are added to, or have no numbers and stay.
    """
    n_rows, width = rows.shape
    room = np.empty((2, ROWS_OF_A_TILE, width), dtype=np.float32)
    zero = np.zeros((ROWS_OF_A_TILE, width), dtype=np.float32)
    for start in range(0, n_rows, ROWS_OF_A_TILE):
        own = slice(start, min(start + ROWS_OF_A_TILE, n_rows))
        n = own.stop - start
        before = zero[:n]
        for i in range(len(weights)):
            after = d_rows[own] if i == len(weights) - 1 else room[i % 2, :n]
            rows_times(gradients[i][own], weights[i], before, after)
            before = after
            if d_weights[i].shape[0]:
                add_outer(gradients[i][own], rows[own], d_weights[i])
            if d_biases[i].shape[0]:
                _add_rows(gradients[i][own], d_biases[i])


@loop(fastmath=REORDERED)
def _normalize(row: Floats, eps: float, normed: Floats) -> Any:
    """Fill (row - mean) / σ; return 1/σ."""
    width = row.shape[0]
    total = np.float32(0.0)
    for f in range(width):
        total += row[f]
    center = total / np.float32(width)
    squares = np.float32(0.0)
    for f in range(width):
        squares += (row[f] - center) * (row[f] - center)
    spread = np.float32(1.0) / np.sqrt(squares / np.float32(width) + np.float32(eps))
    for f in range(width):
        normed[f] = (row[f] - center) * spread
    return spread


@loop(fastmath=REORDERED)
def _normalize_back(
    gradient: Floats,
    normed: Floats,
    spread: Any,
    scale: Floats,
    d_row: Floats,
    d_scale: Floats,
    d_shift: Floats,
) -> None:
    """Gradient of a layer norm on its row; those on scale and shift are added to."""
    width = normed.shape[0]
    sum_d, sum_dn = np.float32(0.0), np.float32(0.0)
    for f in range(width):
        d_scale[f] += gradient[f] * normed[f]
        d_shift[f] += gradient[f]
        d_normed = gradient[f] * scale[f]
        sum_d += d_normed
        sum_dn += d_normed * normed[f]
    sum_d /= np.float32(width)
    sum_dn /= np.float32(width)
    for f in range(width):
        d_row[f] = (gradient[f] * scale[f] - sum_d - normed[f] * sum_dn) * spread


@loop(fastmath=REORDERED)
def after_forward(
    inputs: tuple[Floats, ...],
    weights: tuple[Floats, ...],
    vectors: tuple[Floats, ...],
    eps: float,
    first: int,
    last: int,
    results: tuple[Floats, ...],
) -> None:
    """a = LayerNorm(context + query); out = LayerNorm(a + keep (W₂ SiLU(W₁ a + b₁) + b₂)).

    Args:
        inputs: context, query and keep (n_rows, n_features); the last may have no rows.
        weights: both, laid out by `blocks.packed`.
        vectors: b₁, b₂, and scale and shift of both norms, all (n_features,).
        eps: of the norms.
        first: the first row.
        last: the one behind the last.
        results: filled: out, and for the way back (n_rows, n_features) both normed rows without
            scale and shift, and W₁ a + b₁; then (n_rows,) 1/σ of both norms.
    """
    context, query, keep = inputs
    inner, outer = weights
    inner_bias, outer_bias, scale, shift, last_scale, last_shift = vectors
    out, normed, last_normed, hidden, spread, last_spread = results
    width = query.shape[1]
    room = np.empty((3, ROWS_OF_A_TILE, width), dtype=np.float32)
    inner_begins = inner_bias.reshape((1, width))
    outer_begins = outer_bias.reshape((1, width))
    row = np.empty(width, dtype=np.float32)
    one, dropped = np.float32(1.0), keep.shape[0] > 0
    for start in range(first, last, ROWS_OF_A_TILE):
        own = slice(start, min(start + ROWS_OF_A_TILE, last))
        n = own.stop - start
        begun, active, more = room[0, :n], room[1, :n], room[2, :n]
        for r in range(n):
            at = start + r
            for f in range(width):
                row[f] = context[at, f] + query[at, f]
            spread[at] = _normalize(row, eps, normed[at])
            for f in range(width):
                begun[r, f] = normed[at, f] * scale[f] + shift[f]
        rows_times(begun, inner, inner_begins, hidden[own])
        for r in range(n):
            for f in range(width):
                h = hidden[start + r, f]
                active[r, f] = h / (one + exp(-h))
        rows_times(active, outer, outer_begins, more)
        for r in range(n):
            at = start + r
            if dropped:
                for f in range(width):
                    more[r, f] *= keep[at, f]
            for f in range(width):
                row[f] = begun[r, f] + more[r, f]
            last_spread[at] = _normalize(row, eps, last_normed[at])
            for f in range(width):
                out[at, f] = last_normed[at, f] * last_scale[f] + last_shift[f]


@loop(fastmath=REORDERED)
def after_backward(
    keep: Floats,
    weights: tuple[Floats, ...],
    vectors: tuple[Floats, ...],
    saved: tuple[Floats, ...],
    gradient: Floats,
    d_rows: Floats,
    d_weights: tuple[Floats, ...],
    d_vectors: tuple[Floats, ...],
) -> None:
    """Gradients of `after_forward`.

    ``weights`` are transposed ones laid out; ``vectors`` are scale and shift of the first norm and
    the scale of the last; ``saved`` is all of the results but the first. ``d_rows``, on context as
    on query, is filled; the others are added to, weights that have no rows stay.
    """
    inner, outer = weights
    scale, shift, last_scale = vectors
    normed, last_normed, hidden, spread, last_spread = saved
    d_inner, d_outer = d_weights
    d_inner_bias, d_outer_bias, d_scale, d_shift, d_last_scale, d_last_shift = d_vectors
    n_rows, width = hidden.shape
    room = np.empty((6, ROWS_OF_A_TILE, width), dtype=np.float32)
    zero = np.zeros((1, width), dtype=np.float32)
    one, dropped = np.float32(1.0), keep.shape[0] > 0
    for start in range(0, n_rows, ROWS_OF_A_TILE):
        own = slice(start, min(start + ROWS_OF_A_TILE, n_rows))
        n = own.stop - start
        d_sum, d_more, active = room[0, :n], room[1, :n], room[2, :n]
        d_hidden, begun, d_begun = room[3, :n], room[4, :n], room[5, :n]
        for r in range(n):
            at = start + r
            _normalize_back(
                gradient[at], last_normed[at], last_spread[at], last_scale,
                d_sum[r], d_last_scale, d_last_shift,
            )  # fmt: skip
            for f in range(width):
                d_more[r, f] = d_sum[r, f]
            if dropped:
                for f in range(width):
                    d_more[r, f] *= keep[at, f]
        rows_times(d_more, outer, zero, d_hidden)
        for r in range(n):
            at = start + r
            for f in range(width):
                h = hidden[at, f]
                gate = one / (one + exp(-h))
                active[r, f] = h * gate
                d_hidden[r, f] *= gate * (one + h * (one - gate))
            for f in range(width):
                begun[r, f] = normed[at, f] * scale[f] + shift[f]
        rows_times(d_hidden, inner, d_sum, d_begun)
        for r in range(n):
            at = start + r
            _normalize_back(d_begun[r], normed[at], spread[at], scale, d_rows[at], d_scale, d_shift)
        if d_inner.shape[0]:
            add_outer(d_more, active, d_outer)
            add_outer(d_hidden, begun, d_inner)
            _add_rows(d_more, d_outer_bias)
            _add_rows(d_hidden, d_inner_bias)


@loop()
def drop(seed: int, share: float, out: Floats) -> None:
    """Fill with 0 for a share of the numbers, by chance, and with 1 / (1 - share) for the others.

    Each place is mixed with the seed by itself (C. Wellons' hash prospector, "lowbias32"), in
    vector code: a fiftieth of the time of a generator that makes one number after the other.
    """
    numbers = out.reshape(out.size)
    least, kept_one = np.uint32(share * 4294967296.0), np.float32(1.0 / (1.0 - share))
    first, second = np.uint32(seed & 0xFFFFFFFF), np.uint32((seed >> 32) & 0xFFFFFFFF)
    for i in range(numbers.shape[0]):
        x = np.uint32(np.uint32(i) ^ first)
        x = np.uint32(np.uint32(x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D))
        x = np.uint32(np.uint32(x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B))
        x = np.uint32((x ^ (x >> np.uint32(16))) + second)
        x = np.uint32(np.uint32(x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D))
        x = np.uint32(np.uint32(x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B))
        x = np.uint32(x ^ (x >> np.uint32(16)))
        numbers[i] = kept_one if x >= least else np.float32(0.0)
