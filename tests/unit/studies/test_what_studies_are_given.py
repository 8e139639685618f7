"""What is read for a study, and what is said of it."""

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.build import molecule

import atomlens as al
from atomlens.neighbors import make_builder
from atomlens.predictor.samples import TrainingSamples
from atomlens.structures.options import ReadingOptions
from atomlens.structures.smiles import from_smiles
from atomlens.studies import given
from atomlens.studies.answering import about_inputs
from atomlens.studies.base import StudyInput, StudyResult
from atomlens.targets import Target
from atomlens.testing.questions import trained_around
from model_makers import small_model


def test_columns_that_nothing_learns_from_are_not_taken_for_classes(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("formula,y,n\n" + "".join(f"Li{i + 1}O,{i / 7},{i % 2}\n" for i in range(16)))
    with pytest.warns(UserWarning, match="say --classification"):
        al.load_dataset(path)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        data = given._read([path], [], ReadingOptions(), 0)
    assert len(data) == 16
    assert not [w for w in heard if "classification" in str(w.message)]


def test_molecules_that_a_model_may_have_learned_from_are_told_in_every_study() -> None:
    target = Target(name="y")
    data = replace(given.as_dataset([molecule("CH4")]), targets=(target,), values=np.zeros((1, 1)))
    parts = {"train": np.array([0]), "validation": np.array([], int), "test": np.array([], int)}
    learned = TrainingSamples.of(data, parts)
    model = trained_around(
        small_model("cgcnn").float(),
        builder=make_builder("radius"),
        targets=(target,),
    )
    model = replace(model, record=replace(model.record, samples=learned, made_geometries=False))
    result = StudyResult(
        study="s", question="?", models=("m",), settings={}, n_structures=2, effects=()
    )
    data = given.as_dataset([from_smiles("C"), from_smiles("CCO")])
    told = about_inputs(result, StudyInput(models=(model,), data=data))
    assert any("learned from 1 of the 2 molecules is unknown" in note for note in told.notes)
    data = given.as_dataset([molecule("CH4"), molecule("CO2")])
    told = about_inputs(result, StudyInput(models=(model,), data=data))
    assert not any("unknown" in note for note in told.notes)
