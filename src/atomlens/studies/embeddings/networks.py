"""The vectors and predictions of trained networks and their controls, on the same materials."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from atomlens.errors import Failure, StudyError
from atomlens.predictor import Predictor
from atomlens.predictor.inference import RawOutputs, model_outputs
from atomlens.structures.arrays import StructureArrays
from atomlens.studies.base import Progress, StudyInput
from atomlens.studies.networks import (
    NetworkAnswers,
    Prepared,
    graphs_of,
    measure,
    numbered,
    prepare,
)
from atomlens.studies.statistics import Values


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkOutputs:
    """What one network says about all materials that can be used."""

    vectors: Values
    """(n, n_features) the pooled vector, of the first member of an ensemble"""
    values: Values
    """(n,) predictions of the first target"""
    std: Values
    """(n,) their predicted error; NaN where the model has none"""


ModelVectors = NetworkAnswers[NetworkOutputs]
"""One trained model with its controls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SameMaterials:
    """Several models on the materials that all of them can take."""

    rows: list[int]
    """Of the structures given."""
    models: tuple[ModelVectors, ...]
    failures: tuple[Failure, ...]


def input_labels(models: Sequence[Predictor]) -> tuple[str, ...]:
    """Return a name for each model: its target and what it reads, with a number if need be."""
    names = [
        f"{' + '.join(t.name for t in model.targets)}, "
        + ("structures" if model.builder.needs_positions else "formulas")
        for model in models
    ]
    return numbered(names)


def usable_by_all(
    models: Sequence[Predictor], structures: StructureArrays
) -> tuple[list[int], tuple[Failure, ...]]:
    """Return the rows of structures that every model can take, and what cannot be used."""
    rows = set(range(len(structures)))
    failures: dict[str, Failure] = {}
    for model in models:
        prepared = prepare(model, structures)
        rows &= set(prepared.inputs.places.tolist())
        failures |= {failure.name: failure for failure in prepared.failures}
    if not rows:
        raise StudyError("There is no structure that all of the models can take.")
    return sorted(rows), tuple(failures.values())


def outputs_of(predictor: Predictor, prepared: Prepared, progress: Progress) -> NetworkOutputs:
    """Ask one network about all materials.

    Raises:
        StudyError: the model makes no vector of a structure.
    """
    vectors: list[Values] = []
    values: list[Values] = []
    std: list[Values] = []
    device = next(predictor.models[0].parameters()).device
    for outputs in model_outputs(
        predictor.models, prepared.store, device=device, progress=progress
    ):
        features = outputs[0].graph_features
        if features is None:
            raise StudyError(
                f"The model {predictor.model_name!r} makes no vector of a structure; a map of "
                "embeddings needs one of the networks."
            )
        start = sum(map(len, vectors))
        chosen = prepared.inputs.structures.subset(np.arange(start, start + len(features)))
        estimates = predictor.estimate(RawOutputs.of(outputs), chosen)
        vectors.append(features.double().cpu().numpy())
        values.append(estimates.values[:, 0])
        std.append(estimates.std[:, 0])
    return NetworkOutputs(
        vectors=np.concatenate(vectors), values=np.concatenate(values), std=np.concatenate(std)
    )


def measure_vectors(given: StudyInput) -> SameMaterials:
    """Return the vectors of all models and controls; the progress runs over networks."""
    structures = given.data.structures
    rows, failures = usable_by_all(given.models, structures)
    graphs = graphs_of(structures.subset(rows))
    models = measure(given, outputs_of, graphs, input_labels(given.models))
    return SameMaterials(rows=rows, models=models, failures=failures)
