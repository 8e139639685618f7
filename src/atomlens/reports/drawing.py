"""Molecules as chemists draw them: flat, hydrogens folded into their atoms, coloured by score.

rdkit draws the bonds and labels; the discs between them and the scale are ours, so that the
colours are those of the page and of the pictures in 3D.
"""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.chemistry.groups import group_names
from atomlens.errors import ExplanationError
from atomlens.files import write_text
from atomlens.reports.colours import (
    SCORE_COLOURS,
    all_equal,
    atom_colours,
    legend_colours,
    scale_ends,
    text_colour,
)
from atomlens.reports.content import ExplainedStructure, check_content
from atomlens.reports.wording import formula_text, number, prediction_text, shortened
from atomlens.structures.bonding import molecule_of

if TYPE_CHECKING:
    from ase import Atoms

MOST_DRAWN = 250
"""Atoms without hydrogens; larger molecules have no readable drawing."""
_BOND = 38.0
"""Length of a bond, in pixels."""
_SHORTEST, _LONGEST = 31.0, 60.0
"""To these it is changed where a molecule is wider than ``_WIDE``, or discs would overlap."""
_WIDE = 640.0
"""Pixels; wider drawings are made smaller on pages, and their letters with them."""
_DISC = 11.0
"""Radius of the disc of an atom, in pixels."""
_MARGIN = 26.0
_LEAST_WIDTH = 420.0
_FONT = "font-family='DejaVu Sans, Segoe UI, Helvetica, Arial, sans-serif'"
_INK, _QUIET = "#1d242b", "#5b6671"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A molecule on paper."""

    width: float
    height: float
    bonds: str
    """Elements of SVG in black, of the classes ``bond-I``; discs lie over them."""
    labels: str
    """The same of the classes ``atom-I``, over the discs; letters that stand on the disc of their
    atom also have the class ``on``."""
    members: tuple[tuple[int, ...], ...]
    """Of each drawn atom: itself, then the hydrogens that are folded into it."""
    places: NDArray[np.float64]
    """(n_drawn, 2) pixels from the upper left corner"""


def fold(drawing: Drawing, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n_atoms,) -> (n_drawn,) scores of the drawn atoms, those of their hydrogens added."""
    folded: NDArray[np.float64] = np.array(
        [scores[list(members)].sum() for members in drawing.members]
    )
    return folded


def draw_flat(atoms: "Atoms") -> Drawing | None:
    """Return the drawing of a molecule whose bonds are known; None for everything else.

    Bonds are known of SMILES, MOL and SDF files and rdkit's molecules.
    """
    molecule = molecule_of(atoms)
    if molecule is None:
        return None
    try:
        return _drawn(*_folded(molecule))
    except (ValueError, RuntimeError):  # bonds that rdkit can hold and not draw
        return None


def _folded(molecule: Any) -> tuple[Any, tuple[tuple[int, ...], ...]]:
    """Return the molecule without the hydrogens that hang on one heavy atom, and who is where."""
    from rdkit import Chem, rdBase

    owner = {}
    for atom in molecule.GetAtoms():
        atom.SetIntProp("_row", atom.GetIdx())
        heavy = [n.GetIdx() for n in atom.GetNeighbors() if n.GetAtomicNum() > 1]
        if atom.GetAtomicNum() == 1 and atom.GetDegree() == 1 and heavy:
            owner[atom.GetIdx()] = heavy[0]
    with rdBase.BlockLogs():
        parameters: Any = Chem.RemoveHsParameters()
        parameters.removeWithWedgedBond = True
        parameters.removeDefiningBondStereo = True
        parameters.removeIsotopes = True
        parameters.removeHydrides = False
        plain = Chem.RemoveHs(molecule, parameters, sanitize=False)
        plain.UpdatePropertyCache(strict=False)
    rows = [atom.GetIntProp("_row") for atom in plain.GetAtoms()]
    hanging: dict[int, list[int]] = {row: [] for row in rows}
    for hydrogen, heavy_row in owner.items():
        if hydrogen not in hanging:
            hanging[heavy_row].append(hydrogen)
    return plain, tuple((row, *hanging[row]) for row in rows)


