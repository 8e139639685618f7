"""Symmetry orbits: sets of atoms that symmetry exchanges, in molecules and crystals."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atomlens.chemistry.point_groups import find_symmetry, orbits_of
from atomlens.errors import StructureError
from atomlens.structures.arrays import Structure
from atomlens.structures.records import quiet

MOST_ATOMS = 1000
"""Of a molecule; the search compares all distances of all atoms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Orbits:
    """Which atoms of a structure are alike by symmetry."""

    labels: NDArray[np.int64]
    """(n_atoms,) number of each atom's orbit, in the order in which they first occur"""
    group: str
    """Schoenflies symbol of the point group, or Hermann-Mauguin symbol of the space group"""
    deviation: float
    """Å; the smallest tolerance at which these orbits appear"""
    heights: NDArray[np.float64] | None
    """(n_atoms,) Å above or below the plane through the centre of a molecule, perpendicular to
    its main axis; None for crystals and where no axis of three-fold or higher order stands out"""
    wyckoff: tuple[str, ...] = ()
    """(n_atoms,) Wyckoff letters of a crystal's atoms"""

    @property
    def sizes(self) -> NDArray[np.int64]:
        """(n_orbits,) number of atoms in each orbit."""
        return np.bincount(self.labels)

    @property
    def trivial(self) -> bool:
        """True if symmetry exchanges no atoms: every orbit is a single atom."""
        return bool((self.sizes == 1).all())

    def __iter__(self) -> Iterator[NDArray[np.int64]]:
        """Give the atoms of each orbit."""
        return (np.flatnonzero(self.labels == i) for i in range(len(self.sizes)))


def find_orbits(structure: Structure, tolerance: float) -> Orbits:
    """Return the orbits of the point group or, for a crystal, of the space group.

    Args:
        structure: Molecule or crystal.
        tolerance: Å; how far an operation may take an atom from the place of another.

    Raises:
        StructureError: a bare formula, a structure that repeats in one or two directions
            only, a molecule of more than 1,000 atoms, or a crystal that spglib cannot take.
    """
    if structure.is_formula:
        raise StructureError(f"{structure.name}: a formula has no geometry; give a structure.")
    if structure.pbc.all():
        return _of_crystal(structure, tolerance)
    if structure.pbc.any():
        raise StructureError(
            f"{structure.name}: it repeats in some directions only, and orbits are found in "
            "molecules and crystals; leave it out."
        )
    return _of_molecule(structure, tolerance)


def _of_molecule(structure: Structure, tolerance: float) -> Orbits:
    if len(structure.atomic_numbers) > MOST_ATOMS:
        raise StructureError(
            f"{structure.name}: it has {len(structure.atomic_numbers)} atoms, and orbits are "
            f"found in molecules of at most {MOST_ATOMS}; leave it out."
        )
    positions = structure.positions
    found = find_symmetry(structure.atomic_numbers, positions, tolerance)
    order = re.search(r"[\d∞]+", found.group)
    heights = None
    if found.axis is not None and order is not None and order[0] not in ("1", "2"):
        heights = np.abs((positions - positions.mean(axis=0)) @ found.axis)
    return Orbits(
        labels=_renumbered(orbits_of(found.permutations)),
        group=found.group,
        deviation=found.deviation,
        heights=heights,
    )


def symmetry_of_crystal(structure: Structure, tolerance: float) -> Any:
    """Return spglib's dataset of what repeats in all directions, with a tolerance in Å.

    Raises:
        StructureError: spglib finds none.
    """
    import spglib

    fractional = structure.positions @ np.linalg.inv(structure.cell)
    cell = (structure.cell, fractional, structure.atomic_numbers.astype(int))
    with quiet():
        try:
            found = spglib.get_symmetry_dataset(cell, symprec=tolerance)
        except Exception as error:  # spglib's own errors have no common class in all versions
            reason = " ".join(str(error).split())
            raise StructureError(
                f"{structure.name}: spglib finds no symmetry ({reason}); try another tolerance."
            ) from error
    if found is None:
        raise StructureError(
            f"{structure.name}: spglib finds no symmetry within {tolerance:g} Å; try another "
            "tolerance."
        )
    return found


def _of_crystal(structure: Structure, tolerance: float) -> Orbits:
    found = symmetry_of_crystal(structure, tolerance)
    fractional = np.asarray(structure.positions @ np.linalg.inv(structure.cell), dtype=np.float64)
    return Orbits(
        labels=_renumbered(found.crystallographic_orbits),
        group=str(found.international),
        deviation=_crystal_deviation(
            fractional, structure, np.asarray(found.rotations), np.asarray(found.translations)
        ),
        heights=None,
        wyckoff=tuple(found.wyckoffs),
    )


def _crystal_deviation(
    fractional: NDArray[np.float64],
    structure: Structure,
    rotations: NDArray[np.int_],
    translations: NDArray[np.float64],
) -> float:
    """Return how far, in Å, an operation takes an atom from the nearest one."""
    from scipy.spatial import cKDTree

    tree = cKDTree(_wrapped(fractional), boxsize=1.0)
    worst = 0.0
    for rotation, translation in zip(rotations, translations, strict=True):
        moved = fractional @ rotation.T + translation
        nearest = tree.query(_wrapped(moved))[1]
        shifts = moved - fractional[nearest]
        distances = np.linalg.norm((shifts - np.round(shifts)) @ structure.cell, axis=1)
        worst = max(worst, float(distances.max()))
    return worst


def _wrapped(fractional: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return coordinates from 0 to below 1."""
    inside = fractional - np.floor(fractional)
    return np.where(inside < 1.0, inside, 0.0)


def _renumbered(labels: NDArray[np.integer]) -> NDArray[np.int64]:
    """Number the orbits in the order in which they first occur."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse].astype(np.int64)
