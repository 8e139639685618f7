"""Published SCANN checkpoints (Keras HDF5) into our models, without TensorFlow.

The layout is that of the authors' public code: a settings file with a ``model`` section and an
HDF5 file that holds one group a layer. Only arrays are read; nothing in the file is executed.
"""

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from atomlens.boundary import (
    CONFIG_BYTES,
    net,
    parse_json,
    parse_yaml,
    read_text,
    regular_size,
)
from atomlens.errors import ModelError, missing_package
from atomlens.models.scann import Scann, ScannConfig
from atomlens.predictor.folder import check_weights
from atomlens.printing import shown

if TYPE_CHECKING:
    import h5py

_Arrays = dict[str, NDArray[np.float32]]
_COMPLETE = "give the complete settings file that the authors' training wrote"
_PACKING = 100
"""Weights are hardly packed; a file that announces more than this is a trap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannCheckpoint:
    """What a published checkpoint holds."""

    model: Scann
    target: str
    """Name of the property, as in the settings file; ``property`` if it does not say."""
    mean: float | None = None
    """Mean of the values that it learned from, if the settings file says it."""
    std: float | None = None
    """Their standard deviation, by which they were divided, if the settings file says it."""


def read_scann_checkpoint(weights: Path, settings: Path) -> ScannCheckpoint:
    """Return the model stored in a published SCANN or SCANN+ checkpoint.

    Args:
        weights: HDF5 file of the whole model, as written by the authors' training.
        settings: JSON (or YAML) file with the section ``model`` that made it.

    Raises:
        ModelError: a file is missing or damaged, or holds an option that we do not have.
        MissingDependencyError: h5py is not installed.
    """
    content = _read_settings(settings)
    with net(ModelError, f"{settings}, the settings of the model", _COMPLETE):
        options = _config(content, settings)
    arrays = _read_arrays(weights)
    with net(ModelError, f"{weights}, a SCANN checkpoint", "get a complete copy"):
        n_rows = _take(arrays, weights, "embed_atom/embeddings:0").shape[0]
        config = ScannConfig(**options, n_elements=n_rows)
        state = _state(arrays, weights, config)
        with torch.device("meta"):  # sizes without memory
            planned = Scann(config).state_dict()
        for name, expected in planned.items():
            if name in state and state[name].shape != expected.shape:
                raise ModelError(
                    f"{weights}: {name} has shape {tuple(state[name].shape)}, but the settings in "
                    f"{settings} ask for {tuple(expected.shape)}. Give the settings file that was "
                    "used to train this checkpoint."
                )
        check_weights(state, str(weights))
        model = Scann(config)
        model.load_state_dict(state)
    hyper = content["hyper"] if isinstance(content.get("hyper"), dict) else {}
    return ScannCheckpoint(
        model=model.eval(),
        target=str(hyper.get("target") or "property"),
        mean=_number(hyper, "target_mean", settings),
        std=_number(hyper, "target_std", settings),
    )


def _read_settings(path: Path) -> dict[str, Any]:
    with net(ModelError, f"{path}, the settings of the model", _COMPLETE):
        text = read_text(path, most=CONFIG_BYTES)
        try:
            content = parse_json(text)
        except ValueError:
            try:
                content = parse_yaml(text)
            except ValueError:
                content = None
    if not isinstance(content, dict) or not isinstance(content.get("model"), dict):
        raise ModelError(
            f"{path}: this is not a SCANN settings file: it has no section `model`. Give the "
            "JSON or YAML file that the authors' training wrote beside the weights."
        )
    return content


def _number(hyper: dict[str, Any], name: str, path: Path) -> float | None:
    """Return a number that the settings file may hold, as text or not."""
    if hyper.get(name) is None:
        return None
    try:
        value = float(hyper[name])
    except (TypeError, ValueError, ArithmeticError):
        value = math.nan
    if not math.isfinite(value) or (name == "target_std" and value <= 0):
        raise ModelError(
            f"{path}: {name} is {shown(hyper[name])}, which is no possible scaling. Correct it, or "
            "take the line out and give the scaling yourself."
        )
    return value


def _config(content: dict[str, Any], path: Path) -> dict[str, Any]:
    """Translate the authors' option names; refuse what we do not have."""
    m = content["model"]
    refused = {
        "92-d element vectors as input": m.get("feature", "atomic") != "atomic",
        "no normalisation in the local attention": not m.get("use_attn_norm", True),
        "a score scale other than the square root": float(m.get("scale", 0.5)) != 0.5,
    }
    for option, used in refused.items():
        if used:
            raise ModelError(f"{path}: the checkpoint uses {option}, which cannot be imported.")
    try:
        width = int(m["local_dim"])
        if {int(m.get("global_dim", width)), int(m.get("dense_out", width))} != {width}:
            raise ModelError(
                f"{path}: local_dim, global_dim and dense_out differ, which cannot be imported."
            )
        dropout = 0.05 if m.get("use_drop", False) else 0.0
        return {
            "n_layers": int(m["n_attention"]),
            "n_features": width,
            "n_heads": int(m["num_head"]),
            "n_embedding": int(m["embedding_dim"]),
            "ring_features": bool(m.get("use_ring", False)),
            "edge_update": bool(m.get("g_update", False)),
            "readout": "reference" if m.get("use_ga_norm", False) else "paper",
            "cutoff": float(m.get("gaussian_d", 4.0)),
            "attention_dropout": dropout,
        }
    except KeyError as error:
        raise ModelError(
            f"{path}: the section `model` lacks {error}. Give the complete settings file."
        ) from None


