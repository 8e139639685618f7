"""The vector that each atom starts from, as something that can be asked about.

Every atom begins as the vector of its element, learned or from a table. Here each atom gets a
vector of its own in its place, so that the answer to a change of this one atom can be found.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import functional_call

from atomlens.graphs import GraphBatch, copies
from atomlens.models.base import ClosedFormModel, ModelOutput, PropertyModel

Vectors = Float[Tensor, "n_nodes n_features"]
Run = Callable[[Vectors], ModelOutput]


def vector_table(model: PropertyModel) -> tuple[str, Float[Tensor, "n_elements _"]] | None:
    """Return name and rows of the table that atoms start from; None if the model has none."""
    tables = {**dict(model.named_buffers()), **dict(model.named_parameters())}
    names = [name for name in model.element_tables if name in tables]
    if len(names) == 1:
        return names[0], tables[names[0]].detach()
    if isinstance(model, ClosedFormModel) or "element_table" not in tables:
        return None
    return "element_table", tables["element_table"]


def own_vectors(
    model: PropertyModel, batch: GraphBatch, n_copies: int = 1
) -> tuple[Vectors, Run] | None:
    """Return the vectors of a batch's atoms, and the model as a function of them.

    Args:
        model: Whose weights stay as they are.
        batch: Any graphs.
        n_copies: How many times the batch is taken, end to end, so that several sets of vectors
            are asked about at once.

    Returns:
        None if the model's atoms start from no table of vectors.
    """
    found = vector_table(model)
    if found is None:
        return None
    name, table = found
    whole = copies(batch, n_copies)
    vectors = table.index_select(0, whole.atomic_numbers)
    own = replace(whole, atomic_numbers=torch.arange(whole.n_nodes, device=vectors.device))

    # weights that ask for no gradient: nothing behind the vectors is worked out but theirs
    fixed = {key: weight.detach() for key, weight in model.named_parameters()}

    def run(vectors: Vectors) -> ModelOutput:
        output: ModelOutput = functional_call(model, fixed | {name: vectors}, (own,))
        return output

    return vectors, run
