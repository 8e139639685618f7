"""The folder of a run: who may write to it, and what may be resumed in it.

OUT/training/run.json       what is trained on what
OUT/training/lock           held by the process that trains
OUT/training/memberN/       the state of each member
OUT/…                       the model, once there is one (see `atomlens.predictor.folder`)
"""

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atomlens.boundary import parse_json, read_text
from atomlens.datasets.base import Dataset
from atomlens.datasets.splits import Split
from atomlens.errors import AtomlensError, TrainingError
from atomlens.files import discard_folder, locked, whole_file, writing
from atomlens.models import MODELS, model_config
from atomlens.models.base import ModelConfig
from atomlens.neighbors import BUILDERS, make_builder
from atomlens.predictor import Predictor
from atomlens.predictor.folder import SETTINGS, TRAINING
from atomlens.printing import few
from atomlens.training.checkpoint import CHECKPOINT
from atomlens.training.settings import TrainSettings

RUN, LOCK = "run.json", "lock"
_MAY_CHANGE = {
    "max_seconds",
    "n_workers",
    "n_threads",
    "devices",
    "accelerator",
    "matmul_precision",
    "record_steps",
    "checkpoint_seconds",
    "cache_dir",
}
"""Settings that do not decide what is learned (some of them: only its rounding)."""
_ELSEWHERE = {"model", "builder", "builder_settings", "model_settings", "start_from"}
"""Settings whose effect stands in the description beside the settings."""
_SINCE_0_2 = ("charges", "held", "split", "reading", "pretrained")
"""Parts of a description that runs and models of atomlens 0.1 do not have."""


def check_out(out: Path, *, resume: bool) -> None:
    """Refuse a folder that holds something else, before any work is done.

    What a start left that failed or was killed before its first state is in nobody's way.

    Raises:
        TrainingError: the folder is not empty and shall not or cannot be resumed.
    """
    with writing(out):  # os.access is no test: it says little of network drives
        is_there = out.exists()
        is_folder = is_there and out.is_dir()
        is_empty = not is_folder or not any(out.iterdir())
    if is_there and not is_folder:
        raise TrainingError(f"{out}: this is a file; give the name of a folder.")
    if is_empty:
        return
    ours = (out / SETTINGS).is_file() or (out / TRAINING).is_dir()
    if not resume and [p.name for p in out.iterdir()] == [TRAINING] and not _has_state(out):
        with _lock(out):
            _clear(out / TRAINING)
        return
    if not resume:
        hint = "go on with what is there (--resume, in Python resume=True), or " if ours else ""
        raise TrainingError(
            f"{out}: this folder is not empty; {hint}give another folder, such as {_free(out)}."
        )
    if not ours:
        raise TrainingError(
            f"{out}: there is no training to resume in this folder; give the folder of one."
        )


def _free(out: Path) -> Path:
    """Return the first name beside a folder that is not taken: ``runs/gap-2``."""
    stem, _, number = out.name.rpartition("-")
    first = 2
    if stem and number.isdecimal() and len(number) < 4:
        first = int(number) + 1
    else:
        stem = out.name
    names = (out.with_name(f"{stem}-{n}") for n in range(first, first + 1000))
    return next((path for path in names if not path.exists()), out.with_name(f"{stem}-new"))


def is_finished(out: Path) -> bool:
    """Return whether the folder holds a model whose training is over."""
    return (out / SETTINGS).is_file() and not (out / TRAINING).is_dir()


@contextmanager
def claimed(out: Path) -> Iterator[None]:
    """Hold the folder of a run, so that no other process trains in it.

    A start that fails before its first state leaves the folder as it found it.

    Raises:
        TrainingError: another process trains in it.
    """
    was_there, began = out.is_dir(), (out / TRAINING).is_dir()
    with _lock(out):
        try:
            yield
        except AtomlensError:
            if not began and not _has_state(out):
                close_run(out / TRAINING)
                if not was_there and out.is_dir() and not any(out.iterdir()):
                    out.rmdir()
            raise


