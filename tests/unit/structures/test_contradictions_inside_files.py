"""What a file says twice, in any format: refused with both sides named, or read with a warning."""

import json
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from atomlens.datasets import load_dataset
from atomlens.datasets.tables.files import headers_of
from atomlens.errors import DatasetError, Failure
from atomlens.predictor.inputs.rows import read_inputs
from atomlens.structures import to_atoms
from atomlens.structures.arrays import warnings_of
from small_cifs import SITES as LOOP
from small_cifs import cubic

CELL = "data_x\n" + cubic(5.64)
SALT = "Na1 Na 0 0 0\nCl1 Cl .5 .5 .5\n"
GROUP = "_space_group_IT_number 225\n"
BOTH = LOOP + "_atom_site_Cartn_x\n_atom_site_Cartn_y\n_atom_site_Cartn_z\n"
SHARES = LOOP + "_atom_site_occupancy\n"
LABELS = LOOP.replace("_atom_site_type_symbol\n", "")
POSCAR = "CsCl\n1.0\n4.12 0 0\n0 4.12 0\n0 0 4.12\nCs Cl\n1 1\nDirect\n0 0 0\n.5 .5 .5\n"
LATTICE = 'Lattice="4.12 0 0 0 4.12 0 0 0 4.12"'
WATER = "O 0 0 0\nH .96 0 0\nH -.24 .93 0\n"


