"""Settings that change nothing: which of those that were given are idle, and why."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from atomlens.machine import choose_device
from atomlens.models import PropertyModel, model_config
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
    yield from told_idle((name, why_unused(kind, model, settings, name, targets)) for name in given)
    on_cpu = kind.learns_in_steps and choose_device(settings.accelerator).type == "cpu"
    if settings.precision == "16-mixed" and on_cpu:
        yield "precision=16-mixed is for GPUs; on a CPU the forward pass is in bf16 instead."


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
        formula = f"the weights of {model!r} have a formula, so there is one member and no gradient"
        return "" if is_read else f"{formula} step"
    if name in _OF_NUMBERS and targets and all(t.kind == "classification" for t in targets):
        return _OF_NUMBERS[name]
    if name == "target_weights" and len(targets) == 1:
        return "there is one target"
    names_none = kind.regularized_parameters is PropertyModel.regularized_parameters
    if name == "regularization" and settings.optimizer == "adam" and names_none:
        return f"{model!r} names no weights to penalise (optimizer=adamw has weight_decay)"
    return why_idle(settings, name, free)


def ignored_model_settings(model: str, config: Any, asked: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence on each group of settings of the model that were asked for and idle.

    Args:
        model: Its name.
        config: All of its settings.
        asked: What the user asked for.
    """
    usual = model_config(model)
    changed = [name for name, value in asked.items() if value != getattr(usual, name)]
    yield from told_idle((f"model.{name}", why_idle(config, name)) for name in changed)
