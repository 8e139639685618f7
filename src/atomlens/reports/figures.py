"""Charts: parity, learning curves, calibration.

Every function writes .png, .svg or .pdf by the suffix, the same bytes for the same input.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from atomlens.errors import SettingsError
from atomlens.files import place_of
from atomlens.reports.canvas import ACCENT, INK, QUIET, WARM, new_figure, plain_axes
from atomlens.reports.coverage import area_between
from atomlens.reports.wording import number, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MAX_BARS = 500
"""With more points than this the error bars are left out."""
_MAX_DOTS = 3000
"""With more points than this a density is drawn instead of dots."""
_MAX_MARKS, _MAX_CORNERS = 25, 4000
"""Points of a curve of coverage that get a dot each, and those that are drawn at most."""


def draw_parity(
    true: ArrayLike,
    predicted: ArrayLike,
    *,
    target: str,
    unit: str,
    path: str | Path,
    std: ArrayLike | None = None,
    title: str = "",
) -> Path:
    """Draw predicted against true values, with MAE, RMSE and R² in the corner.

    ``true``, ``predicted`` and ``std`` have shape (n,), in ``unit``; pairs with a value that is
    not finite are left out and counted in the corner. Up to 500 points carry ``std`` as bars.
    """
    x, y, errors, n_left_out = _finite_pairs(true, predicted, std)
    with new_figure(path, (4.8, 4.6)) as figure:
        axes = figure.add_axes((0.16, 0.13, 0.80, 0.77))
        plain_axes(axes)
        low, high = _padded_range(np.concatenate([x, y]))
        axes.plot([low, high], [low, high], color=QUIET, linewidth=1.0, zorder=1)
        if len(x) > _MAX_DOTS:
            _draw_density(axes, x, y, (low, high))
        else:
            if errors is not None and len(x) <= _MAX_BARS:
                axes.errorbar(x, y, errors, fmt="none", ecolor=ACCENT, alpha=0.35, linewidth=0.8)
            size = 24.0 if len(x) <= 100 else 12.0
            axes.scatter(x, y, s=size, color=ACCENT, alpha=0.65, linewidths=0, zorder=3)
        axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
        label = f"{shortened(target, 30)} ({unit})" if unit else shortened(target, 34)
        axes.set_xlabel(f"true {label}")
        axes.set_ylabel(f"predicted {label}")
        axes.set_title(shortened(title, 44))
        note = _error_note(x, y, unit, n_left_out)
        axes.text(0.03, 0.97, note, transform=axes.transAxes, va="top", linespacing=1.5)
    return place_of(path)


def draw_learning_curve(
    history: Mapping[str, Sequence[float]], path: str | Path, *, title: str = ""
) -> Path:
    """Draw losses, errors and the learning rate over the epochs, one panel each.

    ``history`` maps a name to one value per epoch. A key ``epoch`` gives the horizontal axis;
    names with ``loss`` share the first panel, names with ``lr`` or ``learning_rate`` the last,
    all others (``validation_mae``) the one between. NaN stands for epochs without a value.
    """
    from matplotlib.ticker import MaxNLocator

    curves = {k: np.asarray(v, dtype=float) for k, v in history.items() if k not in _TIME}
    panels = [p for p in (_select(curves, kind) for kind in ("loss", "error", "rate")) if p]
    if not panels:
        raise SettingsError(f"{path}: the training history is empty, so there is no curve to draw.")
    longest = max(len(values) for panel in panels for values in panel.values())
    epochs = np.asarray(history.get("epoch", np.arange(1, longest + 1)), dtype=float)
    heights = [0.45 if panel is panels[-1] and _is_rate(panel) else 1.0 for panel in panels]
    with new_figure(path, (6.4, 1.0 + 2.1 * sum(heights))) as figure:
        figure.set_layout_engine("constrained")
        grid = figure.subplots(len(panels), 1, sharex=True, squeeze=False, height_ratios=heights)
        for axes, panel in zip(grid[:, 0], panels, strict=True):
            _draw_curves(axes, epochs, panel)
        grid[-1, 0].xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        grid[0, 0].set_title(shortened(title, 60))
        grid[-1, 0].set_xlabel("epoch")
    return place_of(path)


def draw_calibration(
    expected: ArrayLike, observed: ArrayLike, path: str | Path, *, title: str = ""
) -> Path:
    """Draw which share of the true values really lies inside intervals of a stated coverage.

    ``expected`` and ``observed`` have shape (n,), shares from 0 to 1. On the diagonal the errors
    are as large as the model says; below it the model is too sure of itself. The area that is
    written is that of the curve with straight lines to (0, 0) and (1, 1); of a `staircase` it is
    the miscalibration area.
    """
    x, y, _, _ = _finite_pairs(expected, observed, None)
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    full_x, full_y = np.concatenate([[0.0], x, [1.0]]), np.concatenate([[0.0], y, [1.0]])
    area = area_between(full_x, full_y)
    above = float((np.diff(full_x) * ((full_y - full_x)[1:] + (full_y - full_x)[:-1])).sum())
    if len(full_x) > _MAX_CORNERS:
        kept = np.linspace(0, len(full_x) - 1, _MAX_CORNERS).round().astype(np.int64)
        full_x, full_y = full_x[kept], full_y[kept]
    with new_figure(path, (4.8, 4.6)) as figure:
        axes = figure.add_axes((0.15, 0.13, 0.80, 0.77))
        plain_axes(axes)
        axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1.0)
        axes.fill_between(full_x, full_x, full_y, color=ACCENT, alpha=0.15, linewidth=0)
        if len(x) > _MAX_MARKS or (np.diff(x) == 0).any():  # stairs
            axes.plot(full_x, full_y, color=ACCENT)
        else:
            axes.plot(x, y, color=ACCENT, marker="o", markersize=4)
        careful = above > 0  # the curve lies above the line: write below it
        column, side = (0.97, "right") if careful else (0.03, "left")
        rows = (0.19, 0.12, 0.05) if careful else (0.95, 0.88, 0.81)
        words = (f"area between the lines {area:.3f}", "above the line: too careful")
        for row, text in zip(rows, (*words, "below the line: too sure"), strict=True):
            ink = INK if row == rows[0] else QUIET
            axes.text(column, row, text, ha=side, va="center", color=ink)
        axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        axes.set_xlabel("stated coverage")
        axes.set_ylabel("observed coverage")
        axes.set_title(shortened(title, 44))
    return place_of(path)


_TIME = ("epoch", "step", "time", "seconds")


def _finite_pairs(
    true: ArrayLike, predicted: ArrayLike, std: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64] | None, int]:
    x, y = (np.asarray(v, dtype=np.float64).ravel() for v in (true, predicted))
    errors = None if std is None else np.asarray(std, dtype=np.float64).ravel()
    if len(x) != len(y) or (errors is not None and len(errors) != len(x)):
        raise SettingsError(
            f"A figure needs as many values on both axes, got {len(x)} and {len(y)}."
        )
    good = np.isfinite(x) & np.isfinite(y)
    if not good.any():
        raise SettingsError("A figure needs at least one pair of finite values, got none.")
    kept = None if errors is None else np.nan_to_num(errors[good], posinf=0.0)
    return x[good], y[good], kept, int((~good).sum())


def _padded_range(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    pad = 0.05 * (high - low) or 0.05 * max(abs(high), 1e-6)
    return low - pad, high + pad


def _draw_density(
    axes: "Axes", x: NDArray[np.float64], y: NDArray[np.float64], limits: tuple[float, float]
) -> None:
    """Draw how many points fall in each cell, on a logarithmic scale of blue."""
    from matplotlib.colors import LinearSegmentedColormap, LogNorm

    counts, x_edges, y_edges = np.histogram2d(x, y, bins=140, range=[limits, limits])
    blues = LinearSegmentedColormap.from_list("density", ["#c6dbee", ACCENT, "#0d2a4d"])
    shown = np.ma.masked_equal(counts.T, 0)
    axes.pcolormesh(
        x_edges, y_edges, shown, cmap=blues, norm=LogNorm(1, max(counts.max(), 2)), rasterized=True
    )


def _error_note(x: NDArray[np.float64], y: NDArray[np.float64], unit: str, n_left_out: int) -> str:
    errors = y - x
    spread = float(((x - x.mean()) ** 2).sum())
    lines = [
        f"MAE {number(float(np.abs(errors).mean()))} {unit}".rstrip(),
        f"RMSE {number(float(np.sqrt((errors**2).mean())))} {unit}".rstrip(),
    ]
    if len(x) > 1 and spread > 0:
        lines.append(f"R² {1 - float((errors**2).sum()) / spread:.3f}".replace("-", "−"))
    lines.append(f"n = {len(x):,}".replace(",", " "))
    if n_left_out:
        lines.append(f"{n_left_out} without a value")
    return "\n".join(lines)


def _kind(name: str) -> str:
    words = name.lower().replace("-", "_").replace("/", "_").replace(" ", "_").split("_")
    if "lr" in words or {"learning", "rate"} <= set(words):
        return "rate"
    return "loss" if "loss" in words else "error"


def _select(curves: dict[str, NDArray[np.float64]], kind: str) -> dict[str, NDArray[np.float64]]:
    return {
        name: values
        for name, values in curves.items()
        if _kind(name) == kind and values.ndim == 1 and np.isfinite(values).any()
    }


def _is_rate(panel: Mapping[str, NDArray[np.float64]]) -> bool:
    return all(_kind(name) == "rate" for name in panel)


def _ticks(range_: float) -> tuple[float, ...]:
    """Return the multiples of powers of ten that have room on an axis of such a range."""
    return (1.0, 2.0, 5.0) if range_ < 20 else (1.0, 3.0) if range_ < 200 else (1.0,)


def _draw_curves(
    axes: "Axes", epochs: NDArray[np.float64], panel: Mapping[str, NDArray[np.float64]]
) -> None:
    """Draw one panel, logarithmic if its values span a factor of five or more."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    plain_axes(axes)
    colours = [ACCENT, WARM, "#4c8c4a", "#8657b8", "#8a6d1f", INK]
    everything = np.concatenate([v[np.isfinite(v)] for v in panel.values()])
    if everything.min() > 0 and everything.max() / everything.min() >= 5:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=_ticks(everything.max() / everything.min())))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    for order, (name, values) in enumerate(panel.items()):
        n = min(len(values), len(epochs))
        good = np.isfinite(values[:n])
        colour = colours[order % len(colours)]
        label = name.replace("_", " ")
        marker = "o" if good.sum() < 12 else None
        axes.plot(
            epochs[:n][good], values[:n][good], color=colour, label=label, marker=marker, ms=4
        )
        if _kind(name) == "error" and good.any():
            best = int(np.nanargmin(values[:n]))
            text = f"best {number(float(values[best]))} at {epochs[best]:g}"
            axes.plot(epochs[best], values[best], "o", color=colour, ms=5, label=text)
    axes.legend(frameon=False, fontsize=9, ncols=2)
