"""Mean scores of environments with their intervals, as a figure to print."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from atomlens.elements import ATOMIC_NUMBERS
from atomlens.explain import EXPLAINERS
from atomlens.reports.canvas import INK, QUIET, new_figure, plain_axes
from atomlens.reports.colours import element_colour
from atomlens.studies.base import Row
from atomlens.studies.rows import as_number
from atomlens.units import unit_text

_MOST = 40
"""Rows of a figure."""
_FINEST = ("group", "site symmetry", "ring", "coordination", "element")


def draw_environments(rows: Sequence[Row], settings: Mapping[str, object], path: Path) -> Path:
    """Draw a dot with interval for each environment of the finest kind, sorted by its mean.

    Args:
        rows: Of ``environments.csv``.
        settings: Of the result: method, target and unit.
        path: .png, .svg or .pdf.
    """
    kind = next(k for k in _FINEST if any(row["kind"] == k for row in rows))
    chosen = [row for row in rows if row["kind"] == kind]
    if kind == "group":  # hydrogens would be half of the figure, and are named by their neighbour
        chosen = [row for row in chosen if row["element"] != "H"] or chosen
    chosen.sort(key=lambda row: -as_number(row["n_atoms"]))
    n_left = len(chosen) - _MOST
    chosen = sorted(chosen[:_MOST], key=lambda row: as_number(row["score"]))
    height = 1.75 + 0.24 * len(chosen)
    with new_figure(path, (8.2, height)) as figure:
        axes = figure.add_axes((0.44, 0.75 / height, 0.53, (height - 1.55) / height))
        plain_axes(axes)
        axes.axvline(0, color=QUIET, linewidth=0.8)
        for y, row in enumerate(chosen):
            colour = element_colour(ATOMIC_NUMBERS.get(str(row["element"]), 0))
            value, low, high = (as_number(row[f"score{e}"]) for e in ("", "_low", "_high"))
            axes.plot([low, high], [y, y], color=INK, linewidth=1.2, zorder=2)
            clear = as_number(row["p_holm"]) < 0.05
            fill = colour if clear else "white"
            axes.scatter([value], [y], s=34, color=fill, edgecolors=INK, linewidths=0.8, zorder=3)
        names = [f"{r['environment']}  (n = {int(as_number(r['n_atoms'])):,})" for r in chosen]
        axes.set_yticks(range(len(chosen)), names, fontsize=8.5)
        axes.set_ylim(-0.8, len(chosen) - 0.2)
        axes.locator_params(axis="x", nbins=6)
        axes.set_xlabel(axis_title(settings))
        figure.text(
            0.02,
            1 - 0.3 / height,
            f"{settings['target']}: {settings['method']} of an atom, by {kind}",
            fontsize=12,
            fontweight="bold",
            va="center",
        )
        words = "means over n atoms, 95 % intervals over structures; "
        words += "filled: differs from the element's other atoms"
        if n_left > 0:
            words += f"; {n_left} rarer ones are in the table"
        figure.text(0.02, 1 - 0.58 / height, words, fontsize=8.5, color=QUIET, va="center")
    return path


def axis_title(settings: Mapping[str, object]) -> str:
    """Return what the axis of the scores is called, with its unit."""
    method, target, unit = (str(settings[key]) for key in ("method", "target", "unit"))
    called = f"mean {method.replace('-', ' ')} of an atom, {target}"
    if not EXPLAINERS[method].in_target_units:
        return f"{called} (share; those of a structure sum to 1)"
    return f"{called} ({unit_text(unit)})" if unit else called
