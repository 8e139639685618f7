"""Vectors as three numbers, which compiled code keeps in registers."""

import math

from atomlens.machine import compiled

Vector = tuple[float, float, float]
Complex = tuple[float, float]


@compiled
def dot(a: Vector, b: Vector) -> float:
    """Return the scalar product."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@compiled
def cross(a: Vector, b: Vector) -> Vector:
    """Return the vector product."""
    return (
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    )


@compiled
def unit(a: Vector) -> Vector:
    """Return the vector with length one."""
    scale = 1.0 / math.sqrt(dot(a, a))
    return (a[0] * scale, a[1] * scale, a[2] * scale)


@compiled
def combine(s: float, a: Vector, t: float, b: Vector) -> Vector:
    """Return ``s a + t b``."""
    return (s * a[0] + t * b[0], s * a[1] + t * b[1], s * a[2] + t * b[2])


@compiled
def triangle(a: Vector, b: Vector, axis: Vector) -> float:
    """Return the signed solid angle of the triangle axis, a, b."""
    sums = 1.0 + dot(a, b) + dot(a, axis) + dot(b, axis)
    return 2.0 * math.atan2(dot(axis, cross(a, b)), sums)


@compiled
def multiply(a: Complex, b: Complex) -> Complex:
    """Return the product of two complex numbers."""
    return (a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0])
