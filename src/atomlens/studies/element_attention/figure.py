"""The figure of element attention: one material, and all elements of all materials."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from atomlens.reports.canvas import ACCENT, FAINT, INK, QUIET, WARM, new_figure, plain_axes
from atomlens.reports.wording import shortened
from atomlens.studies.base import Row
from atomlens.studies.rows import numbers_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BARS = (
    ("share_of_atoms", "atoms", FAINT),
    ("attention_formula", "attention, formula", ACCENT),
    ("attention_structure", "attention, structure", WARM),
)
_MOST_NUMBERS = 3
"""Elements up to which the shares are written above the bars."""


def draw_elements(rows: Sequence[Row], name: str, path: Path) -> Path:
    """Draw the rows of ``elements.csv``: shares in one material, enrichments in all.

    Args:
        rows: One for each element of each material.
        name: Of the material on the left.
        path: .png, .svg or .pdf.
    """
    own = [row for row in rows if row["structure"] == name]
    with new_figure(path, (8.4, 3.7), dpi=150) as figure:
        figure.set_layout_engine("constrained")
        left, right = figure.subplots(1, 2)
        _draw_bars(left, own)
        formula = str(own[0]["formula"])
        left.set_title(shortened(name if name == formula else f"{name}, {formula}", 40))
        _draw_enrichments(right, rows)
    return path


def _draw_bars(axes: "Axes", rows: Sequence[Row]) -> None:
    plain_axes(axes)
    axes.grid(False, axis="x")
    places = np.arange(len(rows))
    for k, (column, label, colour) in enumerate(_BARS):
        heights = numbers_of(rows, column)
        axes.bar(places + 0.27 * (k - 1), heights, width=0.25, color=colour, label=label)
        for x, height in zip(places + 0.27 * (k - 1), heights, strict=True):
            if len(rows) <= _MOST_NUMBERS:
                text = f"{height:.3f}"
                axes.text(x, height, text, fontsize=7.5, ha="center", va="bottom", color=INK)
    axes.set_xticks(places, [str(row["element"]) for row in rows])
    axes.tick_params(axis="x", length=0)
    axes.set_ylabel("share")
    axes.margins(y=0.22)
    axes.legend(
        loc="upper left", fontsize=8, frameon=False, ncols=3, columnspacing=0.9, handlelength=1.0
    )


def _draw_enrichments(axes: "Axes", rows: Sequence[Row]) -> None:
    plain_axes(axes)
    atoms = numbers_of(rows, "share_of_atoms")
    x, y = (
        numbers_of(rows, column) / atoms for column in ("attention_formula", "attention_structure")
    )
    axes.axvline(1.0, color=QUIET, linewidth=0.8, zorder=1)
    axes.axhline(1.0, color=QUIET, linewidth=0.8, zorder=1)
    axes.scatter(x, y, s=8, color=ACCENT, alpha=0.4, linewidths=0, zorder=2)
    axes.set_title("all elements of all materials")
    axes.set_xlabel("enrichment, formula network")
    axes.set_ylabel("enrichment, structure network")
