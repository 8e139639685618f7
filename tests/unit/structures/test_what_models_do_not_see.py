"""Charges, unpaired electrons and atoms without neighbours are said, wherever they come from."""

import warnings
from pathlib import Path

import pytest
from ase import Atoms
from ase.build import bulk, graphene, molecule
from pymatgen.io.ase import AseAtomsAdaptor

from atomlens.predictor.inputs import gather
from atomlens.structures import read_structures
from atomlens.structures.arrays import warnings_of
from atomlens.structures.distance_doubts import doubtful_distance


def said(given: object) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (found,) = read_structures(given).structures
    return "; ".join(warnings_of(found))


@pytest.mark.parametrize(
    ("smiles", "wanted"),
    [
        ("[O-]c1ccccc1", "charge of -1"),
        ("C[NH2+]C", "charge of +1"),
        ("C[CH]C", "unpaired electrons (1)"),
        ("[O-][N+](=O)C", ""),
        ("CCO", ""),
        ("O=C([O-])C[NH3+]", ""),
    ],
)
def test_ions_and_radicals_of_smiles_are_said(smiles: str, wanted: str) -> None:
    found = said(smiles)
    assert wanted in found
    assert ("no model sees" in found) == bool(wanted)


@pytest.mark.parametrize(
    ("comment", "wanted"),
    [
        ("charge=2", "charge of +2"),
        ("total_charge=-1 multiplicity=2", "charge of -1 and unpaired electrons (1)"),
        ("multiplicity=3", "unpaired electrons (2)"),
        ("charge=0 multiplicity=1", ""),
    ],
)
def test_charge_and_multiplicity_of_an_xyz_file_are_said(
    comment: str, wanted: str, tmp_path: Path
) -> None:
    path = tmp_path / "water.extxyz"
    lines = ["O 0 0 0.1", "H 0 0.76 -0.5", "H 0 -0.76 -0.5"]
    path.write_text("\n".join(["3", f"Properties=species:S:1:pos:R:3 {comment}", *lines, ""]))
    found = said(path)
    assert wanted in found
    assert ("no model sees" in found) == bool(wanted)


def test_the_charge_of_a_mol_file_is_said(tmp_path: Path) -> None:
    from rdkit import Chem
    from rdkit.Chem import AllChem

    phenolate = Chem.AddHs(Chem.MolFromSmiles("[O-]c1ccccc1"))
    AllChem.EmbedMolecule(phenolate, randomSeed=1)
    path = tmp_path / "phenolate.mol"
    path.write_text(Chem.MolToMolBlock(phenolate))
    assert "charge of -1" in said(path)


@pytest.mark.parametrize("a", [15.0, 20.0, 30.0])
def test_a_crystal_without_neighbours_is_doubted(a: float) -> None:
    assert "no two of its atoms are within 6 Å" in doubtful_distance(bulk("NaCl", "rocksalt", a=a))


@pytest.mark.parametrize("side", [10.0, 20.0])
def test_a_lone_atom_in_a_box_is_doubted(side: float) -> None:
    alone = Atoms("Cl", cell=[side] * 3, pbc=True)
    assert "no image of its atom is within 6 Å of it" in doubtful_distance(alone)


def test_crystals_slabs_and_molecules_with_neighbours_are_not() -> None:
    water_in_a_box = molecule("H2O", cell=[20.0] * 3, pbc=True)
    loose = [bulk("Ar", "fcc", a=5.3), bulk("Cs", "bcc", a=6.1), bulk("NaCl", "rocksalt", a=8.0)]
    for atoms in (*loose, water_in_a_box, molecule("C6H6"), Atoms("Cl")):
        assert doubtful_distance(atoms) == ""


SALT = 5.64
"""Å, of NaCl; Na-Cl is half of it."""


@pytest.mark.parametrize(
    ("scale", "said"),
    [(0.4, "are 1.13 Å apart"), (0.5, "are 1.41 Å"), (2, "5.64 Å apart"), (8, "6 Å")],
)
def test_impossible_distances_of_objects_are_doubted_like_those_of_files(
    scale: float, said: str
) -> None:
    with pytest.warns(UserWarning, match=said):
        found = gather(bulk("NaCl", "rocksalt", a=SALT * scale))
    assert said in found.structures.warnings[0][0]
    structure = AseAtomsAdaptor.get_structure(bulk("NaCl", "rocksalt", a=SALT * scale))
    with pytest.warns(UserWarning, match=said):
        gather(structure)


@pytest.mark.parametrize(
    "atoms",
    [
        bulk("He", "hcp", a=3.57, c=5.83),
        bulk("Ne", "fcc", a=4.46),
        bulk("Xe", "fcc", a=6.13),
        bulk("Cs", "bcc", a=6.14),
        bulk("RbI", "rocksalt", a=7.34),
        bulk("Na", "fcc", a=2.75),  # at 300 GPa
        graphene(vacuum=10.0),
        Atoms("HF", [[0, 0, 0], [0, 0, 0.92]]),
        Atoms("N2", [[0, 0, 0], [0, 0, 1.1]]),
        Atoms("Ar2", [[0, 0, 0], [0, 0, 3.76]]),
    ],
    ids=lambda atoms: str(atoms.symbols),
)
def test_gases_metals_salts_and_layers_are_not(atoms: Atoms) -> None:
    assert doubtful_distance(atoms) == ""


@pytest.mark.parametrize(
    ("smiles", "length"),
    [
        ("O=O", 1.208),
        ("[O][O]", 1.208),
        ("[S][S]", 1.889),
        ("N#N", 1.098),
        ("[C-]#[O+]", 1.128),
        ("[C]=O", 1.128),
        ("[C-]#N", 1.177),
    ],
)
def test_two_atoms_are_as_far_apart_as_was_measured(smiles: str, length: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (found,) = read_structures(smiles).structures
    assert found.get_distance(0, 1) == pytest.approx(length)


def test_bonds_between_unpaired_electrons_are_said_to_be_as_written() -> None:
    assert "as far apart as the bond is written" in said("[CH2][CH2]")
    assert "as the bond is written" not in said("C[CH]C") + said("[O][O]") + said("C=C")
