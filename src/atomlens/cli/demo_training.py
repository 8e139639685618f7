"""Training inside a time budget, on a machine whose speed nobody knows beforehand."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from atomlens.cli.training_line import TrainingLine
from atomlens.training.progress import TrainingState
from atomlens.training.settings import TrainSettings

Trained = TypeVar("Trained")

_WARM_UP, _JUDGED = 10, 50
"""Steps before the clock starts, and steps until the pace is judged."""


class TooSlowError(Exception):
    """Raised inside a training that would take ``seconds``, more than it may."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class PacedLine(TrainingLine):
    """A progress line that stops a training at its beginning if it would take too long."""

    def __init__(self, seconds: float, *, quiet: bool = False, unit: str = "") -> None:
        super().__init__(quiet=quiet, unit=unit)
        self.seconds = seconds
        self.started: tuple[int, float] | None = None
        self.judged = False

    def step(self, state: TrainingState) -> None:
        """Show the training; judge its pace once."""
        super().step(state)
        now = time.monotonic()
        if self.started is None and state.n_done >= _WARM_UP:
            self.started = state.n_done, now
        elif self.started is not None and state.n_done >= _JUDGED and not self.judged:
            n_before, before = self.started
            expected = (now - before) / (state.n_done - n_before) * state.n_total
            self.judged = True
            if expected > self.seconds:
                raise TooSlowError(expected)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try at training in time."""

    settings: TrainSettings
    seconds: float
    """It is given up if it would take longer."""


def train_in_time(
    settings: TrainSettings, n_cores: int, seconds: float, run: Callable[[Attempt], Trained]
) -> Trained:
    """Train with all cores; else with one, as threads hinder each other on a busy machine; else
    with fewer epochs, so that the learning rate still comes to its end.

    ``run`` trains and raises `TooSlowError` if the attempt would take too long.
    """
    deadline = time.monotonic() + seconds
    for n_threads in sorted({n_cores, 1}, reverse=True):
        plan = replace(settings, n_threads=n_threads)
        left = deadline - time.monotonic()
        try:
            return run(Attempt(settings=plan, seconds=left))
        except TooSlowError as slow:
            expected = slow.seconds
    left = max(deadline - time.monotonic(), 0.2 * seconds)
    epochs = max(3, int(settings.epochs * left / expected))
    last = replace(plan, epochs=min(epochs, settings.epochs), max_seconds=1.5 * left)
    return run(Attempt(settings=last, seconds=float("inf")))
