"""Attention between pairs of atoms of a formula or structure, as in Finder.

Ihalage and Hao, "Formula graph self-attention network for representation-domain independent
materials discovery", Advanced Science (2022), Eqs 2 to 8. A pair is described by the mean
m_ij = (v_i + v_j) / 2 of its atoms, so every linear map of pairs is worked out once an atom.

A node may stand for several identical atoms (`PairLayout.copies`): they see the same neighbours
and stay identical, so that a formula needs one node an element. The numbers are those of the
graph in which every atom is a node.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from atomlens.nn.edges import EdgeLayout, parts_at_targets
from atomlens.nn.linear import glorot_linear
from atomlens.nn.products import product
from atomlens.nn.segment import segment_max, segment_softmax, segment_sum

Aggregate = Literal["mean", "sum", "max", "min"]
NODES_OF_A_PART = 16_384
"""Atoms that are pooled at a time where no gradient is asked for."""
EdgeRows = Callable[[slice], Tensor]
"""Gives what is known of some edges (n_chosen, n_edge), so that not all of it is there at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairLayout:
    """Which nodes see each other, and how many atoms each node and edge stands for."""

    edges: EdgeLayout
    node_copies: Float[Tensor, " n_nodes"] | None
    """Atoms of each node; None where every node is one atom."""
    edge_copies: Float[Tensor, " n_edges"] | None
    """Neighbours behind each edge: the atoms of its source, without the target itself."""
    n_neighbors: Float[Tensor, " n_nodes"]
    """Neighbours of each atom of a node."""

    @classmethod
    def of(
        cls,
        edges: EdgeLayout,
        node_copies: Float[Tensor, " n_nodes"] | None,
        dtype: torch.dtype,
    ) -> "PairLayout":
        """Count the neighbours of a batch; ``node_copies`` are the atoms of each node."""
        if node_copies is None:
            degrees = edges.offsets.diff().to(dtype)
            return cls(edges=edges, node_copies=None, edge_copies=None, n_neighbors=degrees)
        copies = node_copies.index_select(0, edges.source)
        copies = copies - (edges.source == edges.target).to(copies.dtype)
        total = segment_sum(copies, edges.target, edges.n_nodes)
        return cls(edges=edges, node_copies=node_copies, edge_copies=copies, n_neighbors=total)

    def part(self, nodes: slice, edges: slice) -> "PairLayout":
        """Return the layout of some targets and their edges; see `EdgeLayout.part`."""
        return PairLayout(
            edges=self.edges.part(nodes, edges),
            node_copies=None if self.node_copies is None else self.node_copies[nodes],
            edge_copies=None if self.edge_copies is None else self.edge_copies[edges],
            n_neighbors=self.n_neighbors[nodes],
        )

    def mean_at_target(
        self, rows: Float[Tensor, "n_edges n_features"]
    ) -> Float[Tensor, "n_nodes n_features"]:
        """Return Σ_j / N over the neighbours of each atom; the rows count all their copies."""
        total = segment_sum(rows, self.edges.target, self.edges.n_nodes)
        return total / self.n_neighbors.clamp(min=1).unsqueeze(1)

    def shares(
        self, scores: Float[Tensor, "n_edges n_scores"]
    ) -> Float[Tensor, "n_edges n_scores"]:
        """Softmax over the neighbours of each atom: the share of all copies of an edge."""
        if self.edge_copies is not None:  # c e^s = e^(s + log c)
            scores = scores + self.edge_copies.log().unsqueeze(1)
        return segment_softmax(scores, self.edges.target, self.edges.n_nodes)


