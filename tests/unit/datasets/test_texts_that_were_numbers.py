"""What were numbers before a spreadsheet or a program wrote them are no names of classes."""

from datetime import date, datetime, time, timedelta
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from atomlens.datasets import load_dataset
from atomlens.errors import DatasetError

SMILES = ["CCO", "CCCO", "CCN", "CCF", "COC", "C=O"]


def loaded(cells, **options):
    return load_dataset({"smiles": SMILES, "y": (cells * 6)[:6]}, target="y", **options)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["2020-01-02", "2020-02-01"], "which are dates; if they were numbers, a spreadsheet"),
        (["01.02.2020", "03.04.2020"], "which are dates"),
        (["2-Jan", "Feb-03"], "which are dates"),
        (["1/2", "3/4"], "which are fractions"),
        (["tensor(1.5)", "tensor(2.5)"], "a number with what a program prints around it"),
        (["[1.5]", "[2.5]"], "a number with what a program prints around it"),
        (["b'1.5'", "b'2.5'"], "a number with what a program prints around it"),
        (["1.5D-3", "2.5D-3"], "an exponent that Fortran writes"),
        (["1D+2", "2D-3"], "an exponent that Fortran writes"),
        (["1,5D+02", "2,5D+02"], "an exponent that Fortran writes"),
        (["1.5 D+02", "2.5 D+02"], "an exponent that Fortran writes"),
        (["1.5000+102", "2.5000+102"], "a number whose exponent lost its E"),
        (["0x10", "0x11", "0X1f"], "a number as programs write it"),
        (["0b10", "0b11"], "a number as programs write it"),
        (["1_000", "2_000"], "a number as programs write it"),
        (["$1.5", "$2"], "an amount of money"),
        (["1+2j", "(2+1j)"], "a complex number"),
        (["1.5 2.5", "2.5 1.5"], "several numbers in one cell"),
    ],
)
def test_they_are_refused_by_name_unless_they_are_said_to_be_classes(cells, said):
    with pytest.raises(DatasetError, match=f"holds .*{said}.* or say that these are classes"):
        loaded(cells)
    assert loaded(cells, classification=True).targets[0].kind == "classification"


@pytest.mark.parametrize(
    "cells",
    [["4/mmm", "m-3m"], ["2D", "3D"], ["Cu(111)", "Cu(100)"], ["[111]", "[001]"], ["1_2", "2_1"]],
)
def test_names_with_digits_are_classes(cells):
    assert loaded(cells).targets[0].classes == tuple(sorted(cells))


@pytest.mark.parametrize("cells", [[complex(1, 1), 2j], [timedelta(1), timedelta(2)]])
def test_an_object_that_is_neither_number_nor_text_is_no_class(cells):
    kind = type(cells[0]).__name__
    with pytest.raises(DatasetError, match=f"a {kind} object, which is neither a number nor a"):
        loaded(cells)


@pytest.mark.parametrize("cells", [[Fraction(1, 2), Fraction(3, 2)], [b"0.5", b"1.5"]])
def test_numbers_of_other_kinds_are_numbers(cells):
    table = pd.DataFrame({"smiles": SMILES, "y": pd.Series(cells * 3, dtype=object)})
    for data in (loaded(cells), load_dataset(table, target="y")):
        assert data.targets[0].kind == "regression"
        assert data.values[:2, 0].tolist() == [0.5, 1.5]


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (datetime(2024, 3, 1), "2024-03-01, which is a date or time and no number"),
        (datetime(2024, 3, 1, 12, 30), "2024-03-01 12:30:00, which is a date or time"),
        (pd.Timestamp("2024-03-01"), "2024-03-01, which is a date or time"),
        (np.datetime64("2024-03-01", "ns"), "2024-03-01, which is a date or time"),
        (pd.Period("2024-03"), "2024-03, which is a date or time"),
        (date(2024, 3, 1), "2024-03-01, which is a date or time"),
        (time(3, 4), "03:04:00, which is a date or time"),
        ("2-Jan", "'2-Jan', which is a date or time"),
        (timedelta(hours=3), "3:00:00, which is a duration and no number; write numbers in one"),
        (np.timedelta64(1, "ns"), "0:00:00, which is a duration"),
        (object(), "an object object, which is not a number"),
        ("1.5D+02", "'1.5D+02', which is not a number but an exponent that Fortran writes; write"),
        ("#DIV/0!", "'#DIV/0!', which is not a number but an error of a spreadsheet; correct its"),
        ("y", "'y', as in the header; remove this row"),
        ("eV", "'eV', which is not a number"),
    ],
)
def test_one_among_numbers_is_named_for_what_it_is(cell, said):
    cells = [1.0, 2.0, 3.0, 4.0, 5.0, cell]
    for held in (cells, pd.Series(cells, dtype=object), np.array(cells, dtype=object)):
        data = load_dataset({"smiles": SMILES, "y": held}, target="y")
        assert [f"the target 'y' is {said}" in one.message for one in data.failures] == [True]


@pytest.mark.parametrize("unit", ["eV", "[eV]", "(eV)"])
def test_a_row_of_units_below_the_header_is_named(unit):
    data = load_dataset({"smiles": ["", *SMILES[:5]], "y": [unit, 1.0, 2.0, 3.0, 4.0, 5.0]}, "y")
    (failure,) = data.failures
    assert "a unit and no number; write it into the header (y [eV]), and remove" in failure.message


@pytest.mark.parametrize("kind", ["datetime64[ns]", "datetime64[D]", "timedelta64[ns]"])
def test_dates_of_numpy_are_no_numbers(kind):
    with pytest.raises(DatasetError, match=r"the column 'y' holds (6 different texts|nothing but)"):
        load_dataset({"smiles": SMILES, "y": (np.arange(6) * 86_400_000_000_000).astype(kind)}, "y")


def test_an_error_of_a_spreadsheet_is_no_class():
    data = loaded(["a", "b", "#N/A"])
    assert data.targets[0].classes == ("a", "b")
    assert ["an error of a spreadsheet" in one.message for one in data.failures] == [True, True]
    for options in ({}, {"classification": True}):
        with pytest.raises(DatasetError, match="holds errors of a spreadsheet alone, such as"):
            loaded(["#DIV/0!", "#VALUE!"], **options)
