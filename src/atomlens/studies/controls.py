"""Controls: what an attention map looks like when nothing was learned."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import torch

from atomlens.errors import StudyError
from atomlens.predictor import Calibration, Predictor
from atomlens.printing import few

N_UNTRAINED = 3
"""Untrained networks that a study averages over."""


def untrained(predictor: Predictor, seed: int = 0) -> Predictor:
    """Return the same architecture with fresh random weights; the original stays as it is.

    Fixed element vectors are no weights: the network keeps them. How unlike its training data an
    input is was measured on the vectors of the trained network, and says nothing of this one. The
    same holds for the calibration: cut to the largest noise of the trained network, all noises of
    an untrained one may be equal, and it would be no control of errors that are foreseen.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        models = tuple(type(m)(m.config) for m in predictor.models)
    for model, original in zip(models, predictor.models, strict=True):
        if original.element_table_name(original.config):
            table = original.get_buffer("element_table")
            model.get_buffer("element_table").copy_(table)
    bare = Calibration.nothing(len(predictor.calibration.targets))
    return replace(
        predictor,
        models=models,
        familiarity=None,
        calibration=bare,
        calibration_of_made=None,
        loaded_from="",
        weights_sha256="",
    )


def untrained_networks(predictor: Predictor) -> tuple[Predictor, ...]:
    """Return several untrained networks of different seeds, each of a single member."""
    single = replace(predictor, models=predictor.models[:1])
    return tuple(untrained(single, seed) for seed in range(N_UNTRAINED))


def controls_for(predictor: Predictor, shuffled: tuple[Predictor, ...]) -> tuple[Predictor, ...]:
    """Return all models of the same kind and target that were trained on shuffled labels.

    Raises:
        StudyError: a model given as this control was not trained on shuffled labels.
    """
    refuse_unshuffled(shuffled)
    return tuple(c for c in shuffled if _kind(c) == _kind(predictor))


def refuse_unshuffled(controls: Sequence[Predictor]) -> None:
    """Raise a StudyError if a model given as this control was not trained on shuffled labels."""
    if not all(control.record.settings.get("shuffle_targets") for control in controls):
        raise StudyError(
            "A model given as `shuffled` was not trained on shuffled labels; train it with "
            "--set training.shuffle_targets=true (in Python shuffle_targets=True)."
        )


def refuse_twins(models: Sequence[Predictor], controls: Sequence[Predictor]) -> None:
    """Raise a StudyError for a network that is given twice: it is one training, not two.

    Intervals over trainings, and the count of those in which a claim holds, would take copies of
    one network for agreement. A network of several targets may be asked about each of them.
    """
    for word, given in (("--model", models), ("--shuffled", controls)):
        seen: set[tuple[tuple[str, ...], str]] = set()
        for predictor in given:
            targets = tuple(t.name for t in predictor.targets)
            own = {(targets, _digest(network)) for network in predictor.models}
            if own & seen:
                raise StudyError(
                    f"{word}: two of the models for {', '.join(targets)} have the same trained "
                    "network, which is one training and not two; give each once."
                )
            seen |= own


def _digest(network: torch.nn.Module) -> str:
    """Return a mark of all numbers of a network, whatever its parts are called."""
    found = hashlib.sha256()
    for numbers in network.state_dict().values():
        found.update(numbers.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return found.hexdigest()


def refuse_strangers(
    models: Sequence[Predictor], controls: Sequence[Predictor], *, any_target: bool
) -> None:
    """Raise a StudyError for a control that is of none of the models, so that nothing would ask it.

    Args:
        models: Of the study.
        controls: Trained on shuffled labels.
        any_target: The study chooses one of several targets itself.
    """
    for control in controls:
        own = _kind(control)
        if not any(
            _kind(m)[1:] == own[1:] and set(_kind(m)[0]) & set(own[0])
            if any_target
            else _kind(m) == own
            for m in models
        ):
            raise StudyError(
                f"--shuffled: a control is a {control.model_name} for "
                f"{few(t.name for t in control.targets)}, and no model of the study is; give "
                "the control of a model that is given, or leave it out."
            )


def unlike(models: Sequence[Predictor], controls: Sequence[Predictor]) -> tuple[str, ...]:
    """Return a sentence for each control that is smaller than its model, or was trained for less.

    What fitting noise does shows only in a network that had the size and the time to fit it.
    """
    said = {}
    for control in controls:
        for model in models:
            if _kind(control)[1:] != _kind(model)[1:]:
                continue
            own, of_model = _size(control), _size(model)
            less = [
                f"{own[name]:,} {name} in place of {of_model[name]:,}"
                for name in own
                if name in of_model and own[name] < _LEAST_OF_MODEL * of_model[name]
            ]
            if less:
                targets = ", ".join(t.name for t in control.targets)
                said[targets, tuple(less)] = (
                    f"A control on shuffled labels ({targets}) is less than its model: "
                    f"{', '.join(less)}. Where a verdict turns on it alone, read: not tested."
                )
    return tuple(said.values())


_LEAST_OF_MODEL = 0.5


def _size(predictor: Predictor) -> dict[str, int]:
    """Return weights of a member and the steps of its training, as far as they are known."""
    record = predictor.record
    found = {"weights": sum(p.numel() for p in predictor.models[0].parameters())}
    n_train = len(record.split.get("train", ()))
    epochs = len(record.history) // max(int(record.settings.get("ensemble") or 1), 1)
    batch = int(record.settings.get("batch_size") or 0)
    if n_train and epochs and batch:
        found["steps"] = epochs * -(-n_train // batch)
    return found


def _kind(predictor: Predictor) -> tuple[tuple[str, ...], str, bool]:
    """Return what a control has in common with its model: targets, model, formulas or sites."""
    targets = tuple(t.name for t in predictor.targets)
    return targets, predictor.model_name, predictor.builder.needs_positions


def named_controls(
    predictor: Predictor, shuffled: tuple[Predictor, ...]
) -> dict[str, tuple[Predictor, ...]]:
    """Return ``untrained`` (several seeds) and, if given, ``shuffled labels``."""
    controls = {"untrained": untrained_networks(predictor)}
    trained_on_noise = controls_for(predictor, shuffled)
    if trained_on_noise:
        controls["shuffled labels"] = trained_on_noise
    return controls
