"""Where one member's training stands, in plain values, and the time it takes."""

import math
import time
from dataclasses import dataclass, field, fields
from typing import Any

from atomlens.training.progress import TrainingState
from atomlens.training.settings import TrainSettings

_TICK = 0.1
"""Seconds between two reports of a step."""


@dataclass(slots=True, kw_only=True)
class Counters:
    """What a checkpoint keeps of a training besides tensors; changes as the training goes on."""

    epoch: int = 0
    """Epochs that are complete."""
    step: int = 0
    """Steps of the running epoch that are done."""
    seconds: float = 0.0
    """Time spent, interruptions left out."""
    best_score: float = math.inf
    best_epoch: int = -1
    history: list[dict[str, float]] = field(default_factory=list)
    """One row per epoch."""
    ended: str = ""
    """Why the training ended; empty while it goes on."""
    complete: bool = False
    """There is nothing to resume."""
    problem: str = ""
    """A sentence, if the training went wrong after its best epoch."""

    @classmethod
    def of(cls, content: Any) -> "Counters":
        """Take back the counters of a checkpoint.

        Raises:
            ValueError: they are not what counters are.
        """
        if not isinstance(content, dict) or set(content) != {f.name for f in fields(cls)}:
            raise ValueError("its counters are others")
        made, usual = cls(**content), cls()
        for one in fields(cls):
            kind = type(getattr(usual, one.name))
            allowed = (int, float) if kind is float else (kind,)
            if type(getattr(made, one.name)) not in allowed:
                raise ValueError(f"its counter {one.name} is no {kind.__name__}")
        if any(
            not isinstance(row, dict) or not all(isinstance(v, int | float) for v in row.values())
            for row in made.history
        ):
            raise ValueError("its history is no list of numbers")
        if made.epoch < 0 or made.step < 0 or made.best_epoch > len(made.history):
            raise ValueError("its counters do not fit its history")
        return made


class Stopwatch:
    """Counts the seconds of a training, and says what is due."""

    def __init__(self, settings: TrainSettings, budget: float | None, done: int) -> None:
        self.settings = settings
        self.budget = budget
        self.done_before = done
        """Steps that were done before this start."""
        self._start = self._lap = self._reported = self._saved = time.perf_counter()

    def lap(self) -> float:
        """Return the seconds since the last call."""
        now = time.perf_counter()
        passed, self._lap = now - self._lap, now
        return passed

    def since_lap(self) -> float:
        """Return the seconds since the last `lap`, which go on counting."""
        return time.perf_counter() - self._lap

    def is_over(self) -> bool:
        """Return whether the time budget is used up."""
        return self.budget is not None and time.perf_counter() - self._start >= self.budget

    def report_is_due(self) -> bool:
        """Return whether it is time for the next report; if so, start to wait again."""
        now = time.perf_counter()
        due = now - self._reported >= _TICK
        if due:
            self._reported = now
        return due

    def save_is_due(self) -> bool:
        """Return whether it is time for the next checkpoint."""
        return time.perf_counter() - self._saved >= self.settings.checkpoint_seconds

    def saved(self) -> None:
        """Start to wait for the next checkpoint."""
        self._saved = time.perf_counter()

    def state(
        self,
        at: Counters,
        *,
        member: int,
        n_steps: int,
        learning_rate: float,
        loss: float,
        errors: dict[str, float],
        is_best: bool = False,
    ) -> TrainingState:
        """Return a report, with the time left as the steps so far suggest."""
        s = self.settings
        done = at.epoch * n_steps + at.step
        spent = time.perf_counter() - self._start
        a_step = spent / max(1, done - self.done_before)
        n_epochs, whole = s.epochs, s.epochs * n_steps * a_step
        left = whole - done * a_step
        if s.schedule_seconds is not None:
            whole, left = s.schedule_seconds, max(0.0, s.schedule_seconds - at.seconds)
            share = max(at.seconds / s.schedule_seconds, 1e-9)
            n_epochs = max(at.epoch, math.ceil(min(done / share, 1e9) / n_steps))
        if self.budget is not None:
            left = min(left, max(0.0, self.budget - spent))
        later = (s.ensemble - 1 - member) * whole
        return TrainingState(
            member=member,
            n_members=s.ensemble,
            epoch=at.epoch,
            n_epochs=n_epochs,
            step=at.step,
            n_steps=n_steps,
            seconds=at.seconds,
            seconds_left=left + later,
            learning_rate=learning_rate,
            train_loss=loss,
            validation=errors,
            is_best=is_best,
        )
