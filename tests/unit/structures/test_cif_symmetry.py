"""CIFs with symmetry: all atoms of the cell, each once. Oracle: pymatgen and spglib."""

from pathlib import Path

import numpy as np
import pytest
import spglib
from ase import Atoms
from numpy.typing import NDArray
from pymatgen.core import Lattice, Structure
from pymatgen.io.cif import CifParser, CifWriter

from atomlens.errors import StructureError
from atomlens.structures import read, read_structures, to_atoms
from atomlens.structures.cif.operations import expand, named_settings, parse_operations
from atomlens.structures.records import quiet

HEADER = """data_x
_cell_length_a {a}
_cell_length_b {b}
_cell_length_c {c}
_cell_angle_alpha {alpha}
_cell_angle_beta {beta}
_cell_angle_gamma {gamma}
"""
ATOMS = "loop_\n_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\n"

CRYSTALS = {
    "rock salt": ("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]),
    "zinc blende": ("F-43m", Lattice.cubic(5.41), ["Zn", "S"], [[0, 0, 0], [0.25] * 3]),
    "rutile": (
        "P4_2/mnm",
        Lattice.tetragonal(4.594, 2.959),
        ["Ti", "O"],
        [[0, 0, 0], [0.305, 0.305, 0]],
    ),
    "corundum": (
        "R-3c",
        Lattice.hexagonal(4.759, 12.991),
        ["Al", "O"],
        [[0, 0, 0.3522], [0.3063, 0, 0.25]],
    ),
    "wurtzite": (
        "P6_3mc",
        Lattice.hexagonal(3.25, 5.207),
        ["Zn", "O"],
        [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0.3819]],
    ),
    "pyrite": ("Pa-3", Lattice.cubic(5.418), ["Fe", "S"], [[0, 0, 0], [0.385] * 3]),
    "calcite": (
        "R-3c",
        Lattice.hexagonal(4.99, 17.06),
        ["Ca", "C", "O"],
        [[0, 0, 0], [0, 0, 0.25], [0.257, 0, 0.25]],
    ),
}


def cif_text(lattice: Lattice, symmetry: str, atoms: str) -> str:
    cell = HEADER.format(
        a=lattice.a,
        b=lattice.b,
        c=lattice.c,
        alpha=lattice.alpha,
        beta=lattice.beta,
        gamma=lattice.gamma,
    )
    return cell + symmetry + ATOMS + atoms


def same_crystal(atoms: Atoms, structure: Structure) -> bool:
    if sorted(atoms.numbers) != sorted(structure.atomic_numbers):
        return False
    ours = atoms.get_scaled_positions()
    for position, number in zip(structure.frac_coords, structure.atomic_numbers, strict=True):
        shifts = ours[atoms.numbers == number] - position
        shifts -= np.round(shifts)
        if np.linalg.norm(shifts @ structure.lattice.matrix, axis=1).min() > 1e-3:
            return False
    return True


@pytest.mark.parametrize("name", CRYSTALS)
def test_listed_operations_give_the_atoms_that_pymatgen_finds(name: str, tmp_path: Path) -> None:
    path = tmp_path / "x.cif"
    with quiet():
        crystal = Structure.from_spacegroup(*CRYSTALS[name])
        path.write_text(str(CifWriter(crystal, symprec=0.01)))
        expected = CifParser(str(path)).parse_structures(primitive=False)[0]
    assert len(expected) == len(crystal)
    assert same_crystal(to_atoms(path), expected)


@pytest.mark.parametrize("name", CRYSTALS)
def test_a_named_space_group_gives_the_atoms_that_pymatgen_finds(name: str, tmp_path: Path) -> None:
    group, lattice, elements, positions = CRYSTALS[name]
    rows = "".join(f"{e}1 {x} {y} {z}\n" for e, (x, y, z) in zip(elements, positions, strict=True))
    with quiet():
        crystal = Structure.from_spacegroup(*CRYSTALS[name])
        number = crystal.get_space_group_info()[1]
    for i, symmetry in enumerate(
        (
            f"_symmetry_space_group_name_H-M '{group.replace('_', '')}'\n",
            f"_space_group_IT_number {number}\n",
        )
    ):
        path = tmp_path / f"{i}.cif"
        path.write_text(cif_text(lattice, symmetry, rows))
        assert same_crystal(to_atoms(path), crystal)


