"""A model that reads ring flags is trained, kept, used and trained further."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from atomlens.datasets import load_dataset
from atomlens.errors import SettingsError
from atomlens.graphs import collate
from atomlens.models import make_model
from atomlens.predictor import load
from atomlens.training import train
from graph_makers import random_graph

SMALL: dict[str, Any] = {"n_layers": 1, "n_features": 16, "n_heads": 2, "n_embedding": 8}
QUICK: dict[str, Any] = {"epochs": 1, "batch_size": 16, "n_threads": 1}


def test_flags_go_from_the_builder_through_training_into_predictions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atomlens.training.pipeline.draw", lambda *_: True)
    toy = load_dataset("toy", limit=40)
    settings = {**SMALL, "ring_features": True}
    model = train(toy, model="scann", model_settings=settings, out=tmp_path / "m", **QUICK)
    assert model.builder.settings()["ring_flags"] is True
    kept = load(tmp_path / "m")
    ring, chain = kept.predict(["c1ccccc1", "CCCC"]).values
    assert np.isfinite([ring, chain]).all()
    explained = kept.explain("c1ccccc1")
    assert explained.prediction == pytest.approx(ring[0], rel=1e-5)
    tuned = train(toy, start_from=kept, frozen_layers=1, **QUICK)
    before, after = (p.models[0].state_dict() for p in (kept, tuned))
    assert torch.equal(before["ring_input.weight"], after["ring_input.weight"])


def test_a_model_that_reads_flags_says_so_where_there_are_none() -> None:
    model = make_model("scann", **SMALL, ring_features=True)
    with pytest.raises(SettingsError, match="ring_flags=true"):
        model(collate([random_graph(5, 3)]))


def test_a_model_with_ring_features_feels_the_flags() -> None:
    from dataclasses import replace

    torch.manual_seed(0)
    model = make_model("scann", **SMALL, ring_features=True).eval()
    graph = random_graph(5, 3)
    with torch.no_grad():
        without = model(collate([replace(graph, ring_flags=torch.zeros(5, 2))])).values
        everywhere = model(collate([replace(graph, ring_flags=torch.ones(5, 2))])).values
    assert not torch.allclose(without, everywhere)
