"""Convolutions over crystal graphs: gates (CGCNN) and attention in their place (AE-CGCNN).

CGCNN: Xie and Grossman, Phys. Rev. Lett. 120, 145301 (2018), with the batch normalisations of
the published code. AE-CGCNN: Cong et al., Eqs 4 to 8; where the paper leaves a choice, the
setting of the model names it.
"""

import math
from collections.abc import Iterator
from functools import partial
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from atomlens.machine import compiler, worth_compiling
from atomlens.models.cgcnn import recorded
from atomlens.nn.edges import EdgeLayout, parts_at_targets, worth_parts
from atomlens.nn.norm import RowNorm
from atomlens.nn.pieces import as_arrays, in_pieces, tiles_of
from atomlens.nn.products import product
from atomlens.nn.segment import segment_max, segment_softmax, segment_sum

EDGES_OF_A_PASS = 1_024
"""Edges whose rows stay near a core; with 128 numbers each they take half a megabyte."""
_PLAIN_EDGES = 1_000_000
"""As many edges are gone through before compiling the loop pays."""

HeadSoftmax = Literal["joint", "per-head"]
Combine = Literal["mean", "attention", "extra"]


class PairLinear(nn.Module):
    """One linear map of [v_i ; v_j ; e_ij], as in CGCNN.

    The part of each atom is worked out once per atom and then handed to its edges, instead of
    once per edge: the same numbers for a fraction of the work.
    """

    def __init__(self, n_node: int, n_edge: int, n_out: int) -> None:
        super().__init__()
        self.n_node = n_node
        self.linear = nn.Linear(2 * n_node + n_edge, n_out)

    def forward(
        self,
        nodes: Float[Tensor, "n_nodes n_node"],
        edges: Float[Tensor, "n_edges n_edge"],
        layout: EdgeLayout,
    ) -> Float[Tensor, "n_edges n_out"]:
        """Return one row an edge."""
        return self.of_edges(*self.of_nodes(nodes), self.of_geometry(edges), layout)

    def of_nodes(
        self, nodes: Float[Tensor, "n_nodes n_node"]
    ) -> tuple[Float[Tensor, "n_nodes n_out"], Float[Tensor, "n_nodes n_out"]]:
        """Return what each atom adds as target (with the bias) and as source of an edge."""
        target, source, _ = self._weights()
        return product(nodes, target, self.linear.bias), product(nodes, source)

    def of_edges(
        self,
        target: Float[Tensor, "n_targets n_out"],
        source: Float[Tensor, "n_nodes n_out"],
        geometry: Float[Tensor, "n_edges n_out"],
        layout: EdgeLayout,
    ) -> Float[Tensor, "n_edges n_out"]:
        """Return one row an edge, given what its ends and its geometry add."""
        ends = target.index_select(0, layout.target)
        ends += source.index_select(0, layout.source)  # in place: fresh memory costs more than sums
        ends += geometry
        return ends

    def of_geometry(self, edges: Float[Tensor, "n_edges n_edge"]) -> Float[Tensor, "n_edges n_out"]:
        """Return what the geometry of each edge adds."""
        return product(edges, self._weights()[2])

    def _weights(self) -> tuple[Tensor, ...]:
        return self.parts_of(self.linear.weight)

    def parts_of(self, weight: Float[Tensor, "n_out _"]) -> tuple[Tensor, ...]:
        """Return the columns of the map for target, source and geometry."""
        sizes = [self.n_node, self.n_node, self.linear.in_features - 2 * self.n_node]
        return torch.split(weight, sizes, dim=1)

    def in_parts(
        self,
        nodes: Float[Tensor, "n_nodes n_node"],
        edges: Float[Tensor, "n_edges n_edge"],
        layout: EdgeLayout,
        geometry: Float[Tensor, "n_edges n_out"] | None = None,
    ) -> Iterator[tuple[Tensor, EdgeLayout]]:
        """Yield the rows (n_own, n_out) of edges and their layout, some targets at a time.

        While training, or where the edges are few, all come at once. ``geometry`` is what
        `of_geometry` has said of these edges, if it is known.
        """
        target, source = self.of_nodes(nodes)
        if self.training or not worth_parts(len(edges)):
            known = self.of_geometry(edges) if geometry is None else geometry
            yield self.of_edges(target, source, known, layout), layout
            return
        for targets, own in parts_at_targets(layout):
            part = layout.part(targets, own)
            known = self.of_geometry(edges[own]) if geometry is None else geometry[own]
            yield self.of_edges(target[targets], source, known, part), part


