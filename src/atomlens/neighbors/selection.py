"""Which faces of a cell become edges, and where the neighbours behind them stand."""

import math

import numpy as np
from numpy.typing import NDArray

from atomlens.machine import compiled, inlined
from atomlens.neighbors.cells import ITSELF, OUTSIDE
from atomlens.neighbors.table import FINE, MORE_EDGES, EdgeTable
from atomlens.neighbors.workspace import Rules, Workspace

SMALLEST_FACE = 1e-9
"""sr; smaller faces are contacts in a point or along a line."""
_TOLERANCE = 1e-8
"""Å, sr; neighbours exactly at a limit are in, however their numbers were rounded."""


@compiled
def write_edges(
    table: EdgeTable,
    i: int,
    points: NDArray[np.float64],
    vectors: NDArray[np.float64],
    rank: int,
    limits: NDArray[np.float64],
    rules: Rules,
    work: Workspace,
) -> int:
    """Add the faces that pass the filter to the table, nearest neighbour first.

    Args:
        table: Gets one row a face.
        i: The atom whose cell stands in ``work``.
        points: (n_atoms, 3) Å, of its structure.
        vectors: (3, 3) Å, rows are lattice vectors.
        rank: In how many directions the structure repeats.
        limits: (4,) cutoff (Å); 1 for each lattice direction along which images can be
            neighbours, else 0.
        rules: Smallest solid angle and weight.
        work: Its cell, the solid angles of its faces, and room.

    Returns:
        FINE, or MORE_EDGES where the table has no room for all faces.
    """
    owners, angle, n_faces = work.cell.owners, work.room.products[2], work.cell.shape.size[1]
    row = table.progress[1]
    if row + n_faces > table.values.shape[1]:
        return MORE_EDGES
    largest, n_chosen = 0.0, 0
    for f in range(n_faces):
        if owners[f, 0] != OUTSIDE:
            largest = max(largest, angle[f])
    least = max(SMALLEST_FACE, rules.min_solid_angle - _TOLERANCE)
    least = max(least, (rules.min_weight - _TOLERANCE) * largest)
    for f in range(n_faces):
        if owners[f, 0] == OUTSIDE or angle[f] < least:
            continue
        if owners[f, 0] == ITSELF:
            owners[f, 0] = i
        allowed = _locate(f, i, points, vectors, rank, limits, work)
        if not allowed or work.vectors[f, 3] > limits[0] + _TOLERANCE:
            continue
        p = n_chosen
        while p > 0 and _is_nearer(f, work.chosen[p - 1, 0], work):
            work.chosen[p, 0] = work.chosen[p - 1, 0]
            p -= 1
        work.chosen[p, 0] = f
        n_chosen += 1
    for p in range(n_chosen):
        f = work.chosen[p, 0]
        table.ends[0, row], table.ends[1, row] = i, owners[f, 0]
        for c in range(3):
            table.ends[2 + c, row] = work.chosen[f, 1 + c]
        for c in range(4):
            table.values[c, row] = work.vectors[f, c]
        table.values[4, row], table.values[5, row] = angle[f], angle[f] / largest
        row += 1
    table.progress[1] = row
    return FINE


@inlined
def _locate(
    f: int,
    i: int,
    points: NDArray[np.float64],
    vectors: NDArray[np.float64],
    rank: int,
    limits: NDArray[np.float64],
    work: Workspace,
) -> bool:
    """Note where the neighbour behind face ``f`` stands; False if that image is not to count.

    For the others see `write_edges`. Its translation (lattice vectors) goes to ``work.chosen``,
    vector and distance (Å) to ``work.vectors``.
    """
    owners, moves, allowed, square = work.cell.owners, work.images.moves, True, 0.0
    j = owners[f, 0]
    for c in range(3):
        image = 0
        for k in range(rank):
            steps = owners[f, 1 + k] + moves[j, k] - moves[i, k]
            image += steps * work.lattice.transform[k, c]
        work.chosen[f, 1 + c] = image
        allowed = allowed and (image == 0 or limits[1 + c] > 0.0)
    for c in range(3):
        d = points[j, c] - points[i, c]
        for k in range(3):
            d += work.chosen[f, 1 + k] * vectors[k, c]
        work.vectors[f, c] = d
        square += d * d
    work.vectors[f, 3] = math.sqrt(square)
    return allowed


@inlined
def _is_nearer(f: int, g: int, work: Workspace) -> bool:
    """Say whether face ``f`` comes before face ``g``: by distance, then atom, then image."""
    if work.vectors[f, 3] != work.vectors[g, 3]:
        return bool(work.vectors[f, 3] < work.vectors[g, 3])
    if work.cell.owners[f, 0] != work.cell.owners[g, 0]:
        return bool(work.cell.owners[f, 0] < work.cell.owners[g, 0])
    for c in range(1, 4):
        if work.chosen[f, c] != work.chosen[g, c]:
            return bool(work.chosen[f, c] < work.chosen[g, c])
    return False
