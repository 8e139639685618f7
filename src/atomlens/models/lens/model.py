"""`lens`: SCANN+'s local attention, made smooth, under a readout whose terms add up.

The local layers are those of SCANN+ (Vu et al., npj Computational Materials 2023; see
`atomlens.models.scann`). Two things are ours. A neighbour's attention fades to nothing as its
Voronoi face shrinks to the builder's threshold or its distance grows to the cutoff, so that the
prediction does not jump when a face appears. And the readout is a sum of one term an atom and
target (`atomlens.models.lens.readout`), each with an attention of its own; trained with
``consistency`` (see `atomlens.training`), a term is also what the prediction loses without the
atom.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, cast, final

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from atomlens.errors import SettingsError
from atomlens.graphs import GraphBatch
from atomlens.models.base import ModelOutput, PropertyModel
from atomlens.models.lens.readout import ABSENT, AdditiveReadout
from atomlens.models.scann.layers import EdgeUpdate, LocalAttention
from atomlens.nn.basis import GaussianBasis
from atomlens.nn.edges import EdgeLayout
from atomlens.nn.linear import glorot_linear
from atomlens.nn.readout import bounds_tensor, check_bounds, lower_bound

MASK = 0
"""Row of the element table that stands for a masked atom; no element has this number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LensConfig:
    """Settings of `lens`."""

    n_layers: int = 4
    """Local attention layers."""
    n_features: int = 64
    """Width of atoms, edges and heads together."""
    n_heads: int = 8
    n_embedding: int = 48
    """Length of the learned element vector."""
    n_elements: int = 95
    """Rows of the element table; row 0 stands for a masked atom."""
    cutoff: float = 4.0
    """Largest distance in Å; 6 for crystals."""
    n_gaussians: int = 20
    gaussian_width: float = 0.5
    """Å for distances, sr for solid angles."""
    smooth: bool = True
    """Let a neighbour's attention fade out towards the thresholds of the builder."""
    smallest_angle: float = 0.4
    """sr; where the fading ends: the builder's ``min_solid_angle``."""
    smallest_weight: float = 0.2
    """The same of the share of the largest face: the builder's ``min_weight``."""
    dropout: float = 0.0
    attention_dropout: float = 0.0
    n_outputs: int = 1
    predict_scale: bool = False
    """Also predict the logarithm of the noise scale of every output."""
    lower_bounds: tuple[float | None, ...] = ()
    """Smallest possible value of each output in scaled units, for targets that cannot be
    negative; empty: none. The terms add up to the value before the bound."""

    def __post_init__(self) -> None:
        """Check what would otherwise fail deep inside a layer."""
        if self.n_features % self.n_heads:
            raise SettingsError(
                f"n_features={self.n_features} is not a multiple of n_heads={self.n_heads}."
            )
        if min(self.n_layers, self.n_heads, self.n_embedding, self.n_outputs) < 1:
            raise SettingsError("n_layers, n_heads, n_embedding and n_outputs must be at least 1.")
        check_bounds(self.lower_bounds, self.n_outputs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """Atoms of a batch that the model must do without."""

    masked: Bool[Tensor, " n_nodes"] | None = None
    """Atoms whose element is hidden; their neighbours still see that somebody is there."""
    removed: Bool[Tensor, " n_nodes"] | None = None
    """Atoms taken out of the graph, with their edges."""


@final
class Lens(PropertyModel):
    """Local attention over Voronoi neighbours, then a sum of one term an atom and target."""

    Config = LensConfig
    edge_fields: ClassVar[frozenset[str]] = frozenset({"solid_angles", "edge_weights"})
    default_builder: ClassVar[tuple[str, dict[str, Any]]] = ("voronoi", {})
    element_tables: ClassVar[tuple[str, ...]] = ("embedding.weight",)
    output_layers: ClassVar[tuple[str, ...]] = ("readout.output",)
    free_settings: ClassVar[frozenset[str]] = frozenset({"dropout", "attention_dropout"})
    bounds: Tensor
    paper: ClassVar[str] = "SCANN's local layers (2023) with an additive readout, atomlens"

    def __init__(self, config: LensConfig) -> None:
        super().__init__(config)
        c, width = config, config.n_features
        vectors = torch.empty(c.n_elements, c.n_embedding).uniform_(-0.05, 0.05)
        self.embedding = nn.Embedding(c.n_elements, c.n_embedding, _weight=vectors)
        self.input = glorot_linear(c.n_embedding, width)
        self.distance_basis = GaussianBasis(
            c.cutoff, n_centers=c.n_gaussians, width=c.gaussian_width
        )
        self.angle_basis = GaussianBasis(
            2 * math.pi, n_centers=c.n_gaussians, width=c.gaussian_width
        )
        self.distance_input = glorot_linear(c.n_gaussians, width)
        self.angle_input = glorot_linear(c.n_gaussians, width)
        self.edge_updates = nn.ModuleList(EdgeUpdate(width) for _ in range(c.n_layers))
        self.layers = nn.ModuleList(
            LocalAttention(width, c.n_heads, c.attention_dropout, c.dropout)
            for _ in range(c.n_layers)
        )
        self.readout = AdditiveReadout(width, c.n_outputs)
        if c.predict_scale:
            self.noise = glorot_linear(width, c.n_outputs)
        self.register_buffer("bounds", bounds_tensor(c.lower_bounds), persistent=False)

    def forward(self, batch: GraphBatch, absence: Absence | None = None) -> ModelOutput:
        """Predict the properties of every graph of the batch, without the absent atoms."""
        absence = Absence() if absence is None else absence
        numbers = batch.atomic_numbers
        if absence.masked is not None:
            numbers = numbers.masked_fill(absence.masked, MASK)
        nodes = functional.silu(self.input(self.embedding(numbers)))
        nodes = functional.dropout(nodes, self.config.dropout, self.training)
        layout = EdgeLayout.of(batch.edge_index, batch.n_nodes)
        geometry = self._geometry(batch)
        bias = self._fading(batch) if self.config.smooth else None
        keep = kept_edges = None
        if absence.removed is not None:
            keep = (~absence.removed).to(nodes.dtype)
            kept_edges = keep.index_select(0, layout.source) * keep.index_select(0, layout.target)
            absent = ABSENT * (1 - kept_edges)
            bias = absent if bias is None else bias + absent
        local: list[Tensor] = []
        for update, layer in zip(self.edge_updates, self.layers, strict=True):
            geometry, messages = update(nodes, geometry, layout)
            nodes, attention = layer(nodes, messages, layout, bias, kept_edges)
            local.append(attention)
        read = self.readout(nodes, batch.graph_index, batch.node_counts, keep)
        values = read.values
        if self.bounds.numel():
            values = lower_bound(values, self.bounds.to(values.dtype))
        return ModelOutput(
            values=values,
            log_scale=self.noise(functional.silu(read.pooled)) if self.config.predict_scale else None,
            node_attention=read.attention.mean(dim=1),
            node_scores=read.scores.mean(dim=1),
            node_terms=read.terms,
            node_target_attention=read.attention,
            edge_attention=tuple(local),
            node_features=nodes,
            graph_features=read.pooled,
        )

    def _geometry(self, batch: GraphBatch) -> Float[Tensor, "n_edges _"]:
        """Embedded distance times embedded solid angle."""
        if batch.solid_angles is None:
            raise SettingsError("lens reads solid angles: use the `voronoi` builder.")
        by_distance = functional.silu(self.distance_input(self.distance_basis(batch.distances)))
        by_angle = functional.silu(self.angle_input(self.angle_basis(batch.solid_angles)))
        return torch.mul(by_distance, by_angle)

    def _fading(self, batch: GraphBatch) -> Float[Tensor, " n_edges"]:
        """Logarithm of a factor that falls to (nearly) zero at each of the builder's thresholds."""
        c = self.config
        if batch.solid_angles is None or batch.edge_weights is None:
            raise SettingsError("lens reads Voronoi faces: use the `voronoi` builder.")
        factor = _rise(batch.solid_angles, c.smallest_angle, 2 * c.smallest_angle)
        factor = factor * _rise(batch.edge_weights, c.smallest_weight, 2 * c.smallest_weight)
        factor = factor * _rise(-batch.distances, -c.cutoff, -0.875 * c.cutoff)
        return factor.clamp(min=1e-8).log()

    def regularized_parameters(self) -> list[nn.Parameter]:
        """Return the kernels that SCANN penalises, and those of the readout."""
        linears = [self.readout.input, self.readout.query, self.readout.key, self.readout.head]
        for layer in self.layers:
            assert isinstance(layer, LocalAttention)
            linears += [layer.query, layer.key]
            linears += [m for m in layer.feed_forward if isinstance(m, nn.Linear)]
        linears += [m.linear for m in self.edge_updates if isinstance(m, EdgeUpdate)]
        return [cast(nn.Parameter, m.weight) for m in linears]

    def frozen_parts(self, n_layers: int) -> list[nn.Module]:
        """Return embedding, input layers and the first local layers with their geometry."""
        if n_layers > len(self.layers):
            raise SettingsError(
                f"frozen_layers={n_layers} is more than the {len(self.layers)} local layers of "
                "this model."
            )
        parts: list[nn.Module] = [self.embedding, self.input, *self.layers[:n_layers]]
        return [*parts, self.distance_input, self.angle_input, *self.edge_updates[:n_layers]]


def _rise(values: Float[Tensor, " n"], start: float, stop: float) -> Float[Tensor, " n"]:
    """0 up to ``start``, 1 from ``stop`` on, smooth in between (3x² - 2x³)."""
    x = ((values - start) / (stop - start)).clamp(0, 1)
    return x * x * (3 - 2 * x)
