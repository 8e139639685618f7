"""Words of a file that decide what its atoms are, and that were passed over in silence."""

import json
from pathlib import Path

import numpy as np
import pytest

from atomlens.structures import read_structures
from atomlens.structures.arrays import warnings_of
from atomlens.structures.records import quiet
from reading_cases import PWI
from small_cifs import CELL, SITES


def _read(path: Path, content: str) -> tuple[str, str]:
    """Return the formula, or the sentence that refuses it, and what was remarked."""
    path.write_text(content)
    with quiet():
        result = read_structures(path)
    if result.failures:
        return result.failures[0].message, ""
    (atoms,) = result.structures
    return atoms.get_chemical_formula(), " ".join(warnings_of(atoms))


def _trigonal(hall: str) -> str:
    cell = CELL.format(6.3, 6.3, 6.9, 90, 90, 120)
    return f"data_x\n{cell}_space_group_name_Hall '{hall}'\n{SITES}Kr1 Kr .12 .33 .27\n"


@pytest.mark.parametrize(
    ("hall", "n_atoms"), [("P 3 2", 6), ("P 32", 3), ("P  3  2", 6), ("p_3_2", 6), ("P 6 2", 12)]
)
def test_blanks_of_a_hall_symbol_tell_axes_apart(tmp_path: Path, hall: str, n_atoms: int) -> None:
    formula, _ = _read(tmp_path / "a.cif", _trigonal(hall))
    assert formula == f"Kr{n_atoms}"


def test_a_hall_symbol_without_blanks_is_read_where_it_is_clear(tmp_path: Path) -> None:
    cell = CELL.format(5, 5, 5, 90, 90, 90)
    text = f"data_x\n{cell}_space_group_name_Hall '-P423'\n{SITES}Cs1 Cs 0 0 0\nBr1 Br .5 .5 .5\n"
    assert _read(tmp_path / "a.cif", text)[0] == "BrCs"


@pytest.mark.parametrize("angle", [180, 195, 270, 360])
def test_angles_of_half_a_turn_and_more_are_no_cell(tmp_path: Path, angle: int) -> None:
    cell = CELL.format(4.5, 4.5, 4.5, 90, 90, angle)
    text = f"data_x\n{cell}{SITES}Li1 Li 0 0 0\nF1 F .5 .5 .5\n"
    assert "do not form a cell" in _read(tmp_path / "a.cif", text)[0]


def test_disorder_groups_that_are_all_there_are_told(tmp_path: Path) -> None:
    head = SITES + "_atom_site_disorder_group\n"
    rows = "Si1 Si 0 0 0 .\nO1 O .25 0 0 1\nO2 O 0 .25 0 2\n"
    text = f"data_x\n{CELL.format(6.4, 6.4, 6.4, 90, 90, 90)}{head}{rows}"
    formula, said = _read(tmp_path / "a.cif", text)
    assert formula == "O2Si"
    assert "disorder groups 1 and 2" in said
    one = text.replace("0 .25 0 2", "0 .25 0 1")
    assert "disorder" not in _read(tmp_path / "b.cif", one)[1]


_ENTRY = {
    "cartesian_site_positions": [[0, 0, 0], [2.1, 2.1, 2.1]],
    "species_at_sites": ["Mg", "O"],
    "lattice_vectors": [[4.2, 0, 0], [0, 4.2, 0], [0, 0, 4.2]],
    "dimension_types": [1, 1, 1],
}


def test_an_optimade_entry_without_its_lattice_is_no_molecule(tmp_path: Path) -> None:
    assert _read(tmp_path / "a.json", json.dumps(_ENTRY)) == ("MgO", "")
    bare = {key: value for key, value in _ENTRY.items() if key != "lattice_vectors"}
    assert "no lattice_vectors" in _read(tmp_path / "b.json", json.dumps(bare))[0]
    del bare["dimension_types"]
    assert "if it is a crystal" in _read(tmp_path / "c.json", json.dumps(bare))[1]
    molecule = json.dumps(bare | {"dimension_types": [0, 0, 0]})
    assert _read(tmp_path / "d.json", molecule) == ("MgO", "")


