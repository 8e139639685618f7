"""Files whole or not at all, names that do not collide, failures that are listed."""

from pathlib import Path

import pytest

from atomlens.cli.outputs import exit_code, usable_folder
from atomlens.errors import Failure, SettingsError
from atomlens.files import to_json, unique_stems

BAD = Failure(name="a.cif", message="a.cif: this file is empty. Drop it.")


def test_nothing_failed_is_zero_and_silent(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code([], 3) == 0
    assert capsys.readouterr().err == ""


def test_some_failed_is_one_and_names_them_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code([BAD, Failure(name="Xx2", message="no such element.")], 3) == 1
    assert capsys.readouterr().err == (
        "atomlens: 2 of 3 inputs could not be used:\n"
        "  a.cif: this file is empty. Drop it.\n"
        "  Xx2: no such element.\n"
    )


def test_the_only_input_failed_is_two_and_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code([BAD], 1) == 2
    assert capsys.readouterr().err == "atomlens: a.cif: this file is empty. Drop it.\n"


def test_all_failed_is_two(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code([BAD, BAD], 2) == 2
    assert "2 of 2" in capsys.readouterr().err


def test_json_refuses_what_is_not_json() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json([float("nan")])


def test_a_file_in_place_of_the_folder_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(SettingsError, match="a folder is needed"):
        usable_folder(tmp_path / "a")


def test_equal_names_get_different_files_and_none_is_the_index() -> None:
    assert unique_stems(["a.cif", "A.cif", "index"], taken=("index",)) == [
        "a.cif",
        "A.cif-2",
        "index-2",
    ]
