"""How far scores can be trusted to be those of the model and not of one set of weights.

An ensemble gives scores of each member. A single network that was trained with dropout is as
many networks as one likes: with dropout left on, each pass goes through another thinned one
(Gal and Ghahramani, "Dropout as a Bayesian approximation", 2016).
"""

from collections import OrderedDict
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from atomlens.explain.base import Explainer
from atomlens.explain.question import Question, Values
from atomlens.models.base import PropertyModel

N_THINNED = 16
"""Thinned networks that are asked."""
_SETTINGS = ("dropout", "attention_dropout")


def drops(model: PropertyModel) -> bool:
    """Tell whether a model was trained with dropout."""
    by_setting = any(getattr(model.config, name, 0) for name in _SETTINGS)
    return by_setting or any(isinstance(m, nn.Dropout) and m.p for m in model.modules())


def scores_of_thinned(explainer: Explainer, question: Question) -> NDArray[np.float64] | None:
    """Return (n_thinned, n_atoms) scores of networks thinned by dropout, all in one batch.

    None for ensembles, models without dropout, and methods of several passes: each pass would go
    through another network, and the difference of two of them is noise.

    Args:
        explainer: The method.
        question: About one structure.
    """
    (model, *others) = question.models
    if others or not explainer.single_pass or not drops(model):
        return None
    thinned = _copied(model)
    trained = replace(question.trained, models=(thinned,))
    for module in thinned.modules():  # what else trains itself, such as a batch norm, stays
        module.training = module is thinned or _has_dropout(module)
    device = question.batch.distances.device
    rows = torch.zeros(N_THINNED, dtype=torch.long)
    store = question.store
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(0)
        many = replace(
            question,
            trained=trained,
            models=(thinned,),
            structures=question.structures.subset(rows.numpy()),
            batch=store.batch(rows),
            labels=None if question.labels is None else np.repeat(question.labels, N_THINNED),
            values=np.repeat(question.values, N_THINNED),
            deviations=np.repeat(question.deviations, N_THINNED),
        )
        found = explainer.explain(many)
    return found.scores.reshape(N_THINNED, -1)


def _copied(model: PropertyModel) -> PropertyModel:
    """Return a copy without the hooks, which may hold what cannot be copied."""
    hooks: dict[int, Any] = {
        id(own): OrderedDict()
        for module in model.modules()
        for own in (module._forward_pre_hooks, module._forward_hooks)
    }
    return deepcopy(model, hooks)


def _has_dropout(module: nn.Module) -> bool:
    own = isinstance(module, nn.Dropout) or any(hasattr(module, name) for name in _SETTINGS)
    return own or hasattr(getattr(module, "config", None), _SETTINGS[0])


def rank_stability(scores: NDArray[np.float64], sites: NDArray[np.int64]) -> float:
    """Return the mean rank correlation of the sizes of scores over all pairs of networks.

    1: all order the sites alike; 0: by chance. NaN where there is nothing to order: a single
    network, fewer than three atoms, one site, or no different scores.

    Args:
        scores: (n_networks, n_atoms)
        sites: (n_atoms,) atoms that symmetry makes equal have one number (`sites_of`), and one
            rank: their differences are noise.
    """
    if len(scores) < 2 or scores.shape[1] < 3:
        return np.nan
    members = np.bincount(sites)
    means = [np.bincount(sites, np.abs(own)) / members for own in scores]
    ranks = np.stack([_ranks(own) for own in means])
    ranks = ranks[np.ptp(ranks, axis=1) > 0]
    if len(ranks) < 2:
        return np.nan
    pairs = np.corrcoef(ranks)[np.triu_indices(len(ranks), k=1)]
    return float(np.clip(pairs.mean(), -1, 1))


def leading_share(scores: NDArray[np.float64], sites: NDArray[np.int64]) -> float:
    """Return in which share of networks the site leads that leads in their mean.

    Leading is the largest score, whatever its sign; of several equal ones each counts in part. NaN
    where there is nothing to lead: a single network, one site, or no score but zeros.

    Args:
        scores: (n_networks, n_atoms)
        sites: (n_atoms,) as for `rank_stability`.
    """
    if len(scores) < 2 or sites.max(initial=0) < 1:
        return np.nan
    members = np.bincount(sites)
    mean = np.bincount(sites, scores.mean(axis=0)) / members
    if not mean.any():
        return np.nan
    first = int(np.abs(mean).argmax())
    means = np.stack([np.abs(np.bincount(sites, own) / members) for own in scores])
    leads = np.stack([_shares(own) for own in means])
    leads = leads == leads.max(axis=1, keepdims=True)
    return float((leads[:, first] / leads.sum(axis=1)).mean())


def sites_of(scores: NDArray[np.float64], numbers: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return (n_atoms,) which site each atom is on, from 0: by element and size of the score.

    Args:
        scores: (n_atoms,) of all networks together.
        numbers: (n_atoms,) elements.
    """
    pairs = np.stack([numbers.astype(np.float64), _shares(np.abs(scores))])
    found = np.unique(pairs, axis=1, return_inverse=True)[1]
    return np.asarray(found, dtype=np.int64).reshape(-1)


_DIGITS = 4
"""Of the largest score; what differs less is equal up to rounding."""


def _shares(values: Values) -> Values:
    """Return what share of the largest each value is, rounded."""
    largest = values.max(initial=0.0)
    return np.round(values / largest, _DIGITS) if largest > 0 else values


def _ranks(values: Values) -> Values:
    """Return ranks; equal values, up to rounding, share the mean of theirs."""
    _, place, counts = np.unique(_shares(values), return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: Values = (ends - (counts - 1) / 2)[place]
    return ranks