def test_rounded_thirds_are_moved_onto_the_special_position(tmp_path: Path) -> None:
    lattice = Lattice.hexagonal(3.21, 5.21)
    path = tmp_path / "mg.cif"
    symmetry = "_symmetry_space_group_name_H-M 'P 63/m m c'\n"
    path.write_text(cif_text(lattice, symmetry, "Mg1 0.333 0.667 0.25\n"))
    atoms = to_atoms(path)
    assert len(atoms) == 2
    assert atoms.get_scaled_positions()[0] == pytest.approx([1 / 3, 2 / 3, 0.25], abs=1e-9)


def test_rhombohedral_axes_are_known_from_the_cell(tmp_path: Path) -> None:
    lattice = Lattice.rhombohedral(4.746, 57.2)
    path = tmp_path / "bi.cif"
    text = cif_text(lattice, "_symmetry_space_group_name_H-M 'R -3 m'\n", "Bi1 0.234 0.234 0.234\n")
    path.write_text(text)
    assert len(to_atoms(path)) == 2
    hexagonal = cif_text(Lattice.hexagonal(4.54, 11.86), "_space_group_IT_number 166\n", "")
    path.write_text(hexagonal + "Bi1 0 0 0.234\n")
    assert len(to_atoms(path)) == 6


@pytest.mark.parametrize(
    ("symmetry", "x"),
    [
        ("_symmetry_space_group_name_H-M 'F d -3 m :1'\n", 0.0),
        ("_symmetry_space_group_name_H-M 'F d -3 m :2'\n", 0.125),
        ("_symmetry_space_group_name_H-M 'F d -3 m Z'\n", 0.125),
        ("_space_group_name_Hall '-F 4vw 2vw 3'\n", 0.125),
        ("_space_group_IT_number 227\n_chemical_formula_sum Si\n_cell_formula_units_Z 8\n", 0.125),
    ],
)
def test_both_origins_of_diamond_are_understood(symmetry: str, x: float, tmp_path: Path) -> None:
    path = tmp_path / "si.cif"
    path.write_text(cif_text(Lattice.cubic(5.43), symmetry, f"Si1 {x} {x} {x}\n"))
    atoms = to_atoms(path)
    assert len(atoms) == 8
    assert atoms.get_distance(0, 1, mic=True) > 2.3


def test_an_origin_that_cannot_be_known_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "si.cif"
    path.write_text(
        cif_text(Lattice.cubic(5.43), "_space_group_IT_number 227\n", "Si1 0.125 0.125 0.125\n")
    )
    (failure,) = read_structures(path).failures
    assert "two origins" in failure.message
    assert "_space_group_symop_operation_xyz" in failure.message


def test_a_monoclinic_group_is_found_by_its_short_name(tmp_path: Path) -> None:
    lattice = Lattice.monoclinic(7.7, 11.6, 6.8, 94)
    for name, count in (("P 21/n", 4), ("P 1 21/c 1", 4), ("C 2/c", 8), ("P2(1)/c", 4)):
        path = tmp_path / "x.cif"
        symmetry = f"_symmetry_space_group_name_H-M '{name}'\n"
        path.write_text(cif_text(lattice, symmetry, "C1 0.11 0.22 0.33\n"))
        assert len(to_atoms(path)) == count


def test_the_operations_listed_win_where_those_of_the_group_named_are_impossible(
    tmp_path: Path,
) -> None:
    path = tmp_path / "x.cif"
    symmetry = (
        "_space_group_IT_number 225\nloop_\n_symmetry_equiv_pos_as_xyz\n'x, y, z'\n'-x,-y,-z'\n"
    )
    path.write_text(cif_text(Lattice.cubic(5.0), symmetry, "Si1 0.1 0.2 0.3\n"))
    with pytest.warns(UserWarning, match="with space group number 225 atoms would overlap"):
        assert len(to_atoms(path)) == 2


