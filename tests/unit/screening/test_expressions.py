"""Conditions over columns: what they mean, what they refuse, and that nothing else is run."""

import math
import re
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atomlens.errors import SettingsError
from atomlens.screening.columns import NUMBERS
from atomlens.screening.expressions import parse

COLUMNS = ("gap", "energy", "formula", "name", "my col", "dos", "stable")
ROW = {
    "gap": 1.5,
    "energy": -0.2,
    "formula": "PbTiO3",
    "name": "a-1",
    "my col": "x",
    "dos": [1.0, 2.0, 6.0],
    "stable": True,
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gap > 1 and energy < 0", True),
        ("gap > 1 and energy > 0", False),
        ("not gap > 1", False),
        ("1 < gap <= 1.5", True),
        ("gap > 2 or energy < 0", True),
        ("abs(gap - 1.34) < 0.2", True),
        ("-gap ** 2 == -2.25", True),
        ("7 % 4 == 3 and 1 / 4 == 0.25", True),
        ("'Pb' in elements", True),
        ("'Pb' not in elements", False),
        ("formula in ['PbTiO3', 'TiO2']", True),
        ("'Ti' in formula", True),
        ("`my col` == 'x'", True),
        ("name == 'a-1'", True),
        ('name == "`gap`"', False),
        ("mean(dos) == 3 and max(dos) == 6 and min(gap, 3) == 1.5", True),
        ("sqrt(4) == 2 and log(1) == 0 and log10(100) == 2 and exp(0) == 1", True),
        ("stable", True),
        ("stable == True", True),
        ("known(gap)", True),
        ("gap > 'a'", False),
        ("gap / 0 > 1", False),
        ("9 ** 9 ** 9 > 1", False),
        ("log(-1) < 0", False),
    ],
)
def test_what_an_expression_means(text: str, expected: bool) -> None:
    assert parse(text, COLUMNS).holds(ROW) is expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("gap > 1", None),
        ("not gap > 1", None),
        ("gap > 1 or energy < 0", True),
        ("gap > 1 and energy < 0", None),
        ("gap > 1 and energy > 0", False),
        ("known(gap)", False),
        ("gap + 1", None),
        ("'Pb' in [gap, 'Pb']", True),
    ],
)
def test_unknown_values_are_neither_true_nor_false(text: str, value: object) -> None:
    assert parse(text, COLUMNS).value({**ROW, "gap": None}) is value


def test_what_an_expression_asks_for_is_known() -> None:
    assert parse("gap > 1 and 'O' in elements", COLUMNS).names == {"gap", "formula"}


def test_a_column_is_found_by_its_name_without_the_unit() -> None:
    assert parse("Tc > 4", ["Tc (K)", "name"]).names == {"Tc (K)"}
    assert parse("Tc > 4", ["Tc (K)"]).holds({"Tc (K)": "5"})
    with pytest.raises(SettingsError, match="'Tc'"):
        parse("Tc > 4", ["Tc (K)", "Tc [eV]"])


def test_a_column_is_found_by_other_blanks_and_capitals_where_one_alone_is_meant() -> None:
    assert parse("band_gap > 1", ["band gap", "formula"]).names == {"band gap"}
    assert parse("Band_Gap > 1", ["band-gap", "band_gap_std"]).names == {"band-gap"}
    with pytest.raises(SettingsError, match="band_gap"):
        parse("band_gap > 1", ["band gap", "Band-Gap"])


