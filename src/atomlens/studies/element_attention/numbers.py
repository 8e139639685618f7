"""Shares of attention of the elements of a material, in a formula and in a structure network."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from atomlens.predictor.measuring import spearman
from atomlens.structures.arrays import StructureArrays
from atomlens.studies.networks import Attention
from atomlens.studies.statistics import Values

_FEWEST = 3
"""Materials an element must be in for its mean to be taken off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementShares:
    """All elements of all materials, one after the other; every array is (n_entries,)."""

    materials: NDArray[np.int64]
    """Place of the material among those that both models can take."""
    elements: NDArray[np.int64]
    """Atomic numbers."""
    atoms: Values
    """Share of the atoms."""
    formula: Values
    """Share of the attention in the network of formulas."""
    structure: Values
    """Share of the attention in the network of structures, all sites of the element together."""

    @property
    def enrichments(self) -> tuple[Values, Values]:
        """Logarithm of the share of attention over that of the atoms: formula, structure."""
        smallest = np.finfo(np.float32).tiny
        formula, structure = (
            np.log(np.maximum(shares, smallest) / self.atoms)
            for shares in (self.formula, self.structure)
        )
        return formula, structure


def element_shares(
    structures: StructureArrays, formula: Attention, structure: Attention
) -> ElementShares:
    """Add up the attention on the atoms of each element.

    Args:
        structures: n materials, each of which both networks have taken.
        formula: Scores of a network of formulas: a score for each element of a material, in order
            of atomic number.
        structure: Scores of a network of structures: a score for each site.
    """
    parts: list[Values] = []
    for place, material in enumerate(structures):
        elements, owners = np.unique(material.atomic_numbers, return_inverse=True)
        n_sites = np.bincount(owners)
        of_sites = np.bincount(owners, weights=structure.scores[place])
        of_elements = formula.scores[place]
        parts.append(
            np.stack(
                [
                    np.full(len(elements), place, dtype=np.float64),
                    elements.astype(np.float64),
                    n_sites / n_sites.sum(),
                    of_elements / of_elements.sum(),
                    of_sites / of_sites.sum(),
                ]
            )
        )
    materials, elements, atoms, of_formula, of_structure = np.concatenate(parts, axis=1)
    return ElementShares(
        materials=materials.astype(np.int64),
        elements=elements.astype(np.int64),
        atoms=atoms,
        formula=of_formula,
        structure=of_structure,
    )


def rank_agreement(shares: ElementShares, drawn: Values) -> float:
    """Return Spearman's correlation of both enrichments over all elements of all materials.

    Args:
        shares: Of n materials.
        drawn: (n,) how often each material was drawn.
    """
    rows = _rows(shares, drawn)
    formula, structure = shares.enrichments
    return spearman(formula[rows], structure[rows])


def agreement_beyond_elements(shares: ElementShares, drawn: Values) -> float:
    """Return the same after the mean of each element was taken off; rare elements are left out."""
    rows = _rows(shares, drawn)
    _, owners, counts = np.unique(shares.elements[rows], return_inverse=True, return_counts=True)
    residuals = [
        values[rows] - (np.bincount(owners, weights=values[rows]) / counts)[owners]
        for values in shares.enrichments
    ]
    frequent = counts[owners] >= _FEWEST
    return spearman(residuals[0][frequent], residuals[1][frequent])


def pairs_in_order(shares: ElementShares) -> Sequence[tuple[float, float]]:
    """Return for each material how many of its pairs of elements both networks put in one order.

    Returns:
        (pairs in the same order, ties counting half; pairs) of each material.
    """
    formula, structure = shares.enrichments
    found = []
    for place in range(int(shares.materials.max(initial=-1)) + 1):
        rows = np.flatnonzero(shares.materials == place)
        signs = [
            float(np.sign((formula[a] - formula[b]) * (structure[a] - structure[b])))
            for a, b in combinations(rows, 2)
        ]
        found.append((sum(1 + sign for sign in signs) / 2, float(len(signs))))
    return found


def _rows(shares: ElementShares, drawn: Values) -> NDArray[np.int64]:
    times = drawn[shares.materials].astype(np.int64)
    return np.repeat(np.arange(len(shares.materials)), times)
