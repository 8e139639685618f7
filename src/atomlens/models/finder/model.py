"""Finder: one self-attention network for formulas and for structures.

Ihalage and Hao, "Formula graph self-attention network for representation-domain independent
materials discovery", Advanced Science (2022). Where the paper and its published code differ,
the code is followed and a comment says so.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, cast, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from atomlens.elements.vectors import ELEMENT_VECTORS, first_vectors
from atomlens.errors import SettingsError
from atomlens.graphs import GraphBatch
from atomlens.models.additive import AdditiveModel, HeadSettings, additive_output
from atomlens.models.base import ModelOutput
from atomlens.models.finder.layers import (
    Aggregate,
    EdgeRows,
    GatedPooling,
    MeanPooling,
    PairAttention,
    PairLayout,
)
from atomlens.nn.additive import AdditiveReadout
from atomlens.nn.basis import GaussianBasis
from atomlens.nn.edges import EdgeLayout, worth_parts
from atomlens.nn.linear import four_widths, glorot_linear
from atomlens.nn.readout import values_and_scale
from atomlens.settings import bounded, name_of, only_with

_N_FILTERS = 64
_LARGEST_LOG_SCALE = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FinderConfig(HeadSettings):
    """Settings of Finder; the defaults are those of the published network."""

    mode: Literal["formula", "structure"] = "formula"
    """What joins two atoms: a number predicted from them, or their distance. Training decides
    by the graphs: those of the `formula` builder have no distances."""
    element_vectors: str = name_of(ELEMENT_VECTORS, "cgcnn92", "table of element vectors")
    """Table of fixed element vectors: one-hot, cgcnn92, facts, mat2vec, megnet16, magpie."""
    n_layers: int = bounded(2, least=1)
    """Message-passing layers."""
    n_features: int = bounded(200, least=1)
    """Channels."""
    attention: bool = True
    """Self-attention over the neighbours; without, all messages count the same."""
    pooling_attention: bool = only_with(True, head="published")
    """Attention over the atoms; without, their mean."""
    gate: Literal["channel", "scalar"] = only_with("channel", head="published")
    """Pooling with one softmax a channel, or one for all channels."""
    post_processing: bool = only_with(True, head="published")
    """The convolution and the dense layers before the output; without, one linear map."""
    aggregate: Aggregate = "mean"
    """How the messages of the neighbours become one."""
    message_scale: float = 1.4128
    """Constant factor of every message: 1/√0.501, the code's normalisation with fixed variance."""
    max_norm: bool = True
    """Keep the weight vectors of queries, keys and gates at length 1 and of values at 2."""
    n_hidden: tuple[int, ...] = only_with(
        bounded((512, 1024, 1024, 256), least=1), head="published"
    )
    """Widths of the four dense layers, or one for all of them."""
    n_gaussians: int = only_with(bounded(20, least=1), mode="structure")
    """Gaussians for distances (structure mode)."""
    gaussian_step: float = only_with(bounded(0.25, above=0), mode="structure")
    """Å between their centres, the first of which is at 0."""
    gaussian_width: float = only_with(bounded(0.5, above=0), mode="structure")
    """Å"""
    n_elements: int = bounded(119, least=1)
    """Rows of the element table: atomic numbers 0 (unused) to n_elements - 1."""
    n_outputs: int = bounded(1, least=1)
    predict_scale: bool = False
    """Also predict the logarithm of the noise scale of every output, between -10 and 10."""

    def check_together(self) -> None:
        """Refuse another number of widths."""
        four_widths(self.n_hidden)


