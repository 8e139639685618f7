"""Layers whose products are inside of the compiled loops: the numbers of torch's own products."""

from importlib import import_module

import pytest
import torch
from torch.nn import functional

from atomlens.graphs import GraphBatch, collate
from atomlens.models import make_model
from atomlens.models.scann import fused, geometry, layers, recorded, rows, tiles
from atomlens.testing.graphs import lone_atom, random_graph

pytest.importorskip("numba")
blocks = import_module("atomlens.nn.blocks")
pytestmark = pytest.mark.skipif(not blocks.fits(64), reason="a processor without AVX2")


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    monkeypatch.setattr(fused, "MIN_EDGES", 0)
    monkeypatch.setattr(rows, "MIN_ROWS", 0)


def a_batch() -> GraphBatch:
    graphs = [random_graph(n, min(n, 5), seed=n, dtype=torch.float32) for n in (2, 9, 1, 14, 5)]
    return collate([lone_atom(), *graphs, lone_atom()]).to("cpu", torch.float32)


def drawn(n_rows: int, n_in: int, n_out: int) -> tuple[torch.Tensor, ...]:
    draw = torch.Generator().manual_seed(n_rows)
    return tuple(
        torch.randn(*size, generator=draw) for size in ((n_rows, n_in), (n_out, n_in), (1, n_out))
    )


@pytest.mark.parametrize("n_rows", [0, 1, 5, 8, 13, 70])
def test_products_of_any_number_of_rows(n_rows: int) -> None:
    given, weight, bias = drawn(n_rows, 96, 64)
    out = torch.full((n_rows, 64), torch.nan)
    blocks.rows_times(given.numpy(), tiles.laid_out(weight), bias.numpy(), out.numpy())
    assert torch.allclose(out, given @ weight.t() + bias, atol=1e-4)
    more = torch.randn(n_rows, 64, generator=torch.Generator().manual_seed(1))
    if n_rows > 1:  # a single row stands for all
        blocks.rows_times(given.numpy(), tiles.laid_out(weight), more.numpy(), out.numpy())
        assert torch.allclose(out, given @ weight.t() + more, atol=1e-4)
    sums = torch.ones(96, 64)
    blocks.add_outer(given.numpy(), more.numpy(), sums.numpy())
    assert torch.allclose(sums, 1 + given.t() @ more, atol=1e-4)


def answers(name: str, settings: dict[str, object], batch: GraphBatch) -> dict[str, torch.Tensor]:
    """Values, attention and the gradients on everything, of one training step."""
    torch.manual_seed(0)
    model = make_model(name, n_features=64, n_heads=4, n_layers=3, **settings).train()
    torch.manual_seed(1)
    out = model(batch)
    weighed = [a.square().sum() for a in out.edge_attention[1:]]  # the first gets no gradient
    (out.values.square().sum() + sum(weighed)).backward()
    found = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    found |= {f"attention {i}": a.detach() for i, a in enumerate(out.edge_attention)}
    return {"values": out.values.detach(), **found}


CASES: list[tuple[str, dict[str, object]]] = [
    ("scann-plus", {"dropout": 0.0, "attention_dropout": 0.3}),
    ("scann-plus", {"dropout": 0.0, "attention_dropout": 0.0, "smooth": True}),
    ("lens", {}),
]


