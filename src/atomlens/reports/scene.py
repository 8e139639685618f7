"""What is drawn of a structure: atoms with their copies on the cell faces, bonds, cell, view.

The page and the pictures draw the same scene, so that they can be laid side by side.
"""

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from atomlens.chemistry.bonds import MOLECULE_REACH, is_metal, near_pairs
from atomlens.elements.radii import COVALENT_RADII

if TYPE_CHECKING:
    from ase import Atoms

MAX_ATOMS_WITH_BONDS = 2000
"""Larger structures are drawn as spheres alone."""
MAX_ATOMS_WITH_COPIES = 400
"""Larger cells are drawn without repeating the atoms on their faces."""
_FACE = 0.1
"""Å; an atom this near to a face of the cell is drawn on the opposite face as well."""
_DRAWN_FARTHER = 0.05
"""Å, by which the spheres that must overlap are larger than those of a molecule's bonds."""
_FEW_ANIONS = 3
"""A metal with as many nonmetal neighbours is drawn without bonds to other metals."""
_MANY_ANIONS = 8
"""A metal with more nonmetal neighbours than this is drawn without bonds to them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything that is drawn of one structure, in Å."""

    atom_index: NDArray[np.int64]
    """(n_drawn,) which atom of the structure is drawn"""
    positions: NDArray[np.float64]
    """(n_drawn, 3)"""
    bonds: NDArray[np.int64]
    """(n_bonds, 2) pairs of drawn atoms"""
    cell_edges: NDArray[np.float64]
    """(n_edges, 2, 3) ends of the lines of the repeating cell; none for a molecule"""
    axes: tuple[tuple[str, tuple[float, float, float]], ...]
    """Name of each repeating lattice vector and where to write it, just beyond its end."""
    rotation: NDArray[np.float64]
    """(3, 3) rows: the directions drawn to the right, up and towards the viewer"""
    is_copy_free: bool
    """True if the atoms are drawn once each, where the structure has them."""


def build_scene(atoms: "Atoms") -> Scene:
    """Decide what to draw of a molecule, wire, slab or crystal."""
    cell = _usable_cell(atoms)
    repeats = [axis for axis in range(3) if atoms.pbc[axis] and cell[axis].any()]
    index, positions = _drawn_atoms(atoms, cell, repeats)
    bonds = _bonds(atoms, index, positions, repeats)
    edges, axes = _cell_lines(cell, repeats, positions, atoms.numbers[index])
    unmoved = len(index) == len(atoms) and bool(np.allclose(positions, atoms.positions, atol=1e-6))
    return Scene(
        atom_index=index,
        positions=positions,
        bonds=bonds,
        cell_edges=edges,
        axes=axes,
        rotation=_lattice_view(cell, repeats) if repeats else _widest_view(positions),
        is_copy_free=unmoved,
    )


def periodicity(atoms: "Atoms") -> str:
    """Return formula, molecule, wire, slab or crystal: in how many directions it repeats."""
    if atoms.info.get("is_formula"):
        return "formula"
    return ("molecule", "wire", "slab", "crystal")[int(np.count_nonzero(atoms.pbc))]


def drawn_radius(atomic_number: int) -> float:
    """Return the radius of the sphere drawn for an element, in Å: larger for larger atoms."""
    return 0.18 + 0.36 * float(COVALENT_RADII[atomic_number])


