"""The local layers of SCANN and lens on chosen atoms alone; see `atomlens.models.local`."""

from collections.abc import Callable, Sequence
from typing import final

from jaxtyping import Float, Int
from torch import Tensor

from atomlens.models.local import AtomReadings, HearingPass, Reader
from atomlens.models.scann.layers import EdgeUpdate, LocalAttention, heard_in_place
from atomlens.models.scann.tiles import EdgeInputs
from atomlens.nn.edges import EdgeLayout

Filter = Callable[[int, Tensor, Tensor | None], Tensor]
"""Of a layer, edges and their numbers: what multiplies the sources where edges stay as they are."""


@final
class AttentionPass(HearingPass):
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
        self.edges_change = not callable(updates)

    def readings(self, layer: int, nodes: Float[Tensor, "n_rows n_features"]) -> AtomReadings:
        """Return queries and, where edges change, what atoms add to the update of an edge."""
        query = self.layers[layer].query(nodes)
        if callable(self.updates):
            return AtomReadings((query,), (nodes,))
        at_target, at_source = self.updates[layer].of_nodes(nodes)
        return AtomReadings((query, at_target), (nodes, at_source))

    def heard(
        self,
        layer: int,
        readings: AtomReadings,
        edges: Float[Tensor, "n_edges _"],
        layout: EdgeLayout,
        chosen: Int[Tensor, " n_edges"] | None,
    ) -> Float[Tensor, "n_edges n_features"]:
        """Return the keys of some edges; where edges change, put the new ones in their place."""
        nodes = readings.as_source[0]
        if callable(self.updates):
            messages = nodes.index_select(0, layout.source)
            messages = messages * self.updates(layer, edges, chosen)
        else:
            at_target, at_source = readings.as_target[1], readings.as_source[1]
            update = self.updates[layer]
            updated, messages = update.of_edges(at_target, at_source, edges, nodes, layout)
            edges.copy_(updated)
        found: Tensor = self.layers[layer].key(messages)
        return found

    def renewed(
        self,
        layer: int,
        readings: AtomReadings,
        edges: Float[Tensor, "n_edges _"],
        layout: EdgeLayout,
        chosen: Int[Tensor, " n_edges"] | None,
    ) -> Float[Tensor, "n_targets n_features"]:
        """Return the atoms behind a layer, and put new edges in their place, tile by tile."""
        if callable(self.updates):
            return super().renewed(layer, readings, edges, layout, chosen)
        own = self.layers[layer]
        (query, at_target), (nodes, at_source) = readings
        inputs = EdgeInputs(
            query=query,
            at_target=at_target,
            at_source=at_source,
            nodes=nodes,
            geometry=edges,
            mask=own.mask(edges, layout, None),
            bias=self._bias(edges, chosen),
        )
        context, _ = heard_in_place(self.updates[layer], own, inputs, layout)
        return own.after(query, context)

    def after(
        self,
        layer: int,
        targets: tuple[Float[Tensor, "n_targets _"], ...],
        heard: Float[Tensor, "n_edges n_features"],
        layout: EdgeLayout,
        chosen: Int[Tensor, " n_edges"] | None,
    ) -> Float[Tensor, "n_targets n_features"]:
        """Return the atoms behind a layer, given their queries and all their keys."""
        own, query = self.layers[layer], targets[0]
        mask, bias = own.mask(heard, layout, None), self._bias(heard, chosen)
        context, _ = own.attend(query, heard, layout, bias, mask)
        return own.after(query, context)

    def _bias(
        self, rows: Float[Tensor, "n_edges _"], chosen: Int[Tensor, " n_edges"] | None
    ) -> Float[Tensor, " n_biased"]:
        """Return what is added to the scores of some edges; nothing has no rows."""
        if self.bias is None:
            return rows.new_empty(0)
        return self.bias if chosen is None else self.bias.index_select(0, chosen)

    def reader(self, nodes: Float[Tensor, "n_nodes n_features"]) -> Reader:
        """Return what reads out, given all atoms behind the last layer."""
        return self.read(nodes)
