"""What is odd about the values of a target and told by a warning; they are learned as they are."""

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.tables.cells import is_missing
from atomlens.errors import warn
from atomlens.printing import cut
from atomlens.units import (
    EV_IN_KCAL,
    EV_IN_KJ,
    EV_IN_WAVENUMBERS,
    HARTREE_IN_EV,
    HARTREE_IN_KCAL,
    HARTREE_IN_KJ,
)

_NOT_KNOWN = frozenset(
    "unknown unk undefined undetermined missing tbd tba n.a. n.d. nd nil void nothing".split()
)
"""Words that may mean the same where they stand among classes."""
_SENTINELS = (-99.0, -999.0, -9999.0, -99999.0, -999999.0)
_LIMITS = (32767.0, 32768.0, 65535.0, 2147483647.0, 2147483648.0, 4294967295.0, 1e20, 1e30)
"""Sizes of numbers that computers write where they have none."""
_TIMES_LARGER = 20
"""How many times as large as all others a number is that stands for none."""
_ENOUGH_AROUND = 20
"""Values of which one may be said to be alone."""
_ENOUGH = 12
"""Values of which it can be said that a part of them is in another unit."""
_FEWEST = 3
_NEAR = 0.15
"""How far from a factor between units a ratio may be, as a decimal logarithm."""
_FEW_BOUNDS = 0.02
"""A smaller part of a column that is bounds is told by its rows alone."""
_FEW_ZEROS = 0.1
"""Such a part of positive values may be 0, rounded down."""
_TIMES_APART = 30
"""How far large and small values (5 in 100 each) lie from the median if a logarithm is advised."""
_GAPS = 3
"""Zeros that may mean nothing lie so many of the widest gaps between other values below these."""
_ONE_SIZE = 3
"""The largest of the other values is so many times the smallest at most."""
_MAY_BE_ZERO = re.compile(
    r"gap|yield|conver|inhib|select|moment|magnet|percent|%|(?<![a-z])ee(?![a-z])", re.IGNORECASE
)
"""Quantities of which 0 is a result."""
_NOTHING_BELOW_ZERO = (-1.0, -9.0)
"""What is written for nothing where no value is below zero."""
_FEW = 4
"""So few different whole numbers may be names of classes."""
ABOUT_CLASSES = (
    "is learned as a number; if they are names of classes, say --classification (in Python "
    "classification=True)"
)
"""Of a column of few whole numbers, said to whom learns from it."""
_FACTORS = {
    1000.0: "meV and eV, or MPa and GPa",
    HARTREE_IN_EV: "eV and hartree",
    EV_IN_KJ: "kJ/mol and eV",
    EV_IN_KCAL: "kcal/mol and eV",
    HARTREE_IN_KCAL: "kcal/mol and hartree",
    HARTREE_IN_KJ: "kJ/mol and hartree",
    1000 * HARTREE_IN_EV: "meV and hartree",
    EV_IN_WAVENUMBERS: "cm^-1 and eV",
}
"""How many times larger a value is in one unit than in another."""


def tell_errors(cells: Sequence[str], name: str, where: str) -> None:
    """Warn of the errors of values (``100 ± 2``, ``100(2)``), which nothing learns from."""
    if cells:
        some = "a value" if len(cells) == 1 else f"{len(cells)} values"
        warn(
            f"{where}: the error is left out of {some} of {name!r}, such as {cut(cells[0], 60)!r}; "
            "the number in front of it is learned."
        )


_BOUND = re.compile(r"\s*([<>≤≥]|less than|more than|below|above)", re.IGNORECASE)


def tell_bounds(cells: Sequence[Any], n_cells: int, name: str, where: str) -> None:
    """Warn of bounds (``>10``) among values: they are left out, so that what is left is biased."""
    bounds = [v.strip() for v in cells if isinstance(v, str) and _BOUND.match(v)]
    if len(bounds) < max(2, _FEW_BOUNDS * n_cells):
        return
    warn(
        f"{where}: {len(bounds)} of {n_cells} values of {name!r} are bounds such as "
        f"{cut(bounds[0], 60)!r} and left out, so values on that side are too few among the "
        "others; write the values where they are known, or take classes."
    )


