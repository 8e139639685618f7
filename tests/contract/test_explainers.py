"""What every explainer owes its callers, over the tables of explainers and models."""

import numpy as np
import pytest
import torch

from atomlens.errors import ExplanationError
from atomlens.explain import EXPLAINERS
from atomlens.graphs import collate
from atomlens.models import MODELS, PropertyModel, make_model, model_config
from graph_makers import random_graph, shuffled

NAMES = sorted(MODELS)
METHODS = sorted(EXPLAINERS)
SMALL = {"n_layers": 2, "n_features": 32, "n_heads": 4, "n_embedding": 8}


def small_model(name: str) -> PropertyModel:
    torch.manual_seed(0)
    config = model_config(name)
    small = {k: v for k, v in SMALL.items() if hasattr(config, k)}
    if getattr(config, "n_heads", 1) == 1:
        small.pop("n_heads", None)
    model = make_model(name, **small, n_outputs=2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval().requires_grad_(False).double()


def scores_of(method: str, model: PropertyModel, graph: object, output: int = 0) -> np.ndarray:
    batch = collate([graph], torch.float64)  # type: ignore[list-item]
    try:
        return EXPLAINERS[method]().explain(model, batch, output).scores
    except ExplanationError as refused:
        pytest.skip(str(refused))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", METHODS)
def test_scores_follow_the_atoms_when_their_order_changes(name: str, method: str) -> None:
    model, graph = small_model(name), random_graph(7, 4)
    order = torch.randperm(7, generator=torch.Generator().manual_seed(1))
    before, after = (scores_of(method, model, g) for g in (graph, shuffled(graph, order)))
    assert before.shape == (7,)
    assert np.isfinite(before).all()
    np.testing.assert_allclose(before[order.numpy()], after, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", METHODS)
def test_explaining_leaves_the_weights_alone(name: str, method: str) -> None:
    model = small_model(name)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    scores_of(method, model, random_graph(5, 3))
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", ["gradient", "integrated-gradients", "occlusion"])
def test_the_chosen_output_is_explained(name: str, method: str) -> None:
    model, graph = small_model(name), random_graph(6, 4)
    first, second = (scores_of(method, model, graph, output) for output in (0, 1))
    if name not in ("mean", "rf-magpie"):  # the same for all outputs until they are fitted
        assert not np.allclose(first, second)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_without_attention_says_so(name: str) -> None:
    model, batch = small_model(name), collate([random_graph(6, 4)], torch.float64)
    shares = model(batch).node_attention
    if model.attends_to_atoms:
        assert float(shares.max() - shares.min()) > 1e-6
    else:
        torch.testing.assert_close(shares, torch.full_like(shares, 1 / len(shares)))
        with pytest.raises(ExplanationError, match="occlusion"):
            EXPLAINERS["attention"]().explain(model, batch, 0)
