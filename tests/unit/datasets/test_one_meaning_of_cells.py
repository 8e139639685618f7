"""Cells that say one thing in two ways, numbers for nothing, and dates."""

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

from atomlens.datasets.tables.columns import TargetOptions, target_columns
from atomlens.errors import DatasetError


def read(values: list[Any], **about: Any) -> tuple[Any, list[str]]:
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        found = target_columns({"y": values}, ["y"], TargetOptions(**about), "t.csv")
    return found, [str(w.message) for w in heard]


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("n", [1, 3])
def test_numbers_for_nothing_are_told_alike_whatever_their_sign(sign: int, n: int) -> None:
    values = [*np.linspace(1.0, 2.0, 20).tolist(), *[sign * 999.0] * n]
    found, said = read(values)
    assert len(said) == 1
    assert "nothing is known" in said[0]
    assert found.values.shape == (20 + n, 1)
    _, mixed = read([*values, 500.0])  # then 999 may be a value
    assert not [text for text in mixed if "many programs write" in text]


def test_a_number_for_nothing_is_told_beside_one_that_is_a_value() -> None:
    values = [*np.linspace(0.0, 1500.0, 30).tolist(), 999.0, -99999.0]
    _, said = read(values)
    (one,) = [text for text in said if "nothing is known" in text]
    assert "-99999" in one
    assert "999," not in one.replace("-99999,", "")


@pytest.mark.parametrize(
    ("true", "false", "classes"),
    [
        (True, False, ("False", "True")),
        ("TRUE", "False", ("False", "True")),
        ("yes", "no", ("no", "yes")),
        ("Y", "N", ("N", "Y")),
        (np.True_, np.False_, ("False", "True")),
    ],
)
@pytest.mark.parametrize("kinds", [{}, {"y": "classification"}])
def test_one_and_zero_beside_truth_are_the_same_classes(
    true: Any, false: Any, classes: tuple[str, str], kinds: dict[str, Any]
) -> None:
    values = [true, false, 1, 0, "1", "0.0", 1.0, None, true, false]
    found, said = read(values, kinds=kinds)
    (target,) = found.targets
    assert target.classes == classes
    np.testing.assert_array_equal(found.values[:, 0], [1, 0, 1, 0, 1, 0, 1, np.nan, 1, 0])
    assert not found.problems
    assert "1 as " in said[0]
    assert "0 as " in said[0]


def test_other_numbers_beside_truth_are_numbers_and_told() -> None:
    found, _ = read([True, 1.5, 2.5, 3.5, 0.0])
    assert found.targets[0].kind == "regression"
    assert list(found.problems) == [0]


def test_classes_of_a_model_are_known_by_both_names() -> None:
    found, _ = read([1, 0, "True", "no"], classes={"y": ("False", "True")})
    np.testing.assert_array_equal(found.values[:3, 0], [1, 0, 1])
    assert list(found.problems) == [3]
    found, _ = read(["yes", False, 1], classes={"y": ("0", "1")})
    np.testing.assert_array_equal(found.values[:, 0], [1, 0, 1])


@pytest.mark.parametrize(
    "dates",
    [
        ["2024-01-01", "2024-01-02"],
        ["01.02.2024", "03.02.2024"],
        ["3-Jan", "Feb-04"],
        ["2024-01-01T10:00:00Z", "2024-01-02T10:00:00Z"],
        [pd.Timestamp("2024-01-01"), pd.Timestamp("2024-02-01")],
        ["2024-01-01", "known"],
    ],
)
def test_dates_are_no_classes_unless_they_are_called_so(dates: list[Any]) -> None:
    with pytest.raises(DatasetError, match=r"date.*--classification"):
        read(dates * 5)
    found, _ = read(dates * 5, kinds={"y": "classification"})
    assert len(found.targets[0].classes) == 2
    with pytest.raises(DatasetError, match="fractions"):
        read(["1/2", "3/4"] * 5)


def test_unknown_as_a_class_is_told() -> None:
    _, said = read(["metal", "unknown", "semiconductor"] * 5)
    assert "'unknown' is a class of 'y' like the others" in said[0]


@pytest.mark.parametrize("words", [("N/A", "n/a"), ("Unknown", "unknown"), ("?", "unk")])
def test_words_for_nothing_get_one_advice(words: tuple[str, str]) -> None:
    _, said = read(["metal", *words, "insulator"] * 5)
    (one,) = said
    assert f"{words[0]!r} and {words[1]!r} are classes of 'y' like the others; leave" in one
    assert "one way" not in one
