"""SMILES and formulas as text."""

import random
import warnings
from collections import Counter
from math import gcd
from pathlib import Path

import numpy as np
import pytest
from ase.formula import Formula

from atomlens.datasets import load_dataset
from atomlens.errors import DatasetError, StructureError
from atomlens.structures import read, read_structures, to_atoms
from atomlens.structures.formulas import amounts_in_formula, is_charged, not_in_formulas
from atomlens.structures.formulas.adducts import parts_of
from atomlens.structures.formulas.grammar import sum_of
from atomlens.structures.formulas.reading import _PLAIN, _plain_amounts

FORMULAS = {
    "Fe2O3": {"Fe": 2, "O": 3},
    "Ca(OH)2": {"Ca": 1, "O": 2, "H": 2},
    "K3[Fe(CN)6]": {"K": 3, "Fe": 1, "C": 6, "N": 6},
    "CuSO4.5H2O": {"Cu": 1, "S": 1, "O": 9, "H": 10},
    "CuSO4·5H2O": {"Cu": 1, "S": 1, "O": 9, "H": 10},
    "Al2O3·H2O": {"Al": 2, "O": 4, "H": 2},
    "MgO.Al2O3": {"Mg": 1, "Al": 2, "O": 4},
    "CaSO4·1/2H2O": {"Ca": 2, "S": 2, "O": 9, "H": 2},
    "CaSO4.0.5H2O": {"Ca": 2, "S": 2, "O": 9, "H": 2},
    "Li0.5CoO2": {"Li": 1, "Co": 2, "O": 4},
    "Li0.9CoO2": {"Li": 9, "Co": 10, "O": 20},
    "Fe₂O₃": {"Fe": 2, "O": 3},
    "Fe 2 O 3": {"Fe": 2, "O": 3},
    "C60": {"C": 60},
    "Cs": {"Cs": 1},
    "InP": {"In": 1, "P": 1},
}


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_becomes_whole_numbers_of_atoms(text: str) -> None:
    atoms = to_atoms(text)
    assert dict(Counter(atoms.get_chemical_symbols())) == FORMULAS[text]


ADDUCTS = {
    "CaO.Al2O3.2SiO2.4H2O": {"Ca": 1, "Al": 2, "Si": 2, "O": 12, "H": 8},
    "MgCl2.6(CH3OH)": {"Mg": 1, "Cl": 2, "C": 6, "H": 24, "O": 6},
    "ZnO.2.5B2O3.3.5H2O": {"Zn": 2, "B": 10, "O": 24, "H": 14},
    "ZnCl2.2C5H5N": {"Zn": 1, "Cl": 2, "C": 10, "H": 10, "N": 2},
    "CdCl2.5/2H2O": {"Cd": 2, "Cl": 4, "O": 5, "H": 10},
    "3CaO.2SiO2": {"Ca": 3, "Si": 2, "O": 7},
    "NH4Cl.2KCl": {"N": 1, "H": 4, "Cl": 3, "K": 2},
    "Na2SO4.10H2O": {"Na": 2, "S": 1, "O": 14, "H": 20},
}
DECIMALS = {
    "Li1.2Ni0.6Mn0.2O2": {"Li": 6, "Ni": 3, "Mn": 1, "O": 10},
    "La1.8Sr1.2Mn2O7": {"La": 9, "Sr": 6, "Mn": 10, "O": 35},
    "Fe1.5Ni2.5Co3": {"Fe": 3, "Ni": 5, "Co": 6},
    "CH3NH3PbI2.5Br0.5": {"C": 2, "H": 12, "N": 2, "Pb": 2, "I": 5, "Br": 1},
    "Ti3.2SiC2": {"Ti": 16, "Si": 5, "C": 10},
    "Pb2B3O7.5H2": {"Pb": 4, "B": 6, "O": 15, "H": 4},
    "K2.15Sb8.15Pb1.7Se15": {"K": 43, "Sb": 163, "Pb": 34, "Se": 300},
}
TYPOGRAPHY = {
    "Ti_{0.5}Zr_{0.5}O_2": {"Ti": 1, "Zr": 1, "O": 4},
    r"$\mathrm{Cr_2O_3}$": {"Cr": 2, "O": 3},
    r"\ce{NiSO4}": {"Ni": 1, "S": 1, "O": 4},
    "Cr<sub>2</sub>O<SUB>3</SUB>": {"Cr": 2, "O": 3},
    "Ｃｒ２Ｏ３": {"Cr": 2, "O": 3},
    "NiSO4&middot;6H2O": {"Ni": 1, "S": 1, "O": 10, "H": 12},
    "NiSO4●6H2O": {"Ni": 1, "S": 1, "O": 10, "H": 12},
    "NiSO4 x 6 H2O": {"Ni": 1, "S": 1, "O": 10, "H": 12},
    "K2CO3·1½H2O": {"K": 4, "C": 2, "O": 9, "H": 6},
    "La@C82": {"La": 1, "C": 82},
}


