"""Tables of Excel, out and in."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("openpyxl")

import pandas as pd

import atomlens as al
from atomlens.reports.tables import read_rows, write_table


def test_a_sheet_keeps_numbers_texts_and_holes(tmp_path: Path) -> None:
    rows = [
        {"formula": "NaCl", "gap": 1 / 3, "n": np.int64(2), "note": "=1+1"},
        {"formula": "水\x07", "gap": np.nan, "n": 3, "shares": {"a": 1.0}},
    ]
    path = write_table(rows, tmp_path / "t.xlsx")
    frame = pd.read_excel(path)
    assert frame["gap"][0] == 1 / 3
    assert np.isnan(frame["gap"][1])
    assert frame["note"][0] == "=1+1"  # a text, not the number 2
    assert frame["formula"][1] == "水"
    assert read_rows(path)[0]["n"] == 2


def test_predictions_go_out_and_come_back_as_a_table(tmp_path: Path) -> None:
    from atomlens.cli import main

    out = tmp_path / "gaps.xlsx"
    assert main(["predict", "formula-gap", "NaCl", "MgO", "--out", str(out), "--quiet"]) == 0
    again = al.load("formula-gap").predict(str(out))
    assert again.formulas == ("NaCl", "MgO")
