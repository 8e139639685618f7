"""Gradients, integrated gradients and occlusion on models whose answer is known."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from atomlens.errors import ExplanationError
from atomlens.explain import EXPLAINERS, Question, paths
from atomlens.explain.paths import hermite, integrated, kronrod
from atomlens.explain.vectors import own_vectors
from atomlens.graphs import AtomGraph, GraphBatch, collate, keep_nodes
from atomlens.models import ModelOutput, PropertyModel, make_model
from atomlens.nn.segment import segment_sum
from atomlens.structures.arrays import StructureArrays
from atomlens.targets import Target
from atomlens.testing.questions import GivenGraph, asked, structures_of, trained_around
from graph_makers import lone_atom, random_graph


@dataclass(frozen=True, slots=True, kw_only=True)
class SumConfig:
    power: int = 1
    n_outputs: int = 1
    n_elements: int = 20
    predict_scale: bool = False


class SumOfAtoms(PropertyModel):
    """y = Σ_i (h_i · w)^power, so that every method has an answer by hand."""

    Config = SumConfig
    element_tables: ClassVar[tuple[str, ...]] = ("embedding.weight",)

    def __init__(self, config: SumConfig) -> None:
        super().__init__(config)
        self.embedding = nn.Embedding(config.n_elements, 3).double()
        self.weight = nn.Parameter(torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64))

    def forward(self, batch: GraphBatch) -> ModelOutput:
        terms = (self.embedding(batch.atomic_numbers) @ self.weight) ** self.config.power
        values = segment_sum(terms.unsqueeze(1), batch.graph_index, batch.n_graphs)
        return ModelOutput(values=values, node_attention=torch.ones_like(terms) / len(terms))


def known(power: int = 1) -> tuple[SumOfAtoms, AtomGraph, np.ndarray]:
    torch.manual_seed(0)
    model = SumOfAtoms(SumConfig(power=power)).eval().requires_grad_(False)
    graph = random_graph(6, 3)
    terms = (model.embedding(graph.atomic_numbers) @ model.weight).numpy()
    return model, graph, terms


def scores(method: str, model: PropertyModel, graph: AtomGraph, **scaling: Any) -> np.ndarray:
    return EXPLAINERS[method]().explain(asked(model, graph, **scaling)).scores


def test_each_method_stands_under_its_own_name() -> None:
    assert {key: kind.name for key, kind in EXPLAINERS.items()} == {key: key for key in EXPLAINERS}


def test_a_sum_of_atoms_is_shared_out_exactly() -> None:
    model, graph, terms = known()
    np.testing.assert_allclose(scores("occlusion", model, graph), terms, rtol=1e-10)
    found = scores("integrated-gradients", model, graph)
    np.testing.assert_allclose(found, terms - terms.mean(), rtol=1e-9, atol=1e-12)


def test_occlusion_finds_the_cube_of_each_atom() -> None:
    model, graph, terms = known(power=3)
    np.testing.assert_allclose(scores("occlusion", model, graph), terms**3, rtol=1e-9, atol=1e-12)


def test_the_gradient_of_a_sum_is_as_long_as_its_weights() -> None:
    model, graph, _ = known()
    np.testing.assert_allclose(scores("gradient", model, graph), 5.25**0.5, rtol=1e-10)


@pytest.mark.parametrize("name", ["scann", "scann-plus", "cgcnn", "ae-cgcnn-pool"])
def test_integrated_gradients_add_up_to_the_difference_to_the_reference(name: str) -> None:
    torch.manual_seed(0)
    model = make_model(name, n_layers=2).eval().requires_grad_(False).double()
    graph = random_graph(8, 4)
    batch = collate([graph], torch.float64)
    total = scores("integrated-gradients", model, graph).sum()
    value = float(model(batch).values)
    table = model.get_parameter(model.element_tables[0])
    table[:] = table[batch.atomic_numbers].mean(dim=0)
    assert total == pytest.approx(value - float(model(batch).values), rel=2e-3, abs=1e-5)


@pytest.fixture
def two_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = torch.get_num_threads()
    monkeypatch.setattr(paths, "_WORTH_A_THREAD", 1)
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("n_structures", [1, 5])
@pytest.mark.parametrize("name", ["lens", "cgcnn"])
@pytest.mark.parametrize(
    "method", ["integrated-gradients", "expected-gradients", "gradient", "gradient-x-input"]
)
def test_gradients_are_the_same_in_two_threads(
    method: str,
    name: str,
    n_structures: int,
    two_threads: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also where members are one network, of which both threads ask other vectors."""
    torch.manual_seed(0)
    model = make_model(name, n_layers=2).eval().double()
    graphs = [random_graph(4 + 2 * i, 3, seed=i) for i in range(n_structures)]
    question = Question.about(
        trained_around(model, builder=GivenGraph(graph=graphs[0]), targets=(Target(name="y"),)),
        StructureArrays.from_structures([structures_of(graph)[0] for graph in graphs]),
        device="cpu",
        dtype=torch.float64,
        graphs=graphs,
    )
    question = replace(question, models=question.models * 2)
    seen = set()
    real = type(model).forward

    def watched(*given: Any) -> Any:
        seen.add((threading.current_thread().name, torch.get_num_threads()))
        return real(*given)

    monkeypatch.setattr(type(model), "forward", watched)
    found = EXPLAINERS[method]().explain(question)
    assert {n for _, n in seen} == {1}
    assert threading.current_thread().name not in {thread for thread, _ in seen}
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)
    alone = EXPLAINERS[method]().explain(question)
    np.testing.assert_allclose(found.scores, alone.scores, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.by_member, alone.by_member, rtol=1e-9, atol=1e-12)


