"""What is the same for all members of an ensemble, and what a finished member leaves."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from atomlens.errors import TrainingError
from atomlens.models import make_model
from atomlens.models.base import ModelConfig, PropertyModel
from atomlens.targets import Target, output_slices
from atomlens.training.checkpoint import Checkpoint, read_checkpoint, restoring
from atomlens.training.counters import Counters
from atomlens.training.data import TrainingData
from atomlens.training.progress import TrainingProgress
from atomlens.training.settings import TrainSettings
from atomlens.training.teaching import TaughtAttention
from atomlens.training.transfer import Transfer


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A training, before it is said which member of the ensemble is meant."""

    model_name: str
    config: ModelConfig
    """The model's configuration."""
    data: TrainingData
    settings: TrainSettings
    folder: Path
    """Where the members keep their state."""
    progress: TrainingProgress
    transfer: Transfer | None = None
    """What the members take from a pretrained model."""
    element_table: NDArray[np.float32] | None = None
    """(n_elements, n_numbers) fixed element vectors, for models that start from them."""
    taught: TaughtAttention | None = None
    """Where the attention should stand in some samples, if that is said."""
    run: dict[str, Any] = field(default_factory=dict)
    """What the model folder keeps of the description of the run; see
    `run_folder.kept_with_model`."""
    file_sha256: str = ""
    """Of the file that the data were read from; empty if it was none."""
    remarks: tuple[str, ...] = ()
    """What was said before the first step."""

    def member_folder(self, member: int) -> Path:
        """Return where a member keeps its state."""
        return self.folder / f"member{member}"

    def seed(self, member: int) -> int:
        """Return the seed of a member's weights, order and dropout."""
        return self.settings.seed + member

    def make_model(self, member: int) -> PropertyModel:
        """Return a member with its first weights: those of its seed, or pretrained ones.

        torch's generator is untouched.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed(member))
            names = self.config.__dataclass_fields__
            model = make_model(self.model_name, **{n: getattr(self.config, n) for n in names})
        begin_alike(model, self.data.scaling.targets)
        if self.element_table is not None:
            model.get_buffer("element_table").copy_(torch.from_numpy(self.element_table))
        if self.transfer is not None:
            self.transfer.apply(model, member)
        return model


@torch.no_grad()
def begin_alike(model: PropertyModel, targets: tuple[Target, ...]) -> None:
    """Give all points of a spectrum the same first weights in the output layer.

    Weights of their own would be noise from point to point that few samples cannot remove;
    neighbouring points that begin alike and have similar values stay alike.
    """
    spectra = [p for t, p in zip(targets, output_slices(targets), strict=True) if t.is_spectrum]
    parameters = dict(model.named_parameters())
    for name in (f"{layer}.{kind}" for layer in model.output_layers for kind in ("weight", "bias")):
        if name in parameters:
            rows = parameters[name]
            for start in range(0, len(rows), model.config.n_outputs):  # values, then log-scales
                for place in spectra:
                    rows[start + place.start : start + place.stop] = rows[start + place.start]
    for name in (f"{layer}.{kind}" for layer in model.output_blocks for kind in ("weight", "bias")):
        if name in parameters:
            rows = parameters[name]
            blocks = rows.view(model.config.n_outputs, -1, *rows.shape[1:])
            for place in spectra:
                blocks[place] = blocks[place.start].clone()


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberResult:
    """What a member leaves when its training ends, for whatever reason."""

    best: dict[str, Tensor]
    """Weights of the best epoch."""
    history: tuple[dict[str, float], ...]
    seconds: float
    ended: str
    """Why it ended."""
    complete: bool
    """False if it was stopped by the time budget and can go on."""
    problem: str = ""
    """Set if the training went wrong after its best epoch: a sentence."""


def read_result(job: Job, member: int) -> MemberResult | None:
    """Return what a member left, or None if it has no best epoch yet.

    Raises:
        TrainingError: its file is damaged.
    """
    folder = job.member_folder(member)
    checkpoint = read_checkpoint(folder)
    if checkpoint is None or not checkpoint.group("best"):
        return None
    with restoring(folder):
        return result_of(checkpoint)


def result_of(checkpoint: Checkpoint) -> MemberResult:
    """Return the part of a checkpoint that matters once the training has ended."""
    at = Counters.of(checkpoint.state["counters"])
    return MemberResult(
        best=checkpoint.group("best"),
        history=tuple(at.history),
        seconds=at.seconds,
        ended=at.ended,
        complete=at.complete,
        problem=at.problem,
    )


def fit_in_closed_form(job: Job) -> MemberResult:
    """Fit a model that has a formula for its weights."""
    from time import perf_counter

    from atomlens.models import ClosedFormModel

    start = perf_counter()
    model = job.make_model(0)
    if not isinstance(model, ClosedFormModel):
        raise TrainingError(f"The model {job.model_name!r} has no closed form.")
    rows = torch.from_numpy(job.data.split.train)
    batch = job.data.store.select(model.edge_fields).batch(rows)
    model.fit(batch, torch.from_numpy(job.data.encoded[job.data.split.train]))
    return MemberResult(
        best=model.state_dict(),
        history=(),
        seconds=perf_counter() - start,
        ended="it is fitted in one go, without epochs",
        complete=True,
    )
