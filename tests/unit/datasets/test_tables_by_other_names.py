"""Tables that are packed, in another encoding, or of a kind that is not read."""

import bz2
import lzma
from pathlib import Path

import pytest

from atomlens.datasets.loading import load_dataset
from atomlens.errors import AtomlensError, DatasetError

TABLE = "smiles,y\nCCO,1.5\nCCN,2.5\nCCC,3.5\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv.bz2", bz2.compress(TABLE.encode())),
        ("a.csv.xz", lzma.compress(TABLE.encode())),
        *(
            ("a.csv", TABLE.encode(f"utf-{bits}{order}"))
            for bits in (16, 32)
            for order in ("", "-le", "-be")
        ),
    ],
)
def test_packed_tables_and_wide_letters_with_or_without_a_mark_are_read(
    tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    assert load_dataset(tmp_path / name, "y").values[:, 0].tolist() == [1.5, 2.5, 3.5]


def test_what_is_called_packed_and_is_not_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv.xz").write_text(TABLE)
    with pytest.raises(DatasetError, match=r"called \.xz and is not packed"):
        load_dataset(tmp_path / "a.csv.xz", "y")


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("a.xls", "save the table as .xlsx"),
        ("a.pkl", "a pickle can run programs"),
        ("a.mol2", "convert it to .sdf"),
        ("a.res", "give the CIF of the same refinement"),
        ("a.cube", "write the geometry as .xyz"),
        ("a.inp", "write the geometry as .xyz"),
        ("a.gro", "names and no elements"),
        ("vasprun.xml", "ase convert"),
        ("a.txt", "ending .csv"),
    ],
)
def test_files_that_nobody_should_rename_are_told_what_to_do(
    tmp_path: Path, name: str, advice: str
) -> None:
    (tmp_path / name).write_text(TABLE)
    with pytest.raises(AtomlensError, match=advice):
        load_dataset(tmp_path / name, "y")


def test_dashes_before_numbers_are_minus_signs(tmp_path: Path) -> None:
    cells = ["\u22121.5", "\u20132.5", "\uff0d3.5", "4.5", "5.5"]
    rows = "".join(f"{'C' * (i + 1)},{cell}\n" for i, cell in enumerate([*cells, "1\u20132"]))
    (tmp_path / "a.csv").write_text(f"smiles,y\n{rows}", encoding="utf-8")
    made = load_dataset(tmp_path / "a.csv", "y")
    assert made.values[:, 0].tolist() == [-1.5, -2.5, -3.5, 4.5, 5.5]
    assert "a range is no value" in made.failures[0].message


def test_keys_of_json_lines_that_differ_in_case_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"smiles": "CCO", "gap": 1.5}\n{"smiles": "CCN", "Gap": 2.5}\n' * 3)
    with pytest.warns(UserWarning, match="'gap' and 'Gap' are of different lines"):
        load_dataset(path, "gap")
    path.write_text('{"smiles": "CCO", "gap": 1.5, "Gap": 2}\n{"smiles": "CCN", "gap": 2.5}\n' * 3)
    load_dataset(path, "gap")
