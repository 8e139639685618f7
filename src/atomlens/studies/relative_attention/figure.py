"""The figure of relative attention: densities by class, a panel for each model."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from atomlens.elements import ATOMIC_NUMBERS
from atomlens.reports.canvas import FAINT, INK, QUIET, new_figure, plain_axes
from atomlens.reports.colours import element_colour
from atomlens.reports.wording import shortened
from atomlens.studies.base import Row
from atomlens.studies.rows import as_number

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

_CARBONS = {"C(sp3)": "#9aa3ad", "C(sp2)": "#6c7681", "C(sp)": "#3c444d", "C(other)": "#c3cad1"}
_HYDROGEN = "#aebcc9"
"""Darker than in pictures of molecules, for a density to be seen on white."""
_CONTROL_STYLES = ("--", ":", "-.")
_TALLEST = 1.6
"""Height of the tallest density, in distances between two lines."""
_MOST_CLASSES = 9


def draw_distributions(densities: Sequence[Row], medians: Sequence[Row], path: Path) -> Path:
    """Draw trained densities filled, controls as lines, and the median of each class.

    Args:
        densities: Rows with ``model``, ``network``, ``class``, ``ratio``, ``density``.
        medians: Rows with ``model``, ``network``, ``class``, ``median``, ``n_atoms``.
        path: .png, .svg or .pdf.
    """
    models = list(dict.fromkeys(str(row["model"]) for row in densities))
    kinds = list(dict.fromkeys(str(row["class"]) for row in densities))[:_MOST_CLASSES]
    right = _right_end(densities)
    size = (1.5 + 3.5 * max(len(models), 1), 1.5 + 0.62 * len(kinds))
    with new_figure(path, size) as figure:
        figure.set_layout_engine("constrained")
        panels = figure.subplots(1, max(len(models), 1), sharex=True, sharey=True, squeeze=False)
        for axes, model in zip(panels[0], models, strict=False):
            own = [row for row in densities if row["model"] == model]
            _draw_panel(axes, own, kinds)
            numbers = [row for row in medians if row["model"] == model]
            _write_medians(axes, numbers, kinds, right, counted=axes is panels[0][0])
            axes.set_title(shortened(model, 34))
        first = panels[0][0]
        first.set_xlim(0, right)
        first.set_ylim(-0.25, len(kinds) - 1 + _TALLEST + 0.05)
        first.set_yticks(range(len(kinds)), kinds)
        figure.supxlabel("attention over the mean of the molecule's sp3 carbons", fontsize=10)
        figure.legend(
            *_legend(densities), loc="outside upper center", ncols=4, frameon=False, fontsize=9
        )
    return path


def _draw_panel(axes: "Axes", rows: Sequence[Row], kinds: Sequence[str]) -> None:
    plain_axes(axes, grid=False)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.axvline(1.0, color=QUIET, linewidth=1.0, zorder=0)
    networks = list(dict.fromkeys(str(row["network"]) for row in rows))
    highest = max(as_number(row["density"]) for row in rows)
    for line, kind in enumerate(kinds):
        axes.axhline(line, color=FAINT, linewidth=0.8, zorder=0)
        for order, network in enumerate(networks):
            own = [r for r in rows if r["class"] == kind and r["network"] == network]
            x = np.array([r["ratio"] for r in own], dtype=float)
            y = np.array([r["density"] for r in own], dtype=float)
            height = line + y / highest * _TALLEST
            depth = 2.0 + len(kinds) - line
            if network == "trained":
                colour = class_colour(kind)
                axes.fill_between(x, line, height, color=colour, alpha=0.75, lw=0, zorder=depth)
                axes.plot(x, height, color=colour, linewidth=1.2, zorder=depth + 0.2)
            else:
                style = _CONTROL_STYLES[(order - 1) % len(_CONTROL_STYLES)]
                axes.plot(x, height, style, color=INK, linewidth=0.9, zorder=depth + 0.4)


def _write_medians(
    axes: "Axes", rows: Sequence[Row], kinds: Sequence[str], right: float, *, counted: bool
) -> None:
    for row in rows:
        if row["network"] != "trained" or row["class"] not in kinds:
            continue
        line, median = kinds.index(str(row["class"])), as_number(row["median"])
        axes.plot([median] * 2, [line - 0.05, line + 0.2], color="white", linewidth=3.4, zorder=40)
        axes.plot([median] * 2, [line - 0.05, line + 0.2], color=INK, linewidth=1.6, zorder=41)
        axes.text(right, line + 0.1, f"{median:.2f}", ha="right", fontsize=9, zorder=41)
        if counted:
            n_atoms = f"n = {row['n_atoms']:,}".replace(",", " ")
            axes.text(0.02, line + 0.1, n_atoms, color=QUIET, fontsize=8, zorder=41)


def class_colour(kind: str) -> str:
    """Return greys for the kinds of carbon, the element's colour for others."""
    if kind == "H":
        return _HYDROGEN
    return _CARBONS.get(kind) or element_colour(ATOMIC_NUMBERS.get(kind, 0))


def _legend(rows: Sequence[Row]) -> tuple[list["Artist"], list[str]]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    networks = [n for n in dict.fromkeys(str(r["network"]) for r in rows) if n != "trained"]
    handles: list[Artist] = [Patch(color=_CARBONS["C(sp2)"], alpha=0.75, linewidth=0)]
    for order, _ in enumerate(networks):
        style = _CONTROL_STYLES[order % len(_CONTROL_STYLES)]
        handles.append(Line2D([], [], color=INK, linestyle=style, linewidth=0.9))
    return handles, ["trained, with its median", *networks]


def _right_end(rows: Sequence[Row]) -> float:
    """Return where all trained densities have come down to a hundredth of the highest."""
    trained = [row for row in rows if row["network"] == "trained"]
    highest = max(as_number(row["density"]) for row in trained)
    seen = [as_number(row["ratio"]) for row in trained if as_number(row["density"]) > highest / 100]
    return min(max(seen) * 1.15, 4.0)
