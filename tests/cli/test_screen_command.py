"""``atomlens screen``: the rows of ``predict``, filtered, in a folder that a kill leaves whole."""

import csv
import json
import shutil
from pathlib import Path

import pandas
import pytest

import atomlens as al
from atomlens.cli import main
from atomlens.errors import SettingsError
from atomlens.reports.wording import value_with_error
from atomlens.screening import screen
from screening_makers import contents, waters

pytest.importorskip("pyarrow")

SALT = (
    "data_salt\n_cell_length_a 5.6\n_cell_length_b 5.6\n_cell_length_c 5.6\n_cell_angle_alpha 90\n"
    "_cell_angle_beta 90\n_cell_angle_gamma 90\n_space_group_IT_number 225\nloop_\n"
    "_atom_site_label\n_atom_site_type_symbol\n_atom_site_fract_x\n_atom_site_fract_y\n"
    "_atom_site_fract_z\nNa Na 0 0 0\nCl Cl .5 .5 .5\n"
)


@pytest.fixture
def two(model_folder: Path, tmp_path: Path) -> tuple[str, str]:
    """The small model under two names, with equal targets."""
    places = []
    for name in ("first", "second-one"):
        shutil.copytree(model_folder, tmp_path / "models" / name)
        places.append(str(tmp_path / "models" / name))
    return places[0], places[1]


def run(*words: object) -> int:
    return main(["screen", *map(str, words)])


def frame(folder: Path) -> pandas.DataFrame:
    return pandas.read_parquet(folder / "results.parquet")


def csv_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_rows_are_those_of_predict(model_folder: Path, tmp_path: Path) -> None:
    many = waters(tmp_path / "many", 20)
    out = tmp_path / "out"
    assert run(model_folder, many, "--out", out, "--shard-size", 7, "--keep-duplicates") == 0
    rows = al.load(model_folder).predict(str(many)).to_rows()
    found = frame(out)
    assert found["name"].tolist() == [row["name"] for row in rows]
    for name in ("signal", "signal_std"):
        expected = [row[name] for row in rows]
        assert found[name].tolist() == pytest.approx(expected, abs=1e-5)
    assert found["formula"].tolist() == ["H2O"] * 20
    assert set(found["source"]) == {str(path) for path in many.iterdir()}


def test_equal_columns_of_two_models_get_the_names_of_the_models(
    two: tuple[str, str], tmp_path: Path
) -> None:
    assert run(*two, "CCO", "c1ccccc1", "--out", tmp_path / "out") == 0
    found = frame(tmp_path / "out")
    assert {"first_signal", "second_one_signal", "first_seen_in"} <= set(found)
    assert "signal" not in found
    assert found["first_signal"].tolist() == found["second_one_signal"].tolist()


def test_some_targets_are_wanted_of_models_of_several(tmp_path: Path) -> None:
    kept, words = tmp_path / "out", ["--format", "csv"]
    wanted = ["--target", "band_gap"]
    salt = tmp_path / "salt.cif"
    salt.write_text(SALT)
    assert run("mp", salt, "--out", kept, *wanted, *words) == 0
    (row,) = csv_rows(kept / "results.csv")
    assert float(row["band_gap"]) == pytest.approx(
        al.load("mp").predict(str(salt)).to_rows()[0]["band_gap"], abs=1e-5
    )
    assert {"band_gap_std", "band_gap_low", "band_gap_unit"} <= set(row)
    assert not [name for name in row if name.startswith("formation")]
    assert run("--out", kept, "--resume") == 0


def test_targets_that_no_model_or_only_others_have_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run("mp", "formula-gap", "NaCl", "--out", out, "--target", "formation_energy") == 2
    assert "the model formula_gap has none of formation_energy" in capsys.readouterr().err
    assert run("mp", "NaCl", "--out", out, "--target", "formation_energi") == 2
    assert "Did you mean 'formation_energy'" in capsys.readouterr().err
    assert not out.exists()


def test_a_condition_an_order_and_a_number_choose(model_folder: Path, tmp_path: Path) -> None:
    many = waters(tmp_path / "many", 12)
    values = sorted(row["signal"] for row in al.load(model_folder).predict(str(many)).to_rows())
    where = f"signal >= {values[4]!r} - 1e-6 and 'O' in elements"
    options = ("--where", where, "--by", "signal", "--top", 3)
    assert run(model_folder, many, "--out", tmp_path / "high", *options) == 0
    high = frame(tmp_path / "high")["signal"].tolist()
    assert high == pytest.approx(values[:-4:-1], abs=1e-6)
    assert run(model_folder, many, "--out", tmp_path / "low", *options, "--lowest") == 0
    assert frame(tmp_path / "low")["signal"].tolist() == pytest.approx(values[4:7], abs=1e-6)
    counts = json.loads((tmp_path / "low" / "screen.json").read_text())["counts"]
    assert (counts["inputs"], counts["passed"], counts["results"]) == (12, 8, 3)


