"""Models that were trained here say how unlike their training data an input is, as the box's do."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from atomlens.datasets import load_dataset
from atomlens.datasets.base import Dataset
from atomlens.predictor import load
from atomlens.predictor.inputs import gather
from atomlens.predictor.trust.familiarity import Familiarity
from atomlens.training import train

SMALL = {"n_features": 16, "n_layers": 1, "n_heads": 2}


def in_bohr(atoms: Atoms) -> Atoms:
    changed = atoms.copy()
    changed.positions /= 0.529177
    return changed


@pytest.fixture(scope="module")
def toy() -> Dataset:
    return load_dataset("toy", limit=120)


@pytest.fixture(scope="module")
def folder(toy: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained") / "model"
    sizes = "random:80/30/10"
    train(toy, model="scann-plus", out=out, epochs=2, split=sizes, model_settings=SMALL)
    return out


def test_nonsense_gets_a_warning_and_no_interval(folder: Path, toy: Dataset) -> None:
    model = load(folder)
    ordinary = model.predict(toy.structures)
    assert ordinary.unlike is not None
    assert np.isfinite(ordinary.std).mean() > 0.95
    assert np.median(ordinary.unlike) < 60
    strange = model.predict([in_bohr(molecule("CH4")), Atoms("O"), molecule("H2")])
    assert strange.unlike is not None
    assert (strange.unlike == 100).all()
    assert np.isnan(strange.std).all()
    assert np.isnan(strange.interval_low).all()
    assert all("unlike the training data" in said for said in strange.warnings)
    assert "`unlike` is the share of the validation part" in (folder / "README.md").read_text()


@pytest.mark.parametrize(
    ("model", "sizes"),
    [("scann-plus", "80/8/10"), ("ridge", "80/8/10"), ("mean", "80/30/10")],
)
def test_nothing_is_said_without_a_measure(toy: Dataset, model: str, sizes: str) -> None:
    settings = {} if model != "scann-plus" else {"model_settings": SMALL, "epochs": 1}
    trained = train(toy, model=model, split=f"random:{sizes}", **settings)
    assert trained.familiarity is None
    assert trained.predict(molecule("CH4")).unlike is None


def test_a_model_of_compositions_knows_crystals_and_formulas_alike() -> None:
    crystals = load_dataset("toy", limit=60, kind="crystals")
    small = {"n_features": 8, "n_hidden": (8, 8, 8, 8)}
    sizes = "random:35/15/10"
    model = train(
        crystals, model="finder", builder="formula", epochs=1, split=sizes, model_settings=small
    )
    assert model.familiarity is not None
    assert model.familiarity.kinds == ("periodic structure",)
    found = model.predict(["MgO", "CaS"])
    assert found.errors == ("", "")
    assert not any("training data had" in said for said in found.warnings)


def vectors(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 5)) * [3, 2, 1, 1, 0.5] + 2.0


def fitted(n: int, seed: int, unit: float = 1.0) -> Familiarity:
    water = gather(molecule("H2O")).structures
    return Familiarity.fit(unit * vectors(200, 1), unit * vectors(n, seed), water)


@pytest.mark.parametrize("n", [9, 30, 100])
def test_few_validation_structures_leave_few_others_beyond_them(n: int) -> None:
    beyond, far = [], vectors(50, 3) + 30.0
    for seed in range(2, 12):
        known = fitted(n, seed)
        distances = known.distances(vectors(n, seed))
        assert known.percentages(distances).max() == pytest.approx(100 * n / (n + 1), abs=0.2)
        beyond.append((known.percentages(known.distances(vectors(1000, 99))) == 100).mean())
        assert (known.percentages(known.distances(far)) == 100).all()
    assert np.mean(beyond) < 0.01


@pytest.mark.parametrize("unit", [1e-6, 1e7])
def test_small_and_large_vectors_are_kept_in_sixteen_bits(unit: float) -> None:
    plain, other = fitted(30, 2), fitted(30, 2, unit)
    new = vectors(40, 5)
    expected = plain.percentages(plain.distances(new))
    found = other.percentages(other.distances(unit * new))
    assert np.abs(found - expected).max() < 2


def test_copies_of_training_structures_are_not_unlike_by_rounding() -> None:
    water, training = gather(molecule("H2O")).structures, vectors(200, 1)
    known = Familiarity.fit(training, training[:40], water)
    rounded = training + 3e-4 * np.random.default_rng(0).normal(size=training.shape)
    assert (known.percentages(known.distances(rounded)) < 100).all()
    assert known.percentages(known.distances(vectors(200, 7))).min() == 100
