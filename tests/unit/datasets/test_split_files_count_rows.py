"""Numbers in a split file count the rows of the table, whatever becomes of the rows before them."""

import json
from pathlib import Path

import numpy as np
import pytest

from atomlens.datasets import load_dataset, save_packed
from atomlens.datasets.splits import Split, make_split
from atomlens.errors import DatasetError

SMILES = ["CCO", "CCCO", "CCCCO", "CCN", "CCCN", "CCF", "CCCl", "COC"]


@pytest.fixture
def table(tmp_path):
    def written(smiles, values=range(8), parts=((0, 1, 2, 3), (4, 5), (6,))):
        rows = "".join(f"{s},{v}\n" for s, v in zip(smiles, values, strict=True))
        (tmp_path / "table.csv").write_text(f"smiles,y\n{rows}")
        lists = dict(zip(("train", "validation", "test"), map(list, parts), strict=True))
        (tmp_path / "split.json").write_text(json.dumps(lists))
        return tmp_path / "table.csv", str(tmp_path / "split.json")

    return written


def values_of_parts(data, split):
    divided = make_split(split, data)
    return [sorted(data.values[rows, 0]) for rows in (divided.validation, divided.test)]


def test_a_row_that_cannot_be_used_moves_no_other(table):
    path, split = table(["CC(", *SMILES[1:]], parts=((1, 2, 3), (4, 5), (6,)))
    assert values_of_parts(load_dataset(path, "y"), split) == [[4, 5], [6]]


def test_a_row_without_a_value_moves_no_other(table):
    path, split = table(SMILES, ["", *range(1, 8)], parts=((1, 2, 3), (4, 5), (6,)))
    assert values_of_parts(load_dataset(path, "y"), split) == [[4, 5], [6]]


def test_a_row_that_was_left_out_is_named(table):
    path, split = table([*SMILES[:3], "CC(", *SMILES[4:]])
    with pytest.raises(
        DatasetError, match=r"mentions row 3 \(counted from 0\), which is not among"
    ):
        make_split(split, load_dataset(path, "y"))


def test_samples_that_were_drawn_keep_their_numbers(table, tmp_path):
    path, split = table(SMILES)
    drawn = load_dataset(path, "y", limit=5, seed=1)
    rows = drawn.values[:, 0].astype(int).tolist()
    assert rows != list(range(5))
    kept = dict(zip(("train", "validation", "test"), (rows[:3], rows[3:4], rows[4:]), strict=True))
    (tmp_path / "split.json").write_text(json.dumps(kept))
    save_packed(load_dataset(path, "y"), tmp_path / "all.atomlens.npz")
    for data in (drawn, load_dataset(tmp_path / "all.atomlens.npz", "y", limit=5, seed=1)):
        assert values_of_parts(data, split) == [rows[3:4], rows[4:]]


def test_conformers_of_a_row_follow_it(table):
    path, split = table(SMILES)
    data = load_dataset(path, "y", conformers=2)
    assert len(data) > 8
    assert [np.unique(v).tolist() for v in values_of_parts(data, split)] == [[4, 5], [6]]


def test_all_forms_of_a_row_are_in_its_part(tmp_path):
    (tmp_path / "split.json").write_text(json.dumps({"train": [0, 3], "test": [1]}))
    names, rows = ("a", "a", "b", "b", "c"), np.array([0, 0, 1, 1, 3])
    split = Split.from_json(tmp_path / "split.json", names, rows)
    assert split.train.tolist() == [0, 1, 4]
    assert split.test.tolist() == [2, 3]


def test_a_row_behind_the_last_is_told_that_rows_are_counted_from_0(table):
    path, split = table(SMILES, parts=((1, 2, 3, 4), (5, 6), (7, 8)))
    with pytest.raises(DatasetError, match=r"mentions 8, .* \(rows are counted from 0\)"):
        make_split(split, load_dataset(path, "y"))


@pytest.mark.parametrize("other", ["Train", " train", "training"])
def test_two_words_for_one_part_are_refused(table, other):
    """The later of the two took the place of the first."""
    path, split = table(SMILES)
    lists = {"train": [0, 1], other: [2, 3], "validation": [4, 5], "test": [6]}
    Path(split).write_text(json.dumps(lists))
    with pytest.raises(DatasetError, match="are one part of a split; put all its samples into one"):
        make_split(split, load_dataset(path, "y"))


@pytest.mark.parametrize("header", ["name,split,Split", "name,Name,split"])
def test_a_column_of_a_split_table_that_stands_twice_is_refused(table, tmp_path, header):
    path, _ = table(SMILES)
    (tmp_path / "split.csv").write_text(f"{header}\nCCO,train,test\n")
    with pytest.raises(DatasetError, match="occurs twice; rename one"):
        make_split(str(tmp_path / "split.csv"), load_dataset(path, "y"))
