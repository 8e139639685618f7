"""Explaining one prediction: the members' scores, averaged, on the atoms of the structure."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.errors import ExplanationError, SettingsError, StructureError, unknown_name
from atomlens.explain import EXPLAINERS, Explanation
from atomlens.explain.base import Explainer, NodeScores, Outputs
from atomlens.graphs import AtomGraph, collate
from atomlens.machine import choose_device
from atomlens.models.base import PropertyModel
from atomlens.predictor.estimates import Estimates
from atomlens.predictor.inputs import gather, refuse_elements, unseen_elements
from atomlens.predictor.trained import TrainedModel
from atomlens.structures.arrays import Structure, StructureArrays
from atomlens.targets import Target, output_slices, value_slices

Values = NDArray[np.float64]


def explain_one(
    predictor: TrainedModel,
    given: Any,
    *,
    method: str,
    target: str | None,
    at: float | None,
    device: str,
) -> Explanation:
    """Explain the prediction for one structure; see `Predictor.explain`."""
    if method not in EXPLAINERS:
        raise SettingsError(unknown_name("explanation method", method, EXPLAINERS))
    column = _target_column(predictor, target)
    chosen = predictor.targets[column]
    point = None if at is None else _grid_point(chosen, at)
    structures = _only_one(given, predictor.models[0])
    structure = structures[0]
    graph = predictor.builder.build_structure(structure)
    models = predictor.models_on(device)
    batch = collate([graph]).to(choose_device(device))
    estimates = predictor.estimate(predictor.raw_outputs(batch), structures)
    explained = _explained(predictor, estimates, column, point)
    explainer = EXPLAINERS[method]()
    members = [explainer.explain(model, batch, explained.outputs) for model in models]
    scores = np.stack([atom_scores(m.scores, graph, structure) for m in members])
    if explainer.in_target_units:
        scores = scores * _unit_of_output(predictor, column, len(structure.atomic_numbers))
    has_edges = _nodes_are_atoms(graph, structure)
    std = explained.std
    return Explanation(
        name=structure.name,
        atoms=structures.to_atoms(0),
        target=chosen.name,
        unit=explained.unit,
        method=method,
        prediction=explained.value,
        std=std if np.isfinite(std) else None,
        std_source=predictor.std_source if np.isfinite(std) else "none",
        scores=scores.mean(axis=0),
        scores_std=scores.std(axis=0, ddof=1) if len(members) > 1 else None,
        edge_index=graph.edge_index.numpy().astype(np.int64) if has_edges else None,
        edge_scores=_mean_edges(members) if has_edges else None,
        baseline=_baseline(explainer, scores),
        score_unit=explained.unit if explainer.in_target_units else "",
        model=predictor.model_name,
        warning=unseen_elements(structures, predictor.elements)[0],
    )


def _unit_of_output(predictor: TrainedModel, column: int, n_atoms: int) -> float:
    """Return by how much the prediction rises when the model's output rises by one."""
    target = predictor.targets[column]
    return predictor.scaling.stds[column] * (n_atoms if target.extensive else 1)


def _baseline(explainer: Explainer, scores: Values) -> float | None:
    if not explainer.in_target_units:
        return 1 / int(scores.shape[1])
    return 0.0 if bool((scores < 0).any()) else None


class _Explained(NamedTuple):
    """What is explained: a number, and which outputs of the model it is the mean of."""

    value: float
    std: float
    """NaN where nothing is known."""
    unit: str
    outputs: Outputs


def _explained(
    predictor: TrainedModel, estimates: Estimates, column: int, point: int | None
) -> _Explained:
    """Return what is explained of a target.

    Of classes the probability of the most probable one, of a spectrum one point of its grid, or
    the mean over all of them, of whose error nothing is known.
    """
    target = predictor.targets[column]
    place = output_slices(predictor.targets)[column]
    own = value_slices(predictor.targets)[column]
    values, stds = estimates.values[0, own], estimates.std[0, own]
    probabilities = estimates.probabilities[column]
    if probabilities is not None:
        label = int(values[0])
        unit = f"probability of {target.classes[label]}"
        return _Explained(float(probabilities[0, label]), float(stds[0]), unit, place.start + label)
    if target.is_spectrum and point is None:
        unit = f"{target.unit} (mean over {target.grid_name})".strip()
        return _Explained(float(values.mean()), float("nan"), unit, place)
    unit = target.unit
    if point is not None:
        unit = f"{unit} (at {target.grid[point]:g} {target.grid_unit})".strip()
    index = point or 0
    return _Explained(float(values[index]), float(stds[index]), unit, place.start + index)


def _grid_point(target: Target, at: float) -> int:
    """Return the point of a spectrum's grid that is nearest to a value.

    Raises:
        SettingsError: the target is a single number, or the value is not inside the grid.
    """
    if not target.is_spectrum:
        raise SettingsError(f"at={at:g} chooses a point of a spectrum; {target.name!r} is none.")
    first, last = target.grid[0], target.grid[-1]
    if not first <= at <= last:
        raise SettingsError(
            f"at={at:g} is outside the grid of {target.name!r}, which goes from {first:g} to "
            f"{last:g} {target.grid_unit}."
        )
    return int(np.abs(np.array(target.grid) - at).argmin())


def atom_scores(scores: Values, graph: AtomGraph, structure: Structure) -> Values:
    """(n_atoms,) scores of the atoms; a node that stands for several atoms shares its score."""
    if _nodes_are_atoms(graph, structure):
        return scores
    numbers = structure.atomic_numbers.astype(np.int64)
    shared = np.zeros(256)
    np.add.at(shared, graph.atomic_numbers.numpy(), scores)
    return shared[numbers] / np.bincount(numbers, minlength=256)[numbers]


def _nodes_are_atoms(graph: AtomGraph, structure: Structure) -> bool:
    return graph.n_nodes == len(structure.atomic_numbers) and graph.node_weights is None


def _mean_edges(members: list[NodeScores]) -> Values | None:
    edges = [m.edge_scores for m in members if m.edge_scores is not None]
    if len(edges) < len(members):
        return None
    mean: Values = np.mean(edges, axis=0)
    return mean


def _target_column(predictor: TrainedModel, target: str | None) -> int:
    names = [t.name for t in predictor.targets]
    if target is None:
        return 0
    if target not in names:
        raise SettingsError(unknown_name("target of this model", target, names))
    return names.index(target)


def _only_one(given: Any, model: PropertyModel) -> StructureArrays:
    """Return the one structure that is meant, or raise the reason why it cannot be used."""
    inputs = refuse_elements(gather(given), model)
    for error in inputs.errors:
        if error:
            raise StructureError(error)
    if len(inputs.structures) != 1:
        raise ExplanationError(
            f"explain takes one structure, and this input holds {len(inputs.structures)}; use "
            "explain_many."
        )
    return inputs.structures
