"""Figures of substitution: ratios by site and element, ratios against the values."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from atomlens.reports.canvas import ACCENT, INK, QUIET, WARM, new_figure, plain_axes
from atomlens.reports.colours import BASELINE_COLOURS, colour_at, text_colour
from atomlens.reports.wording import shortened
from atomlens.studies.base import Row
from atomlens.studies.statistics import Values, spearman

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_SITES = 24
"""Rows of the heat map; further sites are in the table."""
_GROUP_COLOURS = {"low": ACCENT, "high": WARM, "": QUIET}
_NETWORK = "ratio, "
"""Columns of controls begin with this."""


def draw_map(rows: Sequence[Row], path: Path) -> Path:
    """Draw ratio (colour) and predicted change (number) of each element on each site."""
    hosts = list(dict.fromkeys(str(row["host"]) for row in rows))
    sites = list(dict.fromkeys((str(row["host"]), str(row["site"])) for row in rows))[:_MOST_SITES]
    elements = _in_groups(rows)
    ratios = np.full((len(sites), len(elements)), np.nan)
    changes = np.full(ratios.shape, np.nan)
    for row in rows:
        key = (str(row["host"]), str(row["site"]))
        if key in sites:
            cell = (sites.index(key), elements.index(str(row["element"])))
            ratios[cell], changes[cell] = _float(row["ratio"]), _float(row["change"])
    size = (2.6 + 0.78 * len(elements), 2.0 + 0.52 * len(sites))
    with new_figure(path, size) as figure:
        figure.set_layout_engine("constrained")
        axes = figure.subplots()
        _draw_cells(figure, axes, ratios, changes)
        names = [s if len(hosts) == 1 else f"{shortened(h, 18)}, {s}" for h, s in sites]
        axes.set_yticks(range(len(sites)), names)
        axes.set_xticks(range(len(elements)), elements)
        groups = {str(row["element"]): str(row["group"]) for row in rows}
        for tick, element in zip(axes.get_xticklabels(), elements, strict=True):
            tick.set_color(_GROUP_COLOURS[groups[element]] if groups[element] else INK)
            tick.set_fontweight("bold" if groups[element] else "normal")
        if len(hosts) == 1:
            axes.set_title(shortened(hosts[0], 30))
        unit, target = rows[0]["unit"], str(rows[0]["target"]).replace("_", " ")
        axes.set_xlabel(f"substituent;  in the cell: change of {target}" + _bracket(unit))
    return path


def _draw_cells(figure: "Figure", axes: "Axes", ratios: Values, changes: Values) -> None:
    from matplotlib.colors import ListedColormap, TwoSlopeNorm

    finite = ratios[np.isfinite(ratios)]
    reach = max(0.05, float(np.abs(finite - 1).max(initial=0.0)))
    scale = TwoSlopeNorm(1.0, 1.0 - reach, 1.0 + reach)
    image = axes.imshow(
        np.ma.masked_invalid(ratios),
        cmap=ListedColormap(list(BASELINE_COLOURS)),
        norm=scale,
        aspect="auto",
    )
    for (i, j), change in np.ndenumerate(changes):
        if not np.isfinite(ratios[i, j]):
            continue
        colour = text_colour(colour_at(float(scale(ratios[i, j])), BASELINE_COLOURS))
        text = f"{change:+.3f}".replace("-", "−") if np.isfinite(change) else ""
        axes.text(j, i, text, color=colour, fontsize=8.5, ha="center", va="center")
    axes.set_xticks(np.arange(1, ratios.shape[1]) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, ratios.shape[0]) - 0.5, minor=True)
    axes.grid(True, which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="both", length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    bar = figure.colorbar(image, ax=axes, fraction=0.05, pad=0.02)
    bar.ax.set_ylim(max(finite.min() - 0.02, 1 - reach), min(finite.max() + 0.02, 1 + reach))
    bar.outline.set_visible(False)
    bar.set_label("attention of the substituent\nover the lowest host atom", fontsize=9)


def draw_scatter(rows: Sequence[Row], path: Path) -> Path:
    """Draw ratio against value, a panel for the model and each control."""
    networks = ["ratio", *(str(name) for name in rows[0] if str(name).startswith(_NETWORK))]
    values = np.array([_float(row["value"]) for row in rows])
    target = str(rows[0]["target"]).replace("_", " ")
    with new_figure(path, (1.0 + 3.1 * len(networks), 3.7)) as figure:
        figure.set_layout_engine("constrained")
        panels = figure.subplots(1, len(networks), sharex=True, sharey=True, squeeze=False)[0]
        for axes, network in zip(panels, networks, strict=True):
            ratios = np.array([_float(row[network]) for row in rows])
            _draw_dots(axes, rows, values, ratios)
            title = "trained" if network == "ratio" else network.removeprefix(_NETWORK)
            axes.set_title(title)
        panels[0].set_ylabel("attention of the substituent\nover the lowest host atom")
        figure.supxlabel(target + _bracket(rows[0]["unit"]), fontsize=10)
        _legend(panels[0], {str(row["group"]) for row in rows})
    return path


def _draw_dots(axes: "Axes", rows: Sequence[Row], values: Values, ratios: Values) -> None:
    plain_axes(axes)
    axes.margins(x=0.09, y=0.09)
    axes.axhline(1.0, color=QUIET, linewidth=1.0, zorder=1)
    groups = np.array([str(row["group"]) for row in rows])
    elements = np.array([str(row["element"]) for row in rows])
    few = len(rows) <= 60
    for group in ("", "low", "high"):
        own = groups == group
        axes.scatter(
            values[own],
            ratios[own],
            s=30 if few else 12,
            color=_GROUP_COLOURS[group],
            alpha=0.85 if few else 0.5,
            linewidths=0,
            zorder=3,
        )
    for element in dict.fromkeys(elements.tolist()):
        own = np.flatnonzero((elements == element) & np.isfinite(values) & np.isfinite(ratios))
        if len(own):
            _write_element(axes, element, values[own], ratios[own])
    good = np.isfinite(values) & np.isfinite(ratios)
    found = spearman(values[good], ratios[good])
    text = f"Spearman {found:.2f}".replace("-", "−") if np.isfinite(found) else ""
    axes.text(0.98, 0.98, text, transform=axes.transAxes, ha="right", va="top", color=INK)


def _write_element(axes: "Axes", element: str, values: Values, ratios: Values) -> None:
    """Write the symbol at the dot nearest to the middle of its element."""
    spread = np.array([np.ptp(values) or 1.0, np.ptp(ratios) or 1.0])
    middle = np.array([np.median(values), np.median(ratios)])
    apart = np.linalg.norm((np.stack([values, ratios], axis=1) - middle) / spread, axis=1)
    nearest = int(np.argmin(apart))
    axes.annotate(
        element,
        (values[nearest], ratios[nearest]),
        xytext=(5, 4),
        textcoords="offset points",
        fontsize=8.5,
        color=INK,
        zorder=5,
    )


def _legend(axes: "Axes", groups: set[str]) -> None:
    from matplotlib.lines import Line2D

    words = {"low": "said to be low", "high": "said to be high"}
    handles = [
        Line2D([], [], color=_GROUP_COLOURS[g], marker="o", linestyle="", ms=5, label=words[g])
        for g in words
        if g in groups
    ]
    if handles:
        axes.legend(handles=handles, frameon=False, fontsize=8.5, loc="lower left", handletextpad=0)


def _in_groups(rows: Sequence[Row]) -> list[str]:
    """Return the elements, the low group first, then the high one, then the others."""
    groups = {str(row["element"]): str(row["group"]) for row in rows}
    order = {"low": 0, "high": 1, "": 2}
    return sorted(groups, key=lambda element: (order[groups[element]], element))


def _bracket(unit: object) -> str:
    return f" ({unit})" if unit else ""


def _float(value: object) -> float:
    return np.nan if value is None else float(str(value))
