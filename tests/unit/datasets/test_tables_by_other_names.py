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
        ("a.csv", TABLE.encode("utf-16-le")),
    ],
)
def test_packed_tables_and_utf_16_without_a_mark_are_read(
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
