"""Gradients of the prediction with respect to the vector that each atom starts from."""

from typing import final

import numpy as np
import torch
from torch import Tensor

from atomlens.errors import ExplanationError
from atomlens.explain.absence import mean_vectors
from atomlens.explain.base import AtomScores, Explainer, methods_sentence
from atomlens.explain.paths import (
    answers_from,
    by_atom,
    gradients,
    gradients_here,
    integrated,
    shared_out,
)
from atomlens.explain.question import Indices, Question, Values
from atomlens.explain.vectors import Vectors, vector_table

N_REFERENCES = 64
"""References of expected gradients."""
_N_GROUPS = 8
"""Of them, each with places of all parts of the paths; their spread gives the error."""


@final
class GradientExplainer(Explainer):
    """|∂y / ∂h_i|, with h_i the element vector that atom i starts from, y in its unit.

    How strongly the prediction answers to a small change of the vector; it holds for small
    changes only. What the element adds by itself (``reference=elements``) has no part in it, as
    it does not depend on the vector.
    """

    name = "gradient"
    in_target_units = True
    single_pass = True

    def explain(self, question: Question) -> AtomScores:
        """Take the length of the gradient of each atom."""
        _, found = gradients_here(question)
        return _scores(question, [g.norm(dim=1) for g in found])


@final
class GradientXInputExplainer(Explainer):
    """h_i · ∂y/∂h_i: the first term of the answer to taking the vector of an atom away.

    Signed, unlike the length of the gradient. Exact for a linear network only, and it depends on
    where the vectors have their zero.
    """

    name = "gradient-x-input"
    in_target_units = True
    single_pass = True

    def explain(self, question: Question) -> AtomScores:
        """Take the product of each atom's gradient with its vector."""
        vectors, found = gradients_here(question)
        return _scores(question, [(g * v).sum(dim=1) for g, v in zip(found, vectors, strict=True)])


@final
class IntegratedGradientsExplainer(Explainer):
    """(h_i - h̄) · ∫ ∂y/∂h_i along the straight path from h̄, the mean vector of the atoms, to h_i.

    Sundararajan, Taly and Yan, "Axiomatic attribution for deep networks" (2017). The scores add
    up to y(structure) - y(the same geometry, every atom an average one): ten points where they
    prove to be enough, else 14 to 22, else 32 more, and what is then still missing of the sum is
    put right by the weights of the points. A vector of zeros is no good reference: a layer norm
    makes the networks jump there. In a structure of one
    element every atom is the average one, and scores 0.

    With ``reference=elements`` an atom also scores by how far its element's part is from the
    average one; together these are 0.
    """

    name = "integrated-gradients"
    in_target_units = True

    def explain(self, question: Question) -> AtomScores:
        """Integrate the gradients along the path, times the way."""
        vectors, _ = by_atom(question)
        parts, reference = integrated(question, _means(question, vectors))
        found = _scores(question, parts)
        elements = question.element_sum()
        index = question.structure_index
        sums = np.bincount(index, weights=elements)
        elements = elements - (sums / question.structures.n_atoms)[index]
        return AtomScores(
            scores=found.scores + elements,
            by_member=found.by_member + elements,
            reference=reference,
        )


@final
class MaskedIntegratedGradientsExplainer(Explainer):
    """Integrated gradients from a structure of which every element is hidden.

    For networks that were trained with masks. The scores add up to y(structure) - y(every element
    hidden), what the elements add by themselves (``reference=elements``) included.
    """

    name = "integrated-gradients-mask"
    in_target_units = True

    def explain(self, question: Question) -> AtomScores:
        """Integrate the gradients from the row of the element table that stands for nobody.

        Raises:
            ExplanationError: the network has not learned what a hidden element is.
        """
        model = question.models[0]
        if not model.knows_masks:
            raise ExplanationError(
                f"This {type(model).__name__} has not learned what a hidden element is; "
                f"{methods_sentence(model)}"
            )
        vectors, _ = by_atom(question)
        nobody = []
        for member, own in zip(question.models, vectors, strict=True):
            table = vector_table(member)
            assert table is not None
            nobody.append(table[1][:1].expand_as(own))
        parts, reference = integrated(question, nobody)
        found = _scores(question, parts)
        terms = question.element_terms()
        return AtomScores(
            scores=found.scores + terms,
            by_member=found.by_member + terms,
            reference=reference - np.bincount(question.structure_index, weights=terms),
        )


