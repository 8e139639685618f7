"""Chemical formulas as text: ``Fe2O3``, ``Ca(OH)2``, ``CuSO4·5H2O``, ``Li0.5CoO2``.

A formula becomes ase.Atoms with whole numbers of atoms, all at the origin, without a cell
and with ``info["is_formula"]``; weight percent of an alloy are turned into atoms behind ``wt:``
(``wt:Ti-6Al-4V``). See ``docs/decisions/0002-formulas-are-atoms.md``.
"""

import html
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from math import gcd, lcm
from numbers import Integral, Real
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from atomlens.elements import SYMBOLS
from atomlens.elements.masses import ATOMIC_MASSES
from atomlens.errors import StructureError
from atomlens.printing import short
from atomlens.structures.arrays import formula_of
from atomlens.structures.formula_doubts import doubts_about
from atomlens.structures.records import DEUTERIUM_NOTICE, add_warning

if TYPE_CHECKING:
    from ase import Atoms

MOST_ATOMS = 100_000
"""Whole-number formulas above this are refused: nobody means them, and they fill the memory."""

MOST_ATOMS_OF_FRACTIONS = 10_000
"""Fractions that need more atoms than this are rounded to that many."""

THIRDS_NOTICE = "decimals such as 0.33 and 0.167 are taken as thirds and sixths"
ROUNDED_NOTICE = "the amounts are rounded to shares of 10,000 atoms"

_DECIMAL = re.compile(r"\d*\.\d+")
_OPENING = {"(": ")", "[": "]", "{": "}"}
_DOTS = "•⋅∙‧・･ꞏ●◦*×"
_FRACTIONS = {"½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅙": "1/6", "⅚": "5/6"}
_MOLECULE = r"(?:H2O|D2O|NH3|CO2|HCl|CH3OH|C2H5OH)"
_SOLVATE = rf"(?:\d+(?:\.\d+|/\d+)?)?(?:{_MOLECULE}(?![a-z\d])|\({_MOLECULE}\))"
_MOST_DOTS = 8
"""Formulas with more dots that may be either are decimals: nobody writes such adducts."""

LONGEST_FORMULA = 3000
"""Letters; what takes off subscripts and spaces takes the square of their number."""
_ACRONYM = re.compile(r"(?<![A-Za-z])(?=[A-Z]*[DT])(?![HDTO]+(?![A-Za-z]))[A-Z]{3,}(?![a-z\d])")
_GROUPS = re.compile(
    r"OAc(?![a-z])|AcOH(?![a-z])|(?<=\()OPr(?=\))|(?:TFSI|FSI|BOB|DFOB|BETI|OTf|OTs)(?=\d?$|\))"
    r"|^(?:Ac2O|Ac(?:Cl|Br|I|F|NH2)|(?:Pr|Am)(?:OH|SH|Cl|Br|I|Li|NH2|2NH|2O|3N)"
    r"|Ts(?:OH|Cl|F|N3|NH2))$|^[PF]\d[A-Z]*T\d?$|^D\d\d+$"
)
"""Groups (acetyl, propyl, amyl, tosyl), anions and polymers by their abbreviations: AcCl, LiTFSI,
P3HT."""
_NO_IODINE = re.compile(r"(?<=[A-Za-z])\((I{1,3}|I?V|VI{1,3}|I?X)\)(?!\d)|II+")
"""Oxidation numbers of names (``Fe(III)``)."""
_LIGHTEST = 6
"""From this on a number in front may be that of an isotope: 6Li, 13C."""
_TOKEN = re.compile(r"(?P<number>\d+/\d+|\d+(?:\.\d+)?|\.\d+)|(?P<element>[A-Z][a-z]?)|(?P<sign>.)")


def from_formula(text: str) -> "Atoms":
    """Return a formula as ase.Atoms; its positions mean nothing.

    Fractions become whole numbers: ``Li0.5CoO2`` is LiCo2O4. Decimals cut or rounded from
    thirds and sixths (0.33, 0.667) are taken as such, and so are rounded per cent of a compound
    (``Ti33.3O66.7``). Where exact whole numbers need more than 10,000 atoms (steels), each share
    is rounded to the nearest of 10,000. All this is noted.

    Raises StructureError for a text that is no formula.
    """
    name = text.strip()
    if is_by_weight(name):
        return atoms_of_amounts(_amounts_by_weight(name), name)
    _refuse_nothing(name)
    parts = _parts(name)
    amounts = _sum(parts, name)
    if re.fullmatch(r"T\d*O\d*", name) and amounts["O"] >= 2 * amounts["H"]:
        _refuse(name, "'T' may be tritium or stand for the silicon and aluminium of a zeolite")
    shares = _shares_in(parts, amounts)
    atoms = atoms_of_amounts(shares or amounts, name)
    if re.search(r"[DT](?![a-z])", name):
        add_warning(atoms, DEUTERIUM_NOTICE)
    for said in doubts_about(name, amounts, amounts_in_formula):
        add_warning(atoms, said)
    if any(_has_thirds(part) for part in parts):
        add_warning(atoms, THIRDS_NOTICE)
    if shares:
        add_warning(atoms, _shares_notice(amounts, shares))
    if _is_alloy(_ALLOY.fullmatch(name)):
        add_warning(
            atoms,
            "its numbers are taken as those of atoms; if it is the name of an alloy, write "
            f"{BY_WEIGHT}{name}",
        )
    return atoms


_NOTHING = frozenset(("UNKNOWN", "UNK", "UNKN", "NaN"))
"""What tables write where nothing is known, of letters that are elements."""


def _refuse_nothing(name: str) -> None:
    """Raise a StructureError for a word that says that nothing is known."""
    if name in _NOTHING:
        spelled = "".join(f"{symbol}1" for symbol in re.findall("[A-Z][a-z]?", name))
        _refuse(
            name, f"it is taken for a missing value; write {spelled} if those elements are meant"
        )


def atoms_of_amounts(amounts: Mapping[str, Fraction], name: str) -> "Atoms":
    """Return the amounts of a formula as ase.Atoms, elements in the given order."""
    from ase import Atoms

    counts = whole_counts(amounts, name)
    symbols = [symbol for symbol, count in counts.items() for _ in range(count)]
    info = {"name": name, "is_formula": True}
    atoms = Atoms(symbols, positions=[[0.0, 0.0, 0.0]] * len(symbols), info=info)
    if _is_rounded(counts, amounts):
        add_warning(atoms, ROUNDED_NOTICE)
    return atoms


