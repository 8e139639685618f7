"""SCANN and SCANN+: self-consistent attention over neighbours.

Vu, Nguyen, Dam and co-workers, "Towards understanding structure-property relations in
materials with interpretable deep learning", npj Computational Materials 2023, and its
preprint. Where paper and published code differ we follow the code, as said at each layer.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, cast, final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from atomlens.errors import SettingsError
from atomlens.graphs import GraphBatch
from atomlens.models.additive import AdditiveModel, HeadSettings, additive_output
from atomlens.models.base import ModelOutput
from atomlens.models.local import AdditiveReader, GlobalReader, LocalPass, Reader
from atomlens.models.scann.geometry import embedded_geometry
from atomlens.models.scann.layers import (
    EdgeUpdate,
    LocalAttention,
    updated_and_attended,
)
from atomlens.models.scann.local import AttentionPass, Filter
from atomlens.nn.additive import AdditiveReadout
from atomlens.nn.basis import GaussianBasis
from atomlens.nn.edges import EdgeLayout
from atomlens.nn.fading import face_fading
from atomlens.nn.linear import glorot_linear
from atomlens.nn.readout import (
    READOUTS,
    GlobalAttention,
    bounds_tensor,
    check_bounds,
    values_and_scale,
)
from atomlens.settings import bounded, name_of, only_with

RING_FEATURES = 10
"""Width to which the two ring flags are mapped, without activation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannConfig(HeadSettings):
    """Settings of SCANN (``edge_update`` off) and SCANN+ (on)."""

    n_layers: int = bounded(7, least=1)
    """Local attention layers."""
    n_features: int = bounded(128, least=1)
    """Width of atoms, edges and heads together."""
    n_heads: int = bounded(8, least=1)
    n_embedding: int = bounded(48, least=1)
    """Length of the learned element vector (the papers use 128 for the Materials Project)."""
    n_elements: int = bounded(95, least=1)
    """Rows of the element table: atomic numbers 0 (unused) to n_elements - 1."""
    ring_features: bool = False
    """Also read whether an atom is in a ring and aromatic (the published base models of QM9 do);
    needs the setting ``ring_flags`` of the `voronoi` builder, which training switches on."""
    edge_update: bool = True
    """SCANN+: solid angles are embedded and edges change from layer to layer."""
    smooth: bool = False
    """Let a neighbour's attention fade out towards the thresholds of the builder, as in lens; off,
    as published, a face that crosses a threshold changes the answer at once."""
    smallest_angle: float = only_with(bounded(0.4, above=0, unit="sr"), smooth=True)
    """smooth: where the fading ends in sr, the builder's ``min_solid_angle``."""
    smallest_weight: float = only_with(bounded(0.2, above=0, most=1), smooth=True)
    """smooth: the same of the share of the largest face, the builder's ``min_weight``."""
    readout: str = only_with(name_of(READOUTS, "reference", "readout"), head="published")
    """Scores of the global attention: paper, reference (normed) or mean (supercell-proof)."""
    cutoff: float = bounded(4.0, above=0, unit="Å")
    """Largest distance of the Gaussian basis in Å; 6 for crystals."""
    n_gaussians: int = bounded(20, least=1)
    gaussian_width: float = bounded(0.5, above=0, unit="Å")
    """Å for distances, sr for solid angles."""
    dropout: float = bounded(0.1, least=0, below=1)
    """After the input layer and in the feed-forward parts."""
    attention_dropout: float = bounded(0.05, least=0, below=1)
    n_outputs: int = bounded(1, least=1)
    predict_scale: bool = False
    """Also predict the logarithm of the noise scale of every output."""
    lower_bounds: tuple[float | None, ...] = ()
    """Smallest possible value of each output in scaled units (straight-through ReLU), for
    targets that cannot be negative; empty: none."""

    def check_together(self) -> None:
        """Refuse heads that do not share out the features, and bounds of other outputs."""
        if self.n_features % self.n_heads:
            raise SettingsError(
                f"n_features={self.n_features} is not a multiple of n_heads={self.n_heads}."
            )
        check_bounds(self.lower_bounds, self.n_outputs)


