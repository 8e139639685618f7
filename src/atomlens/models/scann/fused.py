"""The compiled CPU loops as differentiable functions; see `atomlens.models.scann.kernels`.

`use_fused` says when they apply: on a CPU, numba installed, and enough edges to be worth it.
Everywhere else (CUDA, float64, tiny batches) the plain tensor operations in
`atomlens.models.scann.layers` do the same arithmetic. Under autocast the matrix products around
them run in bfloat16, the loops themselves in float32.
"""

import os
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from atomlens.machine import has_triton
from atomlens.nn.edges import EdgeLayout
from atomlens.nn.pieces import as_arrays, thread_pool

MIN_EDGES = 512
"""Below this many edges the plain path costs no more, and spares loading the compiled code."""


@cache
def has_numba() -> bool:
    """Tell whether there is a compiler of the loops."""
    return find_spec("numba") is not None


def use_fused(values: Tensor, layout: EdgeLayout) -> bool:
    """Tell whether the loops compiled for the CPU apply to these tensors."""
    return (
        values.device.type == "cpu"
        and values.dtype in (torch.float32, torch.bfloat16)
        and layout.source.shape[0] >= MIN_EDGES
        and has_numba()
    )


class Kernels(NamedTuple):
    """The two fused functions on one kind of device."""

    edge_function: type[torch.autograd.Function]
    """Arguments and results as in `kernels.edge_update_forward`."""
    attention_function: type[torch.autograd.Function]
    """Arguments and results as in `kernels.attention_forward`."""

    def edge_update(
        self,
        layout: EdgeLayout,
        eps: float,
        *,
        mixed: Float[Tensor, "n_edges n_features"],
        at_target: Float[Tensor, "n_targets n_features"],
        at_source: Float[Tensor, "n_nodes n_features"],
        geometry: Float[Tensor, "n_edges n_features"],
        nodes: Float[Tensor, "n_nodes n_features"],
        scale: Float[Tensor, " n_features"],
        shift: Float[Tensor, " n_features"],
    ) -> tuple[Float[Tensor, "n_edges n_features"], Float[Tensor, "n_edges n_features"]]:
        """Return g' = LayerNorm(g + SiLU(mixed + at_target_i + at_source_j)) and c_j ⊙ g'."""
        updated, message = self.edge_function.apply(  # type: ignore[no-untyped-call]
            layout, eps, mixed, at_target, at_source, geometry, nodes, scale, shift
        )
        return updated, message

    def attention(
        self,
        layout: EdgeLayout,
        n_heads: int,
        mask: Float[Tensor, "n_masked n_heads"],
        bias: Float[Tensor, " n_biased"],
        query: Float[Tensor, "n_nodes n_features"],
        key: Float[Tensor, "n_edges n_features"],
    ) -> tuple[Float[Tensor, "n_nodes n_features"], Float[Tensor, "n_edges n_heads"]]:
        """Return Σ_j a_ij k_ij and a_ij.

        ``mask`` multiplies a_ij in the sum, ``bias`` is added to the scores of all heads; either
        may have no rows. Neither gets a gradient.
        """
        context, attention = self.attention_function.apply(  # type: ignore[no-untyped-call]
            layout, n_heads, mask, bias, query, key
        )
        return context, attention


def fused_kernels(values: Tensor, layout: EdgeLayout) -> Kernels | None:
    """Return the fused functions that apply to these tensors, if any do.

    On a CPU those of this module, on CUDA those of `atomlens.models.scann.triton_kernels`; none
    for float64 and for tiny batches, where plain tensor operations do the same arithmetic.
    """
    if use_fused(values, layout):
        return Kernels(_EdgeUpdate, _Attention)
    if values.is_cuda and values.dtype == torch.float32 and has_triton():
        from atomlens.models.scann import triton_kernels

        if triton_kernels.fits(values.shape[1]):
            return Kernels(triton_kernels.EdgeUpdateFunction, triton_kernels.AttentionFunction)
    return None


def _pieces(layout: EdgeLayout) -> list[tuple[int, int]]:
    """Cut the nodes into about one piece a thread, where no edge crosses the cut."""
    n_threads = torch.get_num_threads()
    if n_threads == 1:
        return [(0, layout.n_nodes)]
    from atomlens.models.scann.kernels import separable_nodes

    offsets = layout.offsets.numpy()
    allowed = np.zeros(layout.n_nodes + 1, dtype=np.bool_)
    separable_nodes(layout.source.numpy(), offsets, allowed)
    cuts = np.flatnonzero(allowed)
    wanted = np.linspace(0, offsets[-1], n_threads + 1)[1:-1]
    nearest = cuts[np.clip(np.searchsorted(offsets[cuts], wanted), 0, len(cuts) - 1)]
    ends = sorted({0, layout.n_nodes, *nearest.tolist()})
    return list(pairwise(ends))


def _run(layout: EdgeLayout, work: Callable[[int, int, int], None]) -> int:
    """Call ``work(piece, first_node, last_node)`` for every piece; return how many there were."""
    pieces = _pieces(layout)
    if len(pieces) == 1:
        work(0, *pieces[0])
        return 1
    pool = thread_pool(torch.get_num_threads(), os.getpid())
    for done in [pool.submit(work, k, a, b) for k, (a, b) in enumerate(pieces)]:
        done.result()
    return len(pieces)