@final
class ExpectedGradientsExplainer(Explainer):
    """Integrated gradients against many references: the same geometry, made of one element each.

    Erion et al., "Improving performance of deep learning models with axiomatic attribution priors
    and expected gradients" (2021). References and places on the paths are drawn together. All
    atoms have the same one in a sample, so that atoms which symmetry exchanges score alike and
    the order of the atoms does not count. The scores add up to y(structure) - the mean of y over
    all elements that the model knows: what the draws miss of it is put right by their weights, a
    control variate. The error of sampling is given, from groups of draws.
    """

    name = "expected-gradients"
    in_target_units = True

    def explain(self, question: Question) -> AtomScores:
        """Average gradient times way over references and places."""
        known = np.flatnonzero(question.models[0].knows_elements().numpy())
        elements = np.array(question.trained.elements or known[known > 0], dtype=np.int64)
        samples = _sampled(question, elements)
        index = question.batch.graph_index
        mean = torch.stack(samples).mean(dim=0).double()
        totals = mean.new_zeros(len(mean), len(question.structures)).index_add_(1, index, mean)
        off = totals - totals.mean(dim=0)
        squares = off.square().sum(dim=0).clamp(min=torch.finfo(off.dtype).tiny)
        others = element_answers(question, elements).mean(axis=0)
        due = totals.new_tensor(question.values - others)
        largest = 1 / (len(off) * off.abs().amax(dim=0).clamp(min=torch.finfo(off.dtype).tiny))
        tilt = ((due - totals.mean(dim=0)) / squares).clamp(-largest, largest)
        weights = (1 / len(off) + tilt * off).index_select(1, index)
        found = _scores(question, [(weights.to(s.dtype) * s).sum(dim=0) for s in samples])
        along = off.index_select(1, index)
        slopes = (along * (mean - mean.mean(dim=0))).sum(dim=0) / squares.index_select(0, index)
        rest = (mean - slopes * along).view(_N_GROUPS, -1, mean.shape[1]).mean(dim=1)
        error = rest.std(dim=0) / _N_GROUPS**0.5
        terms = question.element_sum()
        shares = question.trained.scaling.references[question.column]
        if shares:  # what an element adds by itself, less what those drawn would
            of_others = float(np.mean([shares.get(int(z), shares[0]) for z in elements]))
            terms = terms - of_others / (1 if question.target.extensive else question.atoms_beside)
        return AtomScores(
            scores=found.scores + terms,
            by_member=found.by_member + terms,
            errors=question.per_atom(error.cpu().numpy()),
            reference=others - np.bincount(question.structure_index, weights=terms),
        )


def _sampled(question: Question, elements: Indices) -> list[Tensor]:
    """(64, n_nodes) for each member: gradient times way, with one element and place a sample."""
    own, _ = by_atom(question)
    tables = _rows(question, elements)
    draw = np.random.default_rng(0)
    n_turns = -(-N_REFERENCES // len(elements))
    turns = np.concatenate([draw.permutation(len(elements)) for _ in range(n_turns)])
    others = torch.from_numpy(turns[:N_REFERENCES]).to(own[0].device)
    n_places = N_REFERENCES // _N_GROUPS
    strata = np.concatenate([draw.permutation(n_places) for _ in range(_N_GROUPS)])
    places = own[0].new_tensor((strata + draw.random(N_REFERENCES)) / n_places)

    def found_at(samples: Tensor) -> list[Tensor]:
        n, at = len(samples), places[samples, None, None]
        ways = [v - t[others[samples], None] for v, t in zip(own, tables, strict=True)]
        there = [(v - at * way).flatten(0, 1) for v, way in zip(own, ways, strict=True)]
        _, runs = by_atom(question, n)
        slopes = gradients(question, runs, there, np.tile(np.arange(len(question.structures)), n))
        pairs = zip(slopes, ways, strict=True)
        return [(slope.view_as(way) * way).sum(dim=2) for slope, way in pairs]

    samples = torch.arange(N_REFERENCES, device=own[0].device)
    found = shared_out(found_at, samples, question.batch)
    return [torch.cat(part) for part in zip(*found, strict=True)]


def element_answers(question: Question, elements: Indices) -> Values:
    """(n_elements, n) what `predict` says where the vectors of all atoms are those of one element.

    What the elements add by themselves (``reference=elements``) stays as it is.
    """
    tables = _rows(question, elements)
    n_nodes, n_structures = question.batch.n_nodes, len(question.structures)

    @torch.no_grad()
    def answers_of(chosen: Tensor) -> Tensor:
        n = len(chosen)
        _, runs = by_atom(question, n)
        outputs = [
            run(table[chosen].repeat_interleave(n_nodes, dim=0))
            for run, table in zip(runs, tables, strict=True)
        ]
        answer = question.answer_to(outputs, np.tile(np.arange(n_structures), n))
        return answer.view(n, n_structures)

    every = torch.arange(len(elements), device=tables[0].device)
    found: Values = torch.cat(shared_out(answers_of, every, question.batch)).cpu().numpy()
    return found


def _rows(question: Question, elements: Indices) -> list[Tensor]:
    """(n_elements, n_features) the vectors of elements, for each member."""
    found = []
    for member in question.models:
        table = vector_table(member)
        assert table is not None
        found.append(table[1][torch.from_numpy(elements).to(table[1].device)])
    return found


def reference_answers(question: Question) -> Values:
    """(n,) what `predict` says where every atom is the average one of its structure."""
    vectors, _ = by_atom(question)
    return answers_from(question, _means(question, vectors))


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
