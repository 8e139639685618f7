"""``atomlens models`` and ``atomlens datasets``."""

import json
from pathlib import Path

import pytest

from atomlens.cli import main


def test_every_model_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    from atomlens.models import MODELS

    assert main(["models", "list", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["model"] for row in rows] == list(MODELS)


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
