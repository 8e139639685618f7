import math

import pytest

from atomlens.datasets.numerals import read_numerals


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["2,75", "3", "-0,5"], [2.75, 3.0, -0.5]),
        (["1,500.5", "2,250"], [1500.5, 2250.0]),
        (["1.234,5", "2"], [1234.5, 2.0]),
        (["1 500,5", "12"], [1500.5, 12.0]),
        (["1'000.5"], [1000.5]),
        (["0,123", "0,456"], [0.123, 0.456]),
        (["1,234,567"], [1234567.0]),
        (["1.234", "2.5"], [1.234, 2.5]),
        (["1.5(2)", "3.5 ± 0.1", "2.5(1)e-3", "4+/-1"], [1.5, 3.5, 0.0025, 4.0]),
        (["1.5 x 10^-3", "2·10^2"], [0.0015, 200.0]),
        (["\u22124", "+3.", ".5"], [-4.0, 3.0, 0.5]),
        (["1e5", "1E-05", "1,5E+03"], [1e5, 1e-5, 1500.0]),
    ],
)
def test_numbers_as_people_write_them(cells, numbers):
    read = read_numerals(cells)
    assert not read.problem
    assert read.numbers == pytest.approx(numbers)


@pytest.mark.parametrize(
    "cells", [["1,234", "2,345"], ["2,75", "1.5"], ["2,75", "1.234"], ["1,500.5", "2,7"]]
)
def test_contradictions_and_two_readings_are_a_problem(cells):
    assert read_numerals(cells).problem


@pytest.mark.parametrize(
    "text", ["", "abc", "1_000", "0x10", "12,34,56", ".", "-", "1 2", "2D", "1.2.3", "(2)"]
)
def test_what_is_no_number(text):
    assert read_numerals([text]).numbers == (None,)


def test_values_that_are_numbers_stay():
    read = read_numerals([3, 2.5, True, None, 10**400, [1]])
    assert read.numbers == (3.0, 2.5, None, None, math.inf, None)
