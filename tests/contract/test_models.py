"""What every model owes its callers, checked over the table of models."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from atomlens.errors import SettingsError
from atomlens.graphs import GraphBatch, collate
from atomlens.models import MODELS, ModelOutput, PropertyModel, make_model
from atomlens.nn.segment import segment_sum
from atomlens.testing import MODEL_CHECKS
from graph_makers import random_graph
from model_makers import ADDITIVE_HEADS, small_model

NAMES = sorted([*MODELS.ours(), *ADDITIVE_HEADS])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("check", MODEL_CHECKS, ids=lambda check: check.__name__)
def test_every_model_keeps_what_it_promises(check: Callable[..., None], name: str) -> None:
    def make(**settings: Any) -> PropertyModel:
        return small_model(name, **settings)

    check(make)


@pytest.mark.parametrize("name", sorted(MODELS.ours()))
def test_an_unknown_setting_names_the_nearest(name: str) -> None:
    with pytest.raises(SettingsError, match="Did you mean 'n_outputs'"):
        make_model(name, n_output=2)


def test_an_unknown_model_names_the_nearest() -> None:
    with pytest.raises(SettingsError, match="Did you mean 'scann-plus'"):
        make_model("scan-plus")


ADDITIVE = ["lens", *ADDITIVE_HEADS]


@torch.no_grad()
def run(model: PropertyModel, batch: GraphBatch) -> ModelOutput:
    output = model(batch)
    assert isinstance(output, ModelOutput)
    return output


@pytest.mark.parametrize("name", ADDITIVE)
def test_the_terms_of_the_atoms_add_up_to_the_values(name: str) -> None:
    model = small_model(name, n_outputs=3).double()
    batch = collate([random_graph(6, 3), random_graph(4, 2, seed=1)], torch.float64)
    output = run(model, batch)
    assert model.is_additive
    assert output.node_terms is not None
    assert output.node_target_attention is not None
    sums = segment_sum(output.node_terms, batch.graph_index, batch.n_graphs)
    torch.testing.assert_close(sums, output.values)
    shares = segment_sum(output.node_target_attention, batch.graph_index, batch.n_graphs)
    torch.testing.assert_close(shares, torch.ones_like(shares))


@pytest.mark.parametrize("name", ADDITIVE)
def test_training_makes_terms_effects_on_every_few_th_batch_only(name: str) -> None:
    model = small_model(name, consistency=2.0, consistency_every=3).train()
    batch = collate([random_graph(6, 3), random_graph(4, 2, seed=1)])
    output = model(batch)
    assert model.knows_masks
    assert model.auxiliary_loss(batch, output, 1) is None
    torch.manual_seed(1)
    loss = model.auxiliary_loss(batch, output, 3)
    assert loss is not None
    assert float(loss.detach()) > 0
    loss.backward()
    changed = [name for name, p in model.named_parameters() if p.grad is not None and p.grad.any()]
    assert any(name.startswith("readout") for name in changed)
    assert small_model(name, consistency=0.0).auxiliary_loss(batch, output, 3) is None


@pytest.mark.parametrize("name", ADDITIVE)
def test_terms_are_asked_to_be_small_in_every_step(name: str) -> None:
    model = small_model(name, consistency=0.0, small_terms=0.5, n_outputs=2).train()
    batch = collate([random_graph(6, 3), random_graph(4, 2, seed=1)])
    output = model(batch)
    loss = model.auxiliary_loss(batch, output, 1)
    assert loss is not None
    first, second = output.node_terms[:6], output.node_terms[6:]
    expected = (6 * first.square().sum() + 4 * second.square().sum()) / 4
    torch.testing.assert_close(loss, 0.5 * expected)
    of_both = model.auxiliary_loss(batch, output, 0, torch.tensor([True, False]))
    torch.testing.assert_close(of_both, 0.5 * 6 * first.square().sum() / 2)


@pytest.mark.parametrize("name", ADDITIVE_HEADS)
def test_the_published_head_stays_the_default(name: str) -> None:
    published = small_model(name.partition(":")[0])
    assert not published.is_additive
    batch = collate([random_graph(5, 3)])
    output = run(published, batch)
    assert output.node_terms is None
    assert published.auxiliary_loss(batch, output, 0) is None