@pytest.mark.parametrize("feature", ["implicit_atoms", "unknown_positions"])
def test_atoms_without_positions_of_optimade_are_told(tmp_path: Path, feature: str) -> None:
    entry = _ENTRY | {"structure_features": ["assemblies", feature]}
    assert feature in _read(tmp_path / "a.json", json.dumps(entry))[1]


def _pymatgen(lattice: dict[str, object], key: str, place: list[float]) -> str:
    sites = [
        {"species": [{"element": "Mg", "occu": 1}], key: [0, 0, 0]},
        {"species": [{"element": "O", "occu": 1}], key: place},
    ]
    return json.dumps({"@class": "Structure", "lattice": lattice, "sites": sites})


def test_pymatgen_without_a_matrix_or_without_parts_of_the_cell(tmp_path: Path) -> None:
    lengths: dict[str, object] = {**dict.fromkeys("abc", 4.2), "alpha": 90, "beta": 90, "gamma": 90}
    path = tmp_path / "a.json"
    path.write_text(_pymatgen(lengths, "xyz", [2.1, 2.1, 2.1]))
    (atoms,) = read_structures(path).structures
    assert np.allclose(atoms.get_scaled_positions()[1], 0.5)
    del lengths["gamma"]
    said, _ = _read(path, _pymatgen(lengths, "abc", [0.5, 0.5, 0.5]))
    assert "neither a matrix nor six lengths" in said


_IN_ANGSTROM = PWI.replace("bohr", "angstrom").replace("5.329", "2.82")


@pytest.mark.parametrize(
    ("content", "length"),
    [
        (_IN_ANGSTROM.replace("angstrom", "angstrom ! not in bohr"), 3.988),
        (_IN_ANGSTROM.replace("crystal", "crystal ! angstrom, bohr"), 3.988),
        (PWI.replace("ntyp=2", "ntyp=2, A = 5.64").replace("bohr", "alat"), 5.64 * 5.329 * 2**0.5),
        (PWI.replace("ntyp=2", "ntyp=2, A=5.64").replace("bohr", ""), 5.64 * 5.329 * 2**0.5),
        (_IN_ANGSTROM.replace("2.82", "2.82d0").replace("0.5 0.5 0.5", "1/2 5.d-1 .5D0"), 3.988),
    ],
)
def test_units_of_pwx_are_those_of_its_cards(tmp_path: Path, content: str, length: float) -> None:
    path = tmp_path / "a.pwi"
    path.write_text(content)
    with quiet():
        (atoms,) = read_structures(path).structures
    assert np.allclose(atoms.cell.lengths(), length, rtol=1e-3)
    assert np.allclose(atoms.get_scaled_positions()[1], 0.5)


def test_the_minus_of_typesetters_is_a_minus(tmp_path: Path) -> None:
    path = tmp_path / "a.xyz"
    path.write_text("3\n\nO 0 0 0\nH 0.96 0 0\nH \u22120.24 0.93 0\n", encoding="utf-8")
    (atoms,) = read_structures(path).structures
    assert atoms.positions[2].tolist() == [-0.24, 0.93, 0]


def test_a_data_field_of_several_lines_is_no_number(tmp_path: Path) -> None:
    block = "\n  x\n\n  1  0  0  0  0  0            999 V2000\n"
    block += "    0.0000    0.0000    0.0000 Ar  0  0\nM  END\n"
    fields = "> <one>\n2.5\n\n> <two>\n1.5\n2.5\n\n> <none>\n\n> <last>\n7\n\n$$$$\n"
    path = tmp_path / "a.sdf"
    path.write_text(block + fields)
    (atoms,) = read_structures(path).structures
    assert [atoms.info[name] for name in ("one", "two", "last")] == [2.5, "1.5\n2.5", 7]
