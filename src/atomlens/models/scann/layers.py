"""SCANN's local attention over the neighbours of each atom, and its edge update."""

from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from atomlens.models.scann.fused import fused_kernels, use_fused
from atomlens.models.scann.recorded import recorded
from atomlens.models.scann.recorded import usable as can_record
from atomlens.models.scann.rows import behind, drop_mask, mapped
from atomlens.models.scann.rows import usable as rows_usable
from atomlens.models.scann.tiles import EdgeInputs, EdgeWeights, attended_in_tiles, usable
from atomlens.nn.edges import EdgeLayout, parts_at_targets, worth_parts
from atomlens.nn.linear import glorot_linear
from atomlens.nn.products import product
from atomlens.nn.segment import segment_softmax, segment_sum

LAYER_NORM_EPS = 1e-6


class EdgeUpdate(nn.Module):
    """g' = LayerNorm(g + SiLU(W [c_i ; g ; c_j] + b))   (SCANN+).

    The product with W is split, so that the parts that depend on one atom alone are computed
    once an atom and not once an edge.
    """

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.linear = glorot_linear(3 * n_features, n_features)
        self.norm = nn.LayerNorm(n_features, eps=LAYER_NORM_EPS)

    def forward(
        self,
        nodes: Float[Tensor, "n_nodes n_features"],
        geometry: Float[Tensor, "n_edges n_features"],
        layout: EdgeLayout,
    ) -> tuple[Float[Tensor, "n_edges n_features"], Float[Tensor, "n_edges n_features"]]:
        """Return the new geometry g' of every edge, and the message c_j ⊙ g'."""
        return self.of_edges(*self.of_nodes(nodes), geometry, nodes, layout)

    def of_nodes(
        self, nodes: Float[Tensor, "n_nodes n_features"]
    ) -> tuple[Float[Tensor, "n_nodes n_features"], Float[Tensor, "n_nodes n_features"]]:
        """Return what each atom adds as target and as source of an edge."""
        w_target, _, w_source = self.linear.weight.chunk(3, dim=1)
        return product(nodes, w_target, self.linear.bias), product(nodes, w_source)

    def of_edges(
        self,
        at_target: Float[Tensor, "n_targets n_features"],
        at_source: Float[Tensor, "n_nodes n_features"],
        geometry: Float[Tensor, "n_edges n_features"],
        nodes: Float[Tensor, "n_nodes n_features"],
        layout: EdgeLayout,
    ) -> tuple[Float[Tensor, "n_edges n_features"], Float[Tensor, "n_edges n_features"]]:
        """Return g' and the message of some edges, given what their ends add."""
        mixed = product(geometry, self.linear.weight.chunk(3, dim=1)[1])
        fused = fused_kernels(mixed, layout)
        if fused is not None:
            return fused.edge_update(
                layout,
                LAYER_NORM_EPS,
                mixed=mixed,
                at_target=at_target,
                at_source=at_source,
                geometry=geometry,
                nodes=nodes,
                scale=self.norm.weight,
                shift=self.norm.bias,
            )
        mixed = mixed + at_target.index_select(0, layout.target)
        mixed = mixed + at_source.index_select(0, layout.source)
        updated = self.norm(geometry + functional.silu(mixed))
        return updated, nodes.index_select(0, layout.source) * updated


