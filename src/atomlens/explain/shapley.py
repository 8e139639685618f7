"""Shapley values: what an atom adds on average, whoever else is named already."""

from dataclasses import dataclass
from itertools import product
from math import comb
from typing import final

import numpy as np

from atomlens.errors import ExplanationError
from atomlens.explain.absence import Mask, without
from atomlens.explain.alike import alike_atoms
from atomlens.explain.base import AtomScores, Explainer, methods_sentence
from atomlens.explain.question import Indices, Question
from atomlens.explain.vectors import vector_table

_N_PAIRS = 8
"""Orders that are drawn; each is taken backwards too."""
_MOST_FOR_ALL = 6
"""Atoms of which all sets are asked for: that takes less than the orders."""


@final
class ShapleyExplainer(Explainer):
    """The change of the prediction when an atom's element is named, averaged over orders.

    Shapley (1953); Castro, Gómez and Tejada, "Polynomial calculation of the Shapley value based on
    sampling" (2009). From a structure whose elements are all hidden, the elements are named one
    after the other; the scores of every order add up to y(structure) - y(all hidden), so do their
    means. Of up to six atoms all orders are taken. Of more sixteen are drawn, in pairs of one and
    its reverse, and the standard error of the mean over the pairs is given. Atoms that nothing in
    the graph tells apart have one score, their mean, and the order of the atoms in a file decides
    no draw. Of a formula, the atoms of an element are named together.
    """

    name = "shapley"
    in_target_units = True

    def explain(self, question: Question) -> AtomScores:
        """Name the elements in several orders, or in all.

        Raises:
            ExplanationError: the network starts from no vector of each element to be hidden.
        """
        model = question.models[0]
        if not model.knows_masks and vector_table(model) is None:
            raise ExplanationError(
                f"A {type(model).__name__} starts from no vector of each element, so none can be "
                f"hidden; {methods_sentence(model)}"
            )
        kinds, places = alike_atoms(question)
        walks = _Walks.over(question, _units(question, places))
        found = without(question, np.array(walks.of), np.concatenate(walks.sets), "mask")
        answers = np.concatenate([found.values[None], found.by_member])
        pairs = np.zeros((_N_PAIRS, len(answers), len(kinds)))
        for pair, share, before, after, atoms in walks.steps:
            gain = (answers[:, after] - answers[:, before]) * (share / len(atoms))
            pairs[pair][:, atoms] += gain[:, None]
        members = np.bincount(kinds)
        for own in pairs.reshape(-1, len(kinds)):  # what is equal by symmetry has one score
            own[:] = (np.bincount(kinds, own) / members)[kinds]
        mean = pairs.mean(axis=0)
        errors = pairs[:, 0].std(axis=0, ddof=1) / _N_PAIRS**0.5
        errors[np.ptp(pairs[:, 0], axis=0) == 0] = 0  # not its rounding
        return AtomScores(
            scores=mean[0],
            by_member=mean[1:],
            errors=errors,
            reference=answers[0, [walks.none_named(i) for i in range(len(question.structures))]],
        )


_Step = tuple[int, float, int, int, Indices]
"""Pair of orders, share in its mean, answers before and after an element is named, its atoms."""


def _units(question: Question, places: Indices) -> list[list[Indices]]:
    """Return for each structure the atoms that are named together, in an order of their own."""
    numbers, offsets = question.structures.atomic_numbers, question.structures.offsets
    found = []
    for first, last in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        atoms = np.arange(first, last)
        if question.nodes_are_atoms:
            found.append(list(atoms[np.argsort(places[first:last], kind="stable")][:, None]))
        else:
            own = numbers[first:last]
            found.append([atoms[own == z] for z in np.unique(own)])
    return found


@dataclass(frozen=True, slots=True)
class _Walks:
    """Sets of hidden atoms on walks from none named to all, and their steps."""

    of: list[int]
    sets: list[Mask]
    steps: list[_Step]

    @classmethod
    def over(cls, question: Question, units: list[list[Indices]]) -> "_Walks":
        walks = cls([], [], [])
        offsets = question.structures.offsets.tolist()
        for index, own in enumerate(units):
            rows = np.zeros((len(own), offsets[index + 1] - offsets[index]), dtype=np.bool_)
            for unit, atoms in enumerate(own):
                rows[unit, atoms - offsets[index]] = True
            if len(own) <= _MOST_FOR_ALL:
                walks._take_all(index, own, rows)
            else:
                walks._take_some(index, own, rows)
        return walks

    def none_named(self, index: int) -> int:
        """Return the number of the set of a structure that hides all of its atoms."""
        return next(n for n, of in enumerate(self.of) if of == index and self.sets[n].all())

    def _take_all(self, index: int, own: list[Indices], rows: Mask) -> None:
        """Take every set, each with the share of the orders that go through it."""
        n = len(own)
        sets = list(product([False, True], repeat=n))
        numbers = {named: self._add(index, rows, np.array(named)) for named in sets}
        for named in sets:
            share = 1 / (n * comb(n - 1, sum(named))) if not all(named) else 0.0
            for unit in range(n):
                if not named[unit]:
                    then = numbers[(*named[:unit], True, *named[unit + 1 :])]
                    for pair in range(_N_PAIRS):
                        self.steps.append((pair, share, numbers[named], then, own[unit]))

    def _take_some(self, index: int, own: list[Indices], rows: Mask) -> None:
        """Draw orders, and take each and its reverse."""
        draw = np.random.default_rng(0)
        seen: dict[bytes, int] = {}
        for pair in range(_N_PAIRS):
            drawn = draw.permutation(len(own))
            for order in (drawn, drawn[::-1]):
                named = np.zeros(len(own), dtype=np.bool_)
                at = self._add(index, rows, named, seen)
                for unit in order.tolist():
                    named = named.copy()
                    named[unit] = True
                    then = self._add(index, rows, named, seen)
                    self.steps.append((pair, 0.5, at, then, own[unit]))
                    at = then

    def _add(
        self, index: int, rows: Mask, named: Mask, seen: dict[bytes, int] | None = None
    ) -> int:
        """Return the number of a set; sets that several orders share are asked for once."""
        key = named.tobytes()
        if seen is not None and key in seen:
            return seen[key]
        number = len(self.sets)
        hidden: Mask = ~np.any(rows[named], axis=0)
        self.sets.append(hidden)
        self.of.append(index)
        if seen is not None:
            seen[key] = number
        return number
