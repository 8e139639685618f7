"""Symmetry operations of a molecule, its point group, and which atoms they exchange.

An operation turns or reflects the molecule about its centre so that every atom comes to lie
within a tolerance of an atom of the same element. It is known once it is known where two atoms
go that do not lie on one line with the centre, so all places of two rare atoms are tried.
"""

from itertools import pairwise, product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

_ROUGH = 3.0
"""Operations made from two atoms are improved with all atoms if they come this near, in
tolerances."""
_SAME_AXIS = 0.1
"""Radians; axes of rotation that differ less are one axis."""
_NO_TURN = 0.98
"""Cosine of an angle (11 degrees) too small for a rotation."""


class Symmetry(NamedTuple):
    """Operations that leave a molecule as it is, within a tolerance."""

    rotations: Values
    """(n_operations, 3, 3) proper and improper rotations about the centre, identity included"""
    permutations: NDArray[np.int64]
    """(n_operations, n_atoms) atom i comes to lie on atom ``permutations[k, i]``"""
    deviation: float
    """Å; the farthest that an atom comes to lie from the one whose place it takes"""
    group: str
    """Schoenflies symbol; empty if the operations found are no group (tolerance too large)"""
    axis: Values | None
    """(3,) axis of highest order, if there is one alone"""


def find_symmetry(
    atomic_numbers: NDArray[np.integer], positions: Values, tolerance: float
) -> Symmetry:
    """Return the symmetry of a molecule within a tolerance in Å.

    A linear molecule has infinitely many rotations; here it has the identity and, if it has a
    centre, the inversion.

    Args:
        atomic_numbers: (n_atoms,)
        positions: (n_atoms, 3) Å.
        tolerance: Å; how far from another atom's place an atom may come to lie.
    """
    numbers, centred = np.asarray(atomic_numbers), positions - positions.mean(axis=0)
    lengths = np.linalg.norm(centred, axis=1)
    if len(numbers) == 1:
        return Symmetry(np.eye(3)[None], np.zeros((1, 1), dtype=np.int64), 0.0, "Kh", None)
    classes = _classes(numbers, centred, tolerance)
    pair = _reference_atoms(classes, centred, lengths, tolerance)
    if pair is None:
        return _linear(numbers, centred, tolerance)
    found: dict[bytes, tuple[Values, NDArray[np.int64], float]] = {}
    for candidate in _candidates(pair, classes, centred, tolerance):
        checked = _checked(candidate, numbers, centred, tolerance)
        if checked is not None:
            key = checked[1].tobytes() + (b"+" if np.linalg.det(checked[0]) > 0 else b"-")
            found.setdefault(key, checked)
    rotations = np.stack([f[0] for f in found.values()])
    permutations = np.stack([f[1] for f in found.values()])
    group, axis = name_group(rotations)
    return Symmetry(rotations, permutations, max(f[2] for f in found.values()), group, axis)


def orbits_of(permutations: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n_atoms,) number of the orbit of each atom, counted in the order of the atoms."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n_operations, n = permutations.shape
    sources = np.tile(np.arange(n), n_operations)
    links = coo_array((np.ones(len(sources)), (sources, permutations.ravel())), shape=(n, n))
    labels = connected_components(links, directed=False)[1]
    return np.asarray(labels, dtype=np.int64)


def _classes(numbers: NDArray[np.integer], centred: Values, tolerance: float) -> NDArray[np.int64]:
    """(n_atoms,) atoms that may be exchanged: same element, same distances to all atoms."""
    distances = np.linalg.norm(centred[:, None] - centred, axis=2)
    order = np.argsort(numbers, kind="stable")
    grouped = distances[:, order]
    bounds = [0, *(np.flatnonzero(np.diff(numbers[order])) + 1).tolist(), len(numbers)]
    for start, stop in pairwise(bounds):
        grouped[:, start:stop].sort(axis=1)
    profile = np.column_stack([np.linalg.norm(centred, axis=1), grouped])
    labels = np.full(len(numbers), -1, dtype=np.int64)
    for atom in range(len(numbers)):
        if labels[atom] < 0:
            # two atoms may each be off by the tolerance, hence twice
            alike = (numbers == numbers[atom]) & (labels < 0)
            alike &= np.abs(profile[:, 0] - profile[atom, 0]) <= 2 * tolerance
            rows = np.flatnonzero(alike)
            near = (np.abs(profile[rows] - profile[atom]) <= 2 * tolerance).all(axis=1)
            labels[rows[near]] = atom
    return labels


