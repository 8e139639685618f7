"""The local layers of SCANN and lens on chosen atoms alone; see `atomlens.models.local`."""

from collections.abc import Callable, Sequence
from typing import final

from jaxtyping import Float, Int
from torch import Tensor

from atomlens.models.local import Reader, SteppingPass, side_by_side
from atomlens.models.scann.layers import EdgeUpdate, LocalAttention
from atomlens.nn.edges import EdgeLayout

Filter = Callable[[int, Tensor, Tensor | None], Tensor]
"""Of a layer, edges and their numbers: what multiplies the sources where edges stay as they are."""


@final
class AttentionPass(SteppingPass):
    """Edge updates, or filters of edges that stay as they are, and local attention."""

    def __init__(
        self,
        layers: Sequence[LocalAttention],
        updates: Sequence[EdgeUpdate] | Filter,
        *,
        nodes: Float[Tensor, "n_nodes n_features"],
        edges: Float[Tensor, "n_edges _"],
        bias: Float[Tensor, " n_edges"] | None,
        layout: EdgeLayout,
        read: Callable[[Tensor], Reader],
    ) -> None:
        self.layers, self.updates, self.n_layers = layers, updates, len(layers)
        self.nodes, self.edges, self.bias, self.layout = nodes, edges, bias, layout
        self.read = read

    def step(
        self,
        layer: int,
        targets: Float[Tensor, "n_targets n_features"],
        sources: Float[Tensor, "n_sources n_features"],
        edges: Float[Tensor, "n_edges _"],
        layout: EdgeLayout,
        chosen: Int[Tensor, " n_edges"] | None,
    ) -> tuple[Float[Tensor, "n_targets n_features"], Float[Tensor, "n_edges _"]]:
        """Return the atoms and edges behind a layer."""
        if callable(self.updates):
            messages = sources.index_select(0, layout.source)
            messages = messages * self.updates(layer, edges, chosen)
        else:
            nodes, together = side_by_side(targets, sources, layout)
            edges, messages = self.updates[layer](nodes, edges, together)
        bias = self.bias if self.bias is None or chosen is None else self.bias[chosen]
        found, _ = self.layers[layer](targets, messages, layout, bias)
        return found, edges

    def reader(self, nodes: Float[Tensor, "n_nodes n_features"]) -> Reader:
        """Return what reads out, given all atoms behind the last layer."""
        return self.read(nodes)
