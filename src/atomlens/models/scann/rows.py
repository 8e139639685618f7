"""What a layer of SCANN+ does to atoms, in compiled loops on a CPU; see `node_kernels`.

With gradients on one core, without them on any number.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from atomlens.models.scann.fused import has_numba
from atomlens.models.scann.tiles import laid_out, multiplied_in_loops
from atomlens.nn.pieces import as_arrays, in_pieces

MIN_ROWS = 128
"""Fewer rows are left to torch."""


def usable(width: int, *rows: Tensor) -> bool:
    """Tell whether the loops apply to these rows, of which they make so many columns."""
    return (
        rows[0].device.type == "cpu"
        and len(rows[0]) >= MIN_ROWS
        and has_numba()
        and multiplied_in_loops(width, *rows)
        and (not torch.is_grad_enabled() or torch.get_num_threads() == 1)
    )


def mapped(
    rows: Float[Tensor, "n_rows n_features"], *maps: tuple[Tensor, Tensor | None]
) -> tuple[Tensor, ...]:
    """Return the products of the same rows with several (weight, bias), each square."""
    nothing = rows.new_zeros(rows.shape[1])
    biases = [nothing if bias is None else bias for _, bias in maps]
    found: tuple[Tensor, ...] = _Mapped.apply(rows, *[w for w, _ in maps], *biases)  # type: ignore[no-untyped-call]
    return found


def behind(
    context: Float[Tensor, "n_rows n_features"],
    query: Float[Tensor, "n_rows n_features"],
    keep: Float[Tensor, "n_kept n_features"],
    eps: float,
    weights: Sequence[Tensor],
    vectors: Sequence[Tensor],
) -> Float[Tensor, "n_rows n_features"]:
    """Return atoms behind a layer; weights and vectors as `node_kernels.after_forward` has them."""
    found: Tensor = _Behind.apply(eps, context, query, keep, *weights, *vectors)  # type: ignore[no-untyped-call]
    return found


def drop_mask(like: Tensor, n_columns: int, share: float) -> Float[Tensor, "n_rows n_columns"]:
    """Return 0 for a share of the numbers of as many rows, and 1 / (1 - share) for the others.

    By chance, from torch's generator; many on a CPU from one number of it.
    """
    mask = torch.ones(len(like), n_columns, dtype=like.dtype, device=like.device)
    many = like.device.type == "cpu" and len(like) >= MIN_ROWS and has_numba()
    if not many or like.dtype != torch.float32:
        return functional.dropout(mask, share)
    from atomlens.models.scann.node_kernels import drop

    drop(int(torch.randint(2**63 - 1, ())), share, *as_arrays(mask))
    return mask


def in_rows(n_rows: int, work: Callable[[int, int], None]) -> None:
    """Call ``work(first, last)`` for about one piece of the rows a thread."""
    in_pieces(np.arange(n_rows + 1), work)


class _Mapped(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, *maps: Tensor) -> tuple[Tensor, ...]:
        from atomlens.models.scann.node_kernels import linear_forward

        weights, biases = maps[: len(maps) // 2], maps[len(maps) // 2 :]
        rows = rows.contiguous()
        found = tuple(torch.empty_like(rows) for _ in weights)
        packed = tuple(laid_out(w) for w in weights)
        begins = as_arrays(*(b.unsqueeze(0) for b in biases))
        (given,), results = as_arrays(rows), as_arrays(*found)
        in_rows(len(rows), lambda a, b: linear_forward(given, packed, begins, a, b, results))
        ctx.save_for_backward(rows, *weights)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        from atomlens.models.scann.node_kernels import linear_backward

        rows, *weights = ctx.saved_tensors
        asked = ctx.needs_input_grad[1:]
        of_weights, of_biases = asked[: len(weights)], asked[len(weights) :]
        d_rows, width = torch.empty_like(rows), rows.shape[1]
        d_weights = [rows.new_zeros(width if on else 0, width) for on in of_weights]
        d_biases = [rows.new_zeros(width if on else 0) for on in of_biases]
        linear_backward(
            *as_arrays(rows),
            tuple(laid_out(w, turned=True) for w in weights),
            as_arrays(*gradients),
            *as_arrays(d_rows),
            as_arrays(*d_weights),
            as_arrays(*d_biases),
        )
        found = zip([*d_weights, *d_biases], asked, strict=True)
        return d_rows, *(gradient if on else None for gradient, on in found)


class _Behind(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, eps: float, *tensors: Tensor) -> Tensor:
        from atomlens.models.scann.node_kernels import after_forward

        inputs, weights, vectors = tensors[:3], tensors[3:5], tensors[5:]
        like = inputs[1].contiguous()
        out, normed, last_normed, hidden = (torch.empty_like(like) for _ in range(4))
        spread, last_spread = like.new_empty(2, len(like)).unbind()
        saved = normed, last_normed, hidden, spread, last_spread
        given, results = as_arrays(*inputs), as_arrays(out, *saved)
        packed, rest = tuple(laid_out(w) for w in weights), as_arrays(*vectors)
        in_rows(len(like), lambda a, b: after_forward(given, packed, rest, eps, a, b, results))
        ctx.save_for_backward(inputs[2], *weights, *vectors[2:5], *saved)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        from atomlens.models.scann.node_kernels import after_backward

        keep, inner, outer, scale, shift, last_scale, *saved = ctx.saved_tensors
        width, of_weights = len(scale), any(ctx.needs_input_grad[4:])
        d_rows = torch.empty_like(saved[0])
        d_weights = [scale.new_zeros(width if of_weights else 0, width) for _ in range(2)]
        d_vectors = [torch.zeros_like(scale) for _ in range(6)]
        after_backward(
            *as_arrays(keep),
            (laid_out(inner, turned=True), laid_out(outer, turned=True)),
            as_arrays(scale, shift, last_scale),
            as_arrays(*saved),
            *as_arrays(gradient, d_rows),
            as_arrays(*d_weights),
            as_arrays(*d_vectors),
        )
        rest = (*d_weights, *d_vectors) if of_weights else (None,) * 8
        return None, d_rows, d_rows, None, *rest
