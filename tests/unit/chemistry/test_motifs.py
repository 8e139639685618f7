"""Kinds of atoms in small periodic structures whose bonds are known."""

import time

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, graphene, molecule

from atomlens.chemistry.bonds import Bonds, find_framework_bonds
from atomlens.chemistry.motifs import atoms_in_rings, element_classes, graph_classes
from atomlens.structures.arrays import Structure, structure_of


def boxed(name: str, side: float = 9.0) -> Structure:
    """A molecule in a periodic box, moved so that the cell's faces cut through it."""
    atoms = molecule(name, cell=[side] * 3, pbc=True)
    atoms.wrap()
    return structure_of(atoms)


def polyyne(n_cells: int = 1) -> Structure:
    """An infinite chain of carbons along x."""
    atoms = Atoms("C2", positions=[[0, 0, 0], [1.28, 0, 0]], cell=[2.56, 9, 9], pbc=True)
    return structure_of(atoms.repeat((n_cells, 1, 1)))


def kinds(structure: Structure, **options: int) -> dict[str, set[str]]:
    """Return the places of each element's atoms."""
    places = graph_classes(structure, **options)
    symbols = structure.atomic_numbers
    return {int(z): set(places[symbols == z].tolist()) for z in np.unique(symbols)}


def test_benzene_in_a_periodic_box_is_a_ring_with_leaves() -> None:
    assert kinds(boxed("C6H6")) == {6: {"ring"}, 1: {"leaf"}}


def test_a_ring_of_seven_is_none_if_six_is_the_largest() -> None:
    angles = 2 * np.pi * np.arange(7) / 7
    radius = 1.4 / (2 * np.sin(np.pi / 7))
    positions = radius * np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1)
    ring = structure_of(Atoms("C7", positions=positions, cell=[9] * 3, pbc=True))
    assert kinds(ring, largest_ring=7) == {6: {"ring"}}
    assert kinds(ring, largest_ring=6) == {6: {"chain"}}


@pytest.mark.parametrize("n_cells", [1, 2, 4])
def test_a_chain_through_the_cell_is_no_ring(n_cells: int) -> None:
    assert kinds(polyyne(n_cells)) == {6: {"chain"}}


def test_a_chain_of_one_atom_a_cell_is_no_ring() -> None:
    lone = structure_of(Atoms("C", cell=[1.3, 9, 9], pbc=True))
    assert len(find_framework_bonds(lone).ends) == 2
    assert kinds(lone) == {6: {"chain"}}


def test_the_hexagons_of_graphene_close_across_the_cell() -> None:
    sheet = graphene(vacuum=5.0)
    sheet.pbc = True
    assert len(sheet) == 2
    assert kinds(structure_of(sheet)) == {6: {"ring"}}
    assert kinds(structure_of(sheet), largest_ring=5) == {6: {"chain"}}


def test_the_six_rings_of_diamond_are_found_in_two_atoms() -> None:
    assert kinds(structure_of(bulk("C"))) == {6: {"ring"}}


def test_a_molecule_without_cell_has_the_same_places_as_in_a_box() -> None:
    free = graph_classes(structure_of(molecule("C6H6")))
    assert (free == graph_classes(boxed("C6H6"))).all()


@pytest.mark.parametrize("name", ["CH3CH2OH", "C6H6", "C5H5N"])
def test_a_doubled_cell_changes_no_place(name: str) -> None:
    one = boxed(name)
    atoms = Atoms(one.atomic_numbers, one.positions, cell=one.cell, pbc=True)
    twice = graph_classes(structure_of(atoms.repeat((2, 1, 1))))
    assert (twice == np.tile(graph_classes(one), 2)).all()


def test_the_bond_between_two_rings_makes_no_ring() -> None:
    bonds = [(0, 1), (1, 2), (2, 0), (2, 3), (3, 4), (4, 5), (5, 6), (6, 4)]
    both = np.array(bonds + [(b, a) for a, b in bonds])
    found = atoms_in_rings(7, Bonds(both, np.zeros((len(both), 3), dtype=np.int64)))
    assert found.tolist() == [True, True, True, False, True, True, True]


def test_a_ring_that_closes_through_a_metal_is_none() -> None:
    """Copper between the nitrogens of an ethylenediamine: a chelate of five."""
    places = [[0, 0, 0], [1.35, 1.35, 0], [2.55, 0.75, 0], [2.55, -0.75, 0], [1.35, -1.35, 0]]
    chelate = structure_of(Atoms("CuNCCN", positions=places))
    assert len(find_framework_bonds(chelate).ends) == 10
    assert kinds(chelate) == {29: {"metal node"}, 7: {"chain"}, 6: {"chain"}}


def test_an_oxide_between_metals_belongs_to_the_node_and_a_carboxylate_does_not() -> None:
    places = [[0, 0, 0], [1.9, 0, 0], [-1.9, 0, 0], [3.1, 0.2, 0], [3.7, 1.1, 0], [3.7, -1.1, 0]]
    atoms = Atoms("OZn2COO", positions=places)
    atoms.positions[3:] += [1.9, 0, 0]
    assert graph_classes(structure_of(atoms))[:3].tolist() == ["metal node"] * 3
    oxygens = graph_classes(
        structure_of(Atoms("ZnOCO", [[0, 0, 0], [2, 0, 0], [3.2, 0, 0], [4.4, 0, 0]]))
    )
    assert oxygens.tolist() == ["metal node", "chain", "chain", "leaf"]


def test_a_lone_atom_is_isolated() -> None:
    assert graph_classes(structure_of(Atoms("Ar", cell=[9] * 3, pbc=True))).tolist() == ["isolated"]


def test_elements_have_their_kinds() -> None:
    symbols = ["Cu", "C", "N", "O", "H", "Cl", "S", "Si", "U", "Xe"]
    structure = structure_of(Atoms(symbols, positions=np.eye(10, 3) * 9))
    expected = ["metal", "C", "N", "O", "H", "halogen", "other", "other", "metal", "other"]
    assert element_classes(structure).tolist() == expected


def test_768_atoms_in_a_cell_take_seconds_at_most() -> None:
    """CPU seconds, and many of them: for a method that grows with the square of the atoms."""
    one = boxed("C6H6", side=6.5)
    atoms = Atoms(one.atomic_numbers, one.positions, cell=one.cell, pbc=True).repeat((4, 4, 4))
    large = structure_of(atoms)
    start = time.process_time()
    assert set(graph_classes(large).tolist()) == {"ring", "leaf"}
    assert len(large.atomic_numbers) == 768
    assert time.process_time() - start < 60.0
