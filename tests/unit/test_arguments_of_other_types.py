"""An argument of Python of another type is answered with one sentence of ours."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import atomlens as al
from atomlens.errors import SettingsError
from atomlens.files import place_of
from atomlens.predictor import Predictor
from atomlens.selection import cross_validate
from atomlens.settings import names_given
from atomlens.structures.options import ReadingOptions

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
    with pytest.raises(SettingsError, match=r"^at=.* must be a number"):
        model.explain("CCO", target="homo", at=at)


FLAGS: dict[str, Callable[[Any], Any]] = {
    "predict": lambda flag: al.load("qm9").predict("CCO", strict=flag),
    "evaluate": lambda flag: al.load("qm9").evaluate(DATA, target="gap", strict=flag),
    "load_dataset": lambda flag: al.load_dataset(DATA, strict=flag),
    "formulas": lambda flag: al.load_dataset(DATA, formulas_first=flag),
    "resume": lambda flag: al.train(DATA, target="gap", model="mean", resume=flag),
    "study": lambda flag: al.study("faithful", DATA, models="qm9", use_known=flag),
    "reading": lambda flag: al.study("faithful", DATA, models="qm9", strict=flag),
    "graph": lambda flag: al.graph("CCO", strict=flag),
    "screen": lambda flag: al.screen("qm9", "CCO", "out", lowest=flag),
    "label": lambda flag: al.label("NaCl", 1.0, shifted=flag),
}


@pytest.mark.parametrize("flag", ["yes", 1, None])
@pytest.mark.parametrize("asked", FLAGS.values(), ids=FLAGS)
def test_a_flag_is_true_or_false(
    asked: Callable[[Any], Any], flag: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match=r"must be (True or False|true or false)"):
        asked(flag)


def test_flags_and_numbers_of_numpy_are_taken() -> None:
    assert len(al.load_dataset(DATA, strict=np.True_, limit=np.int64(2))) == 2
    assert ReadingOptions(strict=np.False_)  # type: ignore[arg-type]


@pytest.mark.parametrize("limit", ["x", 1.5, True, [1]])
@pytest.mark.parametrize(
    "asked",
    [
        lambda limit: al.load_dataset(DATA, limit=limit),
        lambda limit: al.load("qm9").evaluate(DATA, target="gap", limit=limit),
        lambda limit: al.study("faithful", DATA, models="qm9", limit=limit),
    ],
    ids=["load_dataset", "evaluate", "study"],
)
def test_a_limit_is_a_whole_number(asked: Callable[[Any], Any], limit: Any) -> None:
    with pytest.raises(SettingsError, match=r"limit=.* must be a whole number or None"):
        asked(limit)


@pytest.mark.parametrize("target", [[], (), np.array([])])
@pytest.mark.parametrize(
    "asked",
    [
        lambda target: al.load_dataset(DATA, target),
        lambda target: al.load("qm9").predict("CCO", target=target),
        lambda target: al.train(DATA, target=target),
    ],
    ids=["load_dataset", "predict", "train"],
)
def test_an_empty_list_of_targets_does_not_mean_all(
    asked: Callable[[Any], Any], target: Any
) -> None:
    with pytest.raises(SettingsError, match="there is no name in it; name one, or leave target"):
        asked(target)


@pytest.mark.parametrize("said", [{"extensive": 1}, {"nonnegative": 2.5}, {"extensive": [1]}])
def test_what_is_said_of_targets_names_them(said: Any) -> None:
    with pytest.raises(SettingsError, match="it must be a name as text, or a list of names"):
        al.load_dataset(DATA, "gap", **said)


@pytest.mark.parametrize("progress", ["yes", 1, int])
@pytest.mark.parametrize(
    "asked",
    [
        lambda progress: al.load("qm9").predict("CCO", progress=progress),
        lambda progress: al.load("qm9").embed("CCO", progress=progress),
        lambda progress: al.study("faithful", DATA, models="qm9", progress=progress),
        lambda progress: al.label("NaCl", 1.0, progress=progress),
        lambda progress: al.screen("qm9", "CCO", "nowhere", progress=progress),
    ],
    ids=["predict", "embed", "study", "label", "screen"],
)
def test_what_hears_of_progress_is_a_function(asked: Callable[[Any], Any], progress: Any) -> None:
    with pytest.raises(SettingsError, match=r"^progress=.*give True for a progress bar, or a"):
        asked(progress)
