"""Compiled loops of the readers; `atomlens.machine` says how they are compiled and kept."""

import math

import numpy as np
from numpy.typing import NDArray

from atomlens.machine import compiled, entry_point, kept


@entry_point
def nearness(
    points: NDArray[np.float64],
    basis: NDArray[np.float64],
    periodic: NDArray[np.bool_],
    reach: NDArray[np.float64],
    distance: float,
    radii: NDArray[np.float64],
    least: float,
    counts: NDArray[np.int64],
) -> int:
    """Return 2 if two of the points may be too near to each other, else 0; images count.

    Without radii too near is nearer than the distance. With radii it is nearer than the sum of
    those of the two, or than ``least``; 1 says then that two are nearer than the distance.
    With counts all that are too near are counted instead.

    Args:
        points: (n, 3) coordinates in the basis, ascending along the first axis; those along
            periodic axes in [0, 1).
        basis: (3, 3) rows are the axes, Å.
        periodic: (3,) along which axes the points repeat.
        reach: (3,) the distance in parts of the spacing of the planes of each axis, below 1/2
            for periodic ones, so that one image of a pair at most is near.
        distance: Å.
        radii: (n,) of the points, Å, or (0,).
        least: Å.
        counts: (n,) zeros, to which the others too near to each point are added, or (0,).
    """
    n, found = points.shape[0], 0
    limit = distance * distance
    for i in range(n):
        j, shift = i + 1, 0.0
        for _ in range(n - 1):
            if j == n:
                if not periodic[0]:
                    break
                j, shift = 0, 1.0
            x = points[j, 0] + shift - points[i, 0]
            if x > reach[0]:
                break
            y = points[j, 1] - points[i, 1]
            if periodic[1]:
                y -= math.floor(y + 0.5)
            z = points[j, 2] - points[i, 2]
            if periodic[2]:
                z -= math.floor(z + 0.5)
            j += 1
            if abs(y) > reach[1] or abs(z) > reach[2]:
                continue
            a = x * basis[0, 0] + y * basis[1, 0] + z * basis[2, 0]
            b = x * basis[0, 1] + y * basis[1, 1] + z * basis[2, 1]
            c = x * basis[0, 2] + y * basis[1, 2] + z * basis[2, 2]
            squared = a * a + b * b + c * c
            if squared > limit:
                continue
            if radii.shape[0] == 0 or squared <= max(least, radii[i] + radii[j - 1]) ** 2:
                if counts.shape[0] == 0:
                    return 2
                counts[i] += 1
                counts[j - 1] += 1
            found = 1
    return found


@entry_point
def nearness_in_cell(
    positions: NDArray[np.float64],
    cell: NDArray[np.float64],
    inverse: NDArray[np.float64],
    heights: NDArray[np.float64],
    distance: float,
    radii: NDArray[np.float64],
    least: float,
) -> int:
    """Return what `nearness` returns, for few atoms in a cell of any size that repeats everywhere.

    Args:
        positions: (n, 3) Å.
        cell: (3, 3) rows are lattice vectors, Å.
        inverse: (3, 3) its inverse.
        heights: (3,) distances of opposite faces, Å.
        distance: Å.
        radii: (n,) Å.
        least: Å.
    """
    n, found = positions.shape[0], 0
    limit = distance * distance
    ra, rb, rc = distance / heights[0], distance / heights[1], distance / heights[2]
    for i in range(n):
        for j in range(i, n):
            x = positions[j, 0] - positions[i, 0]
            y = positions[j, 1] - positions[i, 1]
            z = positions[j, 2] - positions[i, 2]
            fa = x * inverse[0, 0] + y * inverse[1, 0] + z * inverse[2, 0]
            fb = x * inverse[0, 1] + y * inverse[1, 1] + z * inverse[2, 1]
            fc = x * inverse[0, 2] + y * inverse[1, 2] + z * inverse[2, 2]
            too_near = max(least, radii[i] + radii[j]) ** 2
            near = _images_near(cell, x, y, z, fa, fb, fc, ra, rb, rc, limit, too_near, i == j)
            if near == 2:
                return 2
            found = max(found, near)
    return found


