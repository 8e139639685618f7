"""The additive readout: a value and a share for every atom and output, which add up.

The score of atom j for output t is the mean over the structure of that output's queries, times
the key of j, over √d, so that a supercell has the attention of its cell. With a = softmax(score)
over the atoms of the structure and u = head(key), the output is Σ_j a_jt u_jt: every atom has a
term, and the terms add up to the output.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from atomlens.nn.linear import glorot_linear
from atomlens.nn.segment import segment_max, segment_softmax, segment_sum

ABSENT = -1e4
"""Added to the score of what is not there: its share underflows to zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """Atoms of a batch that a model must do without, in two meanings never to be mixed up."""

    masked: Bool[Tensor, " n_nodes"] | None = None
    """Atoms whose element is hidden; their neighbours still see that somebody is there."""
    removed: Bool[Tensor, " n_nodes"] | None = None
    """Atoms taken out of the graph, with their edges."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Additive:
    """What the readout returns."""

    values: Float[Tensor, "n_graphs n_outputs"]
    terms: Float[Tensor, "n_nodes n_outputs"]
    """a u; adds up to ``values`` in every graph."""
    attention: Float[Tensor, "n_nodes n_outputs"]
    """a; adds up to one in every graph of which something is left."""
    scores: Float[Tensor, "n_nodes n_outputs"]
    pooled: Float[Tensor, "n_graphs n_features"]
    """Σ_j ā_j key_j with ā the mean of the outputs' attention."""


class _Readout(nn.Module):
    """What the readouts have in common: a query, a key and a value of each atom."""

    def __init__(self, n_features: int, n_outputs: int, n_queries: int, n_values: int) -> None:
        super().__init__()
        self.n_outputs = n_outputs
        self.input = glorot_linear(n_features, n_features)
        self.query = glorot_linear(n_features, n_queries)
        self.key = glorot_linear(n_features, n_features)
        self.head = glorot_linear(n_features, n_features)
        self.output = glorot_linear(n_features, n_values)

    def values_of(self, key: Float[Tensor, "n_nodes n_features"]) -> Float[Tensor, "n_nodes _"]:
        """Return what the terms are made of, given the keys."""
        found: Tensor = self.output(functional.silu(self.head(key)))
        return found

    @staticmethod
    def added(
        terms: Float[Tensor, "n_nodes n_outputs"],
        attention: Float[Tensor, "n_nodes n_outputs"],
        scores: Float[Tensor, "n_nodes n_outputs"],
        key: Float[Tensor, "n_nodes n_features"],
        graph_index: Int[Tensor, " n_nodes"],
        n_graphs: int,
    ) -> Additive:
        """Return the sums over every graph with what they are made of."""
        pooled = segment_sum(attention.mean(dim=1, keepdim=True) * key, graph_index, n_graphs)
        return Additive(
            values=segment_sum(terms, graph_index, n_graphs),
            terms=terms,
            attention=attention,
            scores=scores,
            pooled=pooled,
        )


class AdditiveReadout(_Readout):
    """One attention and one value an atom and output; the outputs are sums of their products."""

    def __init__(self, n_features: int, n_outputs: int) -> None:
        super().__init__(n_features, n_outputs, n_outputs * n_features, n_outputs)

    def forward(
        self,
        nodes: Float[Tensor, "n_nodes n_features"],
        graph_index: Int[Tensor, " n_nodes"],
        node_counts: Int[Tensor, " n_graphs"],
        *,
        amounts: Float[Tensor, " n_nodes"] | None = None,
        keep: Float[Tensor, " n_nodes"] | None = None,
        base: Float[Tensor, "n_nodes n_outputs"] | None = None,
    ) -> Additive:
        """Read out every graph.

        Args:
            nodes: Features of the atoms.
            graph_index: Graph of each atom, ascending.
            node_counts: Number of atoms of each graph.
            amounts: How many atoms a node stands for (formulas); its share is that of them all.
            keep: 0 for atoms that are not there, 1 for the others.
            base: A number an atom and output, whose mean over the atoms is added to the output.
        """
        n_graphs, width = len(node_counts), nodes.shape[1]
        hidden = functional.silu(self.input(nodes))
        key, heard = self.key(hidden), hidden
        weights = amounts if keep is None else keep if amounts is None else keep * amounts
        if weights is None:
            counts = node_counts.to(key.dtype)
        else:
            heard = heard * weights.unsqueeze(1)
            counts = segment_sum(weights, graph_index, n_graphs)
        counts = counts.clamp(min=1)  # a graph of which nothing is left
        mean = segment_sum(heard, graph_index, n_graphs) / counts.unsqueeze(1)
        # the mean of the queries is the query of the mean: one product a graph, not one an atom
        shared = self.query(mean).index_select(0, graph_index).view(-1, self.n_outputs, width)
        scores = torch.einsum("ntd,nd->nt", shared, key) * width**-0.5
        if amounts is not None:
            scores = scores + amounts.log().unsqueeze(1)
        if keep is not None:
            scores = scores + ABSENT * (1 - keep).unsqueeze(1)
        attention = segment_softmax(scores, graph_index, n_graphs)
        if keep is not None:  # a graph of which nothing is left attends to nobody
            attention = attention * keep.unsqueeze(1)
        terms = attention * self.values_of(key)
        if base is not None:
            shares = base if weights is None else base * weights.unsqueeze(1)
            terms = terms + shares / counts.index_select(0, graph_index).unsqueeze(1)
        return self.added(terms, attention, scores, key, graph_index, n_graphs)


