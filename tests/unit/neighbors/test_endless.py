"""What is plainly connected to its own periodic image, and what is not."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, graphene, molecule, nanotube
from hypothesis import given, settings
from hypothesis import strategies as st

from atomlens.chemistry.boxes import bonded_radii, finite_parts
from atomlens.neighbors.endless import plainly_endless
from atomlens.structures.arrays import StructureArrays

REACH = 8.0


def is_endless(*several: Atoms) -> list[bool]:
    structures = StructureArrays.from_atoms(several)
    found = plainly_endless(structures, bonded_radii(structures.atomic_numbers, REACH))
    return [bool(one) for one in found]


def scattered(atoms: Atoms, seed: int) -> Atoms:
    """Return the same crystal with each atom in some other cell, in another order."""
    rng = np.random.default_rng(seed)
    moves = rng.integers(-3, 4, (len(atoms), 3)) * atoms.pbc
    atoms = atoms.copy()
    atoms.positions += moves @ atoms.cell[:]
    return atoms[rng.permutation(len(atoms))]


def skewed(atoms: Atoms) -> Atoms:
    atoms = atoms.copy()
    atoms.set_cell([[1, 0, 0], [4, 1, 0], [-3, 2, 1]] @ atoms.cell[:])
    return atoms


@pytest.mark.parametrize(
    "atoms",
    [
        bulk("NaCl", "rocksalt", 5.64),
        bulk("Cs"),
        scattered(bulk("ZnS", "zincblende", 5.41, cubic=True), 1),
        skewed(bulk("Si")),
        graphene(vacuum=9.0),
        nanotube(3, 0, vacuum=8.0),
        Atoms("Pt", cell=[20, 20, 2.5], pbc=(False, False, True)),
    ],
)
def test_crystals_layers_and_wires_are_endless(atoms: Atoms) -> None:
    assert is_endless(atoms, scattered(atoms, 2), atoms.repeat((2, 1, 1))) == [True] * 3


@pytest.mark.parametrize(
    "atoms",
    [
        molecule("C6H6", cell=[6.5] * 3, pbc=True),
        scattered(molecule("C6H6", cell=[9.0] * 3, pbc=True), 3),
        molecule("CH3CH2OH"),
        bulk("Ar", "fcc", 5.3),
        Atoms("O2", [[0, 0, 0], [0, 0, 1.2]], cell=[9, 9, 3.3], pbc=(False, False, True)),
        Atoms("C", cell=[[1, 0, 0], [2, 0, 0], [0, 0, 9]], pbc=True),
        Atoms("H2", [[0, 0, 0], [np.nan, 0, 0]], cell=[1.0] * 3, pbc=True),
    ],
)
def test_molecules_and_what_cannot_be_searched_are_not(atoms: Atoms) -> None:
    assert is_endless(bulk("Cu"), atoms, bulk("Fe")) == [True, False, True]


@given(
    n=st.integers(1, 6),
    edge=st.floats(3.0, 9.0),
    pbc=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    seed=st.integers(0, 10**6),
)
@settings(max_examples=60, deadline=None)
def test_it_says_of_random_atoms_what_a_walk_along_all_bonds_says(
    n: int, edge: float, pbc: tuple[bool, bool, bool], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    cell = edge * (np.eye(3) + rng.uniform(-0.4, 0.4, (3, 3)))
    atoms = Atoms(f"C{n}", rng.uniform(-1, 2, (n, 3)) @ cell, cell=cell, pbc=pbc)
    structures = StructureArrays.from_atoms([atoms])
    walked = finite_parts(structures[0], bonded_radii(structures.atomic_numbers, REACH))
    assert is_endless(atoms) == [walked is None]
