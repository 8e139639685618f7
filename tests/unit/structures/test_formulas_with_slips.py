"""Slips of the pen: the digit zero for the letter O, and two formulas in one cell."""

from collections import Counter

import pytest

from atomlens.errors import StructureError
from atomlens.structures import read_structures
from atomlens.structures.formulas import from_formula


def _said(text: str) -> str:
    return " ".join(from_formula(text).info.get("warnings", []))


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("ZnFe204", "ZnFe2O4"),
        ("Na2Cr207", "Na2Cr2O7"),
        ("CaO·Al203", "CaO·Al2O3"),
        ("K20·CaO·6SiO2", "K2O·CaO·6SiO2"),
        ("Na2B407", "Na2B4O7"),
        ("Lu3Al5012", "Lu3Al5O12"),
        ("C3H70H", "C3H7OH"),
        ("Zn(C5H702)2", "Zn(C5H7O2)2"),
        ("2H20", "2H2O"),
        ("U308", "U3O8"),
    ],
)
def test_a_zero_that_makes_a_compound_as_a_letter_is_told(text: str, meant: str) -> None:
    assert f"if the letter is meant, write {meant}" in _said(text)


@pytest.mark.parametrize(
    ("text", "water"),
    [
        ("BaCl2.2H20", "2H2O"),
        ("ZnSO4·7H20", "7H2O"),
        ("KOH·H20", "H2O"),
        ("Ni(NO3)2*6H20", "6H2O"),
        ("ZnSO4·5D20", "5D2O"),
        ("[Cr(H20)6]Cl3", r"\(H2O\)"),
    ],
)
def test_water_with_a_zero_is_refused(text: str, water: str) -> None:
    with pytest.raises(StructureError, match=f"has the digit zero; write {water} for water"):
        from_formula(text)


@pytest.mark.parametrize(
    "text",
    "C20H20 C60H20 B20H20 C60H30N20 Fe20Al80 Fe80B20 Ti20Zr20Cu60 Ca10P6O26 C203H304 Li20Si5 "
    "Nd205Fe Na8Al6Si6O24 Y6Ni20P13 Al20V2Ca B10H14 LaNi5.20".split(),
)
def test_zeros_of_real_counts_are_not_told(text: str) -> None:
    assert "zero" not in _said(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("LiF NaF", "LiF and NaF"),
        ("LiF\nNaF", "LiF and NaF"),
        ("LiF\r\nNaF", "LiF and NaF"),
        ("LiF\tLiF", "LiF and LiF"),
        ("MgSO4 H2O", "MgSO4 and H2O"),
        ("Y2O3 ZrO2 MgO", "Y2O3 and ZrO2 and MgO"),
        ("[Co(NH3)6]Cl3 KCl", r"\[Co\(NH3\)6\]Cl3 and KCl"),
        ("WS2 WSe2", "WS2 and WSe2"),
        ("SnO2 Ag", "SnO2 and Ag"),
        ("C LiFePO4", "C and LiFePO4"),
        ("Al2O3 ZrO2 Ni", "Al2O3 and ZrO2 and Ni"),
        ("LiFePO4/C", "LiFePO4 and C"),
        ("Si/SiO2", "Si and SiO2"),
        ("TiO2@Ag", "TiO2 and Ag"),
        ("TiO2 - SiO2", "TiO2 and SiO2"),
        ("CuO/ZnO/Al2O3", "CuO and ZnO and Al2O3"),
    ],
)
def test_two_compounds_in_one_cell_are_not_added_up(text: str, words: str) -> None:
    with pytest.raises(StructureError, match=f"{words} stand side by side; give them one by one"):
        from_formula(text)
    assert len(read_structures([text]).failures) == 1


@pytest.mark.parametrize(
    "text",
    [
        "Cr 2 O 3",
        "Cr\n2\nO\n3",
        "Mg (OH) 2",
        "K Br",
        "Cr2 O3",
        "K1 Br1",
        "H2 O2",
        "C6 H12 O6",
        "NH4 NO3",
        "CO (NH2)2",
        "K Al (SO4)2",
        "CH3 COOH",
        "C2H5 OH",
        "NaCl O3",
        "La Al O3",
        "NaF · KF",
        "Fe Ni",
        "Li FePO4",
        "Cs PbI3",
        "Mg Al2O4",
        "Fe3Al Ni",
        "Sr1/2 Ba1/2 TiO3",
        "La2/3Sr1/3MnO3",
    ],
)
def test_one_formula_with_spaces_is_one(text: str) -> None:
    plain = from_formula("".join(text.split()))
    assert Counter(from_formula(text).symbols) == Counter(plain.symbols)
