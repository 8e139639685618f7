"""What a training tells while it runs. The library itself never prints."""

from collections.abc import Callable
from dataclasses import dataclass, field

from atomlens.errors import SettingsError, warn
from atomlens.printing import shown
from atomlens.progress import ProgressBar


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingState:
    """Where a training stands, after a step or after an epoch."""

    member: int
    """Number of the model in the ensemble, from 0."""
    n_members: int
    epoch: int
    """Epochs that are complete."""
    n_epochs: int
    step: int
    """Steps of the running epoch that are done; 0 right after an epoch."""
    n_steps: int
    """Steps of one epoch."""
    seconds: float
    """Time spent on this member, interruptions left out."""
    seconds_left: float
    """Estimate until the whole training is done, all members and the time budget included."""
    learning_rate: float
    train_loss: float
    """Mean loss of the running or last epoch, in scaled units."""
    validation: dict[str, float] = field(default_factory=dict)
    """After an epoch: MAE in the unit of each target (share of errors for classes)."""
    is_best: bool = False
    """After an epoch: the validation has never been better."""

    @property
    def n_done(self) -> int:
        """Steps done by all members together."""
        return (self.member * self.n_epochs + self.epoch) * self.n_steps + self.step

    @property
    def n_total(self) -> int:
        """Steps planned for all members together."""
        return self.n_members * self.n_epochs * self.n_steps


class TrainingProgress:
    """Hears how a training goes. Override what you want to know; everything is optional.

    With several devices on one machine, an instance travels to another process, so its class
    must stand at the top level of a module.
    """

    def message(self, text: str) -> None:
        """Hear a sentence, for example which settings are ignored."""

    def warning(self, text: str) -> None:
        """Hear what makes errors look smaller, or the model worse; a ``UserWarning`` if unheard."""
        warn(text)

    def verdict(self, text: str) -> None:
        """Hear what the finished model is worth, if it is little; a ``UserWarning`` if unheard."""
        warn(text)

    def graphs(self, done: int, total: int) -> None:
        """Hear how many structures have their neighbours."""

    def step(self, state: TrainingState) -> None:
        """Hear about a step, at most ten times a second."""

    def epoch(self, state: TrainingState) -> None:
        """Hear about an epoch with its validation."""


class Relay(TrainingProgress):
    """Hands everything on to another listener."""

    def __init__(self, listener: TrainingProgress) -> None:
        self.listener = listener

    def message(self, text: str) -> None:
        """Hand on a sentence."""
        self.listener.message(text)

    def warning(self, text: str) -> None:
        """Hand on a warning."""
        self.listener.warning(text)

    def verdict(self, text: str) -> None:
        """Hand on what the model is worth."""
        self.listener.verdict(text)

    def graphs(self, done: int, total: int) -> None:
        """Hand on how many structures have their neighbours."""
        self.listener.graphs(done, total)

    def step(self, state: TrainingState) -> None:
        """Hand on a step."""
        self.listener.step(state)

    def epoch(self, state: TrainingState) -> None:
        """Hand on an epoch."""
        self.listener.epoch(state)


class TrainingBar(TrainingProgress):
    """Shows a training as a progress bar: on a terminal, in a notebook, or as lines in a log."""

    def __init__(self) -> None:
        self.bar = ProgressBar("training", leave=True)
        self.neighbours = ProgressBar("neighbours")
        self.best = ""

    def message(self, text: str) -> None:
        """Write a sentence."""
        self.bar.write(text)

    def graphs(self, done: int, total: int) -> None:
        """Show how many structures have their neighbours."""
        self.neighbours(done, total)

    def step(self, state: TrainingState) -> None:
        """Show how far the training is."""
        self.bar(state.n_done, max(1, state.n_total), self.best)

    def epoch(self, state: TrainingState) -> None:
        """Remember the best validation."""
        if state.is_best and state.validation:
            name, value = next(iter(state.validation.items()))
            self.best = f"epoch {state.epoch}, validation MAE {name} {value:.4g}"
        self.step(state)


class _Steps(TrainingProgress):
    """Tells a function how many steps are done, of how many, and nothing else."""

    def __init__(self, told: Callable[[int, int], None]) -> None:
        self.told = told

    def step(self, state: TrainingState) -> None:
        """Hand on how far the training is."""
        self.told(state.n_done, max(1, state.n_total))

    def epoch(self, state: TrainingState) -> None:
        """Hand on how far the training is."""
        self.step(state)


def listener(
    given: TrainingProgress | Callable[[int, int], None] | bool | None,
) -> TrainingProgress:
    """Return what hears of a training: a bar for True, nothing for False, else what was given.

    Raises:
        SettingsError: it is neither a `TrainingProgress` nor a function.
    """
    if given is None or given is False:
        return TrainingProgress()
    if given is True:
        return TrainingBar()
    if isinstance(given, TrainingProgress):
        return given
    if isinstance(given, type) or not callable(given):
        raise SettingsError(
            f"progress is {shown(given)}; give True for a progress bar, a function that is called "
            "with the number of steps done and in all, or an instance of a class that derives from "
            "TrainingProgress."
        )
    return _Steps(given)
