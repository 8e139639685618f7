"""Where a dielectric function passes through zero, and how little it absorbs there.

After Ihalage and Hao, "Formula graph self-attention network for representation-domain independent
materials discovery", Advanced Science (2022), section on epsilon-near-zero (ENZ) materials. All
functions take plain arrays: photon energies and the real and imaginary part of the permittivity.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.errors import StudyError
from atomlens.units import EV_NANOMETRE

Values = NDArray[np.float64]
Direction = Literal["down", "up"]
Wanted = Literal["down", "up", "both"]
GAIN = 0.05
"""An imaginary part below zero by more is no loss but a gain, which nothing passive has."""
Pick = Literal["first", "lowest-loss"]
Pair = tuple[str, str]

LABELS = ((0.496, "low frequency"), (1.549, "near infrared"), (3.1, "visible"))
"""Highest energy (eV) of each range of the paper; what is above them all is ultraviolet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """A zero of the real part."""

    energy: float
    """eV, by linear interpolation between the points of opposite sign."""
    direction: Direction
    """``down``: from positive to negative with rising energy, as in the paper."""
    loss: float
    """Imaginary part there, interpolated; NaN if it is unknown on one side."""


class EnergyWindow(NamedTuple):
    """Energies around a crossing at which the real part is near zero."""

    low: float
    """eV"""
    high: float
    """eV"""
    is_cut: bool
    """The data end (or have a gap) before the real part leaves the window: it may be wider."""

    @property
    def width(self) -> float:
        """Width, eV."""
        return self.high - self.low

    @property
    def width_nm(self) -> float:
        """Width in wavelengths, nm; infinite for a window that begins at zero energy."""
        return EV_NANOMETRE / self.low - EV_NANOMETRE / self.high if self.low > 0 else np.inf


def zero_crossings(energies: Values, eps_re: Values, eps_im: Values) -> tuple[Crossing, ...]:
    """Return every zero that changes the sign of the real part, by rising energy.

    A spectrum that touches zero and turns back does not cross. Of several zeros in a row the
    middle is taken. Points that are NaN or masked are unknown: no crossing is seen beside them.

    Args:
        energies: (n_points,) eV, ascending.
        eps_re: (n_points,) real part.
        eps_im: (n_points,) imaginary part.

    Raises:
        StudyError: shapes differ, or energies do not ascend.
    """
    energies, real, imaginary = _checked(energies, eps_re, eps_im)
    signed = np.flatnonzero(real != 0)  # NaN counts: it separates what is on both sides
    before, after = signed[:-1], signed[1:]
    signs = np.sign(real)
    changes = signs[before] * signs[after] < 0
    return tuple(
        _crossing(energies, real, imaginary, left, right)
        for left, right in zip(before[changes].tolist(), after[changes].tolist(), strict=True)
    )


def _checked(energies: Values, eps_re: Values, eps_im: Values) -> tuple[Values, Values, Values]:
    grid, real, imaginary = _plain(energies), _plain(eps_re), _plain(eps_im)
    if grid.ndim != 1 or real.shape != grid.shape or imaginary.shape != grid.shape:
        raise StudyError(
            f"Energies {grid.shape}, real part {real.shape} and imaginary part {imaginary.shape} "
            "differ in shape; give one value of each for each energy."
        )
    if not np.all(np.diff(grid) > 0):
        raise StudyError("The energies of a spectrum do not ascend; sort them.")
    return grid, real, imaginary


def _plain(values: Values) -> Values:
    """Return an array of floats, NaN where it is masked."""
    if isinstance(values, np.ma.MaskedArray):
        filled: Values = np.ma.filled(values.astype(np.float64), np.nan)
        return filled
    return np.asarray(values, dtype=np.float64)


def _crossing(energies: Values, real: Values, imaginary: Values, left: int, right: int) -> Crossing:
    """Return the crossing between two points of opposite sign with nothing but zeros between."""
    if right - left == 1:
        share = real[left] / (real[left] - real[right])
        energy = energies[left] + share * (energies[right] - energies[left])
    else:
        energy = (energies[left + 1] + energies[right - 1]) / 2
    around = slice(left, right + 1)
    return Crossing(
        energy=float(energy),
        direction="down" if real[left] > 0 else "up",
        loss=float(np.interp(energy, energies[around], imaginary[around])),
    )


