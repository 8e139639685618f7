"""Tables whose rows stand in columns that are not theirs, as other readers take in silence."""

from pathlib import Path

import pandas
import pytest

from atomlens.datasets import load_dataset
from atomlens.errors import DatasetError

ROWS = ["NaCl,1,1.5", "MgO,2,2.5", "Si,3,3.5", "KCl,4,4.5", "LiF,5,5.5"]


def table(folder: Path, *rows: str, header: str = "formula,x,y") -> Path:
    path = folder / "t.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_a_quotation_mark_that_is_not_closed_is_refused_with_its_line(tmp_path: Path) -> None:
    path = table(tmp_path, *ROWS[:2], '"Si,3,3.5', *ROWS[3:])
    with pytest.raises(DatasetError, match="a quotation mark in line 4 is not closed"):
        load_dataset(path, "y")
    path.write_text("# from a notebook\n" + path.read_text())
    with pytest.raises(DatasetError, match="a quotation mark in line 5 is not closed"):
        load_dataset(path, "y")


@pytest.mark.parametrize("between", [[], ["TiO2,3,7.5"]])
def test_rows_inside_of_a_cell_are_told(tmp_path: Path, between: list[str]) -> None:
    rows = ['a,Si,3,"3.5', *[f"b,{row}" for row in between], 'c,KCl,4,4.5"']
    path = table(tmp_path, "d,NaCl,1,1.5", *rows, header="name,formula,x,y")
    with pytest.warns(UserWarning, match="look like rows of their own"):
        load_dataset(path, "x")


def test_a_cell_of_several_lines_is_none_of_it(tmp_path: Path) -> None:
    path = table(tmp_path, *[f'"of 3, 4\nand 5",{row}' for row in ROWS], header="note,formula,x,y")
    assert load_dataset(path, "y").values[:, 0].tolist() == [1.5, 2.5, 3.5, 4.5, 5.5]


def test_rows_that_are_too_short_are_told(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match=r"1 row has fewer cells than the header .*is row 6"):
        found = load_dataset(table(tmp_path, *ROWS, "CaO,9.5"), "x")
    assert found.values[-1, 0] == 9.5
    bare = table(tmp_path, *ROWS, header="formula,x,y,")  # a comma behind the header alone
    assert len(load_dataset(bare, "x")) == 5


def test_rows_that_begin_with_their_number_are_told_apart_from_decimal_commas(
    tmp_path: Path,
) -> None:
    path = table(tmp_path, *[f"{i},{row}" for i, row in enumerate(ROWS)])
    with pytest.raises(DatasetError, match="as all rows have; if they begin with their number"):
        load_dataset(path, "y")


@pytest.mark.parametrize("words", [("Formula", "formula"), ("Split", "split")])
def test_two_columns_of_one_meaning_that_differ_are_refused(
    tmp_path: Path, words: tuple[str, str]
) -> None:
    cells = ("MgO", "NaCl") if words[0] == "Formula" else ("train", "test")
    rows = [f"Si,{cells[0]},{cells[1]},{i}" for i in range(4)]
    path = table(tmp_path, *rows, header=f"composition,{words[0]},{words[1]},y")
    with pytest.raises(DatasetError, match=f"columns '{words[0]}' and '{words[1]}' differ"):
        load_dataset(path, "y")
    same = [f"{cells[0]},{cells[0]},{i}" for i in range(4)]
    if words[0] == "Formula":
        assert len(load_dataset(table(tmp_path, *same, header="Formula,formula,y"), "y")) == 4


@pytest.mark.parametrize("sign", ["999", "-999", "9999"])
def test_numbers_for_nothing_far_from_all_others_are_told(tmp_path: Path, sign: str) -> None:
    with pytest.warns(UserWarning, match=f"1 value of 'y' is {sign}, which many programs write"):
        load_dataset(table(tmp_path, *ROWS, f"CaO,6,{sign}"), "y")


def test_a_date_that_is_none_is_no_name() -> None:
    frame = pandas.DataFrame({"formula": ["NaCl", "MgO"], "y": [1.0, 2.0]})
    frame["name"] = pandas.to_datetime(["2020-01-01", None])
    assert load_dataset(frame, "y").structures.names[1] == "MgO"


@pytest.mark.parametrize("line", ["# a comment, two", "#C,3"])
def test_remarks_behind_the_header_are_no_rows(tmp_path: Path, line: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"smiles,gap\nC,1\n{line}\nCC,2\nCCC,3\n")
    with pytest.warns(UserWarning, match="1 line begins with a # and count as remarks"):
        data = load_dataset(path, target="gap")
    assert data.structures.names == ("C", "CC", "CCC")
    assert not data.failures


def test_names_that_begin_with_a_sharp_are_names(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("name,smiles,gap\n#1,C,1\n#2,CC,2\nlast,CCC,3\n")
    assert load_dataset(path, target="gap").structures.names == ("#1", "#2", "last")
