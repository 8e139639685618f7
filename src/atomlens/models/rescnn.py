"""ResCNN: a convolution over the periodic table, the baseline of the Finder paper.

Ihalage and Hao, Advanced Science (2022). The only full description is an early version of their
published code, which is followed here.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, cast, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from atomlens.graphs import GraphBatch
from atomlens.models.base import ModelOutput, PropertyModel
from atomlens.models.baselines import atom_counts, uniform_attention
from atomlens.nn.linear import four_widths, glorot_linear
from atomlens.nn.readout import values_and_scale
from atomlens.settings import Settings, bounded

_KERNEL = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ResCnnConfig(Settings):
    """Settings of ResCNN."""

    n_features: int = bounded(64, least=1)
    """Filters of the first convolution; the next ones have 2, 4 and 4 times as many."""
    n_hidden: tuple[int, ...] = bounded((1024, 1024, 2048, 512), least=1)
    """Widths of the four dense layers, or one for all of them."""
    finder_tail: bool = False
    """Dense layers as wide as Finder's (512, 1024, 1024, 256) instead of ``n_hidden``."""
    dropout: float = bounded(0.2, least=0, below=1)
    """After every dense layer."""
    n_elements: int = bounded(104, least=4 * (_KERNEL - 1) + 2)
    """Positions of the input plus one: atomic numbers 1 to n_elements - 1."""
    n_outputs: int = bounded(1, least=1)
    predict_scale: bool = False
    """Also predict the logarithm of the noise scale of every output."""

    def check_together(self) -> None:
        """Refuse another number of widths."""
        four_widths(self.n_hidden)

    @property
    def widths(self) -> tuple[int, ...]:
        """Widths of the dense layers."""
        return (512, 1024, 1024, 256) if self.finder_tail else four_widths(self.n_hidden)


@final
class ResCnn(PropertyModel[ResCnnConfig]):
    """Convolutions along the fractions of the elements, then dense layers that see them again.

    h1 = max over positions of conv4, d1 = W h1, d2 = W [d1 ; conv3], d3 = W [d2 ; conv2],
    d4 = W d3, all with ReLU. No atom is looked at more than another: ``node_attention`` is
    the same for all.
    """

    Config = ResCnnConfig
    reads_neighbours = False
    default_builder: ClassVar[tuple[str, dict[str, Any]]] = ("formula", {})
    output_layers: tuple[str, ...] = ("output",)
    free_settings: ClassVar[frozenset[str]] = frozenset({"dropout"})
    paper: ClassVar[str] = "ResCNN, Advanced Science (2022)"

    def __init__(self, config: ResCnnConfig) -> None:
        super().__init__(config)
        c, n = config, config.n_features
        filters = (1, n, 2 * n, 4 * n, 4 * n)
        self.convolutions = nn.ModuleList(nn.Conv1d(a, b, _KERNEL) for a, b in pairwise(filters))
        for layer in self.convolutions:
            nn.init.xavier_uniform_(cast(Tensor, layer.weight))
            nn.init.zeros_(cast(Tensor, layer.bias))
        length = c.n_elements - 1 - 2 * (_KERNEL - 1)  # positions after the second convolution
        second, third = 2 * n * length, 4 * n * (length - _KERNEL + 1)
        a, b, wide, last = c.widths
        sizes = ((4 * n, a), (a + third, b), (b + second, wide), (wide, last))
        self.dense = nn.ModuleList(glorot_linear(n_in, n_out) for n_in, n_out in sizes)
        self.output = glorot_linear(last, c.n_outputs * (2 if c.predict_scale else 1))

    @property
    def attends_to_atoms(self) -> bool:
        """No: every atom has the same share."""
        return False

    def forward(self, batch: GraphBatch) -> ModelOutput:
        """Predict the properties of every graph of the batch."""
        rows = self._fractions(batch).unsqueeze(1)
        seen = []
        for convolution in self.convolutions:
            rows = functional.relu(convolution(rows))
            seen.append(rows)
        hidden = rows.amax(dim=2)
        nothing = hidden[:, :0]
        beside = (nothing, seen[2].flatten(1), seen[1].flatten(1), nothing)
        for linear, again in zip(self.dense, beside, strict=True):
            hidden = functional.relu(linear(torch.cat([hidden, again], dim=1)))
            hidden = functional.dropout(hidden, self.config.dropout, self.training)
        values, log_scale = values_and_scale(
            self.output(hidden), predict_scale=self.config.predict_scale
        )
        return ModelOutput(
            values=values,
            log_scale=log_scale,
            node_attention=uniform_attention(batch),
            graph_features=hidden,
        )

    def _fractions(self, batch: GraphBatch) -> Float[Tensor, "n_graphs n_positions"]:
        """Return the share of each element among the atoms, hydrogen first."""
        dtype = self.output.weight.dtype
        counts = torch.zeros(
            batch.n_graphs, self.config.n_elements, dtype=dtype, device=batch.distances.device
        )
        amounts = atom_counts(batch, dtype)
        counts.index_put_((batch.graph_index, batch.atomic_numbers), amounts, accumulate=True)
        return counts[:, 1:] / counts.sum(dim=1, keepdim=True)

    def regularized_parameters(self) -> list[nn.Parameter]:
        """Return the kernels of the dense layers."""
        return [cast(nn.Parameter, linear.weight) for linear in self.dense]
