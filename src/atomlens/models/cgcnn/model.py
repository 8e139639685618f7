"""CGCNN, and AE-CGCNN: attention in nodes, edges, heads and pooling, one switch after another.

CGCNN: Xie and Grossman, "Crystal graph convolutional neural networks for an accurate and
interpretable prediction of material properties", Phys. Rev. Lett. 120, 145301 (2018).
AE-CGCNN: Cong, Ben-Naim, Fung, Gupta, Neumann and Steiner, the ladder of its table I. The
papers leave choices open; each is a setting, its default the reading we recommend. What they tried
against over-smoothing: Chen, Wei, Huang, Ding and Li, "Simple and deep graph convolutional
networks", ICML 2020 (GCNII).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Literal, final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from atomlens.errors import SettingsError
from atomlens.graphs import GraphBatch
from atomlens.models.additive import AdditiveModel, HeadSettings, additive_output
from atomlens.models.base import ModelOutput
from atomlens.models.cells import cell_to_read
from atomlens.models.cgcnn.layers import (
    AttentionConvolution,
    AttentionPooling,
    Combine,
    Convolved,
    Deepening,
    EdgeConvolution,
    GatedConvolution,
    HeadSoftmax,
)
from atomlens.models.cgcnn.recorded import basis_of
from atomlens.models.local import (
    AddingPass,
    AdditiveReader,
    LocalPass,
    MeanReader,
    Reader,
    SteppingPass,
    side_by_side,
)
from atomlens.nn.additive import AdditiveReadout
from atomlens.nn.basis import GaussianBasis, SmoothBasis
from atomlens.nn.edges import EdgeLayout
from atomlens.nn.linear import element_embedding
from atomlens.nn.readout import bounds_tensor, check_bounds, mean_pooling, values_and_scale
from atomlens.settings import Bounds, bounded, only_with

_ACTIVATIONS: dict[str, type[nn.Module]] = {"softplus": nn.Softplus, "relu": nn.ReLU}


@dataclass(frozen=True, slots=True, kw_only=True)
class CgcnnConfig(HeadSettings):
    """Settings of CGCNN and of every step of the ladder to AE-CGCNN."""

    n_layers: int = bounded(4, least=1)
    """Convolutions (published CGCNN code: 3 by default, 4 in its published weights)."""
    n_features: int = bounded(64, least=1)
    """Width of the atoms."""
    n_edge_features: int = bounded(0, least=0)
    """Width of the edges if edges are updated; 0 feeds the distance basis as it is."""
    edge_update: bool = False
    """Ladder, step 1: edges change from layer to layer (Eqs 4 and 5)."""
    edge_residual: bool = only_with(True, edge_update=True)
    """Keep the old edge beside its change; without, distances fade layer by layer."""
    edge_first: bool = only_with(False, edge_update=True)
    """Update the edges before the atoms of a layer instead of side by side with them."""
    attention: Literal["none", "channel", "scalar"] = "none"
    """Ladder, step 2: a softmax over the neighbours in place of the gate (Eq 6), one for each
    channel or one for all."""
    charges: Literal["none", "flag", "value"] = "none"
    """Ladder, step 3: partial charges as atom features: whether there is one, and its value."""
    cell: bool = False
    """Ladder, step 3: lengths (log(1 + a / 10 Å)) and angles (over 180°) of the cell as atom
    features. A doubled cell is another material to them."""
    reduced_cell: bool = only_with(True, cell=True)
    """Read the Niggli cell, the same for all cells of one lattice; off: the cell as given."""
    n_heads: int = bounded(1, least=1)
    """Ladder, step 4: heads of attention (Eq 7)."""
    head_softmax: HeadSoftmax = only_with("joint", n_heads=Bounds(above=1))
    """Softmax over neighbours and heads together (as printed), or in each head by itself."""
    combine: Combine = only_with("mean", n_heads=Bounds(above=1))
    """Ladder, step 5: how heads become one: mean, attention (softmax over heads), extra."""
    initial_residual: float = bounded(0.0, least=0, most=1)
    """For deep networks (GCNII): share of the first layer's input in what every layer hands on."""
    identity_mapping: float = bounded(0.0, least=0)
    """For deep networks (GCNII, λ): layer l hands on (1 - β) h + β W h, β = min(1, log(λ/l + 1));
    0: h as it is."""
    pooling: Literal["mean", "attention", "channel-attention"] = only_with("mean", head="published")
    """Ladder, step 6: mean of the atoms, or attention over them (Eq 8)."""
    activation: Literal["softplus", "relu"] = "softplus"
    n_hidden: int = only_with(bounded(128, least=1), head="published")
    """Width of the hidden layers of the head."""
    n_hidden_layers: int = only_with(bounded(1, least=1), head="published")
    basis: Literal["gaussian", "smooth"] = "gaussian"
    """gaussian: CGCNN's, 41 centres for 8 Å; smooth: the 64 radial functions of GeoCGNN."""
    cutoff: float = bounded(8.0, above=0, unit="Å")
    """Å; where the distance basis ends."""
    gaussian_step: float = only_with(bounded(0.2, above=0, unit="Å"), basis="gaussian")
    """Å between the centres of the Gaussian basis, and their width."""
    n_elements: int = bounded(101, least=1)
    """Rows of the element table: atomic numbers 0 (unused) to n_elements - 1."""
    n_outputs: int = bounded(1, least=1)
    predict_scale: bool = False
    """Also predict the logarithm of the noise scale of every output."""
    lower_bounds: tuple[float | None, ...] = ()
    """Smallest possible value of each output in scaled units (straight-through ReLU)."""

    def check_together(self) -> None:
        """Refuse heads without attention, and bounds of other outputs."""
        if self.n_heads > 1 and self.attention == "none":
            raise SettingsError(
                f"n_heads={self.n_heads} needs attention; set attention=channel or scalar."
            )
        check_bounds(self.lower_bounds, self.n_outputs)

    @property
    def n_basis(self) -> int:
        """Number of distance functions."""
        if self.basis == "smooth":
            return SmoothBasis.n_functions
        return round(self.cutoff / self.gaussian_step) + 1

    @property
    def n_extra(self) -> int:
        """Numbers beside the element that an atom starts from."""
        return {"none": 0, "flag": 1, "value": 2}[self.charges] + 6 * self.cell


