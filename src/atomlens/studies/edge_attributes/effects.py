"""From edge attribute matrices to effects with intervals, rows of tables, and claim F8."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np

from atomlens.elements import SYMBOLS
from atomlens.predictor import Predictor
from atomlens.predictor.measuring import spearman
from atomlens.studies.base import Claim, Effect, Part, Row
from atomlens.studies.edge_attributes.numbers import (
    EdgeMatrix,
    all_similarities,
    asymmetry,
    edge_matrices,
    similarity,
)
from atomlens.studies.networks import Prepared
from atomlens.studies.statistics import (
    Interval,
    Values,
    bootstrap,
    bootstrap_units,
    drawn_pairs,
    partial_spearman,
)
from atomlens.studies.verdicts import make_claim, of_training, trainings_part

REFERENCE, ALIKE, DIFFERENT = "SrTiO3", ("BaTiO3", "KNbO3"), "CsPbI3"
"""Of claim F8."""

PAIR_STATISTICS = {
    "against element vectors": (
        "Spearman of the similarity with the distance of the element vectors, pairs of one "
        "prototype; formulas are resampled"
    ),
    "against predicted values": (
        "Spearman of the similarity with the difference of the trained model's predictions, at "
        "equal distance of the element vectors (partial), pairs of one prototype"
    ),
    "inside a class": (
        "mean similarity of pairs of one class (oxides, halides ...) minus that of other pairs"
    ),
}
"""What is asked about all pairs of formulas, with the meaning."""


class Network(NamedTuple):
    """What one network says about the formulas."""

    matrices: list[EdgeMatrix]
    similarities: Values
    """(n_pairs,) in the order of ``numpy.triu_indices(n, 1)``"""

    @classmethod
    def of(cls, predictor: Predictor, prepared: Prepared) -> "Network":
        """Ask a network for all matrices, and compare them."""
        matrices = edge_matrices(predictor, prepared)
        return cls(matrices, all_similarities(matrices))

    def between(self, first: str, second: str) -> float:
        """Return the similarity of two formulas by name."""
        found = {m.name: m for m in self.matrices}
        return similarity(found[first], found[second])

    @property
    def asymmetries(self) -> Values:
        """Asymmetry of each matrix that has one."""
        found: Values = np.array([asymmetry(m) for m in self.matrices])
        finite: Values = found[np.isfinite(found)]
        return finite


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelMatrices:
    """One trained model with its controls, on the same formulas."""

    label: str
    trained: Network
    controls: Mapping[str, Sequence[Network]]
    distances: Values
    """(n_pairs,) between element vectors; NaN for pairs of different prototypes"""
    value_differences: Values
    """(n_pairs,) between the predictions of the trained model, in the target's unit"""
    same_class: Values
    """(n_pairs,) 1 if both are oxides, both are halides ..., else 0"""

    @property
    def names(self) -> list[str]:
        """The formulas."""
        return [m.name for m in self.trained.matrices]

    def of_controls(self, number: Callable[[Network], float]) -> dict[str, float]:
        """Return the mean of a number over the networks of each control."""
        return {name: _mean(map(number, found)) for name, found in self.controls.items()}

    def pair_statistics(self, network: Network) -> Callable[[Values], Values]:
        """Return ``PAIR_STATISTICS`` as a function of how often each formula was drawn."""
        alike = network.similarities
        usable = np.isfinite(alike)
        comparable = usable & np.isfinite(self.distances)

        def statistics(drawn: Values) -> Values:
            pairs = drawn_pairs(drawn)
            near = pairs[comparable[pairs]]
            known = pairs[usable[pairs]]
            same = self.same_class[known] > 0
            inside, others = alike[known[same]], alike[known[~same]]
            return np.array(
                [
                    spearman(alike[near], self.distances[near]),
                    partial_spearman(
                        alike[near], self.value_differences[near], self.distances[near]
                    ),
                    inside.mean() - others.mean() if len(inside) and len(others) else np.nan,
                ]
            )

        return statistics