_NEAR = 1e-9
"""Of an amount: so near to a fraction of a small denominator is what it stands for."""
_SMALL_DENOMINATOR = 1000
_BYTES_OF_DOUBLES = 8
_LONGEST_AMOUNT = 12
"""Digits and a point; a number with more decimals than fit is what was computed, not written."""
_KEY = re.compile(r"([A-Z][a-z]?)(?:\d*(?:\.\d+)?[+-])?(?:,.*)?")
"""An element as others call it in a dictionary: Fe, Fe3+, Fe3+,spin=5."""


def symbol_of_key(key: object) -> str:
    """Return the element that a key of a dictionary of amounts names; empty if it names none."""
    found = _KEY.fullmatch(key) if isinstance(key, str) else None
    symbol = found[1] if found else ""
    return symbol if symbol in _ELEMENTS or symbol in ("D", "T") else ""


def number_in(thing: object) -> Fraction | float | None:
    """Return a single number of Python, numpy or torch; None for all else, such as true and false.

    What has fewer digits than a float of Python (``float32``) is the shortest decimal that it can
    be.
    """
    detach = getattr(thing, "detach", None)
    if detach is not None and getattr(thing, "ndim", 1) == 0:  # a tensor of torch
        whole = not thing.dtype.is_floating_point  # type: ignore[attr-defined]
        is_double = getattr(thing, "element_size", lambda: 0)() == _BYTES_OF_DOUBLES
        item = detach().item()
        thing = item if whole or is_double else np.float32(item)
    elif isinstance(thing, np.ndarray) and not thing.ndim:
        thing = thing[()]
    if isinstance(thing, bool | np.bool_):
        return None
    if isinstance(thing, Decimal):
        return Fraction(thing) if thing.is_finite() else float(thing)
    if isinstance(thing, np.floating):
        return float(str(thing))
    if isinstance(thing, Integral | Fraction):
        return Fraction(int(thing)) if isinstance(thing, Integral) else thing
    return float(thing) if isinstance(thing, Real) else None


def from_amounts(amounts: Iterable[tuple[str, float]], name: str) -> "Atoms":
    """Return amounts of elements, as other packages hold them, as ase.Atoms like `from_formula`.

    Decimals are read as those of a text; what is a fraction to all the digits of a number is that
    fraction.

    Args:
        amounts: Symbols of elements and numbers; a symbol that stands there twice is added up.
        name: What messages call it; its formula where it is empty.

    Raises:
        StructureError: there is none, an amount is not above zero, or a symbol is no element.
    """
    symbols, numbers = [], []
    for symbol, amount in amounts:
        if not (symbol in _ELEMENTS or symbol in ("D", "T")):
            raise StructureError(f"{short(symbol)} is not an element; leave it out or replace it")
        number = number_in(amount)
        if number is None or not 0 < number < math.inf:
            shown = repr(amount) if number is None else f"{float(number):g}"
            raise StructureError(
                f"the amount of {symbol} is {shown}; give one above zero, or leave the element out"
            )
        symbols.append(symbol)
        numbers.append(number)
    if not symbols:
        raise StructureError("there is no element in it; give a formula of one at least")
    decimals = [_decimals_of(number) for number in numbers]
    exact = _meant([_exact(number) for number in numbers], decimals)
    total: dict[str, Fraction] = {}
    for symbol, share in zip(symbols, exact, strict=True):
        own = "H" if symbol in ("D", "T") else symbol
        total[own] = total.get(own, Fraction(0)) + share
    is_third = any(a != _exact(number) for a, number in zip(exact, numbers, strict=True))
    shares = _rounded_shares(total, max(len(d.partition(".")[2]) for d in decimals))
    atoms = atoms_of_amounts(
        shares or total, name or formula_of({s: float(n) for s, n in total.items()})
    )
    if {"D", "T"}.intersection(symbols):
        add_warning(atoms, DEUTERIUM_NOTICE)
    if is_third:
        add_warning(atoms, THIRDS_NOTICE)
    if shares:
        add_warning(atoms, _shares_notice(total, shares))
    return atoms


def _exact(number: Fraction | float) -> Fraction:
    """Return the fraction that a number stands for."""
    exact = Fraction(number)
    near = exact.limit_denominator(_SMALL_DENOMINATOR)
    if near and abs(near - exact) <= _NEAR * exact:
        return near
    return exact if isinstance(number, Fraction) else Fraction(repr(number))


def _decimals_of(number: Fraction | float) -> str:
    """Return a number as a text would have it; empty if it has more digits than anybody writes."""
    written = f"{float(number):.12f}".rstrip("0")
    return written if len(written) < _LONGEST_AMOUNT else ""


def _is_rounded(counts: Mapping[str, int], amounts: Mapping[str, Fraction]) -> bool:
    symbol, whole = next(iter(counts.items()))
    factor = Fraction(whole) / amounts[symbol]
    return any(amounts[symbol] * factor != count for symbol, count in counts.items())


def whole_counts(amounts: Mapping[str, Fraction], name: str) -> dict[str, int]:
    """Return whole numbers of atoms in the proportions of ``amounts``."""
    factor = lcm(*(amount.denominator for amount in amounts.values()))
    counts = {symbol: int(amount * factor) for symbol, amount in amounts.items()}
    total = sum(counts.values())
    if factor > 1 and total > MOST_ATOMS_OF_FRACTIONS:
        scale = Fraction(MOST_ATOMS_OF_FRACTIONS, total)
        counts = {symbol: max(1, round(count * scale)) for symbol, count in counts.items()}
    elif total > MOST_ATOMS:
        raise StructureError(
            f"formula {short(name)} has {total} atoms, more than {MOST_ATOMS}; check its numbers"
        )
    return counts


def amounts_in_formula(text: str, *, adducts: bool = True) -> dict[str, Fraction]:
    """Return the amount of each element, in the order of appearance.

    Args:
        text: The formula. Subscripts of Unicode, LaTeX and HTML are understood.
        adducts: Whether a dot before a number may begin a new part (``Al2O3.2SiO2``); in the
            sum formula of a CIF it never does.

    Raises StructureError for a text that is no formula, or one with two meanings.
    """
    return dict(_amounts(text, adducts))


