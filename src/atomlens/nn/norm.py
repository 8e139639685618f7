"""Normalisation over the rows of a batch."""

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
