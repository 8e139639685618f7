"""Atoms and their periodic images around one structure, sorted into boxes for quick search."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.machine import compiled, inlined
from atomlens.neighbors.arithmetic import whole
from atomlens.neighbors.lattice import Lattice
from atomlens.neighbors.table import FINE, MORE_IMAGES, MOST_IMAGES, TOO_MANY_IMAGES

_FEW = 400
"""Up to this many images, looking at all of them is quicker than sorting them."""
_BOXES = 30
"""Largest number of boxes along one direction, give or take one."""
_N_SHELLS = 64
"""Of candidates that are looked at shell by shell."""
_WIDTH, _REACH = 6, 7


class Images(NamedTuple):
    """The atoms of one structure moved into the reduced cell, and images of them."""

    sites: NDArray[np.float64]
    """(n_atoms or more, 3) the moved atoms, Å"""
    moves: NDArray[np.int32]
    """(n_atoms or more, 3) what each was moved by, in reduced lattice vectors"""
    bounds: NDArray[np.float64]
    """(4, 3) of the moved atoms: least x, y, z; largest; the same in reduced coordinates"""
    points: NDArray[np.float64]
    """(3, room) all images within reach of the block that holds the atoms, box by box"""
    owners: NDArray[np.int32]
    """(room, 4) atom, and reduced lattice vectors added to it"""
    raw_points: NDArray[np.float64]
    raw_owners: NDArray[np.int32]
    """The same before they are sorted into boxes"""
    starts: NDArray[np.int32]
    """First image of each box; boxes are counted with x fastest"""
    farthest: NDArray[np.float64]
    """(3,) reduced coordinates, counted from an atom, beyond which nothing need be listed"""
    grid: NDArray[np.float64]
    """(8,) lowest corner, number of boxes along x, y, z, width of a box, reach"""


class Candidates(NamedTuple):
    """Images around one atom, in rough order of distance."""

    found: NDArray[np.int32]
    """(2, room) number of each image: as found, and in order of shells"""
    squares: NDArray[np.float64]
    """(2, room) its squared distance"""
    shells: NDArray[np.int32]
    """(n_shells + 2,) first candidate of each shell; they are equally wide in squared distance"""


def empty_images(n_atoms: int, room: int) -> Images:
    """Return room for so many atoms and images."""
    return Images(
        np.empty((n_atoms, 3)),
        np.empty((n_atoms, 3), np.int32),
        np.empty((4, 3)),
        np.empty((3, room)),
        np.empty((room, 4), np.int32),
        np.empty((3, room)),
        np.empty((room, 4), np.int32),
        np.empty((_BOXES + 2) ** 3 + 2, np.int32),
        np.full(3, np.inf),
        np.empty(8),
    )


def empty_candidates(room: int, n_shells: int = _N_SHELLS) -> Candidates:
    """Return room for so many candidates, in that many shells at most."""
    return Candidates(
        np.empty((2, room), np.int32), np.empty((2, room)), np.empty(n_shells + 2, np.int32)
    )


@compiled
def wrap_sites(images: Images, positions: NDArray[np.float64], lattice: Lattice, rank: int) -> None:
    """Move the atoms into the reduced cell."""
    bounds, sites = images.bounds, images.sites
    for c in range(3):
        bounds[0, c], bounds[2, c] = 1e300, 1e300
        bounds[1, c], bounds[3, c] = -1e300, -1e300
    for i in range(positions.shape[0]):
        for c in range(3):
            sites[i, c] = positions[i, c]
        for k in range(3):
            f = 0.0
            for c in range(3):
                f += positions[i, c] * lattice.inverse[c, k]
            down = math.floor(f) if k < rank else 0.0
            images.moves[i, k] = -whole(down)
            for c in range(3):
                sites[i, c] -= down * lattice.basis[k, c]
            bounds[2, k] = min(bounds[2, k], f - down)
            bounds[3, k] = max(bounds[3, k], f - down)
        for c in range(3):
            bounds[0, c] = min(bounds[0, c], sites[i, c])
            bounds[1, c] = max(bounds[1, c], sites[i, c])


@compiled
def list_images(images: Images, n_atoms: int, lattice: Lattice, rank: int, reach: float) -> int:
    """List every image within ``reach`` of any atom (and some a little farther away).

    Images beyond ``images.farthest`` are left out. Returns FINE, MORE_IMAGES or TOO_MANY_IMAGES.
    """
    most_a, most_b, most_c = whole(0), whole(0), whole(0)
    total = float(n_atoms)
    for k in range(rank):
        density = 0.0
        for c in range(3):
            density += lattice.inverse[c, k] * lattice.inverse[c, k]
        spread = images.bounds[3, k] - images.bounds[2, k]
        steps = min(reach * math.sqrt(density), images.farthest[k])
        steps = math.floor(min(steps + spread + 1e-9, 1e6))
        total *= 2.0 * steps + 1.0
        if k == 0:
            most_a = whole(steps)
        elif k == 1:
            most_b = whole(steps)
        else:
            most_c = whole(steps)
    if total > max(float(MOST_IMAGES), 30.0 * n_atoms):
        return TOO_MANY_IMAGES
    count = _collect(images, n_atoms, lattice, most_a, most_b, most_c, reach)
    if count < 0:
        return MORE_IMAGES
    _sort_into_boxes(images, count, reach)
    return FINE


@compiled
def _collect(
    images: Images,
    n_atoms: int,
    lattice: Lattice,
    most_a: int,
    most_b: int,
    most_c: int,
    reach: float,
) -> int:
    """List the images inside the block around the atoms, in order of translation.

    Returns how many there are, or -1 for want of room.
    """
    basis, bounds, points, owners = (
        lattice.basis,
        images.bounds,
        images.raw_points,
        images.raw_owners,
    )
    margin = reach * (1.0 + 1e-12)
    x0, y0, z0 = bounds[0, 0] - margin, bounds[0, 1] - margin, bounds[0, 2] - margin
    x1, y1, z1 = bounds[1, 0] + margin, bounds[1, 1] + margin, bounds[1, 2] + margin
    count = 0
    for a in range(-most_a, most_a + 1):
        for b in range(-most_b, most_b + 1):
            for c in range(-most_c, most_c + 1):
                tx = a * basis[0, 0] + b * basis[1, 0] + c * basis[2, 0]
                ty = a * basis[0, 1] + b * basis[1, 1] + c * basis[2, 1]
                tz = a * basis[0, 2] + b * basis[1, 2] + c * basis[2, 2]
                if tx + bounds[1, 0] < x0 or tx + bounds[0, 0] > x1:
                    continue
                if ty + bounds[1, 1] < y0 or ty + bounds[0, 1] > y1:
                    continue
                if tz + bounds[1, 2] < z0 or tz + bounds[0, 2] > z1:
                    continue
                if count + n_atoms > points.shape[1]:
                    return -1
                for i in range(n_atoms):
                    x, y, z = (
                        images.sites[i, 0] + tx,
                        images.sites[i, 1] + ty,
                        images.sites[i, 2] + tz,
                    )
                    if x >= x0 and x <= x1 and y >= y0 and y <= y1 and z >= z0 and z <= z1:
                        points[0, count], points[1, count], points[2, count] = x, y, z
                        owners[count, 0], owners[count, 1] = i, a
                        owners[count, 2], owners[count, 3] = b, c
                        count += 1
    return count


@compiled
def _sort_into_boxes(images: Images, count: int, reach: float) -> None:
    """Counting sort of the images into cubes about half as wide as the reach."""
    grid, starts, raw = images.grid, images.starts, images.raw_points
    grid[_REACH] = reach
    extent = 0.0
    for c in range(3):
        grid[c] = images.bounds[0, c] - reach * (1.0 + 1e-12)
        extent = max(extent, images.bounds[1, c] + reach - grid[c])
    width = max(0.5 * reach, extent / _BOXES) if count > _FEW else 1e300
    grid[_WIDTH] = width
    for c in range(3):
        grid[3 + c] = 1.0 + math.floor((images.bounds[1, c] + reach - grid[c]) / width)
    n_x, n_y, n_z = whole(grid[3]), whole(grid[4]), whole(grid[5])
    for b in range(n_x * n_y * n_z + 1):
        starts[b] = 0
    for m in range(count):
        starts[_box(raw, m, grid, n_x, n_y, n_z)] += 1
    total = 0
    for b in range(n_x * n_y * n_z + 1):
        total += starts[b]
        starts[b] = total
    for m in range(count - 1, -1, -1):
        b = _box(raw, m, grid, n_x, n_y, n_z)
        p = starts[b] - 1
        starts[b] = p
        for c in range(3):
            images.points[c, p] = raw[c, m]
        for c in range(4):
            images.owners[p, c] = images.raw_owners[m, c]


@inlined
def _box(
    points: NDArray[np.float64], m: int, grid: NDArray[np.float64], n_x: int, n_y: int, n_z: int
) -> int:
    """Return the number of the box in which image ``m`` stands."""
    width = grid[_WIDTH]
    x = min(whole((points[0, m] - grid[0]) / width), n_x - 1)
    y = min(whole((points[1, m] - grid[1]) / width), n_y - 1)
    z = min(whole((points[2, m] - grid[2]) / width), n_z - 1)
    return (z * n_y + y) * n_x + x


@compiled
def find_within(
    images: Images, atom: int, inner: float, radius: float, candidates: Candidates
) -> int:
    """List the images farther from an atom than ``inner`` (-1: all) and within ``radius``.

    Returns how many there are; the atom itself is one of them if ``inner`` is negative.
    """
    grid, points = images.grid, images.points
    cx, cy, cz = images.sites[atom, 0], images.sites[atom, 1], images.sites[atom, 2]
    limit, done, width = radius * radius, inner * abs(inner), grid[_WIDTH]
    n_x, n_y, n_z = whole(grid[3]), whole(grid[4]), whole(grid[5])
    x0 = max(whole((cx - radius - grid[0]) / width), 0)
    y0 = max(whole((cy - radius - grid[1]) / width), 0)
    z0 = max(whole((cz - radius - grid[2]) / width), 0)
    x1 = min(whole((cx + radius - grid[0]) / width), n_x - 1)
    y1 = min(whole((cy + radius - grid[1]) / width), n_y - 1)
    z1 = min(whole((cz + radius - grid[2]) / width), n_z - 1)
    count = 0
    for z in range(z0, z1 + 1):
        for y in range(y0, y1 + 1):
            row = (z * n_y + y) * n_x
            for m in range(images.starts[row + x0], images.starts[row + x1 + 1]):
                dx, dy, dz = points[0, m] - cx, points[1, m] - cy, points[2, m] - cz
                square = dx * dx + dy * dy + dz * dz
                # written whether it counts or not: the processor would guess a branch here wrongly
                candidates.found[0, count] = m
                candidates.squares[0, count] = square
                count += (square <= limit) & (square > done)
    return count


@compiled
def sort_shells(candidates: Candidates, count: int, outer: float, n_shells: int) -> None:
    """Sort the candidates into so many shells up to the squared distance ``outer``.

    Those of one shell stay in the order in which they were found.
    """
    shells, squares, found = candidates.shells, candidates.squares, candidates.found
    for b in range(n_shells + 1):
        shells[b] = 0
    scale = n_shells / outer * (1.0 - 1e-12)
    for m in range(count):
        shells[whole(squares[0, m] * scale)] += 1
    total = 0
    for b in range(n_shells + 1):
        total += shells[b]
        shells[b] = total
    for m in range(count - 1, -1, -1):
        b = whole(squares[0, m] * scale)
        p = shells[b] - 1
        shells[b] = p
        found[1, p], squares[1, p] = found[0, m], squares[0, m]
