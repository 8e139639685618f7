"""The loss that makes a term be what the prediction loses without the atom.

A sum rule alone is no explanation: the terms of a network trained for its values only say little
about what happens when an atom is hidden. So on some batches a set S of atoms is drawn anew (each
atom of a structure with a probability between 0 and 1/2), the network is asked again without S,
and |f(without S) - (f - Σ_{j in S} term_j)| is added to the loss.
"""

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from atomlens.graphs import GraphBatch
from atomlens.nn.additive import Absence
from atomlens.nn.segment import segment_sum

Meaning = Literal["mask", "graph"]
"""Elements hidden, or atoms taken out of the graph."""


def consistency_loss(
    terms_of: Callable[[Absence], Float[Tensor, "n_nodes n_outputs"]],
    terms: Float[Tensor, "n_nodes n_outputs"],
    batch: GraphBatch,
    meaning: Meaning,
    extensive: Bool[Tensor, " n_outputs"],
    real: Bool[Tensor, " n_graphs"] | None = None,
    intercept: Float[Tensor, " n_outputs"] | None = None,
) -> Float[Tensor, ""]:
    """Return the mean over graphs and outputs, in scaled units.

    Args:
        terms_of: The network's terms without some atoms.
        terms: Its terms for the whole structures.
        batch: The structures.
        meaning: In which meaning the atoms are absent.
        extensive: Which outputs are multiplied by the number of atoms afterwards; when atoms are
            taken out of the graph, there are fewer of them.
        real: Graphs that count; all by default.
        intercept: What the terms of a structure hold together, in equal parts, whatever the atoms
            are; it stays as it is without some of them.
    """
    index, n_graphs = batch.graph_index, batch.n_graphs
    share = 0.5 * torch.rand(n_graphs, device=terms.device)
    absent = torch.rand(batch.n_nodes, device=terms.device) < share.index_select(0, index)
    if meaning == "graph":  # somebody must stay
        left = segment_sum((~absent).to(terms.dtype), index, n_graphs)
        absent = absent & (left > 0).index_select(0, index)
    there = (~absent).to(terms.dtype).unsqueeze(1)
    if intercept is not None:
        counts = batch.node_counts.to(terms.dtype).clamp(min=1).index_select(0, index)
        terms = terms - intercept / counts.unsqueeze(1)
    expected = segment_sum(terms * there, index, n_graphs)
    if meaning == "graph":
        amounts = batch.node_weights
        ones = torch.ones_like(there) if amounts is None else amounts.to(terms.dtype).unsqueeze(1)
        before = segment_sum(ones, index, n_graphs)
        after = segment_sum(ones * there, index, n_graphs)
        least = torch.finfo(terms.dtype).tiny
        expected = torch.where(extensive, expected * before / after.clamp(min=least), expected)
        absence = Absence(removed=absent)
    else:
        absence = Absence(masked=absent)
    got = segment_sum(terms_of(absence), index, n_graphs)
    if intercept is not None:
        got = got - intercept
    return mean_over_graphs((got - expected).abs(), real)


def mean_over_graphs(
    values: Float[Tensor, "n_graphs n_outputs"], real: Bool[Tensor, " n_graphs"] | None
) -> Float[Tensor, ""]:
    """Return the mean over the graphs that count, all by default, and over outputs."""
    if real is None:
        return values.mean()
    return values.mean(dim=1).mul(real).sum() / real.sum().clamp(min=1)
