"""Gradients of the prediction with respect to the vector that each atom starts from."""

from typing import final

import numpy as np
import torch
from torch import Tensor

from atomlens.errors import ExplanationError
from atomlens.explain.absence import mean_vectors
from atomlens.explain.base import AtomScores, Explainer, methods_sentence
from atomlens.explain.paths import answers_from, by_atom, gradients, integrated, together
from atomlens.explain.question import Question, Values
from atomlens.explain.vectors import Vectors, vector_table

N_REFERENCES = 64
"""References of expected gradients."""


@final
class GradientExplainer(Explainer):
    """|∂y / ∂h_i|, with h_i the element vector that atom i starts from, y in its unit.

    How strongly the prediction answers to a small change of the vector; it holds for small
    changes only. What the element adds by itself (``reference=elements``) has no part in it, as
    it does not depend on the vector.
    """

    name = "gradient"
    in_target_units = True
    cost = "one pass forward and back"
    single_pass = True

    def explain(self, question: Question) -> AtomScores:
        """Take the length of the gradient of each atom."""
        vectors, runs = by_atom(question)
        lengths = [g.norm(dim=1) for g in gradients(question, runs, vectors)]
        return _scores(question, lengths)


@final
class GradientXInputExplainer(Explainer):
    """h_i · ∂y/∂h_i: the first term of the answer to taking the vector of an atom away.

    Signed, unlike the length of the gradient. Exact for a linear network only, and it depends on
    where the vectors have their zero.
    """

    name = "gradient-x-input"
    in_target_units = True
    cost = "one pass forward and back"
    single_pass = True

    def explain(self, question: Question) -> AtomScores:
        """Take the product of each atom's gradient with its vector."""
        vectors, runs = by_atom(question)
        found = gradients(question, runs, vectors)
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
    cost = "10 to 54 passes forward and back"

    def explain(self, question: Question) -> AtomScores:
        """Integrate the gradients along the path, times the way."""
        vectors, _ = by_atom(question)
        found = _scores(question, integrated(question, _means(question, vectors)))
        elements = question.element_sum()
        index = question.structure_index
        sums = np.bincount(index, weights=elements)
        elements = elements - (sums / question.structures.n_atoms)[index]
        return AtomScores(scores=found.scores + elements, by_member=found.by_member + elements)


@final
class MaskedIntegratedGradientsExplainer(Explainer):
    """Integrated gradients from a structure of which every element is hidden.

    For networks that were trained with masks. The scores add up to y(structure) - y(every element
    hidden), what the elements add by themselves (``reference=elements``) included.
    """

    name = "integrated-gradients-mask"
    in_target_units = True
    cost = "10 to 54 passes forward and back"

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
        found = _scores(question, integrated(question, nobody))
        terms = question.element_terms()
        return AtomScores(scores=found.scores + terms, by_member=found.by_member + terms)


@final
class ExpectedGradientsExplainer(Explainer):
    """Integrated gradients against many references: each atom made into one of another element.

    Erion et al., "Improving performance of deep learning models with axiomatic attribution priors
    and expected gradients" (2021). References and places on the paths are drawn together, so the
    scores have an error of sampling, which is given.
    """

    name = "expected-gradients"
    in_target_units = True
    cost = "64 passes forward and back"

    def explain(self, question: Question) -> AtomScores:
        """Average gradient times way over references and places."""
        vectors, _ = by_atom(question)
        known = np.flatnonzero(question.models[0].knows_elements().numpy())
        elements = np.array(question.trained.elements or known[known > 0])
        draw = np.random.default_rng(0)
        n_nodes = question.batch.n_nodes
        at_once = together(question.batch)
        parts: list[list[Tensor]] = [[] for _ in vectors]
        for start in range(0, N_REFERENCES, at_once):
            n = min(at_once, N_REFERENCES - start)
            others = draw.choice(elements, (n, n_nodes))
            places = vectors[0].new_tensor(draw.random((n, 1, 1)))
            ways, there = [], []
            for member, own in zip(question.models, vectors, strict=True):
                table = vector_table(member)
                assert table is not None
                numbers = torch.from_numpy(others.astype(np.int64)).to(own.device)
                ways.append(own - table[1][numbers])
                there.append((own - places * ways[-1]).flatten(0, 1))
            _, runs = by_atom(question, n)
            of = np.tile(np.arange(len(question.structures)), n)
            found = gradients(question, runs, there, of)
            for own_parts, gradient, way in zip(parts, found, ways, strict=True):
                own_parts.append((gradient.view(n, n_nodes, -1) * way).sum(dim=2))
        samples = [torch.cat(own_parts) for own_parts in parts]
        error = torch.stack(samples).mean(dim=0).std(dim=0) / N_REFERENCES**0.5
        mean = _scores(question, [s.mean(dim=0) for s in samples])
        terms = question.element_sum()
        shares = question.trained.scaling.references[question.column]
        if shares:  # what an element adds by itself, less what those drawn would
            of_others = float(np.mean([shares.get(int(z), shares[0]) for z in elements]))
            terms = terms - of_others / (1 if question.target.extensive else question.atoms_beside)
        return AtomScores(
            scores=mean.scores + terms,
            by_member=mean.by_member + terms,
            errors=question.per_atom(error.double().cpu().numpy()),
        )


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
