"""The figures of the study ``orbitals``: all molecules in numbers, some of them in pictures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from atomlens.elements import ATOMIC_NUMBERS
from atomlens.reports.canvas import ACCENT, FAINT, INK, QUIET, new_figure, plain_axes
from atomlens.reports.wording import shortened
from atomlens.studies.base import Row
from atomlens.studies.orbitals.cases import OrbitalsSettings, grid_of
from atomlens.studies.orbitals.lobes import Volume
from atomlens.studies.orbitals.orbital_figure import OrbitalRow, draw_orbitals
from atomlens.studies.orbitals.sample import PAPER_MOLECULES
from atomlens.studies.orbitals.solution import Orbital
from atomlens.studies.rows import as_number
from atomlens.studies.statistics import bootstrap

if TYPE_CHECKING:
    from ase import Atoms
    from matplotlib.axes import Axes

_CONTROL = "#9aa5b0"
_ROWS_A_FIGURE = 4
_GRID = np.linspace(-1.0, 1.0, 161)
_WIDTH = 0.14
"""Of the kernel that smooths the distributions."""
_FEWEST = 8
"""Molecules; a smoothed distribution of fewer would be the kernel, not them."""


def draw_correlations(rows: Sequence[Row], path: Path) -> Path:
    """Draw the distribution over molecules of Spearman's correlation, a panel for each model.

    Args:
        rows: With ``model``, ``score`` (``attention`` or the name of a control) and
            ``spearman_heavy``.
        path: .png, .svg or .pdf.
    """
    models = list(dict.fromkeys(str(row["model"]) for row in rows))
    scores = list(dict.fromkeys(str(row["score"]) for row in rows))
    size = (1.7 + 3.3 * max(len(models), 1), 1.2 + 0.52 * len(scores))
    with new_figure(path, size) as figure:
        figure.set_layout_engine("constrained")
        panels = figure.subplots(1, max(len(models), 1), sharex=True, sharey=True, squeeze=False)
        for axes, model in zip(panels[0], models, strict=False):
            own = [row for row in rows if row["model"] == model]
            _draw_panel(axes, own, scores)
            axes.set_title(shortened(model, 34))
        panels[0][0].set_yticks(range(len(scores)), scores[::-1])
        figure.supxlabel(
            "Spearman's correlation with the orbital\n(heavy atoms of each molecule)", fontsize=10
        )
    return path


def _draw_panel(axes: "Axes", rows: Sequence[Row], scores: Sequence[str]) -> None:
    plain_axes(axes, grid=False)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.spines["bottom"].set_bounds(-1.0, 1.0)
    axes.set_xticks([-1.0, -0.5, 0.0, 0.5, 1.0])
    axes.axvline(0.0, color=QUIET, linewidth=0.8, zorder=0)
    axes.set(xlim=(-1.02, 1.32), ylim=(-0.35, len(scores) - 0.05))
    for line, score in enumerate(reversed(scores)):
        axes.plot([-1, 1], [line, line], color=FAINT, linewidth=0.8, zorder=0)
        values = np.array([r["spearman_heavy"] for r in rows if r["score"] == score], dtype=float)
        values = values[np.isfinite(values)]
        if len(values):
            _draw_line(axes, values, line, ACCENT if score == "attention" else _CONTROL)


def _draw_line(axes: "Axes", values: NDArray[np.float64], line: int, colour: str) -> None:
    """Draw a smoothed distribution of many, every molecule, and the mean with its interval."""
    few = len(values) < _FEWEST
    if not few:
        density = np.exp(-0.5 * ((_GRID[:, None] - values) / _WIDTH) ** 2).sum(axis=1)
        height = line + 0.62 * density / density.max()
        axes.fill_between(_GRID, line, height, color=colour, alpha=0.40, linewidth=0, zorder=2)
        axes.plot(_GRID, height, color=colour, linewidth=1.0, zorder=2.5)
    size, width = (60, 1.5) if few else (9, 0.5)
    places = np.full(len(values), line + 0.15 if few else line - 0.1)
    axes.scatter(values, places, s=size, marker="|", color=colour, lw=width)
    axes.text(-1.0, line + 0.3, f"n = {len(values)}", fontsize=8, color=QUIET)
    mean = bootstrap(values)
    if np.isfinite(mean.low):
        axes.plot([mean.low, mean.high], [line, line], color=INK, linewidth=2.2, zorder=4)
    axes.plot([mean.value], [line], "o", color=INK, markersize=4.5, zorder=5)
    text = f"{mean.value:+.2f}".replace("-", "\N{MINUS SIGN}")
    axes.text(1.06, line, text, va="center", fontsize=9, color=INK)


def draw_molecules(
    tables: Mapping[str, Sequence[Row]], settings: OrbitalsSettings, folder: Path
) -> list[Path]:
    """Draw molecules: orbital in space, its share on the atoms, attention.

    The paper's molecules come first, then those that were given, at most ``pictures`` of each
    model; of the sample none is drawn. Orbitals that are not at hand are calculated.
    """
    found = {
        (str(r["model"]), str(r["molecule"])): as_number(r["spearman_heavy"])
        for r in tables["molecules"]
        if r["score"] == "attention"
    }
    atoms: dict[tuple[str, str], list[Row]] = {}
    for origin in ("paper", "inputs"):
        for row in tables["atoms"]:
            if row["set"] == origin:
                atoms.setdefault((str(row["model"]), str(row["molecule"])), []).append(row)
    drawn: list[OrbitalRow] = []
    for model in dict.fromkeys(model for model, _ in atoms):
        chosen = [key for key in atoms if key[0] == model and _is_shown(atoms[key])]
        drawn += [_row(key, atoms[key], found, settings) for key in chosen[: settings.pictures]]
    paths = []
    for start in range(0, len(drawn), _ROWS_A_FIGURE):
        number = f"-{start // _ROWS_A_FIGURE + 1}" if start else ""
        path = folder / f"isosurfaces{number}.png"
        rows = drawn[start : start + _ROWS_A_FIGURE]
        paths.append(draw_orbitals(rows, path, score_title="attention of the model"))
    return paths


def _is_shown(rows: Sequence[Row]) -> bool:
    """Tell whether a molecule is drawn: the paper's only with the orbital that it is about."""
    asked = {paper.name: paper.orbital for paper in PAPER_MOLECULES}
    first = rows[0]
    return first["set"] != "paper" or asked.get(str(first["molecule"])) == first["orbital"]


