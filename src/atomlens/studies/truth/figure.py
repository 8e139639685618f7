"""How well each method finds what is known, beside its tables."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from atomlens.reports.canvas import INK, QUIET, new_figure, plain_axes
from atomlens.studies.base import Row
from atomlens.studies.faithful.orders import TABLES

_MARKERS = ("|", "x", "d")


def draw_truth(rows: Sequence[Row], path: Path) -> Path:
    """Draw a bar with interval a model and method, and a mark for each table of its scores.

    Args:
        rows: Of ``truth.csv``, one metric.
        path: .png, .svg or .pdf.
    """
    names = [f"{row['model']}: {row['method']}" for row in rows]
    height = 1.5 + 0.34 * len(rows)
    with new_figure(path, (8.2, height)) as figure:
        axes = figure.add_axes((0.42, 0.95 / height, 0.55, (height - 1.4) / height))
        plain_axes(axes)
        for y, row in enumerate(rows):
            chance = row["method"] == "random" or str(row["method"]).startswith("table of the")
            value = _float(row["value"])
            axes.barh(y, value, height=0.6, color="#c9ccd1" if chance else "#0072b2", zorder=1)
            axes.plot([_float(row["low"]), _float(row["high"])], [y, y], color=INK, zorder=3)
        for table, marker in zip(TABLES, _MARKERS, strict=True):
            own = [(_float(r.get(f"table {table}")), y) for y, r in enumerate(rows)]
            points = [(x, y) for x, y in own if np.isfinite(x)]
            if points:
                xs, ys = zip(*points, strict=True)
                axes.scatter(
                    xs, ys, marker=marker, s=40, color="#e69f00", zorder=4, label=f"table {table}"
                )
        axes.set_yticks(range(len(rows)), names, fontsize=9)
        axes.invert_yaxis()
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.set_xlabel(f"{rows[0]['metric']} inside a structure, 95 % intervals", color=QUIET)
        handles, labels = axes.get_legend_handles_labels()
        if handles:
            figure.legend(handles, labels, loc="lower center", ncols=3, frameon=False, fontsize=8.5)
    return path


def _float(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else np.nan
