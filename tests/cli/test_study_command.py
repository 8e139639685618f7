"""``atomlens study``: lists, settings, errors, files."""

import csv
import json
from pathlib import Path

import pytest

from atomlens.cli import main


def _study(*arguments: object) -> int:
    return main(["study", *map(str, arguments)])


def test_every_study_is_listed_with_its_question(capsys: pytest.CaptureFixture[str]) -> None:
    from atomlens.studies import STUDIES

    assert _study("list", "--format", "json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["study"] for row in rows] == list(STUDIES)
    assert all(row["question"].endswith("?") for row in rows)


def test_the_list_is_a_table_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert _study("list") == 0
    assert "relative-attention" in capsys.readouterr().out


def test_the_settings_of_a_study_are_listed_with_their_meaning(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert _study("info", "orbits") == 0
    shown = capsys.readouterr().out
    assert "tolerance" in shown
    assert "0.05" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["orbit", "H2O"], "Did you mean 'orbits'?"),
        (["info", "relative-atention"], "Did you mean 'relative-attention'?"),
        (["info"], "Which study? Known: "),
        (["orbits", "H2O"], "--out"),
        (["orbits", "H2O", "--out", "x"], "--model"),
        (["orbits", "--out", "x", "--model", "MODEL"], "name the structures"),
        (["orbits", "CC", "--out", "x", "--model", "nowhere"], "nowhere"),
        (
            ["orbits", "CC", "--out", "x", "--model", "MODEL", "--set", "tolerence=1"],
            "'tolerance'?",
        ),
        (["orbits", "CC", "--out", "x", "--model", "MODEL", "--set", "tolerance=a"], "a number"),
        (["orbits", "CC", "--out", "x", "--model", "MODEL", "--set", "tolerance=0"], "above 0"),
        (["orbits", "CC", "--out", "x", "--model", "MODEL", "--shuffled", "MODEL"], "shuffled"),
        (["orbits", "no.xyz", "--out", "x", "--model", "MODEL"], "no.xyz"),
        (["orbits", "toy", "--out", "x", "--model", "MODEL", "--limit", "0"], "1 or more"),
        (["orbits", "CC", "--out", "x", "--model", "qm9:hommo"], "Did you mean 'homo'?"),
        (["orbits", "CC", "--out", "x", "--model", "qm8:homo"], "qm8"),
        (["faithful", "CC", "--out", "x", "--model", "qm9:homo"], "--set target=homo"),
    ],
)
def test_a_mistake_is_one_sentence_and_two(
    arguments: list[str],
    message: str,
    model_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    typed = [str(model_folder) if a == "MODEL" else a for a in arguments]
    assert _study(*typed) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert shown.err.count("\n") == 1
    assert shown.out == ""


def test_a_study_writes_figures_tables_and_its_result(
    model_folder: Path, structures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "studies" / "orbits"
    inputs = [structures / "methane.xyz", structures / "water.xyz"]
    arguments = ["--model", model_folder, "--out", out, "--set", "tolerance=0.1"]
    assert _study("orbits", *inputs, *arguments) == 0
    written = {path.name for path in out.iterdir()}
    assert {"study.json", "orbits.csv", "orbits-methane.png"} <= written
    content = json.loads((out / "study.json").read_text())
    assert content["settings"]["tolerance"] == 0.1
    assert content["n_structures"] == 2
    with (out / "orbits.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["atoms"] for row in rows if row["structure"] == "methane"} == {"1 C", "4 H"}
    shown = capsys.readouterr().out
    assert "spread inside orbits" in shown
    assert str(out) in shown


def test_a_bad_input_is_listed_and_the_rest_goes_on(
    model_folder: Path, structures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--model", model_folder, "--out", tmp_path / "out", "--set", "tolerance=0.1"]
    assert _study("orbits", structures, *arguments) == 1
    assert "broken.xyz" in capsys.readouterr().err


def test_nothing_readable_is_two_with_the_reason(
    model_folder: Path, structures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--model", model_folder, "--out", tmp_path / "out"]
    assert _study("orbits", structures / "broken.xyz", *arguments) == 2
    shown = capsys.readouterr().err
    assert "broken.xyz" in shown
    assert shown.count("\n") == 1


def test_the_result_as_json_is_what_the_file_holds(
    model_folder: Path, structures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ["--model", model_folder, "--out", out, "--format", "json", "--quiet"]
    assert _study("orbits", structures / "water.xyz", *arguments) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((out / "study.json").read_text())


def test_what_a_model_was_trained_on_is_left_out_and_said(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--model", model_folder, "--out", tmp_path / "out", "--limit", "30"]
    assert _study("relative-attention", "toy", *arguments) == 0
    assert "the models were trained on them" in capsys.readouterr().err
    content = json.loads((tmp_path / "out" / "study.json").read_text())
    assert content["counts"]["structures given"] == 30


def test_the_help_names_the_control(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "--help"]) == 0
    assert "training.shuffle_targets=true" in capsys.readouterr().out


def test_what_is_no_number_is_an_empty_cell_of_the_report(tmp_path: Path) -> None:
    from atomlens.cli.study import report
    from atomlens.studies.base import Effect, StudyResult

    def effect(name: str, value: float, low: float, untrained: float) -> Effect:
        return Effect(
            name=name, value=value, low=low, high=2.5, n=4, controls={"untrained": untrained}
        )

    nan = float("nan")
    effects = (effect("some", 1.5, 0.5, nan), effect("none", nan, nan, 1.0))
    shown = report(
        StudyResult(
            study="s",
            question="Is it?",
            models=("m",),
            settings={},
            n_structures=4,
            effects=effects,
        ),
        tmp_path,
    )
    assert "nan" not in shown
    lines = {line.split()[0]: line.split() for line in shown.splitlines() if line.split()}
    assert lines["some"] == ["some", "1.5", "0.5", "to", "2.5", "4"]
    assert lines["none"] == ["none", "4", "1"]


@pytest.mark.parametrize("study", ["relative-attention", "orbits", "deformation"])
def test_a_model_of_formulas_is_refused_where_atoms_are_asked_about(
    study: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "found"
    assert _study(study, "CCO", "CCN", "--model", "formula-gap", "--out", out, "--all") == 2
    assert f"{study}: the model of band_gap reads formulas" in capsys.readouterr().err
    assert not out.exists()