@final
class Cgcnn(AdditiveModel[CgcnnConfig]):
    """Convolutions over the nearest neighbours, a mean or attention over atoms, a small head.

    With attention, the share of each neighbour is returned as ``edge_attention`` (one tensor a
    layer, one column a head); with attention pooling, the share of each atom as
    ``node_attention``, otherwise every atom has the same. Neither depends on how many copies
    of the cell are given, unless ``cell`` is on. With ``cell`` a structure in another cell of
    its lattice (a -> a + b) is the same (`reduced_cell`), a doubled one is not.
    """

    Config = CgcnnConfig
    edge_fields: ClassVar[frozenset[str]] = frozenset(
        {"charges", "cell", "reduced_cell", "edge_presence"}
    )
    older_settings: ClassVar[Mapping[str, Any]] = {"reduced_cell": False}
    default_builder: ClassVar[tuple[str, dict[str, Any]]] = ("nearest", {})
    element_tables: ClassVar[tuple[str, ...]] = ("embedding.weight",)
    output_layers: tuple[str, ...] = ("output",)
    bounds: Tensor
    paper: ClassVar[str] = "CGCNN, Phys. Rev. Lett. (2018); AE-CGCNN (Cong et al.)"

    deepening: Deepening | None
    pooling: AttentionPooling | None
    readout: AdditiveReadout | None
    noise: nn.Linear | None

    def __init__(self, config: CgcnnConfig) -> None:
        super().__init__(config)
        c = config
        activation = _ACTIVATIONS[c.activation]()
        n_edge = c.n_edge_features or c.n_basis
        self.embedding = element_embedding(c.n_elements, c.n_features)
        self.offset = nn.Parameter(torch.zeros(c.n_features))
        self.extra = nn.Linear(c.n_extra, c.n_features, bias=False) if c.n_extra else None
        self.basis: nn.Module = (
            SmoothBasis(c.cutoff)
            if c.basis == "smooth"
            else GaussianBasis(c.cutoff, n_centers=c.n_basis, width=c.gaussian_step)
        )
        self.edge_input = nn.Linear(c.n_basis, n_edge) if c.n_edge_features else None
        self.layers = nn.ModuleList(
            self._convolution(n_edge, activation) for _ in range(c.n_layers)
        )
        self.deepening = None
        if c.initial_residual or c.identity_mapping:
            self.deepening = Deepening(
                c.n_features, c.n_layers, c.initial_residual, c.identity_mapping, activation
            )
        n_updates = c.n_layers - (0 if c.edge_first else 1) if c.edge_update else 0
        self.edge_updates = nn.ModuleList(
            EdgeConvolution(c.n_features, n_edge, residual=c.edge_residual)
            for _ in range(n_updates)
        )
        self.pooling = self.readout = self.noise = None
        if c.head == "additive":
            self.readout, self.noise = self.additive_head(c.n_features, nn.Linear)
        else:
            if c.pooling != "mean":
                channelwise = c.pooling == "channel-attention"
                self.pooling = AttentionPooling(c.n_features, channelwise=channelwise)
            widths = [c.n_features] + [c.n_hidden] * c.n_hidden_layers
            self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
            self.output = nn.Linear(widths[-1], c.n_outputs * (2 if c.predict_scale else 1))
        self.activation = activation
        self.register_buffer("bounds", bounds_tensor(c.lower_bounds), persistent=False)

    @property
    def attends_to_atoms(self) -> bool:
        """Only with attention pooling or the additive head; a mean shares evenly."""
        return self.pooling is not None or self.readout is not None

    def _convolution(self, n_edge: int, activation: nn.Module) -> nn.Module:
        c = self.config
        if c.attention == "none":
            return GatedConvolution(c.n_features, n_edge, activation)
        return AttentionConvolution(
            c.n_features,
            n_edge,
            activation,
            n_heads=c.n_heads,
            head_softmax=c.head_softmax,
            combine=c.combine,
            scalar=c.attention == "scalar",
        )

    def forward(self, batch: GraphBatch) -> ModelOutput:
        """Predict the properties of every graph of the batch."""
        layout = EdgeLayout.of(batch.edge_index, batch.n_nodes, batch.edge_presence)
        nodes, edges = self._nodes(batch), self._edges(batch)
        local: list[Tensor] = []
        first = nodes
        for index, layer in enumerate(self.layers):
            if self.config.edge_first:
                edges = self.updated(index, nodes, edges, layout)
            found: Convolved = layer(nodes, edges, layout)
            if not self.config.edge_first:
                edges = self.updated(index, nodes, edges, layout)
            if self.deepening is None:
                nodes = found.nodes
            else:
                nodes = self.deepening(index, nodes + found.aggregated, first)
            if found.attention is not None:
                local.append(found.attention)
        if self.readout is not None:
            read = self.readout(nodes, batch.graph_index, batch.node_counts)
            return additive_output(read, self.noise, nodes, local, bounds=self.bounds)
        scores = None
        if self.pooling is None:
            pooled, attention = mean_pooling(nodes, batch.graph_index, batch.node_counts)
        else:
            pooled, attention, scores = self.pooling(
                nodes, found.aggregated, batch.graph_index, batch.n_graphs
            )
        values, log_scale = self._predict(pooled)
        return ModelOutput(
            values=values,
            log_scale=log_scale,
            node_attention=attention,
            node_scores=scores,
            edge_attention=tuple(local),
            node_features=nodes,
            graph_features=pooled,
        )

    def local_pass(self, batch: GraphBatch) -> LocalPass | None:
        """Return the network on one graph layer by layer; None with attention pooling.

        Nor with what makes deep networks possible, which looks back at the first layer.
        """
        if self.pooling is not None or self.deepening is not None:
            return None
        nodes, edges = self._nodes(batch), self._edges(batch)
        layout = EdgeLayout.of(batch.edge_index, batch.n_nodes)
        gated = [one for one in self.layers if isinstance(one, GatedConvolution)]
        adds = len(gated) == len(self.layers) and not len(self.edge_updates)
        if adds and len(edges) <= _MOST_KEPT:
            return GatedPass(self, gated, nodes=nodes, edges=edges, layout=layout)
        return ConvolutionPass(self, nodes=nodes, edges=edges, layout=layout)

    def reader(self, nodes: Float[Tensor, "n_nodes _"]) -> Reader:
        """Return what reads out structures that differ in a few atoms; see `local_pass`."""
        if self.readout is not None:
            return AdditiveReader(self.readout, self.noise, nodes, bounds=self.bounds)
        return MeanReader(nodes, self._predict)

    def _nodes(self, batch: GraphBatch) -> Float[Tensor, "n_nodes _"]:
        """Embed the elements (a linear map of their one-hot vectors), charges and cell."""
        nodes: Tensor = self.embedding(batch.atomic_numbers) + self.offset
        if self.extra is None:
            return nodes
        extra = charge_features(batch, self.config.charges)
        if self.config.cell:
            extra.append(cell_features(batch, reduced=self.config.reduced_cell))
        return torch.add(nodes, self.extra(torch.cat(extra, dim=1).to(nodes.dtype)))

    def _edges(self, batch: GraphBatch) -> Float[Tensor, "n_edges _"]:
        basis: Tensor | None = None
        if isinstance(self.basis, GaussianBasis):
            basis = basis_of(self.basis, batch.distances)
        if basis is None:
            basis = self.basis(batch.distances)
        edges: Tensor = basis if self.edge_input is None else self.edge_input(basis)
        return edges

    def updated(
        self, index: int, nodes: Tensor, edges: Tensor, layout: EdgeLayout
    ) -> Float[Tensor, "n_edges _"]:
        """Return the edges behind an update, if there is one of that number."""
        if index >= len(self.edge_updates):
            return edges
        updated: Tensor = self.edge_updates[index](nodes, edges, layout)
        return updated

    def _predict(
        self, pooled: Float[Tensor, "n_graphs n_features"]
    ) -> tuple[Float[Tensor, "n_graphs _"], Float[Tensor, "n_graphs _"] | None]:
        hidden = self.activation(pooled)
        for linear in self.hidden:
            hidden = self.activation(linear(hidden))
        return values_and_scale(
            self.output(hidden), predict_scale=self.config.predict_scale, bounds=self.bounds
        )

    def regularized_parameters(self) -> list[nn.Parameter]:
        """Return all parameters: AE-CGCNN's penalty is the weight decay of its optimiser."""
        return list(self.parameters())

    def frozen_parts(self, n_layers: int) -> list[nn.Module | nn.Parameter]:
        """Return embedding, offset, input layers, first convolutions and their edge updates."""
        if n_layers > len(self.layers):
            raise SettingsError(
                f"frozen_layers={n_layers} is more than the {len(self.layers)} convolutions of "
                "this model."
            )
        inputs = [m for m in (self.embedding, self.extra, self.edge_input) if m is not None]
        return [self.offset, *inputs, *self.layers[:n_layers], *self.edge_updates[:n_layers]]


