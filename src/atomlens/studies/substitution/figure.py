"""Figures of substitution: ratios by site and element, ratios against the values."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from atomlens.reports.canvas import ACCENT, INK, QUIET, WARM, new_figure, plain_axes
from atomlens.reports.colours import BASELINE_COLOURS, colour_at, text_colour
from atomlens.reports.wording import shortened
from atomlens.studies.base import Row
from atomlens.studies.rows import as_number
from atomlens.studies.statistics import Values
from atomlens.units import unit_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_SITES = 24
"""Rows of the heat map; further sites are in the table."""
_MOST_SYMBOLS = 60
"""With more structures than this, dots are drawn instead of symbols."""
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
            ratios[cell], changes[cell] = as_number(row["ratio"]), as_number(row["change"])
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
        text = f"{round(change, 3) + 0.0:+.3f}".replace("-", "−") if np.isfinite(change) else ""
        axes.text(j, i, text, color=colour, fontsize=8.5, ha="center", va="center")
    axes.set_xticks(np.arange(1, ratios.shape[1]) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, ratios.shape[0]) - 0.5, minor=True)
    axes.grid(True, which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="both", length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    bar = figure.colorbar(image, ax=axes, fraction=0.05, pad=0.02, format="%.2f")
    bar.ax.set_ylim(max(finite.min() - 0.02, 1 - reach), min(finite.max() + 0.02, 1 + reach))
    bar.outline.set_visible(False)
    bar.set_label("attention of the substituent\nover the lowest host atom", fontsize=9)


def draw_scatter(rows: Sequence[Row], correlations: Mapping[str, float], path: Path) -> Path:
    """Draw ratio against value, a panel for the model and each control.

    Args:
        rows: Of the table ``substitutions``, of one model.
        correlations: Spearman's by ``trained`` and the names of the controls; several networks
            of a control are drawn as their mean ratio, and their correlations averaged.
        path: .png, .svg or .pdf.
    """
    networks = ["ratio", *(str(name) for name in rows[0] if str(name).startswith(_NETWORK))]
    values = np.array([as_number(row["value"]) for row in rows])
    target = str(rows[0]["target"]).replace("_", " ")
    with new_figure(path, (1.2 + 3.0 * len(networks), 3.9)) as figure:
        figure.set_layout_engine("constrained")
        panels = figure.subplots(1, len(networks), sharex=True, squeeze=False)[0]
        for axes, network in zip(panels, networks, strict=True):
            ratios = np.array([as_number(row[network]) for row in rows])
            _draw_points(axes, rows, values, ratios)
            name = "trained" if network == "ratio" else network.removeprefix(_NETWORK)
            axes.set_title(name)
            if np.isfinite(correlations[name]):
                text = f"Spearman {correlations[name]:.2f}".replace("-", "−")
                axes.set_title(text, loc="right", fontsize=9.5, fontweight="normal", color=INK)
        panels[0].set_ylabel("attention of the substituent\nover the lowest host atom")
        figure.supxlabel(target + _bracket(rows[0]["unit"]), fontsize=10)
        _legend(figure, {str(row["group"]) for row in rows})
    return path


def _draw_points(axes: "Axes", rows: Sequence[Row], values: Values, ratios: Values) -> None:
    """Draw few structures as the symbol of their element, many as dots."""
    plain_axes(axes)
    axes.margins(x=0.09, y=0.09)
    axes.locator_params(axis="x", nbins=5)
    axes.axhline(1.0, color=QUIET, linewidth=1.0, zorder=1)
    good = np.isfinite(values) & np.isfinite(ratios)
    few = int(good.sum()) <= _MOST_SYMBOLS
    colours = np.array([_GROUP_COLOURS[str(row["group"])] for row in rows])
    size = 0.0 if few else 12.0
    axes.scatter(values[good], ratios[good], s=size, c=colours[good], alpha=0.6, linewidths=0)
    for i in np.flatnonzero(good & few).tolist():
        axes.text(
            values[i],
            ratios[i],
            str(rows[i]["element"]),
            color=colours[i],
            fontsize=9,
            fontweight="bold",
            ha="center",
            va="center",
            zorder=3,
        )


def _legend(figure: "Figure", groups: set[str]) -> None:
    from matplotlib.lines import Line2D

    words = {"low": "group said to be low", "high": "group said to be high", "": "other elements"}
    handles = [
        Line2D([], [], color=_GROUP_COLOURS[g], marker="s", linestyle="", ms=6, label=words[g])
        for g in words
        if g in groups
    ]
    figure.legend(
        handles=handles,
        frameon=False,
        fontsize=9,
        loc="outside upper center",
        ncols=3,
        handletextpad=0.2,
    )


def _in_groups(rows: Sequence[Row]) -> list[str]:
    """Return the elements, the low group first, then the high one, then the others."""
    groups = {str(row["element"]): str(row["group"]) for row in rows}
    order = {"low": 0, "high": 1, "": 2}
    return sorted(groups, key=lambda element: (order[groups[element]], element))


def _bracket(unit: object) -> str:
    return f" ({unit_text(str(unit))})" if unit else ""
