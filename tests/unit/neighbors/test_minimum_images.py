"""The radius builder with one edge a pair of atoms, and reduced formulas."""

import numpy as np
import pytest
from ase import Atoms
from ase.spacegroup import crystal

from atomlens.errors import SettingsError
from atomlens.neighbors import build_store, make_builder
from atomlens.structures.arrays import StructureArrays


def strontium_titanate() -> Atoms:
    places = [(0.5, 0.5, 0.5), (0, 0, 0), (0.5, 0, 0)]
    return crystal(["Sr", "Ti", "O"], places, spacegroup=221, cellpar=[3.905] * 3 + [90] * 3)


def test_strontium_titanate_has_every_pair_once_within_4_angstrom() -> None:
    graph = make_builder("radius", cutoff=4.0, images="minimum").build(strontium_titanate())
    pairs = set(map(tuple, graph.edge_index.T.tolist()))
    assert graph.n_edges == len(pairs) == 20
    assert all(a != b for a, b in pairs)
    nearest = {}
    symbols = ["Sr", "Ti", "O", "O", "O"]
    for (a, b), distance in zip(graph.edge_index.T.tolist(), graph.distances.tolist(), strict=True):
        nearest["".join(sorted(symbols[a] + symbols[b]))] = distance
    expected = [3.905 / 2, 3.905 / 2**0.5, 3.905 / 2**0.5, 3.905 * 3**0.5 / 2]
    np.testing.assert_allclose(sorted(nearest.values()), expected)


def test_minimum_images_are_those_of_the_distance_matrix() -> None:
    random = np.random.default_rng(4)
    atoms = Atoms("Si7", scaled_positions=random.random((7, 3)), cell=[4.1, 5.3, 6.2], pbc=True)
    graph = make_builder("radius", cutoff=3.0, images="minimum").build(atoms)
    distances = atoms.get_all_distances(mic=True)
    expected = np.where((distances > 0) & (distances <= 3.0), distances, 0)
    found = np.zeros((7, 7))
    found[graph.edge_index[1], graph.edge_index[0]] = graph.distances
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_packed_structures_have_the_minimum_images_of_single_ones() -> None:
    builder = make_builder("radius", cutoff=4.0, images="minimum")
    salt = crystal(
        "NaCl", [(0, 0, 0), (0.5, 0.5, 0.5)], spacegroup=225, cellpar=[5.64] * 3 + [90] * 3
    )
    lone = Atoms("Fe", cell=[2.5] * 3, pbc=True)
    several = [strontium_titanate(), lone, salt]
    store = build_store(StructureArrays.from_atoms(several), builder).store
    graphs = [builder.build(atoms) for atoms in several]
    assert store.edge_counts.tolist() == [g.n_edges for g in graphs] == [20, 0, 8 * (3 + 3)]
    np.testing.assert_allclose(
        store.distances.numpy(), np.concatenate([g.distances for g in graphs]), rtol=1e-6
    )


def test_an_unknown_choice_of_images_names_the_known() -> None:
    with pytest.raises(SettingsError, match="Did you mean 'minimum'"):
        make_builder("radius", images="minimal")


def test_reduced_formulas_have_the_smallest_whole_numbers() -> None:
    graph = make_builder("formula", reduce=True).build(Atoms("Cu4Ag4O6", info={"is_formula": True}))
    assert graph.atomic_numbers.tolist() == [8, 29, 47]
    assert graph.node_weights.tolist() == [3, 2, 2]


def test_a_single_atom_of_an_element_is_not_joined_to_itself() -> None:
    graph = make_builder("formula").build(Atoms("TiO2", info={"is_formula": True}))
    assert graph.edge_index.tolist() == [[0, 1, 0], [0, 0, 1]]
    assert make_builder("formula").build(Atoms("Fe", info={"is_formula": True})).n_edges == 0
