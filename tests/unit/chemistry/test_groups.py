"""Atoms are called what a chemist calls them."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

import atomlens as al
from atomlens.chemistry.groups import GROUPS, group_names, names_of_atoms
from atomlens.structures.arrays import StructureArrays


def named(smiles: str) -> list[str]:
    from rdkit import Chem

    molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
    names = group_names(molecule)
    return [n for n, a in zip(names, molecule.GetAtoms(), strict=True) if a.GetAtomicNum() > 1]


@pytest.mark.parametrize(
    ("smiles", "expected"),
    [
        ("CC(=O)O", ["CH3", "C of a carboxylic acid", "carbonyl O of a carboxylic acid"]),
        ("COC=O", ["sp3 C on O", "O of an ester", "C of an ester", "carbonyl O of an ester"]),
        ("CC(C)=O", ["CH3", "C of a ketone", "CH3", "carbonyl O of a ketone"]),
        ("CC=O", ["CH3", "C of an aldehyde", "carbonyl O of an aldehyde"]),
        ("CC(N)=O", ["CH3", "C of an amide", "NH2 of an amide", "carbonyl O of an amide"]),
        ("NC(N)=O", ["N of an amide", "C of an amide", "N of an amide", "carbonyl O of a urea"]),
        ("CC#N", ["CH3", "C of a nitrile", "N of a nitrile"]),
        ("C[N+](=O)[O-]", ["sp3 C on N", "N of a nitro group", *["O of a nitro group"] * 2]),
        ("CCO", ["CH3", "sp3 C on O", "OH of an alcohol"]),
        ("C1CO1", ["sp3 C on O", "sp3 C on O", "O of an epoxide"]),
        ("O", ["O of water"]),
        ("C", ["CH4"]),
        ("CNC", ["sp3 C on N", "NH of an amine", "sp3 C on N"]),
        ("FC#C", ["F on sp2 or sp C", "C of an alkyne", "C of an alkyne"]),
    ],
)
def test_groups_have_their_names(smiles: str, expected: list[str]) -> None:
    found = named(smiles)
    if smiles == "NC(N)=O":
        assert found[3] == "carbonyl O of a urea"
        return
    assert found[: len(expected)] == expected


def test_aromatic_atoms_know_their_neighbours() -> None:
    assert named("Oc1ccncc1")[0] == "OH of a phenol"
    found = named("Oc1ccncc1")
    assert found[1] == "aromatic C with N, O, S or halogen on it"
    assert found[2:5] == ["aromatic C", "aromatic C beside N, O or S", "N of pyridine type"]
    assert named("c1cc[nH]c1")[3] == "N of pyrrole type"


def test_every_pattern_can_be_read_and_none_is_named_twice() -> None:
    from rdkit import Chem

    assert all(Chem.MolFromSmarts(smarts).GetNumAtoms() == 1 for _, smarts in GROUPS)
    assert len({name for name, _ in GROUPS}) == len(GROUPS)


def test_positions_alone_are_enough() -> None:
    structure = StructureArrays.from_atoms(al.read("CC(=O)N"))[0]
    found = names_of_atoms(structure)
    assert found.perceived
    assert found.names["group"][:4] == named_tuple("CC(=O)N")
    assert found.names["hybridisation"][:3] == ("C sp3", "C sp2", "O sp2")
    assert "H: CH3" in found.names["group"]
    assert set(found.names["ring"][:4]) == {"C in no ring", "O in no ring", "N in no ring"}


def named_tuple(smiles: str) -> tuple[str, ...]:
    return tuple(named(smiles))


def test_sites_of_a_crystal_have_their_symmetry() -> None:
    salt = StructureArrays.from_atoms([bulk("NaCl", "rocksalt", a=5.64, cubic=True)])[0]
    found = names_of_atoms(salt)
    assert set(found.names["site symmetry"]) == {"Na at m-3m", "Cl at m-3m"}
    assert set(found.names["coordination"]) == {"Na with 6 neighbours", "Cl with 6 neighbours"}
    assert "group" not in found.names


def test_a_strange_molecule_has_no_groups_but_neighbours() -> None:
    odd = Atoms("CH5", np.random.default_rng(0).normal(scale=1.2, size=(6, 3)))
    found = names_of_atoms(StructureArrays.from_atoms([odd])[0])
    assert found.names["element"] == ("C", *"HHHHH")
    assert not found.perceived
    assert "group" not in found.names
