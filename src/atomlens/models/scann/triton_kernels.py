"""SCANN's edge update and local attention on CUDA, each as one pair of Triton kernels.

The contracts of `atomlens.models.scann.fused`, whose CPU loops do the same arithmetic. Every edge
row is read once and written once; the edge update works on tiles of edges, the attention on the
sorted edges of one node. Gradients that go to the source of an edge are added atomically, so
their last bits differ from run to run.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from atomlens.nn.edges import EdgeLayout

TILE = 16
"""Edges worked on together in the edge update."""


def fits(n_features: int) -> bool:
    """Tell whether rows of this width are a shape the kernels are written for."""
    return n_features >= 16 and n_features & (n_features - 1) == 0


@triton.jit
def _edge_update_forward(
    mixed, at_target, at_source, geometry, nodes, scale, shift, source, target,
    updated, message, n_edges, eps, WIDTH: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    edges = tl.program_id(0) * TILE + tl.arange(0, TILE)
    columns = tl.arange(0, WIDTH)
    there = edges < n_edges
    i = tl.load(target + edges, mask=there, other=0)
    j = tl.load(source + edges, mask=there, other=0)
    rows = edges.to(tl.int64)[:, None] * WIDTH + columns[None, :]
    at_i, at_j = i[:, None] * WIDTH + columns[None, :], j[:, None] * WIDTH + columns[None, :]
    inside = there[:, None]
    m = tl.load(mixed + rows, mask=inside, other=0.0)
    m += tl.load(at_target + at_i, mask=inside, other=0.0)
    m += tl.load(at_source + at_j, mask=inside, other=0.0)
    row = tl.load(geometry + rows, mask=inside, other=0.0) + m * tl.sigmoid(m)
    centered = row - (tl.sum(row, axis=1) / WIDTH)[:, None]
    inverse = 1.0 / tl.sqrt(tl.sum(centered * centered, axis=1) / WIDTH + eps)
    value = centered * inverse[:, None] * tl.load(scale + columns)[None, :]
    value += tl.load(shift + columns)[None, :]
    tl.store(updated + rows, value, mask=inside)
    tl.store(message + rows, value * tl.load(nodes + at_j, mask=inside, other=0.0), mask=inside)


@triton.jit
def _edge_update_backward(
    mixed, at_target, at_source, geometry, nodes, scale, shift, source, target,
    d_updated, d_message, d_mixed, d_at_target, d_at_source, d_geometry, d_nodes,
    d_scale, d_shift, n_edges, eps,
    HAS_UPDATED: tl.constexpr, WIDTH: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    edges = tl.program_id(0) * TILE + tl.arange(0, TILE)
    columns = tl.arange(0, WIDTH)
    there = edges < n_edges
    i = tl.load(target + edges, mask=there, other=0)
    j = tl.load(source + edges, mask=there, other=0)
    rows = edges.to(tl.int64)[:, None] * WIDTH + columns[None, :]
    at_i, at_j = i[:, None] * WIDTH + columns[None, :], j[:, None] * WIDTH + columns[None, :]
    inside = there[:, None]
    m = tl.load(mixed + rows, mask=inside, other=0.0)
    m += tl.load(at_target + at_i, mask=inside, other=0.0)
    m += tl.load(at_source + at_j, mask=inside, other=0.0)
    gate = tl.sigmoid(m)
    row = tl.load(geometry + rows, mask=inside, other=0.0) + m * gate
    centered = row - (tl.sum(row, axis=1) / WIDTH)[:, None]
    inverse = 1.0 / tl.sqrt(tl.sum(centered * centered, axis=1) / WIDTH + eps)
    normed = centered * inverse[:, None]
    weight = tl.load(scale + columns)[None, :]
    d_m = tl.load(d_message + rows, mask=inside, other=0.0)
    node = tl.load(nodes + at_j, mask=inside, other=0.0)
    d_value = d_m * node
    if HAS_UPDATED:
        d_value += tl.load(d_updated + rows, mask=inside, other=0.0)
    value = normed * weight + tl.load(shift + columns)[None, :]
    tl.atomic_add(d_nodes + at_j, d_m * value, mask=inside, sem="relaxed")
    partial = tl.program_id(0) * WIDTH + columns
    tl.store(d_scale + partial, tl.sum(d_value * normed, axis=0))
    tl.store(d_shift + partial, tl.sum(d_value, axis=0))
    d_normed = d_value * weight
    along = tl.sum(d_normed * normed, axis=1) / WIDTH
    d_sum = d_normed - (tl.sum(d_normed, axis=1) / WIDTH)[:, None] - normed * along[:, None]
    d_sum *= inverse[:, None]
    tl.store(d_geometry + rows, d_sum, mask=inside)
    d_mix = d_sum * gate * (1.0 + m * (1.0 - gate))
    tl.store(d_mixed + rows, d_mix, mask=inside)
    tl.atomic_add(d_at_target + at_i, d_mix, mask=inside, sem="relaxed")
    tl.atomic_add(d_at_source + at_j, d_mix, mask=inside, sem="relaxed")


@triton.jit
def _attention_forward(
    query, key, offsets, mask, bias, context, attention, scale,
    MASKED: tl.constexpr, BIASED: tl.constexpr, HEADS: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    i = tl.program_id(0).to(tl.int64)
    heads = tl.arange(0, HEADS)
    features = heads[:, None] * WIDTH + tl.arange(0, WIDTH)[None, :]
    begin, end = tl.load(offsets + i), tl.load(offsets + i + 1)
    q = tl.load(query + i * HEADS * WIDTH + features) * scale
    largest = tl.full((HEADS,), float("-inf"), tl.float32)
    total = tl.zeros((HEADS,), tl.float32)
    sums = tl.zeros((HEADS, WIDTH), tl.float32)
    for e in range(begin, end):
        k = tl.load(key + e * HEADS * WIDTH + features)
        score = tl.sum(q * k, axis=1)
        if BIASED:
            score += tl.load(bias + e)
        tl.store(attention + e * HEADS + heads, score)
        new = tl.maximum(largest, score)
        shrink, weight = tl.exp(largest - new), tl.exp(score - new)
        total = total * shrink + weight
        if MASKED:
            weight *= tl.load(mask + e * HEADS + heads)
        sums = sums * shrink[:, None] + weight[:, None] * k
        largest = new
    total = tl.where(total > 0, total, 1.0)
    tl.store(context + i * HEADS * WIDTH + features, sums / total[:, None])
    tl.debug_barrier()  # the scores just written are read by other lanes
    for e in range(begin, end):
        score = tl.load(attention + e * HEADS + heads)
        tl.store(attention + e * HEADS + heads, tl.exp(score - largest) / total)


@triton.jit
def _attention_backward(
    query, key, offsets, mask, attention, d_context, inner, d_attention, d_query, d_key, scale,
    MASKED: tl.constexpr, READ: tl.constexpr, HEADS: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    i = tl.program_id(0).to(tl.int64)
    heads = tl.arange(0, HEADS)
    features = heads[:, None] * WIDTH + tl.arange(0, WIDTH)[None, :]
    node = i * HEADS * WIDTH + features
    begin, end = tl.load(offsets + i), tl.load(offsets + i + 1)
    q, d_c = tl.load(query + node), tl.load(d_context + node)
    shared = tl.load(inner + i * HEADS + heads)
    d_q = tl.zeros((HEADS, WIDTH), tl.float32)
    for e in range(begin, end):
        k = tl.load(key + e * HEADS * WIDTH + features)
        weight = tl.load(attention + e * HEADS + heads)
        d_a = tl.sum(d_c * k, axis=1)
        kept = weight
        if MASKED:
            keep = tl.load(mask + e * HEADS + heads)
            d_a *= keep
            kept *= keep
        if READ:
            d_a += tl.load(d_attention + e * HEADS + heads)
        d_score = weight * (d_a - shared) * scale
        d_q += d_score[:, None] * k
        d_k = kept[:, None] * d_c + d_score[:, None] * q
        tl.store(d_key + e * HEADS * WIDTH + features, d_k)
    tl.store(d_query + node, d_q)


class EdgeUpdateFunction(torch.autograd.Function):
    """For `atomlens.models.scann.fused.Kernels`."""

    @staticmethod
    def forward(ctx: Any, layout: EdgeLayout, eps: float, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """As `Kernels.edge_update`."""
        inputs = tuple(t.contiguous() for t in inputs)
        mixed = inputs[0]
        n_edges, width = mixed.shape
        updated, message = torch.empty_like(mixed), torch.empty_like(mixed)
        grid = (triton.cdiv(n_edges, TILE),)
        _edge_update_forward[grid](
            *inputs, layout.source, layout.target, updated, message, n_edges, eps,
            WIDTH=width, TILE=TILE,
        )  # fmt: skip
        ctx.save_for_backward(*inputs)
        ctx.layout, ctx.eps = layout, eps
        ctx.set_materialize_grads(False)
        return updated, message

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_updated: Tensor | None, d_message: Tensor | None) -> tuple[Any, ...]:
        """Return the gradients of all arguments."""
        inputs, layout = ctx.saved_tensors, ctx.layout
        mixed, at_target, at_source, geometry, nodes, _, _ = inputs
        n_edges, width = mixed.shape
        n_tiles = triton.cdiv(n_edges, TILE)
        d_message = torch.zeros_like(mixed) if d_message is None else d_message.contiguous()
        has_updated = d_updated is not None
        d_updated = d_updated.contiguous() if d_updated is not None else d_message
        d_mixed, d_geometry = torch.empty_like(mixed), torch.empty_like(geometry)
        d_at_target, d_at_source, d_nodes = (
            torch.zeros_like(t) for t in (at_target, at_source, nodes)
        )
        d_scale, d_shift = mixed.new_empty(2, n_tiles, width).unbind()
        _edge_update_backward[(n_tiles,)](
            *inputs, layout.source, layout.target, d_updated, d_message, d_mixed, d_at_target,
            d_at_source, d_geometry, d_nodes, d_scale, d_shift, n_edges, ctx.eps,
            HAS_UPDATED=has_updated, WIDTH=width, TILE=TILE,
        )  # fmt: skip
        sums = d_scale.sum(dim=0), d_shift.sum(dim=0)
        return None, None, d_mixed, d_at_target, d_at_source, d_geometry, d_nodes, *sums


class AttentionFunction(torch.autograd.Function):
    """For `atomlens.models.scann.fused.Kernels`."""

    @staticmethod
    def forward(
        ctx: Any,
        layout: EdgeLayout,
        n_heads: int,
        mask: Tensor,
        bias: Tensor,
        query: Tensor,
        key: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """As `Kernels.attention`."""
        query, key = query.contiguous(), key.contiguous()
        width = query.shape[1] // n_heads
        context, attention = torch.empty_like(query), key.new_empty(len(key), n_heads)
        _attention_forward[(len(query),)](
            query, key, layout.offsets, mask if len(mask) else query, bias if len(bias) else query,
            context, attention, width**-0.5,
            MASKED=len(mask) > 0, BIASED=len(bias) > 0, HEADS=n_heads, WIDTH=width, num_warps=1,
        )  # fmt: skip
        ctx.save_for_backward(query, key, mask, attention, context)
        ctx.layout, ctx.n_heads = layout, n_heads
        ctx.set_materialize_grads(False)
        return context, attention

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_context: Tensor | None, d_attention: Tensor | None) -> tuple[Any, ...]:
        """Return the gradients of all arguments."""
        query, key, mask, attention, context = ctx.saved_tensors
        layout, n_heads = ctx.layout, ctx.n_heads
        width = query.shape[1] // n_heads
        d_context = torch.zeros_like(query) if d_context is None else d_context.contiguous()
        inner = (d_context * context).view(-1, n_heads, width).sum(dim=2)
        if d_attention is not None:
            inner = inner.index_add(0, layout.target, attention * d_attention)
        d_query, d_key = torch.empty_like(query), torch.empty_like(key)
        _attention_backward[(len(query),)](
            query, key, layout.offsets, mask if len(mask) else query, attention, d_context, inner,
            attention if d_attention is None else d_attention.contiguous(), d_query, d_key,
            width**-0.5, MASKED=len(mask) > 0, READ=d_attention is not None, HEADS=n_heads,
            WIDTH=width, num_warps=1,
        )  # fmt: skip
        return None, None, None, None, d_query, d_key