@final
class Scann(AdditiveModel[ScannConfig]):
    """Local attention over Voronoi neighbours, then global attention over atoms.

    Embed the elements, refine atoms (and, in SCANN+, edges) layer by layer, pool by global
    attention, predict. The global attention is returned as ``node_attention``, its raw scores
    as ``node_scores``, the local attention of each layer and head as ``edge_attention``.

    As published it jumps where a Voronoi face crosses a threshold of the builder: ``smooth`` takes
    that away (``face_fading``). The readouts ``paper`` and ``reference`` add up over the atoms of
    the cell, so that a doubled cell is another structure; ``mean`` is not so.
    """

    Config = ScannConfig
    edge_fields: ClassVar[frozenset[str]] = frozenset(
        {"solid_angles", "edge_weights", "ring_flags", "edge_presence"}
    )
    default_builder: ClassVar[tuple[str, dict[str, Any]]] = ("voronoi", {})
    element_tables: ClassVar[tuple[str, ...]] = ("embedding.weight",)
    output_layers: tuple[str, ...] = ("output",)
    free_settings: ClassVar[frozenset[str]] = (
        frozenset({"dropout", "attention_dropout"}) | AdditiveModel.free_settings
    )
    bounds: Tensor
    paper: ClassVar[str] = "SCANN, npj Computational Materials (2023)"

    def __init__(self, config: ScannConfig) -> None:
        super().__init__(config)
        c, width = config, config.n_features
        vectors = torch.empty(c.n_elements, c.n_embedding).uniform_(-0.05, 0.05)
        self.embedding = nn.Embedding(c.n_elements, c.n_embedding, _weight=vectors)
        if c.ring_features:
            self.ring_input = glorot_linear(2, RING_FEATURES)
        self.input = glorot_linear(c.n_embedding + (RING_FEATURES if c.ring_features else 0), width)
        self.distance_basis = GaussianBasis(
            c.cutoff, n_centers=c.n_gaussians, width=c.gaussian_width
        )
        self.layers = nn.ModuleList(
            LocalAttention(width, c.n_heads, c.attention_dropout, c.dropout)
            for _ in range(c.n_layers)
        )
        if c.edge_update:
            self.angle_basis = GaussianBasis(
                2 * math.pi, n_centers=c.n_gaussians, width=c.gaussian_width
            )
            self.distance_input = glorot_linear(c.n_gaussians, width)
            self.angle_input = glorot_linear(c.n_gaussians, width)
            self.edge_updates = nn.ModuleList(EdgeUpdate(width) for _ in range(c.n_layers))
        else:
            self.filters = nn.ModuleList(
                glorot_linear(c.n_gaussians, width) for _ in range(c.n_layers)
            )
        self.noise: nn.Linear | None = None
        self.readout: nn.Module
        if c.head == "additive":
            self.readout, self.noise = self.additive_head(width)
        else:
            self.readout = GlobalAttention(width, c.readout)
            self.head = glorot_linear(width, width)
            self.output = glorot_linear(width, c.n_outputs * (2 if c.predict_scale else 1))
        self.register_buffer("bounds", bounds_tensor(c.lower_bounds), persistent=False)

    def forward(self, batch: GraphBatch) -> ModelOutput:
        """Predict the properties of every graph of the batch."""
        nodes = functional.silu(self.input(self._elements(batch)))
        nodes = functional.dropout(nodes, self.config.dropout, self.training)
        layout = EdgeLayout.of(batch.edge_index, batch.n_nodes, batch.edge_presence)
        geometry = self._geometry(batch)
        bias = self._fading(batch)
        local: list[Tensor] = []
        for index, layer in enumerate(self.layers):
            if self.config.edge_update:
                update = cast(EdgeUpdate, self.edge_updates[index])
                nodes, geometry, attention = updated_and_attended(
                    update, cast(LocalAttention, layer), nodes, geometry, layout, bias
                )
            else:
                filtered = self._filter(index, geometry, batch)
                messages = nodes.index_select(0, layout.source) * filtered
                nodes, attention = layer(nodes, messages, layout, bias)
            local.append(attention)
        if isinstance(self.readout, AdditiveReadout):
            read = self.readout(nodes, batch.graph_index, batch.node_counts)
            return additive_output(read, self.noise, nodes, local, bounds=self.bounds)
        pooled, attention, scores = self.readout(nodes, batch.graph_index, batch.node_counts)
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

    def local_pass(self, batch: GraphBatch) -> LocalPass:
        """Return the network on one graph layer by layer."""
        updates: list[EdgeUpdate] | Filter = (
            list(cast(Iterable[EdgeUpdate], self.edge_updates))
            if self.config.edge_update
            else lambda layer, basis, chosen: self._filter(layer, basis, batch, chosen)
        )
        return AttentionPass(
            list(cast(Iterable[LocalAttention], self.layers)),
            updates,
            nodes=functional.silu(self.input(self._elements(batch))),
            edges=self._geometry(batch),
            bias=self._fading(batch),
            layout=EdgeLayout.of(batch.edge_index, batch.n_nodes),
            read=self._reader,
        )

    def _reader(self, nodes: Float[Tensor, "n_nodes _"]) -> Reader:
        if isinstance(self.readout, AdditiveReadout):
            return AdditiveReader(self.readout, self.noise, nodes, bounds=self.bounds)
        readout = cast(GlobalAttention, self.readout)
        return GlobalReader(readout, self.config.readout, nodes, self._predict)

    def _predict(
        self, pooled: Float[Tensor, "n_graphs n_features"]
    ) -> tuple[Float[Tensor, "n_graphs _"], Float[Tensor, "n_graphs _"] | None]:
        return values_and_scale(
            self.output(functional.silu(self.head(pooled))),
            predict_scale=self.config.predict_scale,
            bounds=self.bounds,
        )

    def _elements(self, batch: GraphBatch) -> Float[Tensor, "n_nodes _"]:
        """Return the element vectors, joined by a linear map of the ring flags if they are read."""
        vectors: Tensor = self.embedding(batch.atomic_numbers)
        if not self.config.ring_features:
            return vectors
        if batch.ring_flags is None:
            raise SettingsError(
                "ring_features reads ring flags: set ring_flags=true of the `voronoi` builder."
            )
        return torch.cat([vectors, self.ring_input(batch.ring_flags.to(vectors.dtype))], dim=1)

    def _geometry(self, batch: GraphBatch) -> Float[Tensor, "n_edges _"]:
        """Distance basis (SCANN), or embedded distance times embedded solid angle (SCANN+)."""
        if not self.config.edge_update:
            basis: Tensor = self.distance_basis(batch.distances)
            return basis
        if batch.solid_angles is None:
            raise SettingsError("SCANN+ reads solid angles: use the `voronoi` builder.")
        by_distance = self.distance_basis, self.distance_input
        by_angle = self.angle_basis, self.angle_input
        return embedded_geometry(by_distance, by_angle, batch.distances, batch.solid_angles)

    def _fading(self, batch: GraphBatch) -> Float[Tensor, " n_edges"] | None:
        """Return what is added to the scores of the local attention; None as published."""
        c = self.config
        if not c.smooth:
            return None
        if batch.solid_angles is None or batch.edge_weights is None:
            raise SettingsError("smooth reads Voronoi faces: use the `voronoi` builder.")
        return face_fading(
            batch.solid_angles,
            batch.edge_weights,
            batch.distances,
            smallest_angle=c.smallest_angle,
            smallest_weight=c.smallest_weight,
            cutoff=c.cutoff,
        )

    def _filter(
        self,
        index: int,
        basis: Float[Tensor, "n_edges _"],
        batch: GraphBatch,
        chosen: Int[Tensor, " n_edges"] | None = None,
    ) -> Float[Tensor, "n_edges _"]:
        """SCANN: g_ij = SiLU(W DE(d_ij) + b) w_ij   (Eq 4 of the preprint), of chosen edges."""
        if batch.edge_weights is None:
            raise SettingsError("SCANN reads Voronoi weights: use the `voronoi` builder.")
        filtered = functional.silu(self.filters[index](basis))
        weights = batch.edge_weights if chosen is None else batch.edge_weights[chosen]
        return torch.mul(filtered, weights.unsqueeze(1))

    def regularized_parameters(self) -> list[nn.Parameter]:
        """Return the kernels of query, key, filter, feed-forward, y and head."""
        readout = cast(AdditiveReadout | GlobalAttention, self.readout)
        linears: list[nn.Linear] = [readout.input, readout.query, readout.key]
        linears.append(readout.head if isinstance(readout, AdditiveReadout) else self.head)
        for layer in self.layers:
            assert isinstance(layer, LocalAttention)
            linears += [layer.query, layer.key]
            linears += [m for m in layer.feed_forward if isinstance(m, nn.Linear)]
        if self.config.edge_update:
            linears += [m.linear for m in self.edge_updates if isinstance(m, EdgeUpdate)]
        else:
            linears += [m for m in self.filters if isinstance(m, nn.Linear)]
        return [cast(nn.Parameter, m.weight) for m in linears]

    def frozen_parts(self, n_layers: int) -> list[nn.Module | nn.Parameter]:
        """Return embedding, input layers and the first local layers with their geometry."""
        if n_layers > len(self.layers):
            raise SettingsError(
                f"frozen_layers={n_layers} is more than the {len(self.layers)} local layers of "
                "this model."
            )
        parts: list[nn.Module | nn.Parameter] = [
            self.embedding,
            self.input,
            *self.layers[:n_layers],
        ]
        if self.config.ring_features:
            parts.append(self.ring_input)
        if not self.config.edge_update:
            return [*parts, *self.filters[:n_layers]]
        return [*parts, self.distance_input, self.angle_input, *self.edge_updates[:n_layers]]
