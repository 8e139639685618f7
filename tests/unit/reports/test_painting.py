"""Sticks, cell lines and names on a picture can be told apart."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from matplotlib.figure import Figure
from matplotlib.text import Text

from atomlens.reports import painting, structure_figure
from atomlens.reports.projection import atom_radii, project_scene
from atomlens.reports.scene import build_scene
from explained_makers import explained


def test_lines_of_the_cell_are_dashed() -> None:
    atoms = Atoms("He", cell=[6, 6, 6], positions=[(3, 3, 3)], pbc=True)
    scene = build_scene(atoms)
    view, radii = project_scene(scene), atom_radii(scene, atoms.numbers)
    dashes = painting.paint_cell(view, scene, radii)
    assert len(dashes) == 12 * 10
    lengths = [np.ptp(np.asarray(d.shape.vertices), axis=0).max() for d in dashes]
    assert sum(lengths) < 0.75 * 12 * 6


def test_a_line_of_the_cell_does_not_show_on_a_bond() -> None:
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True)  # bonded all along its edges
    scene = build_scene(atoms)
    view, radii = project_scene(scene), atom_radii(scene, atoms.numbers)
    assert painting.paint_cell(view, scene, radii) == []


@pytest.mark.parametrize(
    "atoms",
    [molecule("C6H6"), molecule("CH3CH2OH"), bulk("NaCl", "rocksalt", a=5.64, cubic=True)],
    ids=lambda atoms: atoms.get_chemical_formula(),
)
def test_names_do_not_cover_each_other(
    atoms: Atoms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boxes = []

    def look(figure: Figure, structure: object) -> None:
        (axes,) = figure.axes
        figure.draw_without_rendering()  # texts take their places
        boxes.extend(
            Text.get_window_extent(t) for t in axes.texts if t.get_bbox_patch() is not None
        )

    monkeypatch.setattr(structure_figure, "_colour_bar", look)
    structure_figure.draw_structure(explained(atoms), tmp_path / "a.png", n_named=8)
    assert len(boxes) >= 8
    overlaps = [a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i]]
    assert not any(overlaps)
