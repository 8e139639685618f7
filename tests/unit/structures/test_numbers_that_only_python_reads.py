"""``1_0`` is 10 to Python alone: to other programs it is a name, or a number that went wrong."""

import warnings
from pathlib import Path

import pytest

from atomlens.datasets import load_dataset
from atomlens.structures import read_structures

_CIF = """data_x
_cell_length_a {length}
_cell_length_b 4.12
_cell_length_c 4.12
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'P 1'
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Cs1 0 0 0
Cl1 {place} 0.5 0.5
"""
_FILES = {
    "length.cif": _CIF.format(length="4_1.2", place="0.5"),
    "place.cif": _CIF.format(length="4.12", place="0.5_0"),
    "scale.vasp": "x\n1_0\n.4 0 0\n0 .4 0\n0 0 .4\nCs Cl\n1 1\nDirect\n0 0 0\n.5 .5 .5\n",
    "place.vasp": "x\n1\n4 0 0\n0 4 0\n0 0 4\nCs Cl\n1 1\nDirect\n0 0 0\n.5 .5_0 .5\n",
    "place.xyz": "3\n\nO 0 0 0\nH 0.9_6 0 0\nH 0 .96 0\n",
    "column.extxyz": (
        "3\nProperties=species:S:1:pos:R:3:q:R:1\nO 0 0 0 1_0\nH 0.96 0 0 0\nH 0 .96 0 0\n"
    ),
    "cell.xsf": ("CRYSTAL\nPRIMVEC\n4_1.2 0 0\n0 4 0\n0 0 4\nPRIMCOORD\n2 1\n55 0 0 0\n17 2 2 2\n"),
    "cell.gen": "1 S\nHe\n1 1 0 0 0\n0 0 0\n3_0 0 0\n0 3 0\n0 0 3\n",
    "geometry.in": "atom 0 0 0 O\natom 0.9_6 0 0 H\natom 0 0.9 0 H\n",
    "box.lmp": (
        "title\n\n2 atoms\n2 atom types\n0 4_1.2 xlo xhi\n0 4.12 ylo yhi\n0 4.12 zlo zhi\n\n"
        "Masses\n\n1 132.905 # Cs\n2 35.453 # Cl\n\nAtoms # atomic\n\n"
        "1 1 0 0 0\n2 2 2.06 2.06 2.06\n"
    ),
}


@pytest.mark.parametrize("name", _FILES)
def test_it_is_refused_where_a_number_should_be(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(_FILES[name])
    result = read_structures(path)
    assert not result.structures
    assert len(result.failures) == 1


@pytest.mark.parametrize("name", _FILES)
def test_the_same_without_it_is_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    text = _FILES[name].replace("4_1.2", "4.12").replace("1_0\n.4", "10\n.4")
    path.write_text(text.replace("0.9_6", "0.96").replace("_0", ""))
    assert not read_structures(path).failures


def test_it_stays_a_name_in_titles(tmp_path: Path) -> None:
    (tmp_path / "x.xyz").write_text('1\nid=12_3 run="2024_11"\nHe 0 0 0\n')
    (atoms,) = read_structures(tmp_path / "x.xyz").structures
    assert (atoms.info["id"], atoms.info["run"]) == ("12_3", "2024_11")


def frames(folder: Path, values: list[str]) -> Path:
    path = folder / "x.xyz"
    path.write_text("".join(f"1\ngap={value}\nHe {i} 0 0\n" for i, value in enumerate(values)))
    return path


def test_a_decimal_comma_of_a_title_is_judged_as_one_of_a_table(tmp_path: Path) -> None:
    data = load_dataset(frames(tmp_path, ["7,4", "7,4E-1", "-1,25"]), target="gap")
    assert data.values.ravel().tolist() == pytest.approx([7.4, 0.74, -1.25])


def test_three_numbers_between_commas_are_a_list(tmp_path: Path) -> None:
    (atoms,) = read_structures(frames(tmp_path, ["1,2,3"])).structures
    assert atoms.info["gap"].tolist() == [1, 2, 3]


def test_a_key_of_a_title_with_two_values_is_refused(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (failure,) = read_structures(frames(tmp_path, ["1 gap=2"])).failures
    assert "gives gap twice, with two values ('1' and '2'); remove the wrong one" in failure.message


_PWI = """&CONTROL
 title = 'run 1_0 of 2'
/
&SYSTEM
 ibrav=0, nat=1, ntyp=1 ! 1_0
/
ATOMIC_SPECIES
He 4.0 He.UPF
CELL_PARAMETERS angstrom
3 0 0
0 3 0
0 0 3
ATOMIC_POSITIONS angstrom
He 0 0 0
"""
_WITH_NAMES = {
    "x.gen": "1 C # run 1_0 of 2\nHe\n1 1 0 0 0 # 1_0\n",
    "x.pwi": _PWI,
    "x.xsf": "ATOMS # 1_0\nHe 0 0 0\nBEGIN_INFO\n Fermi 1_0\nEND_INFO\n",
}


@pytest.mark.parametrize("name", _WITH_NAMES)
def test_it_stays_a_name_where_no_number_is_read(name: str, tmp_path: Path) -> None:
    """Comments, remarks and texts in quotes."""
    (tmp_path / name).write_text(_WITH_NAMES[name])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert not read_structures(tmp_path / name).failures


@pytest.mark.parametrize("value", ["0x10", "1.2.3", "1/2", "-1.0eV", '"-1.0 eV"', "[1,2]"])
def test_an_energy_that_is_no_number_fails_as_in_a_table(value: str, tmp_path: Path) -> None:
    """ase puts energies into a calculator, and texts among them were left out without a word."""
    path = tmp_path / "x.xyz"
    titles = ("energy=-1.5", f"energy={value}", "energy=-2.5")
    path.write_text("".join(f"1\n{t}\nHe {i} 0 0\n" for i, t in enumerate(titles)))
    data = load_dataset(path, target="energy")
    assert data.values.ravel().tolist() == [-1.5, -2.5]
    (failure,) = data.failures
    assert "which is not a number" in failure.message


def test_numbers_of_keys_that_differ_in_capitals_alone_are_told(tmp_path: Path) -> None:
    path = tmp_path / "x.xyz"
    path.write_text("1\nEnergy=-1.0 energy=-2.0\nHe 0 0 0\n")
    with pytest.warns(UserWarning, match="gives Energy = -1 and energy = -2, two targets whose"):
        read_structures(path)
    path.write_text("1\nEnergy=-1.0 energy=-1 U=1 u=2\nHe 0 0 0\n")
    (atoms,) = read_structures(path).structures
    assert "warnings" not in atoms.info