def quaternion(rotation: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Return a rotation matrix (3, 3) as a unit quaternion x, y, z, w."""
    from scipy.spatial.transform import Rotation

    x, y, z, w = Rotation.from_matrix(rotation).as_quat()
    return (float(x), float(y), float(z), float(w))


def _usable_cell(atoms: "Atoms") -> NDArray[np.float64]:
    from ase.geometry import complete_cell

    cell = np.asarray(atoms.cell[:], dtype=np.float64)
    full = np.asarray(complete_cell(cell), dtype=np.float64)
    return full if abs(np.linalg.det(full)) > 1e-9 else np.eye(3)


def _drawn_atoms(
    atoms: "Atoms", cell: NDArray[np.float64], repeats: list[int]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    index = np.arange(len(atoms))
    positions = np.array(atoms.positions, dtype=np.float64)
    if not repeats or not len(atoms):
        return index, positions
    fractions = positions @ np.linalg.inv(cell)
    near = _FACE / np.linalg.norm(cell, axis=1)
    for axis in repeats:
        fractions[:, axis] -= np.floor(fractions[:, axis] + near[axis])
    if len(atoms) <= MAX_ATOMS_WITH_COPIES:
        for axis in repeats:
            on_face = np.abs(fractions[:, axis]) <= near[axis]
            copies = fractions[on_face].copy()
            copies[:, axis] += 1.0
            fractions = np.concatenate([fractions, copies])
            index = np.concatenate([index, index[on_face]])
    return index, fractions @ cell


def _bonds(
    atoms: "Atoms",
    index: NDArray[np.int64],
    positions: NDArray[np.float64],
    repeats: list[int],
) -> NDArray[np.int64]:
    """Find pairs of drawn atoms about as far apart as their covalent radii add up to."""
    none = np.zeros((0, 2), dtype=np.int64)
    if not 1 < len(positions) <= MAX_ATOMS_WITH_BONDS:
        return none
    from scipy.spatial import cKDTree

    radii = MOLECULE_REACH * COVALENT_RADII[atoms.numbers] + _DRAWN_FARTHER
    repeating = np.isin(np.arange(3), repeats)
    pairs = near_pairs(atoms.positions, atoms.cell[:], repeating, radii)
    keep = _worth_drawing(atoms.numbers, pairs.first, pairs.second)
    first, vectors = pairs.first[keep], pairs.vectors[keep]
    if not len(first):
        return none
    order = np.argsort(first, kind="stable")
    starts = np.searchsorted(first[order], np.arange(len(atoms) + 1))
    counts = np.diff(starts)[index]
    drawn = np.repeat(np.arange(len(index)), counts)
    offset = np.arange(len(drawn)) - np.repeat(np.cumsum(counts) - counts, counts)
    pair = order[starts[index][drawn] + offset]
    distance, other = cKDTree(positions).query(positions[drawn] + vectors[pair])
    found = (distance < 0.05) & (drawn < other)
    return np.unique(np.stack([drawn[found], other[found]], axis=1), axis=0)


def _worth_drawing(
    numbers: NDArray[np.int64], first: NDArray[np.int64], second: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Leave out contacts that chemists do not draw: cation to cation, and crowded large cations."""
    metal = is_metal(numbers)
    mixed = metal[first] & ~metal[second]
    anions = np.bincount(first[mixed], minlength=len(numbers))
    cation, crowded = anions >= _FEW_ANIONS, anions > _MANY_ANIONS
    to_cation = metal[first] & metal[second] & (cation[first] | cation[second])
    to_crowded = (crowded[first] & ~metal[second]) | (crowded[second] & ~metal[first])
    return np.asarray(~to_cation & ~to_crowded)


def _cell_lines(
    cell: NDArray[np.float64],
    repeats: list[int],
    positions: NDArray[np.float64],
    numbers: NDArray[np.int64],
) -> tuple[NDArray[np.float64], tuple[tuple[str, tuple[float, float, float]], ...]]:
    """Return the lines of the part of the cell that repeats: a line, a rhombus or a box."""
    if not repeats:
        return np.zeros((0, 2, 3)), ()
    origin = np.zeros(3)
    still = [axis for axis in range(3) if axis not in repeats]
    if still and len(positions):  # lay the frame at the foot of the atoms
        fractions = positions @ np.linalg.inv(cell)
        place = fractions.min(axis=0) if len(repeats) == 2 else fractions.mean(axis=0)
        origin = sum((place[axis] * cell[axis] for axis in still), start=origin)
    edges = []
    for along in repeats:
        others = [axis for axis in repeats if axis != along]
        for corner in product((0.0, 1.0), repeat=len(others)):
            start = origin + sum(
                (c * cell[o] for c, o in zip(corner, others, strict=True)), start=np.zeros(3)
            )
            edges.append((start, start + cell[along]))
    axes = []
    for axis in repeats:
        end = origin + cell[axis]
        at_corner = np.linalg.norm(positions - end, axis=1) < 1.0
        radius = max((drawn_radius(int(z)) for z in numbers[at_corner]), default=0.0)
        x, y, z = end + cell[axis] / np.linalg.norm(cell[axis]) * (radius + 0.45)
        axes.append(("abc"[axis], (float(x), float(y), float(z))))
    return np.array(edges), tuple(axes)


def _widest_view(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Look along the direction in which a molecule is thinnest, its longest side lying flat."""
    if len(positions) < 2:
        return np.eye(3)
    centred = positions - positions.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=True)
    rows = np.array(axes, dtype=np.float64)
    for i in range(2):  # the sign is free: turn the farthest atom to the right, then up
        reach = centred @ rows[i]
        if abs(reach.min()) > reach.max() + 1e-6:
            rows[i] = -rows[i]
    rows[2] = np.cross(rows[0], rows[1])
    return rows


def _lattice_view(cell: NDArray[np.float64], repeats: list[int]) -> NDArray[np.float64]:
    """Look at the front of the cell from slightly right and above; layers lie flat."""
    still = [axis for axis in range(3) if axis not in repeats]
    if len(still) == 1:
        right = cell[repeats[0]]
        up = np.cross(cell[repeats[0]], cell[repeats[1]])
    elif len(still) == 2:
        right, up = cell[repeats[0]], cell[still[-1]]
    else:
        right, up = cell[0], cell[2]
    up = up - right * (up @ right) / (right @ right) if len(still) == 2 else up
    up = up / np.linalg.norm(up)
    right = right - up * (right @ up)
    right = right / np.linalg.norm(right)
    front = np.stack([right, up, np.cross(right, up)])
    turn, tilt = np.radians(-24.0), np.radians(13.0)
    about_up = np.array(
        [[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]]
    )
    about_right = np.array(
        [[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]]
    )
    return np.asarray(about_right @ about_up @ front)
