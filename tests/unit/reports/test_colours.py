"""The colour scales are ordered, readable without red and green, and shared."""

import numpy as np
import pytest

from atomlens.elements import SYMBOLS
from atomlens.reports.colours import (
    BASELINE_COLOURS,
    SCORE_COLOURS,
    all_equal,
    around_baseline,
    atom_colours,
    colour_at,
    differs_little,
    element_colour,
    legend_colours,
    mix,
    scale_ends,
    score_positions,
    text_colour,
)

# how people without green receptors see linear RGB (Machado, Oliveira and Fernandes, 2009)
DEUTERANOPIA = np.array(
    [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]
)


def linear(colour: str) -> np.ndarray:
    values = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def luminance(rgb: np.ndarray) -> float:
    return float(rgb @ np.array([0.2126, 0.7152, 0.0722]))


def test_higher_scores_are_always_darker() -> None:
    values = [luminance(linear(c)) for c in SCORE_COLOURS]
    assert np.all(np.diff(values) < 0)


def test_higher_scores_are_darker_for_people_who_confuse_red_and_green() -> None:
    values = [luminance(DEUTERANOPIA @ linear(c)) for c in SCORE_COLOURS]
    assert np.all(np.diff(values) < 1e-4)


def test_the_scale_around_the_baseline_is_lightest_in_the_middle() -> None:
    values = [luminance(linear(c)) for c in BASELINE_COLOURS]
    middle = len(values) // 2
    assert np.argmax(values) == middle
    assert np.all(np.diff(values[:middle]) > 0)
    assert np.all(np.diff(values[middle:]) < 0)


def test_both_ends_of_the_baseline_scale_are_told_apart_without_green() -> None:
    low, high = (DEUTERANOPIA @ linear(BASELINE_COLOURS[i]) for i in (8, -9))
    assert np.abs(low - high).max() > 0.2


def test_positions_run_from_zero_to_one() -> None:
    assert score_positions(np.array([0.2, 0.1, 0.5])).tolist() == pytest.approx([0.25, 0.0, 1.0])


def test_equal_scores_stand_out_nowhere() -> None:
    scores = np.full(60, 1 / 60) + 1e-6 * np.arange(60)
    assert all_equal(scores)
    assert not score_positions(scores).any()
    assert not all_equal(np.array([0.3, 0.7]))


@pytest.mark.parametrize("baseline", [0.01, None])
def test_shares_that_differ_little_look_alike(baseline: float | None) -> None:
    little = np.linspace(0.94, 1.04, 100) * 0.01
    assert differs_little(little, baseline)
    place = SCORE_COLOURS.index(atom_colours(little, baseline)[-1])
    assert 0 < place < len(SCORE_COLOURS) / 3
    assert legend_colours(little, baseline)[-1] == SCORE_COLOURS[place]
    much = np.linspace(0.5, 1.5, 100) * 0.01
    assert not differs_little(much, baseline)
    assert atom_colours(much, baseline)[-1] == SCORE_COLOURS[-1]


def test_around_the_even_share_little_differences_are_pale_on_both_sides() -> None:
    low, high = around_baseline(np.array([0.94, 1.04]) / 100, 0.01)
    assert (low, high) == pytest.approx((0.0075, 0.0125))
    assert around_baseline(np.array([0.0, 0.03]), 0.01) == pytest.approx((-0.01, 0.03))


def test_the_scale_of_changes_is_as_wide_as_the_largest_change() -> None:
    assert scale_ends(np.array([-0.001, 0.003]), 0.0) == (-0.003, 0.003)
    assert not differs_little(np.array([-0.001, 0.003]), 0.0)


def test_a_position_beyond_the_scale_takes_its_end() -> None:
    assert colour_at(-1.0) == SCORE_COLOURS[0]
    assert colour_at(2.0) == SCORE_COLOURS[-1]


def test_every_element_has_a_colour() -> None:
    colours = [element_colour(z) for z in range(len(SYMBOLS))]
    assert all(len(c) == 7 and c.startswith("#") and int(c[1:], 16) >= 0 for c in colours)
    assert len(set(colours)) > 100


def test_text_is_white_on_dark_and_dark_on_light() -> None:
    assert text_colour("#3a0010") == "#ffffff"
    assert text_colour("#f2f2f2") != "#ffffff"


def test_mixing_goes_from_one_colour_to_the_other() -> None:
    assert mix("#000000", "#ffffff", 0.0) == "#000000"
    assert mix("#000000", "#ffffff", 1.0) == "#ffffff"
