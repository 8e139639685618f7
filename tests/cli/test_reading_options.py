"""How inputs are read is said in one way to every command, and what readers doubt reaches all."""

import csv
import importlib
import json
import re
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from atomlens.cli import main
from atomlens.cli.parser import COMMANDS, build_parser
from atomlens.cli.reading import OPTIONS
from atomlens.predictor import load
from atomlens.structures import read_structures
from label_makers import needs_raspalib

READ_NOTHING = {"demo", "datasets", "models", "complete"}
"""Commands that read no structures of the user's."""
ARGUMENTS = {
    "train": ["table.csv"],
    "cv": ["table.csv"],
    "tune": ["table.csv"],
    "predict": ["m", "x"],
    "explain": ["m", "x", "--out", "p"],
    "view": [],
    "evaluate": ["m", "table.csv"],
    "study": ["orbits", "x"],
    "faithful": ["m", "x", "--out", "p"],
    "label": ["x", "--with", "gcmc", "--pressure", "1"],
    "graph": ["x"],
    "screen": ["m", "x", "--out", "p"],
}
VALUES = {"--disorder": ["majority"], "--ordered-models": ["3"], "--conformers": ["2"]}
CELL = (
    "data_{name}\n_cell_length_a {a}\n_cell_length_b {a}\n_cell_length_c {a}\n"
    "_cell_angle_alpha 90\n_cell_angle_beta 90\n_cell_angle_gamma 90\n_space_group_IT_number 225\n"
)
SITES = (
    "loop_\n_atom_site_label\n_atom_site_type_symbol\n_atom_site_fract_x\n_atom_site_fract_y\n"
    "_atom_site_fract_z\n{columns}"
)
SALT = CELL.format(name="salt", a=5.64) + SITES.format(columns="") + "Na Na 0 0 0\nCl Cl .5 .5 .5\n"
DOUBTFUL = SALT.replace("data_salt", "data_doubtful\n_chemical_formula_sum 'K Cl'")
"""The list of atoms says NaCl, the formula KCl."""
SAID = "K Cl"
ALLOY = CELL.format(name="alloy", a=3.75) + SITES.format(columns="_atom_site_occupancy\n")
ALLOY += "Cu Cu 0 0 0 .5\nAu Au 0 0 0 .5\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_every_option_or_refuses_it_by_name(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    reads = importlib.import_module(f"atomlens.cli.{command}").READS
    assert (reads is None) == (command in READ_NOTHING)
    if reads is None:
        return
    assert set(reads.refused) < set(OPTIONS)
    for option in OPTIONS:
        value = [] if option == "--strict" else VALUES.get(option, ["c"])
        typed = [command, *ARGUMENTS[command], option, *value]
        if option in reads.refused:
            assert main(typed) == 2
            said = capsys.readouterr().err
            assert said.startswith(f"atomlens {command}: {option}: {reads.refused[option]}")
            assert said.count("\n") == 1
        else:
            options = build_parser(typed).parse_args(typed)
            assert getattr(options, option[2:].replace("-", "_")) in (True, *value, 2, 3)


