"""A trained model as a folder of text and tensors. Nothing in it is ever unpickled.

settings.json       model, builder, targets, scaling, calibration, training; written last
model.safetensors   weights, ``member0.…`` and so on; model.safetensors.gz in the models of the box
metrics.json        errors on validation and test part
split.json          names of the samples of each part; split.json.gz in the models of the box
history.csv         one row per epoch
samples.safetensors digests of the samples of all parts: what a model was trained on, by content
failures.json       samples that could not be used, if there are any
warnings.json       what readers found doubtful in samples that were used, if anything
familiarity.safetensors   what is needed to say how unlike the training data an input is, if known
README.md           model card
"""

import csv
import hashlib
import io
import json
import os
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from atomlens.boundary import (
    BINARY_SHARE,
    check_finite,
    machine_memory,
    net,
    parse_json,
    read_bytes,
    read_text,
    unpacked,
)
from atomlens.errors import Failure, ModelError
from atomlens.files import exchange_folder, whole_file, whole_folder
from atomlens.printing import encodable

FORMAT_VERSION = 1
SETTINGS, WEIGHTS, METRICS = "settings.json", "model.safetensors", "metrics.json"
SPLIT, HISTORY, FAILURES, CARD = "split.json", "history.csv", "failures.json", "README.md"
PACKED_SPLIT, PACKED_WEIGHTS = "split.json.gz", "model.safetensors.gz"
SAMPLES, WARNINGS = "samples.safetensors", "warnings.json"
FAMILIARITY = "familiarity.safetensors"
TRAINING = "training"
"""Subfolder that holds the state of a training that is not finished."""

_GIVE = (
    "Give the folder that `atomlens train` wrote, or a model of the box (`atomlens models list`)."
)
_PICTURES = ("learning_curve.png", "parity*.png", "spectra*.png", "index.html")
RESTORE = "restore the folder from a copy, or train again"
WITHOUT = "the model works without; restore it from a copy, or delete it"


