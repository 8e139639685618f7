"""A symmetric structure coloured by orbit, beside the attention of its atoms by orbit."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from atomlens.reports.canvas import INK, QUIET, new_figure, plain_axes
from atomlens.reports.wording import shortened
from atomlens.studies.base import Row
from atomlens.studies.rows import as_number, control_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c8c8c", "#b8a500")
"""Colours that can be told apart without red or green (Okabe and Ito, 2008); they repeat."""

_CONTROL_MARKERS = ("D", "s", "^")
_PICTURE = 2.5
"""Inches; width of the drawing of the structure."""
_BEFORE = 3.3
"""Inches; left of the first panel."""
_LEAST_RANGE = 0.03
"""Above and below one."""
_MOST_NAMED = 12


def draw_orbits(atoms: Sequence[Row], orbits: Sequence[Row], path: Path) -> Path:
    """Draw one structure and, for each model, every atom's score in the column of its orbit.

    Args:
        atoms: The structure's rows of ``atoms.csv``, one for each atom and model.
        orbits: Its rows of ``orbits.csv``, one for each orbit, model and network.
        path: .png, .svg or .pdf.
    """
    models = list(dict.fromkeys(str(row["model"]) for row in atoms))
    n_orbits = 1 + max(_number(row["orbit"]) for row in atoms)
    panel = min(max(1.9, 0.5 * n_orbits + 0.6), 6.0)
    width = _BEFORE + max(panel * len(models), 3.2)
    with new_figure(path, (width, 3.4)) as figure:
        picture = figure.add_axes((0.01, 0.12, _PICTURE / width, 0.7))
        _draw_structure(picture, [row for row in atoms if row["model"] == models[0]])
        share = panel / width
        panels: list[Axes] = []
        for i, model in enumerate(models):
            place = (_BEFORE / width + i * share, 0.21, share * 0.92, 0.57)
            axes = figure.add_axes(place, sharey=panels[0] if panels else None)
            panels.append(axes)
            own = [row for row in atoms if row["model"] == model]
            _draw_panel(axes, own, [row for row in orbits if row["model"] == model], n_orbits)
            axes.set_title(shortened(model, 28), fontsize=10)
            axes.tick_params(labelleft=i == 0)
        _set_heights(panels[0], atoms, orbits)
        _headings(figure, atoms, orbits, width)
    return path


def _number(value: object) -> int:
    return int(str(value))


def _set_heights(axes: "Axes", atoms: Sequence[Row], orbits: Sequence[Row]) -> None:
    """Show all scores, and never less than a few per cent: smaller differences are noise."""
    values = [row["score"] for row in atoms] + [row["mean_score"] for row in orbits]
    scores = np.array([1.0, *values], dtype=float)
    low, high = min(scores.min(), 1 - _LEAST_RANGE), max(scores.max(), 1 + _LEAST_RANGE)
    axes.set_ylim(low - 0.07 * (high - low), high + 0.07 * (high - low))
    axes.set_ylabel("attention × number of atoms")


def _headings(figure: "Figure", atoms: Sequence[Row], orbits: Sequence[Row], width: float) -> None:
    from matplotlib.lines import Line2D

    name, group = shortened(str(atoms[0]["structure"]), 22), str(atoms[0]["group"])
    heading = figure.text(0.15 / width, 0.92, name, fontsize=12, fontweight="bold", va="center")
    past = heading.get_window_extent().x1 / figure.bbox.width
    figure.text(past + 0.1 / width, 0.92, group, fontsize=11, color=QUIET, va="center")
    below = "orbits from the equator to the poles" if orbits[0]["height"] is not None else "orbits"
    figure.text(_BEFORE / width, 0.02, below, fontsize=9, color=QUIET)
    networks = control_names(orbits)
    handles = [Line2D([], [], marker="o", linestyle="none", color=INK, markersize=4)]
    for order, _ in enumerate(networks):
        marker = _CONTROL_MARKERS[order % len(_CONTROL_MARKERS)]
        handles.append(Line2D([], [], marker=marker, **_HOLLOW))
    figure.legend(
        handles,
        ["trained, each atom", *(f"{network}, mean" for network in networks)],
        loc="center left",
        bbox_to_anchor=(_BEFORE / width - 0.02, 0.92),
        ncols=1 + len(networks),
        frameon=False,
        fontsize=9,
        handletextpad=0.1,
        columnspacing=0.8,
    )


_HOLLOW: dict[str, Any] = {
    "linestyle": "none",
    "markerfacecolor": "white",
    "markeredgecolor": QUIET,
    "markersize": 4.5,
    "zorder": 2,
}


def _draw_panel(axes: "Axes", atoms: Sequence[Row], orbits: Sequence[Row], n_orbits: int) -> None:
    """Draw atoms as dots, the orbit's mean as a bar, the mean of every control hollow."""
    plain_axes(axes)
    axes.grid(False, axis="x")
    axes.axhline(1.0, color=QUIET, linewidth=0.8, zorder=1)
    markers = dict(zip(control_names(orbits), _CONTROL_MARKERS * 2, strict=False))
    names = [""] * n_orbits
    for orbit in range(n_orbits):
        scores = np.array([r["score"] for r in atoms if r["orbit"] == orbit], dtype=float)
        aside = np.linspace(-0.22, 0.22, len(scores)) if len(scores) > 1 else np.zeros(1)
        colour = COLOURS[orbit % len(COLOURS)]
        axes.plot([orbit - 0.32, orbit + 0.32], [scores.mean()] * 2, color=colour, lw=1.0, zorder=3)
        axes.scatter(orbit + aside, scores, s=11, color=colour, alpha=0.8, linewidths=0, zorder=4)
        for row in (r for r in orbits if r["orbit"] == orbit):
            names[orbit] = str(row["atoms"]).replace(" ", "\n", 1)
            if row["network"] in markers:
                marker = markers[str(row["network"])]
                axes.plot(orbit, as_number(row["mean_score"]), marker=marker, **_HOLLOW)
    axes.set_xlim(-0.6, n_orbits - 0.4)
    shown = names if n_orbits <= _MOST_NAMED else [""] * n_orbits
    axes.set_xticks(range(n_orbits), shown, fontsize=9)
    axes.tick_params(axis="x", length=0)


def _draw_structure(axes: "Axes", rows: Sequence[Row]) -> None:
    """Draw the atoms in the colours of their orbits."""
    from ase import Atoms

    from atomlens.reports import painting
    from atomlens.reports.projection import atom_radii, project_scene
    from atomlens.reports.scene import build_scene

    positions = np.array([[r["x"], r["y"], r["z"]] for r in rows], dtype=float)
    atoms = Atoms([str(r["symbol"]) for r in rows], positions=positions)
    scene = build_scene(atoms)
    view = project_scene(scene)
    radii = atom_radii(scene, atoms.numbers)
    orbits = [_number(row["orbit"]) for row in rows]
    colours = [COLOURS[orbits[i] % len(COLOURS)] for i in scene.atom_index]
    layers = painting.paint_bonds(view, scene, radii)
    layers += painting.paint_atoms(view, scene.positions, radii, colours)
    painting.draw_layers(axes, layers)
    seen = view(scene.positions)
    half = max(float(np.ptp(seen[:, 0])), float(np.ptp(seen[:, 1]))) / 2 + 0.8
    middle = (seen[:, :2].min(axis=0) + seen[:, :2].max(axis=0)) / 2
    axes.set_xlim(middle[0] - half, middle[0] + half)
    axes.set_ylim(middle[1] - half, middle[1] + half)
    axes.set_aspect("equal")
    axes.set_axis_off()
