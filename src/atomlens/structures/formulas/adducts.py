"""The parts of a formula: hydrates and other adducts, dots that part and dots of decimals."""

import re
from collections.abc import Mapping
from fractions import Fraction
from itertools import pairwise

from atomlens.elements import SYMBOLS
from atomlens.elements.masses import ATOMIC_MASSES
from atomlens.errors import StructureError
from atomlens.structures.formulas.grammar import part_amounts, refuse, sum_of
from atomlens.structures.formulas.typography import without_typography

_DOTS = "•⋅∙‧・･ꞏ●◦*×"
_MOLECULE = r"(?:H2O|D2O|NH3|CO2|HCl|CH3OH|C2H5OH)"
_SOLVATE = rf"(?:\d+(?:\.\d+|/\d+)?)?(?:{_MOLECULE}(?![a-z\d])|\({_MOLECULE}\))"
_MOST_DOTS = 8
"""Formulas with more dots that may be either are decimals: nobody writes such adducts."""
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


def parts_of(text: str, *, adducts: bool = True) -> list[str]:
    """Return the parts that separators stand between."""
    compact = without_typography(text, adducts=adducts)
    if not compact:
        raise StructureError("the formula is empty; write one like Fe2O3")
    if adducts:
        if zero := re.search(r"(?<![\d.])0\d+", compact):
            refuse(text, f"the amount {zero[0]!r} begins with a zero, which may be the letter O")
        if water := _ZERO_WATER.search(re.sub(f"[{_DOTS}]", "·", compact)):
            meant = water[0].replace("20", "2O")
            refuse(text, f"its part {water[0]!r} has the digit zero; write {meant} for water")
        acronym = _ACRONYM.search(re.sub(r"[\d.·]+", "·", compact)) or _GROUPS.search(compact)
        if acronym and compact not in ("DTO",):
            refuse(text, f"{acronym[0]!r} looks like an abbreviation, not like elements")
    if isotope_of_hydrogen := re.search(r"\[[DT]\]", compact):
        refuse(text, f"{isotope_of_hydrogen[0]!r} is written so in a SMILES")
    odd = _NO_IODINE.search(compact)
    if odd:
        refuse(text, f"{odd[0]!r} may be an oxidation number or iodine")
    isotope = _isotope_in(compact)
    if isotope:
        refuse(text, f"{isotope!r} may be an isotope or an amount")
    if "()" in compact or "[]" in compact:
        refuse(text, "a bracket is empty")
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
            refuse(text, "its '/' may part two compounds or be a fraction; write · between parts")


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
            total = sum_of(pieces, text)
        except StructureError:
            continue
        if not cuts:
            whole_possible = True
        if all(_stands(piece, a, not cuts) for piece, a in zip(pieces, amounts, strict=True)):
            standing.setdefault(tuple(sorted(total.items())), pieces)
    if len(standing) > 1 or not (standing or whole_possible):
        shown = part[dots[0] : dots[0] + 2]
        refuse(text, f"{shown!r} may be an amount or begin a new part; write 0.5 or ·5")
    return next(iter(standing.values()), [part])


def _unit_amounts(piece: str, text: str) -> dict[str, Fraction]:
    """Return the amounts of a part without the number in front of it."""
    return part_amounts(re.sub(r"^\d+(\.\d+|/\d+)?(?=\D)", "", piece), text)


def _stands(piece: str, amounts: Mapping[str, Fraction], is_whole: bool) -> bool:
    """Say whether a part can be a compound; nobody writes ``SiO1`` for one of an adduct.

    Decimals belong to formulas of one part, or in front of a part.
    """
    from atomlens.structures.valences import is_compound, is_mixed

    if all(amount.denominator == 1 for amount in amounts.values()):
        return is_compound(amounts) and not re.search(r"(?<![\d.])1$", piece)
    return is_whole and is_mixed(amounts)
