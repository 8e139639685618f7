"""What elements, atoms and formulas are called."""

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from atomlens.elements import SYMBOLS

if TYPE_CHECKING:
    pass

_FIRST_TO_LAST = (
    "He Ne Ar Kr Xe Rn Og Fr Cs Rb K Na Li Ra Ba Sr Ca Mg Be "
    "La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr "
    "Y Sc Rf Hf Zr Ti Db Ta Nb V Sg W Mo Cr Bh Re Tc Mn Hs Os Ru Fe Mt Ir Rh Co Ds Pt Pd Ni "
    "Rg Au Ag Cu Cn Hg Cd Zn Nh Tl In Ga Al B Fl Pb Sn Ge Si C Mc Bi Sb As P N H "
    "Lv Po Te Se S Ts At I Br Cl O F"
).split()
"""The elements from electropositive to electronegative: Table VI of IUPAC's Red Book (2005), with
oxygen behind chlorine as in NaClO4."""
_RANKS = {symbol: rank for rank, symbol in enumerate(_FIRST_TO_LAST)}
_BEFORE_BORON = _RANKS["B"] - 0.5


def atom_label(numbers: NDArray[np.int_], index: int) -> str:
    """Return for example ``atom 3 (Fe, counted from 0)``."""
    return f"atom {index} ({symbol_of(int(numbers[index]))}, counted from 0)"


def symbol_of(number: int) -> str:
    """Return the symbol of an element; ``Z=130`` for a number that none has."""
    return SYMBOLS[number] if 0 <= number < len(SYMBOLS) else f"Z={number}"


def chemical_formula(atomic_numbers: NDArray[Any]) -> str:
    """Return the formula as chemists order it: ``C2H6O``, ``CaBr2``, ``NaCl``, ``NH3``, ``H2SO4``.

    What has carbon and hydrogen is in Hill order (carbon, hydrogen, the alphabet), everything
    else goes from electropositive to electronegative; of acids and hydroxides hydrogen is next to
    the metals.
    """
    counts = Counter(np.asarray(atomic_numbers, dtype=np.int64).tolist())
    return formula_of({symbol_of(z): float(counts[z]) for z in sorted(counts)})


def amounts_in(numbers: NDArray[Any], shares: NDArray[np.float64]) -> dict[str, float]:
    """Return how much there is of each element, by its symbol.

    Args:
        numbers: (n_atoms,) elements.
        shares: (n_atoms,) of the cells in which each atom is there.
    """
    found, places = np.unique(np.asarray(numbers, dtype=np.int64), return_inverse=True)
    amounts = np.bincount(places.reshape(-1), shares, minlength=len(found))
    pairs = zip(found.tolist(), amounts.tolist(), strict=True)
    return {symbol_of(z): n for z, n in pairs}


def formula_of(amounts: Mapping[str, float]) -> str:
    """Return the formula of so much of each element, in the order of `chemical_formula`.

    Parts of an atom are given to four digits: ``Na3.6Cl4``.
    """
    if {"C", "H"} <= amounts.keys():
        order = ["C", "H", *sorted(amounts.keys() - {"C", "H"})]
    else:
        ranks: dict[str, float] = dict(_RANKS)
        if "O" in amounts:
            ranks["H"] = _BEFORE_BORON
        order = sorted(amounts, key=lambda symbol: ranks.get(symbol, -1))
    return "".join(f"{symbol}{_amount(amounts[symbol])}" for symbol in order)


def _amount(amount: float) -> str:
    whole = round(amount)
    if abs(amount - whole) < 1e-6:
        return "" if whole == 1 else str(whole)
    return f"{amount:.4f}".rstrip("0") if amount < 1 else f"{amount:.3f}".rstrip("0").rstrip(".")
