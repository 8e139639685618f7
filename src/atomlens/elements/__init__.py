"""Chemical elements: symbols by atomic number, without importing a chemistry package."""

import re

SYMBOLS: tuple[str, ...] = tuple(
    "X H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se "
    "Br Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy "
    "Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf "
    "Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og".split()
)
"""``SYMBOLS[Z]`` is the symbol of atomic number Z; index 0 is a placeholder, not an element."""

ATOMIC_NUMBERS: dict[str, int] = {symbol: z for z, symbol in enumerate(SYMBOLS) if z}
"""Atomic number of each symbol."""

NONMETALS = frozenset(
    [1, 2, 5, 6, 7, 8, 9, 10, 14, 15, 16, 17, 18, 32, 33, 34, 35, 36, 51, 52, 53, 54, 85, 86]
)
"""Atomic numbers of the elements that count as no metals; B, Si, Ge, As, Sb and Te among them."""

_OTHER_NAMES = {"aluminum": "Al", "cesium": "Cs", "sulphur": "S", "d": "H", "t": "H"}


def symbols_meant(text: str) -> tuple[str, ...]:
    """Return the symbol that ``pb``, ``Lead``, ``82`` or ``Pb2+`` means, or those of ``PbTe``.

    Empty where nothing can be told.
    """
    from ase.data import atomic_names

    text = text.strip()
    letters = re.sub(r"[\d.+-]*$", "", text)
    if text.isdecimal() and len(text) < 4 and 0 < int(text) < len(SYMBOLS):
        return (SYMBOLS[int(text)],)
    parts = re.findall(r"[A-Z][a-z]?", letters)
    if len(parts) > 1 and "".join(parts) == letters and all(p in ATOMIC_NUMBERS for p in parts):
        return tuple(dict.fromkeys(parts))
    if letters.capitalize() in ATOMIC_NUMBERS:
        return (letters.capitalize(),)
    names = {name.lower(): SYMBOLS[z] for z, name in enumerate(atomic_names) if name and z}
    meant = (names | _OTHER_NAMES).get(letters.lower())
    return () if meant is None else (meant,)
