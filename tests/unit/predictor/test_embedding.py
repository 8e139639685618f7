"""The vector of a structure: one row an input, the same alone and in company."""

from pathlib import Path

import numpy as np
import pytest

from atomlens.cli import main
from atomlens.datasets import load_dataset
from atomlens.errors import ModelError
from atomlens.predictor import Predictor
from atomlens.training import train

SMALL = {"n_layers": 1, "n_features": 16, "n_heads": 2, "n_embedding": 8}


@pytest.fixture(scope="module")
def model() -> Predictor:
    return train(load_dataset("toy", limit=40), epochs=1, model_settings=SMALL)


def test_every_input_has_a_vector_in_its_place(model: Predictor) -> None:
    found = model.embed(["smiles:CO", "smiles:CCC", "smiles:O"])
    alone = model.embed("smiles:CCC")
    assert found.vectors.shape == (3, 16)
    np.testing.assert_allclose(found.vectors[1], alone.vectors[0], rtol=1e-4, atol=1e-6)
    assert not np.allclose(found.vectors[0], found.vectors[2])


def test_an_input_that_fails_keeps_its_place(model: Predictor, tmp_path: Path) -> None:
    (tmp_path / "broken.xyz").write_text("")
    found = model.embed([tmp_path / "broken.xyz", "smiles:O"])
    assert np.isnan(found.vectors[0]).all()
    assert found.errors[0]
    assert np.isfinite(found.vectors[1]).all()


def test_a_baseline_makes_no_vector() -> None:
    ridge = train(load_dataset("toy", limit=40), model="ridge")
    with pytest.raises(ModelError, match="makes no vector"):
        ridge.embed("smiles:O")


def test_the_command_writes_names_and_vectors(model: Predictor, tmp_path: Path) -> None:
    model.save(tmp_path / "m")
    out = tmp_path / "v.npz"
    inputs = ["smiles:CO", "smiles:CC"]
    assert main(["predict", str(tmp_path / "m"), *inputs, "--embedding", str(out)]) == 0
    with np.load(out, allow_pickle=False) as content:
        assert content["names"].shape == (2,)
        assert content["vectors"].shape == (2, 16)
    assert main(["predict", str(tmp_path / "m"), inputs[0], "--embedding", "v.txt"]) == 2
