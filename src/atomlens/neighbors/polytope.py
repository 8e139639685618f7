"""A convex cell around the origin, cut down by one plane after another.

Every vertex is where exactly three faces meet, so a cell is kept as its vertices, the three
faces of each (counted counter-clockwise seen from outside) and the three vertices next to
it. Where more than three faces meet, as in perfect lattices, several vertices share a place.
A plane that passes a vertex within ``slack`` counts as missing it, and cuts nothing off.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.machine import compiled, inlined
from atomlens.neighbors.arithmetic import whole

MISSED = 0
CUT = 1
FULL = -1
"""The arrays are too small: start again with larger ones."""
TORN = -2
"""Rounding left something that is no polytope."""

N_CUBE = 6
"""The faces of the cube from which a cell starts come first."""

_FAR = 1e3
"""Edges that reach this many times farther out than a point on them lose digits there."""
_REMOVED, _BEFORE, _AFTER, _KEPT, _EDGE, _FIRST, _SECOND = range(7)


class Polytope(NamedTuple):
    """A cell, and the room to cut it: up to ``capacity`` vertices and as many faces."""

    points: NDArray[np.float64]
    """(4, capacity) x, y, z of each vertex, and its height over the plane being tried"""
    faces: NDArray[np.int32]
    """(capacity, 3) the faces that meet in each vertex"""
    next: NDArray[np.int32]
    """(capacity, 3) ``next[v, k]`` lies along the edge that does not touch ``faces[v, k]``"""
    planes: NDArray[np.float64]
    """(capacity, 4) normal of each face, and ``normal . r`` on it"""
    size: NDArray[np.int64]
    """(2,) number of vertices, number of faces ever made"""
    rim: NDArray[np.int32]
    """(capacity, 7) columns: vertices cut off; the new vertex where the rim of the cut enters
    and where it leaves a face; of each new vertex the kept end of the edge on which it stands,
    that edge's place in ``next`` of the kept end, and the two old faces"""
    rim_points: NDArray[np.float64]
    """(capacity, 3) the new vertices"""


def empty_polytope(capacity: int) -> Polytope:
    """Return a cell without vertices."""
    return Polytope(
        np.zeros((4, capacity)),
        np.zeros((capacity, 3), np.int32),
        np.zeros((capacity, 3), np.int32),
        np.zeros((capacity, 4)),
        np.zeros(2, np.int64),
        np.zeros((capacity, 7), np.int32),
        np.zeros((capacity, 3)),
    )


@compiled
def set_cube(cell: Polytope, half_width: float) -> None:
    """Make the cell a cube around the origin; its faces are numbers 0 to 5."""
    for v in range(8):
        even = True
        for c in range(3):
            bit = (v >> c) & 1
            cell.points[c, v] = half_width if bit == 1 else -half_width
            even = even != (bit == 1)
        # mirror images see their faces in the opposite order
        a, b = (2, 1) if even else (1, 2)
        cell.faces[v, 0] = v & 1
        cell.faces[v, a] = 2 + ((v >> 1) & 1)
        cell.faces[v, b] = 4 + ((v >> 2) & 1)
        cell.next[v, 0] = v ^ 1
        cell.next[v, a] = v ^ 2
        cell.next[v, b] = v ^ 4
    for f in range(6):
        for c in range(3):
            cell.planes[f, c] = 0.0
        cell.planes[f, f >> 1] = 2.0 * (f & 1) - 1.0
        cell.planes[f, 3] = half_width
    cell.size[0], cell.size[1] = 8, 6


@compiled
def copy_polytope(source: Polytope, target: Polytope) -> None:
    """Copy the cell itself, not the working room."""
    n = source.size[0]
    for c in range(3):
        for v in range(n):
            target.points[c, v] = source.points[c, v]
    for v in range(n):
        for k in range(3):
            target.faces[v, k] = source.faces[v, k]
            target.next[v, k] = source.next[v, k]
    for f in range(source.size[1]):
        for k in range(4):
            target.planes[f, k] = source.planes[f, k]
    target.size[0], target.size[1] = n, source.size[1]


@inlined
def squared_radius(cell: Polytope) -> float:
    """Return the squared distance of the farthest vertex from the origin."""
    p = cell.points
    largest = 0.0
    for v in range(cell.size[0]):
        square = p[0, v] * p[0, v] + p[1, v] * p[1, v] + p[2, v] * p[2, v]
        largest = max(largest, square)
    return largest


@inlined
def find_heights(cell: Polytope, nx: float, ny: float, nz: float, offset: float) -> float:
    """Note the height of each vertex over the plane ``n . r = offset``; return the largest."""
    p = cell.points
    highest = -1.0
    for v in range(cell.size[0]):
        height = nx * p[0, v] + ny * p[1, v] + nz * p[2, v] - offset
        p[3, v] = height
        highest = max(highest, height)
    return highest


@compiled
def cut_off(cell: Polytope, nx: float, ny: float, nz: float, offset: float, slack: float) -> int:
    """Keep what lies on the origin's side of the plane whose heights have been found.

    Returns MISSED, CUT (the new face is number ``size[1] - 1``), FULL or TORN; after the
    latter two the cell is unchanged.
    """
    face, status, planes = cell.size[1], TORN, cell.planes
    if face == planes.shape[0]:
        return FULL
    planes[face, 0], planes[face, 1], planes[face, 2], planes[face, 3] = nx, ny, nz, offset
    for _ in range(6):
        status = _cut(cell, slack)
        if status != TORN:
            break
        slack *= 4.0
    return status


