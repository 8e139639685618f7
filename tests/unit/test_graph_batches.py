import copy
import pickle
from dataclasses import fields, replace

import pytest
import torch

from atomlens.graphs import AtomGraph, GraphBatch, GraphStore, collate
from atomlens.graphs import store as store_module


def random_graph(n_nodes: int, n_edges: int, seed: int, weighted: bool = False) -> AtomGraph:
    generator = torch.Generator().manual_seed(seed)
    target = torch.randint(n_nodes, (n_edges,), generator=generator).sort().values
    return AtomGraph(
        atomic_numbers=torch.randint(1, 90, (n_nodes,), generator=generator),
        edge_index=torch.stack([torch.randint(n_nodes, (n_edges,), generator=generator), target]),
        distances=torch.rand(n_edges, generator=generator),
        edge_vectors=torch.randn(n_edges, 3, generator=generator),
        images=torch.zeros(n_edges, 3, dtype=torch.long),
        solid_angles=torch.rand(n_edges, generator=generator),
        edge_weights=torch.rand(n_edges, generator=generator),
        node_weights=torch.rand(n_nodes, generator=generator) if weighted else None,
    )


SIZES = [(3, 6), (1, 0), (7, 20), (2, 2), (40, 300)]


@pytest.fixture
def store() -> GraphStore:
    return GraphStore.from_graphs(random_graph(n, m, i) for i, (n, m) in enumerate(SIZES))


def assert_equal(a: GraphBatch, b: GraphBatch) -> None:
    assert a.parts().keys() == b.parts().keys()
    for name, x in a.parts().items():
        y = b.parts()[name]
        assert x.dtype == y.dtype
        assert torch.equal(x, y)


def test_a_graph_in_a_batch_is_the_graph_alone(store):
    batch = store.batch(torch.tensor([4, 1, 0, 4]))
    first = 0
    for place, i in enumerate([4, 1, 0, 4]):
        alone = collate([random_graph(*SIZES[i], i)])
        own = batch.graph_index == place
        edges = own[batch.edge_index[1]]
        assert torch.equal(batch.atomic_numbers[own], alone.atomic_numbers)
        assert torch.equal(batch.edge_index[:, edges] - first, alone.edge_index)
        assert torch.equal(batch.edge_vectors[edges], alone.edge_vectors)
        assert torch.equal(batch.edge_weights[edges], alone.edge_weights)
        first += SIZES[i][0]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("integer", [torch.uint8, torch.int16, torch.int32, torch.int64])
def test_copied_and_gathered_batches_are_equal(integer, weighted):
    pytest.importorskip("numba")
    made = GraphStore.from_graphs(random_graph(n, m, i, weighted) for i, (n, m) in enumerate(SIZES))
    made = replace(
        made,
        atomic_numbers=made.atomic_numbers.to(integer),
        edge_source=made.edge_source.to(integer),
        edge_target=made.edge_target.to(integer),
    )
    for indices in ([2, 0, 2, 4], [1], [1, 1, 3]):
        chosen = torch.tensor(indices)
        assert_equal(made._copied(chosen), made._gathered(chosen))


def test_without_numba_batches_are_the_same(store, monkeypatch):
    indices = torch.tensor([3, 3, 0])
    compiled = store.batch(indices)
    monkeypatch.setattr(store_module, "copy_loops", tuple)
    assert_equal(store.batch(indices), compiled)


def test_no_indices_means_all_graphs_in_order(store):
    assert_equal(store.batch(), store.batch(torch.arange(len(SIZES))))


def test_edges_of_a_batch_are_sorted_by_target(store):
    target = store.batch(torch.tensor([4, 2, 0])).edge_index[1]
    assert torch.all(target.diff() >= 0)


def test_a_batch_of_no_graph_is_empty(store):
    batch = store.batch(torch.zeros(0, dtype=torch.long))
    assert batch.n_graphs == batch.n_nodes == batch.n_edges == 0


@pytest.mark.parametrize("index", [5, -1])
def test_a_graph_that_is_not_there_is_an_index_error(store, index):
    with pytest.raises(IndexError):
        store.batch(torch.tensor([index]))
    with pytest.raises(IndexError):
        store._gathered(torch.tensor([index]))


def test_a_field_that_no_graph_has_is_not_left_out_in_silence(store):
    with pytest.raises(ValueError, match="cells"):
        store.select({"cells", "solid_angles"})


def test_selected_fields_alone_reach_the_batch(store):
    batch = store.select({"solid_angles"}).batch(torch.tensor([0]))
    assert batch.solid_angles is not None
    assert batch.edge_vectors is None
    assert batch.edge_weights is None


def test_a_batch_shares_no_memory_with_its_store(store):
    batch = store.batch(torch.tensor([0]))
    before = store.distances.clone()
    batch.distances.fill_(-1.0)
    assert torch.equal(store.distances, before)


def test_a_compact_store_gives_the_same_batches_and_is_smaller(store):
    small = store.compact()
    assert small.edge_source.element_size() < store.edge_source.element_size()
    assert_equal(small.batch(torch.tensor([4, 0])), store.batch(torch.tensor([4, 0])))


def test_a_graph_built_anew_from_what_dataclasses_list_keeps_everything():
    graph = random_graph(3, 6, 0, weighted=True)
    values = {f.name: getattr(graph, f.name) for f in fields(graph)}
    tensors = {name: v for name, v in values.items() if torch.is_tensor(v)}
    assert {"edge_vectors", "node_weights", "solid_angles"} <= tensors.keys()
    again = AtomGraph(**tensors)
    assert again.parts().keys() == graph.parts().keys()
    assert_equal(collate([graph, again]), collate([graph, AtomGraph(**values)]))
    batch = collate([graph])
    listed = {f.name: getattr(batch, f.name) for f in fields(batch)}
    assert_equal(batch, GraphBatch(**listed))
    assert_equal(batch, GraphBatch(**{n: v for n, v in listed.items() if torch.is_tensor(v)}))


def test_replace_changes_one_field_and_keeps_the_others():
    graph = random_graph(3, 6, 0)
    turned = replace(graph, edge_vectors=-graph.edge_vectors)
    assert torch.equal(turned.edge_vectors, -graph.edge_vectors)
    assert torch.equal(turned.solid_angles, graph.solid_angles)
    assert replace(graph, edge_weights=None).edge_weights is None
    assert replace(graph, name="x").parts().keys() == graph.parts().keys()


def test_graphs_and_batches_are_copied_and_pickled():
    graph = random_graph(3, 6, 0)
    for made in (copy.copy(graph), copy.deepcopy(graph), pickle.loads(pickle.dumps(graph))):
        assert_equal(collate([graph]), collate([made]))
    batch = collate([graph])
    assert_equal(batch, pickle.loads(pickle.dumps(batch)))
