"""What is nearly a formula and none: charges, phases, states, grades, unknown amounts."""

import html
import re
from fractions import Fraction

from atomlens.errors import StructureError
from atomlens.structures.formulas.alloys import BY_WEIGHT, NOMINAL, not_by_weight, other_order
from atomlens.structures.formulas.grammar import ELEMENTS, LONGEST_FORMULA, part_amounts

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


def not_in_formulas(text: str) -> str:
    """Return why a text that is nearly a formula is none, part of a sentence; ``""`` for others."""
    if len(text) > LONGEST_FORMULA or re.search(r"[A-Z]", text) is None:
        return ""
    if (found := _OF_WEIGHT.search(text)) and not NOMINAL.fullmatch(text.strip()):
        return f"its amounts are of weight; write {BY_WEIGHT}{text[: found.start()].strip()}"
    if found := _STATE.search(text):
        return f"{found[0].strip()!r} is a state of matter, which no formula tells; leave it out"
    if (found := _PHASE.search(text)) and is_formula_but_for(text, found):
        return f"{found[0].strip()!r} names a phase, which no formula tells; leave it out"
    if found := _DOPANT.search(text):
        return f"{found[0]!r} names a dopant without its amount; write the amounts"
    if found := re.search(r"\d,\d+", text):
        return f"{found[0]!r} has a comma; write a decimal point"
    if (found := _SHARED.search(text)) and ELEMENTS.issuperset(re.split(r"[,\s]+", found[1])):
        return f"{found[0]!r} names elements without their amounts; write the amounts"
    if (found := _VARIABLE.search(text)) and is_formula_but_for(text, found):
        return f"the amount {found[0]!r} is not known; write a number in its place"
    if why := not_by_weight(text) or other_order(text):
        return why
    if materials := _materials_in(text):
        return two_in_one(materials)
    if found := _GRADE.fullmatch(text.strip()):
        return f"{found[0]!r} is the grade of an alloy; write its amounts"
    if found := _POLYTYPE.fullmatch(text.strip()):
        return f"{found[1]!r} may be a polytype, which no formula tells, or amounts; leave it out"
    if (found := _LETTER.search(text.strip())) and (found[1] or found[2]) in ELEMENTS:
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


_BETWEEN = re.compile(
    r"\s*[/|](?=\s*[A-Z(\[])\s*|\s*@(?!C\d{2})\s*|\s*[-–—](?=\s*[A-Z(\[])\s*|\s\+\s"
)
"""Between the parts of a composite, a support and an interface: LiFePO4/C, TiO2@Ag, TiO2-SiO2."""


def _materials_in(text: str) -> list[str]:
    """Return the materials between which a sign stands, one of them a compound; else nothing."""
    words = _BETWEEN.split(text.strip())
    if len(words) < 2 or not all(words):
        return []
    compounds = [word for word in words if word not in ELEMENTS]
    if not compounds or any(compound_in(word, text) is None for word in compounds):
        return []
    return words


def two_in_one(materials: list[str]) -> str:
    """Return why several materials in one text are no formula, part of a sentence."""
    return (
        f"{' and '.join(materials)} stand side by side; give them one by one, or write "
        f"{'·'.join(materials)} if they are one compound"
    )


def compound_in(word: str, text: str) -> dict[str, Fraction] | None:
    """Return the amounts of a word that can be a compound of its own; None for others."""
    from atomlens.structures.valences import is_compound, is_molecular

    try:
        amounts = part_amounts(word, text)
    except StructureError:
        return None
    has_decimals = any(amount.denominator > 1 for amount in amounts.values())
    stands = is_molecular(amounts) if {"C", "H"} == amounts.keys() else is_compound(amounts)
    return None if has_decimals or len(amounts) < 2 or not stands else amounts


def is_formula_but_for(text: str, found: re.Match[str]) -> bool:
    """Say whether what stands around a part is made of elements, in brackets that are closed."""
    rest = _VARIABLE.sub("", text[: found.start()] + text[found.end() :])
    words = re.findall(r"[A-Z][a-z]?", rest)
    is_closed = rest.count("(") == rest.count(")")
    return bool(words) and is_closed and all(word in ELEMENTS for word in words)