def choose_crossing(
    crossings: Iterable[Crossing],
    *,
    direction: Wanted = "down",
    above: float = 0.1,
    pick: Pick = "first",
) -> Crossing | None:
    """Return the crossing that stands for a material; None if there is none.

    The defaults are the paper's reading: the first one downwards above 0.1 eV.

    Args:
        crossings: By rising energy, from `zero_crossings`.
        direction: Which ones count.
        above: eV; those at or below it do not count.
        pick: The first one, or the one of lowest loss, by its size (crossings of unknown loss
            come last).
    """
    known = [c for c in crossings if c.energy > above and direction in ("both", c.direction)]
    if not known:
        return None
    if pick == "first":
        return known[0]
    return min(known, key=lambda c: np.inf if np.isnan(c.loss) else abs(c.loss))


def near_zero_window(
    energies: Values, eps_re: Values, crossing: Crossing, *, limit: float = 1.0
) -> EnergyWindow:
    """Return the contiguous energies around a crossing at which the real part is near zero.

    The edges are interpolated. Where the data end, or have a gap, within the window, its edge is
    the last known point.

    Args:
        energies: (n_points,) eV, ascending.
        eps_re: (n_points,) real part.
        crossing: One of this spectrum, from `zero_crossings`.
        limit: The absolute value of the real part stays below it.

    Raises:
        StudyError: shapes differ, energies do not ascend, or the limit is not positive.
    """
    if not limit > 0:
        raise StudyError(f"limit={limit:g} of the window cannot be used; it must be above 0.")
    energies, real, _ = _checked(energies, eps_re, eps_re)
    place = int(np.searchsorted(energies, crossing.energy))
    energies, real = (np.insert(a, place, v) for a, v in ((energies, crossing.energy), (real, 0.0)))
    low, cut_low = _edge(energies[place::-1], real[place::-1], limit)
    high, cut_high = _edge(energies[place:], real[place:], limit)
    return EnergyWindow(low, high, cut_low or cut_high)


def _edge(energies: Values, real: Values, limit: float) -> tuple[float, bool]:
    """Walk along points from a zero; return where the limit is reached, and if the data ended."""
    outside = np.flatnonzero(~(np.abs(real) < limit))
    if not len(outside) or np.isnan(real[outside[0]]):
        last = outside[0] - 1 if len(outside) else -1
        return float(energies[last]), True
    k = int(outside[0])
    share = (np.sign(real[k]) * limit - real[k - 1]) / (real[k] - real[k - 1])
    return float(energies[k - 1] + share * (energies[k] - energies[k - 1])), False


def spectral_range(energy: float) -> str:
    """Return the paper's name of the range of a photon energy (eV); empty for NaN."""
    if np.isnan(energy):
        return ""
    return next((name for highest, name in LABELS if energy <= highest), "ultraviolet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """What makes a material an ENZ candidate; the defaults are the paper's."""

    lowest: float = 0.5
    """eV; the crossing is not below it"""
    highest: float = 12.4
    """eV; the crossing is not above it"""
    largest_loss: float = 2.0
    """the imaginary part at the crossing is below it, and not below zero by more than `GAIN`"""
    largest_hull_energy: float = 0.025
    """eV/atom; the energy above the convex hull is below it"""

    def passes(self, crossing: Crossing | None, hull_energy: float = np.nan) -> bool:
        """Say whether a material passes; an unknown hull energy (NaN, eV/atom) is not judged."""
        return (
            crossing is not None
            and self.lowest <= crossing.energy <= self.highest
            and -GAIN <= crossing.loss < self.largest_loss
            and not hull_energy >= self.largest_hull_energy
        )


def element_pairs(materials: Iterable[Iterable[str]]) -> dict[Pair, int]:
    """Return how many materials hold each unordered pair of elements, the most frequent first.

    Args:
        materials: The elements of each material; one that is named twice counts once.
    """
    counts: Counter[Pair] = Counter()
    for elements in materials:
        symbols = sorted(set(elements))
        counts.update((a, b) for i, a in enumerate(symbols) for b in symbols[i + 1 :])
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def frequent_pairs(counts: dict[Pair, int], at_least: int) -> dict[Pair, int]:
    """Return the pairs that occur often enough to be edges of the paper's network."""
    return {pair: n for pair, n in counts.items() if n >= at_least}


def mean_and_std(values: Sequence[float]) -> tuple[float, float]:
    """Return mean and standard deviation (n - 1) of the known values; NaN where undefined."""
    known = np.array([v for v in values if np.isfinite(v)])
    mean = float(known.mean()) if len(known) else np.nan
    return mean, float(known.std(ddof=1)) if len(known) > 1 else np.nan
