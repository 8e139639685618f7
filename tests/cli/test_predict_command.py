"""``atomlens predict``: the contract's JSON, files, exit codes."""

import csv
import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from atomlens.cli import main
from atomlens.structures.records import quiet

KEYS = {"name", "formula", "n_atoms", "signal", "signal_std", "unit"}
MORE = {"source"}
"""Beside the keys of the contract. The small model has too few validation values for intervals."""


def _predict(model: Path, *arguments: object) -> int:
    return main(["predict", str(model), *map(str, arguments)])


def test_json_is_one_array_with_a_failed_input_in_its_place(
    model_folder: Path, structures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = _predict(
        model_folder, structures / "water.xyz", structures / "broken.xyz", "smiles:CO", "CCO",
        "--format", "json",
    )  # fmt: skip
    shown = capsys.readouterr()
    records = json.loads(shown.out)
    assert code == 1
    assert set(records[0]) - {"warning"} == KEYS | MORE
    assert records[0]["name"] == "water"
    assert records[0]["formula"] == "H2O"
    assert records[0]["n_atoms"] == 3
    assert records[0]["unit"] == "eV"
    assert records[0]["signal_std"] > 0
    assert set(records[1]) == {"name", "source", "error"}
    assert records[3]["formula"] == "C2H6O"
    assert "1 of 4 inputs could not be used" in shown.err


def test_a_folder_gives_its_files_in_sorted_order(
    model_folder: Path, structures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _predict(model_folder, structures, "--format", "json") == 1
    names = [record["name"] for record in json.loads(capsys.readouterr().out)]
    assert names == ["broken.xyz", "methane", "water"]


def test_all_good_is_zero_and_a_table(
    model_folder: Path, structures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _predict(model_folder, structures / "water.xyz") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:4] == ["name", "formula", "n_atoms", "signal"]
    assert lines[2].split()[:2] == ["water", "H2O"]


def test_nothing_usable_is_two_and_one_sentence(
    model_folder: Path, structures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _predict(model_folder, structures / "broken.xyz") == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert "broken.xyz" in shown.err


@pytest.mark.parametrize("suffix", [".csv", ".json", ".jsonl"])
def test_a_file_holds_what_stdout_would(
    suffix: str, model_folder: Path, structures: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    out = tmp_path / f"p{suffix}"
    assert _predict(model_folder, structures / "water.xyz", "--out", out) == 0
    assert capsys.readouterr().out == ""
    text = out.read_text()
    if suffix == ".csv":
        (row,) = csv.DictReader(text.splitlines())
        assert row["name"] == "water"
        assert float(row["signal"]) == pytest.approx(float(row["signal"]))
    else:
        record = json.loads(text) if suffix == ".jsonl" else json.loads(text)[0]
        assert record["name"] == "water"


def test_csv_on_stdout_keeps_all_digits(
    model_folder: Path, structures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = (model_folder, structures / "water.xyz", "--format")
    _predict(*arguments, "csv")
    (row,) = csv.DictReader(capsys.readouterr().out.splitlines())
    _predict(*arguments, "json")
    assert float(row["signal"]) == json.loads(capsys.readouterr().out)[0]["signal"]


def test_an_unknown_kind_of_table_is_refused_before_any_work(
    model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _predict(model_folder, "CCO", "--out", "p.ods") == 2
    assert ".parquet" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["missing", "."])
def test_a_folder_that_is_no_model_is_one_sentence(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a").mkdir()
    assert _predict(tmp_path / name, "CCO") == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.filterwarnings("default")
def test_every_remark_about_an_input_is_one_line_on_stderr(
    model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _predict(model_folder, "CO", "--format", "json") == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)[0]["formula"] == "CH4O"
    of_the_text, of_coordinates = shown.err.splitlines()
    assert of_the_text.startswith("atomlens: warning: CO: valid as SMILES and as formula")
    assert of_coordinates.startswith("atomlens: warning: coordinates of 1 input were made here")


def test_a_text_with_its_atoms_in_brackets_is_taken_for_no_formula(
    model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _predict(model_folder, "[OH2]", "--format", "json") == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)[0]["formula"] == "H2O"
    assert "as formula" not in shown.err


def test_an_element_that_training_did_not_have_is_a_warning(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "hydrogen chloride.xyz"
    path.write_text("2\n\nCl 0 0 0\nH 0 0 1.27\n")
    assert _predict(model_folder, path, "--format", "json") == 0
    shown = capsys.readouterr()
    assert "no Cl" in json.loads(shown.out)[0]["warning"]
    assert shown.err.startswith("atomlens: warning: hydrogen chloride: the training data had no Cl")


DISORDERED = (
    "data_x\n_cell_length_a 4\n_cell_length_b 4\n_cell_length_c 8\n_cell_angle_alpha 90\n"
    "_cell_angle_beta 90\n_cell_angle_gamma 90\nloop_\n_atom_site_label\n_atom_site_fract_x\n"
    "_atom_site_fract_y\n_atom_site_fract_z\n_atom_site_occupancy\n"
    "N1 0 0 0 0.75\nO1 0 0 0 0.25\nN2 0 0 0.5 0.5\nO2 0 0 0.5 0.5\nC1 0.5 0.5 0.25 1\n"
)


def test_a_disordered_crystal_is_answered_by_choice(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mixed.cif"
    path.write_text(DISORDERED)
    assert _predict(model_folder, path) == 2
    assert "--disorder" in capsys.readouterr().err
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert _predict(model_folder, path, "--disorder", "majority", "--format", "json") == 0
    shown = capsys.readouterr()
    assert (
        "taken (of equal shares, N and O, the first in the file): C N2 for C N1.25 O0.75"
        in shown.err
    )
    (one,) = json.loads(shown.out)
    assert one["name"] == "mixed"
    choice = ("--disorder", "enumerate", "--ordered-models", "4", "--format", "json")
    with quiet():
        assert _predict(model_folder, path, structure_of_methane(tmp_path), *choice) == 0
    mean, methane = json.loads(capsys.readouterr().out)
    assert (mean["name"], mean["ordered_models"]) == ("mixed", 4)
    assert mean["signal_spread"] > 0
    assert mean["signal_std"] is None  # a crystal, for a model of molecules
    assert methane["signal_std"] > 0
    assert "mean of 4 ordered models" in mean["warning"]
    assert mean["formula"] == "CN1.25O0.75"  # that of the file
    assert "ordered_models" not in methane


def test_the_row_of_a_disordered_crystal_is_the_mean_of_its_models(
    model_folder: Path, tmp_path: Path
) -> None:
    from atomlens import load, read

    path = tmp_path / "mixed.cif"
    path.write_text(DISORDERED)
    model = load(model_folder)
    with quiet():
        whole = model.predict(path, disorder="enumerate", n_models=4)
        single = model.predict(
            [a.copy() for a in unmarked(read(path, disorder="enumerate", n_models=4))]
        )
    assert len(whole) == 1
    assert len(single) == 4
    assert whole.values[0, 0] == pytest.approx(single.values[:, 0].mean())
    assert whole.spread is not None
    assert whole.spread[0, 0] == pytest.approx(single.values[:, 0].std())


def unmarked(structures: list[Atoms]) -> list[Atoms]:
    for atoms in structures:
        del atoms.info["ordered_model"]
    return structures


def structure_of_methane(folder: Path) -> Path:
    path = folder / "methane.xyz"
    path.write_text(
        "5\nmethane\nC 0 0 0\nH 0.63 0.63 0.63\nH -0.63 -0.63 0.63\n"
        "H -0.63 0.63 -0.63\nH 0.63 -0.63 -0.63\n"
    )
    return path


@pytest.mark.parametrize("ending", [".json", ".csv"])
def test_a_second_run_does_not_read_what_the_first_wrote(
    ending: str, model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "water.xyz").write_text("3\n\nO 0 0 0\nH 0.76 0.59 0\nH -0.76 0.59 0\n")
    out = folder / f"predicted{ending}"
    for _ in range(2):
        assert main(["predict", str(model_folder), str(folder), "--out", str(out)]) == 0
        assert "left out" not in capsys.readouterr().err
    out.unlink()
    pages = folder / "pages"
    for _ in range(2):
        assert main(["explain", str(model_folder), str(folder), "--out", str(pages)]) == 0
        assert not (pages / "index.html").exists()


WATER = "3\n\nO 0 0 0\nH 0.96 0 0\nH -0.24 0.93 0\n"
DIATOMIC = "2\n\nC 0 0 0\nO 0 0 1.13\n"


@pytest.fixture
def namesakes(tmp_path: Path) -> Path:
    """Files of one name in folders of one name, one of them with two structures; and a table."""
    root = tmp_path / "n"
    for folder, text in (("x/d", WATER), ("y/d", DIATOMIC), ("z", WATER + DIATOMIC)):
        (root / folder).mkdir(parents=True)
        (root / folder / "a.xyz").write_text(text)
    (root / "t.csv").write_text("name,file,smiles\na,x/d/a.xyz,\n")
    (root / "s.csv").write_text("name,smiles\na,CCO\nb,QQQ\n")
    return root


def sources(root: Path) -> list[str]:
    given = [root / "x/d/a.xyz", root / "y/d/a.xyz", *[root / "z/a.xyz"] * 2]
    return [*map(str, given), str(root / "x/d/a.xyz"), str(root / "s.csv"), "smiles:CO"]


def given(root: Path) -> tuple[Path | str, ...]:
    return root / "x", root / "y", root / "z", root / "t.csv", root / "s.csv", "smiles:CO"


@pytest.mark.parametrize("suffix", [".csv", ".json", ".parquet"])
@pytest.mark.parametrize("at_once", [False, True])
def test_every_row_names_the_file_or_text_that_it_comes_from(
    suffix: str, at_once: bool, model_folder: Path, namesakes: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    pytest.importorskip("pyarrow")
    from atomlens.reports.tables import read_rows

    out = tmp_path / f"p{suffix}"
    more = ("--format", "table") if at_once else ()
    assert _predict(model_folder, *given(namesakes), "--out", out, *more) == 1
    rows = json.loads(out.read_text()) if suffix == ".json" else read_rows(out)
    good = [row for row in rows if not row.get("error")]
    assert [row["source"] for row in good] == sources(namesakes)
    (bad,) = [row for row in rows if row.get("error")]
    assert str(namesakes / "s.csv") in bad["error"]
    assert suffix == ".json" or bad["source"] == str(namesakes / "s.csv")
    if at_once:
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].split()[:2] == ["name", "source"]
        assert str(namesakes / "y/d/a.xyz") in lines[3]


def test_on_a_terminal_sources_stand_only_where_names_leave_them_open(
    model_folder: Path, structures: Path, namesakes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for inputs in ((structures / "water.xyz", "CCO", "smiles:CO"), (namesakes / "z",)):
        assert _predict(model_folder, *inputs) == 0
        assert "source" not in capsys.readouterr().out.splitlines()[0]
    assert _predict(model_folder, "CC", "smiles:CC") == 0
    assert capsys.readouterr().out.splitlines()[3].split()[1] == "smiles:CC"


@pytest.mark.parametrize("suffix", [".csv", ".json", ".parquet"])
def test_calibrated_intervals_are_in_every_output_with_their_share(
    suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pyarrow")
    import atomlens as al
    from atomlens.reports.tables import read_rows

    model, out = Path("box:formula-gap"), tmp_path / f"p{suffix}"
    assert _predict(model, "TiO2", "--out", out) == 0
    (row,) = json.loads(out.read_text()) if suffix == ".json" else read_rows(out)
    (known,) = al.load("box:formula-gap").predict("TiO2").to_frame().to_dict("records")
    for name in ("band_gap_low", "band_gap_high"):
        assert float(row[name]) == pytest.approx(known[name], abs=1e-5)
    assert float(row["band_gap_low"]) < float(row["band_gap"]) < float(row["band_gap_high"])
    assert float(row["interval"]) == 0.9
    assert _predict(model, "TiO2") == 0
    shown = capsys.readouterr().out
    assert {"band_gap_low", "band_gap_high"} <= set(shown.splitlines()[0].split())
    assert "band_gap_low to band_gap_high: 90 % of true values lie inside" in shown


def test_a_line_of_several_targets_leaves_the_ends_of_intervals_to_files(
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = Path("box:qm9")
    assert _predict(model, "CCO") == 0
    shown = capsys.readouterr().out
    heading, _, row, *_ = shown.splitlines()
    assert "_low" not in heading
    assert heading.split("  ")[-1] == "warning"
    assert "homo (eV)" in heading
    assert "±" in row
    assert max(map(len, (heading, row))) < 150
    assert row.endswith("geometry")
    assert "here if one target is asked for" in shown
    assert _predict(model, "CCO", "--target", "homo") == 0
    assert "homo_low" in capsys.readouterr().out.splitlines()[0]
    assert _predict(model, "CCO", "--format", "csv") == 0
    assert "cv_low,cv_high" in capsys.readouterr().out.splitlines()[0]


def test_one_target_is_rounded_as_several_are_and_files_keep_all_digits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = Path("box:qm9")
    assert _predict(model, "CCO") == 0
    of_several = capsys.readouterr().out.splitlines()[2]
    assert _predict(model, "CCO", "--target", "gap") == 0
    heading, _, row, *_ = capsys.readouterr().out.splitlines()
    assert heading.split()[3:7] == ["gap", "(eV)", "gap_low", "gap_high"]
    value, plus_minus, std, low, high = row.split()[3:8]
    assert f"{value} {plus_minus} {std}" in of_several
    assert [len(number.partition(".")[2]) for number in (value, std, low, high)] == [2, 2, 2, 2]
    assert _predict(model, "CCO", "--target", "gap", "--out", tmp_path / "p.csv") == 0
    (cells,) = csv.DictReader((tmp_path / "p.csv").read_text().splitlines())
    assert all(len(cells[name]) > 8 for name in ("gap", "gap_std", "gap_low", "gap_high"))


def test_a_table_has_marks_and_stderr_says_each_reason_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = Path("box:formula-gap")
    assert _predict(model, "Xe2", "TiO2", "Xe3", "C(C") == 1
    shown = capsys.readouterr()
    heading, _, xe2, oxide, xe3, bad = shown.out.splitlines()[:6]
    assert heading.split()[-2:] == ["warning", "error"]
    assert [line.split()[-1] for line in (xe2, xe3, bad)] == ["⚠", "⚠", "failed"]
    assert "⚠" not in oxide
    assert "had no Xe" not in shown.out
    assert shown.err.count("had no Xe") == 1
    assert "warning: Xe2, Xe3: the training data had no Xe" in shown.err
    assert "brackets" in shown.err
    assert _predict(model, "Xe2", "C(C", "--format", "csv") == 1
    whole = capsys.readouterr().out
    assert "had no Xe" in whole
    assert "brackets" in whole


def test_reasons_beyond_the_first_are_in_files(capsys: pytest.CaptureFixture[str]) -> None:
    strange = [f"{gas}2" for gas in ("He", "Ne", "Ar", "Kr", "Xe", "Rn", "Po")]
    assert _predict(Path("box:formula-gap"), *strange) == 0
    shown = capsys.readouterr()
    reasons = [line for line in shown.err.splitlines() if "the training data had no" in line]
    assert len(reasons) == 5
    assert "and 2 more, which have ⚠ in the table; --format csv and --out FILE say why" in shown.err


def test_without_calibration_no_interval_is_shown(tmp_path: Path) -> None:
    import dataclasses

    import atomlens as al
    from atomlens.predictor import Calibration

    model = al.load("box:formula-gap")
    for calibration in (
        Calibration.nothing(1),
        Calibration.fit(np.array([[0.1], [0.2], [-0.1]]), None),  # too few for a promise
    ):
        rows = dataclasses.replace(model, calibration=calibration).predict("TiO2").to_rows()
        assert not {"band_gap_low", "band_gap_high", "interval"} & set(rows[0])


def test_of_several_targets_those_that_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("predict", "box:qm9", "CCO", "--target", "gap", "--target", "homo")
    assert main([*words, "--format", "json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert record["unit"] == {"homo": "eV", "gap": "eV"}
    assert {"homo", "gap_high"} <= set(record)
    assert not {"lumo", "cv_std"} & set(record)
    assert main([*words, "--out", str(tmp_path / "p.csv")]) == 0
    (row,) = csv.DictReader((tmp_path / "p.csv").read_text().splitlines())
    assert {"homo", "gap_high"} <= set(row)
    assert not {"lumo", "cv_std"} & set(row)


def test_a_target_that_the_model_has_not_is_one_sentence(
    model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _predict(model_folder, "CCO", "--target", "signals") == 2
    shown = capsys.readouterr()
    assert "Did you mean 'signal'?" in shown.err
    assert shown.err.count("\n") == 1
    assert shown.out == ""
    assert main(["predict", "box:qm9", "CCO", "--target", "homo,gap", "--format", "json"]) == 0
    assert set(json.loads(capsys.readouterr().out)[0]["unit"]) == {"homo", "gap"}


@pytest.mark.parametrize("name", ["qm9:homo", "box:qm9:homo"])
def test_a_model_with_a_target_behind_it_is_told_where_that_goes(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", name, "CCO"]) == 2
    assert "--target homo" in capsys.readouterr().err


def test_an_embedding_names_its_sources(
    model_folder: Path, namesakes: Path, tmp_path: Path
) -> None:
    out = tmp_path / "v.npz"
    files = [namesakes / "x/d/a.xyz", namesakes / "z/a.xyz"]
    assert _predict(model_folder, *files, "--embedding", out) == 0
    assert np.load(out)["sources"].tolist() == [str(files[0]), str(files[1]), str(files[1])]


def test_a_second_word_behind_target_is_no_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "box:qm9", "CCO", "--target", "homo", "gap"]) == 2
    assert "for both say --target homo --target gap" in capsys.readouterr().err
