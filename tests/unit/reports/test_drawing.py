"""Molecules on paper: who is drawn, whose score is where, in which colour."""

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from ase.build import bulk

from atomlens.errors import ExplanationError
from atomlens.reports.colours import BASELINE_COLOURS, atom_colours
from atomlens.reports.drawing import (
    draw_flat,
    draw_molecule,
    drawing_payload,
    fold,
    molecule_svg,
    scores_by_group,
)
from atomlens.structures import read, to_atoms
from explained_makers import explained, formula, water

ETHANOL = "smiles:CCO"


def test_hydrogens_are_folded_into_their_atoms_and_no_score_is_lost() -> None:
    drawing = draw_flat(to_atoms(ETHANOL))
    assert drawing is not None
    assert drawing.members == ((0, 3, 4, 5), (1, 6, 7), (2, 8))
    scores = np.random.default_rng(0).normal(size=9)
    assert fold(drawing, scores).sum() == pytest.approx(scores.sum())
    assert fold(drawing, scores)[2] == pytest.approx(scores[2] + scores[8])


@pytest.mark.parametrize("smiles", ["[H][H]", "[2H]C([2H])O", "[Na+].[Cl-]", "[H+]", "C"])
@pytest.mark.filterwarnings("ignore:.*(deuterium|set 3 Å apart|charge of)")
def test_every_atom_has_one_place(smiles: str) -> None:
    atoms = to_atoms(f"smiles:{smiles}")
    drawing = draw_flat(atoms)
    assert drawing is not None
    assert sorted(i for members in drawing.members for i in members) == list(range(len(atoms)))
    assert len(drawing.places) == len(drawing.members)


def test_discs_have_the_colours_of_the_scale() -> None:
    atoms = to_atoms(ETHANOL)
    scores = np.array([0.1, -0.3, 0.2, 0, 0, 0, 0, 0, 0.1])
    svg = molecule_svg(
        explained(atoms, scores=scores, scores_std=None, baseline=0.0, score_unit="eV")
    )
    fills = re.findall(r"class='disc'[^>]*fill='(#\w+)'", svg)
    assert fills == atom_colours(np.array([0.1, -0.3, 0.3]), 0.0)
    assert fills[1] == BASELINE_COLOURS[0]
    assert fills[2] == BASELINE_COLOURS[-1]
    for part in ("no effect", ", eV", "−0.300", "0.300"):
        assert part in svg


def test_the_file_is_whole_xml_whatever_the_name(tmp_path: Path) -> None:
    atoms = to_atoms(ETHANOL)
    path = draw_molecule(explained(atoms, name="</svg><script>\"'&水"), tmp_path / "a.svg")
    tree = ElementTree.fromstring(path.read_bytes())
    assert tree.tag.endswith("svg")
    assert not list(tree.iter("{http://www.w3.org/2000/svg}script"))


@pytest.mark.parametrize("smiles", ["CC(=O)Nc1ccc(O)cc1", "C[NH+](C)CCO", "NCC(N)=O", "OO"])
def test_no_letter_stands_half_on_a_disc(smiles: str) -> None:
    drawing = draw_flat(to_atoms(smiles))
    assert drawing is not None
    glyphs = re.findall(r"<path class='atom-(\d+)( on)?' d='([^']*)'", drawing.labels)
    beside = [(int(atom), path) for atom, on, path in glyphs if not on]
    assert beside
    for atom, path in beside:
        points = np.array(re.findall(r"-?\d+\.?\d*", path), dtype=float).reshape(-1, 2)
        box = np.clip(drawing.places[atom], points.min(axis=0), points.max(axis=0))
        assert np.linalg.norm(box - drawing.places[atom]) > 11.0
        assert (points > 0).all()
        assert (points < [drawing.width, drawing.height]).all()


@pytest.mark.parametrize("smiles", ["C12C3C4C1C5C4C3C25", "ClC(Cl)(Cl)C(Br)(c1ccccc1)C(F)(F)F"])
def test_discs_do_not_overlap_in_crowded_molecules(smiles: str) -> None:
    drawing = draw_flat(to_atoms(smiles))
    assert drawing is not None
    apart = np.linalg.norm(drawing.places[:, None] - drawing.places[None], axis=2)
    assert apart[np.triu_indices(len(apart), 1)].min() > 21


def test_letters_on_a_dark_disc_are_white_and_beside_it_black() -> None:
    scores = np.zeros(9)
    scores[2], scores[0] = -1.0, 1.0
    svg = molecule_svg(explained(to_atoms(ETHANOL), scores=scores, scores_std=None, baseline=0.0))
    on, beside = (
        re.findall(rf"<path class='atom-2{mark}'[^>]*fill='(#\w+)'", svg) for mark in (" on", "")
    )
    assert set(on) == {"#ffffff"}
    assert set(beside) == {"#000000"}  # the H of OH


@pytest.mark.parametrize(
    ("atoms", "part"),
    [
        (bulk("Cu"), "crystal"),
        (formula("Fe2O3"), "formula"),
        (water(), "SMILES, MOL or SDF"),
    ],
)
def test_what_has_no_drawing_says_why(atoms, part: str, tmp_path: Path) -> None:
    assert drawing_payload(explained(atoms)) is None
    with pytest.raises(ExplanationError, match=part):
        draw_molecule(explained(atoms), tmp_path / "a.svg")
    assert not list(tmp_path.iterdir())


def test_a_changed_structure_has_no_drawing() -> None:
    atoms = to_atoms(ETHANOL)
    atoms.numbers[2] = 16
    assert draw_flat(atoms) is None


@pytest.mark.filterwarnings("ignore:.*a flat drawing")
def test_bonds_come_from_mol_files_too(tmp_path: Path) -> None:
    from rdkit import Chem

    path = tmp_path / "flat.mol"
    path.write_text(Chem.MolToMolBlock(Chem.MolFromSmiles("C=O")), encoding="ascii")
    (atoms,) = read(path)
    drawing = draw_flat(atoms)
    assert drawing is not None
    assert drawing.bonds.count("class='bond-0") >= 2  # a double bond
    assert len(drawing.members) == 2


def test_groups_hold_every_atom_once_and_their_scores_add_up() -> None:
    atoms = to_atoms("smiles:CC(=O)OC")
    scores = np.random.default_rng(1).normal(size=len(atoms))
    groups = scores_by_group(explained(atoms, scores=scores, scores_std=None))
    assert sorted(i for group in groups for i in group.atoms) == list(range(len(atoms)))
    assert sum(group.score for group in groups) == pytest.approx(scores.sum())
    by_name = {group.name: group for group in groups}
    assert by_name["carbonyl O of an ester"].atoms == (2,)
    assert by_name["O of an ester"].atoms == (3,)
    sizes = [abs(group.score) for group in groups]
    assert sizes == sorted(sizes, reverse=True)
    assert scores_by_group(explained(water())) == []
