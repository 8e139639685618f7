"""Limits of gradients, and the average of weights."""

import numpy as np
import pytest
import torch
from torch import nn

from atomlens.training.optimizer import AutoClip, WeightAverage, clip_by_norm


def parameters(*gradients: list[float]) -> list[nn.Parameter]:
    made = []
    for gradient in gradients:
        parameter = nn.Parameter(torch.zeros(len(gradient)))
        parameter.grad = torch.tensor(gradient)
        made.append(parameter)
    return made


def norms(given: list[nn.Parameter]) -> list[float]:
    return [float(p.grad.norm()) for p in given if p.grad is not None]


def test_a_large_gradient_is_scaled_to_the_limit_and_keeps_its_direction() -> None:
    given = parameters([3.0, 0.0], [0.0, 4.0])
    clip_by_norm(given, 1.0)
    assert norms(given) == pytest.approx([0.6, 0.8])


def test_a_small_gradient_is_left_alone() -> None:
    given = parameters([0.3], [0.4])
    clip_by_norm(given, 1.0)
    assert norms(given) == pytest.approx([0.3, 0.4])


def test_autoclip_limits_every_tensor_to_the_tenth_percentile_of_the_total_norms() -> None:
    clip = AutoClip()
    seen = []
    for size in range(1, 22):
        given = parameters([3.0 * size], [4.0 * size])
        clip(given)
        seen.append(5.0 * size)
        limit = np.percentile(seen, 10)
        assert norms(given) == pytest.approx([min(3.0 * size, limit), min(4.0 * size, limit)])


def test_autoclip_forgets_what_is_too_long_ago() -> None:
    clip = AutoClip(length=3, percentile=0)
    for size in (0.1, 5.0, 6.0, 7.0):
        given = parameters([size])
        clip(given)
    assert norms(given) == pytest.approx([5.0])


@pytest.mark.parametrize("n_before", [2, 3, 5])
def test_a_restored_autoclip_goes_on_the_same_way(n_before: int) -> None:
    one, other = AutoClip(length=3, percentile=50), AutoClip(length=3, percentile=50)
    for size in range(1, n_before + 1):
        one(parameters([float(size)]))
    other.restore(one.state())
    for size in (9.0, 1.0, 4.0):
        first, second = parameters([size]), parameters([size])
        one(first)
        other(second)
        assert norms(first) == norms(second)


def test_the_average_follows_constant_weights_exactly() -> None:
    layer = nn.Linear(2, 1)
    average = WeightAverage(layer, 0.99)
    for _ in range(20):
        average.update()
    for mean, weight in zip(average.average, layer.parameters(), strict=True):
        assert torch.allclose(mean, weight, rtol=1e-6)


def test_the_first_steps_move_the_average_fast() -> None:
    """decay = min(0.99, (1 + t) / (10 + t)): 1/10 at the first step."""
    layer = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        layer.weight.fill_(0.0)
    average = WeightAverage(layer, 0.99)
    with torch.no_grad():
        layer.weight.fill_(1.0)
    average.update()
    assert float(average.average[0]) == pytest.approx(0.9)


def test_swapping_twice_changes_no_bit() -> None:
    layer = nn.Linear(3, 3)
    average = WeightAverage(layer, 0.9)
    with torch.no_grad():
        layer.weight.mul_(1.7)
    average.update()
    before = [t.clone() for t in (*layer.parameters(), *average.average)]
    average.swap()
    assert torch.equal(layer.weight, before[2])
    average.swap()
    assert all(
        torch.equal(a, b)
        for a, b in zip((*layer.parameters(), *average.average), before, strict=True)
    )
