"""Occlusion: what the prediction loses with each atom."""

from typing import Any, final

import numpy as np
import torch

from atomlens.errors import ExplanationError
from atomlens.explain.base import AtomScores, Explainer
from atomlens.explain.question import Answers, Question
from atomlens.graphs import FIELDS, AtomGraph, GraphBatch, collate
from atomlens.structures.arrays import Structure, StructureArrays

_NODES_AND_EDGES = 32_768
"""Of the holed structures that are predicted at once."""


@final
class OcclusionExplainer(Explainer):
    """f(structure) - f(structure without the atom), neighbours of the others unchanged.

    The graph loses the atom and its edges; no new neighbours are searched, so that what is
    measured is the atom and not the repaired structure around the hole. The graph of a formula
    is that of the formula with one atom less. Size and elements change with the atom, which
    matters to an extensive property and to one that is learned on top of a sum over elements.
    """

    name = "occlusion"
    in_target_units = True

    def explain(self, question: Question) -> AtomScores:
        """Ask again without each atom.

        Raises:
            ExplanationError: there is only one atom.
        """
        structure = question.structure
        n_atoms = len(structure.atomic_numbers)
        if n_atoms < 2:
            raise ExplanationError(
                "Occlusion takes one atom away at a time, and this structure has only one atom; "
                "use another method."
            )
        # atoms of one element cannot be told apart in the graph of a formula
        atoms, place = np.arange(n_atoms), np.arange(n_atoms)
        if not question.nodes_are_atoms:
            _, atoms, place = np.unique(
                structure.atomic_numbers, return_index=True, return_inverse=True
            )
        whole = question.answers(question.batch, question.structures)
        step = max(1, _NODES_AND_EDGES // (question.graph.n_nodes + question.graph.n_edges))
        parts = [
            _answers_without(question, atoms[start : start + step].tolist())
            for start in range(0, len(atoms), step)
        ]
        values = np.concatenate([part.values for part in parts])
        by_member = np.concatenate([part.by_member for part in parts], axis=1)
        return AtomScores(
            scores=(whole.values - values)[place], by_member=(whole.by_member - by_member)[:, place]
        )


def _answers_without(question: Question, atoms: list[int]) -> Answers:
    """Return what the model says when it is not shown an atom, one after the other."""
    structures = [_structure_without(question.structure, atom) for atom in atoms]
    if question.nodes_are_atoms:
        graphs = [without(question.batch, atom) for atom in atoms]
    else:
        graphs = [question.trained.builder.build_structure(s) for s in structures]
    batch = collate(graphs, question.batch.distances.dtype).to(question.batch.distances.device)
    return question.answers(batch, StructureArrays.from_structures(structures))


def _structure_without(structure: Structure, atom: int) -> Structure:
    kept = np.arange(len(structure.atomic_numbers)) != atom
    return structure._replace(
        atomic_numbers=structure.atomic_numbers[kept],
        positions=structure.positions[kept],
        charges=None if structure.charges is None else structure.charges[kept],
    )


def without(batch: GraphBatch, atom: int) -> AtomGraph:
    """Return the one graph of a batch without an atom and the edges that end at it."""
    kept = torch.arange(batch.n_nodes, device=batch.graph_index.device) != atom
    edges = kept[batch.edge_index].all(dim=0)
    place = kept.cumsum(0) - 1
    rows: dict[str, Any] = {"node": kept, "edge": edges, "graph": 0}
    return AtomGraph(
        atomic_numbers=batch.atomic_numbers[kept],
        edge_index=place[batch.edge_index[:, edges]],
        distances=batch.distances[edges],
        images=batch.edge_index.new_zeros(int(edges.sum()), 3),
        fields={name: values[rows[FIELDS[name].scope]] for name, values in batch.fields.items()},
    )
