"""Deletion and insertion: how much the prediction changes as units go, or are all that is left."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

from atomlens.explain.absence import Mask, Meaning
from atomlens.explain.question import Values
from atomlens.studies.faithful.asked import Asked
from atomlens.studies.faithful.orders import Order, steps
from atomlens.studies.statistics import Interval, mean_of_known, ratio_of_sums

MOST_COUNTED = 24
"""Sets of equally many units of one structure up to which all are asked for: chance is counted, and
nothing is drawn. All sets of a formula of up to six elements are no more than that."""

KINDS = ("deletion", "insertion")


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """How much the prediction changes at each point of a curve, for each order and structure.

    All arrays are (n, n_steps); NaN behind the last point of a structure, and where what is left
    has no graph.
    """

    deletion: Mapping[str, Values]
    """|f - f(without the most important units)|"""
    insertion: Mapping[str, Values]
    """|f - f(with the most important units alone)|"""
    deleted_by_chance: Values
    """The mean of deletion over all orders, or over sets that were drawn."""
    inserted_by_chance: Values
    losses: Values
    """(n_atoms,) what the prediction loses without the unit of each atom; NaN where nothing is
    left."""
    missing: int
    """Sets of which no graph could be built."""
    drawn: int
    """Structures of which chance was drawn at some point of the curve; of the others all sets were
    asked for."""


def follow(
    asked: Asked,
    orders: Mapping[str, Order],
    meaning: Meaning,
    *,
    n_steps: int,
    n_random: int,
    seed: int,
    inserted: frozenset[str],
) -> Curves:
    """Take units away in every order; sets that several orders share are asked for once.

    Args:
        asked: The model and its structures.
        orders: By name.
        meaning: What absence means.
        n_steps: At most so many points a curve.
        n_random: Sets drawn for a point, where there are too many to ask for all.
        seed: Draws them.
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

    draw = np.random.default_rng(seed)
    single: list[int] = []
    by_chance: dict[str, list[list[list[int]]]] = {kind: [] for kind in KINDS}
    wanted: dict[tuple[str, str], list[list[int]]] = {}
    drawn = 0
    for index, n_units in enumerate(asked.n_units.tolist()):
        single += [number_of(index, absent) for absent in np.eye(n_units, dtype=np.bool_)]
        numbers = steps(n_units, n_steps).tolist()
        chance = [sets_of(n_units, k, n_random, draw) for k in numbers]
        drawn += any(len(s) < comb(n_units, k) for s, k in zip(chance, numbers, strict=True))
        by_chance["deletion"].append([[number_of(index, s) for s in point] for point in chance])
        by_chance["insertion"].append([[number_of(index, ~s) for s in point] for point in chance])
        for name, order in orders.items():
            units = order[index]
            chosen = np.zeros((len(numbers), n_units), dtype=np.bool_)
            for row, n_gone in enumerate(numbers):
                chosen[row, units[:n_gone]] = True
            gone = wanted.setdefault((name, "deletion"), [])
            gone.append([number_of(index, absent) for absent in chosen])
            if name in inserted:
                kept = wanted.setdefault((name, "insertion"), [])
                kept.append([number_of(index, absent) for absent in ~chosen])
    answers = asked.without(asked_for, meaning)
    owners = np.array([index for index, _ in asked_for])
    lost = asked.values[owners] - answers
    changes = np.abs(lost)
    found: dict[str, dict[str, Values]] = {kind: {} for kind in KINDS}
    for (name, kind), rows in wanted.items():
        found[kind][name] = _padded([changes[row] for row in rows], n_steps)
    means = {
        kind: _padded(
            [
                np.array([mean_of_known(changes[point]) for point in points])
                for points in by_chance[kind]
            ],
            n_steps,
        )
        for kind in KINDS
    }
    return Curves(
        deletion=found["deletion"],
        insertion=found["insertion"],
        deleted_by_chance=means["deletion"],
        inserted_by_chance=means["insertion"],
        losses=lost[single][asked.flat_units],
        missing=int(np.isnan(answers).sum()),
        drawn=drawn,
    )


def sets_of(n_units: int, size: int, n_random: int, draw: np.random.Generator) -> NDArray[np.bool_]:
    """Return sets of ``size`` units that stand for all of that size, (n_sets, n_units).

    All of them if they are few (single units always are); else ``n_random`` that are drawn. Those
    are cut from shuffled units one after the other, so that each unit is in about as many of them.
    Every set is as probable as any other; what differs less than by chance is their mean.
    """
    n_all = comb(n_units, size)
    if size == 1 or n_all <= max(MOST_COUNTED, n_random):
        rows = np.array(list(combinations(range(n_units), size)))
    else:
        rows = np.zeros((0, size), dtype=np.int64)
        n_cut = n_units // size
        while len(rows) < n_random:
            shuffled = draw.permutation(n_units)[: n_cut * size]
            rows = np.concatenate([rows, shuffled.reshape(n_cut, size)])
        rows = rows[:n_random]
    found = np.zeros((len(rows), n_units), dtype=np.bool_)
    np.put_along_axis(found, rows, values=True, axis=1)
    return found


def over_chance(own: Values, chance: Values) -> Interval:
    """Return the area of an order over that of chance, with its interval over structures.

    Both are (n, n_steps), and are compared at the points where both are known.
    """
    first, of_chance = _areas(own, chance)
    return ratio_of_sums(first, of_chance)


def over_both(first: Values, second: Values, chance: Values) -> Interval:
    """Return how far an order is above another one, both over chance, with an interval."""
    own, other, of_chance = _areas(first, second, chance)
    return ratio_of_sums(own - other, of_chance)


def _areas(*curves: Values) -> list[Values]:
    """Return of each curve (n,) its mean over the points where all are known."""
    known = np.all([np.isfinite(c) for c in curves], axis=0)
    some = known.any(axis=1)
    n_known = known[some].sum(axis=1)
    return [np.where(known, c, 0.0)[some].sum(axis=1) / n_known for c in curves]


def _padded(rows: list[Values], n_steps: int) -> Values:
    found = np.full((len(rows), n_steps), np.nan)
    for index, row in enumerate(rows):
        found[index, : len(row)] = row
    return found
