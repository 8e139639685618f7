"""CGCNN's layers that are trained in compiled loops: the numbers of tensor operations."""

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module

import pytest
import torch
from torch import Tensor, nn

from atomlens.graphs import collate
from atomlens.models import make_model
from atomlens.models.cgcnn import recorded
from atomlens.models.cgcnn.layers import AttentionConvolution, EdgeConvolution, GatedConvolution
from atomlens.nn.basis import GaussianBasis
from atomlens.nn.edges import EdgeLayout
from atomlens.testing.graphs import lone_atom, random_graph

pytest.importorskip("numba")
blocks = import_module("atomlens.nn.blocks")
pytestmark = pytest.mark.skipif(not blocks.fits(blocks.COLUMNS), reason="a processor without AVX2")

N_EDGE = 11


@pytest.fixture(autouse=True)
def compiled_from_the_first_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded, "MIN_EDGES", 0)


def attention(n_features: int, head_softmax: str) -> AttentionConvolution:
    settings = {"n_heads": 3, "combine": "attention", "scalar": False}
    activation = nn.ReLU()
    return AttentionConvolution(
        n_features,
        N_EDGE,
        activation,
        head_softmax=head_softmax,
        **settings,  # type: ignore[arg-type]
    )


LAYERS: dict[str, Callable[[int], nn.Module]] = {
    "gates": lambda n: GatedConvolution(n, N_EDGE, nn.Softplus()),
    "joint": lambda n: attention(n, "joint"),
    "per-head": lambda n: attention(n, "per-head"),
    "edges": lambda n: EdgeConvolution(n, N_EDGE, residual=True),
    "edges that forget": lambda n: EdgeConvolution(n, N_EDGE, residual=False),
}


def made(what: str, n_features: int) -> nn.Module:
    """A layer whose norms are not those of the beginning."""
    torch.manual_seed(2)
    layer = LAYERS[what](n_features).train()
    with torch.no_grad():
        for name, one in layer.named_parameters():
            if "norm" in name:
                one += 0.5 * torch.randn_like(one)
    return layer


def a_layout(presence: Tensor | None = None) -> EdgeLayout:
    graphs = [random_graph(n, k, seed=n) for n, k in ((9, 7), (30, 12), (2, 1), (5, 4))]
    batch = collate([lone_atom(), *graphs[:2], lone_atom(), *graphs[2:], lone_atom()])
    return EdgeLayout.of(batch.edge_index, batch.n_nodes, presence)


def a_step(
    layer: nn.Module, layout: EdgeLayout, n_features: int, size: float = 1.0, shift: float = 0.0
) -> dict[str, Tensor]:
    """The output, all gradients and the running statistics of one step on random numbers."""
    draw = torch.Generator().manual_seed(3)
    nodes = shift + size * torch.randn(layout.n_nodes, n_features, generator=draw)
    edges = size * torch.randn(len(layout.source), N_EDGE, generator=draw)
    inputs = {"nodes": nodes.requires_grad_(), "edges": edges.requires_grad_()}
    found = layer(nodes, edges, layout)
    out = found if isinstance(found, Tensor) else found.nodes
    (out * torch.randn(out.shape, generator=draw)).sum().backward()
    asked = inputs | dict(layer.named_parameters())
    gradients = {name: t.grad for name, t in asked.items() if t.grad is not None}
    return {"out": out.detach(), **gradients, **dict(layer.named_buffers())}


