"""Every kind of file comes out as the ase.Atoms that went in."""

import json
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from ase.db import connect
from ase.io import write
from pymatgen.core import Lattice, Structure
from rdkit import Chem
from rdkit.Chem import rdDepictor

from atomlens.datasets import load_dataset
from atomlens.errors import StructureError
from atomlens.predictor.inputs.pieces import pieces_of
from atomlens.structures import read, read_structures, to_atoms
from structure_makers import mol_block

SALT = bulk("NaCl", "rocksalt", a=5.64, cubic=True)


def same(first: Atoms, second: Atoms) -> bool:
    return bool(
        (first.numbers == second.numbers).all()
        and np.allclose(first.positions, second.positions, atol=1e-6)
        and np.allclose(first.cell[:], second.cell[:], atol=1e-6)
        and (first.pbc == second.pbc).all()
    )


@pytest.mark.parametrize("name", ["a.cif", "POSCAR", "CONTCAR_relaxed", "b.vasp", "c.extxyz"])
def test_a_crystal_comes_back_from_its_file(name: str, tmp_path: Path) -> None:
    formats = {"a.cif": "cif", "c.extxyz": "extxyz"}
    write(tmp_path / name, SALT, format=formats.get(name, "vasp"))
    assert same(to_atoms(tmp_path / name), SALT)


@pytest.mark.parametrize("name", ["m.xyz", "m.extxyz", "m.json", "m.db"])
def test_a_molecule_comes_back_without_a_cell(name: str, tmp_path: Path) -> None:
    ethanol = molecule("CH3CH2OH")
    write(tmp_path / name, ethanol)
    atoms = to_atoms(tmp_path / name)
    assert same(atoms, ethanol)
    assert not atoms.pbc.any()
    assert atoms.cell.rank == 0


def test_a_molecule_in_a_box_keeps_no_cell(tmp_path: Path) -> None:
    boxed = molecule("H2O", vacuum=5.0)
    write(tmp_path / "boxed.extxyz", boxed)
    assert to_atoms(tmp_path / "boxed.extxyz").cell.rank == 0


@pytest.mark.parametrize("name", ["slab.extxyz", "slab.db", "slab.json"])
def test_a_slab_keeps_its_partial_periodicity(name: str, tmp_path: Path) -> None:
    slab = fcc111("Cu", (1, 1, 3), vacuum=6.0)
    slab.info.clear()
    write(tmp_path / name, slab)
    assert to_atoms(tmp_path / name).pbc.tolist() == [True, True, False]


def test_a_wire_needs_one_lattice_vector_only(tmp_path: Path) -> None:
    text = '1\nLattice="0 0 0 0 0 0 0 0 2.5" pbc="F F T" Properties=species:S:1:pos:R:3\nAu 0 0 0\n'
    (tmp_path / "wire.xyz").write_text(text)
    atoms = to_atoms(tmp_path / "wire.xyz")
    assert atoms.pbc.tolist() == [False, False, True]
    assert atoms.cell.lengths().tolist() == [0, 0, 2.5]


def test_targets_of_an_extxyz_are_in_info(tmp_path: Path) -> None:
    path = tmp_path / "t.extxyz"
    path.write_text("1\nProperties=species:S:1:pos:R:3 homo=-7.5 energy=-3.25 kind=gas\nHe 0 0 0\n")
    info = to_atoms(path).info
    assert (info["homo"], info["energy"], info["kind"]) == (-7.5, -3.25, "gas")


def test_targets_of_a_database_are_in_info(tmp_path: Path) -> None:
    with connect(tmp_path / "t.db", use_lock_file=False) as database:
        database.write(SALT, gap=8.5, name="salt")
    info = to_atoms(tmp_path / "t.db").info
    assert (info["gap"], info["name"]) == (8.5, "salt")


def test_data_fields_of_an_sdf_are_in_info(tmp_path: Path) -> None:
    block = mol_block("CCO")
    (tmp_path / "t.sdf").write_text(f"{block}> <homo>  (1)\n-7.5\n\n> <ID>\nx1\n\n$$$$\n")
    info = to_atoms(tmp_path / "t.sdf").info
    assert (info["homo"], info["ID"]) == (-7.5, "x1")


def test_a_mol_file_keeps_its_coordinates(tmp_path: Path) -> None:
    block = mol_block("CCO")
    (tmp_path / "m.mol").write_text(block)
    atoms = to_atoms(tmp_path / "m.mol")
    expected = Chem.MolFromMolBlock(block, removeHs=False).GetConformer().GetPositions()
    assert np.allclose(atoms.positions, expected)


