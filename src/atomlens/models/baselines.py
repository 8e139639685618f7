"""What every model is measured against: the mean, and a ridge on element counts or shares."""

from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from atomlens.errors import SettingsError
from atomlens.graphs import GraphBatch
from atomlens.models.base import ClosedFormModel, ModelOutput
from atomlens.nn.segment import segment_sum
from atomlens.settings import Settings, bounded


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineConfig(Settings):
    """Settings of the closed-form baselines."""

    n_outputs: int = bounded(1, least=1)
    n_elements: int = bounded(95, least=1)
    predict_scale: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RidgeConfig(BaselineConfig):
    """Settings of the ridge."""

    l2: float = bounded(1e-3, least=0)
    """Ridge penalty, relative to the mean squared feature."""
    fractions: bool = False
    """Whether it reads which part of the atoms an element is, and not how many atoms of it there
    are: taken for targets of crystals and formulas that do not grow with the cell, whose answer
    shall not depend on how the cell was chosen"""
    extensive: tuple[bool, ...] = ()
    """Which outputs are multiplied by the number of atoms afterwards; they are read from shares, so
    that the value is a sum over the atoms. Empty: none"""

    def check_together(self) -> None:
        """Refuse a list for other outputs."""
        if self.extensive and len(self.extensive) != self.n_outputs:
            raise SettingsError(
                f"extensive has {len(self.extensive)} entries for {self.n_outputs} outputs."
            )


def atom_counts(batch: GraphBatch, dtype: torch.dtype) -> Float[Tensor, " n_nodes"]:
    """Return how many atoms each node stands for: one, unless it is a node of a formula."""
    if batch.node_weights is None:
        return torch.ones_like(batch.atomic_numbers, dtype=dtype)
    amounts: Tensor = batch.node_weights.to(dtype)
    return amounts


def uniform_attention(batch: GraphBatch) -> Float[Tensor, " n_nodes"]:
    """Return the same share for every atom."""
    counts = atom_counts(batch, batch.distances.dtype)
    totals = segment_sum(counts, batch.graph_index, batch.n_graphs)
    return counts / totals.index_select(0, batch.graph_index)


@final
class MeanModel(ClosedFormModel[BaselineConfig]):
    """Predicts the mean of the training values for everything."""

    Config = BaselineConfig
    retired_settings = frozenset({"nonnegative", "l2"})
    looks_at_atoms = False
    reads_neighbours = False
    default_builder: ClassVar[tuple[str, dict[str, Any]]] = ("formula", {})

    def __init__(self, config: BaselineConfig) -> None:
        super().__init__(config)
        self.mean = nn.Parameter(torch.zeros(config.n_outputs))

    def forward(self, batch: GraphBatch) -> ModelOutput:
        """Return the mean; every atom has the same share."""
        values = self.mean.expand(batch.n_graphs, -1)
        return ModelOutput(values=values, node_attention=uniform_attention(batch))

    @torch.no_grad()
    def fit(self, batch: GraphBatch, targets: Float[Tensor, "n_graphs n_targets"]) -> None:
        """Take the mean of the known values of each output."""
        self.mean.copy_(targets.nanmean(dim=0))


@final
class RidgeModel(ClosedFormModel[RidgeConfig]):
    """Ridge regression on how many atoms of each element a structure has, or on their shares."""

    Config = RidgeConfig
    retired_settings = frozenset({"nonnegative"})
    reads_neighbours = False
    default_builder: ClassVar[tuple[str, dict[str, Any]]] = ("formula", {})

    def __init__(self, config: RidgeConfig) -> None:
        super().__init__(config)
        self.linear = nn.Linear(config.n_elements + 2, config.n_outputs)

    def _features(self, batch: GraphBatch) -> Float[Tensor, "n_graphs n_features"]:
        """Element counts, and the number of atoms (so that a shared slope costs one weight)."""
        dtype = self.linear.weight.dtype
        counts = torch.zeros(
            batch.n_graphs, self.config.n_elements + 2, dtype=dtype, device=batch.distances.device
        )
        amounts = atom_counts(batch, dtype)
        counts.index_put_((batch.graph_index, batch.atomic_numbers), amounts, accumulate=True)
        counts[:, -1] = counts[:, :-1].sum(dim=1)
        return counts

    @staticmethod
    def _shares(counts: Float[Tensor, "n_graphs _"]) -> Float[Tensor, "n_graphs _"]:
        """Of all atoms; of a graph without atoms (what fills a batch) 0."""
        return counts / counts[:, -1:].clamp_min(torch.finfo(counts.dtype).tiny)

    def _by_shares(self, device: torch.device) -> Bool[Tensor, " n_outputs"]:
        """Which outputs are read from shares, the others from counts."""
        c = self.config
        return torch.tensor(
            [c.fractions or grows for grows in c.extensive or (False,) * c.n_outputs], device=device
        )

    def forward(self, batch: GraphBatch) -> ModelOutput:
        """Return the linear prediction; every atom has the same share."""
        counts = self._features(batch)
        by_shares = self._by_shares(counts.device)
        values = torch.where(by_shares, self.linear(self._shares(counts)), self.linear(counts))
        shares = self._shares(counts)
        return ModelOutput(
            values=values,
            node_attention=uniform_attention(batch),
            description=shares if by_shares.all() else torch.cat([counts, shares], dim=1),
        )

    @torch.no_grad()
    def fit(self, batch: GraphBatch, targets: Float[Tensor, "n_graphs n_targets"]) -> None:
        """Solve the normal equations in float64, each output on its known rows.

        Outputs that are known on the same rows (the points of a spectrum) are solved at once.
        """
        counts, missing = self._features(batch).double(), targets.isnan()
        shares, by_shares = self._shares(counts), self._by_shares(targets.device)
        patterns, owner = torch.unique(
            torch.cat([missing, by_shares[None]]), dim=1, return_inverse=True
        )
        for pattern in range(patterns.shape[1]):
            columns, known = torch.nonzero(owner == pattern).squeeze(1), ~patterns[:-1, pattern]
            features = shares if patterns[-1, pattern] else counts
            x, y = features[known], targets[known][:, columns].double()
            x_mean, y_mean = x.mean(dim=0), y.mean(dim=0)
            xc, yc = x - x_mean, y - y_mean
            gram = xc.T @ xc
            penalty = self.config.l2 * xc.square().mean().clamp_min(1e-12) * len(xc)
            gram += penalty * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
            weights = torch.linalg.solve(gram, xc.T @ yc)
            self.linear.weight[columns] = weights.T.to(self.linear.weight.dtype)
            self.linear.bias[columns] = (y_mean - x_mean @ weights).to(self.linear.bias.dtype)
