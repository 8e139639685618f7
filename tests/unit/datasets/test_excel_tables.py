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
    with pytest.warns(UserWarning, match=r"6 cells of the column 'Yield \(%\)' .* such as 12.5"):
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
