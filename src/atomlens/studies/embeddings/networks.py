"""The vectors and predictions of trained networks and their controls, on the same materials."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from atomlens.errors import Failure, StudyError
from atomlens.predictor import Predictor
from atomlens.predictor.inference import RawOutputs, model_outputs
from atomlens.structures.arrays import StructureArrays
from atomlens.studies.base import StudyInput
from atomlens.studies.controls import named_controls
from atomlens.studies.networks import Prepared, prepare
from atomlens.studies.statistics import Values


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What one network says about all materials that can be used."""

    vectors: Values
    """(n, n_features) the pooled vector, of the first member of an ensemble"""
    values: Values
    """(n,) predictions of the first target"""
    std: Values
    """(n,) their predicted error; NaN where the model has none"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVectors:
    """One trained model with its controls."""

    label: str
    predictor: Predictor
    trained: Outputs
    controls: Mapping[str, Sequence[Outputs]]


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
    return tuple(
        f"{name} ({names[:i].count(name) + 1})" if names.count(name) > 1 else name
        for i, name in enumerate(names)
    )


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


def outputs_of(predictor: Predictor, prepared: Prepared) -> Outputs:
    """Ask one network about all materials.

    Raises:
        StudyError: the model makes no vector of a structure.
    """
    vectors: list[Values] = []
    values: list[Values] = []
    std: list[Values] = []
    device = next(predictor.models[0].parameters()).device
    for outputs in model_outputs(predictor.models, prepared.store, device=device):
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
    return Outputs(
        vectors=np.concatenate(vectors), values=np.concatenate(values), std=np.concatenate(std)
    )


def measure_vectors(given: StudyInput) -> SameMaterials:
    """Return the vectors of all models and controls; the progress runs over networks."""
    structures = given.data.structures
    rows, failures = usable_by_all(given.models, structures)
    chosen = structures.subset(rows)
    controls = [named_controls(model, given.shuffled) for model in given.models]
    n_networks = sum(1 + sum(map(len, networks.values())) for networks in controls)
    n_done = 0
    measured = []
    for label, model, of_model in zip(
        input_labels(given.models), given.models, controls, strict=True
    ):
        prepared = prepare(model, chosen)
        found: dict[str, list[Outputs]] = {}
        for name, networks in {"trained": (model,), **of_model}.items():
            for network in networks:
                found.setdefault(name, []).append(outputs_of(network, prepared))
                n_done += 1
                given.progress(n_done, n_networks)
        trained = found.pop("trained")[0]
        measured.append(ModelVectors(label=label, predictor=model, trained=trained, controls=found))
    return SameMaterials(rows=rows, models=tuple(measured), failures=failures)