class Convolved(NamedTuple):
    """What a convolution returns."""

    nodes: Float[Tensor, "n_nodes n_features"]
    aggregated: Float[Tensor, "n_nodes n_features"]
    """What the neighbours said, normalised, before residual and activation."""
    attention: Float[Tensor, "n_edges n_heads"] | None
    """Share of each neighbour; adds up to one over the edges of each atom. None for gates, and
    while training, where nothing asks for it."""


class GatedConvolution(nn.Module):
    """CGCNN: v_i' = g(v_i + BN(Σ_j σ(z_f) ⊙ g(z_s))), (z_f, z_s) = BN(W [v_i ; v_j ; e_ij])."""

    def __init__(self, n_features: int, n_edge: int, activation: nn.Module) -> None:
        super().__init__()
        self.pair = PairLinear(n_features, n_edge, 2 * n_features)
        self.edge_norm = RowNorm(2 * n_features)
        self.node_norm = RowNorm(n_features)
        self.activation = activation

    def forward(
        self,
        nodes: Float[Tensor, "n_nodes n_features"],
        edges: Float[Tensor, "n_edges n_edge"],
        layout: EdgeLayout,
        geometry: Float[Tensor, "n_edges _"] | None = None,
    ) -> Convolved:
        """Refine the atoms by what their neighbours say."""
        linear, norm = self.pair.linear, self.edge_norm
        if geometry is None and self._soft and recorded.usable(nodes, edges, layout, linear, norm):
            aggregated = self.node_norm(recorded.gated(nodes, edges, layout, linear, norm))
            return Convolved(recorded.softened(nodes, aggregated), aggregated, None)
        return self.after(nodes, self.sums(nodes, edges, layout, geometry))

    def sums(
        self,
        nodes: Float[Tensor, "n_nodes n_features"],
        edges: Float[Tensor, "n_edges n_edge"],
        layout: EdgeLayout,
        geometry: Float[Tensor, "n_edges _"] | None = None,
    ) -> Float[Tensor, "n_nodes n_features"]:
        """Return what each atom hears, before any normalisation: a plain sum over its edges."""
        if geometry is None and self._in_one_pass(nodes, layout):
            return self._sums_in_one_pass(nodes, edges, layout)
        return _joined(
            [
                segment_sum(part.heard(self.messages(rows)), part.target, part.n_nodes)
                for rows, part in self.pair.in_parts(nodes, edges, layout, geometry)
            ]
        )

    @property
    def _soft(self) -> bool:
        """Whether the activation is the one that the compiled loops know."""
        return type(self.activation) is nn.Softplus and self.activation.beta == 1

    def _in_one_pass(self, nodes: Float[Tensor, "n_nodes _"], layout: EdgeLayout) -> bool:
        """Say whether the compiled loop applies: on a CPU, in 32 bits, and nobody trains."""
        if self.training or torch.is_grad_enabled() or torch.is_autocast_enabled("cpu"):
            return False
        if nodes.device.type != "cpu" or nodes.dtype != torch.float32 or compiler() is None:
            return False
        if not self._soft or self.edge_norm.running_mean is None or not self.edge_norm.affine:
            return False
        from atomlens.models.cgcnn.kernels import gated_sums

        return worth_compiling(gated_sums, len(layout.source), _PLAIN_EDGES)

    def _sums_in_one_pass(
        self,
        nodes: Float[Tensor, "n_nodes n_features"],
        edges: Float[Tensor, "n_edges n_edge"],
        layout: EdgeLayout,
    ) -> Float[Tensor, "n_nodes n_features"]:
        """Return `sums`, with the normalisation taken into the products.

        Some edges at a time, so that their rows stay near the processor.
        """
        norm = self.edge_norm
        assert norm.running_var is not None
        assert norm.running_mean is not None
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        shift = norm.bias - norm.running_mean * scale
        weight, bias = self.pair.linear.weight * scale.unsqueeze(1), self.pair.linear.bias
        of_target, of_source, of_edge = self.pair.parts_of(weight)
        at_target = product(nodes, of_target, bias * scale + shift)
        at_source = product(nodes, of_source)
        sums, of_edge = torch.empty_like(nodes), of_edge.t().contiguous()
        heard = nodes.new_empty(0) if layout.presence is None else layout.presence.to(nodes.dtype)
        offsets, source, presence = as_arrays(layout.offsets, layout.source, heard)
        rows, found = as_arrays(at_target, at_source), sums.numpy()
        for start, stop in tiles_of(offsets, EDGES_OF_A_PASS * torch.get_num_threads()):
            first, last = int(offsets[start]), int(offsets[stop])
            own = slice(first, last)
            edge_rows = as_arrays(product(edges[own], of_edge.t()))
            begins, heard_of = offsets[start : stop + 1] - first, presence[own]
            inputs = rows[0][start:stop], rows[1], *edge_rows, source[own], begins, heard_of
            in_pieces(begins, partial(_summed, inputs, found[start:stop]))
        return sums

    def messages(self, rows: Float[Tensor, "n_edges _"]) -> Float[Tensor, "n_edges n_features"]:
        """Return the message of each edge, given its row of the linear map."""
        gate, core = self.edge_norm(rows).chunk(2, dim=1)
        message: Tensor = torch.sigmoid(gate) * self.activation(core)
        return message

    def after(
        self,
        nodes: Float[Tensor, "n_nodes n_features"],
        sums: Float[Tensor, "n_nodes n_features"],
    ) -> Convolved:
        """Return the atoms behind the layer, given what they heard."""
        aggregated = self.node_norm(sums)
        return Convolved(self.activation(nodes + aggregated), aggregated, None)


