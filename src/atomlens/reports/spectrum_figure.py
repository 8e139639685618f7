"""Spectra as curves with the band of their error, one panel a material."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from atomlens.errors import SettingsError
from atomlens.files import place_of
from atomlens.reports.canvas import ACCENT, INK, QUIET, WARM, new_figure, plain_axes
from atomlens.reports.wording import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Values = NDArray[np.float64]
MOST_PANELS = 12
"""Materials that one figure shows."""
_COLOURS = (ACCENT, WARM, "#5b8f3a", "#8657b8")
_DASHES = ("-", "--", "-.", ":")
"""Told apart without colours, too."""
_WIDEST = 2.0
"""How far a band may widen the picture beyond the curves, in spans of the curves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpectrumCurve:
    """One spectrum of one material."""

    label: str
    grid: Values
    """(n_grid,)"""
    predicted: Values
    """(n_grid,)"""
    std: Values
    """(n_grid,) standard deviation of the error; NaN where unknown"""
    true: Values | None = None
    """(n_grid,) the reference, NaN where unknown; None if there is none"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpectrumPanel:
    """The spectra of one material."""

    title: str
    curves: tuple[SpectrumCurve, ...]


def draw_spectra(
    panels: Sequence[SpectrumPanel],
    path: str | Path,
    *,
    x_label: str,
    y_label: str,
    title: str = "",
) -> Path:
    """Draw a panel a material: predicted curves with a band of one standard deviation.

    A reference is a black line. A band that is much wider than the curves is cut, so that it
    does not press them flat. At most `MOST_PANELS` materials.

    Raises:
        SettingsError: there is nothing to draw, or too much.
    """
    if not 1 <= len(panels) <= MOST_PANELS:
        raise SettingsError(
            f"{path}: one picture shows 1 to {MOST_PANELS} spectra, and there are {len(panels)}; "
            "give fewer materials."
        )
    n_columns = 2 if len(panels) == 4 else min(3, len(panels))
    n_rows = math.ceil(len(panels) / n_columns)
    with new_figure(path, (1.0 + 3.4 * n_columns, 0.9 + 2.7 * n_rows)) as figure:
        figure.set_layout_engine("constrained")
        grid = figure.subplots(n_rows, n_columns, squeeze=False)
        for axes, panel in zip(grid.flat, panels, strict=False):
            _draw_panel(axes, panel)
        for axes in grid.flat[len(panels) :]:
            axes.set_visible(False)
        figure.supxlabel(x_label, fontsize=10, color=INK)
        figure.supylabel(shortened(y_label, 40), fontsize=10, color=INK)
        if title:
            figure.suptitle(shortened(title, 80), fontsize=11, fontweight="bold", x=0.02, ha="left")
        grid[0, 0].legend(frameon=False, fontsize=8)
    return place_of(path)


def _draw_panel(axes: "Axes", panel: SpectrumPanel) -> None:
    plain_axes(axes)
    axes.set_title(shortened(panel.title, 38), fontsize=10)
    axes.axhline(0.0, color=QUIET, linewidth=0.8)
    several = len(panel.curves) > 1
    for order, curve in enumerate(panel.curves):
        colour, dashes = _COLOURS[order % 4], _DASHES[order % 4]
        if np.isfinite(curve.std).any():
            low, high = curve.predicted - curve.std, curve.predicted + curve.std
            band = "± one std" if order == 0 else None
            axes.fill_between(
                curve.grid,
                low,
                high,
                color=colour,
                alpha=0.15 if several else 0.22,
                linewidth=0,
                label=band,
            )
        label = f"{curve.label} predicted" if curve.true is not None else curve.label
        axes.plot(curve.grid, curve.predicted, dashes, color=colour, linewidth=1.6, label=label)
        if curve.true is not None:
            label = f"{curve.label} reference" if several else "reference"
            axes.plot(curve.grid, curve.true, color=INK, linewidth=1.1, label=label)
    axes.set_ylim(*_range(panel))
    axes.set_xlim(min(c.grid[0] for c in panel.curves), max(c.grid[-1] for c in panel.curves))


def _range(panel: SpectrumPanel) -> tuple[float, float]:
    """Return the range of the curves, zero included, and of the bands as far as is readable."""
    parts = [np.zeros(1)]
    for curve in panel.curves:
        parts += [curve.predicted] if curve.true is None else [curve.predicted, curve.true]
    low, high = _extremes(np.concatenate(parts))
    span = high - low or 1.0
    bands = [b for c in panel.curves for b in (c.predicted - c.std, c.predicted + c.std)]
    band_low, band_high = _extremes(np.concatenate([*parts, *bands]))
    low, high = max(band_low, low - _WIDEST * span), min(band_high, high + _WIDEST * span)
    margin = 0.06 * (high - low) or 1.0
    return low - margin, high + margin


def _extremes(values: Values) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    return float(known.min()), float(known.max())
