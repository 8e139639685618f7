"""A trained model as a folder of text and tensors. Nothing in it is ever unpickled.

settings.json       model, builder, targets, scaling, calibration, training; written last
model.safetensors   weights, ``member0.…`` and so on
metrics.json        errors on validation and test part
split.json          names of the samples of each part
history.csv         one row per epoch
failures.json       samples that could not be used, if there are any
README.md           model card
"""

import csv
import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from atomlens.errors import Failure, ModelError
from atomlens.files import whole_file, whole_folder

FORMAT_VERSION = 1
SETTINGS, WEIGHTS, METRICS = "settings.json", "model.safetensors", "metrics.json"
SPLIT, HISTORY, FAILURES, CARD = "split.json", "history.csv", "failures.json", "README.md"
TRAINING = "training"
"""Subfolder that holds the state of a training that is not finished."""


def write_model_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write the files of a model, so that a reader finds all of them or no model.

    A new folder appears in one step. In a folder that exists, ``settings.json``, without which
    there is no model, is removed first and comes back last.
    """
    if not folder.exists():
        whole_folder(folder, lambda part: _write_files(part, files))
        return
    if not folder.is_dir():
        raise ModelError(f"{folder}: this is a file; give the name of a folder.")
    (folder / SETTINGS).unlink(missing_ok=True)
    for name in (HISTORY, SPLIT, FAILURES):
        if name not in files:
            (folder / name).unlink(missing_ok=True)
    _write_files(folder, files)


def _write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    for name in sorted(files, key=lambda n: n == SETTINGS):
        with whole_file(folder / name) as stream:
            stream.write(files[name])


def check_writable(folder: Path) -> None:
    """Raise a ModelError if saving a model to this folder would spoil something else."""
    ours = (folder / SETTINGS).is_file() or (folder / TRAINING).is_dir()
    if folder.is_dir() and any(folder.iterdir()) and not ours:
        raise ModelError(
            f"{folder}: this folder is not empty and holds no model; choose another folder."
        )


def json_bytes(content: Any) -> bytes:
    """Return readable JSON; what is not a finite number is an error here, not in the reader."""
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode()


def tensor_bytes(tensors: Mapping[str, Tensor]) -> bytes:
    """Return tensors in safetensors form."""
    plain = {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}
    content: bytes = save_tensors(plain)
    return content


def history_bytes(rows: tuple[dict[str, float], ...]) -> bytes:
    """Return the history as CSV, every number with all its digits."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows([{k: _number(v) for k, v in row.items()} for row in rows])
    return text.getvalue().encode()


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(value)


def read_settings(folder: Path) -> dict[str, Any]:
    """Return the content of ``settings.json`` of a model folder.

    Raises:
        ModelError: there is no model, or it was written by a newer version, or is damaged.
    """
    if not folder.exists():
        raise ModelError(
            f"{folder}: there is no such model. Give the folder that `atomlens train` wrote."
        )
    if not (folder / SETTINGS).is_file():
        if (folder / TRAINING).is_dir():
            raise ModelError(
                f"{folder}: the training in this folder has not finished. Go on with the same "
                "command and --resume (in Python: resume=True)."
            )
        raise ModelError(
            f"{folder}: there is no {SETTINGS}, so this is not a trained model. Give the folder "
            "that `atomlens train` wrote."
        )
    content = read_json(folder / SETTINGS)
    if not isinstance(content, dict) or content.get("format") != "atomlens-model":
        raise ModelError(f"{folder / SETTINGS}: this is not the settings file of a model.")
    version = content.get("version")
    if not isinstance(version, int) or not 1 <= version <= FORMAT_VERSION:
        raise ModelError(
            f"{folder}: this model is written in version {version} of the format, and this "
            f"atomlens reads up to version {FORMAT_VERSION}. Upgrade atomlens."
        )
    return content


def read_json(path: Path) -> Any:
    """Return the content of a JSON file of a model folder; a ModelError says what is wrong."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as problem:
        raise ModelError(
            f"{path}: this file of the model cannot be read ({_short(problem)}). Restore the "
            "folder from a copy, or train again."
        ) from None


def read_optional_json(path: Path) -> Any:
    """Return the content of a JSON file, or None if there is no such file."""
    return read_json(path) if path.exists() else None


def read_weights(folder: Path, checksum: str) -> dict[str, Tensor]:
    """Return the tensors of a model folder, checked against their SHA-256.

    Raises:
        ModelError: the file is missing, damaged, or does not belong to the settings.
    """
    path = folder / WEIGHTS
    try:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != checksum:
            raise ModelError(
                f"{path}: the weights are damaged, or belong to another settings.json. Restore "
                "the folder from a copy, or train again."
            )
        tensors: dict[str, Tensor] = load_tensors(content)
    except (OSError, SafetensorError, ValueError, KeyError) as problem:
        raise ModelError(
            f"{path}: the weights cannot be read ({_short(problem)}). Restore the folder from a "
            "copy, or train again."
        ) from None
    return tensors


def read_history(path: Path) -> tuple[dict[str, float], ...]:
    """Return the rows of a ``history.csv``; empty if there is none."""
    if not path.exists():
        return ()
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            return tuple({k: float(v) for k, v in row.items()} for row in csv.DictReader(stream))
    except (OSError, ValueError, TypeError, csv.Error) as problem:
        raise ModelError(
            f"{path}: this file of the model cannot be read ({_short(problem)}). Delete it; the "
            "model works without."
        ) from None


def read_failures(path: Path) -> tuple[Failure, ...]:
    """Return the failures kept beside a model; empty if there are none."""
    content = read_optional_json(path) or []
    try:
        return tuple(Failure(name=str(f["name"]), message=str(f["message"])) for f in content)
    except (TypeError, KeyError) as problem:
        raise ModelError(f"{path}: this file of the model is damaged ({problem!r}).") from None


def checksum_of(content: bytes) -> str:
    """Return the SHA-256 of some bytes."""
    return hashlib.sha256(content).hexdigest()


def _short(problem: Exception) -> str:
    text = " ".join(str(problem).split())
    return text if len(text) <= 120 else text[:117] + "..."
