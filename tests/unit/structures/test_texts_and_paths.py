"""Texts that are formulas or SMILES and paths or patterns too: which is taken, and what is said."""

import warnings
from pathlib import Path

import pytest
from ase import Atoms

from atomlens.predictor.inputs.pieces import pieces_of
from atomlens.predictor.inputs.rows import read_inputs
from atomlens.structures.options import ReadingOptions
from atomlens.structures.reading import read_structures

WATER = "3\nwater\nO 0 0 0\nH 0.96 0 0\nH -0.24 0.93 0\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with folders and files called as formulas and SMILES are."""
    for folder in ("NaCl", "CCO", "SiO2", "KCl", "runs"):
        (tmp_path / folder).mkdir()
    for path in ("NaCl/w.xyz", "CCO/w.xyz", "Cw.xyz", "runs/w.xyz"):
        (tmp_path / path).write_text(WATER)
    (tmp_path / "KCl" / "notes.txt").write_text("nothing")
    (tmp_path / "GaAs").write_text("nothing")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(given: object) -> tuple[list[str], list[str]]:
    """The formulas or reasons of what was read, and what was said."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        items = read_structures(given).items
    said = [str(warning.message) for warning in heard]
    found = [i.get_chemical_formula() if isinstance(i, Atoms) else i.message for i in items]
    return found, said


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("text", "formula", "said"),
    [
        ("NaCl", "H2O", "NaCl: the folder of this name was read; write formula:NaCl"),
        ("CCO", "H2O", "write smiles:CCO for the SMILES, or ./CCO to silence this"),
        ("SiO2", "O2Si", "taken for a formula, as the folder of this name holds no structure file"),
        ("KCl", "ClK", "write ./KCl for the folder"),
        ("GaAs", "AsGa", "the file of this name is of no kind that is read; write ./GaAs"),
    ],
)
def test_what_is_taken_of_a_formula_that_is_a_path_is_said(
    text: str, formula: str, said: str
) -> None:
    found, heard = read([text, text])
    assert found == [formula, formula]
    (sentence,) = heard
    assert said in sentence


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    "given",
    ["./NaCl", "NaCl/", Path("NaCl"), "formula:NaCl", "smiles:CCO", "MgO", "runs", "*.xyz", "r*"],
)
def test_nothing_is_said_of_what_is_clear(given: object) -> None:
    assert not read(given)[1]


@pytest.mark.usefixtures("here")
def test_a_smiles_with_a_placeholder_is_no_pattern() -> None:
    for text in ("C*", "*", "*C"):
        found, heard = read(["CC", text])
        assert len(found) == 2
        assert "is a placeholder" in found[1]
        assert bool(heard) is (text in ("C*", "*"))
    assert "though CCO matches it; write ./C* for the pattern" in read(["C*"])[1][0]
    for pattern in ("./C*", "C*.xyz", "*/w.xyz", "./*.xyz"):
        found, _ = read(pattern)
        assert set(found) == {"H2O"}, pattern


@pytest.mark.usefixtures("here")
def test_a_screening_takes_the_same() -> None:
    with pytest.warns(UserWarning, match="write ./SiO2 for the folder"):
        (piece,) = pieces_of(["SiO2"], {})
    assert piece.kind == "text"
    with pytest.warns(UserWarning, match="the folder of this name was read"):
        (piece,) = pieces_of(["NaCl"], {})
    assert piece.kind == "member"


def test_a_folder_called_cif_is_no_formula(here: Path) -> None:
    (here / "CIF").mkdir()
    (here / "CIF" / "w.xyz").write_text(WATER)
    assert read("CIF") == (["H2O"], [])


@pytest.mark.filterwarnings("ignore:.*valid as SMILES")
def test_a_cell_of_a_table_is_no_folder_of_the_working_directory(here: Path) -> None:
    (here / "tables").mkdir()
    table = here / "tables" / "t.csv"
    table.write_text("compound,y\nCCO,1\nC*,2\nruns/w.xyz,3\n")
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        items, _ = read_inputs(table, ReadingOptions(structure_column="compound"))
    assert not heard
    assert items[0].get_chemical_formula() == "C2H6O"
    assert "is a placeholder" in items[1].message
    assert items[2].get_chemical_formula() == "H2O"
