"""Model folders of earlier releases give the same numbers for ever."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden_answers import expected_of, given_inputs

import atomlens as al
from atomlens.models import MODELS

HERE = Path(__file__).parent
FOLDERS = {
    f"{f.parent.parent.name}/{f.parent.name}": f.parent for f in HERE.glob("*/*/settings.json")
}
TOLERANCE = {"rtol": 5e-5, "atol": 2e-5}
"""Rounding of 32-bit numbers, which differs between machines. Values here are of size 1 to 30."""


def assert_same(found: Any, expected: Any, what: str) -> None:
    """Compare nested lists, in which None stands for "no finite number"."""
    if isinstance(expected, list):
        assert isinstance(found, list), what
        assert len(found) == len(expected), what
        for index, (a, b) in enumerate(zip(found, expected, strict=True)):
            assert_same(a, b, f"{what}[{index}]")
    elif isinstance(expected, float) and isinstance(found, float):
        np.testing.assert_allclose(found, expected, **TOLERANCE, err_msg=what)
    else:
        assert found == expected, what


def assert_as_expected(predictor: al.Predictor, folder: Path) -> None:
    expected = json.loads(folder.with_suffix(".json").read_text())
    given = given_inputs(folder.parent)[expected.pop("inputs")]
    found = expected_of(predictor, given)
    assert found.keys() == expected.keys()
    for what, numbers in expected.items():
        assert_same(found[what], numbers, what)


@pytest.mark.parametrize("name", sorted(FOLDERS))
def test_a_folder_of_an_earlier_release_gives_the_same_numbers(name: str) -> None:
    assert_as_expected(al.load(FOLDERS[name]), FOLDERS[name])


@pytest.mark.parametrize("name", sorted(FOLDERS))
def test_it_can_be_saved_again_in_the_form_of_today(name: str, tmp_path: Path) -> None:
    al.load(FOLDERS[name]).save(tmp_path / "again")
    assert_as_expected(al.load(tmp_path / "again"), FOLDERS[name])


def test_every_class_of_models_has_a_folder() -> None:
    recorded = {
        json.loads((f / "settings.json").read_text())["model"]["name"] for f in FOLDERS.values()
    }
    without = {kind.__name__ for kind in MODELS.values()} - {MODELS[n].__name__ for n in recorded}
    # Roost is another package's
    assert without <= {"Roost"}, "add a case to tests/golden/make.py"


def test_every_model_with_an_additive_head_has_a_folder_with_it() -> None:
    models = [json.loads((f / "settings.json").read_text())["model"] for f in FOLDERS.values()]
    recorded = {MODELS[m["name"]] for m in models if m["config"].get("head") == "additive"}
    switched = {kind for kind in MODELS.values() if "head" in kind.Config.__dataclass_fields__}
    assert recorded == switched, "add a case to tests/golden/make.py"