def outcome(path: Path, content: str) -> Atoms | Failure:
    path.write_text(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (item,) = read_inputs([path])[0]
    return item  # type: ignore[return-value]


def said_of(path: Path, content: str) -> str:
    """Return the warnings of a structure, or why it is refused."""
    item = outcome(path, content)
    return item.message if isinstance(item, Failure) else " / ".join(warnings_of(item))


CIFS = {
    "another crystal system": (
        CELL + GROUP + "_symmetry_cell_setting monoclinic\n" + LOOP + SALT,
        "it says monoclinic, but space group number 225 is cubic; the latter was taken",
    ),
    "a crystal system beside P 1": (
        CELL
        + "_symmetry_space_group_name_H-M 'P 1'\n_space_group_crystal_system cubic\n"
        + LOOP
        + SALT,
        "but space group P 1 is triclinic; the 2 atoms were taken as they stand, so some may be",
    ),
    "dummies": (
        CELL + GROUP + LOOP + "_atom_site_calc_flag\n" + "Na1 Na 0 0 0 d\nCl1 Cl .5 .5 .5 dum\n",
        "sites that it marks as dummies (_atom_site_calc_flag dum) were left out: 1 row of its",
    ),
    "a cell length twice": (
        CELL + "_cell_length_a 6.0\n" + GROUP + LOOP + SALT,
        "_cell_length_a is given a second time",
    ),
    "two loops of atoms": (
        CELL + GROUP + LOOP + SALT + LOOP + "K1 K 0 0 0\n",
        "(2 rows before, 1 row now)",
    ),
    "the group of a parent alone": (
        CELL + "_parent_space_group.IT_number 225\n" + LOOP + SALT,
        "the space group 225 of its parent",
    ),
    "numbers of operations without these": (
        CELL + "loop_\n_symmetry_equiv_pos_site_id\n1\n2\n3\n4\n" + LOOP + SALT,
        "numbers of 4 symmetry operations",
    ),
    "Wyckoff letters of another group": (
        CELL
        + "_symmetry_space_group_name_H-M 'P 1'\n"
        + LOOP.replace("_fract_x", "_Wyckoff_symbol\n_atom_site_fract_x")
        + "Na1 Na a 0 0 0\nCl1 Cl b .5 .5 .5\n",
        "Wyckoff letters b, where P 1 has a alone",
    ),
    "a label that names another element": (
        CELL + GROUP + LOOP + "Na1 Cl 0 0 0\nCl1 Na .5 .5 .5\n",
        "the label Na1 names Na and its type symbol Cl",
    ),
    "a water without hydrogens": (
        CELL + LOOP + "Na1 Na 0 0 0\nO1W O .5 .5 .5\n",
        "2 hydrogens that belong to its atoms have no position",
    ),
    "a water without hydrogens beside others": (
        CELL + LOOP + "OW1 O .5 .5 .5\nC1 C 0 0 0\nH1 H .19 0 0\n",
        "2 hydrogens that belong to its atoms have no position",
    ),
    "lengths in pm": (CELL.replace("5.64", "564") + GROUP + LOOP + SALT, "are within 6 Å"),
    "two kinds of coordinates": (
        CELL + BOTH + "Na1 Na 0 0 0 0 0 0\nCl1 Cl .5 .5 .5 1 1 1\n",
        "its fractional and its Cartesian coordinates differ",
    ),
    "an occupancy in words": (CELL + GROUP + SHARES + "Na1 Na 0 0 0 full\n", "'full' is no number"),
    "an occupancy as a fraction": (CELL + GROUP + SHARES + "Na1 Na 0 0 0 1/2\n", "'1/2' is no"),
    "an occupancy below zero": (CELL + GROUP + SHARES + "Na1 Na 0 0 0 -1\n", "'-1' is no number"),
    "a group that reads like nihonium": (
        CELL + LOOP + "N1 NH4 0 0 0\nCl1 Cl .5 .5 .5\n",
        "4 hydrogens that belong to its atoms",
    ),
    "a group that reads like nobelium": (CELL + LOOP + "N1 NO3 0 0 0\n", "'NO3' is not an element"),
    "two species without shares": (
        CELL + GROUP + LOOP + "M1 Ca2+/Mg2+ 0 0 0\nO1 O .5 .5 .5\n",
        "its type 'Ca2+/Mg2+' names several species without the share of each",
    ),
    "a species and a vacancy": (CELL + LOOP + "M1 'Cu, Va' 0 0 0\n", "names several species"),
    "two species with shares": (
        CELL + GROUP + LOOP + "T1 '0.75Si + 0.25Al' 0 0 0\nO1 O .5 .5 .5\n",
        "is occupied by 0.75 Si and shares its place with Al: the structure is disordered",
    ),
    "amounts in a type symbol": (
        CELL + GROUP + LOOP + "M1 Cu0.5Au0.5 0 0 0\n",
        "is occupied by 0.5 Cu and shares its place with Au",
    ),
}


@pytest.mark.parametrize("what", CIFS)
def test_what_a_cif_says_twice_is_held_together(what: str, tmp_path: Path) -> None:
    content, words = CIFS[what]
    assert words in said_of(tmp_path / "x.cif", content)


@pytest.mark.parametrize(
    "content",
    [
        CELL + "_cell_length_a 5.64\n" + GROUP + LOOP + SALT,
        CELL + "_parent_space_group.IT_number 225\n" + GROUP + LOOP + SALT,
        CELL + LOOP + "OW1 O .5 .5 .5\nH1 H .67 .5 .5\nH2 H .46 .66 .5\n",
        CELL + "_chemical_formula_sum 'Na O'\n" + LOOP + "Na1 Na 0 0 0\nOW O .5 .5 .5\n",
        CELL + LOOP + "Ca O .1 .1 .1\nHo H .27 .1 .1\n".replace("Ca O", "Oa O"),
        CELL + "_chemical_formula_sum 'K Cl'\n" + GROUP + LOOP + "Na1 K 0 0 0\nCl1 Cl .5 .5 .5\n",
        CELL + BOTH + "Na1 Na 0 0 0 1 1 1\nCl1 Cl .5 .5 .5 -1.82 -1.82 3.82\n",
        CELL + LOOP + "U1 U4+ 0 0 0\nPA1 PA5+ .5 .5 .5\n",
        CELL + GROUP + LOOP + "M1 Fe3+/Fe2+ 0 0 0\nO1 'O 2-' .5 .5 .5\n",
        CELL + GROUP + LOOP + "M1 'Pb (II)' 0 0 0\nO1 'O oct' .5 .5 .5\n",
        CELL + GROUP + SHARES + "Na1 Na 0 0 0 ?\nCl1 Cl .5 .5 .5 1.\n",
    ],
)
def test_what_agrees_needs_no_warning(content: str, tmp_path: Path) -> None:
    assert said_of(tmp_path / "x.cif", content) == ""


POSCARS = {
    "names behind positions": (POSCAR.replace("0 0 0\n.5", "0 0 0 Cl\n.5"), "calls atom 0"),
    "the title": (POSCAR.replace("CsCl", "NaCl", 1), "its title is 'NaCl', but its atoms are CsCl"),
    "more rows than atoms": (POSCAR + ".2 .2 .2\n", "announces 2 atoms, but 3 positions follow"),
    "fractions called Cartesian": (POSCAR.replace("Direct", "Cartesian"), "0.87 Å apart"),
    "Å called fractions": (
        POSCAR.replace(".5 .5 .5", "2.06 2.06 2.06"),
        "were taken as parts of the cell",
    ),
    "lengths in nm": (POSCAR.replace("\n1.0\n", "\n0.1\n"), "check the unit"),
    "no word for the kind of coordinates": (POSCAR.replace("Direct", ""), "Direct or Cartesian"),
    "no line for the kind of coordinates": (
        POSCAR.replace("Direct\n", "") + ".1 .1 .1\n",
        "'0 0 0' where a POSCAR says Direct or Cartesian",
    ),
}


@pytest.mark.parametrize("what", POSCARS)
def test_what_a_poscar_says_twice_is_held_together(what: str, tmp_path: Path) -> None:
    content, words = POSCARS[what]
    assert words in said_of(tmp_path / "POSCAR", content)


def test_poscars_that_agree_need_no_warning(tmp_path: Path) -> None:
    for title in ("CsCl", "Cs1 Cl1", "Cs2Cl2", "my run", "POSCAR", "C1"):
        content = POSCAR.replace("CsCl", title, 1).replace("0 0 0\n.5", "0 0 0 T T F Cs\n.5")
        assert said_of(tmp_path / "POSCAR", content) == ""
    assert said_of(tmp_path / "POSCAR", POSCAR + "\n0 0 0.1\n0 0 0.1\n") == ""  # velocities


RUTILE = (
    "Ti O\n1.0\n4.6 0 0\n0 4.6 0\n0 0 2.96\nTi O\n2 4\nDirect\n0 0 0\n.5 .5 .5\n.3 .3 0\n"
    ".7 .7 0\n.2 .8 .5\n.8 .2 .5\n"
)


@pytest.mark.parametrize("title", ["Ti O", "O Ti", "Ti O Ti O", "TiO2"])
def test_a_title_of_elements_is_no_formula(title: str, tmp_path: Path) -> None:
    assert said_of(tmp_path / "POSCAR", RUTILE.replace("Ti O", title, 1)) == ""


@pytest.mark.parametrize("title", ["Ti N", "Ti O N", "TiO"])
def test_a_title_of_other_elements_is_told(title: str, tmp_path: Path) -> None:
    said = said_of(tmp_path / "POSCAR", RUTILE.replace("Ti O", title, 1))
    assert "its atoms are Ti2O4" in said


def test_no_more_formula_units_than_the_atoms_can_hold(tmp_path: Path) -> None:
    z = "_cell_formula_units_Z 4\n"
    said = said_of(tmp_path / "x.cif", CELL + z + LOOP + SALT)
    assert "no symmetry and 2 atoms, but Z = 4, while 1 Na 1 Cl are 1 formula unit at" in said
    with_symmetry = CELL + z + GROUP + LOOP + SALT
    assert said_of(tmp_path / "x.cif", with_symmetry) == ""
    assert said_of(tmp_path / "x.cif", CELL + z.replace("4", "1") + LOOP + SALT) == ""
    assert "while 2 Na 3 O are 1 formula unit" in said_of(
        tmp_path / "x.cif",
        CELL
        + z.replace("4", "2")
        + LOOP
        + "Na1 Na 0 0 0\nNa2 Na .5 .5 .5\nO1 O .5 0 0\nO2 O 0 .5 0\nO3 O 0 0 .5\n",
    )


IN_NM = {
    "x.cif": CELL.replace("5.64", "0.564") + GROUP + LOOP + SALT,
    "POSCAR": POSCAR.replace("\n1.0\n", "\n0.1\n"),
    "near.xyz": "3\n\nO 0 0 0\nH .096 0 0\nH -.024 .093 0\n",
    "x.xyz": "4\n\nC 0 0 0\nCl .176 0 0\nCl -.06 .165 0\nCl -.06 -.08 .145\n",
}


@pytest.mark.parametrize("name", IN_NM)
def test_lengths_in_nm_are_told_as_such(name: str, tmp_path: Path) -> None:
    said = said_of(tmp_path / name, IN_NM[name])
    assert "may be in nm; check the unit" in said
    assert "disorder" not in said


def test_alternatives_and_atoms_written_twice_are_not_lengths_in_nm(tmp_path: Path) -> None:
    two = CELL + GROUP + LOOP + SALT + "O1 O .25 .25 .25\n"
    assert "disordered part" in said_of(
        tmp_path / "x.cif", two.replace(GROUP, "") + "O2 O .3 .25 .25\n"
    )
    twice = said_of(tmp_path / "x.xyz", "4\n\n" + WATER + "O 0 0 0.01\n")
    assert "remove one of them" in twice
    assert "nm" not in twice
    pair = said_of(tmp_path / "x.xyz", "2\n\nO 0 0 0\nH 0 0 .05\n")
    assert "remove one of them" in pair


COMMAS = {
    "a coordinate of a CIF": (
        "x.cif",
        CELL + GROUP + LOOP + SALT.replace(".5 .5 .5", "0,5 0,5 0,5"),
    ),
    "a cell of a CIF": ("x.cif", CELL.replace("5.64", "5,64") + GROUP + LOOP + SALT),
    "an occupancy": ("x.cif", CELL + GROUP + SHARES + "Na1 Na 0 0 0 0,5\n"),
    "XYZ": ("x.xyz", "3\n\n" + WATER.replace(".", ",")),
    "a position of a POSCAR": ("POSCAR", POSCAR.replace(".5 .5 .5", "0,5 0,5 0,5")),
    "a vector of a POSCAR": ("POSCAR", POSCAR.replace("4.12", "4,12")),
}


@pytest.mark.parametrize("what", COMMAS)
def test_decimal_commas_are_told_as_such(what: str, tmp_path: Path) -> None:
    name, content = COMMAS[what]
    assert "write decimal points in place of the commas" in said_of(tmp_path / name, content)


def test_t_is_tritium_where_a_hydrogen_can_stand(tmp_path: Path) -> None:
    water = "O1 O 0 0 0\nT1 T .17 0 0\nT2 T -.04 .165 0\n"
    assert said_of(tmp_path / "x.cif", CELL + LOOP + water) == (
        "deuterium or tritium is treated as hydrogen"
    )
    zeolite = said_of(tmp_path / "x.cif", CELL + LOOP + "O1 O 0 0 0\nT1 T .28 0 0\n")
    assert "(T1, row" in zeolite
    assert "'T' is not an element here, since no atom is within 1.3 Å" in zeolite
    silica = "_chemical_formula_sum 'Si O2'\n"
    assert "'T' is not an element" in said_of(tmp_path / "x.cif", CELL + silica + LOOP + water)


PAIR = [[0, 0, 0], [0.5, 0.5, 0.5]]


def with_tritium(other: str, a: float, folder: Path) -> list[str]:
    """What is said of T beside another atom, in every format."""
    sites = [
        {"species": [{"element": element, "occu": 1}], "abc": place}
        for element, place in zip(("T", other), PAIR, strict=True)
    ]
    matrix = [[a, 0, 0], [0, a, 0], [0, 0, a]]
    structure = {"@class": "Structure", "lattice": {"matrix": matrix}, "sites": sites}
    lattice = f'Lattice="{a} 0 0 0 {a} 0 0 0 {a}" Properties=species:S:1:pos:R:3'
    half = a / 2
    contents = {
        "x.cif": "data_x\n" + cubic(a) + LOOP + f"T1 T 0 0 0\n{other}1 {other} .5 .5 .5\n",
        "x.vasp": POSCAR[4:].replace("4.12", str(a)).replace("Cs Cl", f"T {other}"),
        "x.xyz": f"2\n{lattice}\nT 0 0 0\n{other} {half} {half} {half}\n",
        "x.json": json.dumps(structure),
    }
    return [said_of(folder / name, content) for name, content in contents.items()]


def test_t_is_the_same_in_every_format(tmp_path: Path) -> None:
    notice = "deuterium or tritium is treated as hydrogen"
    assert with_tritium("Li", 2.3, tmp_path) == [notice] * 4  # 1.99 Å, as in lithium hydride
    for said in with_tritium("O", 1.9, tmp_path):  # 1.65 Å, as in a zeolite
        assert "no atom is within 1.3 Å of it" in said


XYZS = {
    "symbol and atomic number": (
        f"2\n{LATTICE} Properties=species:S:1:pos:R:3:Z:I:1\nCs 0 0 0 55\nCl 2.06 2.06 2.06 35\n",
        "is Cl by its symbol and Br by its atomic number 35",
    ),
    "more rows than atoms": ("2\nwater\n" + WATER, "announces 2 atoms, but 3 lines of atoms"),
    "a cell in words": ("3\na=4.1 b=4.1 c=4.1\n" + WATER, "may be those of a cell"),
    "lengths in pm": ("3\nwater\nO 0 0 0\nH 96 0 0\nH -24 93 0\n", "are within 6 Å"),
    "a lattice twice": (
        f"2\n{LATTICE} {LATTICE.replace('4.12', '5.0')}\nCs 0 0 0\nCl 2 2 2\n",
        "gives lattice twice",
    ),
    "a lattice and another cell": (
        f'2\n{LATTICE} cell="5 0 0 0 5 0 0 0 5"\nCs 0 0 0\nCl 2 2 2\n',
        "gives two cells",
    ),
    "flags twice": (f'2\n{LATTICE} pbc="T T T" pbc="F F F"\nCs 0 0 0\nCl 2 2 2\n', "pbc twice"),
    "how often a cell is repeated": (
        '2\nsupercell="2 2 2"\nCs 0 0 0\nCl 2.9 0 0\n',
        "a cell that was not understood",
    ),
}


@pytest.mark.parametrize("what", XYZS)
def test_what_an_xyz_says_twice_is_held_together(what: str, tmp_path: Path) -> None:
    content, words = XYZS[what]
    assert words in said_of(tmp_path / "x.xyz", content)


def test_frames_behind_one_with_a_wrong_number_are_read(tmp_path: Path) -> None:
    path = tmp_path / "x.xyz"
    path.write_text(f"2\na\n{WATER}3\nb\n{WATER}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first, second = read_inputs([path])[0]
    assert isinstance(first, Failure)
    assert len(second) == 3


MOL = "x\n  test{0:>14}\n\n{1}M  END\n"
ETHANE = (
    "  2  1  0  0  0  0            999 V2000\n"
    "    0.0000    0.0000    0.1000 C   0  0\n    1.5000    0.0000    0.0000 C   0  0\n"
    "  1  2  {}  0\n"
)


def test_drawings_and_records_that_leave_something_open(tmp_path: Path) -> None:
    any_bond = MOL.format("3D", ETHANE.format(8))
    assert "has no order" in said_of(tmp_path / "x.mol", any_bond)
    polymer = MOL.format("3D", ETHANE.format(1) + "M  STY  1   1 SRU\nM  SAL   1  2   1   2\n")
    assert "stand for a polymer" in said_of(tmp_path / "x.mol", polymer)
    twice = MOL.format("3D", ETHANE.format(1)) + "> <gap>\n1\n\n> <gap>\n{}\n\n$$$$\n"
    assert "given twice in one record" in said_of(tmp_path / "x.sdf", twice.format(2))
    assert "given twice" not in said_of(tmp_path / "x.sdf", twice.format(1))


METHANE = """x
  test            3D

  0  0  0     0  0            999 V3000
M  V30 BEGIN CTAB
M  V30 COUNTS 5 4 0 0 0
M  V30 BEGIN ATOM
M  V30 1 C {} 0 -
M  V30 0 0
M  V30 2 H 0.63 0.63 0.63 0
M  V30 3 H -0.63 -0.63 0.63 0
M  V30 4 H -0.63 0.63 -0.63 0
M  V30 5 H 0.63 -0.63 -0.63 0
M  V30 END ATOM
M  V30 BEGIN BOND
M  V30 1 1 1 2
M  V30 2 1 1 3
M  V30 3 1 1 4
M  V30 4 1 1 5
M  V30 END BOND
M  V30 END CTAB
M  END
"""


@pytest.mark.parametrize("number", ["0,0", "0_0", "0x0", "0.0.1", "0.0abc", "--0", "0d0"])
def test_a_coordinate_of_which_rdkit_reads_a_part_is_refused(number: str, tmp_path: Path) -> None:
    new = said_of(tmp_path / "x.mol", METHANE.format(number))
    said = f"atom 0 (counted from 0, line 8): the coordinate {number!r} is not a number"
    assert said in new
    old = MOL.format("3D", ETHANE.format(1).replace("0.0000", f"{number:>6}", 1))
    assert ("its coordinates have a comma" if "," in number else "is not a number") in said_of(
        tmp_path / "x.mol", old
    )


@pytest.mark.parametrize("number", ["0", "+.0", "1e-3", "-0.001", "0.", "1E-2"])
def test_other_spellings_of_coordinates_are_read(number: str, tmp_path: Path) -> None:
    assert said_of(tmp_path / "x.mol", METHANE.format(number)) == ""


@pytest.mark.parametrize(
    ("group", "said"),
    [
        ("225", "isometric"),
        ("225", "?"),
        ("225", "Cubic"),
        ("225", "'not known'"),
        ("166", "trigonal"),
        ("166", "hexagonal"),
        ("166", "rhombohedral"),
        ("2", "anorthic"),
    ],
)
def test_a_crystal_system_in_other_words_is_not_doubted(
    group: str, said: str, tmp_path: Path
) -> None:
    cell = CELL.replace("_gamma 90", "_gamma 120") if group == "166" else CELL
    system = f"_space_group_IT_number {group}\n_symmetry_cell_setting {said}\n"
    assert "it says" not in said_of(tmp_path / "x.cif", cell + system + LOOP + SALT)


def test_a_crystal_system_is_not_doubted_where_the_sum_formula_fits(tmp_path: Path) -> None:
    fits = "_chemical_formula_sum 'Na Cl'\n_cell_formula_units_Z 4\n"
    system = GROUP + "_symmetry_cell_setting monoclinic\n" + fits
    assert said_of(tmp_path / "x.cif", CELL + system + LOOP + SALT) == ""


def test_a_link_node_is_told(tmp_path: Path) -> None:
    node = "M  V30 LINKNODE 1 4 2 1 2 1 3\nM  V30 END CTAB"
    new = METHANE.format("0").replace("M  V30 END CTAB", node)
    assert "is a link node, which stands for" in said_of(tmp_path / "x.mol", new)


@pytest.mark.parametrize(
    ("field", "smiles", "told"),
    [
        ("SMILES", "CCO", True),
        ("PUBCHEM_OPENEYE_ISO_SMILES", "C[NH3+]", True),
        ("SMILES", "C", False),
        ("SMILES", "[CH3-]", False),
        ("product_smiles", "CCO", False),
        ("SMILES", "no smiles", False),
    ],
)
def test_a_field_with_the_smiles_of_another_molecule_is_told(
    field: str, smiles: str, told: bool, tmp_path: Path
) -> None:
    said = said_of(tmp_path / "x.sdf", f"{METHANE.format('0')}> <{field}>\n{smiles}\n\n$$$$\n")
    assert (f"its field <{field}> says {smiles!r}, but its atoms are CH4" in said) == told


DRAWN = (
    "  2  1  0  0  0  0            999 V2000\n"
    "    0.0000    0.0000    0.0000 C   0  0  0  {0}  0  0\n"
    "    1.5000    0.0000    0.0000 C   0  0  0  0  0  0\n  1  2  {1}  0\n"
)


def test_what_a_drawing_says_in_words_or_for_a_search_is_told(tmp_path: Path) -> None:
    counted = outcome(tmp_path / "x.mol", MOL.format("2D", DRAWN.format(3, 1)))
    assert counted.get_chemical_formula() == "C2H6"
    assert "counts of hydrogens of a query" in " / ".join(warnings_of(counted))
    chain = said_of(tmp_path / "x.mol", MOL.format("2D", DRAWN.format(0, 4)))
    assert "atoms 0 (C) and 1 (C), counted from 0, has no order" in chain
    contracted = "M  STY  1   1 SUP\nM  SAL   1  1   1\nM  SMT   1 Ph\n"
    for words in ("A    1\nPh\n", contracted):
        drawn = said_of(tmp_path / "x.mol", MOL.format("2D", DRAWN.format(0, 1) + words))
        assert "atom 0 (counted from 0) is drawn as 'Ph'; its own element, C" in drawn, words
    for words in ("A    1\nCA\n", "A    1\nCH3\n", "A    1\nc3\n", "A    1\nC1'\n"):
        drawn = said_of(tmp_path / "x.mol", MOL.format("2D", DRAWN.format(0, 1) + words))
        assert "is drawn as" not in drawn, words


def test_what_a_molecule_says_twice_is_held_together(tmp_path: Path) -> None:
    good = MOL.format("3D", ETHANE.format(1))
    second = said_of(tmp_path / "x.sdf", good + good)
    assert "a second molecule follows behind the end of the first" in second
    held = good + "> <molblock>\n" + good + "\n$$$$\n"
    assert "a second molecule" not in said_of(tmp_path / "x.sdf", held)
    comma = said_of(tmp_path / "x.mol", good.replace("1.5000", "1,5000"))
    assert "its coordinates have a comma" in comma
    far = said_of(tmp_path / "x.mol", good.replace("1.5000", "8.5000"))
    assert "its bond between atoms 0 and 1, counted from 0, is 8.50 Å long" in far
    field = good + "> <FORMULA>\n{}\n\n$$$$\n"
    assert "says 'C6H6', but its atoms" in said_of(tmp_path / "x.sdf", field.format("C6H6"))
    assert "says" not in said_of(tmp_path / "x.sdf", field.format("C2H6"))
    five = "".join(
        f"    {x:.4f}    {y:.4f}    {z:.4f} {e}   0  0\n"
        for x, y, z, e in [
            (0, 0, 0.1, "C"), (1.1, 0, 0, "H"), (-1.1, 0, 0, "H"),
            (0, 1.1, 0, "H"), (0, -1.1, 0, "H"), (0, 0, 1.2, "H"),
        ]
    )  # fmt: skip
    five = five.replace("    -", "   -")
    bonds = "".join(f"  1{i:3d}  1  0\n" for i in range(2, 7))
    odd = MOL.format("3D", f"  6  5  0  0  0  0            999 V2000\n{five}{bonds}")
    assert "its bonds are odd (Explicit valence" in said_of(tmp_path / "x.mol", odd)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Fe(III)O", "may be an oxidation number or iodine"),
        ("FeIII2O3", "may be an oxidation number or iodine"),
        ("13CO2", "may be an isotope or an amount"),
        ("H218O", "may be an isotope or an amount"),
        ("Li2O 2SiO2", "a number behind a space"),
        ("CuSO4 5H2O", "two amounts side by side"),
        ("Fe()O", "a bracket is empty"),
        ("TiO2_136", "'2_136' says more than an amount"),
        ("NaCl_1_2", "'_1_2' says more than an amount"),
        ("SiO2 P3221", "'P3221' may be a space group, a structure type or an amount"),
        ("NiTi B2", "'B2' may be a space group"),
        ("Ni3Al_L1_2", "'L1_2' may be a space group"),
        ("Al6061", "'Al6061' is the grade of an alloy"),
        ("Ti6Al4V", "write wt:Ti6Al4V, or Ti6Al4V1 for the atoms"),
        ("Ti6Al2Sn4Zr2Mo", "write wt:Ti6Al2Sn4Zr2Mo, or"),
        ("Fe-18Cr-8Ni", "the rest Fe; write wt:Fe-18Cr-8Ni, or the atoms, Fe0.733Cr0.192Ni0.0754"),
        ("Mg–3Al–1Zn (wt%)", "the rest Mg; write wt:Mg–3Al–1Zn, or the atoms, Mg0.969"),
        ("wt:Fe74Cr18Ni2", "weight percent add up to 94, not to 100"),
        ("wt:Fe-60Cr-50Ni", "110 weight percent leave nothing for Fe"),
        ("wt:Fe-18Cr-8Cr", "an element stands in it twice"),
        ("wt:wt:Al-4Cu", "stands twice in front of it"),
    ],
)
def test_a_formula_with_two_meanings_is_asked_about(text: str, words: str) -> None:
    item = read_inputs([f"formula:{text}"])[0][0]
    assert isinstance(item, Failure)
    assert words in item.message


