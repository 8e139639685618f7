"""How much more than by chance the prediction changes, for methods and for their controls."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from atomlens.reports.canvas import INK, QUIET, Mark, add_marks, new_figure, plain_axes
from atomlens.reports.wording import shortened
from atomlens.studies.base import Row
from atomlens.studies.faithful.words import answer_of
from atomlens.studies.rows import as_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TITLES = {
    "mask": "element hidden",
    "graph": "taken from the graph",
    "rebuilt": "structure read again",
}
_MARKERS = {
    "table by element": ("|", "#0072b2"),
    "table by element and neighbours": ("x", "#0072b2"),
    "table by environment": ("d", "#0072b2"),
    "untrained": ("s", "#8c8c8c"),
    "shuffled labels": ("^", "#8c8c8c"),
    "reversed": ("<", "#e69f00"),
}


_COLOURS = {"yes": "#009e73", "no": "#d9a08b", "undecided": "#c9ccd1"}


def draw_faithful(rows: Sequence[Row], path: Path, about: str = "") -> Path:
    """Draw one panel a meaning: a bar with interval for each method, a mark for each control.

    Args:
        rows: Of ``faithful.csv``.
        path: .png, .svg or .pdf.
        about: Model and property, such as ``qm9, homo``.
    """
    meanings = list(dict.fromkeys(str(row["meaning"]) for row in rows))
    methods = list(dict.fromkeys(str(row["method"]) for row in rows))
    height = 1.9 + 0.5 * len(methods)
    with new_figure(path, (2.2 + 2.9 * len(meanings), height)) as figure:
        panels = figure.subplots(1, len(meanings), sharey=True, squeeze=False)[0]
        for axes, meaning in zip(panels, meanings, strict=True):
            _draw_bars(axes, [r for r in rows if r["meaning"] == meaning], methods)
            axes.set_title(_TITLES[meaning], fontsize=10, color=INK)
        panels[0].set_yticks(range(len(methods)), methods)
        panels[0].invert_yaxis()
        width = 2.2 + 2.9 * len(meanings)
        figure.subplots_adjust(
            left=1.75 / width, right=1 - 0.15 / width, top=1 - 0.65 / height, bottom=1.15 / height
        )
        for axes, meaning in zip(panels, meanings, strict=True):
            own = [r for r in rows if r["meaning"] == meaning]
            intervals = [
                (
                    as_number(r["deletion_low"]),
                    as_number(r["deletion_high"]),
                    methods.index(str(r["method"])),
                )
                for r in own
            ]
            add_marks(axes, _marks(own, methods), intervals)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="lower center", ncols=4, frameon=False, fontsize=8.5)
        figure.text(
            0.5,
            0.72 / height,
            "change of the prediction over the first half of the deletions, "
            "over that of a random order",
            ha="center",
            fontsize=9,
            color=QUIET,
        )
        figure.suptitle(
            f"{shortened(about, 60)} · {rows[0]['n']} structures · 95 % intervals\n"
            "green: above chance, the best table and untrained networks; reddish: below one of "
            "them; grey: undecided",
            fontsize=9,
            color=QUIET,
            y=1 - 0.1 / height,
        )
    return path


def _draw_bars(axes: "Axes", rows: Sequence[Row], methods: Sequence[str]) -> None:
    plain_axes(axes)
    axes.axvline(1, color=INK, linewidth=1, linestyle=(0, (3, 2)))
    for row in rows:
        y = methods.index(str(row["method"]))
        value, low, high = (as_number(row[f"deletion{e}"]) for e in ("", "_low", "_high"))
        colour = _COLOURS[answer_of(row)]
        axes.barh(y, value, height=0.55, color=colour, zorder=1)
        axes.plot([low, high], [y, y], color=INK, linewidth=1.6, zorder=3)
    left = min(0.0, axes.get_xlim()[0])  # of intervals that go below nothing, both ends are seen
    axes.set_xlim(left=left)
    if left < 0:
        axes.axvline(0, color=QUIET, linewidth=0.8, zorder=0)


def _marks(rows: Sequence[Row], methods: Sequence[str]) -> list[Mark]:
    """Return what each control of a meaning has, at the row of its method."""
    found: list[Mark] = []
    for name, (marker, colour) in _MARKERS.items():
        points = [(as_number(r.get(name)), methods.index(str(r["method"]))) for r in rows]
        found.append(Mark(name, marker, colour, [p for p in points if np.isfinite(p[0])]))
    return found