def test_other_vectors_are_not_put_into_the_network_itself() -> None:
    """Somebody else may ask it meanwhile."""
    model, graph, _ = known()
    ours, seen = model.embedding.weight, []
    monitored = type(model).forward

    class Watched(SumOfAtoms):
        def forward(self, batch: GraphBatch) -> ModelOutput:
            seen.append(model.embedding.weight is ours)
            return monitored(self, batch)

    model.__class__ = Watched
    pair = own_vectors(model, collate([graph], torch.float64))
    assert pair is not None
    vectors, run = pair
    assert float(run(2 * vectors).values) == pytest.approx(2 * float(run(vectors).values))
    assert seen == [True, True]


def test_a_hole_has_no_edges_and_the_others_keep_theirs() -> None:
    batch = collate([random_graph(6, 3)], torch.float64)
    graph = keep_nodes(batch, torch.arange(6) != 2)
    touched = (batch.edge_index == 2).any(dim=0)
    assert graph.n_nodes == 5
    assert graph.n_edges == int((~touched).sum())
    torch.testing.assert_close(graph.distances, batch.distances[~touched])
    assert int(graph.edge_index.max()) < 5


def test_a_lone_atom_cannot_be_occluded() -> None:
    model, _, _ = known()
    with pytest.raises(ExplanationError, match="only one atom"):
        scores("occlusion", model, lone_atom())


@pytest.mark.parametrize("method", ["gradient", "integrated-gradients"])
def test_a_model_without_element_vectors_has_no_gradients(method: str) -> None:
    model = make_model("ridge").double()
    with pytest.raises(ExplanationError, match="occlusion"):
        scores(method, model, random_graph(4, 2))


SHARES = {0: 9.0, 1: -0.5, 6: -3.0, 7: -2.0, 8: -1.0}
"""A sum over elements that a model is trained on top of; 0 stands for all other elements."""


