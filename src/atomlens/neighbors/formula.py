"""Every element of a formula sees every other: graphs without positions."""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from atomlens.neighbors.base import EdgeArrays, GraphBuilder
from atomlens.structures.arrays import Structure


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FormulaBuilder(GraphBuilder):
    """One node for each element, weighted by its number of atoms, all joined to all.

    An element of several atoms is joined to itself too. Nodes stand in order of atomic number;
    distances and vectors are zero. Positions are not looked at, so bare formulas will do.
    """

    name: ClassVar[str] = "formula"
    needs_positions: ClassVar[bool] = False

    reduce: bool = False
    """Divide the numbers of atoms by what they have in common: Cu4Ag4O6 is Cu2Ag2O3."""

    def edges(self, structure: Structure) -> EdgeArrays:
        """Return the pairs of elements."""
        numbers, counts = np.unique(structure.atomic_numbers, return_counts=True)
        if self.reduce:
            counts //= np.gcd.reduce(counts)
        n = len(numbers)
        nodes = np.arange(n, dtype=np.int64)
        source, target = np.tile(nodes, n), np.repeat(nodes, n)
        joined = (source != target) | (counts > 1)[target]
        source, target = source[joined], target[joined]
        return EdgeArrays(
            source=source,
            target=target,
            distances=np.zeros(len(source)),
            edge_vectors=np.zeros((len(source), 3)),
            images=np.zeros((len(source), 3), dtype=np.int64),
            edge_weights=np.ones(len(source)),
            atomic_numbers=numbers.astype(np.uint8),
            node_weights=counts.astype(np.float64),
        )