@lru_cache(maxsize=1024)
def _amounts(text: str, adducts: bool) -> dict[str, Fraction]:
    """Return the amounts; a file names its formula up to three times while it is read."""
    if is_by_weight(text):
        return _amounts_by_weight(text)
    _refuse_nothing(text.strip())
    found = _plain_amounts(text) if not adducts and _PLAIN.fullmatch(text) else None
    if found is not None:
        return found
    parts = _parts(text, adducts=adducts)
    amounts = _sum(parts, text)
    return _shares_in(parts, amounts) or amounts


def total_amount(amounts: Iterable[Fraction]) -> float:
    """Return the sum of amounts, without fractions of whole numbers, which most are."""
    listed = list(amounts)
    if all(amount.denominator == 1 for amount in listed):
        return float(sum(amount.numerator for amount in listed))
    return float(sum(listed))


_PLAIN = re.compile(r"(?:[A-Z][a-z]?\d{0,9} ?){1,30}")
_PLAIN_TERM = re.compile(r"([A-Z][a-z]?)(\d*)")


def _plain_amounts(text: str) -> dict[str, Fraction] | None:
    """Return the amounts of a sum such as ``Al1 Co2 Si2``; None where there is more to it."""
    found: dict[str, int] = {}
    for symbol, digits in _PLAIN_TERM.findall(text):
        amount = int(digits or 1)
        if not amount or symbol not in _ELEMENTS:
            return None
        found[symbol] = found.get(symbol, 0) + amount
    return {symbol: Fraction(amount) for symbol, amount in found.items()}


_ELEMENTS = frozenset(SYMBOLS[1:])


def _sum(parts: Sequence[str], text: str) -> dict[str, Fraction]:
    total: dict[str, Fraction] = {}
    for part in parts:
        for symbol, amount in _part_amounts(part, text).items():
            total[symbol] = total.get(symbol, Fraction(0)) + amount
    return total


def _parts(text: str, *, adducts: bool = True) -> list[str]:
    """Return the parts that separators stand between."""
    compact = _without_typography(text, adducts=adducts)
    if not compact:
        raise StructureError("the formula is empty; write one like Fe2O3")
    if adducts:
        if zero := re.search(r"(?<![\d.])0\d+", compact):
            _refuse(text, f"the amount {zero[0]!r} begins with a zero, which may be the letter O")
        if water := _ZERO_WATER.search(re.sub(f"[{_DOTS}]", "·", compact)):
            meant = water[0].replace("20", "2O")
            _refuse(text, f"its part {water[0]!r} has the digit zero; write {meant} for water")
        acronym = _ACRONYM.search(re.sub(r"[\d.·]+", "·", compact)) or _GROUPS.search(compact)
        if acronym and compact not in ("DTO",):
            _refuse(text, f"{acronym[0]!r} looks like an abbreviation, not like elements")
    if isotope_of_hydrogen := re.search(r"\[[DT]\]", compact):
        _refuse(text, f"{isotope_of_hydrogen[0]!r} is written so in a SMILES")
    odd = _NO_IODINE.search(compact)
    if odd:
        _refuse(text, f"{odd[0]!r} may be an oxidation number or iodine")
    isotope = _isotope_in(compact)
    if isotope:
        _refuse(text, f"{isotope!r} may be an isotope or an amount")
    if "()" in compact or "[]" in compact:
        _refuse(text, "a bracket is empty")
    marked = re.sub(f"[{_DOTS}]", "·", compact)
    if adducts:
        marked = "·".join(map(_with_marked_solvates, marked.split("·")))
    marked = re.sub(r"\.(?=[A-Z(\[{])", "·", marked)
    parts = marked.split("·")
    if adducts:
        for part in parts:
            _refuse_slash(part, text)
    return [p for part in parts for p in _split(part, text)] if adducts else parts


_ZERO_WATER = re.compile(r"(?<=[·.])(?:\d+(?:[./]\d+)?)?\(?[HD]20\)?(?=$|[·.])|\([HD]20\)")
"""Water with the digit zero: CaCl2·2H20, [Fe(H20)6]Cl3."""
_IN_FRONT = re.compile(r"\d+\.(?=\d)")


def _with_marked_solvates(part: str) -> str:
    """Return a part with · for the dots before water and the like: ``CaSO4.2H2O``.

    A number in front of the part keeps its decimal point: ``2.5H2O``.
    """
    front = _IN_FRONT.match(part)
    begin = front.end() if front else 0
    behind = re.sub(rf"(?<![.\d]0)\.({_SOLVATE})", r"·\1", part[begin:])
    return part[:begin] + behind


def _refuse_slash(part: str, text: str) -> None:
    """Raise a StructureError for a fraction between two compounds: ``CuSO4/5H2O``.

    ``La2/3Sr1/3MnO3`` is none on either side of it.
    """
    from atomlens.structures.valences import is_compound

    for found in re.finditer(r"(?<=\d)/(?=\d)", part):
        sides = part[: found.start()], part[found.end() :]
        try:
            amounts = [_unit_amounts(side, text) for side in sides]
        except StructureError:
            continue
        if all(map(is_compound, amounts)):
            _refuse(text, "its '/' may part two compounds or be a fraction; write · between parts")


def _isotope_in(compact: str) -> str:
    """Return what may be an isotope, such as ``13C`` of ``13CO2``; empty if nothing may.

    A number in front of a formula says how often it is there (``2H2O``). About as large as the mass
    number of the element behind it, it says which isotope that is.
    """
    known = re.fullmatch(r"[HDT]2(1[78]O)|([34]He)", compact)
    if known:
        return str(known[1] or known[2])
    match = re.match(r"(\d{1,3})([A-Z][a-z]?)", compact)
    if match is None or int(match[1]) < _LIGHTEST or match[2] not in SYMBOLS[1:]:
        return ""
    mass = float(ATOMIC_MASSES[SYMBOLS.index(match[2])])
    return match[0] if abs(int(match[1]) - mass) <= max(2.1, 0.035 * mass) else ""


CHARGED = "charges of ions are not written in formulas here; leave them out"


