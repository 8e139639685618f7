"""A bad value costs the target that it is of, and not the others of its row."""

from pathlib import Path

import numpy as np
import pytest
from ase.build import molecule
from ase.io import write

import atomlens as al

LINES = ["C,6.1,1.0", "CC,5.2,abc", "CCC,bad,3.0", "CCO,x,y", "CO,4.4,2.2", "N,5.0,1.1"]


def table(folder: Path, *more: str) -> Path:
    path = folder / "t.csv"
    path.write_text("\n".join(["smiles,gap,alpha", *LINES, *more]) + "\n")
    return path


def test_a_bad_value_is_missing_and_the_row_is_used_for_the_others(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="counts as missing") as heard:
        data = al.load_dataset(table(tmp_path), target=["gap", "alpha"])
    said = str(heard[0].message)
    assert "row 2 (and 1 more rows): the target 'alpha' is 'abc'" in said
    assert data.structures.names == ("C", "CC", "CCC", "CO", "N")
    np.testing.assert_array_equal(data.values[:, 0], [6.1, 5.2, np.nan, 4.4, 5.0])
    np.testing.assert_array_equal(data.values[:, 1], [1.0, np.nan, 3.0, 2.2, 1.1])
    (lost,) = data.failures  # nothing of it is good
    assert lost.name == "row 4"


def test_of_one_target_a_bad_value_is_no_sample_whatever_stands_beside_it(tmp_path: Path) -> None:
    data = al.load_dataset(table(tmp_path), target="gap")
    assert data.structures.names == ("C", "CC", "CO", "N")
    assert {one.name for one in data.failures} == {"row 3", "row 4"}


def test_a_line_with_too_many_cells_is_no_sample_though_some_are_good(tmp_path: Path) -> None:
    data = al.load_dataset(table(tmp_path, "NN,1.0,2.0,3.0"), target="gap")
    assert "NN" not in data.structures.names


def test_so_it_is_with_values_inside_of_a_file_of_structures(tmp_path: Path) -> None:
    atoms = [molecule(name) for name in ("H2O", "CH4", "NH3", "CO2")]
    for i, one in enumerate(atoms):
        one.info.update(gap=1.5 + i, alpha="abc" if i == 2 else 2.5 + i)
    write(tmp_path / "m.extxyz", atoms)
    with pytest.warns(UserWarning, match="the target 'alpha' is 'abc'"):
        data = al.load_dataset(tmp_path / "m.extxyz", target=["gap", "alpha"])
    np.testing.assert_array_equal(data.values, [[1.5, 2.5], [2.5, 3.5], [3.5, np.nan], [4.5, 5.5]])