def tell_decades(numbers: NDArray[np.float64], name: str, where: str) -> None:
    """Warn of positive numbers over so many decades that the largest alone decide the error."""
    known = numbers[np.isfinite(numbers)]
    if not over_decades(known):
        return
    least = float(known[known > 0].min())
    warn(
        f"{where}: the values of {name!r} span {math.log10(known.max() / least):.0f} decades "
        f"({least:.3g} to {known.max():.3g}), so errors are those of the largest; a column "
        "of their logarithms may be learned better."
    )


def over_decades(known: NDArray[np.float64]) -> bool:
    """Tell whether numbers are positive and lie on both sides of their median by large factors.

    A few may be 0.
    """
    if len(known) < _ENOUGH or known.min() < 0 or (known == 0).mean() > _FEW_ZEROS:
        return False
    known = known[known > 0]
    low, middle, high = np.quantile(known, (0.05, 0.5, 0.95))
    return bool(min(high / middle, middle / low) >= _TIMES_APART)


def tell_few_numbers(numbers: NDArray[np.float64], name: str, where: str) -> None:
    """Warn of numbers that are likely the names of classes; they are learned as numbers."""
    known = numbers[np.isfinite(numbers)]
    different = np.unique(known)
    whole = bool(np.all(different == np.round(different)))
    if whole and 2 <= len(different) <= _FEW and len(known) >= 5 * len(different):
        shown = ", ".join(f"{v:g}" for v in different)
        warn(f"{where}: {name!r} holds only the numbers {shown} and {ABOUT_CLASSES}.")


def tell_sentinels(numbers: NDArray[np.float64], name: str, where: str) -> NDArray[np.bool_]:
    """Warn of numbers that many programs write where they know nothing: -999, 9999 ...

    So are numbers that repeat or are limits of integers, if they lie as far outside of all others,
    a single negative number, such as -1, in a column of others that are none, zeros far below
    all others, and a few numbers that are many times as far from the median as all others.

    Returns (n,) which of the numbers are told of: those that lie far outside of all others.
    """
    signs = _sentinels(numbers)
    if signs.any():
        why = "which many programs write where nothing is known"
        _tell(numbers, signs, name, where, why, is_usual_sign=True)
        return signs
    strange = _strangers(numbers)
    if strange.any():
        _tell(numbers, strange, name, where, "far outside of all others")
        return strange
    minus = _minus(numbers)
    if minus.any():
        _tell(numbers, minus, name, where, "and no other is below zero")
        return minus
    zeros = _zeros(numbers, name)
    if zeros.any():
        least = float(numbers[numbers > 0].min())
        _tell(numbers, zeros, name, where, f"and no other is below {least:g}")
        return zeros
    lonely = _lonely(numbers)
    if lonely.any():
        _tell_lonely(numbers, lonely, name, where)
    return lonely


def tell_fill_values(curves: Mapping[int, NDArray[np.float64]], name: str, where: str) -> None:
    """Warn of spectra with a number that programs write where they know nothing: 1e30, -9999.

    Args:
        curves: (n_points,) values by row, before they are brought onto a grid.
        name: Of the target.
        where: The table.
    """
    if not curves:
        return
    flat = np.concatenate(list(curves.values()))
    rows = np.repeat(list(curves), [len(curve) for curve in curves.values()])
    signs = _sentinels(flat) | _strangers(flat)
    if not signs.any():
        return
    told = np.unique(rows[signs])
    numbers = ", ".join(f"{v:.10g}" for v in np.unique(flat[signs]))
    more = f" and of {len(told) - 1} more" if len(told) > 1 else ""
    n = int(signs.sum())
    warn(
        f"{where}: {name!r} of row {told[0] + 1}{more} is {numbers} at {n} "
        f"{'point' if n == 1 else 'points'}, far outside of all other values; if it means that "
        "nothing is known there, leave the row out, or let the spectrum end before."
    )


