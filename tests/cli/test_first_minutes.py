"""What a new user types in the first minutes works, or says what to type instead."""

import json
import pickle
from pathlib import Path

import pytest

from atomlens.cli import main
from atomlens.cli.training_line import TrainingLine
from atomlens.explain import EXPLAINERS
from atomlens.words import SETTING_WORDS

FORMULAS = [f"{a}{i}{b}{j}" for a in ("Li", "Na", "Fe") for b in "OS" for i, j in ((1, 2), (2, 3))]
SMILES = ["C", "CC", "CCC", "CCO", "CO", "CN", "CCN", "C=C", "C#N", "CF", "CCF", "COC"]


def ran(*words: object) -> int:
    return main([str(w) for w in words])


def write(path: str, header: str, rows: list[str]) -> str:
    Path(path).write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("atomlens.training.pipeline.draw", lambda *_: True)


def test_formulas_train_without_a_model_named(capsys) -> None:
    table = write("f.csv", "formula,y", [f"{f},{i}" for i, f in enumerate(FORMULAS)])
    assert ran("train", table, "--split", "random:8/2/2", "--out", "m", "--quiet") == 0
    assert "formulas only, so the model is rf-magpie" in capsys.readouterr().err
    said = [table, "--split", "random:8/2/2", "--set", "model.n_trees=3", "--quiet"]
    assert ran("train", *said, "--out", "n") == 0
    assert json.loads(Path("n/settings.json").read_text())["model"]["config"]["n_trees"] == 3


def test_what_is_printed_next_works_for_a_model_without_attention(capsys) -> None:
    table = write("t.csv", "smiles,y", [f"{s},{i}" for i, s in enumerate(SMILES)])
    said = ["--split", "random:8/2/2", "--model", "ridge", "--out", "m", "--quiet"]
    assert ran("train", table, *said) == 0
    lines = capsys.readouterr().out.splitlines()
    for line in lines[-2:]:
        words = line.split()[1:]
        assert ran(*(("CCO") if w == "INPUT..." else w for w in words)) == 0, line
    assert Path("pages/CCO.html").is_file()


def test_explain_takes_a_table_and_keeps_its_columns(capsys) -> None:
    table = write("t.csv", "smiles,y,note", [f"{s},{i},n{i}" for i, s in enumerate(SMILES)])
    said = ["--split", "random:8/2/2", "--model", "ridge", "--out", "m", "--quiet"]
    assert ran("train", table, "--target", "y", *said) == 0
    write("in.csv", "smiles,note,y", ["CCO,first,1", "C(C,second,2", "CN,third,3"])
    assert ran("explain", "m", "in.csv", "--out", "x", "--quiet") == 1
    assert "note=first" in Path("x/CCO.extxyz").read_text()
    assert "y_input=" in Path("x/CN.extxyz").read_text()


def test_the_methods_of_explain_are_in_its_help(capsys) -> None:
    assert ran("explain", "--help") == 0
    shown = " ".join(capsys.readouterr().out.split()).replace("- ", "-")
    assert all(method in shown for method in EXPLAINERS)


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("--lr", "--set learning_rate=VALUE"),
        ("--weight-decay", "--set weight_decay=VALUE"),
        ("--n_layers", "--set model.n_layers=VALUE"),
        ("--ensembel", "--ensemble"),
        ("--learing-rate", "--set learning_rate=VALUE"),
    ],
)
def test_an_option_that_does_not_exist_gets_a_hint(typed: str, hint: str, capsys) -> None:
    assert ran("train", "t.csv", typed, 1) == 2
    error = capsys.readouterr().err
    assert f"did you mean {hint}" in error
    assert error.count("\n") == 1


def test_the_settings_that_hints_name_exist() -> None:
    from atomlens.training import TrainSettings

    named = {s for s in SETTING_WORDS.values() if "." not in s}
    assert named <= set(TrainSettings.__dataclass_fields__)


def test_the_progress_line_travels_to_other_processes() -> None:
    line = pickle.loads(pickle.dumps(TrainingLine(quiet=True, unit="eV")))
    line.message("here")
    line.graphs(1, 2)
    assert (line.unit, line.quiet) == ("eV", True)


