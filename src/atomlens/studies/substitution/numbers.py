"""Numbers of one model for the study of substitution."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.elements import SYMBOLS
from atomlens.predictor.measuring import spearman
from atomlens.printing import counted
from atomlens.studies.base import Effect, Row
from atomlens.studies.networks import Measured
from atomlens.studies.statistics import Values, area_under_curve, bootstrap, bootstrap_units
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
    elements, units = np.unique([item.element for item in found.items], return_inverse=True)
    group = np.array([groups.get(int(element), "") for element in elements])
    n_marked = int((group[units] != "").sum())

    def numbers(ratios: Values) -> Callable[[Values], Values]:
        both = (
            drawn_correlation(ratios, found.values, units),
            drawn_separation(ratios, units, group),
        )
        return lambda drawn: np.array([number(drawn) for number in both])

    correlation, separation = bootstrap_units(
        len(elements), numbers(found.ratios), seed=seed, groups=group
    )
    once = np.ones(len(elements))
    beside = {
        name: np.mean([numbers(ratios)(once) for ratios in networks], axis=0)
        for name, networks in found.controls.items()
    }
    return [
        Effect.within(
            f"{one.label}: {CORRELATION}",
            correlation,
            n=len(elements),
            meaning=f"over {len(found.items)} substituted structures; their elements were "
            "resampled, inside the groups",
            controls={name: float(values[0]) for name, values in beside.items()},
        ),
        Effect.within(
            f"{one.label}: {SEPARATION}",
            separation,
            n=int((group != "").sum()),
            meaning=f"0.5 if the ratio does not tell the groups apart, 1 if it always does; "
            f"{counted(n_marked, 'structure')}, their elements were resampled inside the groups",
            controls={name: float(values[1]) for name, values in beside.items()},
        ),
    ]


def drawn_correlation(
    ratios: Values, values: Values, units: NDArray[np.int64]
) -> Callable[[Values], float]:
    """Return Spearman's correlation of ratio and value by how often each element was drawn.

    Args:
        ratios: (n,) of the structures.
        values: (n,) of the structures.
        units: (n,) the element of each, as a number from 0 on.
    """
    good = np.isfinite(ratios) & np.isfinite(values)

    def correlation(drawn: Values) -> float:
        rows = np.repeat(np.flatnonzero(good), drawn[units[good]].astype(np.int64))
        return spearman(ratios[rows], values[rows])

    return correlation


def drawn_separation(
    ratios: Values, units: NDArray[np.int64], group: NDArray[np.str_]
) -> Callable[[Values], float]:
    """Return the area under the curve of both groups by how often each element was drawn.

    Args:
        ratios: (n,) of the structures.
        units: (n,) the element of each, as a number from 0 on.
        group: (n_elements,) ``low``, ``high`` or empty.
    """
    good = np.isfinite(ratios)

    def separation(drawn: Values) -> float:
        low, high = (
            np.repeat(ratios[rows], drawn[units[rows]].astype(np.int64))
            for rows in (np.flatnonzero(good & (group[units] == g)) for g in ("low", "high"))
        )
        return area_under_curve(low, high)

    return separation


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
