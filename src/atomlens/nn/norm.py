"""Normalisation over the rows of a batch."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class RowNorm(nn.BatchNorm1d):
    """Batch normalisation over rows that falls back on its running statistics.

    A single row has no spread, and a batch without edges has no row: both are normalised as in
    evaluation.
    """

    def forward(self, rows: Float[Tensor, "n_rows n_features"]) -> Float[Tensor, "n_rows _"]:
        """Normalise each column."""
        if self.training and len(rows) > 1:
            normed: Tensor = super().forward(rows)
            return normed
        mean, variance = self.running_mean, self.running_var
        return functional.batch_norm(rows, mean, variance, self.weight, self.bias, eps=self.eps)

    @torch.no_grad()
    def remember(
        self,
        mean: Float[Tensor, " n_features"],
        variance: Float[Tensor, " n_features"],
        n_rows: int,
    ) -> None:
        """Take mean and (biased) variance of a batch into the running ones, as `forward` does."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        unbiased = variance * (n_rows / (n_rows - 1))
        for running, of_batch in ((self.running_mean, mean), (self.running_var, unbiased)):
            running.lerp_(of_batch.to(running.dtype), self.momentum)
