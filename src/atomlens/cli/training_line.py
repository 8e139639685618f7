"""The progress line of a training."""

from typing import Self

from atomlens.cli.guard import say
from atomlens.cli.progress import ProgressLine, clock
from atomlens.training.progress import TrainingProgress, TrainingState


class TrainingLine(TrainingProgress):
    """Shows a training as one line on stderr: epochs, time left, best validation so far."""

    def __init__(self, *, quiet: bool = False, unit: str = "") -> None:
        self.quiet = quiet
        self.unit = unit
        self.best = ""
        self.warned: set[str] = set()
        self.line = ProgressLine("neighbours", quiet=quiet)

    def message(self, text: str) -> None:
        """Say a sentence on a line of its own."""
        self.line.close()
        say(text)

    def warning(self, text: str) -> None:
        """Say a warning on a line of its own, once, however many trainings have it."""
        if text not in self.warned:
            self.warned.add(text)
            self.message(f"warning: {text}")

    def verdict(self, text: str) -> None:
        """Say nothing: it stands under the figures that the command shows in the end."""

    def graphs(self, done: int, total: int) -> None:
        """Show how many structures have their neighbours."""
        self.line(done, total)
        if done == total:
            self.line.close()

    def step(self, state: TrainingState) -> None:
        """Show how far the training is."""
        if self.line.label != "training":
            self.line.close()
            self.line = ProgressLine("training", quiet=self.quiet)
        done = f"epoch {state.epoch + (state.step > 0)}/{state.n_epochs}"
        if state.n_members > 1:
            done = f"model {state.member + 1}/{state.n_members}, {done}"
        share = state.n_done / state.n_total if state.n_total else 1.0
        self.line.show(share, done, f"{clock(state.seconds_left)} left", self.best)

    def epoch(self, state: TrainingState) -> None:
        """Remember the validation."""
        if state.is_best and state.validation:
            name, value = next(iter(state.validation.items()))
            self.best = f"validation MAE {name} {value:.4g} {self.unit}".rstrip()
        self.step(state)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Wipe the line, so that results stand alone."""
        self.line.close()