@pytest.mark.parametrize("text", [*ADDUCTS, *DECIMALS, *TYPOGRAPHY])
def test_dots_and_typography_of_formulas_are_read_as_they_are_meant(text: str) -> None:
    expected = (ADDUCTS | DECIMALS | TYPOGRAPHY)[text]
    whole = dict(Counter(to_atoms(f"formula:{text}").get_chemical_symbols()))
    unit = gcd(*whole.values())
    assert {s: n // unit for s, n in whole.items()} == {
        s: n // gcd(*expected.values()) for s, n in expected.items()
    }


@pytest.mark.parametrize(
    "text",
    [
        "TiCl4.2THF",  # tetrahydrofuran, not tritium, hydrogen and fluorine
        "CuI.TBP",
        "Zn(OAc)2",  # acetate, not actinium
        "CaCl2.2EtOH",
        "SO4²⁻",
        "Ca²⁺",
    ],
)
def test_abbreviations_and_charges_are_no_elements(text: str) -> None:
    (failure,) = read_structures(f"formula:{text}").failures
    assert "is not a formula" in failure.message


def test_a_dot_with_two_meanings_is_asked_about() -> None:
    # strontium titanate with a vacancy in 2.5 oxygens, or strontium titanite with 5 titania
    (failure,) = read_structures("formula:SrTiO2.5TiO2").failures
    assert "may be an amount or begin a new part" in failure.message


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("Na0.33Cl0.67", {"Na": 1, "Cl": 2}),
        ("LiNi0.33Mn0.33Co0.33O2", {"Li": 3, "Ni": 1, "Mn": 1, "Co": 1, "O": 6}),
    ],
)
def test_decimals_of_thirds_are_thirds_and_that_is_said(text: str, counts: dict[str, int]) -> None:
    with pytest.warns(UserWarning, match="thirds and sixths"):
        atoms = to_atoms(text)
    assert dict(Counter(atoms.get_chemical_symbols())) == counts


def test_a_formula_has_no_geometry_and_says_so() -> None:
    atoms = to_atoms("Fe2O3")
    assert atoms.info == {"name": "Fe2O3", "is_formula": True}
    assert not atoms.positions.any()
    assert not atoms.pbc.any()
    assert atoms.cell.rank == 0


def test_whole_numbers_of_a_formula_are_not_reduced() -> None:
    assert len(to_atoms("Fe4O6")) == 10


def test_a_steel_is_rounded_to_ten_thousand_atoms() -> None:
    text = "Fe0.620C0.000953Mn0.000521Ni0.192Co0.146Ti0.041526"
    amounts = {s: float(a) for s, a in amounts_in_formula(text).items()}
    with pytest.warns(UserWarning, match="rounded to shares of 10,000 atoms"):
        counts = Counter(to_atoms(text).get_chemical_symbols())
    for symbol, amount in amounts.items():
        share = counts[symbol] / counts.total()
        assert share == pytest.approx(amount / sum(amounts.values()), abs=1e-4)


