"""The rows of a prediction."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from atomlens.errors import SettingsError
from atomlens.predictor.columns import named_targets
from atomlens.predictor.ordered import one_row_each
from atomlens.predictor.prediction import Prediction
from atomlens.structures.doubts import NO_DOUBTS, Doubts
from atomlens.targets import Target

NAN = np.nan


def prediction(*targets: Target, **changes: object) -> Prediction:
    width = len(targets)
    fields: dict[str, object] = {
        "names": ("water", "nonsense", "methane"),
        "formulas": ("H2O", "", "CH4"),
        "n_atoms": np.array([3, 0, 5]),
        "targets": targets,
        "values": np.array([[1.0], [NAN], [2.0]]) * np.arange(1, width + 1),
        "std": np.array([[0.1], [NAN], [0.2]]) * np.arange(1, width + 1),
        "std_source": "validation",
        "interval_low": np.array([[0.8], [NAN], [1.6]]) * np.arange(1, width + 1),
        "interval_high": np.array([[1.2], [NAN], [2.4]]) * np.arange(1, width + 1),
        "probabilities": (None,) * width,
        "errors": ("", "what is this?", ""),
        "doubts": (NO_DOUBTS, NO_DOUBTS, Doubts(of_model=("no C in training",))),
    }
    return Prediction(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_record_has_the_keys_of_the_contract_and_a_failure_its_place() -> None:
    assert prediction(Target(name="gap", unit="eV")).to_records() == [
        {"name": "water", "formula": "H2O", "n_atoms": 3, "gap": 1.0, "gap_std": 0.1, "unit": "eV"},
        {"name": "nonsense", "error": "what is this?"},
        {
            "name": "methane",
            "formula": "CH4",
            "n_atoms": 5,
            "gap": 2.0,
            "gap_std": 0.2,
            "unit": "eV",
            "warning": "no C in training",
        },
    ]


def test_several_targets_have_a_unit_each() -> None:
    record = prediction(Target(name="gap", unit="eV"), Target(name="cv", unit="J")).to_records()[0]
    assert record["unit"] == {"gap": "eV", "cv": "J"}
    assert (record["cv"], record["cv_std"]) == (2.0, 0.2)


def test_an_unknown_error_is_null_in_json() -> None:
    unknown = prediction(Target(name="gap"), std=np.full((3, 1), NAN))
    text = json.dumps(unknown.to_records(), allow_nan=False)
    assert json.loads(text)[0]["gap_std"] is None


def test_a_class_is_its_name_with_all_probabilities() -> None:
    metal = Target(name="metal", kind="classification", classes=("no", "yes"))
    shares = np.array([[0.2, 0.8], [NAN, NAN], [0.6, 0.4]])
    found = prediction(metal, values=np.array([[1.0], [NAN], [0.0]]), probabilities=(shares,))
    record = found.to_records()[0]
    assert record["metal"] == "yes"
    assert record["metal_probabilities"] == {"no": 0.2, "yes": 0.8}
    frame = found.to_frame()
    assert frame["metal"].tolist() == ["yes", "", "no"]
    assert frame["metal_yes"].iloc[0] == 0.8


def test_the_failures_are_listed_by_name_with_the_reason() -> None:
    found = prediction(Target(name="gap"))
    assert [(f.name, f.message) for f in found.failures] == [("nonsense", "what is this?")]
    assert found.ok.tolist() == [True, False, True]


def test_a_frame_has_one_row_per_input_with_interval() -> None:
    frame = prediction(Target(name="gap", unit="eV")).to_frame()
    assert frame["name"].tolist() == ["water", "nonsense", "methane"]
    assert frame["gap_low"].tolist()[0] == 0.8
    assert frame["gap_high"].tolist()[2] == 2.4
    assert frame["error"].tolist() == ["", "what is this?", ""]
    assert frame["gap"].isna().tolist() == [False, True, False]


def test_a_column_is_asked_for_by_its_name_and_a_row_by_its_number() -> None:
    index = pd.Index(["c", "a", "b"])
    found = prediction(Target(name="gap", unit="eV"), index=index)
    assert found[-1]["gap"] == 2.0
    assert found["gap"].to_dict() == pytest.approx({"c": 1.0, "a": NAN, "b": 2.0}, nan_ok=True)
    assert found["gap_std"].equals(found.to_frame()["gap_std"])
    with pytest.raises(SettingsError, match="no column of the prediction 'gapp'"):
        found["gapp"]
    with pytest.raises(SettingsError, match="row by its number or a column by its name"):
        found[0:1]  # type: ignore[call-overload]


def test_a_prediction_of_nothing_has_the_columns_of_any_other() -> None:
    gap, cv = Target(name="gap", unit="eV"), Target(name="cv")
    metal = Target(name="metal", kind="classification", classes=("no", "yes"))
    spectrum = Target(name="eps", grid=(1.0, 2.0), grid_name="energy")
    shares = np.array([[0.2, 0.8], [NAN, NAN], [0.6, 0.4]])
    classes = {"values": np.array([[1.0], [NAN], [0.0]]), "probabilities": (shares,)}
    two = np.ones((3, 2))
    ends = dict.fromkeys(("values", "std", "interval_low", "interval_high"), two)
    for some in (
        prediction(gap, unlike=np.array([1.0, NAN, 2.0]), sources=("", "", "")),
        prediction(gap, cv, sources=("", "", "")),
        prediction(metal, sources=("", "", ""), **classes),
        prediction(spectrum, sources=("", "", ""), **ends),
    ):
        nothing = some.of_nothing()
        none = replace(
            nothing,
            names=(),
            formulas=(),
            n_atoms=nothing.n_atoms[:0],
            values=nothing.values[:0],
            std=nothing.std[:0],
            interval_low=nothing.interval_low[:0],
            interval_high=nothing.interval_high[:0],
            probabilities=tuple(None if p is None else p[:0] for p in nothing.probabilities),
            errors=(),
            doubts=(),
            unlike=None if nothing.unlike is None else nothing.unlike[:0],
            sources=(),
        )
        assert len(none.to_frame()) == 0
        assert list(none.to_frame()) == list(some.to_frame())


def test_numbers_are_numbers_where_every_input_failed() -> None:
    failed = prediction(Target(name="gap"), errors=("no", "no", "no"))
    assert failed["gap"].dtype == float
    assert failed.to_frame()["gap_std"].isna().all()


def test_the_row_of_ordered_models_is_about_the_crystal() -> None:
    several = prediction(
        Target(name="gap", unit="eV", nonnegative=True),
        Target(name="energy", unit="eV"),
        names=("x-0000", "x-0001", "x-0002"),
        formulas=("Na4", "Na4", "Na3"),
        n_atoms=np.array([4, 4, 3]),
        errors=("", "", ""),
        values=np.array([[0.0, 0.0], [0.1, 0.3], [0.5, 0.9]]),
        interval_low=np.array([[0.0, -1.0], [0.0, -0.7], [0.3, -0.1]]),
        std=np.ones((3, 2)),
        interval_high=np.ones((3, 2)),
        unlike=np.array([10.0, 99.5, NAN]),
        doubts=(NO_DOUBTS, Doubts(of_model=("it is unlike",)), NO_DOUBTS),
        intervals=(True, True),
    )
    joined = one_row_each(several, [0, 1, 2], [], ["Na3.6"] * 3)
    assert joined.doubts[0].of_reader == ("the mean of 3 ordered models",)  # no reason to mistrust
    row = joined.to_records()[0]
    assert (row["name"], row["formula"], row["n_atoms"], row["unlike"]) == ("x", "Na3.6", 4, 99.5)
    assert row["warning"] == (
        "the mean of 3 ordered models; it is unlike (so for 1 of 3 ordered models)"
    )
    assert row["gap_low"] == 0.0  # the mean of the lower ends less the spread is below
    assert row["energy_low"] < 0
    assert row["gap_spread"] == np.std([0.0, 0.1, 0.5])
    assert row["energy_spread"] == np.std([0.0, 0.3, 0.9])


def test_a_target_is_found_by_name_with_other_blanks_and_capitals_where_it_is_the_only_one() -> (
    None
):
    assert named_targets(["band_gap"], ["band gap", "homo"], "it") == ("band gap",)
    assert named_targets(["Band  Gap"], ["band gap", "homo"], "it") == ("band gap",)
    assert named_targets(["band_gap"], ["band gap", "band_gap"], "it") == ("band_gap",)
    with pytest.raises(SettingsError, match="There is no target"):
        named_targets(["Band_Gap"], ["band gap", "band_gap"], "it")