@compiled
def _images_near(
    cell: NDArray[np.float64],
    x: float,
    y: float,
    z: float,
    fa: float,
    fb: float,
    fc: float,
    ra: float,
    rb: float,
    rc: float,
    limit: float,
    too_near: float,
    itself: bool,
) -> int:
    """Return 2 if an image of an atom is too near to another, 1 if one is within the limit, or 0.

    Args:
        cell: (3, 3) rows are lattice vectors, Å.
        x, y, z: From the one to the other, Å.
        fa, fb, fc: The same in lattice vectors.
        ra, rb, rc: How far along each of them images are looked for.
        limit: Å²; farther ones count as none.
        too_near: Å².
        itself: The two are one atom, whose own place is no image.
    """
    found = 0
    for a in range(math.ceil(-ra - fa), math.floor(ra - fa) + 1):
        for b in range(math.ceil(-rb - fb), math.floor(rb - fb) + 1):
            for c in range(math.ceil(-rc - fc), math.floor(rc - fc) + 1):
                if itself and a == 0 and b == 0 and c == 0:
                    continue
                u = x + a * cell[0, 0] + b * cell[1, 0] + c * cell[2, 0]
                v = y + a * cell[0, 1] + b * cell[1, 1] + c * cell[2, 1]
                w = z + a * cell[0, 2] + b * cell[1, 2] + c * cell[2, 2]
                squared = u * u + v * v + w * w
                if squared > limit:
                    continue
                if squared <= too_near:
                    return 2
                found = 1
    return found


@entry_point
def plainly_sound(
    positions: NDArray[np.float64],
    cell: NDArray[np.float64],
    numbers: NDArray[np.int64],
    least: NDArray[np.float64],
    contact: NDArray[np.float64],
    bonded: NDArray[np.float64],
    shortest: float,
    longest: float,
    work: NDArray[np.float64],
    counts: NDArray[np.int64],
) -> int:
    """Return 1 if no distance of a crystal is odd, 2 if no carbon lacks a neighbour either.

    0: perhaps one is odd. Distances are odd if two atoms are nearer than the sum of their ``least``
    radii or than ``shortest``, if an atom has no other within ``longest``, or if no two touch. A
    carbon lacks none if three others are within the sum of their ``bonded`` radii. All pairs are
    looked at, so it is for cells of few atoms.

    Args:
        positions: (n, 3) Å, finite.
        cell: (3, 3) rows are lattice vectors, Å.
        numbers: (n,) elements.
        least: (n_elements,) Å.
        contact: (n_elements,) Å; two atoms touch within the sum of theirs.
        bonded: (n_elements,) Å.
        shortest: Å.
        longest: Å.
        work: (4, 3) to work in.
        counts: (2, n) zeros, to count in.
    """
    n, heights = positions.shape[0], work[3]
    if not _invert(cell, work):
        return 0
    reach = shortest
    for i in range(n):
        reach = max(reach, 2.0 * least[numbers[i]])
    for k in range(3):
        if not 10.0 * heights[k] > reach:
            return 0
    ra, rb, rc = reach / heights[0], reach / heights[1], reach / heights[2]
    repeat = math.inf
    for k in range(3):
        repeat = min(repeat, math.sqrt(_product(cell, k, k)))
    touching, alone = False, repeat >= longest
    for i in range(n):
        if repeat < min(longest, 2.0 * contact[numbers[i]]):
            touching = True
        for j in range(i, n):
            x = positions[j, 0] - positions[i, 0]
            y = positions[j, 1] - positions[i, 1]
            z = positions[j, 2] - positions[i, 2]
            fa = x * work[0, 0] + y * work[1, 0] + z * work[2, 0]
            fb = x * work[0, 1] + y * work[1, 1] + z * work[2, 1]
            fc = x * work[0, 2] + y * work[1, 2] + z * work[2, 2]
            too_near = max(shortest, least[numbers[i]] + least[numbers[j]]) ** 2
            near = _images_near(cell, x, y, z, fa, fb, fc, ra, rb, rc, too_near, too_near, i == j)
            if near == 2:
                return 0
            if i == j:
                continue
            fa -= math.floor(fa + 0.5)  # one of the nearest images
            fb -= math.floor(fb + 0.5)
            fc -= math.floor(fc + 0.5)
            u = fa * cell[0, 0] + fb * cell[1, 0] + fc * cell[2, 0]
            v = fa * cell[0, 1] + fb * cell[1, 1] + fc * cell[2, 1]
            w = fa * cell[0, 2] + fb * cell[1, 2] + fc * cell[2, 2]
            apart = math.sqrt(u * u + v * v + w * w)
            if apart < longest:
                counts[0, i] += 1
                counts[0, j] += 1
                if apart < contact[numbers[i]] + contact[numbers[j]]:
                    touching = True
                if apart < bonded[numbers[i]] + bonded[numbers[j]]:
                    counts[1, i] += 1
                    counts[1, j] += 1
    found = 2
    for i in range(n):
        if alone and n > 1 and counts[0, i] == 0:
            return 0
        if numbers[i] == 6 and counts[1, i] < 3:
            found = 1
    return found if touching else 0