_SMALL = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻−", "0123456789+--")
_KINDS = re.compile(
    r"(?P<A>[A-Z][a-z]?|[()\[\]])|(?P<D>\d)(?![\d.])|(?P<N>\d+\.?\d*)|(?P<S>\++|-+)|(?P<G>[\s.·]+)"
    r"|(?P<X>.)"
)
_IN_ORGANIC_SMILES = {"H", "B", "C", "N", "O", "P", "S", "F", "Cl", "Br", "I", *"()[]"}


def is_charged(text: str) -> bool:
    """Say whether a text is a formula with charges of ions.

    ``SO4 2-``, ``SO4²⁻``, ``SO4-2``, ``PO4---``, ``Fe(3+)``, ``[Cu(NH3)4]+2``, ``Na+Cl-``, and
    ``Fe2+Fe3+2O4`` of ions and others.
    """
    if len(text) > LONGEST_FORMULA:
        return False
    plain = re.sub(r"<sup>|</sup>|[\^{}$]", "", html.unescape(text).strip()).translate(_SMALL)
    plain = re.sub(r"\((\d?(?:\++|-+)\d?)\)", r"\1", plain)
    found = [(str(m.lastgroup), m[0]) for m in _KINDS.finditer(plain)]
    kinds = "".join(kind for kind, _ in found)
    if re.fullmatch(r"(?:G?A[ADNG]*SD?)+G?", kinds):
        return True
    has_metal = any(kind == "A" and word not in _IN_ORGANIC_SMILES for kind, word in found)
    numbered = re.search(r"\d\+|\+\d(?!\d)", plain) is not None
    return has_metal and numbered and re.fullmatch(r"A[ADNGS]*", kinds) is not None


_VARIABLE = re.compile(
    r"(?<=[A-Za-z)\]\d.])(\d*[+±∓−–-](?:[xyzδd]|delta)(?![a-z])|[xyzδ](?![a-z]))"
    r"|(?<=·)[xnyz](?=[A-Z\d(])|(?<=[\s·*•])[xn](?=\s*[A-Z(])|(?<=[)\]])_?n$"
)
_STATE = re.compile(r"(?<=[A-Za-z\d)\]])\s*\((?:s|l|g|aq|cr|am|amorphous|liq|gas|solid)\)$")
_PHASE = re.compile(
    r"(?i:^(?:[αβγδεθκ]|alpha|beta|gamma|delta|epsilon|theta)-|-(?:[αβγεθκ]|alpha|beta|gamma)$)"
    r"|(?<=[A-Za-z\d)])\s+\([a-z][a-z -]{2,}\)$|(?<=[A-Za-z\d)])\s+[a-z]{3,}$"
    r"|^[a-z]{4,}[\s-]+(?=[A-Z])"
)
_SHARED = re.compile(r"\(([A-Z][a-z]?(?:,\s?[A-Z][a-z]?)+)\)")
"""Elements that share a place: (Mg,Fe)2SiO4."""
_BY_ATOMS = re.compile(r"\s*\(?\s*(?:at|atom|atomic|mol|mole)\.?\s*-?%\s*\)?$")
"""Behind amounts that count atoms or formula units, as all of them do: Fe40Ni40B20 (at.%)."""
_OF_WEIGHT = re.compile(r"\s*\(?\s*(?:wt|mass|weight)\.?\s*-?%\s*\)?$")
_DOPANT = re.compile(r"(?<=[A-Za-z\d)]):\s?(?:[A-Z][a-z]?(?:\d*[+-])?,?)+$")

_STRUCTURE = re.compile(r"(?<=[A-Za-z\d)\]])[\s_]+([PIFCAR]\d{1,4}|[A-HL][1-3]?\d(?:_\d)?)$")
"""A last word that is a space group without mirrors (P3221) or a structure type (B2, L1_2)."""
_LETTER = re.compile(r"\d\s*\(([A-Z])\)$|^(?:[A-Z][a-z]?[\d.]*){2,}\s+([A-Z])$")
"""A capital at the end that names a phase: TiO2(B), VO2 (B), TiO2 B."""
_SMALL_WORD = re.compile(r"(?<=[A-Za-z\d)\]])\s+([a-wyz])$")
"""A small letter behind a space, which would join the capital before it: BN h."""
_GRADE = re.compile(
    r"SS\s?\d{3}[A-Z]?|Al\s?[1-8]\d{3}(?:-?[A-Z]\d*)?"
    r"|TiAl6(?:V4|Nb7)|AlSi(?:7|9|10|12)(?:Mg(?:0\.\d+)?|Cu\d?)?|CuZn(?:[23]\d|40)(?:Pb\d?)?"
)
"""Alloys by the number or name of their standard: SS316L, Al6061-T6, TiAl6V4, AlSi7Mg0.3, CuZn37
(weight percent)."""
_POLYTYPE = re.compile(
    r"(?:SiC|AlN|GaN|InN|BN|BeO|Zn(?:O|S|Se|Te)|Cd(?:S|Se|Te)|(?:Ga|In)(?:S|Se|P|As|Sb)|CuI|AgI)"
    r"_((?:2|4|6|8|10)H|(?:3|9|12|15|21)R|3C)"
)
"""A polytype behind a compound that has several: SiC_6H; but LaNi_5H and MgNi_3C."""
_FIRST_TETRAGONAL = 75
"""Number of a space group; a formula with so many atoms of one element and no other large number
is rare."""
_LARGE = 10
"""Where another number is as large, so may the last be: C60H_122."""

BY_WEIGHT = "wt:"
"""Stands in front of an alloy whose numbers are weight percent."""
_NUMBER = r"\d+(?:\.\d+)?"
_NOMINAL = re.compile(
    rf"[A-Z][a-z]?(?:\s?[-–]\s?{_NUMBER}\s?[A-Z][a-z]?)+"
    r"(?P<unit>\s*\(?\s*(?:wt|mass|weight)\.?\s*-?%\s*\)?)?"
)
"""An alloy by weight, the first element the rest: Fe-18Cr-8Ni."""
_ALLOY = re.compile(rf"[A-Z][a-z]?(?:{_NUMBER}[A-Z][a-z]?){{2,}}")
"""The same without dashes, which may also be atoms: Ti6Al4V."""
_BASES = frozenset(("Ti", "Zr", "Mg", "Fe", "Co", "Ni", "Cu"))
"""Elements whose alloys are named so."""
_IN_TITANIUM = frozenset("Al V Nb Zr Mo Sn Cr Fe Ta".split())
_ALLOYED = _IN_TITANIUM | frozenset("Ti Mg Co Ni Cu Zn Mn W Si Y Nd Gd Ce La Hf Re Be".split())
_METALS = _ALLOYED | frozenset("Al Zn Pb Sn Ag Au Pt Pd U".split())
"""Elements that may be the rest of an alloy written with dashes."""
_HUNDRED = 0.5
"""How far from 100 weight percent may add up to."""