def effects_of(one: ModelMatrices, seed: int) -> list[Effect]:
    """Return the similarities of claim F8, what all pairs say, and the asymmetry."""
    n = len(one.names)
    effects = [
        Effect.within(
            f"{one.label}: {REFERENCE} and {name}",
            Interval(one.trained.between(REFERENCE, name), np.nan, np.nan),
            1,
            "Pearson's correlation of the entries of both edge attribute matrices",
            one.of_controls(_against_reference(name)),
        )
        for name in (*ALIKE, DIFFERENT)
        if {REFERENCE, name} <= set(one.names)
    ]
    intervals = bootstrap_units(n, one.pair_statistics(one.trained), seed=seed)
    once = np.ones(n)
    beside = {
        control: np.mean([one.pair_statistics(network)(once) for network in networks], axis=0)
        for control, networks in one.controls.items()
    }
    for place, (name, meaning) in enumerate(PAIR_STATISTICS.items()):
        if np.isfinite(intervals[place].value):
            controls = {control: float(found[place]) for control, found in beside.items()}
            effects.append(
                Effect.within(f"{one.label}: {name}", intervals[place], n, meaning, controls)
            )
    odd = one.trained.asymmetries
    return [
        *effects,
        Effect.within(
            f"{one.label}: asymmetry",
            bootstrap(odd, seed=seed),
            len(odd),
            "share of the variance of the entries that changes sign on transposition, mean",
            one.of_controls(lambda network: _mean(network.asymmetries)),
        ),
    ]


def _against_reference(name: str) -> Callable[[Network], float]:
    return lambda network: network.between(REFERENCE, name)


def between_models(measured: Sequence[ModelMatrices], seed: int) -> list[Effect]:
    """Return what each pair of models has in common; for untrained ones, of other weights."""
    effects = []
    for first, second in combinations(measured, 2):
        both = f"{first.label} and {second.label}"
        others = list(
            zip(first.controls["untrained"], second.controls["untrained"][1:], strict=False)
        )
        same = same_formula(first.trained, second.trained)
        alike = same_order(first.trained, second.trained)
        (order,) = bootstrap_units(len(first.names), alike, seed=seed)
        once = np.ones(len(first.names))
        effects += [
            Effect.within(
                f"{both}: same formula",
                bootstrap(same, seed=seed),
                len(same),
                "similarity of the matrices of one formula in both models, mean over formulas; the "
                "sign of a matrix is arbitrary",
                {"untrained": _mean(_mean(same_formula(a, b)) for a, b in others)},
            ),
            Effect.within(
                f"{both}: same pairs",
                order,
                len(first.names),
                "Spearman over all pairs of formulas of their similarity in both models, which no "
                "sign changes",
                {"untrained": _mean(float(same_order(a, b)(once)[0]) for a, b in others)},
            ),
        ]
    return effects


def same_formula(first: Network, second: Network) -> Values:
    """Return the similarity of the matrices of each formula in two networks, where it exists."""
    others = {m.name: m for m in second.matrices}
    found = [similarity(m, others[m.name]) for m in first.matrices if m.name in others]
    return np.array([value for value in found if np.isfinite(value)], dtype=np.float64)


def same_order(first: Network, second: Network) -> Callable[[Values], Values]:
    """Return how far two networks find the same pairs alike, if both took all formulas."""
    a, b = first.similarities, second.similarities

    def statistic(drawn: Values) -> Values:
        if len(a) != len(b):
            return np.array([np.nan])
        pairs = drawn_pairs(drawn)
        pairs = pairs[np.isfinite(a[pairs]) & np.isfinite(b[pairs])]
        return np.array([spearman(a[pairs], b[pairs])])

    return statistic


