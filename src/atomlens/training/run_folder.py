"""The folder of a run: who may write to it, and what may be resumed in it.

OUT/training/run.json       what is trained on what
OUT/training/memberN/       the state of each member
OUT/…                       the model, once there is one (see `atomlens.predictor.folder`)
"""

import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from atomlens.datasets.base import Dataset
from atomlens.errors import TrainingError
from atomlens.files import discard_folder, whole_file
from atomlens.models import MODELS, model_config
from atomlens.neighbors import BUILDERS, make_builder
from atomlens.predictor.folder import SETTINGS, TRAINING
from atomlens.training.settings import TrainSettings

RUN = "run.json"
_MAY_CHANGE = {
    "max_seconds",
    "n_workers",
    "n_threads",
    "devices",
    "accelerator",
    "checkpoint_seconds",
    "cache_dir",
}
"""Settings that do not decide what is learned (number of threads: only its rounding)."""


def check_out(out: Path, *, resume: bool) -> None:
    """Refuse a folder that holds something else, before any work is done.

    Raises:
        TrainingError: the folder is not empty and shall not or cannot be resumed.
    """
    if out.exists() and not out.is_dir():
        raise TrainingError(f"{out}: this is a file; give the name of a folder.")
    if not out.is_dir() or not any(out.iterdir()):
        return
    ours = (out / SETTINGS).is_file() or (out / TRAINING).is_dir()
    if not resume:
        hint = "go on with what is there (--resume, in Python resume=True), or " if ours else ""
        raise TrainingError(f"{out}: this folder is not empty; {hint}give another folder.")
    if not ours:
        raise TrainingError(
            f"{out}: there is no training to resume in this folder; give the folder of one."
        )


def is_finished(out: Path) -> bool:
    """Return whether the folder holds a model whose training is over."""
    return (out / SETTINGS).is_file() and not (out / TRAINING).is_dir()


def describe_run(
    model: str, config: Any, builder: dict[str, Any], dataset: Dataset, settings: TrainSettings
) -> dict[str, Any]:
    """Return what must be the same when a training is resumed, as plain values."""
    digest = hashlib.sha256(dataset.structures.fingerprint().encode())
    digest.update(np.ascontiguousarray(dataset.values).tobytes())
    digest.update("\0".join(dataset.structures.names).encode())
    decisive = {k: v for k, v in asdict(settings).items() if k not in _MAY_CHANGE}
    content = {
        "model": model,
        "config": asdict(config),
        "builder": builder,
        "targets": [t.to_dict() for t in dataset.targets],
        "data": digest.hexdigest(),
        "settings": decisive,
    }
    plain: dict[str, Any] = json.loads(json.dumps(content))
    return plain


def open_run(out: Path, description: dict[str, Any], *, write: bool) -> Path:
    """Return the folder for the states, after making sure that it belongs to this run.

    Raises:
        TrainingError: the folder holds the states of another training.
    """
    folder = out / TRAINING
    path = folder / RUN
    if path.is_file():
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise TrainingError(
                f"{path}: this file is damaged, so the training cannot be resumed. Start again in "
                "another folder."
            ) from None
        difference = first_difference(_completed(before, description), description)
        if difference:
            raise TrainingError(
                f"{out}: the training in this folder is another one ({difference}). Resume with "
                "the same data and settings, or give another folder."
            )
    elif write:
        with whole_file(path) as stream:
            stream.write(json.dumps(description, indent=1).encode())
    return folder


def _completed(before: Any, now: dict[str, Any]) -> Any:
    """Return the description of a run with the defaults of settings that are newer than it."""
    if not isinstance(before, dict):
        return before
    defaults: dict[str, dict[str, Any]] = {"settings": asdict(TrainSettings())}
    if before.get("model") in MODELS:
        defaults["config"] = asdict(model_config(before["model"]))
    filled = dict(before)
    for part, values in json.loads(json.dumps(defaults)).items():
        if isinstance(before.get(part), dict) and part in now:
            newer = {k: v for k, v in values.items() if k in now[part]}
            filled[part] = {**newer, **before[part]}
    builder = filled.get("builder")
    if isinstance(builder, dict) and builder.get("name") in BUILDERS:
        standard = make_builder(builder["name"]).settings()
        filled["builder"] = {**builder, "settings": {**standard, **builder.get("settings", {})}}
    return filled


def close_run(folder: Path) -> None:
    """Remove the states of a training that is over."""
    if folder.is_dir():
        discard_folder(folder)
    shutil.rmtree(folder, ignore_errors=True)


def first_difference(before: Any, now: Any, name: str = "") -> str:
    """Return a few words on the first value that differs, or nothing."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted(set(before) | set(now)):
            place = f"{name}.{key}" if name else key
            if key not in before or key not in now:
                return f"{place} is new or gone"
            found = first_difference(before[key], now[key], place)
            if found:
                return found
        return ""
    if before == now:
        return ""
    if name == "data":
        return "the data are not the same"
    return f"{name} was {before!r} and is now {now!r}"
