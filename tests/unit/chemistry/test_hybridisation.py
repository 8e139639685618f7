"""Hybridisation of carbons as every chemist knows it."""

import pytest
from ase import Atoms
from ase.build import bulk, graphene, molecule

from atomlens.chemistry.bonds import find_bonds
from atomlens.chemistry.hybridisation import find_hybridisation
from atomlens.structures.arrays import structure_of

KNOWN = {
    "CH4": ["sp3"],
    "C2H4": ["sp2", "sp2"],
    "C2H2": ["sp", "sp"],
    "HCN": ["sp"],
    "CO2": ["sp"],
    "C6H6": ["sp2"] * 6,
    "CH3CN": ["sp3", "sp"],
    "CH3CHO": ["sp3", "sp2"],
    "bicyclobutane": ["sp3"] * 4,
}


@pytest.mark.parametrize("method", ["rdkit", "coordination"])
@pytest.mark.parametrize("name", KNOWN)
def test_carbons_are_sorted_as_in_the_textbook(name, method):
    atoms = molecule(name)
    found = find_hybridisation(structure_of(atoms), method)
    carbons = [kind for kind, z in zip(found.kinds, atoms.numbers, strict=True) if z == 6]
    assert sorted(carbons) == sorted(KNOWN[name])
    assert found.method == method


def test_other_elements_have_none():
    assert find_hybridisation(structure_of(molecule("H2O"))).kinds == ("", "", "")


def test_every_bond_is_there_twice():
    bonds = find_bonds(structure_of(molecule("CH4")))
    assert len(bonds) == 8
    assert {tuple(b) for b in bonds.tolist()} == {tuple(b[::-1]) for b in bonds.tolist()}


@pytest.mark.parametrize(
    ("atoms", "kind"), [(bulk("C", "diamond", 3.57), "sp3"), (graphene(vacuum=6), "sp2")]
)
def test_a_crystals_carbons_are_sorted_by_their_neighbours(atoms, kind):
    found = find_hybridisation(structure_of(atoms))
    assert found.kinds == (kind, kind)
    assert found.method == "coordination"


def test_a_radical_falls_back_to_its_neighbours():
    found = find_hybridisation(structure_of(Atoms("C", positions=[[0, 0, 0]])))
    assert found.kinds == ("",)
