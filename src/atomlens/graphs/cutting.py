"""Batches cut by size, graphs without some of their atoms, copies of the same graphs."""

import numpy as np
import torch
from jaxtyping import Bool
from numpy.typing import NDArray
from torch import Tensor

from atomlens.graphs.batches import GraphBatch
from atomlens.graphs.fields import FIELDS


def cut_batches(
    sizes: NDArray[np.int64], *, batch_size: int | None, largest: int
) -> list[tuple[int, int]]:
    """Return the ranges of consecutive structures that make batches.

    A batch has at most ``batch_size`` structures whose ``sizes`` add up to at most ``largest``,
    and at least one structure.
    """
    batches, start, filled = [], 0, 0
    for i, size in enumerate(sizes.tolist()):
        full = filled + size > largest or (batch_size is not None and i - start >= batch_size)
        if i > start and full:
            batches.append((start, i))
            start, filled = i, 0
        filled += size
    if len(sizes) > start:
        batches.append((start, len(sizes)))
    return batches


def keep_nodes(batch: GraphBatch, kept: Bool[Tensor, " n_nodes"]) -> GraphBatch:
    """Return the graphs with the kept atoms and the edges between them; nothing else changes."""
    edges = kept[batch.edge_index].all(dim=0)
    place = kept.cumsum(0) - 1
    counts = torch.zeros_like(batch.node_counts)
    counts.index_add_(0, batch.graph_index, kept.to(counts.dtype))
    rows = {"node": kept, "edge": edges}
    return GraphBatch(
        atomic_numbers=batch.atomic_numbers[kept],
        graph_index=batch.graph_index[kept],
        node_counts=counts,
        edge_index=place[batch.edge_index[:, edges]],
        distances=batch.distances[edges],
        fields={
            name: values[rows[FIELDS[name].scope]] if FIELDS[name].scope in rows else values
            for name, values in batch.fields.items()
        },
    )


def copies(batch: GraphBatch, n_copies: int) -> GraphBatch:
    """Return the batch ``n_copies`` times, end to end."""
    if n_copies == 1:
        return batch
    copy = torch.arange(n_copies, device=batch.graph_index.device)
    node_shift = (copy * batch.n_nodes).repeat_interleave(batch.n_edges)
    graph_shift = (copy * batch.n_graphs).repeat_interleave(batch.n_nodes)

    def repeated(values: Tensor) -> Tensor:
        return values.repeat(n_copies, *[1] * (values.dim() - 1))

    return GraphBatch(
        atomic_numbers=repeated(batch.atomic_numbers),
        graph_index=repeated(batch.graph_index) + graph_shift,
        node_counts=repeated(batch.node_counts),
        edge_index=batch.edge_index.repeat(1, n_copies) + node_shift,
        distances=repeated(batch.distances),
        fields={name: repeated(values) for name, values in batch.fields.items()},
    )
