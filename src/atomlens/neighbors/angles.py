"""Solid angles of the faces of a cell, seen from its centre.

A face is split into triangles that share its first vertex. Half the solid angle of a
triangle of directions a, b, c is the argument of the complex number
``1 + a.b + b.c + c.a + i a.(b x c)`` (van Oosterom and Strackee, IEEE Trans. Biomed. Eng. 30,
125, 1983), so that of a face is the argument of their product: one arctangent a face.

Around a molecule the cells of the outer atoms are open. They are closed by ghosts that lie
evenly and densely on a sphere around the molecule. The points nearer to an atom than to any
ghost fill an ellipsoid with foci in the atom and in the centre of the sphere, and a plane
meets that ellipsoid in a curve which, seen from the atom, is a circle. So the part of a face
inside is a polygon of great-circle arcs cut off by a circle, and its solid angle is exact:
there is no choice of ghost points on which it could depend.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.machine import compiled, inlined
from atomlens.neighbors.arithmetic import (
    Complex,
    Vector,
    combine,
    cross,
    dot,
    multiply,
    triangle,
    unit,
    whole,
)
from atomlens.neighbors.polytope import N_CUBE, Polytope


class Directions(NamedTuple):
    """Room for measuring the faces of one cell."""

    units: NDArray[np.float64]
    """(3, capacity) direction of each vertex"""
    products: NDArray[np.float64]
    """(3, capacity) of each face: real and imaginary part of the product; its solid angle, sr"""
    marks: NDArray[np.int32]
    """(2, capacity) a vertex of each face, -1 where the face is gone; 1 for each vertex beyond
    the ghost surface"""


def empty_directions(capacity: int) -> Directions:
    """Return room for a cell of the given capacity."""
    return Directions(
        np.zeros((3, capacity)), np.zeros((3, capacity)), np.zeros((2, capacity), np.int32)
    )


@compiled
def measure_faces(cell: Polytope, room: Directions) -> float:
    """Find the solid angle of every face; return their sum."""
    u, products, anchor, p = room.units, room.products, room.marks[0], cell.points
    for f in range(cell.size[1]):
        anchor[f] = -1
        products[0, f], products[1, f], products[2, f] = 1.0, 0.0, 0.0
    for v in range(cell.size[0]):
        square = p[0, v] * p[0, v] + p[1, v] * p[1, v] + p[2, v] * p[2, v]
        scale = 1.0 / math.sqrt(square)
        for c in range(3):
            u[c, v] = p[c, v] * scale
            anchor[cell.faces[v, c]] = v
    for b in range(cell.size[0]):
        for k in range(3):
            face = cell.faces[b, k]
            a, c = anchor[face], cell.next[b, (k + 2) % 3]
            if a != b and a != c:
                _multiply(products, face, u, a, b, c)
    total = 0.0
    for f in range(cell.size[1]):
        if anchor[f] >= 0:
            products[2, f] = 2.0 * math.atan2(products[1, f], products[0, f])
            total += products[2, f]
    return total


@inlined
def _multiply(
    products: NDArray[np.float64], face: int, u: NDArray[np.float64], a: int, b: int, c: int
) -> None:
    """Multiply the complex number of triangle a, b, c onto that of its face."""
    ab = u[0, a] * u[0, b] + u[1, a] * u[1, b] + u[2, a] * u[2, b]
    bc = u[0, b] * u[0, c] + u[1, b] * u[1, c] + u[2, b] * u[2, c]
    ca = u[0, c] * u[0, a] + u[1, c] * u[1, a] + u[2, c] * u[2, a]
    triple = (
        u[0, a] * (u[1, b] * u[2, c] - u[2, b] * u[1, c])
        + u[1, a] * (u[2, b] * u[0, c] - u[0, b] * u[2, c])
        + u[2, a] * (u[0, b] * u[1, c] - u[1, b] * u[0, c])
    )
    real, imaginary = 1.0 + ab + bc + ca, abs(triple)
    old = products[0, face]
    products[0, face] = old * real - products[1, face] * imaginary
    products[1, face] = old * imaginary + products[1, face] * real


@compiled
def trim_faces(
    cell: Polytope, room: Directions, qx: float, qy: float, qz: float, radius: float
) -> None:
    """Replace the angles of faces that pass the ghost surface by those of the parts inside.

    The ghosts stand on a sphere of ``radius`` around q, given relative to the atom. The
    normals of all faces but those of the outer cube lead to the neighbours.
    """
    q = (qx, qy, qz)
    reach = radius * radius - dot(q, q)
    if not _mark_outside(cell, room, q, radius, reach):
        return
    for f in range(cell.size[1]):
        if room.marks[0, f] < 0:
            continue
        n = (cell.planes[f, 0], cell.planes[f, 1], cell.planes[f, 2])
        length = math.sqrt(dot(n, n))
        if f < N_CUBE:
            room.products[2, f] = 0.0
        elif _any_outside(cell, room, f):
            # the face is inside the ghost surface where  u . axis >= edge
            axis = combine(reach / length, n, length, q)
            size = math.sqrt(dot(axis, axis))
            edge = length * radius / size
            axis = combine(1.0 / size, axis, 0.0, q)
            area = _area_in_circle(cell, room, f, axis, edge) if edge < 1.0 else 0.0
            room.products[2, f] = area


@inlined
def _mark_outside(cell: Polytope, room: Directions, q: Vector, radius: float, reach: float) -> bool:
    """Mark the vertices beyond the ghost surface; False if there are none."""
    any_outside = False
    for v in range(cell.size[0]):
        p = (cell.points[0, v], cell.points[1, v], cell.points[2, v])
        outside = 2.0 * (radius * math.sqrt(dot(p, p)) - dot(q, p)) > reach
        room.marks[1, v] = 1 if outside else 0
        any_outside = any_outside or outside
    return any_outside


@inlined
def _any_outside(cell: Polytope, room: Directions, face: int) -> bool:
    start = room.marks[0, face]
    v = start
    while True:
        if room.marks[1, v] == 1:
            return True
        v = step_around(cell, v, face)
        if v == start:
            return False


@inlined
def step_around(cell: Polytope, v: int, face: int) -> int:
    """Return the vertex after ``v`` on the way around a face."""
    if cell.faces[v, 0] == face:
        return whole(cell.next[v, 2])
    if cell.faces[v, 1] == face:
        return whole(cell.next[v, 0])
    return whole(cell.next[v, 1])


@inlined
def _area_in_circle(
    cell: Polytope, room: Directions, face: int, axis: Vector, edge: float
) -> float:
    """Return the area of the spherical polygon inside the circle ``u . axis >= edge``.

    Going round the polygon, each arc adds the signed area between itself and the axis: a
    triangle where it runs inside the circle, a sector of the circle where it runs outside.
    The triangles' complex numbers are multiplied, and those of the sectors.
    """
    u = room.units
    start = room.marks[0, face]
    v = start
    triangles, sectors = (1.0, 0.0), (1.0, 0.0)
    while True:
        w = step_around(cell, v, face)
        a = (u[0, v], u[1, v], u[2, v])
        b = (u[0, w], u[1, w], u[2, w])
        triangles, sectors = _add_arc(a, b, axis, edge, triangles, sectors)
        v = w
        if v == start:
            break
    inner = 2.0 * math.atan2(triangles[1], triangles[0])
    outer = 2.0 * math.atan2(sectors[1], sectors[0])
    return abs(inner + (1.0 - edge) * outer)


@compiled
def _add_arc(
    a: Vector, b: Vector, axis: Vector, edge: float, triangles: Complex, sectors: Complex
) -> tuple[Complex, Complex]:
    """Multiply what lies between the axis and the arc from a to b onto the two products."""
    a_inside, b_inside = dot(a, axis) >= edge, dot(b, axis) >= edge
    if a_inside and b_inside:
        return _triangle(a, b, axis, triangles), sectors
    pole = cross(a, b)
    sine = math.sqrt(dot(pole, pole))
    if sine < 1e-150:
        return triangles, sectors
    pole = combine(1.0 / sine, pole, 0.0, pole)
    tilt = dot(pole, axis)
    height = math.sqrt(max(1.0 - tilt * tilt, 0.0))
    if height <= edge:
        return triangles, _sector(a, b, axis, sectors)
    # the great circle comes nearest to the axis at ``top``, where it runs along ``way``
    top = combine(1.0 / height, axis, -tilt / height, pole)
    way = cross(pole, top)
    p = edge / height
    q = math.sqrt(1.0 - p * p)
    enters, leaves = combine(p, top, -q, way), combine(p, top, q, way)
    if a_inside:
        return _triangle(a, leaves, axis, triangles), _sector(leaves, b, axis, sectors)
    if b_inside:
        return _triangle(enters, b, axis, triangles), _sector(a, enters, axis, sectors)
    if dot(cross(a, top), pole) <= 0.0 or dot(cross(top, b), pole) <= 0.0:
        return triangles, _sector(a, b, axis, sectors)
    triangles = _triangle(enters, leaves, axis, triangles)
    return triangles, _sector(leaves, b, axis, _sector(a, enters, axis, sectors))


@compiled
def _triangle(a: Vector, b: Vector, axis: Vector, product: Complex) -> Complex:
    """Multiply the number whose argument is half the solid angle of axis, a, b."""
    sums = 1.0 + dot(a, b) + dot(a, axis) + dot(b, axis)
    return multiply((sums, dot(axis, cross(a, b))), product)


@compiled
def _sector(a: Vector, b: Vector, axis: Vector, product: Complex) -> Complex:
    """Multiply the number whose argument is half the angle from a to b around the axis."""
    am, bm = dot(a, axis), dot(b, axis)
    along = dot(a, b) - am * bm
    both = math.sqrt(max((1.0 - am * am) * (1.0 - bm * bm), 0.0))
    return multiply((along + both, dot(axis, cross(a, b))), product)


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
    """Return the face beyond the edge by which `step_around` leaves ``v``."""
    if cell.faces[v, 0] == face:
        return whole(cell.faces[v, 1])
    if cell.faces[v, 1] == face:
        return whole(cell.faces[v, 2])
    return whole(cell.faces[v, 0])
