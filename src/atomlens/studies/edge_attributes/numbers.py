"""Edge attribute matrices of formulas: how alike two are, and how far from symmetric.

After Ihalage and Hao, Advanced Science (2022): in formula mode Finder predicts a number for every
ordered pair of atoms. Row i is the atom that receives the message, column j the one that sends it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch

from atomlens.errors import StudyError
from atomlens.models.finder import Finder
from atomlens.predictor import Predictor
from atomlens.studies.networks import Prepared
from atomlens.studies.statistics import Values, weighted_correlation

MOST_FORMULAS = 300
"""All pairs are compared: 300 formulas make 44,850."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeMatrix:
    """The edge attributes of one formula, element by element."""

    name: str
    elements: tuple[int, ...]
    """Atomic numbers in the order of the formula."""
    counts: tuple[int, ...]
    """Atoms of each element in the integer formula."""
    values: Values
    """(n_elements, n_elements) receiver, sender; NaN where an element has no second atom"""

    def expanded(self) -> Values:
        """Return the matrix with a row for each atom, (n_atoms, n_atoms); its diagonal is NaN."""
        owners = np.repeat(np.arange(len(self.counts)), self.counts)
        matrix: Values = self.values[np.ix_(owners, owners)].copy()
        np.fill_diagonal(matrix, np.nan)
        return matrix

    @property
    def pairs(self) -> Values:
        """Pairs of atoms behind each entry, (n_elements, n_elements)."""
        counts = np.array(self.counts, dtype=np.float64)
        return counts[:, None] * counts[None, :] - np.diag(counts)

    @property
    def roles(self) -> list[int]:
        """Places of the elements in order of their counts, equal ones as the formula has them."""
        return sorted(range(len(self.counts)), key=lambda place: self.counts[place])

    @property
    def prototype(self) -> tuple[int, ...]:
        """Counts in order, such as (1, 1, 3) for all ABX3."""
        return tuple(sorted(self.counts))


def refuse_other_models(models: Sequence[Predictor], study: str) -> None:
    """Raise a StudyError unless every model is a Finder that reads formulas."""
    for model in models:
        network = model.models[0]
        if not isinstance(network, Finder) or network.config.mode != "formula":
            raise StudyError(
                f"{study}: edge attributes are what `finder` predicts from formulas; train one "
                'with --model finder --builder formula (in Python model="finder", '
                'builder="formula").'
            )


@torch.no_grad()
def edge_matrices(predictor: Predictor, prepared: Prepared) -> list[EdgeMatrix]:
    """Return the edge attribute matrix of every formula, by the first member of an ensemble."""
    network = cast(Finder, predictor.models[0])
    matrices = []
    for index, structure in enumerate(prepared.inputs.structures):
        batch = prepared.store.batch(torch.tensor([index]))
        source, target = batch.edge_index.numpy()
        values = np.full((batch.n_nodes, batch.n_nodes), np.nan)
        values[target, source] = network.edge_attributes(batch).double().numpy()
        nodes = batch.atomic_numbers.tolist()
        elements = tuple(dict.fromkeys(structure.atomic_numbers.tolist()))
        order = [nodes.index(z) for z in elements]
        amounts = np.ones(len(nodes)) if batch.node_weights is None else batch.node_weights.numpy()
        matrices.append(
            EdgeMatrix(
                name=structure.name,
                elements=elements,
                counts=tuple(int(amounts[place]) for place in order),
                values=values[np.ix_(order, order)],
            )
        )
    return matrices


def similarity(first: EdgeMatrix, second: EdgeMatrix) -> float:
    """Return how alike two matrices are: Pearson's correlation of their entries.

    Elements are matched by role: by their counts, equal counts by their place in the formula. If
    both have the same counts, all entries off the diagonal are compared, atom by atom. Otherwise
    those of different elements, each once. NaN for other numbers of elements, and for fewer
    than three entries.
    """
    if len(first.counts) != len(second.counts):
        return np.nan
    a, b = (m.values[np.ix_(m.roles, m.roles)] for m in (first, second))
    weights = first.pairs[np.ix_(first.roles, first.roles)]
    if first.prototype != second.prototype:
        weights = 1.0 - np.eye(len(a))
    used = weights > 0
    if used.sum() < 3:
        return np.nan
    return weighted_correlation(a[used], b[used], weights[used])


def asymmetry(matrix: EdgeMatrix) -> float:
    """Return which share of the variance of the entries changes sign on transposition.

    0 for a symmetric matrix, 1 for one that is antisymmetric about its mean; NaN if all entries
    are equal. The symmetric and the antisymmetric part add up to the whole variance.
    """
    used = matrix.pairs > 0
    weights, values = matrix.pairs[used], matrix.values[used]
    if not weights.sum():
        return np.nan
    odd = (matrix.values - matrix.values.T)[used] / 2
    total = float(weights @ (values - weights @ values / weights.sum()) ** 2)
    return float(weights @ odd**2) / total if total > 0 else np.nan


def all_similarities(matrices: Sequence[EdgeMatrix]) -> Values:
    """Return the similarity of every pair, in the order of ``numpy.triu_indices(n, 1)``."""
    return np.array(
        [similarity(a, b) for i, a in enumerate(matrices) for b in matrices[i + 1 :]],
        dtype=np.float64,
    )


def element_distances(matrices: Sequence[EdgeMatrix], vectors: Values) -> Values:
    """Return how far apart the element vectors of every pair of formulas are.

    The root of the mean squared distance of the elements of equal role, atom by atom; NaN for
    formulas of different prototypes.

    Args:
        matrices: n formulas.
        vectors: (n_atomic_numbers, n_numbers) row Z is the vector of atomic number Z.

    Returns:
        In the order of ``numpy.triu_indices(n, 1)``.
    """
    return np.array(
        [_distance(a, b, vectors) for i, a in enumerate(matrices) for b in matrices[i + 1 :]],
        dtype=np.float64,
    )


def _distance(first: EdgeMatrix, second: EdgeMatrix, vectors: Values) -> float:
    if first.prototype != second.prototype:
        return np.nan
    a, b = (vectors[[m.elements[place] for place in m.roles]] for m in (first, second))
    squares = np.square(a - b).sum(axis=1)
    return float(np.sqrt(np.average(squares, weights=first.prototype)))
