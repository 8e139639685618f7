"""Which of two mirror images a molecule is."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from atomlens.neighbors.handedness import handedness
from atomlens.structures.arrays import StructureArrays

METHANE = molecule("CH4")
CHIRAL = METHANE.copy()
CHIRAL.symbols = ["C", "H", "F", "Cl", "Br"]
CHIRAL.positions[1:] *= np.array([[1.0], [1.25], [1.6], [1.8]])
TURN = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]


def hand(atoms: Atoms) -> int:
    return int(handedness(StructureArrays.from_atoms([atoms]))[0])


@pytest.mark.parametrize("atoms", [CHIRAL, molecule("H2O2")], ids=["CHFClBr", "H2O2"])
def test_mirror_images_have_opposite_hands(atoms: Atoms) -> None:
    mirrored = atoms.copy()
    mirrored.positions *= (1, 1, -1)
    assert hand(atoms) == -hand(mirrored) != 0
    moved = atoms[::-1]
    moved.positions = moved.positions @ (TURN * np.linalg.det(TURN)) + 3
    moved.positions = moved.positions.round(4)
    assert hand(moved) == hand(atoms)


@pytest.mark.parametrize("name", ["CH4", "C6H6", "CH3CHO", "H2O", "trans-butane", "CH3OH"])
def test_what_is_its_own_mirror_image_has_none(name: str) -> None:
    atoms = molecule(name)
    atoms.positions = atoms.positions @ TURN
    atoms.positions = atoms.positions.round(3)
    assert hand(atoms) == 0


def test_many_structures_are_told_apart_one_by_one() -> None:
    crystal = CHIRAL.copy()
    crystal.cell, crystal.pbc = [9, 9, 9], True
    mirrored = CHIRAL.copy()
    mirrored.positions *= -1
    found = handedness(StructureArrays.from_atoms([METHANE, CHIRAL, crystal, mirrored]))
    assert found.tolist() == [0, found[1], 0, -found[1]]
