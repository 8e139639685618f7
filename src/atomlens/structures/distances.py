"""How near atoms are to each other, across the cell as well: pairs, lone atoms, quick answers."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.errors import StructureError
from atomlens.machine import compiler, plain, worth_compiling

MINIMUM_DISTANCE = 0.1
"""Å; two atoms closer than this are one atom written twice, or a wrong unit."""
SHORTEST_BOND = 0.5
"""Å; no two atoms bond at less (H2: 0.74 Å). Nearer ones are alternatives of one another."""
LONGEST_TO_A_NEIGHBOUR = 6.0
"""Å; the metal of the longest bond, caesium, has 5.3."""
_PLAIN_POINTS = 500
"""Compiling the loop over pairs takes a second."""
_CROWD = 100
"""Atoms; so many never fit into a box of half an ångström."""
_DENSEST = 2.0
"""Atoms in an Å3; diamond has 0.18, hydrogen under the pressures of planets 0.8."""
_REACH_OF_PAIRS = 5.0
"""Å; bonds and neighbours are looked for about that far."""
_MOST_DENSE_PAIRS = 5_000_000
_MOST_IMAGES = 5_000_000
_AT_A_TIME = 16
_MOST_COMPARED = 1_000_000
_MOST_REPEATED = 2000
_PLAIN_PAIRS = 20_000
"""As many pairs are looked at in plain Python before compiling that loop pays."""
FEW_ATOMS = 40
"""All pairs of so many are looked at in less time than it takes to sort them."""
_MOST_IMAGES_ALONG = 10.0
"""Cells to each side; a thinner cell is looked at in another way."""
_NO_RADII = np.zeros(0)
_NO_COUNTS = np.zeros(0, dtype=np.int64)
_last_apart: list[tuple[tuple[bytes, ...], float]] = [((), 0.0)]
"""Positions, cell and pbc that were looked at last, and how far all of them are apart: readers ask
for several distances of one structure in turn."""


class CrowdError(StructureError):
    """More atoms at one place than any structure has."""


class ClosePairs(NamedTuple):
    """Pairs of atoms nearer than a distance."""

    first: NDArray[np.int_]
    """(n_pairs,)"""
    second: NDArray[np.int_]
    """(n_pairs,)"""
    distances: NDArray[np.float64]
    """(n_pairs,), Å"""
    vectors: NDArray[np.float64]
    """(n_pairs, 3), Å, from the first to the image of the second that is meant"""


def pairs_within(
    positions: NDArray[np.float64],
    cell: NDArray[np.float64],
    pbc: NDArray[np.bool_],
    distance: float,
) -> ClosePairs:
    """Return all pairs nearer than ``distance``, which may be longer than the cell.

    Unlike `overlapping_pairs`, each pair stands twice, as (i, j) and (j, i), and an atom may
    meet several images of another.
    """
    from scipy.spatial import cKDTree

    n = len(positions)
    points, owners = positions, np.arange(n)
    if pbc.any():
        from ase.geometry import minkowski_reduce

        basis = minkowski_reduce(periodic_basis(cell, pbc), pbc)[0]
        heights = heights_of(basis)
        fractional = positions @ np.linalg.inv(basis)
        fractional[:, pbc] -= np.floor(fractional[:, pbc])
        positions = fractional @ basis
        reach = np.where(pbc, np.ceil(distance / heights), 0).astype(int)
        axes = [np.arange(-k, k + 1) for k in reach]
        n_shifts = int(np.prod(2.0 * np.minimum(reach, 1e6) + 1))
        if n_shifts * n > _MOST_IMAGES:
            raise StructureError(
                f"the cell is so thin that {n_shifts} of its images lie within {distance:g} Å; "
                "check the cell's unit (it must be Å)"
            )
        shifts = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
        shifts = shifts[np.argsort((shifts != 0).any(axis=1), kind="stable")]
        margin = np.where(pbc, distance / heights, np.inf)
        low, high = fractional.min(axis=0) - margin, fractional.max(axis=0) + margin
        images = (fractional[None] + shifts[:, None]).reshape(-1, 3)
        inside = ((images >= low) & (images <= high)).all(axis=1)
        owners = np.tile(owners, len(shifts))[inside]
        points = images[inside] @ basis
    _refuse_crowd(points, distance)
    tree = cKDTree(positions)
    found = tree.sparse_distance_matrix(cKDTree(points), distance, output_type="ndarray")
    found = found[np.lexsort((found["i"], found["j"]))]
    first, second = found["i"].astype(int), found["j"].astype(int)
    vectors = points[second] - positions[first]
    distances = np.linalg.norm(vectors, axis=1)
    other = (first != second) if not pbc.any() else (first != owners[second]) | (distances > 1e-6)
    return ClosePairs(first[other], owners[second[other]], distances[other], vectors[other])


def overlapping_pairs(
    positions: NDArray[np.float64],
    cell: NDArray[np.float64],
    pbc: NDArray[np.bool_],
    distance: float = MINIMUM_DISTANCE,
) -> ClosePairs:
    """Return all pairs of atoms nearer than ``distance``, periodic images included.

    Args:
        positions: (n_atoms, 3) Å.
        cell: (3, 3) rows are lattice vectors, Å.
        pbc: (3,) in which directions it repeats.
        distance: Å.

    Raises:
        StructureError: so many atoms stand so near that their pairs would fill the memory.
    """
    if all_apart(positions, cell, pbc, distance):
        none = np.zeros(0, dtype=int)
        return ClosePairs(none, none, np.zeros(0), np.zeros((0, 3)))
    from scipy.spatial import cKDTree

    points, owners = positions, np.arange(len(positions))
    if pbc.any():
        points, owners = _with_images(positions, cell, pbc, distance)
    _refuse_crowd(points, distance)
    found = cKDTree(points).query_pairs(distance, output_type="ndarray")
    vectors = points[found[:, 1]] - points[found[:, 0]]
    distances = np.linalg.norm(vectors, axis=1)
    return ClosePairs(owners[found[:, 0]], owners[found[:, 1]], distances, vectors)


def all_apart(
    positions: NDArray[np.float64],
    cell: NDArray[np.float64],
    pbc: NDArray[np.bool_],
    distance: float,
) -> bool:
    """Say at little cost that no two atoms are near, as of most structures; False: perhaps.

    Arguments as of `overlapping_pairs`.
    """
    return nearness_of(positions, cell, pbc, distance) == 0


def nearness_of(
    positions: NDArray[np.float64],
    cell: NDArray[np.float64],
    pbc: NDArray[np.bool_],
    distance: float,
    radii: NDArray[np.float64] | None = None,
) -> int:
    """Return 0 where all atoms are farther apart than a distance, else 2; 2 also where unknown.

    With ``radii`` (n,) 2 is for a pair nearer than the sum of its two or than `SHORTEST_BOND`,
    and 1 for one that is nearer than ``distance``, which is at least the largest of these.
    """
    if compiler() is None or not len(positions):
        return 2
    content = (positions.tobytes(), cell.tobytes(), pbc.tobytes())
    known, apart = _last_apart[0]
    if distance <= apart and known == content:
        return 0
    from atomlens.structures.kernels import nearness, nearness_in_cell

    if radii is not None and pbc.all() and 0 < len(positions) <= FEW_ATOMS:
        heights, inverse = heights_and_inverse(cell)
        far, least = a_little_more(distance), a_little_more(SHORTEST_BOND)
        if not (heights.min() * _MOST_IMAGES_ALONG > far and abs(positions.sum()) < math.inf):
            return 2
        compiled = worth_compiling(nearness_in_cell, len(positions) ** 2, _PLAIN_PAIRS)
        few = nearness_in_cell if compiled else plain(nearness_in_cell)
        found = int(few(positions, cell, inverse, heights, far, a_little_more(radii), least))
        if found < 2:
            _last_apart[0] = content, distance if found == 0 else SHORTEST_BOND
        return found
    laid = _laid_in_order(positions, cell, pbc, distance, radii)
    if laid is None:
        return 2
    points, basis, heights, own, _ = laid
    far, least = a_little_more(distance), a_little_more(SHORTEST_BOND)
    own = own if radii is None else a_little_more(own)
    loop = nearness if worth_compiling(nearness, len(points), _PLAIN_POINTS) else plain(nearness)
    found = int(loop(points, basis, pbc, far / heights, far, own, least, _NO_COUNTS))
    if found < 2:
        _last_apart[0] = content, distance if found == 0 else SHORTEST_BOND
    return found


def have_others_near(
    positions: NDArray[np.float64],
    cell: NDArray[np.float64],
    pbc: NDArray[np.bool_],
    radii: NDArray[np.float64],
    chosen: NDArray[np.int_],
    least: int,
) -> bool:
    """Say at little cost that each chosen atom has so many others near; False: perhaps not.

    Near is nearer than the sum of the radii (n,) of the two; images count, each by itself.
    """
    if compiler() is None or not len(chosen):
        return False
    distance = 2 * float(radii.max())
    laid = _laid_in_order(positions, cell, pbc, distance, radii)
    if laid is None:
        return False
    points, basis, heights, own, order = laid
    from atomlens.structures.kernels import nearness

    if not worth_compiling(nearness, len(points), _PLAIN_POINTS):
        return False
    counts, far = np.zeros(len(points), dtype=np.int64), a_little_more(distance)
    nearness(points, basis, pbc, far / heights, far, a_little_less(own), 0.0, counts)
    counts[order] = counts.copy()
    return bool(counts[chosen].min() >= least)


class _Laid(NamedTuple):
    """Points as `kernels.nearness` takes them."""

    points: NDArray[np.float64]
    basis: NDArray[np.float64]
    heights: NDArray[np.float64]
    radii: NDArray[np.float64]
    order: NDArray[np.int_]
    """Which each is, counted before they were sorted; the atoms as given come first."""


def _laid_in_order(
    positions: NDArray[np.float64],
    cell: NDArray[np.float64],
    pbc: NDArray[np.bool_],
    distance: float,
    radii: NDArray[np.float64] | None,
) -> _Laid | None:
    """Return atoms sorted for a search up to a distance; None where a cell is too thin for it.

    With radii a thin cell is repeated.
    """
    basis = np.ascontiguousarray(periodic_basis(cell, pbc)) if pbc.any() else np.eye(3)
    heights, inverse = heights_and_inverse(basis)
    if not heights[pbc].min(initial=np.inf) > (2.01 * distance if radii is None else 0):
        return None
    points = positions @ inverse if pbc.any() else positions
    if pbc.any():
        points[:, pbc] -= np.floor(points[:, pbc])
    if radii is not None:
        points, basis, radii = _repeated(points, basis, pbc, heights, 2.01 * distance, radii)
        if len(points) > _MOST_REPEATED:
            return None
        heights = heights_of(basis)
    order = points[:, 0].argsort()
    own = _NO_RADII if radii is None else radii[order]
    return _Laid(points[order], basis, heights, own, order)


def _repeated(
    points: NDArray[np.float64],
    basis: NDArray[np.float64],
    pbc: NDArray[np.bool_],
    heights: NDArray[np.float64],
    least: float,
    radii: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Repeat a cell until all its heights are above ``least``; far too many points stay as few."""
    with np.errstate(divide="ignore"):
        times = np.where(pbc, np.floor(least / heights) + 1, 1.0)
    n_cells = float(times.prod())
    if n_cells == 1:
        return points, basis, radii
    if not n_cells * len(points) <= _MOST_REPEATED:
        return np.zeros((_MOST_REPEATED + 1, 3)), basis, radii
    axes = [np.arange(n) for n in times]
    shifts = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    return (
        ((points + shifts) / times).reshape(-1, 3),
        basis * times[:, None],
        np.tile(radii, len(shifts)),
    )


