"""Vectors among atoms, waters typed as tungsten, files under other endings: each is called so."""

from pathlib import Path

import pytest

from atomlens.structures import read_structures

CIF = """data_x
_cell_length_a 6
_cell_length_b 6
_cell_length_c 6
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
{formula}
_symmetry_space_group_name_H-M 'P 1'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Ca1 Ca 0 0 0
Cl1 Cl .5 .5 0
Cl2 Cl .5 0 .5
{label}1 {kind} 0 .5 .5
"""
LAMMPS = """LAMMPS data file

2 atoms
2 atom types

0 4 xlo xhi
0 4 ylo yhi
0 4 zlo zhi

Atoms # atomic

1 1 0 0 0
2 2 2 2 2
"""


def said_of(path: Path, content: str) -> str:
    path.write_text(content)
    (failure,) = read_structures(path).failures
    return failure.message


@pytest.mark.parametrize("name", ["Tv", "VEC1", "vec_1"])
def test_vectors_among_the_atoms_are_no_atoms(tmp_path: Path, name: str) -> None:
    content = f"3\n\nNa 0 0 0\nCl 2.8 0 0\n{name} 5.6 0 0\n"
    said = said_of(tmp_path / "a.xyz", content)
    assert "line 5" in said
    assert "a vector of a cell among the atoms; write the cell into the title" in said
    assert "remove" not in said


@pytest.mark.parametrize("formula", ["_chemical_formula_sum 'Ca Cl2 O'", ""])
def test_a_water_is_no_tungsten(tmp_path: Path, formula: str) -> None:
    cif = CIF.format(formula=formula, label="Wat", kind="W")
    said = said_of(tmp_path / "a.cif", cif)
    assert "label 'Wat1' is that of a water and its type 'W'" in said


def test_an_element_that_the_formula_lacks_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.cif"
    path.write_text(CIF.format(formula="_chemical_formula_sum 'Ca Cl2 O'", label="M", kind="W"))
    with pytest.warns(UserWarning, match=r"sum formula \(Ca Cl2 O\) of the CIF; that has no W"):
        read_structures(path)
    path.write_text(CIF.format(formula="_chemical_formula_sum 'Ca Cl2 W'", label="Wat", kind="W"))
    (atoms,) = read_structures(path).structures
    assert atoms.get_chemical_formula() == "CaCl2W"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.data", LAMMPS, "looks like LAMMPS data; give it the ending .lmp"),
        ("a.pdb", "MODEL        1\nATOM      1  N   ALA A   1", "PDB files are not read"),
        ("b.pdb", "TITLE     A PROTEIN\nATOM      1  N   ALA A   1", "PDB files are not read"),
    ],
)
def test_files_are_called_what_they_hold(
    tmp_path: Path, name: str, content: str, words: str
) -> None:
    assert words in said_of(tmp_path / name, content)
