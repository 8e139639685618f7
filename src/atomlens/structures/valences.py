"""Whether a formula is one that a compound can have: oxidation states for salts, valences else.

Only good enough to tell ``Al2O3.2SiO2`` (a part ``2SiO2``) from ``La1.8Sr1.2Mn2O7`` (an amount
1.8): each element has a range of oxidation states, and a compound can be neutral if the ranges
allow it. Ranges: the common states in N. N. Greenwood and A. Earnshaw, Chemistry of the Elements.
"""

from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType

Amounts = Mapping[str, Fraction]

_STATES: dict[str, tuple[int, int]] = {
    s: (low, high)
    for low, high, symbols in (
        (1, 1, "Li Na K Rb Cs Fr Ag"),
        (2, 2, "Be Mg Ca Sr Ba Ra Zn Cd"),
        (3, 3, "B Al Ga Sc Y La Nd Pm Gd Dy Ho Er Lu Ac"),
        (2, 3, "Sm Eu Tm Yb Fe Co"),
        (3, 4, "Ce Pr Tb Ir"),
        (4, 4, "Zr Hf Th"),
        (1, 2, "Cu Hg"),
        (1, 3, "In Tl Au Rh"),
        (2, 4, "Ti Ni Pd Pt Ge Sn Pb"),
        (2, 5, "V"),
        (2, 6, "Cr Mo"),
        (2, 7, "Mn Tc Re"),
        (2, 8, "Ru Os"),
        (3, 5, "Nb Ta Bi Pa"),
        (3, 6, "U Np Pu Am W"),
        (-4, 4, "C Si"),
        (-3, 5, "N P As Sb"),
        (-2, 6, "S Se Te Po"),
        (-2, -2, "O"),
        (-1, -1, "F"),
        (-1, 7, "Cl Br I At"),
        (1, 1, "H"),
    )
    for s in symbols.split()
}
_OTHERS = (0, 4)
_NONMETALS = frozenset("B C N O F Si P S Cl As Se Br Te I H".split())
_ODD = frozenset("H F Cl Br I N P B As".split())
"""Elements with an odd valence: a molecule holds an even number of them."""

_HALOGENS = frozenset("Cl Br I At".split())
_MOLECULES: tuple[dict[str, int], ...] = (
    {"H": 2, "O": 2},
    {"I": 2},
    {"Br": 2},
    {"Cl": 2},
    {"Xe": 1},
    {"Kr": 1},
    {"Ar": 1},
    {"C": 60},
    {"C": 70},
    {"S": 8},
    {"P": 4},
    {"N": 1, "O": 1},
    {"N": 1, "O": 2},
)


def can_be_neutral(amounts: Amounts) -> bool:
    """Say whether common oxidation states can add up to zero."""
    if len(amounts) < 2:
        return False
    low, high = charge_range(amounts)
    return low <= 0 <= high


def charge_range(
    amounts: Amounts, at_least: Mapping[str, int] = MappingProxyType({})
) -> tuple[Fraction, Fraction]:
    """Return the smallest and the largest sum of common oxidation states.

    Args:
        amounts: Of each element.
        at_least: Smallest states that count, where others are meant than the common ones.
    """
    low = high = Fraction(0)
    for symbol, amount in amounts.items():
        least, most = _STATES.get(symbol, _OTHERS)
        least = at_least.get(symbol, least)
        if symbol in _HALOGENS and "O" not in amounts and "F" not in amounts:
            most = -1
        if symbol == "H" and not (amounts.keys() & _NONMETALS - {"H", "B", "Si"}):
            least = -1
        low, high = low + least * amount, high + most * amount
    return low, high


def is_molecular(amounts: Amounts) -> bool:
    """Say whether valences allow a molecule of nonmetals, such as CH4N2O or C6H5OH."""
    if not {"C", "H"} <= amounts.keys() or not amounts.keys() <= _NONMETALS:
        return False
    if any(a.denominator != 1 for a in amounts.values()):
        return False
    if sum(a for s, a in amounts.items() if s in _ODD) % 2:
        return False
    carbon = amounts["C"] + amounts.get("Si", 0)
    most = 2 * carbon + 2 + amounts.get("N", 0) + amounts.get("P", 0)
    return sum(amounts.get(s, Fraction(0)) for s in ("H", "F", "Cl", "Br", "I")) <= most


def is_compound(amounts: Amounts) -> bool:
    """Say whether whole amounts are those of a compound that stands for itself in an adduct."""
    if any(a.denominator != 1 for a in amounts.values()):
        return False
    if any(dict(amounts) == molecule for molecule in _MOLECULES):
        return True
    return can_be_neutral(amounts) or is_molecular(amounts)


def is_mixed(amounts: Amounts) -> bool:
    """Say whether amounts with decimals are those of a salt with shared or partly filled sites.

    Carbon with hydrogen is none: its states allow everything.
    """
    return not {"C", "H"} <= amounts.keys() and can_be_neutral(amounts)
