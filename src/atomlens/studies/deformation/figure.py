"""Figures of deformation: attention against geometry, and one structure coloured by both."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from atomlens.reports.canvas import ACCENT, INK, QUIET, WARM, add_colour_bar, new_figure, plain_axes
from atomlens.reports.colours import SCORE_COLOURS, colour_at, score_positions, text_colour
from atomlens.reports.wording import number, shortened
from atomlens.studies.base import Effect, Row
from atomlens.studies.deformation.numbers import CORRELATION
from atomlens.studies.rows import numbers_of
from atomlens.studies.statistics import Values

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from atomlens.reports.scene import Scene

Integers = NDArray[np.int64]

_SHOWN = ("elongation", "pyramidalisation")
_AXIS = {
    "elongation": "mean elongation of the bonds (Å)",
    "pyramidalisation": "pyramidalisation ({})",
}
_NETWORK = "attention, "
"""Columns of networks begin with this."""
_N_STEPS = 12
"""Points of the running median."""
_NETWORK_ELEMENTS = (1, 6)
_NO_VALUE = "#f1f3f5"
"""Atoms that are not compared, others than three-coordinated carbons; drawn small."""


def draw_relations(
    rows: Sequence[Row], effects: Mapping[str, Effect], path: Path, *, unit: str
) -> Path:
    """Draw relative attention against both measures, for the model and each control.

    Args:
        rows: Of the table ``atoms``, of one model.
        effects: By name, without the model's label; their correlations are written above.
        path: .png, .svg or .pdf.
        unit: Of pyramidalisation.
    """
    networks = [str(name) for name in rows[0] if str(name).startswith(_NETWORK)]
    with new_figure(path, (1.0 + 3.0 * len(networks), 6.2)) as figure:
        figure.set_layout_engine("constrained")
        panels = figure.subplots(2, len(networks), sharey="col", sharex="row", squeeze=False)
        for measure, line in zip(_SHOWN, panels, strict=True):
            x = numbers_of(rows, measure)
            effect = effects.get(CORRELATION.format(measure))
            for axes, network in zip(line, networks, strict=True):
                name = network.removeprefix(_NETWORK)
                _draw_density(axes, x, numbers_of(rows, network))
                axes.set_xlabel(_AXIS[measure].format(unit))
                if measure == _SHOWN[0]:
                    axes.set_title(name)
                if effect is not None:
                    value = effect.value if name == "trained" else effect.controls[name]
                    _write_correlation(axes, value)
        figure.supylabel("attention over the mean of the structure's carbons", fontsize=10)
        figure.legend(*_legend(), loc="outside upper center", ncols=2, frameon=False, fontsize=9)
    return path


def _legend() -> "tuple[list[Artist], list[str]]":
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    median = Line2D([], [], color=WARM, linewidth=2.0)
    return [median, Patch(color=WARM, alpha=0.22, lw=0)], ["running median", "quartiles"]


def _draw_density(axes: "Axes", x: Values, y: Values) -> None:
    """Draw where the atoms are, and the median and quartiles along the horizontal axis."""
    from matplotlib.colors import LinearSegmentedColormap

    plain_axes(axes)
    good = np.isfinite(x) & np.isfinite(y)
    x, y = x[good], y[good]
    low, high = np.quantile(x, [0.002, 0.998])
    bottom, top = np.quantile(y, [0.002, 0.998])
    inside = (x >= low) & (x <= high) & (y >= bottom) & (y <= top)
    blues = LinearSegmentedColormap.from_list("density", ["#dbe7f3", ACCENT, "#0d2a4d"])
    if inside.sum() > 500 and high > low and top > bottom:
        axes.hexbin(
            x[inside], y[inside], gridsize=34, bins="log", mincnt=1, cmap=blues, linewidths=0.1
        )
    else:
        axes.scatter(x, y, s=14, color=ACCENT, alpha=0.6, linewidths=0)
    axes.axhline(1.0, color=QUIET, linewidth=0.8, zorder=2)
    middles, quartiles = _running_quartiles(x, y)
    if len(middles) > 2:
        axes.fill_between(
            middles, quartiles[:, 0], quartiles[:, 2], color=WARM, alpha=0.22, lw=0, zorder=3
        )
        axes.plot(middles, quartiles[:, 1], color=WARM, linewidth=2.0, zorder=4)
    axes.margins(0.04)


def _running_quartiles(x: Values, y: Values) -> tuple[Values, Values]:
    """Return medians of x, and the quartiles of y, in groups of as many atoms."""
    order = np.argsort(x, kind="stable")
    groups = [g for g in np.array_split(order, _N_STEPS) if len(g) >= 5]
    middles = np.array([np.median(x[g]) for g in groups])
    return middles, np.array([np.quantile(y[g], [0.25, 0.5, 0.75]) for g in groups])


def _write_correlation(axes: "Axes", value: float) -> None:
    text = f"Spearman {value:.2f}".replace("-", "−") if np.isfinite(value) else "no spread"
    axes.set_title(text, loc="right", fontsize=9.5, fontweight="normal", color=INK)


def draw_example(rows: Sequence[Row], path: Path, *, unit: str) -> Path:
    """Draw one structure three times: coloured by attention and by both measures.

    Atoms that are not compared, others than three-coordinated carbons, are pale and small.
    """
    titles = {
        "attention": "attention",
        "elongation": "elongation (Å)",
        "pyramidalisation": f"pyramidalisation ({unit})",
    }
    compared = np.isfinite(numbers_of(rows, "elongation"))
    with new_figure(path, (9.6, 3.9)) as figure:
        figure.text(0.02, 0.945, shortened(str(rows[0]["structure"]), 50), fontweight="bold")
        for order, (name, title) in enumerate(titles.items()):
            left = 0.01 + 0.33 * order
            axes = figure.add_axes((left, 0.16, 0.32, 0.72))
            values = np.where(compared, numbers_of(rows, name), np.nan)
            _draw_atoms(axes, rows, values)
            finite = values[np.isfinite(values)]
            figure.text(left + 0.16, 0.885, title, ha="center", color=QUIET)
            _colour_bar(figure, finite, left)
    return path


def _draw_atoms(axes: "Axes", rows: Sequence[Row], values: Values) -> None:
    from ase import Atoms

    from atomlens.reports import painting
    from atomlens.reports.projection import atom_radii, project_scene
    from atomlens.reports.scene import build_scene

    numbers = np.array([int(str(row["atomic_number"])) for row in rows])
    positions = np.stack([numbers_of(rows, axis) for axis in "xyz"], axis=1)
    scene = _adsorbed_in_front(build_scene(Atoms(numbers=numbers, positions=positions)), numbers)
    view = project_scene(scene)
    known = np.isfinite(values)
    colours = np.full(len(rows), _NO_VALUE, dtype=object)
    colours[known] = [colour_at(s) for s in score_positions(values[known])]
    radii = atom_radii(scene, numbers)
    radii[(~known & np.isin(numbers, _NETWORK_ELEMENTS))[scene.atom_index]] *= 0.6
    layers = painting.paint_bonds(view, scene, radii)
    layers += painting.paint_atoms(view, scene.positions, radii, list(colours[scene.atom_index]))
    painting.draw_layers(axes, layers)
    seen = view(scene.positions)
    for i, atom in enumerate(scene.atom_index):
        if numbers[atom] not in _NETWORK_ELEMENTS:
            _write_symbol(axes, int(numbers[atom]), seen[i], str(colours[atom]))
    axes.set_axis_off()
    axes.set_aspect("equal")
    low, high = seen[:, :2].min(axis=0) - 0.7, seen[:, :2].max(axis=0) + 0.7
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))


def _adsorbed_in_front(scene: "Scene", numbers: Integers) -> "Scene":
    """Turn the structure round if what is adsorbed is behind it."""
    adsorbed = ~np.isin(numbers[scene.atom_index], _NETWORK_ELEMENTS)
    depths = scene.positions @ scene.rotation[2]
    if adsorbed.any() and depths[adsorbed].mean() < depths.mean():
        return replace(scene, rotation=np.diag([-1.0, 1.0, -1.0]) @ scene.rotation)
    return scene


def _write_symbol(axes: "Axes", atomic_number: int, place: Values, colour: str) -> None:
    from atomlens.elements import SYMBOLS

    axes.text(
        place[0],
        place[1],
        SYMBOLS[atomic_number],
        color=text_colour(colour),
        fontsize=9,
        ha="center",
        va="center_baseline",
    )


def _colour_bar(figure: "Figure", values: Values, left: float) -> None:
    """Draw the scale from the lowest to the highest atom."""
    add_colour_bar(figure, (left + 0.085, 0.075, 0.15, 0.035), SCORE_COLOURS)
    for x, value, side in ((0.078, values.min(), "right"), (0.242, values.max(), "left")):
        figure.text(
            left + x, 0.092, number(float(value)), fontsize=8.5, color=INK, ha=side, va="center"
        )