def is_by_weight(text: str) -> bool:
    """Say whether a text has the prefix ``wt:``."""
    return text.lstrip()[: len(BY_WEIGHT)].lower() == BY_WEIGHT


def _added(text: str) -> list[tuple[str, float]]:
    """Return the elements behind the first of an alloy's name, each with the number before it."""
    return [(e, float(n)) for n, e in re.findall(rf"({_NUMBER})\s?([A-Z][a-z]?)", text)]


def _is_alloy(found: re.Match[str] | None) -> bool:
    """Say whether elements and numbers are such as the name of an alloy has."""
    if found is None:
        return False
    base = re.findall(r"[A-Z][a-z]?", found[0])[0]
    added = _added(found[0])
    symbols = [base, *(symbol for symbol, _ in added)]
    return (
        base in _BASES
        and len(set(symbols)) == len(symbols)
        and _ALLOYED.issuperset(symbols[1:])
        and sum(amount for _, amount in added) < 50
    )


def _not_by_weight(text: str) -> str:
    """Return why a text that is the name of an alloy is no formula; ``""`` for others."""
    stripped = text.strip()
    found = _NOMINAL.fullmatch(stripped)
    if found and _METALS.issuperset(re.findall(r"[A-Z][a-z]?", stripped)[:1]):
        name = stripped.removesuffix(found["unit"] or "")
        try:
            amounts = _amounts_by_weight(BY_WEIGHT + name)
        except StructureError:
            return ""
        whole = float(sum(amounts.values()))
        atoms = "".join(f"{s}{float(a) / whole:.3g}" for s, a in amounts.items())
        return (
            f"it names an alloy in weight percent, the rest {next(iter(amounts))}; write "
            f"{BY_WEIGHT}{name}, or the atoms, {atoms}"
        )
    symbols = re.findall(r"[A-Z][a-z]?", stripped)
    is_titanium = symbols[:1] == ["Ti"] and _IN_TITANIUM.issuperset(symbols[1:])
    if is_titanium and _is_alloy(_ALLOY.fullmatch(stripped)):
        return (
            f"it may name an alloy in weight percent or count atoms; write {BY_WEIGHT}{stripped}, "
            f"or {stripped}1 for the atoms"
        )
    return ""


_BEFORE = re.compile(rf"(?:{_NUMBER}\s?[A-Z][a-z]?\s?){{2,}}")
"""Elements behind their amounts: 50Fe50Ni."""
_MIXED_ALLOY = re.compile(
    rf"\((?P<group>(?:[A-Z][a-z]?(?:{_NUMBER})?){{2,}})\)(?P<much>{_NUMBER})"
    rf"(?P<rest>(?:[A-Z][a-z]?{_NUMBER})*)"
)
"""An alloy whose first elements stand in brackets: (CoCrFeNi)95Al5."""


def _other_order(text: str) -> str:
    """Return why amounts that add up to all of an alloy are not read as they stand."""
    stripped = text.strip()
    if _BEFORE.fullmatch(stripped):
        pairs = _added(stripped)
        if _is_whole(sum(amount for _, amount in pairs)):
            turned = "".join(f"{symbol}{amount:g}" for symbol, amount in pairs)
            return f"its amounts stand in front of the elements; write {turned}"
    found = _MIXED_ALLOY.fullmatch(stripped)
    if found is None:
        return ""
    group = re.findall(rf"([A-Z][a-z]?)({_NUMBER})?", found["group"])
    n_inside = sum(float(n or 1) for _, n in group)
    around = [float(n) for n in re.findall(_NUMBER, found["rest"])]
    metals = all(symbol not in _NO_METALS for symbol, _ in group)
    if not metals or _is_whole(n_inside) or not _is_whole(float(found["much"]) + sum(around)):
        return ""
    share = float(found["much"]) / n_inside
    meant = "".join(f"{symbol}{share * float(n or 1):.4g}" for symbol, n in group)
    return (
        f"{found['much']} may be the amount of all that is in brackets or of each; write "
        f"{meant}{found['rest']} for all"
    )


_NO_METALS = frozenset("H C N O F P S Cl Se Br Te I".split())


def _is_whole(total: float) -> bool:
    """Say whether amounts are those of everything: per cent, or shares."""
    return abs(total - 1) < 0.006 or abs(total - 100) < 0.6


def _amounts_by_weight(text: str) -> dict[str, Fraction]:
    """Return the atoms of an alloy given by weight, in shares of 10,000.

    In a name the first element is the rest (``wt:Ti-6Al-4V``, ``wt:Ti6Al4V``); other amounts
    must add up to 100 (``wt:Fe74Cr18Ni8``).

    Raises:
        StructureError: the text names no alloy, or its amounts do not add up.
    """
    name = text.strip()[len(BY_WEIGHT) :].strip()
    if len(name) > LONGEST_FORMULA:
        _refuse(text, f"it has {len(name)} letters, more than {LONGEST_FORMULA}")
    if is_by_weight(name):
        _refuse(text, f"{BY_WEIGHT} stands twice in front of it")
    if _NOMINAL.fullmatch(name) or _ALLOY.fullmatch(name):
        base = re.findall(r"[A-Z][a-z]?", name)[0]
        added = _added(name)
        rest = 100 - sum(weight for _, weight in added)
        weights = {base: rest, **dict(added)}
        if rest <= 0:
            _refuse(text, f"{100 - rest:g} weight percent leave nothing for {base}")
        if len(weights) <= len(added):
            _refuse(text, "an element stands in it twice")
        for symbol in weights:
            _element(symbol, text)
    else:
        weights = {symbol: float(amount) for symbol, amount in _sum(_parts(name), name).items()}
        if abs(sum(weights.values()) - 100) > _HUNDRED:
            _refuse(text, f"its weight percent add up to {sum(weights.values()):g}, not to 100")
    moles = {s: w / float(ATOMIC_MASSES[SYMBOLS.index(s)]) for s, w in weights.items() if w > 0}
    total = sum(moles.values())
    return {s: Fraction(max(1, round(10_000 * m / total))) for s, m in moles.items()}


