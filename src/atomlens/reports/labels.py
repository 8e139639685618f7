"""Names on a picture: symbols on the atoms, the highest atoms with index and score."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.reports.canvas import FAINT, INK, QUIET
from atomlens.reports.colours import atom_colours, text_colour
from atomlens.reports.content import ExplainedStructure
from atomlens.reports.scene import Scene
from atomlens.reports.wording import number, top_atoms

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MAX_SYMBOLS = 90
"""With more drawn atoms than this the symbols are left out."""
NAME_SIZE = 9.0
"""Points; the names of the highest atoms."""


class Discs(NamedTuple):
    """The drawn atoms on paper: x, y and radius in Å, depth (larger is nearer)."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    radius: NDArray[np.float64]
    depth: NDArray[np.float64]

    def cover(self, x: float, y: float, depth: float, room: float) -> bool:
        """Tell whether an atom nearer than ``depth`` covers a spot with some room around it."""
        near = self.depth > depth + 1e-6
        return bool(np.any(near & (np.hypot(self.x - x, self.y - y) < self.radius + room)))


class Symbol(NamedTuple):
    """An element's symbol on a drawn atom, its size in points and colour."""

    disc: int
    text: str
    size: float
    colour: str


def placed_symbols(
    structure: ExplainedStructure, scene: Scene, discs: Discs, points: float
) -> Iterator[Symbol]:
    """Give the symbols of atoms that are in view and large enough, hydrogen aside."""
    symbols = structure.atoms.get_chemical_symbols()
    if len(scene.atom_index) > _MAX_SYMBOLS:
        return
    colours = atom_colours(structure.scores, structure.baseline, structure.noise)
    for i, atom in enumerate(scene.atom_index):
        size = min(1.0 * discs.radius[i] * points, 12.0)
        plain = symbols[atom] == "H" and set(symbols) != {"H"}
        hidden = discs.cover(discs.x[i], discs.y[i], discs.depth[i], 0.45 * discs.radius[i])
        if size < 5.0 or plain or hidden:
            continue
        shrunk = size * (1.0 if len(symbols[atom]) == 1 else 0.85)
        yield Symbol(i, symbols[atom], shrunk, text_colour(colours[atom]))


def write_symbols(
    axes: "Axes", structure: ExplainedStructure, scene: Scene, discs: Discs, points: float
) -> None:
    """Write the element on every atom that is in view and large enough, hydrogen aside."""
    for i, text, size, colour in placed_symbols(structure, scene, discs, points):
        axes.text(
            discs.x[i],
            discs.y[i],
            text,
            fontsize=size,
            color=colour,
            ha="center",
            va="center_baseline",
        )


def write_names(
    axes: "Axes",
    structure: ExplainedStructure,
    scene: Scene,
    discs: Discs,
    n_named: int,
    points: float,
) -> None:
    """Name the highest atoms beside them, where the fewest things are in the way."""
    limits = (*axes.get_xlim(), *axes.get_ylim())
    for i, text, _, (x, y) in placed_names(structure, scene, discs, n_named, points, limits):
        axes.annotate(
            text,
            xy=(discs.x[i], discs.y[i]),
            xytext=(x, y),
            fontsize=NAME_SIZE,
            ha="center",
            va="center",
            color=INK,
            bbox={"boxstyle": "round,pad=0.22", "fc": "white", "ec": FAINT, "lw": 0.7},
            arrowprops={
                "arrowstyle": "-",
                "color": QUIET,
                "lw": 0.7,
                "shrinkA": 0,
                "shrinkB": 0.92 * discs.radius[i] * points,
            },
        )


class PlacedName(NamedTuple):
    """A name and where it has room, in Å on paper."""

    disc: int
    """the drawn atom that it names"""
    text: str
    half: tuple[float, float]
    """half the width and height of its box"""
    middle: tuple[float, float]


def placed_names(
    structure: ExplainedStructure,
    scene: Scene,
    discs: Discs,
    n_named: int,
    points: float,
    limits: tuple[float, float, float, float],
) -> Iterator[PlacedName]:
    """Give the highest atoms' names and places; ``limits`` are left, right, bottom and top."""
    taken: list[tuple[float, float, float, float]] = []
    for atom, text in _names(structure, n_named):
        drawn = np.flatnonzero(scene.atom_index == atom)
        i = int(drawn[np.argmax(discs.depth[drawn])])
        half = (0.29 * NAME_SIZE * len(text) / points, 0.62 * NAME_SIZE / points)
        x, y = _free_place(limits, discs, i, half, taken)
        taken.append((x - half[0], y - half[1], x + half[0], y + half[1]))
        yield PlacedName(i, text, half, (x, y))


def _names(structure: ExplainedStructure, n_named: int) -> list[tuple[int, str]]:
    """Return atoms and what to write beside them; equal atoms are named together."""
    symbols = structure.atoms.get_chemical_symbols()
    groups: dict[tuple[str, str], list[int]] = {}
    for atom in top_atoms(structure.scores, len(symbols), structure.baseline):
        key = (symbols[atom], number(float(structure.scores[atom])))
        if key not in groups and len(groups) == n_named:
            break
        groups.setdefault(key, []).append(atom)
    return [
        (
            members[0],
            f"{symbol}{members[0]}  {score}"
            if len(members) == 1
            else f"{symbol} × {len(members)}  {score}",
        )
        for (symbol, score), members in groups.items()
    ]


def _free_place(
    limits: tuple[float, float, float, float],
    discs: Discs,
    i: int,
    half: tuple[float, float],
    taken: list[tuple[float, float, float, float]],
) -> tuple[float, float]:
    """Return the middle of the box beside atom i that overlaps least."""
    left, right, bottom, top = limits
    away = np.arctan2(discs.y[i] - np.mean(discs.y), discs.x[i] - np.mean(discs.x))
    best, place = np.inf, (float(discs.x[i]), float(discs.y[i]))
    rings = [r * discs.radius[i] for r in (1.25, 1.8, 2.6, 3.6)]
    rings += [rings[-1] + n * half[1] for n in (2, 4, 7, 11, 16, 22)]
    for order, ring in enumerate(rings):
        for step in range(24):
            angle = away + (step + 1) // 2 * (-1) ** step * np.pi / 12
            x = discs.x[i] + np.cos(angle) * (ring + half[0])
            y = discs.y[i] + np.sin(angle) * (ring + half[1])
            inside = left + half[0] < x < right - half[0] and bottom + half[1] < y < top - half[1]
            gap_x = np.maximum(np.abs(discs.x - x) - half[0], 0.0)
            gap_y = np.maximum(np.abs(discs.y - y) - half[1], 0.0)
            cost = 0.0 if inside else 40.0
            covered = np.maximum(discs.radius - np.hypot(gap_x, gap_y), 0.0)
            cost += float(covered.sum() * 6) + 0.8 * int(np.count_nonzero(covered))
            cost += 20.0 * sum(
                x - half[0] < b[2] + 0.1
                and x + half[0] > b[0] - 0.1
                and y - half[1] < b[3] + 0.1
                and y + half[1] > b[1] - 0.1
                for b in taken
            )
            cost += 0.5 * order + 0.02 * step
            if cost < best:
                best, place = cost, (float(x), float(y))
    return place
