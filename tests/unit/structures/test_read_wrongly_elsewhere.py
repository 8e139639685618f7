"""Inputs that other readers take for something else without a word: right, told or refused."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from atomlens.errors import Failure
from atomlens.predictor.inputs.rows import read_inputs
from atomlens.structures.arrays import warnings_of
from small_cifs import CELL, SITES, cubic

SALT = "Na1 Na 0 0 0\nCl1 Cl .5 .5 .5\n"
F_CENTRED = "_space_group_IT_number 225\n"
PLACES = "_atom_site.Cartn_x\n_atom_site.Cartn_y\n_atom_site.Cartn_z\n"


def read(path: Path, content: str) -> Atoms | Failure:
    path.write_text(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read_inputs([path])[0][0]  # type: ignore[return-value]


def said(path: Path, content: str) -> str:
    """What is said of the only structure of a file: its warnings, or why it is refused."""
    found = read(path, content)
    return found.message if isinstance(found, Failure) else "; ".join(warnings_of(found))


def said_of_text(text: str) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = read_inputs([text])[0][0]
    return found.message if isinstance(found, Failure) else "; ".join(warnings_of(found))


def formula_of(text: str) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = read_inputs([text])[0][0]
    assert isinstance(found, Atoms)
    return found.get_chemical_formula("hill")


def cif(rows: str = SALT, more: str = F_CENTRED, loop: str = SITES) -> str:
    return "data_x\n" + cubic(5.64) + more + loop + rows


@pytest.mark.parametrize(
    ("label", "kind"), [("Co1", "Cr"), ("Sr1", "Sm2+"), ("N1", "C"), ("O2", "F"), ("Q1", "C")]
)
def test_a_label_of_another_element_is_told(tmp_path: Path, label: str, kind: str) -> None:
    rows = f"{label} {kind} 0 0 0\nCl1 Cl .5 .5 .5\n"
    assert f"the label {label} names" in said(tmp_path / "a.cif", cif(rows))


@pytest.mark.parametrize(
    ("label", "kind"), [("Ca1", "C"), ("Cd2", "C"), ("O1", "Fe"), ("B1", "Ti"), ("C1A", "C")]
)
def test_a_label_that_may_be_a_name_is_not_told(tmp_path: Path, label: str, kind: str) -> None:
    rows = f"{label} {kind} 0 0 0\nCl1 Cl .5 .5 .5\n"
    assert "names" not in said(tmp_path / "a.cif", cif(rows))


@pytest.mark.parametrize("kind", ["CN", "CF", "NO", "SG"])
def test_a_type_of_two_capitals_is_no_element_that_nobody_has_in_a_crystal(
    tmp_path: Path, kind: str
) -> None:
    text = cif(f"X1 {kind} 0 0 0\nNa1 Na .5 .5 .5\n")
    assert f"'{kind}' is not an element" in said(tmp_path / "a.cif", text)


@pytest.mark.parametrize(
    "tag", ["_space_group_name_H-M_ref 'F m -3 m'", "_space_group_Bravais_type cF"]
)
def test_a_group_under_another_tag_is_told_where_no_symmetry_is_given(
    tmp_path: Path, tag: str
) -> None:
    assert "no symmetry of its own" in said(tmp_path / "a.cif", cif(more=tag + "\n"))
    assert said(tmp_path / "b.cif", cif(more=F_CENTRED + tag + "\n")) == ""


TURNED = [[0.0, 0.0, 7.0], [5.0, 0.0, 0.0], [0.0, 6.0, 0.0]]
"""Columns: a along y, b along z, c along x."""


@pytest.mark.parametrize("kind", ["fract", "cartn", "mmcif"])
def test_cartesian_coordinates_have_the_axes_of_the_file(tmp_path: Path, kind: str) -> None:
    table = np.array(TURNED) if kind == "cartn" else np.linalg.inv(TURNED)
    name = {
        "fract": "_atom_sites_fract_tran_matrix_{}{}",
        "cartn": "_atom_sites_Cartn_tran_matrix_{}{}",
        "mmcif": "_atom_sites.fract_transf_matrix[{}][{}]",
    }[kind]
    more = "".join(
        f"{name.format(i + 1, j + 1)} {table[i, j]:.8f}\n" for i in range(3) for j in range(3)
    )
    loop = "loop_\n_atom_site.type_symbol\n" + PLACES
    text = "data_x\n" + CELL.format(5, 6, 7, 90, 90, 90) + more + loop + "Na 1 2 3\nCl 4.5 4.5 6\n"
    found = read(tmp_path / "a.cif", text)
    assert isinstance(found, Atoms)
    np.testing.assert_allclose(found.positions, [[2, 3, 1], [4.5, 0, 4.5]], atol=1e-5)
    wrong = text.replace("_cell_length_a 5", "_cell_length_a 9")
    assert "does not fit the cell" in said(tmp_path / "b.cif", wrong)


def test_axes_in_words_that_are_not_the_usual_ones_are_told(tmp_path: Path) -> None:
    text = cif("Na 0 0 0\nCl 2.8 2.8 2.8\n", "{}", "loop_\n_atom_site.type_symbol\n" + PLACES)
    tag = "_atom_sites_Cartn_transform_axes '{}'\n"
    odd = text.format(tag.format("c along z, a* along x"))
    assert "describes its Cartesian axes" in said(tmp_path / "a.cif", odd)
    usual = text.format(tag.format("a along x, c* along z"))
    assert said(tmp_path / "b.cif", usual) == ""


RESIDUES = (
    "data_x\nloop_\n_atom_site.type_symbol\n_atom_site.label_atom_id\n_atom_site.label_comp_id\n"
    "_atom_site.label_asym_id\n_atom_site.label_seq_id\n_atom_site.label_alt_id\n"
)


def test_alternatives_of_a_residue_are_never_all_there(tmp_path: Path) -> None:
    rows = "C CA GLY A 1 . 0 0 0\nO OA GLY A 1 A 1.2 0 0\nO OB GLY A 1 B -1.2 0 0\n"
    assert "disorder group A" in said(tmp_path / "a.mmcif", RESIDUES + PLACES + rows)


def test_an_mmcif_without_hydrogens_is_told(tmp_path: Path) -> None:
    water = "O O HOH A 1 . 0 0 0\nO O HOH A 2 . 2.8 0 0\n"
    assert "4 hydrogens" in said(tmp_path / "a.mmcif", RESIDUES + PLACES + water)
    chain = "N N GLY A 1 . 0 0 0\nC CA GLY A 1 . 1.45 0 0\n"
    assert "no hydrogens" in said(tmp_path / "b.mmcif", RESIDUES + PLACES + chain)


def test_copies_that_an_mmcif_leaves_to_its_own_operations_are_told(tmp_path: Path) -> None:
    copies = "loop_\n_struct_ncs_oper.id\n_struct_ncs_oper.code\n1 given\n2 generate\n3 generate\n"
    assert "2 copies of its atoms" in said(tmp_path / "a.cif", cif(more=F_CENTRED + copies))


def xyz(rows: str, title: str = "") -> str:
    return f"{rows.count(chr(10))}\n{title}\n{rows}"


PAIR = "Cs 0 0 0\nCl 2.06 2.06 2.06\n"
WATER = "O 0 0 0\nH .96 0 0\nH -.24 .93 0\n"


@pytest.mark.parametrize(
    "rows",
    [
        "O 0 0.0 0.0 0.0\nH -1 0.96 0 0\nH -1 -0.24 0.93 0\n",  # Gaussian: frozen atoms
        "O 8.0 0.0 0.0 0.0\nH 1.0 0.96 0.0 0.0\nH 1.0 -0.24 0.93 0.0\n",  # GAMESS
        "O 1 8 0.0 0.0 0.0\nH 2 1 0.96 0.0 0.0\nH 3 1 -0.24 0.93 0.0\n",  # Molden
        "O 7 0.0 0.0 0.0\nH 7 0.96 0.0 0.0\n",
        "O 15.999 0.0 0.0 0.0\nH 1.008 0.96 0.0 0.0\nH 1.008 -0.24 0.93 0.0\n",
    ],
)
def test_a_number_before_the_positions_is_no_coordinate(tmp_path: Path, rows: str) -> None:
    assert "between the element and the coordinates" in said(tmp_path / "a.xyz", xyz(rows))


def test_whole_coordinates_beside_charges_are_coordinates(tmp_path: Path) -> None:
    rows = "O 0 0 0 -0.8\nH 0 0.96 0 0.4\nH 0 -0.24 0.93 0.4\n"
    assert said(tmp_path / "a.xyz", xyz(rows)) == ""


@pytest.mark.parametrize("behind", ["Tv 4 0 0\nTv 0 4 0\nTv 0 0 4\n", "VEC1 4 0 0\n", "%PBC\n"])
def test_a_cell_behind_the_atoms_is_not_passed_over(tmp_path: Path, behind: str) -> None:
    assert "begins a cell behind the atoms" in said(tmp_path / "a.xyz", xyz(PAIR) + "\n" + behind)


@pytest.mark.parametrize("title", ["CRYSTAL 4.12 4.12 4.12 90 90 90", "4.12 4.12 4.12"])
def test_a_title_of_lengths_may_be_a_cell(tmp_path: Path, title: str) -> None:
    assert "may be a cell" in said(tmp_path / "a.xyz", xyz(PAIR, title))


@pytest.mark.parametrize("title", ["0 1", "-76.4", "3 12 5", "1 2 3 4 5", "HF -1.2 -1.3 -1.4"])
def test_other_numbers_of_a_title_are_no_cell(tmp_path: Path, title: str) -> None:
    assert said(tmp_path / "a.xyz", xyz(WATER, title)) == ""


@pytest.mark.parametrize("title", ["1 2", "charge: 1, multiplicity: 2", "Charge 1 mult 2"])
def test_charge_and_multiplicity_of_a_title_are_told(tmp_path: Path, title: str) -> None:
    assert "charge of +1 and unpaired electrons (1)" in said(tmp_path / "a.xyz", xyz(WATER, title))


def test_types_in_a_column_called_species_are_no_atomic_numbers(tmp_path: Path) -> None:
    title = 'Lattice="4 0 0 0 4 0 0 0 4" Properties=tag:I:1:species:I:1:pos:R:3'
    text = xyz("9 1 0 0 0\n9 2 2 2 2\n", title)
    assert "types of LAMMPS" in said(tmp_path / "a.xyz", text)


@pytest.mark.parametrize("rows", ["C 0 0 0\nO 2.13 0 0\n", "O 0 0 0\nO 2.28 0 0\n"])
def test_a_molecule_without_hydrogen_in_bohr_is_told(tmp_path: Path, rows: str) -> None:
    assert "were in bohr" in said(tmp_path / "a.xyz", xyz(rows))


@pytest.mark.parametrize("rows", ["N 0 0 0\nN 1.1 0 0\n", "Ar 0 0 0\nAr 3.8 0 0\n", PAIR])
def test_molecules_in_angstrom_are_not_told(tmp_path: Path, rows: str) -> None:
    assert "bohr" not in said(tmp_path / "a.xyz", xyz(rows))


POSCAR = "x\n1.0\n4.12 0 0\n0 4.12 0\n0 0 4.12\nCs Cl\n1 1\n{}\n0 0 0{}\n.5 .5 .5{}\n"


@pytest.mark.parametrize(
    "names", [(" Cl-", " Cs+"), (" Cl1", " Cs1"), (" # Cl", ""), (" ! Cl1", "")]
)
def test_names_behind_positions_are_read_as_programs_write_them(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    text = POSCAR.format("Direct", *names)
    assert "calls atom 0 (counted from 0) Cl" in said(tmp_path / "POSCAR", text)


@pytest.mark.parametrize("names", [(" Cs+", " Cl-"), (" # a", " # b"), (" 2.0", " -1"), ("", "")])
def test_names_behind_positions_that_fit_are_not_told(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    assert said(tmp_path / "POSCAR", POSCAR.format("Direct", *names)) == ""


def test_flags_are_no_fluorine(tmp_path: Path) -> None:
    flags = POSCAR.format("Selective dynamics\nDirect", " F F F", " T T F")
    assert said(tmp_path / "POSCAR", flags) == ""


@pytest.mark.parametrize("mode", ["Crystal", "Angstrom", "Bohr", "unit"])
def test_coordinates_that_are_neither_direct_nor_cartesian_are_refused(
    tmp_path: Path, mode: str
) -> None:
    text = POSCAR.format(mode, "", "")
    assert "says Direct or Cartesian" in said(tmp_path / "POSCAR", text)


@pytest.mark.parametrize("mode", ["direct", "D", "Fractional", "Direct lattice"])
def test_words_for_direct_are_read(tmp_path: Path, mode: str) -> None:
    assert said(tmp_path / "POSCAR", POSCAR.format(mode, "", "")) == ""


def mol(rows: str, bonds: str = "", more: str = "", kind: str = "2D") -> str:
    n_atoms, n_bonds = rows.count("\n"), bonds.count("\n")
    counts = f"{n_atoms:3d}{n_bonds:3d}  0  0  0  0            999 V2000\n"
    return f"x\n  test              {kind}\n\n{counts}{rows}{bonds}{more}M  END\n"


def row(symbol: str, x: float, z: float = 0.0, behind: str = " 0  0") -> str:
    return f"{x:10.4f}{0:10.4f}{z:10.4f} {symbol:<3}{behind}\n"


@pytest.mark.parametrize(
    ("behind", "is_read"),
    [
        (" 0  0  0  0  0 15  0", True),
        (" 0  0  0  0  0  15  0", False),  # a blank too much: the valence is 1 and not none
        (" 0  0  0  0  0100200", True),
    ],
)
def test_numbers_across_the_columns_of_a_mol_file_are_refused(
    tmp_path: Path, behind: str, is_read: bool
) -> None:
    text = mol(row("Na", 0.0, behind=behind))
    assert ("columns of the format" in said(tmp_path / "a.mol", text)) != is_read


@pytest.mark.parametrize("smiles", ["N->B", "B<-N", "C->O"])
def test_hydrogens_beside_a_dative_bond_are_not_guessed(smiles: str) -> None:
    assert "how many hydrogens there are" in said_of_text(smiles)


def test_a_dative_bond_of_a_drawing_takes_no_hydrogen_away(tmp_path: Path) -> None:
    text = mol(row("N", 0.0) + row("B", 1.6), "  1  2  9  0\n")
    assert "how many hydrogens there are" in said(tmp_path / "a.mol", text)
    assert formula_of("[NH3+][BH3-]") == "H6BN"


def test_an_ion_with_an_odd_number_of_electrons_has_an_unpaired_one() -> None:
    assert "unpaired electrons (1)" in said_of_text("[Fe+3]")
    assert "unpaired" not in said_of_text("[Co+3]")


def test_points_of_attachment_are_told(tmp_path: Path) -> None:
    rows = row("C", 0.0) + row("O", 1.4)
    text = mol(rows, "  1  2  1  0\n", "M  APO  1   1   1\n")
    assert "points of attachment" in said(tmp_path / "a.mol", text)


def test_bonds_in_bohr_are_told_in_a_mol_file(tmp_path: Path) -> None:
    rows = row("C", 0.0) + row("O", 2.7, 0.1)
    assert "no bond is" in said(tmp_path / "a.mol", mol(rows, "  1  2  1  0\n", kind="3D"))


@pytest.mark.parametrize("field", ["Total Charge", "CHARGE", "PUBCHEM_TOTAL_CHARGE"])
def test_the_charge_of_a_field_is_told_however_it_is_spelled(tmp_path: Path, field: str) -> None:
    record = mol(row("C", 0.0) + row("O", 1.4), "  1  2  1  0\n")
    text = f"{record}>  <{field}>\n-1\n\n$$$$\n"
    assert "charge of -1" in said(tmp_path / "a.sdf", text)


def test_letters_of_full_width_are_those_they_stand_for() -> None:
    assert formula_of("ＣＣＯ") == "C2H6O"
    assert formula_of("Ｆｅ２Ｏ３") == "Fe2O3"


@pytest.mark.parametrize(
    ("text", "symbol"),
    [("SIO2", "Si"), ("HFO2", "Hf"), ("SNO2", "Sn"), ("formula:NIO", "Ni"), ("CUO", "Cu")],
)
def test_a_formula_in_capitals_may_mean_a_metal(text: str, symbol: str) -> None:
    assert f"if {symbol} is meant" in said_of_text(text)


@pytest.mark.parametrize(
    "text", ["K2CO3", "HNO3", "formula:CO2", "H2CO3", "CO(NH2)2", "HSCN", "YBO3", "KIO3", "UO2"]
)
def test_other_formulas_in_capitals_are_meant_as_they_stand(text: str) -> None:
    assert "is meant" not in said_of_text(text)


@pytest.mark.parametrize("text", ["CuSO4 x H2O", "MgCl2 • nH2O", "CaSO4 n H2O"])
def test_an_unknown_amount_of_water_is_not_one(text: str) -> None:
    assert "is not known" in said_of_text(text)
    assert formula_of("CuSO4 x 5H2O") == formula_of("CuSO4·5H2O")


@pytest.mark.parametrize(
    ("text", "why"), [("Fe0,95O", "a decimal point"), ("(Mg,Fe)2SiO4", "without their amounts")]
)
def test_commas_of_formulas_are_told_apart(text: str, why: str) -> None:
    assert why in said_of_text(text)


VECTORS = [[4.12, 0, 0], [0, 4.12, 0], [0, 0, 4.12]]
JARVIS = {"lattice_mat": VECTORS, "coords": [[0, 0, 0], [0.5, 0.5, 0.5]], "elements": ["Cs", "Cl"]}
ENTRY = {
    "lattice_vectors": VECTORS,
    "cartesian_site_positions": [[0, 0, 0], [2.06, 2.06, 2.06], [2.06, 2.06, 0]],
    "species_at_sites": ["Cs", "Cl", "Cl"],
}


def test_a_flag_of_jarvis_that_is_text_means_what_it_says(tmp_path: Path) -> None:
    found = read(tmp_path / "a.json", json.dumps({**JARVIS, "cartesian": "False"}))
    assert isinstance(found, Atoms)
    np.testing.assert_allclose(found.positions[1], 2.06)
    odd = json.dumps({**JARVIS, "cartesian": "perhaps"})
    assert "write true or false" in said(tmp_path / "b.json", odd)


def test_sites_of_optimade_that_exclude_each_other_are_not_all_there(tmp_path: Path) -> None:
    assemblies = [{"sites_in_groups": [[1], [2]], "group_probabilities": [0.5, 0.5]}]
    text = json.dumps({**ENTRY, "assemblies": assemblies})
    assert "exclude each other" in said(tmp_path / "a.json", text)


def test_a_cell_without_directions_is_told(tmp_path: Path) -> None:
    record = {"numbers": [55, 17], "positions": [[0, 0, 0], [2.06] * 3], "cell": VECTORS}
    assert "does not say along which" in said(tmp_path / "a.json", json.dumps(record))
    whole = json.dumps({**record, "pbc": True})
    assert said(tmp_path / "b.json", whole) == ""


def test_the_label_of_a_site_in_json_is_held_against_its_species(tmp_path: Path) -> None:
    site = {"species": [{"element": "Cs", "occu": 1}], "abc": [0, 0, 0], "label": "Na1"}
    text = json.dumps({"lattice": {"matrix": VECTORS}, "sites": [site]})
    assert "the label Na1 of atom 0" in said(tmp_path / "a.json", text)


def test_a_loop_of_several_cells_is_refused(tmp_path: Path) -> None:
    tags = [line.split()[0] for line in cubic(5.64).splitlines()]
    loop = "loop_\n" + "\n".join(tags) + "\n5.64 5.64 5.64 90 90 90\n"
    atoms = F_CENTRED + SITES + SALT
    assert said(tmp_path / "a.cif", f"data_x\n{loop}{atoms}") == ""
    assert "leave one cell" in said(tmp_path / "b.cif", f"data_x\n{loop}6 6 6 90 90 90\n{atoms}")


def test_a_group_for_other_axes_is_not_taken_for_those_of_the_file(tmp_path: Path) -> None:
    more = F_CENTRED + "_space_group.transform_Pp_abc {}\n"
    assert said(tmp_path / "a.cif", cif(more=more.format("a,b,c;0,0,0"))) == ""
    assert "another origin" in said(tmp_path / "b.cif", cif(more=more.format("a,b,c;1/4,1/4,1/4")))


@pytest.mark.parametrize("text", ["MgSO4\u00ad7H2O", "MgSO4\u200b 7H2O"])
def test_signs_that_are_not_seen_join_no_numbers(text: str) -> None:
    assert "not seen" in said_of_text(text)
    assert formula_of("MgSO4\u200b·7H2O") == formula_of("MgSO4·7H2O")


@pytest.mark.parametrize("text", ["TiO2(B)", "VO2 (B)", "TiO2 B", "Fe2O3 I"])
def test_a_letter_behind_a_formula_may_be_a_phase(text: str) -> None:
    assert "may be a phase or an element" in said_of_text(text)


@pytest.mark.parametrize("text", ["BN h", "MoS2 h", "CaF2 s"])
def test_a_small_letter_behind_a_space_makes_no_element(text: str) -> None:
    assert "stands alone behind a space" in said_of_text(text)


@pytest.mark.parametrize("text", ["Na Cl", "Fe2 O3", "Ca C O3", "Ti O2 C", "FeO(OH)", "Mg S O4"])
def test_formulas_with_spaces_between_elements_are_read(text: str) -> None:
    assert said_of_text(f"formula:{text}") == ""


@pytest.mark.parametrize("text", ["3He", "4He"])
def test_isotopes_of_helium_are_no_amounts(text: str) -> None:
    assert "may be an isotope" in said_of_text(text)
    assert formula_of("2H2O") == "H4O2"


def test_flags_behind_coordinates_are_no_coordinates(tmp_path: Path) -> None:
    rows = "O 0.0 1 0.0 1 0.0 1\nH 0.96 1 0.0 1 0.0 1\nH -0.24 1 0.93 1 0.0 0\n"
    assert "as MOPAC writes them" in said(tmp_path / "a.xyz", xyz(rows))


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("C2H6O", "but its atoms are H2O"),
        ("formula=C2H6O energy=-1", "but its atoms are H2O"),
        ("natoms=5", "says 5 atoms, but it has 3"),
    ],
)
def test_a_title_that_is_not_of_the_atoms_is_told(tmp_path: Path, title: str, words: str) -> None:
    assert words in said(tmp_path / "a.xyz", xyz(WATER, title))


@pytest.mark.parametrize("title", ["H2O", "CCO", "water", "O2 in water", "formula=H4O2 natoms=3"])
def test_a_title_that_may_be_of_the_atoms_is_not_told(tmp_path: Path, title: str) -> None:
    assert said(tmp_path / "a.xyz", xyz(WATER, title)) == ""


def test_columns_that_properties_leave_out_are_told(tmp_path: Path) -> None:
    text = xyz("O 1 0 0 0\nH 1 .96 0 0\nH 1 -.24 .93 0\n", "Properties=species:S:1:pos:R:3")
    assert "name 4 columns, and its lines have 5" in said(tmp_path / "a.xyz", text)


@pytest.mark.parametrize("line", ["CC |^1:0| radical", "CC |^1:0|\tradical", "CC |^1:0|"])
def test_the_extension_of_a_smiles_is_no_name(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.smi").write_text(f"{line}\nCCO ethanol\n")
    first, second = read_inputs([tmp_path / "a.smi"])[0]
    assert isinstance(first, Failure)
    assert "an extended SMILES" in first.message
    assert isinstance(second, Atoms)


@pytest.mark.parametrize(
    ("total", "label", "kind", "formula"),
    [
        ("NI O", "NI1", "", "Ni4O4"),
        ("SI1 O1", "SI1", "SI", "O4Si4"),
        ("CO O", "CO1", "", "Co4O4"),
        ("CA O", "CA1", "CA", "Ca4O4"),
    ],
)
def test_a_sum_formula_in_capitals_names_elements(
    tmp_path: Path, total: str, label: str, kind: str, formula: str
) -> None:
    more = F_CENTRED + f"_chemical_formula_sum '{total}'\n"
    loop = SITES if kind else SITES.replace("_atom_site_type_symbol\n", "")
    rows = f"{label} {kind} 0 0 0\nO1 {'O' if kind else ''} .5 .5 .5\n"
    found = read(tmp_path / "a.cif", cif(rows, more, loop))
    assert isinstance(found, Atoms)
    assert found.get_chemical_formula() == formula
    assert warnings_of(found) == []


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("Oct", "names no element for certain"),
        ("RE1", "rhenium or a rare earth"),
        ("REE", "rhenium or a rare earth"),
        ("O_H1", "4 hydrogens that belong to its atoms"),
        ("O-H", "4 hydrogens that belong to its atoms"),
    ],
)
def test_names_of_sites_are_no_elements(tmp_path: Path, label: str, words: str) -> None:
    loop = SITES.replace("_atom_site_type_symbol\n", "")
    text = cif(f"{label} 0 0 0\nNa1 .5 .5 .5\n", loop=loop)
    assert words in said(tmp_path / "a.cif", text)


def test_rhenium_of_a_formula_is_rhenium(tmp_path: Path) -> None:
    more = F_CENTRED + "_chemical_formula_sum 'Re O'\n"
    found = read(tmp_path / "a.cif", cif("RE1 RE 0 0 0\nO1 O .5 .5 .5\n", more))
    assert isinstance(found, Atoms)
    assert found.get_chemical_formula() == "O4Re4"