def _drawn(molecule: Any, members: tuple[tuple[int, ...], ...]) -> Drawing | None:
    from rdkit import rdBase
    from rdkit.Chem import rdDepictor
    from rdkit.Chem.Draw import rdMolDraw2D

    if molecule.GetNumAtoms() > MOST_DRAWN:
        return None
    with rdBase.BlockLogs():
        _lay_out(molecule, rdDepictor)
        try:
            ready = rdMolDraw2D.PrepareMolForDrawing(molecule)
        except (ValueError, RuntimeError):  # rings that cannot be written with double bonds
            ready = rdMolDraw2D.PrepareMolForDrawing(molecule, kekulize=False)
        plane = ready.GetConformer().GetPositions()[:, :2]
        span = np.ptp(plane, axis=0) if len(plane) > 1 else np.zeros(2)
        bond = _bond_length(plane, float(span[0]))
        width = float(max(span[0] / 1.5 * bond + 2 * _MARGIN + 60, 120))
        height = float(span[1] / 1.5 * bond + 2 * _MARGIN + 20)
        pen = rdMolDraw2D.MolDraw2DSVG(round(width), round(height))
        options: Any = pen.drawOptions()
        options.clearBackground = False
        options.useBWAtomPalette()
        options.fixedBondLength = bond
        options.bondLineWidth = 1.7
        options.padding = 0.02
        options.prepareMolsBeforeDrawing = False
        options.minFontSize = options.maxFontSize = 15
        pen.DrawMolecule(ready)
        points = [pen.GetDrawCoords(i) for i in range(ready.GetNumAtoms())]
        pen.FinishDrawing()
        text = pen.GetDrawingText()
    places = np.array([[p.x, p.y] for p in points]).reshape(-1, 2)
    body = text.partition("<!-- END OF HEADER -->")[2].rpartition("</svg>")[0]
    elements = re.findall(r"<[^>]+>", re.sub(r"\s*\n\s*", " ", body))
    labels = [e for e in elements if "class='atom-" in e]
    bonds = [e for e in elements if "class='atom-" not in e]  # and the corners between them
    return Drawing(
        width=round(width),
        height=round(height),
        bonds="".join(bonds),
        labels=_with_marks("".join(labels), places),
        members=members,
        places=places,
    )


def _lay_out(molecule: Any, depictor: Any) -> None:
    """Give a molecule places in the plane; of several ways that which leaves most room.

    The usual one is kept where no discs overlap and no bond passes through one.
    """
    from rdkit import Chem

    best, found = -1.0, None
    for coordgen, templates in ((False, False), (False, True), (True, False)):
        tried = Chem.Mol(molecule)
        depictor.SetPreferCoordGen(coordgen)
        try:
            depictor.Compute2DCoords(tried, useRingTemplates=templates)
        finally:
            depictor.SetPreferCoordGen(False)
        plane = tried.GetConformer().GetPositions()[:, :2]
        ends = [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in tried.GetBonds()]
        room = min(_closest(plane), 2 * _beside_bonds(plane, np.array(ends).reshape(-1, 2)))
        if room > best + 1e-3:
            best, found = room, tried.GetConformer()
        if best / 1.5 * _BOND >= 2 * _DISC:
            break
    if found is not None:
        molecule.RemoveAllConformers()
        molecule.AddConformer(found)
    depictor.StraightenDepiction(molecule)


def _closest(plane: NDArray[np.float64]) -> float:
    """Return the distance of the two atoms that are nearest to each other; 1.5 for one atom."""
    if len(plane) < 2:
        return 1.5
    apart = np.linalg.norm(plane[:, None] - plane[None], axis=2)
    return float(apart[np.triu_indices(len(plane), 1)].min())


