"""Crystals whose 12th and 13th neighbour are equally far: bcc (8 + 6), and fcc, where 12 fit."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, make_supercell

from atomlens.graphs import AtomGraph
from atomlens.neighbors import NearestBuilder, kernels
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
    cut = [True, True, False, False, False, False]
    assert cut_shells(NearestBuilder(), crystals) == cut
    assert not any(cut_shells(NearestBuilder(keep_shell=True), crystals))
    assert not any(cut_shells(NearestBuilder(n_neighbors=14), crystals))


@pytest.mark.parametrize("compiled", [True, False])
def test_single_graphs_and_padded_ones_know_of_cut_shells_too(
    compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernels, "worth_compiling", lambda *_: compiled)
    crystals = [perovskite([0, 1, 2, 3, 4]), bulk("Fe", "bcc", a=IRON)]
    for builder in (NearestBuilder(), NearestBuilder(pad=True, cutoff=2.5)):
        expected = [builder.cutoff > 4, False]
        assert [bool(builder.build(one).fields["cut_shell"]) for one in crystals] == expected
        assert cut_shells(builder, crystals) == expected


@pytest.mark.parametrize("n", [2, 3, 4])
def test_a_cut_shell_is_found_where_the_room_for_pairs_must_grow(n: int) -> None:
    """Of k = 3 an atom of rocksalt leaves out 3 of 6 alike, and k = 1 leaves out more than k."""
    large = perovskite([0, 1, 2, 3, 4]).repeat(n)
    twisted = large.copy()
    twisted.symbols[-1] = "F"
    salt = bulk("NaCl", "rocksalt", a=5.64, cubic=True).repeat(n)
    for k in (1, 3, 12):
        builder = NearestBuilder(n_neighbors=k)
        expected = [one_by_one_is_cut(builder, one) for one in (large, twisted, salt)]
        assert cut_shells(builder, [large, twisted, salt]) == expected
        assert not expected[2]


def one_by_one_is_cut(builder: NearestBuilder, atoms: Atoms) -> bool:
    """The same from the graph with whole shells, in numpy: some at the last distance are unlike."""
    graph = replace(builder, keep_shell=True).build(atoms)
    (source, target), lengths = graph.edge_index.numpy(), graph.distances.numpy()
    numbers = graph.atomic_numbers.numpy()
    around = np.bincount(target, numbers[source] * np.exp(-lengths), minlength=len(numbers))
    for i in range(len(numbers)):
        own = np.flatnonzero(target == i)
        if len(own) > builder.n_neighbors:
            tied = source[own[lengths[own] > lengths[own].max() - 2e-5]]
            if np.ptp(1e4 * numbers[tied] + around[tied]) > 1e-2:
                return True
    return False


def cut_shells(builder: NearestBuilder, crystals: list[Atoms]) -> list[bool]:
    arrays = StructureArrays.from_structures([structure_of(one) for one in crystals])
    found = builder.pack(arrays).fields["cut_shell"]
    return [bool(one) for one in found]