def _summed(inputs: tuple[Any, ...], sums: Any, first: int, last: int) -> None:
    from atomlens.models.cgcnn.kernels import gated_sums

    gated_sums(*inputs, first, last, sums)


class AttentionConvolution(nn.Module):
    """AE-CGCNN, Eqs 6 and 7: a softmax over the neighbours where CGCNN has a gate.

    h_im = Σ_j S_ijm ⊙ g(z_ij W_s^m + b), with S the softmax of z_ij W_f^m + b over the
    neighbours j (and, ``joint``, over the heads m), for each channel by itself or (``scalar``)
    one for all channels; heads are combined by their mean, by a softmax over m of the h_im
    (``attention``) or of one extra output a head (``extra``); v_i' = g(v_i + BN(Σ_m β_m ⊙ h_im)).
    """

    def __init__(
        self,
        n_features: int,
        n_edge: int,
        activation: nn.Module,
        *,
        n_heads: int,
        head_softmax: HeadSoftmax,
        combine: Combine,
        scalar: bool,
    ) -> None:
        super().__init__()
        self.n_features, self.n_heads = n_features, n_heads
        self.joint = head_softmax == "joint" and n_heads > 1
        self.n_scores = 1 if scalar else n_features
        self.pair = PairLinear(n_features, n_edge, n_heads * (self.n_scores + n_features))
        self.edge_norm = RowNorm(n_heads * (self.n_scores + n_features))
        self.node_norm = RowNorm(n_features)
        self.activation = activation
        self.combine = combine
        self.extra = nn.Linear(n_features, 1) if combine == "extra" else None

    def forward(
        self,
        nodes: Float[Tensor, "n_nodes n_features"],
        edges: Float[Tensor, "n_edges n_edge"],
        layout: EdgeLayout,
        geometry: Float[Tensor, "n_edges _"] | None = None,
    ) -> Convolved:
        """Refine the atoms by what their neighbours say."""
        if geometry is None and self._is_recorded(nodes, edges, layout):
            n_joint = self.n_heads if self.joint else 1
            linear, norm = self.pair.linear, self.edge_norm
            found = recorded.attended(nodes, edges, layout, linear, norm, n_joint)
            heard = found.view(len(nodes), self.n_heads, self.n_features)
            shared = self.combine == "attention" and self.n_heads > 1
            combined = recorded.combined(heard) if shared else self._combined(heard)
            return self._after(nodes, combined, None)
        heads, shares, parts = self.n_heads, [], []
        for rows, part in self.pair.in_parts(nodes, edges, layout, geometry):
            z = self.edge_norm(rows)
            scores, core = z.split([heads * self.n_scores, heads * self.n_features], dim=1)
            weights, totals = self._weights(scores.reshape(len(z), heads, self.n_scores), part)
            core = part.heard(self.activation(core)).reshape(len(z), heads, self.n_features)
            summed = segment_sum(weights * core, part.target, part.n_nodes) / totals
            parts.append(self._combined(summed))
            if not self.training:
                shares.append(self._attention(weights, totals, part))
        return self._after(nodes, _joined(parts), _joined(shares) if shares else None)

    def _is_recorded(self, nodes: Tensor, edges: Tensor, layout: EdgeLayout) -> bool:
        """Say whether the compiled loops for training apply; they know ReLU alone."""
        return (
            type(self.activation) is nn.ReLU
            and self.n_scores == self.n_features
            and recorded.usable(nodes, edges, layout, self.pair.linear, self.edge_norm)
        )

    def _after(
        self,
        nodes: Float[Tensor, "n_nodes n_features"],
        combined: Float[Tensor, "n_nodes n_features"],
        attention: Float[Tensor, "n_edges n_heads"] | None,
    ) -> Convolved:
        aggregated = self.node_norm(combined)
        return Convolved(self.activation(nodes + aggregated), aggregated, attention)

    def _weights(
        self, scores: Float[Tensor, "n_edges n_heads n_scores"], layout: EdgeLayout
    ) -> tuple[
        Float[Tensor, "n_edges n_heads n_scores"], Float[Tensor, "n_nodes n_one_or_heads n_scores"]
    ]:
        """Return exp(score - largest score of the atom), and their sum at every atom.

        The softmax is one over the other. Dividing after the sum over the neighbours spares a
        pass over the edges. What is subtracted cancels, so no gradient flows through it.
        """
        seen = scores.detach()
        compared = seen.amax(dim=1, keepdim=True) if self.joint else seen
        largest = segment_max(compared, layout.target, layout.n_nodes)
        weights = (scores - largest.index_select(0, layout.target)).exp_()
        added = weights.sum(dim=1, keepdim=True) if self.joint else weights
        totals = segment_sum(added, layout.target, layout.n_nodes)
        return weights, torch.where(totals > 0, totals, 1)

    @torch.no_grad()
    def _attention(
        self,
        weights: Float[Tensor, "n_edges n_heads n_scores"],
        totals: Float[Tensor, "n_nodes n_one_or_heads n_scores"],
        layout: EdgeLayout,
    ) -> Float[Tensor, "n_edges n_heads"]:
        """Return the mean share over the channels, scaled to add up to one in each head."""
        shares = (weights / totals.index_select(0, layout.target)).mean(dim=2)
        if not self.joint:
            return shares
        per_head = segment_sum(shares, layout.target, layout.n_nodes)
        return shares / per_head.index_select(0, layout.target)

    def _combined(
        self, summed: Float[Tensor, "n_nodes n_heads n_features"]
    ) -> Float[Tensor, "n_nodes n_features"]:
        if self.combine == "mean" or self.n_heads == 1:
            return summed.mean(dim=1)
        logits = summed if self.extra is None else self.extra(summed)
        return (torch.softmax(logits, dim=1) * summed).sum(dim=1)


