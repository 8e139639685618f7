"""Explaining predictions, and comparing them with known values."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from made_predictors import ETHANOL, HOMO, METHANE, WATER, make_predictor

from atomlens.datasets import Dataset
from atomlens.errors import (
    AtomlensError,
    DatasetError,
    ExplanationError,
    Failure,
    SettingsError,
    StructureError,
)
from atomlens.structures.arrays import StructureArrays
from atomlens.targets import Target


@pytest.mark.parametrize("n_members", [1, 3])
def test_attention_adds_up_to_one_and_comes_with_its_spread(n_members: int) -> None:
    explained = make_predictor(n_members=n_members).explain(ETHANOL)
    assert explained.scores.shape == (9,)
    assert explained.scores.sum() == pytest.approx(1, abs=1e-5)
    source = "ensemble" if n_members > 1 else "dropout"
    assert explained.scores_std is not None
    assert explained.scores_std_source == source
    assert explained.baseline == pytest.approx(1 / 9)
    assert explained.edge_index is not None
    assert explained.edge_scores is not None
    sums = np.bincount(explained.edge_index[1], explained.edge_scores)
    assert sums == pytest.approx(np.ones(9), abs=1e-5)


def test_an_explanation_carries_the_prediction_it_explains() -> None:
    model = make_predictor(n_members=2)
    explained, found = model.explain(ETHANOL), model.predict(ETHANOL)
    assert explained.prediction == pytest.approx(found.values[0, 0], abs=1e-5)
    assert explained.std == pytest.approx(found.std[0, 0], abs=1e-5)
    assert (explained.target, explained.unit, explained.method) == ("homo", "eV", "attention")


def test_a_bare_formula_is_explained_atom_by_atom() -> None:
    explained = make_predictor(builder="formula").explain("Fe2O3", method="occlusion")
    assert explained.scores.shape == (5,)
    symbols = np.array(explained.atoms.get_chemical_symbols())
    assert np.ptp(explained.scores[symbols == "O"]) == pytest.approx(0)
    assert explained.edge_scores is None


def test_a_class_is_explained_by_its_probability() -> None:
    metal = Target(name="metal", kind="classification", classes=("no", "yes"))
    explained = make_predictor(HOMO, metal).explain(WATER, target="metal")
    assert 0.5 <= explained.prediction <= 1
    assert explained.unit in ("probability of no", "probability of yes")


def test_explaining_what_cannot_be_explained_is_a_sentence(tmp_path: Path) -> None:
    model = make_predictor()
    with pytest.raises(SettingsError, match="attention"):
        model.explain(WATER, method="atention")
    with pytest.raises(SettingsError, match="homo"):
        model.explain(WATER, target="hono")
    with pytest.raises(ExplanationError, match="one structure"):
        model.explain([WATER, METHANE])
    with pytest.raises(AtomlensError, match="positions"):
        model.explain("NaCl")
    with pytest.raises(StructureError):
        model.explain(tmp_path / "nothing.xyz")


def test_explaining_many_keeps_failures_in_their_place() -> None:
    items = list(make_predictor().explain_many([WATER, "NaCl", METHANE]))
    assert [isinstance(i, Failure) for i in items] == [False, True, False]
    assert [i.name for i in items] == ["H2O", "NaCl", "CH4"]


def dataset(values: np.ndarray, target: Target, atoms: list[Atoms] | None = None) -> Dataset:
    structures = StructureArrays.from_atoms(atoms or [WATER, METHANE, ETHANOL])
    return Dataset(name="three", structures=structures, targets=(target,), values=values)


def test_evaluation_compares_with_the_values_of_the_data_set() -> None:
    model = make_predictor()
    found = model.predict([WATER, METHANE, ETHANOL]).values
    metrics = model.evaluate(dataset(found + np.array([[0.1], [-0.3], [np.nan]]), HOMO))
    assert metrics["homo"].n == 2
    assert metrics["homo"].mae == pytest.approx(0.2, abs=1e-5)  # type: ignore[union-attr]
    assert (metrics.n_samples, metrics.n_failed) == (3, 0)
    json.dumps(metrics.to_dict(), allow_nan=False)


def test_evaluation_counts_what_failed() -> None:
    atoms = [WATER, molecule("SH2")]
    metrics = make_predictor(n_elements=10).evaluate(dataset(np.zeros((2, 1)), HOMO, atoms))
    assert (metrics.n_samples, metrics.n_failed, metrics["homo"].n) == (2, 1, 1)


def test_another_unit_is_not_compared() -> None:
    with pytest.raises(DatasetError, match=r"meV.*eV"):
        make_predictor().evaluate(dataset(np.zeros((3, 1)), Target(name="homo", unit="meV")))
    with pytest.raises(DatasetError, match="homo"):
        make_predictor().evaluate(dataset(np.zeros((3, 1)), Target(name="gap")))


def test_classes_in_another_order_are_matched_by_name() -> None:
    ours = Target(name="metal", kind="classification", classes=("no", "yes"))
    model = make_predictor(ours)
    numbers = model.predict([WATER, METHANE, ETHANOL]).values
    theirs = replace(ours, classes=("yes", "no"))
    assert model.evaluate(dataset(1 - numbers, theirs))["metal"].accuracy == 1  # type: ignore[union-attr]
    strange = replace(ours, classes=("yes", "perhaps"))
    with pytest.raises(DatasetError, match="perhaps"):
        model.evaluate(dataset(numbers, strange))
