"""Which cell a model reads: the one that was given, or the Niggli cell of its lattice."""

from jaxtyping import Float
from torch import Tensor

from atomlens.errors import SettingsError
from atomlens.graphs import GraphBatch


def cell_to_read(batch: GraphBatch, *, reduced: bool) -> Float[Tensor, "n_graphs 3 3"] | None:
    """Return the cells of a batch, rows lattice vectors in Å; None where there are none.

    Args:
        batch: Graphs with the field ``cell``, and ``reduced_cell`` if that is wanted.
        reduced: Whether the Niggli cells are wanted.

    Raises:
        SettingsError: there are cells, but their Niggli cells were not made.
    """
    cells: Tensor | None = batch.reduced_cell if reduced else batch.cell
    if reduced and cells is None and batch.cell is not None:
        raise SettingsError(
            "The Niggli cells of these graphs were not made (that takes spglib); install it, or "
            "set reduced_cell=false to read the cells as they are given."
        )
    return cells
