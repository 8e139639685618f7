"""Figures of embeddings: maps coloured by value and by class, components against each other."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from atomlens.chemistry.material_classes import MATERIAL_CLASSES
from atomlens.reports.canvas import ACCENT, INK, QUIET, new_figure, plain_axes
from atomlens.reports.colours import SCORE_COLOURS
from atomlens.reports.wording import shortened
from atomlens.studies.base import Row
from atomlens.studies.embeddings.numbers import correlation
from atomlens.studies.rows import as_number, numbers_of
from atomlens.units import unit_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NAMES = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}
_CLASS_COLOURS = dict(
    zip(
        MATERIAL_CLASSES,
        ("#3fae4f", "#d9403a", "#d8a92b", "#3f68d8", "#8a5a3c", "#8fc7d8", "#66717c", "#d0a5cf"),
        strict=True,
    )
)


def draw_maps(rows: Sequence[Row], method: str, path: Path) -> Path:
    """Draw the rows of ``map.csv``: a line for each model, coloured by value and by class.

    Where true values are not known, the predictions are shown.
    """
    models = list(dict.fromkeys(str(row["model"]) for row in rows))
    with new_figure(path, (8.6, 0.5 + 3.3 * len(models)), dpi=150) as figure:
        figure.set_layout_engine("constrained")
        panels = figure.subplots(len(models), 2, squeeze=False)
        for (left, right), model in zip(panels, models, strict=True):
            own = [row for row in rows if row["model"] == model]
            _colour_by_value(figure, left, own)
            _colour_by_class(right, own)
            left.set_title(shortened(model.replace("_", " "), 40))
            for axes in (left, right):
                axes.set_xticks([])
                axes.set_yticks([])
                for side in axes.spines.values():
                    side.set_visible(False)
            left.set_ylabel(_NAMES[method], color=QUIET)
    return path


def _colour_by_value(figure: "Figure", axes: "Axes", rows: Sequence[Row]) -> None:
    from matplotlib.colors import ListedColormap

    values = np.array([as_number(row["value"]) for row in rows])
    is_known = bool(np.isfinite(values).any())
    if not is_known:
        values = np.array([as_number(row["prediction"]) for row in rows])
    shown = np.isfinite(values)
    low, high = np.quantile(values[shown], [0.02, 0.98])
    points = axes.scatter(
        numbers_of(rows, "x")[shown],
        numbers_of(rows, "y")[shown],
        c=values[shown],
        cmap=ListedColormap(list(SCORE_COLOURS)),
        vmin=low,
        vmax=high,
        s=9,
        linewidths=0,
    )
    bar = figure.colorbar(points, ax=axes, shrink=0.8, aspect=22, extend="both")
    bar.outline.set_visible(False)
    target, unit = str(rows[0]["target"]).replace("_", " "), unit_text(str(rows[0]["unit"]))
    name = target if is_known else f"predicted {target}"
    bar.set_label(f"{shortened(name, 30)}, {unit}" if unit else shortened(name, 30), fontsize=9)


def _colour_by_class(axes: "Axes", rows: Sequence[Row]) -> None:
    x, y = numbers_of(rows, "x"), numbers_of(rows, "y")
    kinds = np.array([str(row["class"]) for row in rows])
    for name in MATERIAL_CLASSES:
        chosen = kinds == name
        if chosen.any():
            label = f"{name} ({int(chosen.sum())})"
            colour = _CLASS_COLOURS[name]
            axes.scatter(x[chosen], y[chosen], s=9, color=colour, linewidths=0, label=label)
    axes.legend(
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
        frameon=False,
        fontsize=8.5,
        markerscale=2.2,
        handletextpad=0.1,
    )


def draw_components(rows: Sequence[Row], path: Path) -> Path:
    """Draw the first and the second components of two models against each other."""
    models = list(dict.fromkeys(str(row["model"]) for row in rows))
    sides = [[row for row in rows if row["model"] == model] for model in models]
    with new_figure(path, (7.2, 3.6), dpi=150) as figure:
        figure.set_layout_engine("constrained")
        panels = figure.subplots(1, 2)
        for axes, word in zip(panels, ("first", "second"), strict=True):
            x, y = (numbers_of(side, f"{word}_component") for side in sides)
            plain_axes(axes)
            axes.scatter(x, y, s=8, color=ACCENT, alpha=0.5, linewidths=0)
            size = correlation(np.column_stack([x, y]))
            axes.set_title(f"{word} components: |r| = {size:.2f}")
            axes.set_xlabel(shortened(models[0].replace("_", " "), 36))
        panels[0].set_ylabel(shortened(models[1].replace("_", " "), 36), color=INK)
    return path