def _read_arrays(path: Path) -> _Arrays:
    """Return every array of the file by its path, for example ``after_Lc/kernel:0``."""
    try:
        import h5py
    except ImportError:
        raise missing_package("Reading Keras checkpoints", "h5py", "keras") from None
    arrays: _Arrays = {}
    if not os.path.exists(path):
        raise ModelError(f"{path}: the checkpoint does not exist. Give the .h5 file of the model.")
    where = f"{path}: the checkpoint is no HDF5 file, or is damaged"
    with net(ModelError, where, "give the .h5 file of the trained model"):
        room = regular_size(path) * _PACKING

        def visit(name: str, item: "h5py.Group | h5py.Dataset") -> None:
            nonlocal room
            if not isinstance(item, h5py.Dataset) or item.dtype.kind != "f":
                return
            room -= item.size * item.dtype.itemsize
            if room < 0:
                raise ValueError(f"{shown(name)} announces more than the file holds")
            parts = list(dict.fromkeys(name.split("/")))
            array = np.asarray(item[()], dtype=np.float32)
            arrays["/".join(p for p in parts if p != "model_weights")] = array

        with h5py.File(path, "r") as file:
            group = file.get("model_weights", file)
            group.visititems(visit)
    return arrays


def _take(arrays: _Arrays, path: Path, pattern: str) -> NDArray[np.float32]:
    """Return the one array whose path ends as asked."""
    found = [name for name in arrays if re.search(rf"(^|/){pattern}$", name)]
    if len(found) != 1:
        raise ModelError(
            f"{path}: expected one array {pattern!r} in the checkpoint, found {len(found)}. "
            "Is this a SCANN checkpoint, and are these its settings?"
        )
    return arrays[found[0]]


def _numbered(arrays: _Arrays, prefix: str) -> list[str]:
    """Return the names of the layers ``prefix``, ``prefix_1``, … in the order they were made."""
    pattern = re.compile(rf"(?:^|/)({prefix}(?:_(\d+))?)(?=/)")
    found = {m.group(1): int(m.group(2) or 0) for n in arrays if (m := pattern.search(n))}
    return sorted(found, key=lambda name: found[name])


def _state(arrays: _Arrays, path: Path, config: ScannConfig) -> dict[str, Tensor]:
    state: dict[str, Tensor] = {}

    def linear(ours: str, theirs: str) -> None:
        state[f"{ours}.weight"] = torch.from_numpy(
            np.ascontiguousarray(_take(arrays, path, rf"{theirs}/kernel:0").T)
        )
        state[f"{ours}.bias"] = torch.from_numpy(_take(arrays, path, rf"{theirs}/bias:0"))

    def norm(ours: str, theirs: str) -> None:
        state[f"{ours}.weight"] = torch.from_numpy(_take(arrays, path, rf"{theirs}/gamma:0"))
        state[f"{ours}.bias"] = torch.from_numpy(_take(arrays, path, rf"{theirs}/beta:0"))

    state["embedding.weight"] = torch.from_numpy(_take(arrays, path, "embed_atom/embeddings:0"))
    if config.ring_features:
        linear("ring_input", "extra_embed")
    linear("input", "dense_embed")
    if config.edge_update:
        linear("distance_input", "neighbor_d")
        linear("angle_input", "neighbor_w")
    attentions = _numbered(arrays, "local_attention")
    residuals = _numbered(arrays, "residual_norm")
    if not len(attentions) == len(residuals) == config.n_layers:
        raise ModelError(
            f"{path}: the checkpoint has {len(attentions)} local attention layers, but the "
            f"settings say n_attention={config.n_layers}. Give the settings of this checkpoint."
        )
    for index, (attention, residual) in enumerate(zip(attentions, residuals, strict=True)):
        layer = f"layers.{index}"
        linear(f"{layer}.query", f"{attention}/query")
        linear(f"{layer}.key", f"{attention}/key")
        inner = {n: a for n, a in arrays.items() if re.search(rf"(^|/){attention}/", n)}
        norms = _numbered(inner, "layer_normalization")
        norm(f"{layer}.norm", f"{attention}/{norms[0]}")
        if config.edge_update:
            linear(f"edge_updates.{index}.linear", f"{attention}/filter_geo")
            norm(f"edge_updates.{index}.norm", f"{attention}/{norms[-1]}")
        else:
            linear(f"filters.{index}", f"{attention}/filter_geo")
        inner = {n: a for n, a in arrays.items() if re.search(rf"(^|/){residual}/", n)}
        first, second = _numbered(inner, "dense")
        linear(f"{layer}.feed_forward.0", f"{residual}/{first}")
        linear(f"{layer}.feed_forward.2", f"{residual}/{second}")
        norm(
            f"{layer}.feed_forward_norm",
            f"{residual}/{_numbered(inner, 'layer_normalization')[0]}",
        )
    linear("readout.input", "after_Lc")
    linear("readout.query", "global_attention/query")
    linear("readout.key", "global_attention/key")
    linear("head", "bf_property")
    linear("output", "predict_property")
    return state