def test_a_number_that_is_none_is_nan() -> None:
    assert math.isnan(parse("gap / 0", COLUMNS).number(ROW))
    assert math.isnan(parse("formula", COLUMNS).number(ROW))
    assert math.isnan(parse("stable", COLUMNS).number(ROW))
    assert parse("gap * 2", COLUMNS).number(ROW) == 3.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gpa > 1", "Did you mean 'gap'"),
        ("`my coll` == 1", "Did you mean 'my col'"),
        ("sin(gap) > 1", "no function 'sin'"),
        ("gap >", "no expression"),
        ("", "empty"),
        ("gap = 1", "no expression"),
        ("__import__('os').system('true')", "no meaning here"),
        ("().__class__", "no meaning here"),
        ("gap.real > 1", "no meaning here"),
        ("[x for x in dos]", "no meaning here"),
        ("lambda: 1", "no meaning here"),
        ("gap if stable else 1", "no meaning here"),
        ("dos[0]", "no meaning here"),
        ("f'{gap}'", "no meaning here"),
        ("(gap := 2)", "no meaning here"),
        ("min()", "no meaning here"),
        ("abs(gap, 1)", "takes one value"),
        ("abs(x=gap)", "no meaning here"),
        ("None == gap", "no meaning here"),
        ("b'a' == gap", "no meaning here"),
        ("1j > gap", "no meaning here"),
        ("gap is 1", "no meaning here"),
        ("gap & 1", "no meaning here"),
        ("-" * 500 + "1", "nested too deeply"),
        ("(" * 300 + "gap" + ")" * 300, "no expression"),
        ("1" * 400 + " < gap", "too large"),
        ("gap > 1 " + "or gap > 1 " * 300, "more than 2000"),
        ("gap\0 > 1", "no expression"),
        ("import os", "no expression"),
    ],
)
def test_what_is_no_expression_is_one_sentence(text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        parse(text, COLUMNS)
    assert "--where" in str(caught.value)


@settings(derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(alphabet="gap enrgy()<>=!+-*/%&|'\"`[],.0123456789_:{}andortif\\\n", max_size=40))
def test_any_text_is_an_expression_or_one_sentence(text: str) -> None:
    with suppress(SettingsError):
        parse(text, COLUMNS).value(ROW)


CELLS = {"price": "2", "other": "10", "id": "007", "note": "cheap", "far": "1e999", "none": None}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("price < 3", True),
        ("price < other", True),
        ("price * 2 == 4 and max(price, other) == 10", True),
        ("price in [1, 2] and price not in ['2.0', 3]", True),
        ("id == '007' and id == 7", True),
        ("id == '7'", False),
        ("'00' in id", True),
        ("note < 3", False),
        ("far > 3", False),
    ],
)
def test_cells_of_tables_without_types_are_what_they_meet(text: str, expected: bool) -> None:
    assert parse(text, CELLS).holds(CELLS) is expected


def test_what_could_be_said_of_no_row_is_told() -> None:
    for text, name in (
        ("note < 3", "note"),
        ("note * 2 > 1", "note"),
        ("price > 'a' * 1", "price"),
    ):
        one = parse(text, CELLS)
        assert not one.holds(CELLS)
        assert name in one.doubts()[0]
    for text in ("price < 3", "none < 3 or price < 3", "note == 'x'"):
        one = parse(text, CELLS)
        one.holds(CELLS)
        assert not one.doubts()
    order = parse("note", CELLS, "--by")
    assert math.isnan(order.number(CELLS))
    assert "order" in order.doubts()[0]
    order = parse("price", CELLS, "--by")
    assert order.number(CELLS) == 2
    assert not order.doubts()


@pytest.mark.parametrize(
    "text", ["'O' in formula", "'S' not in formula", "gap > 1 and 'C' in `formula input`"]
)
def test_an_element_of_one_letter_is_not_looked_for_among_letters(text: str) -> None:
    with pytest.raises(SettingsError, match=r"write '[OSC]' (not )?in elements"):
        parse(text, (*COLUMNS, "formula input"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("elements == ['O', 'Pb', 'Ti']", True),
        ("['Ti', 'O', 'Pb'] == elements", True),
        ("elements == ['Pb', 'Ti']", False),
        ("elements != ['O', 'Ti', 'Pb']", False),
        ("'O' not in name", True),
    ],
)
def test_elements_are_the_same_in_any_order(text: str, expected: bool) -> None:
    assert parse(text, COLUMNS).value(ROW) is expected


@pytest.mark.parametrize(
    "text", ["gap > 1 or 1", "gap + 1 and stable", "gap > 1 and abs(energy)", "not -gap"]
)
def test_what_can_never_be_true_is_no_condition(text: str) -> None:
    with pytest.raises(SettingsError, match="is no condition; compare it"):
        parse(text, COLUMNS)


@pytest.mark.parametrize(
    "text",
    [
        "gap",
        "gap + 1",
        "not energy",
        "gap > 1 and name",
        "['Pb'] in elements",
        "elements in ['Pb']",
    ],
)
def test_a_condition_that_holds_for_no_row_is_told(text: str) -> None:
    asked = parse(text, COLUMNS)
    assert not asked.holds(ROW)
    (said,) = asked.doubts()
    assert "in any of" in said
    fine = parse("stable and not known(gap) or stable", COLUMNS)
    assert fine.holds(ROW)
    assert not fine.doubts()