@pytest.mark.parametrize(
    ("text", "n_atoms"),
    [
        ("CaSO4·0.5H2O", 15),
        ("12CaO·7Al2O3", 59),
        ("2H2O", 6),
        ("Pb(I)2", 3),
        ("VI3", 4),
        ("Fe 2 O 3", 5),
        ("Mg B2", 3),
        ("K H2 O4 P1", 8),
        ("Fe_{2}O_3", 5),
    ],
)
def test_formulas_with_one_meaning_are_read(text: str, n_atoms: int) -> None:
    item = read_inputs([f"formula:{text}"])[0][0]
    assert not isinstance(item, Failure), item
    assert len(item) == n_atoms


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("CN(C)(C)C", "reads like a SMILES, but is none"),
        ("CC(C)(C)(C)C", "Explicit valence"),
        ("F[Cl](F)F", "reads like a SMILES"),
        ("SS316", "formula:"),
        ("InChI=1S/CH4/h1H4", "give the SMILES"),
        ("C~C", "has no order"),
        ("[CH5]", "reads like a SMILES, but is none"),
    ],
)
def test_a_text_that_is_nearly_a_smiles_is_no_formula(text: str, words: str) -> None:
    (item,) = read_inputs([text])[0]
    assert isinstance(item, Failure)
    assert words in item.message