def test_a_crystal_described_from_another_origin_is_not_doubled(tmp_path: Path) -> None:
    path = tmp_path / "x.cif"
    symmetry = (
        "_symmetry_space_group_name_H-M 'P -1'\nloop_\n_symmetry_equiv_pos_as_xyz\n"
        "'x,y,z'\n'-x+1/4,-y+1/4,-z+1/4'\n"
    )
    path.write_text(cif_text(Lattice.cubic(6.0), symmetry, "Fe1 0.3 0.4 0.2\n"))
    atoms = to_atoms(path)
    assert atoms.get_scaled_positions().sum(axis=0) % 1 == pytest.approx([0.25] * 3)
    assert len(atoms) == 2


def test_atoms_listed_next_to_their_images_are_counted_once(tmp_path: Path) -> None:
    path = tmp_path / "x.cif"
    symmetry = "_symmetry_space_group_name_H-M 'F m -3 m'\n"
    rows = "Cu1 0 0 0\nCu2 0.5 0.5 0\nCu3 0.5 0 0.5\nCu4 0 0.5 0.5\n"
    path.write_text(cif_text(Lattice.cubic(3.61), symmetry, rows))
    assert len(to_atoms(path)) == 4


def test_an_atom_listed_twice_is_an_error_even_with_symmetry(tmp_path: Path) -> None:
    path = tmp_path / "x.cif"
    symmetry = "_symmetry_space_group_name_H-M 'F m -3 m'\n"
    path.write_text(cif_text(Lattice.cubic(3.61), symmetry, "Cu1 0 0 0\nCu2 0 0 0\n"))
    (failure,) = read_structures(path).failures
    assert "0.000 Å apart" in failure.message


def test_two_oxidation_states_on_one_site_are_one_atom(tmp_path: Path) -> None:
    path = tmp_path / "x.cif"
    header = cif_text(Lattice.cubic(3.0), "", "").replace(
        ATOMS, ATOMS + "_atom_site_type_symbol\n_atom_site_occupancy\n"
    )
    path.write_text(header + "Fe1 0 0 0 Fe2+ 0.333\nFe2 0 0 0 Fe3+ 0.667\n")
    assert to_atoms(path).get_chemical_symbols() == ["Fe"]


def test_each_data_block_is_a_structure_with_its_name(tmp_path: Path) -> None:
    one = cif_text(Lattice.cubic(3.0), "", "Fe1 0 0 0\n")
    path = tmp_path / "two.cif"
    path.write_text(one + one.replace("data_x", "data_y").replace("Fe1", "W1"))
    assert [(a.info["name"], str(a.symbols)) for a in read(path)] == [("x", "Fe"), ("y", "W")]


@pytest.mark.parametrize(
    ("label", "element"), [("Fe1", "Fe"), ("O2A", "O"), ("SI1", "Si"), ("H12", "H"), ("D1", "H")]
)
def test_a_label_alone_names_the_element(label: str, element: str, tmp_path: Path) -> None:
    path = tmp_path / "x.cif"
    formula = f"_chemical_formula_sum '{element}'\n"
    path.write_text(cif_text(Lattice.cubic(3.0), formula, f"{label} 0 0 0\n"))
    with quiet():
        assert to_atoms(path).get_chemical_symbols() == [element]


def test_a_label_that_may_be_two_elements_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.cif"
    path.write_text(cif_text(Lattice.cubic(3.0), "", "CA1 0 0 0\n"))
    (failure,) = read_structures(path).failures
    assert "C or Ca" in failure.message


def test_labels_with_primes_do_not_confuse_the_reader(tmp_path: Path) -> None:
    path = tmp_path / "x.cif"
    path.write_text(cif_text(Lattice.cubic(9.0), "", "C1' 0 0 0\nO5'' 0.2 0 0\n"))
    assert to_atoms(path).get_chemical_symbols() == ["C", "O"]