class LocalAttention(nn.Module):
    """Multi-head attention of an atom over its neighbours.

    Query W_q c_i, key = value = W_k (c_j ⊙ g_ij), scores over √(head width), and the residual
    is the projected query. Then LayerNorm, a feed-forward part and LayerNorm again, as in the
    published code (the paper's Eq 5 shows one head and neither norm nor feed-forward part).
    """

    def __init__(self, n_features: int, n_heads: int, attention_dropout: float, dropout: float):
        super().__init__()
        self.n_heads = n_heads
        self.attention_dropout = attention_dropout
        self.query = glorot_linear(n_features, n_features)
        self.key = glorot_linear(n_features, n_features)
        self.norm = nn.LayerNorm(n_features, eps=LAYER_NORM_EPS)
        self.feed_forward = nn.Sequential(
            glorot_linear(n_features, n_features),
            nn.SiLU(),
            glorot_linear(n_features, n_features),
            nn.Dropout(dropout),
        )
        self.feed_forward_norm = nn.LayerNorm(n_features, eps=LAYER_NORM_EPS)

    def forward(
        self,
        nodes: Float[Tensor, "n_nodes n_features"],
        messages: Float[Tensor, "n_edges n_features"],
        layout: EdgeLayout,
        bias: Float[Tensor, " n_biased"] | None = None,
        keep: Float[Tensor, " n_kept"] | None = None,
    ) -> tuple[Float[Tensor, "n_nodes n_features"], Float[Tensor, "n_edges n_heads"]]:
        """Return the new features of every atom, and the attention of every edge and head.

        ``bias`` is added to the scores of each edge, ``keep`` multiplies its attention in the
        sum (0 for an edge that is not there).
        """
        query, mask = self.query(nodes), self.mask(messages, layout, keep)
        context, attention = self.attend(query, self.key(messages), layout, bias, mask)
        return self.after(query, context), attention

    def after(
        self,
        query: Float[Tensor, "n_nodes n_features"],
        context: Float[Tensor, "n_nodes n_features"],
    ) -> Float[Tensor, "n_nodes n_features"]:
        """Return the new features of every atom, given what it hears of its neighbours."""
        dropout = cast(nn.Dropout, self.feed_forward[3])
        keep = query.new_empty(0, query.shape[1])
        if dropout.training and dropout.p and query.device.type == "cpu":
            keep = drop_mask(query, query.shape[1], dropout.p)  # the same on any number of threads
        if rows_usable(query.shape[1], query, context):
            return self._after_in_rows(query, context, keep)
        normed = self.norm(context + query)
        inner = self.feed_forward[:3](normed) * keep if len(keep) else self.feed_forward(normed)
        found: Tensor = self.feed_forward_norm(normed + inner)
        return found

    def _after_in_rows(self, query: Tensor, context: Tensor, keep: Tensor) -> Tensor:
        """Do as `after`, some rows at a time."""
        inner, outer = (cast(nn.Linear, self.feed_forward[i]) for i in (0, 2))
        norms = self.norm.weight, self.norm.bias
        last_norms = self.feed_forward_norm.weight, self.feed_forward_norm.bias
        vectors = inner.bias, outer.bias, *norms, *last_norms
        return behind(context, query, keep, LAYER_NORM_EPS, (inner.weight, outer.weight), vectors)

    def attend(
        self,
        query: Float[Tensor, "n_nodes n_features"],
        key: Float[Tensor, "n_edges n_features"],
        layout: EdgeLayout,
        bias: Float[Tensor, " n_biased"] | None,
        mask: Float[Tensor, "n_masked n_heads"],
    ) -> tuple[Float[Tensor, "n_nodes n_features"], Float[Tensor, "n_edges n_heads"]]:
        """Return Σ_j a_ij k_ij and a_ij; ``mask`` (see `mask`) multiplies a_ij in the sum."""
        if bias is None:
            bias = key.new_empty(0)
        fused = fused_kernels(key, layout)
        if fused is not None and not (bias.requires_grad or mask.requires_grad):
            return fused.attention(layout, self.n_heads, mask, bias, query, key)
        heads = (-1, self.n_heads, key.shape[1] // self.n_heads)
        key = key.view(heads)
        scores = (query.index_select(0, layout.target).view(heads) * key).sum(dim=2)
        scores = scores * (heads[2] ** -0.5)
        if len(bias):
            scores = scores + bias.unsqueeze(1)
        attention = segment_softmax(scores, layout.target, layout.n_nodes)
        kept = attention * mask if len(mask) else attention
        weighted = (kept.unsqueeze(2) * key).flatten(1)
        return segment_sum(weighted, layout.target, layout.n_nodes), attention

    def mask(
        self,
        rows: Float[Tensor, "n_edges n_features"],
        layout: EdgeLayout,
        keep: Float[Tensor, " n_kept"] | None,
    ) -> Float[Tensor, "n_masked n_heads"]:
        """Return what attention is multiplied with in the sum; no rows where it is with nothing.

        That is dropout while training, ``keep``, and how much of each message arrives.
        """
        mask = rows.new_empty(0, self.n_heads)
        if self.training and self.attention_dropout > 0:
            mask = drop_mask(rows, self.n_heads, self.attention_dropout)
        if layout.presence is not None:
            keep = layout.presence if keep is None else keep * layout.presence
        if keep is not None:
            kept = keep.unsqueeze(1).expand(-1, self.n_heads)
            mask = mask * kept if len(mask) else kept.contiguous()
        return mask


def updated_and_attended(
    update: EdgeUpdate,
    layer: LocalAttention,
    nodes: Float[Tensor, "n_nodes n_features"],
    geometry: Float[Tensor, "n_edges n_features"],
    layout: EdgeLayout,
    bias: Float[Tensor, " n_edges"] | None,
    keep: Float[Tensor, " n_edges"] | None = None,
) -> tuple[
    Float[Tensor, "n_nodes n_features"],
    Float[Tensor, "n_edges n_features"],
    Float[Tensor, "n_edges n_heads"],
]:
    """Return atoms, geometry and attention behind one layer of SCANN+.

    Where no gradient is asked for, the new geometry may be put in the place of the old: on a CPU
    some targets are worked on at a time, so that of all messages and keys only a part is in memory.
    """
    many = use_fused(geometry, layout) or worth_parts(len(geometry))
    elsewhere = geometry.device.type != "cpu" or torch.is_autocast_enabled("cpu")
    trained = torch.is_grad_enabled()
    if not many or elsewhere or (trained and not can_record(layout, nodes, geometry, bias, keep)):
        return _one_by_one(update, layer, nodes, geometry, layout, bias, keep)
    query, at_target, at_source = _readings(update, layer, nodes)
    inputs = EdgeInputs(
        query=query,
        at_target=at_target,
        at_source=at_source,
        nodes=nodes,
        geometry=geometry.contiguous(),
        mask=layer.mask(geometry, layout, keep),
        bias=geometry.new_empty(0) if bias is None else bias,
    )
    if not trained:
        context, attention = heard_in_place(update, layer, inputs, layout)
        return layer.after(inputs.query, context), inputs.geometry, attention
    found = recorded(layout, _weights(update, layer), inputs)
    return layer.after(inputs.query, found.context), found.geometry, found.attention


def _readings(
    update: EdgeUpdate, layer: LocalAttention, nodes: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return queries, and what atoms add to edges as targets and as sources."""
    if not rows_usable(nodes.shape[1], nodes):
        return layer.query(nodes), *update.of_nodes(nodes)
    at_target, _, at_source = update.linear.weight.chunk(3, dim=1)
    of_query = layer.query.weight, layer.query.bias
    query, of_target, of_source = mapped(
        nodes, of_query, (at_target, update.linear.bias), (at_source, None)
    )
    return query, of_target, of_source


def _one_by_one(
    update: EdgeUpdate,
    layer: LocalAttention,
    nodes: Tensor,
    geometry: Tensor,
    layout: EdgeLayout,
    bias: Tensor | None,
    keep: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Do as `updated_and_attended`, each step for all edges."""
    geometry, messages = update(nodes, geometry, layout)
    nodes, attention = layer(nodes, messages, layout, bias, keep)
    return nodes, geometry, attention


def _weights(update: EdgeUpdate, layer: LocalAttention) -> EdgeWeights:
    return EdgeWeights(
        mix=update.linear.weight.chunk(3, dim=1)[1],
        scale=update.norm.weight,
        shift=update.norm.bias,
        key=layer.key.weight,
        key_bias=layer.key.bias,
        eps=LAYER_NORM_EPS,
    )


def heard_in_place(
    update: EdgeUpdate, layer: LocalAttention, inputs: EdgeInputs, layout: EdgeLayout
) -> tuple[Float[Tensor, "n_targets n_features"], Float[Tensor, "n_edges n_heads"]]:
    """Put the new geometry in the place of the old; return what targets hear, and attention.

    Without gradients. ``layout`` counts targets as the queries do, and sources as the nodes.
    """
    if usable(inputs, layout):
        return attended_in_tiles(layout, _weights(update, layer), inputs)
    query, at_target, at_source, nodes, geometry, mask, bias = inputs
    context = torch.empty_like(query)
    attention = query.new_empty(len(geometry), layer.n_heads)
    for targets, own in parts_at_targets(layout):
        part = layout.part(targets, own)
        geometry[own], messages = update.of_edges(
            at_target[targets], at_source, geometry[own], nodes, part
        )
        context[targets], attention[own] = layer.attend(
            query[targets], layer.key(messages), part, bias[own], mask[own]
        )
    return context, attention
