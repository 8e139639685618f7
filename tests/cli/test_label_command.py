"""``atomlens label`` as typed: tables, files, exit codes, one sentence for each bad input."""

import csv
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from atomlens.cli import main
from atomlens.cli.parser import build_parser
from atomlens.datasets import load_dataset
from atomlens.labels import FORCE_FIELDS, GASES
from label_makers import argon_crystal, needs_raspalib

SHORT = ("--cutoff", "8", "--cycles", "50", "--equilibration", "20")
METHANE = ("--with", "gcmc", "--gas", "CH4", "--pressure", "5", *SHORT)


@pytest.fixture
def crystal(tmp_path: Path) -> Path:
    path = tmp_path / "argon.cif"
    argon_crystal().write(path)
    return path


@needs_raspalib
def test_the_table_shows_the_uptake_with_its_error(
    crystal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["label", str(crystal), *METHANE]) == 0
    heading, _, row = capsys.readouterr().out.splitlines()
    assert "mmol/g  ± mmol/g" in heading
    assert row.startswith("argon  CH4")


@needs_raspalib
def test_json_names_pressure_uptake_and_error(
    crystal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    several = ("--with", "gcmc", "--gas", "CH4", "--pressure", "5", "20", *SHORT)
    assert main(["label", str(crystal), *several, "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["pressure"] for row in rows] == [5, 20]
    assert rows[1]["uptake"] > rows[0]["uptake"] > 0
    assert rows[0]["uptake_error"] > 0


@needs_raspalib
def test_one_bad_input_among_good_ones_is_listed(
    crystal: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "labels.csv"
    code = main(["label", str(crystal), "smiles:O", "gone.cif", *METHANE, "--out", str(out)])
    assert code == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "2 of 3 inputs could not be used" in said.err
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert [row["name"] for row in rows] == ["argon", rows[1]["name"], "gone.cif"]
    assert rows[0]["error"] == "" != rows[1]["error"]


@needs_raspalib
def test_missing_charges_fail_unless_they_are_left_out(
    crystal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dioxide = ("--with", "gcmc", "--gas", "CO2", "--pressure", "1", *SHORT)
    assert main(["label", str(crystal), *dioxide]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "argon: it has no partial charges" in said.err
    assert main(["label", str(crystal), *dioxide, "--charges", "none"]) == 0
    said = capsys.readouterr()
    assert "none" in said.out
    assert "without the crystal's partial charges" in said.err


def test_the_command_offers_what_the_tables_hold() -> None:
    commands = next(a for a in build_parser()._actions if a.dest == "command")
    assert isinstance(commands.choices, dict)
    choices = {a.dest: a.choices for a in commands.choices["label"]._actions}
    assert set(choices["gas"]) == set(GASES)
    assert set(choices["force_field"]) == set(FORCE_FIELDS)


@needs_raspalib
def test_nothing_is_left_behind_in_the_folder(
    crystal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    long = ("--cycles", "6000", "--equilibration", "10")
    assert main(["label", str(crystal), *METHANE, *long, "--quiet"]) == 0
    assert list(folder.iterdir()) == []


@needs_raspalib
def test_the_training_table_is_a_data_set(crystal: Path, tmp_path: Path) -> None:
    table = tmp_path / "tables" / "uptakes.csv"
    assert main(["label", str(crystal), *METHANE, "--training-table", str(table)]) == 0
    data = load_dataset(table)
    assert [(t.name, t.unit) for t in data.targets] == [("CH4_5bar_298K", "mmol/g")]
    assert data.values[0, 0] > 0
    assert data.structures.names == ("argon",)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--temperature", "-5"), "temperature -5 K: it must be above 0 K."),
        (("--cycles", "3"), "cycles 3: 50 at least"),
        (("--out", "uptakes.txt"), "--out uptakes.txt: the name must end with one of"),
        (("--training-table", "x.json"), "--training-table x.json: the name must end with .csv."),
    ],
)
def test_impossible_options_are_one_sentence(
    crystal: Path, arguments: tuple[str, str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    options = dict(zip(METHANE[::2], METHANE[1::2], strict=True)) | dict([arguments])
    words = [word for option in options.items() for word in option]
    assert main(["label", str(crystal), *words]) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1


def test_a_missing_package_is_one_sentence(
    crystal: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "raspalib", None)
    assert main(["label", str(crystal), *METHANE]) == 2
    said = capsys.readouterr().err
    assert 'pip install "atomlens[gcmc]"' in said
    assert said.count("\n") == 1


@needs_raspalib
def test_a_batch_that_is_stopped_keeps_what_was_finished(
    crystal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from atomlens.labels import adsorption

    simulate, calls = adsorption.simulate, []

    def stopped(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return simulate(*arguments)

    monkeypatch.setattr(adsorption, "simulate", stopped)
    second = tmp_path / "second.cif"
    second.write_text(crystal.read_text())
    out = tmp_path / "labels.csv"
    assert main(["label", str(crystal), str(second), *METHANE, "--out", str(out)]) == 130
    assert [row["name"] for row in csv.DictReader(out.read_text().splitlines())] == ["argon"]