_MOST_KEPT = 200_000
"""Edges of which what their geometry adds is kept, half a kilobyte each in every layer."""


@final
class ConvolutionPass(SteppingPass):
    """Convolutions, and updates of edges before or behind them, on chosen atoms alone."""

    def __init__(
        self,
        model: Cgcnn,
        *,
        nodes: Float[Tensor, "n_nodes _"],
        edges: Float[Tensor, "n_edges _"],
        layout: EdgeLayout,
    ) -> None:
        self.model, self.n_layers = model, model.config.n_layers
        self.nodes, self.edges, self.layout = nodes, edges, layout

    def step(
        self,
        layer: int,
        targets: Float[Tensor, "n_targets _"],
        sources: Float[Tensor, "n_sources _"],
        edges: Float[Tensor, "n_edges _"],
        layout: EdgeLayout,
        chosen: Int[Tensor, " n_edges"] | None,
    ) -> tuple[Float[Tensor, "n_targets _"], Float[Tensor, "n_edges _"]]:
        """Return the atoms and edges behind a layer."""
        model = self.model
        nodes, together = side_by_side(targets, sources, layout)
        if model.config.edge_first:
            edges = model.updated(layer, nodes, edges, together)
        found: Convolved = model.layers[layer](nodes, edges, together)
        if not model.config.edge_first:
            edges = model.updated(layer, nodes, edges, together)
        return found.nodes[: len(targets)], edges

    def reader(self, nodes: Float[Tensor, "n_nodes _"]) -> Reader:
        """Return what reads out, given all atoms behind the last layer."""
        return self.model.reader(nodes)


