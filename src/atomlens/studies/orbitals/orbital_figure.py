"""An orbital, its share on the atoms, and a score of the atoms, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from atomlens.files import place_of
from atomlens.reports import painting
from atomlens.reports.canvas import INK, QUIET, add_colour_bar, new_figure
from atomlens.reports.colours import (
    SCORE_COLOURS,
    all_equal,
    colour_at,
    element_colour,
    score_positions,
    text_colour,
)
from atomlens.reports.projection import Projection, atom_radii, project_scene
from atomlens.reports.scene import Scene, build_scene
from atomlens.reports.wording import shortened
from atomlens.studies.orbitals.lobes import Volume, Window, render_lobes

if TYPE_CHECKING:
    from ase import Atoms
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW_HEIGHT = 2.15
"""Inches."""
_COLUMN = 2.96
"""Inches, the width of a drawing."""
_HEAD = 0.36
"""Inches above the rows, for the titles of the columns."""
_FOOT = 0.10
_TILT = np.radians(-52.0)
"""From looking onto the molecule's plane towards looking along it, to see both sides."""
_UNFADED = (-1e12, 0.0)
"""A range of depths so wide that nothing fades: colours stand for numbers here."""
_MARGIN = 0.11
"""Inches at the left and right end."""
_MAX_SYMBOLS = 40
"""In molecules of more atoms the symbols are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrbitalRow:
    """One molecule: a row of the figure."""

    name: str
    remark: str
    """What stands beside the name, such as a correlation."""
    atoms: "Atoms"
    shares: NDArray[np.float64]
    """(n_atoms,) of the orbital"""
    scores: NDArray[np.float64]
    """(n_atoms,)"""
    volume: Volume | None = None
    """The orbital in space, if it is known."""


def draw_orbitals(rows: Sequence[OrbitalRow], path: str | Path, *, score_title: str) -> Path:
    """Draw molecules one below the other: orbital, its share on the atoms, score of the atoms.

    The surface of the orbital holds 65 % of its density; its two colours are its two signs.
    Each colour scale runs from the lowest to the highest atom of one molecule. If no orbital is
    known in space, its column is left out.
    """
    height = _HEAD + ROW_HEIGHT * len(rows) + _FOOT
    titles = ["orbital", "share of the orbital on each atom", score_title]
    if all(row.volume is None for row in rows):
        del titles[0]
    width = 2 * _MARGIN + _COLUMN * len(titles)
    lefts = [(_MARGIN + _COLUMN * i) / width for i in range(len(titles))]
    with new_figure(path, (width, height), dpi=150.0) as figure:
        for left, title in zip(lefts, titles, strict=True):
            x = left + _COLUMN / width / 2
            figure.text(x, 1 - 0.20 / height, title, ha="center", va="center", color=QUIET)
        for order, row in enumerate(rows):
            top = 1 - (_HEAD + order * ROW_HEIGHT) / height
            _draw_row(figure, row, lefts, top, ROW_HEIGHT / height)
    return place_of(path)


def _draw_row(
    figure: "Figure", row: OrbitalRow, lefts: Sequence[float], top: float, height: float
) -> None:
    column = _COLUMN / figure.get_figwidth()
    heading = figure.text(
        0.02, top - 0.05 * height, shortened(row.name, 40), fontweight="bold", va="center"
    )
    width = heading.get_window_extent().width / figure.bbox.width
    figure.text(0.035 + width, top - 0.05 * height, row.remark, color=QUIET, va="center")
    scene = _tilted(build_scene(row.atoms))
    view = replace(project_scene(scene), depth_range=_UNFADED)
    place = (0.74 * height, top - 0.86 * height)  # height and bottom of the drawings
    window = _window(scene, view, row, _COLUMN / (place[0] * figure.get_figheight()))
    elements = [element_colour(int(z)) for z in row.atoms.numbers]
    drawn = (None, row.shares, row.scores)[-len(lefts) :]
    for left, values in zip(lefts, drawn, strict=True):
        axes = figure.add_axes((left, place[1], column, place[0]))
        axes.set_axis_off()
        axes.set(xlim=window[:2], ylim=window[2:])
        if values is None and row.volume is None:
            axes.text(0.5, 0.5, "not drawn", transform=axes.transAxes, color=QUIET, ha="center")
            continue
        shades = score_positions(values) if values is not None else None
        colours = elements if shades is None else [colour_at(s) for s in shades]
        _draw_molecule(axes, row, scene, view, colours, named=values is not None)
        if values is None:
            _draw_lobes(axes, row, view, window)
        else:
            _colour_bar(figure, values, (left, top - 0.92 * height, column, 0.035 * height))


def _tilted(scene: Scene) -> Scene:
    cos, sin = np.cos(_TILT), np.sin(_TILT)
    tilt = np.array([[1.0, 0.0, 0.0], [0.0, cos, -sin], [0.0, sin, cos]])
    return replace(scene, rotation=tilt @ scene.rotation)


def _window(scene: Scene, view: Projection, row: OrbitalRow, ratio: float) -> Window:
    """Return the part of the paper that holds atoms and lobes, in the shape of a drawing."""
    points = [view(scene.positions)[:, :2]]
    if row.volume is not None:
        points.append(view(row.volume.inside(row.volume.surface_level()))[:, :2])
    seen = np.concatenate(points)
    low, high = seen.min(axis=0) - 0.45, seen.max(axis=0) + 0.45
    middle = (low + high) / 2
    tall = max(float(high[1] - low[1]), float(high[0] - low[0]) / ratio)
    half = np.array([tall * ratio, tall]) / 2
    (left, bottom), (right, top) = middle - half, middle + half
    return Window(float(left), float(right), float(bottom), float(top))


def _draw_molecule(
    axes: "Axes",
    row: OrbitalRow,
    scene: Scene,
    view: Projection,
    colours: Sequence[str],
    *,
    named: bool,
) -> None:
    radii = 0.9 * atom_radii(scene, row.atoms.numbers)
    layers = painting.paint_bonds(view, scene, radii)
    layers += painting.paint_atoms(
        view, scene.positions, radii, [colours[i] for i in scene.atom_index]
    )
    painting.draw_layers(axes, layers)
    if not named or len(row.atoms) > _MAX_SYMBOLS:
        return
    seen = view(scene.positions)
    symbols = row.atoms.get_chemical_symbols()
    for i, atom in enumerate(scene.atom_index):
        nearer = seen[:, 2] > seen[i, 2] + 1e-6
        apart = np.hypot(seen[:, 0] - seen[i, 0], seen[:, 1] - seen[i, 1])
        if symbols[atom] == "H" or np.any(nearer & (apart < 0.9 * radii + 0.12)):
            continue
        x, y, _ = seen[i]
        colour = text_colour(colours[atom])
        axes.text(
            x, y, symbols[atom], fontsize=7.5, color=colour, ha="center", va="center_baseline"
        )


def _draw_lobes(axes: "Axes", row: OrbitalRow, view: Projection, window: Window) -> None:
    assert row.volume is not None
    image = render_lobes(row.volume, view, window)
    axes.imshow(image, extent=(*window,), aspect="auto", zorder=3, interpolation="bilinear")


def _colour_bar(
    figure: "Figure", values: NDArray[np.float64], place: tuple[float, float, float, float]
) -> None:
    """Draw the scale from the lowest to the highest atom."""
    left, bottom, width, height = place
    middle = bottom + height / 2
    if all_equal(values):
        text = f"all atoms alike: {values.mean():.3f}"
        x = left + 0.5 * width
        figure.text(x, middle, text, fontsize=8, color=INK, ha="center", va="center")
        return
    add_colour_bar(figure, (left + 0.3 * width, bottom, 0.4 * width, height), SCORE_COLOURS)
    for x, value, side in ((0.285, values.min(), "right"), (0.715, values.max(), "left")):
        text = f"{max(float(value), 0.0):.3f}"
        figure.text(left + x * width, middle, text, fontsize=8, color=INK, ha=side, va="center")
