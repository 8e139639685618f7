"""What a graph takes from its structure as it is: charges, cell, and flags of rings."""

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray

from atomlens.graphs import GraphStore
from atomlens.structures.arrays import Structure, StructureArrays


def with_structure_fields(
    store: GraphStore, structures: StructureArrays, kept: NDArray[np.int64]
) -> GraphStore:
    """Return the store with what graphs take from their structures as it is: cells, charges.

    Charges are left out where nodes are not atoms, and 0 where a structure has none.
    """
    charges = None
    if structures.charges is not None and store.node_weights is None:
        found = structures.subset(kept).charges
        assert found is not None
        charges = torch.from_numpy(np.nan_to_num(found))
    cells = torch.from_numpy(structures.cells[kept].astype(np.float32))
    return store.with_fields(cell=cells, charges=charges)


def why_no_rings(name: str) -> str:
    """Return why a periodic structure has no flags of rings, and what to do about it."""
    return (
        f"{name}: this structure is periodic, and rings are perceived in molecules only. Use a "
        "model without ring_features."
    )


def ring_flags(structures: Iterable[Structure]) -> NDArray[np.float32]:
    """Return two flags of every atom of molecules laid end to end: in a ring, and aromatic.

    Returns:
        (n_atoms, 2), 0 or 1.
    """
    from atomlens.chemistry.rings import find_rings

    return np.concatenate([find_rings(structure) for structure in structures])
