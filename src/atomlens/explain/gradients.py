"""Gradients of the prediction with respect to the vector that each atom starts from."""

from collections.abc import Sequence
from typing import final

import numpy as np
import torch
from torch import Tensor

from atomlens.errors import ExplanationError
from atomlens.explain.absence import mean_vectors
from atomlens.explain.base import AtomScores, Explainer, methods_sentence
from atomlens.explain.question import Question, Values
from atomlens.explain.vectors import Run, Vectors, own_vectors

N_STEPS = 32
"""Points on the path of integrated gradients (midpoints: many networks have kinks)."""
_NODES_AND_EDGES = 32_768
"""Of the graphs whose gradients are taken at once."""


@final
class GradientExplainer(Explainer):
    """|∂y / ∂h_i|, with h_i the element vector that atom i starts from, y in its unit.

    How strongly the prediction answers to a small change of the vector; it holds for small
    changes only. What the element adds by itself (``reference=elements``) has no part in it, as
    it does not depend on the vector.
    """

    name = "gradient"
    in_target_units = True

    def explain(self, question: Question) -> AtomScores:
        """Take the length of the gradient of each atom."""
        vectors, runs = by_atom(question)
        lengths = [g.norm(dim=1) for g in gradients(question, runs, vectors)]
        return _scores(question, lengths)


@final
class IntegratedGradientsExplainer(Explainer):
    """(h_i - h̄) · ∫ ∂y/∂h_i along the straight path from h̄, the mean vector of the atoms, to h_i.

    Sundararajan, Taly and Yan, "Axiomatic attribution for deep networks" (2017). The scores add
    up to y(structure) - y(the same geometry, every atom an average one), up to the error of the
    32-point integral. A vector of zeros is no good reference: a layer norm makes the networks
    jump there. In a structure of one element every atom is the average one, and scores 0.

    With ``reference=elements`` an atom also scores by how far its element's part is from the
    average one; together these are 0.
    """

    name = "integrated-gradients"
    in_target_units = True

    def explain(self, question: Question) -> AtomScores:
        """Integrate the gradients along the path, times the way."""
        vectors, _ = by_atom(question)
        found = _scores(question, integrated(question, _means(question, vectors)))
        elements = question.element_sum()
        index = question.structure_index
        sums = np.bincount(index, weights=elements)
        elements = elements - (sums / question.structures.n_atoms)[index]
        return AtomScores(scores=found.scores + elements, by_member=found.by_member + elements)


def integrated(question: Question, references: Sequence[Vectors]) -> list[Tensor]:
    """Return each atom's part of the difference to a reference, for each member.

    Args:
        question: What is explained.
        references: For each member, the vectors that the paths start from.
    """
    own, _ = by_atom(question)
    ways = [v - reference for v, reference in zip(own, references, strict=True)]
    points = (np.arange(N_STEPS) + 0.5) / N_STEPS
    totals = [torch.zeros_like(v) for v in own]
    at_once = max(1, _NODES_AND_EDGES // (question.batch.n_nodes + question.batch.n_edges))
    for start in range(0, N_STEPS, at_once):
        chosen = slice(start, start + at_once)
        left = own[0].new_tensor(1 - points[chosen])
        _, runs = by_atom(question, len(left))
        there = [
            (v - left[:, None, None] * w).flatten(0, 1) for v, w in zip(own, ways, strict=True)
        ]
        found = gradients(question, runs, there, len(left))
        for total, gradient in zip(totals, found, strict=True):
            total += gradient.view(len(left), *total.shape).sum(dim=0) / N_STEPS
    return [(total * way).sum(dim=1) for total, way in zip(totals, ways, strict=True)]


@torch.no_grad()
def reference_answers(question: Question) -> Values:
    """(n,) what `predict` says where every atom is the average one of its structure."""
    vectors, runs = by_atom(question)
    means = _means(question, vectors)
    outputs = [run(mean) for run, mean in zip(runs, means, strict=True)]
    values: Values = question.answer_to(outputs).cpu().numpy()
    return values


def _means(question: Question, vectors: list[Vectors]) -> list[Vectors]:
    """Return, for each member, the mean vector of its structure at every atom."""
    batch = question.batch
    weights = batch.node_weights
    weights = torch.ones_like(vectors[0][:, 0]) if weights is None else weights
    return [mean_vectors(v, weights, batch).index_select(0, batch.graph_index) for v in vectors]


def _scores(question: Question, by_member: list[Tensor]) -> AtomScores:
    """Put the scores of the nodes on the atoms, and average over the members."""
    found = np.stack([question.per_atom(s.double().cpu().numpy()) for s in by_member])
    return AtomScores(scores=found.mean(axis=0), by_member=found)


def by_atom(question: Question, n_copies: int = 1) -> tuple[list[Vectors], list[Run]]:
    """Return the vector of each atom, and each member as a function of these vectors.

    Raises:
        ExplanationError: the model starts from no vector of each element.
    """
    pairs = [own_vectors(model, question.batch, n_copies) for model in question.models]
    found = [pair for pair in pairs if pair is not None]
    if len(found) < len(pairs):
        model = question.models[0]
        raise ExplanationError(
            f"A {type(model).__name__} starts from no vector of each element, so it has no "
            f"gradient for each atom; {methods_sentence(model)}"
        )
    return [vectors for vectors, _ in found], [run for _, run in found]


def gradients(
    question: Question, runs: list[Run], vectors: list[Vectors], n_copies: int = 1
) -> list[Vectors]:
    """Return, for each member, the gradient that the answer would have if all were like it.

    The answer rests on the members in equal parts, so that is its gradient times their number.
    """
    of = np.tile(np.arange(len(question.structures)), n_copies)
    with torch.enable_grad():
        varied = [v.detach().clone().requires_grad_() for v in vectors]
        outputs = [run(v) for run, v in zip(runs, varied, strict=True)]
        answer = question.answer_to(outputs, of).sum()
        found = torch.autograd.grad(answer, varied)
    return [len(runs) * gradient for gradient in found]
