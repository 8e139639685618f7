"""Settings that change nothing: which of those that were given are idle, and why."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from atomlens.machine import choose_device
from atomlens.models import PropertyModel, model_config
from atomlens.models.base import ModelConfig
from atomlens.printing import counted
from atomlens.settings import told_idle, why_idle
from atomlens.targets import Target
from atomlens.training.settings import TrainSettings

_WITH_FORMULA = {
    "seed",
    "split",
    "scaling",
    "reference",
    "accelerator",
    "n_workers",
    "limit",
    "subset",
    "shuffle_targets",
    "start_from",
    "frozen_layers",
    "fresh_output",
    "builder",
    "builder_settings",
    "model_settings",
    "cache_dir",
}
"""Settings that matter for a model whose weights have a formula."""
_OF_NUMBERS = {"loss": "classes are learned by their cross entropy", "scaling": "classes have none"}
"""Settings that are about numbers, with the reason why they change nothing for classes."""


def ignored_settings(
    kind: type[PropertyModel],
    model: str,
    settings: TrainSettings,
    targets: Sequence[Target] = (),
) -> Iterator[str]:
    """Yield a sentence on each group of settings that were given and change nothing."""
    standard = TrainSettings()
    given = [
        f.name for f in fields(settings) if getattr(settings, f.name) != getattr(standard, f.name)
    ]
    if settings.min_learning_rate == settings.learning_rate < standard.min_learning_rate:
        given.remove("min_learning_rate")  # it follows from the other
    yield from told_idle((name, why_unused(kind, model, settings, name, targets)) for name in given)
    on_cpu = kind.learns_in_steps and choose_device(settings.accelerator).type == "cpu"
    if settings.precision == "16-mixed" and on_cpu:
        yield "precision=16-mixed is for GPUs; on a CPU the forward pass is in bf16 instead."

    if kind.learns_in_steps:
        yield from _beyond_the_end(settings)


def _beyond_the_end(settings: TrainSettings) -> Iterator[str]:
    """Yield a sentence on what would only come after the last epoch."""
    epochs = counted(settings.epochs, "epoch")
    if settings.warmup_epochs >= settings.epochs:
        yield (
            f"warmup_epochs={settings.warmup_epochs:g} is as long as the training ({epochs}), so "
            "the step size never reaches learning_rate; give fewer, or more epochs."
        )
    if settings.schedule == "plateau" and settings.plateau_patience >= settings.epochs:
        yield (
            f"schedule=plateau has no effect: the step size falls after plateau_patience="
            f"{settings.plateau_patience} epochs without a better validation, and the training is "
            f"over after {epochs}."
        )


def _is_over_before(settings: TrainSettings) -> bool:
    """Say whether a training ends before its patience does; by the clock that is unknown."""
    return settings.schedule_seconds is None and settings.patience >= settings.epochs


def why_unused(
    kind: type[PropertyModel],
    model: str,
    settings: TrainSettings,
    name: str,
    targets: Sequence[Target] = (),
    free: Collection[str] = (),
) -> str:
    """Return why a setting changes nothing in a training, as part of a sentence; "" if it does.

    Args:
        kind: What is trained.
        model: What that is called.
        settings: Of the training.
        name: Of one of them.
        targets: What is learned.
        free: Settings that may still change.
    """
    if not kind.learns_in_steps:
        is_read = name in _WITH_FORMULA
        formula = f"{model!r} is not trained in steps, so there is one member and no gradient"
        return "" if is_read else f"{formula} step"
    if name in _OF_NUMBERS and targets and all(t.kind == "classification" for t in targets):
        return _OF_NUMBERS[name]
    if name == "target_weights" and len(targets) == 1:
        return "there is one target"
    if name == "patience" and "epochs" not in free and _is_over_before(settings):
        return f"the training is over after {counted(settings.epochs, 'epoch')}"
    names_none = kind.regularized_parameters is PropertyModel.regularized_parameters
    if name == "regularization" and settings.optimizer == "adam" and names_none:
        return f"{model!r} names no weights to penalise (optimizer=adamw has weight_decay)"
    return why_idle(settings, name, free)


def ignored_model_settings(
    model: str, config: ModelConfig, asked: Mapping[str, Any]
) -> Iterator[str]:
    """Yield a sentence on each group of settings of the model that were asked for and idle.

    Args:
        model: Its name.
        config: All of its settings.
        asked: What the user asked for.
    """
    usual = model_config(model)
    changed = [name for name, value in asked.items() if value != getattr(usual, name)]
    yield from told_idle((f"model.{name}", why_idle(config, name)) for name in changed)
