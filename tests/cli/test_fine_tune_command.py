"""``atomlens train --from``: a trained model is trained further, as typed."""

import shutil
from pathlib import Path

import pytest

from atomlens.cli import main
from model_makers import settings_of

SMILES = ["C", "CC", "CCC", "CCCC", "S", "CS", "O", "CO", "CCO", "CCCO", "N", "CN"]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Twelve molecules, two of them with an element that the toy model has not seen."""
    path = tmp_path / "table.csv"
    rows = [f"{s},{len(s) + 0.5}" for s in SMILES]
    path.write_text("smiles,size [a.u.]\n" + "\n".join(rows) + "\n")
    return path


def _tune(table: Path, source: Path, out: Path, *arguments: object) -> int:
    fixed = ["train", table, "--target", "size", "--from", source, "--out", out, "--epochs", 1]
    split = ["--split", "random:.5/.25/.25", "--set", f"cache_dir={table.parent}/c"]
    return main([*map(str, fixed), *split, *map(str, arguments)])


def test_a_trained_model_is_trained_further_and_it_is_said_what_is_fresh(
    table: Path, model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "tuned"
    assert _tune(table, model_folder, out, "--freeze", 1, "--set", "model.dropout=0") == 0
    shown = capsys.readouterr()
    assert "has not learned S, which get" in shown.err
    assert "The first layer and everything before it are frozen" in shown.err
    before, after = settings_of(model_folder), settings_of(out)
    assert after["model"]["config"] == {**before["model"]["config"], "dropout": 0.0}
    assert after["training"]["started_from"]["weights_sha256"] == before["weights_sha256"]
    assert main(["predict", str(out), "CCS"]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model", "scann"), "model='scann' contradicts"),
        (("--set", "model.n_layers=4"), "model.n_layers=4 contradicts"),
        (("--set", "builder.cutoff=9"), "builder.cutoff=9.0 contradicts"),
        (("--freeze", 7), "more than the 1 local layers"),
        (("--freeze", -1), "frozen_layers=-1 must be"),
    ],
)
def test_a_contradiction_is_one_sentence(
    table: Path,
    model_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[object, ...],
    message: str,
) -> None:
    assert _tune(table, model_folder, tmp_path / "m", *arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "m" / "settings.json").exists()


def test_a_model_that_is_not_there_is_one_sentence(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _tune(table, tmp_path / "nowhere", tmp_path / "m") == 2
    assert "there is no such model" in capsys.readouterr().err


def test_a_config_file_can_name_the_model(table: Path, model_folder: Path, tmp_path: Path) -> None:
    config, out = tmp_path / "tune.yaml", tmp_path / "tuned"
    config.write_text(
        f"training:\n  start_from: {model_folder}\n  fresh_output: true\n  epochs: 1\n"
    )
    arguments = ["train", table, "--config", config, "--out", out, "--split", "random:.5/.25/.25"]
    assert main(list(map(str, arguments))) == 0
    notes = settings_of(out)["training"]["started_from"]["notes"]
    assert "The output layer is fresh, as asked for." in notes


def test_a_stopped_fine_tuning_resumes_without_the_pretrained_folder(
    table: Path, model_folder: Path, tmp_path: Path
) -> None:
    source = Path(shutil.copytree(model_folder, tmp_path / "source"))
    out = tmp_path / "tuned"
    settings = ("--set", "training.epochs=3", "--set", "model.dropout=0")
    plain = ["train", table, "--from", source, "--out", out, "--split", "random:.5/.25/.25"]
    arguments = [*map(str, plain), *settings]
    assert main([*arguments, "--set", "max_seconds=0"]) == 0
    shutil.rmtree(source)
    assert main([*arguments, "--resume"]) == 0
    assert (out / "history.csv").read_text().count("\n") == 4
