"""What a pretrained model knows of new data before it is fine-tuned: their unit and structures."""

import re
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.build import molecule

from atomlens.datasets.base import Dataset, Sample
from atomlens.datasets.in_memory import dataset_of_samples
from atomlens.predictor import Predictor
from atomlens.predictor.other_units import wrong_factor
from atomlens.targets import Target
from atomlens.training import train
from atomlens.training.transfer import Pretrained, about_sizes

pytestmark = pytest.mark.usefixtures("no_pictures")

NAMES = "CH4 NH3 H2O HCl CO2 N2 C2H6 C2H4 C2H2 CH3OH HCN H2CO CH3Cl H2O2 N2O C6H6".split()
QUICK: dict[str, Any] = {
    "epochs": 1,
    "n_threads": 1,
    "model_settings": {"n_layers": 1, "n_features": 8, "n_hidden": 8},
}


def molecules(values: Any, unit: str = "eV") -> Dataset:
    samples = [
        Sample(atoms=molecule(name), targets={"homo": float(v)}, identifier=name)
        for name, v in zip(NAMES, values, strict=True)
    ]
    data = dataset_of_samples(samples)
    return replace(data, targets=(Target(name="homo", unit=unit),))


@pytest.fixture(scope="module")
def pretrained() -> Predictor:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("atomlens.training.pipeline.draw", lambda *_: True)
        rng = np.random.default_rng(0)
        data = molecules(rng.normal(-6.5, 0.6, len(NAMES)))
        return train(data, model="cgcnn", split="random:.5/.25/.25", **QUICK)


def said_of(pretrained: Predictor, factor: float, unit: str = "eV", shift: float = 0.0) -> str:
    answers = pretrained.predict(molecules([0.0] * len(NAMES)).structures).values[:, 0]
    apart = 3 * (answers - answers.mean())
    data = molecules((answers + apart) * factor + shift, unit)
    return " ".join(about_sizes(Pretrained(name="first", predictor=pretrained), data))


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (1 / 27.2114, r"about 1/27\.\d of what is predicted \(27\.21 eV are one Ha\)"),
        (1000, r"about (1,)?\d{3} times what is predicted \(1000 meV are one eV"),
        (23.06, r"23\.06 kcal/mol are one eV"),
    ],
)
def test_values_in_another_unit_are_told_before_a_fine_tuning(
    pretrained: Predictor, factor: float, words: str
) -> None:
    said = said_of(pretrained, factor)
    assert said.startswith("homo: first predicts it in eV before any training here")
    assert re.search(words, said)


@pytest.mark.parametrize(
    ("factor", "unit", "shift"), [(1, "eV", 0), (0.9, "", 1), (0.037, "Ha", 0)]
)
def test_nothing_is_told_of_the_same_unit_or_of_one_that_both_name(
    pretrained: Predictor, factor: float, unit: str, shift: float
) -> None:
    assert said_of(pretrained, factor, unit, shift) == ""


def test_a_model_that_shrinks_to_its_mean_is_no_other_unit() -> None:
    true = np.random.default_rng(1).normal(0, 1, 200)
    assert wrong_factor(true, true / 20) == ""
    assert wrong_factor(true * 1000, true) != ""
    assert wrong_factor(true[::-1] * 1000, true) == ""
    assert wrong_factor(np.full(200, np.nan), true) == ""


def test_training_warns_of_another_unit_and_of_molecules_that_may_have_been_learned(
    pretrained: Predictor, tmp_path: Path
) -> None:
    answers = pretrained.predict(molecules([0.0] * len(NAMES)).structures).values[:, 0]
    data = molecules(answers / 27.2114)
    made = replace(
        data.structures,
        is_made=np.ones(len(data), dtype=np.bool_),
        positions=data.structures.positions * 1.05,
    )
    learned = replace(pretrained.record, made_geometries=False)
    given = {**QUICK, "start_from": replace(pretrained, record=learned)}
    del given["model_settings"]
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        train(replace(data, structures=made), out=tmp_path / "m", **given)
    texts = [str(w.message) for w in heard]
    assert any("27.21 eV are one Ha" in text for text in texts)
    (unknown,) = [text for text in texts if "molecules is unknown" in text]
    assert unknown.startswith("test part: Whether a cgcnn model in memory (homo) has learned")
    assert unknown in (tmp_path / "m" / "README.md").read_text()
