"""The prediction as a function of the vector that each atom starts from: gradients, and integrals.

A path leads from other vectors to those of the elements, all atoms at once. Along it the answer
bends most where it begins, where all atoms are still nearly alike and layer norms make much of
small differences. So the path is cut in two, with more points on the first piece, and the answers
that come with the gradients say of each piece how far its integral is from what it should be.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from atomlens.errors import ExplanationError
from atomlens.explain.base import methods_sentence
from atomlens.explain.question import Indices, Question, Values
from atomlens.explain.vectors import Run, Vectors, own_vectors
from atomlens.graphs import GraphBatch
from atomlens.models.base import ModelOutput
from atomlens.nn.pieces import side_by_side

_Found = TypeVar("_Found")
N_STEPS = 32
"""Points on a path along which a network has kinks or bends sharply (midpoints)."""
CUT = 0.4
"""Where the second piece of a path begins. Of pieces with seven and three points this one was best
on molecules and crystals: nine of ten molecules are done, of one piece with ten points seven."""
_ENOUGH = 5e-3
"""Of the sum of sizes: error of the promised sum up to which an integral is good enough."""
_NEAREST = 3
"""Points whose answers and slopes say what the answer is at an end of a piece."""
_NOISE = 1e-3
"""Of the sum of sizes: a slope of the answer below which atoms only cancel."""
_LARGEST_TILT = 0.5
"""By which share the weight of a point is changed at most, so that the sum is the promised one."""
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
_WORTH_A_THREAD = 1_024
"""Of them, how many a thread shall have: with less it waits for Python, not for numbers."""


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

    def weights(self, n_points: int) -> Values:
        """Return the weights of the few points, or of all."""
        rule = self.few if n_points == len(self.few.points) else self.many
        return self.length * rule.weights


def _pieces() -> tuple[_Piece, _Piece]:
    return _Piece(0.0, CUT, *kronrod(15)), _Piece(CUT, 1 - CUT, *kronrod(7))


class _Slopes(NamedTuple):
    """What is known of some structures at points of their paths."""

    products: list[Float[Tensor, "n_points n_nodes"]]
    """Of each member: of each atom the gradient times the way."""
    answers: Float[Tensor, "n_points n_structures"]
    totals: Float[Tensor, "n_points n_structures"]
    """How fast the answers grow along the path."""
    graph_index: Int[Tensor, " n_nodes"]

    def integral(self, weights: Values) -> "_Integral":
        """Return the parts of the atoms by a rule with these weights."""
        given = self.totals.new_tensor(weights)
        heavy = given[:, None] * self.totals
        at_atoms = heavy.index_select(1, self.graph_index)
        return _Integral(
            parts=[torch.einsum("k,kn->n", p.new_tensor(weights), p) for p in self.products],
            tilts=[(at_atoms.to(p.dtype) * p).sum(dim=0) for p in self.products],
            curvature=(heavy * self.totals).sum(dim=0),
            steepest=self.totals.abs().amax(dim=0),
        )


class _Integral(NamedTuple):
    """Parts of the atoms, and how they change as the weights of the points do."""

    parts: list[Float[Tensor, " n_nodes"]]
    """Of each member."""
    tilts: list[Float[Tensor, " n_nodes"]]
    """The same with each point weighed by the slope of the answer as well."""
    curvature: Float[Tensor, " n_structures"]
    """How much the sum of the tilts is."""
    steepest: Float[Tensor, " n_structures"]

    def put(self, nodes: Tensor, rows: Tensor, other: "_Integral") -> None:
        """Take those of some structures from a better rule."""
        for own, better in zip(self.parts + self.tilts, other.parts + other.tilts, strict=True):
            own[nodes] = better
        self.curvature[rows] = other.curvature
        self.steepest[rows] = other.steepest

    def with_piece(self, other: "_Integral") -> "_Integral":
        """Return the integral over this piece and another one."""
        return _Integral(
            parts=[a + b for a, b in zip(self.parts, other.parts, strict=True)],
            tilts=[a + b for a, b in zip(self.tilts, other.tilts, strict=True)],
            curvature=self.curvature + other.curvature,
            steepest=torch.maximum(self.steepest, other.steepest),
        )

    def made_to_add_up(
        self, missing: Float[Tensor, " n_structures"], index: Int[Tensor, " n_nodes"]
    ) -> list[Tensor]:
        """Return the parts with weights that were changed as little as the promised sum asks for.

        By least squares that is in proportion to the slope of the answer, so that points where
        nothing happens keep their weights. Where the atoms' parts cancel, the slopes are noise,
        and all weights stay.
        """
        tilt = missing / self.curvature.clamp(min=torch.finfo(self.curvature.dtype).tiny)
        sizes = _sizes(self.parts, index, len(missing))
        real = (self.steepest > _NOISE * sizes) & (tilt.abs() * self.steepest <= _LARGEST_TILT)
        tilt = torch.where(real, tilt, 0)
        of_atom = tilt.index_select(0, index)
        return [p + of_atom.to(p.dtype) * t for p, t in zip(self.parts, self.tilts, strict=True)]


@cache
def hermite(points: tuple[float, ...], at: float) -> Values:
    """Return what values and then slopes at points are multiplied with, for the value elsewhere.

    (2 n_points,), first those of the values. Exact for polynomials of a degree below that number.
    """
    places = np.array(points) - at
    powers = np.arange(2 * len(points))
    heights = places[:, None] ** powers
    slopes = powers * places[:, None] ** np.maximum(powers - 1, 0)
    at_zero = (powers == 0).astype(np.float64)
    found: Values = np.linalg.solve(np.concatenate([heights, slopes]).T, at_zero)
    return found


class Integrated(NamedTuple):
    """How the difference to a reference is shared out."""

    parts: list[Float[Tensor, " n_nodes"]]
    """Of each member."""
    reference: Values
    """(n_structures,) what `predict` says of the reference"""


def integrated(question: Question, references: Sequence[Vectors]) -> Integrated:
    """Return each atom's part of the difference to a reference, for each member.

    Each structure by itself gets as many points as it needs: ten, on one piece or on both more
    than twice as many, or 32 more along all of the path. What is still missing of the promised
    sum is put right by the weights of the points.

    Args:
        question: What is explained.
        references: For each member, the vectors that the paths start from.
    """
    paths = _Paths(question, references)
    index, everybody = question.batch.graph_index, np.arange(len(question.structures))
    pieces = _pieces()
    n_few = [len(piece.few.points) for piece in pieces]
    points = np.concatenate([p.points(0, n) for p, n in zip(pieces, n_few, strict=True)])
    slopes = paths.slopes(points, everybody)
    expected = _growth(slopes, points, torch.from_numpy(question.values))
    known = [_points(slopes, slice(0, n_few[0])), _points(slopes, slice(n_few[0], None))]
    found = [
        own.integral(piece.weights(n)) for own, piece, n in zip(known, pieces, n_few, strict=True)
    ]
    misses, sizes = _misses(found, expected, index)
    for number, piece in enumerate(pieces):
        rows = np.flatnonzero(
            (misses.sum(axis=0) > _ENOUGH * sizes) & (misses[number] > _ENOUGH / 4 * sizes)
        )
        if len(rows):
            nodes = paths.nodes(rows)
            more = paths.slopes(piece.points(n_few[number]), rows)
            finer = _joined(known[number], nodes, rows, more)
            n_many = len(piece.many.points)
            found[number].put(nodes, torch.from_numpy(rows), finer.integral(piece.weights(n_many)))
    misses, sizes = _misses(found, expected, index)
    whole = found[0].with_piece(found[1])
    rows = np.flatnonzero(~(misses.sum(axis=0) <= _ENOUGH * sizes))
    if len(rows):
        points = (np.arange(N_STEPS) + 0.5) / N_STEPS
        finest = paths.slopes(points, rows).integral(np.full(N_STEPS, 1 / N_STEPS))
        whole.put(paths.nodes(rows), torch.from_numpy(rows), finest)
    due = expected.sum(dim=0)
    missing = due - _sums(whole.parts, index, len(everybody))
    return Integrated(
        whole.made_to_add_up(missing, index), question.values - due.double().cpu().numpy()
    )


def _points(slopes: _Slopes, chosen: slice) -> _Slopes:
    """Return what is known at some of the points."""
    return slopes._replace(
        products=[p[chosen] for p in slopes.products],
        answers=slopes.answers[chosen],
        totals=slopes.totals[chosen],
    )


def _joined(known: _Slopes, nodes: Tensor, rows: Indices, more: _Slopes) -> _Slopes:
    """Return what is known of some structures at the points so far and at more."""
    chosen = torch.from_numpy(rows)
    pairs = zip(known.products, more.products, strict=True)
    return _Slopes(
        products=[torch.cat([few[:, nodes], many]) for few, many in pairs],
        answers=torch.cat([known.answers[:, chosen], more.answers]),
        totals=torch.cat([known.totals[:, chosen], more.totals]),
        graph_index=more.graph_index,
    )


def _growth(
    slopes: _Slopes, points: Values, last: Float[Tensor, " n_structures"]
) -> Float[Tensor, "2 n_structures"]:
    """Return by how much the answers grow on each of the two pieces.

    Gradients bring the answers at their points with them, and these with their slopes say what
    the answers at 0 and at the cut are: no pass is needed for that.
    """
    ends = []
    for at in (0.0, CUT):
        nearest = np.sort(np.argsort(np.abs(points - at))[:_NEAREST])
        weights = hermite(tuple(points[nearest].tolist()), at)
        known = torch.cat([slopes.answers[nearest], slopes.totals[nearest]])
        ends.append(torch.einsum("k,kn->n", known.new_tensor(weights), known))
    before, between = ends
    return torch.stack([between - before, last.to(between) - between])


def _misses(
    found: Sequence[_Integral], expected: Float[Tensor, "2 n_structures"], index: Tensor
) -> tuple[Values, Values]:
    """Return (2, n) how far the sum of each piece is from its due, and (n,) the sum of sizes."""
    n = expected.shape[1]
    off = torch.stack([_sums(own.parts, index, n) for own in found]) - expected
    sizes = _sizes(found[0].with_piece(found[1]).parts, index, n)
    return off.abs().cpu().numpy(), sizes.cpu().numpy()


def _sums(by_member: Sequence[Tensor], index: Tensor, n: int) -> Float[Tensor, " n_structures"]:
    """Return what the parts of the atoms add up to, in the mean over the members."""
    mean = torch.stack(list(by_member)).mean(dim=0).double()
    return mean.new_zeros(n).index_add_(0, index, mean)


def _sizes(by_member: Sequence[Tensor], index: Tensor, n: int) -> Float[Tensor, " n_structures"]:
    """Return what their sizes add up to."""
    return _sums([torch.stack(list(by_member)).mean(dim=0).abs()], index, n)


class _Paths:
    """Straight ways from references to the vectors of the elements, for each member."""

    def __init__(self, question: Question, references: Sequence[Vectors]) -> None:
        self.question = question
        self.own, _ = by_atom(question)
        self.ways = [v - reference for v, reference in zip(self.own, references, strict=True)]

    def nodes(self, rows: Indices) -> Int[Tensor, " n_chosen"]:
        """Return the nodes of some structures."""
        counts = self.question.batch.node_counts.cpu().numpy()
        ends = np.cumsum(counts)
        found = np.concatenate([np.arange(ends[i] - counts[i], ends[i]) for i in rows])
        return torch.from_numpy(found)

    def slopes(self, points: Values, rows: Indices) -> _Slopes:
        """Return the gradient of each atom of some structures at points of its path, times its way.

        Args:
            points: Between 0, the reference, and 1.
            rows: The structures, ascending.
        """
        question = self.question
        every = len(rows) == len(question.structures)
        batch = question.batch if every else question.store.batch(torch.from_numpy(rows))
        nodes = slice(None) if every else self.nodes(rows)
        ways = [way[nodes] for way in self.ways]

        def found_at(left: Tensor) -> tuple[Tensor, list[Tensor]]:
            n = len(left)
            _, runs = by_atom(question, n, batch)
            answer, slopes = answers_and_gradients(
                question, runs, self._places(left, nodes), np.tile(rows, n)
            )
            pairs = zip(slopes, ways, strict=True)
            return answer.view(n, -1), [
                (g.view(n, *way.shape) * way).sum(dim=2) for g, way in pairs
            ]

        left = self.own[0].new_tensor(1 - points)
        answers, parts = zip(*shared_out(found_at, left, batch), strict=True)
        products = [torch.cat(part) for part in zip(*parts, strict=True)]
        mean = torch.stack(products).mean(dim=0).double()
        totals = mean.new_zeros(len(points), len(rows)).index_add_(1, batch.graph_index, mean)
        return _Slopes(products, torch.cat(answers), totals, batch.graph_index)

    def _places(self, left: Tensor, nodes: "slice | Tensor") -> list[Vectors]:
        """Return the vectors of nodes at points, end to end."""
        pairs = zip(self.own, self.ways, strict=True)
        return [(v[nodes] - left[:, None, None] * way[nodes]).flatten(0, 1) for v, way in pairs]


def together(batch: GraphBatch) -> int:
    """Return how many copies of a batch gradients are taken of at once."""
    return max(1, _NODES_AND_EDGES // _size(batch))


def shared_out(work: Callable[[Tensor], _Found], points: Tensor, batch: GraphBatch) -> list[_Found]:
    """Return what is found at points, for as many of them at once as memory is meant for.

    On a CPU each chunk has one thread, if there is room for all of them.

    Args:
        work: Of some of the points.
        points: Each stands for one copy of the batch.
        batch: What is copied.
    """
    at_once, n_threads = together(batch), torch.get_num_threads()
    if points.device.type != "cpu" or at_once < n_threads:
        return [work(chunk) for chunk in torch.split(points, at_once)]
    n_chunks = _worth(len(points) * _size(batch))
    size = min(at_once // n_threads, -(-len(points) // n_chunks))
    return side_by_side(work, torch.split(points, size))


def _size(batch: GraphBatch) -> int:
    return batch.n_nodes + batch.n_edges


def _worth(n_rows: int) -> int:
    """Return for how many threads there is something to do."""
    return min(torch.get_num_threads(), max(1, n_rows // _WORTH_A_THREAD))


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


def answers_and_gradients(
    question: Question,
    runs: Sequence[Run],
    vectors: Sequence[Vectors],
    of: Indices | None,
) -> tuple[Float[Tensor, " n_graphs"], list[Vectors]]:
    """Return the answers and, for each member, the gradient they would have if all were like it.

    The answer rests on the members in equal parts, so that is its gradient times their number.

    Args:
        question: What is asked.
        runs: The members, as functions of the vectors.
        vectors: Of each member.
        of: Which structure each graph is of; None: they are all, in order.
    """
    with torch.enable_grad():
        varied = [v.detach().clone().requires_grad_() for v in vectors]
        outputs = [run(v) for run, v in zip(runs, varied, strict=True)]
        answers = question.answer_to(outputs, of)
        found = torch.autograd.grad(answers.sum(), varied)
    return answers.detach(), [len(runs) * gradient for gradient in found]


def gradients(
    question: Question,
    runs: Sequence[Run],
    vectors: Sequence[Vectors],
    of: Indices | None = None,
) -> list[Vectors]:
    """Return the gradients alone; see `answers_and_gradients`."""
    return answers_and_gradients(question, runs, vectors, of)[1]


def gradients_here(question: Question) -> tuple[list[Vectors], list[Vectors]]:
    """Return the vector of each atom and the gradient there, for each member.

    On a CPU the threads share out the structures, or the members where one structure is all.
    """
    batch = question.batch
    own, runs = by_atom(question)
    on_cpu = own[0].device.type == "cpu"
    n_parts = min(_worth(_size(batch)), len(question.structures)) if on_cpu else 1
    if n_parts > 1:

        def of_rows(rows: Indices) -> list[Vectors]:
            part = question.store.batch(torch.from_numpy(rows))
            vectors, networks = by_atom(question, 1, part)
            return gradients(question, networks, vectors, rows)

        ends = np.cumsum(batch.node_counts.cpu().numpy())
        cuts = np.searchsorted(ends, ends[-1] * np.arange(1, n_parts) / n_parts)
        rows = np.split(np.arange(len(ends)), np.unique(cuts.clip(1, len(ends) - 1)))
        return own, [torch.cat(part) for part in zip(*side_by_side(of_rows, rows), strict=True)]
    if on_cpu and _worth(len(runs) * _size(batch)) > 1 and len(runs) > 1:
        return own, _by_member(question, runs, own)
    return own, gradients(question, runs, own)


def _by_member(question: Question, runs: Sequence[Run], own: Sequence[Vectors]) -> list[Vectors]:
    """Return the gradients, with each member in a thread: forward, and back from the answer."""
    varied = [v.detach().clone().requires_grad_() for v in own]

    def forward(member: int) -> ModelOutput:
        with torch.enable_grad():
            return runs[member](varied[member])

    outputs = side_by_side(forward, range(len(runs)))
    ends = [replace(o, values=o.values.detach().requires_grad_()) for o in outputs]
    with torch.enable_grad():
        answers = question.answer_to(ends).sum()
    slopes = torch.autograd.grad(answers, [end.values for end in ends])

    def back(member: int) -> Vectors:
        (found,) = torch.autograd.grad(outputs[member].values, varied[member], slopes[member])
        return len(runs) * found

    return side_by_side(back, range(len(runs)))


@torch.no_grad()
def answers_from(question: Question, vectors: Sequence[Vectors]) -> Values:
    """(n,) what `predict` says where the atoms have other vectors, for each member."""
    _, runs = by_atom(question)
    outputs = [run(own) for run, own in zip(runs, vectors, strict=True)]
    values: Values = question.answer_to(outputs).cpu().numpy()
    return values
