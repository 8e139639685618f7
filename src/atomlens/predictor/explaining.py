"""Explaining one prediction: the scores of a method, on the atoms of the structure."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.errors import (
    ExplanationError,
    Failure,
    StructureError,
)
from atomlens.explain import (
    AtomScores,
    Explainer,
    Explanation,
    Method,
    Question,
    default_method,
    explainer_of,
)
from atomlens.explain.spread import leading_share, rank_stability, scores_of_thinned, sites_of
from atomlens.predictor.folder.tested import tested_sentence
from atomlens.predictor.inputs import Inputs, gather, inputs_of
from atomlens.predictor.inputs.rows import read_rows
from atomlens.predictor.samples import known_part
from atomlens.predictor.trained import TrainedModel
from atomlens.predictor.trust.calibration import INTERVAL
from atomlens.printing import percent
from atomlens.reports.wording import std_sentence
from atomlens.structures.arrays import Structure, StructureArrays
from atomlens.structures.bonding import BONDING, Bonding, bonding_of
from atomlens.structures.options import AS_IT_IS
from atomlens.targets import target_places


def explain_one(
    predictor: TrainedModel,
    given: Any,
    *,
    method: Method | None = None,
    target: str | None,
    at: float | None = None,
    device: str = "auto",
) -> Explanation:
    """Explain the prediction for one structure; see `Predictor.explain`. Nobody is warned."""
    explainer = explainer_of(default_method(predictor.models[0]) if method is None else method)
    method = explainer.name
    inputs, bonding = _only_one(given, predictor)
    structures = inputs.structures
    question = Question.about(predictor, structures, target=target, at=at, device=device)
    inputs = predictor.with_surroundings(inputs, question.store)
    found = explainer.explain(question)
    _check_scores(found, explainer, len(structures.atomic_numbers), len(predictor.models))
    spread = _spread(explainer, question, found)
    has_edges, has_std = question.nodes_are_atoms, bool(np.isfinite(question.std))
    low, high = question.ends
    has_ends = bool(np.isfinite(low) and np.isfinite(high))
    unlike = question.estimates.unlike
    atoms = structures.to_atoms(0)
    if bonding is not None:
        atoms.info[BONDING] = bonding
    return Explanation(
        name=structures.names[0],
        atoms=atoms,
        target=question.target.name,
        unit=question.unit,
        method=method,
        prediction=question.value,
        std=question.std if has_std else None,
        std_source=predictor.std_source if has_std else _why_none(predictor, question),
        std_words=_std_words(predictor, question, has_std),
        low=low if has_ends else None,
        high=high if has_ends else None,
        interval=INTERVAL if has_ends else None,
        unlike=None if unlike is None else percent(float(unlike[0])),
        scores=found.scores,
        scores_std=spread.std,
        scores_std_source=spread.source,
        rank_stability=spread.stability,
        leading_share=spread.leading,
        edge_index=question.batch.edge_index.cpu().numpy().astype(np.int64) if has_edges else None,
        edge_scores=found.edge_scores if has_edges else None,
        edge_lengths=question.batch.distances.double().cpu().numpy() if has_edges else None,
        baseline=_baseline(explainer, found.scores),
        score_unit=explainer.score_unit(question),
        offset=question.offset if explainer.adds_up and question.labels is None else None,
        reference=None if found.reference is None else float(found.reference[0]),
        model=predictor.model_name,
        made_by=predictor.identity if predictor.weights_sha256 else {},
        tested=tested_sentence(predictor.metrics, question.target.name, method),
        doubts=predictor.doubts(inputs, question.estimates, question.seen)[0],
        seen=known_part(question.seen[0]),
        source=inputs.sources[0] if inputs.sources else "",
    )


def _why_none(predictor: TrainedModel, question: Question) -> str:
    """Return why no error estimate stands beside a value; see `Explanation.std_source`."""
    if question.labels is not None:
        return "none for a class"
    place = target_places(predictor.targets)[question.target]
    if predictor.std_source == "none":
        return "none"
    measured = any(c is not None for c in predictor.calibration.targets[place])
    if not measured and predictor.std_source == "validation":
        return "none for this property"
    if np.isfinite(question.estimates.std[0, place]).any():
        return "none for a mean"
    return "none for this structure"


def _std_words(predictor: TrainedModel, question: Question, has_std: bool) -> str:
    """Return in a sentence where the error estimate comes from, or why there is none."""
    if not has_std:
        return std_sentence(_why_none(predictor, question))
    place = target_places(predictor.targets)[question.target]
    known = [c for c in predictor.calibration.targets[place] if c is not None]
    return std_sentence(
        predictor.std_source,
        fitted=bool(known),
        grows=any(c.growth > 0 for c in known),
        per_atom=question.target.extensive,
    )


def _check_scores(found: AtomScores, explainer: Explainer, n_atoms: int, n_members: int) -> None:
    """Refuse what an explainer of somebody's own gives in another form."""
    forms = {"scores": (n_atoms,), "by_member": (n_members, n_atoms)}
    for name, expected in forms.items():
        shape = np.shape(getattr(found, name))
        if shape != expected and not (name == "by_member" and found.joint):
            raise ExplanationError(
                f"The explainer {explainer.name} gives {name} of the shape {shape}, and for this "
                f"structure and model it must be {expected}; try it with "
                "atomlens.testing.check_explainer."
            )


