"""Published crystal data as JSON: the containers of pandas, matbench, JARVIS and OPTIMADE."""

import json
from pathlib import Path
from typing import Any

import pytest

from atomlens.datasets import load_dataset
from atomlens.errors import Failure
from atomlens.structures import read_structures
from atomlens.structures.formats.databases import read_json


def structure(a: float, *symbols: str) -> dict[str, Any]:
    places = [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]]
    sites = [
        {"species": [{"element": s, "occu": 1}], "abc": p, "xyz": [x * a for x in p]}
        for s, p in zip(symbols, places, strict=True)
    ]
    return {"lattice": {"matrix": [[a, 0, 0], [0, a, 0], [0, 0, a]]}, "sites": sites}


TWO = [structure(3.2, "Ni", "Al"), structure(4.4, "Cs", "Br")]
CIF = (
    "data_x\n_cell_length_a 3.2\n_cell_length_b 3.2\n_cell_length_c 3.2\n_cell_angle_alpha 90\n"
    "_cell_angle_beta 90\n_cell_angle_gamma 90\nloop_\n_atom_site_label\n_atom_site_fract_x\n"
    "_atom_site_fract_y\n_atom_site_fract_z\nNi1 0 0 0\nAl1 .5 .5 .5\n"
)
JARVIS = {
    "lattice_mat": [[3.2, 0, 0], [0, 3.2, 0], [0, 0, 3.2]],
    "elements": ["Ni", "Al"],
    "coords": [[0, 0, 0], [0.5, 0.5, 0.5]],
    "cartesian": False,
}
OPTIMADE = {
    "lattice_vectors": [[3.2, 0, 0], [0, 3.2, 0], [0, 0, 3.2]],
    "cartesian_site_positions": [[0, 0, 0], [1.6, 1.6, 1.6]],
    "species_at_sites": ["Ni", "hole"],
    "species": [
        {"name": "Ni", "chemical_symbols": ["Ni"], "concentration": [1.0]},
        {"name": "hole", "chemical_symbols": ["Al"], "concentration": [1.0]},
    ],
}
CONTAINERS: dict[str, Any] = {
    "pandas split": {
        "index": [7, 9],
        "columns": ["structure", "y"],
        "data": [[TWO[0], 1], [TWO[1], 2]],
    },
    "pandas columns": {"structure": {"7": TWO[0], "9": TWO[1]}, "y": {"7": 1, "9": 2}},
    "pandas records": [{"structure": TWO[0], "y": 1}, {"structure": TWO[1], "y": 2}],
    "pandas index": {"7": {"structure": TWO[0], "y": 1}, "9": {"structure": TWO[1], "y": 2}},
    "pandas table": {
        "schema": {},
        "data": [{"structure": TWO[0], "y": 1}, {"structure": TWO[1], "y": 2}],
    },
    "answer of a server": {"data": [{"material_id": "a", "structure": s} for s in TWO], "meta": {}},
    "JSON as text": [{"structure": json.dumps(s)} for s in TWO],
    "CIF as text": [{"id": "a", "cif": CIF}, {"id": "b", "structure": CIF}],
    "JARVIS": [{"jid": "J-1", "atoms": JARVIS}, {"jid": "J-2", "atoms": JARVIS}],
    "OPTIMADE": {
        "data": [{"id": "a", "attributes": OPTIMADE}, {"id": "b", "attributes": OPTIMADE}]
    },
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_both_structures_of_a_container_are_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(CONTAINERS[name]))
    result = read_structures(path)
    assert not result.failures
    assert [len(atoms) for atoms in result.structures] == [2, 2]
    assert result.structures[0].get_chemical_formula() == "AlNi"
    assert result.structures[0].cell.lengths() == pytest.approx([3.2] * 3)
    assert result.structures[0].get_distance(0, 1, mic=True) == pytest.approx(3.2 * 3**0.5 / 2)


def test_lines_of_json_are_read_and_a_broken_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    lines = [json.dumps({"structure": one}) for one in TWO]
    path.write_text("\n".join([lines[0], '{"structure": {', lines[1]]))
    result = read_structures(path)
    assert len(result.structures) == 2
    assert "line 2 is not JSON" in result.failures[0].message


def test_values_beside_the_structures_are_targets(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(CONTAINERS["pandas split"]))
    assert load_dataset(path, "y").values[:, 0].tolist() == [1, 2]