@pytest.mark.parametrize(
    "text", ["Li.5CoO2", "Fe0O", "NH4+", "()", "2", "Fe2O3!", "fe2o3", "Fe1/0O"]
)
def test_what_is_unclear_in_a_formula_is_refused(text: str) -> None:
    (failure,) = read_structures(f"formula:{text}").failures
    assert "formula" in failure.message


def test_a_smiles_becomes_a_molecule_with_hydrogens_in_space() -> None:
    atoms = to_atoms("CCO")
    assert atoms.get_chemical_formula() == "C2H6O"
    assert atoms.info.items() >= {"name": "CCO", "smiles": "CCO"}.items()
    assert atoms.get_distance(0, 1) == pytest.approx(1.52, abs=0.03)
    assert not atoms.pbc.any()


def test_the_same_smiles_has_the_same_coordinates_every_time() -> None:
    first, second = to_atoms("CC(C)C(=O)N"), to_atoms("CC(C)C(=O)N")
    assert np.array_equal(first.positions, second.positions)


def test_a_chiral_smiles_and_its_mirror_image_differ() -> None:
    left, right = to_atoms("C[C@H](N)C(=O)O"), to_atoms("C[C@@H](N)C(=O)O")

    def handedness(atoms: object) -> float:
        p = atoms.positions  # type: ignore[attr-defined]
        return float(np.linalg.det(p[[0, 2, 3]] - p[1]))

    assert handedness(left) * handedness(right) < 0


def test_fragments_of_a_smiles_stand_apart() -> None:
    with pytest.warns(UserWarning, match="3 Å apart"):
        atoms = to_atoms("[Na+].[Cl-]")
    assert atoms.get_distance(0, 1) == pytest.approx(3.0)


def test_text_that_is_both_is_a_smiles_and_the_user_is_told() -> None:
    with pytest.warns(UserWarning, match="formula:"):
        atoms = to_atoms("CO")
    assert atoms.get_chemical_formula() == "CH4O"


@pytest.mark.parametrize(("text", "formula"), [("formula:CO", "CO"), ("smiles:CO", "CH4O")])
def test_a_prefix_decides_without_a_warning(text: str, formula: str) -> None:
    atoms = to_atoms(text)
    assert atoms.get_chemical_formula() == formula
    assert atoms.info["name"] == "CO"


@pytest.mark.parametrize(
    "text",
    ["C1CC", "C1CCO", "OCC1", "N1CC", "CN1C", "C(C)C1", "CC.C1", "CCCCC1O", "ClC1", "C12CC1O"],
)
def test_a_ring_that_does_not_close_is_no_amount(text: str) -> None:
    (failure,) = read_structures(text).failures
    assert "reads like a SMILES, but is none" in failure.message
    assert to_atoms(f"formula:{text}").info["is_formula"]  # the way out that the sentence names


@pytest.mark.parametrize(
    ("text", "formula"),
    [
        ("CO2", "CO2"),
        ("C1O2", "CO2"),
        ("C1N1", "CN"),
        ("N2O5", "N2O5"),
        ("CF3COCF3", "C3F6O"),
        ("CCl3CCl3", "C2Cl6"),
        ("C(CN)4", "C5N4"),
        ("CH3CH2OH", "C2H6O"),
        ("B2O3.P2O5", "B2O8P2"),
    ],
)
def test_numbers_of_a_formula_are_no_rings(text: str, formula: str) -> None:
    atoms = to_atoms(text)
    assert atoms.info["is_formula"]
    assert atoms.get_chemical_formula() == formula


def test_an_everyday_smiles_needs_no_warning() -> None:
    assert [len(atoms) for atoms in read(["CCO", "c1ccccc1", "C/C=C/C"])] == [9, 12, 12]


def test_an_existing_file_goes_before_a_smiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("CCO").mkdir()
    Path("CCO/helium.xyz").write_text("1\n\nHe 0 0 0\n")
    with pytest.warns(UserWarning, match="CCO: the folder of this name was read"):
        assert to_atoms("CCO").get_chemical_symbols() == ["He"]


