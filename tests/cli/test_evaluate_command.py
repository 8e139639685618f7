"""``atomlens evaluate``: the right part of the data, figures that add up."""

import csv
import json
from pathlib import Path

import pytest

from atomlens.cli import main


def test_the_test_part_is_evaluated_as_after_training(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report"
    arguments = ["evaluate", model_folder, "toy", "--limit", 60, "--part", "test", "--out", out]
    assert main([str(a) for a in arguments]) == 0
    after_training = json.loads((model_folder / "metrics.json").read_text())["test"]
    found = json.loads((out / "metrics.json").read_text())["targets"]["signal"]
    assert found["n"] == after_training["targets"]["signal"]["n"] == 6
    assert found["mae"] == pytest.approx(after_training["targets"]["signal"]["mae"], rel=1e-4)
    rows = list(csv.DictReader((out / "predictions.csv").read_text().splitlines()))
    errors = [abs(float(row["signal"]) - float(row["signal_true"])) for row in rows]
    assert sum(errors) / len(errors) == pytest.approx(found["mae"])
    assert (out / "parity.png").read_bytes().startswith(b"\x89PNG")
    shown = capsys.readouterr().out
    assert "MAE of the mean of the training part" in shown
    assert "eV" in shown


def test_data_seen_in_training_brings_a_warning(
    model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(model_folder), "toy", "--limit", "60"]) == 0
    assert "--part test" in capsys.readouterr().err


def test_a_part_of_other_data_is_refused(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "t.csv"
    table.write_text("smiles,signal [eV]\nCCO,-9\nCC,-11\n")
    assert main(["evaluate", str(model_folder), str(table), "--part", "test"]) == 2
    assert "none of the 6 samples" in capsys.readouterr().err
    assert main(["evaluate", str(model_folder), str(table)]) == 0


def test_another_unit_is_refused(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "t.csv"
    table.write_text("smiles,signal [meV]\nCCO,-9\nCC,-11\n")
    assert main(["evaluate", str(model_folder), str(table)]) == 2
    assert "meV" in capsys.readouterr().err


def test_a_missing_target_is_named(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "t.csv"
    table.write_text("smiles,gap\nCCO,1\nCC,2\n")
    assert main(["evaluate", str(model_folder), str(table)]) == 2
    assert "signal" in capsys.readouterr().err
