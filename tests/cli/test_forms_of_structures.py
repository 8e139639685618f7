"""Disordered crystals and conformers in tables, training and evaluation: said, kept together."""

import csv
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from atomlens.cli import main
from atomlens.datasets import load_dataset, make_split
from atomlens.datasets.sampling import one_form_each
from atomlens.predictor import load
from atomlens.selection.cross_validation import make_folds, nested_split
from atomlens.structures import read_structures
from atomlens.structures.records import quiet

HEADER = (
    "data_{name}\n_cell_length_a {a}\n_cell_length_b {a}\n_cell_length_c {a}\n"
    "_cell_angle_alpha 90\n_cell_angle_beta 90\n_cell_angle_gamma 90\n_space_group_IT_number 225\n"
    "loop_\n_atom_site_label\n_atom_site_type_symbol\n_atom_site_fract_x\n_atom_site_fract_y\n"
    "_atom_site_fract_z\n_atom_site_occupancy\n"
)
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture
def alloys(tmp_path: Path) -> Path:
    """A table of 20 alloys, half of them disordered."""
    rows = []
    for i in range(20):
        share = 0.25 * (i % 2)
        text = HEADER.format(name=f"a{i}", a=3.5 + 0.02 * i) + f"A Cu 0 0 0 {1 - share}\n"
        text += f"B Au 0 0 0 {share}\n" if share else ""
        (tmp_path / f"a{i}.cif").write_text(text)
        rows.append(f"a{i}.cif,n{i},{i / 10}")
    path = tmp_path / "alloys.csv"
    path.write_text("\n".join(["file,name,y", *rows]) + "\n")
    return path


def test_ordered_models_are_samples_of_one_row_that_a_split_keeps_together(alloys: Path) -> None:
    with quiet():
        refused = load_dataset(alloys, target="y")
        majority = load_dataset(alloys, target="y", disorder="majority")
        data = load_dataset(alloys, target="y", disorder="enumerate", n_models=3)
    assert (len(refused), len(refused.failures)) == (10, 10)
    assert (len(majority), len(majority.failures)) == (20, 0)
    assert len(data) == 10 + 3 * 10
    assert data.structures.names[1:4] == ("n1", "n1", "n1")
    assert data.values[1:4, 0] == pytest.approx(0.1)
    for spec in ("random:10/5/5", "stratified:10/5/5"):
        split = make_split(spec, data, 0)
        parts = [split.train, split.validation, split.test]
        rows = [set(data.row_numbers[part].tolist()) for part in parts]
        assert [len(found) for found in rows] == [10, 5, 5]
        assert sum(map(len, parts)) == len(data)
    assert data.row_numbers is not None
    for by in ("random", "composition"):
        folds = make_folds(data, 2, by=by)
        assert sorted(np.concatenate(folds).tolist()) == list(range(len(data)))
        for k, fold in enumerate(folds):
            nested = nested_split(folds, k, 0, data.row_numbers)
            pieces = [nested.train, nested.validation, fold]
            kept = [set(data.row_numbers[piece].tolist()) for piece in pieces]
            assert sum(map(len, kept)) == 20
            assert sum(map(len, pieces)) == len(data)
    for part in parts:  # forms of one structure side by side
        numbers = data.row_numbers[part]
        assert np.count_nonzero(np.diff(numbers)) == len(set(numbers.tolist())) - 1


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


