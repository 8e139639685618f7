"""How the edges of a batch are laid out, worked out once and shared by all layers."""

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
