"""Shapley values: what an atom adds on average, whoever else is named already."""

from typing import final

import numpy as np

from atomlens.errors import ExplanationError
from atomlens.explain.absence import Mask, without
from atomlens.explain.base import AtomScores, Explainer, methods_sentence
from atomlens.explain.question import Indices, Question, Values
from atomlens.explain.vectors import vector_table

N_PERMUTATIONS = 16
"""Orders in which the atoms are named; every second one is another one reversed."""


@final
class ShapleyExplainer(Explainer):
    """The change of the prediction when an atom's element is named, averaged over orders.

    Shapley (1953); Castro, Gómez and Tejada, "Polynomial calculation of the Shapley value based on
    sampling" (2009). From a structure whose elements are all hidden, the elements are named one
    after the other; the scores of every order add up to y(structure) - y(all hidden), so do their
    means. Sixteen orders are drawn, in pairs of one and its reverse, and the standard error of the
    mean over the pairs is given. Of a formula, the atoms of an element are named together.
    """

    name = "shapley"
    in_target_units = True
    cost = f"{N_PERMUTATIONS} passes for each atom"

    def explain(self, question: Question) -> AtomScores:
        """Name the elements in several orders.

        Raises:
            ExplanationError: the network starts from no vector of each element to be hidden.
        """
        model = question.models[0]
        if not model.knows_masks and vector_table(model) is None:
            raise ExplanationError(
                f"A {type(model).__name__} starts from no vector of each element, so none can be "
                f"hidden; {methods_sentence(model)}"
            )
        units = _units(question)
        of, sets, added = _walks(question, units)
        found = without(question, of, np.concatenate(sets), "mask")
        n_members = len(question.models)
        answers = np.concatenate([found.values[None], found.by_member])
        n_atoms = len(question.structures.atomic_numbers)
        samples = np.zeros((N_PERMUTATIONS, 1 + n_members, n_atoms))
        for order, before, after, atoms in added:
            gain = answers[:, after] - answers[:, before]
            samples[order][:, atoms] = gain[:, None] / len(atoms)
        mean = samples.mean(axis=0)
        pairs = (samples[0::2, 0] + samples[1::2, 0]) / 2
        return AtomScores(
            scores=mean[0],
            by_member=mean[1:],
            errors=pairs.std(axis=0, ddof=1) / len(pairs) ** 0.5,
        )


_Step = tuple[int, int, int, Indices]
"""Number of the order, answers before and after an element is named, and its atoms."""


def _units(question: Question) -> list[list[Indices]]:
    """Return for each structure the atoms that are named together."""
    numbers, offsets = question.structures.atomic_numbers, question.structures.offsets
    found = []
    for first, last in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        atoms = np.arange(first, last)
        if question.nodes_are_atoms:
            found.append(list(atoms[:, None]))
        else:
            own = numbers[first:last]
            found.append([atoms[own == z] for z in np.unique(own)])
    return found


def _walks(
    question: Question, units: list[list[Indices]]
) -> tuple[Indices, list[Mask], list[_Step]]:
    """Return the sets of hidden atoms on all walks from none named to all, and the steps."""
    of: list[int] = []
    sets: list[Mask] = []
    steps: list[_Step] = []
    offsets = question.structures.offsets
    for index, own in enumerate(units):
        draw = np.random.default_rng(0)
        first, n_atoms = int(offsets[index]), int(offsets[index + 1] - offsets[index])
        seen: dict[bytes, int] = {}
        order = np.arange(len(own))
        for number in range(N_PERMUTATIONS):
            order = draw.permutation(len(own)) if number % 2 == 0 else order[::-1]
            hidden = np.ones(n_atoms, dtype=np.bool_)
            at = _remember(hidden, seen, sets, of, index)
            for unit in order.tolist():
                hidden = hidden.copy()
                hidden[own[unit] - first] = False
                then = _remember(hidden, seen, sets, of, index)
                steps.append((number, at, then, own[unit]))
                at = then
    return np.array(of, dtype=np.int64), sets, steps


def _remember(
    hidden: Mask, seen: dict[bytes, int], sets: list[Mask], of: list[int], index: int
) -> int:
    """Return the number of a set; sets that several orders share are asked for once."""
    key = hidden.tobytes()
    if key not in seen:
        seen[key] = len(sets)
        sets.append(hidden)
        of.append(index)
    return seen[key]


def baseline_answers(question: Question) -> Values:
    """(n,) what the walks start from: every element hidden."""
    of = np.arange(len(question.structures))
    absent = np.ones(len(question.structures.atomic_numbers), dtype=np.bool_)
    return without(question, of, absent, "mask").values
