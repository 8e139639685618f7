"""Numbers and sentences for readers."""

import numpy as np
import pytest

from atomlens.reports.payload import page_payload
from atomlens.reports.still import structure_svg
from atomlens.reports.wording import (
    formula_parts,
    formula_text,
    meaning,
    number,
    prediction_text,
    shortened,
    std_sentence,
    top_atoms,
    value_with_error,
)
from explained_makers import explained, water


@pytest.mark.parametrize(
    ("value", "std", "text"),
    [
        (-6.4183, 0.124, "−6.42 ± 0.12"),
        (-3.5512, 0.0283, "−3.551 ± 0.028"),
        (1234.5, 67.0, "1234 ± 67"),
        (5.0, None, "5.000"),
        (5.0, 0.0, "5.000"),
        (5.0, float("nan"), "5.000"),
        (float("nan"), 0.1, "–"),
        (1e-9, 1e-10, "1.000e−9 ± 1.0e−10"),
    ],
)
def test_a_value_is_given_to_the_digits_that_its_error_leaves(
    value: float, std: float | None, text: str
) -> None:
    assert value_with_error(value, std) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0416667, "0.0417"), (0.0, "0.00"), (-12.345, "−12.3"), (1.5e-7, "1.50e−7")],
)
def test_numbers_have_three_digits_that_count(value: float, text: str) -> None:
    assert number(value) == text


def test_a_prediction_carries_its_unit() -> None:
    assert prediction_text(explained(water())) == "−6.42 ± 0.12 eV"
    assert prediction_text(explained(water(), unit="", std=None)) == "−6.418"


def test_formulas_are_split_and_lowered() -> None:
    numbers = np.array([6] * 5 + [1] * 6 + [7] * 2 + [8] * 2 + [17])
    assert formula_parts(numbers) == [("C", 5), ("H", 6), ("Cl", 1), ("N", 2), ("O", 2)]
    assert formula_text(np.array([1, 1, 8])) == "H₂O"


def test_long_names_are_cut_in_the_middle() -> None:
    text = shortened("x" * 100 + "\n" + "end", 20)
    assert len(text) == 20
    assert text.endswith("end")
    assert "\n" not in text


def test_ties_among_the_top_atoms_go_to_the_lower_index() -> None:
    assert top_atoms(np.array([0.2, 0.4, 0.2, 0.4]), 3) == [1, 3, 0]


def test_every_method_says_what_its_score_does_not_mean() -> None:
    texts = [
        meaning(m)
        for m in ("attention", "gradient", "integrated-gradients", "occlusion", "something new")
    ]
    assert len({t[1] for t in texts}) == 5
    assert all(len(part) > 40 for pair in texts for part in pair)


def test_the_source_of_the_error_is_said_in_words() -> None:
    assert "ensemble" in std_sentence("ensemble")
    assert "no error estimate" in std_sentence("none")
    assert "dropout" in std_sentence("dropout")


def test_a_doubtful_prediction_is_marked_wherever_it_is_shown() -> None:
    atoms = water()
    sure, doubtful = explained(atoms), explained(atoms, warning="unlike the training data")
    assert "⚠" not in prediction_text(sure)
    assert prediction_text(doubtful) == f"{prediction_text(sure)} ⚠"
    assert "⚠" in structure_svg(doubtful)
    (shown,) = page_payload([doubtful])["structures"]
    assert shown["prediction_text"].endswith("⚠")