def _tell(
    numbers: NDArray[np.float64],
    told: NDArray[np.bool_],
    name: str,
    where: str,
    why: str,
    *,
    is_usual_sign: bool = False,
) -> None:
    """Warn of values that may mean that nothing is known.

    Args:
        numbers: (n,) all values of a target.
        told: (n,) which of them.
        name: Of the target.
        where: The table.
        why: They may, as the end of a sentence.
        is_usual_sign: Whether ``why`` says already what they mean.
    """
    found = ", ".join(f"{v:.10g}" for v in np.unique(numbers[told]))
    n = int(told.sum())
    counted = f"1 value of {name!r} is" if n == 1 else f"{n} values of {name!r} are"
    such = "they mean" if n > 1 and not is_usual_sign else "it means"
    nothing = "that" if is_usual_sign else "that nothing is known"
    warn(f"{where}: {counted} {found}, {why}; leave those cells empty if {such} {nothing}.")


def _sentinels(numbers: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (n,) which are -999, 9999 and the like, far outside of all others."""
    signs: NDArray[np.bool_] = np.isin(np.abs(numbers), np.abs(_SENTINELS))
    return signs & _outside(numbers, numbers[np.isfinite(numbers) & ~signs])


def _outside(numbers: NDArray[np.float64], rest: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (n,) which numbers lie far outside of the rest."""
    if not len(rest):
        return np.zeros_like(numbers, dtype=bool)
    low, high = float(rest.min()), float(rest.max())
    low, high = low - 5 * (high - low), high + 5 * (high - low)
    outside: NDArray[np.bool_] = (numbers < low) | (numbers > high)
    return outside


def _strangers(numbers: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (n,) which are one number, far larger than all others, that repeats or is a limit."""
    found = np.zeros_like(numbers, dtype=bool)
    known = np.isfinite(numbers)
    if known.sum() < _ENOUGH:
        return found
    most = float(np.abs(numbers[known]).max())
    signs: NDArray[np.bool_] = known & (np.abs(numbers) == most)
    different = np.unique(numbers[signs])
    rest = numbers[known & ~signs]
    if len(different) > 1 or len(rest) < _ENOUGH or len(np.unique(rest)) < _ENOUGH:
        return found
    apart = most >= _TIMES_LARGER * float(np.abs(rest).max())
    if not (apart and (signs.sum() > 1 or most in _LIMITS)):
        return found
    return signs & _outside(numbers, rest)


def _minus(numbers: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (n,) which are -1 or -9, two at least, where no other is below zero."""
    found = np.zeros_like(numbers, dtype=bool)
    below: NDArray[np.bool_] = numbers < 0
    rest = numbers[numbers >= 0]
    if below.sum() < 2 or len(np.unique(numbers[below])) > 1 or len(np.unique(rest)) < _ENOUGH:
        return found
    return below if float(numbers[below][0]) in _NOTHING_BELOW_ZERO else found


def _zeros(numbers: NDArray[np.float64], name: str) -> NDArray[np.bool_]:
    """Return (n,) which are zeros, two at least, far below others that are of one size.

    As of pIC50 from 4 to 9. Where 0 is a result, such as of a gap or a yield, nothing is said.
    """
    zeros: NDArray[np.bool_] = numbers == 0
    rest = np.unique(numbers[np.isfinite(numbers) & ~zeros])
    none = np.zeros_like(zeros)
    if zeros.sum() < 2 or len(rest) < _ENOUGH or rest[0] < 0 or _MAY_BE_ZERO.search(name):
        return none
    apart = rest[0] > _GAPS * float(np.diff(rest).max()) and rest[-1] <= _ONE_SIZE * rest[0]
    return zeros if apart else none


def _lonely(numbers: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (n,) the one in a hundred, three at most, that lie by themselves far from the rest.

    They are `_TIMES_LARGER` times as far from the median as any other; of values none of
    which is negative, which may span decades, their logarithms are twice as far.
    """
    found = np.zeros_like(numbers, dtype=bool)
    known = numbers[np.isfinite(numbers)]
    if len(known) < _ENOUGH_AROUND:
        return found
    far = np.abs(numbers - np.median(known))
    sizes = np.sort(far[np.isfinite(far)])
    for n in range(1, min(_FEWEST, 1 + len(known) // 100) + 1):
        rest, first = sizes[-n - 1], sizes[-n]
        others = numbers[far <= rest]
        if rest > 0 and first >= _TIMES_LARGER * rest and len(np.unique(others)) >= _ENOUGH:
            found = far >= first
    if not found.any() or known.min() < 0:
        return found
    positive = known[known > 0]
    decades = np.abs(np.log10(np.maximum(numbers, positive.min()) / np.median(positive)))
    least = 2 * float(np.nanmax(decades[~found]))
    alone: NDArray[np.bool_] = found & (decades >= least)
    return alone


def _tell_lonely(
    numbers: NDArray[np.float64], told: NDArray[np.bool_], name: str, where: str
) -> None:
    rows = np.flatnonzero(told)
    shown = ", ".join(f"{numbers[row]:.6g} (row {row + 1})" for row in rows)
    rest = numbers[np.isfinite(numbers) & ~told]
    warn(
        f"{where}: {name!r} is {shown}, and between {rest.min():.6g} and {rest.max():.6g} in all "
        "other rows; correct what is a slip of the pen or in another unit."
    )


def tell_two_units(numbers: NDArray[np.float64], name: str, where: str) -> None:
    """Warn of values of which a part is about 1000, 27.2 ... times the rest, with none between.

    Values that span decades smoothly have no gap that is several times wider than all others.
    """
    known = numbers[np.isfinite(numbers) & (numbers != 0)]
    if len(known) < _ENOUGH:
        return
    sizes = np.sort(np.log10(np.abs(known)))
    gaps = np.diff(sizes)
    place = int(gaps.argmax())
    small, large = sizes[: place + 1], sizes[place + 1 :]
    if gaps[place] < 3 * np.sort(gaps)[-2] or 2 * gaps[place] < max(np.ptp(small), np.ptp(large)):
        return
    ratio = float(np.median(large) - np.median(small))
    factor = min(_FACTORS, key=lambda f: abs(math.log10(f) - ratio))
    fewer = min(len(small), len(large))
    if abs(math.log10(factor) - ratio) > _NEAR:
        return
    distinct = [len(np.unique(part)) for part in (small, large)]  # one row may stand many times
    if min(distinct) < _FEWEST and (distinct[0] < _FEWEST or factor < 1000):
        return  # some are near 0 by chance
    few_are_large = len(large) <= len(small)
    first = float(known[np.abs(known).argmax() if few_are_large else np.abs(known).argmin()])
    other = float(known[np.abs(known).argmin() if few_are_large else np.abs(known).argmax()])
    times = f"{factor:,.4g} times" if few_are_large else f"1/{factor:,.4g} of"
    are = "is" if fewer == 1 else "are"
    what = f"{fewer} value{'s' if fewer > 1 else ''} of {name!r} {are}"
    warn(
        f"{where}: {what} about {times} the others, such "
        f"as {first:g} beside {other:g}, with nothing between, as if two units were mixed "
        f"(such as {_FACTORS[factor]}); convert them into one if that is so."
    )


def tell_odd_classes(classes: Sequence[str], name: str, where: str) -> None:
    """Warn of a class that may mean an empty cell, and of classes that differ in case only."""
    nothing = [c for c in classes if is_missing(c) or c.lower() in _NOT_KNOWN]
    if nothing:
        are = "are classes" if len(nothing) > 1 else "is a class"
        mean = "they mean" if len(nothing) > 1 else "it means"
        warn(
            f"{where}: {' and '.join(map(repr, nothing[:3]))} {are} of {name!r} like the others; "
            f"leave the cells empty if {mean} that nothing is known."
        )
    alike: dict[str, list[str]] = {}
    for one in (c for c in classes if c not in nothing):
        key = re.sub(r"[\s_-]+", " ", unicodedata.normalize("NFKC", one).casefold())
        alike.setdefault(key, []).append(one)
    same = [group for group in alike.values() if len(group) > 1]
    if same:
        first = " and ".join(map(repr, same[0][:3]))
        more = f" (and {len(same) - 1} more such groups)" if len(same) > 1 else ""
        number = {2: "two", 3: "three"}.get(len(same[0]), str(len(same[0])))
        warn(
            f"{where}: {first} are {number} classes of {name!r}{more}; write them in one way if "
            "they are one."
        )
