import os
import time
from pathlib import Path

import pytest

from atomlens.errors import SettingsError
from atomlens.files import cache_folder, discard_folder, place_of, whole_file, whole_folder


def test_the_cache_folder_is_where_the_user_says(monkeypatch, tmp_path):
    monkeypatch.setenv("ATOMLENS_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
    monkeypatch.delenv("ATOMLENS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "atomlens"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder() == tmp_path / "home" / ".cache" / "atomlens"


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "deep" / "a.txt"
    with whole_file(path) as stream:
        stream.write(b"old")

    def interrupted() -> None:
        with whole_file(path) as stream:
            stream.write(b"ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"old"
    assert os.listdir(path.parent) == ["a.txt"]


def test_a_new_file_has_the_usual_permissions(tmp_path):
    (tmp_path / "plain").write_text("x")
    with whole_file(tmp_path / "whole") as stream:
        stream.write(b"x")
    assert (tmp_path / "whole").stat().st_mode == (tmp_path / "plain").stat().st_mode


def fill(folder: Path) -> None:
    (folder / "a").write_text("a")
    (folder / "b").write_text("b")


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    def fail(folder: Path) -> None:
        fill(folder)
        assert not (tmp_path / "f").exists()
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        whole_folder(tmp_path / "f", fail)
    assert os.listdir(tmp_path) == []
    whole_folder(tmp_path / "f", fill)
    assert sorted(os.listdir(tmp_path / "f")) == ["a", "b"]


def test_of_two_writers_the_first_folder_stays(tmp_path):
    def slow(folder: Path) -> None:
        (folder / "late").write_text("x")
        whole_folder(tmp_path / "f", fill)

    whole_folder(tmp_path / "f", slow)
    assert sorted(os.listdir(tmp_path / "f")) == ["a", "b"]
    assert os.listdir(tmp_path) == ["f"]


def test_old_leftovers_of_killed_writers_go_and_young_ones_stay(tmp_path):
    old, young = tmp_path / ".x.1.part", tmp_path / ".x.2.part"
    for folder in (old, young):
        folder.mkdir()
        fill(folder)
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(old, (two_days_ago, two_days_ago))
    whole_folder(tmp_path / "f", fill)
    assert not old.exists()
    assert young.exists()


def test_a_discarded_folder_is_gone_and_twice_is_no_error(tmp_path):
    whole_folder(tmp_path / "f", fill)
    discard_folder(tmp_path / "f")
    discard_folder(tmp_path / "f")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["\0", "a\0.csv", "~/\0"])
def test_a_name_with_a_nul_is_no_place(name: str) -> None:
    with pytest.raises(SettingsError, match="holds a NUL"):
        place_of(name)