KINDS = {"gap": "number", "n_atoms": "whole", "formula": "text", "dos": "list", "cheap": "any"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gap", "gap is a number and is no condition; compare it, as in `gap > 1`"),
        ("1 < cheap < 20 and gap", "gap is a number"),
        ("cheap or (gap > 1 and not n_atoms)", "n_atoms is a number"),
        ("abs(gap - 1)", r"abs\(gap - 1\) is a number"),
        ("+gap", "is a number"),
        ("3", "3 is a number"),
        ("'Pb'", "'Pb' is a text"),
        ("formula or gap > 1", "formula is a text and is no condition; compare it, as in `formula"),
        ("elements", "elements is a list"),
        ("not dos", "dos is a list"),
        ("['Pb', 'O'] and gap > 1", "is a list"),
    ],
)
def test_what_columns_are_known_to_hold_is_no_condition(text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        parse(text, KINDS, kinds=KINDS)


def test_cells_that_are_no_conditions_are_told_with_what_to_do() -> None:
    for text in ("price", "price < 3 and note", "not `note`"):
        one = parse(text, CELLS, kinds=dict.fromkeys(CELLS, "any"))
        assert not one.holds(CELLS)
        (said,) = one.doubts()
        assert "true or false in any of 1 row; compare it, as in `" in said
    one = parse("stable", COLUMNS)
    assert one.holds(ROW)
    assert not one.doubts()


def test_a_condition_that_is_unknown_of_every_row_is_told() -> None:
    one = parse("none < 3 and log(-1) < 0", CELLS)
    assert not one.holds(CELLS)
    assert not one.holds(CELLS)
    assert "neither true nor false of any of 2 rows, so none passes" in one.doubts()[0]
    one = parse("none < 3", CELLS)
    assert one.holds({"none": "2"})
    assert not one.holds(CELLS)
    assert not one.doubts()
    one = parse("mean(note) > 1", CELLS)
    one.holds(CELLS)
    assert "'note' has nothing" in one.doubts()[0]


def test_a_column_says_what_its_texts_are_as_numbers() -> None:
    row = {"price": "1,500", NUMBERS: {"price": 1.5}}
    assert parse("price < 3", ["price"]).holds(row)
    assert parse("price == '1,500'", ["price"]).holds(row)
    assert not parse("price < 3", ["price"]).holds({"price": "1,500", NUMBERS: {"price": 1500.0}})
    for text in ("1,5", "1.5(2)", "1.5 ± 0.1", "\u22121.5", "1.5e0"):
        assert parse("price < 3", ["price"]).holds({"price": text}), text
    assert parse("price < 3", ["price"]).value({"price": "1,500"}) is None


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("a > 1", {"a"}),
        ("a == 'x'", set()),
        ("a in [1, 2] and b in ['x']", {"a"}),
        ("1 in [a, b]", {"a", "b"}),
        ("known(a)", set()),
        ("-a < 0 and log(b) < 1", {"a", "b"}),
        ("a < b", {"a", "b"}),
        ("a < model", {"a"}),
        ("'x' in a", set()),
    ],
)
def test_which_columns_are_wanted_as_numbers(text: str, numbers: set[str]) -> None:
    asked = parse(text, ["a", "b", "model"], kinds={"model": "number"})
    assert asked.as_numbers == numbers


def doubts_of(text: str, cells: list[object]) -> list[str]:
    asked = parse(text, ["price"])
    for cell in cells:
        asked.holds({"price": cell})
    return asked.doubts()


def test_cells_that_are_no_numbers_are_told_with_an_example() -> None:
    (said,) = doubts_of("price < 3", ["2", "about 4", "5 eV", "", None])
    assert "'price' is no number in 2 of 3 rows" in said
    assert "'about 4'" in said
    (said,) = doubts_of("price < 3 and price > 1", ["9", "5 eV"])
    assert "counts as unknown in it; write the number alone: 5" in said
    asked = parse("price", ["price"], "--by")
    assert [asked.number({"price": cell}) for cell in ("1", "x")] == pytest.approx(
        [1.0, math.nan], nan_ok=True
    )
    assert "'price' is no number in 1 of 2 rows" in asked.doubts()[0]


@pytest.mark.parametrize(
    "text", ["price < 3", "price == 'high' or price < 3", "known(price)", "price != 'x'"]
)
def test_nothing_is_told_of_empty_cells_and_of_words_that_are_asked_for(text: str) -> None:
    cells = ["1", "", "NA", "nan", None, math.nan]
    assert not doubts_of(text, [*cells, "high"] if "'" in text or "known" in text else cells)