def test_structural_formulas_are_still_formulas() -> None:
    for text in ("CH3COOH", "FeFe2O4", "formula:CN(C)(C)C"):
        (item,) = read_inputs([text])[0]
        assert not isinstance(item, Failure), item


def angles(smiles: str, centre: str) -> list[int]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*no model sees its charge")
        (atoms,) = read_inputs([smiles])[0]
    assert isinstance(atoms, Atoms)
    i = atoms.get_chemical_symbols().index(centre)
    arms = np.delete(atoms.positions - atoms.positions[i], i, axis=0)
    arms /= np.linalg.norm(arms, axis=1)[:, None]
    upper = np.triu_indices(len(arms), 1)
    return sorted(np.degrees(np.arccos(np.clip(arms @ arms.T, -1, 1)[upper])).round().astype(int))


@pytest.mark.parametrize(
    ("smiles", "centre", "right"),
    [
        ("F[Xe]F", "Xe", [180]),
        ("FS(F)(F)F", "S", [90, 90, 90, 90, 120, 180]),
        ("Cl[I-](Cl)(Cl)Cl", "I", [90, 90, 90, 90, 180, 180]),
        ("O=[Xe](=O)(F)F", "Xe", [90, 90, 90, 90, 120, 180]),
        ("O=[Os](=O)(=O)=O", "Os", [109] * 6),
        ("Cl[Hg]Cl", "Hg", [180]),
    ],
)
def test_lone_pairs_take_their_corners(smiles: str, centre: str, right: list[int]) -> None:
    assert angles(smiles, centre) == right