@final
class Finder(AdditiveModel[FinderConfig]):
    """Self-attention between all atoms of a formula, or between the neighbours in a structure.

    The share of each element or site in the last pooling (mean over the channels) is returned
    as ``node_attention``, the share of each neighbour as ``edge_attention`` (one column: the
    mean over the channels), the last pooled vector as ``graph_features``. In a formula graph a
    node is an element, and its share is that of all its atoms.

    With the builder's ``images=minimum``, as published, a pair of sites is seen once, at its
    nearest image, so a doubled cell is another structure; with ``images=all`` it is the same.
    """

    Config = FinderConfig
    edge_fields: ClassVar[frozenset[str]] = frozenset({"edge_presence"})
    default_builder: ClassVar[tuple[str, dict[str, Any]]] = (
        "radius",
        {"cutoff": 4.0, "images": "minimum"},
    )
    formula_builder: ClassVar[tuple[str, dict[str, Any]] | None] = ("formula", {"reduce": True})
    output_layers: tuple[str, ...] = ("output",)
    paper: ClassVar[str] = "Finder, Advanced Science (2022)"
    element_table: Tensor
    tail: "PostProcessing | None"
    readout: AdditiveReadout | None
    noise: nn.Linear | None

    def __init__(self, config: FinderConfig) -> None:
        super().__init__(config)
        c, width = config, config.n_features
        n_vector = ELEMENT_VECTORS[c.element_vectors]
        table = first_vectors(c.element_vectors, c.n_elements)
        self.register_buffer("element_table", torch.from_numpy(table))
        formula = c.mode == "formula"
        self.basis = GaussianBasis(
            (c.n_gaussians - 1) * c.gaussian_step, n_centers=c.n_gaussians, width=c.gaussian_width
        )
        self.layers = nn.ModuleList(
            PairAttention(
                width if index else n_vector,
                width,
                None if formula else c.n_gaussians,
                attention=c.attention,
                aggregate=c.aggregate,
                message_scale=c.message_scale,
            )
            for index in range(c.n_layers)
        )
        self.poolings, self.tail = nn.ModuleList(), None
        self.readout = self.noise = None
        if c.head == "additive":
            self.readout, self.noise = self.additive_head(width)
            return
        n_gates = 1 if c.gate == "scalar" else width
        self.poolings = nn.ModuleList(  # without post-processing only the last one is read
            GatedPooling(width, 256, n_gates) if c.pooling_attention else MeanPooling()
            for _ in range(c.n_layers if c.post_processing else 1)
        )
        if c.post_processing:
            self.tail = PostProcessing(width, c.n_layers, four_widths(c.n_hidden))
        n_last = c.n_hidden[-1] if c.post_processing else width
        self.output = glorot_linear(n_last, c.n_outputs * (2 if c.predict_scale else 1))

    @classmethod
    def element_table_name(cls, config: FinderConfig) -> str:
        """Return the name of the table of element vectors."""
        return config.element_vectors

    @property
    def attends_to_atoms(self) -> bool:
        """Whether the pooling weighs the atoms."""
        return bool(self.config.pooling_attention) or self.is_additive

    def forward(self, batch: GraphBatch) -> ModelOutput:
        """Predict the properties of every graph of the batch."""
        layout = _layout(batch)
        nodes = self.element_table.index_select(0, batch.atomic_numbers)
        edges = self._distances(batch)
        pooled: list[Tensor] = []
        local: list[Tensor] = []
        first_pooled = self.config.n_layers - len(self.poolings)
        for index, layer in enumerate(self.layers):
            nodes, _, shares = layer(nodes, edges, layout)
            if shares is not None:
                local.append(shares.mean(dim=1, keepdim=True))
            if self.readout is None and index >= first_pooled:
                pooling = self.poolings[index - first_pooled]
                vector, attention = pooling(
                    nodes, layout.node_copies, batch.graph_index, batch.n_graphs
                )
                pooled.append(vector)
        if self.readout is not None:
            read = self.readout(
                nodes, batch.graph_index, batch.node_counts, amounts=batch.node_weights
            )
            return additive_output(
                read, self.noise, nodes, local, largest_log_scale=_LARGEST_LOG_SCALE
            )
        out = self.output(pooled[-1] if self.tail is None else self.tail(pooled))
        values, log_scale = values_and_scale(out, predict_scale=self.config.predict_scale)
        if log_scale is not None:
            log_scale = log_scale.clamp(-_LARGEST_LOG_SCALE, _LARGEST_LOG_SCALE)
        return ModelOutput(
            values=values,
            log_scale=log_scale,
            node_attention=attention,
            edge_attention=tuple(local),
            node_features=nodes,
            graph_features=pooled[-1],
        )

    @torch.no_grad()
    def edge_attributes(self, batch: GraphBatch) -> Float[Tensor, " n_edges"]:
        """Return the edge attributes e_ij of the last layer, one an edge of the batch.

        The edge attribute matrix of the paper has them in row i (target) and column j (source);
        its diagonal is empty, except that an element of several atoms has the number of two of
        them there.

        Raises:
            SettingsError: the model is in structure mode, which is given its edge attributes.
        """
        if self.config.mode != "formula":
            raise SettingsError(
                "The edge attribute matrix is predicted in formula mode only; in structure mode "
                "an edge has its distance instead."
            )
        layout = _layout(batch)
        nodes = self.element_table.index_select(0, batch.atomic_numbers)
        for layer in self.layers:
            nodes, attributes, _ = layer(nodes, None, layout)
        column: Tensor = attributes.squeeze(1)
        return column

    def _distances(
        self, batch: GraphBatch
    ) -> Float[Tensor, "n_edges n_gaussians"] | EdgeRows | None:
        """Return the distances spread over Gaussians; of a huge cell a function that does it."""
        if self.config.mode == "formula":
            return None
        if batch.node_weights is not None:
            raise SettingsError(
                "Finder in structure mode reads distances, and formula graphs have none: use "
                "mode=formula, or the `radius` builder."
            )
        if worth_parts(batch.n_edges):
            return lambda edges: self.basis(batch.distances[edges])
        basis: Tensor = self.basis(batch.distances)
        return basis

    @torch.no_grad()
    def constrain_weights(self) -> None:
        """Shorten weight vectors that are too long, as the published code does at every step."""
        if not self.config.max_norm:
            return
        limits = [
            (linear, 2.0 if name == "value" else 1.0)
            for layer in self.layers
            for name, linear in cast(PairAttention, layer).attention.items()
        ]
        for pooling in self.poolings:
            if isinstance(pooling, GatedPooling):
                limits += [(linear, 1.0) for linear in (pooling.gate[0], pooling.gate[2])]
        for linear, limit in limits:
            weight = cast(Tensor, linear.weight)
            if not weight.requires_grad:  # frozen
                continue
            weight.copy_(torch.renorm(weight, p=2, dim=0, maxnorm=limit))

    def regularized_parameters(self) -> list[nn.Parameter]:
        """Return the hidden kernels of φ_e, φ_m, gates, values and dense layers.

        The published code penalises queries, keys and values a hundred times less: here not.
        """
        networks: list[nn.Module] = []
        if self.readout is not None:
            networks += [self.readout.input, self.readout.head]
        for layer in self.layers:
            assert isinstance(layer, PairAttention)
            networks += list(layer.message.linears)[:-1]
            if layer.attribute is not None:
                networks += list(layer.attribute.network.linears)[:-1]
        for pooling in self.poolings:
            if isinstance(pooling, GatedPooling):
                networks += [pooling.gate[0], pooling.value[0]]
        if self.tail is not None:
            networks += list(self.tail.dense)
        return [cast(nn.Parameter, linear.weight) for linear in networks]

    def frozen_parts(self, n_layers: int) -> list[nn.Module | nn.Parameter]:
        """Return the first message-passing layers."""
        if n_layers > len(self.layers):
            raise SettingsError(
                f"frozen_layers={n_layers} is more than the {len(self.layers)} message-passing "
                "layers of this model."
            )
        return list(self.layers[:n_layers])


