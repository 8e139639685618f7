"""Products by oneDNN are those of torch, with gradients, whatever lies how in memory."""

import ctypes
import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch

from atomlens.nn import products
from atomlens.nn.linear import RowLinear
from atomlens.nn.products import product

N_ROWS = 9


@pytest.fixture(autouse=True)
def small_products_too(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ATOMLENS_ONEDNN", "1")
    monkeypatch.setattr(products, "LEAST_WORK", 1)
    products._onednn.cache_clear()
    if products._onednn() is None:
        pytest.skip("this torch has no oneDNN")
    yield
    monkeypatch.undo()
    products._onednn.cache_clear()


def _matrices() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    rows = torch.randn(N_ROWS, 6, generator=draw)
    weight = torch.randn(4, 18, generator=draw).chunk(3, dim=1)[1]
    return rows, weight, torch.randn(4, generator=draw)


def test_a_product_and_its_gradients_are_those_of_torch() -> None:
    found = []
    for linear in (torch.nn.functional.linear, product):
        leaves = [t.clone().requires_grad_() for t in _matrices()]
        mapped = linear(*leaves)
        (slope,) = torch.autograd.grad(mapped.square().sum(), leaves[:1], create_graph=True)
        (mapped.cos().sum() + slope.square().sum()).backward()  # second derivatives too
        found.append([mapped.detach(), *(leaf.grad for leaf in leaves)])
    for ours, theirs in zip(*found, strict=True):
        assert ours is not None
        assert theirs is not None
        torch.testing.assert_close(ours, theirs)


def test_a_matrix_is_laid_out_densely_before_onednn_sees_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []
    real = products._dense

    def watched(matrix: torch.Tensor) -> torch.Tensor:
        seen.append(real(matrix))
        return seen[-1]

    monkeypatch.setattr(products, "_dense", watched)
    rows, weight, bias = _matrices()
    assert not weight.is_contiguous()
    assert not weight.t().is_contiguous()
    product(rows, weight, bias)
    product(rows.t(), torch.randn(5, N_ROWS).t().contiguous().t())
    assert len(seen) == 4
    assert all(m.is_contiguous() or m.t().is_contiguous() for m in seen)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_numbers_than_those_of_32_bits_stay_with_torch(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, weight, bias = (t.to(dtype) for t in _matrices())
    monkeypatch.setattr(products, "_dense", lambda _: pytest.fail("asked"))
    torch.testing.assert_close(
        product(rows, weight, bias), torch.nn.functional.linear(rows, weight, bias)
    )


def test_a_layer_of_rows_uses_it_and_autocast_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, rows = RowLinear(6, 4), _matrices()[0]
    plain = torch.nn.functional.linear(rows, layer.weight, layer.bias)
    torch.testing.assert_close(layer(rows), plain)
    monkeypatch.setattr(products, "_dense", lambda _: pytest.fail("asked"))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert layer(rows).dtype == torch.bfloat16


def test_the_environment_can_say_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATOMLENS_ONEDNN", "0")
    products._onednn.cache_clear()
    assert products._onednn() is None


_MANY_SHAPES = """
import ctypes
import torch
from atomlens.nn import products
names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()
class Heap(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in names]
library = ctypes.CDLL(None)
library.mallinfo2.restype = Heap
products.LEAST_WORK = 1
weight, taken = torch.ones(64, 64), []
for n_rows in range(100, 100 + 3 * products.SHAPES_KEPT):
    if (n_rows - 100) % products.SHAPES_KEPT == 0:
        taken.append(library.mallinfo2().uordblks)
    products.product(torch.ones(n_rows, 64), weight)
taken.append(library.mallinfo2().uordblks)
print(*(b - a for a, b in zip(taken, taken[1:])))
"""


def test_the_code_of_many_shapes_is_not_kept() -> None:
    if not hasattr(ctypes.CDLL(None), "mallinfo2"):
        pytest.skip("this system's allocator does not tell what is taken")
    ran = subprocess.run(  # what keeps it is asked once a process
        [sys.executable, "-c", _MANY_SHAPES], capture_output=True, text=True, check=True
    )
    *_, last = map(int, ran.stdout.split())
    assert last < 1_000_000