def _beside_bonds(plane: NDArray[np.float64], ends: NDArray[np.int64]) -> float:
    """Return the distance of the atom and the bond of others that are nearest to each other."""
    if len(plane) < 3 or not len(ends):
        return 1.5
    start, along = plane[ends[:, 0]], plane[ends[:, 1]] - plane[ends[:, 0]]
    offset = plane[None] - start[:, None]
    length = np.maximum((along**2).sum(axis=1), 1e-12)
    share = np.clip((offset * along[:, None]).sum(axis=2) / length[:, None], 0, 1)
    apart = np.linalg.norm(offset - share[:, :, None] * along[:, None], axis=2)
    own = np.arange(len(ends))
    apart[own, ends[:, 0]] = apart[own, ends[:, 1]] = np.inf
    return float(apart.min())


def _bond_length(plane: NDArray[np.float64], width: float) -> float:
    """Return how long bonds are drawn: shorter in wide molecules, longer where discs overlap."""
    wanted = min(_BOND, max(_SHORTEST, _BOND * _WIDE / max(width / 1.5 * _BOND, 1.0)))
    least = 2 * _DISC / max(_closest(plane) / 1.5, 1e-3)
    return max(wanted, min(least, _LONGEST))


_GLYPH = r"<path class='atom-(\d+)' d='([^']*)'"
_GAP = 1.5
"""Pixels between a disc and the letters beside it."""


def _with_marks(lines: str, places: NDArray[np.float64]) -> str:
    """Mark letters on the disc of their atom with the class ``on``, and move the others off it.

    A letter half on a disc could be read on neither of two colours.
    """
    moves = _moves(lines, places)

    def marked(match: re.Match[str]) -> str:
        side = _side(_points(match[2]), places[int(match[1])])
        if not side:
            return f"<path class='atom-{match[1]} on' d='{match[2]}'"
        dx, dy = moves[match[1], side]
        moved = re.sub(
            _PAIR, lambda m: f"{float(m[1]) + dx:.2f}{m[2]}{float(m[3]) + dy:.2f}", match[2]
        )
        return f"<path class='atom-{match[1]}' d='{moved}'"

    return re.sub(_GLYPH, marked, lines)


_NUMBER = r"-?\d+\.?\d*"
_PAIR = rf"({_NUMBER})([ ,]+)({_NUMBER})"


def _points(path: str) -> NDArray[np.float64]:
    return np.array(re.findall(_NUMBER, path), dtype=float).reshape(-1, 2)


def _side(points: NDArray[np.float64], place: NDArray[np.float64]) -> str:
    """Return on which side of its atom a letter stands, empty if on it."""
    dx, dy = (points.min(axis=0) + points.max(axis=0)) / 2 - place
    if np.hypot(dx, dy) < 0.8 * _DISC:
        return ""
    if abs(dx) >= 0.8 * abs(dy):
        return "right" if dx > 0 else "left"
    return "below" if dy > 0 else "above"


def _moves(lines: str, places: NDArray[np.float64]) -> dict[tuple[str, str], tuple[float, float]]:
    """Return by how much the letters on each side of each atom are moved."""
    nearest: dict[tuple[str, str], float] = {}
    for atom, path in re.findall(_GLYPH, lines):
        points, place = _points(path), places[int(atom)]
        side = _side(points, place)
        if not side:
            continue
        axis = 0 if side in ("left", "right") else 1
        own = points[:, axis] - place[axis]
        edge = float(own.min() if side in ("right", "below") else -own.max())
        nearest[atom, side] = min(edge, nearest.get((atom, side), np.inf))
    signs = {"right": (1, 0), "left": (-1, 0), "below": (0, 1), "above": (0, -1)}
    moves = {}
    for (atom, side), edge in nearest.items():
        step = max(_DISC + _GAP - edge, 0.0)
        moves[atom, side] = (signs[side][0] * step, signs[side][1] * step)
    return moves


