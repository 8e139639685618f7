"""The colour scales are ordered, readable without red and green, and shared."""

import numpy as np
import pytest

from atomlens.elements import N_ELEMENTS
from atomlens.reports.colours import (
    BASELINE_COLOURS,
    SCORE_COLOURS,
    all_equal,
    colour_at,
    element_colour,
    mix,
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


def test_a_position_beyond_the_scale_takes_its_end() -> None:
    assert colour_at(-1.0) == SCORE_COLOURS[0]
    assert colour_at(2.0) == SCORE_COLOURS[-1]


def test_every_element_has_a_colour() -> None:
    colours = [element_colour(z) for z in range(N_ELEMENTS + 1)]
    assert all(len(c) == 7 and c.startswith("#") and int(c[1:], 16) >= 0 for c in colours)
    assert len(set(colours)) > 100


def test_text_is_white_on_dark_and_dark_on_light() -> None:
    assert text_colour("#3a0010") == "#ffffff"
    assert text_colour("#f2f2f2") != "#ffffff"


def test_mixing_goes_from_one_colour_to_the_other() -> None:
    assert mix("#000000", "#ffffff", 0.0) == "#000000"
    assert mix("#000000", "#ffffff", 1.0) == "#ffffff"
