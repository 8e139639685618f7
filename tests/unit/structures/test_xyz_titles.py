"""Titles of XYZ: cells, flags, units and columns as several programs write them."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from atomlens.structures import read_structures

DIMER = "2\n{}\nFe 0 0 0\nAl {x} {x} {x}\n"
METHANE = "5\n{}\n" + "".join(
    f"{s} {x} {y} {z}\n"
    for s, x, y, z in (
        ("C", 0, 0, 0),
        ("H", 0.629, 0.629, 0.629),
        ("H", -0.629, -0.629, 0.629),
        ("H", -0.629, 0.629, -0.629),
        ("H", 0.629, -0.629, -0.629),
    )
)


def read_text(folder: Path, text: str) -> tuple[Atoms, list[str]]:
    path = folder / "x.xyz"
    path.write_text(text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = read_structures(path)
    (atoms,) = result.structures
    return atoms, atoms.info.get("warnings", [])


def problem(folder: Path, text: str) -> str:
    path = folder / "x.xyz"
    path.write_text(text)
    (failure,) = read_structures(path).failures
    return failure.message


CUBE = "2.909 0 0 0 2.909 0 0 0 2.909"


@pytest.mark.parametrize(
    "title",
    [
        f'lattice="{CUBE}" properties=species:S:1:pos:R:3',
        f'LATTICE="{CUBE}"',
        f'Lattice = "{CUBE}"',
        f"Lattice={{{CUBE}}}",
        "lattice=[[2.909,0,0],[0,2.909,0],[0,0,2.909]]",
        'cell="2.909 2.909 2.909 90 90 90"',
        'Box="2.909 2.909 2.909"',
        f"time= 1.0 (fs) Energy= -3.2 (Hartree) Cell_Vectors= {CUBE}",
        "CRYST1    2.909    2.909    2.909  90.00  90.00  90.00 P 1",
        "a=2.909 b=2.909 c=2.909 alpha=90 beta=90 gamma=90",
        f"# CELL(H): {CUBE} Traj: positions{{angstrom}} cell{{angstrom}}",
        "# CELL[abcABC]: 2.909 2.909 2.909 90 90 90 cell{angstrom} Step: 4 positions{angstrom}",
    ],
)
def test_a_cell_is_a_cell_whatever_program_wrote_it(title: str, tmp_path: Path) -> None:
    atoms, said = read_text(tmp_path, DIMER.format(title, x=1.4545))
    assert atoms.pbc.all()
    assert atoms.cell.lengths() == pytest.approx([2.909] * 3)
    assert said == []


def test_the_columns_of_ipis_cell_are_the_lattice_vectors(tmp_path: Path) -> None:
    title = "# CELL{H}: 4 1 0 0 5 0 0 0 6 cell{angstrom} positions{angstrom}"
    atoms, _ = read_text(tmp_path, DIMER.format(title, x=1.6))
    assert np.allclose(atoms.cell[:], [[4, 0, 0], [1, 5, 0], [0, 0, 6]])


@pytest.mark.parametrize(
    "flags", ['"T T F"', "TTF", '"1 1 0"', '"true, true, false"', "[T,T,F]", '"p p f"', "xy"]
)
@pytest.mark.parametrize("key", ["pbc", "PBC"])
def test_flags_are_read_in_any_spelling(key: str, flags: str, tmp_path: Path) -> None:
    title = f'Lattice="{CUBE}" {key}={flags}'
    assert read_text(tmp_path, DIMER.format(title, x=1.4545))[0].pbc.tolist() == [True, True, False]


def test_flags_that_mean_nothing_are_refused(tmp_path: Path) -> None:
    assert "pbc is 'perhaps'" in problem(
        tmp_path, DIMER.format(f'Lattice="{CUBE}" pbc=perhaps', x=1.4545)
    )


BOHR_TITLES = [
    "methane, coordinates in bohr",
    "Coordinates (Bohr)",
    "units=au",
    "length_unit = 'bohr'",
    "# positions{atomic_unit}",
    "positions in atomic units",
    "methane (bohr)",
    "methane, bohr",
    "Bohr",
    "a.u.",
    "methane in a.u.",
    "geometry in Bohr from a scan",
    "methane, bohr units",
]


@pytest.mark.parametrize("title", BOHR_TITLES)
def test_bohr_become_angstrom(title: str, tmp_path: Path) -> None:
    lines = METHANE.format(title).split("\n")
    rows = [line.split() for line in lines[2:7]]
    scaled = [" ".join([s, *(str(float(x) / 0.529177) for x in xyz)]) for s, *xyz in rows]
    atoms, said = read_text(tmp_path, "\n".join([*lines[:2], *scaled, ""]))
    assert atoms.get_distance(0, 1) == pytest.approx(1.0895, abs=1e-3)
    (line,) = said
    assert "says that 1 is 0.5292 Å; the coordinates were converted" in line


@pytest.mark.parametrize(
    "title",
    [
        "energy=-40.5 a.u.",
        "forces in hartree/bohr",
        "units=angstrom",
        "units=metal",
        "dipole 0.1 e*bohr",
        "Au surface",
        "Niels Bohr Institute, run 5",
        "after Bohr and Mottelson",
        "as in Bohr and Mottelson",
        "no bohr units here: angstrom",
        "coordinates not in bohr",
        "converted from bohr",
        "dipole moment (a.u.) 0.1",
        "energy units: au",
        "coordinates: Au surface",
        "xyz: Au2 on methane",
    ],
)
def test_other_units_leave_the_coordinates_alone(title: str, tmp_path: Path) -> None:
    atoms, said = read_text(tmp_path, METHANE.format(title))
    assert atoms.get_distance(0, 1) == pytest.approx(1.0895, abs=1e-3)
    assert said == []


@pytest.mark.parametrize("title", ["r = 7 bohr", "scan at 7 Bohr", "run of the bohr queue"])
def test_a_mention_that_is_no_unit_of_the_coordinates_is_told(title: str, tmp_path: Path) -> None:
    atoms, said = read_text(tmp_path, METHANE.format(title))
    assert atoms.get_distance(0, 1) == pytest.approx(1.0895, abs=1e-3)
    assert "taken as Å; write units=bohr" in said[0]


def test_a_cell_is_left_alone_by_a_name_in_the_title(tmp_path: Path) -> None:
    title = f'Lattice="{CUBE}" title="after Bohr and Mottelson" pbc="T T T"'
    atoms, said = read_text(tmp_path, DIMER.format(title, x=1.4545))
    assert atoms.cell.lengths() == pytest.approx([2.909] * 3)
    assert said == []


def test_a_group_that_looks_like_picometres_is_no_unit(tmp_path: Path) -> None:
    title = f'cell: Pm-3m Lattice="{CUBE}"'
    atoms, _ = read_text(tmp_path, DIMER.format(title, x=1.4545))
    assert atoms.cell.lengths() == pytest.approx([2.909] * 3)


def test_two_units_are_refused(tmp_path: Path) -> None:
    assert "two units" in problem(tmp_path, METHANE.format("units=bohr, coordinates in angstrom"))


@pytest.mark.parametrize(
    "rows",
    [
        "P 0 0 -0.1279\nH 0 1.191 0.6396\nH 1.0314 -0.5955 0.6396\nH -1.0314 -0.5955 0.6396",
        "Br 0 0 0\nH 0 0 1.414",
    ],
)
def test_bonds_that_are_long_in_angstrom_are_no_bohr(rows: str, tmp_path: Path) -> None:
    n = rows.count("\n") + 1
    assert not read_text(tmp_path, f"{n}\n\n{rows}\n")[1]
    table = [row.split() for row in rows.splitlines()]
    longer = "\n".join(f"{s} {' '.join(str(1.8897 * float(x)) for x in r)}" for s, *r in table)
    assert "may be in bohr" in read_text(tmp_path, f"{n}\n\n{longer}\n")[1][0]


def test_bohr_without_a_word_are_told_by_the_hydrogens(tmp_path: Path) -> None:
    text = METHANE.format("methane").replace("0.629", "1.188")
    assert "may be in bohr" in read_text(tmp_path, text)[1][0]


def test_fractions_of_a_cell_are_placed_in_it_and_refused_without(tmp_path: Path) -> None:
    title = f'Lattice="{CUBE}" units=fractional'
    atoms, _ = read_text(tmp_path, DIMER.format(title, x=0.5))
    assert atoms.positions[1] == pytest.approx([1.4545] * 3)
    assert "gives no cell" in problem(tmp_path, DIMER.format("fractional coordinates", x=0.5))


@pytest.mark.parametrize("title", ["unit cell of FeAl", "periodic box", CUBE])
def test_a_cell_that_is_not_understood_is_told(title: str, tmp_path: Path) -> None:
    atoms, said = read_text(tmp_path, DIMER.format(title, x=1.4545))
    assert not atoms.pbc.any()
    assert "read as a molecule" in said[0]


def test_ipis_title_without_a_unit_is_refused(tmp_path: Path) -> None:
    title = "# CELL(abcABC): 5.5 5.5 5.5 90 90 90 Step: 0 Bead: 0"
    assert "unit of the positions" in problem(tmp_path, DIMER.format(title, x=2.75))


def test_columns_have_other_names_and_never_none(tmp_path: Path) -> None:
    for columns in ("element:S:1:positions:R:3", "Symbols:S:1:POS:R:3"):
        atoms, _ = read_text(tmp_path, METHANE.format(f"PROPERTIES={columns}"))
        assert atoms.get_chemical_formula() == "CH4"
    for columns in ("type:I:1:pos:R:3", "species:S:1:x:R:1:y:R:1:z:R:1"):
        assert "its Properties have n" in problem(tmp_path, METHANE.format(f"Properties={columns}"))


NAMES = {
    "LAMMPS's types of water": "3\nbox\n2 0 0 0\n1 0.97 0 0\n1 -0.25 0.94 0\n",
    "types, some of them": "3\n\n3 0 0 0\n1 0.97 0 0\n1 -0.25 0.94 0\n",
    "one type": "3\n\n1 0 0 0\n1 2.9 0 0\n1 0 2.9 0\n",
    "a dump": "2\nAtoms. Timestep: 500\n6 0 0 0\n8 1.2 0 0\n",
    "delta carbon": "3\n\nC 0 0 0\nCD 1.53 0 0\nN 2.1 1.4 0\n",
    "gamma hydrogen": "3\n\nC 0 0 0\nHG 1.09 0 0\nC -0.5 1.4 0\n",
    "epsilon nitrogen": "3\n\nC 0 0 0\nNE 1.46 0 0\nC 2 1.2 0\n",
    "tetrahedral site": "3\n\nT 0 0 0\nO 1.62 0 0\nO -1.62 0 0\n",
}


@pytest.mark.parametrize("which", NAMES)
def test_names_and_types_are_not_taken_for_elements(which: str, tmp_path: Path) -> None:
    assert problem(tmp_path, NAMES[which])


def test_true_elements_in_capitals_and_numbers_are_read(tmp_path: Path) -> None:
    texts = {
        "CaCO3": "5\n\nCA 0 0 3\nC 0 0 0\nO 1.28 0 0\nO -0.64 1.11 0\nO -0.64 -1.11 0\n",
        "CHCl3": "5\n\n6 0 0 0\n1 0 0 1.09\n17 1.66 0 -0.6\n17 -0.8 1.4 -0.6\n17 -0.8 -1.4 -0.6\n",
        "Ar2": "2\n\n18 0 0 0\n18 3.76 0 0\n",
        "HD": "2\n\nH 0 0 0\nD 0.74 0 0\n",
        "NiC4O4": "9\n\nNI 0 0 0\n"
        + "".join(
            f"C {1.84 * x} {1.84 * y} {1.84 * z}\nO {2.98 * x} {2.98 * y} {2.98 * z}\n"
            for x, y, z in np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / 3**0.5
        ),
    }
    for formula, text in texts.items():
        atoms, _ = read_text(tmp_path, text)
        assert sorted(atoms.symbols) == sorted(Atoms(formula.replace("D", "H")).symbols)


def test_a_metal_too_near_to_its_neighbours_is_told(tmp_path: Path) -> None:
    text = "3\n\nN 0 0 0\nCa 1.458 0 0\nC 2.01 1.42 0\n"
    assert "1.46 Å apart, nearer than such atoms ever are" in read_text(tmp_path, text)[1][0]


def test_values_with_exponents_of_fortran_are_numbers(tmp_path: Path) -> None:
    atoms, _ = read_text(tmp_path, METHANE.format("energy=-0.42D+02 gap=1.5d0 shell=3d10"))
    assert (atoms.info["energy"], atoms.info["gap"]) == (-42.0, 1.5)
    assert atoms.info["shell"] == "3d10"