class EdgeConvolution(nn.Module):
    """AE-CGCNN, Eqs 4 and 5: e_ij' = e_ij + ReLU(BN(W [v_i ; v_j ; e_ij]))."""

    def __init__(self, n_features: int, n_edge: int, *, residual: bool) -> None:
        super().__init__()
        self.pair = PairLinear(n_features, n_edge, n_edge)
        self.norm = RowNorm(n_edge)
        self.residual = residual

    def forward(
        self,
        nodes: Float[Tensor, "n_nodes n_features"],
        edges: Float[Tensor, "n_edges n_edge"],
        layout: EdgeLayout,
    ) -> Float[Tensor, "n_edges n_edge"]:
        """Refine the edges by the atoms at their ends."""
        linear, norm = self.pair.linear, self.norm
        if recorded.usable(nodes, edges, layout, linear, norm):
            return recorded.changed(nodes, edges, layout, linear, norm, residual=self.residual)
        changed = _joined(
            [
                functional.relu(self.norm(rows))
                for rows, _ in self.pair.in_parts(nodes, edges, layout)
            ]
        )
        return edges + changed if self.residual else changed


def _joined(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts)


class Deepening(nn.Module):
    """What GCNII adds to every layer so that many of them do not make all atoms alike.

    h = (1 - α) (v_i + BN(...)) + α v_i of the first layer; v_i' = g((1 - β_l) h + β_l W_l h), with
    β_l = log(λ / l + 1), at most 1, for the layers l = 1, 2, ... (Eqs 5 and 6 there).
    """

    def __init__(
        self, n_features: int, n_layers: int, residual: float, mapping: float, activation: nn.Module
    ) -> None:
        super().__init__()
        self.residual, self.mapping = residual, mapping
        self.maps = nn.ModuleList(
            nn.Linear(n_features, n_features, bias=False) for _ in range(n_layers if mapping else 0)
        )
        self.activation = activation

    def forward(
        self,
        index: int,
        changed: Float[Tensor, "n_nodes n_features"],
        first: Float[Tensor, "n_nodes n_features"],
    ) -> Float[Tensor, "n_nodes n_features"]:
        """Return what layer ``index`` (from 0) hands on.

        Args:
            index: Which layer.
            changed: The atoms with what their neighbours said, before the activation.
            first: The atoms as they entered the first layer.
        """
        mixed = (1 - self.residual) * changed + self.residual * first
        if len(self.maps):
            share = min(1.0, math.log(self.mapping / (index + 1) + 1))
            mixed = (1 - share) * mixed + share * self.maps[index](mixed)
        found: Tensor = self.activation(mixed)
        return found


class AttentionPooling(nn.Module):
    """AE-CGCNN, Eq 8: c = Σ_i softmax_i(a_i) v_i, a_i = w · (what the neighbours said) + b."""

    def __init__(self, n_features: int, *, channelwise: bool) -> None:
        super().__init__()
        self.score = nn.Linear(n_features, n_features if channelwise else 1)

    def forward(
        self,
        nodes: Float[Tensor, "n_nodes n_features"],
        aggregated: Float[Tensor, "n_nodes n_features"],
        graph_index: Int[Tensor, " n_nodes"],
        n_graphs: int,
    ) -> tuple[
        Float[Tensor, "n_graphs n_features"], Float[Tensor, " n_nodes"], Float[Tensor, " n_nodes"]
    ]:
        """Return the pooled features, the attention of every atom, and its raw score."""
        scores = self.score(aggregated)
        shares = segment_softmax(scores, graph_index, n_graphs)
        pooled = segment_sum(shares * nodes, graph_index, n_graphs)
        return pooled, shares.mean(dim=1), scores.mean(dim=1)
