"""A SMILES may stand for several molecules; that one of them was made is said once."""

import warnings

import pytest
from ase.build import molecule

from atomlens.structures import read_structures
from atomlens.structures.forms import REFUSE
from atomlens.structures.options import FormsHeard
from atomlens.structures.smiles import is_open


@pytest.mark.parametrize(
    "smiles",
    [
        "ClC=CCl",
        "CC=NO",
        "OC(C)C(C)F",
        "CC1CCC(O)CC1",
        "F[C@H](C)C(O)CC",
        "CCN=NCC",
        "CC=C1CCC(C)C1",
    ],
)
def test_isomers_with_other_distances_are_open(smiles):
    assert is_open(smiles)


@pytest.mark.parametrize(
    "smiles",
    r"Cl/C=C\Cl C=CC CC(F)O C1CC2CCC1C2 C1=CCCCC1 NC(=N)C CC=C=CC CC=[N+]=[N-] "
    "C12C3C4C1C5C2C3C45 F[C@H](C)[C@@H](O)CC CN(C)CC c1ccccc1 nothing CN=C(N)N".split(),
)
def test_mirror_images_and_what_has_no_choice_are_not(smiles):
    assert not is_open(smiles)


def test_how_many_were_open_is_said_once_a_call():
    with pytest.warns(UserWarning, match=r"2 SMILES, such as ClC=CCl, leave a double") as heard:
        read_structures(["ClC=CCl", "CCO", "ClC=CCl", "FC=CF"])
    assert len([w for w in heard if "isomer" in str(w.message)]) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_structures(["Cl/C=C/Cl", "CC(F)O"])


def test_coordinates_of_ones_own_are_not_doubted():
    atoms = molecule("trans-butane")
    atoms.info["smiles"] = "CC=CC"
    heard = FormsHeard(REFUSE)
    heard.hear([atoms])
    assert heard.isomers() == ""


def test_shapes_of_an_open_bond_may_be_of_both_isomers():
    with pytest.warns(UserWarning, match="shapes may be those of several isomers"):
        read_structures(["ClC=CCl"], conformers=4)


@pytest.mark.parametrize(
    "smiles",
    [
        "C1CC2OC2C1",
        "C1CCC2CC2C1",
        "C1C2CC12",
        "COP(=O)(O)OP(=O)(O)OC",
        "Nc1ncnc2c1ncn2[C@@H]1O[C@H](COP(=O)(O)OP(=O)(O)O)[C@@H](O)[C@H]1O",
        "CC1=C(CSCCNC(NC)=NC#N)N=CN1",
    ],
)
def test_small_fused_rings_phosphates_and_guanidines_have_no_choice(smiles: str) -> None:
    assert not is_open(smiles)


@pytest.mark.parametrize("smiles", ["OC1CC2OC2C1", "CC1CC1C", "CC(=NO)CC", "CCC(C)=NN(C)C"])
def test_substituents_of_small_rings_and_oximes_have_one(smiles: str) -> None:
    assert is_open(smiles)