def a_little_more(distance: Any) -> Any:
    """Return a length, or an array of them, so that rounding makes nothing nearer of it."""
    return distance * (1 + 1e-6) + 1e-9


def a_little_less(distance: Any) -> Any:
    """Return a length, or an array of them, so that rounding makes nothing farther of it."""
    return distance * (1 - 1e-6) - 1e-9


def _refuse_crowd(points: NDArray[np.float64], distance: float) -> None:
    """Raise a StructureError for atoms so many at one place that their pairs fill the memory."""
    if len(points) <= _CROWD:
        return
    boxes = np.floor((points - points.min(axis=0)) / distance)
    order = np.lexsort(boxes.T)
    changes = np.flatnonzero(np.any(np.diff(boxes[order], axis=0) != 0, axis=1))
    most = int(np.diff(np.concatenate([[-1], changes, [len(points) - 1]])).max())
    if most > max(_CROWD, 2 * distance**3):
        raise CrowdError(
            f"{most} atoms stand within {distance:g} Å of one another; check the unit of the "
            "coordinates (it must be Å), and remove atoms that are written more than once"
        )


def _with_images(
    positions: NDArray[np.float64],
    cell: NDArray[np.float64],
    pbc: NDArray[np.bool_],
    distance: float,
) -> tuple[NDArray[np.float64], NDArray[np.int_]]:
    """Wrap the atoms and add an image of each that lies within ``distance`` of a face."""
    basis = periodic_basis(cell, pbc)
    if heights_of(basis)[pbc].min() < 2 * distance:
        from ase.geometry import minkowski_reduce

        basis = minkowski_reduce(basis, pbc)[0]
    heights = heights_of(basis)
    if heights[pbc].min() < 2 * distance:
        raise StructureError(
            f"the cell is only {heights[pbc].min():.3g} Å thick, so that atoms meet their own "
            "periodic images; check the cell's unit (it must be Å)"
        )
    fractional = positions @ np.linalg.inv(basis)
    fractional[:, pbc] -= np.floor(fractional[:, pbc])
    owners = np.arange(len(positions))
    for axis in np.flatnonzero(pbc):
        margin = distance / heights[axis]
        low = np.flatnonzero(fractional[:, axis] < margin)
        high = np.flatnonzero(fractional[:, axis] > 1 - margin)
        shift = np.eye(3)[axis]
        fractional = np.concatenate([fractional, fractional[low] + shift, fractional[high] - shift])
        owners = np.concatenate([owners, owners[low], owners[high]])
    return fractional @ basis, owners


