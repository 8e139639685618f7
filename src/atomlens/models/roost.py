"""Roost, the peer of Finder for bare formulas, through the package aviary-models.

Goodall and Lee, Nature Communications 11, 6280 (2020). Message passing, pooling and dense
layers are those of the authors' package, with the sizes they publish; inputs and outputs are
those of every model here.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from atomlens.elements.vectors import ELEMENT_VECTORS, first_vectors
from atomlens.errors import SettingsError, missing_package
from atomlens.graphs import GraphBatch
from atomlens.models.base import ModelOutput, PropertyModel
from atomlens.models.baselines import uniform_attention
from atomlens.nn.readout import values_and_scale
from atomlens.nn.segment import segment_softmax
from atomlens.settings import Settings, bounded, name_of


@dataclass(frozen=True, slots=True, kw_only=True)
class RoostConfig(Settings):
    """Settings of Roost."""

    element_vectors: str = name_of(ELEMENT_VECTORS, "mat2vec", "table of element vectors")
    """Table of element vectors; the authors' own is mat2vec."""
    n_layers: int = bounded(3, least=1)
    """Message-passing layers."""
    n_features: int = bounded(64, least=2)
    """Numbers of an element between the layers."""
    n_heads: int = bounded(3, least=1)
    """Heads of each message-passing layer, and of the pooling."""
    n_gate: int = bounded(256, least=1)
    """Width of the hidden layer of every gate and every message."""
    trunk: tuple[int, ...] = bounded((1024, 512), least=1)
    """Hidden widths between pooling and output network."""
    n_hidden: tuple[int, ...] = bounded((256, 128, 64), least=1)
    """Input width of the output network, and its hidden widths."""
    n_elements: int = bounded(119, least=1)
    """Rows of the element table: atomic numbers 0 (unused) to n_elements - 1."""
    n_outputs: int = bounded(1, least=1)
    predict_scale: bool = False
    """Also predict the logarithm of the noise scale of every output."""

    def check_together(self) -> None:
        """Refuse networks without layers."""
        if not self.trunk or not self.n_hidden:
            raise SettingsError("trunk and n_hidden must hold one width at least.")


@final
class Roost(PropertyModel[RoostConfig]):
    """Elements of a formula send each other messages, weighed by attention and by amount.

    ``node_attention`` is the share of each element in the pooling, mean over its heads.
    """

    Config = RoostConfig
    default_builder: ClassVar[tuple[str, dict[str, Any]]] = ("formula", {})
    paper: ClassVar[str] = "Roost, Nature Communications 11, 6280 (2020)"
    element_table: Tensor

    def __init__(self, config: RoostConfig) -> None:
        super().__init__(config)
        try:
            from aviary.networks import ResidualNetwork
            from aviary.roost.model import DescriptorNetwork
        except ImportError as problem:
            raise missing_package(
                f"The model roost ({problem})", "aviary-models", "elements"
            ) from problem
        c = config
        table = first_vectors(c.element_vectors, c.n_elements)
        self.register_buffer("element_table", torch.from_numpy(table))
        self.descriptor = DescriptorNetwork(
            elem_emb_len=ELEMENT_VECTORS[c.element_vectors],
            elem_fea_len=c.n_features,
            n_graph=c.n_layers,
            elem_heads=c.n_heads,
            elem_gate=(c.n_gate,),
            elem_msg=(c.n_gate,),
            cry_heads=c.n_heads,
            cry_gate=(c.n_gate,),
            cry_msg=(c.n_gate,),
        )
        self.trunk = ResidualNetwork(c.n_features, c.n_hidden[0], c.trunk)
        n_columns = c.n_outputs * (2 if c.predict_scale else 1)
        self.output: nn.Module = ResidualNetwork(c.n_hidden[0], n_columns, c.n_hidden[1:])

    @classmethod
    def element_table_name(cls, config: RoostConfig) -> str:
        """Return the name of the table of element vectors."""
        return config.element_vectors

    def forward(self, batch: GraphBatch) -> ModelOutput:
        """Predict the properties of every graph of the batch."""
        amounts = uniform_attention(batch).unsqueeze(1)  # fractions of the elements
        vectors = self.element_table.index_select(0, batch.atomic_numbers)
        nodes = torch.cat([self.descriptor.embedding(vectors), amounts], dim=1)
        source, target = _pairs_with_self(batch)
        for layer in self.descriptor.graphs:
            nodes = layer(amounts, nodes, target, source)
        pooled = torch.stack(
            [head(nodes, batch.graph_index, amounts) for head in self.descriptor.cry_pool]
        ).mean(dim=0)
        hidden = functional.relu(self.trunk(pooled))
        values, log_scale = values_and_scale(
            self.output(hidden), predict_scale=self.config.predict_scale
        )
        return ModelOutput(
            values=values,
            log_scale=log_scale,
            node_attention=self._shares(nodes, amounts, batch),
            node_features=nodes,
            graph_features=pooled,
        )

    @torch.no_grad()
    def _shares(
        self,
        nodes: Float[Tensor, "n_nodes n_features"],
        amounts: Float[Tensor, "n_nodes 1"],
        batch: GraphBatch,
    ) -> Float[Tensor, " n_nodes"]:
        """Return softmax(gate + power log amount), which the pooling does not hand out."""
        heads = [
            segment_softmax(
                (head.gate_nn(nodes) + head.pow * amounts.log()).squeeze(1),
                batch.graph_index,
                batch.n_graphs,
            )
            for head in self.descriptor.cry_pool
        ]
        return torch.stack(heads).mean(dim=0)


def _pairs_with_self(batch: GraphBatch) -> tuple[Tensor, Tensor]:
    """Return source and target of all pairs of elements, each element with itself among them."""
    source, target = batch.edge_index
    others = source != target
    alone = torch.arange(batch.n_nodes, device=source.device)
    return torch.cat([source[others], alone]), torch.cat([target[others], alone])
