"""The figure of motifs, enrichment by class, and which frameworks are drawn."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from atomlens.reports.canvas import ACCENT, INK, QUIET, WARM, new_figure, plain_axes
from atomlens.reports.wording import shortened
from atomlens.structures.arrays import StructureArrays
from atomlens.studies.attended_structure import atom_row, head_row
from atomlens.studies.base import Row
from atomlens.studies.motifs.numbers import CLASSES, METAL, Members
from atomlens.studies.networks import Measured
from atomlens.studies.rows import as_number, control_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_GROUP_COLOURS = {"element": ACCENT, "bond graph": WARM}
_CONTROL_MARKERS = ("D", "s", "^")
_LEAST = 1e-3
"""Smallest enrichment that is drawn; what gets less is drawn as this."""
_HOLLOW: dict[str, Any] = {
    "linestyle": "none",
    "markerfacecolor": "white",
    "markeredgecolor": INK,
    "markersize": 5.0,
    "zorder": 4,
}


def draw_enrichment(rows: Sequence[Row], path: Path) -> Path:
    """Draw the enrichment of every class with its interval, a panel for each model.

    Bars start from an even share; to the right a class gets more, to the left less.

    Args:
        rows: Of ``classes.csv``, one for each model, network and class.
        path: .png, .svg or .pdf.
    """
    models = list(dict.fromkeys(str(row["model"]) for row in rows))
    kinds = [name for name in CLASSES if any(row["class"] == name for row in rows)]
    heights = _heights(rows, kinds)
    size = (1.6 + 3.6 * len(models), 1.6 + 0.36 * len(kinds))
    with new_figure(path, size) as figure:
        figure.set_layout_engine("constrained")
        panels = figure.subplots(1, len(models), sharex=True, sharey=True, squeeze=False)[0]
        for axes, model in zip(panels, models, strict=True):
            own = [row for row in rows if row["model"] == model]
            _draw_panel(axes, own, heights)
            axes.set_title(shortened(model, 34))
        _set_scale(panels[0], rows)
        panels[0].set_yticks(list(heights.values()), list(heights))
        figure.supxlabel("share of the attention over share of the atoms", fontsize=10)
        _legend(figure, rows)
    return path


def _heights(rows: Sequence[Row], kinds: Sequence[str]) -> dict[str, float]:
    """Return where each class stands: from top to bottom, the two groupings apart."""
    groups = {str(row["class"]): str(row["grouping"]) for row in rows}
    first = groups[kinds[0]]
    return {kind: -i - 0.6 * (groups[kind] != first) for i, kind in enumerate(kinds)}


def _set_scale(axes: "Axes", rows: Sequence[Row]) -> None:
    """Show all values on a logarithmic axis, and never less than half and double."""
    from matplotlib.ticker import FormatStrFormatter, LogLocator, NullLocator

    names = ("enrichment", "enrichment_low", "enrichment_high")
    values = np.array([as_number(row[name]) for row in rows for name in names])
    values = values[np.isfinite(values)]
    low, high = min(0.5, values.min()), max(2.0, values.max())
    axes.set_xscale("log")
    axes.set_xlim(max(low / 1.3, _LEAST), high * 1.3)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if high > 100 * low else (1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes.xaxis.set_minor_locator(NullLocator())


def _draw_panel(axes: "Axes", rows: Sequence[Row], heights: dict[str, float]) -> None:
    """Draw bars with intervals for the trained model, a hollow marker for each control."""
    plain_axes(axes)
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.axvline(1.0, color=QUIET, linewidth=1.0, zorder=1)
    markers = dict(zip(control_names(rows), _CONTROL_MARKERS * 2, strict=False))
    for row in rows:
        height, value = heights[str(row["class"])], max(as_number(row["enrichment"]), _LEAST)
        if row["network"] in markers:
            axes.plot(value, height, marker=markers[str(row["network"])], **_HOLLOW)
            continue
        colour = _GROUP_COLOURS[str(row["grouping"])]
        axes.barh(
            height, value - 1.0, left=1.0, height=0.66, color=colour, alpha=0.8, lw=0, zorder=2
        )
        ends = [as_number(row["enrichment_low"]), as_number(row["enrichment_high"])]
        if np.isfinite(ends).all():
            axes.plot(ends, [height, height], color=INK, linewidth=1.4, zorder=3)
        axes.annotate(
            f"n = {row['n_structures']}",
            xy=(1.01, height),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=8,
            color=QUIET,
        )


def _legend(figure: "Figure", rows: Sequence[Row]) -> None:
    from matplotlib.artist import Artist
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Artist] = [
        Patch(color=colour, alpha=0.8, linewidth=0) for colour in _GROUP_COLOURS.values()
    ]
    names = [f"trained, by {group}" for group in _GROUP_COLOURS]
    for control, marker in zip(control_names(rows), _CONTROL_MARKERS * 2, strict=False):
        handles.append(Line2D([], [], marker=marker, **_HOLLOW))
        names.append(control)
    figure.legend(handles, names, loc="outside upper center", ncols=2, frameon=False, fontsize=9)


def rows_to_draw(
    one: Measured, structures: StructureArrays, members: Sequence[Members], n_pictures: int
) -> dict[str, list[Row]]:
    """Return all that is needed to draw the smallest structures with metals."""
    places = {int(row): place for place, row in enumerate(one.trained.kept)}
    with_metal = [row for row in places if members[row][METAL].any()]
    smallest = sorted(with_metal, key=lambda row: len(structures[row].atomic_numbers))
    heads: list[Row] = []
    atoms: list[Row] = []
    for picture, row in enumerate(smallest[:n_pictures]):
        structure = structures[row]
        heads.append(head_row(one, structure, places[row], picture))
        scores = one.trained.scores[places[row]]
        atoms += [
            atom_row(structure, atom, score, picture) | _classes(atom, members[row])
            for atom, score in enumerate(scores.tolist())
        ]
    return {"pictures": heads, "atoms": atoms}


def _classes(atom: int, members: Members) -> dict[str, object]:
    """Return the two classes of an atom."""
    element, place = (CLASSES[i] for i in np.flatnonzero(members[:, atom]))
    return {"element": element, "bond_graph": place}
