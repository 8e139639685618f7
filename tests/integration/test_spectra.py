"""Spectra from a table to a picture, by the commands as typed."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from atomlens.cli import main
from spectrum_makers import FORMULAS, write_lines, write_table

SIZES = ["--set", "model.n_features=16", "--set", "model.n_hidden=[64,64,64,64]"]
LEARNING = ["--epochs", "40", "--batch-size", "8", "--set", "learning_rate=3e-3"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A table of spectra on points of their own, and a model of both parts."""
    folder = tmp_path_factory.mktemp("spectra")
    table = write_table(folder / "table.jsonl", 60)
    with table.open("a") as stream:
        stream.write(
            json.dumps({"formula": "SrO", "energy": [1, 3, 2], "eps_re": [1, 1, 1]}) + "\n"
        )
    targets = ["--target", "eps_re", "--target", "eps_im", "--grid", "0.5:6:23"]
    split = ["--set", "split=composition:.7/.15/.15", "--set", f"cache_dir={folder / 'cache'}"]
    arguments = ["train", str(table), *targets, *split, *SIZES, *LEARNING, "--model", "finder"]
    assert main([*arguments, "--out", str(folder / "model"), "--quiet"]) == 1  # a row is left out
    return table, folder / "model"


def test_the_model_is_better_than_the_mean_spectrum(trained: tuple[Path, Path]) -> None:
    figures = json.loads((trained[1] / "metrics.json").read_text())["test"]["targets"]
    for part in ("eps_re", "eps_im"):  # the mean is that of the training part, point by point
        assert figures[part]["mad_about"] == "training part"
        assert figures[part]["mad_mae"] > 1.0
    assert figures["eps_re"]["n"] % 23 == 0
    assert (trained[1] / "spectra_eps_re.png").stat().st_size > 10_000


def test_the_row_that_is_no_spectrum_is_in_the_list_of_failures(trained: tuple[Path, Path]) -> None:
    (failure,) = json.loads((trained[1] / "failures.json").read_text())
    assert "3 is followed by 2" in failure["message"]


def test_spectra_are_printed_written_and_drawn(
    trained: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(trained[1])
    assert main(["predict", model, "MgO", "TiS", "--plot", str(tmp_path / "s.svg"), "--quiet"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 6
    assert shown[-1].endswith("they stand in files, CSV and JSON.")
    assert "eps_re 0.5 eV" in shown[0]
    assert max(map(len, shown)) < 250
    assert (tmp_path / "s.svg").read_text().startswith("<?xml")
    assert main(["predict", model, "MgO", "--format", "json", "--quiet"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert len(record["eps_re"]) == len(record["grid"]["values"]) == 23
    assert main(["predict", model, "MgO", "--out", str(tmp_path / "s.csv"), "--quiet"]) == 0
    with (tmp_path / "s.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [float(r["eps_re"]) for r in rows] == record["eps_re"]
    assert [float(r["energy"]) for r in rows] == record["grid"]["values"]


def test_evaluation_brings_the_data_onto_the_models_grid(
    trained: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report"
    table = write_table(tmp_path / "table.jsonl", 90)  # other points, same materials
    arguments = ["evaluate", str(trained[1]), str(table), "--out", str(out), "--quiet"]
    assert main(arguments) == 0
    counted = next(r for r in capsys.readouterr().out.splitlines() if r.startswith("values"))
    n = len(FORMULAS)
    assert counted.count(f"{23 * n} ({n} structures x 23 points)") == 2
    names = {p.name for p in out.iterdir()}
    assert {"spectra-eps_re.png", "parity-eps_re.png", "calibration-eps_im.png"} <= names
    with (out / "predictions.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    errors = [abs(float(r["eps_re"]) - float(r["eps_re_true"])) for r in rows]
    figures = json.loads((out / "metrics.json").read_text())["targets"]["eps_re"]
    assert np.mean(errors) == pytest.approx(figures["mae"])


def test_an_energy_is_explained_and_one_outside_the_grid_is_not(
    trained: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, out = str(trained[1]), str(tmp_path)
    assert main(["explain", model, "TiS", "--at", "2", "--out", out, "--quiet"]) == 0
    assert json.loads((tmp_path / "TiS.json").read_text())["unit"] == "(at 2 eV)"
    assert main(["explain", model, "TiS", "--at", "9", "--out", out, "--quiet"]) == 2
    assert "outside the grid" in capsys.readouterr().err


def test_other_studies_refuse_a_model_of_spectra(
    trained: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["study", "element-attention", "toy", "--model", str(trained[1])]
    assert main([*arguments, "--out", str(tmp_path)]) == 2
    assert "this study is about single numbers" in capsys.readouterr().err


def test_a_table_without_usable_spectra_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"formula": "MgO", "energy": [2, 1.5, 3], "eps_re": [1, 1, 1]}]
    table = write_lines(tmp_path / "t.jsonl", rows)
    arguments = ["train", str(table), "--target", "eps_re", "--model", "mean", "--quiet"]
    assert main([*arguments, "--grid", "1:3:5", "--out", str(tmp_path / "m")]) == 2
    message = capsys.readouterr().err
    assert "no row can be used" in message
    assert "2 is followed by 1.5" in message
