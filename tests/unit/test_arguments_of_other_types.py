"""An argument of Python of another type is answered with one sentence of ours."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import atomlens as al
from atomlens.errors import SettingsError
from atomlens.files import place_of
from atomlens.predictor import Predictor
from atomlens.selection import cross_validate
from atomlens.settings import names_given

DATA = {"smiles": ["C", "CC", "CCC"], "gap": [1.0, 2.0, 3.0], "mass": [16.0, 30.0, 44.0]}


@pytest.mark.parametrize("target", [1, ["gap", 1], b"gap", {"gap": "eV"}, 0, False])
@pytest.mark.parametrize(
    "asked",
    [
        lambda target: al.train(DATA, target=target, model="mean"),
        lambda target: al.load_dataset(DATA, target),
        lambda target: al.load("qm9").predict("CCO", target=target),
    ],
    ids=["train", "load_dataset", "predict"],
)
def test_a_target_that_is_no_name_is_refused(asked: Callable[[Any], Any], target: Any) -> None:
    with pytest.raises(SettingsError, match=r"^target=.*must be a name as text, or a list of"):
        asked(target)


def test_names_come_as_text_in_any_list() -> None:
    assert names_given(None, "target") == ()
    assert names_given("gap", "target") == ("gap",)
    assert names_given((name for name in ("gap", "mass")), "target") == ("gap", "mass")


@pytest.mark.parametrize("path", [5, b"runs", ["runs"]])
def test_a_path_that_is_none_is_refused(path: Any) -> None:
    with pytest.raises(SettingsError, match="is no path; give one as text or as a Path"):
        al.train(DATA, target="gap", model="mean", out=path)
    assert place_of(Path("runs")) == place_of("runs")


@pytest.mark.parametrize("train", [al.train, cross_validate, al.tune])
@pytest.mark.parametrize("settings", [5, {"epochs": 3}, []])
def test_settings_of_another_kind_are_refused(train: Callable[..., Any], settings: Any) -> None:
    with pytest.raises(SettingsError, match="they must be TrainSettings"):
        train(DATA, target="gap", model="mean", settings=settings)


def test_columns_of_other_lengths_are_no_row() -> None:
    with pytest.warns(UserWarning, match="1 of 2 inputs could not be used"):
        prediction = al.load("qm9").predict(["CCO", {"smiles": ["CC", "CCC"], "x": [1]}])
    assert prediction.ok.tolist() == [True, False]
    said = "has 1 entries under 'x' and 2 under 'smiles'; give as many of each."
    assert said in prediction.failures[0].message


@pytest.mark.parametrize("at", ["x", [1.0], b"1"])
def test_a_point_that_is_no_number_is_refused(at: Any) -> None:
    model: Predictor = al.load("qm9")
    with pytest.raises(SettingsError, match="must be a number, a point of the spectrum's grid"):
        model.explain("CCO", target="homo", at=at)
