"""A command that ends without results leaves no empty folder; one that fails takes nothing away."""

import argparse
from pathlib import Path

import pytest

from atomlens.cli import main
from atomlens.cli.outputs import empty_folders_removed
from atomlens.errors import StudyError


def _refused_late(out: Path, *made: Path) -> None:
    def command() -> None:
        with empty_folders_removed(argparse.Namespace(out=out)):
            out.mkdir(parents=True, exist_ok=True)
            for path in made:
                path.write_text("x")
            raise StudyError("nothing can be said of these.")

    with pytest.raises(StudyError):
        command()


def test_a_folder_that_was_made_for_nothing_goes_with_those_around_it(tmp_path: Path) -> None:
    _refused_late(tmp_path / "new" / "inner")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_there_or_holds_something_stays(tmp_path: Path) -> None:
    _refused_late(tmp_path)
    assert tmp_path.is_dir()
    _refused_late(tmp_path / "half", tmp_path / "half" / "a.csv")
    assert (tmp_path / "half" / "a.csv").exists()


def test_a_study_that_is_refused_late_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise StudyError("relative-attention: no molecule has an sp3 carbon.")

    monkeypatch.setattr("atomlens.studies.answering.answer", refuse)
    out = tmp_path / "found"
    words = ["study", "relative-attention", "smiles:C=C", "smiles:C=O", "--model", "qm9:homo"]
    assert main([*words, "--out", str(out), "--quiet"]) == 2
    assert "sp3" in capsys.readouterr().err
    assert not out.exists()