class PostProcessing(nn.Module):
    """A convolution along the pooled vector, then dense layers that see what came before.

    f = ReLU(conv(p)), d1 = ReLU(W f), d2 = ReLU(W [d1 ; earlier p]), d3 = ReLU(W [d2 ; p]),
    d4 = ReLU(W [d3 ; f]), with p the last pooled vector.
    """

    def __init__(self, n_features: int, n_pooled: int, n_hidden: tuple[int, ...]) -> None:
        super().__init__()
        a, b, c, d = n_hidden
        n_flat = _N_FILTERS * n_features
        self.convolution = nn.Conv1d(1, _N_FILTERS, kernel_size=3, padding=1)
        nn.init.xavier_uniform_(self.convolution.weight)
        nn.init.zeros_(cast(Tensor, self.convolution.bias))
        inputs = (n_flat, a + (n_pooled - 1) * n_features, b + n_features, c + n_flat)
        self.dense = nn.ModuleList(
            glorot_linear(n_in, n_out) for n_in, n_out in zip(inputs, (a, b, c, d), strict=True)
        )

    def forward(
        self, pooled: list[Float[Tensor, "n_graphs n_features"]]
    ) -> Float[Tensor, "n_graphs _"]:
        """Return the last hidden layer; ``pooled`` has one tensor a message-passing layer."""
        flat = functional.relu(self.convolution(pooled[-1].unsqueeze(1))).flatten(1)
        hidden = functional.relu(self.dense[0](flat))
        for linear, beside in zip(self.dense[1:], (pooled[:-1], pooled[-1:], [flat]), strict=True):
            hidden = functional.relu(linear(torch.cat([hidden, *beside], dim=1)))
        return hidden


def _layout(batch: GraphBatch) -> PairLayout:
    edges = EdgeLayout.of(batch.edge_index, batch.n_nodes, batch.edge_presence)
    return PairLayout.of(edges, batch.node_weights, batch.distances.dtype)