class _Spread(NamedTuple):
    """How much scores vary, over what, and whether the order and the first of the atoms stay."""

    std: NDArray[np.float64] | None = None
    source: str = ""
    stability: float | None = None
    leading: float | None = None


def _spread(explainer: Explainer, question: Question, found: AtomScores) -> _Spread:
    """Return the spread over the members, or over one network thinned by dropout.

    Of scores that were sampled the error of that is in it.
    """
    networks, sources = found.by_member, ["ensemble"]
    if found.joint:
        return _Spread()
    if len(networks) == 1:
        thinned = scores_of_thinned(explainer, question)
        networks, sources = (networks, []) if thinned is None else (thinned, ["dropout"])
    errors = np.zeros_like(found.scores) if found.errors is None else found.errors
    if errors.any():  # the networks are asked with the same draws: their spread knows nothing of it
        sources.append("sampling")
    if not sources:
        return _Spread()
    if len(networks) == 1:
        return _Spread(errors, "sampling")
    sites = sites_of(found.scores, question.structures.atomic_numbers)
    stability, leading = rank_stability(networks, sites), leading_share(networks, sites)
    return _Spread(
        np.hypot(networks.std(axis=0, ddof=1), errors),
        " and ".join(sources),
        stability if np.isfinite(stability) else None,
        leading if np.isfinite(leading) else None,
    )


def _baseline(explainer: Explainer, scores: NDArray[np.float64]) -> float | None:
    if not explainer.in_target_units:
        return 1 / len(scores)
    return 0.0 if explainer.signed or bool((scores < 0).any()) else None


def _only_one(given: Any, predictor: TrainedModel) -> tuple[Inputs, Bonding | None]:
    """Return the one structure that is meant, or raise the reason why it cannot be used.

    Beside it the bonds that its file or SMILES names, which the arrays do not hold.
    """
    bonding = None
    if not isinstance(given, Inputs | StructureArrays | Structure):
        rows = read_rows(given, predictor.suited(AS_IT_IS))
        given = inputs_of(rows)
        if len(rows) == 1 and not isinstance(rows[0].item, Failure | Structure):
            bonding = bonding_of(rows[0].item)
    inputs = predictor.usable(gather(given))
    for error in inputs.errors:
        if error:
            raise StructureError(error)
    if len(inputs.structures) != 1:
        raise ExplanationError(
            f"explain takes one structure, and this input holds {len(inputs.structures)}; use "
            "explain_many."
        )
    return inputs, bonding
