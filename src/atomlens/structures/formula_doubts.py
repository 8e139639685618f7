"""What a text that reads as a formula may mean besides: words, capitals, shares that it leaves out.

The text is read all the same, with a sentence; what has two readings that are equally likely is
refused by ``formulas``.
"""

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from itertools import permutations

from atomlens.elements import ATOMIC_NUMBERS, NONMETALS, SYMBOLS
from atomlens.elements.radii import COVALENT_RADII
from atomlens.errors import StructureError
from atomlens.structures.valences import can_be_neutral, charge_range, is_compound

Amounts = Mapping[str, Fraction]

_HEAVIEST_COMMON = 83


def doubts_about(name: str, amounts: Amounts, read: Callable[[str], Amounts]) -> list[str]:
    """Return what else a formula may mean, a sentence for each, as they stand behind its name.

    Args:
        name: The formula.
        amounts: Of its elements.
        read: Returns the amounts of other formulas.
    """
    said = []
    if meant := _with_letter(name, read):
        said.append(f"it has the digit zero; if the letter is meant, write {meant}")
    if meant := _in_capitals(name, amounts):
        said.append(
            f"it is written in capitals, so {meant.upper()} was taken for {meant[0]} and "
            f"{meant[1].upper()}; if {meant} is meant, write it so"
        )
    elif _is_spelled(name):
        said.append(
            f"it is read letter by letter, as {', '.join(name)}; if {name} is a word or an "
            "abbreviation, write a formula, or leave the cell empty"
        )
    if shared := _without_shares(name, amounts):
        said.append(
            f"it does not say how much of {shared} there is, so equal amounts were taken; if some "
            "of them share a place, write the amounts"
        )
    return said


_ZERO = re.compile(r"(?<=[A-Za-z)])[2-9]0[1-9]\d?(?!\d)|(?<=H)[2-9]0(?=H(?![a-z\d]))")
"""A count in which the letter O may stand as the digit: 203, 304, 5012, and 30 in CH30H."""
_OTHER_COUNTS = 20
"""What has another count as large may be a large cluster or cage."""
_OXIDE = re.compile(r"([A-Z][a-z]?)(?:20|20[235]|304|308)")


def _with_letter(name: str, read: Callable[[str], Amounts]) -> str:
    """Return the formula that is meant if one of its zeros is the letter O; else ``""``.

    ``LiMn204`` has a count like no other, and with the letter it is a compound.
    """
    parts = re.split(r"([·•⋅∙‧・*])", name)
    for k, part in enumerate(parts):
        bare = re.sub(r"^\d+(?=[A-Z(\[])", "", part)
        zeros = list(_ZERO.finditer(bare))
        if _OXIDE.fullmatch(bare):
            meant = bare.replace("0", "O")
        elif len(zeros) == 1:
            zero = zeros[0]
            before, behind = bare[: zero.start()], bare[zero.end() :]
            meant = before + zero[0].replace("0", "O", 1) + behind
            others = (int(n) for n in re.findall(r"\d+", f"{before} {behind}"))
            try:
                is_meant = max(others, default=0) <= _OTHER_COUNTS and is_compound(read(meant))
            except StructureError:
                continue
            if not is_meant:
                continue
        else:
            continue
        parts[k] = part.removesuffix(bare) + meant
    changed = "".join(parts)
    return "" if changed == name else changed


_WORDS = frozenset(
    "OK ON OFF FIN FOO NON NOV CIF BIN SKIP SUB SUP YBCO BSCCO BSO KNN NKN SBN KBN HBN PVC PVF CFC "
    "HCFC HFC PFC CIS COF PVK PVB PFO PPO PPS PSS PPY PSU".split()
)
"""Words and abbreviations that are short enough to be compounds."""
_PLAIN_ACIDS = re.compile(
    r"[HCNOSPFIBK]*H[HCNOSPFIBK]*|[KVWUY]?(?:[CNOS]{3}){1,2}|[CNOSFP]*C[CNOSFP]*"
)
"""Molecules and pseudohalides that are written without a number (HCOOH, KSCN), and what is a SMILES
as well, of which something else is said."""
_SHORTEST_WORD = 4


def _is_spelled(name: str) -> bool:
    """Say whether a text in capitals is more likely a word, or an abbreviation, than a formula."""
    if not re.fullmatch(r"[A-Z]{2,}", name):
        return False
    if name in _WORDS:
        return True
    is_long = len(name) >= _SHORTEST_WORD or (len(name) > 2 and len(set(name)) < len(name))
    return is_long and _PLAIN_ACIDS.fullmatch(name) is None


_TWO_CAPITALS = frozenset("Ni Sn Pb Cu In Si Nb Bi Sc Os Ho Cs Yb".split())
"""Symbols that two capitals mean rather than a compound of the two; HF, CO, NO are molecules."""
_BEHIND_A_METAL = frozenset("Nb Ni Si Cu In Bi Pb".split())
"""The same behind a metal of one letter: KNBO3, V3SI, YNIO3."""