@pytest.mark.parametrize(("name", "settings"), CASES)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_step_is_that_of_separate_functions(
    name: str, settings: dict[str, object], size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, asked = a_batch(), []
    monkeypatch.setattr(recorded, "EDGES_OF_A_TILE", size)
    whole = recorded.recorded
    monkeypatch.setattr(layers, "recorded", lambda *a: asked.append(1) or whole(*a))
    found = answers(name, settings, batch)
    assert len(asked) == 3
    monkeypatch.setattr(layers, "can_record", lambda *_: False)
    monkeypatch.setattr(layers, "rows_usable", lambda *_: False)
    monkeypatch.setattr(geometry, "usable", lambda *_: False)
    expected = answers(name, settings, batch)
    assert found.keys() == expected.keys()
    for what, numbers in expected.items():
        assert torch.allclose(found[what], numbers, atol=2e-5 * max(1, numbers.abs().max())), what


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_an_answer_is_that_of_separate_functions(
    size: int, n_threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model("scann-plus", n_features=64, n_heads=4, n_layers=3).eval()
    batch, asked = a_batch(), []
    monkeypatch.setattr(layers, "can_record", lambda *_: False)
    with monkeypatch.context() as patch:
        patch.setattr(layers, "rows_usable", lambda *_: False)
        patch.setattr(geometry, "usable", lambda *_: False)
        expected = model(batch)
    monkeypatch.setattr(torch, "get_num_threads", lambda: n_threads)
    monkeypatch.setattr(tiles, "EDGES_OF_A_TILE", size)
    whole = tiles.attended_in_tiles
    monkeypatch.setattr(layers, "attended_in_tiles", lambda *a: asked.append(1) or whole(*a))
    with torch.no_grad():
        found = model(batch)
    assert len(asked) == 3
    assert torch.allclose(found.values, expected.values, atol=1e-5)
    for one, other in zip(found.edge_attention, expected.edge_attention, strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def test_gradients_of_dropout_on_atoms_are_those_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = make_model("scann-plus", n_features=64, n_heads=4, dropout=0.4).train().layers[0]
    mask = functional.dropout(torch.ones(70, 64), 0.4)
    monkeypatch.setattr(layers, "drop_mask", lambda *_: mask)
    monkeypatch.setattr(layer.feed_forward[3], "forward", lambda given: given * mask)
    found = []
    for on in (True, False):
        monkeypatch.setattr(layers, "rows_usable", lambda *_, on=on: on)
        query, context, *_ = drawn(70, 64, 70)
        inputs = [query.requires_grad_(), context.requires_grad_()]
        asked = [*inputs, *layer.feed_forward.parameters(), *layer.norm.parameters()]
        out = layer.after(*inputs)
        found.append([out, *torch.autograd.grad(out.square().sum() + out[3, 5], asked)])
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, atol=1e-4)


def test_weights_of_which_no_gradient_is_asked_get_none() -> None:
    model, batch = make_model("scann-plus", n_features=64, n_heads=4).eval(), a_batch()
    elements = model.embedding.weight
    expected = torch.autograd.grad(model(batch).values.sum(), elements)[0]
    model.requires_grad_(False)
    elements.requires_grad_()
    found = torch.autograd.grad(model(batch).values.sum(), elements)[0]
    assert torch.equal(found, expected)


def test_drawn_zeros_are_as_many_as_asked_for_and_told_by_the_seed() -> None:
    like = torch.empty(2000)
    torch.manual_seed(3)
    one, other = (rows.drop_mask(like, 64, 0.3) for _ in range(2))
    torch.manual_seed(3)
    assert torch.equal(rows.drop_mask(like, 64, 0.3), one)
    assert one.unique().tolist() == pytest.approx([0, 1 / 0.7])
    assert (one == 0).double().mean().item() == pytest.approx(0.3, abs=0.006)  # 5 deviations
    assert ((one == 0) & (other == 0)).double().mean().item() == pytest.approx(0.09, abs=0.004)
    assert (one == 0).double().mean(dim=0).std().item() == pytest.approx(0.0102, rel=0.5)
    assert (one == 0).double().mean(dim=1).std().item() == pytest.approx(0.0573, rel=0.1)


def test_products_in_fewer_bits_and_gradients_on_masks_are_left_to_torch() -> None:
    given, mask = torch.randn(6, 64), torch.ones(3)
    layout = layers.EdgeLayout.of(torch.tensor([[1, 0, 1], [0, 1, 1]]), 6)
    assert recorded.usable(layout, given, given[:3], None, mask)
    assert rows.usable(64, given)
    assert not rows.usable(64, given.double())
    assert not recorded.usable(layout, given[:, :40], given[:3, :40], None, mask)
    assert not recorded.usable(layout, given, given[:3], None, mask.requires_grad_())
    torch.set_float32_matmul_precision("medium")
    try:
        assert not recorded.usable(layout, given, given[:3])
        assert not rows.usable(64, given)
    finally:
        torch.set_float32_matmul_precision("highest")
