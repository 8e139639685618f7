"""Amounts that are read together: hydrates with decimals, thirds, rounded per cent."""

from collections import Counter
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch

from atomlens.errors import StructureError
from atomlens.structures import read_structures, to_atoms
from atomlens.structures.formulas import amounts_in_formula, from_formula


def _said(text: str) -> str:
    return " ".join(from_formula(text).info.get("warnings", []))


def _shares(text: str) -> dict[str, Fraction]:
    atoms = from_formula(text)
    return {s: Fraction(n, len(atoms)) for s, n in Counter(atoms.symbols).items()}


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Ni(NO3)2·2.5H2O", "Ni2N4O17H10"),
        ("Ni(NO3)2 • 2.5 H2O", "Ni2N4O17H10"),
        ("Ni(NO3)2*2.5(H2O)", "Ni2N4O17H10"),
        ("Ni(NO3)2.2.5H2O", "Ni2N4O17H10"),
        ("SrBr2·1.0H2O", "SrBr2H2O"),
        ("SrBr2·11.5H2O", "Sr2Br4H46O23"),
        ("MgCl2·1.5NH3·2.5H2O", "Mg2Cl4N3H19O5"),
        ("K0.25CoO2·1.3H2O", "K5Co20O66H52"),
        ("2.5H2O", "H10O5"),
        ("SrSO4·0.5H2O", "Sr2S2O9H2"),
        ("ZnSO4.7H2O", "ZnSO11H14"),
    ],
)
def test_water_may_be_counted_in_decimals(text: str, plain: str) -> None:
    assert Counter(from_formula(text).symbols) == Counter(from_formula(plain).symbols)


@pytest.mark.parametrize(
    ("text", "compound"),
    [
        ("Zr33.3O66.7", "ZrO2"),
        ("Zr33.4O66.6", "ZrO2"),
        ("Na14.3Fe14.3P14.3O57.1", "NaFePO4"),
        ("Na0.143Fe0.143P0.143O0.571", "NaFePO4"),
        ("Mg16.7Ni83.3", "MgNi5"),
    ],
)
def test_rounded_per_cent_of_a_compound_are_that_compound(text: str, compound: str) -> None:
    assert _shares(text) == _shares(compound)
    assert f"rounded shares of {compound}" in _said(text)
    found = amounts_in_formula(text)
    assert {s: n / sum(found.values()) for s, n in found.items()} == _shares(compound)


@pytest.mark.parametrize(
    "text", ["Zr41.2Ti13.8Cu12.5Ni10Be22.5", "Al40.0O60.0", "Pd77.5Cu6Si16.5", "Si33O67"]
)
def test_other_per_cent_stay_as_they_are_written(text: str) -> None:
    assert not _said(text)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("Ag0.34Au0.66", "Ag17Au33"),
        ("KNi0.33Mn0.33Co0.34O2", "K100Ni33Mn33Co34O200"),
        ("Fe0.66Ni0.2Cr0.14", "Fe33Ni10Cr7"),
    ],
)
def test_decimals_that_add_up_without_thirds_are_none(text: str, same: str) -> None:
    assert _shares(text) == _shares(same)
    assert not _said(text)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("Ag0.33Au0.67", "AgAu2"),
        ("KNi0.33Mn0.33Co0.33O2", "K3NiMnCoO6"),
        ("K0.67Mn0.85Al0.15O2", "K40Mn51Al9O120"),
        ("Sr0.17Ca0.33Ba0.5TiO3", "SrCa2Ba3Ti6O18"),
    ],
)
def test_thirds_and_sixths_that_add_up_are_such(text: str, same: str) -> None:
    assert _shares(text) == _shares(same)
    assert "thirds and sixths" in _said(text)


@pytest.mark.parametrize(
    "amounts",
    [
        (np.int64(1), np.uint8(9)),
        (np.float32(0.1), np.float32(0.9)),
        (np.float16(0.5), 4.5),
        (Decimal("0.1"), Decimal("0.9")),
        (Fraction(1, 10), Fraction(9, 10)),
        (np.array(0.1, dtype=np.float32), np.array(0.9)),
        (torch.tensor(1), torch.tensor(9)),
        (torch.tensor(0.1, requires_grad=True), torch.tensor(0.9)),
        (torch.tensor(0.1, dtype=torch.float64), 0.9),
    ],
)
def test_an_amount_may_be_a_number_of_any_kind(amounts: tuple[object, object]) -> None:
    atoms = to_atoms({np.str_("Na"): amounts[0], "Cl": amounts[1]})
    assert Counter(atoms.symbols) == {"Na": 1, "Cl": 9}


@pytest.mark.parametrize("amount", [True, np.True_, torch.tensor(True), None, "1", np.array([1])])
def test_what_is_no_number_is_no_amount(amount: object) -> None:
    assert "is a table" in str(read_structures([{"Na": amount, "Cl": 1}]).failures[0].message)


@pytest.mark.parametrize("amount", [Decimal("NaN"), Decimal("Infinity"), np.float32("-1")])
def test_an_amount_that_none_can_be_is_told(amount: object) -> None:
    with pytest.raises(StructureError, match="the amount of Na is"):
        to_atoms({"Na": amount, "Cl": 1})
