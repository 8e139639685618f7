"""Numbers spread out on a row of Gaussians."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class GaussianBasis(nn.Module):
    """exp(-(x - μ)² / width²) for equally spaced centres μ, both ends included.

    SCANN uses 20 centres of width 0.5 on [0, cutoff] Å for distances and on [0, 2π] sr for
    solid angles.
    """

    centers: Tensor

    def __init__(self, stop: float, *, n_centers: int = 20, width: float = 0.5) -> None:
        super().__init__()
        self.width = width
        self.register_buffer("centers", torch.linspace(0.0, stop, n_centers), persistent=False)

    def forward(self, values: Float[Tensor, " n_rows"]) -> Float[Tensor, "n_rows n_centers"]:
        """Return one column a centre."""
        scaled = (values.unsqueeze(1) - self.centers.to(values.dtype)) / self.width
        return scaled.square_().neg_().exp_()
