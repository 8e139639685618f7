"""Occlusion: what the prediction loses with each atom."""

from typing import ClassVar, final

import numpy as np

from atomlens.errors import ExplanationError
from atomlens.explain.absence import Meaning, one_by_one, rebuilt, without
from atomlens.explain.base import AtomScores, Explainer
from atomlens.explain.local import without_each
from atomlens.explain.question import Answers, Indices, Question, Values


class OcclusionExplainer(Explainer):
    """f(structure) - f(structure without the atom), neighbours of the others unchanged.

    The graph loses the atom and its edges; no new neighbours are searched, so that what is
    measured is the atom and not the repaired structure around the hole. The graph of a formula
    is that of the formula with one atom less. Size and elements change with the atom, which
    matters to an extensive property and to one that is learned on top of a sum over elements.
    In a large structure only the atoms that the missing one reaches are worked out again.
    """

    name = "occlusion"
    in_target_units = True
    meaning: ClassVar[Meaning] = "graph"

    def explain(self, question: Question) -> AtomScores:
        """Ask again without each atom.

        Raises:
            ExplanationError: there is only one atom, or nothing that is left has a graph.
        """
        if question.structures.n_atoms.min() < 2:
            raise ExplanationError(
                "Occlusion takes one atom away at a time, and this structure has only one atom; "
                "use another method."
            )
        found, place, shares = _losses(question, self.meaning)
        if not np.isfinite(found.values).all():
            raise ExplanationError(
                "What is left without one of the atoms has no graph; use the method occlusion, "
                "which searches no new neighbours."
            )
        whole = question.answers(
            question.batch, question.structures, np.arange(len(question.structures))
        )
        own = question.structure_index
        return AtomScores(
            scores=(whole.values[own] - found.values[place]) * shares,
            by_member=(whole.by_member[:, own] - found.by_member[:, place]) * shares,
        )


@final
class MaskedOcclusionExplainer(OcclusionExplainer):
    """f(structure) - f(structure with the element of the atom hidden).

    The atom stays where it is, and its neighbours see that somebody is there. Of a formula all
    atoms of an element are hidden together, and each has its part of the loss.
    """

    name = "occlusion-mask"
    meaning = "mask"


@final
class RebuiltOcclusionExplainer(OcclusionExplainer):
    """f(structure) - f(structure read anew without the atom).

    Neighbours are searched again, so the atoms around the hole see each other: what is measured
    is another structure.
    """

    name = "occlusion-rebuilt"
    meaning = "rebuilt"


def _losses(question: Question, meaning: Meaning) -> tuple[Answers, Indices, Values]:
    """Return the answers without one atom, for each atom which of them is its, and its share."""
    structures = question.structures
    n_atoms = len(structures.atomic_numbers)
    if question.nodes_are_atoms and meaning == "graph":
        nearby = without_each(question)
        if nearby is not None:
            return nearby, np.arange(n_atoms), np.ones(n_atoms)
    of, absent = (np.concatenate(parts) for parts in zip(*one_by_one(structures), strict=True))
    if question.nodes_are_atoms:
        found = without(question, of, absent, meaning)
        return found, np.arange(n_atoms), np.ones(n_atoms)
    # atoms of one element cannot be told apart in the graph of a formula
    keys = question.structure_index * 256 + structures.atomic_numbers
    _, first, place, counts = np.unique(
        keys, return_index=True, return_inverse=True, return_counts=True
    )
    if meaning == "mask":
        sets = [keys[question.structure_index == of[i]] == keys[i] for i in first]
        found = without(question, of[first], np.concatenate(sets), meaning)
        return found, place, 1 / counts[place]
    ends = np.concatenate([[0], np.cumsum(structures.n_atoms[of])])
    chosen = np.concatenate([absent[ends[i] : ends[i + 1]] for i in first])
    left = structures.subset(of[first]).keep_atoms(~chosen)
    return rebuilt(question, of[first], left), place, np.ones(n_atoms)
