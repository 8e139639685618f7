"""Crystals whose 12th and 13th neighbour are equally far: bcc (8 + 6), and fcc, where 12 fit."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, make_supercell

from atomlens.graphs import AtomGraph
from atomlens.neighbors import NearestBuilder
from atomlens.structures.arrays import StructureArrays, structure_of

IRON, COPPER = 2.866, 3.615


def rotated(atoms: Atoms) -> Atoms:
    turned = atoms.copy()
    turned.rotate(37.0, (1, 2, 3), rotate_cell=True)
    return turned


def shells(graph: AtomGraph) -> list[list[float]]:
    """Distances of the neighbours of each atom, Å."""
    targets, distances = graph.edge_index[1], graph.distances
    n_atoms = int(targets.max()) + 1
    return [sorted(distances[targets == i].round(decimals=6).tolist()) for i in range(n_atoms)]


def pairs(graph: AtomGraph) -> set[tuple[int, ...]]:
    """Source, target and lattice translation of every edge."""
    assert graph.images is not None
    rows = [*graph.edge_index.tolist(), *graph.images.T.tolist()]
    return set(zip(*rows, strict=True))


@pytest.mark.parametrize("turn", [lambda atoms: atoms, rotated])
def test_the_whole_second_shell_of_bcc_is_kept_on_request(turn) -> None:
    graph = NearestBuilder(keep_shell=True).build(turn(bulk("Fe", "bcc", a=IRON)))
    expected = [IRON * 3**0.5 / 2] * 8 + [IRON] * 6
    assert shells(graph)[0] == pytest.approx(expected, abs=1e-5)


def test_with_the_whole_shell_every_cell_of_bcc_gives_the_same_neighbours() -> None:
    builder = NearestBuilder(keep_shell=True)
    primitive, cubic = bulk("Fe", "bcc", a=IRON), bulk("Fe", "bcc", a=IRON, cubic=True)
    skewed = make_supercell(cubic, [[1, 0, 0], [1, 1, 0], [0, 2, 1]])
    (one,) = shells(builder.build(primitive))
    for cell in (cubic, skewed, cubic.repeat((2, 1, 3))):
        for neighbours in shells(builder.build(cell)):
            assert neighbours == pytest.approx(one, abs=1e-5)


def test_the_whole_shell_is_symmetric_its_vectors_cancel() -> None:
    graph = NearestBuilder(keep_shell=True).build(rotated(bulk("Fe", "bcc", a=IRON)))
    assert graph.edge_vectors is not None
    np.testing.assert_allclose(graph.edge_vectors.sum(dim=0).numpy(), 0.0, atol=1e-5)


def test_twelve_of_bcc_are_the_first_shell_and_four_of_the_second() -> None:
    graph = NearestBuilder().build(bulk("Fe", "bcc", a=IRON, cubic=True))
    expected = [IRON * 3**0.5 / 2] * 8 + [IRON] * 4
    for neighbours in shells(graph):
        assert neighbours == pytest.approx(expected, abs=1e-5)


def test_the_cut_through_a_shell_is_the_same_every_time_and_for_turned_crystals() -> None:
    atoms = bulk("Fe", "bcc", a=IRON, cubic=True)
    first, again, turned = (
        NearestBuilder().build(a) for a in (atoms, atoms.copy(), rotated(atoms))
    )
    assert pairs(first) == pairs(again) == pairs(turned)


@pytest.mark.parametrize("turn", [lambda atoms: atoms, rotated])
def test_twelve_of_fcc_are_one_whole_shell(turn) -> None:
    graph = NearestBuilder().build(turn(bulk("Cu", "fcc", a=COPPER)))
    assert shells(graph)[0] == pytest.approx([COPPER / 2**0.5] * 12, abs=1e-5)
    assert graph.edge_vectors is not None
    np.testing.assert_allclose(graph.edge_vectors.sum(dim=0).numpy(), 0.0, atol=1e-5)


def perovskite(order: list[int]) -> Atoms:
    """SrTiO3, whose oxygens have two Ti and, equally far, four Sr and eight O."""
    places = [(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)]
    atoms = Atoms("SrTiO3", scaled_positions=places, cell=[3.905] * 3, pbc=True)
    return atoms[order]


def test_a_shell_of_unlike_neighbours_that_is_cut_is_found() -> None:
    crystals = [
        perovskite([0, 1, 2, 3, 4]),
        perovskite([4, 2, 0, 3, 1]),
        bulk("Fe", "bcc", a=IRON),
        bulk("NaCl", "rocksalt", a=5.64),
        bulk("Cu", "fcc", a=COPPER),
        Atoms("Sr"),
    ]
    arrays = StructureArrays.from_structures([structure_of(one) for one in crystals])
    cut = [True, True, False, False, False, False]
    assert NearestBuilder().cut_shells(arrays).tolist() == cut
    assert not NearestBuilder(keep_shell=True).cut_shells(arrays).any()
    assert not NearestBuilder(n_neighbors=14).cut_shells(arrays).any()
