"""Every bad input is answered with one sentence: which file, which atom, what to do."""

import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from atomlens.errors import StructureError
from atomlens.structures import read, read_structures

CIF = """data_salt
_cell_length_a 5.64
_cell_length_b 5.64
_cell_length_c 5.64
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'P 1'
_chemical_formula_sum 'Na4 Cl4'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
Na1 Na 0.0 0.0 0.0 1.0
Na2 Na 0.0 0.5 0.5 1.0
Na3 Na 0.5 0.0 0.5 1.0
Na4 Na 0.5 0.5 0.0 1.0
Cl1 Cl 0.5 0.5 0.5 1.0
Cl2 Cl 0.5 0.0 0.0 1.0
Cl3 Cl 0.0 0.5 0.0 1.0
Cl4 Cl 0.0 0.0 0.5 1.0
"""
XYZ = "3\nwater\nO 0.0 0.0 0.119\nH 0.0 0.763 -0.477\nH 0.0 -0.763 -0.477\n"
POSCAR = """salt
1.0
5.64 0 0
0 5.64 0
0 0 5.64
Na Cl
1 1
Direct
0 0 0
0.5 0.5 0.5
"""
MOL = """carbon monoxide
  test              3D

  2  1  0  0  0  0            999 V2000
    0.0000    0.0000    0.1000 C   0  0
    1.1000    0.0000    0.0000 O   0  0
  1  2  3  0
M  END
"""
MIXED_SITE = {
    "lattice": {"matrix": [[4, 0, 0], [0, 4, 0], [0, 0, 4]]},
    "sites": [
        {
            "species": [{"element": "Fe", "occu": 0.5}, {"element": "Co", "occu": 0.5}],
            "abc": [0, 0, 0],
        }
    ],
}


def changed(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new)


