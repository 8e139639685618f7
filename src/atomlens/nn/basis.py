"""Numbers spread out on a row of Gaussians."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

_NOTHING = 1e-26
"""What a Gaussian is not told from zero below: lost in the rounding of sums, but farther out its
numbers are subnormal, and products of such take a processor many times as long."""

_FARTHEST = -60.0
"""exp(-60) is below that; of numbers farther out exponentials take twenty times as long."""


class GaussianBasis(nn.Module):
    """exp(-(x - μ)² / width²) for equally spaced centres μ, both ends included.

    SCANN uses 20 centres of width 0.5 on [0, cutoff] Å for distances and on [0, 2π] sr for
    solid angles.
    """

    centers: Tensor

    def __init__(self, stop: float, *, n_centers: int = 20, width: float = 0.5) -> None:
        super().__init__()
        self.width = width
        # of a network without numbers as well: to tell its sizes, torch would load half of sympy
        place = "cpu" if torch.get_default_device().type == "meta" else None
        centers = torch.linspace(0.0, stop, n_centers, device=place)
        self.register_buffer("centers", centers, persistent=False)

    def forward(self, values: Float[Tensor, " n_rows"]) -> Float[Tensor, "n_rows n_centers"]:
        """Return one column a centre."""
        scaled = (values.unsqueeze(1) - self.centers.to(values.dtype)) / self.width
        falling = scaled.square_().neg_().clamp_min_(_FARTHEST)
        return functional.threshold(falling.exp_(), _NOTHING, 0.0)


class ShareBasis(nn.Module):
    """Gaussians on a share x and on -log₂ x, n of each: 0 to 1 and 1 to 2⁻⁸, both ends included.

    Their widths are 1.4 / n and 11 / n, a little more than the distance of two centres. The first
    tell halves from thirds, the second one part in ten from one in a hundred.
    """

    smallest: float = 2.0**-9

    def __init__(self, n_centers: int) -> None:
        super().__init__()
        self.linear = GaussianBasis(1.0, n_centers=n_centers, width=1.4 / n_centers)
        self.logarithmic = GaussianBasis(8.0, n_centers=n_centers, width=11 / n_centers)

    def forward(self, shares: Float[Tensor, " n_rows"]) -> Float[Tensor, "n_rows n_columns"]:
        """Return a column for each of the 2 n centres."""
        logarithms = shares.clamp(min=self.smallest).log2().neg()
        return torch.cat([self.linear(shares), self.logarithmic(logarithms)], dim=1)


class SignedBasis(nn.Module):
    """Gaussians on numbers of either sign, from -largest to largest; beyond, as at the ends."""

    def __init__(self, largest: float, n_centers: int) -> None:
        super().__init__()
        self.largest = largest
        width = 1.4 * 2 * largest / max(1, n_centers - 1)
        self.basis = GaussianBasis(2 * largest, n_centers=n_centers, width=width)

    def forward(self, values: Float[Tensor, " n_rows"]) -> Float[Tensor, "n_rows n_centers"]:
        """Return one column a centre."""
        found: Tensor = self.basis(values.clamp(-self.largest, self.largest) + self.largest)
        return found


class SmoothBasis(nn.Module):
    """GeoCGNN's radial functions, which fade out smoothly at the cutoff.

    f_n(d) = φ(d) exp(-β (e^-d - μ_n)²) with φ = 1 - 6x⁵ + 15x⁴ - 10x³, x = d / cutoff,
    μ_n = e^-cutoff + (1 - e^-cutoff) n / 64 for n = 1 to 64, and β = (2 / 64 (1 - e^-cutoff))^-2.
    """

    n_functions: int = 64
    centers: Tensor

    def __init__(self, cutoff: float) -> None:
        super().__init__()
        self.cutoff = cutoff
        last = math.exp(-cutoff)
        self.beta = (2 / self.n_functions * (1 - last)) ** -2
        numbers = torch.arange(1, self.n_functions + 1) / self.n_functions
        self.register_buffer("centers", last + (1 - last) * numbers, persistent=False)

    def forward(self, values: Float[Tensor, " n_rows"]) -> Float[Tensor, "n_rows n_functions"]:
        """Return one column a function; zero from the cutoff on."""
        x = (values / self.cutoff).clamp(max=1)
        envelope = 1 - 6 * x**5 + 15 * x**4 - 10 * x**3
        offsets = values.neg().exp().unsqueeze(1) - self.centers.to(values.dtype)
        return envelope.unsqueeze(1) * (-self.beta * offsets.square()).exp()
