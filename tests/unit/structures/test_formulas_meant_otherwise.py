"""Formulas that people write for something else than what their letters and numbers say."""

import pytest

from atomlens.errors import StructureError
from atomlens.structures.formulas import amounts_in_formula, from_formula
from atomlens.structures.text import forced, from_text


def _said(text: str) -> str:
    return " ".join(from_formula(text).info.get("warnings", []))


@pytest.mark.parametrize(
    ("text", "better"),
    [
        ("30Fe70Co", "Fe30Co70"),
        ("0.25Ni0.75Al", "Ni0.25Al0.75"),
        ("20 Ag 80 Au", "Ag20Au80"),
        ("(CoCrNi)96Al4", "Co32Cr32Ni32Al4"),
        ("(TiZrHfNb)90Mo6W4", "Ti22.5Zr22.5Hf22.5Nb22.5Mo6W4"),
    ],
)
def test_amounts_in_another_order_are_asked_about(text: str, better: str) -> None:
    with pytest.raises(StructureError, match=better.replace(".", r"\.")):
        from_formula(text)
    assert from_formula(better)


@pytest.mark.parametrize("text", ["MgSO4/7H2O", "Al2O3/2SiO2", "MgCl2/2KCl"])
def test_a_slash_between_compounds_is_no_fraction(text: str) -> None:
    with pytest.raises(StructureError, match="part two compounds"):
        from_formula(text)


@pytest.mark.parametrize(
    ("text", "atoms"),
    [
        ("La2/3Ba1/3CoO3", "BaCo3La2O9"),
        ("K1/2Na1/2TaO3", "KNaO6Ta2"),
        ("AlO3/2", "Al2O3"),
        ("(Fe0.5Co0.5)90B10", "B10Co45Fe45"),
        ("(SiO2)70(Na2O)30", "Na60O170Si70"),
        ("3H2O", "H6O3"),
        ("2MgO", "Mg2O2"),
    ],
)
def test_fractions_brackets_and_numbers_in_front_are_read(text: str, atoms: str) -> None:
    assert from_formula(text).get_chemical_formula("hill") == atoms
    assert "share a place" not in _said(text)


def test_digits_of_another_script_are_no_amounts() -> None:
    with pytest.raises(StructureError, match="another script"):
        amounts_in_formula("NiSO4\u06607H2O")
    assert amounts_in_formula("Fe\uff12O\uff13") == {"Fe": 2, "O": 3}


@pytest.mark.parametrize(
    "text",
    "PrOH PrNH2 AcCl Ac2O AmBr TsOH TsCl LiTFSI NaFSI Mg(TFSI)2 LiBOB P3OT F8T2 D18".split(),
)
def test_groups_and_polymers_are_no_elements(text: str) -> None:
    with pytest.raises(StructureError, match="abbreviation"):
        from_formula(text)


@pytest.mark.parametrize("text", ["Pr2O3", "Ac2O3", "PrCl3", "AmO2", "PF3", "ND3", "PD3", "F2"])
def test_compounds_of_the_same_elements_stay(text: str) -> None:
    assert len(from_formula(text))


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        ("NI", "Ni"),
        ("CU", "Cu"),
        ("PB", "Pb"),
        ("YB2S3", "Yb"),
        ("OSO4", "Os"),
        ("KNBO3", "Nb"),
        ("V3SI", "Si"),
        ("YNIO3", "Ni"),
    ],
)
def test_two_capitals_may_be_a_metal_wherever_they_stand(text: str, symbol: str) -> None:
    assert f"if {symbol} is meant" in _said(text)


@pytest.mark.parametrize("text", "HF CO NO CN BN UC VN KNO3 KSCN K2CO3 YBO3 WO3 V2O5 KHF2".split())
def test_capitals_that_are_compounds_are_not_asked_about(text: str) -> None:
    assert _said(text) == ""


@pytest.mark.parametrize("text", ["PVP", "PPV", "CIS"])
def test_short_abbreviations_are_told(text: str) -> None:
    assert "letter by letter" in _said(text)


@pytest.mark.parametrize(
    ("text", "elements"),
    [
        ("AlInAs", "Al and In"),
        ("GaInAsSb", "Ga and In"),
        ("GaAsP", "As and P"),
        ("HgZnTe", "Hg and Zn"),
        ("ZnSSe", "S and Se"),
        ("LiNiMnO2", "Li, Ni and Mn"),
        ("LaCaMnO3", "La, Ca and Mn"),
        ("BaCaTiO3", "Ba, Ca and Ti"),
        ("CuInAlS2", "Cu, In and Al"),
        ("CrAlN", "Cr and Al"),
        ("TiAlN", "Ti and Al"),
        ("ScAlN", "Sc and Al"),
        ("CeZrO2", "Ce and Zr"),
        ("NiMgO", "Ni and Mg"),
        ("(FeMg)2SiO4", "Fe and Mg"),
        ("Pb(ZrTi)O3", "Zr and Ti"),
    ],
)
def test_elements_without_amounts_are_told(text: str, elements: str) -> None:
    assert f"how much of {elements} there is" in _said(text)


@pytest.mark.parametrize(
    "text",
    "GaAs CdTe MgO LiCoO2 BaTiO3 SrFeO3 LaCuO3 CuInSe2 CuFeS2 LiFeAs ZrRuP TiNiSn CoCrFeMnNi BiOCl "
    "LaFeAsO Ba(FeAs)2 (NH4)2SO4 Ca(OH)2 K2NaAlF6 In0.5Ga0.5As CsPbI3 MoSSe SnSSe "
    "BeTcSe ZnWO2 TaGaS2 SrUS2 YScO2 LaZrO3 LaNiO2 CaGdS2 ZrFeSe".split(),
)
def test_compounds_without_numbers_are_what_they_say(text: str) -> None:
    assert "how much" not in _said(text)


@pytest.mark.parametrize(
    "text", ["[C][C][N]", "[C][=C]", "[C][Branch1][C][O][C]", "[N][C][=Branch1][C][=O][O]"]
)
def test_selfies_are_named(text: str) -> None:
    with pytest.raises(StructureError, match="SELFIES"):
        from_text(text)


def test_radicals_in_brackets_are_smiles() -> None:
    assert from_text("[O][O]").get_chemical_formula() == "O2"
    assert len(forced("smiles:[C][C][O]") or "") == 3


@pytest.mark.parametrize("text", ["Fe30Ni50B20 at.%", "Fe30Ni50B20 (at%)", "Fe30Ni50B20 atomic %"])
def test_per_cent_of_atoms_are_amounts(text: str) -> None:
    assert from_formula(text).get_chemical_formula("hill") == "B20Fe30Ni50"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Fe70Ni30 wt%", "write wt:Fe70Ni30"),
        ("Fe70Cr20Ni10 (mass %)", "write wt:Fe70Cr20Ni10"),
        ("(C3H6)n", "'n' is not known"),
        ("brookite TiO2", "'brookite' names a phase"),
        ("ZnO wurtzite", "'wurtzite' names a phase"),
    ],
)
def test_what_stands_beside_a_formula_is_named(text: str, why: str) -> None:
    with pytest.raises(StructureError, match=why):
        from_formula(text)
