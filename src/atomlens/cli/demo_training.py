"""Training inside a time budget, on a machine whose speed nobody knows beforehand."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

import torch

from atomlens.cli.training_line import TrainingLine
from atomlens.training.progress import TrainingState
from atomlens.training.settings import TrainSettings

Trained = TypeVar("Trained")

_WARM_UP = 3
"""Steps before the clock starts; loops are compiled in them."""
_STEPS, _SECONDS = 50, 10.0
"""The pace is judged after so many steps or so much time."""


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
        elif self.started is not None and not self.judged:
            n_steps, spent = state.n_done - self.started[0], now - self.started[1]
            if n_steps >= _STEPS or spent >= _SECONDS:
                self.judged = True
                expected = spent / n_steps * state.n_total
                if expected > self.seconds:
                    raise TooSlowError(expected)


def train_in_time(
    settings: TrainSettings, seconds: float, run: Callable[[TrainSettings, float], Trained]
) -> Trained:
    """Train; if that would take too long, train with fewer epochs, so that the learning rate
    still comes to its end.

    ``run`` is given the settings and the seconds it may take, and raises `TooSlowError`.
    """
    deadline = time.monotonic() + seconds
    try:
        return run(settings, seconds)
    except TooSlowError as slow:
        left = max(deadline - time.monotonic(), 0.5 * seconds)
        epochs = max(3, int(settings.epochs * left / slow.seconds))
        return run(replace(settings, epochs=epochs, max_seconds=1.5 * left), math.inf)


@contextmanager
def one_thread() -> Iterator[None]:
    """Calculate with one thread: for small batches a second one gains a fifth at best, and on a
    machine that has other work to do the two wait for each other, a hundred times longer."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
