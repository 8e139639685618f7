"""Orbitals of a molecule as shares of its atoms: what is asked for, and what is found."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from atomlens.settings import bounded
from atomlens.studies.base import StudySettings

if TYPE_CHECKING:
    from ase import Atoms


Values = NDArray[np.float64]


Orbital = Literal["homo", "lumo"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrbitalSettings(StudySettings):
    """How orbitals are calculated and shared among the atoms."""

    method: Literal["dft", "huckel"] = "dft"
    """``dft`` needs pyscf; ``huckel`` is the p_z model for conjugated molecules, without it."""
    functional: str = "b3lyp"
    """Exchange-correlation functional, as pyscf names it."""
    basis: str = "6-31g*"
    """Basis set, as pyscf names it."""
    grid_level: int = bounded(0, least=0, most=9)
    """Integration grid of pyscf, 0 (coarse) to 9."""
    convergence: float = bounded(1e-6, least=0, unit="hartree")
    """Change of the energy, in hartree, at which the calculation has converged."""
    population: Literal["lowdin", "mulliken"] = "lowdin"
    """How an orbital is shared among the atoms."""
    degeneracy: float = bounded(0.01, least=0, unit="eV")
    """Orbitals this near to the frontier orbital, in eV, are averaged with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontierOrbitals:
    """Highest occupied and lowest unoccupied orbital of one molecule, as shares of the atoms."""

    name: str
    atomic_numbers: NDArray[np.int64]
    """(n_atoms,)"""
    positions: Values
    """(n_atoms, 3), Å"""
    homo: Values
    """(n_atoms,) share of each atom; adds up to one"""
    lumo: Values
    """(n_atoms,)"""
    homo_energy: float
    """eV; with Hückel's model in units of |β| above α"""
    lumo_energy: float
    n_homo: int
    """Orbitals that were averaged."""
    n_lumo: int

    def shares(self, orbital: Orbital) -> Values:
        """Return the shares of the atoms in one of the two orbitals."""
        return self.homo if orbital == "homo" else self.lumo

    def to_atoms(self) -> "Atoms":
        """Return the molecule with its name in ``info``."""
        from ase import Atoms

        return Atoms(self.atomic_numbers, positions=self.positions, info={"name": self.name})


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """Orbitals of one molecule in a basis of functions that stand on atoms."""

    energies: Values
    """(n_orbitals,), rising"""
    shares: Values
    """(n_atoms, n_orbitals) share of each atom in each orbital"""
    n_occupied: int