def not_in_formulas(text: str) -> str:
    """Return why a text that is nearly a formula is none, part of a sentence; ``""`` for others."""
    if len(text) > LONGEST_FORMULA or re.search(r"[A-Z]", text) is None:
        return ""
    if (found := _OF_WEIGHT.search(text)) and not _NOMINAL.fullmatch(text.strip()):
        return f"its amounts are of weight; write {BY_WEIGHT}{text[: found.start()].strip()}"
    if found := _STATE.search(text):
        return f"{found[0].strip()!r} is a state of matter, which no formula tells; leave it out"
    if found := _PHASE.search(text):
        return f"{found[0].strip()!r} names a phase, which no formula tells; leave it out"
    if found := _DOPANT.search(text):
        return f"{found[0]!r} names a dopant without its amount; write the amounts"
    if found := re.search(r"\d,\d+", text):
        return f"{found[0]!r} has a comma; write a decimal point"
    if (found := _SHARED.search(text)) and _ELEMENTS.issuperset(re.split(r"[,\s]+", found[1])):
        return f"{found[0]!r} names elements without their amounts; write the amounts"
    if (found := _VARIABLE.search(text)) and is_formula_but_for(text, found):
        return f"the amount {found[0]!r} is not known; write a number in its place"
    if why := _not_by_weight(text) or _other_order(text):
        return why
    if found := _GRADE.fullmatch(text.strip()):
        return f"{found[0]!r} is the grade of an alloy; write its amounts"
    if found := _POLYTYPE.fullmatch(text.strip()):
        return f"{found[1]!r} may be a polytype, which no formula tells, or amounts; leave it out"
    if (found := _LETTER.search(text.strip())) and (found[1] or found[2]) in _ELEMENTS:
        return (
            f"{found[0].strip()!r} may be a phase or an element; leave it out or write its amount"
        )
    if (found := _SMALL_WORD.search(text)) and not _VARIABLE.search(text):
        return f"{found[1]!r} stands alone behind a space; leave it out"
    if (found := _STRUCTURE.search(text)) and re.search(
        r"[A-Z][^A-Z\s]*[A-Z]\S*$", found.string[: found.start()]
    ):
        return f"{found[1]!r} may be a space group, a structure type or an amount; leave it out"
    return ""


def is_formula_but_for(text: str, found: re.Match[str]) -> bool:
    """Say whether what stands around a variable amount is made of elements."""
    rest = _VARIABLE.sub("", text[: found.start()] + text[found.end() :])
    words = re.findall(r"[A-Z][a-z]?", rest)
    return bool(words) and all(word in _ELEMENTS for word in words)


def _without_typography(text: str, *, adducts: bool = True) -> str:
    """Return a formula without what only makes it look well.

    Without ``adducts`` it is a sum of a file, behind which no space group or grade stands.
    """
    if len(text) > LONGEST_FORMULA:
        _refuse(text, f"it has {len(text)} letters, more than {LONGEST_FORMULA}")
    if adducts and (why := not_in_formulas(text)):
        _refuse(text, why)
    text = _BY_ATOMS.sub("", text)
    if re.fullmatch(r"[A-Za-z\d.()]+", text, re.ASCII):
        return text
    plain = html.unescape(text)
    if re.search(r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻]|<sup>|\^", plain):
        _refuse(text, CHARGED if is_charged(text) else "it has superscripts, which are isotopes")
    plain = re.sub(r"</?(sub|i|b|em|span)\s*>", "", plain, flags=re.IGNORECASE)
    for _ in range(3):
        plain = re.sub(r"\\(?:mathrm|ce|text|rm|mathbf)\s*\{(.*)\}", r"\1", plain)
    plain = re.sub(r"\\(cdot|bullet|times)\b", "·", plain)
    behind = re.search(r"(?<![_.\d])[\d.]+_\d+|_\{?[\d./]+\}?_\S*", plain)  # TiO2_136
    if behind is None and plain.count("_") == 1 and len(re.findall("[A-Z]", plain)) > 1:
        number = re.search(r"(?<=[A-Za-z])_(\d+)$", plain)  # NaCl_225, but YB_66, (CH2)_100
        if number and _FIRST_TETRAGONAL <= int(number[1]) <= 230:
            others = re.findall(r"\d+", plain[: number.start()])
            is_large = any(int(other) >= _LARGE for other in others)
            behind = None if is_large or re.match(r"C\d*H_", plain) else number
    if behind is not None:
        _refuse(
            text, f"{behind[0]!r} says more than an amount, perhaps the number of a space group"
        )
    plain = re.sub(r"_\{?([\d./]+)\}?", r"\1", plain.replace("\\,", "")).replace("$", "")
    plain = re.sub(r"\s+(?:x\s+(?=\d)|×\s+(?=[\d(\s]*[A-Z]))", "·", plain)
    plain = re.sub(f"(\\d*)([{''.join(_FRACTIONS)}])", _as_fraction, plain)
    plain = unicodedata.normalize("NFKC", plain)
    if other := re.search(r"[^\D0-9]", plain):  # the Arabic zero is a dot
        _refuse(text, f"{other[0]!r} is a digit of another script or a dot; write 0 to 9 or ·")
    for between in re.findall(r"\d(\W+)(?=\d)", plain):
        if not between.isspace() and not any(c.isprintable() and c != " " for c in between):
            _refuse(text, "a sign that is not seen stands between two numbers; write · or nothing")
    if adducts and (compounds := _side_by_side(plain, text)):
        _refuse(
            text,
            f"{' and '.join(compounds)} stand side by side; give them one by one, or write "
            f"{'·'.join(compounds)} if they are one compound",
        )
    plain = "".join(c for c in plain if c.isprintable())
    plain = re.sub(r"(?<=[A-Za-z\d])@(?=C\d{2,3}(?!\d))", "·", plain)
    if is_charged(plain):
        _refuse(text, CHARGED)
    beside = re.search(r"[\d.]+\s+[\d.]+", plain)
    if beside:
        _refuse(text, f"{beside[0]!r} is two amounts side by side; write ·5 where a part begins")
    if re.search(r"[A-Za-z]\s+\d+(\.\d+)?[A-Z(\[]", plain):  # Li2O 2SiO2
        _refuse(text, "a number behind a space may belong to what stands before it or behind it")
    return re.sub(r"\s+", "", plain)


