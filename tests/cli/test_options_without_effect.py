"""An option that has no part in what is done is refused, or said to be without effect."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import atomlens as al
from atomlens.cli import main
from atomlens.datasets.packed import save_packed
from atomlens.errors import DatasetError, SettingsError, StudyError
from atomlens.predictor import load
from atomlens.structures import read_structures
from atomlens.studies import StudyInput
from atomlens.studies.answering import answer
from atomlens.studies.environments.study import Environments
from atomlens.studies.orbits.study import OrbitsStudy

SALT = (
    "data_salt\n_cell_length_a {a}\n_cell_length_b {a}\n_cell_length_c {a}\n_cell_angle_alpha 90\n"
    "_cell_angle_beta 90\n_cell_angle_gamma 90\n_space_group_IT_number 225\nloop_\n"
    "_atom_site_label\n_atom_site_type_symbol\n_atom_site_fract_x\n_atom_site_fract_y\n"
    "_atom_site_fract_z\nNa Na 0 0 0\nCl Cl .5 .5 .5\n"
)
SHAPES, ORDER = "conformers 3 had no effect", "disorder majority had no effect"


@pytest.fixture
def salts(tmp_path: Path) -> Path:
    """A table of crystals, with values for the model of the other tests."""
    for i in range(12):
        (tmp_path / f"s{i}.cif").write_text(SALT.format(a=5.5 + 0.02 * i))
    rows = [f"s{i}.cif,{i / 10}" for i in range(12)]
    path = tmp_path / "salts.csv"
    path.write_text("\n".join(["file,signal", *rows]) + "\n")
    return path


@pytest.mark.filterwarnings("always")
@pytest.mark.parametrize("command", ["predict", "explain", "screen", "graph", "evaluate", "train"])
def test_conformers_of_crystals_are_said_to_be_without_effect(
    command: str,
    salts: Path,
    model_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    one, out = str(salts.parent / "s0.cif"), str(tmp_path / "out")
    words = {
        "predict": [str(model_folder), str(salts), "--out", f"{out}.csv"],
        "explain": [str(model_folder), one, "--out", out],
        "screen": [str(model_folder), one, "--out", out, "--format", "csv"],
        "graph": [one],
        "evaluate": [str(model_folder), str(salts)],
        "train": [str(salts), "--model", "mean", "--out", out],
    }[command]
    assert main([command, *words, "--conformers", "3", "--quiet"]) == 0
    assert capsys.readouterr().err.count(SHAPES) == 1


@pytest.mark.filterwarnings("always")
def test_a_choice_that_is_about_some_input_is_not_remarked(
    salts: Path, model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    crystal, wanted = str(salts.parent / "s0.cif"), ["--conformers", "3", "--disorder", "majority"]
    for command in (["predict"], ["screen", "--format", "csv", "--out", str(tmp_path / "out")]):
        said = [command[0], str(model_folder), crystal, "CCO", *command[1:], *wanted]
        assert main(said) == 0
        assert "had no effect" not in capsys.readouterr().err


@pytest.mark.filterwarnings("always")
def test_disorder_of_molecules_and_formulas_is_said_to_be_without_effect(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(model_folder), "CCO", "--disorder", "majority"]) == 0
    assert ORDER in capsys.readouterr().err
    words = ["--format", "csv", "--out", str(tmp_path / "out"), "--disorder", "majority"]
    assert main(["screen", str(model_folder), "CCO", *words]) == 0
    assert ORDER in capsys.readouterr().err


def test_python_says_it_too(salts: Path, model_folder: Path) -> None:
    crystal = salts.parent / "s0.cif"
    with pytest.warns(UserWarning, match=SHAPES):
        al.read(crystal, conformers=3)
    with pytest.warns(UserWarning, match=SHAPES):
        load(model_folder).predict(crystal, conformers=3)
    with pytest.warns(UserWarning, match=ORDER):
        al.read(["CCO"], disorder="majority")


def test_nothing_is_said_of_inputs_that_cannot_be_read(tmp_path: Path) -> None:
    result = read_structures(tmp_path / "nowhere.cif", conformers=3)
    assert not result.structures


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"structure_folder": "."}, "about tables"),
        ({"structure_column": "x"}, "about tables"),
        ({"grid": "0:1:5"}, "about spectra"),
        ({"beyond": "mask"}, "about spectra"),
        ({"grid_column": "x"}, "about spectra"),
        ({"units": {"signal": "eV"}}, "these say it themselves"),
        ({"kinds": {"signal": "classification"}}, "these say it themselves"),
        ({"disorder": "majority"}, "these are as they are"),
        ({"conformers": 2}, "these are as they are"),
    ],
)
def test_what_a_kind_of_data_does_not_take_is_refused(
    option: dict[str, Any], words: str, salts: Path
) -> None:
    data = al.load_dataset(salts)
    folder = salts.parent
    save_packed(data, folder / "data.npz")
    places = {"data.npz": True, "folder": False}
    (folder / "folder").mkdir()
    (folder / "folder" / "s0.cif").write_text(SALT.format(a=5.5))
    (folder / "folder" / "id_prop.csv").write_text("s0,1.5\n")
    for name, is_packed in places.items():
        if is_packed or words in ("about tables", "about spectra"):
            with pytest.raises(SettingsError, match=words):
                al.load_dataset(folder / name, **option)


def test_packed_targets_may_be_declared(salts: Path) -> None:
    path = salts.parent / "data.npz"
    save_packed(al.load_dataset(salts), path)
    (target,) = al.load_dataset(path, extensive=["signal"], nonnegative=["signal"]).targets
    assert target.extensive
    assert target.nonnegative


def test_a_folder_of_structures_is_refused_where_the_table_holds_them(tmp_path: Path) -> None:
    path = tmp_path / "cells.jsonl"
    path.write_text('{"structure": "data_x", "gap": 1}\n')
    with pytest.raises(DatasetError, match="'structure' of this one holds the structures"):
        al.load_dataset(path, structure_folder=tmp_path)


def test_a_training_option_that_other_data_do_not_take_is_not_taken_over(
    salts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "model")
    there = ["--structure-folder", str(salts.parent), "--out", out, "--quiet"]
    assert main(["train", str(salts), "--model", "mean", *there]) == 0
    frames = [al.read(salts.parent / f"s{i}.cif")[0] for i in range(4)]
    for i, atoms in enumerate(frames):
        atoms.info = {"signal": float(i)}
    from ase.io import write

    write(tmp_path / "frames.extxyz", frames)
    assert main(["evaluate", out, str(tmp_path / "frames.extxyz"), "--quiet"]) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["study", "list", "--model", "m"], "--model: `study list` runs no study"),
        (["study", "list", "x"], "INPUT: `study list` runs no study"),
        (["study", "info", "orbits", "--out", "x"], "--out: `study info` runs no study"),
        (["faithful", "m", "x", "--out", "y", "--set", "seed=5"], "say --seed"),
        (["screen", "formula-gap", "KCl", "--out", "y", "--sheet", "A"], "no table is among the"),
        (["faithful", "m", "x", "--out", "y", "--set", "study.target=y"], "say --target"),
        (["models", "import", "cgcnn", "x", "--out", "y", "--mean", "3"], "--mean: it is about"),
        (
            ["models", "import", "cgcnn", "x", "--out", "y", "--neighbors", "box30"],
            "--neighbors: it is about models of scann",
        ),
        (
            ["explain", "m", "x", "--out", "y", "--method", "counterfactual", "--device", "cpu"],
            "--device does not go with --method counterfactual",
        ),
        (
            ["explain", "m", "x", "--out", "y", "--by", "environment", "--workers", "2"],
            "--workers does not go with --by environment",
        ),
    ],
)
def test_options_without_a_part_are_refused(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert said in capsys.readouterr().err


def test_a_format_wins_over_the_name_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "pairs.json"
    assert main(["graph", "CCO", "--format", "table", "--out", str(path), "--quiet"]) == 0
    assert path.read_text().startswith("CCO: 9 atoms")


def test_controls_that_nothing_would_ask_are_refused(model_folder: Path) -> None:
    model = load(model_folder)
    data = al.load_dataset("toy", limit=3)
    with pytest.raises(StudyError, match="leave `shuffled` out"):
        answer(Environments(), StudyInput(models=(model,), data=data, shuffled=(model,)))
    other = replace(model, model_name="lens")
    with pytest.raises(StudyError, match="a control is a lens for signal"):
        answer(OrbitsStudy(), StudyInput(models=(model,), data=data, shuffled=(other,)))


@pytest.mark.filterwarnings("always")
def test_shapes_for_a_model_that_reads_no_places_are_said_to_be_without_effect(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["predict", "formula-moduli", "CCO", "--conformers", "3", "--format", "json"]) == 0
    said = capsys.readouterr()
    assert said.err.count("conformers 3 had no effect: this model reads no places") == 1
    assert "conformers" not in said.out
    with pytest.warns(UserWarning, match="all shapes of a molecule are one; leave it out"):
        load("formula-moduli").predict("CCO", conformers=3)


@pytest.mark.filterwarnings("always")
def test_a_screening_says_what_makes_nothing_faster_and_makes_no_shapes_in_vain(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "\n".join(f"C{'C' * n},{n}" for n in range(10))
    (tmp_path / "t.csv").write_text(f"smiles,y\n{rows}\n")
    bare = tmp_path / "mean"
    assert main(["train", str(tmp_path / "t.csv"), "--model", "mean", "--out", str(bare)]) == 0
    capsys.readouterr()
    more = ["CCO", "--format", "csv", "--conformers", "3", "--batch-size", "2", "--quiet", "--out"]
    assert main(["screen", str(bare), *more, str(tmp_path / "one")]) == 0
    said = capsys.readouterr().err
    assert "batch_size 2: no model is a network" in said
    assert said.count("conformers 3 had no effect") == 1
    assert main(["screen", str(bare), str(model_folder), *more, str(tmp_path / "both")]) == 0
    said = capsys.readouterr().err
    assert "no model is a network" not in said
    assert "had no effect" not in said


def test_a_list_of_methods_without_a_name_is_not_all_of_them(
    model_folder: Path, salts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["faithful", str(model_folder), str(salts), "--methods", " ,", "--all"]
    assert main([*words, "--out", str(tmp_path / "out")]) == 2
    assert "--methods names none" in capsys.readouterr().err
