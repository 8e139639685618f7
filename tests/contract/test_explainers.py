"""What every explainer owes its callers, over the tables of explainers and models."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import permutations
from math import factorial

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import molecule
from torch.func import functional_call

from atomlens.errors import ExplanationError
from atomlens.explain import EXPLAINERS, Question, default_method, gradients, masks, methods_of
from atomlens.explain.absence import without
from atomlens.explain.vectors import vector_table
from atomlens.graphs import AtomGraph, GraphBatch, collate, keep_nodes
from atomlens.models import MODELS, PropertyModel
from atomlens.neighbors import make_builder
from atomlens.predictor import Predictor
from atomlens.structures.arrays import StructureArrays
from atomlens.targets import Target
from atomlens.testing import EXPLAINER_CHECKS
from atomlens.testing.questions import asked, trained_around
from graph_makers import lone_atom, random_graph
from model_makers import ADDITIVE_HEADS, kind_of, small_model

NAMES = sorted(MODELS.ours())
REBUILT = "occlusion-rebuilt"  # needs structures that graphs can be built of
METHODS = sorted(set(EXPLAINERS) - {REBUILT})
NEAR = {"rtol": 1e-6, "atol": 1e-9}


def frozen_model(name: str) -> PropertyModel:
    return small_model(name, n_outputs=2).requires_grad_(False).double()


NEED_VECTORS = {
    "gradient",
    "gradient-x-input",
    "integrated-gradients",
    "integrated-gradients-mask",
    "expected-gradients",
    "shapley",
    "learnt-mask",
    "occlusion-mask",
}


def impossible(method: str, model: PropertyModel) -> str:
    if method == "attention" and not model.attends_to_atoms:
        return "the model has no attention over atoms"
    if method == "attention-rollout":
        dtype = next(iter(model.parameters()), torch.zeros(0)).dtype
        if not model(collate([random_graph(4, 2)], dtype)).edge_attention:
            return "the model has no attention over neighbours"
    if method in NEED_VECTORS and vector_table(model) is None:
        return "the model starts from no vector of each element"
    if method == "learnt-mask-edges" and "edge_presence" not in model.edge_fields:
        return "the model has no messages of neighbours that could be masked"
    if method == "integrated-gradients-mask" and not model.knows_masks:
        return "the model has not learned masks"
    if method == "contribution" and not model.is_additive:
        return "the model is no sum over atoms"
    return ""


def skip_if_impossible(method: str, model: PropertyModel) -> None:
    reason = impossible(method, model)
    if reason:
        pytest.skip(reason)


@cache
def reason_against(method: str, name: str) -> str:
    return impossible(method, frozen_model(name))


def value_of_hidden(question: Question) -> float:
    """What is said of one structure with every element hidden."""
    absent = np.ones(len(question.structures.atomic_numbers), dtype=np.bool_)
    return float(without(question, np.zeros(1, dtype=np.int64), absent, "mask").values[0])


def scores_of(method: str, model: PropertyModel, graph: AtomGraph, output: int = 0) -> np.ndarray:
    skip_if_impossible(method, model)
    return EXPLAINERS[method]().explain(asked(model, graph, output)).scores


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("check", EXPLAINER_CHECKS, ids=lambda check: check.__name__)
def test_every_explainer_keeps_what_it_promises(
    check: Callable[..., None], method: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if reason_against(method, name):
        pytest.skip(reason_against(method, name))
    monkeypatch.setattr(masks, "N_STEPS", 12)  # each step is like the one before
    check(EXPLAINERS[method], lambda n_outputs: small_model(name, n_outputs=n_outputs))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", sorted({*METHODS} - {"attention", "attention-rollout"}))
def test_the_chosen_output_is_explained(
    name: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(masks, "N_STEPS", 12)
    model, graph = frozen_model(name), random_graph(6, 4)
    first, second = (scores_of(method, model, graph, output) for output in (0, 1))
    if (name, method) != ("mean", "occlusion"):  # which no atom changes
        assert not np.allclose(first, second)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_without_attention_says_so(name: str) -> None:
    model, graph = frozen_model(name), random_graph(6, 4)
    shares = model(collate([graph], torch.float64)).node_attention
    if model.attends_to_atoms:
        assert float(shares.max() - shares.min()) > 1e-6
    else:
        torch.testing.assert_close(shares, torch.full_like(shares, 1 / len(shares)))
        with pytest.raises(ExplanationError, match="occlusion"):
            EXPLAINERS["attention"]().explain(asked(model, graph))


# ---- in the unit of the target, for every kind of target

GRID = (0.5, 1.0, 2.0, 4.0)
KINDS: dict[str, Target] = {
    "intensive": Target(name="y", unit="eV"),
    "extensive": Target(name="y", unit="eV", extensive=True),
    "referenced": Target(name="y", unit="eV", extensive=True),
    "referenced-intensive": Target(name="y", unit="eV"),
    "nonnegative": Target(name="y", unit="eV", nonnegative=True),
    "class": Target(name="y", kind="classification", classes=("a", "b", "c")),
    "spectrum": Target(name="y", grid=GRID),
}
SHARES = {0: -1.0, 1: -0.5, 6: -3.0, 8: -2.0}
MEAN, STD = -6.0, 0.7


@cache
def two_members(name: str, kind: str) -> Predictor:
    """An ensemble of two with random weights, in double precision."""
    target = KINDS[kind]
    first = small_model(name, n_outputs=target.n_outputs).double()
    second = small_model(name, n_outputs=target.n_outputs).double()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in (*second.parameters(), *second.buffers()):
            if parameter.is_floating_point() and parameter.dim() and "mean" not in name:
                noise = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
                parameter.add_(0.02 * noise)
    builder, settings = kind_of(name).default_builder
    return trained_around(
        first,
        second,
        builder=make_builder(builder, **settings),
        targets=(target,),
        mean=MEAN,
        std=STD,
        shares=SHARES if kind.startswith("referenced") else None,
    )


def question(name: str, kind: str, atoms: Atoms, at: float | None = None) -> Question:
    structures = StructureArrays.from_atoms([atoms])
    trained = two_members(name, kind)
    return Question.about(trained, structures, at=at, device="cpu", dtype=torch.float64)


def answer_by_hand(q: Question, batch: GraphBatch, numbers: np.ndarray) -> float:
    """What `predict` says, from the outputs of the networks and the definition of the target."""
    outputs = np.stack([m(batch).values[0].detach().numpy() for m in q.models])
    target, n = q.target, len(numbers)
    if target.kind == "classification":
        exponents = np.exp(outputs)
        return float((exponents / exponents.sum(axis=1, keepdims=True)).mean(axis=0)[q.label])
    values = outputs.mean(axis=0) * STD + (0.0 if target.nonnegative else MEAN)
    if q.trained.scaling.references[0]:
        values = values + np.mean([SHARES.get(z, SHARES[0]) for z in numbers.tolist()])
    values = values * (n if target.extensive else 1)
    if target.nonnegative:
        values = np.maximum(values, 0)
    return float(values.mean() if q.point is None else values[q.point])


def graph_of(q: Question, atoms: Atoms) -> GraphBatch:
    return collate([q.trained.builder.build(atoms)], torch.float64)


CASES = [(name, kind) for name in NAMES for kind in KINDS]
ETHANOL = molecule("CH3CH2OH")


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_the_answer_is_what_predict_says(name: str, kind: str) -> None:
    q = question(name, kind, ETHANOL)
    by_hand = answer_by_hand(q, q.batch, ETHANOL.numbers)
    assert q.value == pytest.approx(by_hand, rel=1e-9, abs=1e-12)
    outputs = [model(q.batch) for model in q.models]
    assert float(q.answer_to(outputs)) == pytest.approx(by_hand, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_occlusion_is_what_predict_says_less_what_it_says_without(name: str, kind: str) -> None:
    atoms = molecule("CH3OH")
    q = question(name, kind, atoms)
    found = EXPLAINERS["occlusion"]().explain(q)
    expected = []
    for i in range(len(atoms)):
        rest = atoms[[j for j in range(len(atoms)) if j != i]]
        # the neighbours of the others stay; a graph of a formula is made anew
        kept = torch.arange(q.batch.n_nodes) != i
        batch = keep_nodes(q.batch, kept) if q.nodes_are_atoms else graph_of(q, rest)
        expected.append(q.value - answer_by_hand(q, batch, rest.numbers))
    np.testing.assert_allclose(found.scores, expected, rtol=1e-8, atol=1e-10)
    assert found.by_member.shape == (2, len(atoms))
    if kind != "nonnegative":
        np.testing.assert_allclose(found.by_member.mean(axis=0), expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_rebuilt_hole_is_what_predict_says_of_the_structure_without_the_atom(
    name: str, kind: str
) -> None:
    atoms = molecule("CH3OH")
    q = question(name, kind, atoms)
    found = EXPLAINERS[REBUILT]().explain(q)
    for i in range(len(atoms)):
        rest = atoms[[j for j in range(len(atoms)) if j != i]]
        expected = q.value - answer_by_hand(q, graph_of(q, rest), rest.numbers)
        assert found.scores[i] == pytest.approx(expected, rel=1e-4, abs=1e-5)  # edges in float32


TOGETHER = ("CH3OH", "CO", "CH3CH2OH")
ASKED_ALONE = [
    (name, [*KINDS][(len(TOGETHER) * k + which) % len(KINDS)], which)
    for k, name in enumerate(NAMES)
    for which in range(len(TOGETHER))
]
"""Every model with every molecule; the kinds of target take turns, since they come after models."""


@pytest.mark.parametrize(("name", "kind", "which"), ASKED_ALONE)
def test_a_structure_does_not_feel_those_that_are_explained_with_it(
    name: str, kind: str, which: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(masks, "N_STEPS", 3)  # each is like the one before
    monkeypatch.setattr(gradients, "N_REFERENCES", 16)
    trained = two_members(name, kind)
    molecules = [molecule(m) for m in TOGETHER]
    together = Question.about(
        trained, StructureArrays.from_atoms(molecules), device="cpu", dtype=torch.float64
    )
    alone = question(name, kind, molecules[which])
    own = together.structure_index == which
    for method in METHODS:
        if impossible(method, trained.models[0]):
            continue
        found, expected = (EXPLAINERS[method]().explain(q) for q in (together, alone))
        # Adam divides by the size of a gradient, so that rounding shows where it is nearly zero
        near = {"rtol": 5e-3, "atol": 1e-3} if method.startswith("learnt-mask") else NEAR
        np.testing.assert_allclose(found.scores[own], expected.scores, **near)
        np.testing.assert_allclose(found.by_member[:, own], expected.by_member, **near)


# ---- methods that sample

SAMPLED = ["expected-gradients", "shapley"]
BENZENE = molecule("C6H6")


@pytest.mark.parametrize("method", SAMPLED)
@pytest.mark.parametrize("name", ["scann-plus", "lens"])
@pytest.mark.parametrize("kind", ["referenced", "class"])
def test_sampled_scores_know_no_order_of_atoms(method: str, name: str, kind: str) -> None:
    first = EXPLAINERS[method]().explain(question(name, kind, BENZENE))
    carbons = first.scores[BENZENE.numbers == 6]
    np.testing.assert_allclose(carbons, carbons[0], rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(first.by_member[:, 0], first.by_member[:, 3], rtol=1e-5, atol=1e-9)
    order = np.random.default_rng(2).permutation(len(ETHANOL))
    first = EXPLAINERS[method]().explain(question(name, kind, ETHANOL))
    other = EXPLAINERS[method]().explain(question(name, kind, ETHANOL[order]))
    assert first.errors is not None
    assert first.errors.max() > 0
    assert np.ptp(first.scores[ETHANOL.numbers == 1]) > 0
    apart = np.abs(first.scores[order] - other.scores)
    assert apart.max() <= 0.01 * first.errors.max()


@pytest.mark.parametrize("kind", ["class", "extensive", "nonnegative", "referenced-intensive"])
def test_expected_gradients_add_up_to_the_difference_to_the_elements(kind: str) -> None:
    q = question("scann-plus", kind, ETHANOL)
    known = np.flatnonzero(q.models[0].knows_elements().numpy())
    elements = known[known > 0]
    found = EXPLAINERS["expected-gradients"]().explain(q)
    tables = [table_of(m) for m in q.models]
    expected = []
    for z in elements:
        rows = [table[z].expand_as(table) for table in tables]
        expected.append(q.value - with_tables(q, rows))
    due = np.mean(expected)
    if kind.startswith("referenced"):
        shares = np.mean([SHARES.get(z, SHARES[0]) for z in ETHANOL.numbers.tolist()])
        of_others = np.mean([SHARES.get(z, SHARES[0]) for z in elements.tolist()])
        due += (shares - of_others) * (len(ETHANOL) if q.target.extensive else 1)
    assert found.scores.sum() == pytest.approx(due, rel=1e-6, abs=1e-9)


def test_the_error_of_sampling_is_what_other_draws_differ_by(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    q = question("scann-plus", "intensive", ETHANOL)
    draw = np.random.default_rng
    for method in SAMPLED:
        found = []
        for seed in range(6):
            monkeypatch.setattr(np.random, "default_rng", lambda _, seed=seed: draw(seed))
            found.append(EXPLAINERS[method]().explain(q))
        monkeypatch.setattr(np.random, "default_rng", draw)
        apart = np.stack([one.scores for one in found]).std(axis=0, ddof=1)
        said = np.mean([one.errors for one in found if one.errors is not None], axis=0)
        assert 0.3 < (said / apart).mean() < 3


def test_the_shapley_values_of_few_atoms_are_exact() -> None:
    q = question("scann-plus", "intensive", molecule("CH3OH"))
    found = EXPLAINERS["shapley"]().explain(q)
    n = len(q.structures.atomic_numbers)
    sets = np.array([[i >> k & 1 for k in range(n)] for i in range(2**n)], dtype=bool)
    values = without(q, np.zeros(2**n, dtype=np.int64), sets.ravel(), "mask").values
    expected = np.zeros(n)
    for order in permutations(range(n)):
        hidden = 2**n - 1
        for atom in order:
            expected[atom] += values[hidden - 2**atom] - values[hidden]
            hidden -= 2**atom
    np.testing.assert_allclose(found.scores, expected / factorial(n), rtol=1e-7, atol=1e-12)
    np.testing.assert_array_equal(found.errors, 0)


# ---- contributions

ADDITIVE = ["lens", *ADDITIVE_HEADS]


@pytest.mark.parametrize("name", ADDITIVE)
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_contributions_add_up_to_the_prediction_less_the_mean(name: str, kind: str) -> None:
    q = question(name, kind, ETHANOL)
    found = EXPLAINERS["contribution"]().explain(q)
    outputs = np.stack([m(q.batch).values[0].numpy() for m in q.models])
    if kind == "class":
        others = (outputs.sum(axis=1) - outputs[:, q.label]) / 2
        expected = outputs[:, q.label] - others
    else:
        per_atom = outputs * STD + (0.0 if kind == "nonnegative" else MEAN)
        expected = per_atom.mean(axis=1)
        if kind.startswith("referenced"):
            expected = expected + np.mean([SHARES[z] for z in ETHANOL.numbers.tolist()])
        if q.target.extensive:
            expected = expected * len(ETHANOL)
        # what a user calls the mean of the training values: that of the element reference
        mean = {"intensive": MEAN, "spectrum": MEAN, "referenced-intensive": SHARES[0]}
        expected = expected - mean.get(kind, 0.0)
        assert q.offset == mean.get(kind, 0.0)
        if kind != "nonnegative":
            assert found.scores.sum() + q.offset == pytest.approx(q.value, rel=1e-9)
    np.testing.assert_allclose(found.by_member.sum(axis=1), expected, rtol=1e-9)
    assert found.scores.sum() == pytest.approx(expected.mean(), rel=1e-9)
    assert np.ptp(found.scores) > 1e-4


@pytest.mark.parametrize("name", ADDITIVE)
def test_each_target_has_its_own_attention(name: str) -> None:
    model, graph = frozen_model(name), random_graph(6, 4)
    output = model(collate([graph], torch.float64))
    for target in (0, 1):
        found = scores_of("attention", model, graph, target)
        expected = output.node_target_attention[:, target].numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("name", sorted({*NAMES} - {*ADDITIVE}))
def test_a_model_without_terms_names_the_methods_that_it_has(name: str) -> None:
    model = frozen_model(name)
    with pytest.raises(ExplanationError, match=r"no contributions; use another method: .*occlu"):
        EXPLAINERS["contribution"]().explain(asked(model, random_graph(6, 4)))
    for method in methods_of(model):
        assert np.isfinite(scores_of(method, model, random_graph(6, 4))).all()
    assert default_method(model) == ("attention" if model.attends_to_atoms else "occlusion")


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_shapley_values_add_up_to_the_difference_to_hidden_elements(name: str, kind: str) -> None:
    q = question(name, kind, molecule("CH3OH"))
    skip_if_impossible("shapley", q.models[0])
    found = EXPLAINERS["shapley"]().explain(q)
    hidden = value_of_hidden(q)
    assert found.scores.sum() == pytest.approx(q.value - hidden, rel=1e-7, abs=1e-9)
    assert found.reference == pytest.approx(hidden, rel=1e-7, abs=1e-9)
    assert found.errors is not None
    assert found.errors.shape == (6,)


def test_shapley_values_of_a_sum_are_its_terms() -> None:
    """A network that was made to be a sum of element terms: every order says the same."""
    model = small_model("lens", consistency=1.0).double()
    with torch.no_grad():
        model.readout.query.weight.zero_()
        model.readout.query.bias.zero_()  # even attention
        for layer in model.layers:
            for parameter in layer.parameters():
                parameter.zero_()
    q = asked(model, random_graph(6, 3))
    found = EXPLAINERS["shapley"]().explain(q)
    alone = EXPLAINERS["occlusion-mask"]().explain(q)
    np.testing.assert_allclose(found.scores, alone.scores, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.errors, 0, atol=1e-12)


@pytest.mark.parametrize("name", ADDITIVE)
def test_integrated_gradients_from_masks_add_up(name: str) -> None:
    for kind in ("intensive", "extensive", "referenced", "referenced-intensive"):
        q = question(name, kind, ETHANOL)
        found = EXPLAINERS["integrated-gradients-mask"]().explain(q)
        size = float(np.abs(found.scores).sum())
        hidden = value_of_hidden(q)
        assert found.scores.sum() == pytest.approx(q.value - hidden, abs=0.04 * size)
        assert found.reference == pytest.approx(hidden, abs=0.04 * size)


def table_of(model: PropertyModel) -> torch.Tensor:
    """The vectors of the elements, as they stand in the model."""
    found = vector_table(model)
    assert found is not None
    return found[1]


def with_tables(q: Question, rows: list[torch.Tensor]) -> float:
    """What `predict` says if each member has other vectors of the elements."""
    tables = [table_of(m) for m in q.models]
    before = [table.detach().clone() for table in tables]
    try:
        with torch.no_grad():
            for table, row in zip(tables, rows, strict=True):
                table.copy_(row)
        return float(q.answers(q.batch, q.structures).values[0])
    finally:
        for table, row in zip(tables, before, strict=True):
            table.data.copy_(row)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_integrated_gradients_add_up_to_the_difference_of_what_predict_says(
    name: str, kind: str
) -> None:
    q = question(name, kind, ETHANOL)
    skip_if_impossible("integrated-gradients", q.models[0])
    found = EXPLAINERS["integrated-gradients"]().explain(q)
    average = []
    for model in q.models:
        table = table_of(model)
        average.append(table[q.batch.atomic_numbers].mean(dim=0).expand_as(table))
    reference = with_tables(q, average)
    size = float(np.abs(found.scores).sum())
    assert found.scores.sum() == pytest.approx(q.value - reference, abs=0.03 * size + 1e-9)
    assert found.reference == pytest.approx(reference, abs=0.03 * size + 1e-9)
    np.testing.assert_allclose(found.by_member.mean(axis=0), found.scores, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_the_gradient_is_how_fast_predict_answers(name: str, kind: str) -> None:
    """Differences along a gradient of our own, which must be the longest, and across it."""
    q = question(name, kind, molecule("CO"))  # each element once: its row is the atom's vector
    skip_if_impossible("gradient", q.models[0])
    found = EXPLAINERS["gradient"]().explain(q)
    model, *rest = q.models
    table = vector_table(model)
    assert table is not None
    rows = table[1].clone().requires_grad_()
    with torch.enable_grad():
        outputs = [
            functional_call(model, {table[0]: rows}, (q.batch,)),
            *(m(q.batch) for m in rest),
        ]
        gradient = torch.autograd.grad(q.answer_to(outputs).sum(), rows)[0][6]
    size = float(gradient.norm())
    across = torch.randn(gradient.shape, generator=torch.Generator().manual_seed(2)).double()
    others, step = [table_of(m).clone() for m in rest], 1e-6
    for direction in (gradient / max(size, 1e-12), across / across.norm()):
        moved = []
        for sign in (1, -1):
            shifted = rows.detach().clone()
            shifted[6] += sign * step * direction
            moved.append(with_tables(q, [shifted, *others]))
        slope = (moved[0] - moved[1]) / (2 * step)
        due = float(gradient @ direction)
        assert slope == pytest.approx(due, abs=1e-3 * size + 1e-7)
    carbon = int(np.flatnonzero(q.structure.atomic_numbers == 6)[0])
    length = len(q.models) * size
    assert found.by_member[0, carbon] == pytest.approx(length, rel=1e-3, abs=1e-7)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_attention_adds_up_to_one_whatever_the_target(name: str, kind: str) -> None:
    q = question(name, kind, ETHANOL)
    skip_if_impossible("attention", q.models[0])
    found = EXPLAINERS["attention"]().explain(q)
    assert found.scores.sum() == pytest.approx(1)
    np.testing.assert_allclose(found.by_member.sum(axis=1), 1)


@pytest.mark.parametrize("name", ["cgcnn", "ridge", "finder"])
def test_one_point_of_a_spectrum_is_asked_for(name: str) -> None:
    whole = EXPLAINERS["occlusion"]().explain(question(name, "spectrum", ETHANOL)).scores
    points = [
        EXPLAINERS["occlusion"]().explain(question(name, "spectrum", ETHANOL, at=at)).scores
        for at in GRID
    ]
    np.testing.assert_allclose(np.mean(points, axis=0), whole, rtol=1e-9, atol=1e-12)
    assert np.ptp(points, axis=0).max() > 1e-6


def test_each_atom_of_propane_has_its_eleventh_of_an_extensive_mean() -> None:
    import atomlens as al
    from atomlens.datasets import Dataset

    propane = molecule("C3H8")
    data = Dataset(
        name="propane",
        structures=StructureArrays.from_atoms([propane] * 10),
        targets=(Target(name="energy", unit="eV", extensive=True),),
        values=np.full((10, 1), 22.0),
    )
    with pytest.warns(UserWarning, match="nothing to learn"):
        trained = al.train(data, model="mean")
    explained = trained.explain(propane, method="occlusion")
    assert explained.prediction == pytest.approx(22)
    np.testing.assert_allclose(explained.scores, 2.0, rtol=1e-6)
    assert explained.score_unit == "eV"


def test_an_atom_of_a_formula_is_one_of_its_element() -> None:
    ridge = two_members("ridge", "intensive")
    structures = StructureArrays.from_atoms([Atoms("Fe2O3", info={"is_formula": True})])
    q = Question.about(ridge, structures, device="cpu", dtype=torch.float64)
    found = EXPLAINERS["occlusion"]().explain(q).scores
    for atom, rest in ((0, "FeO3"), (4, "Fe2O2")):
        batch = graph_of(q, Atoms(rest, info={"is_formula": True}))
        expected = q.value - answer_by_hand(q, batch, Atoms(rest).numbers)
        assert found[atom] == pytest.approx(expected, rel=1e-9)


# ---- masks on edges

MASKED = [n for n in [*NAMES, *ADDITIVE_HEADS] if "edge_presence" in kind_of(n).edge_fields]


def heard(model: PropertyModel, batch: GraphBatch, presence: torch.Tensor) -> torch.Tensor:
    return model(batch.with_fields(edge_presence=presence)).values


@pytest.mark.parametrize("name", MASKED)
def test_a_masked_edge_says_nothing_and_a_whole_one_everything(name: str) -> None:
    model = small_model(name, n_outputs=2).requires_grad_(False).double()
    batch = collate([random_graph(7, 4)], torch.float64)
    ones = torch.ones(batch.n_edges, dtype=torch.float64)
    torch.testing.assert_close(heard(model, batch, ones), model(batch).values)
    # an atom of another element is not heard through masked edges; where its neighbours compare
    # it with others (attention), only if they hear nobody at all
    last = 6
    towards = (batch.edge_index == last).any(dim=0)
    for presence in (0 * ones, torch.where(towards, 0 * ones, ones)):
        masked = batch.with_fields(edge_presence=presence)
        numbers = batch.atomic_numbers.clone()
        numbers[last] = 9 if int(numbers[last]) != 9 else 8
        before, after = model(masked), model(replace(masked, atomic_numbers=numbers))
        if presence.any() and before.edge_attention:
            continue
        assert before.node_features is not None
        torch.testing.assert_close(after.node_features[:last], before.node_features[:last])
    assert not torch.allclose(heard(model, batch, 0 * ones), model(batch).values)


@pytest.mark.parametrize("name", MASKED)
def test_the_compiled_loops_hear_what_the_tensors_hear(name: str) -> None:
    model = small_model(name, n_outputs=1).requires_grad_(False)
    batch = collate([random_graph(40, 20, seed=s) for s in range(3)])
    presence = torch.rand(batch.n_edges, generator=torch.Generator().manual_seed(0))
    quick = heard(model, batch, presence)
    presence.requires_grad_()
    with torch.enable_grad():
        plain = heard(model, batch, presence)
        (gradient,) = torch.autograd.grad(plain.sum(), [presence])
    torch.testing.assert_close(quick, plain.detach(), rtol=1e-4, atol=1e-5)
    assert float((gradient != 0).double().mean()) > 0.9


@pytest.mark.parametrize("name", MASKED)
def test_masks_on_edges_find_the_neighbours_that_are_needed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(masks, "N_STEPS", 12)
    q = question(name, "intensive", ETHANOL)
    found = EXPLAINERS["learnt-mask-edges"]().explain(q)
    assert found.joint
    assert found.edge_scores is not None
    assert found.edge_scores.shape == (q.batch.n_edges,)
    assert found.edge_scores.sum() == pytest.approx(1)
    by_atom = np.zeros(len(ETHANOL))
    for end in q.batch.edge_index.numpy():
        np.add.at(by_atom, end, found.edge_scores / 2)
    np.testing.assert_allclose(found.scores, by_atom, atol=1e-12)
    assert "edge_presence" not in q.batch.fields


def test_models_without_messages_and_lone_atoms_have_no_masks_on_edges() -> None:
    with pytest.raises(ExplanationError, match="no messages of neighbours"):
        EXPLAINERS["learnt-mask-edges"]().explain(question("ridge", "intensive", ETHANOL))
    alone = asked(frozen_model("lens"), lone_atom())
    with pytest.raises(ExplanationError, match="an atom alone"):
        EXPLAINERS["learnt-mask-edges"]().explain(alone)
