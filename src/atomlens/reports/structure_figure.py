"""A picture of one structure, each atom coloured by its score."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from atomlens.elements import SYMBOLS
from atomlens.files import place_of
from atomlens.reports.canvas import INK, QUIET, add_colour_bar, new_figure
from atomlens.reports.colours import (
    all_equal,
    atom_colours,
    differs_little,
    element_colour,
    legend_colours,
    text_colour,
)
from atomlens.reports.content import ExplainedStructure, check_content
from atomlens.reports.labels import NAME_SIZE, Discs, write_names, write_symbols
from atomlens.reports.scene import Scene, build_scene
from atomlens.reports.wording import (
    formula_text,
    little_difference,
    number,
    prediction_text,
    shortened,
    within_error,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = (6.4, 4.8)
"""Inches."""
_LONGEST_TITLE = 36
"""Letters that have room to the left of the scale."""
DRAWING = (0.03, 0.15, 0.94, 0.70)
"""Left, bottom, width and height of the drawing, as shares of the figure."""
N_NAMED = 5
"""Atoms that carry their index and score: those with the highest."""


def draw_structure(
    structure: ExplainedStructure, path: str | Path, *, dpi: float = 200.0, n_named: int = N_NAMED
) -> Path:
    """Draw a structure coloured by score, with colour bar and the highest atoms named.

    Atoms keep the colour of the scale; depth shows in size, and bonds fade slightly. The suffix
    chooses .png, .svg or .pdf. ``n_named`` atoms carry their index (from 0) and score.
    """
    check_content(structure)
    with new_figure(path, SIZE, dpi=dpi) as figure:
        _headline(figure, structure)
        if structure.atoms.info.get("is_formula"):
            _draw_composition(figure.add_axes((0.04, 0.15, 0.92, 0.70)), structure)
        else:
            _draw_scene(figure.add_axes(DRAWING), structure, build_scene(structure.atoms), n_named)
        _colour_bar(figure, structure)
    return place_of(path)


def _headline(figure: "Figure", structure: ExplainedStructure) -> None:
    name, formula = shortened(structure.name, 44), formula_text(structure.atoms.numbers)
    heading = figure.text(0.04, 0.945, name, fontsize=13, fontweight="bold", va="center")
    if structure.name != formula and len(formula) <= 24:
        width = heading.get_window_extent().width / figure.bbox.width
        figure.text(0.06 + width, 0.945, formula, fontsize=12, color=QUIET, va="center")
    target = shortened(structure.target.replace("_", " "), 40)
    value = f"{target} = {prediction_text(structure)}"
    figure.text(0.04, 0.888, value, fontsize=11, va="center")


def _draw_scene(axes: "Axes", structure: ExplainedStructure, scene: Scene, n_named: int) -> None:
    from atomlens.reports import painting
    from atomlens.reports.projection import atom_radii, project_scene

    view = project_scene(scene)
    radii = atom_radii(scene, structure.atoms.numbers)
    shades = atom_colours(structure.scores, structure.baseline, structure.noise)
    colours = [shades[i] for i in scene.atom_index]
    layers = painting.paint_cell(view, scene, radii)
    layers += painting.paint_bonds(view, scene, radii)
    layers += painting.paint_atoms(view, scene.positions, radii, colours)
    painting.draw_layers(axes, layers)
    seen = view(scene.positions)
    grown = radii * view.enlargement(seen[:, 2])
    discs = Discs(seen[:, 0], seen[:, 1], grown, seen[:, 2])
    ends = np.array([end for _, end in scene.axes]).reshape(-1, 3)
    corners = view(np.concatenate([scene.cell_edges.reshape(-1, 3), ends]))
    points, (left, right, bottom, top) = fitted(discs, corners)
    axes.set_axis_off()
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    write_symbols(axes, structure, scene, discs, points)
    for (name, _), (x, y, depth) in zip(scene.axes, view(ends), strict=True):
        if not discs.cover(x, y, depth, room=0.2):
            axes.text(x, y, name, style="italic", color=QUIET, ha="center", va="center")
    if not all_equal(structure.scores):
        write_names(axes, structure, scene, discs, n_named, points)


def fitted(
    discs: Discs, corners: NDArray[np.float64]
) -> tuple[float, tuple[float, float, float, float]]:
    """Return how many points one ångström takes so that everything has room, and the limits.

    ``corners`` (n, 3) are other things that must be in view. The limits, left, right, bottom and
    top in Å, are those of the drawing's part of the figure.
    """
    margin = 0.35
    x = np.concatenate([discs.x - discs.radius, discs.x + discs.radius, corners[:, 0]])
    y = np.concatenate([discs.y - discs.radius, discs.y + discs.radius, corners[:, 1]])
    wide = 72.0 * SIZE[0] * DRAWING[2]
    high = 72.0 * SIZE[1] * DRAWING[3]
    names = 2 * 5.2 * NAME_SIZE  # room for a name on either side
    points = min(
        (wide - names) / (float(np.ptp(x)) + 2 * margin),
        (high - 2 * NAME_SIZE) / (float(np.ptp(y)) + 2 * margin),
        62.0,
    )
    middle_x, middle_y = float(x.min() + x.max()) / 2, float(y.min() + y.max()) / 2
    half_x, half_y = wide / points / 2, high / points / 2
    return points, (middle_x - half_x, middle_x + half_x, middle_y - half_y, middle_y + half_y)


def _draw_composition(axes: "Axes", structure: ExplainedStructure) -> None:
    """Draw a bare formula: a bar of its elements, and below it a bar for each element's score."""
    axes.set_axis_off()
    axes.set_xlim(0.0, 1.0)
    axes.set_ylim(0.0, 1.0)
    numbers, scores = structure.atoms.numbers, np.asarray(structure.scores)
    elements = [int(z) for z in dict.fromkeys(numbers)]
    shades = atom_colours(scores, structure.baseline, structure.noise)
    highest = max(float(np.abs(scores).max()), 1e-12)
    left, row = 0.0, min(0.13, 0.62 / len(elements))
    for order, z in enumerate(elements):
        members = np.flatnonzero(numbers == z)
        share, mean = len(members) / len(numbers), float(scores[members].mean())
        fill = element_colour(z)
        axes.barh(0.9, share, left=left, height=0.16, color=fill, edgecolor="white")
        if share > 0.05:
            text = f"{SYMBOLS[z]} {share:.0%}" if share > 0.12 else SYMBOLS[z]
            axes.text(
                left + share / 2, 0.9, text, color=text_colour(fill), ha="center", va="center"
            )
        left += share
        y = 0.66 - order * row
        colour = shades[members[0]]  # the atoms of an element score alike
        axes.text(0.0, y, f"{SYMBOLS[z]} × {len(members)}", va="center")
        axes.barh(y, 0.62 * abs(mean) / highest, left=0.13, height=0.62 * row, color=colour)
        axes.text(0.15 + 0.62 * abs(mean) / highest, y, number(mean), va="center", color=INK)


