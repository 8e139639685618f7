"""Learning rates."""

import math

import pytest

from atomlens.training.schedules import SCHEDULES, LearningRate
from atomlens.training.settings import TrainSettings


def make(name: str, **settings: object) -> LearningRate:
    chosen = {"schedule": name, "learning_rate": 1.0, "min_learning_rate": 0.1, "epochs": 100}
    return SCHEDULES[name](TrainSettings(**{**chosen, **settings}))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_every_schedule_starts_at_the_top_and_stays_in_bounds(name: str) -> None:
    schedule = make(name)
    assert schedule.rate(0) == 1.0
    for epoch in range(300):
        assert 0.1 <= schedule.rate(epoch + 0.5) <= 1.0
        schedule.observe(epoch + 1, improved=epoch % 7 == 0, mae=1.0)


def test_cosine_is_halfway_at_half_time_and_lowest_at_the_end() -> None:
    schedule = make("cosine")
    assert schedule.rate(50) == pytest.approx(0.55)
    assert schedule.rate(100) == pytest.approx(0.1)


def test_cosine_half_is_lowest_from_half_time_on() -> None:
    schedule = make("cosine-half")
    assert schedule.rate(25) == pytest.approx(0.55)
    assert schedule.rate(50) == schedule.rate(77) == pytest.approx(0.1)


def test_warm_up_grows_linearly() -> None:
    schedule = make("constant", warmup_epochs=2.0)
    assert [schedule.rate(e) for e in (0, 0.5, 1, 2, 3)] == [0, 0.25, 0.5, 1, 1]


def test_plateau_halves_after_its_patience_and_not_below_the_lowest() -> None:
    schedule = make("plateau", plateau_patience=2)
    seen = []
    for epoch in range(1, 13):
        schedule.observe(epoch, improved=epoch == 1, mae=1.0)
        seen.append(schedule.rate(epoch))
    assert seen == [1, 1, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125, 0.1, 0.1, 0.1, 0.1]


def test_exponential_falls_once_an_epoch_down_to_the_lowest() -> None:
    schedule = make("exponential", decay=0.5)
    assert [schedule.rate(e) for e in (0.9, 1.0, 1.9, 2.5, 9.0)] == [1, 0.5, 0.5, 0.25, 0.1]


def test_restart_cycles_double() -> None:
    schedule = make("restarts", restart_epochs=10)
    lowest = []
    for epoch in range(1, 71):
        if schedule.rate(epoch - 1e-6) < 0.1001:
            lowest.append(epoch)
        schedule.observe(epoch, improved=False, mae=1.0)
    assert lowest == [10, 30, 70]


def test_without_improvement_the_peak_stays() -> None:
    schedule = make("restarts", restart_epochs=2)
    for epoch in (1, 2):
        schedule.observe(epoch, improved=False, mae=1.0)
    assert schedule.rate(2) == 1.0


def test_an_early_improvement_keeps_the_rate_it_was_made_with() -> None:
    """Next peak = max(peak / 1.2, rate at the improvement): here the rate, 1/4 of a cosine."""
    schedule = make("restarts", restart_epochs=4)
    at_improvement = 0.1 + 0.45 * (1 + math.cos(math.pi / 4))
    schedule.observe(1, improved=True, mae=1.0)
    for epoch in (2, 3, 4):
        schedule.observe(epoch, improved=False, mae=1.0)
    assert schedule.rate(4) == pytest.approx(max(1 / 1.2, at_improvement))
    assert at_improvement > 1 / 1.2


def test_a_late_improvement_lowers_the_peak_by_a_sixth() -> None:
    schedule = make("restarts", restart_epochs=4)
    for epoch in (1, 2, 3, 4):
        schedule.observe(epoch, improved=epoch == 3, mae=1.0)
    assert schedule.rate(4) == pytest.approx(1 / 1.2)


def test_cycles_wait_for_the_threshold() -> None:
    schedule = make("restarts", restart_epochs=4, restart_below=0.3)
    for epoch, mae in enumerate([0.9, 0.5, 0.31], start=1):
        schedule.observe(epoch, improved=True, mae=mae)
        assert schedule.rate(epoch + 0.9) == 1.0
    schedule.observe(4, improved=True, mae=0.2)
    assert schedule.rate(4) == 1.0
    assert schedule.rate(6) == pytest.approx(0.55)


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_a_restored_schedule_goes_on_the_same_way(name: str) -> None:
    settings = {"restart_epochs": 3, "plateau_patience": 2, "restart_below": 0.8}
    one, other = make(name, **settings), make(name, **settings)
    for epoch in range(1, 20):
        one.observe(epoch, improved=epoch % 5 == 0, mae=1.0 / epoch)
    other.restore(one.state())
    for epoch in range(20, 60):
        assert one.rate(epoch + 0.3) == other.rate(epoch + 0.3)
        for schedule in (one, other):
            schedule.observe(epoch, improved=epoch % 7 == 0, mae=0.01)