TABLES = {
    "a formula beside the structure": (
        "t.csv",
        "smiles,formula,y\nC,C6H6,1\nCC,C2H6,2\n",
        "the column formula says 'C6H6', but its atoms are CH4",
    ),
    "SMILES as formulas": (
        "t.csv",
        "formula,y\nCCO,1\nCO,2\n",
        "'CCO' in the column formula reads",
    ),
    "numbers for nothing": (
        "t.csv",
        "smiles,y\nC,-9999\nCC,1.5\nCCC,2.5\nCCCC,3.5\n",
        "-9999, which many programs write where nothing is known",
    ),
}


@pytest.mark.parametrize("what", TABLES)
def test_what_a_table_says_twice_is_held_together(what: str, tmp_path: Path) -> None:
    name, content, words = TABLES[what]
    (tmp_path / name).write_text(content)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        data = load_dataset(tmp_path / name, "y")
    assert words in " ".join(str(w.message) for w in heard)
    if what == "a formula beside the structure":
        assert words in data.structures.warnings[0][0]
        assert not data.structures.warnings[1]


def test_a_key_with_two_values_is_no_value(tmp_path: Path) -> None:
    rows = ['{"smiles": "C", "y": 1, "y": 2}', '{"smiles": "CC", "y": 3, "y": 3}']
    (tmp_path / "t.jsonl").write_text("\n".join(rows))
    data = load_dataset(tmp_path / "t.jsonl", "y")
    assert data.values[:, 0].tolist() == [3.0]
    assert "the key 'y' has two values" in data.failures[0].message


