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


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("\u00b5M", "\u03bcM"),
        ("\u00b5M", "uM"),
        ("umol/L", "\u03bcM"),
        ("per cent", "%"),
        ("Per cent", "percent"),
        ("eV/formula unit", "eV/f.u."),
        ("eV per formula unit", "eV/fu"),
        ("eV/f. u.", "eV/fu"),
        ("mol/L", "M"),
        ("mol dm^-3", "M"),
        ("mol/dm3", "mol L-1"),
        ("mmol/l", "mM"),
        ("1/M", "L/mol"),
        ("M^-1 s^-1", "L/(mol s)"),
        ("deg C", "°C"),
        ("degrees Celsius", "\u2103"),
        ("\u2103", "degC"),
        ("hours", "h"),
        ("minutes", "min"),
        ("seconds", "s"),
        ("1/hours", "h^-1"),
    ],
)
def test_other_spellings_are_one_unit(one: str, other: str) -> None:
    assert same_unit(one, other)
    assert same_unit(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("meV", "MeV"),
        ("nM", "nm"),
        ("mM", "M"),
        ("\u00b5M", "mM"),
        ("mM", "\u00b5m"),
        ("mol/L", "mol/kg"),
        ("M", "mol"),
        ("MPa", "mol Pa/L"),
        ("u", "\u00b5"),
        ("s", "S"),
        ("min", "m"),
        ("h", "H"),
        ("°C", "C"),
        ("°", "°C"),
        ("%", "1"),
        ("eV/f.u.", "eV/atom"),
    ],
)
def test_spellings_of_two_units_stay_two(one: str, other: str) -> None:
    assert not same_unit(one, other)
    assert not same_unit(other, one)
