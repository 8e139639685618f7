"""SCANN's local attention over the neighbours of each atom, and its edge update."""

from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from atomlens.nn.linear import glorot_linear
from atomlens.nn.segment import segment_softmax, segment_sum

LAYER_NORM_EPS = 1e-6


class EdgeUpdate(nn.Module):
    """g' = LayerNorm(g + SiLU(W [c_i ; g ; c_j] + b))   (SCANN+, spec section 5).

    The product with W is split, so that the parts that depend on one atom alone are computed
    once an atom and not once an edge.
    """

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.n_features = n_features
        self.linear = glorot_linear(3 * n_features, n_features)
        self.norm = nn.LayerNorm(n_features, eps=LAYER_NORM_EPS)

    def forward(
        self,
        nodes: Float[Tensor, "n_nodes n_features"],
        geometry: Float[Tensor, "n_edges n_features"],
        edge_index: Int[Tensor, "2 n_edges"],
    ) -> Float[Tensor, "n_edges n_features"]:
        """Return the new geometry features of every edge."""
        source, target = edge_index
        w_target, w_edge, w_source = self.linear.weight.split(self.n_features, dim=1)
        at_target = functional.linear(nodes, w_target, self.linear.bias).index_select(0, target)
        at_source = functional.linear(nodes, w_source).index_select(0, source)
        mixed = functional.linear(geometry, w_edge) + at_target + at_source
        return self.norm(geometry + functional.silu(mixed))  # type: ignore[no-any-return]


class LocalAttention(nn.Module):
    """Multi-head attention of an atom over its neighbours (spec section 4).

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
        geometry: Float[Tensor, "n_edges n_features"],
        edge_index: Int[Tensor, "2 n_edges"],
    ) -> tuple[Float[Tensor, "n_nodes n_features"], Float[Tensor, "n_edges n_heads"]]:
        """Return the new features of every atom, and the attention of every edge and head."""
        source, target = edge_index
        n_nodes, n_features = nodes.shape
        heads = (-1, self.n_heads, n_features // self.n_heads)
        query = self.query(nodes)
        key = self.key(nodes.index_select(0, source) * geometry).view(heads)
        scores = (query.index_select(0, target).view(heads) * key).sum(dim=2)
        attention = segment_softmax(scores * (heads[2] ** -0.5), target, n_nodes)
        kept = functional.dropout(attention, self.attention_dropout, self.training)
        context = segment_sum((kept.unsqueeze(2) * key).flatten(1), target, n_nodes)
        normed = self.norm(context + query)
        return self.feed_forward_norm(normed + self.feed_forward(normed)), attention
