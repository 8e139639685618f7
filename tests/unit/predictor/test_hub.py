"""Model folders go to the Hugging Face Hub and come back; the Hub is played by a folder."""

import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import atomlens as al
from atomlens.cli import main
from atomlens.errors import MissingDependencyError, ModelError
from atomlens.predictor.folder.box import BOX
from atomlens.predictor.hub import pull_model, push_model


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which repositories lie."""
    place = tmp_path / "hub"

    class Api:
        def create_repo(self, name: str, *, private: bool, exist_ok: bool) -> None:
            (place / name).mkdir(parents=True, exist_ok=exist_ok)
            (place / name / "private").write_text(str(private))

        def upload_folder(
            self, *, repo_id: str, folder_path: str, allow_patterns: list[str], **_: Any
        ) -> Any:
            for pattern in allow_patterns:
                for path in Path(folder_path).glob(pattern):
                    shutil.copy(path, place / repo_id / path.name)
            return SimpleNamespace(commit_url=f"hub:{repo_id}")

    def download(*, repo_id: str, local_dir: str, allow_patterns: list[str], **_: Any) -> None:
        if not (place / repo_id).is_dir():
            raise OSError("404 Client Error: there is no such repository")
        for pattern in allow_patterns:
            for path in (place / repo_id).glob(pattern):
                shutil.copy(path, Path(local_dir) / path.name)

    fake: Any = SimpleNamespace(HfApi=Api, snapshot_download=download)
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake)
    return place


def test_a_model_comes_back_as_it_went(hub: Path, tmp_path: Path) -> None:
    folder = tmp_path / "gap"
    shutil.copytree(BOX / "formula-gap", folder)
    (folder / "notes.txt").write_text("private notes")
    assert push_model(folder, "me/gap") == "hub:me/gap"
    assert (hub / "me/gap/private").read_text() == "True"
    assert not (hub / "me/gap/notes.txt").exists()
    back = pull_model("me/gap", tmp_path / "back")
    for name in ("model.safetensors.gz", "split.json.gz"):
        assert (back / name).read_bytes() == (folder / name).read_bytes()
    assert al.load(back).predict("NaCl").values == al.load(folder).predict("NaCl").values
    with pytest.raises(ModelError, match="exists already"):
        pull_model("me/gap", back)


def test_what_is_no_model_is_neither_pushed_nor_kept(hub: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        push_model(tmp_path / "nothing", "me/nothing")
    assert not hub.exists()
    (hub / "me/odd").mkdir(parents=True)
    (hub / "me/odd/settings.json").write_text("{}")
    with pytest.raises(ModelError):
        pull_model("me/odd", tmp_path / "odd")
    assert not (tmp_path / "odd").exists()


@pytest.mark.parametrize("name", ["gap", "a/b/c", "../up", "/absolute/x", ""])
def test_names_of_repositories_are_checked(hub: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelError, match="OWNER/NAME"):
        pull_model(name, tmp_path / "out")


def test_the_command_says_in_one_sentence_what_the_hub_said(
    hub: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "pull", "me/none", "--out", str(tmp_path / "x")]) == 2
    said = capsys.readouterr().err
    assert "404" in said
    assert len(said.strip().splitlines()) == 1


def test_without_the_package_its_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingDependencyError, match=r"atomlens\[hub\]"):
        pull_model("me/gap", tmp_path / "x")
