"""What a training tells while it runs. The library itself never prints."""

from dataclasses import dataclass, field


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
        """Hear a sentence, for example how many structures were left out and why."""

    def graphs(self, done: int, total: int) -> None:
        """Hear how many structures have their neighbours."""

    def step(self, state: TrainingState) -> None:
        """Hear about a step, at most ten times a second."""

    def epoch(self, state: TrainingState) -> None:
        """Hear about an epoch with its validation."""
