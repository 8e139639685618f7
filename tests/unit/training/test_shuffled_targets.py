"""The control of shuffled labels: same values, other molecules, an untouched test part."""

import numpy as np

from atomlens.datasets import load_dataset
from atomlens.neighbors import make_builder
from atomlens.training import TrainSettings
from atomlens.training.data import TrainingData, prepare


def prepared(**settings: object) -> TrainingData:
    data = load_dataset("toy", limit=60)
    chosen = TrainSettings(split="random:.5/.25/.25", **settings)  # type: ignore[arg-type]
    return prepare(data, make_builder("voronoi"), chosen, None)


def test_shuffling_deals_out_the_values_of_the_training_part_anew() -> None:
    plain, shuffled = prepared(), prepared(shuffle_targets=True)
    rows = plain.split.train
    before, after = plain.dataset.values[rows, 0], shuffled.dataset.values[rows, 0]
    assert np.array_equal(np.sort(before), np.sort(after))
    assert not np.array_equal(before, after)


def test_shuffling_leaves_the_test_part_alone() -> None:
    plain, shuffled = prepared(), prepared(shuffle_targets=True)
    rows = plain.split.test
    assert np.array_equal(plain.dataset.values[rows], shuffled.dataset.values[rows])


def test_a_subset_searches_neighbours_for_its_own_structures_only() -> None:
    data = prepared(subset=5)
    assert len(data.split.train) == 5
    assert len(data.split.test) == 15
    assert len(data.store) == 5 + 15 + len(data.split.validation)