def test_tables_that_agree_need_no_warning(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("smiles,formula,y\nC,CH4,-1\nCC,H6C2,-99\nCCO,ethanol,-120\nO,,-4\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = load_dataset(path, "y")
    assert not any(data.structures.warnings)


def test_the_separator_that_excel_writes_is_taken(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("sep=;\nsmiles;y\nC;1,5\nCC;2,5\n")
    data = load_dataset(tmp_path / "t.csv", "y")
    assert data.values[:, 0].tolist() == [1.5, 2.5]


def test_the_sheets_that_are_not_read_are_named(tmp_path: Path) -> None:
    pytest.importorskip("openpyxl")
    import pandas

    with pandas.ExcelWriter(tmp_path / "t.xlsx") as book:
        for i, name in enumerate(("first", "second")):
            frame = pandas.DataFrame({"smiles": ["C", "CC"], "y": [i + 0.5, i + 1.5]})
            frame.to_excel(book, sheet_name=name, index=False)
    with pytest.warns(UserWarning, match="sheet first was read, and not second"):
        data = load_dataset(tmp_path / "t.xlsx", "y")
    assert data.values[:, 0].tolist() == [0.5, 1.5]
    assert load_dataset(tmp_path / "t.xlsx", "y", sheet="second").values[:, 0].tolist() == [
        1.5,
        2.5,
    ]
    with pytest.raises(DatasetError, match=r"'secnd'.* Did you mean 'second'"):
        load_dataset(tmp_path / "t.xlsx", "y", sheet="secnd")
    with pandas.ExcelWriter(tmp_path / "u.xlsx") as book:
        pandas.DataFrame({"author": ["x"]}).to_excel(book, sheet_name="Info", index=False)
        frame.to_excel(book, sheet_name="Daten", index=False)
    with pytest.warns(UserWarning, match="its sheet Daten was read, the only one with"):
        data = load_dataset(tmp_path / "u.xlsx", "y")
    assert data.values[:, 0].tolist() == [1.5, 2.5]
    assert headers_of(tmp_path / "u.xlsx") == ("smiles", "y")
    with pytest.raises(DatasetError, match=r"'Info' has no column 'mol'; say .*: Info, Daten"):
        load_dataset(tmp_path / "u.xlsx", "y", structure_column="mol")
    (tmp_path / "t.csv").write_text("smiles,y\nC,1\n")
    with pytest.raises(DatasetError, match="one of an Excel file, and this is none"):
        load_dataset(tmp_path / "t.csv", "y", sheet="Daten")


def test_the_index_of_a_frame_is_a_column(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    import pandas

    index = pandas.Index(["C", "CC"], name="smiles")
    pandas.DataFrame({"y": [1.5, 2.5]}, index=index).to_parquet(tmp_path / "t.parquet")
    assert len(load_dataset(tmp_path / "t.parquet", "y")) == 2


def in_json(place: list[float], **more: object) -> str:
    """Caesium chloride as pymatgen writes it."""
    matrix = [[4.12, 0, 0], [0, 4.12, 0], [0, 0, 4.12]]
    sites = [
        {"species": [{"element": "Cs", "occu": 1}], "abc": [0, 0, 0]},
        {"species": [{"element": "Cl", "occu": 1}], "abc": place, "xyz": [2.06, 2.06, 2.06]},
    ]
    return json.dumps({"@class": "Structure", "lattice": {"matrix": matrix}, "sites": sites} | more)


FAR = {
    "x.cif": CELL + LOOP + "Na1 Na 0 0 0\nCl1 Cl 2.82 2.82 2.82\n",
    "x.vasp": POSCAR.replace(".5 .5 .5", "2.06 2.06 2.06"),
    "x.json": json.dumps(
        {
            "lattice_mat": [[4.12, 0, 0], [0, 4.12, 0], [0, 0, 4.12]],
            "coords": [[0, 0, 0], [2.06, 2.06, 2.06]],
            "elements": ["Cs", "Cl"],
        }
    ),
    "y.json": in_json([2.06, 2.06, 2.06]),
}


@pytest.mark.parametrize("name", FAR)
def test_lengths_that_are_called_parts_of_the_cell_are_told(name: str, tmp_path: Path) -> None:
    said = said_of(tmp_path / name, FAR[name])
    assert "were taken as parts of the cell; check whether they are lengths in Å" in said


def test_coordinates_of_some_atoms_in_two_ways_are_compared(tmp_path: Path) -> None:
    assert said_of(tmp_path / "x.json", in_json([0.5, 0.5, 0.5])) == ""
    assert "atom 1 (counted from 0) are" in said_of(tmp_path / "x.json", in_json([0.3, 0.5, 0.5]))


def test_charges_and_spins_of_whole_structures_in_json_are_told(tmp_path: Path) -> None:
    charged = in_json([0.5, 0.5, 0.5], charge=-2)
    assert "no model sees its charge of -2" in said_of(tmp_path / "x.json", charged)
    states = charged.replace('"occu": 1', '"occu": 1, "oxidation_state": -1')
    assert said_of(tmp_path / "x.json", states) == ""  # whose sum pymatgen calls a charge
    sites = [
        {"species": [{"element": "O", "occu": 1}], "xyz": place}
        for place in ([0, 0, 0], [0, 0, 1.2])
    ]
    molecule = {"@class": "Molecule", "sites": sites, "charge": 0, "spin_multiplicity": 3}
    said = said_of(tmp_path / "x.json", json.dumps(molecule))
    assert "no model sees its unpaired electrons (2)" in said
    sites[1]["xyz"] = [0, 1.2]
    assert "atom 1 (counted from 0): its 'xyz' is '[0, 1.2]'" in said_of(
        tmp_path / "x.json", json.dumps(molecule)
    )


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "x.json",
            json.dumps({"numbers": [55, 17], "symbols": ["Cs", "Br"], "positions": [[0] * 3] * 2}),
            "its atomic numbers and its symbols are not of the same elements",
        ),
        ("x.vasp", POSCAR.replace("Cs Cl", "Cs Cl K"), "write a number for K"),
        ("x.cif", CELL.replace("_length_b 5.64", "_length_b -5.64") + LOOP + SALT, "above zero"),
    ],
)
def test_more_that_a_file_says_twice_or_not_possibly(
    name: str, content: str, said: str, tmp_path: Path
) -> None:
    assert said in said_of(tmp_path / name, content)


ATOM = "{:10.4f}{:10.4f}{:10.4f} {:<3} 0{:3d}  0  0\n"


def mol(atoms: list[tuple[str, float, int]], bonds: str = "") -> str:
    """A MOL file with atoms along z and codes of charges."""
    rows = "".join(ATOM.format(0, 0, z, symbol, code) for symbol, z, code in atoms)
    counts = f"{len(atoms):3d}{bonds.count(chr(10)):3d}  0  0  0  0  0  0  0  0999 V2000"
    return f"x\n  p\n\n{counts}\n{rows}{bonds}M  END\n"


def test_the_old_sign_of_a_radical_is_one(tmp_path: Path) -> None:
    item = outcome(tmp_path / "x.mol", mol([("C", 0.1, 4)]))
    assert isinstance(item, Atoms)
    assert item.get_chemical_formula() == "CH3"
    assert "unpaired electrons (1)" in " ".join(warnings_of(item))


def test_bohr_are_told_in_every_format(tmp_path: Path) -> None:
    content = mol([("F", 0.1, 0), ("H", 1.83, 0)], "  1  2  1  0\n")
    assert "may be in bohr" in said_of(tmp_path / "x.mol", content)


def test_an_empty_record_of_an_sdf_is_named(tmp_path: Path) -> None:
    one = mol([("O", 0.1, 0)])
    (tmp_path / "x.sdf").write_text(f"{one}$$$$\n\n$$$$\n{one}$$$$\n\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        items = read_inputs([tmp_path / "x.sdf"])[0]
    assert [isinstance(item, Failure) for item in items] == [False, True, False]
    assert "between two lines $$$$ is empty" in items[1].message  # type: ignore[union-attr]


@pytest.mark.parametrize("between", ["$$$$\n\n", "$$$$\n\n\n\n", " $$$$\n", "$$$$ \n", "\n$$$$\n"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_blanks_around_the_end_of_a_record_lose_no_molecule(
    tmp_path: Path, between: str, end: str
) -> None:
    first, second = (mol([(s, 0.1, 0)]).replace("\n", f"{s}\n", 1) for s in "ON")
    text = f"\n{first}{between}{second}$$$$\n\n\n"
    (tmp_path / "x.sdf").write_bytes(text.replace("\n", end).encode())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        items = read_inputs([tmp_path / "x.sdf"])[0]
    assert [item.info["name"] for item in items if isinstance(item, Atoms)] == ["xO", "xN"]


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("wt:Ti-6Al-4V", {"Ti": 8620, "Al": 1020, "V": 360}),
        ("WT: Ti6Al4V", {"Ti": 8620, "Al": 1020, "V": 360}),
        ("formula:wt:Fe74Cr18Ni8", {"Fe": 7331, "Cr": 1915, "Ni": 754}),
        ("Ti6Al4V1", {"Ti": 6, "Al": 4, "V": 1}),
        ("Nd2Fe14B", {"Nd": 2, "Fe": 14, "B": 1}),
    ],
)
def test_alloys_by_weight_and_by_atoms(text: str, counts: dict[str, int]) -> None:
    atoms = to_atoms(text)
    assert dict(Counter(atoms.get_chemical_symbols())) == counts
    assert not warnings_of(atoms)


def test_what_may_be_the_name_of_an_alloy_is_warned_of() -> None:
    with pytest.warns(UserWarning, match="name of an alloy, write wt:Co28Cr6Mo"):
        assert len(to_atoms("Co28Cr6Mo")) == 35


def test_a_flat_molecule_without_bonds_is_no_drawing_of_its_atoms(tmp_path: Path) -> None:
    # programs that know no bonds write planar molecules so; each atom was filled up with hydrogen
    block = (
        "formaldehyde\n\n\n  4  0  0  0  0  0            999 V2000\n"
        "    0.0000    0.0000    0.0000 C   0  0\n    1.2080    0.0000    0.0000 O   0  0\n"
        "   -0.5500    0.9430    0.0000 H   0  0\n   -0.5500   -0.9430    0.0000 H   0  0\nM  END\n"
    )
    path = tmp_path / "f.mol"
    atoms = outcome(path, block)
    assert atoms.get_chemical_formula() == "CH2O"
    assert atoms.get_distance(0, 1) == pytest.approx(1.208)
    assert [word[:18] for word in warnings_of(atoms)] == ["it has no bonds, t"]
    lifted = outcome(path, block.replace("0.0000 O", "0.0010 O"))
    assert lifted.get_chemical_formula() == "CH2O"
    drawn = outcome(path, block.replace("1.2080", "4.2080").replace("0.5500", "3.5500"))
    assert len(drawn) > 4  # atoms far apart are a drawing of methane, water and hydrogen
