"""From shards to the result: duplicates merged, filtered, the best first, a shard at a time."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atomlens.boundary import net
from atomlens.errors import SettingsError, warn
from atomlens.files import discard_file
from atomlens.neighbors.fingerprints import Fingerprint
from atomlens.printing import short
from atomlens.reports.journal import TableJournal
from atomlens.screening.columns import (
    CHOICES,
    ERROR,
    FINE,
    NAME,
    NUMBERS,
    SENTENCES,
    SOURCE,
    STATE,
    STRUCTURE,
    WARNING,
    ScreenColumns,
)
from atomlens.screening.expressions import Expression
from atomlens.screening.jobs import FAILED, LEFT_OUT, PARTLY
from atomlens.screening.shards import ShardStore
from atomlens.structures.forms import REFUSE, DisorderChoice
from atomlens.structures.options import idle_forms

RESULTS, FAILURES, DUPLICATES = "results", "failures.csv", "duplicates.csv"
N_SAME, ALSO = "n_same", "also"
_HOLDS = {"number": (float,), "text": (str,), "whole": (int,), "list": (str,)}
"""What columns hold by their kind, also where not one row has something."""
_NAMED = 5
"""So many duplicates are named beside a result; all of them stand in a table of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the result of a screening shall hold."""

    where: Expression | None = None
    by: Expression | None = None
    top: int | None = None
    lowest: bool = False
    merge: bool = True
    """Of equal structures one stands for all: of those that pass the first, or the best"""
    rounded: bool = False
    """Whether ``by`` is about columns of models alone, which only rounding tells apart in equals"""
    forms: DisorderChoice = REFUSE
    """What was wanted of inputs of several forms"""

    @property
    def as_numbers(self) -> frozenset[str]:
        """Columns whose cells may have to be numbers."""
        asked = [one.as_numbers for one in (self.where, self.by) if one is not None]
        return frozenset().union(*asked)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What has to be known of every input: some bytes of each."""

    digests: NDArray[np.uint64]
    """(n,) zero for those without an answer"""
    holds: NDArray[np.bool_]
    """(n,) whether the condition does"""
    values: NDArray[np.float64]
    """(n,) by which the best are chosen"""
    states: Counter[str]
    choices: frozenset[str] | None = None
    """The choices of forms that are about some of them; None if none was made or read"""


def write_results(
    store: ShardStore, n_shards: int, columns: ScreenColumns, wish: Wish
) -> dict[str, int]:
    """Write the result, the duplicates and the failures; return how many there are of each.

    Raises:
        SettingsError: a shard is damaged, or the folder cannot be written to.
    """
    seen = _look_through(store, n_shards, wish)
    for one in (wish.where, wish.by):
        for doubt in () if one is None else one.doubts():
            warn(doubt)
    if seen.choices is not None:
        crystals, shapes = "disorder" in seen.choices, "conformers" in seen.choices
        for doubt in idle_forms(wish.forms, has_crystals=crystals, has_shapes=shapes):
            warn(doubt)
    answered = seen.digests != 0
    first = np.arange(len(answered))
    if wish.merge:
        first = _first_of_same(seen.digests)
        if FINE in store.kinds:
            first = _told_apart(store, n_shards, first)
    stands = _stand_ins(first, answered, seen, wish)
    kept = answered & (stands == np.arange(len(stands)))
    passing = kept & seen.holds
    _tell_without_order(seen.values[passing], wish)
    chosen = _best(passing, seen.values, wish)
    shown = [*columns.shown, N_SAME, ALSO] if wish.merge else list(columns.shown)
    merged, same = _write_duplicates(
        store, n_shards, stands, answered, list(columns.carried.values())
    )
    path = store.folder / f"{RESULTS}.{store.format}"
    kinds: dict[str, str] = {**columns.kinds, N_SAME: "whole", ALSO: "text"}
    is_chosen = np.zeros(len(answered), dtype=bool)
    is_chosen[chosen] = True
    with TableJournal(path) as journal:
        journal.columns.update((name, set(_HOLDS.get(kinds.get(name, ""), ()))) for name in shown)
        for index, row in _rows(store, n_shards, None):
            if not is_chosen[index]:
                continue
            result = {name: row.get(name) for name in columns.shown}
            if wish.merge:
                result |= {N_SAME: int(same[index])}
                if index in merged:
                    result |= {ALSO: merged[index].said(int(same[index]))}
                    result[WARNING] = merged[index].warned(result[WARNING])
            result[WARNING] = _shown(result[WARNING])
            journal.add([result])
        # they were added as they stand in the shards
        journal.finish(None if wish.by is None else np.searchsorted(np.sort(chosen), chosen))
    n_failed = _write_failures(store, n_shards, seen.states)
    return {
        "inputs": len(answered),
        "answered": int(answered.sum()),
        "failed": n_failed,
        "answered by some models only": seen.states[PARTLY],
        "left out": 0 if n_failed > seen.states[FAILED] else seen.states[LEFT_OUT],
        "duplicates": int(answered.sum() - kept.sum()),
        "passed": int(passing.sum()),
        "not the first": int((first[chosen] != chosen).sum()),
        "results": len(chosen),
    }


