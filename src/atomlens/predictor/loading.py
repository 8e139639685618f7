"""From a model folder to a `TrainedModel`. Text and tensors are read; nothing is executed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from atomlens.errors import AtomlensError, ModelError
from atomlens.models import make_model
from atomlens.models.base import PropertyModel
from atomlens.neighbors import make_builder
from atomlens.predictor.calibration import Calibration
from atomlens.predictor.folder import (
    FAILURES,
    HISTORY,
    METRICS,
    SETTINGS,
    SPLIT,
    WEIGHTS,
    read_failures,
    read_history,
    read_optional_json,
    read_settings,
    read_weights,
)
from atomlens.predictor.record import TrainingRecord
from atomlens.predictor.trained import TrainedModel
from atomlens.targets.scaling import TargetScaling


def load_trained(path: str | Path) -> TrainedModel:
    """Load a model folder. No code in it is executed, nothing is unpickled.

    Raises:
        ModelError: there is no model, or it is damaged or of a newer version; the message
            names the file and says what to do.
    """
    folder = Path(path)
    content = read_settings(folder)
    try:
        trained = _without_weights(content)
        n_members, checksum = int(content["model"]["n_members"]), str(content["weights_sha256"])
        split = read_optional_json(folder / SPLIT) or {}
        record = replace(
            trained.record,
            split={str(part): tuple(map(str, names)) for part, names in split.items()},
        )
    except ModelError:
        raise
    except (AtomlensError, KeyError, TypeError, ValueError, AttributeError) as problem:
        raise ModelError(
            f"{folder / SETTINGS}: this file of the model is damaged or not for this version of "
            f"atomlens ({_reason(problem)})."
        ) from None
    models = _models(content, n_members, read_weights(folder, checksum), folder)
    metrics = read_optional_json(folder / METRICS)
    return replace(
        trained,
        models=models,
        metrics=metrics if isinstance(metrics, dict) else {},
        record=replace(
            record,
            history=read_history(folder / HISTORY),
            failures=read_failures(folder / FAILURES),
        ),
    )


def _without_weights(content: dict[str, Any]) -> TrainedModel:
    """Return the trained model of a settings file, its models not made yet."""
    scaling = TargetScaling.from_dict(content["scaling"])
    noise = content["noise"]
    if noise not in ("none", "laplace", "gaussian"):
        raise ValueError(f"noise {noise!r}")
    return TrainedModel(
        model_name=str(content["model"]["name"]),
        models=(),
        builder=make_builder(content["builder"]["name"], **_tuples(content["builder"]["settings"])),
        scaling=scaling,
        calibration=Calibration.from_list(
            content["calibration"], sum(t.n_values for t in scaling.targets)
        ),
        noise=noise,
        elements=tuple(int(z) for z in content["elements"]),
        record=TrainingRecord.from_dict(content["training"]),
    )


def _models(
    content: dict[str, Any], n_members: int, tensors: dict[str, Tensor], folder: Path
) -> tuple[PropertyModel, ...]:
    """Make the members and fill in their weights; every weight must be there and fit."""
    members: list[dict[str, Tensor]] = [{} for _ in range(max(1, min(n_members, len(tensors))))]
    try:
        for name, tensor in tensors.items():
            member, _, rest = name.partition(".")
            members[int(member.removeprefix("member"))][rest] = tensor
        models = []
        name, config = content["model"]["name"], _tuples(content["model"]["config"])
        _check_sizes(name, config, members[0])
        for state in members:
            model = make_model(name, **config)
            model.load_state_dict(state)
            models.append(model.eval().requires_grad_(False))
    except (AtomlensError, RuntimeError, KeyError, IndexError, TypeError, ValueError) as problem:
        raise ModelError(
            f"{folder / WEIGHTS}: the weights do not fit the model that {SETTINGS} describes "
            f"({_reason(problem)})."
        ) from None
    return tuple(models)


def _check_sizes(name: str, config: dict[str, Any], state: dict[str, Tensor]) -> None:
    """Raise a ValueError for sizes that the weights do not have, before memory is taken."""
    n_weights = sum(t.numel() for t in state.values())
    for key, value in config.items():
        if isinstance(value, int) and value > max(n_weights, 10_000):
            raise ValueError(f"{key}={value} is too large for {n_weights} weights")
    with torch.device("meta"):
        planned = make_model(name, **config).state_dict()
    n_planned = sum(t.numel() for t in planned.values())
    if n_planned != n_weights:
        raise ValueError(f"{n_weights} numbers instead of {n_planned}")


def _tuples(content: dict[str, Any]) -> dict[str, Any]:
    """Return settings with lists as tuples, as JSON knows no tuples."""
    return {
        str(key): tuple(value) if isinstance(value, list) else value
        for key, value in content.items()
    }


def _reason(problem: Exception) -> str:
    text = " ".join(str(problem).split())
    text = f"{text} is missing" if isinstance(problem, KeyError) else text
    return text if len(text) <= 200 else text[:197] + "..."
