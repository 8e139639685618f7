"""A layer of SCANN+ on a CPU, some hundred edges at a time; here without gradients.

A layer makes three rows of every edge: its part of the update, its message and its key. Of a large
batch each would go to main memory and come back, which takes as long as the products. Here the
edges of some atoms are taken from the first product to the last while they are near the processor;
only the new geometry remains, in the place of the old. With gradients: `recorded`.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from atomlens.models.scann.fused import use_fused
from atomlens.nn.edges import EdgeLayout
from atomlens.nn.pieces import as_arrays, in_pieces

EDGES_OF_A_TILE = 128 if torch.backends.cpu.get_cpu_capability() == "AVX512" else 48
"""With 128 numbers each, 48 rows stay in a first-level cache of 32 KB. With AVX-512 fewer
than 128 were not measured."""


class EdgeWeights(NamedTuple):
    """What a layer does to edges and messages."""

    mix: Float[Tensor, "n_features n_features"]
    """With what the geometry is multiplied in the update"""
    scale: Float[Tensor, " n_features"]
    """Of the layer norm of the update"""
    shift: Float[Tensor, " n_features"]
    key: Float[Tensor, "n_features n_features"]
    key_bias: Float[Tensor, " n_features"]
    eps: float
    """Of the layer norm"""


class EdgeInputs(NamedTuple):
    """What a layer works on."""

    query: Float[Tensor, "n_targets n_features"]
    at_target: Float[Tensor, "n_targets n_features"]
    """What targets add to the update of an edge"""
    at_source: Float[Tensor, "n_nodes n_features"]
    """What sources add"""
    nodes: Float[Tensor, "n_nodes n_features"]
    """The sources themselves"""
    geometry: Float[Tensor, "n_edges n_features"]
    mask: Float[Tensor, "n_masked n_heads"]
    """Multiplies the attention in the sum, or has no rows; one column a head"""
    bias: Float[Tensor, " n_biased"]
    """Added to the scores of all heads, or has no rows"""


def multiplied_in_loops(width: int, *tensors: Tensor) -> bool:
    """Tell whether compiled loops make the products of rows of this width by themselves.

    That is on a CPU of the x86 kind, with numba, and 32-bit numbers that are multiplied as such.
    """
    if (
        torch.is_autocast_enabled("cpu")
        or torch.get_float32_matmul_precision() != "highest"
        or any(t.dtype != torch.float32 for t in tensors)
    ):
        return False
    from atomlens.nn.blocks import fits

    return fits(width)


def laid_out(weight: Float[Tensor, "n_out n_in"], *, turned: bool = False) -> Any:
    """Return a weight, or the transposed one, as the loops want it."""
    from atomlens.nn.blocks import COLUMNS, packed

    n_out, n_in = reversed(weight.shape) if turned else weight.shape
    found = np.empty((n_out // COLUMNS, n_in, COLUMNS), dtype=np.float32)
    packed(*as_arrays(weight), turned, found)
    return found


def usable(inputs: EdgeInputs, layout: EdgeLayout) -> bool:
    """Tell whether `attended_in_tiles` can be asked; that is where no gradient is asked for."""
    return (
        not torch.is_grad_enabled()
        and inputs.geometry.is_contiguous()
        and use_fused(inputs.geometry, layout)
        and multiplied_in_loops(inputs.geometry.shape[1], *inputs)
    )


def attended_in_tiles(
    layout: EdgeLayout, weights: EdgeWeights, inputs: EdgeInputs
) -> tuple[Float[Tensor, "n_targets n_features"], Float[Tensor, "n_edges n_heads"]]:
    """Put the new geometry in the place of the old; return what atoms hear, and attention."""
    from atomlens.models.scann.layer_kernels import edges_forward

    geometry = inputs.geometry
    context = torch.empty_like(inputs.query)
    attention = geometry.new_empty(len(geometry), inputs.mask.shape[1])
    spread, nothing = geometry.new_empty(2, len(geometry)), geometry.new_empty(0, geometry.shape[1])
    given = as_arrays(*inputs)
    of_layer = laid_out(weights.mix), laid_out(weights.key)
    of_layer += as_arrays(weights.scale, weights.shift, weights.key_bias)
    ends = as_arrays(layout.source, layout.target, layout.offsets)
    results = as_arrays(geometry, context, attention, *spread, nothing, nothing)

    def work(first: int, last: int) -> None:
        edges_forward(given, of_layer, ends, weights.eps, first, last, EDGES_OF_A_TILE, results)

    in_pieces(ends[2], work)
    return context, attention