def _side_by_side(plain: str, text: str) -> list[str]:
    """Return the compounds that spaces or line breaks part; none where the words are not all such.

    In ``Fe 2 O 3``, ``Al2 O3``, ``Ca (OH)2`` and ``NH4 NO3`` some word is no compound of its own.
    """
    from atomlens.structures.valences import is_compound, is_molecular

    words = plain.split()
    if len(words) < 2:
        return []
    for word in words:
        if not re.match(r"[A-Z\[(]", word) or re.fullmatch(r"[\[(][^\])]*[\])][\d.]*", word):
            return []
        try:
            amounts = _part_amounts(word, text)
        except StructureError:
            return []
        has_decimals = any(amount.denominator > 1 for amount in amounts.values())
        stands = is_molecular(amounts) if {"C", "H"} == amounts.keys() else is_compound(amounts)
        if has_decimals or len(amounts) < 2 or not stands:
            return []
    return words


def _as_fraction(match: re.Match[str]) -> str:
    value = Fraction(int(match[1] or 0)) + Fraction(_FRACTIONS[match[2]])
    return f"{value.numerator}/{value.denominator}"


def _split(part: str, text: str) -> list[str]:
    """Split one part at the dots between a digit and a number that begin a new part.

    ``Al2O3.2SiO2`` is two compounds, ``Li1.2Ni0.8O2`` one with decimals. A reading stands if
    each part can be a compound; where two stand, or a dot that is no decimal point stands
    for nothing else, the formula is refused.
    """
    unclear = re.search(r"(?<!\d)\.\d", part)
    dots = [m.start() for m in re.finditer(r"(?<!\d)\.\d|\.(?=[\d.]*\d[A-Z(\[{])", part)]
    if not dots or (len(dots) > _MOST_DOTS and not unclear):
        return [part]
    standing: dict[tuple[tuple[str, Fraction], ...], list[str]] = {}
    whole_possible = False
    for chosen in range(2 ** min(len(dots), _MOST_DOTS)):
        cuts = [dot for k, dot in enumerate(dots) if chosen >> k & 1]
        ends = [-1, *cuts, len(part)]
        pieces = [part[a + 1 : b] for a, b in pairwise(ends)]
        if any(re.search(r"(?<!\d)\.\d|\.\d+\.", piece) for piece in pieces):
            continue
        try:
            amounts = [_unit_amounts(piece, text) for piece in pieces]
            total = _sum(pieces, text)
        except StructureError:
            continue
        if not cuts:
            whole_possible = True
        if all(_stands(piece, a, not cuts) for piece, a in zip(pieces, amounts, strict=True)):
            standing.setdefault(tuple(sorted(total.items())), pieces)
    if len(standing) > 1 or not (standing or whole_possible):
        shown = part[dots[0] : dots[0] + 2]
        _refuse(text, f"{shown!r} may be an amount or begin a new part; write 0.5 or ·5")
    return next(iter(standing.values()), [part])


def _unit_amounts(piece: str, text: str) -> dict[str, Fraction]:
    """Return the amounts of a part without the number in front of it."""
    return _part_amounts(re.sub(r"^\d+(\.\d+|/\d+)?(?=\D)", "", piece), text)


def _stands(piece: str, amounts: Mapping[str, Fraction], is_whole: bool) -> bool:
    """Say whether a part can be a compound; nobody writes ``SiO1`` for one of an adduct.

    Decimals belong to formulas of one part, or in front of a part.
    """
    from atomlens.structures.valences import is_compound, is_mixed

    if all(amount.denominator == 1 for amount in amounts.values()):
        return is_compound(amounts) and not re.search(r"(?<![\d.])1$", piece)
    return is_whole and is_mixed(amounts)


def _part_amounts(part: str, text: str) -> dict[str, Fraction]:
    """Return the amounts of one part, such as the ``5H2O`` of ``CuSO4·5H2O``."""
    tokens = list(_TOKEN.finditer(part))
    numbers = [token["number"] for token in tokens if token["number"]]
    meant = iter(_meant([_amount(number, text) for number in numbers], numbers))
    factor = Fraction(1)
    if tokens and tokens[0]["number"]:
        factor = next(meant)
        del tokens[0]
    stack: list[tuple[str, list[tuple[str, Fraction]]]] = [("", [])]
    position = 0
    while position < len(tokens):
        token = tokens[position]
        position += 1
        if token[0] in _OPENING:
            stack.append((_OPENING[token[0]], []))
            continue
        if token["element"]:
            group = [(_element(token["element"], text), Fraction(1))]
        elif len(stack) > 1 and token[0] == stack[-1][0]:
            group = stack.pop()[1]
        else:
            _refuse(text, _unexpected(token[0]))
        if position < len(tokens) and tokens[position]["number"]:
            multiple = next(meant)
            position += 1
            group = [(symbol, amount * multiple) for symbol, amount in group]
            if group and max(amount for _, amount in group) > 10**15:
                _refuse(text, "its numbers multiply to more atoms than there can be")
        stack[-1][1].extend(group)
    if len(stack) > 1:
        _refuse(text, f"a bracket is not closed: {stack[-1][0]!r} is missing")
    if not stack[0][1]:
        _refuse(text, "a part of it has no element")
    amounts: dict[str, Fraction] = {}
    for symbol, amount in stack[0][1]:
        amounts[symbol] = amounts.get(symbol, Fraction(0)) + amount * factor
    return amounts


def _element(symbol: str, text: str) -> str:
    if symbol in ("D", "T"):
        return "H"
    if symbol not in SYMBOLS[1:]:
        _refuse(text, f"{symbol!r} is not an element")
    return symbol


