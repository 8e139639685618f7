"""Columns of objects are structures; columns that contradict the structure of a row are told."""

import warnings
from pathlib import Path

import pandas
import pytest
from ase.build import bulk, molecule

import atomlens as al
from atomlens.datasets.tables.table import read_table
from atomlens.errors import DatasetError
from atomlens.structures.arrays import warnings_of
from atomlens.structures.forms import REFUSE

SALTS = [bulk("NaCl", "rocksalt", a=5.6 + 0.01 * i) for i in range(4)]


def pymatgen_cells() -> list[object]:
    from pymatgen.core import Lattice, Structure

    return [
        Structure(Lattice.cubic(4.1 + 0.01 * i), ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
        for i in range(4)
    ]


def rdkit_molecules() -> list[object]:
    from rdkit import Chem

    return [Chem.MolFromSmiles(smiles) for smiles in ("CC", "CO", "CN", "CF")]


def compositions() -> list[object]:
    from pymatgen.core import Composition

    return [Composition(text) for text in ("NaCl", "Fe2O3", "MgO", "TiO2")]


@pytest.mark.parametrize("header", ["structure", "anything"])
@pytest.mark.parametrize("kind", ["ase", "pymatgen", "rdkit", "composition"])
def test_a_column_of_objects_is_one_of_structures(kind: str, header: str) -> None:
    objects = {
        "ase": lambda: SALTS,
        "pymatgen": pymatgen_cells,
        "rdkit": rdkit_molecules,
        "composition": compositions,
    }[kind]()
    frame = pandas.DataFrame({"id": list("abcd"), header: objects, "gap": [1.0, 2.0, 3.0, 4.0]})
    data = al.load_dataset(frame)
    expected = al.read(objects)
    assert [t.name for t in data.targets] == ["gap"]
    assert data.structures.names == ("a", "b", "c", "d")
    for place, atoms in enumerate(expected):
        assert data.structures[place].atomic_numbers.tolist() == atoms.numbers.tolist()


def test_predict_takes_a_frame_of_objects_and_carries_what_can_be_written() -> None:
    frame = pandas.DataFrame({"atoms": [*SALTS[:2], None], "note": ["x", "y", "z"]})
    with pytest.warns(UserWarning, match="1 of 3 inputs"):
        rows = al.load("mp").predict(frame).to_rows()
    assert [row["note"] for row in rows] == ["x", "y", "z"]
    assert [bool(row["error"]) for row in rows] == [False, False, True]
    assert "atoms" not in rows[0]


def test_two_columns_of_objects_are_refused_until_one_is_named() -> None:
    frame = pandas.DataFrame({"first": SALTS, "last": SALTS, "gap": [1.0, 2.0, 3.0, 4.0]})
    with pytest.raises(DatasetError, match="columns first and last hold structures"):
        al.load_dataset(frame)
    assert len(al.load_dataset(frame, "gap", structure_column="last")) == 4


def said_of(path: Path) -> list[list[str]]:
    table = read_table(path, None, None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [warnings_of(table.forms_of(row, REFUSE)[0]) for row in range(table.n_rows)]


@pytest.mark.parametrize("header", ["canonical_smiles", "Isomeric SMILES", "smi", "rdkit-smiles"])
def test_another_smiles_of_another_molecule_is_told(header: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    rows = {
        "OCC,CCO": False,
        "C[C@H](N)C(=O)O,CC(N)C(=O)O": False,
        "C1=CC=CC=C1,c1ccccc1": False,
        "CCC,propane": False,
        "CC,": False,
        "CCN,CCO": True,
        "CCO,COC": True,
    }
    path.write_text("\n".join([f"smiles,{header}", *rows]) + "\n")
    for said, (row, other) in zip(said_of(path), rows.items(), strict=True):
        assert bool(said) is other, row
        assert not other or "another molecule" in said[0]


def test_smiles_and_formula_beside_a_file_are_held_against_its_atoms(tmp_path: Path) -> None:
    from ase.io import write

    write(tmp_path / "w.xyz", molecule("H2O"))
    path = tmp_path / "t.csv"
    path.write_text("file,SMILES,formula\nw.xyz,O,H2O\nw.xyz,CO,H2O\nw.xyz,O,CH4\n")
    good, smiles, formula = said_of(path)
    assert not good
    assert "the column SMILES says 'CO', but its atoms are H2O" in smiles[0]
    assert "the column formula says 'CH4', but its atoms are H2O" in formula[0]
    assert len(smiles) == len(formula) == 1
    table = read_table(path, None, None)
    assert table.forms_of.file_of(0) == tmp_path / "w.xyz"


def test_a_second_column_of_structures_is_said_to_be_unread(tmp_path: Path) -> None:
    frame = pandas.DataFrame({"structure": SALTS, "atoms": SALTS, "gap": [1.0, 2.0, 3.0, 4.0]})
    with pytest.warns(UserWarning, match="'atoms' holds structures too and is not read"):
        al.load_dataset(frame, "gap")


def test_solvents_and_lengths_are_no_other_smiles(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("smiles,solvent_smiles,smiles_length\nCCO,CO,3\n")
    assert said_of(path) == [[]]


@pytest.mark.parametrize(
    ("separator", "ending"), [("|", "\n"), (",", "\r"), (";", "\r"), ("\t", "\r\n"), ("|", "\r\n")]
)
def test_tables_of_any_separator_and_end_of_line_are_read(
    separator: str, ending: str, tmp_path: Path
) -> None:
    path = tmp_path / "t.csv"
    rows = ["smiles,gap", "CCO,1.5", "CC,2.5", "C,3.5"]
    path.write_bytes(ending.join(row.replace(",", separator) for row in rows).encode())
    assert al.load_dataset(path, "gap").values[:, 0].tolist() == [1.5, 2.5, 3.5]


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("Canonical SMILES", "Compound ID"),
        ("Isomeric SMILES", "Compound Name"),
        ("SMILES string", "Molecule ChEMBL ID"),
        ("Ligand SMILES", "CAS"),
    ],
)
def test_headers_of_data_bases_are_structures_and_names(
    tmp_path: Path, header: str, name: str
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"{name},{header},y\na-1,CCO,1\na-2,CO,2\na-3,c1ccccc1,3\n")
    data = al.load_dataset(path)
    assert data.structures.names == ("a-1", "a-2", "a-3")
    assert [t.name for t in data.targets] == ["y"]
    assert data.structures.n_atoms.tolist() == [9, 6, 12]
