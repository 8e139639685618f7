"""``predict --out`` writes while it reads: any number of inputs, the same rows."""

import csv
from pathlib import Path

import pytest

import atomlens as al
from atomlens.cli import main
from atomlens.predictor import inputs as module
from atomlens.predictor.inputs import stream_inputs
from atomlens.reports.tables import read_rows
from killing import run

WATER = "3\nwater\nO 0 0 0\nH 0.96 0 0\nH -0.24 {y} 0\n"


@pytest.fixture
def many(tmp_path: Path) -> Path:
    folder = tmp_path / "many"
    folder.mkdir()
    for i in range(40):
        (folder / f"w{i:02d}.xyz").write_text(WATER.format(y=0.9 + i / 200))
    (folder / "w07.xyz").write_text("3\nbroken\nO 0 0 0\n")
    return folder


def test_rows_written_part_by_part_are_those_predicted_at_once(
    model_folder: Path, many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tmp_path / "whole.csv"
    assert main(["predict", str(model_folder), str(many), "--out", str(whole)]) == 1
    at_once = al.load(model_folder).predict(module.gather(str(many))).to_rows()
    monkeypatch.setattr(
        stream_inputs, "__kwdefaults__", {**stream_inputs.__kwdefaults__, "together": 7}
    )
    written = []
    for n in (1, 2):
        out = tmp_path / f"parts{n}.csv"
        options = ["--out", str(out), "--workers", str(n), "--batch-size", "3", "--device", "cpu"]
        assert main(["predict", str(model_folder), str(many), *options]) == 1
        written.append(out.read_bytes())
    assert written[0] == written[1]
    for path in (whole, out):
        with path.open(newline="") as stream:
            rows = list(csv.DictReader(stream))
        assert [r["name"] for r in rows] == [r["name"] for r in at_once]
        assert [r["error"] for r in rows] == [r["error"] or "" for r in at_once]
        for row, expected in zip(rows, at_once, strict=True):
            if expected["signal"] is not None:
                assert float(row["signal"]) == pytest.approx(expected["signal"], abs=1e-5)


def test_predict_stream_gives_every_input_once_in_order(model_folder: Path, many: Path) -> None:
    model = al.load(model_folder)
    parts = list(model.predict_stream([str(many), "CCO"]))
    names = [name for part in parts for name in part.names]
    assert names == [f"w{i:02d}" if i != 7 else "w07.xyz" for i in range(40)] + ["CCO"]


def test_ordered_models_of_a_crystal_stay_together() -> None:
    from ase import Atoms

    atoms = []
    for crystal in range(3):
        for number in range(4):
            one = Atoms("He", positions=[[0, 0, 0]], info={"name": f"c{crystal}-{number:04d}"})
            one.info["ordered_model"] = number
            atoms.append(one)
    sizes = [len(part.names) for part in stream_inputs(atoms, together=5)]
    assert sizes == [8, 4]


@pytest.mark.parametrize("given", ["0", "-2", "many", "100000"])
def test_absurd_numbers_of_workers_are_refused(
    given: str, model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(model_folder), "CCO", "--workers", given]) == 2
    assert "auto or a whole number" in capsys.readouterr().err


def test_a_device_that_is_not_there_is_one_sentence(
    model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(model_folder), "CCO", "--device", "cuda:93"]) == 2
    assert "cannot be used on this machine" in capsys.readouterr().err


def test_killed_at_any_moment_it_leaves_no_half_table(
    model_folder: Path, many: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out" / "rows.jsonl"

    def work() -> int:
        words = ["predict", str(model_folder), str(many), "--out", str(out), "--workers", "2"]
        return main(words)

    first = run(work)
    assert first.code == 1, first.said
    out.unlink()
    for share in (0.3, 0.6, 0.9):
        run(work, kill_after=share * first.seconds)
        if out.exists():
            assert len(read_rows(out)) == 40
    assert run(work).code == 1
    assert len(read_rows(out)) == 40
    assert [p.name for p in out.parent.iterdir()] == ["rows.jsonl"]
