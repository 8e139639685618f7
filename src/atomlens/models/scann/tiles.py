"""A layer of SCANN+ without gradients on a CPU, tile by tile.

A layer makes three rows of every edge: its part of the update, its message and its key. Of a large
batch each goes to main memory and comes back, which takes as long as the products. Here some
thousand edges are taken from the first product to the last while they are near the processor, in
memory that the next tile uses again; only the new geometry remains, in the place of the old.
"""

from functools import partial
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from atomlens.models.scann.fused import by_head, use_fused
from atomlens.nn.edges import EdgeLayout
from atomlens.nn.pieces import as_arrays, in_pieces, tiles_of
from atomlens.nn.products import product

EDGES_OF_A_TILE = 8_192
"""Of each thread: with 128 numbers an edge, four megabytes for each of the rows."""


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


def usable(inputs: EdgeInputs, layout: EdgeLayout) -> bool:
    """Tell whether `attended_in_tiles` can be asked.

    That is on a CPU, with 32-bit numbers, for more than a few edges, and where no gradient is
    asked for.
    """
    return (
        not torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
        and use_fused(inputs.geometry, layout)
        and inputs.geometry.is_contiguous()
        and all(t.dtype == torch.float32 for t in inputs)
    )


def attended_in_tiles(
    layout: EdgeLayout, weights: EdgeWeights, inputs: EdgeInputs
) -> tuple[Float[Tensor, "n_targets n_features"], Float[Tensor, "n_edges n_heads"]]:
    """Put the new geometry in the place of the old; return what atoms hear, and attention."""
    query, at_target, at_source, nodes, geometry, mask, bias = inputs
    mix, scale, shift, key, key_bias, eps = weights
    n_heads, n_threads = mask.shape[1], torch.get_num_threads()
    offsets, source, target = as_arrays(layout.offsets, layout.source, layout.target)
    adds, rest = as_arrays(at_target, at_source), as_arrays(nodes, scale, shift)
    masks, biases = as_arrays(mask, bias)
    context = torch.empty_like(query)
    attention = geometry.new_empty(len(geometry), n_heads)
    (found,) = as_arrays(attention)
    queries, contexts = by_head(n_heads, query, context)
    tiles = list(tiles_of(offsets, EDGES_OF_A_TILE * n_threads))
    most = max((int(offsets[b] - offsets[a]) for a, b in tiles), default=0)
    saved = as_arrays(*geometry.new_empty(2, most))
    for start, stop in tiles:
        first, last = int(offsets[start]), int(offsets[stop])
        own, begins, n = slice(first, last), offsets[start : stop + 1] - first, last - first
        mixed = product(geometry[own], mix)
        old, now = as_arrays(geometry[own], mixed)
        updating = (now, *adds, old, *rest), (source[own], target[own]), eps
        updated = old, now, *(one[:n] for one in saved)
        in_pieces(begins, partial(_update, updating, updated, begins))
        keys = product(mixed, key, key_bias)
        asked = queries[start:stop], *by_head(n_heads, keys), begins, masks[own], biases[own]
        heard = contexts[start:stop], found[own]
        in_pieces(begins, partial(_attend, asked, heard))
    return context, attention


def _update(
    inputs: tuple[Any, ...], results: tuple[Any, ...], begins: Any, first: int, last: int
) -> None:
    from atomlens.models.scann.kernels import edge_update_forward

    edge_update_forward(*inputs, begins[first], begins[last], results)


def _attend(inputs: tuple[Any, ...], results: tuple[Any, ...], first: int, last: int) -> None:
    from atomlens.models.scann.kernels import attention_forward

    attention_forward(*inputs, first, last, *results)