def _reference_atoms(
    classes: NDArray[np.int64], centred: Values, lengths: Values, tolerance: float
) -> tuple[int, int] | None:
    """Return two atoms of small classes, well off the centre and off one line with it."""
    sizes = np.bincount(classes, minlength=len(classes))[classes]
    off_centre = lengths > max(2 * tolerance, 0.1)
    if not off_centre.any():
        return None
    first = int(np.lexsort((-lengths, np.where(off_centre, sizes, len(sizes) + 1)))[0])
    areas = np.linalg.norm(np.cross(centred[first], centred), axis=1) / lengths[first]
    beside = areas > max(2 * tolerance, 0.1)
    if not beside.any():
        return None
    good = areas > 0.5 * areas.max()
    return first, int(np.lexsort((-areas, np.where(good, sizes, len(sizes) + 1)))[0])


def _candidates(
    pair: tuple[int, int], classes: NDArray[np.int64], centred: Values, tolerance: float
) -> list[Values]:
    """Return the rotations and reflections that take both atoms to atoms of their classes."""
    a, b = pair
    frame = _frame(centred[a], centred[b])
    gap = np.linalg.norm(centred[a] - centred[b])
    candidates = []
    for i, j in product(
        np.flatnonzero(classes == classes[a]), np.flatnonzero(classes == classes[b])
    ):
        if i == j or abs(np.linalg.norm(centred[i] - centred[j]) - gap) > 2 * tolerance:
            continue
        image = _frame(centred[i], centred[j])
        if image is None or frame is None:
            continue
        candidates.append(image @ frame.T)
        candidates.append(image @ np.diag([1.0, 1.0, -1.0]) @ frame.T)
    return candidates


def _frame(first: Values, second: Values) -> Values | None:
    """Return right-handed axes as columns: the sum of two directions, their plane, its normal."""
    u, v = first / np.linalg.norm(first), second / np.linalg.norm(second)
    normal = np.cross(u, v)
    length = np.linalg.norm(normal)
    if length < 1e-3:
        return None
    x = (u + v) / np.linalg.norm(u + v)
    z = normal / length
    return np.column_stack([x, np.cross(z, x), z])


def _checked(
    rotation: Values, numbers: NDArray[np.integer], centred: Values, tolerance: float
) -> tuple[Values, NDArray[np.int64], float] | None:
    """Return the operation improved with all atoms, where each goes, and how well it fits."""
    permutation = _matched(rotation, numbers, centred, _ROUGH * tolerance)
    if permutation is None:
        return None
    u, _, vt = np.linalg.svd(centred[permutation].T @ centred)
    sign = np.sign(np.linalg.det(u) * np.linalg.det(vt)) * np.sign(np.linalg.det(rotation))
    better = u @ np.diag([1.0, 1.0, sign]) @ vt
    off = np.linalg.norm(centred @ better.T - centred[permutation], axis=1).max()
    return (better, permutation, float(off)) if off <= tolerance else None


def _matched(
    rotation: Values, numbers: NDArray[np.integer], centred: Values, within: float
) -> NDArray[np.int64] | None:
    moved = centred @ rotation.T
    distances = np.linalg.norm(moved[:, None] - centred, axis=2)
    distances[numbers[:, None] != numbers] = np.inf
    nearest = distances.argmin(axis=1)
    if distances[np.arange(len(numbers)), nearest].max() > within:
        return None
    return nearest if len(np.unique(nearest)) == len(nearest) else None