@pytest.mark.parametrize("how", ["majority", "enumerate"])
def test_training_says_which_was_taken_and_evaluation_takes_the_same(
    how: str, alloys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, report = tmp_path / "m", tmp_path / "report"
    options = ["--model", "ridge", "--target", "y", "--split", "random:12/4/4", "--quiet"]
    taken = ["--disorder", how, *(["--ordered-models", "3"] if how == "enumerate" else [])]
    assert main(["train", str(alloys), *options, *taken, "--out", str(out)]) == 0
    assert f"disorder `{how}`" in (out / "README.md").read_text()
    trained = json.loads((out / "metrics.json").read_text())["test"]["targets"]["y"]
    assert trained["n"] == 4
    capsys.readouterr()
    again = ["evaluate", str(out), str(alloys), "--part", "test", "--out", str(report), "--quiet"]
    assert main(again) == 0
    assert f"disorder {how}" in capsys.readouterr().err
    evaluated = json.loads((report / "metrics.json").read_text())["targets"]["y"]
    assert evaluated["mae"] == pytest.approx(trained["mae"], rel=1e-4)
    rows = rows_of(report / "predictions.csv")
    assert len(rows) == 4
    assert all(row["seen_in"] == "test" for row in rows)
    if how == "enumerate":
        assert {row["ordered_models"] for row in rows} == {"", "3"}
        assert any(row["y_spread"] for row in rows)


def test_tables_of_disordered_crystals_are_predicted(
    alloys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, out = tmp_path / "m", tmp_path / "p.csv"
    with quiet():
        main(["train", str(alloys), "--model", "ridge", "--out", str(model), "--quiet"])
    ask = ["predict", str(model), str(alloys), "--out", str(out), "--quiet"]
    assert main(ask) == 0
    taken = [row["formula"] for row in rows_of(out)]
    assert main([*ask, "--disorder", "enumerate", "--ordered-models", "2"]) == 0
    rows = rows_of(out)
    assert [row["name"] for row in rows] == [f"n{i}" for i in range(20)]
    assert [row["y_input"] for row in rows] == [f"{i / 10}" for i in range(20)]
    assert "the mean of 2 ordered models" in rows[1]["warning"]
    assert len(taken) == 20  # of compositions: a disordered crystal is its own formula


def test_a_failed_row_does_not_decide_the_order_of_the_columns(
    alloys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "m"
    main(["train", str(alloys), "--model", "ridge", "--out", str(model), "--quiet"])
    capsys.readouterr()
    empty = tmp_path / "empty.cif"
    empty.write_text("data_x\n")
    assert main(["predict", str(model), str(empty), str(alloys.parent / "a2.cif"), "--quiet"]) == 1
    header = capsys.readouterr().out.splitlines()[0].split()
    assert header[:2] == ["name", "formula"]
    assert header[-1] == "error"


def test_conformers_give_mean_and_spread(model_folder: Path, tmp_path: Path) -> None:
    model = load(model_folder)
    single, several = model.predict("CCCCCO"), model.predict("CCCCCO", conformers=4)
    shapes = [float(model.predict(a).values[0, 0]) for a in _shapes("CCCCCO")]
    assert len(several) == 1
    assert several.values[0, 0] == pytest.approx(np.mean(shapes), rel=1e-5)
    assert several.spread is not None
    assert several.spread[0, 0] == pytest.approx(np.std(shapes), rel=1e-3)
    assert single.spread is None
    (record,) = several.to_records()
    assert record["conformers"] == len(shapes) > 1
    assert record["name"] == "CCCCCO"
    path = tmp_path / "t.csv"
    path.write_text("smiles,tag\nCCCCCO,a\nC,b\n")
    rows = model.predict(path, conformers=4).to_rows()
    assert [(row["tag"], row["conformers"]) for row in rows] == [("a", len(shapes)), ("b", 1)]
    assert main(["predict", str(model_folder), str(path), "--conformers", "0"]) == 2


def _shapes(smiles: str) -> list[Any]:
    from atomlens.structures import read

    return read(smiles, conformers=4)


def test_conformers_of_a_training_are_in_one_part(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    smiles = ["C" * n + "O" for n in range(1, 8)] + ["C" * n + "N" for n in range(1, 8)]
    path.write_text("smiles,y\n" + "".join(f"{s},{len(s)}\n" for s in smiles))
    data = load_dataset(path, target="y", conformers=3)
    split = make_split("random:8/3/3", data, 0)
    names = [{data.structures.names[i] for i in getattr(split, p)} for p in ("train", "test")]
    assert len(data) > len(smiles)
    assert not names[0] & names[1]
    assert set(data.structures.names) == set(smiles)


def test_a_study_takes_one_form_of_each_structure_and_says_so(
    model_folder: Path, alloys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    crystals = [str(alloys.parent / f"a{i}.cif") for i in range(4)]
    ask = ["--model", str(model_folder), "--disorder", "enumerate", "--quiet", "--limit", "4"]
    told = []
    for place, inputs in (("files", crystals), ("table", [str(alloys)])):
        out = tmp_path / place
        assert main(["study", "orbits", *inputs, *ask, "--out", str(out)]) in (0, 1)
        content = json.loads((out / "study.json").read_text())
        told.append([note for note in content["notes"] if "one of each was drawn" in note])
        assert content["n_structures"] == 4
        names = [row["name"] for row in rows_of(out / "inputs.csv")]
        assert len(names) == len({name[:2] for name in names}) == 4
    assert len(told[0]) == len(told[1]) == 1
    assert "of 4 structures" in told[0][0]


def test_one_form_each_is_drawn_by_the_seed_and_each_may_be(alloys: Path) -> None:
    data = load_dataset(alloys, target="y", disorder="enumerate", n_models=3)
    drawn = [one_form_each(data, seed) for seed in range(8)]
    assert {len(one) for one in drawn} == {20}
    assert all(len(set(one.row_numbers.tolist())) == 20 for one in drawn)
    whose = {b"".join(s.positions.tobytes() for s in one.structures) for one in drawn}
    assert len(whose) > 1
    assert one_form_each(drawn[0], 1) is drawn[0]


def test_ordered_models_of_a_crystal_are_told_in_one_line(alloys: Path) -> None:
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        read_structures(alloys.parent / "a1.cif", disorder="enumerate", n_models=4)
    said = [str(one.message) for one in heard]
    (line,) = [text for text in said if "drawn by the occupancies" in text]
    assert line.startswith("a1-0000, a1-0001, ")
    assert "ordered models" in line
