"""Tables in, tables out: every row has its place, every column its name."""

import csv
import io
import json
from pathlib import Path

import pandas
import pytest

import atomlens as al
from atomlens.cli import main
from atomlens.datasets import save_packed
from atomlens.reports.tables import read_rows

SMILES = ["C", "CC", "CCC", "CCO", "CO", "CN", "CCN", "C=C", "C#N", "CF", "CCF", "COC"]


def ran(*words: object) -> int:
    return main([str(w) for w in words])


def write(path: Path, header: str, rows: list[str]) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("atomlens.training.pipeline.draw", lambda *_: True)


@pytest.fixture
def model() -> str:
    rows = [f"{s},{len(s)}" for s in SMILES]
    write(Path("t.csv"), "smiles,y [eV]", rows)
    assert ran("train", "t.csv", "--model", "ridge", "--split", "random:8/2/2", "--out", "m",
               "--quiet") == 0  # fmt: skip
    return "m"


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_table_keeps_its_rows_and_columns(model: str, capsys) -> None:
    table = ["a,CCCC,1.5", "b,C(C,2", "c,,3", "d,CCO,4"]
    write(Path("in.csv"), "id,smiles,measured", table)
    capsys.readouterr()
    assert ran("predict", model, "in.csv", "--out", "p.csv") == 1
    assert "2 of 4 inputs could not be used" in capsys.readouterr().err
    rows = rows_of(Path("p.csv").read_text())
    assert list(rows[0]) == ["id", "smiles", "measured", "name", "source", "formula", "n_atoms",
                             "y", "y_std", "unit", "seen_in", "warning", "error"]  # fmt: skip
    assert [r["id"] for r in rows] == [r["name"] for r in rows] == ["a", "b", "c", "d"]
    assert [r["measured"] for r in rows] == ["1.5", "2", "3", "4"]
    assert [bool(r["y"]) for r in rows] == [True, False, False, True]
    assert [bool(r["error"]) for r in rows] == [False, True, True, False]
    assert rows[3]["seen_in"] in ("train", "validation", "test")
    assert rows[0]["seen_in"] == ""


@pytest.mark.parametrize("name", ["in.tsv", "in.jsonl", "in.smi"])
def test_other_tables_are_read_as_well(model: str, name: str, capsys) -> None:
    text = {
        "in.tsv": "smiles\tname\nCCCC\tx\nCO\ty\n",
        "in.jsonl": '{"smiles": "CCCC", "name": "x"}\n{"smiles": "CO", "name": "y"}\n',
        "in.smi": "CCCC x\nCO y\n",
    }
    Path(name).write_text(text[name])
    capsys.readouterr()
    assert ran("predict", model, name, "--format", "json") == 0
    assert [r["formula"] for r in json.loads(capsys.readouterr().out)] == ["C4H10", "CH4O"]
    assert al.load(model).predict(name).names == ("x", "y")


def test_the_columns_do_not_depend_on_which_input_failed(model: str, capsys) -> None:
    headers = []
    for inputs in (["CCO", "C(C"], ["C(C", "CCO"], ["CCO"], ["C(C"]):
        capsys.readouterr()
        ran("predict", model, *inputs, "--format", "csv")
        headers.append(capsys.readouterr().out.splitlines()[0])
    assert len(set(headers)) == 1


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_column_with_a_list_in_one_row_is_carried_along(model: str, kind: str) -> None:
    rows = ['"CCO", "tag": "a", "lists": [1]', '"CCC", "tag": [1, {"b": 2}], "lists": [2, 3]']
    write(Path("in.jsonl"), "", [f'{{"smiles": {row}}}' for row in rows])
    assert ran("predict", model, "in.jsonl", "--out", f"p.{kind}", "--quiet") == 0
    form = "parquet" if kind == "parquet" else "csv"
    assert ran("screen", model, "in.jsonl", "--format", form, "--out", "s", "--where",
               "tag == 'a' or tag != 'a'", "--quiet") == 0  # fmt: skip
    for place in (f"p.{kind}", f"s/results.{form}"):
        found = read_rows(place)
        assert not found[0].get("lists")  # empty in a screening, whose columns are known before
        assert found[0]["tag"] == "a"
        nested = found[1]["tag"]
        assert (json.loads(nested) if isinstance(nested, str) else nested) == [1, {"b": 2}]


def test_tables_and_other_inputs_stand_in_their_order(model: str) -> None:
    write(Path("in.csv"), "smiles", ["CO", "CN"])
    found = al.load(model).predict(["CCC", "in.csv", "CCCC"])
    assert found.formulas == ("C3H8", "CH4O", "CH5N", "C4H10")


