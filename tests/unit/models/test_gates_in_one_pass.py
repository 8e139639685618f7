"""The compiled sums over gates are those of the tensor operations; they know no gradients."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from atomlens.graphs import GraphBatch, collate
from atomlens.machine import compiler
from atomlens.models import make_model
from atomlens.models.cgcnn import layers
from atomlens.models.cgcnn.layers import GatedConvolution
from atomlens.testing.graphs import lone_atom, random_graph

pytestmark = pytest.mark.skipif(compiler() is None, reason="numba is not installed")


@pytest.fixture(autouse=True)
def _compiled_from_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "_PLAIN_EDGES", 0)
    monkeypatch.setattr(layers, "EDGES_OF_A_PASS", 100)


def a_batch(dtype: torch.dtype = torch.float32) -> GraphBatch:
    graphs = [random_graph(9, 7, seed=k) for k in range(5)]
    batch = collate([*graphs, lone_atom(), random_graph(30, 12, seed=9)])
    numbers = {f.name: getattr(batch, f.name) for f in fields(batch)}
    floats = {k: v.to(dtype) for k, v in numbers.items() if _is_float(v)}
    return replace(batch, **floats)


def _is_float(value: object) -> bool:
    return isinstance(value, torch.Tensor) and value.is_floating_point()


def a_model() -> torch.nn.Module:
    """A network whose running statistics are not those of the beginning."""
    torch.manual_seed(0)
    model = make_model("cgcnn", n_features=24).train()
    for _ in range(3):
        model(a_batch())
    return model.eval()


def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count how often the compiled loop is asked."""
    asked: list[int] = []
    real = GatedConvolution._sums_in_one_pass

    def counted(*arguments: object) -> torch.Tensor:
        asked.append(1)
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(GatedConvolution, "_sums_in_one_pass", counted)
    return asked


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("half_heard", [False, True])
def test_sums_are_those_of_tensor_operations(
    n_threads: int, half_heard: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, batch, asked = a_model(), a_batch(), passes(monkeypatch)
    if half_heard:
        presence = torch.rand(batch.edge_index.shape[1], generator=torch.Generator().manual_seed(1))
        batch = replace(batch, edge_presence=presence)
    monkeypatch.setattr(torch, "get_num_threads", lambda: n_threads)
    with torch.no_grad():
        once = model(batch)
        assert len(asked) == 4
        monkeypatch.setattr(GatedConvolution, "_in_one_pass", lambda *_: False)
        plain = model(batch)
    assert torch.allclose(once.node_features, plain.node_features, atol=1e-5, rtol=1e-5)
    assert torch.allclose(once.values, plain.values, atol=1e-5, rtol=1e-5)
    assert not torch.equal(once.node_features[0], once.node_features[1])


def test_gates_are_right_at_every_size() -> None:
    from atomlens.models.cgcnn.kernels import gated_sums

    ends = [-1e30, -200.0, -88.0, -1e-30, 0.0, 1e-30, 88.0, 200.0, 1e30]
    values = np.array([*np.linspace(-25, 25, 401), *ends], dtype=np.float32)
    gate, core = (one.ravel() for one in np.meshgrid(values, values))
    n, nothing = len(gate), np.zeros((1, 2 * len(gate)), dtype=np.float32)
    sums = np.empty((1, n), dtype=np.float32)
    own = np.concatenate([gate, core])[None]
    one_edge = np.zeros(1, dtype=np.int64), np.array([0, 1])
    gated_sums(own, nothing, nothing, *one_edge, np.zeros(0, dtype=np.float32), 0, 1, sums)
    wide = torch.from_numpy(np.stack([gate, core])).double()
    heard = torch.sigmoid(wide[0]) * torch.nn.functional.softplus(wide[1], threshold=50)
    # no exponential is smaller than that of -87
    slack = 1e-6 * heard + 4e-38 * wide[1].clamp_min(1)
    assert ((torch.from_numpy(sums[0]).double() - heard).abs() <= slack).all()


def test_what_is_no_number_is_heard() -> None:
    model, batch = a_model(), a_batch()
    weight = model.layers[1].pair.linear.weight  # type: ignore[union-attr, index]
    with torch.no_grad():
        weight[3, 5] = torch.nan  # type: ignore[index]
        assert model(batch).values.isnan().any()


def test_gradients_and_64_bits_take_the_tensor_operations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, asked = a_model(), passes(monkeypatch)
    model(a_batch())
    with torch.no_grad():
        model.double()(a_batch(torch.float64))
        model.float().train()(a_batch())
    assert not asked