def _lock(out: Path) -> AbstractContextManager[None]:
    """Hold ``OUT/training/lock``."""
    refused = TrainingError(
        f"{out}: another process trains in this folder now; wait for it, or give another folder."
    )
    return locked(out / TRAINING / LOCK, refused)


def _has_state(out: Path) -> bool:
    return any((out / TRAINING).glob(f"member*/{CHECKPOINT}"))


def _clear(folder: Path) -> None:
    """Remove everything from a folder but the lock that is held."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != LOCK:
            path.unlink(missing_ok=True)


def describe_run(
    model: str,
    config: ModelConfig,
    builder: dict[str, Any],
    dataset: Dataset,
    settings: TrainSettings,
    split: Split,
    pretrained: str,
) -> dict[str, Any]:
    """Return what must be the same when a training is resumed, as plain values.

    Args:
        model: Name.
        config: Of the model.
        builder: ``name`` and ``settings``.
        dataset: All samples.
        settings: Those of the training.
        split: Of the samples.
        pretrained: SHA-256 of the weights that fine-tuning starts from.
    """
    digest = hashlib.sha256(dataset.structures.fingerprint().encode())
    digest.update(np.ascontiguousarray(dataset.values).tobytes())
    digest.update("\0".join(dataset.structures.names).encode())
    content = {
        "model": model,
        "config": asdict(config),
        "builder": builder,
        "targets": [t.to_dict() for t in dataset.targets],
        "data": digest.hexdigest(),
        "charges": _sha256(dataset.structures.charges),
        "held": _sha256(dataset.held),
        "split": _sha256(split.train, split.validation, split.test),
        "reading": dataset.reading,
        "pretrained": pretrained,
        "settings": _decisive(asdict(settings)),
    }
    plain: dict[str, Any] = json.loads(json.dumps(content))
    return plain


def describe_model(predictor: Predictor) -> dict[str, Any]:
    """Return the description of the run that made a model, as far as its folder knows it."""
    record = predictor.record
    content = {
        "model": predictor.model_name,
        "config": asdict(predictor.config),
        "builder": {"name": predictor.builder.name, "settings": predictor.builder.settings()},
        "targets": [t.to_dict() for t in predictor.targets],
        **record.run,
        "settings": _decisive(record.settings),
    }
    if record.started_from:
        content["pretrained"] = record.started_from["weights_sha256"]
    plain: dict[str, Any] = json.loads(json.dumps(content))
    return plain


def kept_with_model(description: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a description that a model folder holds nowhere else."""
    return {key: description[key] for key in ("data", "charges", "held", "split", "reading")}


