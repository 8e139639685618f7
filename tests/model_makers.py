"""Small models of every kind, for tests over the table of models."""

import pytest
import torch

from atomlens.graphs import collate
from atomlens.models import ClosedFormModel, PropertyModel, make_model, model_config
from graph_makers import random_graph

SMALL = {"n_layers": 2, "n_features": 32, "n_heads": 4, "n_embedding": 8, "n_trees": 5}


def small_model(name: str, **settings: object) -> PropertyModel:
    """A small instance with random weights everywhere, ready for prediction."""
    torch.manual_seed(0)
    if name == "roost":
        pytest.importorskip("aviary.roost.model", exc_type=ImportError)
    config = model_config(name)
    small = {k: v for k, v in SMALL.items() if hasattr(config, k)}
    if getattr(config, "n_heads", 1) == 1:  # this step of a ladder has no heads
        small.pop("n_heads", None)
    if isinstance(getattr(config, "n_hidden", None), tuple):
        small["n_hidden"] = (16, 16, 16, 16)
    model = make_model(name, **small, **settings)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    table = dict(model.named_buffers()).get("element_table")
    if table is not None and not table.any():  # training would have filled it in
        table.normal_()
    if isinstance(model, ClosedFormModel):
        batch = collate([random_graph(6, 3, seed=s) for s in range(12)])
        model.fit(batch, torch.randn(12, model.config.n_outputs))
    return model.eval()
