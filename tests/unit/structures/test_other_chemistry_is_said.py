"""What a text or file of a molecule or alloy says by its letters, and may not mean."""

import warnings
from collections import Counter
from pathlib import Path

import pytest

from atomlens.errors import StructureError
from atomlens.structures import read_structures
from atomlens.structures.files import read_file
from atomlens.structures.formulas import from_formula
from atomlens.structures.smiles import from_smiles

BLOCK = """t


  3  2  0  0  0  0  0  0  0  0999 V2000
    0.0000    0.0000    0.0000 C   0  0
    1.5000    0.0000    0.0000 {centre}   0  0
    2.0000    1.3000    0.4000 O   0  0
  1  2  1  0
  2  3  {order}  0
M  END
"""


@pytest.mark.parametrize("text", ["ZnO_186", "CsCl_221", "GaAs_216"])
def test_the_number_of_a_space_group_is_no_amount(text: str) -> None:
    with pytest.raises(StructureError, match="perhaps the number of a space group"):
        from_formula(text)


@pytest.mark.parametrize("text", ["TiAl6V4", "TiAl6Nb7", "CuZn37", "AlSi10Mg", "AlSi7Mg0.3"])
def test_standard_names_of_alloys_are_no_formulas(text: str) -> None:
    with pytest.raises(StructureError, match="is the grade of an alloy"):
        from_formula(text)


@pytest.mark.parametrize("text", ["YB_66", "C_70", "Al_2O_3", "TiAl3", "CuZn5", "AlSi", "Ti3AlC2"])
def test_compounds_that_look_alike_are_formulas(text: str) -> None:
    assert len(from_formula(text)) > 1


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("C60H_122", {"C": 60, "H": 122}),
        ("C20H_100", {"C": 20, "H": 100}),
        ("CH_80", {"C": 1, "H": 80}),
        ("(CH2)_100", {"C": 100, "H": 200}),
        ("Na24Si_136", {"Na": 24, "Si": 136}),
        ("LaNi_5H", {"La": 1, "Ni": 5, "H": 1}),
        ("MgNi_3C", {"Mg": 1, "Ni": 3, "C": 1}),
        ("NaC_2H", {"Na": 1, "C": 2, "H": 1}),
        ("CH_3CO_2H", {"C": 2, "H": 4, "O": 2}),
        ("AlSi0.5Mg0.3", {"Al": 10, "Si": 5, "Mg": 3}),
        ("LiNi0.8Co0.15Al0.05O2", {"Li": 20, "Ni": 16, "Co": 3, "Al": 1, "O": 40}),
        ("Al0.3CoCrFeNi", {"Al": 3, "Co": 10, "Cr": 10, "Fe": 10, "Ni": 10}),
        ("La0.7Sr0.3MnO3", {"La": 7, "Sr": 3, "Mn": 10, "O": 30}),
        ("Mg2Si0.5Sn0.5", {"Mg": 4, "Si": 1, "Sn": 1}),
    ],
)
def test_numbers_that_are_amounts_stay_amounts(text: str, numbers: dict[str, int]) -> None:
    assert Counter(from_formula(text).get_chemical_symbols()) == numbers


@pytest.mark.parametrize("text", ["SiC_6H", "SiC_4H", "ZnS_2H", "SiC_15R", "SiC_3C", "GaSe_2H"])
def test_a_polytype_is_no_hydrogen(text: str) -> None:
    with pytest.raises(StructureError, match="may be a polytype"):
        from_formula(text)


@pytest.mark.parametrize(
    ("content", "end"),
    [
        ("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "fetches the file)"),
        ("<!DOCTYPE html><html></html>", "a web page or XML; fetch the file again"),
        ("<?xml version='1.0'?><modeling></modeling>", "real kind or convert it"),
    ],
)
def test_what_a_failed_download_left_is_not_renamed(tmp_path: Path, content: str, end: str) -> None:
    path = tmp_path / "x.cif"
    path.write_text(content)
    with pytest.raises(StructureError) as refused:
        read_file(path)
    assert str(refused.value).endswith(end)


def test_ammonia_at_a_metal_is_asked_for() -> None:
    (said,) = from_smiles("Cl[Pd](Cl)(N)N").info["warnings"]
    assert "write [NH3]->[Pd]" in said
    assert len(from_smiles("[NH3]->[Pd](Cl)(Cl)<-[NH3]")) == 11
    for other in ("N[Ti](N)(N)N", "CN", "Cl[Pd](Cl)([NH2])[NH2]"):
        assert "amide" not in str(from_smiles(other).info.get("warnings"))


def test_hydrogens_that_odd_bonds_keep_away_are_said(tmp_path: Path) -> None:
    path = tmp_path / "a.sdf"
    path.write_text(BLOCK.format(centre="C", order=3))
    with pytest.warns(UserWarning, match="bonds are odd .* hydrogens that may be absent were not"):
        (atoms,) = read_structures([path]).structures
    assert len(atoms) == 3
    path.write_text(BLOCK.format(centre="C", order=2))
    with pytest.warns(UserWarning, match="hydrogens that the file leaves out were added"):
        assert len(read_structures([path]).structures[0]) == 7


def test_carbons_with_all_their_bonds_are_not_doubted(tmp_path: Path) -> None:
    path = tmp_path / "a.sdf"
    path.write_text(  # Cl with three bonds, and no hydrogen to miss
        BLOCK.format(centre="Cl", order=2).replace(" C  ", " F  ")
    )
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        read_structures([path])
    assert not [w for w in heard if "may be absent" in str(w.message)]


@pytest.mark.parametrize(("masses", "heard"), [("1.0 1.0", 0), ("22.99 35.45", 0), ("22.99 37", 1)])
def test_a_mass_of_one_for_all_is_no_isotope(masses: str, heard: int, tmp_path: Path) -> None:
    sodium, chlorine = masses.split()
    (tmp_path / "a.pwi").write_text(
        "&SYSTEM\n ibrav=0, nat=2, ntyp=2\n/\nATOMIC_SPECIES\n"
        f"Na {sodium} na.upf\nCl {chlorine} cl.upf\nATOMIC_POSITIONS crystal\nNa 0 0 0\n"
        "Cl .5 .5 .5\nCELL_PARAMETERS angstrom\n2.82 2.82 0\n2.82 0 2.82\n0 2.82 2.82\n"
    )
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        (atoms,) = read_structures([tmp_path / "a.pwi"]).structures
    assert len(atoms) == 2
    assert sum("isotopes" in str(w.message) for w in said) == heard
