"""Where results cannot be written: one sentence; folders that are taken; data without a name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.build import molecule

import atomlens as al
from atomlens.errors import AtomlensError, SettingsError, TrainingError, WriteError
from atomlens.files import make_folder, only_writer, whole_file, writing
from atomlens.predictor.embedding import Embeddings
from atomlens.predictor.folder.card import model_card
from atomlens.reports.tables import write_table

SMILES = ["C" * n for n in range(1, 13)]
TABLE = {"smiles": SMILES, "y": [float(n) for n in range(12)]}


def mean(**options: Any) -> al.Predictor:
    return al.train(TABLE, target="y", model="mean", **options)


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """A place in which nobody, not even root, can write: a name below a file."""
    (tmp_path / "file").write_text("x")
    return tmp_path / "file" / "below"


def save_vectors(path: Path) -> Path:
    return Embeddings(names=("a",), vectors=np.ones((1, 2)), errors=("",)).save(path)


def hold(path: Path) -> None:
    with only_writer(path):
        pass


def write(path: Path) -> None:
    with whole_file(path) as stream:
        stream.write(b"x")


WRITERS: dict[str, Callable[[Path], object]] = {
    "train": lambda path: mean(out=path),
    "cross_validate": lambda path: al.cross_validate(TABLE, target="y", model="mean", out=path),
    "save": lambda path: mean().save(path),
    "vectors": save_vectors,
    "table": lambda path: write_table([{"a": 1}], path.with_suffix(".csv")),
    "folder": make_folder,
    "file": write,
    "held file": hold,
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_place_that_cannot_be_written_to_is_one_sentence(name: str, closed: Path) -> None:
    with pytest.raises(AtomlensError) as refused:
        WRITERS[name](closed)
    assert str(closed.parent) in str(refused.value)
    assert "written" in str(refused.value) or "this is a file" in str(refused.value)


def test_what_cannot_be_written_is_an_error_of_the_system_too(closed: Path) -> None:
    with pytest.raises(WriteError) as refused:
        make_folder(closed)
    assert isinstance(refused.value, OSError | SettingsError)
    assert refused.value.errno
    assert str(refused.value).startswith(f"{closed}: this cannot be written (")
    said = r"x: this cannot be written \(Permission denied\)"
    with pytest.raises(WriteError, match=said), writing(Path("x")):
        raise PermissionError(13, "Permission denied", "elsewhere")


def test_a_full_disk_is_told_with_the_file_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    with pytest.raises(WriteError, match=r"a\.bin: .*No space left"), whole_file(path):
        raise OSError(28, "No space left on device")
    with pytest.raises(FileNotFoundError, match="other"), whole_file(path):  # of another file
        raise FileNotFoundError(2, "No such file", "other")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_taken_is_told_with_one_that_is_not(tmp_path: Path) -> None:
    mean(out=tmp_path / "gap")
    with pytest.raises(TrainingError, match=r"resume=True.* such as .*gap-2\.$"):
        mean(out=tmp_path / "gap")
    mean(out=tmp_path / "gap-2")
    with pytest.raises(TrainingError, match=r"gap-3\.$"):
        mean(out=tmp_path / "gap")
    with pytest.raises(TrainingError, match=r"gap-3\.$"):
        mean(out=tmp_path / "gap-2")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (TABLE, "A dictionary in memory, 12 structures."),
        ([(molecule("H2O"), float(n)) for n in range(12)], "A list in memory, 12 structures."),
    ],
)
def test_data_without_a_name_are_described_in_the_card(data: Any, words: str) -> None:
    card = model_card(al.train(data, target="y" if isinstance(data, dict) else None, model="mean"))
    assert words in card
