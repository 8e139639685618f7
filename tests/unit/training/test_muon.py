"""Muon: orthogonal steps for matrices between the first layer and the last, AdamW for the rest."""

import pytest
import torch
from torch import nn

from atomlens.datasets import load_dataset
from atomlens.errors import SettingsError
from atomlens.training import TrainSettings, train
from atomlens.training.optimizer import (
    Muon,
    make_optimizer,
    optimizer_tensors,
    orthogonal,
    restore_optimizer,
    set_rate,
)
from model_makers import small_model

CPU = torch.device("cpu")


def matrix(rows: int, columns: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(8, 8), (12, 5), (5, 12)])
def test_singular_values_become_near_one_and_vectors_stay(shape: tuple[int, int]) -> None:
    given = matrix(*shape)
    found = orthogonal(torch.stack([given, 100 * given]))
    torch.testing.assert_close(found[0], found[1])  # whatever the size of the gradient
    sizes = torch.linalg.svdvals(found[0])
    assert sizes.min() > 0.6
    assert sizes.max() < 1.3
    left, _, right = torch.linalg.svd(given, full_matrices=False)
    turned = left.T @ found[0] @ right.T
    assert (turned - torch.diag(turned.diag())).abs().max() < 1e-4


def two_kinds() -> tuple[nn.Parameter, nn.Parameter, nn.Parameter]:
    return nn.Parameter(matrix(6, 4)), nn.Parameter(matrix(4, 6, 1)), nn.Parameter(torch.ones(3))


def test_matrices_step_by_the_rate_and_all_else_as_in_adamw() -> None:
    wide, tall, bias = two_kinds()
    alone = nn.Parameter(bias.detach().clone())
    settings = {"lr": 0.1, "betas": (0.9, 0.98)}
    muon = Muon(
        [wide, tall], [{"params": [bias], "weight_decay": 0.0}], weight_decay=0.5, **settings
    )
    adamw = torch.optim.AdamW([alone], weight_decay=0.0, **settings)
    for seed in range(3):
        before = wide.detach().clone()
        for p in (wide, tall):
            p.grad = matrix(*p.shape, seed=seed + 5)
        bias.grad = matrix(1, 3, seed)[0]
        alone.grad = bias.grad.clone()
        muon.step()
        adamw.step()
        way = before * (1 - 0.1 * 0.5) - wide.detach()
        sizes = torch.linalg.svdvals(way) / (0.1 * 0.2 * 6**0.5)
        assert sizes.min() > 0.6
        assert sizes.max() < 1.3
        torch.testing.assert_close(bias, alone)
    assert len(muon.param_groups) == 2


def test_the_momentum_is_kept_between_steps_and_in_a_checkpoint() -> None:
    ways, saved = [], {}
    for again in (False, True):
        wide, tall, bias = two_kinds()
        muon = Muon([wide, tall], [{"params": [bias], "weight_decay": 0.0}], lr=0.1)
        if again:
            restore_optimizer(muon, saved)
        for seed in (5,) if again else (4, 5):
            before = wide.detach().clone()
            for p in (wide, tall, bias):
                p.grad = matrix(*p.shape, seed=seed) if p.ndim == 2 else torch.ones(3)
            muon.step()
            if seed == 4:
                saved = {k: v.clone() for k, v in optimizer_tensors(muon).items()}
        ways.append(before - wide.detach())
    torch.testing.assert_close(ways[0], ways[1])
    fresh, tall, bias = two_kinds()
    without = Muon([fresh, tall], [{"params": [bias], "weight_decay": 0.0}], lr=0.1)
    fresh.grad = matrix(6, 4, seed=5)
    before = fresh.detach().clone()
    without.step()
    assert (before - fresh.detach() - ways[0]).abs().max() > 1e-3


def test_first_and_last_layers_of_lens_and_what_is_frozen_are_left_to_adamw() -> None:
    model = small_model("lens")
    held = model.layers[0].query.weight.requires_grad_(False)
    optimizer = make_optimizer(model, TrainSettings(optimizer="muon", weight_decay=0.1), CPU)
    inner = {id(p) for p in optimizer.param_groups[-1]["params"]}
    named = dict(model.named_parameters())
    turned = {name for name, p in named.items() if id(p) in inner}
    assert {"readout.query.weight", "edge_updates.0.linear.weight", "layers.0.key.weight"} <= turned
    assert not turned & {"embedding.weight", "input.weight", "readout.output.weight"}
    of_all = [p for group in optimizer.param_groups for p in group["params"]]
    assert len(of_all) == len({id(p) for p in of_all}) == len(named) - 1
    assert id(held) not in {id(p) for p in of_all}
    assert optimizer.param_groups[-1]["weight_decay"] == 0.1
    set_rate(optimizer, 0.02)
    assert {group["lr"] for group in optimizer.param_groups} == {0.02}


def test_models_on_which_nobody_has_tried_it_refuse_it() -> None:
    toy = load_dataset("toy", limit=30)
    with pytest.raises(SettingsError, match=r"optimizer=muon: nobody .* of cgcnn .* one of lens"):
        train(toy, model="cgcnn", settings=TrainSettings(optimizer="muon", epochs=1))