def test_a_frame_is_a_table(model: str) -> None:
    frame = pandas.DataFrame({"smiles": SMILES, "y": [float(len(s)) for s in SMILES]})
    trained = al.train(frame, model="ridge", target="y", split="random:8/2/2")
    found = trained.predict(frame.head(2)).to_frame()
    assert found["smiles"].tolist() == ["C", "CC"]
    assert found["y_input"].tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("data", "words"),
    [(3, "is no data set; give"), (None, "is no data set"), (["CCO"], "without values")],
)
def test_something_else_is_no_data(data, words) -> None:
    with pytest.raises(al.errors.DatasetError, match=words):
        al.train(data, model="ridge")


def test_a_file_that_is_not_there_is_said(model: str) -> None:
    for name in ("nofile.cif", "nofile.csv"):
        with pytest.warns(UserWarning, match="1 of 1 inputs could not be used: .*no such file"):
            assert al.load(model).predict(name).errors[0]


def test_targets_called_like_columns_keep_their_values(tmp_path, capsys) -> None:
    names = ["gap", "gap_std", "unit", "n_atoms", "name", "warning"]
    rows = [",".join([s, *(str(len(s) + i) for i in range(6)), f"m{j}"])
            for j, s in enumerate(SMILES)]  # fmt: skip
    write(tmp_path / "t.csv", ",".join(["smiles", *names, "label"]), rows)
    words = [w for name in names for w in ("--target", name)]
    assert ran("train", "t.csv", *words, "--name-column", "label", "--model", "ridge", "--split",
               "random:8/2/2", "--out", "m", "--quiet") == 0  # fmt: skip
    capsys.readouterr()
    assert ran("predict", "m", "CCO", "--format", "json") == 0
    (record,) = json.loads(capsys.readouterr().out)
    prediction = al.load("m").predict("CCO")
    for i, name in enumerate(names):
        assert record[name] == pytest.approx(prediction.values[0, i])
    assert record["gap_std_"] == pytest.approx(prediction.std[0, 0])
    assert record["gap_std_std"] == pytest.approx(prediction.std[0, 1])
    assert (record["name_"], record["n_atoms_"]) == ("CCO", 9)
    row = prediction.to_rows()[0]
    assert row["gap_unit"] == ""
    assert len(set(row)) == len(row)
    assert prediction.to_frame()["gap_std"][0] == pytest.approx(prediction.values[0, 1])


@pytest.mark.filterwarnings("ignore:No sample of the test part is of class has of c")
def test_classes_have_a_column_each(tmp_path, capsys) -> None:
    rows = [f"{s},{'has' if 'O' in s else 'none'}" for s in SMILES * 2]
    write(tmp_path / "t.csv", "smiles,c", rows)
    with pytest.warns(UserWarning, match="'none' is a class"):
        data = al.load_dataset("t.csv")
    model = al.train(data, model="cgcnn", epochs=1, out="m",
                     model_settings={"n_layers": 1, "n_features": 8, "n_hidden": 8})  # fmt: skip
    assert model.targets[0].classes == ("has", "none")
    capsys.readouterr()
    assert ran("predict", "m", "CCO", "--format", "csv") == 0
    (row,) = rows_of(capsys.readouterr().out)
    assert float(row["c_has"]) + float(row["c_none"]) == pytest.approx(1)


def test_an_input_is_not_overwritten_and_a_replaced_file_is_said(model: str, capsys) -> None:
    write(Path("in.csv"), "smiles", ["CO"])
    assert ran("predict", model, "in.csv", "--out", "in.csv") == 2
    assert "this is an input" in capsys.readouterr().err
    assert Path("in.csv").read_text() == "smiles\nCO\n"
    Path("p.csv").write_text("mine")
    assert ran("predict", model, "in.csv", "--out", "p.csv") == 0
    assert "p.csv stood there and was replaced" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--embedding", "--plot", "--out"])
def test_no_output_takes_the_place_of_an_input(model: str, option: str, capsys) -> None:
    save_packed(al.load_dataset("toy", limit=3), "in.npz")
    Path("in.csv").write_text("smiles\nCO\n")
    given = "in.npz" if option == "--embedding" else "in.csv"
    before = Path(given).read_bytes()
    assert ran("predict", model, given, option, given, "--quiet") == 2
    assert "this is an input" in capsys.readouterr().err
    assert Path(given).read_bytes() == before