@final
class GatedPass(AddingPass):
    """Gated convolutions over edges that nothing updates, on changed edges alone."""

    def __init__(
        self,
        model: Cgcnn,
        gated: Sequence[GatedConvolution],
        *,
        nodes: Float[Tensor, "n_nodes _"],
        edges: Float[Tensor, "n_edges _"],
        layout: EdgeLayout,
    ) -> None:
        self.model, self.n_layers = model, model.config.n_layers
        self.nodes, self.edges, self.layout = nodes, edges, layout
        self.gated = gated
        self.geometry = [layer.pair.of_geometry(edges) for layer in gated]

    def messages(self, layer: int, nodes: Float[Tensor, "n_nodes _"]) -> Float[Tensor, "n_edges _"]:
        """Return the messages of all edges of the whole graph."""
        own = self.gated[layer]
        return own.messages(
            own.pair.of_edges(*own.pair.of_nodes(nodes), self.geometry[layer], self.layout)
        )

    def sums(
        self,
        layer: int,
        targets: Float[Tensor, "n_targets _"],
        sources: Float[Tensor, "n_sources _"],
        layout: EdgeLayout,
        chosen: Int[Tensor, " n_edges"],
    ) -> Float[Tensor, "n_targets _"]:
        """Return the sum of the messages of some edges at their targets."""
        nodes, together = side_by_side(targets, sources, layout)
        geometry = self.geometry[layer].index_select(0, chosen)
        return self.gated[layer].sums(nodes, geometry, together, geometry)[: len(targets)]

    def after(
        self, layer: int, targets: Float[Tensor, "n_targets _"], sums: Float[Tensor, "n_targets _"]
    ) -> Float[Tensor, "n_targets _"]:
        """Return the atoms behind a layer, given what they heard."""
        return self.gated[layer].after(targets, sums).nodes

    def reader(self, nodes: Float[Tensor, "n_nodes _"]) -> Reader:
        """Return what reads out, given all atoms behind the last layer."""
        return self.model.reader(nodes)


