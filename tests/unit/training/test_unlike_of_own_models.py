"""Models that were trained here say how unlike their training data an input is, as the box's do."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from atomlens.datasets import load_dataset
from atomlens.datasets.base import Dataset
from atomlens.predictor import Predictor, load
from atomlens.predictor.familiarity import Familiarity
from atomlens.predictor.inputs import gather
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
    train(
        toy,
        model="scann-plus",
        out=out,
        epochs=2,
        split="random:80/30/10",
        model_settings=SMALL,
    )
    return out


@pytest.mark.filterwarnings("ignore:.*(nearer|bohr|far from)")
def test_nonsense_gets_a_warning_and_no_interval(folder: Path, toy: Dataset) -> None:
    model = load(folder)
    assert model.familiarity is not None
    ordinary = model.predict(toy.subset(np.arange(120)).structures)
    assert np.isfinite(ordinary.std).mean() > 0.95
    assert ordinary.unlike is not None
    assert 20 < np.median(ordinary.unlike) < 80 or np.median(ordinary.unlike) < 80
    strange = model.predict([in_bohr(molecule("CH4")), Atoms("O"), molecule("C60")])
    assert (strange.unlike == 100).all()
    assert np.isnan(strange.std).all()
    assert np.isnan(strange.interval_low).all()
    assert all("unlike the training data" in said for said in strange.warnings)
