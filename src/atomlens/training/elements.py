"""Fixed element vectors in a training: which table, and which samples it leaves out."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from atomlens.elements import SYMBOLS
from atomlens.elements.tables import element_table
from atomlens.errors import Failure
from atomlens.models import PropertyModel
from atomlens.structures.arrays import StructureArrays
from atomlens.training.transfer import Pretrained


def choose_element_table(
    kind: type[PropertyModel], config: Any, pretrained: Pretrained | None
) -> NDArray[np.float32] | None:
    """Return the element vectors that a model starts from: those of a pretrained one, if any.

    Raises:
        MissingDependencyError: the package that has them is not installed.
    """
    name = kind.element_table_name(config)
    if not name:
        return None
    if pretrained is not None:
        given = pretrained.predictor.models[0].get_buffer("element_table")
        table: NDArray[np.float32] = given.detach().cpu().numpy()
        return table
    return element_table(name, config.n_elements)


def without_vectors(
    structures: StructureArrays, table: NDArray[np.float32] | None
) -> dict[int, Failure]:
    """Return the structures with an element that has no vector, by row, with the reason."""
    if table is None:
        return {}
    known: NDArray[np.bool_] = np.any(table, axis=1)
    unknown = ~known[structures.atomic_numbers]
    owners = np.repeat(np.arange(len(structures)), structures.n_atoms)
    failures = {}
    for row in np.unique(owners[unknown]).tolist():
        structure = structures[row]
        missing = np.unique(structure.atomic_numbers[~known[structure.atomic_numbers]])
        symbols = ", ".join(SYMBOLS[z] for z in missing)
        failures[row] = Failure(
            name=structure.name,
            message=f"{structure.name}: the table of element vectors has none for {symbols}; "
            "choose another table with --set model.element_vectors, or drop this row.",
        )
    return failures
