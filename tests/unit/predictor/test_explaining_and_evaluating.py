"""Explaining predictions, and comparing them with known values."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from ase import Atoms
from ase.build import molecule
from made_predictors import ETHANOL, HOMO, METHANE, WATER, make_predictor

from atomlens.datasets import Dataset, load_dataset
from atomlens.errors import (
    AtomlensError,
    DatasetError,
    ExplanationError,
    Failure,
    SettingsError,
    StructureError,
)
from atomlens.predictor import score
from atomlens.predictor.evaluation import unseen, without_coverage
from atomlens.predictor.metrics import RegressionMetrics
from atomlens.reports.payload import page_payload
from atomlens.structures.arrays import StructureArrays
from atomlens.targets import Target
from terms_makers import classes_predictor

pytestmark = pytest.mark.filterwarnings("ignore:The model's folder was written by atomlens 0.1")


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


@pytest.mark.parametrize("name", ["H2O", "NH3"])  # NH3: training had no nitrogen
def test_an_explanation_says_of_a_structure_what_predict_says(name: str) -> None:
    model = make_predictor()
    model = replace(model, record=replace(model.record, kinds=("molecule",)))
    row = model.predict(molecule(name)).to_records()[0]
    explained = model.explain(molecule(name))
    facts, content = explained.to_atoms().info, explained.to_dict()
    for key in ("homo", "homo_std", "homo_low", "homo_high", "unit", "interval", "warning"):
        assert facts.get(key) == (row.get(key) if key == "unit" else pytest.approx(row.get(key)))
    for key, column in {"std": "homo_std", "low": "homo_low", "high": "homo_high"}.items():
        assert content[key] == pytest.approx(row[column])
    assert content.get("interval") == row["interval"]
    (shown,) = page_payload([explained.picture()])["structures"]
    assert shown["facts"] == explained.facts()
    assert "no error estimate" not in shown["std_words"]
    if name == "NH3":
        assert content["std_source"] == "none for this structure"
        assert "not for this structure" in shown["std_words"]
        assert (row["interval"], row["homo_low"]) == (None, None)
    else:
        assert (content["std_source"], row["interval"]) == ("validation", 0.9)
        assert shown["beside_words"].startswith("90 % interval: ")


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
    assert explained.std_source == "none for a class"
    assert explained.unit in ("probability of no", "probability of yes")


def test_an_answer_that_is_nearly_sure_says_that_its_probability_hardly_moves() -> None:
    made = classes_predictor()
    acid = molecule("HCOOH")
    assert "hardly moves" not in str(made.explain(acid, method="occlusion").to_dict())
    with torch.no_grad():
        made.models[0].table.weight.mul_(5)
    sure = made.explain(acid, method="occlusion")
    assert sure.prediction > 0.999
    assert np.abs(sure.scores).max() < 0.1
    assert "hardly moves" in str(sure.to_dict()["scores_note"])
    (shown,) = page_payload([sure.picture()])["structures"]
    assert "hardly moves" in " ".join(shown["meaning"])
    assert "scores_note" not in made.explain(acid, method="contribution").to_dict()


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


def test_error_estimates_are_judged_on_what_the_model_has_not_learned_from() -> None:
    prediction = make_predictor().predict([WATER, METHANE, ETHANOL])
    true = prediction.values + np.array([[0.0], [9.0], [0.0]])
    mixed = replace(prediction, seen=("train", "test", "validation"))
    figures = score(unseen(mixed), true)["homo"]
    assert isinstance(figures, RegressionMetrics)
    assert (figures.n, figures.n_judged, figures.interval_coverage) == (3, 1, 0.0)
    assert figures.mae == pytest.approx(3.0)
    assert list(without_coverage(mixed, true)) == []
    known = replace(prediction, seen=("train", "pretraining", "validation"))
    (said,) = without_coverage(known, true)
    assert "has learned from all structures" in said
    assert score(unseen(known), true).to_dict()["targets"]["homo"]["interval_coverage"] is None
    empty = np.full_like(prediction.std, np.nan)
    bare = replace(prediction, interval_low=empty, interval_high=empty, intervals=(False,))
    (said,) = without_coverage(bare, true)
    assert "fewer than nine values" in said
    (said,) = without_coverage(replace(bare, intervals=(True,)), true)
    assert "too unlike" in said
    (said,) = without_coverage(replace(bare, std=empty), true)
    assert "no validation part" in said


def test_evaluation_counts_what_failed() -> None:
    atoms = [WATER, molecule("SH2")]
    metrics = make_predictor(n_elements=10).evaluate(dataset(np.zeros((2, 1)), HOMO, atoms))
    assert (metrics.n_samples, metrics.n_failed, metrics["homo"].n) == (2, 1, 1)


def test_whatever_holds_values_is_evaluated(tmp_path: Path) -> None:
    rows = "smiles,homo,other\nO,1,3\nC,2,4\nCCO,3,5\n"
    (tmp_path / "table.csv").write_text(rows)
    table = pd.read_csv(tmp_path / "table.csv")
    data = load_dataset(table, "homo")
    molecules = [WATER.copy(), METHANE.copy(), ETHANOL.copy()]
    for i, atoms in enumerate(molecules, start=1):
        atoms.info["homo"] = i
    model = make_predictor(HOMO, Target(name="lumo", unit="eV"))
    given = [
        str(tmp_path / "table.csv"),
        tmp_path / "table.csv",
        table,
        table.to_dict("records"),
        data,
        list(data),
        zip(["smiles:O", "smiles:C", "CCO"], [1, 2, 3], strict=True),
    ]
    for one in given:
        if isinstance(one, zip):
            figures = model.evaluate(one, target="homo")
        else:
            with pytest.warns(UserWarning, match="no values of lumo") as heard:
                figures = model.evaluate(one)
            assert heard[0].filename == __file__
        assert figures["homo"].mae == pytest.approx(model.evaluate(data, target="homo")["homo"].mae)  # type: ignore[union-attr]
    assert model.evaluate(molecules, target="homo", limit=2).n_samples == 2
    with pytest.raises(DatasetError, match="no such file"):
        model.evaluate("none.csv")
    with pytest.raises(SettingsError, match="Did you mean 'homo'"):
        model.evaluate(table, target="hom")
    with pytest.raises(SettingsError, match="Did you mean 'test'"):
        model.evaluate(table, part="tset")
    with pytest.raises(DatasetError, match="has none of the 1 samples"):
        model.evaluate(table, target="homo", part="test")


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
