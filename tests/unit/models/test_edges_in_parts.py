"""Edges of a huge cell are taken in parts: the same numbers, whatever the parts are."""

import numpy as np
import pytest
import torch

from atomlens.graphs import GraphBatch, collate
from atomlens.models.finder import layers
from atomlens.models.scann import fused, tiles
from atomlens.nn import edges as module
from atomlens.nn import pieces
from atomlens.nn.edges import EdgeLayout, parts_at_targets, worth_parts
from atomlens.testing.graphs import formula_graph, lone_atom, random_graph
from model_makers import small_model

MODELS = [
    ("scann-plus", {}),
    ("scann-plus", {"smooth": True}),
    ("lens", {}),
    ("lens", {"shares": "gates"}),
    ("cgcnn", {}),
    ("cgcnn:additive", {}),
    ("ae-cgcnn", {}),
    ("finder", {"mode": "structure"}),
    ("finder", {"mode": "structure", "gate": "scalar"}),
    ("finder", {"mode": "structure", "attention": False}),
    ("finder", {"mode": "structure", "aggregate": "max"}),
    ("finder:additive", {"mode": "structure"}),
]


def a_batch() -> GraphBatch:
    graphs = [random_graph(n, 4, seed=n) for n in (9, 14, 5)]
    return collate([graphs[0], lone_atom(), *graphs[1:], lone_atom()]).to("cpu", torch.float64)


def a_formula() -> GraphBatch:
    return collate([formula_graph({8: 3, 22: 1, 56: 1}), formula_graph({1: 2, 8: 1})])


@pytest.mark.parametrize(("name", "settings"), MODELS)
@pytest.mark.parametrize("size", [1, 7, 40])
def test_parts_change_nothing(
    name: str, settings: dict[str, object], size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, batch = small_model(name, **settings).double(), a_batch()
    with torch.no_grad():
        whole = model(batch)
        monkeypatch.setattr(module, "EDGES_OF_A_PART", size)
        monkeypatch.setattr(module, "MANY_EDGES", 1)
        monkeypatch.setattr(layers, "NODES_OF_A_PART", 5)
        assert worth_parts(batch.n_edges)
        parts = model(batch)
    assert torch.allclose(parts.values, whole.values, atol=1e-10)
    assert torch.allclose(parts.node_attention, whole.node_attention, atol=1e-10)
    assert len(parts.edge_attention) == len(whole.edge_attention)
    for one, other in zip(parts.edge_attention, whole.edge_attention, strict=True):
        assert torch.allclose(one, other, atol=1e-10)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("scann-plus", {}),
        ("scann-plus", {"smooth": True}),
        ("lens", {}),
        ("lens", {"mode": "formula"}),
    ],
)
@pytest.mark.parametrize("n_threads", [1, 3])
def test_tiles_change_nothing(
    name: str, settings: dict[str, object], n_threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a gradient layers run tile by tile, and put new edges in the place of the old."""
    model = small_model(name, **settings)
    batch = a_formula() if settings.get("mode") == "formula" else a_batch().to("cpu", torch.float32)
    monkeypatch.setattr(fused, "MIN_EDGES", 0)
    whole = model(batch)
    monkeypatch.setattr(torch, "get_num_threads", lambda: n_threads)
    for size in (1, 7, 10_000):
        monkeypatch.setattr(tiles, "EDGES_OF_A_TILE", size)
        with torch.no_grad():
            found = model(batch)
        assert torch.allclose(found.values, whole.values, atol=1e-5)
        for one, other in zip(found.edge_attention, whole.edge_attention, strict=True):
            assert torch.allclose(one, other, atol=1e-5)


def test_pieces_of_threads_hold_every_node_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    for counts in ([3, 0, 0, 5, 1, 2, 0], [0, 0], [9], []):
        found: list[int] = []
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        pieces.in_pieces(offsets, lambda a, b, found=found: found.extend(range(a, b)))
        assert sorted(found) == list(range(len(counts)))


def test_every_edge_is_in_one_part_with_all_edges_of_its_target(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batch = a_batch()
    layout = EdgeLayout.of(batch.edge_index, batch.n_nodes)
    monkeypatch.setattr(module, "EDGES_OF_A_PART", 20)
    nodes, edges = zip(*parts_at_targets(layout), strict=True)
    assert [s.start for s in nodes] == [0, *(s.stop for s in nodes[:-1])]
    assert [s.start for s in edges] == [0, *(s.stop for s in edges[:-1])]
    assert (nodes[-1].stop, edges[-1].stop) == (batch.n_nodes, batch.n_edges)
    for targets, own in zip(nodes, edges, strict=True):
        part = layout.part(targets, own)
        assert part.n_nodes == targets.stop - targets.start
        assert torch.equal(part.target + targets.start, layout.target[own])
        assert part.offsets.tolist()[-1] == own.stop - own.start
        assert own.stop - own.start <= 20 or targets.stop - targets.start == 1


def test_where_a_gradient_is_asked_for_all_edges_come_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MANY_EDGES", 1)
    assert not worth_parts(1000)
    model, batch = small_model("finder", mode="structure"), a_batch().to("cpu", torch.float32)
    model(batch).values.sum().backward()
    assert all(p.grad is not None for p in model.layers[0].parameters())
