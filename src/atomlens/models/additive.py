"""The additive head: a network up to its atoms, then a sum of one term an atom and target.

`lens` has no other; with ``head=additive`` scann, cgcnn and finder give up their own pooling and
dense layers for it (`atomlens.nn.additive`). It may be trained so that a term is what the
prediction loses without the atom (`atomlens.models.consistency`).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from atomlens.graphs import GraphBatch
from atomlens.models.base import ConfigT, ModelOutput, PropertyModel
from atomlens.models.consistency import Meaning, consistency_loss, mean_over_graphs
from atomlens.nn.additive import Absence, Additive, AdditiveReadout, SelfStandingReadout
from atomlens.nn.linear import glorot_linear
from atomlens.nn.readout import lower_bound
from atomlens.nn.segment import segment_sum
from atomlens.settings import Bounds, Settings, bounded, only_with

MASK = 0
"""Row of the element table that stands for a masked atom; no element has this number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadSettings(Settings):
    """The switch of models that also have a head of their own."""

    head: Literal["published", "additive"] = "published"
    """``additive``: the prediction is a sum of one term an atom (`atomlens.models.additive`)."""
    consistency: float = only_with(bounded(1.2, least=0), head="additive")
    """Additive head: weight of the loss that makes a term be what the prediction loses when the
    atom's element is hidden; 0: the terms add up and promise nothing more."""
    consistency_every: int = only_with(
        bounded(4, least=1), head="additive", consistency=Bounds(above=0)
    )
    """On every how many-th batch."""
    small_terms: float = only_with(bounded(0.0, least=0), head="additive")
    """Additive head: weight of the mean square of the terms in the loss. Many ways to share a sum
    out fit it equally well; this asks for the smallest."""


