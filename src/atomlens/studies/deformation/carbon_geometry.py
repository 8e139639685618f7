"""How far carbons are from flat graphene: bond elongation and pyramidalisation."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from atomlens.errors import StudyError
from atomlens.structures.arrays import Structure
from atomlens.studies.statistics import Values

Outward = Literal["auto", "adsorbed", "centre", "none"]
"""What tells the convex side of a carbon: see `carbon_geometry`."""

_CARBON, _HYDROGEN = 6, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CarbonGeometry:
    """Carbons of a structure with three carbon neighbours and no other, metals aside."""

    atoms: NDArray[np.int64]
    """(n,)"""
    elongation: Values
    """(n,) Å, mean length of the three bonds above the reference"""
    height: Values
    """(n,) Å, of the atom above the plane of its neighbours; positive on the convex side"""
    angle: Values
    """(n,) degrees, pyramidalisation angle of the pi-orbital axis vector, signed like height"""
    distance: Values
    """(n,) Å to the nearest adsorbed atom, neither carbon nor hydrogen; NaN without one"""

    def __len__(self) -> int:
        return len(self.atoms)


def carbon_geometry(
    structure: Structure,
    *,
    reference_bond: float = 1.42,
    reference: Structure | None = None,
    longest_bond: float = 1.8,
    outward: Outward = "auto",
) -> CarbonGeometry:
    """Measure every three-coordinated carbon.

    Args:
        structure: Molecule or periodic.
        reference_bond: Å, length of a bond without strain.
        reference: Relaxed structure with the same atoms in the same order, whose bond lengths
            are then the reference, bond by bond.
        longest_bond: Å; carbons nearer than this are bonded.
        outward: The side on which a height is positive: ``adsorbed``, that of the nearest
            adsorbed atom; ``centre``, away from the centre of all carbons; ``none``, both sides
            (the size alone counts); ``auto``, the first of these that the structure allows.

    Raises:
        StudyError: the reference has other atoms, or there is no adsorbed atom where asked for.
    """
    if reference is not None and not np.array_equal(
        structure.atomic_numbers, reference.atomic_numbers
    ):
        raise StudyError(
            f"{structure.name}: its atoms are not those of the reference {reference.name}, in the "
            "same order; give another reference or none."
        )
    atoms, neighbours, lengths, bonds = _bonds_of_three(structure, longest_bond)
    relaxed = reference_bond if reference is None else _lengths(reference, atoms, neighbours)
    normals, heights, angles = _pyramids(bonds)
    side, distance = _sides(structure, atoms, normals, outward)
    signs = np.where(side == 0, 1.0, np.sign(heights) * side)
    return CarbonGeometry(
        atoms=atoms,
        elongation=lengths.mean(axis=1) - relaxed,
        height=np.abs(heights) * signs,
        angle=angles * signs,
        distance=distance,
    )


def _bonds_of_three(
    structure: Structure, longest_bond: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the carbons (n,) with exactly three neighbours, all carbon, and their bonds.

    The bonds are neighbours (n, 3), lengths (n, 3) and vectors (n, 3, 3), in Å.
    """
    from ase.neighborlist import neighbor_list

    cutoffs = {("C", "C"): longest_bond, ("C", "H"): 1.3}
    first, second, lengths, vectors = neighbor_list("ijdD", _atoms(structure), cutoffs)
    of_carbon = structure.atomic_numbers[first] == _CARBON
    first, second, lengths = first[of_carbon], second[of_carbon], lengths[of_carbon]
    vectors = vectors[of_carbon]
    n_neighbours = np.bincount(first, minlength=len(structure.atomic_numbers))
    carbons = np.bincount(
        first[structure.atomic_numbers[second] == _CARBON],
        minlength=len(structure.atomic_numbers),
    )
    atoms = np.flatnonzero((n_neighbours == 3) & (carbons == 3))
    unsorted = np.flatnonzero(np.isin(first, atoms))
    rows = unsorted[np.argsort(first[unsorted], kind="stable")].reshape(-1, 3)
    return atoms, second[rows], lengths[rows], vectors[rows]


def _atoms(structure: Structure) -> object:
    from ase import Atoms

    return Atoms(
        numbers=structure.atomic_numbers.astype(int),
        positions=structure.positions,
        cell=structure.cell,
        pbc=structure.pbc,
    )


def _lengths(reference: Structure, atoms: NDArray[np.int64], seconds: NDArray[np.int64]) -> Values:
    """(n,) mean length of the same bonds in the reference; nearest images, if periodic."""
    from ase.geometry import find_mic

    vectors = reference.positions[seconds] - reference.positions[atoms][:, None]
    _, lengths = find_mic(vectors.reshape(-1, 3), reference.cell, reference.pbc)
    return np.asarray(lengths.reshape(-1, 3).mean(axis=1))


def _pyramids(bonds: Values) -> tuple[Values, Values, Values]:
    """Return normals of the planes of three neighbours, heights above them, and angles.

    Args:
        bonds: (n, 3, 3) from the atom to each neighbour.

    Returns:
        (n, 3) unit normals; (n,) heights along them (Å); (n,) the angle between the bonds and
        the plane that meets all three equally (degrees, not negative; R. C. Haddon, 1988).
    """
    normals = _plane_normals(bonds)
    heights = -np.einsum("ni,ni->n", bonds[:, 0], normals)
    units = bonds / np.linalg.norm(bonds, axis=2, keepdims=True)
    sines = np.abs(np.einsum("ni,ni->n", units[:, 0], _plane_normals(units)))
    return normals, heights, np.degrees(np.arcsin(np.clip(sines, 0.0, 1.0)))


def _plane_normals(points: Values) -> Values:
    crossed = np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0])
    return np.asarray(crossed / np.linalg.norm(crossed, axis=1, keepdims=True))


def _sides(
    structure: Structure, atoms: NDArray[np.int64], normals: Values, outward: Outward
) -> tuple[Values, Values]:
    """Return 1 or -1 if outward is along a normal or against it, 0 for none; and distances."""
    from ase.geometry import get_distances

    numbers, positions = structure.atomic_numbers, structure.positions
    adsorbed = np.flatnonzero((numbers != _CARBON) & (numbers != _HYDROGEN))
    distance = np.full(len(atoms), np.nan)
    if outward == "adsorbed" and not len(adsorbed):
        raise StudyError(f"{structure.name}: there is no adsorbed atom; set outward otherwise.")
    directions = np.zeros((len(atoms), 3))
    if len(adsorbed) and len(atoms):
        vectors, apart = get_distances(
            positions[atoms], positions[adsorbed], cell=structure.cell, pbc=structure.pbc
        )
        nearest = np.argmin(apart, axis=1)
        distance = apart[np.arange(len(atoms)), nearest]
        directions = vectors[np.arange(len(atoms)), nearest]
    if outward == "centre" or (outward == "auto" and not len(adsorbed)):
        at_centre = positions[numbers == _CARBON].mean(axis=0) if len(atoms) else np.zeros(3)
        directions = positions[atoms] - at_centre
        if structure.pbc.any():
            directions = np.zeros_like(directions)
    if outward == "none":
        directions = np.zeros_like(directions)
    return np.sign(np.einsum("ni,ni->n", directions, normals)), distance