def drawing_payload(structure: ExplainedStructure) -> dict[str, Any] | None:
    """Return the drawing as the page takes it; None if the structure has none."""
    drawing = draw_flat(structure.atoms)
    if drawing is None:
        return None
    scores = fold(drawing, np.asarray(structure.scores, dtype=np.float64))
    baseline = 0.0 if structure.baseline == 0 else None
    return {
        "scores": scores.tolist(),
        "all_equal": all_equal(scores),
        "scale_ends": [float(end) for end in scale_ends(scores, baseline, structure.noise)],
        "width": drawing.width,
        "height": drawing.height,
        "radius": _DISC,
        "bonds": drawing.bonds,
        "labels": drawing.labels,
        "members": [list(members) for members in drawing.members],
        "places": np.round(drawing.places, 1).tolist(),
        "groups": [
            {"name": group.name, "atoms": list(group.atoms), "score": group.score}
            for group in scores_by_group(structure)
        ],
    }


class GroupScore(NamedTuple):
    """What one kind of surroundings in a molecule adds up to."""

    name: str
    """See ``chemistry.groups.GROUPS``."""
    atoms: tuple[int, ...]
    """The atoms of this kind, with the hydrogens on them."""
    score: float
    """Sum over these atoms."""


def scores_by_group(structure: ExplainedStructure) -> list[GroupScore]:
    """Return the scores of a molecule by functional group and surroundings, largest first.

    Empty where the bonds are not known, or make no molecule that rdkit understands.
    """
    molecule = molecule_of(structure.atoms)
    if molecule is None:
        return []
    scores = np.asarray(structure.scores, dtype=np.float64)
    members: dict[str, list[int]] = {}
    try:
        names = group_names(molecule)
    except (ValueError, RuntimeError):  # valences beyond what rings and aromaticity are found in
        return []
    for atom, name in enumerate(names):
        members.setdefault(name.removeprefix("H: "), []).append(atom)
    found = [GroupScore(n, tuple(a), float(scores[a].sum())) for n, a in members.items()]
    return sorted(found, key=lambda group: -abs(group.score))


def draw_molecule(structure: ExplainedStructure, path: str | Path) -> Path:
    """Write a molecule's drawing as SVG: discs coloured by score, value, scale with its unit.

    The scores of hydrogens are added to those of the atoms that they hang on.

    Raises:
        ExplanationError: it is no molecule whose bonds are known, or the path does not end
            with .svg.
    """
    if Path(path).suffix.lower() != ".svg":
        raise ExplanationError(f"{path}: drawings of molecules are written as .svg.")
    return write_text(molecule_svg(structure), path)


def molecule_svg(structure: ExplainedStructure) -> str:
    """Return the text of the file that `draw_molecule` writes."""
    check_content(structure)
    drawing = draw_flat(structure.atoms)
    if drawing is None:
        raise ExplanationError(no_drawing(structure))
    scores = fold(drawing, np.asarray(structure.scores, dtype=np.float64))
    baseline = 0.0 if structure.baseline == 0 else None
    colours = atom_colours(scores, baseline, structure.noise)
    width = max(drawing.width, _LEAST_WIDTH)
    left, top = (width - drawing.width) / 2, 58.0
    height = top + drawing.height + 62
    return (
        "<?xml version='1.0' encoding='utf-8'?>\n"
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width:g}' height='{height:g}' "
        f"viewBox='0 0 {width:g} {height:g}' role='img'>\n"
        f"<title>{_escaped(structure.name)}: {_escaped(_value_of(structure))}</title>\n"
        f"<rect width='{width:g}' height='{height:g}' fill='#ffffff'/>\n"
        f"{_headline(structure, width)}\n"
        f"<g transform='translate({left:g} {top:g})'>\n"
        f"{drawing.bonds}\n{_discs(drawing, colours)}\n{_inked(drawing, colours)}\n</g>\n"
        f"{_scale(structure, scores, baseline, width, top + drawing.height + 14)}\n</svg>\n"
    )


def no_drawing(structure: ExplainedStructure) -> str:
    """Return why a structure has no drawing."""
    what = "a formula has no bonds" if structure.atoms.info.get("is_formula") else ""
    what = what or ("a crystal has none" if structure.atoms.pbc.any() else "")
    what = what or (
        "its bonds are not known, or it is too large; give it as SMILES, MOL or SDF with at most "
        f"{MOST_DRAWN} atoms beside hydrogens"
    )
    return f"{structure.name}: there is no drawing in 2D ({what})."


