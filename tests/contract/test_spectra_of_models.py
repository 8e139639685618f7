"""Every model learns a spectrum beside a single number, and predicts it after saving."""

from pathlib import Path

import numpy as np
import pytest

from atomlens import Predictor, train
from atomlens.datasets import Dataset, load_dataset
from atomlens.models import MODELS, model_config
from atomlens.targets import Target
from model_makers import SMALL
from spectrum_makers import oscillators

GRID = (1.0, 2.0, 4.0, 5.0)
N = 12


def made_data(kind: str) -> Dataset:
    """Molecules or formulas with a number and a spectrum that has a gap."""
    base = load_dataset("toy", limit=N) if kind == "molecules" else oscillators().subset(range(N))
    values = np.random.default_rng(0).normal(size=(N, 1 + len(GRID)))
    values[3, 2] = np.nan
    targets = (Target(name="number"), Target(name="spectrum", grid=GRID))
    return Dataset(name="made", structures=base.structures, targets=targets, values=values)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_model_of_a_spectrum_predicts_it_after_saving(name: str, tmp_path: Path) -> None:
    if name == "roost":
        pytest.importorskip("aviary.roost.model", exc_type=ImportError)
    if name == "rf-magpie":
        pytest.importorskip("sklearn")
    kind = MODELS[name]
    formulas = kind.formula_builder is not None or kind.default_builder[0] == "formula"
    config = model_config(name)
    small = {k: v for k, v in SMALL.items() if hasattr(config, k)}
    if isinstance(getattr(config, "n_hidden", None), tuple):
        small["n_hidden"] = (8, 8, 8, 8)
    if getattr(config, "n_heads", 1) == 1:
        small.pop("n_heads", None)
    data = made_data("formulas" if formulas else "molecules")
    trained = train(
        data,
        model=name,
        target=["number", "spectrum"],
        epochs=1,
        split="random:8/4/0",
        model_settings=small,
        cache_dir=str(tmp_path),
    )
    trained.save(tmp_path / "model")
    asked = [f"formula:{data.structures.formula(i)}" for i in range(N)]
    asked = asked if formulas else ["smiles:CO", "smiles:CCO"]
    found, again = trained.predict(asked), Predictor.load(tmp_path / "model").predict(asked)
    assert found.values.shape == (len(asked), 5)
    assert found.spectrum("spectrum").shape == (len(asked), 4)
    assert np.isfinite(found.values).all()
    known = np.isfinite(found.std).all(axis=1)  # of new elements none is given
    assert known.sum() >= (8 if formulas else 2)
    np.testing.assert_array_equal(found.values, again.values)
    np.testing.assert_array_equal(found.interval_high, again.interval_high)
