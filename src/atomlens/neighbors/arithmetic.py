"""Small compiled arithmetic: vectors as three numbers, kept in registers, and whole numbers."""

import math

import numpy as np

from atomlens.machine import compiled

Vector = tuple[float, float, float]
Complex = tuple[float, float]


@compiled
def whole(number: float) -> int:
    """Return a number, cut off towards zero, as a 64-bit integer.

    Counters that start as ``whole(0)`` are no constants to the compiler, which would otherwise
    compile the functions they are passed to a second time, for that one value.
    """
    return np.int64(number)  # type: ignore[return-value]


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
    """Return the signed solid angle (sr) of the triangle axis, a, b; all have length one."""
    sums = 1.0 + dot(a, b) + dot(a, axis) + dot(b, axis)
    return 2.0 * math.atan2(dot(axis, cross(a, b)), sums)


@compiled
def multiply(a: Complex, b: Complex) -> Complex:
    """Return the product of two complex numbers."""
    return (a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0])