def test_a_flat_drawing_becomes_a_molecule_in_space(tmp_path: Path) -> None:
    drawing = Chem.MolFromSmiles("CC(C)O")
    rdDepictor.Compute2DCoords(drawing)
    (tmp_path / "drawing.mol").write_text(Chem.MolToMolBlock(drawing))
    with pytest.warns(UserWarning, match="flat drawing"):
        atoms = to_atoms(tmp_path / "drawing.mol")
    assert atoms.get_chemical_formula() == "C3H8O"
    assert np.ptp(atoms.positions, axis=0).min() > 1.0


def test_hydrogens_that_a_3d_file_leaves_out_are_added(tmp_path: Path) -> None:
    mol = Chem.RemoveHs(Chem.MolFromMolBlock(mol_block("CCO"), removeHs=False))
    (tmp_path / "heavy.mol").write_text(Chem.MolToMolBlock(mol))
    with pytest.warns(UserWarning, match="hydrogens"):
        atoms = to_atoms(tmp_path / "heavy.mol")
    assert atoms.get_chemical_formula() == "C2H6O"
    assert np.allclose(atoms.positions[:3], mol.GetConformer().GetPositions(), atol=1e-4)


def test_a_flat_molecule_marked_3d_keeps_its_coordinates(tmp_path: Path) -> None:
    atoms_lines = (
        "    0.0000    0.0000    0.0000 C   0  0\n    1.1280    0.0000    0.0000 O   0  0\n"
    )
    counts = "  2  1  0  0  0  0            999 V2000\n"
    block = f"co\n  test              3D\n\n{counts}{atoms_lines}  1  2  3  0\nM  END\n"
    (tmp_path / "co.mol").write_text(block)
    assert to_atoms(tmp_path / "co.mol").get_distance(0, 1) == pytest.approx(1.128)


