"""How much of the frontier orbitals stands on each atom, from pyscf.

A restricted Kohn-Sham calculation (B3LYP / 6-31G* with spherical d functions unless set
otherwise, density fitting) at the geometry as given. The share of atom A in an orbital c is,
after Löwdin (J. Chem. Phys. 18, 365, 1950), the sum over its basis functions of
``(S^1/2 c)^2``: never negative, and adding up to one over the atoms. Mulliken's ``c (S c)`` is
an option. Orbitals that lie within ``degeneracy`` of the frontier are averaged: which of five
equal orbitals of C60 the solver returns first means nothing, their sum does.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from atomlens.elements.naming import chemical_formula
from atomlens.errors import StudyError
from atomlens.studies.orbitals.dft import converged_field, shared_orbitals
from atomlens.studies.orbitals.huckel import solve_huckel
from atomlens.studies.orbitals.solution import (
    FrontierOrbitals,
    Orbital,
    OrbitalSettings,
    Solution,
    Values,
)

if TYPE_CHECKING:
    from ase import Atoms


def frontier_orbitals(
    atoms: "Atoms", settings: OrbitalSettings | None = None, name: str = ""
) -> FrontierOrbitals:
    """Calculate the frontier orbitals of one molecule.

    The charge is ``atoms.info["charge"]``, 0 if absent.

    Raises:
        StudyError: a crystal, an odd number of electrons, an element that the basis lacks, a
            calculation that does not converge.
        MissingDependencyError: pyscf is not installed.
    """
    settings = settings or OrbitalSettings()
    called = name or str(atoms.info.get("name") or chemical_formula(atoms.numbers))
    if atoms.pbc.any():
        raise StudyError(
            f"{called}: orbitals are calculated for molecules, and this structure repeats; "
            "cut a molecule out of it."
        )
    if settings.method == "huckel":
        solution = solve_huckel(atoms, called)
    else:
        molecule, field = converged_field(atoms, settings, called)
        solution = shared_orbitals(molecule, field, settings)
    return _frontier(atoms, called, solution, settings.degeneracy)


def _frontier(atoms: "Atoms", name: str, solution: Solution, degeneracy: float) -> FrontierOrbitals:
    """Average what is degenerate with the highest occupied and the lowest empty orbital."""
    energies, n = solution.energies, solution.n_occupied
    if not 0 < n < len(energies):
        raise StudyError(
            f"{name}: its {len(energies)} orbitals leave none occupied or none empty; "
            "take a larger basis or another molecule."
        )
    if energies[n] - energies[n - 1] <= degeneracy:
        raise StudyError(
            f"{name}: highest occupied and lowest empty orbital have the same energy (an open "
            "shell); restricted orbitals are not defined, leave this molecule out."
        )
    homo = frontier_rows(energies, n, "homo", degeneracy)
    lumo = frontier_rows(energies, n, "lumo", degeneracy)
    return FrontierOrbitals(
        name=name,
        atomic_numbers=np.asarray(atoms.numbers, dtype=np.int64),
        positions=np.asarray(atoms.positions, dtype=np.float64),
        homo=solution.shares[:, homo].mean(axis=1),
        lumo=solution.shares[:, lumo].mean(axis=1),
        homo_energy=float(energies[n - 1]),
        lumo_energy=float(energies[n]),
        n_homo=len(homo),
        n_lumo=len(lumo),
    )


def frontier_rows(
    energies: Values, n_occupied: int, orbital: Orbital, degeneracy: float
) -> NDArray[np.int64]:
    """Return which orbitals lie within ``degeneracy`` of a frontier orbital, on its side."""
    frontier = n_occupied - 1 if orbital == "homo" else n_occupied
    near = np.abs(energies - energies[frontier]) <= degeneracy
    occupied = np.arange(len(energies)) < n_occupied
    return np.flatnonzero(near & (occupied == (orbital == "homo")))
