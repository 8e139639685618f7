"""Structures and values in columns of their own: their row labels and order must not contradict."""

import warnings

import numpy as np
import pandas as pd
import pytest

import atomlens as al
from atomlens.datasets import load_dataset
from atomlens.datasets.tables.frames import refuse_other_order
from atomlens.errors import DatasetError
from atomlens.sklearn import AtomlensClassifier, AtomlensRegressor

SMILES = pd.Series(["CCO", "CCCO", "CCCCO", "CCN"])
VALUES = pd.Series([2.0, 3.0, 4.0, 5.0])
TURNED = VALUES.iloc[::-1]
ELSEWHERE = pd.Series([2.0, 3.0, 4.0, 5.0], index=[7, 8, 9, 11])
OTHER_ORDER = r"same row labels in another order \(row 1 is 0 in .* and 3 in "


def test_columns_with_the_same_labels_in_another_order_are_refused():
    with pytest.raises(DatasetError, match=OTHER_ORDER):
        load_dataset((SMILES, TURNED), target="y")
    with pytest.raises(DatasetError, match=OTHER_ORDER):
        load_dataset({"smiles": SMILES, "y": TURNED}, target="y")


@pytest.mark.parametrize("estimator", [AtomlensRegressor, AtomlensClassifier])
def test_so_does_fit_of_scikit_learn(estimator):
    for structures in (SMILES, SMILES.to_frame("smiles")):
        with pytest.raises(DatasetError, match=OTHER_ORDER):
            estimator("ridge").fit(structures, TURNED)


def test_columns_with_other_labels_are_paired_by_place_and_it_is_said():
    with pytest.warns(UserWarning, match=r"other row labels \(row 1 is 0 in structures and 7"):
        data = load_dataset((SMILES, ELSEWHERE), target="y")
    assert data.values[:, 0].tolist() == [2.0, 3.0, 4.0, 5.0]
    with pytest.warns(UserWarning, match=r"other row labels \(row 1 is 0 in X and 7 in y\)"):
        AtomlensRegressor("mean", split="random:1./0./0.").fit(SMILES, ELSEWHERE)


UTC = pd.to_datetime(["2020-01-01", "2020-01-02"]).tz_localize("UTC")
SEVERAL = pd.MultiIndex.from_tuples([("a", 1), ("b", 2)])


@pytest.mark.parametrize(
    ("ours", "others", "said"),
    [
        (UTC, UTC.tz_convert("Europe/Berlin"), ""),
        (SEVERAL, [0, 1], "row 1 is ('a', 1) in X and 0 in y"),
        (pd.array([1, None], dtype="Int64"), [1, 2], "row 2 is <NA> in X and 2 in y"),
        ([1.0, None], [None, 1.0], "the same row labels in another order"),
    ],
)
def test_labels_of_all_kinds_are_compared(ours, others, said):
    parts = {"X": pd.Series([1, 2], index=ours), "y": pd.Series([1, 2], index=others)}
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            refuse_other_order(parts)
            told = [str(w.message) for w in heard]
        except DatasetError as problem:
            told = [str(problem)]
    assert len(told) == bool(said)
    assert said in "".join(told)


@pytest.mark.parametrize(
    "values", [VALUES, VALUES.to_frame("y"), VALUES.to_numpy()[:, None], TURNED.to_numpy()[::-1]]
)
def test_columns_that_agree_or_have_no_labels_are_paired_without_a_word(values):
    data = load_dataset((SMILES, values), target="y")
    assert data.values[:, 0].tolist() == [2.0, 3.0, 4.0, 5.0]


@pytest.mark.parametrize("order", [set, frozenset])
def test_a_set_has_no_order_so_its_structures_have_no_values(order):
    with pytest.raises(DatasetError, match="a set, which has no order"):
        load_dataset((order(SMILES), [2.0, 3.0, 4.0, 5.0]), target="y")
    with pytest.raises(DatasetError, match="a set, which has no order"):
        load_dataset({"smiles": order(SMILES), "y": [2.0, 3.0, 4.0, 5.0]}, target="y")
    with pytest.raises(DatasetError, match="a set, which has no order"):
        AtomlensRegressor("mean").fit(order(SMILES), [2.0, 3.0, 4.0, 5.0])


def test_a_set_has_no_order_so_its_predictions_have_no_names():
    model = AtomlensRegressor("mean", split="random:1./0./0.").fit(SMILES, VALUES)
    with pytest.raises(DatasetError, match="a set, which has no order"):
        model.predict(set(SMILES))


def test_an_array_of_one_column_is_a_list_of_structures():
    names = al.load("formula-gap").predict(np.array([["NaCl"], ["MgO"]])).names
    assert names == ("NaCl", "MgO")
