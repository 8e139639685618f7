"""What every model is measured against: the mean, and a ridge on element counts or shares.

Of classes the mean is their shares, and the ridge a logistic regression.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol, final, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

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
    n_classes: tuple[int, ...] = bounded((), least=0)
    """Of each column of values how many classes it has, 0 for a number; empty: numbers alone"""

    def check_together(self) -> None:
        """Refuse classes that do not add up to the outputs."""
        check_classes(self)


@runtime_checkable
class _WithClasses(Protocol):
    """A configuration that says how many classes its targets have."""

    @property
    def n_outputs(self) -> int:
        """Of all columns."""

    @property
    def n_classes(self) -> tuple[int, ...]:
        """As in `BaselineConfig`."""


class OutputPlace(NamedTuple):
    """Where the outputs of a column of values stand."""

    column: int
    """Among the values"""
    first: int
    """Among the outputs"""
    n_classes: int
    """0 for a number, which has one output"""


def output_places(config: _WithClasses) -> list[OutputPlace]:
    """Return where the outputs of each column of values stand."""
    places, first = [], 0
    for column, n in enumerate(config.n_classes or (0,) * config.n_outputs):
        places.append(OutputPlace(column, first, n))
        first += n or 1
    return places


def check_classes(config: _WithClasses) -> None:
    """Raise a SettingsError for classes that do not add up to the outputs."""
    n = config.n_classes
    if n and (1 in n or sum(k or 1 for k in n) != config.n_outputs):
        raise SettingsError(
            f"n_classes={list(n)} does not make {config.n_outputs} outputs; leave it out, training "
            "fills it in."
        )


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
        """Refuse lists for other outputs."""
        check_classes(self)
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
    """Predicts the mean of the training values for everything; of classes their shares.

    So it always says the most common class.
    """

    Config = BaselineConfig
    retired_settings = frozenset({"nonnegative", "l2"})
    learns_classes = True
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
        """Take the mean of the known values of each number, the logarithms of the classes' shares.

        A class that training has none of counts as half a sample.
        """
        for column, first, n in output_places(self.config):
            values = targets[:, column]
            if not n:
                self.mean[first] = values.nanmean()
                continue
            counts = values[~values.isnan()].long().bincount(minlength=n).clamp_min(0.5)
            self.mean[first : first + n] = (counts / counts.sum()).log()


@final
class RidgeModel(ClosedFormModel[RidgeConfig]):
    """Ridge regression on how many atoms of each element a structure has, or on their shares.

    Of classes it is a (multinomial) logistic regression on the same, with the same penalty on the
    squares of the weights.
    """

    Config = RidgeConfig
    retired_settings = frozenset({"nonnegative"})
    learns_classes = True
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
        """Solve the normal equations in float64, each number on its known rows.

        Numbers that are known on the same rows (the points of a spectrum) are solved at once.
        Classes have no formula: steps downhill (L-BFGS) lead to the only minimum.
        """
        counts, by_shares = self._features(batch).double(), self._by_shares(targets.device)
        shares, places = self._shares(counts), output_places(self.config)
        for column, first, n in places:
            if n:
                known = ~targets[:, column].isnan()
                features = (shares if by_shares[first] else counts)[known]
                self._regress(features, targets[known, column].long(), slice(first, first + n))
        numbers = [place for place in places if not place.n_classes]
        if not numbers:
            return
        outputs = torch.tensor([place.first for place in numbers], device=targets.device)
        values = targets[:, [place.column for place in numbers]]
        patterns, owner = torch.unique(
            torch.cat([values.isnan(), by_shares[outputs][None]]), dim=1, return_inverse=True
        )
        for pattern in range(patterns.shape[1]):
            own, known = torch.nonzero(owner == pattern).squeeze(1), ~patterns[:-1, pattern]
            features = shares if patterns[-1, pattern] else counts
            x, y = features[known], values[known][:, own].double()
            x_mean, y_mean = x.mean(dim=0), y.mean(dim=0)
            xc, yc = x - x_mean, y - y_mean
            gram = xc.T @ xc
            penalty = self._penalty(xc)
            gram += penalty * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
            weights = torch.linalg.solve(gram, xc.T @ yc)
            self.linear.weight[outputs[own]] = weights.T.to(self.linear.weight.dtype)
            self.linear.bias[outputs[own]] = (y_mean - x_mean @ weights).to(self.linear.bias.dtype)

    def _penalty(self, centred: Float[Tensor, "n_rows n_features"]) -> Float[Tensor, ""]:
        """Return what each squared weight costs."""
        return self.config.l2 * centred.square().mean().clamp_min(1e-12) * len(centred)

    def _regress(
        self,
        features: Float[Tensor, "n_rows n_features"],
        labels: Int[Tensor, " n_rows"],
        place: slice,
    ) -> None:
        """Minimise the cross-entropy of some classes and the penalty on the squared weights."""
        n_classes, mean = place.stop - place.start, features.mean(dim=0)
        centred = features - mean
        used = centred.square().sum(dim=0) > 0
        x = centred[:, used]
        size = x.square().mean(dim=0).sqrt()
        x = x / size  # columns of one size are minimised in few steps
        penalty = self._penalty(centred).clamp_min(1e-9) / size.square()
        with torch.enable_grad():
            weights = x.new_zeros(n_classes, x.shape[1] + 1).requires_grad_()
            optimizer = torch.optim.LBFGS(
                [weights],
                max_iter=_STEPS,
                tolerance_grad=1e-7,
                tolerance_change=1e-12,
                history_size=30,
                line_search_fn="strong_wolfe",
            )

            def loss() -> Tensor:
                optimizer.zero_grad()
                logits = x @ weights[:, :-1].T + weights[:, -1]
                entropy = functional.cross_entropy(logits, labels, reduction="sum")
                total = entropy + 0.5 * (penalty * weights[:, :-1].square()).sum()
                total = total / len(labels)
                total.backward()  # type: ignore[no-untyped-call]
                return total

            optimizer.step(loss)  # type: ignore[no-untyped-call]
        found = torch.zeros(n_classes, len(mean), dtype=x.dtype, device=x.device)
        found[:, used] = weights.detach()[:, :-1] / size
        self.linear.weight[place] = found.to(self.linear.weight.dtype)
        bias = weights.detach()[:, -1] - found @ mean
        self.linear.bias[place] = bias.to(self.linear.bias.dtype)


_STEPS = 500
"""Steps of a logistic regression at most; some tens are usual."""
