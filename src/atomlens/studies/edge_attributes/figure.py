"""Figures of edge attributes: matrices as heat maps, similarity against distance."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from atomlens.reports.canvas import ACCENT, QUIET, WARM, new_figure, plain_axes
from atomlens.reports.colours import BASELINE_COLOURS, colour_at, text_colour
from atomlens.reports.wording import shortened
from atomlens.studies.base import Row
from atomlens.studies.rows import as_number
from atomlens.studies.statistics import Values

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_LABELS = 12
"""Atoms with a label each; above, an element has one label."""
_MOST_NUMBERS = 7
"""Atoms up to which the numbers are written into the cells."""


def draw_matrices(rows: Sequence[Row], path: Path) -> Path:
    """Draw the matrices of ``matrices.csv``: a row of heat maps for each model.

    Colours run from the smallest to the largest entry of the model's row, zero in the middle.
    """
    models = list(dict.fromkeys(str(row["model"]) for row in rows))
    formulas = list(dict.fromkeys(str(row["formula"]) for row in rows))
    size = (0.9 + 2.6 * len(formulas), 0.6 + 2.55 * len(models))
    with new_figure(path, size) as figure:
        figure.set_layout_engine("constrained")
        panels = figure.subplots(len(models), len(formulas), squeeze=False)
        for line, model in zip(panels, models, strict=True):
            own = [row for row in rows if row["model"] == model]
            reach = max(abs(as_number(row["edge_attribute"])) for row in own)
            for axes, formula in zip(line, formulas, strict=True):
                entries = [row for row in own if row["formula"] == formula]
                _draw_matrix(axes, entries, max(reach, 1e-12))
                axes.set_title(formula if model == models[0] else "")
            line[0].set_ylabel("receiver")
            _colour_bar(figure, line, reach, shortened(model.replace("_", " "), 30))
        for axes in panels[-1]:
            axes.set_xlabel("sender")
    return path


def _draw_matrix(axes: "Axes", entries: Sequence[Row], reach: float) -> None:
    from matplotlib.colors import ListedColormap

    if not entries:
        axes.set_axis_off()
        return
    symbols = {int(as_number(row["receiver"])): str(row["receiver_element"]) for row in entries}
    names = [symbols[i] for i in sorted(symbols)]
    matrix = np.full((len(names), len(names)), np.nan)
    for row in entries:
        matrix[int(as_number(row["receiver"])), int(as_number(row["sender"]))] = as_number(
            row["edge_attribute"]
        )
    scale = ListedColormap(list(BASELINE_COLOURS))
    axes.imshow(np.ma.masked_invalid(matrix), cmap=scale, vmin=-reach, vmax=reach)
    if len(names) <= _MOST_NUMBERS:
        _write_numbers(axes, matrix, reach)
    places, shown = _tick_labels(names)
    axes.set_xticks(places, shown)
    axes.set_yticks(places, shown)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)


def _tick_labels(names: Sequence[str]) -> tuple[list[float], list[str]]:
    """Return a label for each atom, or in a large formula one for each element."""
    if len(names) <= _MOST_LABELS:
        return [float(i) for i in range(len(names))], list(names)
    kinds = list(dict.fromkeys(names))
    places = [float(np.mean([i for i, n in enumerate(names) if n == kind])) for kind in kinds]
    return places, [f"{kind} × {names.count(kind)}" for kind in kinds]


def _write_numbers(axes: "Axes", matrix: Values, reach: float) -> None:
    n_decimals = max(0, 1 - int(np.floor(np.log10(reach))))
    for (i, j), value in np.ndenumerate(matrix):
        if np.isfinite(value):
            shade = colour_at((value / reach + 1) / 2, BASELINE_COLOURS)
            text = f"{round(value, n_decimals) + 0.0:.{n_decimals}f}".replace("-", "−")
            colour = text_colour(shade)
            axes.text(j, i, text, color=colour, fontsize=7.5, ha="center", va="center")


def _colour_bar(figure: "Figure", line: "Sequence[Axes]", reach: float, name: str) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    scale = ScalarMappable(Normalize(-reach, reach), ListedColormap(list(BASELINE_COLOURS)))
    bar = figure.colorbar(scale, ax=list(line), shrink=0.85, aspect=18)
    bar.set_label(f"edge attribute ({name})", fontsize=9)
    bar.outline.set_visible(False)


def comparable_pairs(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of ``pairs.csv`` that have a distance: pairs of one prototype."""
    return [row for row in rows if np.isfinite(as_number(row["distance"]))]


def draw_similarities(rows: Sequence[Row], path: Path) -> Path:
    """Draw similarity against distance for pairs of the first model, networks side by side."""
    model = rows[0]["model"]
    own = [row for row in rows if row["model"] == model]
    columns = [name for name in own[0] if str(name).startswith("similarity")]
    with new_figure(path, (1.0 + 2.9 * len(columns), 3.3)) as figure:
        figure.set_layout_engine("constrained")
        panels = figure.subplots(1, len(columns), sharex=True, sharey=True, squeeze=False)[0]
        for axes, column in zip(panels, columns, strict=True):
            plain_axes(axes)
            for same, colour, name in ((False, ACCENT, "other pairs"), (True, WARM, "same class")):
                chosen = [r for r in own if bool(r["same_class"]) == same]
                x = [as_number(r["distance"]) for r in chosen]
                y = [as_number(r[column]) for r in chosen]
                axes.scatter(x, y, s=9, color=colour, alpha=0.6, linewidths=0, label=name)
            network = column.removeprefix("similarity").removeprefix(", ")
            network = f"{network}, mean of 3" if network == "untrained" else network
            axes.set_title(network or shortened(str(model).replace("_", " "), 26))
            axes.axhline(0.0, color=QUIET, linewidth=0.8, zorder=0)
        panels[0].set_ylabel("similarity of the matrices")
        panels[0].legend(loc="lower left", fontsize=8, frameon=False, handletextpad=0.1)
        figure.supxlabel("distance of the element vectors", fontsize=10)
    return path
