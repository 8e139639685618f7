"""Checks of geometry, and that importing the package is free."""

import subprocess
import sys

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from numpy.typing import NDArray

from atomlens.errors import StructureError
from atomlens.structures.checks import check_atoms, closest_overlap

ALL = np.ones(3, dtype=bool)


def shortest_by_brute_force(
    positions: NDArray[np.float64], cell: NDArray[np.float64], pbc: NDArray[np.bool_]
) -> float:
    ranges = [range(-3, 4) if periodic else range(1) for periodic in pbc]
    shortest = np.inf
    for image in np.array(np.meshgrid(*ranges)).reshape(3, -1).T:
        vectors = positions[None] + image @ cell - positions[:, None]
        lengths = np.linalg.norm(vectors, axis=-1)
        if not image.any():
            np.fill_diagonal(lengths, np.inf)
        shortest = min(shortest, lengths.min())
    return float(shortest)


@pytest.mark.parametrize("pbc", [(1, 1, 1), (1, 1, 0), (0, 0, 1), (0, 0, 0)])
def test_the_closest_pair_is_that_of_a_search_over_all_images(pbc: tuple[int, ...]) -> None:
    rng = np.random.default_rng(3)
    periodic = np.array(pbc, dtype=bool)
    n_found = 0
    for _ in range(60):
        compact = 3 * np.eye(3) + 0.4 * rng.normal(size=(3, 3))
        shear = np.eye(3) + 20 * np.triu(np.outer(periodic, periodic), 1)
        lattice_point = rng.integers(-3, 4, size=3) * periodic
        positions = rng.uniform(-2, 2, size=(6, 3)) @ compact
        step = rng.normal(size=3)
        step *= rng.uniform(0, 0.2) / np.linalg.norm(step)
        positions[4] = positions[1] + lattice_point @ compact + step
        wrapped = positions @ np.linalg.inv(compact)
        wrapped[:, periodic] %= 1
        expected = shortest_by_brute_force(wrapped @ compact, compact, periodic)
        found = closest_overlap(positions, shear @ compact, periodic)
        if found is None:
            assert expected >= 0.1
        else:
            n_found += 1
            assert found[2] == pytest.approx(expected, abs=1e-9)
    assert 10 < n_found < 50


@pytest.mark.parametrize("shift", [0.0, 0.03, -0.03])
def test_two_atoms_on_opposite_faces_are_one_place(shift: float) -> None:
    cell = 4.0 * np.eye(3)
    positions = np.array([[0.0, 2.0, 2.0], [4.0 + shift, 2.0, 2.0]])
    found = closest_overlap(positions, cell, ALL)
    assert found is not None
    assert found[:2] == (0, 1)
    assert found[2] == pytest.approx(abs(shift), abs=1e-12)
    assert closest_overlap(positions, cell, np.array([False, True, True])) is None


def test_a_slanted_cell_with_thin_faces_is_still_a_crystal() -> None:
    thin = np.array([[3.0, 0, 0], [30.0, 3.0, 0], [0, 90.0, 3.0]])
    atoms = Atoms("Fe", cell=thin, pbc=True)
    check_atoms(atoms)


def test_a_cell_in_nanometres_is_told_to_be_in_the_wrong_unit() -> None:
    with pytest.raises(StructureError, match="unit"):
        check_atoms(Atoms("Fe", cell=[0.05, 0.05, 0.05], pbc=True))


def test_atoms_a_bond_apart_are_fine() -> None:
    check_atoms(Atoms("H2", positions=[[0, 0, 0], [0, 0, 0.74]]))
    check_atoms(bulk("Cu"))


def test_atoms_that_are_farther_than_any_structure_are_refused() -> None:
    with pytest.raises(StructureError, match=r"atom 1 \(H"):
        check_atoms(Atoms("H2", positions=[[0, 0, 0], [0, 0, 1e300]]))


def test_ten_thousand_atoms_are_checked_in_a_moment() -> None:
    crystal = bulk("Cu", cubic=True).repeat((14, 14, 14))
    positions = np.concatenate([crystal.positions, crystal.positions[[5000]] + 0.02])
    found = closest_overlap(positions, np.array(crystal.cell[:]), ALL)
    assert found is not None
    assert found[:2] == (5000, len(crystal))


@pytest.mark.parametrize("module", ["atomlens.structures", "atomlens.structures.arrays"])
def test_importing_the_package_imports_no_chemistry(module: str) -> None:
    code = (
        f"import sys, {module}; "
        "print(*[m for m in ('ase', 'rdkit', 'pymatgen', 'pandas', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
