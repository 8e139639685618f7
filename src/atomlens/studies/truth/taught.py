"""What a network's atoms know of populations, whatever its attention says.

A linear read-out of the vectors that a network ends with is taught the populations of some
molecules and asked about the others. The network stays as it is.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from atomlens.explain.question import Indices, Values
from atomlens.nn.segment import segment_max, segment_sum
from atomlens.predictor import Predictor
from atomlens.studies.faithful.asked import Asked

UNTRAINED = "untrained network"
"""Ends the names of read-outs of one."""
N_FOLDS = 5
LEAST = 50
"""Structures; with fewer there is too little to be taught."""
PENALTY = 3e-3
"""Weight of the squares of the read-out's weights, of features with a spread of one."""
_ITERATIONS = 60
_SMALLEST_SPREAD = 1e-6


@torch.no_grad()
def atom_features(asked: Asked, network: Predictor) -> Float[Tensor, "n_atoms n_features"] | None:
    """Return the vectors that the members of a network end with, side by side.

    Each feature has a mean of zero and a spread of one.

    Args:
        asked: Whose structures.
        network: The model that was asked, or another one that reads the same graphs.

    Returns:
        None if it has no vector for each atom.
    """
    found = []
    for question in asked.questions:
        if not question.nodes_are_atoms:
            return None
        models = network.models_on(str(question.batch.atomic_numbers.device))
        own = [model(question.batch).node_features for model in models]
        known = [features.double().cpu() for features in own if features is not None]
        if len(known) < len(own):
            return None
        found.append(torch.cat(known, dim=1))
    features = torch.cat(found)
    spread = features.std(dim=0).clamp(min=_SMALLEST_SPREAD)
    return (features - features.mean(dim=0)) / spread


def taught_on_the_others(
    features: Float[Tensor, "n_atoms n_features"],
    truth: Sequence[Values],
    offsets: Indices,
    seed: int,
) -> Values:
    """(n_atoms,) The scores of read-outs that were not taught the molecule that they score.

    A softmax over the atoms that the truth is about, under the cross entropy with their shares;
    five read-outs, each taught on four fifths of the molecules.

    Args:
        features: Of all atoms.
        truth: Of each molecule the shares of its first atoms, (n_known, n_columns).
        offsets: First atom of each molecule, and the number of all.
        seed: Draws the fifths.
    """
    order = np.random.default_rng(seed).permutation(len(truth))
    scores = np.zeros(len(features))
    for fold in np.array_split(order, N_FOLDS):
        others = np.setdiff1d(order, fold)
        counts = [len(truth[i]) for i in others]
        rows = np.concatenate([np.arange(offsets[i], offsets[i] + len(truth[i])) for i in others])
        shares = np.concatenate([truth[i][:, -1] / truth[i][:, -1].sum() for i in others])
        weights = _taught(
            features[torch.from_numpy(rows)],
            torch.from_numpy(shares),
            torch.from_numpy(np.repeat(np.arange(len(others)), counts)),
        )
        said = (features @ weights).numpy()
        for i in fold:
            own = slice(offsets[i], offsets[i + 1])
            # a share is what is asked for: no score is below 0
            scores[own] = np.exp(said[own] - said[own][: len(truth[i])].max())
    return scores


def _taught(
    features: Float[Tensor, "n_known n_features"],
    shares: Float[Tensor, " n_known"],
    index: Int[Tensor, " n_known"],
) -> Float[Tensor, " n_features"]:
    """Return the weights of a read-out."""
    n = int(index.max()) + 1
    weights = features.new_zeros(features.shape[1]).requires_grad_()
    search = torch.optim.LBFGS([weights], max_iter=_ITERATIONS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        search.zero_grad()
        logits = features @ weights
        largest = segment_max(logits.detach(), index, n)
        sums = segment_sum((logits - largest.index_select(0, index)).exp(), index, n)
        logarithm = (sums.log() + largest).index_select(0, index)
        found: Tensor = (shares * (logarithm - logits)).sum() / n
        found = found + PENALTY * weights.square().sum()
        found.backward()  # type: ignore[no-untyped-call]
        return found

    with torch.enable_grad():
        search.step(loss)  # type: ignore[no-untyped-call]
    return weights.detach()
