"""Cells of the tables of studies."""

import math

import pytest

from atomlens.studies.rows import within


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (1.0, 2.5, "1.8 (1 to 2.5)"),
        (math.nan, math.nan, "1.8"),
        (None, None, "1.8"),
        (1.0, math.inf, "1.8"),
    ],
)
def test_a_value_without_an_interval_is_shown_alone(low: object, high: object, text: str) -> None:
    assert within({"x": 1.8, "x_low": low, "x_high": high}, "x") == text
    assert within({"x": math.nan, "x_low": low, "x_high": high}, "x") == ""
    assert within({}, "x") == ""
    assert within({"x": 1.8, "x_low": 1.0, "x_high": 2.5}, "x", ".2f") == "1.80 (1.00 to 2.50)"


def test_what_rounds_to_nothing_has_no_sign() -> None:
    row = {"gain": -0.001, "gain_low": -0.004, "gain_high": 0.003}
    assert within(row, "gain", ".2f") == "0.00 (0.00 to 0.00)"
    assert within({"gain": -0.001}, "gain", ".2f") == "0.00"
