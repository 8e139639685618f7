"""Molecules without their hydrogens, crystals without pbc, patterns and conformers of rdkit."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.io import write

from atomlens.errors import StructureError
from atomlens.structures import read_structures
from atomlens.structures.arrays import warnings_of
from atomlens.structures.distance_doubts import unused_cell
from atomlens.structures.hydrogen_doubts import absent_hydrogens
from atomlens.structures.objects import atoms_of
from atomlens.structures.records import quiet


def _bare(name: str) -> Atoms:
    whole = molecule(name)
    return whole[whole.numbers > 1]


@pytest.mark.parametrize(
    "name", ["CH3CH2OH", "C6H6", "CH3OCH3", "CH3COCH3", "CH3CH2NH2", "C5H5N", "isobutane"]
)
def test_a_skeleton_without_hydrogens_is_told(name: str) -> None:
    assert "hydrogens seem to be missing" in absent_hydrogens(_bare(name))
    assert absent_hydrogens(molecule(name)) == ""


@pytest.mark.parametrize(
    "name",
    "CO CO2 CS CS2 CN HCN CF4 C2F4 CCl4 C2Cl4 CF3CN CH2_s1A1d CH3 C2H2 COF2 NCCN H2CCO".split(),
)
def test_molecules_that_have_no_more_are_not_told(name: str) -> None:
    assert absent_hydrogens(molecule(name)) == ""


def test_one_bent_carbon_is_a_carbene() -> None:
    fluoride = Atoms("CF2", [[0, 0, 0], [1.03, 0.8, 0], [-1.03, 0.8, 0]])
    assert absent_hydrogens(fluoride) == ""
    assert absent_hydrogens(Atoms("CO", [[0, 0, 0], [1.42, 0, 0]])) != ""


def test_what_a_file_leaves_out_is_told(tmp_path: Path) -> None:
    write(tmp_path / "a.xyz", _bare("CH3CH2OH"))
    with quiet():
        (atoms,) = read_structures(tmp_path / "a.xyz").structures
    assert "2 of its 2 carbons" in " ".join(warnings_of(atoms))


@pytest.mark.parametrize("suffix", [".extxyz", ".traj", ".db"])
def test_a_crystal_that_does_not_repeat_is_told(tmp_path: Path, suffix: str) -> None:
    crystal = bulk("NaCl", "rocksalt", a=5.64)
    crystal.pbc = False
    path = tmp_path / f"a{suffix}"
    write(path, crystal)
    with quiet():
        (atoms,) = read_structures(path).structures
    assert "set pbc if it is a crystal" in " ".join(warnings_of(atoms))
    (own,) = atoms_of(crystal)
    assert "set pbc" in " ".join(warnings_of(own))


@pytest.mark.parametrize("vacuum", [1.0, 3.0, 8.0])
def test_a_molecule_in_a_box_is_a_molecule(vacuum: float) -> None:
    boxed = molecule("CH3CH2OH")
    boxed.center(vacuum=vacuum)
    assert unused_cell(boxed) == ""
    assert unused_cell(molecule("H2O")) == ""
    full = bulk("Si")
    assert unused_cell(full) == ""
    full.pbc = False
    full.cell[0, 0] = np.nan
    assert unused_cell(full) == ""


def test_a_pattern_is_no_molecule() -> None:
    from rdkit import Chem

    with pytest.raises(StructureError, match=r"a pattern .SMARTS., which leaves hydrogens open"):
        atoms_of(Chem.MolFromSmarts("CCN"))


def test_the_first_of_several_conformers_is_told() -> None:
    from rdkit import Chem
    from rdkit.Chem.rdDistGeom import EmbedMultipleConfs

    mol = Chem.AddHs(Chem.MolFromSmiles("CCCN"))
    EmbedMultipleConfs(mol, 4, randomSeed=7)
    (atoms,) = atoms_of(mol)
    said = "the first of its 4 conformers was taken; conformers=4 takes the mean over all of them"
    assert warnings_of(atoms) == [said]
    assert np.allclose(atoms.positions, mol.GetConformer(0).GetPositions())


def test_numbers_of_atoms_before_the_elements_are_called_so(tmp_path: Path) -> None:
    path = tmp_path / "a.xyz"
    path.write_text("3\n\n1 O 0 0 0\n2 H 0.96 0 0\n3 H -0.24 0.93 0\n")
    (failure,) = read_structures(path).failures
    assert "the second their elements; remove the first" in failure.message
