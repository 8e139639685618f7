"""Figures of ENZ candidates: their dielectric functions, and which elements go together."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from atomlens.reports.canvas import ACCENT, INK, QUIET, WARM, new_figure, plain_axes
from atomlens.reports.wording import shortened
from atomlens.screening.enz.numbers import Pair
from atomlens.studies.base import Row
from atomlens.studies.rows import as_number, numbers_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Values = NDArray[np.float64]

_PARTS = (("eps_re", ACCENT, "real part"), ("eps_im", WARM, "imaginary part"))
_WINDOW = "#f3e6a8"
_STEPS = 300


def draw_dispersion(candidates: Sequence[Row], spectra: Sequence[Row], path: Path) -> Path:
    """Draw both parts of the dielectric function of some candidates, a panel for each.

    Bands are one standard deviation between the members of the ensemble. The mean ENZ window is
    shaded, the mean crossover a vertical line.

    Args:
        candidates: Rows of ``candidates.csv``.
        spectra: Rows of ``spectra.csv``: the candidates to draw, a row a point.
        path: .png, .svg or .pdf.
    """
    names = list(dict.fromkeys(str(row["formula"]) for row in spectra))
    heads = {str(row["formula"]): row for row in candidates}
    n_columns = min(2, len(names))
    n_rows = -(-len(names) // n_columns)
    with new_figure(path, (1.2 + 3.6 * n_columns, 0.9 + 2.4 * n_rows), dpi=150) as figure:
        figure.set_layout_engine("constrained")
        panels = figure.subplots(n_rows, n_columns, sharex=True, squeeze=False).ravel()
        for axes, name in zip(panels, names, strict=False):
            own = [row for row in spectra if row["formula"] == name]
            _draw_panel(axes, heads[name], own)
        for axes in panels[len(names) :]:
            axes.remove()
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=4, frameon=False)
        figure.supxlabel("photon energy (eV)", fontsize=10)
        figure.supylabel("permittivity", fontsize=10)
    return path


def _draw_panel(axes: "Axes", head: Row, points: Sequence[Row]) -> None:
    energies = numbers_of(points, "energy [eV]")
    shown: list[Values] = []
    for name, colour, label in _PARTS:
        mean, std = numbers_of(points, name), np.nan_to_num(numbers_of(points, f"{name}_std"))
        axes.plot(energies, mean, color=colour, linewidth=1.4, label=label)
        axes.fill_between(energies, mean - std, mean + std, color=colour, alpha=0.22, linewidth=0)
        shown += [mean - std, mean + std]
    axes.axhline(0, color=QUIET, linewidth=0.8)
    low, high, crossover = (
        as_number(head[name]) for name in ("window_low [eV]", "window_high [eV]", "crossover [eV]")
    )
    if np.isfinite([low, high, crossover]).all():
        axes.axvspan(low, high, color=_WINDOW, zorder=0, label="near zero")
        axes.axvline(crossover, color=INK, linewidth=0.9, linestyle="--", label="crossover")
    bottom, top = np.nanquantile(np.concatenate(shown), [0.01, 0.99])
    margin = 0.08 * (top - bottom)
    axes.set_ylim(min(bottom - margin, -1.5), max(top + margin, 1.5))
    axes.set_xlim(energies[0], energies[-1])
    axes.set_title(_title(head, crossover), fontsize=10)
    plain_axes(axes)


def _title(head: Row, crossover: float) -> str:
    formula = shortened(str(head["formula"]), 16)
    if not np.isfinite(crossover):
        return f"{formula}: no crossover"
    return f"{formula}: {crossover:.2f} eV, {as_number(head['passes']):.0%} of {head['members']}"


def draw_losses(candidates: Sequence[Row], limits: tuple[float, float, float], path: Path) -> Path:
    """Draw the loss at the crossover of every formula that has one over its energy.

    Args:
        candidates: Rows of ``candidates.csv``; those that pass in half of the members are filled.
        limits: Lowest and highest energy (eV) and largest loss of the criteria.
        path: .png, .svg or .pdf.
    """
    energy, loss, passes = (
        numbers_of(candidates, name) for name in ("crossover [eV]", "loss", "passes")
    )
    known = np.isfinite(energy) & np.isfinite(loss)
    passing = known & (passes >= 0.5)
    lowest, highest, largest = limits
    with new_figure(path, (5.2, 3.8), dpi=150) as figure:
        figure.set_layout_engine("constrained")
        axes = figure.add_subplot()
        for rows, colour, label in (
            (known & ~passing, QUIET, "other crossovers"),
            (passing, ACCENT, "candidates"),
        ):
            axes.scatter(
                energy[rows], loss[rows], s=12, color=colour, label=f"{label} ({rows.sum()})"
            )
        axes.axhline(largest, color=INK, linewidth=0.8, linestyle="--")
        for edge in (lowest, highest):
            axes.axvline(edge, color=INK, linewidth=0.8, linestyle=":")
        if (loss[known] > 0).any() and np.ptp(loss[known]) > 10:
            widen_small(axes, loss[known])
        axes.set_xlabel("crossover (eV)")
        axes.set_ylabel("imaginary part at the crossover")
        axes.legend(frameon=False, fontsize=9, loc="best")
        plain_axes(axes)
    return path


def widen_small(axes: "Axes", values: Values) -> None:
    """Make the y axis linear up to 1 and logarithmic above, with plain numbers.

    The style reads no formulas, in which matplotlib would write powers of ten.

    Args:
        axes: Of the chart.
        values: (n,) all that is drawn.
    """
    from matplotlib.ticker import FixedLocator, FormatStrFormatter, NullFormatter

    lowest, highest = min(float(values.min()), 0.0), max(float(values.max()), 1.0)
    decades = range(int(np.ceil(np.log10(max(highest, -lowest)))) + 1)
    ticks = [0.5, *(float(first * 10**k) for k in decades for first in (1, 2, 5))]
    axes.set_yscale("symlog", linthresh=1.0)
    axes.yaxis.set_major_locator(FixedLocator([*(-t for t in ticks), 0.0, *ticks]))
    axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylim(1.2 * lowest, 1.2 * highest)


def draw_pairs(pairs: dict[Pair, int], path: Path) -> Path:
    """Draw elements as nodes and their pairs as edges, as wide as they are frequent.

    Args:
        pairs: How many candidates have both elements of a pair.
        path: .png, .svg or .pdf.
    """
    elements = sorted({element for pair in pairs for element in pair})
    place = dict(zip(elements, pair_layout(elements, pairs), strict=True))
    weights = {e: sum(n for pair, n in pairs.items() if e in pair) for e in elements}
    most = max(pairs.values())
    with new_figure(path, (6.4, 6.0), dpi=150) as figure:
        axes = figure.add_axes((0.01, 0.01, 0.98, 0.92))
        for (first, second), n in sorted(pairs.items(), key=lambda item: item[1]):
            xs, ys = zip(place[first], place[second], strict=True)
            share = n / most
            axes.plot(
                xs, ys, color=ACCENT, linewidth=0.6 + 5.4 * share, alpha=0.2 + 0.6 * share, zorder=1
            )
        heaviest = max(weights.values())
        for element in elements:
            size = 240 + 900 * weights[element] / heaviest
            x, y = place[element]
            axes.scatter(x, y, s=size, color="white", edgecolor=INK, zorder=2)
            axes.annotate(
                element, (x, y), ha="center", va="center", fontsize=9, color=INK, zorder=3
            )
        fewest = min(pairs.values())
        axes.set_title(f"Pairs of elements in candidates ({fewest} to {most} an edge)")
        axes.set_axis_off()
        axes.margins(0.1)
    return path


def pair_layout(elements: Sequence[str], pairs: dict[Pair, int]) -> Values:
    """(n_elements, 2) places that bring frequent pairs near and keep all others apart.

    Fruchterman and Reingold, Software: Practice and Experience 21, 1129 (1991), from a circle, so
    that the picture is the same every time.
    """
    n = len(elements)
    angles = np.arange(n) * (2 * np.pi / n)
    place = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    springs = np.zeros((n, n))
    number = {element: i for i, element in enumerate(elements)}
    for (first, second), count in pairs.items():
        i, j = number[first], number[second]
        springs[i, j] = springs[j, i] = np.sqrt(count / max(pairs.values()))
    ideal = 2 / np.sqrt(n)
    for step in range(_STEPS):
        apart = place[:, None] - place
        distance = np.maximum(np.linalg.norm(apart, axis=2), 0.01)
        strength = ideal**2 / distance**2 - springs * distance / ideal
        push = (apart * strength[:, :, None]).sum(axis=1) - 0.3 * place
        length = np.maximum(np.linalg.norm(push, axis=1, keepdims=True), 1e-9)
        place = place + push / length * np.minimum(length, 0.1 * (1 - step / _STEPS))
    return place


def _draw_rim(axes: "Axes", rim: float, missed: Values, invented: Values) -> None:
    """Draw crossovers that only the known or only the predicted spectra have."""
    rims = np.full(len(missed), rim), np.full(len(invented), rim)
    for xs, ys, marker, label in (
        (missed, rims[0], "v", "missed"),
        (rims[1], invented, "<", "invented"),
    ):
        name = f"{label} ({len(xs)})"
        axes.plot(xs, ys, marker, color=WARM, markersize=5, linestyle="none", label=name)


def draw_check(materials: Sequence[Row], path: Path) -> Path:
    """Draw predicted over true crossovers; those that only one side has stand at the rim.

    Args:
        materials: Rows of ``check.csv``.
        path: .png, .svg or .pdf.
    """
    true, seen_by, predicted, std = (
        numbers_of(materials, name)
        for name in ("true [eV]", "seen_by", "predicted [eV]", "std [eV]")
    )
    found = seen_by >= 0.5
    both = np.isfinite(true) & found
    with new_figure(path, (4.8, 4.8), dpi=150) as figure:
        figure.set_layout_engine("constrained")
        axes = figure.add_subplot()
        known = np.concatenate([true[np.isfinite(true)], predicted[found]])
        low, high = (known.min(), known.max()) if len(known) else (0.0, 1.0)
        rim = low - 0.12 * max(high - low, 0.5)
        axes.plot([low, high], [low, high], color=QUIET, linewidth=0.8)
        axes.errorbar(
            true[both],
            predicted[both],
            yerr=np.nan_to_num(std[both]),
            fmt="o",
            color=ACCENT,
            markersize=4.5,
            elinewidth=0.8,
            label=f"both ({both.sum()})",
        )
        _draw_rim(
            axes, rim, true[np.isfinite(true) & ~found], predicted[found & ~np.isfinite(true)]
        )
        axes.set_xlabel("crossover of the known spectrum (eV)")
        axes.set_ylabel("predicted crossover (eV)")
        axes.legend(frameon=False, fontsize=9, loc="best")
        plain_axes(axes)
    return path
