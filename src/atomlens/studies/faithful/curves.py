"""Deletion and insertion: how much the prediction changes as units go, or are all that is left."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from atomlens.explain.absence import Mask, Meaning
from atomlens.explain.question import Values
from atomlens.studies.faithful.asked import Asked
from atomlens.studies.faithful.orders import Order, steps
from atomlens.studies.statistics import Interval, bootstrap, mean_of_known


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """Mean change over the first half of the steps, for each order and structure."""

    deletion: Mapping[str, Values]
    """(n,) each: mean of |f - f(without the most important units)|"""
    insertion: Mapping[str, Values]
    """(n,) each: mean of |f - f(with the most important units alone)|"""
    missing: int
    """Sets of which no graph could be built."""


def follow(
    asked: Asked,
    orders: Mapping[str, Order],
    meaning: Meaning,
    *,
    n_steps: int,
    inserted: frozenset[str],
) -> Curves:
    """Take units away in every order; sets that several orders share are asked for once.

    Args:
        asked: The model and its structures.
        orders: By name.
        meaning: What absence means.
        n_steps: At most so many points a curve.
        inserted: Orders of which insertion is measured, too.
    """
    sets: dict[tuple[int, bytes], int] = {}
    asked_for: list[tuple[int, Mask]] = []

    def number_of(index: int, absent: Mask) -> int:
        key = (index, absent.tobytes())
        if key not in sets:
            sets[key] = len(asked_for)
            asked_for.append((index, absent))
        return sets[key]

    wanted: dict[tuple[str, str], list[list[int]]] = {}
    for index, n_units in enumerate(asked.n_units.tolist()):
        numbers = steps(n_units, n_steps)
        for name, order in orders.items():
            units = order[index]
            chosen = np.zeros((len(numbers), n_units), dtype=np.bool_)
            for row, n_gone in enumerate(numbers.tolist()):
                chosen[row, units[:n_gone]] = True
            gone = wanted.setdefault((name, "deletion"), [])
            gone.append([number_of(index, absent) for absent in chosen])
            if name in inserted:
                kept = wanted.setdefault((name, "insertion"), [])
                kept.append([number_of(index, absent) for absent in ~chosen])
    answers = asked.without(asked_for, meaning)
    owners = np.array([index for index, _ in asked_for])
    changes = np.abs(asked.values[owners] - answers)
    found: dict[str, dict[str, Values]] = {"deletion": {}, "insertion": {}}
    for (name, kind), rows in wanted.items():
        found[kind][name] = np.array([mean_of_known(changes[row]) for row in rows])
    return Curves(
        deletion=found["deletion"],
        insertion=found["insertion"],
        missing=int(np.isnan(answers).sum()),
    )


def over_random(own: Values, random: Values, seed: int) -> Interval:
    """Return the area of an order over that of chance, with an interval over structures."""
    known = np.isfinite(own) & np.isfinite(random)
    pairs = np.stack([own[known], random[known]], axis=1)
    return bootstrap(pairs, _ratio, seed=seed)


def over_both(first: Values, second: Values, random: Values, seed: int) -> Interval:
    """Return how far an order is above another one, both over chance, with an interval."""
    known = np.isfinite(first) & np.isfinite(second) & np.isfinite(random)
    rows = np.stack([(first - second)[known], random[known]], axis=1)
    return bootstrap(rows, _ratio, seed=seed)


def _ratio(pairs: Values) -> float:
    total = pairs[:, 1].sum()
    return float(pairs[:, 0].sum() / total) if total > 0 else np.nan
