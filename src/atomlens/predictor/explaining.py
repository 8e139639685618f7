"""Explaining one prediction: the members' scores, averaged, on the atoms of the structure."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from atomlens.errors import ExplanationError, SettingsError, StructureError, unknown_name
from atomlens.explain import EXPLAINERS, Explanation
from atomlens.explain.base import Explainer, NodeScores
from atomlens.graphs import AtomGraph, collate
from atomlens.models.base import PropertyModel
from atomlens.predictor.estimates import Estimates
from atomlens.predictor.inputs import gather, refuse_elements, unseen_elements
from atomlens.structures.arrays import Structure, StructureArrays
from atomlens.targets import output_slices

if TYPE_CHECKING:
    from atomlens.predictor.core import Predictor

Values = NDArray[np.float64]


def explain_one(
    predictor: "Predictor", given: Any, *, method: str, target: str | None, device: str
) -> Explanation:
    """Explain the prediction for one structure; see `Predictor.explain`."""
    if method not in EXPLAINERS:
        raise SettingsError(unknown_name("explanation method", method, EXPLAINERS))
    column = _target_column(predictor, target)
    structures = _only_one(given, predictor.models[0])
    structure = structures[0]
    graph = predictor.builder.build_structure(structure)
    models = predictor.models_on(device)
    batch = collate([graph]).to(next(models[0].parameters()).device)
    estimates = predictor.estimate(predictor.raw_outputs(batch), structures)
    chosen = predictor.targets[column]
    value, unit, output_index = _explained_output(predictor, estimates, column)
    explainer = EXPLAINERS[method]()
    members = [explainer.explain(model, batch, output_index) for model in models]
    scores = np.stack([atom_scores(m.scores, graph, structure) for m in members])
    if explainer.in_target_units:
        scores = scores * _unit_of_output(predictor, column, len(structure.atomic_numbers))
    has_edges = _nodes_are_atoms(graph, structure)
    std = float(estimates.std[0, column])
    return Explanation(
        name=structure.name,
        atoms=structures.to_atoms(0),
        target=chosen.name,
        unit=unit,
        method=method,
        prediction=value,
        std=std if np.isfinite(std) else None,
        std_source=predictor.std_source if np.isfinite(std) else "none",
        scores=scores.mean(axis=0),
        scores_std=scores.std(axis=0, ddof=1) if len(members) > 1 else None,
        edge_index=graph.edge_index.numpy().astype(np.int64) if has_edges else None,
        edge_scores=_mean_edges(members) if has_edges else None,
        baseline=_baseline(explainer, scores),
        model=predictor.model_name,
        warning=unseen_elements(structures, predictor.elements)[0],
    )


def _unit_of_output(predictor: "Predictor", column: int, n_atoms: int) -> float:
    """Return by how much the prediction rises when the model's output rises by one."""
    target = predictor.targets[column]
    return predictor.scaling.stds[column] * (n_atoms if target.extensive else 1)


def _baseline(explainer: Explainer, scores: Values) -> float | None:
    if not explainer.in_target_units:
        return 1 / int(scores.shape[1])
    return 0.0 if bool((scores < 0).any()) else None


def _explained_output(
    predictor: "Predictor", estimates: Estimates, column: int
) -> tuple[float, str, int]:
    """Return the value that is explained, its unit, and which output of the model it is.

    For classes it is the probability of the most probable one.
    """
    target = predictor.targets[column]
    value = float(estimates.values[0, column])
    first = output_slices(predictor.targets)[column].start
    probabilities = estimates.probabilities[column]
    if probabilities is None:
        return value, target.unit, first
    label = int(value)
    return float(probabilities[0, label]), f"probability of {target.classes[label]}", first + label


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


def _target_column(predictor: "Predictor", target: str | None) -> int:
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
