"""Occlusion of large structures works out again what an atom reaches: the same numbers."""

import numpy as np
import pytest
import torch
from torch import nn

from atomlens.explain import EXPLAINERS, Question, local
from atomlens.graphs import FIELDS, AtomGraph
from atomlens.models import MODELS
from atomlens.models.base import PropertyModel
from atomlens.models.scann import fused, tiles
from atomlens.targets import Target
from atomlens.testing.graphs import random_graph
from atomlens.testing.questions import GivenGraph, asked, structures_of, trained_around
from model_makers import small_model

VARIANTS = [
    ("lens", {}),
    ("lens", {"smooth": True, "element_base": True, "n_outputs": 2}),
    ("lens", {"predict_scale": True}),
    ("scann", {}),
    ("scann-plus", {"readout": "paper"}),
    ("scann-plus", {"readout": "reference"}),
    ("scann-plus", {"readout": "mean", "predict_scale": True}),
    ("scann-plus:additive", {}),
    ("cgcnn", {}),
    ("cgcnn:additive", {"predict_scale": True}),
    ("scann-plus", {"n_layers": 4}),
    ("scann", {"n_layers": 4}),
    ("cgcnn", {"n_layers": 4}),
    ("ae-cgcnn", {"pooling": "mean", "n_layers": 4}),
    ("ae-cgcnn", {"pooling": "mean"}),
    ("ae-cgcnn", {"pooling": "mean", "edge_first": True}),
]


def chain(n_nodes: int, n_near: int = 2) -> AtomGraph:
    """Atoms in a row, each with its nearest on both sides, so that messages go a little way."""
    graph = random_graph(n_nodes, 2 * n_near, seed=3)
    steps = torch.tensor([s for k in range(1, n_near + 1) for s in (-k, k)])
    source = (torch.arange(n_nodes).unsqueeze(1) + steps).remainder(n_nodes).flatten()
    target = torch.arange(n_nodes).repeat_interleave(2 * n_near)
    keep = torch.ones(len(source), dtype=torch.bool)
    keep[:3] = False  # not symmetric, and one atom with a single neighbour
    own = {n: v[keep] if FIELDS[n].scope == "edge" else v for n, v in graph.fields.items()}
    return AtomGraph(
        atomic_numbers=graph.atomic_numbers,
        edge_index=torch.stack([source, target])[:, keep],
        distances=graph.distances[keep],
        images=graph.images[keep],
        fields=own,
    )


def both(question: Question, monkeypatch: pytest.MonkeyPatch) -> tuple[np.ndarray, np.ndarray]:
    """The scores as they are found locally, and with the whole structure anew."""
    explainer = EXPLAINERS["occlusion"]()
    monkeypatch.setattr(local, "LEAST_ATOMS", 10**9)
    whole = explainer.explain(question).scores
    monkeypatch.setattr(local, "LEAST_ATOMS", 2)
    called: list[int] = []
    without = local._Known.without
    monkeypatch.setattr(
        local._Known, "without", lambda self, gone: called.append(1) or without(self, gone)
    )
    found = explainer.explain(question).scores
    assert called
    return found, whole


