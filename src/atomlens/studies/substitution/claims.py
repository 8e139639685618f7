"""Claims S11 and S12 about substituted SmFe12."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from atomlens.elements import SYMBOLS
from atomlens.studies.base import Claim, JudgedTraining, Part
from atomlens.studies.statistics import Values, area_under_curve
from atomlens.studies.substitution.numbers import Ratios, drawn_correlation, drawn_separation
from atomlens.studies.verdicts import drawn_part, make_claim, of_training, trainings_part

HOST = "Fe12Sm"
"""Reduced formula, symbols in alphabetical order."""
_RATIOS = {"Mo": (0.9, 1.1), "Co": (1.1, float("inf")), "Al": (1.1, float("inf"))}
_SMALLEST_AREA = 0.8
_LARGEST_CORRELATION = -0.3
_GROUPS = {"low": {"Cu", "Zn", "Mo"}, "high": {"Al", "Ti", "Co", "Ga"}}


Trainings = Mapping[str, Ratios]
"""Models of one target, by label."""


def all_claims(
    trainings: Mapping[str, Trainings],
    formulas: Sequence[str],
    groups: Mapping[int, str],
    seed: int = 0,
) -> tuple[Claim, ...]:
    """Return the claims for each target; not tested where the host is not SmFe12.

    Args:
        trainings: By target.
        formulas: Of the hosts.
        groups: ``low`` or ``high`` by atomic number.
        seed: Decides the draws.
    """
    claims: list[Claim] = []
    for target, models in trainings.items():
        suffix = f" ({target})" if len(trainings) > 1 else ""
        claims.append(element_ratios(suffix, formulas, models))
        claims.append(two_groups(suffix, formulas, models, groups, seed))
    return tuple(claims)


def element_ratios(suffix: str, formulas: Sequence[str], models: Trainings) -> Claim:
    """Return claim S11: there is one host, so the trainings are what is drawn.

    Args:
        suffix: Behind the number of the claim, where there are several targets.
        formulas: Of the hosts.
        models: Of one target.
    """
    present = {symbol for found in models.values() for symbol in _symbols(found)}
    reason = _reason(formulas, set(_RATIOS) - present)
    parts: list[Part] = []
    n_held = 0
    if not reason:
        labels = sorted(models)
        for element, (low, high) in _RATIOS.items():
            values = [_mean_ratio(models[la], models[la].ratios, element) for la in labels]
            beside: dict[str, list[float]] = {}
            for label in labels:
                for name, networks in models[label].controls.items():
                    beside.setdefault(name, []).extend(
                        _mean_ratio(models[label], network, element) for network in networks
                    )
            learned = not np.isfinite(high)
            parts.append(
                trainings_part(
                    f"mean ratio of {element}", values, beside, limit=low, learned=learned
                )
            )
            if np.isfinite(high):
                parts.append(
                    trainings_part(
                        f"the same of {element}",
                        values,
                        beside,
                        limit=high,
                        above=False,
                        learned=False,
                    )
                )
        n_held = sum(
            all(
                low <= _mean_ratio(models[label], models[label].ratios, element) <= high
                for element, (low, high) in _RATIOS.items()
            )
            for label in labels
        )
    return make_claim(
        f"S11{suffix}",
        "In SmFe11X, Mo gets about as much attention as Fe, Co and Al clearly more.",
        "mean ratio between 0.9 and 1.1 for Mo, above 1.1 for Co and for Al",
        [] if reason else [of_training(", ".join(sorted(models)), parts)],
        chance="a ratio of 1 is an even share; how often untrained networks meet all three is not "
        "known beforehand, the controls say it",
        reason=reason,
        counts=(n_held, len(models)),
    )


def two_groups(
    suffix: str,
    formulas: Sequence[str],
    models: Trainings,
    groups: Mapping[int, str],
    seed: int,
) -> Claim:
    """Return claim S12: elements are drawn, as the sites of one are no independent cases of it.

    Args:
        suffix: Behind the number of the claim, where there are several targets.
        formulas: Of the hosts.
        models: Of one target.
        groups: ``low`` or ``high`` by atomic number.
        seed: Decides the draws.
    """
    needed = set.union(*_GROUPS.values())
    present = set.intersection(*(_symbols(found) for found in models.values()))
    reason = _reason(formulas, needed - present)
    marks = {SYMBOLS[z]: group for z, group in groups.items()}
    if not reason and any(marks.get(e) != g for g, es in _GROUPS.items() for e in es):
        reason = "it needs the groups Cu, Zn, Mo and Al, Ti, Co, Ga"
    judged: list[JudgedTraining] = []
    if not reason:
        for label, found in models.items():
            elements, units = np.unique([i.element for i in found.items], return_inverse=True)
            group = np.array([groups.get(int(z), "") for z in elements])
            parts = [
                drawn_part(
                    "AUC",
                    drawn_separation(found.ratios, units, group),
                    {
                        name: [drawn_separation(network, units, group) for network in networks]
                        for name, networks in found.controls.items()
                    },
                    len(elements),
                    limit=_SMALLEST_AREA,
                    groups=group,
                    seed=seed,
                ),
                drawn_part(
                    "Spearman",
                    drawn_correlation(found.ratios, found.values, units),
                    {
                        name: [
                            drawn_correlation(network, found.values, units) for network in networks
                        ]
                        for name, networks in found.controls.items()
                    },
                    len(elements),
                    limit=_LARGEST_CORRELATION,
                    above=False,
                    groups=group,
                    seed=seed,
                ),
            ]
            judged.append(of_training(label, parts))
    return make_claim(
        f"S12{suffix}",
        "The ratio tells Cu, Zn, Mo (low) from Al, Ti, Co, Ga (high), and falls with the formation "
        "energy.",
        "AUC above 0.8 and Spearman of ratio and formation energy below -0.3; elements are drawn",
        judged,
        chance="AUC 0.5 and Spearman 0 are the levels of chance; of all ways to order the seven "
        f"elements {chance_of_area(3, 4, _SMALLEST_AREA):.0%} have an AUC above 0.8",
        reason=reason,
    )


def chance_of_area(n_low: int, n_high: int, least: float) -> float:
    """Return which share of the orders of two groups has an area under the curve above least."""
    n = n_low + n_high
    ranks = np.arange(n, dtype=np.float64)
    found: list[float] = []
    for places in combinations(range(n), n_low):
        low: NDArray[np.bool_] = np.isin(ranks, places)
        found.append(area_under_curve(ranks[low], ranks[~low]))
    return float(np.mean(np.array(found) > least))


def _mean_ratio(found: Ratios, ratios: Values, element: str) -> float:
    """Return the mean of a network's ratios (n_items,) at the sites of an element, NaN of none."""
    own = np.array([SYMBOLS[i.element] == element for i in found.items])
    return float(np.mean(ratios[own])) if own.any() else np.nan


def _symbols(found: Ratios) -> set[str]:
    return {SYMBOLS[i.element] for i in found.items}


def _reason(formulas: Sequence[str], missing: set[str]) -> str:
    """Return why a claim cannot be tested; empty if it can."""
    if list(formulas) != [HOST]:
        return "it needs SmFe12 as the only host, one of its atoms substituted"
    return f"no structure with {', '.join(sorted(missing))} was studied" if missing else ""
