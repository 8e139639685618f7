"""Rows of an ase database that contradict themselves or hold what is no value."""

import sqlite3
from pathlib import Path

import pytest
from ase.build import bulk
from ase.db import connect

import atomlens as al
from atomlens.structures import read_structures
from atomlens.structures.arrays import warnings_of

pytestmark = pytest.mark.filterwarnings("ignore")


def database(folder: Path, column: str, value: object) -> Path:
    """Return four rows, of which the second has another value in a column."""
    path = folder / "salts.db"
    with connect(path) as rows:
        for i in range(4):
            rows.write(bulk("NaCl", "rocksalt", a=5.6 + 0.01 * i), gap=float(i))
    with sqlite3.connect(path) as connection:
        connection.execute(f"update systems set {column}=? where id=2", (value,))
    connection.close()
    return path


@pytest.mark.parametrize("bits", [99, -1, 8, "TTT"])
def test_directions_that_are_no_three_bits_are_refused(bits: object, tmp_path: Path) -> None:
    result = read_structures(database(tmp_path, "pbc", bits))
    (failure,) = result.failures
    assert "three bits are a number from 0 to 7" in failure.message
    assert [bool(atoms.pbc.all()) for atoms in result.structures] == [True] * 3


def test_another_number_of_atoms_is_told(tmp_path: Path) -> None:
    result = read_structures(database(tmp_path, "natoms", 77))
    told = [warnings_of(atoms) for atoms in result.structures]
    assert told == [[], ["its natoms is '77', and it holds 2 atoms, which were taken"], [], []]


@pytest.mark.parametrize(
    "value",
    ['{"gap": {"__ndarray__": [[2], "float64", [1.0, 2.0]]}}', '{"gap": {"__complex__": [1, 2]}}'],
)
def test_arrays_among_numbers_are_failures_and_no_empty_cells(value: str, tmp_path: Path) -> None:
    data = al.load_dataset(database(tmp_path, "key_value_pairs", value), "gap")
    assert data.values[:, 0].tolist() == [0.0, 2.0, 3.0]
    (failure,) = data.failures
    assert "which is not a number" in failure.message
    assert not data.without_value