BAD_FILES: dict[str, tuple[str, str | bytes, tuple[str, ...]]] = {
    "partial occupancy": (
        "partial.cif",
        changed(CIF, "Na2 Na 0.0 0.5 0.5 1.0", "Na2 Na 0.0 0.5 0.5 0.5"),
        ("atom 1 (Na2", "0.5 Na", "disordered"),
    ),
    "two elements on one site": (
        "shared.cif",
        changed(CIF, "0.5 0.5 1.0\nNa3", "0.5 0.5 0.7\nK2 K 0.0 0.5 0.5 0.3\nNa3"),
        ("atom 1 (Na2", "0.7 Na", "K", "disordered"),
    ),
    "disordered pymatgen site": (
        "mixed.json",
        json.dumps(MIXED_SITE),
        ("atom 0 (Fe", "0.5 Fe, 0.5 Co", "disordered"),
    ),
    "unknown element in a CIF": (
        "unknown.cif",
        changed(CIF, "Cl2 Cl", "Xx2 Xx"),
        ("atom 5 (Xx2", "'Xx' is not an element"),
    ),
    "unknown element in an XYZ": (
        "unknown.xyz",
        changed(XYZ, "H 0.0 0.7", "Qq 0.0 0.7"),
        ("atom 1", "line 4", "'Qq' is not an element"),
    ),
    "dummy atom in an XYZ": (
        "dummy.xyz",
        changed(XYZ, "H 0.0 0.7", "X 0.0 0.7"),
        ("atom 1", "'X' is not an element"),
    ),
    "unknown element in a POSCAR": (
        "POSCAR_unknown",
        changed(POSCAR, "Na Cl", "Na Zz"),
        ("'Zz' is not an element",),
    ),
    "unknown element in a MOL": (
        "unknown.mol",
        changed(MOL, " O  ", " Qq "),
        ("atom 1", "'Qq' is not an element"),
    ),
    "dummy atom in a MOL": ("dummy.mol", changed(MOL, " O  ", " *  "), ("atom 1", "dummy atom")),
    "two atoms at one place": (
        "close.xyz",
        changed(XYZ, "H 0.0 0.763 -0.477", "H 0.0 0.01 0.119"),
        ("atoms 0 (O) and 1 (H)", "0.010 Å apart", "0.1 Å"),
    ),
    "two atoms at one place across the border of the cell": (
        "POSCAR_close",
        changed(POSCAR, "0.5 0.5 0.5", "0.999 0.0 0.001"),
        ("atoms 0 (Na) and 1 (Cl)", "0.008 Å apart"),
    ),
    "position that is not a number": (
        "nan.xyz",
        changed(XYZ, "0.763 -0.477\nH", "nan -0.477\nH"),
        ("atom 1 (H", "nan"),
    ),
    "infinite position": (
        "POSCAR_inf",
        changed(POSCAR, "0.5 0.5 0.5", "inf 0.5 0.5"),
        ("atom 1", "line 10", "inf"),
    ),
    "unknown coordinate": (
        "question.cif",
        changed(CIF, "Cl4 Cl 0.0 0.0", "Cl4 Cl ? ?"),
        ("atom 7 (Cl4", "'?'"),
    ),
    "word for a coordinate": (
        "word.xyz",
        changed(XYZ, "H 0.0 0.763", "H 0.0 abc"),
        ("atom 1", "line 4", "'abc'"),
    ),
    "vectors in one plane": (
        "POSCAR_flat",
        changed(POSCAR, "0 0 5.64", "0 5.64 0"),
        ("zero volume", "(0, 5.64, 0)"),
    ),
    "no length": (
        "flat.cif",
        changed(CIF, "_cell_length_c 5.64", "_cell_length_c 0"),
        ("_cell_length_c", "not above zero"),
    ),
    "angles that make no cell": (
        "angles.cif",
        changed(changed(CIF, "alpha 90", "alpha 10"), "beta 90", "beta 170"),
        ("10, 170, 90", "do not form a cell"),
    ),
    "periodic without a vector": (
        "novector.xyz",
        '2\npbc="T T T"\nNa 0 0 0\nCl 0 0 2.8\n',
        ("lattice vector a", "missing"),
    ),
    "incomplete cell": (
        "halfcell.cif",
        changed(CIF, "_cell_length_c 5.64\n", ""),
        ("_cell_length_c is missing",),
    ),
    "empty file": ("empty.cif", "", ("empty",)),
    "blank file": ("blank.xyz", " \n\n", ("empty",)),
    "CIF named xyz": ("salt.xyz", CIF, ("says XYZ", "looks like CIF")),
    "XYZ named cif": ("water.cif", XYZ, ("says CIF", "looks like XYZ")),
    "POSCAR named xyz": ("poscar.xyz", POSCAR, ("says XYZ", "looks like POSCAR")),
    "JSON named cif": ("json.cif", json.dumps(MIXED_SITE), ("says CIF", "looks like JSON")),
    "MOL named vasp": ("mol.vasp", MOL, ("says POSCAR", "looks like MOL")),
    "web page": ("page.cif", "<!DOCTYPE html><html>Sign in</html>", ("looks like a web page",)),
    "archive": ("packed.cif", b"\x1f\x8b\x08\x00abcdefgh", ("gzip", "unpack")),
    "unknown extension": ("salt.dat", CIF, ("not known", "looks like CIF", ".cif")),
    "truncated XYZ": ("cut.xyz", XYZ[:40], ("announces 3 atoms", "only 2 lines", "cut off")),
    "CIF cut within a row": (
        "row.cif",
        CIF[: CIF.index("Cl2 Cl 0.5") + 12],
        ("ends within a row",),
    ),
    "CIF cut between rows": (
        "rows.cif",
        CIF[: CIF.index("Cl2 Cl 0.5") - 1],
        ("Na4Cl", "sum formula", "cut off"),
    ),
    "CIF cut in the middle": ("half.cif", CIF[: len(CIF) // 2], ("no atom positions", "cut off")),
    "truncated POSCAR": (
        "POSCAR_cut",
        POSCAR[:-12],
        ("announces 2 atoms", "only 1 position follows", "cut off"),
    ),
    "POSCAR cut in its header": ("POSCAR_head", POSCAR[:20], ("cut off",)),
    "truncated MOL": ("cut.mol", MOL[:140], ("announces 2 atoms", "cut off")),
    "truncated JSON": ("cut.json", json.dumps(MIXED_SITE)[:80], ("breaks off",)),
    "JSON of something else": ("settings.json", '{"epochs": 1}', ("holds no structure",)),
    "random bytes as CIF": ("bytes.cif", bytes(range(256)) * 3, ("binary",)),
    "random bytes as database": (
        "bytes.db",
        bytes(range(256)) * 3,
        ("not a readable ase database",),
    ),
    "CIF without atoms": ("cell.cif", CIF[: CIF.index("loop_")], ("no atom positions",)),
    "XYZ without atoms": ("none.xyz", "0\n\n", ("no atom",)),
    "symmetry operation that is none": (
        "operation.cif",
        changed(CIF, "loop_\n", "loop_\n_symmetry_equiv_pos_as_xyz\n'x,y,z'\n'x,q,z'\nloop_\n"),
        ("'x,q,z'", "-x, y+1/2, -z"),
    ),
    "space group that is none": (
        "group.cif",
        changed(CIF, "'P 1'", "'P 99 7 1'"),
        ("P 99 7 1 is not known",),
    ),
}

BAD_TEXTS: dict[str, tuple[str, ...]] = {
    "Fe2Q3": ("'Q' is not an element", "Fe2O3"),
    "Ca(OH2": ("bracket", "')'"),
    "LixCoO2": ("'x'", "number"),
    "hello world": ("names are not looked up",),
    "C9999999": ("more than 100000",),
    "C1CC(=O": ("not a valid SMILES",),
    "C(C)(C)(C)(C)C=O": ("valence for atom # 0 C",),
    "smiles:Fe2O3": ("not a SMILES",),
    "formula:C=O": ("not a formula", "'='"),
    "smiles:CC[*]": ("atom 2", "placeholder"),
    "C1#CC1": ("no 3D coordinates",),
    "nowhere.cif": ("no such file",),
    "no/such/place": ("no such file or folder",),
    "*.nowhere.cif": ("no file matches",),
    "": ("empty",),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_is_answered_with_one_sentence(case: str, tmp_path: Path) -> None:
    name, content, words = BAD_FILES[case]
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    result = read_structures(path)
    assert not result.structures
    (failure,) = result.failures
    assert failure.name == name
    assert str(path) in failure.message
    for word in words:
        assert word in failure.message
    with pytest.raises(StructureError) as caught:
        read(path)
    assert str(caught.value) == failure.message


@pytest.mark.parametrize("text", BAD_TEXTS)
def test_a_bad_text_is_answered_with_one_sentence(text: str) -> None:
    with pytest.raises(StructureError) as caught:
        read(text)
    message = str(caught.value)
    assert "\n" not in message
    assert text.partition(":")[2] in message
    for word in BAD_TEXTS[text]:
        assert word in message


def test_the_tables_texts_are_good_before_they_are_spoiled(tmp_path: Path) -> None:
    for name, text in {"a.cif": CIF, "b.xyz": XYZ, "c.vasp": POSCAR, "d.mol": MOL}.items():
        (tmp_path / name).write_text(text)
    assert [len(atoms) for atoms in read(tmp_path)] == [8, 3, 2, 2]


def test_an_empty_folder_is_answered_with_the_known_kinds(tmp_path: Path) -> None:
    (failure,) = read_structures(tmp_path).failures
    assert str(tmp_path) in failure.message
    assert ".cif" in failure.message


def test_a_file_without_permission_is_answered_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "closed.xyz"
    path.write_text(XYZ)

    def refuse(path: Path, most: float) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("atomlens.structures.files.read_bytes", refuse)
    (failure,) = read_structures(path).failures
    assert "permission" in failure.message
    assert str(path) in failure.message


def test_another_sqlite_file_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE other (a)")
        connection.commit()
    before = path.read_bytes()
    (failure,) = read_structures(path).failures
    assert "not a readable ase database" in failure.message
    assert path.read_bytes() == before


@pytest.mark.parametrize("make", [lambda: 3.5, lambda: None, lambda: object(), lambda: {"a": 1}])
def test_an_object_that_is_no_structure_is_answered_with_what_is(
    make: Callable[[], object],
) -> None:
    with pytest.raises(StructureError, match=r"ase\.Atoms|is a table|is empty; fill it"):
        read(make())


HOSTILE: dict[str, str] = {
    "deep.json": "[" * 100_000,
    "array.json": '{"numbers": {"__ndarray__": [[1000000000000], "int64", [1]]}, "positions": []}',
    "count.xyz": "999999999\n\nH 0 0 0\n",
    "POSCAR_count": POSCAR.replace("1 1\n", "999999999 1\n"),
    "count.mol": MOL.replace("  2  1  0", "999999  0"),
    "quotes.cif": CIF[:-1] + " 'a" * 200_000,
    "operations.cif": CIF.replace(
        "loop_\n", "loop_\n_symmetry_equiv_pos_as_xyz\n" + "x,y,z\n" * 6_000 + "loop_\n", 1
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_made_to_fill_the_memory_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(HOSTILE[name])
    (failure,) = read_structures(tmp_path / name).failures
    assert name in failure.message


@pytest.mark.parametrize(
    "text",
    ["formula:" + "(" * 5000 + "C" + ")9" * 5000, "C" * 100_000, "C1CC1" * 40, "formula:C99999999"],
)
def test_a_text_made_to_fill_the_time_is_refused(text: str) -> None:
    (failure,) = read_structures(text).failures
    assert len(failure.message) < 300
    assert len(failure.name) <= 200


def test_what_is_neither_file_nor_folder_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.xyz")
    (tmp_path / "gone.xyz").symlink_to(tmp_path / "nowhere.xyz")
    (tmp_path / "round").symlink_to(tmp_path)
    (tmp_path / "good.xyz").write_text(XYZ)
    result = read_structures(tmp_path)
    assert [failure.name for failure in result.failures] == ["gone.xyz", "pipe.xyz"]
    assert [atoms.info["name"] for atoms in result.structures] == ["good"]


def test_good_structures_survive_their_bad_neighbours(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_text(XYZ)
    (tmp_path / "b.cif").write_text(CIF[:100])
    (tmp_path / "c.cif").write_text(CIF)
    with pytest.warns(UserWarning, match=r"1 of 3 .*b\.cif"):
        structures = read(tmp_path)
    assert [atoms.info["name"] for atoms in structures] == ["a", "c"]


def test_a_broken_frame_leaves_the_frames_around_it(tmp_path: Path) -> None:
    path = tmp_path / "frames.xyz"
    path.write_text(XYZ + changed(XYZ, "O 0.0", "Qq 0.0") + XYZ)
    result = read_structures(path)
    assert [atoms.info["name"] for atoms in result.structures] == ["frames-0000", "frames-0002"]
    (failure,) = result.failures
    assert failure.name == "frames-0001"
    assert "structure 1 (counted from 0)" in failure.message