def both_ways(
    what: str, n_features: int, monkeypatch: pytest.MonkeyPatch, **step: float
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    layout = step.pop("layout", a_layout())
    asked: list[int] = []
    whole = recorded._recorded
    with monkeypatch.context() as patch:
        patch.setattr(recorded, "_recorded", lambda *a: asked.append(1) or whole(*a))
        found = a_step(made(what, n_features), layout, n_features, **step)
        assert asked == [1]
        patch.setattr(recorded, "usable", lambda *_: False)
        return found, a_step(made(what, n_features), layout, n_features, **step)


def alike(found: dict[str, Tensor], expected: dict[str, Tensor], bound: float) -> None:
    assert found.keys() == expected.keys()
    for name, numbers in expected.items():
        if "linear.bias" in name:
            continue  # the norm behind takes it away: rounding alone
        slack = bound * float(numbers.abs().max())
        torch.testing.assert_close(found[name], numbers, atol=slack, rtol=0, msg=name)


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("n_features", [8, 24, 64])
@pytest.mark.parametrize("what", LAYERS)
def test_a_step_is_that_of_tensor_operations(
    what: str, n_features: int, n_threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: n_threads)
    alike(*both_ways(what, n_features, monkeypatch), bound=2e-5)


@pytest.mark.parametrize("what", ["gates", "joint", "per-head"])
def test_what_is_half_heard(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    n_edges = len(a_layout().source)
    presence = torch.rand(n_edges, generator=torch.Generator().manual_seed(1))
    presence[::5] = 0
    found, expected = both_ways(what, 24, monkeypatch, layout=a_layout(presence))
    alike(found, expected, bound=2e-5)
    everything, _ = both_ways(what, 24, monkeypatch)
    assert not torch.allclose(found["out"], everything["out"], atol=1e-3)


@pytest.mark.parametrize("size", [1e-3, 300.0])
@pytest.mark.parametrize("what", LAYERS)
def test_small_and_large_numbers(what: str, size: float, monkeypatch: pytest.MonkeyPatch) -> None:
    alike(*both_ways(what, 24, monkeypatch, size=size), bound=1e-4)


def test_a_spread_that_is_small_beside_the_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums of squares of numbers of one hundred would lose the spread of one."""
    found, expected = both_ways("gates", 24, monkeypatch, shift=300.0)
    for name in ("out", "edge_norm.running_mean", "edge_norm.running_var"):
        torch.testing.assert_close(found[name], expected[name], rtol=1e-3, atol=1e-3)


def test_attention_may_be_all_but_on_one(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for on in (True, False):
        layer = made("joint", 24)
        with torch.no_grad():
            layer.edge_norm.weight.mul_(100)  # type: ignore[union-attr, operator]
        if not on:
            monkeypatch.setattr(recorded, "usable", lambda *_: False)
        found.append(a_step(layer, a_layout(), 24))
    alike(*found, bound=1e-4)


@pytest.mark.parametrize("what", LAYERS)
@pytest.mark.parametrize("n_threads", [1, 3])
def test_the_same_again_is_the_same_to_the_bit(
    what: str, n_threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: n_threads)
    one, other = (a_step(made(what, 64), a_layout(), 64) for _ in range(2))
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("what", LAYERS)
@pytest.mark.parametrize("place", ["weight", "nodes"])
def test_what_is_no_number_is_heard(what: str, place: str) -> None:
    layer, layout = made(what, 24), a_layout()
    nodes = torch.randn(layout.n_nodes, 24)
    with torch.no_grad():
        if place == "nodes":
            nodes[layout.source[5], 3] = torch.nan
        else:
            layer.pair.linear.weight[-1, 5] = torch.nan  # type: ignore[union-attr, index, operator]
    found = layer(nodes, torch.randn(len(layout.source), N_EDGE), layout)
    out = found if isinstance(found, Tensor) else found.nodes
    assert out.isnan().any()


def test_distances_become_the_same_gaussians(monkeypatch: pytest.MonkeyPatch) -> None:
    basis = GaussianBasis(8.0, n_centers=41, width=0.2).train()
    ends = torch.tensor([torch.nan, torch.inf, -1.0, 0.0, 1e20])
    distances = torch.cat([torch.linspace(0, 12, 701), ends])
    expected = basis(distances)
    for n_threads in (1, 3):
        monkeypatch.setattr(torch, "get_num_threads", lambda n=n_threads: n)
        found = recorded.basis_of(basis, distances)
        assert found is not None
        torch.testing.assert_close(found, expected, atol=2e-6, rtol=0, equal_nan=True)
        assert found[701].isnan().all()
        assert (found[(distances - 4.0).abs() > 6.0] == 0).any()
    assert recorded.basis_of(basis, distances.clone().requires_grad_()) is None
    assert recorded.basis_of(basis, distances.double()) is None
    assert recorded.basis_of(basis.eval(), distances) is None


@pytest.mark.parametrize("n_threads", [1, 3])
def test_a_network_learns_what_it_learned(n_threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: n_threads)
    batch = collate([random_graph(13, 9, seed=s) for s in range(8)]).to("cpu", torch.float32)
    losses: list[list[float]] = []
    for fewest in (0, 10**9):
        monkeypatch.setattr(recorded, "MIN_EDGES", fewest)
        torch.manual_seed(0)
        model = make_model("cgcnn", n_layers=2).train()
        optimiser = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)
        targets = torch.randn(8, 1, generator=torch.Generator().manual_seed(1))
        losses.append([])
        for _ in range(12):
            optimiser.zero_grad()
            loss = nn.functional.mse_loss(model(batch).values, targets)
            loss.backward()
            optimiser.step()
            losses[-1].append(loss.item())
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert losses[0][-1] < 0.5 * losses[0][0]


def test_one_edge_has_no_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = made("gates", 24)
    layout = EdgeLayout.of(torch.tensor([[1], [0]]), 2)
    nodes, edge = torch.randn(2, 24), torch.randn(1, N_EDGE)
    found = layer(nodes, edge, layout).nodes
    monkeypatch.setattr(recorded, "usable", lambda *_: False)
    assert torch.equal(found, layer(nodes, edge, layout).nodes)


def test_gradients_that_nobody_asks_for_are_none() -> None:
    layer = made("gates", 24)
    expected = a_step(layer, a_layout(), 24)
    layer.zero_grad()
    layer.pair.linear.requires_grad_(False)
    layer.edge_norm.requires_grad_(False)
    found = a_step(layer, a_layout(), 24)
    assert torch.equal(found["nodes"], expected["nodes"])
    assert torch.equal(found["edges"], expected["edges"])
    assert not any(name.startswith(("pair", "edge_norm.w")) for name in found if "run" not in name)


@pytest.mark.parametrize("name", ["cgcnn", "ae-cgcnn"])
def test_other_numbers_and_answers_take_the_tensor_operations(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    whole = recorded._recorded
    monkeypatch.setattr(recorded, "_recorded", lambda *a: asked.append(1) or whole(*a))
    batch = collate([random_graph(9, 7, seed=1)]).to("cpu", torch.float32)
    model = make_model(name, n_layers=2)
    wide = replace(batch, distances=batch.distances.double())
    with torch.autocast("cpu", torch.bfloat16):
        model.train()(batch)
    model.eval()(batch)
    model.double().train()(wide.to("cpu", torch.float64))
    monkeypatch.setattr(torch, "get_float32_matmul_precision", lambda: "medium")
    model.float()(batch)
    assert not asked
    monkeypatch.undo()
    monkeypatch.setattr(recorded, "MIN_EDGES", 10**6)
    model(batch)
    assert not asked