class PairNetwork(nn.Module):
    """A network of [(v_i + v_j) / 2 ; e_ij] with ReLU between its linear maps.

    ``at_target`` can add to the first map what depends on the receiving atom alone.
    """

    def __init__(self, n_node: int, n_edge: int, n_hidden: tuple[int, ...], n_out: int) -> None:
        super().__init__()
        self.n_node = n_node
        widths = [n_node + n_edge, *n_hidden, n_out]
        self.linears = nn.ModuleList(glorot_linear(a, b) for a, b in pairwise(widths))

    @property
    def first(self) -> nn.Linear:
        """The linear map of nodes and edges."""
        linear = self.linears[0]
        assert isinstance(linear, nn.Linear)
        return linear

    def forward(
        self,
        nodes: Float[Tensor, "n_nodes n_node"],
        edges: Float[Tensor, "n_edges n_edge"] | None,
        layout: EdgeLayout,
        at_target: Float[Tensor, "n_nodes n_hidden"] | None = None,
    ) -> Float[Tensor, "n_edges n_out"]:
        """Return one row an edge."""
        at_ends = self.of_nodes(nodes, at_target)
        return self.of_edges(*at_ends, edges, layout)

    def of_nodes(
        self,
        nodes: Float[Tensor, "n_nodes n_node"],
        at_target: Float[Tensor, "n_nodes n_hidden"] | None = None,
    ) -> tuple[Float[Tensor, "n_nodes n_hidden"], Float[Tensor, "n_nodes n_hidden"]]:
        """Return what each atom adds to the first map as target and as source of an edge."""
        half = product(nodes, self.first.weight[:, : self.n_node]) / 2
        target = half + self.first.bias
        return target if at_target is None else target + at_target, half

    def of_edges(
        self,
        target: Float[Tensor, "n_targets n_hidden"],
        source: Float[Tensor, "n_nodes n_hidden"],
        edges: Float[Tensor, "n_edges n_edge"] | None,
        layout: EdgeLayout,
    ) -> Float[Tensor, "n_edges n_out"]:
        """Return one row an edge, given what `of_nodes` says of its ends."""
        rows = target.index_select(0, layout.target) + source.index_select(0, layout.source)
        if edges is not None:
            rows = rows + product(edges, self.first.weight[:, self.n_node :])
        for linear in list(self.linears)[1:]:
            rows = linear(functional.relu(rows))
        return rows


class EdgeAttribute(nn.Module):
    """Eq 2: one number for each pair, e_ij = φ_e([m_ij ; Σ_k m_ik / N_i]).

    Not symmetric, as the mean is that of the receiver i.
    """

    def __init__(self, n_node: int, n_hidden: tuple[int, ...]) -> None:
        super().__init__()
        self.network = PairNetwork(n_node, n_node, n_hidden, 1)

    def forward(
        self, nodes: Float[Tensor, "n_nodes n_node"], layout: PairLayout
    ) -> Float[Tensor, "n_edges 1"]:
        """Return the attribute of every edge."""
        weight = self.network.first.weight[:, self.network.n_node :]
        half = product(nodes, weight) / 2
        around = half.index_select(0, layout.edges.source)
        if layout.edge_copies is not None:
            around = around * layout.edge_copies.unsqueeze(1)
        receiver = half + layout.mean_at_target(layout.edges.heard(around))
        rows: Tensor = self.network(nodes, None, layout.edges, at_target=receiver)
        return rows


class PairMessages(NamedTuple):
    """What a message-passing layer returns."""

    nodes: Float[Tensor, "n_nodes n_features"]
    attributes: Float[Tensor, "n_edges n_edge"] | None
    """What the layer knew of each pair: the predicted number, or the given distances; None where
    these were taken in parts."""
    shares: Float[Tensor, "n_edges _"] | None
    """Attention over the neighbours; adds up to one at every target in every channel. Of edges
    that were taken in parts, the mean over the channels."""


