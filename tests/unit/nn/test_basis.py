"""Numbers on a row of Gaussians."""

import pytest
import torch

from atomlens.nn.basis import GaussianBasis

SUBNORMAL = torch.finfo(torch.float32).tiny


@pytest.mark.parametrize(("stop", "n_centers", "width"), [(6.2832, 20, 0.5), (8.0, 41, 0.2)])
def test_no_number_is_subnormal(stop: float, n_centers: int, width: float) -> None:
    values = torch.linspace(0, stop, 5001)
    found = GaussianBasis(stop, n_centers=n_centers, width=width)(values)
    assert not ((found > 0) & (found < SUBNORMAL)).any()
    assert found.max() == 1


def test_it_is_the_gaussian_that_is_written_down() -> None:
    values = torch.linspace(0, 4, 101)
    found = GaussianBasis(4.0)(values)
    exact = (-(((values.double()[:, None] - torch.linspace(0, 4, 20).double()) / 0.5) ** 2)).exp()
    torch.testing.assert_close(found.double(), exact, rtol=2e-4, atol=1e-26)


def test_its_slope_is_that_of_the_gaussian() -> None:
    basis = GaussianBasis(4.0).double()
    values = torch.linspace(0.3, 3.9, 9, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(basis, values)
