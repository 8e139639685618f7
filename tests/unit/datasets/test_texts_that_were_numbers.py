"""What were numbers before a spreadsheet or a program wrote them are no names of classes."""

from datetime import timedelta
from fractions import Fraction

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
        (["#DIV/0!", "#VALUE!"], "an error of a spreadsheet"),
        (["tensor(1.5)", "tensor(2.5)"], "a number with what a program prints around it"),
        (["[1.5]", "[2.5]"], "a number with what a program prints around it"),
        (["b'1.5'", "b'2.5'"], "a number with what a program prints around it"),
        (["1.5D-3", "2.5D-3"], "an exponent that Fortran writes"),
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