def test_a_model_whose_training_was_stopped_is_used_with_a_word(capsys) -> None:
    table = write("t.csv", "smiles,y", [f"{s},{i}" for i, s in enumerate(SMILES * 2)])
    small = [
        "--set",
        "model.n_layers=1",
        "--set",
        "model.n_features=8",
        "--set",
        "model.n_hidden=8",
    ]
    said = ["--model", "cgcnn", "--epochs", 5, "--set", "max_seconds=0", "--out", "m", "--quiet"]
    assert ran("train", table, *said, *small) == 0
    for command in (["predict", "m", "CCO"], ["explain", "m", "CCO", "--out", "x"]):
        capsys.readouterr()
        assert ran(*command) == 0
        assert "was stopped before its end" in capsys.readouterr().err


@pytest.mark.parametrize("model", ["cgcnn", "scann"])
def test_a_network_that_reads_no_amounts_is_refused_for_formulas(model: str, capsys) -> None:
    table = write("f.csv", "formula,y", [f"{f},{i}" for i, f in enumerate(FORMULAS)])
    said = ["--model", model, "--builder", "formula", "--out", "m", "--quiet"]
    assert ran("train", table, *said) == 2
    assert "does not read amounts" in capsys.readouterr().err
    assert not Path("m").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--model", "ridge", "--ensemble", 5], "ensemble is ignored"),
        (["--model", "ridge", "--epochs", 5, "--batch-size", 4], "epochs, batch_size are ignored"),
        (["--set", "decay=0.5"], "decay is ignored: it belongs to schedule=exponential"),
        (["--set", "huber_delta=0.5"], "huber_delta is ignored: it belongs to loss=huber"),
        (["--set", "precision=16-mixed", "--set", "accelerator=cpu"], "in bf16 instead"),
    ],
)
def test_settings_that_change_nothing_are_said(words: list[object], sentence: str, capsys) -> None:
    table = write("t.csv", "smiles,y", [f"{s},{i}" for i, s in enumerate(SMILES * 2)])
    small = [] if "ridge" in words else [
        "--model", "cgcnn", "--epochs", 1, "--set", "model.n_layers=1", "--set",
        "model.n_features=8", "--set", "model.n_hidden=8",
    ]  # fmt: skip
    assert ran("train", table, *words, *small, "--out", "m", "--quiet") == 0
    assert sentence in capsys.readouterr().err
    assert sentence in " ".join(
        json.loads(Path("m/settings.json").read_text())["training"]["remarks"]
    )


def test_what_is_about_numbers_is_not_said_of_classes(capsys) -> None:
    table = write("t.csv", "smiles,c", [f"{s},{'abc'[i % 3]}" for i, s in enumerate(SMILES * 2)])
    words = ["--model", "cgcnn", "--epochs", 1, "--set", "model.n_layers=1", "--out", "m"]
    words += ["--target", "c"]
    assert ran("train", table, *words, "--nonnegative", "--quiet") == 2
    assert "'c': a class label is no number" in capsys.readouterr().err
    assert ran("train", table, *words, "--set", "loss=huber", "--quiet") == 0
    assert "loss is ignored: classes are learned by their cross" in capsys.readouterr().err


def test_replicates_of_a_molecule_on_both_sides_are_said_and_kept(capsys) -> None:
    table = write("t.csv", "smiles,y", [f"{s},{i}" for i, s in enumerate(SMILES * 3)])
    assert ran("train", table, "--model", "ridge", "--out", "m", "--quiet") == 0
    assert "have their structure in the training part too" in capsys.readouterr().err
    assert "have their structure in the training part too" in Path("m/README.md").read_text()


@pytest.mark.parametrize("values", [(78, 500), (78, 78)])
def test_a_structure_with_two_values_is_said_whatever_its_part(
    values: tuple[int, int], capsys
) -> None:
    rows = [f"{s},{10 * i}" for i, s in enumerate(SMILES[:9])]
    table = write("t.csv", "smiles,y", [*rows, f"OCCCCCCN,{values[0]}", f"NCCCCCCO,{values[1]}"])
    parts = ["--split", "random:9/1/1"]
    assert ran("train", table, *parts, "--model", "ridge", "--out", "m", "--quiet") == 0
    said = capsys.readouterr().err
    assert ("1 structure(s) stand in several rows" in said) == (values[0] != values[1])
    assert ("78 and 500" in said) == (values[0] != values[1])


def test_values_below_zero_contradict_nonnegative(capsys) -> None:
    table = write("t.csv", "smiles,y", [f"{s},{i - 3}" for i, s in enumerate(SMILES)])
    assert ran("train", table, "--target", "y", "--nonnegative", "--model", "ridge") == 2
    assert "3 of 12 values are" in capsys.readouterr().err
