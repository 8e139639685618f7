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

    Each node is joined to itself too. Nodes stand in order of atomic number; distances and
    vectors are zero. Positions are not looked at, so bare formulas will do.
    """

    name: ClassVar[str] = "formula"
    needs_positions: ClassVar[bool] = False

    def edges(self, structure: Structure) -> EdgeArrays:
        """Return the pairs of elements."""
        numbers, counts = np.unique(structure.atomic_numbers, return_counts=True)
        n = len(numbers)
        nodes = np.arange(n, dtype=np.int64)
        return EdgeArrays(
            source=np.tile(nodes, n),
            target=np.repeat(nodes, n),
            distances=np.zeros(n * n),
            vectors=np.zeros((n * n, 3)),
            images=np.zeros((n * n, 3), dtype=np.int64),
            weights=np.ones(n * n),
            atomic_numbers=numbers.astype(np.uint8),
            node_weights=counts.astype(np.float64),
        )
