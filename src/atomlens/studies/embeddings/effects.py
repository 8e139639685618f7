"""From vectors of materials to effects with intervals, and claims F6 and F9."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from atomlens.studies.base import Claim, Effect, Verdict
from atomlens.studies.embeddings.networks import ModelVectors, Outputs
from atomlens.studies.embeddings.numbers import (
    canonical_pairs,
    correlation,
    explained_share,
    make_folds,
    predicted_from,
    principal_components,
    squared_sums,
)
from atomlens.studies.statistics import Values, bootstrap, spearman

SECOND = "second components"
"""The effect that decides claim F6."""
_LEAST_CORRELATION = 0.94
_LEAST_FORESIGHT = 0.3
_N_CANONICAL = 3


class Compared(NamedTuple):
    """A number about two networks, ready to be resampled."""

    rows: Values
    """(n, k) of n materials"""
    statistic: Callable[[Values], float]
    meaning: str

    @property
    def value(self) -> float:
        """The number."""
        return self.statistic(self.rows)

    def effect(self, name: str, controls: Mapping[str, float], seed: int) -> Effect:
        """Return it with its interval."""
        interval = bootstrap(self.rows, self.statistic, seed=seed)
        return Effect.within(name, interval, len(self.rows), self.meaning, controls)


def compare(first: ModelVectors, second: ModelVectors, seed: int) -> list[Effect]:
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
        number.effect(name, {k: _mean(n[name].value for n in ns) for k, ns in beside.items()}, seed)
        for name, number in compared(first.trained.vectors, second.trained.vectors, seed).items()
    ]


def compared(first: Values, second: Values, seed: int) -> dict[str, Compared]:
    """Return all numbers about two sets of vectors (n, n_features) of the same materials."""
    a, b = (principal_components(vectors).scores for vectors in (first, second))
    folds = make_folds(len(first), seed)
    u, v = canonical_pairs(first, second, folds, _N_CANONICAL)
    of_components = "size of Pearson's correlation of the principal components of both models"
    held_out = "of held-out materials, five folds; the directions come from the other four"
    by_ridge = "variance of held-out vectors that ridge regression predicts, five folds"
    found = {
        f"{word} components": Compared(
            np.column_stack([a[:, place], b[:, place]]), correlation, of_components
        )
        for place, word in enumerate(("first", "second"))
    }
    for k in range(_N_CANONICAL):
        pair = np.column_stack([u[:, k], v[:, k]])
        found[f"canonical correlation {k + 1}"] = Compared(pair, correlation, held_out)
    for name, x, y in (("second from first", first, second), ("first from second", second, first)):
        sums = squared_sums(predicted_from(x, y, folds), y)
        found[f"R2, {name}"] = Compared(sums, explained_share, by_ridge)
    return found


def against_values(model: ModelVectors, values: Values, seed: int) -> list[Effect]:
    """Return how far the first component is the target, and whether errors are foreseen.

    Args:
        model: With its controls.
        values: (n,) true values; NaN where they are not known.
        seed: Decides the resampling.
    """
    known = np.isfinite(values)
    if known.sum() < 3:
        return []
    return [
        number(model.trained, values).effect(
            f"{model.label}: {name}",
            {k: _mean(number(o, values).value for o in ns) for k, ns in model.controls.items()},
            seed,
        )
        for name, number in (("target", first_component), ("foreseen errors", foreseen_errors))
        if np.isfinite(number(model.trained, values).value)
    ]


def first_component(network: Outputs, values: Values) -> Compared:
    """Return the first principal component beside the true values."""
    known = np.isfinite(values)
    component = principal_components(network.vectors).scores[:, 0]
    return Compared(
        np.column_stack([component, values])[known],
        correlation,
        "size of Pearson's correlation of the first component with the true value",
    )


def foreseen_errors(network: Outputs, values: Values) -> Compared:
    """Return absolute errors beside the errors that the network expects, where it expects any."""
    errors = np.abs(network.values - values)
    known = np.isfinite(errors) & np.isfinite(network.std)
    return Compared(
        np.column_stack([errors, network.std])[known],
        lambda rows: spearman(rows[:, 0], rows[:, 1]),
        "Spearman of the absolute error with the predicted one",
    )


def correlated_components(effects: Sequence[Effect], models: Sequence[ModelVectors]) -> Claim:
    """Return claim F6 about a model of formulas and one of structures."""
    verdict: Verdict = "not tested"
    evidence = "needs two models of one target, one of formulas and one of structures"
    kinds = {(m.predictor.targets[0].name, m.predictor.builder.needs_positions) for m in models}
    if len(kinds) == 2 and len({target for target, _ in kinds}) == 1:
        found = {effect.name: effect for effect in effects}
        second = found[SECOND]
        verdict = "holds" if second.value >= _LEAST_CORRELATION else "fails"
        evidence = "; ".join(
            f"{name} {_with_interval(found[name])}"
            for name in ("first components", SECOND, "canonical correlation 1")
        )
    return Claim(
        identifier="F6",
        statement="The principal components of formula and structure vectors of the same "
        "materials are correlated.",
        criterion=f"size of the correlation of the second components {_LEAST_CORRELATION} or more",
        verdict=verdict,
        evidence=evidence,
    )


def larger_error_estimates(effects: Sequence[Effect]) -> Claim:
    """Return claim F9 about the first model that predicts its error."""
    found = next((e for e in effects if e.name.endswith(": foreseen errors")), None)
    verdict: Verdict = "not tested"
    evidence = "needs true values, and a model that predicts its error (training.loss=robust-l1)"
    if found is not None and np.isfinite(found.low):
        verdict = "holds" if found.low > _LEAST_FORESIGHT else "fails"
        evidence = f"{found.name} {_with_interval(found)}, {found.n} materials"
    return Claim(
        identifier="F9",
        statement="The predicted error is larger for badly predicted materials.",
        criterion=f"Spearman of absolute and predicted error above {_LEAST_FORESIGHT}, the lower "
        "end of its interval too",
        verdict=verdict,
        evidence=evidence,
    )


def _with_interval(effect: Effect) -> str:
    text = f"{effect.value:.3f} ({effect.low:.3f} to {effect.high:.3f}"
    return text + "".join(f"; {name} {v:.3f}" for name, v in effect.controls.items()) + ")"


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))