def test_every_file_that_is_replaced_is_said(model_folder: Path, capsys) -> None:
    for name in ("v.npz", "p.csv"):
        Path(name).write_text("mine")
    words = ("predict", model_folder, "CCO", "--embedding", "v.npz", "--out", "p.csv")
    assert ran(*words) == 0
    said = capsys.readouterr().err
    assert "v.npz stood there and was replaced" in said
    assert "p.csv stood there and was replaced" in said


def test_a_missing_package_is_said_before_the_work(model: str, monkeypatch, capsys) -> None:
    monkeypatch.setattr("atomlens.reports.tables.find_spec", lambda _: None)
    monkeypatch.setattr("atomlens.predictor.load", lambda _: pytest.fail("worked before"))
    assert ran("predict", model, "CCO", "--out", "p.parquet") == 2
    assert "Parquet needs the package" in capsys.readouterr().err


def test_strict_refuses_what_is_doubtful(model: str, capsys) -> None:
    assert ran("predict", model, "CCO", "CCCl", "--format", "json") == 0
    records = json.loads(capsys.readouterr().out)
    assert "the training data had no Cl" in records[1]["warning"]
    assert ran("predict", model, "CCO", "CCCl", "--format", "json", "--strict") == 1
    shown = capsys.readouterr()
    assert "error" in json.loads(shown.out)[1]
    assert "the training data had no Cl" in shown.err


def test_what_a_reader_warns_of_is_in_the_table(model: str, capsys) -> None:
    Path("d.xyz").write_text("3\nheavy water\nO 0 0 0\nD 0.96 0 0\nD -0.24 0.93 0\n")
    with pytest.warns(UserWarning, match="deuterium"):
        (record,) = al.load(model).predict("d.xyz").to_records()
    assert "deuterium" in record["warning"]


def test_empty_cells_are_no_failure(tmp_path, capsys) -> None:
    rows = [f"{s},{len(s) if i % 3 else ''}" for i, s in enumerate(SMILES)]
    write(tmp_path / "t.csv", "smiles,y", rows)
    assert ran("train", "t.csv", "--model", "mean", "--split", "random:4/2/2", "--out", "m") == 0
    assert "4 of 12 rows have no value of y and are not used" in capsys.readouterr().err
    settings = json.loads(Path("m/settings.json").read_text())["training"]
    assert (settings["n_failed"], settings["n_without_value"]) == (0, 4)
    assert ran("evaluate", "m", "t.csv", "--quiet") == 0


def test_explaining_again_leaves_no_stale_index(model: str) -> None:
    assert ran("explain", model, "CCO", "CCN", "--out", "x", "--quiet") == 0
    assert Path("x/index.html").is_file()
    assert ran("explain", model, "CCCC", "--out", "x", "--quiet") == 0
    assert not Path("x/index.html").exists()
    Path("x/index.html").write_text("<html>mine</html>")
    assert ran("explain", model, "CCCC", "--out", "x", "--quiet") == 0
    assert Path("x/index.html").read_text() == "<html>mine</html>"


def test_what_evaluate_says_it_wrote_it_wrote(model: str, capsys) -> None:
    Path("e").mkdir()
    Path("e/thesis.txt").write_text("mine")
    capsys.readouterr()
    assert ran("evaluate", model, "t.csv", "--out", "e", "--quiet") == 0
    shown = capsys.readouterr().out
    assert "predictions.csv" in shown
    assert "thesis.txt" not in shown


def test_explain_does_not_write_over_its_input(model: str, capsys) -> None:
    Path("s").mkdir()
    text = "3\n\nO 0 0 0\nH 0.96 0 0\nH -0.24 0.93 0\n"
    Path("s/water.extxyz").write_text(text)
    assert ran("explain", model, "s/water.extxyz", "--out", "s", "--quiet") == 2
    assert "is an input and would be overwritten" in capsys.readouterr().err
    assert Path("s/water.extxyz").read_text() == text


@pytest.mark.parametrize(
    "words",
    [
        ("predict", "m", "CCO", "--out", "m/metrics.json"),
        ("graph", "CCO", "--out", "./m/split.json"),
        ("evaluate", "m", "t.csv", "--out", "m"),
        ("explain", "m", "CCO", "--method", "occlusion", "--out", "m"),
    ],
)
def test_no_output_takes_the_place_of_a_file_of_a_model(
    model: str, words: tuple[str, ...], capsys
) -> None:
    before = {path.name: path.read_bytes() for path in Path(model).iterdir()}
    assert ran(*words, "--quiet") == 2
    assert "of a trained model" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in Path(model).iterdir()} == before
