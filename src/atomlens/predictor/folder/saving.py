"""From a `TrainedModel` to a model folder."""

import gzip
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from atomlens.boundary import parse_json
from atomlens.models import MODELS
from atomlens.predictor.folder import (
    CARD,
    FAILURES,
    FAMILIARITY,
    FORMAT_VERSION,
    HISTORY,
    METRICS,
    PACKED_SPLIT,
    PACKED_WEIGHTS,
    SAMPLES,
    SETTINGS,
    SPLIT,
    WARNINGS,
    WEIGHTS,
    answers_digest,
    check_weights,
    check_writable,
    checksum_of,
    history_bytes,
    json_bytes,
    rewrite_files,
    tensor_bytes,
    write_model_folder,
)
from atomlens.predictor.folder.card import model_card
from atomlens.predictor.metrics import finite_or_none
from atomlens.predictor.trained import TrainedModel
from atomlens.version import __version__


def save(predictor: TrainedModel, folder: Path, *, half: bool = False) -> Path:
    """Write a model folder, whole or not at all; a model that stands there is replaced.

    ``half`` makes it small: weights in 16 bits (use it after `in_half_precision`, and nothing is
    lost), they and the names of samples packed.
    """
    check_writable(folder)
    write_model_folder(folder, model_files(predictor, half=half))
    return folder


def save_metrics(predictor: TrainedModel, folder: Path) -> None:
    """Write the metrics and the card of a model to its folder; weights and all else stay.

    Raises:
        ModelError: the folder cannot be written to.
    """
    metrics = json_bytes(finite_or_none(predictor.metrics))
    rewrite_files(folder, {METRICS: metrics, CARD: model_card(predictor).encode()})


def in_half_precision(predictor: TrainedModel) -> None:
    """Round the weights to 16 bits, where they are.

    Raises:
        ModelError: a weight is too large for 16 bits.
    """
    for model in predictor.models:
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(tensor.half())
                check_weights({name: tensor}, "in 16 bits")


def model_files(predictor: TrainedModel, *, half: bool = False) -> dict[str, bytes]:
    """Return the content of every file of a model folder."""
    record = predictor.record
    weights, familiarity = weight_bytes(predictor, half=half), predictor.familiarity
    settings = model_settings(predictor, checksum_of(weights))
    files = {
        **({PACKED_WEIGHTS: gzip.compress(weights, mtime=0)} if half else {WEIGHTS: weights}),
        METRICS: json_bytes(finite_or_none(predictor.metrics)),
        CARD: model_card(predictor).encode(),
    }
    if familiarity is not None:
        files[FAMILIARITY] = tensor_bytes(familiarity.tensors())
        checksum = checksum_of(files[FAMILIARITY])
        settings["familiarity"] = {**familiarity.to_dict(), "sha256": checksum}
    if record.samples is not None:
        files[SAMPLES] = record.samples.to_bytes()
        settings["samples_sha256"] = checksum_of(files[SAMPLES])
    settings["answers_sha256"] = answers_digest(parse_json(json_bytes(settings).decode()))
    files[SETTINGS] = json_bytes(settings)
    if record.split:
        names = {part: list(names) for part, names in record.split.items()}
        if half:
            packed = json.dumps(names, separators=(",", ":")).encode()
            files[PACKED_SPLIT] = gzip.compress(packed, mtime=0)
        else:
            files[SPLIT] = json_bytes(names)
    if record.warnings:
        files[WARNINGS] = json_bytes([warning.to_dict() for warning in record.warnings])
    if record.history:
        files[HISTORY] = history_bytes(record.history)
    if record.failures:
        files[FAILURES] = json_bytes([failure.to_dict() for failure in record.failures])
    return files


def weight_bytes(predictor: TrainedModel, *, half: bool = False) -> bytes:
    """Return the weights of all members as they stand in ``model.safetensors``."""
    return tensor_bytes(
        {
            f"member{index}.{name}": tensor.half()
            if half and tensor.is_floating_point()
            else tensor
            for index, model in enumerate(predictor.models)
            for name, tensor in model.state_dict().items()
        }
    )


def _origin(predictor: TrainedModel) -> dict[str, str]:
    """Return what a reader has to import for a model from outside; nothing for ours."""
    kind = type(predictor.models[0])
    outside = predictor.model_name not in MODELS.ours()
    return {"class": f"{kind.__module__}.{kind.__qualname__}"} if outside else {}


def _changes(predictor: TrainedModel) -> dict[str, list[dict[str, Any]]]:
    """Return in which settings each member differs from the first, where one does."""
    first, *others = (asdict(model.config) for model in predictor.models)
    changes = [{key: own[key] for key in own if own[key] != first[key]} for own in others]
    return {"changes": [{}, *changes]} if any(changes) else {}


def model_settings(predictor: TrainedModel, checksum: str) -> dict[str, Any]:
    """Return what ``settings.json`` holds."""
    temperatures = predictor.calibration.classes_to_list()
    return {
        "format": "atomlens-model",
        "version": FORMAT_VERSION,
        "atomlens": __version__,
        "model": {
            "name": predictor.model_name,
            **_origin(predictor),
            "config": asdict(predictor.config),
            **_changes(predictor),
            "n_members": len(predictor.models),
            "n_parameters": sum(p.numel() for p in predictor.models[0].parameters()),
        },
        "builder": {"name": predictor.builder.name, "settings": predictor.builder.settings()},
        "scaling": predictor.scaling.to_dict(),
        "noise": predictor.noise,
        "calibration": predictor.calibration.to_list(),
        **({"temperatures": temperatures} if temperatures else {}),
        **(
            {}
            if predictor.calibration_of_made is None
            else {"calibration_of_made": predictor.calibration_of_made.to_list()}
        ),
        "elements": list(predictor.elements),
        "training": finite_or_none(predictor.record.to_dict()),
        "weights_sha256": checksum,
    }
