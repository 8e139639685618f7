"""Lists of formulas: as typed, from text files and tables, with energies above the hull."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from atomlens.datasets.splits import reduced_formulas
from atomlens.errors import DatasetError, StudyError
from atomlens.screening.enz.candidates import (
    formula_as_written,
    hull_energies,
    keys_in_file,
    keys_of_names,
    most_stable,
    read_candidates,
)


def written(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def test_formulas_are_read_as_typed_and_never_as_smiles() -> None:
    data = read_candidates(["CO", "TiN", "La1.85Sr0.15CuO4"])
    assert data.structures.names == ("CO", "TiN", "La1.85Sr0.15CuO4")
    assert data.structures.n_atoms.tolist() == [2, 2, 140]
    assert data.structures.is_formula.all()
    assert np.isnan(hull_energies(data)).all()


def test_a_text_file_has_one_formula_a_line(tmp_path: Path) -> None:
    data = read_candidates([written(tmp_path, "list.txt", "# metals\nAg\n\n  TiN  # a nitride\n")])
    assert data.structures.names == ("Ag", "TiN")


@pytest.mark.parametrize(
    ("header", "factor"),
    [
        ("e_above_hull", 1.0),
        ("energy_above_hull [eV/atom]", 1.0),
        ("E_above_hull (meV/atom)", 1e-3),
        ("e_hull [meV]", 1e-3),
    ],
)
def test_the_header_of_a_table_says_the_unit_of_hull_energies(
    tmp_path: Path, header: str, factor: float
) -> None:
    path = written(tmp_path, "table.csv", f"formula,{header}\nAg,20\nTiN,\n")
    assert_allclose(hull_energies(read_candidates([path])), [20 * factor, np.nan])


def test_an_unknown_unit_of_hull_energies_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "table.csv", "formula,e_above_hull [kJ/mol]\nAg,1\n")
    with pytest.raises(DatasetError, match=r"'kJ/mol'; give eV/atom or meV/atom"):
        read_candidates([path])


def test_bad_rows_are_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    text = "formula,e_above_hull\nXx2O,0.1\nAg,low\nTiN,0.0\nFe+3,0\n"
    data = read_candidates([written(tmp_path, "table.csv", text)])
    assert data.structures.names == ("TiN",)
    assert [f.name for f in data.failures] == ["row 1", "row 2", "row 4"]
    assert "'low' is no number" in data.failures[1].message


def test_a_bad_line_is_named_with_its_number(tmp_path: Path) -> None:
    data = read_candidates([written(tmp_path, "list.txt", "Ag\nXx\n")])
    assert "line 2: " in data.failures[0].message


def test_a_table_without_formulas_says_which_columns_it_has(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="material, value"):
        read_candidates([written(tmp_path, "table.csv", "material,value\nAg,1\n")])


def test_a_list_that_is_not_there_is_said() -> None:
    with pytest.raises(DatasetError, match=r"nowhere\.txt: there is no such file"):
        read_candidates(["nowhere.txt"])


def test_inputs_of_several_kinds_are_joined(tmp_path: Path) -> None:
    table = written(tmp_path, "table.csv", "formula,e_above_hull\nAg,0.5\n")
    data = read_candidates([table, "TiN"])
    assert data.structures.names == ("Ag", "TiN")
    assert_allclose(hull_energies(data), [0.5, np.nan])


def test_remarks_on_many_formulas_are_one_warning() -> None:
    with pytest.warns(UserWarning, match=r"thirds and sixths \(and 1 more remarks\)") as heard:
        read_candidates(["Na0.33Cl0.67", "K0.33Cl0.67", "Ag"])
    assert len(heard) == 1


def test_multiples_of_a_formula_share_their_key() -> None:
    keys = reduced_formulas(read_candidates(["Fe2O3", "O6Fe4", "FeO"]).structures)
    assert keys[0] == keys[1] != keys[2]


def test_a_formula_keeps_its_order_of_elements() -> None:
    structures = read_candidates(["Na2Cr4Fe2O16", "Ca(OH)2", "Ag"]).structures
    written = [formula_as_written(s.atomic_numbers) for s in structures]
    assert written == ["NaCr2FeO8", "CaO2H2", "Ag"]


def test_names_that_are_no_formulas_are_counted() -> None:
    keys, n_unknown = keys_of_names(["Fe4O6", "mp-149", "Ag/Babar"])
    assert keys == frozenset(reduced_formulas(read_candidates(["Fe2O3"]).structures).tolist())
    assert n_unknown == 2


def test_a_list_to_leave_out_without_a_formula_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="no formula to leave out"):
        keys_in_file(Path(written(tmp_path, "known.txt", "# nothing\n")))


def test_the_most_stable_row_of_a_formula_is_kept() -> None:
    keys = np.array(["a", "b", "a", "b", "c"])
    energies = np.array([0.3, np.nan, 0.1, np.nan, np.nan])
    assert most_stable(keys, energies).tolist() == [1, 2, 4]
