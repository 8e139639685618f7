"""Samples that are one structure in other geometries: conformers, frames, strained cells."""

import numpy as np
from numpy.typing import NDArray

from atomlens.elements.radii import COVALENT_RADII
from atomlens.neighbors.bonded import bond_numbers
from atomlens.structures.arrays import StructureArrays

_REACH = 1.25
"""Longest bond in sums of covalent radii: those of hot molecules are stretched."""
_DISPLACED = 0.5
"""Å; root mean square of how far atoms of one crystal are from where they stand in another."""
_LENGTHS, _ANGLES = 0.2, 12.0
"""By which part lattice vectors of strained cells may differ, and by how many degrees."""
_COMPARED = (20, 300)
"""Training samples with which a crystal is compared: first a few, then more, evenly chosen."""


def in_other_geometry(
    structures: StructureArrays, known: NDArray[np.int64], asked: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """(n_asked,) whether each sample is a structure of the known ones, or that in another geometry.

    Those are the same elements in the same order and, of molecules, with the same bonds; of
    crystals, in about the same places of about the same cell.

    Args:
        structures: Of all samples.
        known: Rows.
        asked: Other rows.
    """
    rows = np.concatenate([known, asked]).astype(np.int64)
    is_asked = np.arange(len(rows)) >= len(known)
    group = _same_species(structures, rows)
    both = np.isin(group, group[~is_asked]) & np.isin(group, group[is_asked])
    both &= ~structures.is_formula[rows]
    found = np.zeros(len(rows), dtype=np.bool_)
    has_cell: NDArray[np.bool_] = np.asarray(structures.pbc[rows].all(axis=1))
    has_cell[has_cell] = np.abs(np.linalg.det(structures.cells[rows[has_cell]])) > 1e-6
    of_molecules = np.flatnonzero(both & ~has_cell)
    if len(of_molecules):
        radii = _REACH * COVALENT_RADII[structures.atomic_numbers]
        bonds = bond_numbers(structures, rows[of_molecules], radii)
        _, same = np.unique(bonds, return_inverse=True)
        keys = group[of_molecules] * np.int64(len(rows)) + same
        ours = is_asked[of_molecules]
        found[of_molecules[ours]] = np.isin(keys[ours], keys[~ours])
    of_crystals = np.flatnonzero(both & has_cell)
    if len(of_crystals):
        order = of_crystals[np.argsort(group[of_crystals], kind="stable")]
        for members in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
            new, old = members[is_asked[members]], members[~is_asked[members]]
            found[new] = _near_crystals(structures, rows[old], rows[new])
    return found[is_asked]


def lasting_numbers(structures: StructureArrays) -> NDArray[np.uint32]:
    """(n,) one number of what of each structure stays when it is bent, strained or shaken.

    Of molecules that is the elements of their atoms, in this order, and which of them are bonded;
    of what repeats the elements alone, which other crystals may share. 0 for formulas.
    """
    species = _species_sums(structures)
    repeats: NDArray[np.bool_] = np.asarray(structures.pbc.any(axis=1))
    bonds = np.where(repeats, -1.0, 0.0)
    molecules = np.flatnonzero(~repeats & ~structures.is_formula)
    if len(molecules):
        radii = _REACH * COVALENT_RADII[structures.atomic_numbers]
        bonds[molecules] = bond_numbers(structures, molecules, radii)
    parts = [np.round(1e8 * one).astype(np.int64).view(np.uint64) for one in (species, bonds)]
    mixed = parts[0] * np.uint64(0x9E3779B97F4A7C15) + parts[1] * np.uint64(0xC2B2AE3D27D4EB4F)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    found = np.maximum(mixed >> np.uint64(32), np.uint64(1)).astype(np.uint32)
    return np.where(structures.is_formula, np.uint32(0), found)


def _species_sums(structures: StructureArrays) -> NDArray[np.float64]:
    """(n,) a number of the elements of each structure and of their order."""
    counts = np.asarray(structures.n_atoms)
    owners = np.repeat(np.arange(len(structures)), counts)
    place = np.arange(len(owners)) - np.asarray(structures.offsets)[owners]
    of_place = np.random.default_rng(len("place")).random(int(counts.max(initial=0)))
    of_element = np.random.default_rng(len("of element")).random(256)
    weights = of_place[place] * of_element[structures.atomic_numbers]
    sums = np.bincount(owners, weights, minlength=len(structures))
    return np.asarray(sums, dtype=np.float64)


def _same_species(structures: StructureArrays, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n_rows,) a number for each: the same for those with the same elements in the same order."""
    sums = _species_sums(structures)[rows]
    repeats = structures.pbc[rows].any(axis=1)
    _, group = np.unique(np.where(repeats, -1 - sums, sums), return_inverse=True)
    return group.reshape(-1).astype(np.int64)


def _near_crystals(
    structures: StructureArrays, known: NDArray[np.int64], asked: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """(n_asked,) whether a crystal stands among known ones with the same elements in this order."""
    found = np.zeros(len(asked), dtype=np.bool_)
    for most in _COMPARED:
        left = np.flatnonzero(~found)
        some = known[:: -(-len(known) // most)]
        places, sides = _fractions(structures, some), _sides(structures.cells[some])
        for k in left.tolist():
            row = asked[k : k + 1]
            own = _sides(structures.cells[row])
            near = (np.abs(sides[:, :3] / own[:, :3] - 1) < _LENGTHS).all(axis=1)
            near &= (np.abs(sides[:, 3:] - own[:, 3:]) < _ANGLES).all(axis=1)
            if not near.any():
                continue
            moved = _fractions(structures, row) - places[near]
            moved -= moved[:, :1]  # the origin is a matter of choice
            moved -= np.round(moved)
            moved -= moved.mean(axis=1, keepdims=True)
            apart = moved @ structures.cells[row[0]]
            found[k] = bool((np.square(apart).sum(axis=2).mean(axis=1) < _DISPLACED**2).any())
    return found


def _fractions(structures: StructureArrays, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n_rows, n_atoms, 3) coordinates in the cell; all structures have as many atoms."""
    first = np.asarray(structures.offsets)[rows]
    size = int(structures.n_atoms[rows[0]])
    positions = structures.positions[first[:, None] + np.arange(size)]
    fractions: NDArray[np.float64] = positions @ np.linalg.inv(structures.cells[rows])
    return fractions


def _sides(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 6) lengths, Å, and angles, degrees."""
    lengths = np.linalg.norm(cells, axis=2)
    cosines = np.stack(
        [
            (cells[:, i] * cells[:, j]).sum(axis=1) / (lengths[:, i] * lengths[:, j])
            for i, j in ((1, 2), (0, 2), (0, 1))
        ],
        axis=1,
    )
    return np.concatenate([lengths, np.degrees(np.arccos(np.clip(cosines, -1, 1)))], axis=1)
