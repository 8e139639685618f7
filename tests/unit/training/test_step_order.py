"""The order in which samples are seen."""

import numpy as np
import pytest

from atomlens.training.order import StepOrder, step_seed

ROWS = np.arange(100, 123)


def epoch_rows(order: StepOrder, epoch: int) -> np.ndarray:
    return np.concatenate([order.at(epoch, step) for step in range(order.n_steps)])


def test_every_sample_is_seen_once_an_epoch() -> None:
    order = StepOrder(ROWS, 5, seed=0)
    assert order.n_steps == 5
    assert sorted(epoch_rows(order, 3)) == ROWS.tolist()


def test_epochs_and_seeds_have_different_orders() -> None:
    first = epoch_rows(StepOrder(ROWS, 5, seed=0), 0)
    assert not np.array_equal(first, epoch_rows(StepOrder(ROWS, 5, seed=0), 1))
    assert not np.array_equal(first, epoch_rows(StepOrder(ROWS, 5, seed=1), 0))


def test_a_step_does_not_depend_on_the_steps_before() -> None:
    order = StepOrder(ROWS, 5, seed=0)
    epoch_rows(order, 0)
    epoch_rows(order, 1)
    assert np.array_equal(order.at(7, 3), StepOrder(ROWS, 5, seed=0).at(7, 3))


@pytest.mark.parametrize("n_ranks", [2, 3, 5])
def test_devices_share_the_step_of_one_device(n_ranks: int) -> None:
    shared = [StepOrder(ROWS, 4, seed=0, rank=r, n_ranks=n_ranks) for r in range(n_ranks)]
    together = StepOrder(ROWS, 4 * n_ranks, seed=0)
    for step in range(together.n_steps):
        parts = [order.at(2, step) for order in shared]
        assert all(len(p) for p in parts)
        assert set(np.concatenate(parts)) == set(together.at(2, step))


def test_steps_have_different_seeds_for_dropout() -> None:
    seeds = {
        step_seed(s, e, i, r) for s in range(5) for e in range(5) for i in range(5) for r in (0, 1)
    }
    assert len(seeds) == 250
    assert all(0 <= s < 2**32 for s in seeds)
