"""Voronoi neighbours of many structures: the compiled loop behind the `voronoi` builder."""

import math

import numpy as np
from numpy.typing import NDArray

from atomlens.machine import compiled, entry_point, inlined
from atomlens.neighbors.angles import (
    measure_faces,
    measure_open_faces,
    trim_faces,
)
from atomlens.neighbors.arithmetic import whole
from atomlens.neighbors.cells import (
    CLOSED,
    TOUCHING,
    UNFINISHED,
    carve,
    copy_cell,
    start_cell,
)
from atomlens.neighbors.images import (
    find_within,
    list_images,
    sort_shells,
    wrap_sites,
)
from atomlens.neighbors.lattice import (
    cell_volume,
    lattice_size,
    reduce_lattice,
)
from atomlens.neighbors.polytope import FULL, N_CUBE
from atomlens.neighbors.selection import SMALLEST_FACE, write_edges
from atomlens.neighbors.table import (
    CLOSE_ATOMS,
    DEGENERATE_CELL,
    FINE,
    MORE_FACES,
    OPEN_CELL,
    EdgeTable,
)
from atomlens.neighbors.workspace import Rules, Workspace

_FAR = 1e5
"""Å; half the width of the cube from which cells start that may stay open."""
_GROWTH = 1.6
_STEP = 5.0
"""Å; what a fixed search radius grows by while an atom has no closed face."""
_LARGEST_SEARCH = 30.0
"""Å; where that ends."""


@entry_point
def tessellate(
    offsets: NDArray[np.int64],
    positions: NDArray[np.float64],
    cells: NDArray[np.float64],
    pbc: NDArray[np.bool_],
    limits: NDArray[np.float64],
    rules: Rules,
    work: Workspace,
    table: EdgeTable,
) -> int:
    """Add the Voronoi neighbours of the structures that are left to the table.

    ``limits`` (n_structures, 4): cutoff (Å); 1 for each lattice direction along which images
    can be neighbours, else 0.
    Structures that fail are noted there. Returns FINE when all are done, else which array is
    too small; called again with a larger one, it goes on where it stopped.
    """
    for s in range(table.progress[0], offsets.size - 1):
        points = positions[offsets[s] : offsets[s + 1]]
        first = table.progress[1]
        rank = reduce_lattice(cells[s], pbc[s], work.lattice)
        outcome = DEGENERATE_CELL if rank < 0 else _set_scene(points, rank, rules, work)
        if outcome == FINE:
            for atom in range(points.shape[0]):
                outcome = _cell_of(atom, points, rank, rules, work)
                if outcome == FINE:
                    outcome = write_edges(
                        table, atom, points, cells[s], rank, limits[s], rules, work
                    )
                if outcome != FINE:
                    table.status[s, 1] = atom
                    break
        if outcome != FINE:
            table.progress[1] = first
        if outcome < FINE:
            return outcome
        table.status[s, 0] = outcome
        table.counts[s] = table.progress[1] - first
        table.progress[0] = s + 1
    return FINE


@compiled
def _set_scene(points: NDArray[np.float64], rank: int, rules: Rules, work: Workspace) -> int:
    """Move the atoms into the cell, list images, and find out how far to look."""
    scene, n = work.scene, points.shape[0]
    wrap_sites(work.images, points, work.lattice, rank)
    for c in range(6):
        scene[c] = 0.0
    exact = rules.search_radius == 0.0
    if exact and rank == 0:
        for i in range(n):
            for c in range(3):
                scene[2 + c] += points[i, c] / n
        farthest = 0.0
        for i in range(n):
            x, y, z = points[i, 0] - scene[2], points[i, 1] - scene[3], points[i, 2] - scene[4]
            farthest = max(farthest, x * x + y * y + z * z)
        scene[5] = math.sqrt(farthest) + rules.ghost_distance
    half_width = _FAR
    if exact and rank == 0:
        half_width = 2.0 * scene[5]
    if exact and rank == 3:
        half_width = lattice_size(work.lattice)
    start_cell(work.start, work.lattice, rank * whole(exact), half_width)
    if exact:
        _set_radii(n, rank, work)
    else:
        scene[0], scene[1] = rules.search_radius, rules.search_radius
        for k in range(3):
            work.images.farthest[k] = 1e6
    return list_images(work.images, n, work.lattice, rank, scene[0])