def scale_title(structure: ExplainedStructure) -> tuple[str, str]:
    """Return what stands beside the scale, and on the line below what has no room there."""
    title, more = f"{structure.method.replace('-', ' ')} per atom", []
    for fact, short, long in (
        (structure.score_unit, ", {}", "scores in {}"),
        (structure.model, " ({})", "model {}"),
    ):
        if fact and len(title) + len(short.format(fact)) <= _LONGEST_TITLE:
            title += short.format(fact)
        elif fact:
            more.append(shortened(long.format(fact), 48))
    if differs_little(structure.scores, structure.baseline):
        more.append(little_difference(structure.scores, structure.baseline).rstrip("."))
    doubted = within_error(structure)
    if doubted:
        more.append(doubted.partition(";")[0].lower())
    return shortened(title, _LONGEST_TITLE), "; ".join(more)


def _colour_bar(figure: "Figure", structure: ExplainedStructure) -> None:
    """Draw the scale from the lowest to the highest score, with the baseline marked on it."""
    scores = np.asarray(structure.scores, dtype=float)
    title, more = scale_title(structure)
    figure.text(0.04, 0.068, title, fontsize=9, va="center", color=QUIET)
    figure.text(0.04, 0.03, more, fontsize=9, va="center", color=QUIET)
    if all_equal(scores):
        text = f"all atoms score the same within 1 %: {number(float(scores.mean()))}"
        figure.text(0.96, 0.068, text, fontsize=9, va="center", ha="right")
        return
    low, high = float(scores.min()), float(scores.max())
    colours = legend_colours(scores, structure.baseline, structure.noise)
    bar = add_colour_bar(figure, (0.52, 0.052, 0.34, 0.032), colours, (low, high))
    figure.text(0.508, 0.068, number(low), fontsize=9, ha="right", va="center")
    figure.text(0.872, 0.068, number(high), fontsize=9, ha="left", va="center")
    if structure.baseline is not None and low <= structure.baseline <= high:
        bar.plot([structure.baseline] * 2, [-0.5, 1.5], color=INK, linewidth=1.2, clip_on=False)
        share = f"even share {number(structure.baseline)}"
        text = share if structure.baseline else "no effect"
        bar.text(structure.baseline, 1.7, text, fontsize=8, ha="center", va="bottom", color=INK)
