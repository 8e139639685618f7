"""Sums and softmaxes over the rows that belong to the same atom or graph."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def segment_sum(
    values: Float[Tensor, "n_rows *shape"], index: Int[Tensor, " n_rows"], n_segments: int
) -> Float[Tensor, "{n_segments} *shape"]:
    """Add up the rows of each segment; an empty segment gives zero."""
    out = values.new_zeros((n_segments, *values.shape[1:]))
    return out.index_add_(0, index, values)


def segment_softmax(
    scores: Float[Tensor, "n_rows *shape"], index: Int[Tensor, " n_rows"], n_segments: int
) -> Float[Tensor, "n_rows *shape"]:
    """Softmax over the rows of each segment, safe for huge scores."""
    with torch.no_grad():
        expanded = index.view(-1, *[1] * (scores.dim() - 1)).expand_as(scores)
        largest = scores.new_full((n_segments, *scores.shape[1:]), -torch.inf)
        largest = largest.scatter_reduce_(0, expanded, scores, "amax")
    weights = (scores - largest.index_select(0, index)).exp()
    totals = segment_sum(weights, index, n_segments)
    return weights / totals.index_select(0, index)