def test_deuterium_is_hydrogen_and_the_user_is_told() -> None:
    with pytest.warns(UserWarning, match="deuterium"):
        assert to_atoms("D2O").get_chemical_formula() == "H2O"
    with pytest.warns(UserWarning, match="deuterium"):
        assert to_atoms("[2H]C").get_chemical_formula() == "CH4"


def test_a_remark_on_many_structures_is_one_warning() -> None:
    with pytest.warns(UserWarning, match="deuterium") as told:
        read(["formula:D2O", "formula:DCl", "formula:DF"])
    assert len(told) == 1
    assert "D2O, DCl, DF" in str(told[0].message)


def test_any_text_gives_a_structure_or_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = random.Random(7)
    pieces = [*"CNOFcno123456789()[]=#@+-./%:·*? é\n\0", "Fe", "Cl", "H2O", "smiles:", "formula:"]
    for _ in range(300):
        text = "".join(rng.choices(pieces, k=rng.randrange(1, 9))).lstrip("./")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = read_structures(text)
        assert len(result.items) == 1
        for failure in result.failures:
            assert failure.message.isprintable()
            assert 20 < len(failure.message) < 400


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("CCO CCN", "a SMILES and more"),
        ("C C C", "a SMILES and more"),
        ("CC(=O)O 12", "a SMILES and more"),
        ("CCO 12", "a SMILES and more"),
        ("O 0 0 0.12", "two amounts side by side"),
        ("CuSO4 5 H2O", "two amounts side by side"),
        ("Fe 2 3", "two amounts side by side"),
        ("ethanol", "names are not looked up"),
        ("acetic acid", "names are not looked up"),
        ("InChI=1S/CH4/h1H4", "InChI is not read"),
        ("LFQSCWFLJHTTHZ-UHFFFAOYSA-N", "keys of InChIs"),
        ("64-17-5", "not looked up"),
        ("mp-149", "not looked up"),
        ("CCN.HCl", "its part 'HCl' is none"),
        ("CCO.[HCl]", "its part '\\[HCl\\]' is none"),
        ("CCO.H2O", "its part 'H2O' is none"),
        ("Fe2\u041e3", "cyrillic capital letter o"),
    ],
)
def test_what_is_neither_smiles_nor_formula_is_not_read_as_one(text: str, why: str) -> None:
    with pytest.raises(StructureError, match=why):
        to_atoms(text)


@pytest.mark.parametrize(
    ("text", "formula"),
    [("Ti O2", "TiO2"), ("C2 H6 O", "C2H6O"), ("C O2", "CO2"), ("Fe 2 O 3", "Fe2O3")],
)
def test_a_formula_may_be_written_in_words(text: str, formula: str) -> None:
    assert to_atoms(text).symbols.formula == Formula(formula)


def test_a_plain_sum_is_read_as_any_formula_is() -> None:
    draw = random.Random(11)
    taken = 0
    for _ in range(1500):
        pieces = draw.choices(["H", "C", "Cl", "Si", "D", "Xx", "O2", "Fe10", "N0", " ", "1"], k=5)
        text = "".join(pieces).strip()
        quick = _plain_amounts(text) if _PLAIN.fullmatch(text) else None
        if quick is not None and not not_in_formulas(text):
            taken += 1
            slow = sum_of(parts_of(text, adducts=False), text)
            assert list(quick.items()) == list(slow.items()), text
            assert quick == amounts_in_formula(text, adducts=False)
    assert taken > 100


@pytest.mark.parametrize(
    "text",
    ["SO4 2-", "SO4^2-", "SO4²⁻", "Na+Cl-", "NH4+", "[Fe(CN)6]4-", "Cl-"],
)
def test_formulas_with_charges_are_told_as_such(text: str) -> None:
    for given in (text, f"formula:{text}"):
        with pytest.raises(StructureError, match="charges of ions are not written in formulas"):
            to_atoms(given)