@pytest.mark.parametrize("cell", ["", " ", None, math.nan, "nan", "NA", "n/a", "-", "null"])
def test_what_tables_have_for_nothing_is_not_known(cell: object) -> None:
    asked = parse("known(price)", ["price"])
    assert asked.value({"price": cell}) is False
    assert parse("not known(price) or price < 3", ["price"]).value({"price": cell}) is True
    assert parse("price != 'cheap'", ["price"]).value({"price": cell}) is None


@pytest.mark.parametrize(
    ("text", "cell", "expected"),
    [
        ("known(price)", "abc", True),
        ("known(price)", "Na", True),
        ("price == 'Na'", "Na", True),
        ("price == 'none'", "none", True),
        ("price in ['-', '+']", "-", True),
        ("price == 'x'", "none", None),
        ("known(price) and price < 3", "abc", False),
        ("not known(price) or price < 3", "abc", True),
        ("known(price) and (price == 'abc' or price < 3)", "abc", True),
    ],
)
def test_known_in_columns_of_words_and_of_numbers(
    text: str, cell: str, expected: bool | None
) -> None:
    assert parse(text, ["price"]).value({"price": cell}) is expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("'pb' not in elements", "did you mean 'Pb'"),
        ("'Lead' not in elements", "did you mean 'Pb'"),
        ("not ('na' in elements)", "did you mean 'Na'"),
        ("'Pb2+' in elements", "did you mean 'Pb'"),
        ("'aluminum' in elements", "did you mean 'Al'"),
        ("82 in elements", "did you mean 'Pb'"),
        ("'D' in elements", "did you mean 'H'"),
        ("elements == ['Na', 'CL']", "did you mean 'Cl'"),
        ("['na', 'Cl'] != elements", "did you mean 'Na'"),
        ("elements in [['Na', 'Cl'], ['k', 'Cl']]", "did you mean 'K'"),
        ("'PbTe' in elements", "'Pb' in elements and 'Te' in elements"),
        ("'X' in elements", "no symbol of an element"),
        ("gap > 1 or 'quux' in elements", "write one such as 'Pb'"),
        ("'pb' not in formula", "write 'Pb' not in elements"),
        ("'Lead' in formula", "write 'Pb' in elements"),
    ],
)
def test_what_is_no_symbol_is_not_looked_for_among_elements(text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(said)):
        parse(text, COLUMNS)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("'PbTi' in formula", True),
        ("'O3' in formula", True),
        ("'b' in name", False),
        ("name in elements", False),
        ("'Ti' in formula", True),
    ],
)
def test_parts_of_formulas_and_other_columns_may_be_looked_for(text: str, found: bool) -> None:
    assert parse(text, COLUMNS).holds(ROW) is found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("formula == 'O3PbTi'", True),
        ("'O3TiPb' == formula", True),
        ("formula != 'TiPbO3'", False),
        ("formula == 'Pb2Ti2O6'", False),
        ("formula in ['NaCl', 'TiO3Pb']", True),
        ("formula not in ['NaCl', 'TiO3Pb']", False),
        ("formula == name", False),
        ("formula == 'NA'", False),
        ("formula in ['PbTiO3', name]", True),
    ],
)
def test_formulas_are_the_same_in_any_order(text: str, found: bool | None) -> None:
    assert parse(text, COLUMNS).value(ROW) is found
    assert parse(text, COLUMNS).value({**ROW, "formula": ""}) is None


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("formula == 'nacl'", "'nacl' is no formula; did you mean 'NaCl'?"),
        ("formula != 'tio2'", "did you mean 'TiO2'?"),
        ("formula in ['NaCl', 'FE2O3']", "did you mean 'Fe2O3'?"),
        ("'cube' == formula", "'cube' is no formula"),
        ("formula == 'x'", "write one such as 'Fe2O3'"),
    ],
)
def test_what_is_no_formula_is_compared_with_none(text: str, meant: str) -> None:
    with pytest.raises(SettingsError) as problem:
        parse(text, COLUMNS)
    assert meant in str(problem.value)
    parse(text.replace("formula", "name"), COLUMNS)


@pytest.mark.parametrize("text", ["eps re", "eps re > 1", "abs(eps re - 2)"])
def test_a_column_with_blanks_is_said_to_need_backticks(text: str) -> None:
    with pytest.raises(SettingsError, match="stands between backticks: `eps re`"):
        parse(text, ["eps", "eps re", "gap (eV)"], "--by")
    parse(text.replace("eps re", "`eps re`"), ["eps re"], "--by")


def test_a_backtick_that_is_not_closed_is_said_to_be() -> None:
    with pytest.raises(SettingsError, match="is not closed"):
        parse("`eps re > 1", ["eps", "eps re"], "--where")
