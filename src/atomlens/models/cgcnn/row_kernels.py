"""Compiled loops over the edges of a layer of CGCNN and AE-CGCNN that is trained, there and back.

What batch normalisation needs to know of all edges stands between a row and what is made of it.
So a row of every edge is worked out and kept (`pair_forward`, with the sums of each column); then
it is normalised, becomes a message and goes into the sum of its atom in one go (`gated_kernels`,
`attended_kernels`), or changes its edge (`changed_kernels`). There, sums of derivatives are kept
for every atom. With them the sums of the gradient over all edges, which the way back through the
normalisation needs, are sums over atoms, and the way back is one pass: the gradient on a row lives
in a tile of some edges until weights, atoms and edges have got theirs (`pair_backward`).

Columns are padded to what `blocks` multiplies. Numbers of columns and of atoms stand in scratch
rows at a fixed distance: only then does the compiler see that they do not overlap, and make vector
code. Exponentials have loops of their own: of a long chain of steps the processor sees too little
at a time to work on two of them.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atomlens.machine import kept
from atomlens.models.cgcnn.kernels import falling
from atomlens.nn.blocks import add_outer, rows_times, tile_behind

EDGES_OF_A_TILE = 48
"""With 128 numbers each they stay in the first-level cache."""
WIDER = 16
"""Columns of a tile behind the last, see `blocks.add_outer`."""
APART = 1_216
"""Numbers from one scratch row to the next, at least `recorded.WIDEST`. Cache lines have 16 of them
and their places return after 64 lines: with 76 lines from row to row, rows of 64 or 192 numbers
take turns in all places."""
Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
compiled: Callable[[Any], Any] = kept(
    nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz", "arcp"}
)


@compiled
def gaussians(values: Floats, centers: Floats, width: float, rows: Floats) -> None:
    """Fill rows (n, n_centers) with exp(-((value - center) / width)²), as `nn.basis` does."""
    inverse, farthest = np.float32(1.0 / width), np.float32(60.0)
    for r in range(values.shape[0]):
        for c in range(centers.shape[0]):
            scaled = (values[r] - centers[c]) * inverse
            exponent = scaled * scaled
            fallen = falling(exponent)
            # what is no number is heard: it is not above
            rows[r, c] = np.float32(0.0) if exponent >= farthest else fallen + (exponent - exponent)


@compiled
def pair_forward(
    at_target: Floats,
    at_source: Floats,
    edges: Floats,
    weight: Floats,
    source: Ints,
    offsets: Ints,
    first_node: int,
    last_node: int,
    rows: Floats,
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
    own = np.zeros(6 * APART, dtype=np.float32)
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
                    own[2 * APART + f] += apart
                    own[4 * APART + f] += apart * apart
        for k in range(2):
            for f in range(width):
                sums[k, f] += own[2 * (k + 1) * APART + f]
                own[2 * (k + 1) * APART + f] = np.float32(0.0)
        start = stop


@compiled
def pair_backward(
    d_rows: Floats,
    edges: Floats,
    weight: Floats,
    nothing: Floats,
    room: Floats,
    d_room: Floats,
    d_weight: Floats,
    d_edges: Floats,
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
