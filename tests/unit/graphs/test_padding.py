"""Batches of a fixed size: the real graphs are as they were, and one made-up graph fills them."""

import numpy as np
import pytest
import torch

from atomlens.graphs import FIELDS, GraphStore
from atomlens.graphs.fields import GraphField, Scope
from atomlens.graphs.padding import ABSENT, Capacity, PaddedCutter, counts_of, smallest_graph
from graph_makers import lone_atom, random_graph


def store() -> GraphStore:
    graphs = [random_graph(3 + s, 1 + s % 4, seed=s, dtype=torch.float32) for s in range(8)]
    return GraphStore.from_graphs([*graphs, lone_atom()])


CAPACITY = Capacity(n_graphs=3, n_nodes=64, n_edges=128)


def test_real_graphs_are_those_of_an_ordinary_batch() -> None:
    rows = torch.tensor([5, 0, 7])
    plain, filled = store().batch(rows), PaddedCutter(store(), CAPACITY)(rows)
    n, m = plain.n_nodes, plain.n_edges
    assert torch.equal(filled.atomic_numbers[:n], plain.atomic_numbers)
    assert torch.equal(filled.graph_index[:n], plain.graph_index)
    assert torch.equal(filled.node_counts[:3], plain.node_counts)
    assert torch.equal(filled.edge_index[:, :m], plain.edge_index)
    assert torch.equal(filled.distances[:m], plain.distances)
    sizes = {"node": n, "edge": m, "graph": 3}
    assert set(plain.fields) == set(filled.fields)
    for name, values in plain.fields.items():
        assert torch.equal(filled.fields[name][: sizes[FIELDS[name].scope]], values), name


@pytest.mark.parametrize("rows", [[0, 1, 2], [7, 7, 7], [8, 8, 8], [ABSENT, 3, ABSENT]])
def test_every_batch_has_the_same_shape_and_stays_a_sound_batch(rows: list[int]) -> None:
    batch = PaddedCutter(store(), CAPACITY)(torch.tensor(rows))
    assert (batch.n_graphs, batch.n_nodes, batch.n_edges) == (4, 64, 128)
    assert batch.node_counts.sum() == 64
    assert (batch.node_counts > 0).all()
    assert torch.equal(batch.graph_index, torch.arange(4).repeat_interleave(batch.node_counts))
    source, target = batch.edge_index
    assert (target.diff() >= 0).all()
    assert torch.equal(batch.graph_index[source], batch.graph_index[target])
    assert all(values.isfinite().all() for values in batch.fields.values())


def test_made_up_edges_are_spread_over_the_made_up_nodes() -> None:
    batch = PaddedCutter(store(), CAPACITY)(torch.tensor([0, 1, 2]))
    targets = batch.edge_index[1][batch.graph_index[batch.edge_index[1]] == 3]
    n_nodes = int(batch.node_counts[3])
    assert torch.bincount(targets).max() <= -(-len(targets) // n_nodes)


def test_the_made_up_graph_holds_what_the_table_of_fields_says() -> None:
    """Hydrogens whose neighbours are as far as their vectors are long."""
    batch = PaddedCutter(store(), CAPACITY)(torch.tensor([0, 1, 2]))
    made_up = {"node": batch.graph_index == 3, "graph": torch.arange(4) == 3}
    made_up["edge"] = made_up["node"][batch.edge_index[1]]
    assert (batch.atomic_numbers[made_up["node"]] == 1).all()
    assert batch.edge_vectors is not None
    lengths = batch.edge_vectors.norm(dim=1)
    torch.testing.assert_close(batch.distances[made_up["edge"]], lengths[made_up["edge"]])
    assert {FIELDS[name].scope for name in batch.fields} == {"node", "edge", "graph"}
    for name, values in batch.fields.items():
        own = values[made_up[FIELDS[name].scope]]
        assert len(own) > 0, name
        assert (own == FIELDS[name].filler).all(), name


@pytest.mark.parametrize("scope", ["node", "edge", "graph"])
def test_a_field_from_outside_is_filled_as_it_says(
    scope: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FIELDS, "mine", GraphField(scope=scope, meaning="of a test", filler=7.0))
    graphs = [random_graph(4, 2, seed=s, dtype=torch.float32) for s in range(3)]
    shapes = {"node": (4,), "edge": (graphs[0].n_edges,), "graph": ()}
    held = GraphStore.from_graphs(g.with_fields(mine=torch.ones(shapes[scope])) for g in graphs)
    batch = PaddedCutter(held, CAPACITY)(torch.tensor([0, 1, 2]))
    n_real = {"node": 12, "edge": 3 * graphs[0].n_edges, "graph": 3}[scope]
    mine = batch.fields["mine"]
    assert (mine[:n_real] == 1).all()
    assert (mine[n_real:] == 7).all()
    assert len(mine) > n_real


def test_an_absent_row_is_the_smallest_graph() -> None:
    rows = torch.tensor([4, ABSENT, 2])
    batch = PaddedCutter(store(), CAPACITY)(rows)
    assert smallest_graph(*counts_of(store())) == 8  # the lone atom
    assert batch.node_counts[1] == 1


def test_random_batches_fit_and_little_is_wasted() -> None:
    generator = np.random.default_rng(0)
    nodes = generator.integers(8, 29, 20_000)
    edges = nodes * generator.integers(3, 6, 20_000)
    capacity = Capacity.of(nodes, edges, 256)
    rows = generator.integers(0, 20_000, (2_000, 256))
    assert capacity.fits(nodes[rows], edges[rows]).all()
    assert capacity.n_nodes < 1.12 * 256 * nodes.mean()
    assert capacity.n_edges < 1.12 * 256 * edges.mean()


def test_there_is_room_for_one_huge_graph_among_small_ones() -> None:
    nodes = np.append(np.full(5_000, 10), 900)
    capacity = Capacity.of(nodes, 4 * nodes, 32)
    rows = np.append(np.arange(31), 5_000)[np.newaxis]
    assert capacity.fits(nodes[rows], 4 * nodes[rows]).all()


def test_graphs_without_any_neighbours_need_no_room_for_them() -> None:
    lonely = GraphStore.from_graphs([lone_atom(), lone_atom()])
    capacity = Capacity.of(*counts_of(lonely), 2)
    batch = PaddedCutter(lonely, capacity)(torch.tensor([0, 1]))
    assert capacity.n_edges == 0
    assert batch.n_edges == 0
