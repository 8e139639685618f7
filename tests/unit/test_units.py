"""Units as readers see them."""

import numpy as np
import pytest
from ase.build import molecule

from atomlens.reports.content import ExplainedStructure
from atomlens.reports.payload import structure_payload
from atomlens.units import unit_text
from explained_makers import explained


@pytest.mark.parametrize(
    ("unit", "shown"),
    [
        ("", ""),
        ("eV", "eV"),
        ("eV/atom", "eV/atom"),
        ("bohr^3", "bohr³"),
        ("bohr**2", "bohr²"),
        ("cm^-1", "cm⁻¹"),
        ("cm^(-1)", "cm⁻¹"),
        ("1/cm", "cm⁻¹"),
        ("1/10 eV", "1/10 eV"),
        ("cal/(mol K)", "cal/(mol·K)"),
        ("e/bohr^3", "e/bohr³"),
        ("g cm^-3", "g cm⁻³"),
        ("Å^12", "Å¹²"),
        ("V^0.5", "V^0.5"),
        ("log10(GPa)", "log₁₀(GPa)"),
        ("catalog10(x)", "catalog10(x)"),
        ("x_^2", "x_^2"),
        ("arb. units", "arb. units"),
        ("<b>^2", "<b>^2"),
    ],
)
def test_units_are_shown_as_they_are_written_by_hand(unit: str, shown: str) -> None:
    assert unit_text(unit) == shown
    assert unit_text(shown) == shown


def test_whatever_is_drawn_has_its_units_so() -> None:
    atoms = molecule("CH4")
    shown = explained(atoms, unit="bohr^3", score_unit="bohr^3", offset=1.0, scores=np.ones(5))
    assert isinstance(shown, ExplainedStructure)
    assert (shown.unit, shown.score_unit) == ("bohr³", "bohr³")
    assert "^" not in str({k: v for k, v in structure_payload(shown).items() if k != "drawing"})
