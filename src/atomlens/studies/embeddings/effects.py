"""From vectors of materials to effects with intervals, and claims F6 and F9."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.predictor.measuring import spearman
from atomlens.studies.base import Claim, Effect, JudgedTraining
from atomlens.studies.embeddings.networks import ModelVectors, NetworkOutputs
from atomlens.studies.embeddings.numbers import (
    canonical_pairs,
    correlation,
    explained_share,
    make_folds,
    predicted_from,
    principal_components,
    squared_sums,
)
from atomlens.studies.statistics import Values, bootstrap, bootstrap_units, weighted_correlation
from atomlens.studies.verdicts import drawn_part, make_claim, of_training

SECOND = "second components"
"""The effect that decides claim F6."""
_LEAST_CORRELATION = 0.94
_LEAST_FORESIGHT = 0.3
_N_CANONICAL = 3


Families = NDArray[np.str_] | None
"""(n,) formulas of the materials: polymorphs, which a network of formulas cannot tell apart, are
drawn together."""


class ResampledNumber(NamedTuple):
    """A number about two networks, ready to be resampled."""

    rows: Values
    """(n, k) of n materials"""
    statistic: Callable[[Values], float]
    meaning: str
    refitted: Callable[[Values], float] | None = None
    """The number by how often each material was drawn, where a draw changes more than the rows."""

    @property
    def value(self) -> float:
        """The number."""
        return self.statistic(self.rows)

    def effect(
        self, name: str, controls: Mapping[str, float], seed: int, relatives: Families
    ) -> Effect:
        """Return it with its interval; materials of one family, (n,), are drawn together."""
        refitted = self.refitted
        if refitted is None:
            interval = bootstrap(self.rows, self.statistic, seed=seed, relatives=relatives)
        else:
            (interval,) = bootstrap_units(
                len(self.rows),
                lambda drawn: np.array([refitted(drawn)]),
                seed=seed,
                relatives=relatives,
            )
        return Effect.within(name, interval, len(self.rows), self.meaning, controls)


def compare(
    first: ModelVectors, second: ModelVectors, seed: int, relatives: Families = None
) -> list[Effect]:
    """Return what the vectors of two models have in common, beside the same of their controls."""
    beside = {
        name: [
            compared(a.vectors, b.vectors, seed)
            for a, b in zip(networks, second.controls[name], strict=True)
        ]
        for name, networks in first.controls.items()
        if name in second.controls
    }
    return [
        number.effect(
            name,
            {k: _mean(n[name].value for n in ns) for k, ns in beside.items()},
            seed,
            relatives,
        )
        for name, number in compared(first.trained.vectors, second.trained.vectors, seed).items()
    ]


def compared(first: Values, second: Values, seed: int) -> dict[str, ResampledNumber]:
    """Return all numbers about two sets of vectors (n, n_features) of the same materials."""
    a, b = (principal_components(vectors).scores for vectors in (first, second))
    folds = make_folds(len(first), seed)
    u, v = canonical_pairs(first, second, folds, _N_CANONICAL)
    of_components = (
        "size of Pearson's correlation of the principal components of both models, found anew in "
        "every draw"
    )
    held_out = "of held-out materials, five folds; the directions come from the other four"
    by_ridge = "variance of held-out vectors that ridge regression predicts, five folds"
    found = {
        f"{word} components": ResampledNumber(
            np.column_stack([a[:, place], b[:, place]]),
            correlation,
            of_components,
            refitted(first, second, place),
        )
        for place, word in enumerate(("first", "second"))
    }
    for k in range(_N_CANONICAL):
        pair = np.column_stack([u[:, k], v[:, k]])
        found[f"canonical correlation {k + 1}"] = ResampledNumber(pair, correlation, held_out)
    for name, x, y in (("second from first", first, second), ("first from second", second, first)):
        sums = squared_sums(predicted_from(x, y, folds), y)
        found[f"R2, {name}"] = ResampledNumber(sums, explained_share, by_ridge)
    return found


def against_values(
    model: ModelVectors, values: Values, seed: int, relatives: Families
) -> list[Effect]:
    """Return how far the first component is the target, and whether errors are foreseen.

    Args:
        model: With its controls.
        values: (n,) true values; NaN where they are not known.
        seed: Decides the resampling.
        relatives: (n,) formulas of the materials.
    """
    known = np.isfinite(values)
    if known.sum() < 3:
        return []
    numbers = (
        ("target", first_component, known),
        ("foreseen errors", foreseen_errors, np.isfinite(_errors(model.trained, values)).all(1)),
    )
    return [
        number(model.trained, values).effect(
            f"{model.label}: {name}",
            {k: _mean(number(o, values).value for o in ns) for k, ns in model.controls.items()},
            seed,
            None if relatives is None else relatives[used],
        )
        for name, number, used in numbers
        if np.isfinite(number(model.trained, values).value)
    ]


def first_component(network: NetworkOutputs, values: Values) -> ResampledNumber:
    """Return the first principal component beside the true values."""
    known = np.isfinite(values)
    component = principal_components(network.vectors).scores[:, 0]
    return ResampledNumber(
        np.column_stack([component, values])[known],
        correlation,
        "size of Pearson's correlation of the first component with the true value",
    )


def foreseen_errors(network: NetworkOutputs, values: Values) -> ResampledNumber:
    """Return absolute errors beside the errors that the network expects, where it expects any."""
    pairs = _errors(network, values)
    return ResampledNumber(
        pairs[np.isfinite(pairs).all(axis=1)],
        lambda rows: spearman(rows[:, 0], rows[:, 1]),
        "Spearman of the absolute error with the predicted one",
    )


def _errors(network: NetworkOutputs, values: Values) -> Values:
    """(n, 2) absolute and expected errors of all materials; NaN where either is not known."""
    return np.column_stack([np.abs(network.values - values), network.std])


def correlated_components(models: Sequence[ModelVectors], seed: int, relatives: Families) -> Claim:
    """Return claim F6 about a model of formulas and one of structures.

    The components are found anew in every draw. ``relatives`` are the formulas, (n,).
    """
    reason = ""
    judged: list[JudgedTraining] = []
    kinds = {(m.predictor.targets[0].name, m.predictor.builder.needs_positions) for m in models}
    if len(kinds) == 2 and len({target for target, _ in kinds}) == 1:
        formula, structure = sorted(models, key=lambda m: m.predictor.builder.needs_positions)
        part = drawn_part(
            SECOND,
            refitted(formula.trained.vectors, structure.trained.vectors, 1),
            {
                name: [
                    refitted(a.vectors, b.vectors, 1)
                    for a, b in zip(networks, structure.controls[name], strict=False)
                ]
                for name, networks in formula.controls.items()
                if name in structure.controls
            },
            len(formula.trained.vectors),
            limit=_LEAST_CORRELATION,
            relatives=relatives,
            seed=seed,
        )
        judged.append(of_training(f"{formula.label} and {structure.label}", [part]))
    else:
        reason = "needs two models of one target, one of formulas and one of structures"
    return make_claim(
        "F6",
        "The principal components of formula and structure vectors of the same materials are "
        "correlated.",
        f"size of the correlation of the second components above {_LEAST_CORRELATION}",
        judged,
        chance="0 is the level of chance",
        reason=reason,
    )


def refitted(first: Values, second: Values, place: int) -> Callable[[Values], float]:
    """Return the size of the correlation of two components, found anew for what was drawn.

    Args:
        first: (n, n_features) vectors of n materials.
        second: (n, n_features) of another network.
        place: Of the component, from 0 on.

    Returns:
        A function of how often each material was drawn, (n,).
    """

    def statistic(drawn: Values) -> float:
        weights = drawn / drawn.sum()
        components = [_component(vectors, weights, place) for vectors in (first, second)]
        return abs(weighted_correlation(components[0], components[1], weights))

    return statistic


def _component(vectors: Values, weights: Values, place: int) -> Values:
    """Return a principal component of the weighted vectors, (n,)."""
    from scipy.linalg import eigh

    centred = vectors - weights @ vectors
    n_features = centred.shape[1]
    if place >= n_features:
        return np.zeros(len(vectors))
    covariance = (centred * weights[:, None]).T @ centred
    at = n_features - 1 - place
    _, axes = eigh(covariance, subset_by_index=[at, at])
    component: Values = centred @ axes[:, 0]
    return component


def larger_error_estimates(
    models: Sequence[ModelVectors],
    known: Sequence[Values],
    seed: int = 0,
    relatives: Families = None,
) -> Claim:
    """Return claim F9; every model that predicts its error is a training of it.

    Drawn are the materials of which it does. A control is asked about those among them of which it
    predicts its error as well; one that predicts none, or the same for all, is no control.

    Args:
        models: With their controls.
        known: True values for each, (n,); NaN where they are not known.
        seed: Decides the draws.
        relatives: (n,) formulas of the materials.
    """
    judged: list[JudgedTraining] = []
    for model, values in zip(models, known, strict=True):
        of_trained = _errors(model.trained, values)
        known_here = np.isfinite(of_trained).all(axis=1)
        if not known_here.any():
            continue
        part = drawn_part(
            "Spearman of absolute and predicted error",
            _drawn_foresight(of_trained[known_here]),
            {
                name: [
                    _drawn_foresight(pairs)
                    for pairs in (_errors(o, values)[known_here] for o in networks)
                    if _foresees(pairs)
                ]
                for name, networks in model.controls.items()
            },
            int(known_here.sum()),
            limit=_LEAST_FORESIGHT,
            relatives=None if relatives is None else relatives[known_here],
            seed=seed,
        )
        if np.isfinite(part.value):
            judged.append(of_training(model.label, [part]))
    return make_claim(
        "F9",
        "The predicted error is larger for badly predicted materials.",
        f"Spearman of absolute and predicted error above {_LEAST_FORESIGHT}, the lower end of its "
        "interval too",
        judged,
        chance="0 is the level of chance",
        reason=""
        if judged
        else "needs true values, and a model that predicts its error (training.loss=robust-l1)",
    )


def _foresees(pairs: Values) -> bool:
    """Tell whether a network expects different errors of different materials."""
    expected = pairs[np.isfinite(pairs).all(axis=1), 1]
    return len(expected) > 1 and bool(np.ptp(expected) > 0)


def _drawn_foresight(rows: Values) -> Callable[[Values], float]:
    def statistic(drawn: Values) -> float:
        taken = rows[np.repeat(np.arange(len(rows)), drawn.astype(np.int64))]
        taken = taken[np.isfinite(taken).all(axis=1)]
        return spearman(taken[:, 0], taken[:, 1])

    return statistic


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))
