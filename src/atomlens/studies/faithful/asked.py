"""Many structures and one model, asked in chunks: scores of every method, answers without atoms."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atomlens.errors import ExplanationError
from atomlens.explain import EXPLAINERS, Question
from atomlens.explain.absence import Mask, Meaning, without
from atomlens.explain.question import Indices, Values
from atomlens.graphs import cut_batches
from atomlens.predictor import Predictor
from atomlens.structures.arrays import StructureArrays

_ATOMS_AT_ONCE = 1200
"""Of the structures whose gradients and scores are found together."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Asked:
    """What a model says of n structures, and what of it explainers can ask."""

    predictor: Predictor
    structures: StructureArrays
    questions: tuple[Question, ...]
    """About consecutive structures."""
    starts: Indices
    """First structure of each question, and n."""
    units: Indices
    """(n_atoms,) what is taken away together, counted in each structure: atoms, or in a formula
    all atoms of an element."""

    @classmethod
    def about(
        cls,
        predictor: Predictor,
        structures: StructureArrays,
        target: str | None,
        label: int | None = None,
    ) -> "Asked":
        """Ask about structures, all of which the model can take; see `Question.about`."""
        cuts = cut_batches(structures.n_atoms, batch_size=None, largest=_ATOMS_AT_ONCE)
        questions = tuple(
            Question.about(
                predictor, structures.subset(np.arange(a, b)), target=target, label=label
            )
            for a, b in cuts
        )
        return cls(
            predictor=predictor,
            structures=structures,
            questions=questions,
            starts=np.array([*(a for a, _ in cuts), len(structures)]),
            units=_units(structures, atoms=all(q.nodes_are_atoms for q in questions)),
        )

    @property
    def values(self) -> Values:
        """(n,) what `predict` says"""
        return np.concatenate([q.values for q in self.questions])

    @property
    def labels(self) -> Indices | None:
        """(n,) of classes: whose probability each structure is asked for; None of other targets"""
        found = [q.labels for q in self.questions if q.labels is not None]
        return np.concatenate(found) if found else None

    @property
    def unit(self) -> str:
        """Unit of the answers; of several classes none of them is named."""
        labels = self.labels
        if labels is not None and len(np.unique(labels)) > 1:
            return "probability of the most probable class"
        return self.questions[0].unit

    def same(self, predictor: Predictor) -> "Asked":
        """Ask another network of the same kind about the same structures."""
        target = self.questions[0].target.name
        known = {t.name for t in predictor.targets}
        return Asked.about(predictor, self.structures, target if target in known else None)

    def scores(self, method: str) -> tuple[Values, Values]:
        """Return the scores of a method: (n_atoms,), and (n_members, n_atoms).

        Raises:
            ExplanationError: the model has no such method.
        """
        found = [EXPLAINERS[method]().explain(question) for question in self.questions]
        return (
            np.concatenate([f.scores for f in found]),
            np.concatenate([f.by_member for f in found], axis=1),
        )

    @property
    def n_units(self) -> Indices:
        """(n,) how many things can be taken away from each structure"""
        last: Indices = np.maximum.reduceat(self.units, self.structures.offsets[:-1])
        return last + 1

    @property
    def flat_units(self) -> Indices:
        """(n_atoms,) the unit of each atom among the units of all structures"""
        first = np.concatenate([[0], np.cumsum(self.n_units)])[:-1]
        flat: Indices = self.units + np.repeat(first, self.structures.n_atoms)
        return flat

    def by_unit(self, scores: Values) -> list[Values]:
        """Return the scores of the units of each structure: sums over their atoms."""
        flat = np.bincount(self.flat_units, weights=scores)
        return np.split(flat, np.cumsum(self.n_units)[:-1])

    def without(self, sets: Sequence[tuple[int, Mask]], meaning: Meaning) -> Values:
        """Return what `predict` says without sets of units.

        Args:
            sets: Of each one its structure, and a flag for every unit of it.
            meaning: What absence means.
        """
        found = np.full(len(sets), np.nan)
        owner = np.array([index for index, _ in sets], dtype=np.int64)
        chunk = np.searchsorted(self.starts, owner, side="right") - 1
        offsets = self.structures.offsets
        for number, question in enumerate(self.questions):
            rows = np.flatnonzero(chunk == number)
            if not len(rows):
                continue
            flags = [
                sets[row][1][self.units[offsets[owner[row]] : offsets[owner[row] + 1]]]
                for row in rows.tolist()
            ]
            of = owner[rows] - self.starts[number]
            found[rows] = without(question, of, np.concatenate(flags), meaning).values
        return found


def has_method(asked: Asked, method: str) -> str:
    """Return why a method cannot be used on a model; empty if it can."""
    try:
        first = asked.questions[0]
        alone = first.structures.subset([0])
        question = Question.about(asked.predictor, alone, target=first.target.name)
        EXPLAINERS[method]().explain(question)
    except ExplanationError as problem:
        return str(problem)
    return ""


def _units(structures: StructureArrays, *, atoms: bool) -> Indices:
    parts: list[NDArray[np.int64]] = [np.zeros(0, dtype=np.int64)]
    for structure in structures:
        numbers = structure.atomic_numbers
        own = np.arange(len(numbers)) if atoms else np.unique(numbers, return_inverse=True)[1]
        parts.append(own.astype(np.int64))
    return np.concatenate(parts)
