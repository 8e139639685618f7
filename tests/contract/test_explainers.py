"""What every explainer owes its callers, over the tables of explainers and models."""

import numpy as np
import pytest
import torch

from atomlens.errors import ExplanationError
from atomlens.explain import EXPLAINERS
from atomlens.graphs import collate
from atomlens.models import MODELS, PropertyModel
from graph_makers import random_graph, shuffled
from model_makers import small_model

NAMES = sorted(MODELS)
METHODS = sorted(EXPLAINERS)


def frozen_model(name: str) -> PropertyModel:
    return small_model(name, n_outputs=2).requires_grad_(False).double()


def scores_of(method: str, model: PropertyModel, graph: object, output: int = 0) -> np.ndarray:
    if method == "attention" and not model.attends_to_atoms:
        pytest.skip("the model has no attention over atoms")
    if "gradient" in method and not model.element_tables:
        pytest.skip("the model learns no vector for each element")
    batch = collate([graph], torch.float64)  # type: ignore[list-item]
    return EXPLAINERS[method]().explain(model, batch, output).scores


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", METHODS)
def test_scores_follow_the_atoms_when_their_order_changes(name: str, method: str) -> None:
    model, graph = frozen_model(name), random_graph(7, 4)
    order = torch.randperm(7, generator=torch.Generator().manual_seed(1))
    before, after = (scores_of(method, model, g) for g in (graph, shuffled(graph, order)))
    assert before.shape == (7,)
    assert np.isfinite(before).all()
    np.testing.assert_allclose(before[order.numpy()], after, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", METHODS)
def test_explaining_leaves_the_weights_alone(name: str, method: str) -> None:
    model = frozen_model(name)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    scores_of(method, model, random_graph(5, 3))
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", ["gradient", "integrated-gradients", "occlusion"])
def test_the_chosen_output_is_explained(name: str, method: str) -> None:
    model, graph = frozen_model(name), random_graph(6, 4)
    first, second = (scores_of(method, model, graph, output) for output in (0, 1))
    if name != "mean":  # which no atom changes
        assert not np.allclose(first, second)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_without_attention_says_so(name: str) -> None:
    model, batch = frozen_model(name), collate([random_graph(6, 4)], torch.float64)
    shares = model(batch).node_attention
    if model.attends_to_atoms:
        assert float(shares.max() - shares.min()) > 1e-6
    else:
        torch.testing.assert_close(shares, torch.full_like(shares, 1 / len(shares)))
        with pytest.raises(ExplanationError, match="occlusion"):
            EXPLAINERS["attention"]().explain(model, batch, 0)
