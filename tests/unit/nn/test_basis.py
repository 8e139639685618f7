"""Numbers on a row of Gaussians."""

import math

import pytest
import torch

from atomlens.nn.basis import GaussianBasis, ShareBasis, SignedBasis, SmoothBasis

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


def test_centres_are_the_same_in_a_network_without_numbers() -> None:
    with torch.device("meta"):
        bare = GaussianBasis(8.0, n_centers=41, width=0.2)
    assert torch.equal(bare.centers, GaussianBasis(8.0, n_centers=41, width=0.2).centers)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_far_out_a_gaussian_and_its_slope_are_zero(dtype: torch.dtype) -> None:
    distances = torch.linspace(0, 8, 300, dtype=dtype, requires_grad=True)
    basis = GaussianBasis(8.0, n_centers=41, width=0.2)
    found = basis(distances)
    scaled = (distances.detach()[:, None] - basis.centers.to(dtype)) / 0.2
    expected = torch.exp(-(scaled**2))
    near = scaled.abs() < 7.5
    assert torch.allclose(found[near], expected[near], rtol=1e-5)
    assert not found[scaled.abs() > 7.8].any()
    found[scaled.abs() > 7.8].sum().backward()
    assert not distances.grad.any()  # type: ignore[union-attr]


def test_shares_are_told_apart_near_one_and_near_nothing() -> None:
    basis = ShareBasis(8)
    shares = torch.tensor([1 / 2, 1 / 3, 0.1, 0.01])
    rows = torch.cat([basis(shares), basis(torch.zeros(1))])
    apart = torch.cdist(rows, rows) + torch.eye(len(rows))
    assert rows.shape == (5, 16)
    assert apart.min() > 0.5


def test_numbers_of_either_sign_have_their_gaussian_and_those_beyond_the_last() -> None:
    rows = SignedBasis(8.0, 17)(torch.tensor([-20.0, -8.0, -1.0, 0.0, 8.0, 90.0]))
    assert rows.argmax(dim=1).tolist() == [0, 0, 7, 8, 16, 16]
    assert torch.equal(rows[0], rows[1])


def test_nothing_and_the_smallest_share_are_alike_and_have_their_gaussian() -> None:
    basis = ShareBasis(8)
    rows = basis(torch.tensor([0.0, basis.smallest / 8, basis.smallest]))[:, 8:]
    assert torch.equal(rows[0], rows[1])
    assert torch.equal(rows[0], rows[2])
    assert rows[0].argmax() == 7
    assert rows[0, 7] > 0.5


def test_smooth_functions_are_those_of_the_paper_and_zero_from_the_cutoff_on() -> None:
    basis = SmoothBasis(5.0)
    x, last = 2.0 / 5.0, math.exp(-5.0)
    envelope = 1 - 6 * x**5 + 15 * x**4 - 10 * x**3
    centre = last + (1 - last) * 9 / 64
    width = (2 / 64 * (1 - last)) ** -2
    found = basis(torch.tensor([2.0]))[0, 8]
    assert float(found) == pytest.approx(
        envelope * math.exp(-width * (math.exp(-2.0) - centre) ** 2), rel=1e-4
    )
    assert basis(torch.tensor([5.0, 6.0, 50.0])).abs().max() < 1e-5