def write_model_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write the files of a model, so that a reader finds all of them or no model.

    The new folder is written beside and takes the place of the old one in one step. The state of
    a training and files that are not ours move along; what else the old model left goes.

    Raises:
        ModelError: there is a file of that name, or the place cannot be written to; what stood
            there stands there still.
    """
    if folder.exists() and not folder.is_dir():
        raise ModelError(f"{folder}: this is a file; give the name of a folder.")
    try:
        if folder.exists():
            exchange_folder(folder, lambda part: _write_files(part, files), is_old=is_file_of_model)
        else:
            whole_folder(folder, lambda part: _write_files(part, files))
    except OSError as problem:
        raise ModelError(
            f"{folder}: the model cannot be written here ({problem.strerror or problem}); what "
            "stood there is as it was. Make room or choose another folder."
        ) from problem


def rewrite_files(folder: Path, changed: Mapping[str, bytes]) -> None:
    """Exchange some files of a model folder; every other one stays as it is, byte by byte.

    Raises:
        ModelError: the folder cannot be written to; what stood there stands there still.
    """
    own = [path for path in folder.iterdir() if path.is_file() and is_file_of_model(path.name)]
    write_model_folder(folder, {**{path.name: read_bytes(path) for path in own}, **changed})


def is_file_of_model(name: str) -> bool:
    """Say whether a file of that name belongs to the model, so that a new one replaces it."""
    ours = (SETTINGS, WEIGHTS, PACKED_WEIGHTS, METRICS, SPLIT, PACKED_SPLIT, HISTORY, FAILURES)
    known = (*ours, CARD, SAMPLES, WARNINGS, FAMILIARITY, *_PICTURES)
    return any(fnmatch(name, pattern) for pattern in known)


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
    return (encodable(text) + "\n").encode()


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
    return encodable(text.getvalue()).encode()


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(value)


def read_settings(folder: Path) -> dict[str, Any]:
    """Return the content of ``settings.json`` of a model folder.

    Raises:
        ModelError: there is no model, or it was written by a newer version, or is damaged.
    """
    if not os.path.exists(folder):
        raise ModelError(f"{folder}: there is no such model. {_GIVE}")
    if os.path.isfile(folder):
        raise ModelError(
            f"{folder}: this is a file and not the folder of a model. Give the model first, then "
            "what it is asked about."
        )
    if not os.path.exists(folder / SETTINGS):
        if os.path.isdir(folder / TRAINING):
            raise ModelError(
                f"{folder}: the training in this folder has not finished. Go on with the same "
                "command and --resume (in Python: resume=True)."
            )
        raise ModelError(
            f"{folder}: there is no {SETTINGS}, so this is not a trained model. {_GIVE}"
        )
    content = read_json(folder / SETTINGS)
    if not isinstance(content, dict) or content.get("format") != "atomlens-model":
        raise ModelError(f"{folder / SETTINGS}: this is not the settings file of a model.")
    version = content.get("version")
    if version is None:
        raise ModelError(
            f"{folder / SETTINGS}: it does not say in which version of the format it is written, "
            f"as every model does; {RESTORE}."
        )
    if not isinstance(version, int) or not 1 <= version <= FORMAT_VERSION:
        raise ModelError(
            f"{folder}: this model is written in version {version} of the format, and this "
            f"atomlens reads up to version {FORMAT_VERSION}. Upgrade atomlens."
        )
    return content


def read_json(path: Path) -> Any:
    """Return the content of a JSON file of a model folder; a ModelError says what is wrong."""
    with net(ModelError, f"{path}, a file of the model", RESTORE):
        content = parse_json(read_text(path))
        check_finite(content)
        return content


def read_optional_json(path: Path) -> Any:
    """Return the content of a JSON file, or None if there is no such file."""
    return read_json(path) if os.path.exists(path) else None


def weights_place(folder: Path) -> Path:
    """Return the file of the weights: the packed one where it alone is there."""
    plain, packed = folder / WEIGHTS, folder / PACKED_WEIGHTS
    return packed if packed.exists() and not plain.exists() else plain


def read_weights(path: Path, checksum: str) -> dict[str, Tensor]:
    """Return the tensors of a file of a model folder, checked against their SHA-256.

    A file that is packed (``.gz``) is checked by what it holds.

    Raises:
        ModelError: the file is missing, damaged, or does not belong to the settings.
    """
    with net(ModelError, f"{path}, the weights of the model", RESTORE):
        content = read_bytes(path)
        if path.suffix == ".gz":
            content = unpacked(content, most=int(BINARY_SHARE * machine_memory()))
        if hashlib.sha256(content).hexdigest() != checksum:
            raise ModelError(
                f"{path}: the weights are damaged, or belong to another settings.json. Restore "
                "the folder from a copy, or train again."
            )
        tensors: dict[str, Tensor] = load_tensors(content)
    check_weights(tensors, str(path))
    return tensors


def check_weights(tensors: Mapping[str, Tensor], where: str) -> None:
    """Raise a ModelError that names a weight which is not a finite number."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise ModelError(
                f"{where}: the weights {name} hold numbers that are none (NaN or infinite), so the "
                "model cannot predict; take an earlier copy, or train again."
            )


def read_history(path: Path) -> tuple[dict[str, float], ...]:
    """Return the rows of a ``history.csv``; empty if there is none."""
    if not os.path.exists(path):
        return ()
    with net(ModelError, f"{path}, a file of the model", WITHOUT):
        rows = csv.DictReader(io.StringIO(read_text(path)))
        return tuple({str(k): float(v) for k, v in row.items()} for row in rows)


def read_failures(path: Path) -> tuple[Failure, ...]:
    """Return the failures kept beside a model; empty if there are none."""
    content = read_optional_json(path) or []
    with net(ModelError, f"{path}, a file of the model", "delete it; the model works without"):
        return tuple(Failure(name=str(f["name"]), message=str(f["message"])) for f in content)


_DECIDING = (
    *("model", "builder", "scaling", "noise", "calibration", "temperatures"),
    *("calibration_of_made", "elements", "familiarity", "weights_sha256"),
)
"""What of the settings decides the answers, with their units and errors."""


def answers_digest(settings: Mapping[str, Any]) -> str:
    """Return a digest of what of a ``settings.json`` decides the answers, however it is spaced."""
    deciding = {key: settings[key] for key in _DECIDING if key in settings}
    return checksum_of(json.dumps(deciding, sort_keys=True, ensure_ascii=True).encode())


def checksum_of(content: bytes) -> str:
    """Return the SHA-256 of some bytes."""
    return hashlib.sha256(content).hexdigest()
