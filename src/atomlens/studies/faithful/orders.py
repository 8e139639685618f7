"""Orders in which units are taken away: by a score, and the controls that a score must beat."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from atomlens.chemistry.bonds import find_bonds
from atomlens.explain.question import Indices, Values
from atomlens.structures.arrays import StructureArrays

Order = list[Indices]
"""For each structure its units, the most important one first."""
Environment = tuple[object, ...]
_EQUAL = 1e-5
"""Of the largest score of a structure: what differs by less is equal."""
TABLES = ("by element", "by element and neighbours", "by environment")
"""Tables of the same score, from coarse to fine."""


def by_size(scores: Sequence[Values], seed: int = 0) -> Order:
    """Order units by the size of their score, equal ones by chance.

    Files list heavy atoms first: their order would be a score of its own.
    """
    draw = np.random.default_rng(seed)
    return [_largest_first(np.abs(s), draw.random(len(s))) for s in scores]


def _largest_first(sizes: Values, chance: Values) -> Indices:
    largest = sizes.max(initial=0.0)
    rounded = np.round(sizes / largest / _EQUAL) if largest > 0 else sizes
    return np.lexsort((chance, -rounded))


def one_sided(scores: Sequence[Values], seed: int = 0) -> Order:
    """Order units from the largest signed score down, or from the smallest up.

    In an order by size, units that raise the prediction go with those that lower it, and what they
    do cancels. The side is the one whose scores add up to more over the first half.
    """
    draw = np.random.default_rng(seed)
    found = []
    for own in scores:
        half = max(1, len(own) // 2)
        down = np.sort(own)[::-1]
        raised, lowered = (abs(np.cumsum(side[:half])).sum() for side in (down, down[::-1]))
        signed = own if raised >= lowered else -own
        found.append(_largest_first(signed - signed.min(initial=0.0), draw.random(len(own))))
    return found


def reversed_order(order: Order) -> Order:
    """The least important first."""
    return [units[::-1] for units in order]


def environments(structures: StructureArrays) -> list[list[Environment]]:
    """Return for each table what it knows of each atom, (n_atoms,).

    That is its element; its number of bonded neighbours as well; their elements as well.
    """
    rows: list[list[Environment]] = [[], [], []]
    for structure in structures:
        numbers = structure.atomic_numbers.astype(int).tolist()
        beside: list[list[int]] = [[] for _ in numbers]
        if not structure.is_formula:
            for atom, other in find_bonds(structure).tolist():
                beside[atom].append(numbers[other])
        for z, others in zip(numbers, beside, strict=True):
            rows[0].append((z,))
            rows[1].append((z, len(others)))
            rows[2].append((z, len(others), tuple(sorted(others))))
    return rows


def table_scores(
    scores: Values, known: Sequence[Environment], coarser: Sequence[Values], owner: Indices
) -> Values:
    """Return for each atom the mean score of what is alike in all other structures.

    Args:
        scores: (n_atoms,)
        known: What the table knows of each atom.
        coarser: Scores of coarser tables, for atoms that are alike to none elsewhere.
        owner: (n_atoms,) the structure of each atom.
    """
    _, key = np.unique([repr(k) for k in known], return_inverse=True)
    pairs = key.astype(np.int64) * (int(owner.max()) + 1) + owner
    inverse = np.unique(pairs, return_inverse=True)[1]
    own_sum, own_n = np.bincount(inverse, weights=scores), np.bincount(inverse)
    sums, counts = np.bincount(key, weights=scores), np.bincount(key)
    others = counts[key] - own_n[inverse]
    rest = coarser[-1] if len(coarser) else np.full(len(scores), scores.mean())
    mean = (sums[key] - own_sum[inverse]) / np.maximum(others, 1)
    table: Values = np.where(others > 0, mean, rest)
    return table


def tables(
    scores: Values, known: Sequence[Sequence[Environment]], owner: Indices
) -> dict[str, Values]:
    """Return the scores of every table by name."""
    found: list[Values] = []
    for environment in known:
        found.append(table_scores(scores, environment, found, owner))
    return dict(zip(TABLES, found, strict=True))


def steps(n_units: int, n_steps: int) -> NDArray[np.int64]:
    """Return how many units are taken away: at most so many steps over the first half."""
    most = max(1, n_units // 2)
    return np.unique(np.round(np.linspace(1, most, min(n_steps, most))).astype(np.int64))
