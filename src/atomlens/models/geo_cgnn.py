"""GeoCGNN: gated convolutions on radial functions and plane waves.

Cheng, Zhang and Dong, "A geometric-information-enhanced crystal graph network for predicting
properties of materials", Communications Materials 2, 92 (2021), as in its published code.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from atomlens.errors import SettingsError
from atomlens.graphs import GraphBatch
from atomlens.models.base import ModelOutput, PropertyModel
from atomlens.models.cells import cell_to_read
from atomlens.nn.basis import SmoothBasis
from atomlens.nn.edges import EdgeLayout
from atomlens.nn.linear import element_embedding
from atomlens.nn.norm import RowNorm
from atomlens.nn.readout import bounds_tensor, check_bounds, mean_pooling, values_and_scale
from atomlens.nn.segment import segment_sum
from atomlens.settings import Settings, bounded, only_with

PLANE_WAVE_STEPS = (-3 / 8, -1 / 8, 1 / 8, 3 / 8)
"""Fractions of the reciprocal vectors: a 4 x 4 x 4 Monkhorst-Pack set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GeoCgnnConfig(Settings):
    """Settings of GeoCGNN."""

    n_layers: int = bounded(5, least=1)
    n_features: int = bounded(192, least=4)
    plane_waves: bool = True
    """Also feed cos(k · r) / √V of 64 wave vectors k of the cell; off: radial functions alone."""
    reduced_cell: bool = only_with(True, plane_waves=True)
    """Plane waves of the Niggli cell, the same for all cells of one lattice; off: as given."""
    output_bias: bool = False
    """A bias in the output layer, which the published head lacks."""
    pooling: Literal["mean", "sum"] = "mean"
    """mean: as the paper means it, and right for properties per atom; sum: as its code does."""
    cutoff: float = bounded(8.0, above=0, unit="Å")
    """Å; where the radial functions end."""
    n_elements: int = bounded(101, least=1)
    """Rows of the element table: atomic numbers 0 (unused) to n_elements - 1."""
    n_outputs: int = bounded(1, least=1)
    predict_scale: bool = False
    """Also predict the logarithm of the noise scale of every output."""
    lower_bounds: tuple[float | None, ...] = ()
    """Smallest possible value of each output in scaled units (straight-through ReLU)."""

    def check_together(self) -> None:
        """Refuse bounds of other outputs."""
        check_bounds(self.lower_bounds, self.n_outputs)


class GeometricConvolution(nn.Module):
    """n_i' = n_i + Σ_j gate_ij ⊙ core_ij ⊙ (W_3 radial_ij + W_4 (p_ij ⊙ σ(BN(W_5 p_ij)))).

    Gate and core read [n_i ; n_j ; (n_i - n_j) / d_ij]; their maps are applied once per atom.
    """

    def __init__(self, n_features: int, *, plane_waves: bool) -> None:
        super().__init__()
        n_functions = SmoothBasis.n_functions
        self.target, self.source, self.slope = (
            nn.Linear(n_features, 2 * n_features, bias=False) for _ in range(3)
        )
        self.norm = RowNorm(2 * n_features)
        self.radial = nn.Linear(n_functions, n_features, bias=False)
        n_waves = len(PLANE_WAVE_STEPS) ** 3
        self.wave_gate = nn.Linear(n_waves, n_waves, bias=False) if plane_waves else None
        self.wave_norm = RowNorm(n_waves) if plane_waves else None
        self.waves = nn.Linear(n_waves, n_features, bias=False) if plane_waves else None

    def forward(
        self,
        nodes: Float[Tensor, "n_nodes n_features"],
        radial: Float[Tensor, "n_edges n_functions"],
        waves: Float[Tensor, "n_edges n_waves"] | None,
        distances: Float[Tensor, " n_edges"],
        layout: EdgeLayout,
    ) -> Float[Tensor, "n_nodes n_features"]:
        """Refine the atoms by what their neighbours say."""
        slope = self.slope(nodes)
        difference = slope.index_select(0, layout.target) - slope.index_select(0, layout.source)
        z = self.target(nodes).index_select(0, layout.target)
        z = z + self.source(nodes).index_select(0, layout.source)
        z = self.norm(z + difference / distances.clamp(min=1e-6).unsqueeze(1))
        gate, core = z.chunk(2, dim=1)
        geometry = self.radial(radial)
        if waves is not None and self.waves is not None:
            assert self.wave_gate is not None
            assert self.wave_norm is not None
            gated = waves * torch.sigmoid(self.wave_norm(self.wave_gate(waves)))
            geometry = geometry + self.waves(gated)
        messages = torch.sigmoid(gate) * functional.elu(core) * geometry
        return nodes + segment_sum(layout.heard(messages), layout.target, layout.n_nodes)


class PoolingGate(nn.Module):
    """ELU(BN(U_1 n_i)) ⊙ (U_2 n_i), to be added up over the atoms."""

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.gate = nn.Linear(n_features, n_features, bias=False)
        self.norm = RowNorm(n_features)
        self.value = nn.Linear(n_features, n_features, bias=False)

    def forward(
        self, nodes: Float[Tensor, "n_nodes n_features"]
    ) -> Float[Tensor, "n_nodes n_features"]:
        """Return what each atom adds to the structure's vector."""
        gated: Tensor = functional.elu(self.norm(self.gate(nodes))) * self.value(nodes)
        return gated


