"""Training one member of an ensemble with gradient steps, interruptible after every step.

All that the next step depends on is kept in `MemberTraining`, and `_save` and `_restore` write
and read all of it: a training that is killed and resumed makes the same numbers, bit for bit
on the CPU, as one that was left alone.
"""

import math
from collections.abc import Hashable
from dataclasses import asdict
from typing import TYPE_CHECKING, final

import torch
from torch import Tensor

from atomlens.errors import SettingsError, TrainingError
from atomlens.graphs import GraphStore
from atomlens.models.base import PropertyModel
from atomlens.training.capture import RecordedSteps, can_record
from atomlens.training.checkpoint import Checkpoint, read_checkpoint, restoring
from atomlens.training.counters import Counters, Stopwatch
from atomlens.training.interrupt import Interruption
from atomlens.training.job import Job
from atomlens.training.losses import TargetLoss
from atomlens.training.optimizer import (
    AutoClip,
    WeightAverage,
    clip_by_norm,
    make_optimizer,
    optimizer_tensors,
    restore_optimizer,
    set_rate,
)
from atomlens.training.order import FixedSteps, StepOrder, step_seed
from atomlens.training.progress import TrainingState
from atomlens.training.schedules import SCHEDULES
from atomlens.training.step import (
    StepModule,
    capacity_for,
    matmul_precision,
    resident,
    seed_dropout,
)
from atomlens.training.teaching import AttentionTeaching, check_teachable
from atomlens.training.transfer import train_mode
from atomlens.training.validation import Validation, ValidationResult

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def teaching_of(
    job: Job, model: PropertyModel, store: GraphStore
) -> tuple[AttentionTeaching | None, GraphStore]:
    """Return what teaches the attention, if anything, and the store that it can be used with.

    Raises:
        SettingsError: the model has no attention that could be taught.
    """
    taught, data = job.taught, job.data
    if taught is None:
        return None, store
    targets = data.scaling.targets
    check_teachable(model, taught, len(targets))
    teaching = AttentionTeaching(
        taught, data.dataset.structures.names, targets, store, job.settings.attention_weight
    )
    return teaching, store.with_fields(node_rows=torch.arange(len(store.atomic_numbers)))