@pytest.mark.parametrize(("name", "settings"), VARIANTS)
def test_local_occlusion_is_that_of_the_whole_structure(
    name: str, settings: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = small_model(name, **settings).double()
    question = asked(model, chain(40), mean=0.3, std=2.0, shares={0: 0.1, 6: 1.5, 8: -0.4})
    found, whole = both(question, monkeypatch)
    assert np.abs(whole).max() > 1e-4
    assert found == pytest.approx(whole, abs=1e-9)


@pytest.mark.parametrize(("name", "settings"), VARIANTS)
def test_nothing_depends_on_what_is_kept_or_taken_together(
    name: str, settings: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "_MOST_KEPT", 0)
    monkeypatch.setattr(local, "_EDGES_AT_ONCE", 200)
    model = small_model(name, **settings).double()
    found, whole = both(asked(model, chain(40), mean=0.3, std=2.0), monkeypatch)
    assert found == pytest.approx(whole, abs=1e-9)


@pytest.mark.parametrize(("name", "settings"), [("lens", {}), ("scann-plus", {}), ("scann", {})])
def test_compiled_loops_give_the_same(
    name: str, settings: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, graph = small_model(name, **settings), chain(40)
    whole = both(asked(model.double(), graph), monkeypatch)[1]
    trained = trained_around(
        model.float(), builder=GivenGraph(graph=graph), targets=(Target(name="y0"),)
    )
    question = Question.about(trained, structures_of(graph), device="cpu")
    monkeypatch.setattr(tiles, "EDGES_OF_A_TILE", 50)
    for least in (0, 60):  # every layer by compiled loops, and only those with more edges
        monkeypatch.setattr(fused, "MIN_EDGES", least)
        found = both(question, monkeypatch)[0]
        assert found == pytest.approx(whole, abs=2e-3 * np.abs(whole).max())


def test_a_sum_over_atoms_a_class_and_an_ensemble(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = chain(30)
    members = [small_model("lens", n_outputs=4).double() for _ in range(2)]
    with torch.no_grad():
        for parameter in members[1].parameters():
            parameter.mul_(1.1)
    targets = (
        Target(name="energy", unit="eV", extensive=True),
        Target(name="kind", kind="classification", classes=("a", "b", "c")),
    )
    trained = trained_around(*members, builder=GivenGraph(graph=graph), targets=targets)
    for target in targets:
        question = Question.about(
            trained, structures_of(graph), target=target.name, device="cpu", dtype=torch.float64
        )
        found, whole = both(question, monkeypatch)
        assert found == pytest.approx(whole, abs=1e-9)


def test_members_that_reach_all_atoms_stand_beside_others(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = chain(40)
    charged = small_model("lens", n_charges=5)
    with torch.no_grad():
        charged.get_parameter("charge_input.weight").normal_()
    members = [small_model("lens", n_layers=1).double(), charged.double()]
    trained = trained_around(
        *members, builder=GivenGraph(graph=graph), targets=(Target(name="y0"),)
    )
    question = Question.about(trained, structures_of(graph), device="cpu", dtype=torch.float64)
    assert [m.local_pass(question.batch) is None for m in members] == [False, True]
    found, whole = both(question, monkeypatch)
    assert found == pytest.approx(whole, abs=1e-9)


def test_only_what_an_atom_reaches_is_worked_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two layers of two neighbours on each side: eight atoms around each of 200."""
    model = small_model("cgcnn").double()
    rows: list[int] = []
    monkeypatch.setattr(local, "LEAST_ATOMS", 2)
    question = asked(model, chain(200))
    kind = type(model.local_pass(question.batch))
    after = kind.after

    def counted(self, layer, targets, *rest):  # type: ignore[no-untyped-def]
        rows.append(len(targets))
        return after(self, layer, targets, *rest)

    monkeypatch.setattr(kind, "after", counted)
    EXPLAINERS["occlusion"]().explain(question)
    assert rows[:2] == [200, 200]
    assert sum(rows[2:]) <= 200 * (4 + 8)


def test_a_model_whose_layers_nobody_has_written_is_asked_as_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(local, "LEAST_ATOMS", 2)
    question = asked(small_model("finder", mode="structure").double(), chain(12))
    assert local.without_each(question) is None
    assert len(EXPLAINERS["occlusion"]().explain(question).scores) == 12


def test_every_model_of_the_table_answers_the_same_either_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also those that say that they have no local pass in some settings."""
    for name in MODELS:
        if MODELS[name].local_pass is PropertyModel.local_pass:
            continue
        model = small_model(name).double()
        assert isinstance(model, nn.Module)
        question = asked(model, chain(24))
        if local.without_each(question) is None and model.local_pass(question.batch) is None:
            continue
        found, whole = both(question, monkeypatch)
        assert found == pytest.approx(whole, abs=1e-9), name