def test_pymatgen_json_comes_as_one_or_as_many(tmp_path: Path) -> None:
    iron = Structure(Lattice.cubic(2.87), ["Fe3+", "Fe"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    (tmp_path / "one.json").write_text(json.dumps(iron.as_dict()))
    record = {"material_id": "mp-13", "band_gap": 0.0, "structure": iron.as_dict()}
    (tmp_path / "many.json").write_text(json.dumps([iron.as_dict(), record]))
    (tmp_path / "named.json").write_text(json.dumps({"x": iron.as_dict(), "y": iron.as_dict()}))
    assert same(to_atoms(tmp_path / "one.json"), iron.to_ase_atoms())
    many = read(tmp_path / "many.json")
    assert [atoms.info["name"] for atoms in many] == ["many-0000", "mp-13"]
    assert many[1].info["band_gap"] == 0.0
    assert [atoms.info["name"] for atoms in read(tmp_path / "named.json")] == ["x", "y"]


def test_json_never_makes_other_objects_than_structures(tmp_path: Path) -> None:
    iron = Structure(Lattice.cubic(2.87), ["Fe"], [[0, 0, 0]]).as_dict()
    iron["sites"][0]["properties"] = {"trap": {"@module": "os", "@class": "system", "command": "x"}}
    iron["@module"] = "antigravity"
    (tmp_path / "hostile.json").write_text(json.dumps(iron))
    assert len(to_atoms(tmp_path / "hostile.json")) == 1


def test_rows_of_an_ase_json_database_are_read(tmp_path: Path) -> None:
    with connect(tmp_path / "rows.json", use_lock_file=False) as database:
        database.write(SALT, gap=8.5)
        database.write(molecule("H2O"), name="water")
    salt, water = read(tmp_path / "rows.json")
    assert same(salt, SALT)
    assert salt.info["gap"] == 8.5
    assert water.info["name"] == "water"


def test_a_folder_is_searched_in_depth_and_in_order(tmp_path: Path) -> None:
    for name in ("b/two.xyz", "a/one.xyz", "three.xyz", ".hidden/no.xyz", "b/.no.xyz"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("1\n\nHe 0 0 0\n")
    (tmp_path / "README.md").write_text("not a structure")
    with pytest.warns(UserWarning, match=r"left out, .* no kind that is read: README.md"):
        sources = [Path(atoms.info["source"]) for atoms in read(tmp_path)]
    assert [p.relative_to(tmp_path).as_posix() for p in sources] == [
        "a/one.xyz",
        "b/two.xyz",
        "three.xyz",
    ]


def test_a_pattern_finds_the_same_files_as_a_list(tmp_path: Path) -> None:
    for name in ("b.xyz", "a.xyz"):
        (tmp_path / name).write_text("1\n\nHe 0 0 0\n")
    by_pattern = read(str(tmp_path / "*.xyz"))
    by_list = read([tmp_path / "a.xyz", str(tmp_path / "b.xyz")])
    names = [[atoms.info["name"] for atoms in found] for found in (by_pattern, by_list)]
    assert names == [["a", "b"], ["a", "b"]]


def test_results_stand_in_the_order_of_the_inputs(tmp_path: Path) -> None:
    (tmp_path / "z.xyz").write_text("1\n\nHe 0 0 0\n")
    (tmp_path / "bad.xyz").write_text("")
    result = read_structures(["formula:NaCl", tmp_path / "z.xyz", tmp_path / "bad.xyz", "CCO"])
    kinds = [getattr(item, "message", None) is not None for item in result.items]
    assert kinds == [False, False, True, False]


@pytest.mark.parametrize(
    "encoding", ["latin-1", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"]
)
def test_an_umlaut_in_a_comment_does_no_harm(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "x.xyz").write_bytes("1\nMüller, in Å\nHe 0 0 0\n".encode(encoding))
    assert to_atoms(tmp_path / "x.xyz").info["comment"] == "Müller, in Å"


def test_numbers_of_a_program_are_no_wide_letters(tmp_path: Path) -> None:
    (tmp_path / "x.xyz").write_bytes(b"\x01\0\0\0\xff\xff\xff\xff" * 50)
    with pytest.raises(StructureError, match="binary data"):
        to_atoms(tmp_path / "x.xyz")


def test_windows_and_old_mac_line_ends_do_no_harm(tmp_path: Path) -> None:
    for i, end in enumerate(("\r\n", "\r")):
        (tmp_path / f"{i}.xyz").write_bytes(f"1{end}{end}He 0 0 0{end}".encode())
    assert [len(atoms) for atoms in read(tmp_path)] == [1, 1]


def test_atomic_numbers_and_odd_capitals_are_elements_in_xyz(tmp_path: Path) -> None:
    (tmp_path / "x.xyz").write_text("3\n\n6 0 0 0\nCL 0 0 1.8\nd\t0 1.1 0 0.5\n")
    with pytest.warns(UserWarning, match="deuterium"):
        assert to_atoms(tmp_path / "x.xyz").get_chemical_symbols() == ["C", "Cl", "H"]


@pytest.mark.filterwarnings("ignore:.*an odd number of electrons")
def test_qm9s_own_xyz_files_are_read(tmp_path: Path) -> None:
    text = (
        "2\ngdb 9\t1.0\t2.0\nO\t0.0\t0.0\t0.0\t-0.2\nH\t0.0\t9.6*^-1\t0.0\t0.2\n"
        "3700.0\nO\tO\nInChI=1S/H2O\tInChI=1S/H2O\n"
    )
    (tmp_path / "dsgdb9nsd_000009.xyz").write_text(text)
    assert to_atoms(tmp_path / "dsgdb9nsd_000009.xyz").get_distance(0, 1) == pytest.approx(0.96)


def test_an_old_poscar_has_its_elements_in_the_title(tmp_path: Path) -> None:
    text = "Na Cl\n1.0\n5 0 0\n0 5 0\n0 0 5\n1 1\nCartesian\n0 0 0\n2.5 2.5 2.5\n"
    (tmp_path / "POSCAR").write_text(text)
    assert to_atoms(tmp_path / "POSCAR").get_chemical_symbols() == ["Na", "Cl"]


def test_a_negative_scale_of_a_poscar_is_the_volume(tmp_path: Path) -> None:
    text = "x\n-64\n1 0 0\n0 1 0\n0 0 1\nFe\n1\nSelective dynamics\nDirect\n0 0 0 T T F\n"
    (tmp_path / "POSCAR").write_text(text)
    assert to_atoms(tmp_path / "POSCAR").cell.lengths() == pytest.approx([4, 4, 4])


@pytest.mark.parametrize("flags", [("", ""), (" T T F", ""), (" T F", " 1 0 1"), (" Na", " Cl")])
def test_what_may_move_in_a_poscar_is_no_part_of_the_structure(flags, tmp_path: Path) -> None:
    rows = f"0 0 0{flags[0]}\n2.5 2.5 2.5{flags[1]}\n"
    head = "NaCl\n1\n5 0 0\n0 5 0\n0 0 5\nNa Cl\n1 1\nSelective dynamics\nCartesian\n"
    (tmp_path / "POSCAR").write_text(head + rows)
    atoms = to_atoms(tmp_path / "POSCAR")
    assert atoms.get_distance(0, 1) == pytest.approx(2.5 * 3**0.5)
    assert not atoms.constraints


@pytest.fixture(scope="module")
def several(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("several")
    frames = [molecule(name) for name in ("H2O", "CH4", "NH3", "CO2")]
    for i, atoms in enumerate(frames):
        atoms.info["gap"] = float(i)
    write(folder / "f.extxyz", frames)
    with connect(folder / "f.db") as base:
        for atoms in frames:
            base.write(atoms, gap=1.0)
        del base[1]
    (folder / "t.csv").write_text("smiles,gap\nCCO,1\n")
    return folder


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ("f.extxyz@0", ["f-0000"]),
        ("f.extxyz@-1", ["f-0003"]),
        ("f.extxyz@1:3", ["f-0001", "f-0002"]),
        ("f.extxyz@::-2", ["f-0003", "f-0001"]),
        ("f.extxyz@:", ["f-0000", "f-0001", "f-0002", "f-0003"]),
        ("f.db@id=3", ["f-0001"]),
        ("f.db@0", ["f-0000"]),
    ],
)
def test_structures_of_a_file_are_picked_as_ase_writes_it(choice, names, several: Path) -> None:
    assert [atoms.info["name"] for atoms in read(f"{several}/{choice}")] == names
    assert list(load_dataset(several / choice, "gap").structures.names) == names


def test_a_screening_knows_the_file_that_its_candidates_were_picked_from(several: Path) -> None:
    (piece,) = pieces_of([f"{several}/f.extxyz@1:"], {})
    assert piece.source == str(several / "f.extxyz")
    (other,) = pieces_of([f"{several}/f.extxyz@2:"], {})
    assert piece.mark != other.mark


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ("f.extxyz@4", "it holds 4 structures, counted from 0; the last one is @3 or @-1"),
        ("f.extxyz@7:9", "picks none of its 4 structures"),
        ("f.extxyz@", "nothing behind the @"),
        ("f.extxyz@last", "give a number"),
        ("f.extxyz@::0", "not 0"),
        ("f.extxyz@id=1", "in ase databases only"),
        ("f.db@id=1", "no row of this id; they are 2 to 4"),
        ("f.db@gap=1", "for a row of an ase database @id=3"),
        ("none.db@id=1", "no such file"),
        ("t.csv@0", "give the whole file"),
    ],
)
def test_a_choice_that_picks_nothing_is_one_sentence(choice, said, several: Path) -> None:
    with pytest.raises(StructureError, match=said):
        read(f"{several}/{choice}")


def test_an_at_in_a_smiles_picks_nothing() -> None:
    assert to_atoms("N[C@@H](C)C(=O)O").get_chemical_formula() == "C3H7NO2"


COMPONENT = """data_comp_list
loop_
_chem_comp.id
_chem_comp.name
MOL nothing
XXX nobody
data_MOL
_chem_comp.formula 'C O'
loop_
_chem_comp_atom.comp_id
_chem_comp_atom.atom_id
_chem_comp_atom.type_symbol
_chem_comp_atom.model_Cartn_x
_chem_comp_atom.model_Cartn_y
_chem_comp_atom.model_Cartn_z
_chem_comp_atom.pdbx_model_Cartn_x_ideal
_chem_comp_atom.pdbx_model_Cartn_y_ideal
_chem_comp_atom.pdbx_model_Cartn_z_ideal
MOL C1 C 1 2 3 0 0 0
MOL O1 O 1 2 4.1 0 0 {last}
"""


@pytest.mark.parametrize(("last", "distance"), [("1.2", 1.2), ("?", 1.1)])
def test_a_component_of_a_dictionary_is_a_molecule(
    last: str, distance: float, tmp_path: Path
) -> None:
    """Its ideal coordinates if all are known, else those of the model."""
    path = tmp_path / "MOL.cif"
    path.write_text(COMPONENT.format(last=last))
    (molecule,) = read_structures(path).structures
    assert molecule.get_chemical_formula() == "CO"
    assert not molecule.pbc.any()
    assert molecule.get_distance(0, 1) == pytest.approx(distance)
    assert "warnings" not in molecule.info


def test_a_component_without_coordinates_is_no_structure(tmp_path: Path) -> None:
    path = tmp_path / "MOL.cif"
    path.write_text(COMPONENT.format(last="?").replace("4.1", "."))
    (failure,) = read_structures(path).failures
    assert "holds no atom positions" in failure.message
