"""What the cells of most rows are decides what a column is; one odd row fails alone."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import atomlens as al
from atomlens.errors import Failure
from atomlens.predictor.inputs.rows import read_inputs

SMILES = ("C", "CC", "CCC", "CO", "CCO", "N")


def lines(folder: Path, *odd: dict[str, Any]) -> Path:
    rows = [{"smiles": smiles, "y": float(i)} for i, smiles in enumerate(SMILES)]
    path = folder / "t.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in (*rows, *odd)) + "\n")
    return path


def test_one_array_among_numbers_is_a_wrong_number(tmp_path: Path) -> None:
    data = al.load_dataset(lines(tmp_path, {"smiles": "CCCC", "y": [1, 2]}), target="y")
    assert data.structures.names == SMILES
    (lost,) = data.failures
    assert "'y' is [1, 2], which is not a number" in lost.message


def test_one_number_among_arrays_is_a_wrong_spectrum(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"smiles": s, "energy": [1, 2, 3], "y": [1, 2, i]} for i, s in enumerate(SMILES)
    ]
    rows[2]["y"] = 4.0
    path = tmp_path / "s.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    data = al.load_dataset(path, target="y")
    assert len(data) == len(SMILES) - 1
    assert len(data.failures) == 1


@pytest.mark.parametrize(
    "more", [{"structure": {"lattice": "x"}}, {"cif": "data_x\n_cell_length_a"}]
)
def test_one_row_with_a_structure_leaves_the_others_their_smiles(
    tmp_path: Path, more: dict[str, Any]
) -> None:
    path = lines(tmp_path, {"smiles": "CCCC", "y": 1, **more})
    with pytest.warns(UserWarning, match=f"'{next(iter(more))}' holds structures too and is not"):
        data = al.load_dataset(path, target="y")
    assert data.structures.names == (*SMILES, "CCCC")


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_one_row_with_a_file_leaves_the_others_their_smiles(tmp_path: Path, suffix: str) -> None:
    path = lines(tmp_path, {"smiles": "CCCC", "y": 1, "file": "x.cif"})
    if suffix == "csv":
        path = tmp_path / "t.csv"
        body = "".join(f"{s},{i},\n" for i, s in enumerate(SMILES))
        path.write_text(f"smiles,y,file\n{body}CCCC,1,x.cif\n")
    with pytest.warns(UserWarning, match="'file' is filled in 1 of 7 rows and not read; 'smiles'"):
        data = al.load_dataset(path, target="y")
    assert data.structures.names == (*SMILES, "CCCC")
    with pytest.warns(UserWarning, match="not read; 'smiles'"):
        items, _ = read_inputs(path)
    assert all(not isinstance(item, Failure) for item in items)


def test_one_row_without_a_file_among_files_is_no_sample(tmp_path: Path) -> None:
    from ase.build import molecule
    from ase.io import write

    for name in ("H2O", "CH4", "NH3"):
        write(tmp_path / f"{name}.xyz", molecule(name))
    path = tmp_path / "t.csv"
    path.write_text("file,smiles,y\nH2O.xyz,O,1\nCH4.xyz,C,2\nNH3.xyz,N,3\n,CCO,4\n")
    data = al.load_dataset(path, target="y")
    np.testing.assert_array_equal(data.values[:, 0], [1, 2, 3])
    assert "the column 'file' is empty" in data.failures[0].message


def test_one_row_of_sites_leaves_the_others_their_formulas(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"formula": f, "y": i} for i, f in enumerate(("NaCl", "KCl", "MgO", "CaO"))
    ]
    rows[1] |= {"species": ["K", "Cl"], "coords": [[0, 0, 0], [3, 0, 0]]}
    path = tmp_path / "t.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    with pytest.warns(UserWarning, match="'species' is filled in 1 of 4 rows and not read"):
        data = al.load_dataset(path, target="y")
    assert [len(one.atomic_numbers) for one in data.structures] == [2, 2, 2, 2]
    assert not data.failures
