"""Training one member of an ensemble with gradient steps, interruptible after every step.

All that the next step depends on is kept in the attributes of `MemberTraining`, and `_save` and
`_restore` write and read all of them: a training that is killed and resumed makes the same
numbers, bit for bit on the CPU, as one that was left alone.
"""

import math
import time
from typing import Any, final

import torch
from torch import Tensor

from atomlens.errors import TrainingError
from atomlens.training.averaging import WeightAverage
from atomlens.training.checkpoint import Checkpoint, read_checkpoint
from atomlens.training.clipping import AutoClip, clip_by_norm
from atomlens.training.interrupt import Interruption
from atomlens.training.job import Job
from atomlens.training.losses import TargetLoss
from atomlens.training.optimizer import make_optimizer, optimizer_tensors, restore_optimizer
from atomlens.training.order import StepOrder, step_seed
from atomlens.training.progress import TrainingState
from atomlens.training.schedules import SCHEDULES
from atomlens.training.step import StepModule, resident, seed_dropout
from atomlens.training.validation import Validation

_TICK = 0.1
"""Seconds between two reports of a step."""


@final
class MemberTraining:
    """One member: its model, optimiser, schedule, counters and best weights."""

    def __init__(self, fabric: Any, job: Job, member: int, seconds: float | None) -> None:
        s, data = job.settings, job.data
        self.fabric, self.job, self.member = fabric, job, member
        self.settings, self.budget = s, seconds
        self.folder = job.member_folder(member)
        self.model = job.make_model(member).to(fabric.device)
        store = resident(data.store.select(self.model.edge_fields), fabric.device)
        encoded = torch.from_numpy(data.encoded).to(fabric.device)
        optimizer = make_optimizer(self.model, s, fabric.device)
        step_module = StepModule(self.model, TargetLoss(data.scaling.targets, s), store, encoded)
        self.step_module, self.optimizer = fabric.setup(step_module, optimizer)
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.order = StepOrder(
            data.split.train,
            s.batch_size,
            job.seed(member),
            rank=fabric.global_rank,
            n_ranks=fabric.world_size,
        )
        rows = data.split.validation
        self.validation = Validation(
            store=store,
            rows=rows,
            structures=data.dataset.structures.subset(rows),
            true=data.dataset.values[rows],
            scaling=data.scaling,
        )
        self.schedule = SCHEDULES[s.schedule](s)
        self.average = WeightAverage(self.model, s.ema_decay) if s.ema_decay else None
        self.auto_clip = AutoClip() if s.clipping == "autoclip" else None
        self.epoch = self.step = 0
        self.loss_sum = torch.zeros((), dtype=torch.float64, device=fabric.device)
        self.seconds, self.best_score, self.best_epoch = 0.0, math.inf, -1
        self.best: dict[str, Tensor] = {}
        self.history: list[dict[str, float]] = []
        self.ended = self.problem = ""
        self.complete = False
        self._restore()
        now = time.perf_counter()
        self._clock = self._start = self._ticked = self._saved = now
        self._steps_before = self.epoch * self.order.n_steps + self.step

    def run(self) -> None:
        """Train until the end, early stopping, the time budget or an interruption.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed; the state is saved.
            TrainingError: the loss is not a number before there was a first good epoch.
        """
        self.model.train()
        with Interruption(self.alone) as interruption:
            while not self.ended and self.epoch < self.settings.epochs:
                self._one_step()
                if self.step == self.order.n_steps:
                    self._end_of_epoch()
                self._after_step(interruption)
        if not self.ended:
            self.ended, self.complete = f"all {self.settings.epochs} epochs were done", True
        self._save()

    @property
    def alone(self) -> bool:
        """Whether there is only this device."""
        return self.order.n_ranks == 1

    @property
    def learning_rate(self) -> float:
        """The rate of the next step."""
        return self.schedule.rate(self.epoch + self.step / self.order.n_steps)

    def _one_step(self) -> None:
        rows = self.order.at(self.epoch, self.step)
        rank = self.fabric.global_rank
        seed_dropout(
            step_seed(self.job.seed(self.member), self.epoch, self.step, rank), self.fabric.device
        )
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate
        loss = self.step_module(torch.from_numpy(rows).to(self.fabric.device, non_blocking=True))
        self.optimizer.zero_grad(set_to_none=True)
        self.fabric.backward(loss)
        self._clip()
        self.optimizer.step()
        if self.average is not None:
            self.average.update()
        self.loss_sum += loss.detach() * len(rows)
        self.step += 1

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
        rate, loss = self.learning_rate, self._epoch_loss()
        if not math.isfinite(loss):
            self._diverged(loss)
            return
        if self.average is not None:
            self.average.swap()
        self.model.eval()
        result = self.validation.measure(self.model)
        if result.errors and not math.isfinite(result.score):
            self._diverged(result.score)
            return
        improved = not result.score >= self.best_score  # without validation: always
        self.epoch, self.step = self.epoch + 1, 0
        if improved:
            self.best_score = result.score if math.isfinite(result.score) else math.inf
            self.best_epoch = self.epoch
            state = self.model.state_dict()
            self.best = {name: t.detach().cpu().clone() for name, t in state.items()}
        if self.average is not None:
            self.average.swap()
        self.model.train()
        first = next(iter(result.errors.values()), math.nan)
        self.schedule.observe(self.epoch, improved=improved, mae=first)
        self.loss_sum.zero_()
        self._count_time()
        self.history.append(
            {
                "member": self.member,
                "epoch": self.epoch,
                "seconds": round(self.seconds, 3),
                "learning_rate": rate,
                "train_loss": loss,
                "validation_loss": result.score,
                **{f"validation_mae_{name}": value for name, value in result.errors.items()},
            }
        )
        if self.fabric.global_rank == 0:
            state_now = self._state(loss, result.errors, improved)
            self.job.progress.epoch(state_now)
        waited = self.epoch - self.best_epoch
        if self.settings.patience and waited >= self.settings.patience:
            self.ended = f"the validation had not become better for {waited} epochs"
            self.complete = True

    def _after_step(self, interruption: Interruption) -> None:
        """Report, save now and then, stop when time is over or the user wants it."""
        now = time.perf_counter()
        if now - self._ticked >= _TICK and not self.ended:
            self._ticked = now
            loss = self._mean_loss() if self.step else self.history[-1]["train_loss"]
            if not math.isfinite(loss) and self.alone:
                self._diverged(loss)
            elif self.fabric.global_rank == 0:
                self.job.progress.step(self._state(loss, {}, False))
        if self._time_is_over(now) and self.best and not self.ended:
            self.ended = f"the time budget of {self.settings.max_seconds:g} s was used up"
        if interruption.requested:
            self._save()
            raise KeyboardInterrupt
        if now - self._saved >= self.settings.checkpoint_seconds and not self.ended:
            self._save()

    def _time_is_over(self, now: float) -> bool:
        """Several devices must agree, so they ask the first one, after an epoch only."""
        if self.budget is None or self.epoch == self.settings.epochs:
            return False
        over = now - self._start >= self.budget
        if self.alone:
            return over
        return self.step == 0 and bool(self.fabric.broadcast(over))

    def _diverged(self, loss: float) -> None:
        """Stop: there is no way back from a loss that is not a number."""
        self.problem = (
            f"The loss became {loss} in epoch {self.epoch + 1}, step {self.step}, at a learning "
            f"rate of {self.learning_rate:.2g}. Lower the learning rate, clip the gradients "
            "(clipping=norm, a smaller clip_norm), or train in 32 bits."
        )
        self.ended, self.complete = "the loss was no longer a number", True
        if not self.best:
            raise TrainingError(self.problem)

    def _mean_loss(self) -> float:
        """Mean loss of the running epoch on this device."""
        n_seen = min(self.step * self.order.together, len(self.order.rows))
        return self.loss_sum.item() * self.order.n_ranks / max(1, n_seen)

    def _epoch_loss(self) -> float:
        """Mean loss of the epoch on all devices."""
        if not self.alone:
            self.loss_sum.copy_(self.fabric.all_reduce(self.loss_sum, reduce_op="mean"))
        return self._mean_loss()

    def _count_time(self) -> None:
        now = time.perf_counter()
        self.seconds += now - self._clock
        self._clock = now

    def _state(self, loss: float, errors: dict[str, float], is_best: bool) -> TrainingState:
        self._count_time()
        n_steps, s = self.order.n_steps, self.settings
        done = self.epoch * n_steps + self.step
        spent = self._clock - self._start
        a_step = spent / max(1, done - self._steps_before)
        left = (s.epochs * n_steps - done) * a_step
        if self.budget is not None:
            left = min(left, max(0.0, self.budget - spent))
        later = (s.ensemble - 1 - self.member) * s.epochs * n_steps * a_step
        return TrainingState(
            member=self.member,
            n_members=s.ensemble,
            epoch=self.epoch,
            n_epochs=s.epochs,
            step=self.step,
            n_steps=n_steps,
            seconds=self.seconds,
            seconds_left=left + later,
            learning_rate=self.learning_rate,
            train_loss=loss,
            validation=errors,
            is_best=is_best,
        )

    def _save(self) -> None:
        """Write everything that the next step depends on."""
        self._saved = time.perf_counter()
        self._count_time()
        if self.fabric.global_rank != 0:
            return
        groups: dict[str, dict[str, Tensor]] = {
            "model": self.model.state_dict(),
            "best": self.best,
            "optimizer": optimizer_tensors(self.optimizer.optimizer),
            "average": {} if self.average is None else self.average.state(),
            "loop": {"loss_sum": self.loss_sum},
        }
        if self.auto_clip is not None:
            groups["clip"] = {"norms": self.auto_clip.state()}
        state = {name: getattr(self, name) for name in _PLAIN}
        state["schedule"] = self.schedule.state()
        state["average_steps"] = 0 if self.average is None else self.average.n_steps
        state["precision"] = self.fabric.strategy.precision.state_dict()
        tensors = {f"{g}.{name}": t for g, ts in groups.items() for name, t in ts.items()}
        Checkpoint(tensors=tensors, state=state).write(self.folder)

    def _restore(self) -> None:
        """Take back what `_save` wrote, if there is anything."""
        saved = read_checkpoint(self.folder)
        if saved is None:
            return
        for name in _PLAIN:
            setattr(self, name, saved.state[name])
        if not self.complete:
            self.ended = ""
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


_PLAIN = (
    "epoch",
    "step",
    "seconds",
    "best_score",
    "best_epoch",
    "history",
    "ended",
    "complete",
    "problem",
)
"""Attributes that are plain values and go into a checkpoint as they are."""
