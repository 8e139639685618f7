"""Zeros of the permittivity: those of Drude and Lorentz, of lines, of what only touches zero."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from atomlens.errors import StudyError
from atomlens.screening.enz.numbers import (
    Criteria,
    Crossing,
    choose_crossing,
    element_pairs,
    frequent_pairs,
    mean_and_std,
    near_zero_window,
    spectral_range,
    zero_crossings,
)

FINE = np.linspace(0.01, 15, 30_000)
PLASMA, DAMPING, BACKGROUND = 9.0, 0.3, 3.7  # eV, eV, of something like silver


def drude(energies: np.ndarray) -> np.ndarray:
    return BACKGROUND - PLASMA**2 / (energies**2 + 1j * DAMPING * energies)


def lorentz(energies: np.ndarray, resonance: float = 4.0) -> np.ndarray:
    return BACKGROUND + PLASMA**2 / (resonance**2 - energies**2 - 1j * DAMPING * energies)


def points(*real: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Energies 1, 2, 3 ..., the given real part, and ten times the energy as imaginary part."""
    energies = np.arange(1.0, len(real) + 1)
    return energies, np.array(real), 10 * energies


def test_a_drude_metal_crosses_once_upwards_at_its_screened_plasma_energy() -> None:
    found = drude(FINE)
    (crossing,) = zero_crossings(FINE, found.real, found.imag)
    exact = np.sqrt(PLASMA**2 / BACKGROUND - DAMPING**2)
    assert crossing.direction == "up"
    assert crossing.energy == pytest.approx(exact, abs=1e-7)
    assert crossing.loss == pytest.approx(drude(np.array(exact)).imag, abs=1e-6)


def test_the_window_of_a_drude_metal_ends_where_its_real_part_is_one() -> None:
    found = drude(FINE)
    (crossing,) = zero_crossings(FINE, found.real, found.imag)
    window = near_zero_window(FINE, found.real, crossing)
    low, high = (np.sqrt(PLASMA**2 / (BACKGROUND - s) - DAMPING**2) for s in (-1, 1))
    assert_allclose((window.low, window.high), (low, high), atol=1e-6)
    assert not window.is_cut
    assert window.width == pytest.approx(high - low, abs=1e-6)
    assert window.width_nm == pytest.approx(1239.841984 * (1 / low - 1 / high), abs=1e-3)


def test_a_lorentz_oscillator_crosses_down_at_the_resonance_and_up_behind_it() -> None:
    found = lorentz(FINE)
    down, up = zero_crossings(FINE, found.real, found.imag)
    square = 4.0**2
    linear = BACKGROUND * (DAMPING**2 - 2 * square) - PLASMA**2
    exact = np.sqrt(
        np.sort(np.roots([BACKGROUND, linear, BACKGROUND * square**2 + PLASMA**2 * square]))
    )
    assert (down.direction, up.direction) == ("down", "up")
    assert_allclose((down.energy, up.energy), exact, atol=1e-6)
    assert up.loss < 1 < 10 < down.loss


def test_the_first_crossing_downwards_stands_for_a_material_unless_another_is_asked_for() -> None:
    found = lorentz(FINE)
    both = zero_crossings(FINE, found.real, found.imag)
    assert choose_crossing(both) is both[0]
    assert choose_crossing(both, direction="up") is both[1]
    assert choose_crossing(both, direction="both", pick="lowest-loss") is both[1]
    assert choose_crossing(both, above=both[0].energy) is None
    assert choose_crossing(both[1:]) is None


def test_a_crossing_of_unknown_loss_is_not_the_one_of_lowest_loss() -> None:
    unknown, known = (
        Crossing(energy=e, direction="down", loss=x) for e, x in ((1, np.nan), (2, 9))
    )
    assert choose_crossing((unknown, known), pick="lowest-loss") is known


def test_every_zero_of_a_line_that_goes_up_and_down_is_found() -> None:
    found = zero_crossings(*points(1, -1, 3, -1))
    assert [c.energy for c in found] == [1.5, 2.25, 3.75]
    assert [c.direction for c in found] == ["down", "up", "down"]
    assert [c.loss for c in found] == [15.0, 22.5, 37.5]


@pytest.mark.parametrize("real", [(2, 0, 2), (-1, 0, 0, -3), (0, 1, 2), (2, 1, 0), (0, 0, 0)])
def test_touching_zero_is_no_crossing(real: tuple[float, ...]) -> None:
    assert zero_crossings(*points(*real)) == ()


def test_a_zero_on_a_grid_point_is_one_crossing_there() -> None:
    assert zero_crossings(*points(2, 0, -1)) == (Crossing(energy=2.0, direction="down", loss=20.0),)


def test_several_zeros_in_a_row_are_one_crossing_in_their_middle() -> None:
    assert zero_crossings(*points(-2, 0, 0, 3)) == (
        Crossing(energy=2.5, direction="up", loss=25.0),
    )


