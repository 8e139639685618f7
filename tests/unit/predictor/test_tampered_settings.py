"""Settings of a model folder that somebody changed: the same answer, or a sentence why not."""

import copy
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from atomlens.cli import main
from atomlens.errors import ModelError
from atomlens.predictor import Predictor, load
from atomlens.predictor.folder import FAMILIARITY, SETTINGS
from atomlens.predictor.folder.box import BOX

INPUTS = ["NaCl", "Fe2O3", "CsAu"]
Place = tuple[str | int, ...]
OF_ANY_SIGN = {"means"}
LEGITIMATE: set[tuple[Place, Any]] = {
    *((("calibration", i), None) for i in (0, 1)),  # no validation part
    *((("calibration", i, "quantile"), None) for i in (0, 1)),  # too few values to bound
    *((("training", name), None) for name in ("made_geometries", "about")),  # unknown
}
"""What other models may say in these places, so that nobody can tell."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("tampered") / "model"
    shutil.copytree(BOX / "formula-moduli", place)
    return place


@pytest.fixture(scope="module")
def content(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / SETTINGS).read_text())
    return found


def answer(model: Predictor) -> str:
    found = model.predict(INPUTS)
    numbers = (found.values, found.std, found.interval_low, found.interval_high)
    return repr([[a.tolist() for a in numbers], found.warnings, np.array(found.unlike).tolist()])


def loaded(folder: Path) -> tuple[Predictor | None, str]:
    """Return the model, or the sentence that refuses it, or tells what it cannot know now."""
    try:
        return load(folder), ""
    except (ModelError, UserWarning) as problem:  # here a warning is an error
        return None, str(problem)


def places(value: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Yield every place of the settings with what stands there; of long lists the whole alone."""
    yield place, value
    if place == ("training", "settings"):  # what was asked for then; the card repeats it
        return
    if isinstance(value, dict):
        for key, one in value.items():
            yield from places(one, (*place, key))
    elif isinstance(value, list) and len(value) < 4:
        for index, one in enumerate(value):
            yield from places(one, (*place, index))


def wrong(place: Place, value: Any) -> list[Any]:
    """Return what cannot stand there: another type, sign or length."""
    if isinstance(value, bool):
        return [None, 3]
    if isinstance(value, int | float):
        signed = OF_ANY_SIGN & set(map(str, place))
        return [None, str(value), True, *([] if signed else [-abs(value) - 1])]
    if isinstance(value, str):
        return [3]
    if isinstance(value, list):
        fixed = len(value) == 2
        return ["x", 3, *([value[:1], value + value[:1], []] if fixed else [])]
    return [None, []] if isinstance(value, dict) else []


def changed(content: dict[str, Any], place: Place, value: Any) -> Any:
    if not place:
        return value
    made = copy.deepcopy(content)
    inner: Any = made
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return made


GROUPS = ("model", "builder", "scaling", "calibration", "training", "others")


@pytest.mark.parametrize("group", GROUPS)
def test_a_wrong_field_is_refused_or_changes_no_answer(
    group: str, folder: Path, content: dict[str, Any]
) -> None:
    (folder / SETTINGS).write_text(json.dumps(content))
    usual = answer(load(folder))
    for place, value in places(content):
        if (str(place[0]) if place and place[0] in GROUPS else "others") != group:
            continue
        for other in wrong(place, value):
            if other is None and (place, None) in LEGITIMATE:
                continue
            (folder / SETTINGS).write_text(json.dumps(changed(content, place, other)))
            where = f"{'.'.join(map(str, place))} = {other!r}"
            model, said = loaded(folder)
            assert model is None or answer(model) == usual, where
            assert model is not None or (str(folder) in said and "\n" not in said), where


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (("elements",), [], "no elements"),
        (("elements",), [True, 8], "no whole number"),
        (("model", "n_members"), -1, "no whole number"),
        (("model", "n_members"), 2, "2 members, and there are 3"),
        (("scaling", "stds", 0), True, "is no number"),
        (("calibration", 0, "floor"), "0.1", "is no number"),
        (("calibration", 0, "largest_spread"), None, "is no number"),
        (("training", "lowest"), [1.0], "are not of 2 values"),
        (("familiarity",), None, f"says nothing of {FAMILIARITY}"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(
    place: Place,
    value: Any,
    words: str,
    folder: Path,
    content: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    (folder / SETTINGS).write_text(json.dumps(changed(content, place, value)))
    assert main(["predict", str(folder), "NaCl"]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
