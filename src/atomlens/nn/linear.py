"""Linear maps with the initialisations of the published codes."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from atomlens.errors import SettingsError
from atomlens.machine import has_triton
from atomlens.nn.products import product

MIN_ROWS = 4096
"""Fewer rows are added up by torch."""


class RowLinear(nn.Linear):
    """A linear map of many rows, by the fastest product there is (`products`).

    On CUDA its bias gets its gradient from a kernel of our own.
    """

    def forward(self, rows: Float[Tensor, "*batch n_in"]) -> Float[Tensor, "*batch n_out"]:
        """Map every row."""
        if rows.is_cuda and self._sums_by_kernel(rows):
            mapped: Tensor = _RowLinear.apply(rows, self.weight, self.bias)  # type: ignore[no-untyped-call]
            return mapped
        return product(rows, self.weight, self.bias)

    def _sums_by_kernel(self, rows: Tensor) -> bool:
        """Say whether the kernel takes these rows: many, in 32 bits, of a power of two outputs."""
        width = self.out_features
        return (
            rows.dim() == 2
            and len(rows) >= MIN_ROWS
            and rows.dtype == torch.float32
            and width >= 16
            and width & (width - 1) == 0
            and self.bias is not None
            and self.bias.requires_grad
            and torch.is_grad_enabled()
            and not torch.is_autocast_enabled(rows.device.type)
            and has_triton()
        )


class _RowLinear(torch.autograd.Function):
    """A linear map whose gradient on the bias is added up by `column_sums`."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(rows, weight)
        return functional.linear(rows, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        from atomlens.nn.triton_sums import column_sums

        rows, weight = ctx.saved_tensors
        of_rows, of_weight, of_bias = ctx.needs_input_grad
        return (
            gradient @ weight if of_rows else None,
            gradient.t() @ rows if of_weight else None,
            column_sums(gradient) if of_bias else None,
        )


def glorot_linear(n_in: int, n_out: int) -> nn.Linear:
    """Return a linear map with Glorot-uniform weights and zero bias."""
    layer = RowLinear(n_in, n_out)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def element_embedding(n_elements: int, n_features: int) -> nn.Embedding:
    """Return one learned row an element: a linear map of one-hot vectors, begun as torch does."""
    bound = n_elements**-0.5
    rows = torch.empty(n_elements, n_features).uniform_(-bound, bound)
    return nn.Embedding(n_elements, n_features, _weight=rows)


def four_widths(n_hidden: tuple[int, ...]) -> tuple[int, ...]:
    """Return the widths of four dense layers; one stands for all of them.

    Raises:
        SettingsError: there are neither four nor one.
    """
    if len(n_hidden) not in (1, 4):
        raise SettingsError(f"n_hidden={list(n_hidden)} must be four widths, or one.")
    return n_hidden * (4 // len(n_hidden))
