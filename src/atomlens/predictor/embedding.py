"""The vector that a model makes of a whole structure, before it predicts."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atomlens.errors import ModelError
from atomlens.files import place_of, whole_file
from atomlens.machine import choose_device
from atomlens.predictor.inference import StepProgress, model_outputs
from atomlens.predictor.inputs import build_graphs, gather
from atomlens.predictor.trained import TrainedModel
from atomlens.structures.options import AS_IT_IS


@dataclass(frozen=True, slots=True, kw_only=True)
class Embeddings:
    """One vector for each input, in order."""

    names: tuple[str, ...]
    vectors: NDArray[np.float32]
    """(n, n_features); NaN for an input that could not be used"""
    errors: tuple[str, ...]
    """Why an input could not be used; empty for the others."""
    sources: tuple[str, ...] = ()
    """Path of the file, or text, that each came from; empty if nobody knows."""

    def save(self, path: str | Path) -> Path:
        """Write an ``.npz`` file: arrays ``names``, ``sources``, ``vectors`` and ``errors``.

        Sources are empty texts where nobody knows them.
        """
        with whole_file(place_of(path)) as stream:
            np.savez(
                stream,
                names=np.array(self.names, dtype=np.str_),
                sources=np.array(self.sources or ("",) * len(self.names), dtype=np.str_),
                vectors=self.vectors,
                errors=np.array(self.errors, dtype=np.str_),
            )
        return place_of(path)


def embed(
    predictor: TrainedModel, given: Any, *, device: str, progress: StepProgress | None
) -> Embeddings:
    """Return the pooled features of the structures; see `Predictor.embed`."""
    reading = predictor.suited(AS_IT_IS)
    inputs = predictor.usable(gather(given, reading))
    inputs, store = build_graphs(inputs, predictor.builder)
    model = predictor.models_on(device)[0]
    found: list[NDArray[np.float32]] = []
    if store is not None:
        place = choose_device(device)
        for (output,) in model_outputs([model], store, device=place, progress=progress):
            if output.graph_features is None:
                raise ModelError(
                    f"The model {predictor.model_name!r} makes no vector of a structure; an "
                    "embedding needs one of the networks."
                )
            found.append(output.graph_features.float().cpu().numpy())
    n_features = found[0].shape[1] if found else 0
    vectors = np.full((len(inputs.names), n_features), np.nan, dtype=np.float32)
    if found:
        vectors[inputs.places] = np.concatenate(found)
    return Embeddings(
        names=inputs.names, vectors=vectors, errors=inputs.errors, sources=inputs.sources
    )
