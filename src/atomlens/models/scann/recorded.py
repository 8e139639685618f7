"""The edges of a layer of SCANN+ with gradients on one core, tile by tile; see `tiles`.

Update, keys and attention are one function. What it keeps for the way back are the new geometry,
the mixed part and the key of every edge; messages are made again, and the gradients on them, on
keys and on mixed parts stay near the processor.
"""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from atomlens.models.scann.fused import use_fused
from atomlens.models.scann.tiles import (
    EDGES_OF_A_TILE,
    EdgeInputs,
    EdgeWeights,
    laid_out,
    multiplied_in_loops,
)
from atomlens.nn.edges import EdgeLayout
from atomlens.nn.pieces import as_arrays


class Recorded(NamedTuple):
    """What the edges of a layer give."""

    geometry: Float[Tensor, "n_edges n_features"]
    context: Float[Tensor, "n_targets n_features"]
    """What atoms hear"""
    attention: Float[Tensor, "n_edges n_heads"]


def usable(
    layout: EdgeLayout,
    nodes: Float[Tensor, "n_nodes n_features"],
    geometry: Float[Tensor, "n_edges n_features"],
    *factors: Tensor | None,
) -> bool:
    """Tell whether `recorded` can be asked.

    That is on one core (several write to the same atoms on the way back), and where no gradient on
    what makes mask and bias is asked for.
    """
    given = [f for f in (*factors, layout.presence) if f is not None]
    return (
        torch.is_grad_enabled()
        and torch.get_num_threads() == 1
        and use_fused(geometry, layout)
        and multiplied_in_loops(geometry.shape[1], nodes, geometry, *given)
        and not any(f.requires_grad for f in given)
    )


def recorded(layout: EdgeLayout, weights: EdgeWeights, inputs: EdgeInputs) -> Recorded:
    """Return new geometry, what atoms hear, and attention, all with gradients."""
    *tensors, eps = weights
    return Recorded(*_Edges.apply(layout, eps, *inputs, *tensors))  # type: ignore[no-untyped-call]


class _Edges(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, layout: EdgeLayout, eps: float, *tensors: Tensor) -> tuple[Tensor, ...]:
        from atomlens.models.scann.layer_kernels import edges_forward

        tensors = tuple(t.contiguous() for t in tensors)
        query, geometry, mask = tensors[0], tensors[4], tensors[5]
        mix, scale, shift, key, key_bias = tensors[7:]
        updated, mixed, keys = (torch.empty_like(geometry) for _ in range(3))
        mean, inverse = geometry.new_empty(2, len(geometry)).unbind()
        context = torch.empty_like(query)
        attention = geometry.new_empty(len(geometry), mask.shape[1])
        results = updated, context, attention, mean, inverse, mixed, keys
        edges_forward(
            as_arrays(*tensors[:7]),
            (laid_out(mix), laid_out(key), *as_arrays(scale, shift, key_bias)),
            as_arrays(layout.source, layout.target, layout.offsets),
            eps,
            0,
            layout.n_nodes,
            EDGES_OF_A_TILE,
            as_arrays(*results),
        )
        ctx.save_for_backward(*tensors, updated, attention, mean, inverse, mixed, keys)
        ctx.layout = layout
        ctx.set_materialize_grads(False)
        return updated, context, attention

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Any, ...]:
        from atomlens.models.scann.layer_kernels import edges_backward

        layout: EdgeLayout = ctx.layout
        tensors, saved = ctx.saved_tensors[:12], ctx.saved_tensors[12:]
        query, at_target, at_source, nodes, geometry, mask, _ = tensors[:7]
        mix, scale, shift, key, key_bias = tensors[7:]
        d_updated, d_context, d_attention = gradients
        none = geometry.new_empty(0, geometry.shape[1])
        d_context = torch.zeros_like(query) if d_context is None else d_context
        d_attention = mask.new_empty(0, mask.shape[1]) if d_attention is None else d_attention
        of_geometry = ctx.needs_input_grad[6]  # the first layer's does not change with the atoms
        of_weights = any(ctx.needs_input_grad[-5:])  # explainers ask for none
        d_geometry = torch.empty_like(geometry) if of_geometry else none
        d_query = torch.empty_like(query)
        d_nodes = [torch.zeros_like(t) for t in (at_target, at_source, nodes)]
        d_rest = [torch.zeros_like(t) for t in (scale, shift, key_bias)]
        d_weights = [torch.zeros_like(t) if of_weights else none for t in (mix, key)]
        edges_backward(
            as_arrays(*tensors[:6]),
            (laid_out(mix, turned=True), laid_out(key, turned=True), *as_arrays(scale, shift)),
            as_arrays(layout.source, layout.target, layout.offsets),
            0,
            layout.n_nodes,
            EDGES_OF_A_TILE,
            as_arrays(*saved),
            as_arrays(none if d_updated is None else d_updated, d_context, d_attention),
            as_arrays(d_query, d_geometry, *d_nodes, *d_rest, *d_weights),
        )
        of_inputs = d_query, *d_nodes, d_geometry if of_geometry else None, None, None
        if not of_weights:
            return None, None, *of_inputs, *[None] * 5
        d_scale, d_shift, d_key_bias = d_rest
        return None, None, *of_inputs, d_weights[0], d_scale, d_shift, d_weights[1], d_key_bias
