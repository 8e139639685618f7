"""Gradients of the prediction with respect to what each atom starts from.

Every atom begins as the learned vector of its element. Here each atom gets a vector of its own
in place of its element's, so that the answer to a change of this one atom can be asked for.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import functional_call

from atomlens.errors import ExplanationError
from atomlens.explain.base import AtomScores, Explainer
from atomlens.explain.question import Question
from atomlens.graphs import GraphBatch
from atomlens.models.base import ModelOutput, PropertyModel

N_STEPS = 32
"""Points on the path of integrated gradients (midpoints)."""

_Vectors = Float[Tensor, "n_nodes n_features"]
_Run = Callable[[_Vectors], ModelOutput]


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
        vectors, runs = _by_atom(question)
        lengths = [g.norm(dim=1) for g in _gradients(question, runs, vectors)]
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
        """Average the gradients along the path, times the way."""
        vectors, runs = _by_atom(question)
        weights = question.batch.node_weights
        weights = torch.ones_like(vectors[0][:, 0]) if weights is None else weights
        ways = [v - (weights @ v) / weights.sum() for v in vectors]
        totals = [torch.zeros_like(v) for v in vectors]
        for step in range(N_STEPS):
            left = 1 - (step + 0.5) / N_STEPS
            there = [v - left * way for v, way in zip(vectors, ways, strict=True)]
            for total, gradient in zip(totals, _gradients(question, runs, there), strict=True):
                total += gradient
        parts = zip(totals, ways, strict=True)
        found = _scores(question, [(total / N_STEPS * way).sum(dim=1) for total, way in parts])
        elements = question.element_sum()
        elements = elements - elements.mean()
        return AtomScores(scores=found.scores + elements, by_member=found.by_member + elements)


def _scores(question: Question, by_member: list[Tensor]) -> AtomScores:
    """Put the scores of the nodes on the atoms, and average over the members."""
    found = np.stack([question.per_atom(s.double().cpu().numpy()) for s in by_member])
    return AtomScores(scores=found.mean(axis=0), by_member=found)


def _by_atom(question: Question) -> tuple[list[_Vectors], list[_Run]]:
    """Return the vector of each atom, and each member as a function of these vectors.

    Raises:
        ExplanationError: the model learns no vector for each element.
    """
    pairs = [_member_by_atom(model, question.batch) for model in question.models]
    return [vectors for vectors, _ in pairs], [run for _, run in pairs]


def _member_by_atom(model: PropertyModel, batch: GraphBatch) -> tuple[_Vectors, _Run]:
    if len(model.element_tables) != 1:
        raise ExplanationError(
            f"A {type(model).__name__} learns no vector for each element, so it has no gradient "
            "for each atom; use the method occlusion."
        )
    name = model.element_tables[0]
    table = model.get_parameter(name).detach()
    vectors = table.index_select(0, batch.atomic_numbers)
    own = replace(batch, atomic_numbers=torch.arange(batch.n_nodes, device=vectors.device))

    def run(vectors: _Vectors) -> ModelOutput:
        output: ModelOutput = functional_call(model, {name: vectors}, (own,))
        return output

    return vectors, run


def _gradients(question: Question, runs: list[_Run], vectors: list[_Vectors]) -> list[_Vectors]:
    """Return, for each member, the gradient that the answer would have if all were like it.

    The answer rests on the members in equal parts, so that is its gradient times their number.
    """
    with torch.enable_grad():
        varied = [v.detach().clone().requires_grad_() for v in vectors]
        outputs = [run(v) for run, v in zip(runs, varied, strict=True)]
        found = torch.autograd.grad(question.answer_to(outputs), varied)
    return [len(runs) * gradient for gradient in found]
