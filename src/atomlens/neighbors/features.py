"""What a graph takes from its structure as it is: charges, cell, and flags of rings."""

import warnings
from collections.abc import Iterable
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray

from atomlens.graphs import GraphStore
from atomlens.structures.arrays import Structure, StructureArrays

_ALONE = Lock()
"""Which warnings are heard is set for all threads."""


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
    cells = structures.cells[kept]
    reduced = reduced_cells(cells, structures.pbc[kept])
    return store.with_fields(
        cell=torch.from_numpy(cells.astype(np.float32)),
        reduced_cell=None if reduced is None else torch.from_numpy(reduced.astype(np.float32)),
        charges=charges,
    )


def reduced_cells(cells: NDArray[np.float64], pbc: NDArray[np.bool_]) -> NDArray[np.float64] | None:
    """Return the Niggli cells of crystals, which do not depend on the cell that was chosen.

    The vectors stay in the frame of the positions. Where lengths or angles are equal, as in cubic
    lattices, their order and signs are still those of the input.

    Args:
        cells: (n, 3, 3) rows are lattice vectors, Å.
        pbc: (n, 3); what does not repeat in all directions keeps its cell.

    Returns:
        (n, 3, 3), or None where spglib is missing, as on a machine for training alone.
    """
    found = np.array(cells, dtype=np.float64)
    rows = np.flatnonzero(pbc.all(axis=1))
    if not len(rows):
        return found
    try:
        from spglib import niggli_reduce
    except ImportError:
        return None
    with _ALONE, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # spglib 2.7 warns of its own errors
        for row in rows.tolist():
            try:
                reduced = niggli_reduce(found[row])
            except Exception:  # its errors have no common class in all versions; a flat cell
                continue
            if reduced is not None and np.isfinite(reduced).all():
                found[row] = reduced
    return found


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
