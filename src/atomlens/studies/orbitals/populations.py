"""How much of the frontier orbitals stands on each atom, from pyscf.

A restricted Kohn-Sham calculation (B3LYP / 6-31G* with spherical d functions unless set
otherwise, density fitting) at the geometry as given. The share of atom A in an orbital c is,
after Löwdin (J. Chem. Phys. 18, 365, 1950), the sum over its basis functions of
``(S^1/2 c)^2``: never negative, and adding up to one over the atoms. Mulliken's ``c (S c)`` is
an option. Orbitals that lie within ``degeneracy`` of the frontier are averaged: which of five
equal orbitals of C60 the solver returns first means nothing, their sum does.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from atomlens.errors import MissingDependencyError, StudyError
from atomlens.structures.records import quiet
from atomlens.units import HARTREE_IN_EV

if TYPE_CHECKING:
    from ase import Atoms

Values = NDArray[np.float64]
Orbital = Literal["homo", "lumo"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrbitalSettings:
    """How orbitals are calculated and shared among the atoms."""

    method: Literal["dft", "huckel"] = "dft"
    """``dft`` needs pyscf; ``huckel`` is the p_z model for conjugated molecules, without it."""
    functional: str = "b3lyp"
    """Exchange-correlation functional, as pyscf names it."""
    basis: str = "6-31g*"
    """Basis set, as pyscf names it."""
    grid_level: int = 0
    """Integration grid of pyscf, 0 (coarse) to 9."""
    convergence: float = 1e-6
    """Change of the energy, in hartree, at which the calculation has converged."""
    population: Literal["lowdin", "mulliken"] = "lowdin"
    """How an orbital is shared among the atoms."""
    degeneracy: float = 0.01
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
    called = name or str(atoms.info.get("name") or atoms.get_chemical_formula())
    if atoms.pbc.any():
        raise StudyError(
            f"{called}: orbitals are calculated for molecules, and this structure repeats; "
            "cut a molecule out of it."
        )
    if settings.method == "huckel":
        from atomlens.studies.orbitals.huckel import solve_huckel

        solution = solve_huckel(atoms, called)
    else:
        molecule, field = converged_field(atoms, settings, called)
        solution = _solution(molecule, field, settings)
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


def converged_field(atoms: "Atoms", settings: OrbitalSettings, name: str) -> tuple[Any, Any]:
    """Return pyscf's molecule and its converged restricted Kohn-Sham field."""
    dft, gto, lib = _pyscf()
    lib.num_threads(1)
    charge = int(atoms.info.get("charge", 0))
    n_electrons = int(atoms.numbers.sum()) - charge
    if n_electrons % 2:
        raise StudyError(
            f"{name}: it has {n_electrons} electrons, an odd number, and no closed shell; "
            "leave this molecule out or give its charge."
        )
    try:
        with quiet():
            molecule = gto.M(
                atom=list(zip(atoms.numbers.tolist(), atoms.positions.tolist(), strict=True)),
                basis=settings.basis,
                charge=charge,
                unit="Angstrom",
                verbose=0,
            )
    except (KeyError, RuntimeError) as error:
        elements = ", ".join(sorted(set(atoms.get_chemical_symbols())))
        raise StudyError(
            f"{name}: pyscf has no basis {settings.basis!r} for all of {elements}; choose another "
            "with --set basis=def2-svp."
        ) from error
    return molecule, _converge(dft, molecule, settings, name)


def _converge(dft: Any, molecule: Any, settings: OrbitalSettings, name: str) -> Any:
    field = dft.RKS(molecule)
    try:
        field.xc = settings.functional
        field = field.density_fit()
        field.grids.level = settings.grid_level
        field.conv_tol = settings.convergence
        field.max_cycle = 100
        with quiet():
            field.kernel()
    except (KeyError, ValueError, RuntimeError, np.linalg.LinAlgError) as error:
        raise StudyError(
            f"{name}: pyscf cannot calculate it ({' '.join(str(error).split())[:160]}); check "
            "functional, basis and geometry."
        ) from error
    if not field.converged:
        raise StudyError(
            f"{name}: the orbitals have not converged after {field.max_cycle} rounds; check the "
            "geometry (overlapping atoms?) or leave this molecule out."
        )
    return field


def _solution(molecule: Any, field: Any, settings: OrbitalSettings) -> Solution:
    overlap, coefficients = np.asarray(field.get_ovlp()), np.asarray(field.mo_coeff)
    if settings.population == "lowdin":
        values, vectors = np.linalg.eigh(overlap)
        root = (vectors * np.sqrt(values)) @ vectors.T
        by_function = (root @ coefficients) ** 2
    else:
        by_function = coefficients * (overlap @ coefficients)
    first = molecule.aoslice_by_atom()[:, 2]
    return Solution(
        energies=np.asarray(field.mo_energy) * HARTREE_IN_EV,
        shares=np.add.reduceat(by_function, first, axis=0),
        n_occupied=molecule.nelectron // 2,
    )


def _pyscf() -> tuple[Any, Any, Any]:
    try:
        from pyscf import dft, gto, lib
    except ImportError as error:
        raise MissingDependencyError(
            'Orbitals need the package pyscf; install it with: pip install "atomlens[qm]" '
            "(or use --set method=huckel for conjugated molecules)"
        ) from error
    return dft, gto, lib