def is_dense(
    positions: NDArray[np.float64], cell: NDArray[np.float64], pbc: NDArray[np.bool_]
) -> bool:
    """Say whether atoms are so many in so little room that their pairs would take minutes.

    Arguments as of `overlapping_pairs`.
    Pairs within `_REACH_OF_PAIRS` are estimated where atoms are denser than `_DENSEST`: from the
    volume of the cell (and of what the atoms fill where it does not repeat), and from the boxes
    of that width that they fill.
    """
    n, reach = len(positions), _REACH_OF_PAIRS
    if n < _CROWD / 2:
        return False
    basis = periodic_basis(cell, pbc) if pbc.any() else np.eye(3)
    sphere, parts = 4.19 * reach**3, positions @ np.linalg.inv(basis)
    thickness = np.ptp(parts[:, ~pbc], axis=0) + reach
    volume = abs(float(np.linalg.det(basis))) * float(thickness.prod())
    if n > _DENSEST * volume and n * n * sphere > _MOST_DENSE_PAIRS * volume:
        return True
    if n * n * sphere < _MOST_DENSE_PAIRS * reach**3:
        return False
    parts[:, pbc] -= np.floor(parts[:, pbc])
    boxes = np.floor(parts @ basis / reach).astype(np.int64)
    boxes -= boxes.min(axis=0)
    keys = np.ravel_multi_index(tuple(boxes.T), tuple(boxes.max(axis=0) + 1))
    counts = np.unique(keys, return_counts=True)[1].astype(float)
    crowded = counts[counts > _DENSEST * reach**3]
    return float((crowded * crowded).sum()) * sphere > _MOST_DENSE_PAIRS * reach**3


