"""Controls: what an attention map looks like when nothing was learned."""

from dataclasses import replace

import torch

from atomlens.errors import StudyError
from atomlens.models import MODELS
from atomlens.predictor import Predictor

N_UNTRAINED = 3
"""Untrained networks that a study averages over."""


def untrained(predictor: Predictor, seed: int = 0) -> Predictor:
    """Return the same architecture with fresh random weights; the original stays as it is."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        models = tuple(MODELS[predictor.model_name](m.config) for m in predictor.models)
    return replace(predictor, models=models)


def untrained_networks(predictor: Predictor) -> tuple[Predictor, ...]:
    """Return several untrained networks of different seeds, each of a single member."""
    single = replace(predictor, models=predictor.models[:1])
    return tuple(untrained(single, seed) for seed in range(N_UNTRAINED))


def control_for(predictor: Predictor, shuffled: tuple[Predictor, ...]) -> Predictor | None:
    """Return the model of the same target that was trained on shuffled labels, if given.

    Raises:
        StudyError: a model given as this control was not trained on shuffled labels.
    """
    for control in shuffled:
        if not control.record.settings.get("shuffle_targets"):
            raise StudyError(
                "A model given with --shuffled was not trained on shuffled labels; train it with "
                "--set training.shuffle_targets=true."
            )
    names = [t.name for t in predictor.targets]
    return next((c for c in shuffled if [t.name for t in c.targets] == names), None)


def named_controls(
    predictor: Predictor, shuffled: tuple[Predictor, ...]
) -> dict[str, tuple[Predictor, ...]]:
    """Return ``untrained`` (several seeds) and, if given, ``shuffled labels``."""
    controls = {"untrained": untrained_networks(predictor)}
    trained_on_noise = control_for(predictor, shuffled)
    if trained_on_noise is not None:
        controls["shuffled labels"] = (trained_on_noise,)
    return controls