@final
class MemberTraining:
    """One member: its model, optimiser, schedule, counters and best weights."""

    def __init__(self, fabric: "Fabric", job: Job, member: int, seconds: float | None) -> None:
        s, data = job.settings, job.data
        if s.schedule_seconds is not None and fabric.world_size > 1:
            raise SettingsError("schedule_seconds needs one device: several clocks do not agree.")
        self.fabric, self.job, self.member, self.settings = fabric, job, member, s
        self.model = job.make_model(member).to(fabric.device)
        teaching, chosen = teaching_of(job, self.model, data.store.select(self.model.edge_fields))
        store = resident(chosen, fabric.device)
        encoded = torch.from_numpy(data.encoded).to(fabric.device)
        loss = TargetLoss(data.scaling.targets, s)
        capacity = capacity_for(self.model, store, data.split.train, s.batch_size)
        self.step_module, self.optimizer = fabric.setup(
            StepModule(self.model, loss, store, encoded, capacity, teaching),
            make_optimizer(self.model, s, fabric.device),
        )
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.order = StepOrder(
            data.split.train,
            s.batch_size,
            job.seed(member),
            rank=fabric.global_rank,
            n_ranks=fabric.world_size,
        )
        self.steps = None
        if capacity is not None:
            self.steps = FixedSteps(self.order, capacity, store, fabric.device)
        self.validation = Validation.of(data, store)
        self.schedule = SCHEDULES[s.schedule](s)
        self.average = WeightAverage(self.model, s.ema_decay) if s.ema_decay else None
        self.auto_clip = AutoClip() if s.clipping == "autoclip" else None
        self.loss_sum = torch.zeros((), dtype=torch.float64, device=fabric.device)
        self.best: dict[str, Tensor] = {}
        self.at = Counters()
        self._restore()
        self._check_together()
        self.recorded = self._recorded_steps()
        done = self.at.epoch * self.order.n_steps + self.at.step
        self.watch = Stopwatch(s, seconds, done)
        self._tell_how()

    def run(self) -> None:
        """Train until the end, early stopping, the time budget or an interruption.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed; the state is saved.
            TrainingError: the loss is not a number before there was a first good epoch.
        """
        train_mode(self.model)
        with Interruption(self.alone) as interruption:
            while not self.at.ended and not self._is_done():
                self._one_step()
                if self.at.step == self.order.n_steps:
                    self._end_of_epoch()
                self._after_step(interruption)
            if not self.at.ended and self.at.step:  # the clock ended it inside an epoch
                self._end_of_epoch()
        s = self.settings
        if not self.at.ended:
            self.at.ended = f"all {s.epochs} epochs were done"
            if s.schedule_seconds is not None:
                self.at.ended = f"the {s.schedule_seconds:g} s of its schedule were over"
            self.at.complete = True
        self._save()

    @property
    def alone(self) -> bool:
        """Whether there is only this device."""
        return self.order.n_ranks == 1

    @property
    def learning_rate(self) -> float:
        """The rate of the next step."""
        planned = self.settings.schedule_seconds
        if planned is not None:
            share = min(1.0, (self.at.seconds + self.watch.since_lap()) / planned)
            return self.schedule.rate(share * self.settings.epochs)
        return self.schedule.rate(self.at.epoch + self.at.step / self.order.n_steps)

    def _is_done(self) -> bool:
        """Return whether the schedule is at its end."""
        planned = self.settings.schedule_seconds
        if planned is not None:
            return self.at.seconds + self.watch.since_lap() >= planned
        return self.at.epoch >= self.settings.epochs

    def _one_step(self) -> None:
        at, device, rank = self.at, self.fabric.device, self.fabric.global_rank
        number = at.epoch * self.order.n_steps + at.step
        kind = self.model.step_kind(number)
        if self.recorded is not None:
            self._record(kind, number)
        seed_dropout(step_seed(self.job.seed(self.member), at.epoch, at.step, rank), device)
        set_rate(self.optimizer.optimizer, self.learning_rate)
        if self.steps is None:
            rows = torch.from_numpy(self.order.at(at.epoch, at.step))
            weight, n_own = self.order.weight(at.step), self.order.n_own(at.step)
            self._work(rows.to(device, non_blocking=True), number, n_own, weight)
        else:
            self.steps.go_to(at.epoch, at.step)
            if self.average is not None:
                self.steps.share.fill_(self.average.advance())
            if self.recorded is None:
                self._fixed_work(number)
            else:
                self.recorded.replay(kind)
        at.step += 1

    def _work(self, rows: Tensor, number: int, n_rows: int | Tensor, weight: float) -> None:
        """Do one step on the device; its gradient counts by ``weight`` among those of others."""
        loss = self.step_module(rows, number)
        self.optimizer.zero_grad(set_to_none=True)
        self.fabric.backward(loss if weight == 1 else loss * weight)
        self._clip()
        self.optimizer.step()
        self.model.constrain_weights()
        if self.average is not None:
            share = self.average.advance() if self.steps is None else self.steps.share
            self.average.follow(share)
        self.loss_sum += loss.detach() * n_rows

    def _fixed_work(self, number: int) -> None:
        """Do one step of fixed size; nothing here waits for the device or depends on its turn."""
        assert self.steps is not None
        weight = 1.0 if self.alone else float(self.steps.weights[self.at.step])
        self._work(self.steps.rows, number, (self.steps.rows >= 0).sum(), weight)

    def _recorded_steps(self) -> RecordedSteps | None:
        if self.steps is None or not can_record(self.settings, self.fabric.device):
            return None
        tensors = [*self.model.parameters(), *self.model.buffers(), self.loss_sum]
        if self.average is not None:
            tensors += self.average.average
        return RecordedSteps(self._fixed_work, tensors, self.optimizer.optimizer)

    def _tell_how(self) -> None:
        """Say how a GPU is used; on a CPU there is nothing to choose."""
        device = self.fabric.device
        if device.type != "cuda" or self.fabric.global_rank != 0:
            return
        said = [f"Training on {torch.cuda.get_device_name(device)}"]
        if matmul_precision(self.settings, device) != "highest":
            said.append("matrix products in TF32 (matmul_precision=highest: full 32 bits)")
        if self.steps is None:
            said.append("batches as large as their graphs")
        else:
            c = self.steps.capacity
            said.append(f"batches filled to {c.n_nodes:,} atoms and {c.n_edges:,} neighbour pairs")
        alone = "operations started one by one"
        said.append("steps recorded as CUDA graphs" if self.recorded is not None else alone)
        self.job.progress.message("; ".join(said) + ".")

    def _record(self, kind: Hashable, number: int) -> None:
        assert self.recorded is not None
        assert self.steps is not None
        self.steps.go_to(self.at.epoch, self.at.step)
        try:
            self.recorded.record(kind, number)
        except RuntimeError as problem:
            self.recorded = None
            reason = str(problem).strip().splitlines()[0]
            self.job.progress.message(
                f"The steps cannot be recorded as CUDA graphs ({reason}); every operation is "
                "started on its own, which is slower and gives the same numbers."
            )

    def _clip(self) -> None:
        if self.settings.clipping == "none":
            return
        self.fabric.strategy.precision.unscale_gradients(self.optimizer.optimizer)
        if self.auto_clip is not None:
            self.auto_clip(self.parameters)
        else:
            clip_by_norm(self.parameters, self.settings.clip_norm)

    def _end_of_epoch(self) -> None:
        """Validate, keep the best weights, write history, decide whether to stop."""
        at, rate, loss = self.at, self.learning_rate, self._epoch_loss()
        result = self._validate() if math.isfinite(loss) else None
        if result is None or not result.is_sound:
            self._diverged(loss if result is None else result.score)
            return
        is_best = at.best_epoch == at.epoch
        first = next(iter(result.errors.values()), math.nan)
        self.schedule.observe(at.epoch, improved=is_best, mae=first)
        self.loss_sum.zero_()
        at.seconds += self.watch.lap()
        at.history.append(
            {
                "member": self.member,
                "epoch": at.epoch,
                "seconds": round(at.seconds, 3),
                "learning_rate": rate,
                "train_loss": loss,
                "validation_loss": result.score,
                **{f"validation_mae_{name}": value for name, value in result.errors.items()},
            }
        )
        if self.fabric.global_rank == 0:
            self.job.progress.epoch(self._report(loss, result.errors, is_best))
        waited = at.epoch - at.best_epoch
        if self.settings.patience and waited >= self.settings.patience:
            at.ended = f"the validation had not become better for {waited} epochs"
            at.complete = True

    def _validate(self) -> ValidationResult:
        """Measure the model (its average, if there is one), and keep it if it is the best."""
        at = self.at
        if self.average is not None:
            self.average.swap()
        self.model.eval()
        result = self.validation.measure(self.model)
        if result.is_sound:
            at.epoch, at.step = at.epoch + 1, 0
            if not result.score >= at.best_score:  # without a validation part: always
                at.best_score = result.score if math.isfinite(result.score) else math.inf
                at.best_epoch = at.epoch
                state = self.model.state_dict()
                self.best = {name: t.detach().cpu().clone() for name, t in state.items()}
        if self.average is not None:
            self.average.swap()
        train_mode(self.model)
        return result

    def _after_step(self, interruption: Interruption) -> None:
        """Report, save now and then, stop when time is over or the user wants it."""
        at = self.at
        if not at.ended and self.watch.report_is_due():
            loss = self._mean_loss() if at.step else at.history[-1]["train_loss"]
            if not math.isfinite(loss) and self.alone:
                self._diverged(loss)
            elif self.fabric.global_rank == 0:
                self.job.progress.step(self._report(loss, {}))
        if not at.ended and self.best and not self._is_done() and self._time_is_over():
            at.ended = f"the time budget of {self.settings.max_seconds:g} s was used up"
        if interruption.requested:
            self._save()
            raise KeyboardInterrupt
        if not at.ended and self.watch.save_is_due():
            self._save()

    def _time_is_over(self) -> bool:
        """Several devices must agree, so they ask the first one, after an epoch only."""
        if self.alone or self.watch.budget is None:
            return self.watch.is_over()
        return self.at.step == 0 and bool(self.fabric.broadcast(self.watch.is_over()))

    def _diverged(self, loss: float) -> None:
        """Stop: there is no way back from a loss that is not a number."""
        at = self.at
        at.problem = (
            f"The loss became {loss} in epoch {at.epoch + 1}, step {at.step}, at a learning rate "
            f"of {self.learning_rate:.2g}. Lower the learning rate, clip the gradients "
            "(clipping=norm, a smaller clip_norm), or train in 32 bits."
        )
        at.ended, at.complete = "the loss was no longer a number", True
        if not self.best:
            raise TrainingError(at.problem)

    def _mean_loss(self) -> float:
        """Mean loss of the running epoch on this device."""
        n_seen = min(self.at.step * self.order.together, len(self.order.rows))
        return self.loss_sum.item() * self.order.n_ranks / max(1, n_seen)

    def _epoch_loss(self) -> float:
        """Mean loss of the epoch on all devices."""
        if not self.alone:
            self.loss_sum.copy_(self.fabric.all_reduce(self.loss_sum, reduce_op="mean"))
        return self._mean_loss()

    def _report(
        self, loss: float, errors: dict[str, float], is_best: bool = False
    ) -> TrainingState:
        self.at.seconds += self.watch.lap()
        return self.watch.state(
            self.at,
            member=self.member,
            n_steps=self.order.n_steps,
            learning_rate=self.learning_rate,
            loss=loss,
            errors=errors,
            is_best=is_best,
        )

    def _save(self) -> None:
        """Write everything that the next step depends on."""
        self.watch.saved()
        self.at.seconds += self.watch.lap()
        if self.fabric.global_rank != 0:
            return
        groups: dict[str, dict[str, Tensor]] = {
            "model": self.model.state_dict(),
            "best": self.best,
            "optimizer": optimizer_tensors(self.optimizer.optimizer),
            "average": {} if self.average is None else self.average.state(),
            "clip": {} if self.auto_clip is None else {"norms": self.auto_clip.state()},
            "loop": {"loss_sum": self.loss_sum},
        }
        state = {
            "counters": asdict(self.at),
            "schedule": self.schedule.state(),
            "average_steps": 0 if self.average is None else self.average.n_steps,
            "precision": self.fabric.strategy.precision.state_dict(),
        }
        tensors = {f"{g}.{name}": t for g, ts in groups.items() for name, t in ts.items()}
        Checkpoint(tensors=tensors, state=state).write(self.job.member_folder(self.member))

    def _restore(self) -> None:
        """Take back what `_save` wrote, if there is anything."""
        folder = self.job.member_folder(self.member)
        saved = read_checkpoint(folder)
        if saved is not None:
            with restoring(folder):
                self._take_back(saved)

    def _check_together(self) -> None:
        """Make sure that all processes stand at the same step.

        Raises:
            TrainingError: some see another state in the folder of the run, or none.
        """
        if self.alone:
            return
        here = torch.tensor([self.at.epoch, self.at.step], device=self.fabric.device)
        places = self.fabric.all_gather(here)
        if (places != places[0]).any():
            raise TrainingError(
                f"{self.job.folder.parent}: the processes find different states in this folder. "
                "Give one on a file system that all nodes share, and start again."
            )

    def _take_back(self, saved: Checkpoint) -> None:
        self.at = Counters.of(saved.state["counters"])
        if not self.at.complete:
            self.at.ended = ""
        self.model.load_state_dict(saved.group("model"))
        self.best = saved.group("best")
        restore_optimizer(self.optimizer.optimizer, saved.group("optimizer"))
        self.schedule.restore(saved.state["schedule"])
        if self.average is not None:
            self.average.restore(saved.group("average"), saved.state["average_steps"])
        if self.auto_clip is not None:
            self.auto_clip.restore(saved.group("clip")["norms"].to(self.fabric.device))
        self.loss_sum.copy_(saved.group("loop")["loss_sum"])
        if saved.state["precision"]:
            self.fabric.strategy.precision.load_state_dict(saved.state["precision"])