@compiled
def _set_radii(n: int, rank: int, work: Workspace) -> None:
    """Note the radius to look at first, and beyond what nothing matters.

    A point of an atom's cell, counted from the atom, lies in the cell of the bare lattice; so
    does, counted from that point, the nearest image of any other atom. So images farther away
    than twice that cell reaches, along any lattice direction, cannot matter even to an open
    cell.
    """
    lattice, bounds, farthest = work.lattice, work.images.bounds, work.images.farthest
    volume, height, width = cell_volume(lattice), 0.0, 0.0
    for k in range(3):
        farthest[k] = 0.0
        if k >= rank:
            extent = bounds[3, k] - bounds[2, k]
            volume *= extent + 2.5
            height += extent * extent
    for v in range(work.start.shape.size[0]):
        x, y, z = 0.0, 0.0, 0.0
        for k in range(rank):
            f = 0.0
            for c in range(3):
                f += work.start.shape.points[c, v] * lattice.inverse[c, k]
            farthest[k] = max(farthest[k], 2.0 * abs(f) + 1e-6)
            x += f * lattice.basis[k, 0]
            y += f * lattice.basis[k, 1]
            z += f * lattice.basis[k, 2]
        width = max(width, x * x + y * y + z * z)
    work.scene[1] = math.sqrt(4.0 * width + height) * (1.0 + 1e-6) + 1e-6
    first = 2.2 * (volume / n) ** (1.0 / 3.0)
    work.scene[0] = work.scene[1] if rank == 0 and n <= 64 else min(first, work.scene[1])


@compiled
def _cell_of(i: int, points: NDArray[np.float64], rank: int, rules: Rules, work: Workspace) -> int:
    """Make the cell of atom ``i`` in the workspace and measure its faces."""
    inner, radius, last = -1.0, work.scene[0], work.scene[1]
    copy_cell(work.start, work.cell)
    while True:
        if radius > work.images.grid[7] and rank > 0:
            outcome = list_images(work.images, points.shape[0], work.lattice, rank, radius)
            if outcome != FINE:
                return outcome
        count = find_within(work.images, i, inner, radius, work.candidates)
        sort_shells(work.candidates, count, radius * radius, work.candidates.shells.size - 2)
        status = carve(work.cell, work.images, i, work.candidates, radius * radius)
        if status == FULL:
            return MORE_FACES
        if status < UNFINISHED:
            return CLOSE_ATOMS if status == TOUCHING else OPEN_CELL
        if status == CLOSED or radius >= last:
            if not _measure(i, points, rank, rules, work):
                return OPEN_CELL
            if rules.search_radius == 0.0 or last >= _LARGEST_SEARCH or _has_face(work):
                return FINE
            last += _STEP
            inner, radius = radius, last
        else:
            inner, radius = radius, min(_GROWTH * radius, last)


@compiled
def _measure(i: int, points: NDArray[np.float64], rank: int, rules: Rules, work: Workspace) -> bool:
    """Measure the faces; False if they do not close the cell."""
    total = measure_faces(work.cell.shape, work.room)
    if rules.search_radius > 0.0:
        _drop_open_faces(work)
    elif 0 < rank < 3 and _is_open(work):
        total = measure_open_faces(work.cell.shape, work.room)
    elif rank == 0:
        x = work.scene[2] - points[i, 0]
        y = work.scene[3] - points[i, 1]
        z = work.scene[4] - points[i, 2]
        trim_faces(work.cell.shape, work.room, x, y, z, work.scene[5])
    return abs(total - 4.0 * math.pi) < 1e-6


@inlined
def _is_open(work: Workspace) -> bool:
    """Whether the cell reaches the outer cube."""
    n_reached = 0
    for f in range(N_CUBE):
        n_reached += 1 if work.room.marks[0, f] >= 0 else 0
    return n_reached > 0


@inlined
def _drop_open_faces(work: Workspace) -> None:
    """Give faces that reach the outer cube no solid angle."""
    shape = work.cell.shape
    for v in range(shape.size[0]):
        outside = False
        for k in range(3):
            outside = outside or shape.faces[v, k] < N_CUBE
        for k in range(3):
            if outside:
                work.room.products[2, shape.faces[v, k]] = 0.0


@inlined
def _has_face(work: Workspace) -> bool:
    largest = 0.0
    for f in range(work.cell.shape.size[1]):
        largest = max(largest, work.room.products[2, f])
    return largest > SMALLEST_FACE
