"""The picture of a structure as SVG text, for pages: the same drawing as PNG in a fraction of the
time, as no plotting library has to be loaded or asked.
"""

import html

import numpy as np

from atomlens.reports.canvas import FAINT, INK, QUIET
from atomlens.reports.colours import all_equal, atom_colours, legend_colours, mix
from atomlens.reports.content import ExplainedStructure, check_content
from atomlens.reports.labels import NAME_SIZE, Discs, placed_names, placed_symbols
from atomlens.reports.projection import (
    BOND_RADIUS,
    CELL_COLOUR,
    STICK,
    Projection,
    atom_radii,
    bond_ends,
    cell_dashes,
    project_scene,
)
from atomlens.reports.scene import Scene, build_scene
from atomlens.reports.structure_figure import DRAWING, N_NAMED, SIZE, fitted, scale_title
from atomlens.reports.wording import formula_text, number, prediction_text, shortened

MOST_DRAWN = 1500
"""Atoms of which a picture as text is smaller than one of dots."""
_PIXELS = 100.0
"""An inch."""
_POINT = _PIXELS / 72
_WIDTH, _HEIGHT = SIZE[0] * _PIXELS, SIZE[1] * _PIXELS


def can_be_text(structure: ExplainedStructure) -> bool:
    """Tell whether `structure_svg` can draw it: anything but bare formulas and huge structures."""
    return not structure.atoms.info.get("is_formula") and len(structure.atoms) <= MOST_DRAWN


def structure_svg(structure: ExplainedStructure) -> str:
    """Return a structure coloured by score, with colour bar and the highest atoms named."""
    check_content(structure)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" '
        f'width="{_WIDTH:g}" height="{_HEIGHT:g}" font-family="DejaVu Sans, Verdana, sans-serif">',
        _DEFINITIONS,
        f'<rect width="{_WIDTH:g}" height="{_HEIGHT:g}" fill="#fff"/>',
        *_headline(structure),
        *_drawing(structure, build_scene(structure.atoms)),
        *_colour_bar(structure),
        "</svg>",
    ]
    return "\n".join(parts)


_DEFINITIONS = (
    '<defs><radialGradient id="light" cx="0.32" cy="0.32" r="0.75">'
    '<stop offset="0" stop-color="#fff" stop-opacity="0.6"/>'
    '<stop offset="0.45" stop-color="#fff" stop-opacity="0.12"/>'
    '<stop offset="0.8" stop-color="#fff" stop-opacity="0"/>'
    "</radialGradient></defs>"
)


def _text(
    x: float,
    y: float,
    content: str,
    *,
    size: float,
    colour: str = INK,
    anchor: str = "start",
    more: str = "",
) -> str:
    """Return text whose middle line is at y; the size is in points."""
    pixels = size * _POINT
    plain = "".join(c if c.isprintable() else " " for c in content)
    safe = html.escape(plain).replace("  ", "\u00a0 ")  # spaces in a row would become one
    return (
        f'<text x="{x:.1f}" y="{y + 0.36 * pixels:.1f}" font-size="{pixels:.1f}" fill="{colour}" '
        f'text-anchor="{anchor}"{more}>{safe}</text>'
    )


def _headline(structure: ExplainedStructure) -> list[str]:
    name, formula = shortened(structure.name, 44), formula_text(structure.atoms.numbers)
    target = shortened(structure.target.replace("_", " "), 40)
    lines = [
        _text(26, 26, name, size=13, more=' font-weight="bold"'),
        _text(26, 54, f"{target} = {prediction_text(structure)}", size=11),
    ]
    if structure.name != formula and len(formula) <= 24:
        beside = (
            f'<tspan dx="14" font-weight="normal" font-size="{12 * _POINT:.1f}" fill="{QUIET}">'
            f"{html.escape(formula)}</tspan></text>"
        )
        lines[0] = lines[0].removesuffix("</text>") + beside
    return lines


