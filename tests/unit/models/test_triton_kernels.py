"""The CUDA kernels against the plain path, in Triton's interpreter: no GPU is needed.

`make test-triton` installs Triton and runs this file; without Triton it is skipped.
"""

import os

import pytest
import torch
from torch import Tensor

from atomlens.models.scann import layers
from atomlens.models.scann.fused import Kernels
from atomlens.models.scann.layers import EdgeUpdate, LocalAttention
from atomlens.nn.edges import EdgeLayout

os.environ.setdefault("TRITON_INTERPRET", "1")
pytest.importorskip("triton", reason="Triton is not installed: make test-triton")
# of the interpreter of Triton 3.2 with numpy 1.26
pytestmark = pytest.mark.filterwarnings(
    "ignore:Conversion of an array with ndim:DeprecationWarning"
)

N_NODES, N_EDGES, WIDTH, HEADS = 13, 57, 32, 4


def results(
    kernels: Kernels | None, monkeypatch: pytest.MonkeyPatch, **edges: Tensor
) -> list[Tensor]:
    """Values and gradients of an edge update and an attention with the given kernels."""
    monkeypatch.setattr(layers, "fused_kernels", lambda _values, _layout: kernels)
    torch.manual_seed(0)
    target = torch.randint(0, N_NODES - 2, (N_EDGES,)).sort().values  # two nodes have no edges
    layout = EdgeLayout.of(torch.stack([torch.randint(0, N_NODES, (N_EDGES,)), target]), N_NODES)
    update, attend = EdgeUpdate(WIDTH), LocalAttention(WIDTH, HEADS, 0.0, 0.0)
    parameters = [*update.parameters(), *attend.parameters()]
    for parameter in parameters:
        torch.nn.init.normal_(parameter, std=0.3)
    nodes = torch.randn(N_NODES, WIDTH, requires_grad=True)
    geometry = torch.randn(N_EDGES, WIDTH, requires_grad=True)
    changed, messages = update(nodes, geometry, layout)
    context, attention = attend(nodes, messages, layout, **edges)
    weighted = [torch.randn_like(t) * t for t in (changed, context, attention)]
    sum(w.sum() for w in weighted).backward()
    gradients = [t.grad for t in (nodes, geometry, *parameters)]
    return [t.detach() for t in (changed, context, attention)] + gradients


@pytest.mark.parametrize("edges", ["plain", "biased", "kept"])
def test_triton_gives_the_values_and_gradients_of_the_plain_path(
    edges: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from atomlens.models.scann import triton_kernels

    generator = torch.Generator().manual_seed(1)
    bias = -3 * torch.rand(N_EDGES, generator=generator)
    keep = (torch.rand(N_EDGES, generator=generator) > 0.3).float()
    given = {"plain": {}, "biased": {"bias": bias}, "kept": {"bias": bias, "keep": keep}}[edges]
    expected = results(None, monkeypatch, **given)
    kernels = Kernels(triton_kernels.EdgeUpdateFunction, triton_kernels.AttentionFunction)
    found = results(kernels, monkeypatch, **given)
    for a, b in zip(expected, found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("n_rows", [0, 1, 31, 256, 257, 1000])
@pytest.mark.parametrize("width", [16, 64])
def test_rows_are_added_up(n_rows: int, width: int) -> None:
    from atomlens.nn.triton_sums import column_sums

    rows = torch.randn(n_rows, 2 * width)[:, ::2]  # not contiguous
    torch.testing.assert_close(column_sums(rows), rows.sum(dim=0), rtol=1e-4, atol=1e-4)


def test_a_linear_map_of_many_rows_has_the_gradients_of_an_ordinary_one() -> None:
    from atomlens.nn.linear import _RowLinear

    torch.manual_seed(0)
    rows, weight, bias = torch.randn(300, 24), torch.randn(32, 24), torch.randn(32)
    found = []
    for linear in (torch.nn.functional.linear, _RowLinear.apply):
        given = [t.clone().requires_grad_() for t in (rows, weight, bias)]
        out = linear(*given)
        (out.square() * torch.linspace(0, 1, 32)).sum().backward()
        found.append([out.detach(), *(t.grad for t in given)])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-3)
    frozen = rows.clone()
    _RowLinear.apply(frozen, weight, bias.clone().requires_grad_()).sum().backward()
    assert frozen.grad is None
