"""Training in time: fewer epochs on a slow machine."""

from collections.abc import Callable

import pytest

from atomlens.cli import demo_training
from atomlens.cli.demo_training import PacedLine, TooSlowError, train_in_time
from atomlens.training import TrainingState, TrainSettings

SETTINGS = TrainSettings(epochs=30)


def _trainer(expected: float) -> tuple[list[TrainSettings], Callable[[TrainSettings, float], str]]:
    """Return a pretended training that would take so long for 30 epochs."""
    tried: list[TrainSettings] = []

    def run(settings: TrainSettings, seconds: float) -> str:
        tried.append(settings)
        needed = expected * settings.epochs / 30
        if needed > seconds:
            raise TooSlowError(needed)
        return "trained"

    return tried, run


def test_a_fast_machine_does_all_epochs() -> None:
    tried, run = _trainer(50.0)
    assert train_in_time(SETTINGS, 100.0, run) == "trained"
    assert tried == [SETTINGS]


def test_a_slow_machine_does_as_many_epochs_as_there_is_time_for() -> None:
    tried, run = _trainer(300.0)
    assert train_in_time(SETTINGS, 100.0, run) == "trained"
    assert len(tried) == 2
    assert tried[1].epochs == pytest.approx(10, abs=1)
    assert tried[1].max_seconds == pytest.approx(150, abs=1)


def test_a_very_slow_machine_still_does_three_epochs() -> None:
    tried, run = _trainer(1e6)
    train_in_time(SETTINGS, 100.0, run)
    assert tried[1].epochs == 3


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
    line.step(_state(3))
    now = 150.0  # one second a step, thousand steps
    with pytest.raises(TooSlowError) as caught:
        line.step(_state(53))
    assert caught.value.seconds == pytest.approx(1000.0)


def test_a_pace_that_is_good_enough_is_not_judged_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(demo_training.time, "monotonic", lambda: now)
    line = PacedLine(1100.0, quiet=True)
    line.step(_state(3))
    now = 50.0
    line.step(_state(53))
    now = 1e6
    line.step(_state(60))


def test_a_crawling_training_is_judged_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(demo_training.time, "monotonic", lambda: now)
    line = PacedLine(900.0, quiet=True)
    line.step(_state(3))
    now = 16.0
    with pytest.raises(TooSlowError) as caught:
        line.step(_state(5))
    assert caught.value.seconds == pytest.approx(8000.0)