def _drawing(structure: ExplainedStructure, scene: Scene) -> list[str]:
    view = project_scene(scene)
    radii = atom_radii(scene, structure.atoms.numbers)
    seen = view(scene.positions)
    grown = radii * view.enlargement(seen[:, 2])
    discs = Discs(seen[:, 0], seen[:, 1], grown, seen[:, 2])
    ends = view(np.array([end for _, end in scene.axes]).reshape(-1, 3))
    corners = np.concatenate([view(scene.cell_edges.reshape(-1, 3)), ends])
    points, limits = fitted(discs, corners)
    scale = points * _POINT
    left, top = DRAWING[0] * _WIDTH, (1 - DRAWING[1] - DRAWING[3]) * _HEIGHT

    def place(x: float, y: float) -> tuple[float, float]:
        return left + (x - limits[0]) * scale, top + (limits[3] - y) * scale

    layers: list[tuple[float, str]] = []
    for a, b in cell_dashes(view, scene, radii):
        depth = float(a[2] + b[2]) / 2
        colour = mix(CELL_COLOUR, "#ffffff", 1.5 * view.fade(depth))
        layers.append((depth, _line(place(a[0], a[1]), place(b[0], b[1]), 0.06 * scale, colour)))
    for a, b in zip(*bond_ends(view, scene, radii), strict=True):
        depth = float(a[2] + b[2]) / 2
        thick = 2 * BOND_RADIUS * float(view.enlargement(np.array(depth))) * scale
        line = [
            _line(place(a[0], a[1]), place(b[0], b[1]), share * thick, _faded(colour, view, depth))
            for share, colour in STICK
        ]
        layers.append((depth, "".join(line)))
    shades = atom_colours(structure.scores, structure.baseline, structure.noise)
    for i, atom in enumerate(scene.atom_index):
        depth = float(discs.depth[i])
        base = shades[atom]  # not faded: it stands for a number
        x, y = place(float(discs.x[i]), float(discs.y[i]))
        layers.append((depth + 1e-6, _ball(x, y, float(discs.radius[i]) * scale, base)))
    layers.sort(key=lambda layer: layer[0])
    drawn = [text for _, text in layers]
    for i, text, size, colour in placed_symbols(structure, scene, discs, points):
        x, y = place(float(discs.x[i]), float(discs.y[i]))
        drawn.append(_text(x, y, text, size=size, colour=colour, anchor="middle"))
    for (name, _), (x, y, depth) in zip(scene.axes, ends.tolist(), strict=True):
        if not discs.cover(x, y, depth, room=0.2):
            style = ' font-style="italic"'
            at = place(x, y)
            drawn.append(_text(*at, name, size=10, colour=QUIET, anchor="middle", more=style))
    if not all_equal(structure.scores):
        for name_box in placed_names(structure, scene, discs, N_NAMED, points, limits):
            i = name_box.disc
            atom_at = place(float(discs.x[i]), float(discs.y[i]))
            half = (name_box.half[0] * scale, name_box.half[1] * scale)
            drawn += _name(
                name_box.text,
                place(*name_box.middle),
                half,
                atom_at,
                float(discs.radius[i]) * scale,
            )
    return drawn


def _faded(colour: str, view: Projection, depth: float) -> str:
    return mix(colour, "#ffffff", view.fade(depth))


def _line(a: tuple[float, float], b: tuple[float, float], width: float, colour: str) -> str:
    return (
        f'<path d="M{a[0]:.1f} {a[1]:.1f}L{b[0]:.1f} {b[1]:.1f}" stroke="{colour}" '
        f'stroke-width="{width:.2f}"/>'
    )


def _ball(x: float, y: float, radius: float, colour: str) -> str:
    rim = 0.06 * radius
    circle = f'cx="{x:.1f}" cy="{y:.1f}" r="{radius - rim / 2:.2f}"'
    return (
        f'<circle {circle} fill="{colour}" stroke="{mix(colour, "#000000", 0.42)}" '
        f'stroke-width="{rim:.2f}"/><circle {circle} fill="url(#light)"/>'
    )


def _name(
    text: str,
    middle: tuple[float, float],
    half: tuple[float, float],
    atom: tuple[float, float],
    radius: float,
) -> list[str]:
    """Return a line from the atom to the box, the box and what stands in it."""
    way = np.array(middle) - np.array(atom)
    start = np.array(atom) + way * min(0.92 * radius / max(float(np.hypot(*way)), 1e-9), 1.0)
    wide, high = half[0] + 3.0, half[1] + 2.0
    return [
        _line((float(start[0]), float(start[1])), middle, 0.7 * _POINT, QUIET),
        f'<rect x="{middle[0] - wide:.1f}" y="{middle[1] - high:.1f}" width="{2 * wide:.1f}" '
        f'height="{2 * high:.1f}" rx="4" fill="#fff" stroke="{FAINT}"/>',
        _text(*middle, text, size=NAME_SIZE, anchor="middle"),
    ]


def _colour_bar(structure: ExplainedStructure) -> list[str]:
    """Draw the scale from the lowest to the highest score, with the baseline marked on it."""
    scores = np.asarray(structure.scores, dtype=float)
    title, more = scale_title(structure)
    y = (1 - 0.068) * _HEIGHT
    parts = [
        _text(26, y, title, size=9, colour=QUIET),
        _text(26, 0.97 * _HEIGHT, more, size=9, colour=QUIET),
    ]
    if all_equal(scores):
        text = f"all atoms score the same within 1 %: {number(float(scores.mean()))}"
        return [*parts, _text(0.96 * _WIDTH, y, text, size=9, anchor="end")]
    low, high = float(scores.min()), float(scores.max())
    left, width, tall = 0.52 * _WIDTH, 0.34 * _WIDTH, 0.032 * _HEIGHT
    colours = legend_colours(scores, structure.baseline, structure.noise)
    step = width / len(colours)
    parts += [
        f'<rect x="{left + i * step:.2f}" y="{y - tall / 2:.1f}" width="{step:.2f}" '
        f'height="{tall:.1f}" fill="{colour}" shape-rendering="crispEdges"/>'
        for i, colour in enumerate(colours)
    ]
    parts.append(_text(left - 8, y, number(low), size=9, anchor="end"))
    parts.append(_text(left + width + 8, y, number(high), size=9))
    if structure.baseline is not None and low <= structure.baseline <= high:
        x = left + width * (structure.baseline - low) / (high - low)
        text = f"even share {number(structure.baseline)}" if structure.baseline else "no effect"
        parts.append(_line((x, y - tall), (x, y + tall), 1.2 * _POINT, INK))
        parts.append(_text(x, y - tall - 8, text, size=8, anchor="middle"))
    return parts