def _row(
    key: tuple[str, str],
    rows: Sequence[Row],
    found: Mapping[tuple[str, str], float],
    settings: OrbitalsSettings,
) -> OrbitalRow:
    molecule = _molecule(key[1], rows)
    orbital: Orbital = "homo" if rows[0]["orbital"] == "homo" else "lumo"
    grid = grid_of(molecule, orbital, settings, rows[0]["set"] == "paper")
    return OrbitalRow(
        name=key[1],
        remark=f"{orbital.upper()}, {_in_words(found[key])}",
        atoms=molecule,
        shares=np.array([r["share"] for r in rows], dtype=float),
        scores=np.array([r["attention"] for r in rows], dtype=float),
        volume=None
        if grid is None
        else Volume(values=grid.values, origin=grid.origin, spacing=grid.spacing),
    )


def _in_words(correlation: float) -> str:
    if not np.isfinite(correlation):
        return "too few different heavy atoms to rank"
    return f"Spearman {correlation:+.2f} over heavy atoms".replace("-", "\N{MINUS SIGN}")


def _molecule(name: str, rows: Sequence[Row]) -> "Atoms":
    from ase import Atoms

    numbers = [ATOMIC_NUMBERS[str(r["element"])] for r in rows]
    positions = np.array([[r["x"], r["y"], r["z"]] for r in rows], dtype=float)
    return Atoms(numbers, positions=positions, info={"name": name})