def charge_features(
    batch: GraphBatch, kind: Literal["none", "flag", "value"]
) -> list[Float[Tensor, "n_nodes 1"]]:
    """Return whether each atom has a partial charge, and its value; zero where unknown."""
    if kind == "none":
        return []
    charges = batch.charges
    if charges is None:
        charges = batch.distances.new_zeros(batch.n_nodes)
    column = charges.unsqueeze(1)
    flag = (column.abs() > 1e-6).to(column.dtype)
    return [flag] if kind == "flag" else [flag, column]


def cell_features(batch: GraphBatch, *, reduced: bool = False) -> Float[Tensor, "n_nodes 6"]:
    """Return log(1 + length / 10 Å) and angle / 180° of the cell of each atom.

    A direction without a lattice vector has length and angles 0. With ``reduced`` they are those of
    the Niggli cell.

    Raises:
        SettingsError: there is a cell, and its Niggli cell was not made.
    """
    cells = cell_to_read(batch, reduced=reduced)
    if cells is None:
        return batch.distances.new_zeros(batch.n_nodes, 6)
    lengths = cells.norm(dim=2)
    unit = cells / lengths.clamp(min=1e-12).unsqueeze(2)
    cosines = (unit[:, [1, 0, 0]] * unit[:, [2, 2, 1]]).sum(dim=2).clamp(-1, 1)
    known = (lengths[:, [1, 0, 0]] > 0) & (lengths[:, [2, 2, 1]] > 0)
    angles = torch.where(known, torch.acos(cosines) / math.pi, 0)
    features = torch.cat([(lengths / 10).log1p(), angles], dim=1)
    return features.index_select(0, batch.graph_index)
