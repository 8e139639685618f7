import math

import pytest

from atomlens.datasets.tables.numerals import advice_on, read_numerals


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
    "cells",
    [
        ["1,234", "2,345"],
        ["2,75", "1.5"],
        ["2,75", "1.234"],
        ["1,500.5", "2,7"],
        ["1,234", "2.345", "3.4"],
        ["2.5", "3.5", "1,234"],
        ["2.345", "1,234"],
        ["1,234", "12345.5"],
        ["1,234", 2.345, 3.4],
        ["-1,234(5)", "2.5"],
        ["1 500.5", "1,234"],
    ],
)
@pytest.mark.parametrize("comma_is_decimal", [False, True])
def test_contradictions_and_two_readings_are_a_problem(cells, comma_is_decimal):
    problem = read_numerals(cells, comma_is_decimal=comma_is_decimal).problem
    alone = not any("." in str(cell) for cell in cells) or not isinstance(cells[-1], str)
    assert bool(problem) is not (comma_is_decimal and alone)


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["1,234", "2.5", "1,234.5"], [1234.0, 2.5, 1234.5]),
        (["1,234", "2.345", "12,345,678"], [1234.0, 2.345, 12345678.0]),
        (["1.234", "2,5", "1.234,5"], [1234.0, 2.5, 1234.5]),
    ],
)
def test_a_cell_with_both_marks_tells_what_the_others_are(cells, numbers):
    read = read_numerals(cells)
    assert not read.problem
    assert read.numbers == pytest.approx(numbers)


def test_the_problem_names_both_readings():
    problem = read_numerals(["1,234", "2.345"]).problem
    assert "'1,234' beside '2.345', which may be 1234 or 1.234" in problem


def test_errors_of_values_are_kept_count_of():
    cells = ["100 ± 2", "100(2)", "1,5(2)", "3", "x(2)", "1e+5"]
    assert read_numerals(cells).with_error == ("100 ± 2", "100(2)", "1,5(2)")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<0.1", "a bound is no value"),
        ("≥ 5", "a bound is no value"),
        ("120-125", "such as its middle 122.5"),
        ("1.2 to 1.4", "such as its middle 1.3"),
        ("~100", "write the number alone: 100"),
        ("150 (dec.)", "write the number alone: 150"),
        ("ca. 3,5", "write the number alone: 3,5"),
        ("1-2-3", "correct it"),
        ("2024-01-02", "correct it"),
        ("high", "correct it"),
    ],
)
def test_cells_that_are_no_number_are_told_what_to_write(text, said):
    assert said in advice_on(text)


@pytest.mark.parametrize(
    "text", ["", "abc", "1_000", "0x10", "12,34,56", ".", "-", "1 2", "2D", "1.2.3", "(2)"]
)
def test_what_is_no_number(text):
    assert read_numerals([text]).numbers == (None,)


def test_values_that_are_numbers_stay():
    read = read_numerals([3, 2.5, True, None, 10**400, [1]])
    assert read.numbers == (3.0, 2.5, None, None, math.inf, None)