def by_head(n_heads: int, *tensors: Tensor) -> tuple[NDArray[Any], ...]:
    """Return tensors (n, n_features) as arrays (n, n_heads, width) that share their memory."""
    shaped = (t.contiguous().view(len(t), n_heads, t.shape[1] // n_heads) for t in tensors)
    return as_arrays(*shaped)


_backward = torch.amp.custom_bwd(device_type="cpu")
_in_float32 = torch.amp.custom_fwd(device_type="cpu", cast_inputs=torch.float32)
"""Under autocast: tensors come in as float32, and autocast is off inside."""


class _EdgeUpdate(torch.autograd.Function):
    """Arguments and results as in `kernels.edge_update_forward`."""

    @staticmethod
    @_in_float32
    def forward(ctx: Any, layout: EdgeLayout, eps: float, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        from atomlens.models.scann.kernels import edge_update_forward

        inputs = tuple(t.contiguous() for t in inputs)
        mixed = inputs[0]
        updated, message = torch.empty_like(mixed), torch.empty_like(mixed)
        mean, inverse = mixed.new_empty(len(mixed)), mixed.new_empty(len(mixed))
        arrays = as_arrays(*inputs)
        ends = as_arrays(layout.source, layout.target)
        offsets = layout.offsets.numpy()
        results = as_arrays(updated, message, mean, inverse)

        def work(piece: int, first: int, last: int) -> None:
            edge_update_forward(arrays, ends, eps, offsets[first], offsets[last], results)

        _run(layout, work)
        ctx.save_for_backward(*inputs, mean, inverse)
        ctx.layout = layout
        return updated, message

    @staticmethod
    @_backward
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        from atomlens.models.scann.kernels import edge_update_backward

        layout: EdgeLayout = ctx.layout
        *inputs, mean, inverse = ctx.saved_tensors
        mixed, at_target, at_source, geometry, nodes, scale, shift = inputs
        d_mixed, d_geometry = torch.empty_like(mixed), torch.empty_like(geometry)
        d_nodes = [torch.zeros_like(t) for t in (at_target, at_source, nodes)]
        n_pieces = max(torch.get_num_threads(), 1)
        d_affine = [scale.new_zeros(n_pieces, len(scale)) for _ in (scale, shift)]
        arrays = as_arrays(*inputs)
        ends = as_arrays(layout.source, layout.target)
        offsets = layout.offsets.numpy()
        saved = as_arrays(mean, inverse, *gradients)
        results = as_arrays(d_mixed, d_geometry, *d_nodes)

        def work(piece: int, first: int, last: int) -> None:
            affine = as_arrays(*(t[piece] for t in d_affine))
            edges = offsets[first], offsets[last]
            edge_update_backward(arrays, ends, saved, *edges, results + affine)

        _run(layout, work)
        d_at_target, d_at_source, d_node = d_nodes
        d_scale, d_shift = (t.sum(dim=0) for t in d_affine)
        return None, None, d_mixed, d_at_target, d_at_source, d_geometry, d_node, d_scale, d_shift


class _Attention(torch.autograd.Function):
    """Arguments and results as in `kernels.attention_forward`."""

    @staticmethod
    @_in_float32
    def forward(
        ctx: Any,
        layout: EdgeLayout,
        n_heads: int,
        mask: Tensor,
        bias: Tensor,
        query: Tensor,
        key: Tensor,
    ) -> tuple[Tensor, Tensor]:
        from atomlens.models.scann.kernels import attention_forward

        query, key = query.contiguous(), key.contiguous()
        context = torch.empty_like(query)
        attention = key.new_empty(len(key), n_heads)
        arrays = (*by_head(n_heads, query, key), *as_arrays(layout.offsets, mask, bias))
        results = (*by_head(n_heads, context), *as_arrays(attention))

        def work(piece: int, first: int, last: int) -> None:
            attention_forward(*arrays, first, last, *results)

        _run(layout, work)
        ctx.save_for_backward(query, key, mask, attention)
        ctx.layout, ctx.n_heads = layout, n_heads
        ctx.set_materialize_grads(False)
        return context, attention

    @staticmethod
    @_backward
    @once_differentiable
    def backward(ctx: Any, d_context: Tensor | None, d_attention: Tensor | None) -> tuple[Any, ...]:
        from atomlens.models.scann.kernels import attention_backward

        layout: EdgeLayout = ctx.layout
        query, key, mask, attention = ctx.saved_tensors
        d_query, d_key = torch.empty_like(query), torch.empty_like(key)
        d_context = torch.zeros_like(query) if d_context is None else d_context
        d_attention = attention.new_empty(0, ctx.n_heads) if d_attention is None else d_attention
        arrays = (
            *by_head(ctx.n_heads, query, key),
            *as_arrays(layout.offsets, mask, attention),
            *by_head(ctx.n_heads, d_context),
            *as_arrays(d_attention),
        )
        results = by_head(ctx.n_heads, d_query, d_key)

        def work(piece: int, first: int, last: int) -> None:
            attention_backward(*arrays, first, last, *results)

        _run(layout, work)
        return None, None, None, None, d_query, d_key
