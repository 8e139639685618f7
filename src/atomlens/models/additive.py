"""The additive head as a switch: a published network up to its atoms, then a sum of atom terms.

With ``head=additive`` a model gives up its own pooling and dense layers for the readout of `lens`
(`atomlens.nn.additive`), and may be trained so that a term is what the prediction loses when the
atom's element is hidden (row 0 of the element table stands for nobody).
"""

from dataclasses import replace
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from atomlens.graphs import GraphBatch
from atomlens.models.base import ModelOutput, PropertyModel
from atomlens.models.consistency import consistency_loss
from atomlens.nn.additive import Absence, AdditiveReadout
from atomlens.nn.readout import lower_bound

Head = Literal["published", "additive"]
HEAD_LAYERS = ("readout.output",)
"""``output_layers`` of a model with the additive head."""
HEAD_BLOCKS = ("readout.query", "noise")
"""Its ``output_blocks``."""
HEAD_NOISE = "noise"
"""Its ``noise_layer``."""
FREE = frozenset({"consistency", "consistency_every"})
"""Its settings that matter while training only."""


def additive_output(
    readout: AdditiveReadout,
    noise: nn.Linear | None,
    batch: GraphBatch,
    nodes: Float[Tensor, "n_nodes _"],
    local: list[Tensor],
    *,
    amounts: Float[Tensor, " n_nodes"] | None = None,
    bounds: Float[Tensor, " n_outputs"] | None = None,
) -> ModelOutput:
    """Read out atoms as a sum of terms.

    Args:
        readout: The additive head.
        noise: Makes the logarithms of the noise of the pooled atoms, if they are asked for.
        batch: The graphs.
        nodes: Features of the atoms after the last layer.
        local: Attention over neighbours, a tensor a layer.
        amounts: How many atoms a node of a formula stands for.
        bounds: Smallest possible value of each output; the terms add up to the value before it.
    """
    read = readout(nodes, batch.graph_index, batch.node_counts, amounts=amounts)
    values = read.values
    if bounds is not None and bounds.numel():
        values = lower_bound(values, bounds.to(values.dtype))
    return ModelOutput(
        values=values,
        log_scale=None if noise is None else noise(functional.silu(read.pooled)),
        node_attention=read.attention.mean(dim=1),
        node_scores=read.scores.mean(dim=1),
        node_terms=read.terms,
        node_target_attention=read.attention,
        edge_attention=tuple(local),
        node_features=nodes,
        graph_features=read.pooled,
    )


def is_checked(model: PropertyModel, step: int) -> bool:
    """Tell whether terms are held against effects in a step of training."""
    config = model.config
    if config.head != "additive" or not config.consistency:
        return False
    return bool(step % config.consistency_every == 0)


def masked_consistency(
    model: PropertyModel,
    batch: GraphBatch,
    output: ModelOutput,
    step: int,
    real: Bool[Tensor, " n_graphs"] | None,
) -> Float[Tensor, ""] | None:
    """Return the weighted consistency of terms with what masks take away, on every few-th step."""
    config = model.config
    if not is_checked(model, step):
        return None
    assert output.node_terms is not None

    def terms_of(absence: Absence) -> Float[Tensor, "n_nodes n_outputs"]:
        assert absence.masked is not None
        numbers = batch.atomic_numbers.masked_fill(absence.masked, 0)
        terms: Tensor | None = model(replace(batch, atomic_numbers=numbers)).node_terms
        assert terms is not None
        return terms

    intensive = torch.zeros(config.n_outputs, dtype=torch.bool, device=batch.distances.device)
    loss = consistency_loss(terms_of, output.node_terms, batch, "mask", intensive, real)
    return torch.mul(loss, config.consistency)
