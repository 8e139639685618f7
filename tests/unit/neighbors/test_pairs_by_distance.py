"""The nearest and radius builders against brute force."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from neighbor_cases import random_crystals, skewed

from atomlens.graphs import AtomGraph
from atomlens.neighbors import NearestBuilder, RadiusBuilder
from atomlens.structures.arrays import StructureArrays, structure_of


def brute_force(atoms: Atoms, cutoff: float) -> set[tuple[int, ...]]:
    cell, n = np.array(atoms.cell), len(atoms)
    spread = np.ptp(atoms.positions, axis=0).sum()
    heights = 1 / np.linalg.norm(np.linalg.inv(np.array(atoms.cell.complete())), axis=0)
    steps = np.where(atoms.pbc, (cutoff + spread) // heights + 1, 0).astype(int)
    images = np.array(np.meshgrid(*[range(-s, s + 1) for s in steps])).reshape(3, -1).T
    found = set()
    for i in range(n):
        for j in range(n):
            d = np.linalg.norm(atoms.positions[j] + images @ cell - atoms.positions[i], axis=1)
            for k in np.flatnonzero((d <= cutoff) & (d > 1e-6)):
                found.add((i, j, *images[k].tolist()))
    return found


def edges(graph: AtomGraph) -> set[tuple[int, ...]]:
    rows = np.column_stack([graph.edge_index[1], graph.edge_index[0], graph.images])
    return {tuple(row) for row in rows.tolist()}


def structures() -> dict[str, Atoms]:
    slab = fcc111("Al", (1, 2, 2))
    slab.rattle(0.05, seed=1)
    wire = Atoms("CO", [[0, 0, 0], [0.5, 0.2, 1.1]], cell=[0, 0, 2.2], pbc=[False, False, True])
    return {
        "crystal": bulk("NaCl", "rocksalt", a=5.64),
        "one atom": bulk("Al"),
        "skewed": skewed(bulk("Si"), 3),
        "slab": slab,
        "wire": wire,
        "molecule": molecule("CH3CH2OH"),
        "lone atom": Atoms("Ar"),
    } | {f"random {k}": atoms for k, atoms in enumerate(random_crystals(4, seed=21))}


@pytest.mark.parametrize("name", structures())
def test_all_pairs_within_the_radius_are_found(name: str) -> None:
    atoms = structures()[name]
    assert edges(RadiusBuilder(cutoff=4.3).build(atoms)) == brute_force(atoms, 4.3)


@pytest.mark.parametrize("cutoff", [3.0, 6.0, 14.0])
def test_neighbours_are_nearest_first_be_they_ten_or_two_thousand(cutoff: float) -> None:
    atoms = bulk("Cu", cubic=True).repeat((2, 2, 1))
    atoms.rattle(0.1, seed=4)
    graph = RadiusBuilder(cutoff=cutoff).build(atoms)
    for i in range(len(atoms)):
        assert (np.diff(graph.distances[graph.edge_index[1] == i].numpy()) >= 0).all()
    assert edges(graph) == brute_force(atoms, cutoff)


def test_what_was_found_stays_when_the_next_search_runs() -> None:
    first, *others = random_crystals(5, seed=5)
    for builder in (NearestBuilder(), RadiusBuilder(cutoff=4.0)):
        structure = structure_of(first)
        alone, together = (
            builder.edges(structure),
            builder.pack(StructureArrays.from_atoms([first])),
        )
        before = [{k: np.array(v) for k, v in e.parts().items()} for e in (alone, together)]
        builder.pack(StructureArrays.from_atoms(others))
        for found, old in zip((alone, together), before, strict=True):
            for name, value in found.parts().items():
                np.testing.assert_array_equal(value, old[name], err_msg=name)


def test_a_cluster_large_enough_for_boxes_gives_the_same_pairs() -> None:
    points = np.random.default_rng(0).random((600, 3)) * [30, 12, 9]
    atoms = Atoms(["C"] * 600, points)
    graph = RadiusBuilder(cutoff=2.0).build(atoms)
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    assert graph.n_edges == int((distance <= 2.0).sum()) - 600


def test_a_neighbour_exactly_at_the_cutoff_counts() -> None:
    assert RadiusBuilder(cutoff=2.82).build(bulk("NaCl", "rocksalt", a=5.64)).n_edges == 12


@pytest.mark.parametrize("name", structures())
@pytest.mark.parametrize("k", [1, 5, 12])
def test_the_nearest_neighbours_are_the_k_shortest_pairs(name: str, k: int) -> None:
    atoms = structures()[name]
    nearest = NearestBuilder(n_neighbors=k, cutoff=6.0).build(atoms)
    everything = RadiusBuilder(cutoff=6.0).build(atoms)
    assert edges(nearest) <= edges(everything)
    for i in range(len(atoms)):
        ours = nearest.distances[nearest.edge_index[1] == i]
        all_of_them = everything.distances[everything.edge_index[1] == i]
        np.testing.assert_allclose(ours, all_of_them[:k], atol=1e-9)


def test_ties_are_broken_by_image_then_index() -> None:
    graph = NearestBuilder(n_neighbors=3).build(bulk("NaCl", "rocksalt", a=5.64))
    of_sodium = graph.edge_index[1] == 0
    chosen = sorted(graph.images[of_sodium].tolist())
    shell = RadiusBuilder(cutoff=2.9).build(bulk("NaCl", "rocksalt", a=5.64))
    assert chosen == sorted(shell.images[shell.edge_index[1] == 0].tolist())[:3]


def test_rounding_does_not_decide_a_tie() -> None:
    exact = bulk("NaCl", "rocksalt", a=5.64)
    noisy = exact.copy()
    noisy.positions += np.random.default_rng(1).normal(0, 1e-9, (2, 3))
    builder = NearestBuilder(n_neighbors=4)
    assert edges(builder.build(exact)) == edges(builder.build(noisy))


def test_the_whole_shell_is_kept_on_request() -> None:
    graph = NearestBuilder(n_neighbors=4, keep_shell=True).build(bulk("NaCl", "rocksalt", a=5.64))
    assert np.bincount(graph.edge_index[1]).tolist() == [6, 6]
    aluminium = NearestBuilder(n_neighbors=13, keep_shell=True).build(bulk("Al"))
    assert aluminium.n_edges == 18


def test_an_atom_with_few_neighbours_keeps_what_it_has() -> None:
    graph = NearestBuilder(n_neighbors=12, cutoff=3.0).build(molecule("H2O"))
    assert np.bincount(graph.edge_index[1]).tolist() == [2, 2, 2]


def test_padding_fills_up_with_the_first_atom_beyond_the_cutoff() -> None:
    graph = NearestBuilder(n_neighbors=5, cutoff=3.0, pad=True).build(molecule("H2O"))
    assert np.bincount(graph.edge_index[1]).tolist() == [5, 5, 5]
    padded = graph.distances > 3.0
    assert int(padded.sum()) == 9
    assert set(graph.distances[padded].tolist()) == {4.0}
    assert set(graph.edge_index[0][padded].tolist()) == {0}
    assert not graph.edge_vectors[padded].any()


def test_a_lone_atom_has_no_neighbours() -> None:
    for builder in (NearestBuilder(), RadiusBuilder()):
        graph = builder.build(Atoms("Ar", [[1, 2, 3]]))
        assert (graph.n_nodes, graph.n_edges) == (1, 0)
