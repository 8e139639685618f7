"""How much two sets of vectors of the same materials have in common."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.studies.statistics import Values, pearson

N_FOLDS = 5
_MOST_COMPONENTS = 20
"""Principal components of either side that canonical correlations look at."""
_RIDGE = 1.0
"""Penalty on the squared weights of standardised inputs."""


class Components(NamedTuple):
    """Principal components of vectors."""

    scores: Values
    """(n, k) centred"""
    shares: Values
    """(k,) of the variance"""


def principal_components(vectors: Values, n_components: int = 2) -> Components:
    """Return the first principal components of vectors (n, n_features); signs are arbitrary."""
    centred = vectors - vectors.mean(axis=0)
    left, lengths, _ = np.linalg.svd(centred, full_matrices=False)
    total = max(float(np.square(lengths).sum()), np.finfo(float).tiny)
    kept = slice(n_components)
    return Components(left[:, kept] * lengths[kept], np.square(lengths[kept]) / total)


def make_folds(n: int, seed: int) -> list[NDArray[np.int64]]:
    """Deal n rows into ``N_FOLDS`` parts."""
    return np.array_split(np.random.default_rng(seed).permutation(n), N_FOLDS)


def canonical_pairs(
    first: Values, second: Values, folds: Sequence[NDArray[np.int64]], n_pairs: int = 3
) -> tuple[Values, Values]:
    """Return canonical variates of rows that had no part in finding their directions.

    Either side is reduced to its first principal components (20, or a fifth of the rows) and
    whitened; the directions are the singular vectors of the cross-correlation.

    Returns:
        Two arrays (n, n_pairs); the correlation of column k is the k-th canonical correlation.
    """
    found = np.zeros((2, len(first), n_pairs))
    for fold in folds:
        rest = np.setdiff1d(np.arange(len(first)), fold)
        k = max(n_pairs, min(_MOST_COMPONENTS, len(rest) // 5))
        white = [_whitened(vectors, rest, k) for vectors in (first, second)]
        left, _, right = np.linalg.svd(white[0][rest].T @ white[1][rest] / len(rest))
        found[0, fold] = (white[0] @ left)[fold, :n_pairs]
        found[1, fold] = (white[1] @ right.T)[fold, :n_pairs]
    return found[0], found[1]


def _whitened(vectors: Values, rows: NDArray[np.int64], n_components: int) -> Values:
    """Return the first components, (n, n_components), of variance 1 over ``rows``; flat ones 0."""
    centred = vectors - vectors[rows].mean(axis=0)
    _, lengths, axes = np.linalg.svd(centred[rows], full_matrices=False)
    spread = lengths[:n_components] / np.sqrt(len(rows))
    flat = spread <= 1e-6 * max(float(spread.max(initial=0.0)), np.finfo(float).tiny)
    white: Values = centred @ (axes[:n_components] / np.where(flat, np.inf, spread)[:, None]).T
    return white


def predicted_from(first: Values, second: Values, folds: Sequence[NDArray[np.int64]]) -> Values:
    """Return ``second`` (n, m) as ridge regression on ``first`` (n, k) predicts it, by fold."""
    found = np.zeros_like(second)
    for fold in folds:
        rest = np.setdiff1d(np.arange(len(first)), fold)
        mean, std = first[rest].mean(axis=0), first[rest].std(axis=0)
        x = (first - mean) / np.where(std > 0, std, 1.0)
        centre = second[rest].mean(axis=0)
        gram = x[rest].T @ x[rest] + _RIDGE * np.eye(x.shape[1])
        weights = np.linalg.solve(gram, x[rest].T @ (second[rest] - centre))
        found[fold] = x[fold] @ weights + centre
    return found


def explained_share(sums: Values) -> float:
    """Return R2 from squared errors and squared deviations of each row, (n, 2)."""
    error, total = sums.sum(axis=0)
    return float(1 - error / total) if total > 0 else np.nan


def squared_sums(predicted: Values, true: Values) -> Values:
    """Return squared error and squared deviation from the mean of each row, (n, 2)."""
    deviation = true - true.mean(axis=0)
    return np.column_stack(
        [np.square(predicted - true).sum(axis=1), np.square(deviation).sum(axis=1)]
    )


def correlation(pairs: Values) -> float:
    """Return the size of Pearson's correlation of two columns, (n, 2); NaN if one is flat."""
    return abs(pearson(*pairs.T))
