"""The edges of a layer of SCANN+ with gradients on one core, tile by tile; see `tiles`.

Update, keys and attention as one function: on the way back the gradients on keys, messages and the
mixed part of every edge stay near the processor, in memory that the next tile uses again, while
as functions of their own each would go to main memory and come back.
"""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from atomlens.models.scann.fused import by_head, use_fused
from atomlens.models.scann.tiles import EdgeInputs, EdgeWeights
from atomlens.nn.edges import EdgeLayout
from atomlens.nn.pieces import as_arrays, tiles_of
from atomlens.nn.products import add_product, product

EDGES_OF_A_TILE = 4_096


class Recorded(NamedTuple):
    """What the edges of a layer give."""

    geometry: Float[Tensor, "n_edges n_features"]
    context: Float[Tensor, "n_targets n_features"]
    """What atoms hear"""
    attention: Float[Tensor, "n_edges n_heads"]


def usable(inputs: EdgeInputs, layout: EdgeLayout) -> bool:
    """Tell whether `recorded` can be asked.

    That is on one core (several write to the same atoms on the way back), with 32-bit numbers, for
    more than a few edges, and where no gradient on mask or bias is asked for.
    """
    return (
        torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
        and torch.get_num_threads() == 1
        and use_fused(inputs.geometry, layout)
        and all(t.dtype == torch.float32 for t in inputs)
        and not (inputs.mask.requires_grad or inputs.bias.requires_grad)
    )


def recorded(layout: EdgeLayout, weights: EdgeWeights, inputs: EdgeInputs) -> Recorded:
    """Return new geometry, what atoms hear, and attention, all with gradients."""
    *tensors, eps = weights
    return Recorded(*_Edges.apply(layout, eps, *inputs, *tensors))  # type: ignore[no-untyped-call]


class _Edges(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, layout: EdgeLayout, eps: float, *tensors: Tensor) -> tuple[Tensor, ...]:
        from atomlens.models.scann.kernels import attention_forward, edge_update_forward

        tensors = tuple(t.contiguous() for t in tensors)
        query, at_target, at_source, nodes, geometry, mask, bias = tensors[:7]
        mix, scale, shift, key_weight, key_bias = tensors[7:]
        n_heads = mask.shape[1]
        updated, message = torch.empty_like(geometry), torch.empty_like(geometry)
        mean, inverse = geometry.new_empty(2, len(geometry)).unbind()
        context = torch.empty_like(query)
        attention = geometry.new_empty(len(geometry), n_heads)
        offsets, source, target = as_arrays(layout.offsets, layout.source, layout.target)
        adds, rest = as_arrays(at_target, at_source), as_arrays(nodes, scale, shift)
        old, masks, biases = as_arrays(geometry, mask, bias)
        results, (found,) = as_arrays(updated, message, mean, inverse), as_arrays(attention)
        queries, contexts = by_head(n_heads, query, context)
        mixed, keys = [], []
        for start, stop in tiles_of(offsets, EDGES_OF_A_TILE):
            first, last = int(offsets[start]), int(offsets[stop])
            own, n = slice(first, last), last - first
            mixed.append(product(geometry[own], mix))
            edge_update_forward(
                (*as_arrays(mixed[-1]), *adds, old[own], *rest),
                (source[own], target[own]),
                eps,
                0,
                n,
                tuple(one[own] for one in results),
            )
            keys.append(product(message[own], key_weight, key_bias))
            attention_forward(
                queries[start:stop],
                *by_head(n_heads, keys[-1]),
                offsets[start : stop + 1] - first,
                masks[own],
                biases[own],
                0,
                stop - start,
                contexts[start:stop],
                found[own],
            )
        ctx.save_for_backward(*tensors, message, mean, inverse, attention, *mixed, *keys)
        ctx.layout = layout
        ctx.set_materialize_grads(False)
        return updated, context, attention

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Any, ...]:
        from atomlens.models.scann.kernels import attention_backward, edge_update_backward

        layout: EdgeLayout = ctx.layout
        saved = ctx.saved_tensors
        query, at_target, at_source, nodes, geometry, mask, _ = saved[:7]
        mix, scale, shift, key_weight, _ = saved[7:12]
        message, mean, inverse, attention = saved[12:16]
        d_updated, d_context, d_attention = gradients
        n_heads, width = mask.shape[1], geometry.shape[1]
        of_mix, _, _, of_key, _ = ctx.needs_input_grad[-5:]  # explainers ask for none of weights
        of_geometry = ctx.needs_input_grad[6]  # nor does the first layer, of what no atom changes
        d_context = torch.zeros_like(query) if d_context is None else d_context.contiguous()
        d_query, d_geometry = torch.empty_like(query), torch.empty_like(geometry)
        d_nodes = [torch.zeros_like(t) for t in (at_target, at_source, nodes)]
        d_weights = [torch.zeros_like(t) for t in (mix, scale, shift, key_weight, scale)]
        d_mix, d_scale, d_shift, d_key_weight, d_key_bias = d_weights
        offsets, source, target = as_arrays(layout.offsets, layout.source, layout.target)
        tiles = list(tiles_of(offsets, EDGES_OF_A_TILE))
        most = max((int(offsets[b] - offsets[a]) for a, b in tiles), default=0)
        room = geometry.new_empty(2, most, width)
        nothing = geometry.new_zeros(most if d_updated is None else 0, width)
        in_nodes, affine = as_arrays(at_target, at_source), as_arrays(scale, shift)
        (at_ends,) = as_arrays(nodes)
        sums = as_arrays(*d_nodes, d_scale, d_shift)
        for (start, stop), mixed, key in zip(
            tiles, saved[16 : 16 + len(tiles)], saved[16 + len(tiles) :], strict=True
        ):
            first, last = int(offsets[start]), int(offsets[stop])
            own, n = slice(first, last), last - first
            d_key, d_mixed = (one[:n] for one in room)
            read = geometry.new_empty(0, n_heads) if d_attention is None else d_attention[own]
            attention_backward(
                *by_head(n_heads, query[start:stop], key),
                offsets[start : stop + 1] - first,
                *as_arrays(mask[own], attention[own]),
                *by_head(n_heads, d_context[start:stop]),
                *as_arrays(read),
                0,
                stop - start,
                *by_head(n_heads, d_query[start:stop], d_key),
            )
            d_message = product(d_key, key_weight.t())
            if of_key:
                add_product(d_key_weight, d_key.t(), message[own].t())
                d_key_bias += d_key.sum(dim=0)
            further = nothing[:n] if d_updated is None else d_updated[own]
            now, old, ours = as_arrays(mixed, geometry[own], d_geometry[own])
            edge_update_backward(
                (now, *in_nodes, old, at_ends, *affine),
                (source[own], target[own]),
                as_arrays(mean[own], inverse[own], further, d_message),
                0,
                n,
                (*as_arrays(d_mixed), ours, *sums),
            )
            if of_geometry:
                add_product(d_geometry[own], d_mixed, mix.t())
            if of_mix:
                add_product(d_mix, d_mixed.t(), geometry[own].t())
        d_at_target, d_at_source, d_node = d_nodes
        of_edges = d_geometry if of_geometry else None
        of_inputs = d_query, d_at_target, d_at_source, d_node, of_edges, None, None
        return None, None, *of_inputs, *d_weights
