"""Orbitals from pyscf: a restricted Kohn-Sham calculation, and the shares of the atoms."""

from typing import TYPE_CHECKING, Any

import numpy as np

from atomlens.errors import StudyError, missing_package
from atomlens.structures.records import quiet
from atomlens.studies.orbitals.solution import (
    OrbitalSettings,
    Solution,
)
from atomlens.units import HARTREE_IN_EV

if TYPE_CHECKING:
    from ase import Atoms


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
            'with --set basis=def2-svp (in Python basis="def2-svp").'
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


def shared_orbitals(molecule: Any, field: Any, settings: OrbitalSettings) -> Solution:
    """Return the orbitals of a converged field, shared among the atoms."""
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
        raise missing_package(
            "The calculation of orbitals",
            "pyscf",
            "qm",
            'use --set method=huckel (in Python method="huckel") for conjugated molecules',
        ) from error
    return dft, gto, lib