def test_equal_structures_are_merged_and_named(model_folder: Path, tmp_path: Path) -> None:
    many = waters(tmp_path / "many", 3)
    shutil.copy(many / "w000.xyz", many / "again.xyz")
    shutil.copy(many / "w000.xyz", many / "z.xyz")
    assert run(model_folder, many, "--out", tmp_path / "out", "--shard-size", 2) == 0
    found = frame(tmp_path / "out")
    assert found["name"].tolist() == ["again", "w001", "w002"]
    assert found["n_same"].tolist() == [3, 1, 1]
    assert found["also"].tolist()[0] == "w000, z"
    rows = csv_rows(tmp_path / "out" / "duplicates.csv")
    assert [(row["kept"], row["name"]) for row in rows] == [("again", "w000"), ("again", "z")]
    assert {row["kept_source"] for row in rows} == {str(many / "again.xyz")}


def test_equal_names_are_told_apart_by_their_sources(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = waters(tmp_path / "a", 2), waters(tmp_path / "b", 1)
    (first / "w001.xyz").rename(tmp_path / "w000.xyz")
    assert run(model_folder, tmp_path / "w000.xyz", first, "--out", tmp_path / "two") == 0
    shown = capsys.readouterr().out
    assert str(first / "w000.xyz") in shown
    assert str(tmp_path / "w000.xyz") in shown
    assert run(model_folder, first, second, "--out", tmp_path / "out", "--format", "csv") == 0
    assert str(first) not in capsys.readouterr().out.split("Results")[0]
    (row,) = csv_rows(tmp_path / "out" / "results.csv")
    assert row["also"] == f"w000 ({second / 'w000.xyz'})"
    (row,) = csv_rows(tmp_path / "out" / "duplicates.csv")
    assert (row["kept"], row["kept_source"]) == ("w000", str(first / "w000.xyz"))
    assert (row["name"], row["source"]) == ("w000", str(second / "w000.xyz"))


def test_a_dead_link_keeps_its_folder(model_folder: Path, tmp_path: Path) -> None:
    many = waters(tmp_path / "many", 1)
    (many / "dead.xyz").symlink_to(tmp_path / "nowhere")
    assert run(model_folder, many, "--out", tmp_path / "out", "--format", "csv") == 1
    (row,) = csv_rows(tmp_path / "out" / "failures.csv")
    assert (row["name"], row["source"]) == ("dead.xyz", str(many / "dead.xyz"))
    table = tmp_path / "t.csv"
    assert main(["predict", str(model_folder), str(many), "--out", str(table), "--quiet"]) == 1
    assert {row["source"] for row in csv_rows(table)} == set(map(str, many.iterdir()))


def test_a_whole_command_with_resume_begins_where_nothing_was_begun(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = (model_folder, "CCO", "--format", "csv", "--out", out, "--resume")
    assert run(*words) == 0
    assert "no screening was begun here, so it begins now" in capsys.readouterr().err
    assert run(*words) == 0
    assert "1 of 1 shard" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_shards_hold_what_is_for_readers_and_nothing_else(
    kind: str, model_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert run(model_folder, "CCO", "CC", "OCC", "--out", out, "--format", kind) == 0
    if kind == "parquet":
        found = pandas.read_parquet(out / "shards")
    else:
        found = pandas.read_json(out / "shards" / "000000.jsonl", lines=True)
    assert found["name"].tolist() == ["CCO", "CC", "OCC"]
    columns = [c["name"] for c in json.loads((out / "screen.json").read_text())["columns"]]
    assert set(found) == {*columns, "state"}
    before = contents(out)
    assert json.loads((out / "screen.json").read_text())["counts"]["duplicates"] == 1
    beside = out / "shards" / ".000000.json"
    beside.write_text("{}")
    assert run("--out", out, "--resume") == 0
    assert contents(out) == before


def test_points_of_a_fine_series_are_candidates_and_copies_are_not(tmp_path: Path) -> None:
    for name, side in (("a", "5.600"), ("b", "5.601"), ("c", "5.602"), ("d", "5.6000")):
        text = SALT.replace("length_a 5.6", f"length_a {side}").replace("c 5.6", f"c {side}")
        (tmp_path / f"{name}.cif").write_text(text.replace("b 5.6", f"b {side}"))
    mixed = SALT.replace("_fract_z\n", "_fract_z\n_atom_site_occupancy\n")
    for share in (0.9, 0.95):  # in a cell of four the first models are equal: both are full
        text = mixed.replace("Na 0 0 0", f"Na 0 0 0 {share}").replace(".5 .5 .5", ".5 .5 .5 1")
        (tmp_path / f"{share}.cif").write_text(text)
    options = ("--disorder", "enumerate", "--format", "csv", "--target", "band_gap")
    assert run("mp", tmp_path, "--out", tmp_path / "out", *options) == 0
    rows = csv_rows(tmp_path / "out" / "results.csv")
    assert [row["name"] for row in rows] == ["0.9", "0.95", "a", "b", "c"]
    assert [row["also"] for row in rows] == ["", "", "d", "", ""]
    assert [row["formula"] for row in rows[:2]] == ["Na3.6Cl4", "Na3.8Cl4"]


def test_mirror_images_are_two_candidates(model_folder: Path, tmp_path: Path) -> None:
    left, right = "C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O"
    words = (left, right, "OC(=O)[C@@H](N)C", "--format", "csv")
    assert run(model_folder, *words, "--out", tmp_path / "out") == 0
    rows = csv_rows(tmp_path / "out" / "results.csv")
    assert [row["n_same"] for row in rows] in (["1", "2"], ["2", "1"])
    assert rows[0]["signal"][:6] == rows[1]["signal"][:6]


@pytest.mark.filterwarnings("always:.*left out, since their names")
def test_failures_are_listed_and_the_others_go_on(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    many = waters(tmp_path / "many", 3)
    (many / "broken.xyz").write_text("3\nbroken\nO 0 0 0\n")
    (many / "metrics.json").write_text("{}")
    (many / "old.cif.bak").write_text(SALT)
    assert run(model_folder, many, "nothing.cif", "--out", tmp_path / "out") == 1
    said = capsys.readouterr().err
    assert "2 of 7 inputs could not be used" in said
    assert "only 1 line follows" in said
    assert "there is no such file" in said
    rows = csv_rows(tmp_path / "out" / "failures.csv")
    assert [row["state"] for row in rows] == ["failed", "left out", "failed", "left out"]
    assert "looks like CIF; to have it used" in rows[3]["error"]
    assert (rows[3]["name"], rows[3]["source"]) == ("old.cif.bak", str(many / "old.cif.bak"))
    counts = json.loads((tmp_path / "out" / "screen.json").read_text())["counts"]
    assert (counts["inputs"], counts["answered"], counts["left out"]) == (7, 3, 2)
    assert len(frame(tmp_path / "out")) == 3


def test_nothing_usable_is_exit_code_2(model_folder: Path, tmp_path: Path) -> None:
    assert run(model_folder, "nothing.cif", "--out", tmp_path / "out") == 2
    assert len(frame(tmp_path / "out")) == 0


def test_an_input_of_which_one_model_cannot_say_anything_stays(
    model_folder: Path, tmp_path: Path
) -> None:
    """The toy model needs positions; the box has one for formulas."""
    out = tmp_path / "out"
    assert run(model_folder, "formula-gap", "formula:TiO2", "CCO", "--out", out) == 0
    found = frame(out)
    assert found["band_gap"].notna().tolist() == [True, True]
    assert found["signal"].notna().tolist() == [False, True]
    assert "bare formula" in found["error"].iloc[0]
    assert run(model_folder, "formula-gap", "CCO", "--out", out) == 2


def test_columns_of_a_table_can_be_asked_for(model_folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("smiles,name,my price,signal\nCCO,a,3,7\nCC,b,30,8\nC,c,,9\nxx(,d,1,1\n")
    out = tmp_path / "out"
    assert run(model_folder, table, "--out", out, "--where", "signal_input != '8'") == 1
    found = frame(out)
    assert found["name"].tolist() == ["a", "c"]
    assert found["my price"].tolist()[0] == "3"
    where = ("--where", "`my price` == '30'", "--format", "csv")
    assert run(model_folder, table, "--out", tmp_path / "csv", *where) == 1
    rows = csv_rows(tmp_path / "csv" / "results.csv")
    assert [row["name"] for row in rows] == ["b"]


def test_cells_that_are_numbers_are_compared_sorted_and_kept(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "t.csv"
    table.write_text("smiles,id,my price,note\nCCO,007,10,x\nCC,8,9,x\nOCC,9,11,x\nC,10,200,x\n")
    wish = ("--where", "`my price` < 30", "--by", "`my price`", "--lowest", "--format", "csv")
    assert run(model_folder, table, "--out", tmp_path / "out", *wish) == 0
    assert [row["my price"] for row in csv_rows(tmp_path / "out" / "results.csv")] == ["9", "10"]
    assert csv_rows(tmp_path / "out" / "results.csv")[1]["id"] == "007"
    (merged,) = csv_rows(tmp_path / "out" / "duplicates.csv")
    assert (merged["id"], merged["my price"]) == ("9", "11")
    assert "note" not in capsys.readouterr().err
    with pytest.warns(UserWarning, match="'note' has nothing"):
        screen(model_folder, table, tmp_path / "2", where="note < 3", format="csv", n_workers=1)


def test_parquet_and_csv_hold_the_same_numbers(model_folder: Path, tmp_path: Path) -> None:
    many = waters(tmp_path / "many", 5)
    for kind in ("parquet", "csv"):
        assert run(model_folder, many, "--out", tmp_path / kind, "--format", kind) == 0
    text = pandas.read_csv(tmp_path / "csv" / "results.csv")
    assert text["signal"].tolist() == frame(tmp_path / "parquet")["signal"].tolist()


def test_long_files_are_read_in_parts_with_the_same_rows(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from atomlens.structures import parts

    frames = [p.read_text() for p in sorted(waters(tmp_path / "many", 11).iterdir())]
    frames.insert(4, "3\nno element\nXx 0 0 0\nH 1 0 0\nH 0 1 0\n")
    path = tmp_path / "all.xyz"
    path.write_text("".join(frames) + "\n\n")
    assert run(model_folder, path, "--out", tmp_path / "whole") == 1
    monkeypatch.setattr(parts, "_LONG", 1)
    monkeypatch.setattr(parts, "_TOGETHER", 4)
    assert run(model_folder, path, "--out", tmp_path / "parts", "--shard-size", 4) == 1
    pandas.testing.assert_frame_equal(frame(tmp_path / "whole"), frame(tmp_path / "parts"))
    for name in ("failures.csv",):
        assert (tmp_path / "whole" / name).read_text() == (tmp_path / "parts" / name).read_text()
    assert len(list((tmp_path / "parts" / "shards").glob("*.parquet"))) == 3


def test_the_number_of_workers_changes_nothing(model_folder: Path, tmp_path: Path) -> None:
    many = waters(tmp_path / "many", 12)
    for n in (1, 2):
        out = tmp_path / f"out{n}"
        assert run(model_folder, many, "--out", out, "--shard-size", 5, "--workers", n) == 0
    assert contents(tmp_path / "out1") == contents(tmp_path / "out2")


def test_what_is_finished_is_not_done_again(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    many = waters(tmp_path / "many", 12)
    out, command = tmp_path / "out", (model_folder, many, "--shard-size", 5)
    assert run(*command, "--out", out) == 0
    before = contents(out)
    (out / "shards" / "000001.parquet").unlink()
    (out / "shards" / "000002.parquet").write_bytes(b"damaged")
    assert run("--out", out, "--resume") == 0
    assert "1 of 3 shards were finished" in capsys.readouterr().err
    assert contents(out) == before
    assert run("--out", out, "--resume", "--strict") == 2
    assert "leave --strict out" in capsys.readouterr().err
    assert run("--out", out, "--resume", "--quiet", "--workers", 1) == 0


def test_what_was_changed_is_done_again(model_folder: Path, tmp_path: Path) -> None:
    many = waters(tmp_path / "many", 12)
    command = (model_folder, many, "--shard-size", 5)
    assert run(*command, "--out", tmp_path / "out") == 0
    (many / "w011.xyz").unlink()
    (many / "w010.xyz").unlink()
    (many / "w003.xyz").write_text("1\nhelium\nHe 0 0 0\n")
    assert run(*command, "--out", tmp_path / "out") == 0
    assert run(*command, "--out", tmp_path / "new") == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "new")
    assert "He" in frame(tmp_path / "out")["formula"].tolist()


def test_another_command_in_the_same_folder_is_refused(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(model_folder, "CCO", "--out", out) == 0
    before = contents(out)
    for words in (
        (model_folder, "CC"),
        (model_folder, "CCO", "--where", "signal > 0"),
        (model_folder, "CCO", "--by", "signal"),
        (model_folder, "CCO", "--format", "csv"),
        (model_folder, model_folder, "CCO"),
        (model_folder, "CC", "--resume"),
    ):
        assert run(*words, "--out", out) == 2
        said = capsys.readouterr().err
        assert "another screening is in this folder" in said
        assert ("give `--resume` as well" in said) is ("--where" in words or "--by" in words)
    assert contents(out) == before
    text = (model_folder / "settings.json").read_text()
    (tmp_path / "m").mkdir()
    for path in model_folder.iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path / "m" / path.name)
    assert run(tmp_path / "m", "CCO", "--out", tmp_path / "again") == 0
    (tmp_path / "m" / "settings.json").write_text(f"{text}\n")
    assert run(tmp_path / "m", "CCO", "--out", tmp_path / "again") == 2
    assert "trained again since" in capsys.readouterr().err


TABLE = (
    'smiles,id,price,stock\nCCO,a,"1,500",1\nCC,b,2.5,2\nOCC,d,9,3\nC(O)C,e,x,4\n'
    'CCC,f,"1,000.5",x\n'
)


@pytest.mark.filterwarnings("ignore:.*is no number in")
@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_other_results_are_chosen_among_the_same_predictions(
    kind: str,
    model_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table, out = tmp_path / "t.csv", tmp_path / "out"
    table.write_text(TABLE)
    command = (model_folder, table, "--format", kind, "--shard-size", 2, "--workers", 1)
    wishes = [
        ("--where", "price > 3"),
        ("--by", "price", "--lowest", "--top", 2),
        ("--where", "stock < 4", "--by", "signal"),
        (),
    ]
    assert run(*command, "--out", out) == 0
    for number, wish in enumerate(wishes):
        assert run(*command, *wish, "--out", tmp_path / f"new-{number}") == 0
    monkeypatch.setattr("atomlens.screening.jobs.answers", None)  # nothing is predicted from here
    for number, wish in enumerate(wishes):
        capsys.readouterr()
        assert run(*command, *wish, "--out", out, "--resume") == 0
        assert "chosen anew among the same predictions" in capsys.readouterr().err
        assert contents(out) == contents(tmp_path / f"new-{number}")


def test_what_is_not_chosen_anew_stays_as_it_was(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    wish = ("--where", "n_atoms > 5", "--by", "n_atoms", "--lowest", "--top", 2)
    words = ("C", "CC", "CCC", "CCCC", "--out", out)
    assert run(model_folder, *words, *wish, "--format", "csv") == 0

    def kept(*again: object) -> list[str]:
        assert run("--out", out, "--resume", *again) == 0
        return [row["name"] for row in csv_rows(out / "results.csv")]

    assert kept() == ["CC", "CCC"]
    assert kept("--top", 1) == ["CC"]
    assert "top 1 (before: 2)" in capsys.readouterr().err
    assert kept("--where", "n_atoms < 12", "--top", 3) == ["C", "CC", "CCC"]
    assert kept("--by", "n_atoms + 0") == ["CCC", "CC", "C"]
    assert kept("--lowest") == ["C", "CC", "CCC"]
    assert kept() == ["C", "CC", "CCC"]
    assert run("--out", out, "--resume", "--where", "nonsense > 1") == 2
    assert kept() == ["C", "CC", "CCC"]
    result = al.screen(
        str(model_folder), list(words[:4]), out, format="csv", by="n_atoms", resume=True
    )
    assert [row["name"] for row in result.rows()] == ["CCCC", "CCC", "CC", "C"]
    assert result.n_reused == result.n_shards
    with pytest.raises(SettingsError, match="another screening"):
        al.screen(str(model_folder), ["C"], out, format="csv", by="n_atoms", resume=True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("CCO",), "no model folder, nor model in the box, 'CCO'"),
        ((), "needs a model"),
        (("formula-gap",), "nothing to screen"),
        (("formula-gap", "TiO2", "--where", "gap > 1"), "Did you mean 'band_gap'"),
        (
            ("formula-gap", "TiO2", "--where", "band_gap"),
            "band_gap is a number and is no condition",
        ),
        (("formula-gap", "TiO2", "--by", "nonsense("), "no expression"),
        (("formula-gap", "TiO2", "--top", "3"), "`top` needs an order"),
        (("formula-gap", "TiO2", "--lowest"), "--by"),
        (("formula-gap", "TiO2", "--top", "0", "--by", "band_gap"), "top must be 1 or more"),
        (("formula-gap", "TiO2", "--shard-size", "0"), "shard_size must be 1 or more"),
        (("--resume",), "no screening here that could go on; give the whole command"),
        (("formula-gap", "TiO2", "--device", "cuda:93"), "cannot be used"),
        (("formula-gap", "TiO2", "--workers", "-1"), "auto or a whole number"),
    ],
)
def test_impossible_wishes_are_one_sentence(
    words: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(*words, "--out", out) == 2
    found = capsys.readouterr().err
    assert said in found
    assert "bug" not in found
    assert not out.exists()


def test_a_folder_with_something_else_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert run("formula-gap", "TiO2", "--out", tmp_path) == 2
    assert "something else is in this folder (notes.txt)" in capsys.readouterr().err
    assert run("formula-gap", "TiO2", "--out", tmp_path / "notes.txt") == 2
    assert "this is a file" in capsys.readouterr().err
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "screen.json").write_text('{"settings": 3}')
    assert run("formula-gap", "TiO2", "--out", tmp_path / "m") == 2
    assert "manifest" in capsys.readouterr().err
    (tmp_path / "m" / "screen.json").write_text('{"settings": {"models": [3]}}')
    assert run("--out", tmp_path / "m", "--resume") == 2
    assert "damaged" in capsys.readouterr().err


def test_python_users_call_the_same(model_folder: Path, tmp_path: Path) -> None:
    result = al.screen(
        model_folder, ["CCO", "CC"], tmp_path / "out", by="signal", top=1, progress=True
    )
    assert len(result.rows()) == result.counts["results"] == 1
    assert result.table == tmp_path / "out" / "results.parquet"
    with pytest.raises(SettingsError, match="tops"):
        screen(model_folder, "CCO", tmp_path / "out", tops=3)
    with pytest.raises(SettingsError, match="takes paths, SMILES and formulas, and got an int"):
        screen(model_folder, 3, tmp_path / "out")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match=r"xlsx.*csv, parquet"):
        screen(model_folder, "CCO", tmp_path / "out", format="xlsx")


def test_without_pyarrow_csv_is_offered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from atomlens.reports import tables

    monkeypatch.setattr(tables, "find_spec", lambda name: None)
    assert run("formula-gap", "TiO2", "--out", tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert "atomlens[tables]" in said
    assert "--format csv" in said
    assert "write .csv" not in said


def test_an_input_that_ends_its_process_is_a_failure_of_its_own(
    model_folder: Path, tmp_path: Path
) -> None:
    """A reader from outside that kills the process it runs in stands for a bug in a parser."""
    from atomlens.predictor.inputs.pieces import Piece, pieces_of
    from atomlens.screening.jobs import screen_shard
    from atomlens.screening.running import run_here
    from atomlens.screening.shards import Shard
    from screening_makers import job_of, pieces_that_kill

    job = job_of(model_folder)
    good = list(pieces_of([str(waters(tmp_path / "many", 4))], {}))
    bad: Piece = pieces_that_kill(tmp_path)
    shards = [Shard(0, tuple(good[:2])), Shard(1, (good[2], bad, good[3]))]
    rows = {shard.number: own for shard, own in run_here(job, iter(shards), 2)}
    assert rows[0] == screen_shard(job, good[:2])
    assert [row["state"] for row in rows[1]] == ["answered", "failed", "answered"]
    assert "ended the process" in rows[1][1]["error"]
    alone = screen_shard(job, good[2:])
    assert [row["signal"] for row in rows[1] if row["signal"]] == [r["signal"] for r in alone]


def test_the_terminal_shows_values_with_their_errors_and_marks_for_reasons(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("box:formula-gap", "TiO2", "Xe2", "XeNe", "--where", "band_gap > -9", "--by", "unlike")
    assert run(*given, "--out", tmp_path / "out") == 0
    shown = capsys.readouterr()
    heading, _, *strange, oxide = shown.out.splitlines()[:5]
    assert "band_gap (eV)" in heading
    assert "band_gap_std" not in heading
    found = frame(tmp_path / "out")
    value, std = (float(found[name][2]) for name in ("band_gap", "band_gap_std"))
    assert value_with_error(value, std) in oxide
    assert len(str(value)) > 10
    assert [line.split()[-1] for line in strange] == ["⚠", "⚠"]
    assert "⚠" not in oxide
    assert "had no Xe" in shown.err
    assert "had no Xe" not in shown.out


def test_two_models_say_a_sentence_once(two: tuple[str, str], tmp_path: Path) -> None:
    path = tmp_path / "x.xyz"
    path.write_text("3\nwater\nAu 0 0 0\nD 0 0 1.52\nO 0 0 -2.0\n")
    changed = Path(two[1]) / "settings.json"
    content = json.loads(changed.read_text())
    content["elements"] = [1, 6]  # says more than the other of the same structure
    del content["answers_sha256"]
    changed.write_text(json.dumps(content))
    assert run(*two, path, "--out", tmp_path / "out") == 0
    said = frame(tmp_path / "out")["warning"][0]
    assert said.count("deuterium") == 1
    assert "first: " not in said.split("; ")[0]
    assert "; second_one: the training data had no" in said
    assert said.count("had no Au") == said.count("had no") - 1 == 1


def test_what_a_merged_duplicate_was_warned_of_stays(model_folder: Path, tmp_path: Path) -> None:
    many = waters(tmp_path / "many", 2)
    text = (many / "w000.xyz").read_text()
    (many / "x-heavy.xyz").write_text(text.replace("H 0.96", "D 0.96"))
    (many / "y-again.xyz").write_text(text)
    assert run(model_folder, many, "--out", tmp_path / "out") == 0
    found = frame(tmp_path / "out")
    assert found["name"].tolist() == ["w000", "w001"]
    said = found["warning"].fillna("").tolist()
    assert "x-heavy, the same structure: deuterium" in said[0]
    assert "y-again" not in said[0]
    assert "deuterium" not in said[1]
    rows = csv_rows(tmp_path / "out" / "duplicates.csv")
    assert ["deuterium" in row["warning"] for row in rows] == [True, False]


def test_models_of_formulas_read_a_text_that_is_both_as_predict_does(tmp_path: Path) -> None:
    words = ("formula-gap", "formula-formation-energy", "BN", "CO", "smiles:C", "--format", "csv")
    assert run(*words, "--out", tmp_path / "out") == 0
    rows = csv_rows(tmp_path / "out" / "results.csv")
    assert [row["formula"] for row in rows] == ["BN", "CO", "CH4"]
    assert not any("read as SMILES" in row["warning"] for row in rows)
    expected = al.load("box:formula-gap").predict(["BN", "CO"]).values[:, 0]
    assert [float(row["band_gap"]) for row in rows[:2]] == pytest.approx(expected, abs=1e-5)


def test_one_model_that_wants_atoms_makes_it_the_smiles_for_all(tmp_path: Path) -> None:
    assert run("formula-gap", "qm9", "CO", "--format", "csv", "--out", tmp_path / "out") == 0
    (row,) = csv_rows(tmp_path / "out" / "results.csv")
    assert row["formula"] == "CH4O"
    assert row["homo"]
    assert row["band_gap"]
    assert "read as SMILES" in row["warning"]


def test_cells_of_one_crystal_are_one_candidate_unless_a_target_grows_with_them(tmp_path) -> None:
    from ase.build import bulk
    from ase.io import write

    folder = tmp_path / "cells"
    folder.mkdir()
    small, large = bulk("MgO", "rocksalt", a=4.2), bulk("MgO", "rocksalt", a=4.2, cubic=True)
    for name, atoms in (("a", small), ("b", large), ("c", small.repeat((2, 1, 1)))):
        write(folder / f"{name}.vasp", atoms)
    table = tmp_path / "t.csv"
    table.write_text("smiles,y\n" + "".join(f"{'C' * n},{n}\n" for n in range(1, 13)))
    for options, n_same in (([], ["3"]), (["--extensive"], ["1", "1", "1"])):
        model = tmp_path / f"m{len(options)}"
        words = [
            "train",
            str(table),
            "--target",
            "y",
            "--model",
            "mean",
            "--out",
            str(model),
            "--quiet",
            *options,
        ]
        assert main(words) == 0
        out = tmp_path / f"s{len(options)}"
        assert run(model, folder, "--out", out, "--format", "csv") == 0
        assert [row["n_same"] for row in csv_rows(out / "results.csv")] == n_same


def test_ends_of_calibrated_intervals_are_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, where = tmp_path / "out", "band_gap_low < band_gap_high"
    assert run("formula-gap", "TiO2", "ZnS", "--where", where, "--out", out) == 0
    found = frame(out)
    expected = al.load("box:formula-gap").predict(["TiO2", "ZnS"])
    assert found["band_gap_low"].tolist() == pytest.approx(expected.interval_low[:, 0], abs=1e-5)
    assert found["band_gap_high"].tolist() == pytest.approx(expected.interval_high[:, 0], abs=1e-5)
    columns = {
        c["name"]: c["unit"] for c in json.loads((out / "screen.json").read_text())["columns"]
    }
    assert columns["band_gap_low"] == columns["band_gap_high"] == "eV"
    shown = capsys.readouterr().out
    assert "band_gap_low" not in shown
    assert "band_gap (eV)  " in shown


@pytest.mark.filterwarnings("always:by ")
def test_an_order_without_values_is_said(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    many = waters(tmp_path / "many", 2)
    assert run(model_folder, many, "--out", tmp_path / "a", "--by", "log(-1 - abs(signal))") == 0
    assert "it has no value for any of 2 candidates" in capsys.readouterr().err


def test_warnings_of_several_models_say_whose_they_are(
    two: tuple[str, str], tmp_path: Path
) -> None:
    assert run(*two, "smiles:[Au]", "--out", tmp_path / "out", "--format", "csv") == 0
    (row,) = csv_rows(tmp_path / "out" / "results.csv")
    assert "first, second_one: the training data had no Au" in row["warning"]
    assert run(two[0], "smiles:[Au]", "--out", tmp_path / "one", "--format", "csv") == 0
    (row,) = csv_rows(tmp_path / "one" / "results.csv")
    assert "first: " not in row["warning"]
    assert "the training data had no Au" in row["warning"]


def test_a_column_of_a_table_says_what_its_commas_mean(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, out = tmp_path / "t.csv", tmp_path / "out"

    def kept(text: str) -> list[str]:
        table.write_text(text)
        wish = {"where": "price < 3", "format": "csv", "shard_size": 1, "n_workers": 1}
        screen(model_folder, table, out, **wish)
        return [row["price"] for row in csv_rows(out / "results.csv")]

    table_with_semicolons = "id;smiles;price\na;CCO;1,500\nb;CC;2,5\nc;C;10\nd;CCC;9\n"
    assert kept(table_with_semicolons) == ["1,500", "2,5"]
    first = 'id,smiles,price\na,CCO,"1,500"\n'
    with pytest.warns(UserWarning, match="'price' is no number in 1 of 4 rows"):
        assert kept(f'{first}b,CC,"1,500.5"\nc,C,2\nd,CCC,x\n') == ["2"]
    assert kept(f'{first}b,CC,"1,5"\nc,C,2\n') == ["1,500", "1,5", "2"]  # of the same row
    table.write_text(f'{first}b,CC,"2,500"\n')
    wish = ("--where", "price < 3", "--workers", 2, "--out", tmp_path / "two")
    assert run(model_folder, table, *wish) == 2
    assert "may be 1500 or 1.500" in capsys.readouterr().err
    assert run(model_folder, table, "--where", "id == 'a'", "--out", tmp_path / "text") == 0


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_of_equal_structures_one_that_passes_stands_for_all(
    kind: str, model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "t.csv"
    table.write_text("smiles,id,price\nCCO,a,1\nCC,b,4\nOCC,d,9\nC(O)C,e,9\nCCC,f,5\n")

    def kept(*wish: object) -> list[str]:
        out = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        options = ("--format", kind, "--out", out, "--shard-size", 2)
        assert run(model_folder, table, *options, *wish) == 0
        rows = csv_rows(out / "results.csv") if kind == "csv" else frame(out).to_dict("records")
        for row in rows:
            assert str(row["n_same"]) == ("3" if row["id"] in "ade" else "1")
        for row in csv_rows(out / "duplicates.csv"):
            assert row["kept"] in {"a", "d"}
        return [row["id"] for row in rows]

    assert kept("--where", "price > 3") == ["b", "d", "f"]
    assert "1 result is not the first of its duplicates" in capsys.readouterr().out
    assert kept("--where", "price < 4.5") == ["a", "b"]
    assert "not the first" not in capsys.readouterr().out
    assert kept("--by", "price", "--top", 1) == ["d"]
    assert kept("--by", "price", "--lowest", "--top", 2) == ["a", "b"]
    assert kept("--where", "price > 3", "--by", "price", "--lowest") == ["b", "f", "d"]
    assert sorted(kept("--by", "signal")) == ["a", "b", "f"]  # equal but for rounding
