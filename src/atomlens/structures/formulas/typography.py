"""Formulas without what only makes them look well: subscripts, markup, spaces."""

import html
import re
import unicodedata
from fractions import Fraction

from atomlens.structures.formulas.grammar import ELEMENTS, LONGEST_FORMULA, NO_METALS, refuse
from atomlens.structures.formulas.others import (
    CHARGED,
    compound_in,
    is_charged,
    not_in_formulas,
    two_in_one,
)

_FRACTIONS = {"½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅙": "1/6", "⅚": "5/6"}
_BY_ATOMS = re.compile(r"\s*\(?\s*(?:at|atom|atomic|mol|mole)\.?\s*-?%\s*\)?$")
"""Behind amounts that count atoms or formula units, as all of them do: Fe40Ni40B20 (at.%)."""
_FIRST_TETRAGONAL = 75
"""Number of a space group; a formula with so many atoms of one element and no other large number
is rare."""
_LARGE = 10
"""Where another number is as large, so may the last be: C60H_122."""


def without_typography(text: str, *, adducts: bool) -> str:
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
    if re.search(r"[\0-\x08\x0e-\x1f\x7f]", text):
        refuse(text, "it has a control sign, which is no letter; remove it")
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
    plain = re.sub(r"\$([^$]*)\$", r"\1", plain.replace("\\,", ""))
    plain = re.sub(r"_\{?([\d./]+)\}?", r"\1", plain)
    plain = re.sub(r"\s+(?:x\s+(?=\d)|×\s+(?=[\d(\s]*[A-Z]))", "·", plain)
    plain = re.sub(f"(\\d*)([{''.join(_FRACTIONS)}])", _as_fraction, plain)
    plain = unicodedata.normalize("NFKC", plain)
    if other := re.search(r"[^\D0-9]", plain):  # the Arabic zero is a dot
        refuse(text, f"{other[0]!r} is a digit of another script or a dot; write 0 to 9 or ·")
    for between in re.findall(r"\d(\W+)(?=\d)", plain):
        if not between.isspace() and not any(c.isprintable() and c != " " for c in between):
            refuse(text, "a sign that is not seen stands between two numbers; write · or nothing")
    if adducts and (compounds := _side_by_side(plain, text)):
        refuse(text, two_in_one(compounds))
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
    Behind a salt, a metal alone is another material (``SnO2 Ag``), as carbon is anywhere beside
    one; in front it may be a part of it (``Li FePO4``).
    """
    words = plain.split()
    if len(words) < 2:
        return []
    salts = 0
    for place, word in enumerate(words):
        if not re.match(r"[A-Z\[(]", word) or re.fullmatch(r"[\[(][^\])]*[\])][\d.]*", word):
            return []
        if word == "C" or (place and word in ELEMENTS - NO_METALS):
            continue
        amounts = compound_in(word, text)
        if amounts is None:
            return []
        salts += bool(NO_METALS & amounts.keys() and amounts.keys() - NO_METALS)
    return words if salts or not ELEMENTS.intersection(words) else []


def _as_fraction(match: re.Match[str]) -> str:
    value = Fraction(int(match[1] or 0)) + Fraction(_FRACTIONS[match[2]])
    return f"{value.numerator}/{value.denominator}"
