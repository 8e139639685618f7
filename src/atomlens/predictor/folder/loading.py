"""From a model folder to a `TrainedModel`. Text and tensors are read; nothing is executed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from os import PathLike
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar

import torch
from torch import Tensor

from atomlens.boundary import count_in, net, read_bytes
from atomlens.elements import SYMBOLS
from atomlens.errors import (
    AtomlensError,
    ForeignModelError,
    MissingDependencyError,
    ModelError,
    warn,
)
from atomlens.models import MODELS, make_model
from atomlens.models.base import PropertyModel
from atomlens.neighbors import make_builder
from atomlens.predictor.folder import (
    FAILURES,
    FAMILIARITY,
    HISTORY,
    METRICS,
    PACKED_SPLIT,
    RESTORE,
    SAMPLES,
    SETTINGS,
    SPLIT,
    WARNINGS,
    WITHOUT,
    answers_digest,
    checksum_of,
    read_failures,
    read_history,
    read_optional_json,
    read_settings,
    read_weights,
    weights_place,
)
from atomlens.predictor.folder.box import model_place
from atomlens.predictor.record import TrainingRecord
from atomlens.predictor.samples import PARTS, TrainingSamples, read_samples
from atomlens.predictor.trained import TrainedModel
from atomlens.predictor.trust.calibration import Calibration
from atomlens.predictor.trust.familiarity import Familiarity
from atomlens.printing import cut, one_line, shown
from atomlens.targets.scaling import TargetScaling

Content = TypeVar("Content")
_UNKNOWING = (
    "The model works without it, but does not know what it was trained on (seen_in; --part, in "
    "Python part=...); restore the folder from a copy, or delete this file."
)


def load_trained(path: str | Path) -> TrainedModel:
    """Load a model folder, or the model of the box that is called so.

    No code in it is executed, nothing is unpickled.

    Raises:
        ModelError: there is no model, or it is damaged or of a newer version; the message
            names the file and says what to do.
    """
    if not isinstance(path, str | PathLike):
        raise ModelError(
            f"A model is loaded from its folder or by its name in the box, and this is "
            f"{type(path).__name__}; give one of these."
        )
    folder = model_place(path)
    content = read_settings(folder)
    with _settings_net(folder):
        trained = _without_weights(content)
        n_members = count_in(content["model"]["n_members"], least=1)
        checksum = str(content["weights_sha256"])
    _check_known(content["model"], folder)
    names = folder / (SPLIT if (folder / SPLIT).exists() else PACKED_SPLIT)
    split = read_optional_json(names) or {}
    with net(ModelError, f"{names}, a file of the model", "delete it; the model works"):
        record = replace(trained.record, split=_parts(split))
    weights = weights_place(folder)
    models = _models(content, n_members, read_weights(weights, checksum), weights)
    metrics = read_optional_json(folder / METRICS)
    with net(ModelError, f"{folder / METRICS}, a file of the model", "delete it; the model works"):
        _check_metrics(metrics)
    of_samples = str(content.get("samples_sha256", ""))
    samples = _spare(folder / SAMPLES, lambda path: _samples(path, record, of_samples), None)
    familiarity = _familiarity(folder, content.get("familiarity"))
    if content.get("answers_sha256", "") not in ("", answers_digest(content)):
        raise ModelError(
            f"{folder / SETTINGS}: units, scaling, error estimates or other settings that decide "
            f"the answers are not those that were saved, so the answers would be wrong; {RESTORE}."
        )
    return replace(
        trained,
        models=models,
        loaded_from=str(path),
        weights_sha256=checksum,
        familiarity=familiarity,
        metrics=metrics if isinstance(metrics, dict) else {},
        record=replace(
            record,
            history=_spare(folder / HISTORY, read_history, ()),
            failures=read_failures(folder / FAILURES),
            warnings=read_failures(folder / WARNINGS),
            samples=samples,
        ),
    )


def _check_known(model: dict[str, Any], folder: Path) -> None:
    """Raise a ForeignModelError for a model from outside whose class is not at hand.

    Where it was defined is told, not imported: a model folder must not choose what is run.
    """
    if model["name"] in MODELS or "class" not in model:
        return
    raise ForeignModelError(
        f"{folder}: this model is of the kind {shown(model['name'])}, which is not known here. "
        f"Import the module that defines its class ({shown(model['class'])}) first, or install "
        "the package that offers it."
    )


def _familiarity(folder: Path, content: Any) -> Familiarity | None:
    """Return what the folder keeps of its training data, if it keeps something."""
    if content is None and not (folder / FAMILIARITY).exists():
        return None
    if content is None:
        raise ModelError(
            f"{folder / SETTINGS}: it says nothing of {FAMILIARITY}, which stands beside it; "
            f"{RESTORE}."
        )
    where = f"{folder / FAMILIARITY}, a file of the model"
    with net(ModelError, where, "restore the folder from a copy"):
        tensors = read_weights(folder / FAMILIARITY, str(content["sha256"]))
        return Familiarity.read(content, tensors)


@contextmanager
def _settings_net(folder: Path) -> Iterator[None]:
    """Turn whatever odd settings make a class raise into one sentence about settings.json."""
    where = f"{folder / SETTINGS}, the settings of the model"
    advice = "it is damaged or not for this version of atomlens; restore it from a copy"
    with net(ModelError, where, advice):
        try:
            yield
        except AtomlensError as problem:
            raise ModelError(f"{where}: {str(problem).removesuffix('.')}; {advice}.") from problem


def _spare(path: Path, read: Callable[[Path], Content], otherwise: Content) -> Content:
    """Return what a file holds without which a model works; one that is damaged is told."""
    try:
        with net(ModelError, f"{path}, a file of the model", WITHOUT):
            return read(path)
    except ModelError as problem:
        warn(str(problem))
        return otherwise


def _parts(content: Any) -> dict[str, tuple[str, ...]]:
    """Return the names of the samples of each part, as ``split.json`` holds them."""
    if not all(isinstance(names, list) for names in content.values()):
        raise ValueError("a part is not a list of names")
    return {str(part): tuple(map(str, names)) for part, names in content.items()}


def _samples(path: Path, record: TrainingRecord, checksum: str) -> TrainingSamples | None:
    """Return the samples of the training by content, if the folder holds them.

    Args:
        path: The file.
        record: Of the training.
        checksum: SHA-256 of the file as it was saved; empty of folders that do not say.
    """
    if not path.exists():
        if checksum:
            warn(
                f"{path}: this file of the model is missing, so the model does not know what it "
                "was trained on (seen_in; --part, in Python part=...); restore the folder from a "
                f"copy, or take samples_sha256 out of {SETTINGS} if it is left out on purpose."
            )
        return None
    content = read_bytes(path)
    samples = read_samples(content, str(path))
    counts = {part: int((samples.parts == i).sum()) for i, part in enumerate(PARTS)}
    if any(len(names) != counts.get(part) for part, names in record.split.items()):
        raise ModelError(
            f"{path}: this file of the model and {SPLIT} are of two trainings. {_UNKNOWING}"
        )
    if checksum and checksum_of(content) != checksum:
        raise ModelError(
            f"{path}: this file of the model is damaged (its content is not what was saved). "
            f"{_UNKNOWING}"
        )
    return samples


def _without_weights(content: dict[str, Any]) -> TrainedModel:
    """Return the trained model of a settings file, its models not made yet."""
    scaling = TargetScaling.from_dict(content["scaling"])
    n_values = sum(t.n_values for t in scaling.targets)
    of_made = content.get("calibration_of_made")
    noise = content["noise"]
    if noise not in ("none", "laplace", "gaussian"):
        raise ValueError(f"noise {noise!r}")
    record, elements = TrainingRecord.from_dict(content["training"]), _elements(content["elements"])
    if record.kinds and record.means and not elements:
        raise ValueError("its training had structures, but no elements")
    if not {len(v) for v in (record.means, record.lowest, record.highest)} <= {0, n_values}:
        raise ValueError(f"means, lowest or highest are not of {n_values} values")
    return TrainedModel(
        model_name=str(content["model"]["name"]),
        models=(),
        builder=make_builder(content["builder"]["name"], **_tuples(content["builder"]["settings"])),
        scaling=scaling,
        calibration=Calibration.from_list(
            content["calibration"], n_values, content.get("temperatures", ())
        ),
        calibration_of_made=None if of_made is None else Calibration.from_list(of_made, n_values),
        noise=noise,
        elements=elements,
        record=record,
    )


def _check_metrics(metrics: Any) -> None:
    """Raise a TypeError for metrics of which no model card could be written."""
    for part in ("validation", "test"):
        said = metrics.get(part) if isinstance(metrics, dict) else None
        for name, figures in (said or {}).get("targets", {}).items():
            for key, value in figures.items():
                kind = str if key == "unit" else int | float | list | dict | NoneType | str
                if not isinstance(value, kind) or (key == "n" and not isinstance(value, int)):
                    raise TypeError(f"{part}, {shown(name)}: {key} is {shown(value)}")
    tables = metrics if isinstance(metrics, dict) else {}
    others = list(tables.get("others", {}).values())
    agreements = list(tables.get("agreement", {}).values())
    measured = [m for a in agreements if isinstance(a, dict) for m in a.values()]
    if not all(isinstance(table, dict) for table in (*others, *agreements, *measured)):
        raise TypeError("`others` or `agreement` hold something else than tables")


def _elements(numbers: Any) -> tuple[int, ...]:
    """Return atomic numbers, checked."""
    if not all(0 < count_in(z) < len(SYMBOLS) for z in numbers):
        raise ValueError(f"elements {shown(numbers)} are no atomic numbers")
    return tuple(numbers)


def _models(
    content: dict[str, Any], n_members: int, tensors: dict[str, Tensor], path: Path
) -> tuple[PropertyModel, ...]:
    """Make the members and fill in their weights; every weight must be there and fit."""
    members: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        member, _, rest = name.partition(".")
        members.setdefault(member, {})[rest] = tensor
    try:
        if len(members) != n_members:
            raise ValueError(f"it has {n_members} members, and there are {len(members)}")
        states = [members[f"member{number}"] for number in range(n_members)]
        models = []
        name = content["model"]["name"]
        kind = MODELS.get(name, PropertyModel)
        settings = content["model"]["config"]
        if not isinstance(settings, dict):
            raise ValueError(f"its config is {shown(settings)}, no table of settings")
        changes = content["model"].get("changes", [{}] * n_members)
        checked: list[dict[str, Any]] = []
        for state, own in zip(states, changes, strict=True):
            config = {**kind.older_settings, **_tuples(settings | own)}
            config = {k: value for k, value in config.items() if k not in kind.retired_settings}
            if config not in checked:
                _check_sizes(name, config, state)
                checked.append(config)
            model = make_model(name, **config)
            model.load_state_dict(state)
            models.append(model.eval().requires_grad_(False))
    except MissingDependencyError:
        raise
    except Exception as problem:  # odd values in settings.json reach the model's own classes
        raise ModelError(
            f"{path}: the weights do not fit the model that {SETTINGS} describes "
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
    text = one_line(str(problem))
    return cut(f"{text} is missing" if isinstance(problem, KeyError) else text, 200)