def test_no_crossing_is_seen_across_a_gap() -> None:
    assert zero_crossings(*points(2, np.nan, -1)) == ()
    assert zero_crossings(*points(2, 0, np.nan, -1)) == ()
    assert [c.energy for c in zero_crossings(*points(np.nan, 1, -1, np.nan))] == [2.5]


def test_masked_points_are_a_gap() -> None:
    energies, real, imaginary = points(1, 5, -1, 1)
    hidden = np.ma.array(real, mask=[False, False, True, False])
    assert zero_crossings(energies, hidden, imaginary) == ()


def test_an_unknown_loss_beside_a_crossing_is_nan() -> None:
    energies, real, _ = points(1, -1)
    (crossing,) = zero_crossings(energies, real, np.array([0.5, np.nan]))
    assert (crossing.energy, np.isnan(crossing.loss)) == (1.5, True)


def test_a_window_within_one_step_has_interpolated_edges() -> None:
    energies, real, imaginary = points(5, -5)
    (crossing,) = zero_crossings(energies, real, imaginary)
    window = near_zero_window(energies, real, crossing)
    assert_allclose(window, (1.4, 1.6, False))
    wider = near_zero_window(energies, real, crossing, limit=2.5)
    assert_allclose(wider, (1.25, 1.75, False))


def test_a_window_goes_on_through_other_crossings() -> None:
    energies, real, imaginary = points(3, 0.5, -0.5, 0.5, -3)
    crossings = zero_crossings(energies, real, imaginary)
    windows = {near_zero_window(energies, real, c) for c in crossings}
    assert len(crossings) == 3
    (window,) = windows
    assert_allclose(window, (1.8, 4 + 1.5 / 3.5, False))


@pytest.mark.parametrize(
    ("real", "edges"),
    [
        ((0.5, -3), (1.0, 1 + 1.5 / 3.5)),
        ((np.nan, 0.5, -3), (2.0, 2 + 1.5 / 3.5)),
        ((3, 0.5, -0.5, np.nan), (1.8, 3.0)),
    ],
)
def test_a_window_that_the_data_cut_says_so(
    real: tuple[float, ...], edges: tuple[float, float]
) -> None:
    energies, values, imaginary = points(*real)
    (crossing,) = zero_crossings(energies, values, imaginary)
    assert_allclose(near_zero_window(energies, values, crossing), (*edges, True))


@pytest.mark.parametrize("limit", [0.0, -1.0, np.nan])
def test_a_limit_that_is_not_positive_is_refused(limit: float) -> None:
    energies, real, imaginary = points(1, -1)
    (crossing,) = zero_crossings(energies, real, imaginary)
    with pytest.raises(StudyError, match="above 0"):
        near_zero_window(energies, real, crossing, limit=limit)


def test_energies_that_do_not_ascend_are_refused() -> None:
    with pytest.raises(StudyError, match="ascend"):
        zero_crossings(np.array([1.0, 1.0]), np.ones(2), np.ones(2))


def test_parts_of_different_length_are_refused() -> None:
    with pytest.raises(StudyError, match="shape"):
        zero_crossings(np.arange(3.0), np.ones(3), np.ones(2))


@pytest.mark.parametrize(
    ("energy", "label"),
    [
        (0.496, "low frequency"),
        (0.497, "near infrared"),
        (1.549, "near infrared"),
        (3.1, "visible"),
        (3.11, "ultraviolet"),
        (np.nan, ""),
    ],
)
def test_the_ranges_of_the_spectrum_are_those_of_the_paper(energy: float, label: str) -> None:
    assert spectral_range(energy) == label


@pytest.mark.parametrize(
    ("energy", "loss", "hull", "passes"),
    [
        (0.5, 1.9, 0.024, True),
        (12.4, 1.9, np.nan, True),
        (0.49, 1.9, 0.0, False),
        (12.5, 1.9, 0.0, False),
        (1.0, 2.0, 0.0, False),
        (1.0, np.nan, 0.0, False),
        (1.0, 1.0, 0.025, False),
    ],
)
def test_the_criteria_are_those_of_the_paper(
    energy: float, loss: float, hull: float, passes: bool
) -> None:
    crossing = Crossing(energy=energy, direction="down", loss=loss)
    assert Criteria().passes(crossing, hull) is passes


def test_a_material_without_a_crossing_passes_no_criteria() -> None:
    assert not Criteria().passes(None)


def test_pairs_of_elements_are_unordered_and_counted_once_a_material() -> None:
    counts = element_pairs([["V", "O", "O"], ["O", "V", "Ca"], ["Ag"]])
    assert counts == {("O", "V"): 2, ("Ca", "O"): 1, ("Ca", "V"): 1}
    assert next(iter(counts)) == ("O", "V")
    assert frequent_pairs(counts, 2) == {("O", "V"): 2}


def test_the_spread_is_that_of_the_known_values() -> None:
    assert mean_and_std([1.0, np.nan, 3.0]) == (2.0, pytest.approx(np.sqrt(2)))
    assert np.isnan(mean_and_std([1.0])[1])
    assert np.isnan(mean_and_std([])[0])
