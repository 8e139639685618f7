"""How the learning rate changes while training goes on.

A schedule is asked for the rate before every step and is told the validation after every
epoch. Its state is a few numbers, so that a training can be interrupted anywhere.
"""

import math
from abc import ABC, abstractmethod
from typing import Any

from atomlens.training.settings import TrainSettings


class LearningRate(ABC):
    """A learning rate as a function of the epochs done (a fraction inside an epoch)."""

    def __init__(self, settings: TrainSettings) -> None:
        self.settings = settings
        self.highest = settings.learning_rate
        self.lowest = settings.min_learning_rate

    def rate(self, epoch: float) -> float:
        """Return the learning rate after ``epoch`` epochs, warm-up included."""
        warmup = self.settings.warmup_epochs
        share = min(1.0, epoch / warmup) if warmup else 1.0
        return share * self.planned(epoch)

    @abstractmethod
    def planned(self, epoch: float) -> float:
        """Return the learning rate without warm-up."""

    def observe(self, epoch: int, *, improved: bool, mae: float) -> None:  # noqa: B027
        """Hear how the validation went after ``epoch`` epochs; ``mae`` is of the first target."""

    def state(self) -> dict[str, Any]:
        """Return what must survive an interruption, as plain values."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:  # noqa: B027
        """Take back what `state` returned."""


def _half_cosine(highest: float, lowest: float, share: float) -> float:
    return lowest + 0.5 * (highest - lowest) * (1 + math.cos(math.pi * min(1.0, share)))


class Constant(LearningRate):
    """The same rate throughout."""

    def planned(self, epoch: float) -> float:
        """Return the highest rate."""
        return self.highest


class Cosine(LearningRate):
    """Half a cosine over all planned epochs."""

    def planned(self, epoch: float) -> float:
        """Return the rate after a share of the planned epochs."""
        return _half_cosine(self.highest, self.lowest, epoch / self.settings.epochs)


class CosineHalf(LearningRate):
    """Half a cosine over the first half of the epochs, then the lowest rate (SCANN's code)."""

    def planned(self, epoch: float) -> float:
        """Return the rate after a share of half the planned epochs."""
        return _half_cosine(self.highest, self.lowest, 2 * epoch / self.settings.epochs)


class Restarts(LearningRate):
    """Cosine cycles of doubling length with falling peaks, as SCANN was trained.

    Loshchilov and Hutter, SGDR, ICLR 2017; the peaks follow the published code of SCANN: at
    every improvement of the validation the next peak becomes the larger of the present peak
    over 1.2 and the present rate. The first cycle starts once the validation MAE is below
    ``restart_below``; until then the rate stays at its maximum.
    """

    def __init__(self, settings: TrainSettings) -> None:
        super().__init__(settings)
        self.length = float(settings.restart_epochs)
        self.peak = self.next_peak = self.highest
        self.start: float | None = 0.0 if settings.restart_below is None else None

    def planned(self, epoch: float) -> float:
        """Return the rate inside the present cycle."""
        if self.start is None:
            return self.highest
        return _half_cosine(self.peak, self.lowest, (epoch - self.start) / self.length)

    def observe(self, epoch: int, *, improved: bool, mae: float) -> None:
        """Set the next peak, and begin a new cycle where the present one ends."""
        below = self.settings.restart_below
        if self.start is None:
            if below is not None and mae < below:
                self.start = float(epoch)
            return
        if improved:
            self.next_peak = max(self.peak / 1.2, self.planned(epoch))
        if epoch - self.start >= self.length:
            self.start, self.length, self.peak = float(epoch), 2 * self.length, self.next_peak

    def state(self) -> dict[str, Any]:
        """Return the present cycle."""
        names = ("length", "peak", "next_peak", "start")
        return {name: getattr(self, name) for name in names}

    def restore(self, state: dict[str, Any]) -> None:
        """Take the present cycle back."""
        for name, value in state.items():
            setattr(self, name, value)


class Plateau(LearningRate):
    """Halved after ``plateau_patience`` epochs without a better validation."""

    def __init__(self, settings: TrainSettings) -> None:
        super().__init__(settings)
        self.current = self.highest
        self.waited = 0

    def planned(self, epoch: float) -> float:
        """Return the present rate."""
        return self.current

    def observe(self, epoch: int, *, improved: bool, mae: float) -> None:
        """Count the epochs without improvement."""
        self.waited = 0 if improved else self.waited + 1
        if self.waited >= self.settings.plateau_patience:
            self.current = max(self.lowest, 0.5 * self.current)
            self.waited = 0

    def state(self) -> dict[str, Any]:
        """Return the present rate and the epochs waited."""
        return {"current": self.current, "waited": self.waited}

    def restore(self, state: dict[str, Any]) -> None:
        """Take the present rate back."""
        self.current, self.waited = float(state["current"]), int(state["waited"])


class Exponential(LearningRate):
    """Multiplied by ``decay`` after every epoch, down to the lowest rate."""

    def planned(self, epoch: float) -> float:
        """Return the rate, the same throughout an epoch."""
        return max(self.lowest, self.highest * self.settings.decay ** math.floor(epoch))


SCHEDULES: dict[str, type[LearningRate]] = {
    "cosine": Cosine,
    "cosine-half": CosineHalf,
    "restarts": Restarts,
    "plateau": Plateau,
    "exponential": Exponential,
    "constant": Constant,
}
"""Learning-rate schedules by name."""
