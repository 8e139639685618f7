"""What a model says without some atoms, in three meanings that are never to be mixed up.

``mask``: the atom stays, its element is hidden (from the network, and from the sum over elements
of the target). ``graph``: the atom is taken out with its edges; no new neighbours are searched.
``rebuilt``: the structure is read again without the atom, so that its neighbours see each other.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool
from numpy.typing import NDArray
from torch import Tensor

from atomlens.errors import ExplanationError, GraphError
from atomlens.explain.question import Answers, Indices, Question
from atomlens.explain.vectors import own_vectors
from atomlens.graphs import GraphBatch, cut_batches, keep_nodes
from atomlens.models.base import ModelOutput, PropertyModel
from atomlens.nn.pieces import side_by_side
from atomlens.structures.arrays import StructureArrays

Meaning = Literal["mask", "graph", "rebuilt"]
MEANINGS: tuple[Meaning, ...] = get_args(Meaning)
Mask = NDArray[np.bool_]

_NODES_AND_EDGES = 32_768
"""Of the structures that are predicted at once."""
_MANY = 256
"""Structures from which on their graphs are built on all cores."""


def without(question: Question, of: Indices, absent: Mask, meaning: Meaning) -> Answers:
    """Return what `predict` says of structures without some of their atoms.

    Args:
        question: About n structures. Where a node is all atoms of an element (formulas), it is
            absent from graphs when all of them are.
        of: (m,) which structure each of the m sets of atoms belongs to.
        absent: The sets end to end: for each entry of ``of`` one flag for every atom of its
            structure.
        meaning: What it means that an atom is not there.

    Returns:
        m answers; NaN where what is left has no graph.

    Raises:
        ExplanationError: atoms are to be masked, and the model starts from no vector of each
            element that could be hidden.
    """
    counts = question.structures.n_atoms[of]
    ends = np.concatenate([[0], np.cumsum(counts)])
    sizes = (question.store.node_counts + question.store.edge_counts).cpu().numpy()
    cuts = cut_batches(sizes[of], batch_size=None, largest=_NODES_AND_EDGES)

    def part(cut: tuple[int, int]) -> Answers:
        a, b = cut
        return _ask(question, of[a:b], absent[ends[a] : ends[b]], meaning)

    on_cpu = question.batch.distances.device.type == "cpu"
    if on_cpu and len(cuts) >= torch.get_num_threads():  # of fewer, threads share each one out
        parts = side_by_side(part, cuts)
    else:
        parts = [part(cut) for cut in cuts]
    return _joined(parts, len(question.models))


def _joined(parts: list[Answers], n_members: int) -> Answers:
    if not parts:
        return Answers(values=np.zeros(0), by_member=np.zeros((n_members, 0)))
    return Answers(
        values=np.concatenate([part.values for part in parts]),
        by_member=np.concatenate([part.by_member for part in parts], axis=1),
    )


def _ask(question: Question, of: Indices, absent: Mask, meaning: Meaning) -> Answers:
    if meaning == "mask":
        return _masked(question, of, absent)
    structures = question.structures.subset(of).keep_atoms(~absent)
    if meaning == "rebuilt":
        return rebuilt(question, of, structures)
    batch = question.store.batch(torch.from_numpy(of))
    kept = ~_nodes_of(question, of, absent, batch)
    return question.answers(keep_nodes(batch, kept), structures, of)


def rebuilt(question: Question, of: Indices, structures: StructureArrays) -> Answers:
    """Return what `predict` says of changed structures whose graphs are built anew.

    Args:
        question: What is asked.
        of: (m,) which structure of the question each one was made from.
        structures: The m changed structures.

    Returns:
        m answers; NaN where a structure has no graph.
    """
    from atomlens.neighbors import build_store

    n, n_members = len(structures), len(question.models)
    values, by_member = np.full(n, np.nan), np.full((n_members, n), np.nan)
    usable = np.flatnonzero(structures.n_atoms > 0)
    try:
        chosen = structures.subset(usable)
        n_workers = 0 if len(chosen) > _MANY else 1
        result = build_store(chosen, question.trained.builder, n_workers=n_workers)
    except GraphError:  # not one of them has a graph
        return Answers(values=values, by_member=by_member)
    kept = usable[result.kept]
    if len(kept):
        batch = result.store.batch().to(
            question.batch.distances.device, question.batch.distances.dtype
        )
        found = question.answers(batch, structures.subset(kept), of[kept])
        values[kept], by_member[:, kept] = found
    return Answers(values=values, by_member=by_member)


def _masked(question: Question, of: Indices, absent: Mask) -> Answers:
    batch = question.store.batch(torch.from_numpy(of))
    hidden = _nodes_of(question, of, absent, batch)
    with torch.no_grad():
        outputs = [masked_output(model, batch, hidden) for model in question.models]
    structures = question.structures.subset(of)
    found = question.answers_of(question.trained.raw_of(outputs), structures, of)
    lost = np.add.reduceat(  # what the hidden elements add to a sum over elements
        np.append(question.element_terms()[_atoms_of(question, of)] * absent, 0.0),
        structures.offsets[:-1],
    )
    return Answers(values=found.values - lost, by_member=found.by_member - lost)


def _nodes_of(
    question: Question, of: Indices, absent: Mask, batch: GraphBatch
) -> Bool[Tensor, " n_nodes"]:
    """Return which nodes of a batch of the structures ``of`` are absent."""
    flags = absent
    if not question.nodes_are_atoms:
        structures = question.structures.subset(of)
        owner = np.repeat(np.arange(len(of)), structures.n_atoms)
        of_atom = owner * 256 + structures.atomic_numbers
        of_node = (batch.graph_index * 256 + batch.atomic_numbers).cpu().numpy()
        left = np.bincount(of_atom, weights=~absent, minlength=256 * len(of))
        flags = left[of_node] == 0
    return torch.from_numpy(flags).to(batch.graph_index.device)


def _atoms_of(question: Question, of: Indices) -> Indices:
    """Return the atoms of some structures, end to end, among all atoms of the question."""
    offsets = question.structures.offsets
    return np.concatenate([np.arange(offsets[i], offsets[i + 1]) for i in of.tolist()])


def masked_output(
    model: PropertyModel, batch: GraphBatch, hidden: Bool[Tensor, " n_nodes"]
) -> ModelOutput:
    """Return what a network says when it is not told the elements of some atoms.

    Networks that were trained with masks have a row of the element table for it. The others see
    the mean vector of the atoms of their structure.

    Raises:
        ExplanationError: the model starts from no vector of each element.
    """
    if model.knows_masks:
        numbers = batch.atomic_numbers.masked_fill(hidden, 0)
        output: ModelOutput = model(replace(batch, atomic_numbers=numbers))
        return output
    found = own_vectors(model, batch)
    if found is None:
        raise ExplanationError(
            f"A {type(model).__name__} starts from no vector of each element, so no atom can be "
            "masked; take atoms from the graph instead."
        )
    vectors, run = found
    weights = batch.node_weights
    weights = torch.ones_like(vectors[:, 0]) if weights is None else weights.to(vectors.dtype)
    means = mean_vectors(vectors, weights, batch)
    return run(torch.where(hidden.unsqueeze(1), means.index_select(0, batch.graph_index), vectors))


def mean_vectors(vectors: Tensor, weights: Tensor, batch: GraphBatch) -> Tensor:
    """(n_graphs, n_features) mean of the atoms' vectors in each graph, by their weights."""
    sums = vectors.new_zeros(batch.n_graphs, vectors.shape[1])
    sums.index_add_(0, batch.graph_index, vectors * weights.unsqueeze(1))
    totals = vectors.new_zeros(batch.n_graphs).index_add_(0, batch.graph_index, weights)
    return sums / totals.unsqueeze(1)


def one_by_one(structures: StructureArrays) -> Iterator[tuple[Indices, Mask]]:
    """Give the sets of one atom of each structure: whose they are, and the flags."""
    for index, n_atoms in enumerate(structures.n_atoms.tolist()):
        yield np.full(n_atoms, index), np.eye(n_atoms, dtype=np.bool_).ravel()