def _amount(number: str, text: str) -> Fraction:
    """Return an amount as it is written."""
    if len(number) > 15:
        _refuse(text, f"the amount {number[:12]}... is too long")
    try:
        value = Fraction(number)
    except ZeroDivisionError:
        value = Fraction(0)
    if value == 0:
        _refuse(text, f"an amount is zero ({number})")
    return value


def _meant(amounts: Sequence[Fraction], written: Sequence[str]) -> list[Fraction]:
    """Return amounts in which decimals that stand for thirds or sixths are exact.

    They are judged together. Neighbours that add up to a whole number stay as they are written
    unless their thirds do so, too: 0.34 and 0.66. All others are thirds, or none of them is.

    Args:
        amounts: As they are written, in their order.
        written: The texts of the same; empty where there is none.
    """
    thirds = [_third_or_sixth(number) if "." in number else None for number in written]
    if not any(thirds):
        return list(amounts)
    meant = list(amounts)
    open_places = [k for k, amount in enumerate(amounts) if amount.denominator > 1]
    others: list[int] = []
    while open_places:
        group = _whole_neighbours(open_places, amounts)
        if group and sum(thirds[k] or amounts[k] for k in group).denominator == 1:
            for k in group:
                meant[k] = thirds[k] or amounts[k]
        if not group:
            others += open_places
            break
        before = open_places.index(group[0])
        others += open_places[:before]
        open_places = open_places[before + len(group) :]
    if all(thirds[k] or amounts[k].denominator <= _COARSEST for k in others):
        for k in others:
            meant[k] = thirds[k] or amounts[k]
    return meant


_COARSEST = 10
"""Amounts such as 0.5, 0.2 and 0.7 may stand beside thirds of two and more decimals."""


def _whole_neighbours(places: Sequence[int], amounts: Sequence[Fraction]) -> list[int]:
    """Return the first run of places, and the shortest, that adds up to a whole number."""
    for end in range(1, len(places) + 1):
        total = Fraction(0)
        for begin in range(end - 1, -1, -1):
            total += amounts[places[begin]]
            if total.denominator == 1:
                return list(places[begin:end])
    return []


def _has_thirds(part: str) -> bool:
    """Say whether decimals of a part are taken as thirds or sixths."""
    numbers = [token["number"] for token in _TOKEN.finditer(part) if token["number"]]
    amounts = [Fraction(number) for number in numbers]
    return _meant(amounts, numbers) != amounts


def _third_or_sixth(number: str) -> Fraction | None:
    """Return the third or sixth that decimals like 0.33 or 0.667 were cut or rounded from."""
    value, decimals = Fraction(number), len(number.partition(".")[2])
    if decimals < 2 or value.denominator <= 6:
        return None
    steps = 10**decimals
    for exact in (Fraction(round(value * 3), 3), Fraction(round(value * 6), 6)):
        if value in (Fraction(int(exact * steps), steps), Fraction(round(exact * steps), steps)):
            return exact
    return None


_SHARES = re.compile(rf"(?:[A-Z][a-z]?{_NUMBER}){{2,}}")
_FINE = 1000
"""Shares with so many steps, per cent with one decimal, tell a compound."""
_FEW_ATOMS, _MANY_ATOMS = 6, 20


def _shares_in(parts: Sequence[str], amounts: Mapping[str, Fraction]) -> dict[str, Fraction] | None:
    """Return the compound of which a formula gives rounded per cent; None if it does not."""
    if len(parts) != 1 or "." not in parts[0] or not _SHARES.fullmatch(parts[0]):
        return None
    return _rounded_shares(
        amounts, max(len(n.partition(".")[2]) for n in _DECIMAL.findall(parts[0]))
    )


def _rounded_shares(amounts: Mapping[str, Fraction], decimals: int) -> dict[str, Fraction] | None:
    """Return the exact shares of the compound that amounts are the rounded shares of, or None.

    ``Ti33.3O66.7`` are those of TiO2. Amounts must add up to 100 or 1 but for what rounding does,
    and have a thousand steps. Up to 6 atoms may be any, and the last digits may be cut; up to 20
    must be those of a salt.

    Args:
        amounts: Of each element.
        decimals: How many the finest amount has.
    """
    from atomlens.structures.valences import can_be_neutral

    step = Fraction(1, 10**decimals)
    total = Fraction(100 if sum(amounts.values()) > 10 else 1)
    if not decimals or total / step < _FINE or len(amounts) < 2:
        return None
    for n_atoms in range(len(amounts), _MANY_ATOMS + 1):
        counts = {symbol: round(amount * n_atoms / total) for symbol, amount in amounts.items()}
        off = max(abs(amounts[s] - total * count / n_atoms) for s, count in counts.items())
        if sum(counts.values()) != n_atoms or min(counts.values()) < 1:
            continue
        if not off:
            return None
        if off < step if n_atoms <= _FEW_ATOMS else off <= step / 2:
            whole = {symbol: Fraction(count) for symbol, count in counts.items()}
            if n_atoms <= _FEW_ATOMS or can_be_neutral(whole):
                return {symbol: total * count / n_atoms for symbol, count in whole.items()}
    return None


def _shares_notice(amounts: Mapping[str, Fraction], shares: Mapping[str, Fraction]) -> str:
    """Return what is said of amounts that are taken as the shares of a compound."""
    smallest = lcm(*(share.denominator for share in shares.values()))
    counts = {symbol: int(share * smallest) for symbol, share in shares.items()}
    common = gcd(*counts.values())
    compound = "".join(
        f"{symbol}{count // common if count > common else ''}" for symbol, count in counts.items()
    )
    return (
        f"its amounts add up to {round(float(sum(amounts.values())), 3):g} and are taken as the "
        f"rounded shares of {compound}"
    )


def _unexpected(sign: str) -> str:
    if sign.islower():
        return f"{sign!r} is neither an element (they begin with a capital) nor a number"
    if sign in "+-":
        return f"{sign!r} (a charge or a bond) does not belong in a formula"
    return f"{sign!r} is out of place"


def _refuse(text: str, why: str) -> NoReturn:
    raise StructureError(
        f"{short(text)} is not a formula: {why}; write one like Fe2O3, Ca(OH)2 or Li0.5CoO2"
    )