def _decisive(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that decide what is learned and stand nowhere else in a description."""
    return {k: v for k, v in settings.items() if k not in _MAY_CHANGE | _ELSEWHERE}


def digest_of_file(path: str) -> str:
    """Return the SHA-256 of a file; empty if there is none."""
    if not path or not Path(path).is_file():
        return ""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sha256(*arrays: NDArray[Any] | None) -> str:
    """Return a digest of arrays; empty if one of them is None."""
    digest = hashlib.sha256()
    for array in arrays:
        if array is None:
            return ""
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def check_finished(out: Path, predictor: Predictor, description: dict[str, Any]) -> str:
    """Return a sentence on a training that is over, after making sure that it is the one asked for.

    Raises:
        TrainingError: it is another one.
    """
    before = describe_model(predictor)
    known = "data" in before
    before = _completed(before, description)
    if not known:
        before["data"] = description["data"]
    difference = first_difference(before, description)
    if difference:
        raise TrainingError(
            f"{out}: the training in this folder is over, and it was another one ({difference}). "
            "Give another folder, or start from this model with --from (in Python start_from)."
        )
    names = few(t.name for t in predictor.targets)
    said = f"Nothing to do: {out} holds this training of {predictor.model_name} for {names}"
    if predictor.record.ended:
        said += f", which ended because {predictor.record.ended}"
    if not known:
        said += "; atomlens 0.1 wrote it, so whether the data are the same is unknown"
    return f"{said}."


def open_run(out: Path, description: dict[str, Any], *, write: bool) -> Path:
    """Return the folder for the states, after making sure that it belongs to this run.

    Raises:
        TrainingError: the folder holds the states of another training.
    """
    folder = out / TRAINING
    path = folder / RUN
    if path.is_file():
        try:
            before = parse_json(read_text(path))
            _check_description(before)
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


def _check_description(content: Any) -> None:
    """Raise a ValueError for what `describe_run` never returned; older runs lack some parts."""
    kinds = {"model": str, "config": dict, "builder": dict, "targets": list, "settings": dict}
    if not isinstance(content, dict) or not all(
        isinstance(content[part], kind) for part, kind in kinds.items() if part in content
    ):
        raise ValueError("the description of the run is none")
    builder = content.get("builder", {})
    sound = isinstance(builder.get("name", ""), str) and all(
        isinstance(part, dict)
        for part in (builder.get("settings", {}), *content.get("targets", ()))
    )
    if not sound:
        raise ValueError("the description of the run is none")


def _completed(before: Any, now: dict[str, Any]) -> Any:
    """Return the description of a run with the defaults of settings that are newer than it."""
    if not isinstance(before, dict):
        return before
    defaults: dict[str, dict[str, Any]] = {"settings": _decisive(asdict(TrainSettings()))}
    if before.get("model") in MODELS:
        defaults["config"] = asdict(model_config(before["model"]))
    filled = {**{key: now[key] for key in _SINCE_0_2 if key in now}, **before}
    if isinstance(filled.get("settings"), dict):
        filled["settings"] = _decisive(filled["settings"])
        if "fresh_output" in now.get("settings", {}) and not now.get("pretrained"):
            same = now["settings"]["fresh_output"]  # it decides nothing in a training from scratch
            filled["settings"]["fresh_output"] = same
    for part, values in json.loads(json.dumps(defaults)).items():
        if isinstance(filled.get(part), dict) and part in now:
            newer = {k: v for k, v in values.items() if k in now[part]}
            filled[part] = {**newer, **filled[part]}
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


def _told_first(key: str) -> tuple[bool, str]:
    """Sort what a user chose before what follows from it."""
    return key in ("builder", "config"), "" if key == "model" else key


def _other_targets(before: Any, now: Any) -> str:
    """Return a few words on targets that differ in name or in what is said of them."""
    names = [[str(t.get("name")) for t in targets] for targets in (before, now)]
    if names[0] != names[1]:
        return f"target was {few(names[0])!r} and is now {few(names[1])!r}"
    for old, new in zip(before, now, strict=True):
        found = first_difference(old, new, str(new.get("name")))
        if found:
            return found
    return ""


_NOT_SHOWN = {
    "data": "the data",
    "charges": "the partial charges in the data",
    "held": "the ends of the spectra",
    "split": "the parts of the split",
    "pretrained": "the weights that it starts from",
}


def first_difference(before: Any, now: Any, name: str = "") -> str:
    """Return a few words on the first value that differs, or nothing."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted(set(before) | set(now), key=_told_first):
            place = f"{name}.{key}" if name else key
            if key not in before or key not in now:
                said = "is given now and was not" if key in now else "was given and is not now"
                return f"{place} {said}"
            found = first_difference(before[key], now[key], place)
            if found:
                return found
        return ""
    if before == now:
        return ""
    if name == "targets":
        return _other_targets(before, now)
    if name in _NOT_SHOWN:
        or_target = ", or another column of them is learned" if name == "data" else ""
        return f"{_NOT_SHOWN[name]} are not the same{or_target}"
    return f"{name} was {before!r} and is now {now!r}"
