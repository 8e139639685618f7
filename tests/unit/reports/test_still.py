"""The picture as text shows what the other one shows, whatever the structure is called."""

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from atomlens.reports.colours import atom_colours
from atomlens.reports.scene import build_scene
from atomlens.reports.still import MOST_DRAWN, can_be_text, structure_svg
from explained_makers import explained, formula, water

_SVG = "{http://www.w3.org/2000/svg}"


def shown(atoms: Atoms, **changed: object) -> ElementTree.Element:
    return ElementTree.fromstring(structure_svg(replace(explained(atoms), **changed)))


def fills(picture: ElementTree.Element) -> list[str]:
    found = [circle.get("fill", "") for circle in picture.iter(f"{_SVG}circle")]
    return [fill for fill in found if fill.startswith("#")]


def words(picture: ElementTree.Element) -> str:
    return " ".join("".join(text.itertext()) for text in picture.iter(f"{_SVG}text"))


@pytest.mark.parametrize(
    "atoms",
    [
        molecule("CH3CH2OH"),
        bulk("NaCl", "rocksalt", a=5.6),
        Atoms("He"),
        Atoms("H2", [[0] * 3] * 2),
    ],
    ids=["molecule", "crystal", "one atom", "one place"],
)
def test_every_drawn_atom_is_a_disc(atoms: Atoms) -> None:
    assert len(fills(shown(atoms))) == len(build_scene(atoms).atom_index)


def test_a_flat_molecule_has_the_colours_of_its_scores() -> None:
    content = explained(water(), scores=np.array([0.6, 0.3, 0.1]))
    picture = ElementTree.fromstring(structure_svg(content))
    assert sorted(fills(picture)) == sorted(atom_colours(content.scores, content.baseline))


def test_names_scores_and_the_ends_of_the_scale_are_written() -> None:
    text = words(shown(water(), scores=np.array([0.625, 0.25, 0.125])))
    assert "O0" in text
    assert "0.625" in text
    assert "0.125" in text


@pytest.mark.parametrize("name", ["<b>&\"'</svg>", "a\u0000\u000b\ud800b", "]]>", "水 \u2028 µ"])
def test_a_name_cannot_break_the_picture(name: str) -> None:
    content = replace(explained(water()), name=name)
    picture = ElementTree.fromstring(structure_svg(content).encode())
    assert {element.tag.removeprefix(_SVG) for element in picture.iter()} <= {
        *("svg", "defs", "radialGradient", "stop", "rect", "text", "tspan", "path", "circle")
    }


def test_formulas_and_huge_structures_are_drawn_by_dots() -> None:
    assert can_be_text(explained(water()))
    assert not can_be_text(explained(formula("Fe2O3")))
    many = Atoms("H" * (MOST_DRAWN + 1), np.arange(3 * (MOST_DRAWN + 1)).reshape(-1, 3))
    assert not can_be_text(explained(many))


def test_a_page_needs_no_plotting_library() -> None:
    code = (
        "import sys; from explained_makers import explained, water;"
        "from atomlens.reports.page import write_page;"
        "write_page([explained(water())], sys.argv[1]); assert 'matplotlib' not in sys.modules"
    )
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        tests = Path(__file__).resolve().parents[2]
        subprocess.run(
            [sys.executable, "-c", code, str(Path(folder) / "page.html")], cwd=tests, check=True
        )
