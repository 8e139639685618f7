"""Learnt masks: the fewest elements that a prediction can do with."""

from typing import final

import numpy as np
import torch

from atomlens.explain.absence import mean_vectors
from atomlens.explain.base import AtomScores, Explainer
from atomlens.explain.gradients import answers_from, by_atom
from atomlens.explain.question import Question
from atomlens.explain.vectors import vector_table

N_STEPS = 60
_RATE = 0.2
_SIZE = 0.15
"""Price of naming all elements, against losing the whole difference to naming none."""
_DOUBT = 0.05
"""Price of masks that are neither 0 nor 1."""


@final
class LearntMaskExplainer(Explainer):
    """How much of its element each atom must keep for the prediction to stay, as a share.

    After Ying et al., "GNNExplainer" (2019), for numbers instead of classes and for atoms: a mask
    between 0 and 1 on each atom mixes its vector with that of a hidden element, and is trained to
    keep the prediction at the smallest sum. The scores are masks divided by their sum, so that
    they can be compared inside one structure.
    """

    name = "learnt-mask"
    cost = f"{N_STEPS} passes forward and back"

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
        whole = vectors[0].new_tensor(question.values)
        nothing = vectors[0].new_tensor(answers_from(question, hidden))
        scale = (whole - nothing).abs().clamp(min=1e-6 * float(whole.abs().max()) + 1e-12)
        logits = torch.zeros(batch.n_nodes, dtype=vectors[0].dtype, device=vectors[0].device)
        counts = batch.node_counts.to(logits.dtype)
        with torch.enable_grad():
            logits.requires_grad_()
            optimizer = torch.optim.Adam([logits], lr=_RATE)
            for _ in range(N_STEPS):
                mask = logits.sigmoid()
                mixed = [h + mask[:, None] * (v - h) for v, h in zip(vectors, hidden, strict=True)]
                outputs = [run(m) for run, m in zip(runs, mixed, strict=True)]
                off = (question.answer_to(outputs).to(whole.dtype) - whole) / scale
                size = mask.new_zeros(batch.n_graphs).index_add(0, batch.graph_index, mask)
                doubt = mask.new_zeros(batch.n_graphs).index_add(
                    0, batch.graph_index, mask * (1 - mask)
                )
                price = _SIZE * size / counts + _DOUBT * doubt / counts
                loss = (off.square() + price).sum()
                (logits.grad,) = torch.autograd.grad(loss, [logits])
                optimizer.step()
        found = question.per_atom(logits.detach().sigmoid().double().cpu().numpy())
        sums = np.bincount(question.structure_index, weights=found)
        shares = found / sums[question.structure_index]
        return AtomScores(scores=shares, by_member=np.repeat(shares[None], len(runs), axis=0))
