"""Hückel's p_z model: frontier orbitals of conjugated molecules without a calculation.

Each atom of the conjugated system carries one p orbital; ``H = α + h β`` on the atom and
``k β`` on a bond, with the usual parameters for heteroatoms (Streitwieser, Molecular Orbital
Theory for Organic Chemists, 1961). Atoms outside the system have no share. Curvature is left
out, so that a fullerene is its bond graph.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.chemistry.bonds import REACH, bond_matrix
from atomlens.errors import StudyError
from atomlens.studies.orbitals.solution import Solution

if TYPE_CHECKING:
    from ase import Atoms


class PiCentre(NamedTuple):
    """What an atom brings to the conjugated system."""

    h: float
    """Energy above α, in β."""
    k: float
    """Strength of its bonds, in β."""
    n_electrons: int


_CARBON = PiCentre(0.0, 1.0, 1)
_IMINE = PiCentre(0.5, 1.0, 1)
_AMINE = PiCentre(1.5, 0.8, 2)
_CARBONYL = PiCentre(1.0, 1.0, 1)
_ETHER = PiCentre(2.0, 0.8, 2)


def solve_huckel(atoms: "Atoms", name: str) -> Solution:
    """Return energies (in |β| above α) and shares of the p_z orbitals.

    Raises:
        StudyError: nothing is conjugated, or the number of π electrons is odd.
    """
    bonds = bond_matrix(atoms.numbers, atoms.positions, REACH)
    sites = conjugated_sites(np.asarray(atoms.numbers), bonds)
    members = sorted(sites)
    n_electrons = sum(sites[i].n_electrons for i in members)
    if len(members) < 2:
        raise StudyError(
            f"{name}: it has no conjugated atoms for Hückel's model; use --set method=dft (in "
            'Python method="dft").'
        )
    if n_electrons % 2:
        raise StudyError(
            f"{name}: Hückel's model finds {n_electrons} π electrons, an odd number; leave this "
            'molecule out or use --set method=dft (in Python method="dft").'
        )
    strengths = np.array([sites[i].k for i in members])
    matrix = bonds[np.ix_(members, members)] * np.minimum.outer(strengths, strengths)
    matrix = matrix + np.diag([sites[i].h for i in members])
    energies, coefficients = np.linalg.eigh(-matrix)  # β is negative
    shares = np.zeros((len(atoms), len(members)))
    shares[members] = coefficients**2
    return Solution(energies=energies, shares=shares, n_occupied=n_electrons // 2)


def conjugated_sites(numbers: NDArray[np.int64], bonds: NDArray[np.bool_]) -> dict[int, PiCentre]:
    """Return the atoms with a p orbital in the conjugated system.

    Carbon with at most three neighbours, imine nitrogen and carbonyl oxygen bring one
    electron; amine nitrogen and ether or hydroxyl oxygen next to such an atom bring two.
    """
    degree = bonds.sum(axis=1)
    single = {(7, 2): _IMINE, (7, 1): _IMINE, (8, 1): _CARBONYL}
    sites = {}
    for i, (z, n) in enumerate(zip(numbers.tolist(), degree.tolist(), strict=True)):
        if z == 6 and n <= 3:
            sites[i] = _CARBON
        elif (z, n) in single:
            sites[i] = single[z, n]
    sites = {i: s for i, s in sites.items() if any(bonds[i, j] for j in sites)}
    lone_pairs = {(7, 3): _AMINE, (8, 2): _ETHER}
    for i, (z, n) in enumerate(zip(numbers.tolist(), degree.tolist(), strict=True)):
        if (z, n) in lone_pairs and any(bonds[i, j] for j in list(sites)):
            sites[i] = lone_pairs[z, n]
    return sites
