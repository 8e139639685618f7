"""The rows of a prediction."""

import json

import numpy as np

from atomlens.predictor.prediction import Prediction
from atomlens.structures.arrays import NO_DOUBTS, Doubts
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
