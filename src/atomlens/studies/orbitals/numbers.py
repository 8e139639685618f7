"""How well a score of the atoms follows an orbital, and what chemistry alone would say."""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.chemistry.bonds import REACH, bond_matrix
from atomlens.predictor.measuring import spearman
from atomlens.studies.orbitals.solution import FrontierOrbitals, Orbital, Values

FEWEST_ATOMS = 3
"""A rank correlation of fewer atoms says nothing."""
_DIGITS = 3
"""Shares are ranked after rounding to so many decimals: finer differences are of the grid."""
_SCORE_DIGITS = 4
"""The same for scores, in units of the even share 1/n."""

ELEMENT = "element mean"
ENVIRONMENT = "element and neighbours"


class OrbitalAgreement(NamedTuple):
    """A score against an orbital in one molecule; NaN where the molecule allows no answer."""

    heavy: float
    """Spearman's correlation over all atoms but hydrogen"""
    all_atoms: float
    """Spearman's correlation"""
    overlap: float
    """Share of the leading atoms of the orbital that also lead in the score"""


MEASURES = {
    "heavy": "Spearman, heavy atoms",
    "all_atoms": "Spearman, all atoms",
    "overlap": "overlap of the leading atoms",
}
"""Fields of `OrbitalAgreement` as readers see them."""


def agreement(
    scores: Values, shares: Values, atomic_numbers: NDArray[np.int64], k: int
) -> OrbitalAgreement:
    """Compare the scores of the atoms of one molecule with their shares of an orbital.

    A score that is the same for all atoms ranks nothing and counts as a correlation of 0. A
    molecule whose shares are all the same, or with fewer than three atoms, gives NaN.
    """
    a = np.round(np.asarray(scores) * len(scores), _SCORE_DIGITS)
    b = np.round(shares, _DIGITS)
    heavy = atomic_numbers != 1
    return OrbitalAgreement(
        heavy=_rank_correlation(a[heavy], b[heavy]),
        all_atoms=_rank_correlation(a, b),
        overlap=float(np.minimum(_leading(a, k), _leading(b, k)).sum() / k),
    )


def _rank_correlation(scores: Values, shares: Values) -> float:
    if len(shares) < FEWEST_ATOMS or np.ptp(shares) == 0:
        return np.nan
    return spearman(scores, shares) if np.ptp(scores) else 0.0


def _leading(values: Values, k: int) -> Values:
    """Return how far each atom belongs to the k highest; equal atoms share the last places."""
    edge = np.sort(values)[-k]
    above, level = values > edge, values == edge
    return np.where(above, 1.0, np.where(level, (k - above.sum()) / level.sum(), 0.0))


def n_leading(shares: Values, fixed: int = 0) -> int:
    """Return how many atoms lead: the fewest that hold half of the orbital, or ``fixed``."""
    if fixed:
        return min(fixed, len(shares))
    held = np.cumsum(np.sort(shares)[::-1])
    return int(np.searchsorted(held, 0.5 * held[-1] - 1e-9) + 1)


class ChemistryBaseline:
    """Predicts the share of an atom as the mean over all atoms of its kind in other molecules.

    The kind is the element (``element mean``) or the element and the number of its neighbours
    (``element and neighbours``). It has seen orbitals, but nothing of the molecule: attention
    that does not beat it says no more about the orbital than a periodic table.
    """

    def __init__(self, molecules: Sequence[FrontierOrbitals], orbital: Orbital, kind: str) -> None:
        self._orbital, self._kind = orbital, kind
        self._totals: dict[Hashable, Values] = {}
        self._own: dict[str, dict[Hashable, Values]] = {}
        for molecule in molecules:
            own = self._sums(molecule)
            self._own[molecule.name] = own
            for key, sums in own.items():
                self._totals[key] = self._totals.get(key, np.zeros(2)) + sums

    def scores(self, molecule: FrontierOrbitals) -> Values:
        """Return the mean share of each atom's kind, (n_atoms,), without this molecule itself.

        Kinds that no other molecule has get the mean over all atoms.
        """
        own = self._own.get(molecule.name, {})
        everything = np.sum(list(self._totals.values()), axis=0)
        overall = everything[0] / everything[1]
        means = []
        for key in self._keys(molecule):
            total, count = self._totals.get(key, np.zeros(2)) - own.get(key, np.zeros(2))
            means.append(total / count if count > 0.5 else overall)
        return np.array(means)

    def _sums(self, molecule: FrontierOrbitals) -> dict[Hashable, Values]:
        found: dict[Hashable, Values] = {}
        shares = molecule.shares(self._orbital)
        for key, share in zip(self._keys(molecule), shares, strict=True):
            found[key] = found.get(key, np.zeros(2)) + np.array([share, 1.0])
        return found

    def _keys(self, molecule: FrontierOrbitals) -> list[Hashable]:
        numbers = molecule.atomic_numbers.tolist()
        if self._kind == ELEMENT:
            return list(numbers)
        n_neighbours = (
            bond_matrix(molecule.atomic_numbers, molecule.positions, REACH).sum(axis=1).tolist()
        )
        return list(zip(numbers, n_neighbours, strict=True))
