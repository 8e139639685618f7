"""Ensembles whose networks have unlike settings: saved, loaded, asked, explained, fine-tuned."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_predictors import ETHANOL, SIZES, WATER, make_predictor

from atomlens.datasets import load_dataset
from atomlens.errors import ModelError
from atomlens.explain import methods_of
from atomlens.models import make_model
from atomlens.predictor import Predictor, load
from atomlens.predictor.folder.card import model_card
from atomlens.training import TrainSettings, train


def unlike() -> Predictor:
    """One network of one layer of 16 and two of two layers of 24."""
    small = make_predictor(noise="laplace")
    sizes = SIZES | {"n_layers": 2, "n_features": 24, "n_embedding": 12, "predict_scale": True}
    large = [make_model("scann-plus", n_outputs=1, **sizes) for _ in range(2)]
    return replace(small, models=(*small.models, *large))


def test_unlike_members_are_kept_bit_for_bit(tmp_path: Path) -> None:
    made = unlike()
    back = load(made.save(tmp_path / "model"))
    assert [m.config for m in back.models] == [m.config for m in made.models]
    one, other = (p.predict([WATER, ETHANOL]) for p in (made, back))
    assert np.array_equal(one.values, other.values)
    assert np.array_equal(one.std, other.std)
    settings = json.loads((tmp_path / "model" / "settings.json").read_text())["model"]
    assert settings["changes"][0] == {}
    assert settings["changes"][1] == {"n_layers": 2, "n_features": 24, "n_embedding": 12}


def test_an_ensemble_of_one_kind_says_nothing_of_changes(tmp_path: Path) -> None:
    folder = make_predictor(n_members=2).save(tmp_path / "model")
    assert "changes" not in json.loads((folder / "settings.json").read_text())["model"]


@pytest.mark.parametrize(
    "changes", [[{}], [{}, {}, {"n_layers": 10**9}], [{}, {}, 3], [{}, {}, {"n_layer": 2}], "no"]
)
def test_changes_that_do_not_fit_the_weights_are_refused(tmp_path: Path, changes: object) -> None:
    folder = unlike().save(tmp_path / "model")
    settings = json.loads((folder / "settings.json").read_text())
    settings["model"]["changes"] = changes
    (folder / "settings.json").write_text(json.dumps(settings))
    with pytest.raises(ModelError, match=r"settings\.json"):
        load(folder)


def test_its_card_tells_both_sizes() -> None:
    made = unlike()
    sizes = [sum(p.numel() for p in m.parameters()) for m in made.models]
    said = model_card(made)
    assert f"3 models with {sizes[0]:,} weights (1 of them), {sizes[1]:,} weights (2" in said


@pytest.mark.parametrize("method", methods_of(unlike().models[0]))
def test_every_method_explains_it(method: str) -> None:
    made = unlike()
    found = made.explain(ETHANOL, method=method)
    assert found.scores.shape == (9,)
    assert np.isfinite(found.scores).all()


def test_fine_tuning_takes_the_networks_like_the_first(recwarn: pytest.WarningsRecorder) -> None:
    toy = load_dataset("toy")
    settings = {"epochs": 1, "subset": 20, "seed": 1}
    parts = [
        train(toy, model="scann-plus", settings=TrainSettings(**settings, model_settings=s))
        for s in (SIZES, SIZES | {"n_layers": 2}, SIZES)
    ]
    mixed = replace(parts[0], models=tuple(p.models[0] for p in parts))
    tuned = train(toy, start_from=mixed, settings=TrainSettings(**settings, ensemble=2))
    assert [m.config.n_layers for m in tuned.models] == [1, 1]
    assert any("of which those like the first (2) can be used" in r for r in tuned.record.remarks)