def _linear(numbers: NDArray[np.integer], centred: Values, tolerance: float) -> Symmetry:
    identity = np.arange(len(numbers))
    direction = np.linalg.svd(centred)[2][0]
    inverted = _checked(-np.eye(3), numbers, centred, tolerance)
    if inverted is None:
        return Symmetry(np.eye(3)[None], identity[None], 0.0, "C∞v", direction)
    operations = np.stack([np.eye(3), -np.eye(3)])
    permutations = np.stack([identity, inverted[1]])
    return Symmetry(operations, permutations, inverted[2], "D∞h", direction)


def name_group(rotations: Values) -> tuple[str, Values | None]:
    """Return the Schoenflies symbol of a finite group of operations, and its main axis (3,).

    The main axis is that of the highest order, the normal of the plane for Cs, and None where
    several axes are alike. The symbol is empty if the numbers of operations are those of no
    point group. ``rotations`` is (n_operations, 3, 3), the identity and improper ones among them.
    """
    proper = rotations[np.linalg.det(rotations) > 0]
    improper = rotations[np.linalg.det(rotations) < 0]
    n, n_proper = len(rotations), len(proper)
    traces = np.trace(improper, axis1=1, axis2=2)
    inverted = bool((traces < -_NO_TURN - 2).any())
    mirrors = [_axis(-m) for m in improper[traces > _NO_TURN]]
    axes = _axes(proper)
    if sum(order >= 3 for _, order in axes) > 1:
        return _cubic(n, n_proper, inverted), None
    order = max((o for _, o in axes), default=1)
    main = [axis for axis, o in axes if o == order]
    if n_proper == order == 1:
        name = {1: "C1", 2: "Ci" if inverted else "Cs"}.get(n, "")
        return name, mirrors[0] if len(mirrors) == 1 else None
    if order == 2 and len(main) == 3:
        turned = [_axis(-m) for m in improper[np.abs(traces + 1) < 1 - _NO_TURN]]
        main = turned[:1]  # S4 of D2d
    axis = main[0] if len(main) == 1 else None
    flat = axis is not None and any(_parallel(axis, normal) for normal in mirrors)
    kind = "C" if n_proper == order else "D" if n_proper == 2 * order else ""
    if not kind or n not in (n_proper, 2 * n_proper):
        return "", axis
    if n == n_proper:
        return f"{kind}{order}", axis
    if flat or (kind == "D" and order == 2 and inverted):
        return f"{kind}{order}h", axis
    if kind == "D":
        return f"D{order}d", axis
    return (f"C{order}v" if mirrors else f"S{2 * order}"), axis


def _cubic(n: int, n_proper: int, inverted: bool) -> str:
    names = {
        (12, 12): "T",
        (12, 24): "Th" if inverted else "Td",
        (24, 24): "O",
        (24, 48): "Oh",
        (60, 60): "I",
        (60, 120): "Ih",
    }
    return names.get((n_proper, n), "")


def _axes(proper: Values) -> list[tuple[Values, int]]:
    """Return each axis of rotation with its order."""
    axes: list[tuple[Values, int]] = []
    for rotation in proper[np.trace(proper, axis1=1, axis2=2) < 1 + 2 * _NO_TURN]:
        axis = _axis(rotation)
        for i, (known, order) in enumerate(axes):
            if _parallel(axis, known):
                axes[i] = (known, order + 1)
                break
        else:
            axes.append((axis, 2))
    return axes


def _axis(rotation: Values) -> Values:
    """(3,) the direction that a rotation leaves as it is."""
    axis: Values = np.linalg.svd(rotation - np.eye(3))[2][-1]
    return axis


def _parallel(first: Values, second: Values) -> bool:
    return float(np.linalg.norm(np.cross(first, second))) < _SAME_AXIS
