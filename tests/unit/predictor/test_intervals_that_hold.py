"""Intervals that hold less than they promise, elements that few structures had, and totals."""

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

import atomlens as al
from atomlens.datasets import Dataset
from atomlens.datasets.splits import Split
from atomlens.predictor.evaluation import about_figures, about_skill
from atomlens.predictor.folder.card import model_card
from atomlens.predictor.measuring import regression_metrics
from atomlens.predictor.metrics import Metrics
from atomlens.predictor.record import TrainingRecord
from atomlens.predictor.skill import wrong_coverage
from atomlens.predictor.trust.doubts import rare_elements, with_rare_elements
from atomlens.structures.arrays import StructureArrays
from atomlens.targets import Target
from atomlens.training.part_remarks import sums_over_elements


def said_of(n_inside: int, n: int) -> list[str]:
    return [*wrong_coverage({"y": {"n": n, "n_judged": n, "interval_coverage": n_inside / n}})]


@pytest.mark.parametrize(("n_inside", "n"), [(56, 80), (805, 1000), (12, 20), (860, 1000)])
def test_fewer_inside_than_chance_leaves_are_told_with_the_numbers(n_inside: int, n: int) -> None:
    (one,) = said_of(n_inside, n)
    assert f"too narrow: {n_inside} of {n:,} values are inside ({100 * n_inside / n:.1f} %)" in one
    assert "calibration_share=0.5" in one


@pytest.mark.parametrize(
    ("n_inside", "n"), [(66, 80), (15, 20), (8, 19), (890, 1000), (90, 100), (20, 20), (96, 100)]
)
def test_what_chance_leaves_is_not(n_inside: int, n: int) -> None:
    assert not said_of(n_inside, n)


def test_many_more_inside_than_promised_are_told() -> None:
    (one,) = said_of(100, 100)
    assert "wider than they need be: 100 of 100 values are inside (100.0 %)" in one


def molecules(names: list[str], n: int) -> StructureArrays:
    atoms: list[Atoms] = []
    for seed in range(n):
        for name in names:
            one = molecule(name)
            one.rattle(0.02, seed=seed)
            atoms.append(one)
    return StructureArrays.from_atoms(atoms)


@pytest.fixture(scope="module")
def model() -> al.Predictor:
    """Of energies that are nearly sums over atoms; chlorine is in two molecules."""
    structures = molecules(["CH4", "NH3", "H2O", "C2H6"], 15)
    structures = StructureArrays.from_structures([*structures, *molecules(["HCl"], 2)])
    weights = {1: -0.5, 6: -38.0, 7: -54.0, 8: -75.0, 17: -460.0}
    values = np.array([sum(weights[z] for z in s.atomic_numbers.tolist()) for s in structures])
    n = len(structures)
    data = Dataset(
        name="own",
        structures=structures,
        targets=(Target(name="E", unit="eV", extensive=True),),
        values=(values + 0.01 * np.random.default_rng(0).normal(size=n))[:, None],
        splits={
            "train": np.array([*range(40), n - 2, n - 1]),
            "validation": np.arange(40, 52),
            "test": np.arange(52, n - 2),
        },
    )
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        trained = al.train(
            data,
            model="lens",
            epochs=1,
            split="source",
            n_threads=1,
            model_settings={"n_layers": 1, "n_features": 8, "n_heads": 1, "n_embedding": 4},
        )
    (said,) = [str(w.message) for w in found if "sum over elements" in str(w.message)]
    assert 'in Python reference="elements"' in said
    return trained


def with_coverage(model: al.Predictor, inside: float) -> al.Predictor:
    figures = {"n": 80, "n_judged": 80, "interval_coverage": inside, "mae": 1.0, "mad": 9.0}
    return replace(model, metrics={"test": {"targets": {"E": figures}}})


def test_card_and_training_tell_of_narrow_intervals_and_evaluate_too(model: al.Predictor) -> None:
    narrow, sound = with_coverage(model, 0.7), with_coverage(model, 0.9)
    (one,) = about_skill(narrow)
    assert "56 of 80 values on the test part are inside (70.0 %)" in one
    assert "56 of 80 values on the test part" in model_card(narrow)
    assert not about_skill(sound)
    assert "too narrow" not in model_card(sound)
    assert "what it holds of the test part stands above" in model_card(sound)
    ends = np.zeros(50), np.ones(50)
    true = np.where(np.arange(50) < 30, 0.5, 3.0)
    figures = regression_metrics(
        true, np.full(50, 0.5), target="E", std=np.ones(50), low=ends[0], high=ends[1]
    )
    said = about_figures(sound, Metrics(n_samples=50, n_failed=0, targets={"E": figures}))
    (one,) = [text for text in said if "too narrow" in text]
    assert "30 of 50 values are inside (60.0 %)" in one
    assert "of another kind than the training's" in one


def test_an_element_of_few_training_structures_is_doubted(model: al.Predictor) -> None:
    assert model.record.rare_elements == {17: 2}
    content: Any = model.record.to_dict()
    assert TrainingRecord.from_dict(content).rare_elements == {17: 2}
    content["rare_elements"] = {"0": 3}
    with pytest.raises(ValueError, match="rare_elements"):
        TrainingRecord.from_dict(content)
    assert "Few structures of the training part have some: Cl in 2." in model_card(model)
    found = model.predict([molecule("HCl"), molecule("CH4")])
    (one,) = [t for t in found.doubts[0].of_model if "Cl in 2 structures only" in t]
    assert "so the error may be larg" in one
    assert not [t for t in found.doubts[1].of_model if "only, so" in t]


def test_elements_are_rare_beside_the_others_alone() -> None:
    assert not rare_elements(molecules(["CH4", "NH3", "H2O"], 1))
    assert not rare_elements(molecules(["CH4", "NH3", "H2O", "HCl", "SH2"], 20)), "of each a fifth"
    many = StructureArrays.from_structures(
        [*molecules(["CH4", "NH3", "CH3OH"], 40), *molecules(["SH2"], 5)]
    )
    assert rare_elements(many) == {16: 5}
    alone = StructureArrays.from_atoms([Atoms(numbers=[z]) for z in range(1, 90)])
    assert not rare_elements(alone), "of many elements each is in few"
    no_error = np.zeros(1, dtype=np.bool_)
    (said,) = with_rare_elements(molecules(["SH2"], 1), {16: 1}, no_error)
    assert said == "the training data had S in 1 structure only, so the error may be large"


def test_totals_that_are_no_sums_over_elements_are_not_told() -> None:
    structures = molecules(["CH4", "NH3", "H2O", "C2H6"], 12)
    rows = np.arange(len(structures))
    noise = np.random.default_rng(1).normal(size=len(rows)) * structures.n_atoms
    split = Split(train=rows, validation=rows[:0], test=rows[:0])
    for target in (Target(name="E", extensive=True), Target(name="E")):
        data = Dataset(name="x", structures=structures, targets=(target,), values=noise[:, None])
        assert not [*sums_over_elements(data, split)]