def _value_of(structure: ExplainedStructure) -> str:
    return f"{structure.target.replace('_', ' ')} = {prediction_text(structure)}"


_LETTER = 10.5
"""Widest that a bold letter of the name is on average, in pixels: capitals of a SMILES."""


def _headline(structure: ExplainedStructure, width: float) -> str:
    formula = formula_text(structure.atoms.numbers)
    n_letters = int((width - 32) / _LETTER)
    name = shortened(structure.name, n_letters)
    more = formula if len(name) + len(formula) < n_letters and name != formula else ""
    return (
        f"<text x='16' y='26' {_FONT} font-size='15' font-weight='700' fill='{_INK}'>"
        f"{_escaped(name)}<tspan font-weight='400' fill='{_QUIET}' dx='8'>{_escaped(more)}</tspan>"
        f"</text>\n<text x='16' y='46' {_FONT} font-size='13' fill='{_INK}'>"
        f"{_escaped(shortened(_value_of(structure), 60))}</text>"
    )


def _discs(drawing: Drawing, colours: Sequence[str]) -> str:
    return "\n".join(
        f"<circle class='disc' cx='{x:.1f}' cy='{y:.1f}' r='{_DISC:g}' fill='{colour}' "
        "stroke='#000000' stroke-opacity='0.18'/>"
        for (x, y), colour in zip(drawing.places, colours, strict=True)
    )


def _inked(drawing: Drawing, colours: Sequence[str]) -> str:
    """Return the labels, each letter in the ink that stands out on its disc."""

    def recoloured(match: re.Match[str]) -> str:
        ink = text_colour(colours[int(match[1])])
        return match[0].replace("#000000", ink)

    return re.sub(r"<path class='atom-(\d+) on'[^>]*>", recoloured, drawing.labels)


def _scale(
    structure: ExplainedStructure,
    scores: NDArray[np.float64],
    baseline: float | None,
    width: float,
    y: float,
) -> str:
    """Return the colour bar, from the lowest to the highest score that is drawn."""
    unit = f", {structure.score_unit}" if structure.score_unit else ""
    title = shortened(f"{structure.method.replace('-', ' ')} per atom with its hydrogens{unit}", 64)
    text = f"{_FONT} font-size='11.5' fill='{_INK}'"
    heading = f"<text x='16' y='{y + 8:g}' {_FONT} font-size='11.5' fill='{_QUIET}'>"
    heading += f"{_escaped(title)}</text>"
    if all_equal(scores):
        return (
            f"{heading}\n<rect x='16' y='{y + 18:g}' width='22' height='11' rx='2' "
            f"fill='{SCORE_COLOURS[0]}'/>\n<text x='46' y='{y + 28:g}' {text}>all alike within "
            f"1 %: {number(float(scores.mean()))}</text>"
        )
    low, high = float(scores.min()), float(scores.max())
    left, right = 70.0, width - 70.0
    colours = legend_colours(scores, baseline, structure.noise)
    step = (right - left) / len(colours)
    cells = "".join(
        f"<rect x='{left + k * step:.2f}' y='{y + 18:g}' width='{step + 0.6:.2f}' height='11' "
        f"fill='{colour}' shape-rendering='crispEdges'/>"
        for k, colour in enumerate(colours)
    )
    ends = (
        f"<text x='{left - 8:g}' y='{y + 28:g}' text-anchor='end' {text}>{number(low)}</text>"
        f"<text x='{right + 8:g}' y='{y + 28:g}' {text}>{number(high)}</text>"
    )
    mark = ""
    if baseline is not None and low < baseline < high:
        x = left + (right - left) * (baseline - low) / (high - low)
        mark = (
            f"<path d='M {x:.1f} {y + 15:g} v 17' stroke='{_INK}' stroke-width='1.5'/>"
            f"<text x='{x:.1f}' y='{y + 43:g}' text-anchor='middle' {text}>no effect</text>"
        )
    return f"{heading}\n{cells}\n{ends}\n{mark}"


def _escaped(text: str) -> str:
    return html.escape(text, quote=True)