@inlined
def _cut(cell: Polytope, slack: float) -> int:
    """Cut off the vertices higher than ``slack`` and close the hole with a new face."""
    height = cell.points[3]
    n_vertices, face, capacity = cell.size[0], cell.size[1], cell.points.shape[1]
    n_removed, n_new = whole(0), whole(0)
    for v in range(n_vertices):
        if height[v] <= slack:
            continue
        cell.rim[n_removed, _REMOVED] = v
        n_removed += 1
        for k in range(3):
            w = cell.next[v, k]
            if height[w] <= slack:
                if n_new == capacity:
                    return FULL
                _new_vertex(cell, n_new, v, w, k)
                n_new += 1
    if n_removed == 0:
        return MISSED
    if n_vertices + n_new - n_removed > capacity:
        return FULL
    if not _link_rim(cell, n_new):
        return TORN
    _place_new(cell, n_new, n_removed)
    cell.size[1] = face + 1
    return CUT


@inlined
def _new_vertex(cell: Polytope, new: int, v: int, w: int, k: int) -> None:
    """Note the vertex where the plane crosses the edge from ``v`` (cut off) to ``w`` (kept)."""
    p, q, a, b = (
        cell.points,
        cell.rim_points,
        cell.faces[v, (k + 1) % 3],
        cell.faces[v, (k + 2) % 3],
    )
    t = p[3, w] / (p[3, w] - p[3, v])
    t = min(max(t, 0.0), 1.0)
    near, far = 0.0, 0.0
    for c in range(3):
        q[new, c] = p[c, w] + t * (p[c, v] - p[c, w])
        near += abs(q[new, c])
        far += abs(p[c, v]) + abs(p[c, w])
    if far > _FAR * near:
        _meet(cell.planes, a, b, cell.size[1], q, new)
    cell.rim[new, _KEPT] = w
    cell.rim[new, _EDGE] = 0 if cell.next[w, 0] == v else (1 if cell.next[w, 1] == v else 2)
    cell.rim[new, _FIRST], cell.rim[new, _SECOND] = a, b


@compiled
def _meet(
    planes: NDArray[np.float64], a: int, b: int, c: int, points: NDArray[np.float64], row: int
) -> None:
    """Write the point where three planes meet, which is exact where a long edge is not."""
    volume, size = 0.0, 0.0
    for d in range(3):
        e, f = (d + 1) % 3, (d + 2) % 3
        volume += planes[a, d] * (planes[b, e] * planes[c, f] - planes[b, f] * planes[c, e])
        size += abs(planes[a, d] * planes[b, e] * planes[c, f])
        size += abs(planes[a, d] * planes[b, f] * planes[c, e])
    if abs(volume) < 1e-4 * size:
        return
    for d in range(3):
        e, f = (d + 1) % 3, (d + 2) % 3
        bc = planes[b, e] * planes[c, f] - planes[b, f] * planes[c, e]
        ca = planes[c, e] * planes[a, f] - planes[c, f] * planes[a, e]
        ab = planes[a, e] * planes[b, f] - planes[a, f] * planes[b, e]
        points[row, d] = (planes[a, 3] * bc + planes[b, 3] * ca + planes[c, 3] * ab) / volume


@inlined
def _link_rim(cell: Polytope, n_new: int) -> bool:
    """Find which new vertices are neighbours; False unless they form one closed ring."""
    rim = cell.rim
    for i in range(n_new):
        for column in (_FIRST, _SECOND):
            rim[rim[i, column], _BEFORE] = -1
            rim[rim[i, column], _AFTER] = -1
    for i in range(n_new):
        a, b = rim[i, _FIRST], rim[i, _SECOND]
        if rim[a, _BEFORE] >= 0 or rim[b, _AFTER] >= 0:
            return False
        rim[a, _BEFORE] = i
        rim[b, _AFTER] = i
    i = 0
    for step in range(1, n_new + 1):
        i = rim[rim[i, _SECOND], _BEFORE]
        if i <= 0:
            return i == 0 and step == n_new and n_new >= 3
    return False


@inlined
def _place_new(cell: Polytope, n_new: int, n_removed: int) -> None:
    """Put the new vertices where the removed ones stood, then close the gaps."""
    rim, n_vertices, face = cell.rim, cell.size[0], cell.size[1]
    shift = n_vertices - n_removed
    for i in range(n_new):
        slot = rim[i, _REMOVED] if i < n_removed else shift + i
        w, a, b = rim[i, _KEPT], rim[i, _FIRST], rim[i, _SECOND]
        following, preceding = rim[b, _BEFORE], rim[a, _AFTER]
        for c in range(3):
            cell.points[c, slot] = cell.rim_points[i, c]
        cell.next[w, rim[i, _EDGE]] = slot
        cell.next[slot, 0] = w
        cell.next[slot, 1] = (
            rim[following, _REMOVED] if following < n_removed else shift + following
        )
        cell.next[slot, 2] = (
            rim[preceding, _REMOVED] if preceding < n_removed else shift + preceding
        )
        cell.faces[slot, 0], cell.faces[slot, 1], cell.faces[slot, 2] = face, a, b
    last = n_vertices - 1
    for i in range(n_removed - 1, n_new - 1, -1):
        hole = rim[i, _REMOVED]
        if hole != last:
            _move_vertex(cell, last, hole)
        last -= 1
    cell.size[0] = shift + n_new


@inlined
def _move_vertex(cell: Polytope, old: int, new: int) -> None:
    for k in range(3):
        cell.points[k, new] = cell.points[k, old]
        cell.faces[new, k] = cell.faces[old, k]
        w = cell.next[old, k]
        cell.next[new, k] = w
        for m in range(3):
            if cell.next[w, m] == old:
                cell.next[w, m] = new