class PairAttention(nn.Module):
    """Eqs 2 to 7: v_i' = ReLU(W v_i + b) + aggregate_j s φ_m([m_ij ; e_ij]) ⊙ a_ij.

    a_ij = softmax_j(Q_i ⊙ K_j / √n_features) ⊙ V_j, each channel by itself, over the neighbours
    of i as in the published code (Eq 5 sums over all atoms). Activation and bias of W, and the
    constant s, are the code's as well. Without attention a_ij is 1.
    """

    def __init__(
        self,
        n_node: int,
        n_features: int,
        n_edge: int | None,
        *,
        n_hidden: tuple[int, ...] = (128, 64),
        attention: bool = True,
        aggregate: Aggregate = "mean",
        message_scale: float = 1.0,
    ) -> None:
        """Make the layer; ``n_edge`` None predicts the attribute of a pair from its atoms."""
        super().__init__()
        self.aggregate, self.message_scale = aggregate, message_scale
        names = ("query", "key", "value") if attention else ()
        self.attention = nn.ModuleDict({name: glorot_linear(n_node, n_features) for name in names})
        self.attribute = EdgeAttribute(n_node, n_hidden) if n_edge is None else None
        self.message = PairNetwork(n_node, 1 if n_edge is None else n_edge, n_hidden, n_features)
        self.inner = glorot_linear(n_node, n_features)

    def forward(
        self,
        nodes: Float[Tensor, "n_nodes n_node"],
        edges: Float[Tensor, "n_edges n_edge"] | EdgeRows | None,
        layout: PairLayout,
    ) -> PairMessages:
        """Refine the atoms by their neighbours.

        ``edges`` are given, or predicted if None; where they are given as a function, they are
        taken in parts, in bounded memory.
        """
        ends = self.message.of_nodes(nodes)
        attending = tuple(
            self.attention[name](nodes) for name in ("key", "value") if self.attention
        )
        if callable(edges):
            shares = []
            found = nodes.new_empty(len(nodes), self.inner.out_features)
            for targets, own in parts_at_targets(layout.edges):
                part = layout.part(targets, own)
                heard, share = self._gathered(
                    nodes[targets], targets, ends, attending, edges(own), part
                )
                found[targets] = functional.relu(self.inner(nodes[targets])) + heard
                shares += [] if share is None else [share.mean(dim=1, keepdim=True)]
            return PairMessages(found, None, torch.cat(shares) if shares else None)
        attributes: Tensor | None = self.attribute(nodes, layout) if self.attribute else edges
        assert attributes is not None
        everything = slice(0, layout.edges.n_nodes)
        heard, all_shares = self._gathered(nodes, everything, ends, attending, attributes, layout)
        inner = functional.relu(self.inner(nodes))
        return PairMessages(inner + heard, attributes, all_shares)

    def _gathered(
        self,
        nodes: Float[Tensor, "n_targets n_node"],
        targets: slice,
        ends: tuple[Tensor, Tensor],
        attending: tuple[Tensor, ...],
        attributes: Float[Tensor, "n_edges n_edge"],
        layout: PairLayout,
    ) -> tuple[Float[Tensor, "n_targets n_features"], Float[Tensor, "n_edges n_features"] | None]:
        """Return what some atoms hear of their neighbours, and the attention to these."""
        at_target, at_source = ends
        messages = self.message.of_edges(at_target[targets], at_source, attributes, layout.edges)
        messages = messages * self.message_scale
        shares = None
        if attending:
            key, value = attending
            query = self.attention["query"](nodes)
            queries = query.index_select(0, layout.edges.target) * key.shape[1] ** -0.5
            shares = layout.shares(queries * key.index_select(0, layout.edges.source))
            messages = messages * shares * value.index_select(0, layout.edges.source)
        elif layout.edge_copies is not None:
            messages = messages * layout.edge_copies.unsqueeze(1)
        return self._aggregated(layout.edges.heard(messages), layout), shares

    def _aggregated(
        self, messages: Float[Tensor, "n_edges n_features"], layout: PairLayout
    ) -> Float[Tensor, "n_nodes n_features"]:
        """Combine the messages, each of which counts all copies of its edge."""
        if self.aggregate == "mean":
            return layout.mean_at_target(messages)
        target, n_nodes = layout.edges.target, layout.edges.n_nodes
        if self.aggregate == "sum":
            return segment_sum(messages, target, n_nodes)
        if layout.edge_copies is not None:  # the largest of copies is that of one
            messages = messages / layout.edge_copies.clamp(min=1).unsqueeze(1)
        largest = messages.new_zeros(n_nodes, messages.shape[1])
        rows = target.unsqueeze(1).expand_as(messages)
        kind = "amax" if self.aggregate == "max" else "amin"
        return largest.scatter_reduce(0, rows, messages, kind, include_self=False)


