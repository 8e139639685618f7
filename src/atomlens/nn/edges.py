"""How the edges of a batch are laid out, worked out once and shared by all layers."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeLayout:
    """Sources and targets of the edges, sorted by target, and where each target begins."""

    source: Int[Tensor, " n_edges"]
    target: Int[Tensor, " n_edges"]
    offsets: Int[Tensor, " n_nodes_plus_1"]
    """Edges of node i stand at ``offsets[i]:offsets[i + 1]``."""
    presence: Float[Tensor, " n_edges"] | None = None
    """0 to 1, how much of a neighbour's message arrives; None: all of it."""

    @property
    def n_nodes(self) -> int:
        """Number of nodes, those without edges included."""
        return int(self.offsets.shape[0]) - 1

    def heard(
        self, messages: Float[Tensor, "n_edges n_features"]
    ) -> Float[Tensor, "n_edges n_features"]:
        """Return what arrives of the neighbours' messages; how they are weighed is not changed."""
        return messages if self.presence is None else messages * self.presence.unsqueeze(1)

    @classmethod
    def of(
        cls,
        edge_index: Int[Tensor, "2 n_edges"],
        n_nodes: int,
        presence: Float[Tensor, " n_edges"] | None = None,
    ) -> "EdgeLayout":
        """Lay out the edges of a batch; rows are source and target, sorted by target."""
        source, target = (ends.contiguous() for ends in edge_index)
        nodes = torch.arange(n_nodes + 1, device=target.device)
        # not bincount: on a GPU it waits for the device
        offsets = torch.searchsorted(target, nodes)
        return cls(source=source, target=target, offsets=offsets, presence=presence)

    def part(self, nodes: slice, edges: slice) -> "EdgeLayout":
        """Return the layout of the edges of some targets that follow one another.

        Targets are counted from the first of them; sources are nodes of the whole batch.

        Args:
            nodes: The targets.
            edges: All their edges, as `parts_at_targets` gives them.
        """
        return EdgeLayout(
            source=self.source[edges],
            target=self.target[edges] - nodes.start,
            offsets=self.offsets[nodes.start : nodes.stop + 1] - edges.start,
            presence=None if self.presence is None else self.presence[edges],
        )


MANY_EDGES = 65_536
"""Edges from which on they are taken in parts where no gradient is asked for."""
EDGES_OF_A_PART = 8_192
"""Edges that are worked on at a time: with 200 numbers each they take 6.5 MB."""


def worth_parts(n_edges: int) -> bool:
    """Say whether a layer shall take the edges in parts: there are many, and nobody trains."""
    return n_edges > MANY_EDGES and not torch.is_grad_enabled()


def parts_at_targets(layout: EdgeLayout) -> Iterator[tuple[slice, slice]]:
    """Yield targets that follow one another and all their edges, some ten thousand at a time.

    What a layer does for a target needs its own edges alone, so a huge cell is worked on part by
    part in bounded memory. A target with more edges is a part of its own.
    """
    offsets = layout.offsets.tolist()
    start, n_nodes = 0, layout.n_nodes
    for stop in range(1, n_nodes + 1):
        ends = stop == n_nodes or offsets[stop + 1] - offsets[start] > EDGES_OF_A_PART
        if ends:
            yield slice(start, stop), slice(offsets[start], offsets[stop])
            start = stop
