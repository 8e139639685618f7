"""How well each method finds what is known, beside its tables."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from atomlens.reports.canvas import INK, QUIET, Mark, add_marks, new_figure, plain_axes
from atomlens.studies.base import Row
from atomlens.studies.faithful.orders import TABLES
from atomlens.studies.rows import as_number
from atomlens.studies.truth.taught import UNTRAINED

_MARKERS = ("|", "x", "d")


def draw_truth(rows: Sequence[Row], path: Path) -> Path:
    """Draw a bar with interval a model and method, and a mark for each table of its scores.

    What needs no trained network is grey.

    Args:
        rows: Of ``truth.csv``, one metric.
        path: .png, .svg or .pdf.
    """
    places, headings = _places(rows)
    longest = max(len(name) for name in (*headings.values(), *(str(r["method"]) for r in rows)))
    left = 0.3 + 0.075 * longest
    width, height = left + 4.8, 1.5 + 0.38 * (len(rows) + len(headings))
    with new_figure(path, (width, height)) as figure:
        axes = figure.add_axes((left / width, 0.95 / height, 4.6 / width, (height - 1.4) / height))
        plain_axes(axes)
        intervals: list[tuple[float, float, int]] = []
        for y, row in zip(places, rows, strict=True):
            value = as_number(row["value"])
            chance = not any(np.isfinite(as_number(row.get(f"table {t}"))) for t in TABLES)
            chance |= str(row["method"]).endswith(UNTRAINED)
            axes.barh(y, value, height=0.6, color="#c9ccd1" if chance else "#0072b2", zorder=1)
            ends = as_number(row["low"]), as_number(row["high"])
            axes.plot(ends, [y, y], color=INK, zorder=3)
            intervals.append((*ends, y))
        named = {**headings, **dict(zip(places, (str(r["method"]) for r in rows), strict=True))}
        ticks = axes.set_yticks(list(named), list(named.values()), fontsize=9)
        for tick, y in zip(ticks, named, strict=True):
            if y in headings:
                tick.label1.set_fontweight("bold")
        axes.set_ylim(len(rows) + len(headings) - 0.4, -0.6)
        axes.axvline(0, color=INK, linewidth=0.8)
        add_marks(axes, _marks(rows, places), intervals)
        axes.set_xlabel(
            f"{rows[0]['metric']} inside a structure, 95 % intervals; "
            "grey: without a trained network",
            color=QUIET,
            fontsize=8.5,
        )
        handles, labels = axes.get_legend_handles_labels()
        if handles:
            figure.legend(handles, labels, loc="lower center", ncols=3, frameon=False, fontsize=8.5)
    return path


def _marks(rows: Sequence[Row], places: Sequence[int]) -> list[Mark]:
    """Return what each table of the scores reaches, at the place of their row."""
    found: list[Mark] = []
    for table, marker in zip(TABLES, _MARKERS, strict=True):
        own = [(as_number(r.get(f"table {table}")), y) for r, y in zip(rows, places, strict=True)]
        found.append(
            Mark(f"table {table}", marker, "#e69f00", [p for p in own if np.isfinite(p[0])])
        )
    return found


def _places(rows: Sequence[Row]) -> tuple[list[int], dict[int, str]]:
    """Return where each row stands, and the headings of the models by their places."""
    places: list[int] = []
    headings: dict[int, str] = {}
    for row in rows:
        name = str(row["model"])
        if not headings or name != list(headings.values())[-1]:
            headings[len(places) + len(headings)] = name
        places.append(len(places) + len(headings))
    return places, headings