class GatedPooling(nn.Module):
    """Eq 8: Σ_i β_i ⊙ U(v_i), β the softmax of G(v_i) over the atoms of each graph."""

    def __init__(self, n_features: int, n_hidden: int, n_gates: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            glorot_linear(n_features, n_hidden), nn.ReLU(), glorot_linear(n_hidden, n_gates)
        )
        self.value = nn.Sequential(
            glorot_linear(n_features, n_hidden), nn.ReLU(), glorot_linear(n_hidden, n_features)
        )

    def forward(
        self,
        nodes: Float[Tensor, "n_nodes n_features"],
        copies: Float[Tensor, " n_nodes"] | None,
        graph_index: Int[Tensor, " n_nodes"],
        n_graphs: int,
    ) -> tuple[Float[Tensor, "n_graphs n_features"], Float[Tensor, " n_nodes"]]:
        """Return the pooled features, and the share of all atoms of each node."""
        if len(nodes) > NODES_OF_A_PART and not torch.is_grad_enabled():
            return self._in_parts(nodes, copies, graph_index, n_graphs)
        scores = self.gate(nodes)
        if copies is not None:
            scores = scores + copies.log().unsqueeze(1)
        shares = segment_softmax(scores, graph_index, n_graphs)
        pooled = segment_sum(shares * self.value(nodes), graph_index, n_graphs)
        return pooled, shares.mean(dim=1)

    def _in_parts(
        self,
        nodes: Float[Tensor, "n_nodes n_features"],
        copies: Float[Tensor, " n_nodes"] | None,
        graph_index: Int[Tensor, " n_nodes"],
        n_graphs: int,
    ) -> tuple[Float[Tensor, "n_graphs n_features"], Float[Tensor, " n_nodes"]]:
        """Do the same in bounded memory, some thousand atoms at a time."""
        weights = torch.cat([self.gate(part) for part in torch.split(nodes, NODES_OF_A_PART)])
        if copies is not None:
            weights += copies.log().unsqueeze(1)
        largest = segment_max(weights, graph_index, n_graphs)
        indices = torch.split(graph_index, NODES_OF_A_PART)
        of_parts = list(zip(torch.split(weights, NODES_OF_A_PART), indices, strict=True))
        for own, index in of_parts:
            own.sub_(largest.index_select(0, index)).exp_()
        totals = segment_sum(weights, graph_index, n_graphs)
        pooled = nodes.new_zeros(n_graphs, cast(nn.Linear, self.value[2]).out_features)
        shares = []
        for part, (own, index) in zip(torch.split(nodes, NODES_OF_A_PART), of_parts, strict=True):
            own.div_(totals.index_select(0, index))
            pooled.index_add_(0, index, own * self.value(part))
            shares.append(own.mean(dim=1))
        return pooled, torch.cat(shares)


class MeanPooling(nn.Module):
    """The mean over the atoms of each graph."""

    def forward(
        self,
        nodes: Float[Tensor, "n_nodes n_features"],
        copies: Float[Tensor, " n_nodes"] | None,
        graph_index: Int[Tensor, " n_nodes"],
        n_graphs: int,
    ) -> tuple[Float[Tensor, "n_graphs n_features"], Float[Tensor, " n_nodes"]]:
        """Return the pooled features, and the share of all atoms of each node."""
        copies = torch.ones_like(nodes[:, 0]) if copies is None else copies
        totals = segment_sum(copies, graph_index, n_graphs)
        shares = copies / totals.index_select(0, graph_index)
        return segment_sum(shares.unsqueeze(1) * nodes, graph_index, n_graphs), shares
