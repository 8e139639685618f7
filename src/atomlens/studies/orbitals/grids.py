"""An orbital in space: its values on a regular grid around the molecule."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from atomlens.studies.orbitals.dft import converged_field
from atomlens.studies.orbitals.solution import Orbital, OrbitalSettings
from atomlens.units import BOHR_IN_ANGSTROM

if TYPE_CHECKING:
    from ase import Atoms

"""Å"""
MARGIN = 2.8
"""Å around the outermost atoms; the orbital has faded out there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrbitalGrid:
    """Values of one orbital at regular points."""

    values: NDArray[np.float64]
    """(n_x, n_y, n_z), bohr^-3/2; the sign is that of a lobe and has no meaning of its own"""
    origin: NDArray[np.float64]
    """(3,), Å: the place of the first point"""
    spacing: float
    """Å"""


def orbital_grid(
    atoms: "Atoms", orbital: Orbital, settings: OrbitalSettings, name: str, spacing: float = 0.3
) -> OrbitalGrid:
    """Calculate a molecule and evaluate one of its frontier orbitals around it.

    One orbital is shown also where several have the same energy.

    Raises:
        StudyError: the calculation is not possible (see `frontier_orbitals`).
        MissingDependencyError: pyscf is not installed.
    """
    molecule, field = converged_field(atoms, settings, name)
    row = molecule.nelectron // 2 - (orbital == "homo")
    low = atoms.positions.min(axis=0) - MARGIN
    counts = np.ceil((atoms.positions.max(axis=0) + MARGIN - low) / spacing).astype(int) + 1
    steps = np.indices(tuple(counts)).reshape(3, -1).T
    points = (low + steps * spacing) / BOHR_IN_ANGSTROM
    found = [
        molecule.eval_gto("GTOval_sph", chunk) @ field.mo_coeff[:, row]
        for chunk in np.array_split(points, len(points) // 20_000 + 1)
    ]
    values = np.concatenate(found).reshape(tuple(counts))
    return OrbitalGrid(values=values, origin=low, spacing=spacing)
