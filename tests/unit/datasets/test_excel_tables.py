"""What a sheet of Excel shows beside what its cells hold."""

import warnings
from pathlib import Path

import pytest
from openpyxl import Workbook

from atomlens.datasets.loading import load_dataset
from atomlens.errors import DatasetError

SMILES = ("C", "CC", "CCC", "CCCC", "CO", "CCO")


def saved(path: Path, header: tuple[str, ...], rows, formats: str = "General") -> Path:
    book = Workbook()
    sheet = book.active
    sheet.append(header)
    for row in rows:
        sheet.append(row)
        sheet.cell(sheet.max_row, 2).number_format = formats
    book.save(path)
    return path


def test_cells_shown_as_per_cent_are_per_cent_under_a_header_of_per_cent(tmp_path: Path) -> None:
    rows = [(smiles, 0.125 + i / 10) for i, smiles in enumerate(SMILES)]
    path = saved(tmp_path / "a.xlsx", ("smiles", "Yield (%)"), rows, "0.0%")
    with pytest.warns(
        UserWarning, match=r"the column 'Yield \(%\)' 6 cells are shown .* such as 12.5"
    ):
        made = load_dataset(path, "Yield")
    assert made.targets[0].unit == "%"
    assert made.values[:, 0].tolist() == pytest.approx([12.5, 22.5, 32.5, 42.5, 52.5, 62.5])
    path = saved(tmp_path / "b.xlsx", ("smiles", "share"), rows, "0%")
    with pytest.warns(UserWarning, match="'share' are shown as per cent .* fractions"):
        assert load_dataset(path, "share").values[0, 0] == 0.125
    path = saved(tmp_path / "c.xlsx", ("smiles", "Yield (%)"), rows)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_dataset(path, "Yield").values[0, 0] == 0.125


def test_a_header_that_stands_twice_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.xlsx", ("smiles", "y", "y"), [(s, 1.0, 2.0) for s in SMILES])
    with pytest.raises(DatasetError, match="the column 'y' occurs twice"):
        load_dataset(path)


def test_what_was_remarked_before_an_error_is_told_with_it(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.xlsx", ("smiles", "y"), [(s, "=1+1") for s in SMILES])
    with (
        pytest.warns(UserWarning, match="6 cells hold a formula and no result"),
        pytest.raises(DatasetError, match="no values to learn"),
    ):
        load_dataset(path, "y")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DatasetError, match="no values to learn"):
            load_dataset(path, "y")


def _book(path: Path, values: list[object], sheet: str = "Sheet") -> Workbook:
    book = Workbook()
    book.active.title = sheet
    book.active.append(("smiles", "y"))
    for smiles, value in zip(SMILES, values, strict=True):
        book.active.append((smiles, value))
    book.save(path)
    return book


def test_true_among_numbers_is_no_number(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    _book(path, [0.5, True, 2.5, 3, 4.5, 5.5])
    made = load_dataset(path, "y")
    assert made.values[:, 0].tolist() == [0.5, 2.5, 3, 4.5, 5.5]
    (failure,) = made.failures
    assert "True, which is not a number" in failure.message


def test_rows_that_a_filter_hides_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    book = _book(path, [0.5, 1.5, 2.5, 3.5, 4.5, 5.5])
    for row in (3, 6):
        book.active.row_dimensions[row].hidden = True
    book.save(path)
    with pytest.warns(UserWarning, match="2 of 6 rows are hidden"):
        assert len(load_dataset(path, "y")) == 6
    book.active.row_dimensions[20].hidden = True  # no row of the table
    for row in (3, 6):
        book.active.row_dimensions[row].hidden = False
    book.save(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_dataset(path, "y")


def test_the_first_sheet_that_is_shown_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    book = _book(path, [0.5, 1.5, 2.5, 3.5, 4.5, 5.5], "new")
    old = book.create_sheet("old", 0)
    old.append(("smiles", "y"))
    old.append(("CCC", 99.0))
    old.sheet_state = "hidden"
    book.active = book["new"]
    book.save(path)
    with pytest.warns(UserWarning, match="old is hidden and was not read"):
        assert load_dataset(path, "y").values[0, 0] == 0.5
    assert load_dataset(path, "y", sheet="old").values[0, 0] == 99.0


def test_a_unit_that_only_the_format_shows_is_told(tmp_path: Path) -> None:
    rows = [(smiles, 10.5 + i) for i, smiles in enumerate(SMILES)]
    shown = '0.0" kJ/mol"'
    path = saved(tmp_path / "a.xlsx", ("smiles", "H"), rows, shown)
    with pytest.warns(UserWarning, match="shown with 'kJ/mol' behind"):
        load_dataset(path, "H")
    path = saved(tmp_path / "b.xlsx", ("smiles", "H (kJ/mol)"), rows, shown)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_dataset(path, "H").targets[0].unit == "kJ/mol"


@pytest.mark.parametrize("error", ["#N/A", "#DIV/0!", "#REF!", "#VALUE!", "#NAME?"])
def test_an_error_of_a_cell_is_no_empty_cell(tmp_path: Path, error: str) -> None:
    values = [1.0, 2.0, 3.0, 4.0, error, None]
    path = saved(tmp_path / "a.xlsx", ("smiles", "y"), list(zip(SMILES, values, strict=True)))
    data = load_dataset(path, "y")
    (failure,) = data.failures
    assert f"row 5: the target 'y' is '{error}', which is not a number but an" in failure.message
    assert "an error of a spreadsheet; correct its formula, or leave the cell" in failure.message
    assert data.values[:, 0].tolist() == [1.0, 2.0, 3.0, 4.0]