@pytest.mark.parametrize("text", ["CC-", "C-C-", "²³⁵U"])
def test_what_is_no_ion_is_not_taken_for_one(text: str) -> None:
    with pytest.raises(StructureError) as refused:
        to_atoms(text)
    assert "charges" not in str(refused.value)


@pytest.mark.parametrize("text", ["-", "/dev/stdin", "/dev/fd/0"])
def test_standard_input_is_told_not_to_be_read(text: str) -> None:
    with pytest.raises(StructureError, match="standard input is not read; give a file"):
        to_atoms(text)
    with pytest.raises(DatasetError, match="standard input is not read; give a file"):
        load_dataset(text)


@pytest.mark.parametrize(
    "text",
    [
        *("SO4-2", "SO4--", "SO4 2-", "SO4(2-)", "SO4^{2-}", "SO4²⁻", "[SO4]-2", "[SO4]2-"),
        *("Fe3+", "Fe+3", "Fe+++", "Fe(3+)", "NH4+", "NH4(+)", "NH4+1", "PO4---", "PO4-3"),
        *("[Cu(NH3)4]2+", "[Cu(NH3)4]+2", "Na+Cl-", "Ca+2CO3-2", "Ti4+O2-2", "Fe2+Fe3+2O4"),
    ],
)
def test_charges_are_called_so_in_every_spelling(text: str) -> None:
    for given in (text, f"formula:{text}"):
        with pytest.raises(StructureError, match="charges of ions are not written in formulas"):
            read(given)


@pytest.mark.parametrize(
    "text", ["Al-7075", "Ti-6Al-4V", "Fe-Ni", "C-1CC", "CC=", "Fe2O3", "", "+", "-Fe"]
)
def test_dashes_of_alloys_and_bonds_are_no_charges(text: str) -> None:
    assert not is_charged(text)


def test_a_long_text_of_ions_and_one_odd_sign_is_read_at_once() -> None:
    """Every ion could be split in two ways; 2 to the 700th of them would be tried."""
    assert not is_charged("Fe3+" * 700 + "!")
    assert is_charged("Fe3+" * 700)


@pytest.mark.parametrize(
    ("text", "formula"),
    [
        ("[D]C([D])([D])O", "CH4O"),
        ("CC[D]", "C2H6"),
        ("O([D])[D]", "H2O"),
        ("[T]O", "H2O"),
        ("[D]c1ccccc1", "C6H6"),
        ("C[N+]([D])([D])[D:1]", "CH6N"),
    ],
)
def test_hydrogens_called_d_and_t_are_atoms_of_a_smiles(text: str, formula: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        (atoms,) = read([text])
    assert any("deuterium or tritium is treated" in str(one.message) for one in caught)
    assert atoms.get_chemical_formula() == Formula(formula).format("hill")


def test_t_in_a_formula_is_tritium_unless_it_stands_for_the_silicon_of_a_zeolite() -> None:
    assert amounts_in_formula("T2O") == {"H": 2, "O": 1}
    for text in ("TO2", "T6O12", "[T]O"):
        with pytest.raises(StructureError, match="is not a formula: '"):
            read(f"formula:{text}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        *((text, "is not known; write a number") for text in ("Li1-xCoO2", "InxGa1-xAs", "Sx")),
        *((text, "is not known; write a number") for text in ("YBa2Cu3O7-δ", "Fe3O4-delta")),
        *((text, "is not known; write a number") for text in ("CuSO4·xH2O", "CuSO4·nH2O")),
        *((text, "is a state of matter") for text in ("Fe2O3(s)", "H2O (l)", "NaCl(aq)")),
        *((text, "names a phase") for text in ("α-Fe2O3", "beta-Ga2O3", "SiO2-α")),
        ("Fe2O3 (hematite)", "names a phase"),
        *((text, "names a dopant") for text in ("NaCl:Tl", "Y2O3:Eu3+", "ZnS:Cu,Al")),
        *((text, "begins with a zero") for text in ("CaC03", "Ti02", "Na2S04")),
        ("CC>>CO", "a reaction is no structure"),
    ],
)
def test_what_is_nearly_a_formula_is_told_what_it_lacks(text: str, said: str) -> None:
    with pytest.raises(StructureError, match=said):
        read(text)


