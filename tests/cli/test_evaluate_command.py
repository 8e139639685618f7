"""``atomlens evaluate``: the right part of the data, figures that add up."""

import csv
import json
import re
from pathlib import Path

import pytest

import atomlens as al
from atomlens.cli import main


def test_the_test_part_is_evaluated_as_after_training(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report"
    arguments = ["evaluate", model_folder, "toy", "--limit", 60, "--part", "test", "--out", out]
    assert main([str(a) for a in arguments]) == 0
    after_training = json.loads((model_folder / "metrics.json").read_text())["test"]
    content = json.loads((out / "metrics.json").read_text())
    settings = json.loads((model_folder / "settings.json").read_text())
    assert content["made_by"]["weights_sha256"] == settings["weights_sha256"]
    assert content["made_by"]["weights_sha256"][:12] in (out / "index.html").read_text()
    found = content["targets"]["signal"]
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
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report"
    assert main(["evaluate", str(model_folder), "toy", "--limit", "60", "--out", str(out)]) == 0
    said = capsys.readouterr()
    assert "--part test" in said.err
    assert "validation part has fewer than nine values" in said.err
    assert "validation part has fewer than nine values" in (out / "index.html").read_text()
    assert re.search(r"values on which ± is judged +6\n", said.out)  # those of the test part


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


@pytest.mark.parametrize("factor", [1.0, 1 / 27.2114, 1000.0])
def test_values_that_look_like_another_unit_are_doubted(
    factor: float, model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    smiles = ["C" * n for n in range(1, 13)]
    told = al.load(model_folder).predict([f"smiles:{one}" for one in smiles]).values[:, 0]
    rows = [f"{one},{factor * float(value)}" for one, value in zip(smiles, told, strict=True)]
    table = tmp_path / "t.csv"
    table.write_text("\n".join(["smiles,signal", *rows, ""]))
    assert main(["evaluate", str(model_folder), str(table), "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().err
    assert ("may be in another unit" in said) == (factor != 1.0)
    page = (tmp_path / "out" / "index.html").read_text() if factor != 1.0 else "another unit"
    assert "another unit" in page


def test_a_missing_target_is_named(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "t.csv"
    table.write_text("smiles,gap\nCCO,1\nCC,2\n")
    assert main(["evaluate", str(model_folder), str(table)]) == 2
    assert "signal" in capsys.readouterr().err


FORMULAS = (
    "Fe2O3",
    "NaCl",
    "MgO",
    "Al2O3",
    "SiO2",
    "TiO2",
    "KCl",
    "CaO",
    "ZnO",
    "NiO",
    "LiF",
    "CuO",
)


@pytest.fixture
def of_two(tmp_path: Path) -> tuple[Path, Path]:
    """A model of two targets, and the table that it was trained on."""
    table = tmp_path / "both.csv"
    rows = [f"{f},{i / 10},{i % 3 - i}" for i, f in enumerate(FORMULAS)]
    table.write_text("\n".join(["formula,gap [eV],heat", *rows]) + "\n")
    model = tmp_path / "model"
    options = ["--model", "ridge", "--split", "random:6/3/3", "--quiet", "--out", str(model)]
    options += ["--target", "gap", "--target", "heat"]
    assert main(["train", str(table), *options]) == 0
    return model, table


def figures(folder: Path) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = json.loads((folder / "metrics.json").read_text())
    return found["targets"]  # type: ignore[return-value]


@pytest.mark.parametrize("empty", [False, True], ids=["no column", "no cell"])
def test_targets_that_a_table_lacks_are_named_and_the_others_evaluated(
    empty: bool,
    of_two: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model, both = of_two
    one = tmp_path / "one.csv"
    lines = [line.split(",") for line in both.read_text().splitlines()]
    cells = [[f, "gap [eV]" if i == 0 else "", h] for i, (f, _, h) in enumerate(lines)]
    kept = cells if empty else [[f, h] for f, _, h in lines]
    one.write_text("\n".join(map(",".join, kept)) + "\n")
    for part in ("all", "test"):
        said = []
        for table in (both, one):
            out = tmp_path / f"{table.stem}-{part}"
            command = ["evaluate", str(model), str(table), "--part", part, "--out", str(out)]
            assert main([*command, "--quiet"]) == 0
            said.append(capsys.readouterr().err)
        whole, single = figures(tmp_path / f"both-{part}"), figures(tmp_path / f"one-{part}")
        assert list(single) == ["heat"]
        assert single["heat"] == whole["heat"]
        assert "no values of gap" in said[1]
        assert "other values" not in said[1]
        assert "no values" not in said[0]


def test_of_several_targets_the_one_that_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "t.csv"
    table.write_text("smiles,gap [eV],homo [eV]\nCCO,9,-7\nCC,12,-9\n")
    assert main(["evaluate", "box:qm9", str(table), "--target", "gap"]) == 0
    shown = capsys.readouterr()
    assert "gap" in shown.out
    assert "homo" not in shown.out
    assert "has no values of" not in shown.err  # of targets that nobody asked for
    assert main(["evaluate", "box:qm9", str(table), "--target", "cv"]) == 2
    assert "'cv'" in capsys.readouterr().err
    assert main(["evaluate", "box:qm9", str(table), "--target", "gaps"]) == 2
    assert "Did you mean 'gap'?" in capsys.readouterr().err


def test_a_folder_that_cannot_be_one_is_told_before_any_work(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("mine")
    for out, said in ((tmp_path / "file", "this is a file"), (model_folder, "trained model")):
        for words in (
            ("evaluate", model_folder, "nowhere.csv"),
            ("study", "orbits", "nowhere.csv", "--model", model_folder),
            ("faithful", model_folder, "nowhere.csv"),
        ):
            assert main([*map(str, words), "--out", str(out)]) == 2
            assert said in capsys.readouterr().err
