"""The prediction as a function of the vector that each atom starts from: gradients, and integrals.

A path leads from other vectors to those of the elements, all atoms at once. Along it the answer
bends most where it begins, where all atoms are still nearly alike and layer norms make much of
small differences. So the path is cut in two, with more points on the first piece, and the answer
at the cut says of each piece how far its integral is from what it should be.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from atomlens.errors import ExplanationError
from atomlens.explain.base import methods_sentence
from atomlens.explain.question import Indices, Question, Values
from atomlens.explain.vectors import Run, Vectors, own_vectors
from atomlens.graphs import GraphBatch

N_STEPS = 32
"""Points on a path along which a network has kinks or bends sharply (midpoints)."""
CUT = 0.4
"""Where the second piece of a path begins. Of pieces with seven and three points this one was best
on molecules and crystals: nine of ten molecules are done, of one piece with ten points seven."""
_ENOUGH = 5e-3
"""Of the sum of sizes: error of the promised sum up to which an integral is good enough."""
_FIFTEEN = (
    (0.991455371120812639206854697526329, 0.022935322010529224963732008058970, 0.0),
    (0.949107912342758524526189684047851, 0.063092092629978553290700663189204, 1.0),
    (0.864864423359769072789712788640926, 0.104790010322250183839876322541518, 0.0),
    (0.741531185599394439863864773280788, 0.140653259715525918745189590510238, 1.0),
    (0.586087235467691130294144691045295, 0.169004726639267902826583426598550, 0.0),
    (0.405845151377397166906606412076961, 0.190350578064785409913256402421014, 1.0),
    (0.207784955007898467600689403773245, 0.204432940075298892414161999234649, 0.0),
    (0.000000000000000000000000000000000, 0.209482141084727828012999174891714, 1.0),
)
_SEVEN = (
    (0.960491268708020283423507092629080, 0.104656226026467265193823857192073, 0.0),
    (0.774596669241483377035853079956480, 0.268488089868333440728569280666710, 1.0),
    (0.434243749346802558002071502844628, 0.401397414775962222905051818618432, 0.0),
    (0.000000000000000000000000000000000, 0.450916538658474142345110087045571, 1.0),
)
"""Places between -1 and 1 (each also with a minus), their weights, and whether they are among the
seven or three of Gauss and Legendre (Kronrod 1965; tables of QUADPACK)."""
_NODES_AND_EDGES = 32_768
"""Of the graphs whose gradients are taken at once."""


class Rule(NamedTuple):
    """Places between 0 and 1, and the weight of each."""

    points: Values
    weights: Values


@cache
def kronrod(n_points: int) -> tuple[Rule, Rule]:
    """Return Gauss and Legendre's rule of 7 or 3 points, and Kronrod's of 15 or 7 begun by it."""
    rows = {15: _FIFTEEN, 7: _SEVEN}[n_points]
    table = np.array([(sign * x, w, g) for x, w, g in rows for sign in (1, -1)][:-1])
    table = table[np.argsort(table[:, 2] == 0, kind="stable")]
    places, weights = (table[:, 0] + 1) / 2, table[:, 1] / 2
    n_first = n_points // 2
    gauss, by_gauss = np.polynomial.legendre.leggauss(n_first)
    first = places[:n_first]
    nearest = np.abs((gauss[None] + 1) / 2 - first[:, None]).argmin(axis=1)
    return Rule(first, by_gauss[nearest] / 2), Rule(places, weights)


class _Piece(NamedTuple):
    """A part of the path, with few points and with these and more."""

    start: float
    length: float
    few: Rule
    many: Rule

    def points(self, first: int, last: int | None = None) -> Values:
        """Return some of the places on the whole path."""
        return self.start + self.length * self.many.points[first:last]

    def integral(self, products: Tensor) -> Tensor:
        """(n_points, n_nodes) -> (n_nodes,) with few points, or with all."""
        rule = self.few if len(products) == len(self.few.points) else self.many
        return torch.einsum("k,kn->n", products.new_tensor(self.length * rule.weights), products)


def _pieces() -> tuple[_Piece, _Piece]:
    return _Piece(0.0, CUT, *kronrod(15)), _Piece(CUT, 1 - CUT, *kronrod(7))


def integrated(question: Question, references: Sequence[Vectors]) -> list[Tensor]:
    """Return each atom's part of the difference to a reference, for each member.

    Each structure by itself gets as many points as it needs: ten, on one piece or on both more
    than twice as many, or 32 more along all of the path.

    Args:
        question: What is explained.
        references: For each member, the vectors that the paths start from.
    """
    paths = _Paths(question, references)
    everybody = np.arange(len(question.structures))
    before, between = paths.answers(np.array([0.0, CUT]))
    expected = (between - before, question.values - between)
    pieces = _pieces()
    n_few = [len(piece.few.points) for piece in pieces]
    at_few = paths.products(
        np.concatenate([p.points(0, n) for p, n in zip(pieces, n_few, strict=True)]), everybody
    )
    products = [[p[: n_few[0]] for p in at_few], [p[n_few[0] :] for p in at_few]]
    found = [_integrals(piece, own) for piece, own in zip(pieces, products, strict=True)]
    misses, sizes = _misses(question, found, expected)
    for number, piece in enumerate(pieces):
        rows = np.flatnonzero(
            (misses.sum(axis=0) > _ENOUGH * sizes) & (misses[number] > _ENOUGH / 4 * sizes)
        )
        if len(rows):
            nodes = paths.nodes(rows)
            more = paths.products(piece.points(n_few[number]), rows)
            pairs = zip(products[number], more, strict=True)
            finer = [torch.cat([few[:, nodes], many]) for few, many in pairs]
            for own, better in zip(found[number], _integrals(piece, finer), strict=True):
                own[nodes] = better
    misses, sizes = _misses(question, found, expected)
    sums = [a + b for a, b in zip(*found, strict=True)]
    rows = np.flatnonzero(~(misses.sum(axis=0) <= _ENOUGH * sizes))
    if len(rows):
        points = (np.arange(N_STEPS) + 0.5) / N_STEPS
        nodes = paths.nodes(rows)
        for own, finest in zip(sums, paths.products(points, rows), strict=True):
            own[nodes] = finest.mean(dim=0)
    return sums


def _integrals(piece: _Piece, products: Sequence[Tensor]) -> list[Tensor]:
    return [piece.integral(own) for own in products]


def _misses(
    question: Question, found: Sequence[Sequence[Tensor]], expected: Sequence[Values]
) -> tuple[Values, Values]:
    """Return (2, n) how far the sum of each piece is from its due, and (n,) the sum of sizes."""
    index, n = question.batch.graph_index, question.batch.n_graphs

    def summed(values: Tensor) -> Values:
        sums: Values = values.new_zeros(n).index_add_(0, index, values).cpu().numpy()
        return sums

    means = [torch.stack(list(members)).mean(dim=0).double() for members in found]
    off = [np.abs(summed(m) - due) for m, due in zip(means, expected, strict=True)]
    return np.stack(off), summed((means[0] + means[1]).abs())


class _Paths:
    """Straight ways from references to the vectors of the elements, for each member."""

    def __init__(self, question: Question, references: Sequence[Vectors]) -> None:
        self.question = question
        self.own, _ = by_atom(question)
        self.ways = [v - reference for v, reference in zip(self.own, references, strict=True)]

    def nodes(self, rows: Indices) -> NDArray[np.int64]:
        """Return the nodes of some structures."""
        counts = self.question.batch.node_counts.cpu().numpy()
        ends = np.cumsum(counts)
        return np.concatenate([np.arange(ends[i] - counts[i], ends[i]) for i in rows])

    def answers(self, points: Values) -> NDArray[np.float64]:
        """Return (n_points, n), what `predict` says at points of the paths of all structures."""
        question, found = self.question, []
        with torch.no_grad():
            for left in self._chunks(points, question.batch):
                outputs = [
                    run(there)
                    for run, there in zip(
                        by_atom(question, len(left))[1],
                        self._places(left, slice(None)),
                        strict=True,
                    )
                ]
                answers = question.answer_to(outputs, _repeated(question.values, len(left)))
                found.append(answers.view(len(left), -1).cpu().numpy())
        return np.concatenate(found)

    def products(self, points: Values, rows: Indices) -> list[Float[Tensor, "n_points n_chosen"]]:
        """Return the gradient of each atom of some structures at points of its path, times its way.

        Args:
            points: Between 0, the reference, and 1.
            rows: The structures, ascending.
        """
        question = self.question
        every = len(rows) == len(question.structures)
        batch = question.batch if every else question.store.batch(torch.from_numpy(rows))
        nodes = slice(None) if every else torch.from_numpy(self.nodes(rows))
        ways = [way[nodes] for way in self.ways]
        parts: list[list[Tensor]] = [[] for _ in ways]
        for left in self._chunks(points, batch):
            n = len(left)
            _, runs = by_atom(question, n, batch)
            found = gradients(question, runs, self._places(left, nodes), np.tile(rows, n))
            for part, gradient, way in zip(parts, found, ways, strict=True):
                part.append((gradient.view(n, *way.shape) * way).sum(dim=2))
        return [torch.cat(part) for part in parts]

    def _chunks(self, points: Values, batch: GraphBatch) -> list[Tensor]:
        """Return how far it is to go at points, as many at once as memory is meant for."""
        at_once = together(batch)
        left = self.own[0].new_tensor(1 - points)
        return list(torch.split(left, at_once))

    def _places(self, left: Tensor, nodes: "slice | Tensor") -> list[Vectors]:
        """Return the vectors of nodes at points, end to end."""
        pairs = zip(self.own, self.ways, strict=True)
        return [(v[nodes] - left[:, None, None] * way[nodes]).flatten(0, 1) for v, way in pairs]


def together(batch: GraphBatch) -> int:
    """Return how many copies of a batch gradients are taken of at once."""
    return max(1, _NODES_AND_EDGES // (batch.n_nodes + batch.n_edges))


def _repeated(values: Values, n_copies: int) -> Indices:
    return np.tile(np.arange(len(values)), n_copies)


def by_atom(
    question: Question, n_copies: int = 1, batch: GraphBatch | None = None
) -> tuple[list[Vectors], list[Run]]:
    """Return the vector of each atom, and each member as a function of these vectors.

    Args:
        question: What is asked.
        n_copies: How often the graphs are taken, end to end.
        batch: Some of the question's graphs; by default all.

    Raises:
        ExplanationError: the model starts from no vector of each element.
    """
    graphs = question.batch if batch is None else batch
    pairs = [own_vectors(model, graphs, n_copies) for model in question.models]
    found = [pair for pair in pairs if pair is not None]
    if len(found) < len(pairs):
        model = question.models[0]
        raise ExplanationError(
            f"A {type(model).__name__} starts from no vector of each element, so it has no "
            f"gradient for each atom; {methods_sentence(model)}"
        )
    return [vectors for vectors, _ in found], [run for _, run in found]


def gradients(
    question: Question,
    runs: Sequence[Run],
    vectors: Sequence[Vectors],
    of: Indices | None = None,
) -> list[Vectors]:
    """Return, for each member, the gradient that the answer would have if all were like it.

    The answer rests on the members in equal parts, so that is its gradient times their number.

    Args:
        question: What is asked.
        runs: The members, as functions of the vectors.
        vectors: Of each member.
        of: Which structure each graph is of; by default they are all, in order.
    """
    with torch.enable_grad():
        varied = [v.detach().clone().requires_grad_() for v in vectors]
        outputs = [run(v) for run, v in zip(runs, varied, strict=True)]
        answer = question.answer_to(outputs, of).sum()
        found = torch.autograd.grad(answer, varied)
    return [len(runs) * gradient for gradient in found]


@torch.no_grad()
def answers_from(question: Question, vectors: Sequence[Vectors]) -> Values:
    """(n,) what `predict` says where the atoms have other vectors, for each member."""
    _, runs = by_atom(question)
    outputs = [run(own) for run, own in zip(runs, vectors, strict=True)]
    values: Values = question.answer_to(outputs).cpu().numpy()
    return values