@pytest.mark.parametrize(
    "text", ["Li0.5CoO2", "Dy2O3", "Xe", "(CH3)2CO", "Al(OH)3", "C60", "Cu10", "Ca10(PO4)6(OH)2"]
)
def test_such_words_are_not_seen_where_there_are_none(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(f"formula:{text}")


@pytest.mark.parametrize(
    ("text", "meant"), [("Fe203", "Fe2O3"), ("Cu20", "Cu2O"), ("H202", "H2O2"), ("Fe304", "Fe3O4")]
)
def test_a_zero_that_may_be_the_letter_is_told(text: str, meant: str) -> None:
    with pytest.warns(UserWarning, match=f"if the letter is meant, write {meant}$"):
        read(text)


@pytest.mark.parametrize(
    "text",
    "$[Mo] [Mo]$ =C -C #[Mo] :c C= C(=)C .C C. C..C ()C C() ~C (C)C ((C))C C.(C) (C)(C) C(.C) "
    "=[Mo] [Na+].-[Cl-] C== C(=O)(=)C ->[Mo] %12C".split(),
)
def test_a_bond_or_branch_that_begins_or_ends_nowhere_is_no_structure(text: str) -> None:
    with pytest.raises(StructureError, match=r"SMILES"):
        to_atoms(text)


@pytest.mark.parametrize("text", ["$Fe_2O_3$", "$$Fe_2$$O$_3$", r"$\mathrm{Fe_2O_3}$"])
def test_dollars_of_latex_come_in_pairs(text: str) -> None:
    assert to_atoms(text).get_chemical_formula() == "Fe2O3"
    with pytest.raises(StructureError, match=r"'\$' is out of place|no formula|not a formula"):
        to_atoms(text[1:])


@pytest.mark.parametrize("sign", ["\u200b", "\ufeff", "\u00ad", "\u202e", "\u2060"])
def test_a_sign_of_no_width_makes_no_formula_of_a_smiles(sign: str) -> None:
    for text in (f"{sign}CCO", f"CCO{sign}", f"C{sign}CO", f"smiles:{sign}CCO"):
        atoms = to_atoms(text)
        assert (atoms.get_chemical_formula(), atoms.info["name"]) == ("C2H6O", "CCO")


@pytest.mark.parametrize("text", ["CCO\0", "CCO\0CCN", "smiles:CCO\0CCN", "Fe2\0O3", "Fe2O3\x1b"])
def test_a_control_sign_in_a_text_is_refused(text: str) -> None:
    (failure,) = read_structures(text).failures
    assert "it has a control sign, which is no letter; remove it" in failure.message


@pytest.mark.parametrize("text", ["C(C bad", "C(=O)(O iron", "C1CC propane"])
def test_of_a_broken_smiles_with_its_name_the_smiles_is_what_is_told(text: str) -> None:
    with pytest.raises(StructureError, match="ring numbers") as told:
        read(text)
    assert "phase" not in str(told.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("smiles:CC>>CO", "a reaction is no structure; give its molecules one by one"),
        ("smiles:CC>O>CO", "a reaction is no structure"),
        ("smiles:CCO CCN", "it has blanks; give one molecule at a time"),
        ("smiles:CCO ethanol", "it has blanks"),
        ("smiles:CCO |^1:0|", "it is an extended SMILES"),
        ("smiles:N->", "brackets, ring numbers or symbols do not fit"),
    ],
)
def test_what_is_more_than_one_smiles_is_named(text: str, said: str) -> None:
    with pytest.raises(StructureError, match=said.replace("|", r"\|")):
        to_atoms(text)
