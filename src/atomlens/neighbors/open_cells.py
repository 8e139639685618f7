"""Solid angles of the faces of cells that stay open: those of slabs and wires."""

from atomlens.machine import compiled, inlined, whole
from atomlens.neighbors.angles import Directions, step_around
from atomlens.neighbors.polytope import N_CUBE, Polytope
from atomlens.neighbors.triples import Vector, combine, cross, dot, triangle, unit


@compiled
def measure_open_faces(cell: Polytope, room: Directions) -> float:
    """Measure the faces of a cell of a slab or wire again; return their sum.

    Such a cell may be open, but the directions in which it is have no solid angle. Its far
    vertices, on faces of the outer cube, stand for points at infinity: there they are
    replaced by the direction in which their edge runs, so the size of the cube is of no
    account. Each edge then spans a signed triangle with the normal of the face.
    """
    total = 0.0
    for f in range(cell.size[1]):
        start = room.marks[0, f]
        if start < 0:
            continue
        area = 0.0
        if f >= N_CUBE:
            normal = unit((cell.planes[f, 0], cell.planes[f, 1], cell.planes[f, 2]))
            v = start
            while True:
                w, q = step_around(cell, v, f), _other_face(cell, v, f)
                a, b = _limit(cell, v, f, normal), _limit(cell, w, f, normal)
                if q >= N_CUBE and dot(a, b) < 0.0:
                    middle = unit(_foot(cell, f, q))
                    area += triangle(a, middle, normal) + triangle(middle, b, normal)
                else:
                    area += triangle(a, b, normal)
                v = w
                if v == start:
                    break
        room.products[2, f] = abs(area)
        total += abs(area)
    return total


@inlined
def _limit(cell: Polytope, v: int, face: int, normal: Vector) -> Vector:
    """Return the direction of a vertex, as the outer cube grows beyond all bounds."""
    n_outer, other = 0, -1
    for k in range(3):
        if cell.faces[v, k] < N_CUBE:
            n_outer += 1
        elif cell.faces[v, k] != face:
            other = cell.faces[v, k]
    p = (cell.points[0, v], cell.points[1, v], cell.points[2, v])
    if n_outer == 0:
        return unit(p)
    if n_outer > 1:
        return unit(combine(1.0, p, -dot(p, normal), normal))
    n = (cell.planes[other, 0], cell.planes[other, 1], cell.planes[other, 2])
    along = unit(cross(normal, n))
    return combine(1.0 if dot(along, p) > 0.0 else -1.0, along, 0.0, p)


@inlined
def _foot(cell: Polytope, f: int, g: int) -> Vector:
    """Return the point nearest to the origin where two faces meet."""
    m = (cell.planes[f, 0], cell.planes[f, 1], cell.planes[f, 2])
    n = (cell.planes[g, 0], cell.planes[g, 1], cell.planes[g, 2])
    mm, mn, nn = dot(m, m), dot(m, n), dot(n, n)
    p, q = cell.planes[f, 3], cell.planes[g, 3]
    return combine(p * nn - q * mn, m, q * mm - p * mn, n)


@inlined
def _other_face(cell: Polytope, v: int, face: int) -> int:
    """Return the face beyond the edge by which ``_step`` leaves ``v``."""
    if cell.faces[v, 0] == face:
        return whole(cell.faces[v, 1])
    if cell.faces[v, 1] == face:
        return whole(cell.faces[v, 2])
    return whole(cell.faces[v, 0])