def test_a_number_of_models_that_nothing_makes_is_refused(
    model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for how in ([], ["--disorder", "refuse"], ["--disorder", "majority"]):
        assert main(["predict", str(model_folder), "NaCl", "--ordered-models", "3", *how]) == 2
        assert "--disorder enumerate" in capsys.readouterr().err


def test_in_python_it_is_told() -> None:
    with pytest.warns(UserWarning, match="n_models 3 had no effect: it says how many models"):
        read_structures("formula:NaCl", n_models=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_structures("formula:NaCl")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--limit", "3"], "--limit: it belongs to --by environment"),
        (["--all"], "--all: it belongs to --by environment"),
        (["--past", "3"], "--past: it belongs to --method counterfactual"),
        (["--by", "environment", "--at", "1"], "--at does not go with --by environment"),
        (["--by", "environment", "--index-only"], "--index-only does not go with"),
        (["--method", "counterfactual", "--draw", "2d"], "--draw does not go with"),
        (["--structure-column", "c"], "structure column 'c': no table is among the inputs"),
    ],
)
def test_options_without_a_part_in_what_is_asked_are_refused(
    options: list[str],
    words: str,
    model_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = ["--out", str(tmp_path / "out")]
    assert main(["explain", str(model_folder), "CCO", *out, *options]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


@pytest.fixture
def doubtful(tmp_path: Path) -> Path:
    path = tmp_path / "doubtful.cif"
    path.write_text(DOUBTFUL)
    return path


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Samples whose files are good, and one whose file contradicts itself."""
    rows = []
    for i in range(20):
        text = SALT if i else DOUBTFUL
        (tmp_path / f"s{i}.cif").write_text(text.replace("5.64", f"{5.5 + 0.02 * i}"))
        rows.append(f"s{i}.cif,s{i},{i / 10}")
    path = tmp_path / "table.csv"
    path.write_text("\n".join(["file,name,signal", *rows]) + "\n")
    return path


def run(*words: object) -> int:
    return main([*map(str, words), "--quiet"])


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def check_strict(words: Sequence[object], capsys: pytest.CaptureFixture[str]) -> None:
    """Check that a warning is a failure if that is asked for, and the only input's is exit 2."""
    capsys.readouterr()
    assert run(*words, "--strict") == 2
    said = capsys.readouterr().err
    assert SAID in said
    assert "--strict" in said


@pytest.mark.filterwarnings("default")
def test_predict_tells_terminal_table_and_json(
    model_folder: Path, doubtful: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["predict", model_folder, doubtful]
    assert run(*words, "--format", "json") == 0
    shown = capsys.readouterr()
    assert SAID in shown.err
    assert SAID in json.loads(shown.out)[0]["warning"]
    assert run(*words, "--out", tmp_path / "p.csv") == 0
    assert SAID in rows_of(tmp_path / "p.csv")[0]["warning"]
    check_strict(words, capsys)
    check_strict([*words, "--out", tmp_path / "q.csv"], capsys)
    (refused,) = rows_of(tmp_path / "q.csv")
    assert SAID in refused["error"]


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    ("options", "name"),
    [
        ([], "doubtful.json"),
        (["--method", "counterfactual"], "doubtful-counterfactuals.json"),
        (["--by", "environment", "--all"], "study.json"),
    ],
)
def test_explain_tells_terminal_json_and_page(
    options: list[str],
    name: str,
    model_folder: Path,
    doubtful: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    given = [doubtful]
    if "--by" in options:  # it wants environments that occur in several structures
        for i in range(5):
            given.append(doubtful.with_name(f"d{i}.cif"))
            given[-1].write_text(DOUBTFUL.replace("5.64", f"{5.7 + 0.1 * i}"))
    words = ["explain", model_folder, *given, "--out", out, *options]
    assert run(*words) == 0
    assert SAID in capsys.readouterr().err
    assert SAID in (out / name).read_text()
    if name == "doubtful.json":
        assert SAID in (out / "doubtful.html").read_text()
    check_strict(words, capsys)


@pytest.mark.filterwarnings("default")
def test_screen_tells_terminal_and_table(
    model_folder: Path, doubtful: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["screen", model_folder, doubtful, "--format", "csv", "--workers", "1"]
    assert run(*words, "--out", tmp_path / "s") == 0
    assert SAID in capsys.readouterr().err
    assert SAID in rows_of(tmp_path / "s" / "results.csv")[0]["warning"]
    check_strict([*words, "--out", tmp_path / "t"], capsys)


@pytest.mark.filterwarnings("default")
def test_graph_tells_terminal_and_json(doubtful: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["graph", doubtful, "--builder", "radius"]
    assert run(*words, "--format", "json") == 0
    shown = capsys.readouterr()
    assert SAID in shown.err
    assert SAID in json.loads(shown.out)[0]["warning"]
    check_strict(words, capsys)


@needs_raspalib
@pytest.mark.filterwarnings("default")
def test_label_tells_terminal_and_table(
    doubtful: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    doubtful.write_text(DOUBTFUL.replace("5.64", "30"))
    methane = ["--with", "gcmc", "--gas", "CH4", "--pressure", "1", "--cycles", "50"]
    words = ["label", doubtful, *methane, "--equilibration", "10"]
    assert run(*words, "--out", tmp_path / "l.csv") == 0
    assert SAID in capsys.readouterr().err
    assert SAID in rows_of(tmp_path / "l.csv")[0]["warning"]
    check_strict(words, capsys)


@needs_raspalib
@pytest.mark.filterwarnings("default")
def test_label_simulates_each_ordered_model_and_the_training_table_holds_the_mean(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "alloy.cif"
    path.write_text(ALLOY.replace("3.75", "30"))
    methane = ["--with", "gcmc", "--gas", "CH4", "--pressure", "5", "--cycles", "50"]
    words = ["label", path, *methane, "--equilibration", "10"]
    assert run(*words) == 2
    assert "--disorder" in capsys.readouterr().err
    some = ["--disorder", "enumerate", "--ordered-models", "2"]
    out, training = tmp_path / "l.csv", tmp_path / "t.csv"
    assert run(*words, *some, "--out", out, "--training-table", training) == 0
    rows = rows_of(out)
    assert [row["ordered_model"] for row in rows] == ["0", "1"]
    assert "drawn by the occupancies" in rows[0]["warning"]
    (row,) = rows_of(training)
    mean = sum(float(r["uptake"]) for r in rows) / 2
    assert row["name"] == "alloy"
    assert float(row["CH4_5bar_298K [mmol/g]"]) == pytest.approx(mean)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("command", ["study", "faithful"])
def test_studies_tell_terminal_table_and_json(
    command: str,
    model_folder: Path,
    doubtful: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    words: list[Any] = {
        "study": ["study", "orbits", doubtful, "--model", model_folder],
        "faithful": ["faithful", model_folder, doubtful, "--methods", "attention"],
    }[command]
    words += ["--out", out]
    assert run(*words) == 0
    assert SAID in capsys.readouterr().err
    result = json.loads((out / f"{command}.json").read_text())
    assert SAID in result["warnings"]["doubtful"]
    (row,) = rows_of(out / "inputs.csv")
    assert SAID in row["warning"]
    assert row["source"] == str(doubtful)
    check_strict(words, capsys)


@pytest.mark.filterwarnings("default")
def test_training_and_evaluation_tell_report_and_table(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, report, strict = tmp_path / "m", tmp_path / "r", tmp_path / "strict"
    ridge = ["train", table, "--model", "ridge", "--target", "signal"]
    assert run(*ridge, "--out", model) == 0
    assert SAID in capsys.readouterr().err
    assert SAID in (model / "README.md").read_text()
    assert run(*ridge, "--out", strict, "--strict") == 1
    assert SAID in capsys.readouterr().err
    assert SAID in (strict / "failures.json").read_text()
    evaluate = ["evaluate", model, table, "--out", report]
    assert run(*evaluate) == 0
    assert SAID in capsys.readouterr().err
    first, second, *_ = rows_of(report / "predictions.csv")
    assert SAID in first["warning"]
    assert [Path(row["source"]).name for row in (first, second)] == ["s0.cif", "s1.cif"]
    assert run(*evaluate, "--strict") == 1
    assert SAID in capsys.readouterr().err


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("command", ["train", "cv", "tune", "evaluate"])
def test_nothing_but_warnings_is_nothing_to_use(
    command: str,
    model_folder: Path,
    doubtful: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if command == "tune" and find_spec("optuna") is None:
        pytest.skip("optuna is missing")
    path = tmp_path / "one.csv"
    path.write_text("file,signal\n" + "doubtful.cif,1\n" * 12)
    if command == "evaluate":
        words: list[Any] = ["evaluate", model_folder, path]
    else:
        words = [command, path, "--target", "signal", "--model", "ridge", "--out", tmp_path / "m"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        check_strict(words, capsys)
    assert not (tmp_path / "m").exists()


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_application_takes_the_options(doubtful: Path) -> None:
    pytest.importorskip("fastapi")
    from atomlens.structures.forms import DisorderChoice
    from atomlens.structures.options import ReadingOptions
    from atomlens.web.uploads import Upload, read_all

    files = [Upload("doubtful.cif", DOUBTFUL.encode()), Upload("alloy.cif", ALLOY.encode())]
    doubted, refused = read_all(files, "", lambda *_: None)
    assert SAID in doubted.info["warnings"][0]  # type: ignore[union-attr]
    assert "--disorder" in refused.message  # type: ignore[union-attr]
    choice = DisorderChoice(how="enumerate", n_models=2)
    _, *models = read_all(files, "", lambda *_: None, ReadingOptions(forms=choice))
    assert len(models) == 2
    failed, _ = read_all(files, "", lambda *_: None, ReadingOptions(strict=True))
    assert "(--strict)" in failed.message  # type: ignore[union-attr]


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_disorder_and_conformers_reach_every_command(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "alloy.cif", tmp_path / "out"
    path.write_text(ALLOY)
    some = ["--disorder", "enumerate", "--ordered-models", "2"]
    commands: dict[str, list[Any]] = {
        "study": ["study", "orbits", path, "--model", model_folder, "--out", out],
        "faithful": ["faithful", model_folder, path, "--methods", "attention", "--out", out],
        "explain": ["explain", model_folder, path, "--out", out],
        "graph": ["graph", path, "--builder", "radius", "--format", "json"],
    }
    for command, words in commands.items():
        assert run(*words) == 2, command
        assert "--disorder" in capsys.readouterr().err
        assert run(*words, *some) == 0, command
        shown = capsys.readouterr()
        if command == "graph":
            assert len(json.loads(shown.out)) == 2
        elif command == "explain":
            assert len(list(out.glob("alloy*.json"))) == 2
        else:
            assert len(rows_of(out / "inputs.csv")) == 1  # one of the two is drawn
            assert "2 ordered models or conformers were read" in shown.out
    assert run("explain", model_folder, "CCCCCO", "--conformers", "3", "--out", out) == 0
    assert len(list(out.glob("CCCCCO*.json"))) > 1


def test_whether_the_model_knows_a_structure_is_said_by_explain_and_studies(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from ase.io import write

    from atomlens.datasets import load_dataset

    data = load_dataset("toy", target="signal", limit=60)
    parts = load(model_folder).seen_in(data.structures)
    path, out = tmp_path / "renamed.extxyz", tmp_path / "out"
    write(path, data.structures.to_atoms(parts.index("train")))
    assert run("explain", model_folder, path, "--out", out) == 0
    assert re.search(r"seen_in\s*\n.*\n.*train\n", capsys.readouterr().out)
    (file,) = out.glob("*.json")
    assert json.loads(file.read_text())["seen_in"] == "train"
    page = file.with_suffix(".html").read_text()
    assert "The model was trained on this structure." in page
    assert run("explain", model_folder, "C#N", "--out", out) == 0
    assert "seen_in" not in json.loads((out / "C_N.json").read_text())
    words = ["faithful", model_folder, path, "--methods", "attention", "--out", out, "--all"]
    assert run(*words) == 0
    assert json.loads((out / "faithful.json").read_text())["seen_in"] == {"train": 1}
    assert json.loads((out / "study.json").read_text())["seen_in"] == {"scann-plus": {"train": 1}}
    assert rows_of(out / "inputs.csv")[0]["seen_in"] == "train"
