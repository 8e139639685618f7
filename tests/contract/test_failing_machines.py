"""Full disks, no home, closed folders, views in databases: said in a sentence, nothing lost."""

import errno
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from ase import Atoms
from ase.db import connect

from atomlens.checkpoints import import_cgcnn, import_scann
from atomlens.errors import ModelError
from atomlens.files import cache_folder
from atomlens.predictor.folder import write_model_folder
from atomlens.structures import read_structures

FILES = {"settings.json": b"{}", "model.safetensors": b"weights", "metrics.json": b"{}"}
HELIUM = "1\n\nHe 0 0 0\n"


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


@pytest.mark.parametrize("after", [0, 1, 2])
def test_on_a_full_disk_the_old_model_stays_whole(
    after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "m"
    write_model_folder(folder, FILES)
    old, calls = contents(folder), []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) > after:
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        with pytest.raises(ModelError, match=r"No space left on device.*as it was"):
            write_model_folder(folder, dict.fromkeys(FILES, b"new"))
    assert contents(folder) == old
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


@pytest.mark.parametrize(
    "importing",
    [
        lambda out: import_cgcnn("none.pth.tar", out=out),
        lambda out: import_scann("none.h5", "none.json", out=out),
    ],
)
def test_an_import_never_replaces_what_stands_there(
    importing: Callable[[Path], Any], tmp_path: Path
) -> None:
    folder = tmp_path / "m"
    write_model_folder(folder, FILES)
    old = contents(folder)
    with pytest.raises(ModelError, match="something stands there already"):
        importing(folder)
    assert contents(folder) == old
    (tmp_path / "file").write_text("notes")
    with pytest.raises(ModelError, match="something stands there already"):
        importing(tmp_path / "file")


def test_a_folder_that_cannot_be_looked_into_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    (tmp_path / "a.xyz").write_text(HELIUM)
    scandir = os.scandir

    def guarded(path: Any = ".") -> Any:
        if Path(path) == closed:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    result = read_structures(tmp_path)
    assert len(result.structures) == 1
    (failure,) = result.failures
    assert "closed: this folder cannot be looked into (Permission denied)" in failure.message


def test_without_a_home_there_is_a_folder_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ATOMLENS_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for home in (
        "~",
        str(tmp_path / "none" / "deeper"),
    ):  # an unknown user; a home that is not there
        monkeypatch.setattr(os.path, "expanduser", lambda path, home=home: path.replace("~", home))
        folder = cache_folder()
        assert folder.is_dir()
        assert folder.parent == tmp_path
    monkeypatch.setenv("ATOMLENS_CACHE", "  ")
    assert cache_folder().parent == tmp_path


def test_a_view_in_a_database_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with connect(path) as database:
        database.write(Atoms("He"))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ALTER TABLE systems RENAME TO others")
        connection.execute("CREATE VIEW systems AS SELECT * FROM others")
        connection.commit()
    (failure,) = read_structures(path).failures
    assert "is a view" in failure.message
