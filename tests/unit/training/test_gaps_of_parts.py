"""What a part of the split lacks is said before a training, not found out from a table of zeros."""

import json
import warnings

import pytest

from atomlens.datasets import load_dataset
from atomlens.training import TrainSettings, train

SMILES = ["CCO", "CCCO", "CCCCO", "CCN", "CCCN", "CCF", "CCCl", "COC", "CC=O", "C#N"]
PARTS = {"train": [0, 1, 2, 3, 4, 5], "validation": [6, 7], "test": [8, 9]}


@pytest.fixture
def remarks_on(tmp_path):
    def heard(columns, model="mean", split=None):
        (tmp_path / "parts.json").write_text(json.dumps(PARTS))
        targets = [name for name in columns if name != "split"]
        settings = TrainSettings(split=split or str(tmp_path / "parts.json"), epochs=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = load_dataset({"smiles": SMILES, **columns}, target=targets)
            trained = train(data, model=model, target=targets, settings=settings)
        return " ".join(trained.record.remarks)

    return heard


def test_a_target_with_one_value_to_learn_from_or_none_to_judge_it_is_told(remarks_on):
    said = remarks_on({"y": list(range(10)), "z": [1.5] + [None] * 9})
    assert "Only one value of z is in the training part" in said
    assert "No value of z is in the validation and in the test part" in said
    assert "value of y" not in said


def test_a_class_that_training_never_sees_is_told(remarks_on):
    said = remarks_on({"k": ["a", "b"] * 4 + ["c"] * 2}, model="lens")
    assert "No sample of the training part is of class c of k, and 2 of the others are" in said
    assert "class a" not in said
    assert "class" not in remarks_on({"k": ["a", "b"] * 5}, model="lens")


def test_many_classes_that_training_never_sees_are_one_warning(remarks_on):
    said = remarks_on({"k": [*"aaabbb", *"ccde"]}, model="lens")
    assert said.count("No sample of the training part") == 1
    assert "is of 3 classes (c, d, e) of k, and 4 of the others are" in said
    assert "says them" in said


def test_parts_of_the_table_that_nobody_asked_for_are_told(remarks_on):
    columns = {"y": list(range(10)), "split": ["train"] * 6 + ["val"] * 2 + ["test"] * 2}
    told = "The column 'split' says which samples are for training and testing"
    assert told in remarks_on(columns, split=TrainSettings().split)
    for asked_for in ("source", "random:.6/.2/.2"):
        assert told not in remarks_on(columns, split=asked_for)
    assert told not in remarks_on({"y": list(range(10))}, split=TrainSettings().split)


def test_a_random_split_with_one_side_has_no_formulas_on_both():
    def said(split):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = load_dataset({"formula": ["NaCl", "MgO"] * 5, "y": list(range(10))}, target="y")
            trained = train(data, model="mean", settings=TrainSettings(split=split, epochs=1))
        return " ".join(trained.record.remarks)

    assert "on both sides" in said("random:.6/.2/.2")
    assert "on both sides" not in said("random:1./0./0.")
