"""What is odd about the values of a target and told by a warning; they are learned as they are."""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.cells import is_missing
from atomlens.errors import warn
from atomlens.printing import cut

_NOT_KNOWN = frozenset(
    "unknown unk undefined undetermined missing tbd tba n.a. n.d. nd nil void nothing".split()
)
"""Words that may mean the same where they stand among classes."""
_SENTINELS = (-99.0, -999.0, -9999.0, -99999.0, -999999.0)
_ENOUGH = 12
"""Values of which it can be said that a part of them is in another unit."""
_FEWEST = 3
_NEAR = 0.15
"""How far from a factor between units a ratio may be, as a decimal logarithm."""
_FEW = 4
"""So few different whole numbers may be names of classes."""
ABOUT_CLASSES = "is learned as a number; if they are names of classes, say --classification"
"""Of a column of few whole numbers, said to whom learns from it."""
_FACTORS = {
    1000.0: "meV and eV, or MPa and GPa",
    27.211386: "eV and hartree",
    96.485: "kJ/mol and eV",
    23.0605: "kcal/mol and eV",
    627.509: "kcal/mol and hartree",
    2625.5: "kJ/mol and hartree",
    27211.386: "meV and hartree",
    8065.54: "cm^-1 and eV",
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

    Returns (n,) which of the numbers are told of: those that lie far outside of all others.
    """
    signs: NDArray[np.bool_] = np.isin(np.abs(numbers), np.abs(_SENTINELS))
    rest = numbers[np.isfinite(numbers) & ~signs]
    if not signs.any() or not len(rest):
        return np.zeros_like(signs)
    low, high = rest.min() - 5 * np.ptp(rest), rest.max() + 5 * np.ptp(rest)
    signs &= (numbers < low) | (numbers > high)
    if not signs.any():
        return signs
    found = ", ".join(f"{v:g}" for v in np.unique(numbers[signs]))
    n = int(signs.sum())
    counted = f"1 value of {name!r} is" if n == 1 else f"{n} values of {name!r} are"
    warn(
        f"{where}: {counted} {found}, which many programs write "
        "where nothing is known; leave those cells empty if it means that."
    )
    return signs


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
    if fewer < _FEWEST and (len(small) < _FEWEST or factor < 1000):  # some are near 0 by chance
        return
    few_are_large = len(large) <= len(small)
    first = float(known[np.abs(known).argmax() if few_are_large else np.abs(known).argmin()])
    other = float(known[np.abs(known).argmin() if few_are_large else np.abs(known).argmax()])
    times = f"{factor:.3g} times" if few_are_large else f"1/{factor:.3g} of"
    are = "is" if fewer == 1 else "are"
    what = f"{fewer} value{'s' if fewer > 1 else ''} of {name!r} {are}"
    warn(
        f"{where}: {what} about {times} the others, such "
        f"as {first:g} beside {other:g}, with nothing between, as if two units were mixed "
        f"({_FACTORS[factor]}); convert them into one if that is so."
    )


def tell_odd_classes(classes: Sequence[str], name: str, where: str) -> None:
    """Warn of a class that may mean an empty cell, and of classes that differ in case only."""
    nothing = [c for c in classes if is_missing(c) or c.lower() in _NOT_KNOWN]
    if nothing:
        warn(
            f"{where}: {nothing[0]!r} is a class of {name!r} like the others; leave the cells "
            "empty if it means that nothing is known."
        )
    lowered = [c.lower() for c in classes]
    often = Counter(lowered)
    alike = [c for c in classes if often[c.lower()] > 1]
    if alike:
        warn(
            f"{where}: {alike[0]!r} and {alike[1]!r} are two classes of {name!r}; write them in "
            "one way if they are one."
        )
