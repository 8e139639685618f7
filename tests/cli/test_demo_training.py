"""Training in time: all cores, else one, else fewer epochs."""

from collections.abc import Callable

import pytest

from atomlens.cli import demo_training
from atomlens.cli.demo_training import Attempt, PacedLine, TooSlowError, train_in_time
from atomlens.training import TrainingState, TrainSettings

SETTINGS = TrainSettings(epochs=30)


def _trainer(expected: dict[int, float]) -> tuple[list[Attempt], Callable[[Attempt], str]]:
    """Return a pretended training that takes so long for 30 epochs, by number of threads."""
    attempts: list[Attempt] = []

    def run(attempt: Attempt) -> str:
        attempts.append(attempt)
        seconds = expected[attempt.settings.n_threads] * attempt.settings.epochs / 30
        if seconds > attempt.seconds:
            raise TooSlowError(seconds)
        return "trained"

    return attempts, run


def test_a_fast_machine_uses_all_cores_and_all_epochs() -> None:
    attempts, run = _trainer({4: 50.0})
    assert train_in_time(SETTINGS, 4, 100.0, run) == "trained"
    assert [(a.settings.n_threads, a.settings.epochs) for a in attempts] == [(4, 30)]


def test_where_threads_hinder_each_other_one_is_used() -> None:
    attempts, run = _trainer({4: 500.0, 1: 60.0})
    train_in_time(SETTINGS, 4, 100.0, run)
    assert [(a.settings.n_threads, a.settings.epochs) for a in attempts] == [(4, 30), (1, 30)]


def test_a_slow_machine_does_as_many_epochs_as_there_is_time_for() -> None:
    attempts, run = _trainer({2: 500.0, 1: 300.0})
    train_in_time(SETTINGS, 2, 100.0, run)
    assert attempts[-1].settings.epochs == pytest.approx(10, abs=1)
    assert attempts[-1].settings.max_seconds == pytest.approx(150, abs=1)


def test_one_core_is_tried_once_only() -> None:
    attempts, run = _trainer({1: 300.0})
    train_in_time(SETTINGS, 1, 100.0, run)
    assert len(attempts) == 2


def _state(step: int) -> TrainingState:
    return TrainingState(
        member=0, n_members=1, epoch=0, n_epochs=10, step=step, n_steps=100, seconds=0.0,
        seconds_left=0.0, learning_rate=1e-3, train_loss=1.0,
    )  # fmt: skip


def test_the_pace_is_judged_from_the_steps_after_the_warm_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr(demo_training.time, "monotonic", lambda: now)
    line = PacedLine(900.0, quiet=True)
    now = 100.0  # compiling
    line.step(_state(10))
    now = 140.0  # one second a step, thousand steps
    with pytest.raises(TooSlowError) as caught:
        line.step(_state(50))
    assert caught.value.seconds == pytest.approx(1000.0)


def test_a_pace_that_is_good_enough_is_not_judged_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(demo_training.time, "monotonic", lambda: now)
    line = PacedLine(1100.0, quiet=True)
    line.step(_state(10))
    now = 40.0
    line.step(_state(50))
    now = 1e6
    line.step(_state(60))
