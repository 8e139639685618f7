"""Atoms that nothing in a graph tells apart."""

import numpy as np
import torch

from atomlens.explain.question import Indices, Question, Values

_N_NUMBERS = 16
"""Of each atom."""
_N_ROUNDS = 16
"""Bonds of the graph over which atoms hear of each other: more than any model has layers."""
_MOST_NAMED = 50
"""Of equal atoms of a structure, so many are told apart before the rest is taken as it stands."""
_SAME = 1e-4
"""Atoms whose numbers are all this near to each other are alike: lengths are rounded somewhere."""


@torch.no_grad()
def alike_atoms(question: Question) -> tuple[Indices, Indices]:
    """Return the class of each atom, and an order of the atoms that their names do not decide.

    Each atom starts from numbers of its element and takes in those of its neighbours, by their
    distance, again and again: the refinement of colours by Weisfeiler and Leman (1968), with
    numbers that are drawn once for all. Atoms that symmetry exchanges are alike.

    Args:
        question: About n structures, whose nodes are atoms; of others no two atoms are alike.

    Returns:
        (n_atoms,) numbers of classes, in all structures different ones; (n_atoms,) places.
    """
    n_atoms = len(question.structures.atomic_numbers)
    if not question.nodes_are_atoms:
        return np.arange(n_atoms), np.arange(n_atoms)
    kinds = _split(question.structure_index, _marks(question, np.zeros(n_atoms)))
    order, named = kinds, np.zeros(n_atoms)
    for number in range(1, _MOST_NAMED):  # one of equal atoms gets a name: any, as they are equal
        _, first, counts = np.unique(order, return_index=True, return_counts=True)
        tied = first[counts > 1]
        if not len(tied):
            break
        _, chosen = np.unique(question.structure_index[tied], return_index=True)
        named[tied[chosen]] = number
        order = _split(order, _marks(question, named))
    places = np.empty(n_atoms, np.int64)
    places[np.argsort(order, kind="stable")] = np.arange(n_atoms)
    return kinds, places


def _split(kinds: Indices, marks: Values) -> Indices:
    """Return the classes of atoms, split where the marks (16, n_atoms) of atoms differ."""
    for own in marks:
        order = np.lexsort((own, kinds))
        new = np.ones(len(order), dtype=np.bool_)
        new[1:] = (np.diff(kinds[order]) > 0) | (np.diff(own[order]) > _SAME)
        kinds = np.empty(len(order), np.int64)
        kinds[order] = np.cumsum(new) - 1
    return kinds


def _marks(question: Question, named: Values) -> Values:
    """(16, n_atoms) numbers of each atom and its surroundings, between -1 and 1.

    ``named`` (n_atoms,) is 0, or a number of an atom that it is told apart by.
    """
    batch = question.batch
    draw = np.random.default_rng(0)
    source, target = batch.edge_index.cpu()
    lengths = batch.distances.double().cpu()[:, None]
    numbers = batch.atomic_numbers.double().cpu()[:, None] + torch.from_numpy(named)[:, None] / 7
    state = torch.cos(numbers * torch.from_numpy(draw.uniform(0.5, 2.5, _N_NUMBERS)))
    waves = torch.cos(lengths * torch.from_numpy(draw.uniform(0.5, 2.0, _N_NUMBERS)))
    mixing = torch.from_numpy(draw.normal(size=(_N_NUMBERS, _N_NUMBERS)) / _N_NUMBERS**0.5)
    count = torch.ones_like(state[:, 0]).index_add_(0, target, torch.ones_like(lengths[:, 0]))
    for _ in range(_N_ROUNDS):
        heard = torch.zeros_like(state).index_add_(0, target, waves * state[source])
        state = torch.tanh((state + heard / count[:, None].sqrt()) @ mixing)
    marks: Values = state.numpy().T
    return marks
