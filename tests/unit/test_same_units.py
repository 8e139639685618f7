"""Units that are spelled in two ways."""

import pytest

from atomlens.units import same_unit


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ev", "eV"),
        ("kJ mol^-1", "kJ/mol"),
        ("cal/(mol K)", "cal mol-1 K⁻¹"),
        ("eV per atom", "eV/atom"),
        ("Angstrom", "Å"),
        ("bohr^3", "bohr3"),
        ("debye", "D"),
        ("1/cm", "cm⁻¹"),
    ],
)
def test_one_unit_in_two_spellings_is_one(one: str, other: str) -> None:
    assert same_unit(one, other)
    assert same_unit(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("meV", "MeV"),
        ("nm", "nM"),
        ("mPa", "MPa"),
        ("S", "s"),
        ("eV", "eV/atom"),
        ("m/s", "s/m"),
        ("cal/(mol K)", "cal K/mol"),
        ("log10(GPa)", "GPa"),
        ("", "eV"),
    ],
)
def test_other_units_are_others(one: str, other: str) -> None:
    assert not same_unit(one, other)
