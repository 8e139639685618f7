"""Formulas without what only makes them look well: subscripts, markup, spaces."""

import html
import re
import unicodedata
from fractions import Fraction

from atomlens.errors import StructureError
from atomlens.structures.formulas.grammar import LONGEST_FORMULA, part_amounts, refuse
from atomlens.structures.formulas.others import CHARGED, is_charged, not_in_formulas

_FRACTIONS = {"½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅙": "1/6", "⅚": "5/6"}
_BY_ATOMS = re.compile(r"\s*\(?\s*(?:at|atom|atomic|mol|mole)\.?\s*-?%\s*\)?$")
"""Behind amounts that count atoms or formula units, as all of them do: Fe40Ni40B20 (at.%)."""
_FIRST_TETRAGONAL = 75
"""Number of a space group; a formula with so many atoms of one element and no other large number
is rare."""
_LARGE = 10
"""Where another number is as large, so may the last be: C60H_122."""


def without_typography(text: str, *, adducts: bool = True) -> str:
    """Return a formula without what only makes it look well.

    Without ``adducts`` it is a sum of a file, behind which no space group or grade stands.
    """
    if len(text) > LONGEST_FORMULA:
        refuse(text, f"it has {len(text)} letters, more than {LONGEST_FORMULA}")
    if adducts and (why := not_in_formulas(text)):
        refuse(text, why)
    text = _BY_ATOMS.sub("", text)
    if re.fullmatch(r"[A-Za-z\d.()]+", text, re.ASCII):
        return text
    plain = html.unescape(text)
    if re.search(r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻]|<sup>|\^", plain):
        refuse(text, CHARGED if is_charged(text) else "it has superscripts, which are isotopes")
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
        refuse(text, f"{behind[0]!r} says more than an amount, perhaps the number of a space group")
    plain = re.sub(r"_\{?([\d./]+)\}?", r"\1", plain.replace("\\,", "")).replace("$", "")
    plain = re.sub(r"\s+(?:x\s+(?=\d)|×\s+(?=[\d(\s]*[A-Z]))", "·", plain)
    plain = re.sub(f"(\\d*)([{''.join(_FRACTIONS)}])", _as_fraction, plain)
    plain = unicodedata.normalize("NFKC", plain)
    if other := re.search(r"[^\D0-9]", plain):  # the Arabic zero is a dot
        refuse(text, f"{other[0]!r} is a digit of another script or a dot; write 0 to 9 or ·")
    for between in re.findall(r"\d(\W+)(?=\d)", plain):
        if not between.isspace() and not any(c.isprintable() and c != " " for c in between):
            refuse(text, "a sign that is not seen stands between two numbers; write · or nothing")
    if adducts and (compounds := _side_by_side(plain, text)):
        refuse(
            text,
            f"{' and '.join(compounds)} stand side by side; give them one by one, or write "
            f"{'·'.join(compounds)} if they are one compound",
        )
    plain = "".join(c for c in plain if c.isprintable())
    plain = re.sub(r"(?<=[A-Za-z\d])@(?=C\d{2,3}(?!\d))", "·", plain)
    if is_charged(plain):
        refuse(text, CHARGED)
    beside = re.search(r"[\d.]+\s+[\d.]+", plain)
    if beside:
        refuse(text, f"{beside[0]!r} is two amounts side by side; write ·5 where a part begins")
    if re.search(r"[A-Za-z]\s+\d+(\.\d+)?[A-Z(\[]", plain):  # Li2O 2SiO2
        refuse(text, "a number behind a space may belong to what stands before it or behind it")
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
            amounts = part_amounts(word, text)
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