class AdditiveModel(PropertyModel[ConfigT]):
    """A model that is, or can be, a sum of atom terms, trained to be what they claim.

    Its ``Config`` has ``consistency``, ``consistency_every`` and, where the head is a switch,
    ``head``.
    """

    free_settings: ClassVar[frozenset[str]] = frozenset(
        {"consistency", "consistency_every", "small_terms"}
    )
    meanings: ClassVar[tuple[Meaning, ...]] = ("mask",)
    """In which meanings atoms are absent in training, in turns."""

    @property
    def is_additive(self) -> bool:
        """With the additive head: one term an atom and target."""
        config: Any = self.config
        return bool(config.head == "additive")

    @property
    def knows_masks(self) -> bool:
        """With the additive head, where terms were trained to be effects."""
        config: Any = self.config
        return bool(self.is_additive and config.consistency)

    def additive_head(
        self, width: int, linear: Callable[[int, int], nn.Linear] = glorot_linear
    ) -> tuple[AdditiveReadout, nn.Linear | None]:
        """Return the readout and, with ``predict_scale``, the layer of the noise.

        They must become ``self.readout`` and ``self.noise``: their names are told here to those
        who train the model further.

        Args:
            width: Of the atoms.
            linear: Makes the layer of the noise.
        """
        self.output_layers, self.output_blocks = ("readout.output",), ("readout.query", "noise")
        self.noise_layer = "noise"
        n_outputs = self.config.n_outputs
        readout = AdditiveReadout(width, n_outputs)
        return readout, linear(width, n_outputs) if self.config.predict_scale else None

    def step_kind(self, step: int) -> Meaning | None:
        """Return in which meaning atoms are absent in the second part of a step's loss, if any."""
        config: Any = self.config
        every: int = config.consistency_every
        if not self.knows_masks or step % every:
            return None
        return self.meanings[step // every % len(self.meanings)]

    def auxiliary_loss(
        self,
        batch: GraphBatch,
        output: ModelOutput,
        step: int,
        real: Bool[Tensor, " n_graphs"] | None = None,
    ) -> Float[Tensor, ""] | None:
        """Return what is asked of terms: to be small, and on every few-th step to be effects."""
        config: Any = self.config
        losses = []
        if self.is_additive and config.small_terms:
            losses.append(torch.mul(self._size_of_terms(batch, output, real), config.small_terms))
        meaning = self.step_kind(step)
        if meaning is not None:
            found = self._consistency(batch, output, meaning, real)
            losses.append(torch.mul(found, config.consistency))
        return torch.stack(losses).sum() if losses else None

    def _size_of_terms(
        self, batch: GraphBatch, output: ModelOutput, real: Bool[Tensor, " n_graphs"] | None
    ) -> Float[Tensor, ""]:
        """Return the mean square of terms, each as if all atoms had it: the cell is no matter.

        The intercept has no part in it.
        """
        terms = output.node_terms
        assert terms is not None
        index = batch.graph_index
        counts = batch.node_counts.to(terms.dtype).index_select(0, index).unsqueeze(1)
        all_alike = terms * counts
        if isinstance(self.readout, SelfStandingReadout):
            all_alike = all_alike - self.readout.start
        sizes = segment_sum(all_alike.square() / counts, index, batch.n_graphs)
        return mean_over_graphs(sizes, real)

    def _consistency(
        self,
        batch: GraphBatch,
        output: ModelOutput,
        meaning: Meaning,
        real: Bool[Tensor, " n_graphs"] | None,
    ) -> Float[Tensor, ""]:
        assert output.node_terms is not None

        def terms_of(absence: Absence) -> Float[Tensor, "n_nodes n_outputs"]:
            terms = self.without(batch, absence).node_terms
            assert terms is not None
            return terms

        grows = self.growing_outputs(batch.distances.device)
        readout = self.readout
        start = readout.start if isinstance(readout, SelfStandingReadout) else None
        return consistency_loss(terms_of, output.node_terms, batch, meaning, grows, real, start)

    def without(self, batch: GraphBatch, absence: Absence) -> ModelOutput:
        """Return what the model says of a batch without some atoms; here it hides their element."""
        assert absence.masked is not None
        numbers = batch.atomic_numbers.masked_fill(absence.masked, MASK)
        output: ModelOutput = self(replace(batch, atomic_numbers=numbers))
        return output

    def growing_outputs(self, device: torch.device) -> Bool[Tensor, " n_outputs"]:
        """Return which outputs are multiplied by the number of atoms.

        It matters where atoms are taken out of the graph; masked ones still count.
        """
        return torch.zeros(self.config.n_outputs, dtype=torch.bool, device=device)


def additive_output(
    read: Additive,
    noise: nn.Linear | None,
    nodes: Float[Tensor, "n_nodes _"],
    local: list[Tensor],
    *,
    bounds: Float[Tensor, " n_bounded"] | None = None,
    largest_log_scale: float | None = None,
) -> ModelOutput:
    """Return what a model says whose terms have been read out.

    Args:
        read: What the additive head says.
        noise: Makes the logarithms of the noise of the pooled atoms, if they are asked for.
        nodes: Features of the atoms after the last layer.
        local: Attention over neighbours, a tensor a layer.
        bounds: Smallest possible value of each output; the terms add up to the value before it.
        largest_log_scale: To which the logarithms are cut on either side, if at all.
    """
    values = read.values
    if bounds is not None and bounds.numel():
        values = lower_bound(values, bounds.to(values.dtype))
    log_scale = None if noise is None else noise(functional.silu(read.pooled))
    if log_scale is not None and largest_log_scale is not None:
        log_scale = log_scale.clamp(-largest_log_scale, largest_log_scale)
    return ModelOutput(
        values=values,
        log_scale=log_scale,
        node_attention=read.attention.mean(dim=1),
        node_scores=read.scores.mean(dim=1),
        node_terms=read.terms,
        node_target_attention=read.attention,
        edge_attention=tuple(local),
        node_features=nodes,
        graph_features=read.pooled,
    )
