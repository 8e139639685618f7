"""What is read for a study, and what is said of it."""

import warnings
from pathlib import Path

import pytest

import atomlens as al
from atomlens.structures.options import ReadingOptions
from atomlens.studies import given


def test_columns_that_nothing_learns_from_are_not_taken_for_classes(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("formula,y,n\n" + "".join(f"Li{i + 1}O,{i / 7},{i % 2}\n" for i in range(16)))
    with pytest.warns(UserWarning, match="say --classification"):
        al.load_dataset(path)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        data = given._read([path], [], ReadingOptions(), 0)
    assert len(data) == 16
    assert not [w for w in heard if "classification" in str(w.message)]
