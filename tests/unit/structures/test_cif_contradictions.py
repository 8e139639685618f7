"""What a CIF says twice must agree: operations, groups, Z, density, multiplicities, formula."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import spglib
from ase import Atoms

from atomlens.structures import read, read_structures
from atomlens.structures.arrays import warnings_of
from atomlens.structures.records import quiet
from small_cifs import CELL, SITES, cubic

FLUORITE = "Ca1 Ca 0 0 0\nF1 F 0.25 0.25 0.25\n"
IDENTITY = "loop_\n_symmetry_equiv_pos_as_xyz\n'x,y,z'\n"
FACE_CENTRED = (
    "loop_\n_space_group_symop_operation_xyz\nx,y,z\nx,y+1/2,z+1/2\nx+1/2,y,z+1/2\nx+1/2,y+1/2,z\n"
)


def written(folder: Path, text: str, name: str = "x.cif") -> Path:
    path = folder / name
    path.write_text("data_x\n" + text)
    return path


def read_one(path: Path) -> tuple[Atoms, list[str]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (atoms,) = read(path)
    return atoms, atoms.info.get("warnings", [])


def problem(path: Path) -> str:
    (failure,) = read_structures(path).failures
    return failure.message


FLUORITES = {
    "only the identity is listed": "_symmetry_space_group_name_H-M 'F m -3 m'\n" + IDENTITY,
    "centring without the rest": "_symmetry_space_group_name_H-M 'F m -3 m'\n" + FACE_CENTRED,
    "the number says P1": "_symmetry_space_group_name_H-M 'F m -3 m'\n_space_group_IT_number 1\n",
    "the number says another": "_space_group_name_H-M_alt 'F m -3 m'\n_space_group_IT_number 62\n",
    "the Hall symbol says another": "_space_group_name_Hall '-F 4 2 3'\n"
    "_space_group_name_H-M_alt 'P 1'\n",
}


@pytest.mark.parametrize("which", FLUORITES)
def test_of_two_groups_the_one_that_fits_the_rest_is_taken_with_a_warning(
    which: str, tmp_path: Path
) -> None:
    rest = "_chemical_formula_sum 'Ca F2'\n_cell_formula_units_Z 4\n"
    atoms, said = read_one(
        written(tmp_path, rest + cubic(5.463) + FLUORITES[which] + SITES + FLUORITE)
    )
    assert atoms.get_chemical_formula() == "Ca4F8"
    assert any("exclude each other" in s and "Z = 4 of Ca F2" in s for s in said)


@pytest.mark.parametrize("which", FLUORITES)
@pytest.mark.parametrize(
    "rest",
    [
        "_exptl_crystal_density_diffrn 3.18\n",
        "_exptl_crystal_F_000 152\n",
        "_cell_formula_units_Z 4\n_chemical_formula_weight 78.07\n",
        "loop_\n_atom_type_symbol\n_atom_type_number_in_cell\nCa2+ 4\nF1- 8\n",
    ],
)
def test_density_electrons_weight_and_numbers_decide_as_well(
    which: str, rest: str, tmp_path: Path
) -> None:
    text = cubic(5.463) + FLUORITES[which] + rest + SITES + FLUORITE
    assert len(read_one(written(tmp_path, text))[0]) == 12


@pytest.mark.parametrize("which", FLUORITES)
def test_where_nothing_decides_both_sides_are_named(which: str, tmp_path: Path) -> None:
    said = problem(written(tmp_path, cubic(5.463) + FLUORITES[which] + SITES + FLUORITE))
    assert "exclude each other" in said
    assert ("-F 4 2 3" if "Hall" in which else "F m -3 m") in said


def test_multiplicities_decide_too(tmp_path: Path) -> None:
    sites = SITES + "_atom_site_symmetry_multiplicity\n"
    rows = "Ca1 Ca 0 0 0 4\nF1 F 0.25 0.25 0.25 8\n"
    text = cubic(5.463) + FLUORITES["only the identity is listed"] + sites + rows
    assert len(read_one(written(tmp_path, text))[0]) == 12


def test_all_atoms_listed_beside_the_name_of_the_group_are_no_contradiction(tmp_path: Path) -> None:
    rows = "".join(
        f"Cu{i} Cu {x} {y} {z}\n"
        for i, (x, y, z) in enumerate([(0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)])
    )
    group = "_symmetry_space_group_name_H-M 'F m -3 m'\n"
    atoms, said = read_one(written(tmp_path, cubic(3.61) + group + IDENTITY + SITES + rows))
    assert (len(atoms), said) == (4, [])


def test_operations_win_over_p1_which_programs_write_by_default(tmp_path: Path) -> None:
    group = "_symmetry_space_group_name_H-M 'P 1'\n"
    listed = "loop_\n_symmetry_equiv_pos_as_xyz\nx,y,z\n-x,-y,-z\n"
    cell = CELL.format(6, 7, 8, 80, 95, 91)
    atoms, said = read_one(written(tmp_path, cell + group + listed + SITES + FLUORITE))
    assert len(atoms) == 3
    assert "P 1 is what programs write" in said[0]


@pytest.mark.parametrize(
    "rest",
    [
        "_chemical_formula_sum 'Ca F2'\n_cell_formula_units_Z 4\n",
        "_exptl_crystal_density_meas 3.2\n",
        "_exptl_crystal_F_000 152\n",
    ],
)
def test_p1_is_not_assumed_where_the_rest_says_that_atoms_are_missing(
    rest: str, tmp_path: Path
) -> None:
    # one calcium and one fluorine of CaF2: the densities differ by much more than hydrogens do
    rows = "Ca1 Ca 0 0 0\nF1 F 0.25 0.25 0.25\nF2 F 0.75 0.75 0.75\n"
    assert "no symmetry" in problem(written(tmp_path, cubic(5.463) + rest + SITES + rows))


def test_a_whole_cell_without_symmetry_is_read(tmp_path: Path) -> None:
    rest = "_chemical_formula_sum 'Cs4 Cl4'\n_cell_formula_units_Z 4\n"
    rows = "".join(
        f"Cs{i} Cs {x} 0 0\nCl{i} Cl {x + 0.125} 0.5 0.5\n"
        for i, x in enumerate([0, 0.25, 0.5, 0.75])
    )
    cell = CELL.format(16.492, 4.123, 4.123, 90, 90, 90)
    atoms, said = read_one(written(tmp_path, rest + cell + SITES + rows))
    assert (len(atoms), said) == (8, [])


def test_two_items_against_the_symmetry_are_enough_to_refuse(tmp_path: Path) -> None:
    rest = "_chemical_formula_sum 'Ca F2'\n_cell_formula_units_Z 4\n_exptl_crystal_F_000 152\n"
    rows = "Ca1 Ca 0 0 0\nF1 F 0.25 0.25 0.25\nF2 F 0.75 0.75 0.75\n"
    group = "_symmetry_space_group_name_H-M 'P 1'\n" + IDENTITY
    said = problem(written(tmp_path, rest + cubic(5.463) + group + SITES + rows))
    assert "3 atoms in the cell" in said
    assert "F(000) is 152" in said


def test_one_item_against_the_symmetry_is_a_warning(tmp_path: Path) -> None:
    group = "_symmetry_space_group_name_H-M 'P 1'\n_exptl_crystal_density_diffrn 9.9\n" + IDENTITY
    atoms, said = read_one(written(tmp_path, cubic(3.0) + group + SITES + "Fe1 Fe 0 0 0\n"))
    assert len(atoms) == 1
    assert "density is 9.9" in said[0]


def test_missing_hydrogens_do_not_speak_against_the_symmetry(tmp_path: Path) -> None:
    rest = "_chemical_formula_sum 'C6 H6'\n_cell_formula_units_Z 1\n"
    rows = "".join(f"C{i} C {0.1 + i / 7:.3f} 0.1 0.1\n" for i in range(6))
    atoms, said = read_one(written(tmp_path, rest + cubic(9) + IDENTITY + SITES + rows))
    assert len(atoms) == 6
    assert said == [
        "6 of the 6 hydrogens of the sum formula (C6 H6) have no position in the file and are "
        "missing"
    ]


def test_operations_that_are_no_group_are_refused(tmp_path: Path) -> None:
    operations = "loop_\n_symmetry_equiv_pos_as_xyz\nx,y,z\n-x,-y,z+1/2\n-x,y,-z\n"
    text = CELL.format(6, 7, 8, 90, 90, 90) + operations + SITES + "Fe1 Fe 0.1 0.2 0.3\n"
    assert "no group" in problem(written(tmp_path, text))


@pytest.mark.parametrize(
    "rest",
    [
        "_symmetry_space_group_name_H-M 'P 2 2 21'\n",
        "_chemical_formula_sum 'Fe'\n_cell_formula_units_Z 4\n",
    ],
)
def test_products_that_a_list_lacks_are_added_where_the_file_means_them(
    rest: str, tmp_path: Path
) -> None:
    operations = "loop_\n_symmetry_equiv_pos_as_xyz\nx,y,z\n-x,-y,z+1/2\n-x,y,-z\n"
    text = rest + CELL.format(6, 7, 8, 90, 90, 90) + operations + SITES
    atoms, said = read_one(written(tmp_path, text + "Fe1 Fe 0.1 0.2 0.3\n"))
    assert len(atoms) == 4
    assert "no group" in " ".join(said)


def test_a_list_without_its_identity_and_a_list_with_repetitions_are_whole(tmp_path: Path) -> None:
    for operations in ("-x,-y,-z\n", "x,y,z\nx,y,z\n-x,-y,-z\n-x+1,-y,-z\n"):
        text = "loop_\n_symmetry_equiv_pos_as_xyz\n" + operations
        cell = CELL.format(6, 7, 8, 80, 95, 91)
        path = written(tmp_path, cell + text + SITES + "Fe1 Fe 0.1 0.2 0.3\n")
        assert len(read_one(path)[0]) == 2


def test_operations_that_do_not_fit_the_cell_are_refused(tmp_path: Path) -> None:
    threefold = "loop_\n_symmetry_equiv_pos_as_xyz\nx,y,z\nz,x,y\ny,z,x\n"
    text = CELL.format(5, 6, 7, 90, 90, 90) + threefold + SITES + "Fe1 Fe 0.1 0.2 0.3\n"
    assert "does not fit the cell" in problem(written(tmp_path, text))


def test_glides_of_another_setting_than_the_one_named_are_told(tmp_path: Path) -> None:
    listed = "loop_\n_symmetry_equiv_pos_as_xyz\nx,y,z\n-x,y+1/2,-z+1/2\n-x,-y,-z\nx,-y+1/2,z+1/2\n"
    cell = CELL.format(6, 7, 8, 90, 100, 90)
    for name, n_doubts in (("P 21/c", 0), ("P 21/n", 1)):
        group = f"_symmetry_space_group_name_H-M '{name}'\n"
        path = written(tmp_path, cell + group + listed + SITES + "Fe1 Fe 0.1 0.2 0.3\n")
        assert len(read_one(path)[1]) == n_doubts


def test_another_origin_of_the_named_setting_is_no_contradiction(tmp_path: Path) -> None:
    listed = "loop_\n_symmetry_equiv_pos_as_xyz\nx,y,z\n-x+1/2,-y,z+1/2\n"
    group = "_symmetry_space_group_name_H-M 'P 1 1 21'\n"
    cell = CELL.format(6, 7, 8, 90, 90, 100)
    path = written(tmp_path, cell + group + listed + SITES + "Fe1 Fe 0.1 0.2 0.3\n")
    assert read_one(path)[1] == []


def magnetic_hematite(symmetry: str) -> str:
    cell = CELL.format(5.038, 5.038, 13.772, 90, 90, 120)
    return cell + symmetry + SITES + "Fe1 Fe 0 0 0.3553\nO1 O 0.3056 0 0.25\n"


def magnetic_operations(bns: str) -> str:
    with quiet():
        types = (spglib.get_magnetic_spacegroup_type(i) for i in range(1, 1652))
        uni = next(t.uni_number for t in types if t.bns_number == bns)
        table = spglib.get_magnetic_symmetry_from_database(uni)
    rows = []
    for rotation, shift, turned in zip(
        table["rotations"], table["translations"], table["time_reversals"], strict=True
    ):
        parts = [
            "".join(f"{'+' if n > 0 else '-'}{a}" for n, a in zip(row, "xyz", strict=True) if n)
            + f"{t:+.6f}"
            for row, t in zip(rotation, shift, strict=True)
        ]
        rows.append(f"{','.join(parts)},{'-1' if turned else '+1'}")
    return "\n".join(rows) + "\n"


def test_a_magnetic_crystal_has_all_its_atoms(tmp_path: Path) -> None:
    listed = "loop_\n_space_group_symop_magn_operation.xyz\n" + magnetic_operations("167.103")
    for symmetry in (listed, "_space_group_magn.number_BNS 167.103\n"):
        atoms, said = read_one(written(tmp_path, magnetic_hematite(symmetry)))
        assert atoms.get_chemical_formula() == "Fe12O18"
        assert said == []


def test_centrings_that_turn_the_moments_multiply_the_operations(tmp_path: Path) -> None:
    symmetry = (
        "loop_\n_space_group_symop_magn_operation.id\n_space_group_symop_magn_operation.xyz\n"
        "1 x,y,z,+1\n2 -x,-y,-z,+1\n"
        "loop_\n_space_group_symop_magn_centering.id\n_space_group_symop_magn_centering.xyz\n"
        "1 x,y,z,+1\n2 x,y,z+1/2,-1\n"
    )
    cell = CELL.format(4, 5, 9, 90, 90, 90)
    path = written(tmp_path, cell + symmetry + SITES + "Mn1 Mn 0.1 0.2 0.1\n")
    assert len(read_one(path)[0]) == 4


def test_operations_of_superspace_give_the_average_structure_and_that_is_said(
    tmp_path: Path,
) -> None:
    symmetry = (
        "_cell_modulation_dimension 1\nloop_\n_space_group_symop_ssg_operation_algebraic\n"
        "x1,x2,x3,x4\n-x1,-x2,-x3,-x4\n"
    )
    cell = CELL.format(6, 7, 8, 80, 95, 91)
    atoms, said = read_one(written(tmp_path, cell + symmetry + SITES + "Fe1 Fe 0.1 0.2 0.3\n"))
    assert len(atoms) == 2
    assert "modulated" in said[0]


def test_modulated_occupancies_are_refused(tmp_path: Path) -> None:
    wave = "loop_\n_atom_site_occ_special_func_atom_site_label\nFe1\n"
    assert "modulated" in problem(
        written(tmp_path, cubic(4) + wave + IDENTITY + SITES + "Fe1 Fe 0 0 0\n")
    )


def test_operations_under_an_unknown_tag_are_not_ignored(tmp_path: Path) -> None:
    listed = "loop_\n_my_symop_xyz\nx,y,z\n-x,-y,-z\n"
    assert "_my_symop_xyz" in problem(
        written(tmp_path, cubic(4) + listed + SITES + "Fe1 Fe 0.1 0.2 0.3\n")
    )


def test_a_schoenflies_symbol_names_the_group(tmp_path: Path) -> None:
    group = "_space_group_name_Schoenflies 'O_h^5'\n"
    assert len(read_one(written(tmp_path, cubic(5.463) + group + SITES + FLUORITE))[0]) == 12


def test_a_crystal_system_without_symmetry_is_a_warning(tmp_path: Path) -> None:
    group = "_space_group_crystal_system cubic\n"
    said = read_one(written(tmp_path, cubic(5.463) + group + SITES + FLUORITE))[1]
    assert "gives no symmetry" in said[0]


def test_a_volume_that_the_cell_does_not_have_is_a_warning(tmp_path: Path) -> None:
    volume = "_cell_volume 30.1\n" + IDENTITY
    assert "30.1" in read_one(written(tmp_path, cubic(3) + volume + SITES + "Fe1 Fe 0 0 0\n"))[1][0]


def test_two_digits_leave_an_atom_on_its_special_position(tmp_path: Path) -> None:
    # the 2d sites of P-3m1 in a wide cell: images of the rounded thirds are 0.1 to 0.3 Å apart
    group = "_symmetry_space_group_name_H-M 'P -3 m 1'\n"
    rows = "Zn1 Zn 0.33 0.67 0.21\nS1 S 0 0 0\n"
    atoms, said = read_one(
        written(tmp_path, CELL.format(14, 14, 7, 90, 90, 120) + group + SITES + rows)
    )
    assert atoms.get_chemical_formula() == "SZn2"
    assert [word for word in said if "within 6 Å" not in word] == []  # it is a loose one
    assert atoms.get_scaled_positions()[0][:2] == pytest.approx([1 / 3, 2 / 3])


@pytest.mark.parametrize(
    ("row", "formula"),
    [("K1 K 0.1 0.7 0.4", "K8"), ("K1 K 0.10 0.70 0.40", "K8"), ("K1 K 0.1 0.8 0.4", "K8")],
)
def test_one_digit_is_no_rounded_quarter(tmp_path: Path, row: str, formula: str) -> None:
    # the mirrors of A b m 2 stand at y = 1/4 and 3/4, 0.3 Å and less beside these atoms
    group = "_symmetry_space_group_name_H-M 'A b m 2'\n"
    atoms, said = read_one(
        written(tmp_path, CELL.format(4.4, 4.8, 6, 90, 90, 90) + group + SITES + row + "\n")
    )
    assert atoms.get_chemical_formula() == formula
    assert atoms.get_scaled_positions()[0][1] == pytest.approx(float(row.split()[3]))
    assert "stand closer than 0.5 Å" in said[0]


def test_one_digit_may_be_a_third(tmp_path: Path) -> None:
    group = "_symmetry_space_group_name_H-M 'P -3 m 1'\n"
    rows = "Mg1 Mg 0 0 0\nF1 F 0.3 0.7 0.2\n"
    atoms, said = read_one(
        written(tmp_path, CELL.format(3.2, 3.2, 5, 90, 90, 120) + group + SITES + rows)
    )
    assert (atoms.get_chemical_formula(), said) == ("F2Mg", [])


def test_a_multiplicity_moves_an_atom_onto_its_special_position(tmp_path: Path) -> None:
    sites = SITES + "_atom_site_symmetry_multiplicity\n"
    rows = "Zn1 Zn 0.34120 0.67110 0.21000 2\nS1 S 0.00000 0.00000 0.00000 1\n"
    group = "_symmetry_space_group_name_H-M 'P -3 m 1'\n"
    cell = CELL.format(14, 14, 7, 90, 90, 120)
    atoms, said = read_one(written(tmp_path, cell + group + sites + rows))
    assert atoms.get_chemical_formula() == "SZn2"
    assert [word for word in said if "within 6 Å" not in word] == []  # it is a loose one


def test_orders_of_the_site_symmetry_in_place_of_multiplicities_do_no_harm(tmp_path: Path) -> None:
    sites = SITES + "_atom_site_symmetry_multiplicity\n"
    rows = "Fe1 Fe 0.1 0.2 0.3 1\nO1 O 0 0 0 2\n"
    group = "_symmetry_space_group_name_H-M 'P -1'\n"
    cell = CELL.format(6, 7, 8, 80, 95, 91)
    atoms, said = read_one(written(tmp_path, cell + group + sites + rows))
    assert (atoms.get_chemical_formula(), said) == ("Fe2O", [])


def test_an_atom_near_a_special_position_of_a_small_cell_is_not_moved(tmp_path: Path) -> None:
    group = "_symmetry_space_group_name_H-M 'P -1'\n"
    rows = "H1 H 0.05 0.06 0.04\n"
    cell = CELL.format(6, 7, 8, 80, 95, 91)
    atoms = read_one(written(tmp_path, cell + group + SITES + rows))[0]
    assert len(atoms) == 2
    assert np.linalg.norm(atoms.get_distance(0, 1, mic=True)) > 0.9


def labelled(rows: str, formula: str = "", a: float = 8.0) -> str:
    sites = SITES.replace("_atom_site_type_symbol\n", "")
    return (f"_chemical_formula_sum '{formula}'\n" if formula else "") + cubic(a) + sites + rows


def test_formulas_under_other_tags_and_wyckoff_letters_hint_at_symmetry(tmp_path: Path) -> None:
    rest = "_chemical_formula_structural CaF2\n_cell_formula_units_Z 4\n"
    rows = "Ca1 Ca 0 0 0\nF1 F 0.25 0.25 0.25\nF2 F 0.75 0.75 0.75\n"
    assert "no symmetry" in problem(written(tmp_path, rest + cubic(5.463) + SITES + rows))
    sites = SITES + "_atom_site_Wyckoff_symbol\n"
    rows = "Ca1 Ca 0 0 0 {0}a\nF1 F 0.25 0.25 0.25 {1}c\n"
    letters = written(tmp_path, cubic(5.463) + sites + rows.format("", ""))
    assert "Wyckoff letters" in read_one(letters)[1][0]
    numbers = written(tmp_path, cubic(5.463) + sites + rows.format(4, 8))
    assert "multiplicity 4" in problem(numbers)


def test_lengths_in_another_unit_than_the_volume_are_refused(tmp_path: Path) -> None:
    text = "_cell_volume 163.0\n" + cubic(0.5463) + IDENTITY + SITES + FLUORITE
    assert "lengths must be in Å" in problem(written(tmp_path, text))


LABELS = {
    "the formula decides between two": ("CD1 0 0 0\nN1 .2 0 0\n", "C N", "CN"),
    "capitals are what the formula has": ("CL1 0 0 0\nNA1 .5 .5 .5\n", "Na Cl", "ClNa"),
    "the oxygen of a water": ("Mg1 0 0 0\nWat1 .3 0 0\n", "", "MgO"),
    "a water called W": ("Mg1 0 0 0\nW1 .3 0 0\n", "Mg H2 O", "MgO"),
    "tungsten called W": ("W1 0 0 0\nO1 .25 0 0\n", "W O", "OW"),
    "letters behind the element": ("OW1 0 0 0\nHb2 .12 0 0\nNA .3 0 0\n", "O H N", "HNO"),
}


@pytest.mark.parametrize("which", LABELS)
def test_labels_are_read_by_the_sum_formula(which: str, tmp_path: Path) -> None:
    rows, formula, expected = LABELS[which]
    assert (
        read_one(written(tmp_path, labelled(rows, formula)))[0].get_chemical_formula() == expected
    )


@pytest.mark.parametrize(
    ("rows", "formula"),
    [
        ("T1 0 0 0\nO1 .2 0 0\n", ""),
        ("M1 0 0 0\nO1 .25 0 0\n", ""),
        ("Mg1 0 0 0\nW1 .3 0 0\n", ""),
        ("C1 0 0 0\nPh1 .2 0 0\n", ""),
        ("Si1Al1 0 0 0\nO1 .2 0 0\n", ""),
        ("N1 0 0 0\nCa1 .18 0 0\nC1 .3 .15 0\n", ""),
        ("O1 0 0 0\nHo1 .12 0 0\n", ""),
        ("C1 0 0 0\nFe1 .5 .5 .5\n", "C H4"),
        ("CA1 0 0 0\n", "Ca C"),
    ],
)
def test_labels_that_name_no_element_for_certain_are_refused(
    rows: str, formula: str, tmp_path: Path
) -> None:
    assert "(row" in problem(written(tmp_path, labelled(rows, formula))).replace(", row", " (row")


@pytest.mark.parametrize("kind", ["Si/Al", "T", "Fe,Ni", "?x"])
def test_types_that_are_no_element_are_refused(kind: str, tmp_path: Path) -> None:
    text = cubic(8) + SITES + f"X1 {kind} 0 0 0\nO1 O .2 0 0\n"
    assert "X1" in problem(written(tmp_path, text))


def test_types_in_capitals_are_held_against_formula_and_distances(tmp_path: Path) -> None:
    rows = "N1 N 0 0 0\nC1 CA .182 0 0\n"
    assert "too near" in problem(written(tmp_path, cubic(8) + SITES + rows))
    atoms, said = read_one(
        written(tmp_path, "_chemical_formula_sum 'C N'\n" + cubic(8) + SITES + rows)
    )
    assert atoms.get_chemical_formula() == "CN"
    assert "Ca, which is not in the sum formula" in said[0]
    lime = "CA1 CA 0 0 0\nO1 O .3 0 0\n"
    assert read_one(written(tmp_path, cubic(8) + SITES + lime))[0].get_chemical_formula() == "CaO"


def test_atoms_that_are_counted_and_not_placed_are_told(tmp_path: Path) -> None:
    sites = SITES + "_atom_site_attached_hydrogens\n"
    text = cubic(10) + IDENTITY + sites + "C1 C .1 .1 .1 3\nN1 N .24 .1 .1 2\n"
    atoms, said = read_one(written(tmp_path, text))
    assert len(atoms) == 2
    assert "5 hydrogens" in said[0]
    squeezed = "loop_\n_platon_squeeze_void_nr\n_platon_squeeze_void_count_electrons\n1 90\n2 30\n"
    text = squeezed + cubic(10) + IDENTITY + SITES + "C1 C .1 .1 .1\n"
    assert "120 electrons" in read_one(written(tmp_path, text))[1][0]
    sites = SITES + "_atom_site_occupancy\n"
    text = cubic(10) + IDENTITY + sites + "C1 C .1 .1 .1 1\nQ1 O .5 .1 .1 0\n"
    atoms, said = read_one(written(tmp_path, text))
    assert (len(atoms), "occupancy 0" in said[0]) == (1, True)


MODELS = (
    "data_x\n{cell}loop_\n_atom_site.type_symbol\n_atom_site.label_atom_id\n_atom_site.Cartn_x\n"
    "_atom_site.Cartn_y\n_atom_site.Cartn_z\n_atom_site.pdbx_PDB_model_num\n"
    "C CA 0 0 0 1\nO O 1.2 0 0 1\nC CA 0 0 0 2\nO O 1.25 0 0 2\n"
)
DUMMIES = {"1 Å": "1.0", "question marks": "?", "zeros": "0", "none": ""}


@pytest.mark.parametrize("which", DUMMIES)
def test_models_are_structures_and_dummy_cells_are_none(which: str, tmp_path: Path) -> None:
    value = DUMMIES[which]
    angle = "?" if value == "?" else "90"
    cell = "".join(f"_cell.length_{x} {value}\n" for x in "abc") + "".join(
        f"_cell.angle_{x} {angle}\n" for x in ("alpha", "beta", "gamma")
    )
    path = tmp_path / "x.cif"
    path.write_text(MODELS.format(cell=cell if value else ""))
    found = read(path)
    assert [a.get_distance(0, 1) for a in found] == pytest.approx([1.2, 1.25])
    assert not any(a.pbc.any() for a in found)


@pytest.mark.parametrize(
    ("formula", "n_units", "doubtful"),
    [("Na4 Cl4", "", True), ("Na Cl", "", False), ("Na2 Cl2", "", True), ("Na4 Cl4", "1", None)],
)
def test_a_cell_holds_one_formula_unit_at_least(
    formula: str, n_units: str, doubtful: bool | None, tmp_path: Path
) -> None:
    units = f"_cell_formula_units_Z {n_units}\n" if n_units else ""
    (tmp_path / "x.cif").write_text(
        "data_x\n_cell_length_a 5.6\n_cell_length_b 5.6\n_cell_length_c 5.6\n_cell_angle_alpha 90\n"
        "_cell_angle_beta 90\n_cell_angle_gamma 90\n_symmetry_space_group_name_H-M 'P 1'\n"
        f"_chemical_formula_sum '{formula}'\n{units}loop_\n_atom_site_label\n_atom_site_fract_x\n"
        "_atom_site_fract_y\n_atom_site_fract_z\nNa1 0 0 0\nCl1 .5 .5 .5\n"
    )
    with quiet():
        result = read_structures(tmp_path / "x.cif")
    if doubtful is None:  # Z says the same, and more firmly
        said = [f.message for f in result.failures]
        said += [w for atoms in result.structures for w in warnings_of(atoms)]
        assert any("Z = 1 of" in sentence for sentence in said)
        return
    (atoms,) = result.structures
    assert any("less than one formula unit" in w for w in warnings_of(atoms)) is doubtful


def test_charges_of_some_atoms_are_left_out_with_a_warning(tmp_path: Path) -> None:
    sites = SITES + "_atom_site_charge\n"
    atoms, doubts = read_one(
        written(
            tmp_path, cubic(9) + sites + "Si1 Si 0 0 0 0.6\nO1 O 0.2 0 0 -0.3\nO2 O 0 0.2 0 ?\n"
        )
    )
    assert "initial_charges" not in atoms.arrays
    (doubt,) = [d for d in doubts if "_atom_site_charge" in d]
    assert doubt.startswith("1 of 3 atoms have no number")
    empty = cubic(9) + sites + "Si1 Si 0 0 0 ?\nO1 O 0.2 0 0 ?\nO2 O 0 0.2 0 ?\n"
    _, doubts = read_one(written(tmp_path, empty, "empty.cif"))
    assert not [d for d in doubts if "charge" in d]


@pytest.mark.parametrize("order", [("Na", "Cl"), ("Cl", "Na")])
def test_charges_of_the_types_go_to_their_elements_in_whatever_order(
    order: tuple[str, str], tmp_path: Path
) -> None:
    values = {"Na": "0.9", "Cl": "-0.9"}
    types = "loop_\n_atom_type_symbol\n_atom_type_partial_charge\n"
    types += "".join(f"{kind} {values[kind]}\n" for kind in order)
    atoms, _ = read_one(
        written(tmp_path, cubic(5.6) + types + SITES + "Na1 Na 0 0 0\nCl1 Cl 0.5 0 0\n")
    )
    assert atoms.get_initial_charges().tolist() == [0.9, -0.9]


@pytest.mark.parametrize("start", ["data_global\n", "global_\n", "data_publ\n_journal_year 2001\n"])
def test_symmetry_of_a_block_without_atoms_is_that_of_the_atoms(tmp_path: Path, start: str) -> None:
    group = "_symmetry_space_group_name_H-M 'F -4 3 m'\n"
    crystal = "data_zns\n" + cubic(5.41) + SITES + "Zn1 Zn 0 0 0\nS1 S 0.25 0.25 0.25\n"
    atoms, said = read_one(written(tmp_path, start + group + crystal))
    assert atoms.get_chemical_formula() == "S4Zn4"
    assert [word for word in said if "its symmetry was taken from the data block" in word]
    # what a block says itself is what it means
    own = crystal.replace("data_zns\n", "data_zns\n_symmetry_space_group_name_H-M 'P 1'\n")
    atoms, said = read_one(written(tmp_path, start + group + own))
    assert len(atoms) == 2
    assert not [word for word in said if "data block" in word]