@final
class GeoCgnn(PropertyModel[GeoCgnnConfig]):
    """Gated convolutions on radial functions and plane waves, pooled after every block.

    It has no attention: every atom has the same share. Its plane waves belong to a cell: another
    cell of the lattice (a -> a + b) is the same structure (`reduced_cell`), a doubled one is not,
    and where vectors of the cell are equally long their order still counts.
    """

    Config = GeoCgnnConfig
    edge_fields: ClassVar[frozenset[str]] = frozenset(
        {"edge_vectors", "cell", "reduced_cell", "edge_presence"}
    )
    older_settings: ClassVar[Mapping[str, Any]] = {"reduced_cell": False, "output_bias": True}
    default_builder: ClassVar[tuple[str, dict[str, Any]]] = ("nearest", {})
    element_tables: ClassVar[tuple[str, ...]] = ("embedding.weight",)
    output_layers: tuple[str, ...] = ("output",)
    bounds: Tensor
    steps: Tensor
    paper: ClassVar[str] = "GeoCGNN, Communications Materials (2021)"

    def __init__(self, config: GeoCgnnConfig) -> None:
        super().__init__(config)
        c, width = config, config.n_features
        self.embedding = element_embedding(c.n_elements, width)
        self.basis = SmoothBasis(c.cutoff)
        self.layers = nn.ModuleList(
            GeometricConvolution(width, plane_waves=c.plane_waves) for _ in range(c.n_layers)
        )
        self.pools = nn.ModuleList(PoolingGate(width) for _ in range(c.n_layers))
        self.transitions = nn.ModuleList(
            nn.Sequential(nn.Linear(width, width, bias=False), RowNorm(width), nn.ELU())
            for _ in range(c.n_layers - 1)
        )
        halves = [width, width // 2, width // 4]
        self.head = nn.Sequential(
            *(
                part
                for a, b in ((halves[0], halves[1]), (halves[1], halves[2]))
                for part in (nn.Linear(a, b, bias=False), RowNorm(b), nn.ELU())
            )
        )
        n_outputs = c.n_outputs * (2 if c.predict_scale else 1)
        self.output = nn.Linear(halves[2], n_outputs, bias=c.output_bias)
        steps = torch.tensor(PLANE_WAVE_STEPS)
        self.register_buffer("steps", torch.cartesian_prod(steps, steps, steps), persistent=False)
        self.register_buffer("bounds", bounds_tensor(c.lower_bounds), persistent=False)

    @property
    def attends_to_atoms(self) -> bool:
        """No: what the atoms add is averaged."""
        return False

    def forward(self, batch: GraphBatch) -> ModelOutput:
        """Predict the properties of every graph of the batch."""
        layout = EdgeLayout.of(batch.edge_index, batch.n_nodes, batch.edge_presence)
        radial = self.basis(batch.distances)
        waves = self._plane_waves(batch) if self.config.plane_waves else None
        nodes = torch.sigmoid(self.embedding(batch.atomic_numbers))
        total = nodes.new_zeros(batch.n_nodes, self.config.n_features)
        for index, (layer, pool) in enumerate(zip(self.layers, self.pools, strict=True)):
            nodes = layer(nodes, radial, waves, batch.distances, layout)
            total = total + pool(nodes)
            if index < len(self.transitions):
                nodes = self.transitions[index](nodes)
        mean, attention = mean_pooling(total, batch.graph_index, batch.node_counts)
        counts = batch.node_counts.to(mean.dtype).unsqueeze(1)
        pooled = mean if self.config.pooling == "mean" else mean * counts
        values, log_scale = values_and_scale(
            self.output(self.head(pooled)),
            predict_scale=self.config.predict_scale,
            bounds=self.bounds,
        )
        return ModelOutput(
            values=values,
            log_scale=log_scale,
            node_attention=attention,
            node_features=nodes,
            graph_features=pooled,
        )

    def _plane_waves(self, batch: GraphBatch) -> Float[Tensor, "n_edges 64"]:
        """cos(k · r) / √V for k = Σ_a u_a b_a: 2π u · (fractional coordinates of r).

        Zero for a structure that does not repeat in all directions: it has no wave vectors.
        """
        cells = cell_to_read(batch, reduced=self.config.reduced_cell)
        if batch.edge_vectors is None or cells is None:
            raise SettingsError(
                "GeoCGNN with plane waves reads edge vectors and the cell; build the batch with "
                "both, or set plane_waves=false."
            )
        volumes = torch.linalg.det(cells).abs()
        periodic = volumes > 1e-6
        identity = torch.eye(3, dtype=cells.dtype, device=cells.device)
        cells = torch.where(periodic[:, None, None], cells, identity)
        inverse = torch.linalg.inv_ex(cells).inverse  # inv would wait for a GPU
        amplitude = torch.where(periodic, volumes.clamp(min=1e-6).rsqrt(), 0)
        graph = batch.graph_index.index_select(0, batch.edge_index[1])
        fractional = (batch.edge_vectors.unsqueeze(1) @ inverse[graph]).squeeze(1)
        phases = 2 * math.pi * (fractional @ self.steps.to(fractional.dtype).t())
        waves: Tensor = phases.cos() * amplitude[graph].unsqueeze(1)
        return waves
