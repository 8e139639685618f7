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

import numpy as np
from numpy.typing import NDArray

from atomlens.nn.blocks import add_outer, pair_rows, rows_times
from atomlens.nn.loops import REORDERED, Floats, Ints, falling, loop

EDGES_OF_A_TILE = 48
"""With 128 numbers each they stay in the first-level cache."""
WIDER = 16
"""Columns of a tile behind the last, see `blocks.add_outer`."""
APART = 1_216
"""Numbers from one scratch row to the next, at least `recorded.WIDEST`. Cache lines have 16 of them
and their places return after 64 lines: with 76 lines from row to row, rows of 64 or 192 numbers
take turns in all places."""
compiled = loop(fastmath=REORDERED)


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
def lay_out(weight: Floats, first: int, n: int, turned: bool, panels: Floats) -> None:
    """Lay out some columns of a weight for `blocks.rows_times`, with zeros in the padding.

    Args:
        weight: (n_out, n_in or more).
        first: The first of the columns.
        n: How many they are.
        turned: Lay out the transposed ones, which are those of the way back.
        panels: (n_panels, n, columns) filled; with ``turned`` (n_panels, n_out, columns).
    """
    n_panels, n_in, columns = panels.shape
    most = n if turned else weight.shape[0]
    for panel in range(n_panels):
        for k in range(n_in):
            for column in range(columns):
                c = panel * columns + column
                if c >= most:
                    panels[panel, k, column] = np.float32(0.0)
                elif turned:
                    panels[panel, k, column] = weight[k, first + c]
                else:
                    panels[panel, k, column] = weight[c, first + k]


@compiled
def turn_back(given: Floats, first: int, n: int, weight: Floats) -> None:
    """Fill columns ``first`` to ``first + n`` of a weight (n_out, n_in) with the rows of given."""
    for r in range(weight.shape[0]):
        for k in range(n):
            weight[r, first + k] = given[k, r]


@compiled
def pair_forward(
    at_target: Floats,
    at_source: Floats,
    edges: Floats,
    weight: Floats,
    target: Ints,
    source: Ints,
    first_edge: int,
    last_edge: int,
    rows: Floats,
    sums: NDArray[np.float64],
) -> None:
    """rows_ij = target_i + source_j + W e_ij, and the sums of their columns.

    Args:
        at_target: (n_nodes, n_padded) what an atom adds to its own edges.
        at_source: (n_nodes, n_padded) what it adds to those of its neighbours.
        edges: (n_edges, n_edge).
        weight: as `lay_out` leaves it.
        target: (n_edges,) row of ``at_target``.
        source: (n_edges,) row of ``at_source``.
        first_edge: Where to begin.
        last_edge: Where to end.
        rows: (n_edges, n_padded), filled for these edges.
        sums: (2, n_columns) filled with the sums of the distances to the first of these rows, and
            of their squares.
    """
    own = np.zeros((3, rows.shape[1]), dtype=np.float32)
    sums[:] = 0.0
    ends = at_target, at_source, target, source
    if first_edge < last_edge:
        pair_rows(edges, weight, *ends, first_edge, first_edge + 1, rows, own)
        own[0] = rows[first_edge]
    for start in range(first_edge, last_edge, EDGES_OF_A_TILE):
        own[1:] = np.float32(0.0)
        stop = min(start + EDGES_OF_A_TILE, last_edge)
        pair_rows(edges, weight, *ends, start, stop, rows, own)
        for k in range(2):
            for f in range(sums.shape[1]):
                sums[k, f] += own[k + 1, f]


@compiled
def ends_backward(
    d_target: Floats,
    d_source: Floats,
    by_target: Floats,
    by_source: Floats,
    nodes: Floats,
    d_weight: Floats,
    d_nodes: Floats,
) -> None:
    """Hand the gradients on what some atoms add to their rows on to weights and atoms.

    Args:
        d_target: (n_own, n_padded).
        d_source: (n_own, n_padded).
        by_target: the transposed weight as `lay_out` leaves it; no rows: no gradient on atoms.
        by_source: likewise.
        nodes: (n_own, n_node padded to `blocks.ROWS`), or no columns: no gradient on weights.
        d_weight: (2, n_node padded to `blocks.ROWS`, n_padded), added to.
        d_nodes: (n_own, n_node padded as by_target is), filled.
    """
    if nodes.shape[1]:
        add_outer(nodes, d_target, d_weight[0])
        add_outer(nodes, d_source, d_weight[1])
    if by_target.shape[0]:
        some = np.empty_like(d_nodes)
        rows_times(d_target, by_target, np.zeros((1, d_nodes.shape[1]), dtype=np.float32), some)
        rows_times(d_source, by_source, some, d_nodes)


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
        weight: the transposed one as `lay_out` leaves it, without panels where no gradient on edges
            is asked for.
        nothing: (1, more than n_edge) zeros.
        room: (n_own or more, n_edge padded to `blocks.ROWS`), with zeros behind n_edge.
        d_room: (n_own or more, n_edge padded as the weight is).
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
