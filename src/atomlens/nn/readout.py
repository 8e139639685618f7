"""Global attention: from atoms to one vector for the structure.

The score of atom j is its key against the queries of the other atoms. Written as
s_j = k_j · (Q - q_j) with Q the sum of all queries, it costs O(atoms) and never builds a
matrix of pairs.
"""

import math
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from atomlens.errors import SettingsError
from atomlens.nn.linear import glorot_linear
from atomlens.nn.segment import segment_softmax, segment_sum

NORM_EPS = 1e-12

_Nodes = Float[Tensor, "n_nodes n_features"]
_Index = Int[Tensor, " n_nodes"]
_Counts = Int[Tensor, " n_graphs"]
_Scores = Float[Tensor, " n_nodes"]


def paper_scores(query: _Nodes, key: _Nodes, graph_index: _Index, node_counts: _Counts) -> _Scores:
    """s_j = Σ_{i≠j} q_i · k_j, the plain sum of the paper.

    It grows with the number of atoms, so a supercell has other attention than its cell.
    """
    total = segment_sum(query, graph_index, len(node_counts))
    return ((total.index_select(0, graph_index) - query) * key).sum(dim=1)


def reference_scores(
    query: _Nodes, key: _Nodes, graph_index: _Index, node_counts: _Counts
) -> _Scores:
    """Return the paper's scores over their Euclidean norm in each graph, as in the code.

    The largest share is then at most e^√2 ≈ 4.11 times the smallest, and the spread shrinks as
    1/√n_atoms: to be read inside one structure only.
    """
    scores = paper_scores(query, key, graph_index, node_counts)
    squares = segment_sum(scores.square(), graph_index, len(node_counts))
    norm = (squares + NORM_EPS).sqrt()
    return torch.div(scores, norm.index_select(0, graph_index))


def mean_scores(query: _Nodes, key: _Nodes, graph_index: _Index, node_counts: _Counts) -> _Scores:
    """s_j = mean_i(q_i) · k_j / √d over all atoms, self included: the same in a supercell."""
    total = segment_sum(query, graph_index, len(node_counts))
    scale: Tensor = (node_counts.to(query.dtype) * query.shape[1] ** 0.5).reciprocal().unsqueeze(1)
    shared: Tensor = (total * scale).index_select(0, graph_index)
    return (shared * key).sum(dim=1)


READOUTS: dict[str, Callable[[_Nodes, _Nodes, _Index, _Counts], _Scores]] = {
    "paper": paper_scores,
    "reference": reference_scores,
    "mean": mean_scores,
}
"""How the global attention scores its atoms, by name."""


class GlobalAttention(nn.Module):
    """Pools atoms by attention: α = softmax(s) in each graph, x = Σ α_i k_i."""

    def __init__(self, n_features: int, readout: str) -> None:
        super().__init__()
        self.score = READOUTS[readout]
        self.input = glorot_linear(n_features, n_features)
        self.query = glorot_linear(n_features, n_features)
        self.key = glorot_linear(n_features, n_features)

    def forward(
        self,
        nodes: Float[Tensor, "n_nodes n_features"],
        graph_index: Int[Tensor, " n_nodes"],
        node_counts: Int[Tensor, " n_graphs"],
    ) -> tuple[
        Float[Tensor, "n_graphs n_features"], Float[Tensor, " n_nodes"], Float[Tensor, " n_nodes"]
    ]:
        """Return the pooled features, the attention of every atom, and its raw score."""
        hidden = functional.silu(self.input(nodes))
        key = self.key(hidden)
        scores = self.score(self.query(hidden), key, graph_index, node_counts)
        attention = segment_softmax(scores, graph_index, len(node_counts))
        pooled = segment_sum(attention.unsqueeze(1) * key, graph_index, len(node_counts))
        return pooled, attention, scores


class _LowerBound(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: object, values: Float[Tensor, "n m"], bounds: Float[Tensor, " m"]
    ) -> Float[Tensor, "n m"]:
        return torch.maximum(values, bounds)

    @staticmethod
    def backward(ctx: object, gradient: Float[Tensor, "n m"]) -> tuple[Float[Tensor, "n m"], None]:
        return gradient, None


def lower_bound(
    values: Float[Tensor, "n_graphs n_outputs"], bounds: Float[Tensor, " n_outputs"]
) -> Float[Tensor, "n_graphs n_outputs"]:
    """max(bound, x) whose backward pass is the identity (straight-through ReLU)."""
    bounded: Tensor = _LowerBound.apply(values, bounds)  # type: ignore[no-untyped-call]
    return bounded


def bounds_tensor(lower_bounds: Sequence[float | None]) -> Float[Tensor, " n_bounds"]:
    """Return the smallest possible value of each output; nothing if no output has one."""
    return torch.tensor([-math.inf if b is None else b for b in lower_bounds])


def check_bounds(lower_bounds: Sequence[float | None], n_outputs: int) -> None:
    """Raise a SettingsError unless there is one bound for each output, or none at all."""
    if lower_bounds and len(lower_bounds) != n_outputs:
        raise SettingsError(
            f"lower_bounds has {len(lower_bounds)} entries for {n_outputs} outputs."
        )


def values_and_scale(
    out: Float[Tensor, "n_graphs n_columns"],
    *,
    predict_scale: bool,
    bounds: Float[Tensor, " n_bounds"] | None = None,
) -> tuple[Float[Tensor, "n_graphs n_outputs"], Float[Tensor, "n_graphs n_outputs"] | None]:
    """Return what the columns of the last layer are: values, and with ``predict_scale`` scales."""
    values, log_scale = out, None
    if predict_scale:
        values, log_scale = out.chunk(2, dim=1)
    if bounds is not None and bounds.numel():
        values = lower_bound(values, bounds.to(values.dtype))
    return values, log_scale


def mean_pooling(
    nodes: Float[Tensor, "n_nodes n_features"],
    graph_index: Int[Tensor, " n_nodes"],
    node_counts: Int[Tensor, " n_graphs"],
) -> tuple[Float[Tensor, "n_graphs n_features"], Float[Tensor, " n_nodes"]]:
    """Return the mean of the atoms of each graph, and the share 1/n of each atom."""
    counts = node_counts.to(nodes.dtype)
    pooled = segment_sum(nodes, graph_index, len(node_counts)) / counts.unsqueeze(1)
    return pooled, counts.reciprocal().index_select(0, graph_index)
