"""Sums and softmaxes over the rows that belong to the same atom or graph."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def segment_sum(
    values: Float[Tensor, " n_rows *shape"], index: Int[Tensor, " n_rows"], n_segments: int
) -> Float[Tensor, " {n_segments} *shape"]:
    """Add up the rows of each segment; an empty segment gives zero."""
    out = values.new_zeros((n_segments, *values.shape[1:]))
    return out.index_add_(0, index, values)


@torch.no_grad()
def segment_max(
    values: Float[Tensor, " n_rows *shape"], index: Int[Tensor, " n_rows"], n_segments: int
) -> Float[Tensor, " {n_segments} *shape"]:
    """Return the largest row of each segment, without gradient; -inf for an empty segment."""
    expanded = index.view(-1, *[1] * (values.dim() - 1)).expand_as(values)
    largest = values.new_full((n_segments, *values.shape[1:]), -torch.inf)
    return largest.scatter_reduce_(0, expanded, values, "amax")


def segment_softmax(
    scores: Float[Tensor, " n_rows *shape"], index: Int[Tensor, " n_rows"], n_segments: int
) -> Float[Tensor, " n_rows *shape"]:
    """Softmax over the rows of each segment, safe for huge scores."""
    largest = segment_max(scores, index, n_segments)
    weights = (scores - largest.index_select(0, index)).exp()
    totals = segment_sum(weights, index, n_segments)
    return weights / totals.index_select(0, index)