def lone_atoms(
    positions: NDArray[np.float64], cell: NDArray[np.float64], pbc: NDArray[np.bool_]
) -> NDArray[np.int_]:
    """(n_lone,) the atoms that have no other, and no image, within `LONGEST_TO_A_NEIGHBOUR` Å.

    Arguments as of `overlapping_pairs`.
    Small cells and molecules need no search, and in others most atoms have one among a few.
    """
    n, reach = len(positions), LONGEST_TO_A_NEIGHBOUR
    none = np.zeros(0, dtype=int)
    lengths = np.sqrt((cell * cell).sum(axis=1))
    if n < 2 or bool((lengths[pbc] < reach).any()):
        return none
    if pbc.all() and abs(np.linalg.det(cell)) < reach**3 / 2**0.5:  # of balls of 3 Å, packed
        return none
    if not pbc.any() and float(np.square(np.ptp(positions, axis=0)).sum()) < reach**2:
        return none
    basis = periodic_basis(cell, pbc) if pbc.any() else np.eye(3)
    parts, left = positions @ np.linalg.inv(basis), np.arange(n)
    n_steps = -(-n // _AT_A_TIME)
    for step in range(n_steps):  # most atoms have a neighbour among the first few that are tried
        others = np.arange(step, n, n_steps)
        if len(left) * (n - step * len(others)) > _MOST_COMPARED:
            break
        left = left[_nearest_among(parts, basis, pbc, left, others) >= reach]
        if not len(left):
            return none
    from scipy.spatial import cKDTree

    points = positions
    if pbc.any():
        try:
            points, _ = _with_images(positions, cell, pbc, reach)
        except StructureError:  # a thin cell
            return np.setdiff1d(left, pairs_within(positions, cell, pbc, reach).first)
    nearest = cKDTree(points).query(points[left], k=2, distance_upper_bound=reach)[0][:, 1]
    found: NDArray[np.int_] = left[np.isinf(nearest)]
    return found


def _nearest_among(
    parts: NDArray[np.float64],
    basis: NDArray[np.float64],
    pbc: NDArray[np.bool_],
    these: NDArray[np.int_],
    others: NDArray[np.int_],
) -> NDArray[np.float64]:
    """(n_these,) a distance to the nearest of others, Å; in slanted cells it may be too long."""
    shifts = parts[these][:, None] - parts[others][None]
    shifts[..., pbc] -= np.round(shifts[..., pbc])
    vectors = shifts.reshape(-1, 3) @ basis
    squares = np.square(vectors).sum(axis=1).reshape(len(these), len(others))
    squares[these[:, None] == others[None]] = np.inf
    return np.asarray(np.sqrt(squares.min(axis=1)))


def periodic_basis(cell: NDArray[np.float64], pbc: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(3, 3) the periodic vectors, Å, completed by unit vectors at right angles to them."""
    if pbc.all():
        return cell
    basis = np.array(cell, dtype=float)
    _, _, directions = np.linalg.svd(basis[pbc])
    basis[~pbc] = directions[int(pbc.sum()) :]
    return basis


def heights_of(basis: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3,) distance between opposite faces, Å; zero for a cell without volume."""
    return heights_and_inverse(basis)[0]


def heights_and_inverse(
    basis: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the heights, and the inverse (3, 3), which is of no use without a volume."""
    (ax, ay, az), (bx, by, bz), (cx, cy, cz) = basis.tolist()
    faces = (
        (by * cz - bz * cy, bz * cx - bx * cz, bx * cy - by * cx),
        (cy * az - cz * ay, cz * ax - cx * az, cx * ay - cy * ax),
        (ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx),
    )
    signed = ax * faces[0][0] + ay * faces[0][1] + az * faces[0][2]
    areas = [math.sqrt(x * x + y * y + z * z) for x, y, z in faces]
    heights = np.array([abs(signed) / area if area else 0.0 for area in areas])
    return heights, np.array(faces).T / (signed or 1.0)
