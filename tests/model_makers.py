"""Small models of every kind, for tests over the table of models."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from atomlens.models import MODELS, PropertyModel, make_model, model_config
from atomlens.testing.models import made_ready

SMALL = {"n_layers": 2, "n_features": 32, "n_heads": 4, "n_embedding": 8, "n_trees": 5}


ADDITIVE_HEADS = ("scann:additive", "scann-plus:additive", "cgcnn:additive", "finder:additive")
"""Models of the table with the additive head in place of their own."""


def kind_of(name: str) -> type[PropertyModel]:
    """The class of a model of the table, or of one with another head."""
    return MODELS[name.partition(":")[0]]


def small_model(name: str, **settings: object) -> PropertyModel:
    """A small instance with random weights everywhere, ready for prediction."""
    torch.manual_seed(0)
    name, _, head = name.partition(":")
    if head:
        settings = {"head": head, **settings}
    if name == "roost":
        pytest.importorskip("aviary.roost.model", exc_type=ImportError)
    config = model_config(name)
    small = {k: v for k, v in SMALL.items() if hasattr(config, k)}
    if getattr(config, "n_heads", 1) == 1:  # this step of a ladder has no heads
        small.pop("n_heads", None)
    if isinstance(getattr(config, "n_hidden", None), tuple):
        small["n_hidden"] = (16, 16, 16, 16)
    return made_ready(make_model(name, **{**small, **settings}))


def settings_of(folder: Path) -> dict[str, Any]:
    """What a trained model's folder says of itself."""
    content: dict[str, Any] = json.loads((folder / "settings.json").read_text())
    return content
