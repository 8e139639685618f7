"""Gradients of the prediction with respect to the vector that each atom starts from."""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple, final

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from atomlens.errors import ExplanationError
from atomlens.explain.absence import mean_vectors
from atomlens.explain.base import AtomScores, Explainer, methods_sentence
from atomlens.explain.question import Question, Values
from atomlens.explain.vectors import Run, Vectors, own_vectors, vector_table

N_STEPS = 32
"""Points on a path along which a network has kinks or bends sharply (midpoints)."""
_ENOUGH = 5e-3
"""Of the sum of sizes: error of the promised sum up to which an integral is good enough."""
_KRONROD = (
    (0.991455371120812639206854697526329, 0.022935322010529224963732008058970, 0.0),
    (0.949107912342758524526189684047851, 0.063092092629978553290700663189204, 1.0),
    (0.864864423359769072789712788640926, 0.104790010322250183839876322541518, 0.0),
    (0.741531185599394439863864773280788, 0.140653259715525918745189590510238, 1.0),
    (0.586087235467691130294144691045295, 0.169004726639267902826583426598550, 0.0),
    (0.405845151377397166906606412076961, 0.190350578064785409913256402421014, 1.0),
    (0.207784955007898467600689403773245, 0.204432940075298892414161999234649, 0.0),
    (0.000000000000000000000000000000000, 0.209482141084727828012999174891714, 1.0),
)
"""Places between -1 and 1 (each also with a minus), their weights among 15 points, and whether they
are among the seven of Gauss and Legendre (Kronrod 1965; tables of QUADPACK)."""
N_REFERENCES = 64
"""References of expected gradients."""
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
    cost = "one pass forward and back"

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

    def explain(self, question: Question) -> AtomScores:
        """Take the product of each atom's gradient with its vector."""
        vectors, runs = by_atom(question)
        found = gradients(question, runs, vectors)
        return _scores(question, [(g * v).sum(dim=1) for g, v in zip(found, vectors, strict=True)])


@final
class IntegratedGradientsExplainer(Explainer):
    """(h_i - h̄) · ∫ ∂y/∂h_i along the straight path from h̄, the mean vector of the atoms, to h_i.

    Sundararajan, Taly and Yan, "Axiomatic attribution for deep networks" (2017). The scores add
    up to y(structure) - y(the same geometry, every atom an average one), up to the error of the
    integral: 8 points where they prove to be enough, else 32. A vector of zeros is no good
    reference: a layer norm makes the networks jump there. In a structure of one element every
    atom is the average one, and scores 0.

    With ``reference=elements`` an atom also scores by how far its element's part is from the
    average one; together these are 0.
    """

    name = "integrated-gradients"
    in_target_units = True
    cost = "7 to 47 passes forward and back"

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
    cost = "7 to 47 passes forward and back"

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
        at_once = _at_once(question)
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
            found = gradients(question, runs, there, n)
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


def integrated(question: Question, references: Sequence[Vectors]) -> list[Tensor]:
    """Return each atom's part of the difference to a reference, for each member.

    Args:
        question: What is explained.
        references: For each member, the vectors that the paths start from.
    """
    expected = question.values - answers_from(question, references)
    seven, fifteen = _kronrod()
    at_seven = _products(question, references, seven.points)
    found = [torch.einsum("k,kn->n", at_seven[0].new_tensor(seven.weights), p) for p in at_seven]
    missing = _missing(question, found, expected)
    if not missing.any():
        return found
    at_others = _products(question, references, fifteen.points[len(seven.points) :])
    both = [torch.cat(pair) for pair in zip(at_seven, at_others, strict=True)]
    finer = [torch.einsum("k,kn->n", p.new_tensor(fifteen.weights), p) for p in both]
    found = _exchanged(question, found, finer, missing)
    missing = _missing(question, found, expected)
    if not missing.any():
        return found
    points = (np.arange(N_STEPS) + 0.5) / N_STEPS
    finest = [p.mean(dim=0) for p in _products(question, references, points)]
    return _exchanged(question, found, finest, missing)


class _Rule(NamedTuple):
    """Places between 0 and 1, and the weight of each."""

    points: Values
    weights: Values


@cache
def _kronrod() -> tuple[_Rule, _Rule]:
    """Return Gauss and Legendre's rule of 7 points, and Kronrod's of 15 that begins with them."""
    table = np.array([(sign * x, w, g) for x, w, g in _KRONROD for sign in (1, -1)][:-1])
    table = table[np.argsort(table[:, 2] == 0, kind="stable")]
    places, weights = (table[:, 0] + 1) / 2, table[:, 1] / 2
    gauss, by_gauss = np.polynomial.legendre.leggauss(7)
    first = places[:7]
    nearest = np.abs((gauss[None] + 1) / 2 - first[:, None]).argmin(axis=1)
    return _Rule(first, by_gauss[nearest] / 2), _Rule(places, weights)


def _missing(question: Question, found: list[Tensor], expected: Values) -> NDArray[np.bool_]:
    """(n,) which structures' scores are too far from the sum that is promised."""
    index = question.batch.graph_index
    mean = torch.stack(found).mean(dim=0).double()
    sums = mean.new_zeros(question.batch.n_graphs).index_add_(0, index, mean).cpu().numpy()
    sizes = mean.new_zeros(question.batch.n_graphs).index_add_(0, index, mean.abs()).cpu().numpy()
    return ~np.asarray(np.abs(sums - expected) <= _ENOUGH * sizes)


def _exchanged(
    question: Question, few: list[Tensor], many: list[Tensor], missing: NDArray[np.bool_]
) -> list[Tensor]:
    """Return the finer scores of the structures that need them, and the others' as they were.

    Each structure by itself: what stands beside it must not change its scores.
    """
    index = question.batch.graph_index
    finer = torch.from_numpy(missing).to(index.device).index_select(0, index)
    return [torch.where(finer, b, a) for a, b in zip(few, many, strict=True)]


def _at_once(question: Question) -> int:
    return max(1, _NODES_AND_EDGES // (question.batch.n_nodes + question.batch.n_edges))


def _products(
    question: Question, references: Sequence[Vectors], points: Values
) -> list[Float[Tensor, "n_points n_nodes"]]:
    """Return the gradient of each atom at points of its path, times its way."""
    own, _ = by_atom(question)
    ways = [v - reference for v, reference in zip(own, references, strict=True)]
    parts: list[list[Tensor]] = [[] for _ in own]
    at_once = _at_once(question)
    for start in range(0, len(points), at_once):
        left = own[0].new_tensor(1 - points[start : start + at_once])
        _, runs = by_atom(question, len(left))
        pairs = zip(own, ways, strict=True)
        there = [(v - left[:, None, None] * w).flatten(0, 1) for v, w in pairs]
        found = gradients(question, runs, there, len(left))
        for part, gradient, way in zip(parts, found, ways, strict=True):
            part.append((gradient.view(len(left), *way.shape) * way).sum(dim=2))
    return [torch.cat(part) for part in parts]


@torch.no_grad()
def answers_from(question: Question, vectors: Sequence[Vectors]) -> Values:
    """(n,) what `predict` says where the atoms have other vectors, for each member."""
    _, runs = by_atom(question)
    outputs = [run(own) for run, own in zip(runs, vectors, strict=True)]
    values: Values = question.answer_to(outputs).cpu().numpy()
    return values


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
