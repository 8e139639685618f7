"""Matrix products by that library of torch's which is faster on the processor below.

torch hands 32-bit products to MKL, which leaves half of the vector units of AMD's processors with
AVX-512 unused. oneDNN, which lies in torch as well, uses all of them: 220 to 250 GFLOP/s of a core
instead of 110. It makes code for every new shape, in half a millisecond, so small products stay
where they are. ``ATOMLENS_ONEDNN=0`` leaves all there, ``1`` takes oneDNN on any processor.
"""

import os
import platform
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

LEAST_WORK = 2**23
"""Multiplications below which the code for a new shape costs more than it brings."""
SHAPES_KEPT = 32
"""Shapes whose code oneDNN keeps, a good half megabyte each; one batch has a dozen at most."""
_CAPACITIES = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY")
"""How many oneDNN and what is between torch and it keep; they read this at their first product."""


def product(
    rows: Float[Tensor, "n_rows n_in"],
    weight: Float[Tensor, "n_out n_in"],
    bias: Float[Tensor, " n_out"] | None = None,
) -> Float[Tensor, "n_rows n_out"]:
    """Return ``rows @ weight.T + bias``, as `torch.nn.functional.linear` does, with gradients."""
    by_onednn = _chosen(rows, weight)
    if by_onednn is None:
        return functional.linear(rows, weight, bias)
    if torch.is_grad_enabled() and (
        rows.requires_grad or weight.requires_grad or (bias is not None and bias.requires_grad)
    ):
        found: Tensor = _Product.apply(rows, weight, bias)  # type: ignore[no-untyped-call]
        return found
    return by_onednn(rows, weight, bias)


def _chosen(rows: Tensor, weight: Tensor) -> Callable[..., Tensor] | None:
    """Return oneDNN's product where it is worth it, otherwise None."""
    if (
        rows.dim() != 2
        or rows.shape[0] * weight.numel() < LEAST_WORK
        or rows.device.type != "cpu"
        or rows.dtype != torch.float32
        or weight.dtype != torch.float32
        or torch.is_autocast_enabled("cpu")
    ):
        return None
    return _onednn()


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(rows, weight)
        return product(rows, weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        rows, weight = ctx.saved_tensors
        of_rows, of_weight, of_bias = ctx.needs_input_grad
        return (
            product(gradient, weight.t()) if of_rows else None,
            product(gradient.t(), rows.t()) if of_weight else None,
            gradient.sum(dim=0) if of_bias else None,
        )


@cache
def _onednn() -> Callable[..., Tensor] | None:
    """Return oneDNN's product if this processor gains by it and torch has it."""
    wanted = os.environ.get("ATOMLENS_ONEDNN", "")
    amd = torch.backends.cpu.get_cpu_capability() == "AVX512" and "AuthenticAMD" in _processor()
    there: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if wanted == "0" or not (amd or wanted == "1") or not there:
        return None
    with suppress(AttributeError, RuntimeError):  # a torch that keeps it elsewhere
        operation = torch.ops.mkldnn._linear_pointwise

        def by_onednn(rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
            found: Tensor = operation(_dense(rows), _dense(weight), bias, "none", [], "")
            return found

        # by themselves both keep 1,024, which batches of ever new sizes fill: 600 MB
        for name in _CAPACITIES:
            os.environ.setdefault(name, str(SHAPES_KEPT))
        ones = torch.ones(2, 3)
        if by_onednn(ones, ones, None).eq(3).all():
            return by_onednn
    return None


def _dense(matrix: Tensor) -> Tensor:
    """Return a matrix whose rows, or columns, lie one behind the other.

    For others oneDNN has plain loops alone, which take a thousand times as long.
    """
    return matrix if matrix.is_contiguous() or matrix.t().is_contiguous() else matrix.contiguous()


def _processor() -> str:
    """Return who made the processor, among other words."""
    with suppress(OSError):
        return Path("/proc/cpuinfo").read_text(errors="replace")[:2_000]
    return platform.processor()