def test_a_mixture_of_optimade_is_refused_and_missing_positions_are_named(tmp_path: Path) -> None:
    mixed = json.loads(json.dumps(OPTIMADE))
    mixed["species"][1] |= {"chemical_symbols": ["Al", "vacancy"], "concentration": [0.5, 0.5]}
    short = OPTIMADE | {"cartesian_site_positions": [[0, 0, 0]]}
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"data": [{"attributes": mixed}, {"attributes": short}]}))
    first, second = read_structures(path).failures
    assert "disordered" in first.message
    assert "2 elements and 1 position" in second.message


def test_tables_of_windows_with_comments_and_bad_rows(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "w.xyz").write_text("1\n\nHe 0 0 0\n")
    table = tmp_path / "t.csv"
    rows = ["file,y", "in\\w.xyz,1", "in\\w.xyz,2,3,4", "# end", '"in\\w.xyz",3', ""]
    table.write_text("\n".join(["# made by hand", "# in eV, see notes", *rows]))
    data = load_dataset(table)
    assert data.values[:, 0].tolist() == [1, 3]
    assert "4 cells where the header has 2" in data.failures[0].message


def test_a_header_may_begin_with_a_hash(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("#formula,y\nNaCl,1\nKCl,2\n")
    assert load_dataset(table, "y").values[:, 0].tolist() == [1, 2]


def test_structures_in_cells_of_a_csv(tmp_path: Path) -> None:
    import csv

    table = tmp_path / "t.csv"
    with table.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["structure", "y"])
        writer.writerows([[json.dumps(TWO[0]), 1], [str(TWO[1]), 2], [CIF, 3]])
    data = load_dataset(table)
    assert data.values[:, 0].tolist() == [1, 2, 3]
    assert data.structures.n_atoms.tolist() == [2, 2, 2]


def changed(place: str) -> dict[str, Any]:
    """A structure that says something of itself twice, in two ways."""
    pymatgen = structure(3.2, "Ni", "Al")
    jarvis, optimade = {**JARVIS}, {**OPTIMADE}
    if place == "positions":
        pymatgen["sites"][1]["xyz"] = [1.0, 1.0, 1.0]
    elif place == "lengths":
        pymatgen["lattice"]["a"], pymatgen["lattice"]["b"], pymatgen["lattice"]["c"] = 4, 3.2, 3.2
    elif place == "occupancy":
        pymatgen["sites"][0]["species"][0]["occu"] = -1
    elif place == "lengths of JARVIS":
        return {"jid": "J", "atoms": {**jarvis, "abc": [3.2, 3.2, 5.0]}}
    elif place == "sites":
        optimade["nsites"] = 4
    elif place == "formula":
        optimade["chemical_formula_reduced"] = "NiTi"
    elif place == "attached":
        nickel = {"name": "Ni", "chemical_symbols": ["Ni"], "concentration": [1.0]}
        attached = {**nickel, "attached": ["H"], "nattached": [3]}
        optimade["species"] = [attached, OPTIMADE["species"][1]]
    if optimade != OPTIMADE:
        return {"data": [{"id": "a", "attributes": optimade}]}
    return pymatgen


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("positions", "the fractional and the Cartesian coordinates of atom 1"),
        ("lengths", "it gives the lengths 4, 3.2, 3.2 Å"),
        ("occupancy", "an occupancy is a number from 0 to 1"),
        ("lengths of JARVIS", "it gives the lengths 3.2, 3.2, 5 Å"),
        ("sites", "it announces 4 sites, but 2 positions follow"),
        ("formula", "its formula is 'NiTi', but its atoms are NiAl"),
        ("attached", "3 atoms that are attached to its sites"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_json_says_twice_is_held_together(place: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(changed(place)))
    (item,) = read_structures(path).items
    said = item.message if isinstance(item, Failure) else " / ".join(item.info["warnings"])
    assert words in said


@pytest.mark.parametrize("kept", [("abc", "xyz"), ("xyz",)])
def test_a_crystal_without_its_lattice_is_no_molecule(kept: tuple[str, ...]) -> None:
    from pymatgen.core import Lattice, Structure

    data = Structure(Lattice.cubic(4.2), ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]).as_dict()
    del data["lattice"]
    for site in data["sites"]:
        for name in {"abc", "xyz"} - set(kept):
            del site[name]
    (entry,) = read_json(json.dumps(data))
    assert entry.atoms is None
    assert "no lattice" in entry.problem


@pytest.mark.parametrize(
    "content",
    [
        [{"smiles": "CCO", "y": 1.0}],
        {"Canonical SMILES": ["CCO"], "y": [1.0]},
        {"columns": ["formula", "y"], "data": [["Fe2O3", 1.0]]},
    ],
)
def test_a_table_of_texts_is_told_from_a_structure(content, tmp_path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content))
    (failure,) = read_structures([path]).failures
    assert "a table of SMILES or formulas; save it as CSV" in failure.message
