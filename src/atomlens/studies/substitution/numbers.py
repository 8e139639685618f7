"""Numbers of one model for the study of substitution."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.elements import SYMBOLS
from atomlens.studies.base import Effect, Row
from atomlens.studies.networks import Measured
from atomlens.studies.statistics import (
    Values,
    area_under_curve,
    bootstrap,
    bootstrap_groups,
    spearman,
)
from atomlens.studies.substitution.substituted import Substituted

CORRELATION = "Spearman of ratio and value"
SEPARATION = "AUC, high group above low group"


class Ratios(NamedTuple):
    """One model on all substituted structures that it can take."""

    items: tuple[Substituted, ...]
    ratios: Values
    """(n,)"""
    controls: Mapping[str, tuple[Values, ...]]
    """(n,) for each network of each control."""
    values: Values
    """(n,) given values where the data have them, else predicted."""
    predicted: Values
    """(n,)"""
    changes: Values
    """(n,) predicted value minus that of the host; NaN where the host is not at hand."""


def ratio(scores: Values, item: Substituted, *, compatible: bool = False) -> float:
    """Return the attention of the substituent over the smallest of the host's element.

    Args:
        scores: (n_atoms,) attention.
        item: Which atoms are what; several substituted atoms count by their mean.
        compatible: As in the published notebook: the smallest of all atoms of the cell, whatever
            their element, and attention rounded to three decimals.

    Returns:
        NaN if the smallest attention is 0.
    """
    if compatible:
        scores = np.round(scores, 3)
    smallest = float(scores.min() if compatible else scores[item.host_atoms].min())
    return float(scores[item.replaced].mean()) / smallest if smallest > 0 else np.nan


def effects_of(one: Measured, found: Ratios, groups: Mapping[int, str], seed: int) -> list[Effect]:
    """Return correlation and separation of one model, with their controls."""
    marks = np.array([groups.get(item.element, "") for item in found.items])
    pairs = np.stack([found.ratios, found.values], axis=1)
    pairs = pairs[np.isfinite(pairs).all(axis=1)]
    correlation = bootstrap(pairs, lambda v: spearman(v[:, 0], v[:, 1]), seed=seed)
    separation = bootstrap_groups(
        _split(found.ratios, marks), lambda g: area_under_curve(g[0], g[1]), seed=seed
    )
    correlations, separations = {}, {}
    for name, networks in found.controls.items():
        correlations[name] = float(np.mean([_correlation(r, found.values) for r in networks]))
        separations[name] = float(np.mean([area_under_curve(*_split(r, marks)) for r in networks]))
    return [
        Effect.within(
            f"{one.label}: {CORRELATION}",
            correlation,
            n=len(pairs),
            meaning="over substituted structures, which were resampled",
            controls=correlations,
        ),
        Effect.within(
            f"{one.label}: {SEPARATION}",
            separation,
            n=int((marks != "").sum()),
            meaning="0.5 if the ratio does not tell the groups apart, 1 if it always does",
            controls=separations,
        ),
    ]


def _correlation(ratios: Values, values: Values) -> float:
    good = np.isfinite(ratios) & np.isfinite(values)
    return spearman(ratios[good], values[good])


def _split(ratios: Values, marks: NDArray[np.str_]) -> tuple[Values, Values]:
    """Return the finite ratios of the low and of the high group."""
    good = np.isfinite(ratios)
    return ratios[good & (marks == "low")], ratios[good & (marks == "high")]


def rows_of(one: Measured, found: Ratios, groups: Mapping[int, str]) -> list[Row]:
    """Return a row for each substituted structure."""
    target = one.predictor.targets[0]
    seen = one.predictor.elements
    return [
        {
            "model": one.label,
            "host": item.host,
            "site": item.site,
            "multiplicity": item.multiplicity,
            "element": SYMBOLS[item.element],
            "group": groups.get(item.element, ""),
            "n_substituted": len(item.replaced),
            "target": target.name,
            "unit": target.unit,
            "predicted": found.predicted[i],
            "change": found.changes[i],
            "value": found.values[i],
            "ratio": found.ratios[i],
            **{
                f"ratio, {name}": float(np.mean([network[i] for network in networks]))
                for name, networks in found.controls.items()
            },
            "seen_in_training": not seen or item.element in seen,
        }
        for i, item in enumerate(found.items)
    ]


def element_rows(one: Measured, found: Ratios, groups: Mapping[int, str], seed: int) -> list[Row]:
    """Return the mean ratio of each element, with its interval over structures."""
    elements = np.array([item.element for item in found.items])
    rows: list[Row] = []
    for element in dict.fromkeys(elements.tolist()):
        own = elements == element
        mean = bootstrap(found.ratios[own][np.isfinite(found.ratios[own])], seed=seed)
        rows.append(
            {
                "model": one.label,
                "element": SYMBOLS[element],
                "group": groups.get(element, ""),
                "n_structures": int(own.sum()),
                "mean_ratio": mean.value,
                "low": mean.low,
                "high": mean.high,
                **{
                    f"mean ratio, {name}": float(np.mean([network[own] for network in networks]))
                    for name, networks in found.controls.items()
                },
                "mean_change": float(found.changes[own].mean()),
                "seen_in_training": not one.predictor.elements or element in one.predictor.elements,
            }
        )
    return rows
