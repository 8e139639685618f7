"""Facts about sums and softmaxes over segments."""

import torch

from atomlens.nn.segment import segment_softmax, segment_sum

INDEX = torch.tensor([0, 0, 2, 2, 2])


def test_an_empty_segment_sums_to_zero() -> None:
    sums = segment_sum(torch.ones(5, 2), INDEX, 4)
    assert sums[:, 0].tolist() == [2.0, 0.0, 3.0, 0.0]


def test_softmax_adds_up_to_one_in_every_segment() -> None:
    weights = segment_softmax(torch.randn(5, 3), INDEX, 3)
    torch.testing.assert_close(segment_sum(weights, INDEX, 3)[[0, 2]], torch.ones(2, 3))


def test_huge_scores_stay_finite() -> None:
    weights = segment_softmax(torch.tensor([1e30, -1e30, 1e30, 1e30, 0.0]), INDEX, 3)
    torch.testing.assert_close(weights, torch.tensor([1.0, 0.0, 0.5, 0.5, 0.0]))
