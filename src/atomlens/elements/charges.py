"""Common oxidation states, from which a network's tables of charges start, and their bounds.

After N. N. Greenwood and A. Earnshaw, Chemistry of the Elements, as in
`atomlens.structures.valences`.
"""

import numpy as np
from numpy.typing import NDArray

from atomlens.elements import ATOMIC_NUMBERS

_States = tuple[tuple[int, str], ...]

_TYPICAL: _States = (
    (1, "H Li Na K Rb Cs Fr Ag Tl"),
    (2, "Be Mg Ca Sr Ba Ra Zn Cd Hg Mn Co Ni Cu Pd Pb Eu"),
    (3, "B Al Ga In Sc Y La Ce Pr Nd Pm Sm Gd Tb Dy Ho Er Tm Yb Lu Ac Cr Fe Rh Au Bi Sb Am"),
    (4, "Ti Zr Hf Th Ru Os Ir Pt Ge Sn U Np Pu"),
    (5, "V Nb Ta Pa"),
    (6, "Mo W"),
    (7, "Tc Re"),
    (-4, "C Si"),
    (-3, "N P As"),
    (-2, "O S Se Te Po"),
    (-1, "F Cl Br I At"),
)
"""In binary compounds; elements that are not named have none."""
_LOWEST: _States = (
    (-1, "H"),
    (1, "Cu In Hg Au"),
    (2, "Sm Eu Tm Yb Fe Co Ti Ni Pd Pt Ge Sn Pb V Cr Mo Mn Tc Re Ru Os"),
    (3, "Ce Pr Tb Ir Nb Ta Bi Pa U Np Pu Am W"),
    (-3, "Sb"),
)
_HIGHEST: _States = (
    (2, "Cu Hg"),
    (3, "Sm Eu Tm Yb Fe Co In Tl Au Rh"),
    (4, "Ce Pr Tb Ir Ti Ni Pd Pt Ge Sn Pb C Si"),
    (5, "V Nb Ta Bi Pa P As Sb"),
    (6, "Cr Mo U Np Pu W S Se Te"),
    (7, "Mn Tc Re"),
    (8, "Ru Os"),
)
_IN_ANIONS: _States = ((4, "C Si"), (5, "P As"), (6, "S"), (4, "Se Te"))
"""Of nonmetals in silicates, phosphates, sulfates and the like."""


def first_charges() -> NDArray[np.float32]:
    """Return oxidation states of all elements: typical, lowest, highest, and with oxoanions.

    Returns:
        (119, 4), e; row Z is atomic number Z, zero for 0
    """
    charges = np.zeros((1 + len(ATOMIC_NUMBERS), 4), dtype=np.float32)
    for column, others in enumerate(((), _LOWEST, _HIGHEST, _IN_ANIONS)):
        for state, symbols in (*_TYPICAL, *others):
            charges[[ATOMIC_NUMBERS[symbol] for symbol in symbols.split()], column] = state
    return charges


_NOBLE = (0, 2, 10, 18, 36, 54, 86)
"""Electrons of closed shells; those beyond are an atom's to give."""
_D_AND_F = frozenset((*range(21, 31), *range(39, 49), *range(57, 81), *range(89, 113)))
"""Atomic numbers of transition metals, lanthanides and actinides."""
_SLACK = 1.0
"""e; an atom may have so much more than its electrons and gaps allow, as models of charges err."""


def charge_bounds(number: int) -> tuple[float, float]:
    """Return the lowest and highest charge that an element has in compounds, e, with some slack.

    It gives the electrons beyond its closed shells, eight at most, and takes what lacks to the next
    one; of metals four are granted.
    """
    core = max(closed for closed in _NOBLE if closed < number)
    valence = number - core
    for shell in (24, 10):  # f and d electrons of p elements are closed
        if valence > shell + 2:
            valence -= shell
            break
    takes = 1 if number == 1 else 8 - valence if 4 <= valence <= 8 and number not in _D_AND_F else 4
    return -takes - _SLACK, min(valence, 8) + _SLACK
