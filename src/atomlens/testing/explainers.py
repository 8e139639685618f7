"""What every explainer owes its callers."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from atomlens.explain import AtomScores, Explainer, Question
from atomlens.graphs import AtomGraph
from atomlens.models import PropertyModel, make_model
from atomlens.targets import Target
from atomlens.testing.graphs import random_graph, shuffled
from atomlens.testing.models import made_ready
from atomlens.testing.questions import asked

if TYPE_CHECKING:
    MakeModel = Callable[[int], PropertyModel]

KINDS: dict[str, Target] = {
    "intensive": Target(name="y", unit="eV"),
    "extensive": Target(name="y", unit="eV", extensive=True),
    "nonnegative": Target(name="y", unit="eV", nonnegative=True),
    "class": Target(name="y", kind="classification", classes=("a", "b", "c")),
    "spectrum": Target(name="y", grid=(0.5, 1.0, 2.0, 4.0)),
}
"""A target of every kind."""


def check_explainer(
    explainer: type[Explainer], make: "Callable[[int], PropertyModel] | None" = None
) -> None:
    """Check an explainer as those of this package are checked.

    Args:
        explainer: Its class.
        make: Gives a model with so many outputs that the method can explain; by default small
            ones of the kinds ``scann-plus`` and ``cgcnn``, of which the first attends to atoms.

    Raises:
        AssertionError: a fact does not hold; the message says which.
        ExplanationError: the method cannot explain that model.
    """
    makers = [_small("scann-plus")] if make is None else [make]
    if make is None and explainer.in_target_units:
        makers.append(_small("cgcnn"))
    for maker in makers:
        for check in EXPLAINER_CHECKS:
            check(explainer, maker)


def _small(name: str) -> Callable[[int], PropertyModel]:
    sizes = {"n_layers": 2, "n_features": 16}

    def make(n_outputs: int) -> PropertyModel:
        torch.manual_seed(0)
        return made_ready(make_model(name, n_outputs=n_outputs, **sizes))

    return make


def _question(make: "MakeModel", graph: AtomGraph, kind: str = "intensive") -> Question:
    target = KINDS[kind]
    model = make(target.n_outputs).double().requires_grad_(False)
    return asked(model, graph, targets=(target,), mean=-6.0, std=0.7)


def _scores(explainer: type[Explainer], question: Question) -> NDArray[np.float64]:
    found = explainer().explain(question)
    assert isinstance(found, AtomScores), "explain must return AtomScores"
    return found.scores


def every_atom_has_a_finite_score(explainer: type[Explainer], make: "MakeModel") -> None:
    """For every kind of target, and for each member of an ensemble."""
    for kind in KINDS:
        question = _question(make, random_graph(7, 4), kind)
        found = explainer().explain(question)
        assert found.scores.shape == (7,), f"{kind}: scores have the shape {found.scores.shape}"
        assert np.isfinite(found.scores).all(), f"{kind}: a score is not finite"
        shape = found.by_member.shape
        assert shape == (1, 7), f"{kind}: by_member has the shape {shape} for one member"


def scores_follow_the_atoms(explainer: type[Explainer], make: "MakeModel") -> None:
    """The same structure written in another order."""
    graph = random_graph(7, 4)
    order = torch.randperm(7, generator=torch.Generator().manual_seed(1))
    found = [explainer().explain(_question(make, g)) for g in (graph, shuffled(graph, order))]
    before, after = (f.scores for f in found)
    allowed: float | NDArray[np.float64] = 1e-9
    if found[1].errors is not None:  # sampled anew
        allowed = 8 * found[1].errors + 1e-9
    same = bool((np.abs(before[order.numpy()] - after) <= 1e-6 * np.abs(after) + allowed).all())
    assert same, "scores do not follow the atoms into another order"


def explaining_leaves_the_weights_alone(explainer: type[Explainer], make: "MakeModel") -> None:
    """An explainer reads a model; no weight and no gradient is left changed."""
    question = _question(make, random_graph(5, 3))
    (model,) = question.models
    before = {k: v.clone() for k, v in model.state_dict().items()}
    explainer().explain(question)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), f"explaining changes the weight {name}"
    assert all(p.grad is None for p in model.parameters()), "explaining leaves gradients behind"


def explaining_twice_gives_the_same(explainer: type[Explainer], make: "MakeModel") -> None:
    """Nothing is left to chance."""
    question = _question(make, random_graph(6, 4))
    first, again = _scores(explainer, question), _scores(explainer, question)
    assert np.array_equal(first, again), "explaining twice gives other scores"


def shares_add_up_to_one(explainer: type[Explainer], make: "MakeModel") -> None:
    """Scores that are no changes of the prediction are shares of the structure."""
    if explainer.in_target_units:
        return
    total = float(_scores(explainer, _question(make, random_graph(9, 4))).sum())
    assert abs(total - 1) < 1e-6, f"the shares add up to {total:.6g} and not to 1"


def changes_are_in_the_unit_of_the_target(explainer: type[Explainer], make: "MakeModel") -> None:
    """A target of a scale twice as large has scores twice as large."""
    if not explainer.in_target_units:
        return
    graph, target = random_graph(6, 4), (KINDS["intensive"],)
    once, twice = (
        _scores(explainer, asked(make(1).double(), graph, targets=target, std=std))
        for std in (1.0, 2.0)
    )
    same = np.allclose(2 * once, twice, rtol=1e-6, atol=1e-9)
    assert same, "scores are not in the unit of the target: they do not grow with its scale"


EXPLAINER_CHECKS: tuple[Callable[[type[Explainer], "MakeModel"], None], ...] = (
    every_atom_has_a_finite_score,
    scores_follow_the_atoms,
    explaining_leaves_the_weights_alone,
    explaining_twice_gives_the_same,
    shares_add_up_to_one,
    changes_are_in_the_unit_of_the_target,
)
"""The facts, each a function of a class of explainers and a maker of models."""
