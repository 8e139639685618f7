"""Several molecules in one structure are told by a model that learned from single ones."""

import warnings
from dataclasses import replace

import pytest
from ase import Atoms
from ase.build import bulk, molecule

import atomlens as al
from atomlens.chemistry.boxes import n_molecules
from atomlens.predictor import Predictor, load
from atomlens.structures.arrays import structure_of

SAID = "it consists of 2 molecules that no bond joins"


@pytest.fixture(scope="module")
def qm9() -> Predictor:
    return load("qm9")


def pair(one: Atoms, other: Atoms, apart: float) -> Atoms:
    moved = other.copy()
    moved.positions[:, 0] += apart + one.positions[:, 0].max() - other.positions[:, 0].min()
    return one + moved


def stretched(name: str, by: float) -> Atoms:
    atoms = molecule(name)
    atoms.positions *= by
    return atoms


WATER, BENZENE = molecule("H2O"), molecule("C6H6")


@pytest.mark.parametrize("apart", [2.6, 3.0, 8.0])
@pytest.mark.parametrize("other", [WATER, BENZENE])
def test_molecules_that_no_bond_joins_are_counted(other: Atoms, apart: float) -> None:
    assert n_molecules(structure_of(pair(WATER, other, apart))) == 2


@pytest.mark.parametrize(
    "atoms",
    [
        *(
            molecule(name)
            for name in ("CH3CH2OH", "C6H6", "Si2H6", "LiF", "SO2", "butadiene", "P2")
        ),
        stretched("CH3CH2OH", 1.25),
        stretched("H2", 2.0),
        Atoms("Ar2", [[0, 0, 0], [0, 0, 3.8]]),
        Atoms("Na2Cl2", [[0, 0, 0], [2.6, 2.6, 0], [2.6, 0, 0], [0, 2.6, 0]]),
        bulk("NaCl", "rocksalt", a=5.64, cubic=True),
    ],
)
def test_loose_and_ionic_ones_are_one(atoms: Atoms) -> None:
    assert n_molecules(structure_of(atoms)) == 1


def test_a_hydrogen_bond_inside_a_molecule_makes_no_two() -> None:
    for smiles in ("OC(=O)CC(=O)O", "Oc1ccccc1C(=O)O", "OCCO"):
        assert n_molecules(structure_of(al.structures.to_atoms(smiles))) == 1


def test_a_model_of_single_molecules_says_so_and_others_do_not(qm9: Predictor) -> None:
    dimer = pair(WATER, WATER, 8.0)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        found = qm9.predict([dimer, WATER])
    (said,) = [str(one.message) for one in heard if "mistrusted" in str(one.message)]
    assert said.startswith("1 of 2 answers should be mistrusted: ")
    assert SAID in said
    assert SAID in found.warnings[0]
    assert "no bond joins" not in found.warnings[1]
    used_to = replace(qm9, record=replace(qm9.record, single_molecules=False))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert "no bond joins" not in used_to.predict(dimer).warnings[0]
        assert "no bond joins" not in qm9.predict("CCO.O").warnings[0]  # its reader says it


def test_a_training_notes_whether_its_molecules_were_single(tmp_path) -> None:
    def noted(smiles: list[str]) -> bool | None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = {"smiles": smiles, "y": [float(len(text)) for text in smiles]}
            model = al.train(table, target="y", model="ridge", split="random:.7/.3/0")
            model.save(tmp_path / str(len(smiles[0])))
            return load(tmp_path / str(len(smiles[0]))).record.single_molecules

    assert noted(["C" * n for n in range(1, 21)]) is True
    assert noted(["C" * n + ".CO" for n in range(1, 21)]) is False
