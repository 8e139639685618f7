"""One name for two columns, and one file for another kind of table."""

import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow.parquet import write_table

from atomlens.datasets.loading import load_dataset
from atomlens.errors import DatasetError

SMILES = ("C", "CC", "CCC", "CO", "CCO", "CN")


def test_headers_that_differ_in_blanks_are_one(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("smiles,y,y \n" + "".join(f"{s},1.5,2.5\n" for s in SMILES))
    with pytest.raises(DatasetError, match="the column 'y' occurs twice"):
        load_dataset(path)
    frame = pd.DataFrame({"smiles": SMILES, "y": 1.5, " y": 2.5})
    with pytest.raises(DatasetError, match="two columns are called 'y'"):
        load_dataset(frame)


def test_a_value_beside_another_in_properties_fails_its_row(tmp_path: Path) -> None:
    rows = [{"smiles": s, "y": 1.5, "properties": {"y": 1.5, "z": 2.0}} for s in SMILES]
    rows[2]["properties"] = {"y": 7.0}
    path = tmp_path / "t.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    made = load_dataset(path, "y")
    (failure,) = made.failures
    assert "line 3 gives 'y' twice, the second time in 'properties'" in failure.message
    assert len(made) == 5


def test_commas_in_a_file_of_smiles_are_told(tmp_path: Path) -> None:
    path = tmp_path / "t.smi"
    path.write_text("".join(f"{s},1.5\n" for s in SMILES))
    with pytest.raises(DatasetError, match=r"give it the ending \.csv"):
        load_dataset(path)


def test_two_columns_of_one_name_in_parquet_are_named(tmp_path: Path) -> None:
    columns = [pa.array(SMILES), pa.array(range(6)), pa.array(range(6))]
    write_table(pa.Table.from_arrays(columns, names=["smiles", "y", "y"]), tmp_path / "t.parquet")
    with pytest.raises(DatasetError, match="the column 'y' occurs twice; rename one"):
        load_dataset(tmp_path / "t.parquet", "y")