def test_dots_in_tags_are_understood(tmp_path: Path) -> None:
    path = tmp_path / "x.cif"
    text = cif_text(Lattice.cubic(3.0), "", "Fe1 0 0 0\n")
    path.write_text(text.replace("_cell_", "_cell.").replace("_atom_site_", "_atom_site."))
    assert len(to_atoms(path)) == 1


def test_a_formula_that_disagrees_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.cif"
    path.write_text(cif_text(Lattice.cubic(4.0), "_chemical_formula_sum 'C H4'\n", "C1 0 0 0\n"))
    with pytest.warns(UserWarning, match="sum formula"):
        assert len(to_atoms(path)) == 1


def group_operations(hall_number: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    with quiet():
        table = spglib.get_symmetry_from_database(hall_number)
    return table["rotations"], table["translations"]


@pytest.mark.parametrize("hall_number", [1, 2, 90, 292, 460, 525, 530])
def test_a_general_position_has_one_image_for_each_operation(hall_number: int) -> None:
    rotations, translations = group_operations(hall_number)
    texts = [operation_text(r, t) for r, t in zip(rotations, translations, strict=True)]
    gamma = 120 if hall_number == 460 else 90
    cell = np.array(Lattice.from_parameters(9, 9, 9, 90, 90, gamma).matrix)
    images = expand(np.array([[0.107, 0.221, 0.343]]), parse_operations(texts), cell)
    assert len(images.positions) == len(rotations)
    assert not images.sites.any()


def operation_text(rotation: NDArray[np.float64], translation: NDArray[np.float64]) -> str:
    parts = []
    for row, shift in zip(rotation, translation, strict=True):
        terms = "".join(f"{'+' if n > 0 else '-'}{a}" for n, a in zip(row, "xyz", strict=True) if n)
        parts.append(f"{terms}{shift:+.10f}")
    return ",".join(parts)


def test_every_tabulated_setting_is_found_by_its_full_name() -> None:
    for hall_number in range(1, 531):
        with quiet():
            group = spglib.get_spacegroup_type(hall_number)
        found = named_settings(group.international_full, None)
        assert hall_number in [setting.hall_number for setting in found]


@pytest.mark.parametrize("row", ["2x-z", "2*x-z", "-z+2x", "x+x-z", "- z + 2 * x"])
def test_rows_of_unusual_cells_may_hold_whole_multiples(row: str) -> None:
    (found,) = parse_operations([f"x, -y, {row}"]).rotations.tolist()
    assert found == [[1, 0, 0], [0, -1, 0], [2, 0, -1]]


@pytest.mark.parametrize("row", ["1/2x", "0.5x", "2x", "x2", "z2x"])
def test_rows_that_no_lattice_has_are_refused(row: str) -> None:
    with pytest.raises(StructureError, match="cannot be understood"):
        parse_operations([f"{row}, y, z"])


@pytest.mark.parametrize("tag", ["_space_group_IT_number", "_symmetry_Int_Tables_number"])
@pytest.mark.parametrize(
    ("said", "n_atoms"), [("Fm-3m", 8), ("'F m -3 m'", 8), ("two", 0), ("225a", 0), ("?", 2)]
)
def test_a_group_number_that_is_none_is_a_symbol_or_refused(
    tag: str, said: str, n_atoms: int, tmp_path: Path
) -> None:
    """It was passed over in silence, and the atoms were taken as all of the cell."""
    cell = dict.fromkeys("abc", 5.64) | dict.fromkeys(("alpha", "beta", "gamma"), 90)
    path = tmp_path / "x.cif"
    path.write_text(f"{HEADER.format(**cell)}{tag} {said}\n{ATOMS}Na 0 0 0\nCl .5 .5 .5\n")
    result = read_structures(path)
    assert [len(atoms) for atoms in result.structures] == ([n_atoms] if n_atoms else [])
    assert all("is not known" in failure.message for failure in result.failures)
