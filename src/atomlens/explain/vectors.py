"""The vector that each atom starts from, as something that can be asked about.

Every atom begins as the vector of its element, learned or from a table. Here each atom gets a
vector of its own in its place, so that the answer to a change of this one atom can be found.
"""

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from atomlens.graphs import GraphBatch, copies
from atomlens.models.base import ModelOutput, PropertyModel

Vectors = Float[Tensor, "n_nodes n_features"]
Run = Callable[[Vectors], ModelOutput]


def vector_table(model: PropertyModel) -> tuple[str, Float[Tensor, "n_elements _"]] | None:
    """Return name and rows of the table that atoms start from; None if the model has none."""
    found = {name: _tensor(model, name) for name in model.element_tables}
    tables = [(name, table) for name, table in found.items() if table is not None]
    if len(tables) == 1:
        return tables[0][0], tables[0][1].detach()
    fixed = _tensor(model, "element_table") if model.makes_vectors else None
    return None if fixed is None else ("element_table", fixed)


def _tensor(model: PropertyModel, name: str) -> Tensor | None:
    """Return a parameter or buffer; by its path, as asking every module takes a millisecond."""
    *path, last = name.split(".")
    place: object = model
    for part in path:
        place = getattr(place, part, None)
    found = getattr(place, last, None)
    return found if isinstance(found, Tensor) else None


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
    tables = [_tensor(model, other) for other in model.fixed_tables]
    others = {
        id(t): t.detach().index_select(0, whole.atomic_numbers) for t in tables if t is not None
    }

    def run(vectors: Vectors) -> ModelOutput:
        # weights that ask for no gradient: nothing behind the vectors is worked out but theirs
        exchanged = {id(w): w.detach() for w in model.parameters() if w.requires_grad}
        given = _tensor(model, name)
        assert given is not None
        output: ModelOutput = _twin(model, exchanged | others | {id(given): vectors})(own)
        return output

    return vectors, run


def _twin(module: nn.Module, exchanged: dict[int, Tensor]) -> Any:
    """Return the module with other weights, those of these identities.

    All others are shared. `torch.func.functional_call` puts them into the module itself and takes
    them out again, so that two threads could not ask the same one.
    """
    twin = copy(module)
    for kind in ("_parameters", "_buffers"):
        own = vars(module)[kind]
        vars(twin)[kind] = {name: exchanged.get(id(value), value) for name, value in own.items()}
    parts = module._modules.items()
    vars(twin)["_modules"] = {k: None if m is None else _twin(m, exchanged) for k, m in parts}
    return twin
