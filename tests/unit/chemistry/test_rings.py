"""Which atoms are in a ring, and which are aromatic."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from atomlens.chemistry.rings import find_rings
from atomlens.structures import read
from atomlens.structures.arrays import structure_of


def counts(atoms: Atoms) -> tuple[int, int]:
    in_ring, aromatic = find_rings(structure_of(atoms)).sum(axis=0)
    return int(in_ring), int(aromatic)


@pytest.mark.parametrize(
    ("smiles", "expected"),
    [
        ("CCO", (0, 0)),
        ("C1CCCCC1", (6, 0)),
        ("c1ccccc1", (6, 6)),
        ("c1ccccc1C", (6, 6)),
        ("c1cc[nH]c1", (5, 5)),
        ("C1CC1c1ccccc1", (9, 6)),
        ("c1ccc2ccccc2c1", (10, 10)),
    ],
)
def test_rings_and_aromatic_atoms_are_counted(smiles: str, expected: tuple[int, int]) -> None:
    (atoms,) = read(smiles)
    assert counts(atoms) == expected


def test_all_atoms_of_c60_have_the_same_flags() -> None:
    assert len(np.unique(find_rings(structure_of(molecule("C60"))), axis=0)) == 1


def test_the_order_and_the_orientation_of_the_atoms_do_not_matter() -> None:
    atoms = molecule("C5H5N")
    order = np.random.default_rng(0).permutation(len(atoms))
    turned = atoms[order]
    turned.rotate(40, (1, 2, 3))
    before, after = (find_rings(structure_of(a)) for a in (atoms, turned))
    np.testing.assert_array_equal(before[order], after)


def test_a_ring_without_possible_bond_orders_is_a_ring_all_the_same() -> None:
    """Three helium atoms in a triangle: no neutral molecule has such bonds."""
    triangle = Atoms("He3", positions=[[0, 0, 0], [0.6, 0, 0], [0.3, 0.5, 0]])
    assert counts(triangle) == (3, 0)


def test_one_atom_has_no_ring() -> None:
    assert find_rings(structure_of(Atoms("He"))).tolist() == [[0, 0]]