class SelfStandingReadout(_Readout):
    """Terms that rest on an atom's own features, and not on what else is in the structure.

    Each of ``n_heads`` heads an output gives an atom a weight a and a value u: its term is
    Σ_h a_h u_h. With ``saturates`` the weights of a head are exp(s_j) / (1 + Σ_k exp(s_k)) over the
    atoms of the structure, a softmax with a place for nobody: a head that finds nothing adds
    nothing, and two atoms that are alike share what one of them would have. Without, they are
    1 / (1 + exp(-s_j)), and the terms just add up. What is there without any atom is one number an
    output, the intercept, of which every atom of a structure holds the same part.
    """

    def __init__(self, n_features: int, n_outputs: int, n_heads: int, *, saturates: bool) -> None:
        super().__init__(n_features, n_outputs, n_outputs * n_heads, n_outputs * n_heads)
        self.n_heads, self.saturates = n_heads, saturates
        self.intercept = nn.Embedding(n_outputs, 1, _weight=torch.zeros(n_outputs, 1))

    def forward(
        self,
        nodes: Float[Tensor, "n_nodes n_features"],
        graph_index: Int[Tensor, " n_nodes"],
        node_counts: Int[Tensor, " n_graphs"],
        *,
        extensive: Bool[Tensor, " n_outputs"] | None = None,
        keep: Float[Tensor, " n_nodes"] | None = None,
        silent: Bool[Tensor, " n_nodes"] | None = None,
        base: Float[Tensor, "n_nodes n_outputs"] | None = None,
    ) -> Additive:
        """Read out every graph.

        Args:
            nodes: Features of the atoms.
            graph_index: Graph of each atom, ascending.
            node_counts: Number of atoms of each graph.
            extensive: Outputs that are multiplied by the number of atoms afterwards: of these the
                terms are divided by it.
            keep: 0 for atoms that are not there, 1 for the others.
            silent: Atoms that are there and have no term but their part of the intercept.
            base: A number an atom and output, whose mean over the atoms is added to the output.
        """
        n_graphs, heads = len(node_counts), (-1, self.n_outputs, self.n_heads)
        key = self.key(functional.silu(self.input(nodes)))
        scores = self.query(key)
        counts = node_counts.to(key.dtype)
        speaks = None if silent is None else (~silent).to(key.dtype)
        if keep is not None:
            counts = segment_sum(keep, graph_index, n_graphs)
            speaks = keep if speaks is None else keep * speaks
        if speaks is not None:
            scores = scores + ABSENT * (1 - speaks).unsqueeze(1)
        shares = counts.clamp(min=1).reciprocal().index_select(0, graph_index).unsqueeze(1)
        weights = self._weights(scores, graph_index, n_graphs)
        terms = (weights * self.values_of(key)).view(heads).sum(dim=2)
        if extensive is not None:
            terms = torch.where(extensive, terms * shares, terms)
        if base is not None:
            terms = terms + base * shares
        terms = terms + self.start * shares
        if keep is not None:
            terms = terms * keep.unsqueeze(1)
        least = torch.finfo(key.dtype).tiny
        each = weights.view(heads).sum(dim=2) + least  # where nobody speaks all have the same share
        if keep is not None:
            each = each * keep.unsqueeze(1)
        total = segment_sum(each, graph_index, n_graphs).clamp(min=least)  # where nobody is left
        attention = each / total.index_select(0, graph_index)
        mean_scores = scores.view(heads).mean(dim=2)
        return self.added(terms, attention, mean_scores, key, graph_index, n_graphs)

    @property
    def start(self) -> Float[Tensor, " n_outputs"]:
        """The intercept."""
        return self.intercept.weight[:, 0]

    def _weights(
        self,
        scores: Float[Tensor, "n_nodes _"],
        graph_index: Int[Tensor, " n_nodes"],
        n_graphs: int,
    ) -> Float[Tensor, "n_nodes _"]:
        if not self.saturates:
            return scores.sigmoid()
        largest = segment_max(scores, graph_index, n_graphs).clamp(min=0)
        weights = (scores - largest.index_select(0, graph_index)).exp()
        totals = segment_sum(weights, graph_index, n_graphs) + (-largest).exp()
        return weights / totals.index_select(0, graph_index)
