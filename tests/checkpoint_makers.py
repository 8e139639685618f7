"""Small checkpoints in the forms that two published codes write."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from atomlens.models.scann import Scann, ScannConfig

WIDTH, HIDDEN, LAYERS = 8, 4, 2
SETTINGS = {
    "n_atoms": 10,
    "embedding_dim": 6,
    "n_attention": 2,
    "local_dim": 16,
    "num_head": 4,
    "global_dim": 16,
    "dense_out": 16,
    "scale": 0.5,
    "use_attn_norm": True,
    "use_ga_norm": True,
    "use_ring": False,
    "g_update": True,
    "gaussian_d": 4.0,
    "feature": "atomic",
    "use_drop": False,
}


def weights(n_outputs: int = 1) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    shapes: dict[str, tuple[int, ...]] = {
        "embedding.weight": (WIDTH, 92),
        "embedding.bias": (WIDTH,),
        "conv_to_fc.weight": (HIDDEN, WIDTH),
        "conv_to_fc.bias": (HIDDEN,),
        "fc_out.weight": (n_outputs, HIDDEN),
        "fc_out.bias": (n_outputs,),
    }
    for layer in range(LAYERS):
        shapes[f"convs.{layer}.fc_full.weight"] = (2 * WIDTH, 2 * WIDTH + 41)
        shapes[f"convs.{layer}.fc_full.bias"] = (2 * WIDTH,)
        for norm, size in (("bn1", 2 * WIDTH), ("bn2", WIDTH)):
            for part in ("weight", "bias", "running_mean", "running_var"):
                shapes[f"convs.{layer}.{norm}.{part}"] = (size,)
    return {name: torch.rand(shape) for name, shape in shapes.items()}


def cgcnn_checkpoint(task: str = "regression") -> dict[str, Any]:
    """Return what the published CGCNN code saves."""
    sizes = {"n_conv": LAYERS, "atom_fea_len": WIDTH, "h_fea_len": HIDDEN, "n_h": 1, "task": task}
    return {
        "state_dict": weights(2 if task == "classification" else 1),
        "normalizer": {"mean": -1.5, "std": 2.0},
        "args": sizes | {"data_options": ["x.json", task, "band_gap"]},
        "best_mae_error": np.float64(0.3),
    }


def keras_arrays(model: Scann, first: int) -> dict[str, np.ndarray]:
    """The arrays of a model under the names that Keras gives them, counters from ``first``."""

    def name(stem: str, k: int) -> str:
        return f"{stem}_{k}" if k else stem

    arrays = {"embed_atom/embed_atom/embeddings:0": model.embedding.weight}

    def linear(theirs: str, ours: torch.nn.Module) -> None:
        arrays[f"{theirs}/kernel:0"] = ours.weight.T  # type: ignore[union-attr,operator]
        arrays[f"{theirs}/bias:0"] = ours.bias  # type: ignore[assignment]

    def norm(theirs: str, ours: torch.nn.Module) -> None:
        arrays[f"{theirs}/gamma:0"] = ours.weight  # type: ignore[assignment]
        arrays[f"{theirs}/beta:0"] = ours.bias  # type: ignore[assignment]

    if model.config.ring_features:
        linear("extra_embed/extra_embed", model.ring_input)
    linear("dense_embed/dense_embed", model.input)
    linear("neighbor_d/neighbor_d", model.distance_input)
    linear("neighbor_w/neighbor_w", model.angle_input)
    for k in range(2):
        a, r = name("local_attention", first + k), name("residual_norm", first + k)
        layer, edge = model.layers[k], model.edge_updates[k]
        linear(f"{a}/{a}/query", layer.query)  # type: ignore[arg-type]
        linear(f"{a}/{a}/key", layer.key)  # type: ignore[arg-type]
        linear(f"{a}/{a}/filter_geo", edge.linear)  # type: ignore[arg-type]
        norm(f"{a}/{a}/{name('layer_normalization', 3 * k)}", layer.norm)  # type: ignore[arg-type]
        norm(f"{a}/{a}/{name('layer_normalization', 3 * k + 1)}", edge.norm)  # type: ignore[arg-type]
        linear(f"{r}/{name('dense', 2 * k)}", layer.feed_forward[0])  # type: ignore[index]
        linear(f"{r}/{name('dense', 2 * k + 1)}", layer.feed_forward[2])  # type: ignore[index]
        norm(f"{r}/{r}/{name('layer_normalization', 3 * k + 2)}", layer.feed_forward_norm)  # type: ignore[arg-type]
    linear("after_Lc/after_Lc", model.readout.input)
    linear("global_attention/global_attention/query", model.readout.query)
    linear("global_attention/global_attention/key", model.readout.key)
    linear("bf_property/bf_property", model.head)
    linear("predict_property/predict_property", model.output)
    return {k: v.detach().numpy() for k, v in arrays.items()}


def scann_checkpoint(folder: Path) -> tuple[Path, Path]:
    """Write weights and settings as the published SCANN code does; return both paths."""
    import h5py

    torch.manual_seed(0)
    model = Scann(ScannConfig(n_layers=2, n_features=16, n_heads=4, n_embedding=6, n_elements=10))
    path, settings = folder / "model.h5", folder / "model.json"
    with h5py.File(path, "w") as file:
        for name, array in keras_arrays(model, 0).items():
            file[f"model_weights/{name}"] = array
    settings.write_text(json.dumps({"model": SETTINGS, "hyper": {"target": "lumo"}}))
    return path, settings
