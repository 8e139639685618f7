"""Kramers and Kronig in a window, on oscillators whose two parts are known."""

import numpy as np
import pytest

from atomlens.screening.enz.causality import departure, kramers_kronig

WIDE = np.linspace(0.05, 60.0, 4000)


def oscillators(energies: np.ndarray, *terms: tuple[float, float, float]) -> np.ndarray:
    """Complex permittivity of Lorentz oscillators: strength, energy, width."""
    found = np.ones(len(energies), dtype=complex)
    for strength, centre, width in terms:
        found += strength / (centre**2 - energies**2 - 1j * width * energies)
    return found


def test_the_integral_over_everything_gives_the_real_part() -> None:
    whole = oscillators(WIDE, (30.0, 5.0, 0.8))
    inside = (WIDE > 1) & (WIDE < 12)
    np.testing.assert_allclose(
        1 + kramers_kronig(WIDE, whole.imag)[inside], whole.real[inside], atol=0.02
    )


@pytest.mark.parametrize(("low", "high"), [(0.5, 12.0), (1.5, 6.0)])
def test_parts_that_belong_together_depart_little_in_a_window(low: float, high: float) -> None:
    energies = np.linspace(low, high, 300)
    own = oscillators(energies, (20.0, 3.0, 0.6), (80.0, 20.0, 2.0), (1.0, 0.2, 0.1))
    assert departure(energies, own.real, own.imag) < 0.1
    other = oscillators(energies, (20.0, 4.5, 0.6))
    assert departure(energies, own.real, other.imag) > 0.5


def test_an_uneven_grid_and_unknown_ends_change_little() -> None:
    energies = np.geomspace(0.5, 12.0, 500)
    own = oscillators(energies, (20.0, 3.0, 0.6))
    real = own.real.copy()
    real[-40:] = np.nan
    assert departure(energies, real, own.imag) < 0.1


def test_flat_or_unknown_parts_have_no_departure() -> None:
    energies = np.linspace(1, 3, 50)
    assert np.isnan(departure(energies, np.ones(50), np.ones(50)))
    assert np.isnan(departure(energies, np.full(50, np.nan), np.ones(50)))
