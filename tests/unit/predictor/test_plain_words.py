"""Sentences in words of their own: no names of Python's errors, pipes called pipes, one advice."""

import json
import os
from pathlib import Path

import pytest
from made_predictors import make_predictor

import atomlens as al
from atomlens.datasets.splits import make_split
from atomlens.errors import DatasetError, Failure, ModelError, StructureError, unknown_name
from atomlens.predictor.inputs.rows import read_inputs
from atomlens.printing import reason
from atomlens.structures import read_structures, to_atoms

OF_PYTHON = ("Error", "object", "indices", "NoneType", "attribute")


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (KeyError("species"), "'species' is missing"),
        (AttributeError("'list' object has no attribute 'get'"), "of another kind"),
        (TypeError("string indices must be integers, not 'str'"), "of another kind"),
        (IndexError("list index out of range"), "of another kind"),
        (AssertionError(), "do not fit together"),
        (ValueError("the cell is odd"), "the cell is odd"),
    ],
)
def test_what_python_says_of_odd_content_is_said_in_words(problem: Exception, said: str) -> None:
    assert said in reason(problem)


@pytest.mark.parametrize(
    "content",
    [
        {"lattice": [[1, 0], [0, 1]], "sites": []},
        {"lattice": {"matrix": [[3, 0, 0], [0, 3, 0], [0, 0, 3]]}, "sites": [{"xyz": [0, 0, 0]}]},
        {"lattice": "x", "sites": [{"species": [], "abc": [0, 0, 0]}]},
    ],
)
def test_damaged_json_is_told_without_names_of_errors(tmp_path: Path, content: object) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content))
    (failure,) = read_structures(path).failures
    assert not any(word in failure.message for word in OF_PYTHON), failure.message


def test_pipes_are_called_pipes(tmp_path: Path) -> None:
    for name in ("f.csv", "split.json"):
        os.mkfifo(tmp_path / name)
    ((item,), _) = read_inputs(tmp_path / "f.csv")
    assert isinstance(item, Failure)
    assert "pipe" in item.message
    data = al.load_dataset("toy", limit=6)
    with pytest.raises(DatasetError, match="pipe"):
        make_split(str(tmp_path / "split.json"), data)
    folder = make_predictor().save(tmp_path / "m")
    (folder / "settings.json").unlink()
    os.mkfifo(folder / "settings.json")
    with pytest.raises(ModelError, match="pipe"):
        al.load(folder)


def test_where_nothing_is_known_nothing_is_listed() -> None:
    assert unknown_name("target column", "y", []) == "There is no target column 'y', nor any other."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("*.nothing", "no file matches this pattern"),
        ("C(C", "not a valid SMILES"),
        ("C(CO", "not a valid SMILES"),
        ("SrTiO2.5TiO2", "write 0.5 or ·5"),
    ],
)
def test_texts_are_refused_for_what_they_are(text: str, said: str) -> None:
    with pytest.raises(StructureError) as problem:
        to_atoms(text)
    message = str(problem.value)
    assert said in message
    assert not message.endswith("Li0.5CoO2")
