"""The compiled loops and the plain tensor operations are the same function."""

import pytest
import torch

import atomlens.models.scann.fused as fused
from atomlens.graphs import collate
from atomlens.models import make_model
from atomlens.models.scann.layers import LocalAttention
from atomlens.nn.additive import ABSENT
from atomlens.nn.edges import EdgeLayout
from graph_makers import random_graph


def outputs_and_gradients(n_threads: int) -> list[torch.Tensor]:
    """Values, attention and every gradient of one training step of SCANN+."""
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        torch.manual_seed(0)
        model = make_model("scann-plus", n_layers=2, n_features=32, n_heads=4).train()
        batch = collate([random_graph(9, 5, seed=s) for s in range(20)])
        torch.manual_seed(1)
        output = model(batch)
        penalty = output.edge_attention[0].square().sum()
        (output.values.square().sum() + penalty).backward()
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        return [output.values, output.node_attention, *output.edge_attention, *gradients]
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("n_threads", [1, 3])
def test_compiled_loops_equal_plain_operations(
    n_threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fused, "MIN_EDGES", 10**9)
    plain = outputs_and_gradients(1)
    monkeypatch.setattr(fused, "MIN_EDGES", 0)
    compiled = outputs_and_gradients(n_threads)
    assert len(plain) == len(compiled) > 20
    for a, b in zip(plain, compiled, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=2e-5)


@pytest.mark.parametrize("fewest_edges", [0, 10**9])
def test_what_is_taken_away_leaves_nothing_behind(
    fewest_edges: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even subnormal numbers: a product of such a matrix takes many times as long."""
    monkeypatch.setattr(fused, "MIN_EDGES", fewest_edges)
    torch.manual_seed(0)
    layer = LocalAttention(32, 4, 0.0, 0.0)
    batch = collate([random_graph(9, 5, seed=s) for s in range(20)])
    layout = EdgeLayout.of(batch.edge_index, batch.n_nodes)
    keep = (torch.rand(batch.n_edges) > 0.3).float()
    nodes = torch.randn(batch.n_nodes, 32)
    messages = torch.randn(batch.n_edges, 32, requires_grad=True)
    output, attention = layer(nodes, messages, layout, ABSENT * (1 - keep), keep)
    output.square().sum().backward()
    somebody_stays = torch.zeros(batch.n_nodes).index_add_(0, layout.target, keep) > 0
    gone = (keep == 0) & somebody_stays.index_select(0, layout.target)
    assert gone.sum() > 50
    assert attention[gone].eq(0).all()
    assert messages.grad is not None
    assert messages.grad[gone].eq(0).all()
    assert messages.grad[keep > 0].ne(0).any(dim=1).all()


def test_double_precision_takes_the_plain_path() -> None:
    index = torch.zeros(2, 4000, dtype=torch.int64)
    layout = EdgeLayout.of(index, 1)
    assert fused.use_fused(torch.zeros(1), layout)
    assert not fused.use_fused(torch.zeros(1, dtype=torch.float64), layout)
