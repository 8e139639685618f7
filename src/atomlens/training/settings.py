"""Every setting of a training, declared once."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from atomlens.errors import SettingsError, unknown_name
from atomlens.printing import shown
from atomlens.settings import Settings, bounded, only_with
from atomlens.words import SETTING_WORDS

Schedule = Literal["cosine", "cosine-half", "restarts", "plateau", "exponential", "constant"]
Loss = Literal["mae", "mse", "rmse", "huber", "robust-l1", "gaussian"]
HETEROSCEDASTIC: dict[str, str] = {"robust-l1": "laplace", "gaussian": "gaussian"}
"""Losses for which the model also predicts its noise, and the noise they assume."""
_LOWEST_RATE = 1e-5
BY_TIME = ("cosine", "cosine-half", "exponential", "constant")
"""Schedules that can run over seconds instead of epochs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings(Settings):
    """How a model is trained. The defaults suit some thousand to some hundred thousand samples."""

    epochs: int = bounded(100, least=1)
    """Passes over the training part; with `schedule_seconds` the unit of the schedule only."""
    schedule_seconds: float | None = bounded(None, least=1)
    """Run the schedule over so many seconds (of each model) instead of `epochs`, and end there;
    for cosine, cosine-half, exponential and constant, on one device."""
    batch_size: int = bounded(128, least=1)
    """Structures a step (on each device)."""
    learning_rate: float = bounded(5e-4, least=0)
    """Largest step size of the optimiser."""
    min_learning_rate: float = only_with(
        bounded(_LOWEST_RATE, least=0),
        schedule=("cosine", "cosine-half", "restarts", "plateau", "exponential"),
    )
    """Step size at the end of a cosine, of a restart cycle or of all plateaus; by default no larger
    than `learning_rate`."""
    schedule: Schedule = "cosine"
    """How the step size falls: cosine, cosine-half, restarts, plateau, exponential,
    constant."""
    warmup_epochs: float = bounded(0.0, least=0)
    """Epochs over which the step size first grows from zero; may be a fraction."""
    restart_epochs: int = only_with(bounded(50, least=1), schedule="restarts")
    """restarts: length of the first cycle; each cycle is twice as long as the one before."""
    restart_below: float | None = only_with(bounded(None, least=0), schedule="restarts")
    """restarts: the cycles begin when the validation MAE of the first target is below this."""
    plateau_patience: int = only_with(bounded(10, least=1), schedule="plateau")
    """plateau: halve the step size after this many epochs without a better validation."""
    decay: float = only_with(bounded(0.999, least=0), schedule="exponential")
    """exponential: factor of the step size after every epoch."""
    optimizer: Literal["adam", "adamw", "muon"] = "adam"
    """adam (with `regularization`), adamw (with `weight_decay`), or for lens muon: adamw, but
    orthogonal steps for the matrices between the first layer and the last."""
    beta1: float = bounded(0.9, least=0, below=1)
    """Memory of the optimiser for gradients."""
    beta2: float = bounded(0.999, least=0, below=1)
    """Memory of the optimiser for squared gradients."""
    epsilon: float = bounded(1e-7, least=0)
    """Added to the root of the squared gradients, against division by zero."""
    regularization: float = only_with(bounded(1e-5, least=0), optimizer="adam")
    """adam: L2 penalty, this times the sum of squares of the kernels the paper penalises."""
    weight_decay: float = only_with(bounded(0.01, least=0), optimizer=("adamw", "muon"))
    """adamw, muon: share of the same kernels (of all matrices, if the model names none) removed."""
    loss: Loss = "mae"
    """What is minimised; robust-l1 and gaussian also learn the noise of every prediction."""
    target_weights: str = "equal"
    """How much a target counts in the loss: equal, or ``NAME:3,NAME:0.5`` (1 for all others)."""
    attention_labels: str | None = None
    """Teach the attention of the readout where it should stand: a CSV file with the columns
    ``sample``, ``atom`` (from 0) and one or more targets, whose cells are weights of the atoms,
    for some of the samples."""
    attention_weight: float = only_with(bounded(0.1, least=0), attention_labels=())
    """How much the taught attention counts beside the loss of the values (a Kullback-Leibler
    divergence, in nats, beside scaled units)."""
    huber_delta: float = only_with(bounded(0.1, least=0), loss="huber")
    """huber: quadratic below this error, in scaled units."""
    clipping: Literal["none", "norm", "autoclip"] = "norm"
    """Limit of the gradients: none, their common norm, or autoclip (10th percentile so far)."""
    clip_norm: float = only_with(bounded(5.0, least=0), clipping="norm")
    """norm: largest norm of all gradients together, in scaled units."""
    ema_decay: float = bounded(0.0, least=0, below=1)
    """Validate and keep an exponential moving average of the weights; 0 is off, 0.999 usual."""
    patience: int = bounded(0, least=0)
    """Stop after this many epochs without a better validation; 0 never stops early."""
    precision: Literal["32", "bf16-mixed", "16-mixed"] = "32"
    """Numbers in the forward pass; weights and validation stay in 32 bits."""
    matmul_precision: Literal["auto", "highest", "high", "medium"] = "auto"
    """high multiplies matrices in TF32 on a GPU, several times faster, 3 digits; medium in bf16,
    also on a CPU with AMX (SCANN+ 1.25 times as fast), 2 digits; auto: high where a GPU trains,
    highest elsewhere."""
    seed: int = bounded(0, least=0)
    """Decides split, first weights, order of the samples and dropout."""
    split: str = "random:.8/.1/.1"
    """The three parts: random, stratified, composition, scaffold, group:COLUMN, time:COLUMN,
    source, fold:K, elements:K/N, or a file."""
    calibration_share: float = bounded(0.0, least=0, below=1)
    """Share of the validation part that only calibrates the error estimates: no epoch is chosen,
    and no training stopped, by it."""
    scaling: Literal["standard", "none"] = "standard"
    """standard: learn (value - mean) / std of the training part."""
    reference: str = "none"
    """elements: first subtract a linear fit on the element fractions of the training part;
    ``elements:NAME,NAME`` does so for these targets only."""
    ensemble: int = bounded(1, least=1)
    """Models of consecutive seeds; their spread becomes the error estimate."""
    devices: int = bounded(1, least=1)
    """Devices that share each step."""
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    """auto takes a GPU if there is one."""
    record_steps: bool = True
    """On one GPU: record whole steps as CUDA graphs, which spares the processor starting every
    operation."""
    n_workers: int = bounded(0, least=0)
    """Threads that build graphs; 0: one a core."""
    n_threads: int = bounded(0, least=0)
    """Threads for tensor arithmetic; 0 leaves it as it is."""
    limit: int | None = bounded(None, least=1)
    """Use only this many samples of the data set."""
    subset: int | None = bounded(None, least=1)
    """Use only this many samples of the training part (and as large a share of the validation
    part, 500 at least); the test part stays whole. Smaller subsets are parts of larger ones."""
    shuffle_targets: bool = False
    """A control: deal the values of training and validation part out anew, so that there is
    nothing to learn; the test part keeps its own."""
    start_from: str | None = None
    """Fine-tuning: folder of a trained model whose architecture, neighbours and weights are
    taken; the scaling of the targets is that of the new data."""
    frozen_layers: int = bounded(0, least=0)
    """Fine-tuning: so many of the first layers, and all before them, stay as they are."""
    fresh_output: bool | None = None
    """Fine-tuning: whether the last linear layer starts from random weights. None: what is called
    the same is taken, and a single number of another name if it has the same unit. false: a single
    number is taken for whatever else."""
    builder: str | None = None
    """Neighbour builder; by default the one of the model's paper."""
    builder_settings: dict[str, Any] = field(default_factory=dict)
    """Settings of the neighbour builder that differ from its defaults."""
    model_settings: dict[str, Any] = field(default_factory=dict)
    """Settings of the model that differ from its defaults."""
    max_seconds: float | None = bounded(None, least=0)
    """Stop cleanly before this many seconds of gradient steps; can be resumed."""
    checkpoint_seconds: float = bounded(30.0, least=0)
    """Save the state of the training whenever this many seconds have passed."""
    cache_dir: str | None = None
    """Folder of the graph cache; by default the user's cache folder."""

    def check_together(self) -> None:
        """Refuse a step size that grows in the end, and a reference that is none."""
        if not re.fullmatch(r"none|elements(:[^,]+(,[^,]+)*)?", self.reference):
            raise SettingsError(
                f"reference={self.reference!r} is none of none, elements and "
                "elements:NAME,NAME with names of targets."
            )
        self.weight_by_target()
        if self.min_learning_rate == _LOWEST_RATE > self.learning_rate:
            object.__setattr__(self, "min_learning_rate", self.learning_rate)  # nobody chose it
        if self.min_learning_rate > self.learning_rate:
            raise SettingsError(
                f"min_learning_rate={self.min_learning_rate:g} is above "
                f"learning_rate={self.learning_rate:g}; lower it."
            )
        if self.schedule_seconds is not None:
            if self.schedule not in BY_TIME:
                raise SettingsError(
                    f"schedule={self.schedule} follows the validation of whole epochs, not the "
                    f"clock; with schedule_seconds choose {', '.join(BY_TIME)}."
                )
            if self.devices > 1:
                raise SettingsError(
                    "schedule_seconds needs devices=1: the clocks of several do not agree."
                )

    def weight_by_target(self) -> dict[str, float]:
        """Return the targets that do not count as 1 in the loss, and how much they count.

        Raises:
            SettingsError: `target_weights` is not equal and no list of names and numbers above 0.
        """
        if self.target_weights == "equal":
            return {}
        found: dict[str, float] = {}
        for part in self.target_weights.split(","):
            name, _, number = part.rpartition(":")
            try:
                weight = float(number)
            except ValueError:
                weight = math.nan
            if not name or name in found or not 0 < weight < math.inf:
                raise SettingsError(
                    f"target_weights={self.target_weights!r} is none of equal and NAME:3,NAME:0.5 "
                    "with each target at most once and numbers above 0."
                )
            found[name] = weight
        return found

    @classmethod
    def given(cls, settings: Any, overrides: Mapping[str, Any]) -> "TrainSettings":
        """Return settings that were given (None: the defaults) with some fields replaced.

        Raises:
            SettingsError: they are no `TrainSettings`, or see `changed`.
        """
        if settings is not None and not isinstance(settings, cls):
            raise SettingsError(
                f"settings={shown(settings)}: they must be TrainSettings(...); single ones are "
                "arguments of their own, such as epochs=50."
            )
        return (settings or cls()).changed(overrides)

    def changed(self, overrides: Mapping[str, Any]) -> "TrainSettings":
        """Return the settings with some fields replaced.

        Raises:
            SettingsError: an unknown field (the nearest one is offered) or a bad value.
        """
        known = [f.name for f in fields(self)]
        for name in overrides:
            if name not in known:
                raise SettingsError(f"Training: {_elsewhere(name, overrides[name], known)}")
        return replace(self, **overrides)


def _elsewhere(name: str, value: Any, known: Sequence[str]) -> str:
    """Return what a setting that the training does not have may be: another word, or a model's."""
    from atomlens.models import MODELS
    from atomlens.neighbors import BUILDERS

    meant = SETTING_WORDS.get(name.replace("_", "").replace("-", "").lower())
    if meant is not None and "." not in meant:
        return f"There is no setting {name!r}; it is called {meant}."
    group, _, own = meant.partition(".") if meant else ("", "", name)
    for where, kinds in (("model", [m.Config for m in MODELS.values()]), ("builder", BUILDERS)):
        table = kinds if isinstance(kinds, list) else list(kinds.values())
        if group in ("", where) and any(own in {f.name for f in fields(one)} for one in table):
            return (
                f"{name!r} is a setting of the {where}; give it as "
                f"{where}_settings={{{own!r}: {shown(value)}}}."
            )
    return unknown_name("setting", name, known)