def alike_matrices(models: Mapping[str, ModelMatrices], suffix: str = "") -> Claim:
    """Return claim F8: there is one pair of formulas each, so the trainings are what is drawn.

    Args:
        models: Trainings on one target, by label.
        suffix: Of the claim's name, if there are several targets.
    """
    needed = {REFERENCE, *ALIKE, DIFFERENT}
    reason = ""
    if not all(needed <= set(one.names) for one in models.values()):
        reason = f"{', '.join((REFERENCE, *ALIKE, DIFFERENT))} are not all among the formulas"
    parts: list[Part] = []
    words = []
    if not reason:
        ordered = [models[label] for label in sorted(models)]
        parts = [_alike_part(name, ordered) for name in ALIKE]
        for one in ordered:
            words.append(f"{one.label}: {_numbers(one.trained)}")
            for control, networks in one.controls.items():
                n_holding = sum(_holds(network) for network in networks)
                words.append(f"{control}: the order of {n_holding} of {len(networks)} networks")
    return make_claim(
        f"F8{suffix}",
        "The edge attribute matrices of SrTiO3, BaTiO3 and KNbO3 are alike, that of CsPbI3 is not.",
        " and ".join(f"r({REFERENCE}, {name})" for name in ALIKE)
        + f" above r({REFERENCE}, {DIFFERENT})",
        [] if reason else [of_training(", ".join(sorted(models)), parts)],
        chance="one of three correlations is the lowest: 1 in 3",
        reason=reason,
        words=words,
        counts=(sum(_holds(one.trained) for one in models.values()), len(models))
        if not reason
        else None,
    )


def _alike_part(name: str, models: Sequence[ModelMatrices]) -> Part:
    """Return by how much one formula is more alike to the reference than the different one."""

    def above(network: Network) -> float:
        return network.between(REFERENCE, name) - network.between(REFERENCE, DIFFERENT)

    beside: dict[str, list[float]] = {}
    for one in models:
        for control, networks in one.controls.items():
            beside.setdefault(control, []).extend(map(above, networks))
    return trainings_part(
        f"r with {name} minus r with {DIFFERENT}",
        [above(one.trained) for one in models],
        {control: sorted(set(values)) for control, values in beside.items()},
    )


def _holds(network: Network) -> bool:
    different = network.between(REFERENCE, DIFFERENT)
    return all(network.between(REFERENCE, name) > different for name in ALIKE)


def _numbers(network: Network) -> str:
    found = [f"{network.between(REFERENCE, name):.3f}" for name in (*ALIKE, DIFFERENT)]
    return f"{found[0]} and {found[1]} against {found[2]}"


def entry_rows(one: ModelMatrices, n_drawn: int) -> list[Row]:
    """Return the entries of the first matrices, atom by atom, of the trained model."""
    rows: list[Row] = []
    for matrix in one.trained.matrices[:n_drawn]:
        symbols = np.repeat([SYMBOLS[z] for z in matrix.elements], matrix.counts).tolist()
        rows += [
            {
                "model": one.label,
                "formula": matrix.name,
                "receiver": i,
                "sender": j,
                "receiver_element": symbols[i],
                "sender_element": symbols[j],
                "edge_attribute": float(value),
            }
            for (i, j), value in np.ndenumerate(matrix.expanded())
            if i != j
        ]
    return rows


def pair_rows(one: ModelMatrices) -> list[Row]:
    """Return similarity and distance of every pair, in the trained model and its controls."""
    means = {
        name: np.mean([network.similarities for network in networks], axis=0)
        for name, networks in one.controls.items()
    }
    return [
        {
            "model": one.label,
            "first": first,
            "second": second,
            "same_class": bool(one.same_class[place]),
            "distance": float(one.distances[place]),
            "value_difference": float(one.value_differences[place]),
            "similarity": float(one.trained.similarities[place]),
            **{f"similarity, {name}": float(found[place]) for name, found in means.items()},
        }
        for place, (first, second) in enumerate(combinations(one.names, 2))
    ]


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return float(np.mean(found)) if found else np.nan