def _in_capitals(text: str, amounts: Amounts) -> str:
    """Return a metal, or Si, that two capitals of a formula may mean; else ``""``.

    ``SIO2`` is sulfur, iodine and oxygen as it is written. What has carbon and hydrogen, or a metal
    besides (``K2CO3``), is meant as it stands.
    """
    elements = frozenset(amounts)
    if re.search(r"[a-z]", text) or {"C", "H"} <= elements:
        return ""
    if re.fullmatch(r"[A-Z]{2}", text):
        symbol = text.capitalize()
        return symbol if symbol in _TWO_CAPITALS else ""
    behind = re.match(r"(?:[KVWYU]\d*)+([A-Z]{2})(?![a-z])", text)
    if behind and behind[1].capitalize() in _BEHIND_A_METAL:
        return behind[1].capitalize()
    found = re.match(r"(?:H\d*)?([A-Z][A-Z])(?=.*[A-Z])", text)
    if found is None:
        return ""
    symbol = found[1].capitalize()
    first, second = found[1][0], found[1][1]
    number = ATOMIC_NUMBERS.get(symbol, _HEAVIEST_COMMON + 1)
    is_meant = number <= _HEAVIEST_COMMON and (symbol == "Si" or number not in NONMETALS)
    others = {ATOMIC_NUMBERS[e] for e in elements - {first, second}}
    if not is_meant or not {first, second} <= elements or not others <= NONMETALS:
        return ""
    own = {ATOMIC_NUMBERS[first], ATOMIC_NUMBERS[second]} - {ATOMIC_NUMBERS["U"]}
    if not own <= NONMETALS and can_be_neutral(amounts):  # YBO3 is a borate
        return ""
    is_twice = text.count(first) > 1 or text.count(second) > 1
    return symbol if elements - {first, second} or is_twice else ""


_ANIONS = frozenset("N P As Sb O S Se Te F Cl Br I".split())
_METALS = frozenset(s for s in SYMBOLS[1:] if ATOMIC_NUMBERS[s] not in NONMETALS) | {"Si", "Ge"}
_EARTH, _PNICTOGENS = frozenset("B Al Ga In".split()), frozenset("N P As Sb Bi".split())
_TWO, _CHALCOGENS = frozenset("Zn Cd Hg Mg Mn Be Pb".split()), frozenset("O S Se Te".split())
_HARD = frozenset("Al Ga In Sc".split())
_FULL = {"Ti": 3, "Nb": 5, "Ta": 5}
"""The least oxidation states of metals in compounds of three metals or more."""


def _without_shares(text: str, amounts: Amounts) -> str:
    """Return elements that share a place if a formula names no amounts of them; else ``""``.

    ``InGaAs``, ``LiNiMnCoO2`` and ``(MgFe)2SiO4`` are what people call alloys and solid solutions
    of any composition. What can be a compound as it is written is one.
    """
    if found := re.search(r"\(((?:[A-Z][a-z]?){2,5})\)", text):
        inside = re.findall(r"[A-Z][a-z]?", found[1])
        outside = set(re.findall(r"[A-Z][a-z]?", text.replace(found[0], "")))
        if _METALS.issuperset(inside) and outside & _ANIONS:
            return _listed(inside)
    if not re.fullmatch(r"(?:[A-Z][a-z]?){3,7}\d{0,2}", text):
        return ""
    symbols = re.findall(r"[A-Z][a-z]?", text)
    if len(set(symbols)) < len(symbols):
        return ""
    for positive, negative in ((_EARTH, _PNICTOGENS), (_TWO, _CHALCOGENS)):
        if (positive | negative).issuperset(symbols) and not re.search(r"\d", text):
            groups = [[s for s in symbols if s in side] for side in (positive, negative)]
            is_even = len(groups[0]) == len(groups[1])
            return "" if is_even and len(symbols) < 4 else _listed(max(groups, key=len))
    metals, anion = symbols[:-1], symbols[-1]
    if anion not in ("N", "O", "S", "Se") or not _METALS.issuperset(metals):
        return ""
    if anion == "N" and not _HARD.intersection(metals):
        return ""
    least = charge_range(amounts, _FULL if len(metals) > 2 else {})[0]
    can_share = len(metals) > 2 or all(
        _can_stand_for(metal, other, anion, amounts) for metal, other in permutations(metals, 2)
    )
    return _listed(metals) if least > 0 and can_share else ""


_LIKE = 1.5
"""Between covalent radii: those of Al and Sc are as near, Be and Tc are not."""


def _can_stand_for(metal: str, other: str, anion: str, amounts: Amounts) -> bool:
    """Say whether a metal alone makes a salt with the anions, and is not much larger than another.

    ``CeO2`` and ``ZrO2`` are salts, so ``CeZrO2`` may be both in one. ``ZnO2`` is none, so
    ``ZnWO2`` is a compound.
    """
    least, most = charge_range({metal: amounts[metal]})
    charge = -charge_range({anion: amounts[anion]})[0]
    size, room = (COVALENT_RADII[ATOMIC_NUMBERS[symbol]] for symbol in (metal, other))
    return bool(least <= charge <= most and size < _LIKE * room)


def _listed(symbols: list[str]) -> str:
    return f"{', '.join(symbols[:-1])} and {symbols[-1]}"
