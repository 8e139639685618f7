"""``~`` is the home folder wherever a path is given, to write as to read."""

from pathlib import Path

import numpy as np
import pytest

import atomlens as al
from atomlens.cli.parser import build_parser
from atomlens.datasets.packed import load_packed, save_packed
from atomlens.files import place_of, write_text
from atomlens.predictor.folder.box import is_model, model_place
from atomlens.sklearn import AtomlensRegressor
from atomlens.structures.arrays import StructureArrays
from atomlens.structures.formulas import from_formula


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "home"


def test_a_text_is_written_there(home: Path) -> None:
    assert write_text("text", "~/notes/a.txt") == home / "notes" / "a.txt"
    assert (home / "notes" / "a.txt").read_text() == "text"
    assert not Path("~").exists()


def test_a_model_is_trained_saved_and_loaded_there(home: Path) -> None:
    texts = [f"Na{n}Cl" for n in range(1, 13)]
    data = {"formula": texts, "gap": list(np.arange(12.0))}
    predictor = al.train(data, model="mean", target="gap", out="~/runs/one")
    assert (home / "runs" / "one" / "settings.json").is_file()
    assert predictor.save("~/two") == home / "two"
    for place in ("~/two", Path("~/two"), "~/runs/one"):
        assert al.load(place).model_name == "mean"
    assert model_place("~/two") == home / "two"
    assert is_model("~/two")
    assert not Path("~").exists()


def test_packed_files_are_there(home: Path) -> None:
    home.mkdir()
    arrays = StructureArrays.from_atoms([from_formula("NaCl")])
    from atomlens.datasets import Dataset

    data = Dataset(name="x", structures=arrays, targets=(), values=np.zeros((1, 0)))
    assert save_packed(data, "~/x.npz") == home / "x.npz"
    assert load_packed("~/x.npz").structures.names == ("NaCl",)


def test_the_command_line_takes_it_behind_an_equals_sign(home: Path) -> None:
    options = build_parser(["predict"]).parse_args(["predict", "qm9", "CCO", "--out=~/x.csv"])
    assert options.out == home / "x.csv"


def test_a_home_of_nobody_stays_a_name() -> None:
    assert place_of("~nobody-at-all/x") == Path("~nobody-at-all/x")


@pytest.mark.parametrize("kind", ["datetime64[D]", "timedelta64[s]"])
def test_a_regressor_takes_no_dates_and_durations(kind: str) -> None:
    texts = [f"Na{n}Cl" for n in range(1, 13)]
    for values in (np.arange(12).astype(kind), np.arange(12).astype(kind).astype(object)):
        with pytest.raises(al.errors.DatasetError, match="which is no number"):
            AtomlensRegressor("mean").fit(texts, values)