def _rows(
    store: ShardStore, n_shards: int, columns: list[str] | None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield all rows with their numbers, or some of their columns."""
    index = 0
    for number in range(n_shards):
        for row in store.rows(number, columns):
            yield index, row
            index += 1


def _tell_without_order(values: NDArray[np.float64], wish: Wish) -> None:
    """Warn of candidates that the order is not about: a logarithm of what is below zero ..."""
    n_unknown = int(np.isnan(values).sum())
    if wish.by is None or not n_unknown or wish.by.doubts():
        return
    if n_unknown == len(values):
        warn(
            f"by {short(wish.by.text)}: it has no value for any of {n_unknown:,} candidates, so "
            "they stand in the order in which they were given."
        )
    else:
        warn(
            f"by {short(wish.by.text)}: it has no value for {n_unknown:,} of {len(values):,} "
            "candidates; they come last."
        )


def _look_through(store: ShardStore, n_shards: int, wish: Wish) -> _Seen:
    asked = [one for one in (wish.where, wish.by) if one is not None]
    wanted = sorted({STRUCTURE, STATE}.union(*(one.names for one in asked)))
    wanted += [name for name in (CHOICES, NUMBERS) if name in store.kinds]
    digests: list[NDArray[np.uint64]] = []
    holds: list[NDArray[np.bool_]] = []
    values: list[NDArray[np.float64]] = []
    states: Counter[str] = Counter()
    choices: set[str] | None = None
    for number in range(n_shards):
        rows = store.rows(number, wanted)
        for row in rows if NUMBERS in wanted else ():
            row[NUMBERS] = {k: v for k, v in row[NUMBERS].items() if k in wish.as_numbers}
        states.update(row[STATE] for row in rows)
        for of in (row.get(CHOICES) for row in rows):
            if of is not None:  # it was read
                choices = (choices or set()).union(of.split())
        numbers = [int(row[STRUCTURE], 16) or 1 if row[STRUCTURE] else 0 for row in rows]
        digests.append(np.array(numbers, dtype=np.uint64))
        own = [row if row[STRUCTURE] else None for row in rows]  # of the others nothing is asked
        where, by = wish.where, wish.by
        passing = [r is not None and (where is None or where.holds(r)) for r in own]
        holds.append(np.array(passing, dtype=bool))
        values.append(np.array([np.nan if r is None or by is None else by.number(r) for r in own]))
    return _Seen(
        digests=np.concatenate([np.zeros(0, np.uint64), *digests]),
        holds=np.concatenate([np.zeros(0, bool), *holds]),
        values=np.concatenate([np.zeros(0), *values]),
        states=states,
        choices=None if choices is None else frozenset(choices),
    )


def _first_of_same(digests: NDArray[np.uint64]) -> NDArray[np.int64]:
    """(n,) of each structure the number of the first one that is the same."""
    _, first, inverse = np.unique(digests, return_index=True, return_inverse=True)
    found: NDArray[np.int64] = first[inverse.reshape(-1)]
    return np.where(digests == 0, np.arange(len(digests)), found)


def _told_apart(store: ShardStore, n_shards: int, first: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) the same of those that agree finely too, such as not the points of a fine series.

    Of equal digests one after the other is held against those before that are none of them.
    """
    several = np.bincount(first, minlength=len(first))[first] > 1
    found = first.copy()
    known: dict[int, list[tuple[int, Fingerprint | None]]] = {}
    if not several.any():
        return found
    for index, row in _rows(store, n_shards, [FINE]):
        if not several[index]:
            continue
        text = row.get(FINE)
        with net(SettingsError, f"{store.folder}, a shard", "delete it and start again"):
            own = None if text is None else Fingerprint.of_text(text)
        before = known.setdefault(int(first[index]), [])
        for leader, other in before:
            if own is None or other is None or own.is_near(other):
                found[index] = leader
                break
        else:
            found[index] = index
            before.append((index, own))
    return found


def _stand_ins(
    first: NDArray[np.int64], answered: NDArray[np.bool_], seen: _Seen, wish: Wish
) -> NDArray[np.int64]:
    """(n,) of each structure the number of the one that stands for it and all that are the same.

    Of those that pass the first one, or the one that comes first in the order; if none passes,
    the first one.
    """
    passing = np.flatnonzero(answered & seen.holds)
    own = seen.values[passing] if wish.by is not None else np.zeros(len(passing))
    own = own if wish.lowest else -own
    own = np.where(np.isnan(own), np.inf, own)
    best = np.full(len(first), np.inf)
    np.minimum.at(best, first[passing], own)
    reached = best[first[passing]]
    close = np.isclose(own, reached, rtol=1e-4, atol=1e-6) if wish.rounded else own == reached
    found = np.arange(len(first))
    good = passing[close][::-1]
    found[first[good]] = good  # the first of them is written last
    return found[first]


def _best(passing: NDArray[np.bool_], values: NDArray[np.float64], wish: Wish) -> NDArray[np.int64]:
    """(n_chosen,) numbers of the results in their order; unknown values come last."""
    places = np.flatnonzero(passing)
    if wish.by is not None:
        own = values[places] if wish.lowest else -values[places]
        places = places[np.argsort(own, kind="stable")]
    return places if wish.top is None else places[: wish.top]


def _sentences(warning: str | None) -> list[str]:
    """Return the sentences of a cell of a shard."""
    return warning.split(SENTENCES) if warning else []


def _shown(warning: str | None) -> str | None:
    """Return a warning of a shard as tables hold it."""
    return "; ".join(_sentences(warning)) or None


@dataclass(slots=True)
class _Merged:
    """What is said of the duplicates of one structure beside it."""

    kept: str = ""
    kept_source: str = ""
    first: list[tuple[str, str]] = field(default_factory=list)
    """Name and source of the first duplicates"""
    doubts: dict[str, tuple[str, str]] = field(default_factory=dict)
    """What readers found doubtful, with the first duplicate of which they did"""

    def add(self, name: str, source: str, warning: str | None) -> None:
        """Hear of a duplicate."""
        if len(self.first) < _NAMED:
            self.first.append((name, source))
        if warning and len(self.doubts) < _NAMED:
            self.doubts.setdefault(warning, (name, source))

    def called(self, name: str, source: str) -> str:
        """Return the name of a duplicate, with its source where another has the same name."""
        names = [self.kept, *(own for own, _ in self.first)]
        return f"{name} ({source})" if source and names.count(name) > 1 else name

    def said(self, n_same: int) -> str:
        """Return the names of the duplicates, so many as are shown."""
        n_more = n_same - 1 - len(self.first)
        names = ", ".join(self.called(*one) for one in self.first)
        return names + (f" and {n_more:,} more" if n_more else "")

    def warned(self, own: str | None) -> str | None:
        """Return the warning of the structure with what only its duplicates were warned of."""
        known = _sentences(own)
        said = list(known)
        for warning, duplicate in self.doubts.items():
            news = [one for one in _sentences(warning) if one not in known]
            if news:
                said.append(f"{self.called(*duplicate)}, the same structure: {'; '.join(news)}")
        return SENTENCES.join(said) or None


def _write_duplicates(
    store: ShardStore,
    n_shards: int,
    stands: NDArray[np.int64],
    answered: NDArray[np.bool_],
    carried: list[str],
) -> tuple[dict[int, _Merged], NDArray[np.int64]]:
    """Write which inputs are the same; return what stands beside each result, and how many.

    ``stands`` is the number of the one that stands for each.

    Returns:
        By number of a result, its duplicates; and (n,) how many inputs are the same.
    """
    again = answered & (stands != np.arange(len(stands)))
    same = np.bincount(stands[answered], minlength=len(stands))
    path = store.folder / DUPLICATES
    if not again.any():
        discard_file(path)
        return {}, same
    beside = (NAME, SOURCE, WARNING)
    merged = {leader: _Merged() for leader in np.unique(stands[again]).tolist()}
    for index, row in _rows(store, n_shards, [NAME, SOURCE]):
        if index in merged:
            merged[index].kept, merged[index].kept_source = row[NAME], row[SOURCE]
    with TableJournal(path) as journal:
        for index, row in _rows(store, n_shards, [*beside, *carried]):
            if again[index]:
                leader = merged[int(stands[index])]
                leader.add(row[NAME], row[SOURCE], row[WARNING])
                own = {name: row[name] for name in (*beside, *carried)}
                own[WARNING] = _shown(own[WARNING])
                kept = {"kept": leader.kept, "kept_source": leader.kept_source}
                journal.add([{**kept, **own}])
        journal.finish()
    return merged, same


def _write_failures(store: ShardStore, n_shards: int, states: Counter[str]) -> int:
    """Write what could not be used and why; return how many inputs that are.

    Files of folders that hold no structures are failures where there was nothing else.
    """
    none_else = states[LEFT_OUT] == sum(states.values())
    failed = {FAILED, LEFT_OUT} if none_else else {FAILED}
    path = store.folder / FAILURES
    if not any(states[state] for state in (FAILED, PARTLY, LEFT_OUT)):
        discard_file(path)
        return 0
    with TableJournal(path) as journal:
        for _, row in _rows(store, n_shards, [NAME, SOURCE, STATE, ERROR]):
            if row[ERROR]:
                state = FAILED if row[STATE] in failed else row[STATE]
                journal.add(
                    [{NAME: row[NAME], SOURCE: row[SOURCE], STATE: state, ERROR: row[ERROR]}]
                )
        journal.finish()
    return sum(states[state] for state in failed)


def first_failures(folder: Path, most: int) -> list[str]:
    """Return the first reasons why inputs could not be used."""
    import csv

    path = folder / FAILURES
    if not path.is_file():
        return []
    found: list[str] = []
    with path.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            if row[STATE] == FAILED:
                found.append(
                    row[ERROR] if row[NAME] in row[ERROR] else f"{row[NAME]}: {row[ERROR]}"
                )
                if len(found) == most:
                    break
    return found