def test_an_atom_is_worth_its_part_of_an_extensive_sum() -> None:
    """y = n Σ_i (t_i std + mean) is no sum of atoms: without atom i all others count less."""
    model, graph, terms = known()
    extensive = (Target(name="energy", extensive=True),)
    found = scores("occlusion", model, graph, targets=extensive, mean=2.0, std=0.5)
    n, total = len(terms), terms.sum()
    without = (n - 1) * ((total - terms) * 0.5 + 2.0)
    np.testing.assert_allclose(found, n * (total * 0.5 + 2.0) - without, rtol=1e-10)
    found = scores("integrated-gradients", model, graph, targets=extensive, mean=2.0, std=0.5)
    np.testing.assert_allclose(found, n * 0.5 * (terms - terms.mean()), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("extensive", [True, False])
def test_the_sum_over_elements_belongs_to_the_answer(extensive: bool) -> None:
    model, graph, terms = known()
    target = (Target(name="energy", extensive=extensive),)
    shares = np.array([SHARES[z] for z in graph.atomic_numbers.tolist()])
    plain, with_sum = (
        {
            m: scores(m, model, graph, targets=target, shares=s)
            for m in EXPLAINERS
            if m in {"occlusion", "occlusion-mask", "gradient", "integrated-gradients"}
        }
        for s in (None, SHARES)
    )
    n = len(terms)
    mean_without = (shares.sum() - shares) / (n - 1)
    expected = shares if extensive else shares.mean() - mean_without
    np.testing.assert_allclose(with_sum["occlusion"] - plain["occlusion"], expected, rtol=1e-9)
    size = 1 if extensive else n
    hidden = with_sum["occlusion-mask"] - plain["occlusion-mask"]
    unknown = 0 if extensive else SHARES[0]  # an element that is hidden is the mean one
    np.testing.assert_allclose(hidden, (shares - unknown) / size, rtol=1e-9)
    added = with_sum["integrated-gradients"] - plain["integrated-gradients"]
    np.testing.assert_allclose(added, (shares - shares.mean()) / size, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(with_sum["gradient"], plain["gradient"], rtol=1e-12)


@pytest.mark.parametrize(("n_points", "degrees"), [(15, (13, 22)), (7, (5, 10))])
def test_the_points_of_a_path_integrate_what_they_promise(
    n_points: int, degrees: tuple[int, int]
) -> None:
    few, many = kronrod(n_points)
    np.testing.assert_array_equal(many.points[: len(few.points)], few.points)
    for rule, degree in zip((few, many), degrees, strict=True):
        powers = np.arange(degree + 1)
        found = rule.weights @ rule.points[:, None] ** powers
        np.testing.assert_allclose(found, 1 / (powers + 1), rtol=1e-12)
        beyond = rule.weights @ rule.points ** (degree + 5)
        assert abs(beyond * (degree + 6) - 1) > 1e-12


def test_values_and_slopes_say_what_a_polynomial_is_elsewhere() -> None:
    polynomial = np.polynomial.Polynomial([0.3, -1.0, 2.0, 0.5, -0.7, 1.1])
    points = np.array([0.1, 0.35, 0.4])
    known = np.concatenate([polynomial(points), polynomial.deriv()(points)])
    assert hermite(tuple(points.tolist()), 0.02) @ known == pytest.approx(polynomial(0.02))


class Asked(NamedTuple):
    question: Question
    references: list[Tensor]
    exact: Tensor
    """What each atom's part is."""
    model: SumOfAtoms


def steep_question(power: int) -> Asked:
    """A sum of powers, from a reference that is far from all vectors."""
    model, graph, _ = known(power=power)
    q = asked(model, graph)
    own = model.embedding(q.batch.atomic_numbers)
    reference = own * torch.linspace(-1, 0.5, 6)[:, None]
    exact = (own @ model.weight) ** power - (reference @ model.weight) ** power
    return Asked(q, [reference], exact, model)


@pytest.mark.parametrize("power", [5, 9, 40])
def test_integrals_add_up_however_few_points_they_took(power: int) -> None:
    """Of a power of 40 ten points know too little, and of 9 nearly enough."""
    q, references, exact, _ = steep_question(power)
    found = integrated(q, references).parts[0]
    assert float(found.sum()) == pytest.approx(float(exact.sum()), rel=1e-6)
    assert float((found - exact).abs().max()) <= 5e-3 * float(exact.abs().max())


def test_easy_integrals_take_one_pass_and_no_other() -> None:
    q, references, _, model = steep_question(3)
    seen: list[int] = []
    handle = model.register_forward_hook(lambda *of: seen.append(of[1][0].n_graphs))
    integrated(q, references)
    handle.remove()
    assert seen == [10]
