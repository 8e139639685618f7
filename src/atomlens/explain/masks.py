"""Learnt masks: the fewest elements, or neighbours, that a prediction can do with."""

from collections.abc import Callable
from dataclasses import replace
from typing import final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from atomlens.errors import ExplanationError
from atomlens.explain.absence import mean_vectors
from atomlens.explain.base import AtomScores, Explainer, methods_sentence
from atomlens.explain.paths import answers_from, by_atom
from atomlens.explain.question import Question, Values
from atomlens.explain.vectors import vector_table
from atomlens.models.base import ModelOutput

N_STEPS = 60
_RATE = 0.2
_SIZE = 0.15
"""Price of naming all elements, against losing the whole difference to naming none."""
_DOUBT = 0.05
"""Price of masks that are neither 0 nor 1."""
MASKED_EDGES = "edge_presence"
"""The field of graphs that models read whose edges can be masked."""
Masks = Float[Tensor, " n_masked"]


@final
class LearntMaskExplainer(Explainer):
    """How much of its element each atom must keep for the prediction to stay, as a share.

    After Ying et al., "GNNExplainer" (2019), for numbers instead of classes and for atoms: a mask
    between 0 and 1 on each atom mixes its vector with that of a hidden element, and is trained to
    keep the prediction at the smallest sum. The scores are masks divided by their sum, so that
    they can be compared inside one structure.
    """

    name = "learnt-mask"

    def explain(self, question: Question) -> AtomScores:
        """Train the masks; the weights of the network stay.

        Raises:
            ExplanationError: the network starts from no vector of each element to be hidden.
        """
        vectors, runs = by_atom(question)
        batch = question.batch
        hidden = []
        for member, own in zip(question.models, vectors, strict=True):
            table = vector_table(member)
            if member.knows_masks and table is not None:
                hidden.append(table[1][:1].expand_as(own))
            else:
                weights = batch.node_weights
                weights = torch.ones_like(own[:, 0]) if weights is None else weights
                means = mean_vectors(own, weights, batch)
                hidden.append(means.index_select(0, batch.graph_index))

        def masked(mask: Masks) -> list[ModelOutput]:
            mixed = [h + mask[:, None] * (v - h) for v, h in zip(vectors, hidden, strict=True)]
            return [run(m) for run, m in zip(runs, mixed, strict=True)]

        nothing = answers_from(question, hidden)
        masks = learnt(question, masked, nothing, batch.graph_index)
        found = question.per_atom(masks.double().cpu().numpy())
        return _alike(question, _shares(found, question.structure_index))


@final
class LearntEdgeMaskExplainer(Explainer):
    """How much of what each neighbour says must arrive for the prediction to stay, as a share.

    GNNExplainer's own masks (Ying et al. 2019): in every layer the message of a neighbour is
    multiplied by the mask of its edge, which is trained to keep the prediction at the smallest
    sum; how an atom weighs its neighbours is not changed. A pair of atoms has a mask in each
    direction, and one an image of the neighbour. ``edge_scores`` are masks divided by their sum;
    an atom has half of each of its edges.
    """

    name = "learnt-mask-edges"

    def explain(self, question: Question) -> AtomScores:
        """Train the masks; the weights of the network stay.

        Raises:
            ExplanationError: the model has no messages of neighbours that could be masked, or the
                structure no neighbours.
        """
        model, batch = question.models[0], question.batch
        if MASKED_EDGES not in model.edge_fields:
            raise ExplanationError(
                f"This {type(model).__name__} has no messages of neighbours that could be masked; "
                f"{methods_sentence(model)}"
            )
        source, target = batch.edge_index
        graph_of = batch.graph_index.index_select(0, target)
        if len(torch.unique(graph_of)) < batch.n_graphs:
            raise ExplanationError(
                "Masks on edges need neighbours, and this structure has an atom alone; use the "
                "method occlusion-mask or integrated-gradients."
            )

        def masked(mask: Masks) -> list[ModelOutput]:
            heard = batch.with_fields(**{MASKED_EDGES: mask})
            return [model(heard) for model in question.models]

        with torch.no_grad():
            deaf = batch.distances.new_zeros(batch.n_edges)
            nothing = question.answer_to(masked(deaf)).cpu().numpy()
        masks = learnt(question, masked, nothing, graph_of).double()
        sums = masks.new_zeros(batch.n_graphs).index_add_(0, graph_of, masks)
        shares = masks / sums.index_select(0, graph_of)
        of_node = masks.new_zeros(batch.n_nodes)
        of_node.index_add_(0, source, shares / 2).index_add_(0, target, shares / 2)
        found = _alike(question, question.per_atom(of_node.cpu().numpy()))
        return replace(found, edge_scores=shares.cpu().numpy())


def learnt(
    question: Question,
    masked: Callable[[Masks], list[ModelOutput]],
    nothing: Values,
    graph_of: Int[Tensor, " n_masked"],
) -> Masks:
    """Return masks that keep the prediction at the smallest sum; one for all members.

    Args:
        question: Whose answers are to be kept.
        masked: What the members say with masks between 0 and 1.
        nothing: (n,) the answers where all masks are 0: to lose the whole difference costs 1.
        graph_of: Which graph each mask belongs to.
    """
    like = question.batch.distances
    n = question.batch.n_graphs
    whole, least = like.new_tensor(question.values), like.new_tensor(nothing)
    scale = (whole - least).abs().clamp(min=1e-6 * float(whole.abs().max()) + 1e-12)
    counts = like.new_zeros(n).index_add_(0, graph_of, torch.ones_like(graph_of, dtype=like.dtype))
    logits = like.new_zeros(len(graph_of))
    with torch.enable_grad():
        logits.requires_grad_()
        optimizer = torch.optim.Adam([logits], lr=_RATE)
        for _ in range(N_STEPS):
            mask = logits.sigmoid()
            off = (question.answer_to(masked(mask)).to(whole.dtype) - whole) / scale
            price = _SIZE * mask + _DOUBT * mask * (1 - mask)
            loss = off.square().sum() + (price / counts.index_select(0, graph_of)).sum()
            (logits.grad,) = torch.autograd.grad(loss, [logits])
            optimizer.step()
    return logits.detach().sigmoid()


def _shares(found: Values, structure_index: "np.ndarray") -> Values:
    shares: Values = found / np.bincount(structure_index, weights=found)[structure_index]
    return shares


def _alike(question: Question, shares: Values) -> AtomScores:
    """Return scores that were found for all members together."""
    by_member = np.repeat(shares[None], len(question.models), axis=0)
    return AtomScores(scores=shares, by_member=by_member, joint=True)