@compiled
def _invert(cell: NDArray[np.float64], work: NDArray[np.float64]) -> bool:
    """Put the inverse of a cell and its heights into the rows of (4, 3); False if it is flat."""
    for k in range(3):
        p, q = cell[(k + 1) % 3], cell[(k + 2) % 3]
        x, y, z = p[1] * q[2] - p[2] * q[1], p[2] * q[0] - p[0] * q[2], p[0] * q[1] - p[1] * q[0]
        volume = cell[k, 0] * x + cell[k, 1] * y + cell[k, 2] * z
        area = math.sqrt(x * x + y * y + z * z)
        if volume == 0.0 or area == 0.0:
            return False
        work[0, k], work[1, k], work[2, k] = x / volume, y / volume, z / volume
        work[3, k] = abs(volume) / area
    return True


@kept(nogil=True, error_model="numpy", _nrt=False)
def images_of(
    fractional: NDArray[np.float64],
    rotations: NDArray[np.float64],
    translations: NDArray[np.float64],
    cell: NDArray[np.float64],
    rounding: NDArray[np.float64],
    given: NDArray[np.float64],
    tolerance: float,
    rounded_tolerance: float,
    positions: NDArray[np.float64],
    sites: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> int:
    """Make the images of all sites, each once, as `structures.cif.operations.expand` does.

    In the same order of sums, so with the same bits where no row of a rotation has three numbers.
    Return how many there are, or -1 where a question is near: whether the operations fit the cell,
    whether an image is its own site, whether a site has the multiplicity given.

    Args:
        fractional: (n_sites, 3)
        rotations: (n_operations, 3, 3) a whole space group.
        translations: (n_operations, 3)
        cell: (3, 3) Å
        rounding: (n_sites, 3) the last digit written of each coordinate
        given: (n_sites,) multiplicities; NaN where unknown
        tolerance: Å; images nearer than this are one
        rounded_tolerance: Å; the same for coordinates of few digits
        positions: (n_sites * n_operations + 2, 3) receives fractional coordinates of the images;
            the last two rows are for working in
        sites: (n_sites * n_operations,) receives the site of each
        counts: (n_sites,) receives how many images each site has
    """
    n_sites, n_operations = fractional.shape[0], rotations.shape[0]
    if not _fit(rotations, cell):
        return -1
    middle, image = positions[n_sites * n_operations], positions[n_sites * n_operations + 1]
    n_found = 0
    for s in range(n_sites):
        stays = 0
        for c in range(3):
            middle[c] = 0.0
        for k in range(n_operations):
            for i in range(3):
                r = rotations[k, i]
                image[i] = (
                    r[0] * fractional[s, 0] + r[1] * fractional[s, 1] + r[2] * fractional[s, 2]
                )
                image[i] = image[i] + translations[k, i] - fractional[s, i]
                image[i] = image[i] - np.rint(image[i])
            away = _length(image, cell)
            reach = _reach(rotations[k], rounding[s], cell)
            reach = min(max(reach, tolerance), rounded_tolerance)
            if abs(away - reach) < 1e-7:
                return -1
            if away < reach:
                stays += 1
                for c in range(3):
                    middle[c] += image[c]
        if stays == 0:
            return -1
        for c in range(3):
            middle[c] = fractional[s, c] + middle[c] / stays if stays > 1 else fractional[s, c]
        first = n_found
        for k in range(n_operations):
            for i in range(3):
                r = rotations[k, i]
                image[i] = r[0] * middle[0] + r[1] * middle[1] + r[2] * middle[2]
                image[i] = image[i] + translations[k, i]
                image[i] = max(image[i] - math.floor(image[i] + 1e-9), 0.0)
            is_new = True
            for other in range(first, n_found):
                if _same_step(positions[other], image):
                    is_new = False
                    break
            if is_new:
                for c in range(3):
                    positions[n_found, c] = image[c]
                sites[n_found] = s
                n_found += 1
        counts[s] = n_found - first
        if counts[s] * stays != n_operations:
            return -1
        if not math.isnan(given[s]) and given[s] != counts[s]:
            return -1
    return n_found


@compiled
def _length(shift: NDArray[np.float64], cell: NDArray[np.float64]) -> float:
    squared = 0.0
    for c in range(3):
        v = shift[0] * cell[0, c] + shift[1] * cell[1, c] + shift[2] * cell[2, c]
        squared += v * v
    return math.sqrt(squared)


@compiled
def _reach(
    rotation: NDArray[np.float64], rounding: NDArray[np.float64], cell: NDArray[np.float64]
) -> float:
    """Return how far the last digits of a place may take its image from where it belongs, Å."""
    reach = 0.0
    for i in range(3):
        spread = 0.0
        for j in range(3):
            spread += abs(rotation[i, j] - (1.0 if i == j else 0.0)) * rounding[j]
        if spread > 0.0:
            reach += spread * math.sqrt(_product(cell, i, i))
    return reach


@compiled
def _same_step(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    for c in range(3):
        first = math.floor((one[c] + 0.0137035999) * 1048576.0)
        second = math.floor((other[c] + 0.0137035999) * 1048576.0)
        if (first - second) % 1048576 != 0:
            return False
    return True


@compiled
def _fit(rotations: NDArray[np.float64], cell: NDArray[np.float64]) -> bool:
    """Say whether operations clearly leave the lengths and angles of a cell alone."""
    largest, worst = 0.0, 0.0
    for i in range(3):
        for j in range(3):
            largest = max(largest, abs(_product(cell, i, j)))
    for k in range(rotations.shape[0]):
        r = rotations[k]
        for i in range(3):
            for j in range(3):
                moved = -_product(cell, i, j)
                for m in range(3):
                    for n in range(3):
                        if r[m, i] != 0.0 and r[n, j] != 0.0:
                            moved += r[m, i] * _product(cell, m, n) * r[n, j]
                worst = max(worst, abs(moved))
    return worst < 0.019 * largest


@compiled
def _product(cell: NDArray[np.float64], i: int, j: int) -> float:
    return float(cell[i, 0] * cell[j, 0] + cell[i, 1] * cell[j, 1] + cell[i, 2] * cell[j, 2])
