"""Conversion factors, and units in print."""

import re

HARTREE_IN_EV = 27.211386
"""CODATA 2014, as used by the published QM9 work."""
HARTREE_IN_KCAL, HARTREE_IN_KJ = 627.5095, 2625.5
EV_IN_KCAL, EV_IN_KJ = 23.0605, 96.4853
"""Per mole; CODATA 2018, as the next."""
EV_IN_WAVENUMBERS = 8065.54
"""1/cm"""
ENERGIES = (
    ("eV", "Ha", HARTREE_IN_EV),
    ("kcal/mol", "Ha", HARTREE_IN_KCAL),
    ("kJ/mol", "Ha", HARTREE_IN_KJ),
    ("kcal/mol", "eV", EV_IN_KCAL),
    ("kJ/mol", "eV", EV_IN_KJ),
    ("1/cm", "eV", EV_IN_WAVENUMBERS),
    ("kJ/mol", "kcal/mol", 4.184),
    ("eV", "Ry", HARTREE_IN_EV / 2),
)
"""How many of the first unit are one of the second."""
BOHR_IN_ANGSTROM = 0.529177210544
"""CODATA 2022."""
EV_NANOMETRE = 1239.841984
"""Photon energy (eV) times vacuum wavelength (nm): h c / e."""

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_LOWERED = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def unit_text(unit: str) -> str:
    """Return a unit as pages and pictures show it: ``bohr³`` for ``bohr^3``, ``cm⁻¹`` for ``1/cm``.

    For readers alone: tables and JSON keep the unit as it was given. What is shown already stays.
    """
    text = re.sub(
        r"(?<=[^\W\d_])(?:\^|\*\*)(\()?(-?\d+)(?(1)\))(?![\d./])",
        lambda found: found[2].translate(_RAISED),
        unit,
    )
    text = re.sub(r"^1/([^\W\d_]+)$", r"\1⁻¹", text)
    text = re.sub(r"\blog(10|2)(?=\()", lambda found: f"log{found[1].translate(_LOWERED)}", text)
    return re.sub(r"(?<=/\()([^\W\d_]+) ([^\W\d_]+)(?=\))", r"\1·\2", text)


_SPELLED = {
    **dict.fromkeys(("ev", "EV", "Ev"), "eV"),
    **dict.fromkeys(("ang", "angstrom", "angstroms", "angström", "å"), "Å"),
    **dict.fromkeys(("debye", "debyes"), "D"),
    **dict.fromkeys(("hartree", "hartrees", "eh", "e_h"), "Ha"),
    **dict.fromkeys(("gpa",), "GPa"),
    **dict.fromkeys(("kj",), "kJ"),
    **dict.fromkeys(("kcal",), "kcal"),
    **dict.fromkeys(("kelvin",), "K"),
    **dict.fromkeys(("celsius", "degc", "ºc", "°c", "℃"), "°C"),
    **dict.fromkeys(("atoms", "at", "at."), "atom"),
    **dict.fromkeys(("percent",), "%"),
    **dict.fromkeys(("f.u.", "fu"), "fu"),
    **dict.fromkeys(("hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("minute", "minutes", "mins"), "min"),
    **dict.fromkeys(("sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("day", "days"), "d"),
}
"""Spellings of a unit in small letters, and those with capitals that leave no doubt."""

_IN_WORDS = (
    (r"[\u00b5\u03bc]", "µ"),
    (r"\bu(?=(?:mol|[MmgslLAVWJFNCT])(?![A-Za-z]))", "µ"),
    (r"(?i:\bper\s+cent\b)", "percent"),
    (r"(?i:\bformula(?:[ _-]?units?)?\b|\bf\.\s?u\.)", "fu"),
    (r"(?i:\bdeg(?:rees?|\.)?|[°º])\s*(?:C|[cC]elsius)\b", "°C"),
    (r"\bdm\^?3(?!\d)|\bdm\^?\(3\)", "L"),
    (r"\bdm\^?\(?-3\)?(?!\d)", "L^-1"),
)
"""Spellings of more than one word, and of prefixes, before a unit is split."""
_MOLAR_UNIT = re.compile(r"([munpf\u00b5]?)M")
"""Moles in a litre: M, mM, nM; not MPa."""


def same_unit(one: str, other: str) -> bool:
    """Say whether two texts are the same unit: ``ev`` and ``eV``, ``kJ mol^-1`` and ``kJ/mol``.

    So are ``µM`` with either micro sign and ``uM``, ``mol/L`` and ``M``, ``per cent`` and ``%``.
    ``meV`` and ``MeV``, ``nm`` and ``nM`` are two.
    """
    return one == other or _plain_unit(one) == _plain_unit(other)


def _plain_unit(unit: str) -> tuple[tuple[str, int], ...]:
    """Return a unit as its factors with their powers, in order."""
    text = unit.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−", "-0123456789-"))
    text = re.sub(r"\*\*", "^", text)
    for spelled, plain in _IN_WORDS:
        text = re.sub(spelled, plain, text)
    text = re.sub(r"\s*\bper\b\s*", "/", text)
    powers: dict[str, int] = {}
    below = False
    for part in re.split(r"([/*·⋅×()\s]+)", text.strip()):
        if not part or re.fullmatch(r"[/*·⋅×()\s]+", part):
            below = "/" in part or (below and "(" in part) or (below and ")" not in part)
            continue
        found = re.fullmatch(r"(.*?[^\d^-])\^?(-?\d+)", part)
        name, power = (found[1], int(found[2])) if found else (part, 1)
        name = _SPELLED.get(name, _SPELLED.get(name.lower(), name) if name != "A" else "Å")
        power = -power if below else power
        if molar := _MOLAR_UNIT.fullmatch(name):
            powers["L"] = powers.get("L", 0) - power
            name = f"{molar[1]}mol"
        elif name in ("l", "litre", "liter"):
            name = "L"
        if name != "1":
            powers[name] = powers.get(name, 0) + power
    return tuple(sorted((name, power) for name, power in powers.items() if power))


_A_SHARE = r"(atoms?|at\.?(?=$|\))|f\.?\s?u\.?|formula(?:[ _]units?)?)"
_SHARES = re.compile(
    rf"(?:/|\bper\b)\s*(?:\([^)]*?\b)?{_A_SHARE}(?![a-z])"
    rf"|\b{_A_SHARE}\s*(?:\^|\*\*)?\s*\(?[-\u2212\u207b]\s*[1\u00b9]",
    re.IGNORECASE,
)


def share_of(unit: str) -> str:
    """Return of what a unit is a share: ``atom`` for ``eV/atom``, ``formula unit``, or nothing."""
    found = _SHARES.search(unit)
    if found is None:
        return ""
    word = found[1] or found[2]
    return "atom" if word.lower().startswith("at") else "formula unit"


_PREFIXES = "[fpnuµμmcdkKMGT]"
_OF_PREFIXES = "m|g|s|A|K|mol|M|N|Hz|Pa|J|W|V|C|F|S|T|L|l|eV|ev|cal|Cal|bar|Ry|Ha|Da|Ω|ohm|D|kat"
_ALONE = (
    r"€|\$|£|¥|min|h|hr|hrs|hours?|d|days?|a|yr|years?|s|sec|seconds?|u|amu|Dalton|daltons?"
    "|Å|Å|A|ang|angstr[oö]ms?|[hH]artrees?|E_?h|[bB]ohrs?|a_?0|[dD]ebyes?|e|electrons?|au|kJ|Kcal"
    "|KJ|Kj|GPA|EV|[µμ]_?B|mu_?B|k_?B|°|°C|°F|ºC|℃|℉|deg|degC|degF|degrees?|[cC]elsius|[kK]elvin|rad|sr"
    "|atm|torr|[tT]orr|mmHg|psi|emu|k?Oe|G|Gauss|gauss|erg|dyn|P|cP|St|cSt|ppm|ppb|ppt|dex|IU|U|eq"
    "|equiv|[bB]arrer|cc|kgf|[kM]?Wh|mAh|Ah|px|pixels?|counts?|cps|wt|vol|mass|weight|mole|volts?|joules?"
    "|states?|atoms?|at|fu|formula|units?|cell|site|ion|molecule|monolayer|ML|per|STP|log|ln|v|w"
)
_WHOLE = frozenset(
    ("%", "‰", "-", "v/v", "w/w", "kBar",
     "–", "a.u.", "a. u.", "arb. u.", "arb. units", "arb.u.", "arbitrary units",
     "dimensionless", "unitless", "no unit", "none", "wt%", "at%", "vol%", "mol%", "wt.%", "at.%",
     "vol.%", "mol.%", "wt. %", "at. %", "wt %", "at %", "mol %", "vol %", "% w/w", "% v/v", "%ee",
     "% ee", "%v/v", "%w/w", "percent", "per cent", "fraction")
)  # fmt: skip
_POWER = r"(?:(?:\^|\*\*)?[-+−⁻]?\d(?:\.\d+)?|[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+|(?:\^|\*\*)\d/\d)?"
_FACTOR = re.compile(rf"(?:{_PREFIXES}?(?:{_OF_PREFIXES})|{_ALONE}){_POWER}")
_NUMBERS = re.compile(rf"(?:1e[-+]?\d+|10{_POWER}|1|10\d*)")
_NEVER = frozenset(
    "a u v w d at cc fu per log ln formula cell site ion molecule monolayer mass weight vol "
    "wt".split()
)
"""What is part of a unit and is none alone."""
_LOGARITHM = re.compile(r"(?:log_?(?:10|2)?|lg|ln|log₁₀)\s*(?P<inside>\(.+\)|\[.+\]|\s\S+)")


def is_unit(text: str) -> bool:
    """Say whether a text is a unit, or composed of units: ``Å^2``, ``cal/(mol K)``, ``%``.

    Words about how a value was found (``exp``, ``shake-flask``, ``298 K``) are none.
    """
    text = re.sub(r"\s+vs\.?\s+\S.*", "", text.strip())  # V vs RHE
    if text in _WHOLE or text.lower() in _WHOLE:
        return True
    logarithm = _LOGARITHM.fullmatch(text)
    if logarithm is not None:
        inside = logarithm["inside"].strip()
        return is_unit(inside[1:-1] if inside[0] in "([" else inside)
    if re.fullmatch(r"[A-Z]\d|GW|TS", text):  # S1, T1, D3, and methods
        return False
    if text.count("(") != text.count(")") or text.count("[") != text.count("]"):
        return False
    text = re.sub(r"\bf\.\s?u\.", "fu", text)
    text = re.sub(r"(?<=\b10)\^\((-?\d+)\)", r"^\1", text)
    factors = [f for f in re.split(r"[\s*·⋅×/()\[\]{}]+|(?<=[a-zA-Z\d])\.(?=\D)", text) if f]
    factors = [f for f in re.split(r"\s+", " ".join(factors)) if f]
    if "**" in text or "^(" in text:
        factors = [f for f in re.split(r"[\s/·]+", re.sub(r"\^\((-?\d+)\)", r"^\1", text)) if f]
    factors = [f.lower() if re.fullmatch(r"[A-Z][a-z]{2,}", f) else f for f in factors]
    known = [_FACTOR.fullmatch(f) is not None for f in factors]
    numbers = [_NUMBERS.fullmatch(f) is not None for f in factors]
    percent = [f in ("%", "wt%", "mol%") for f in factors]
    if not any(k and f not in _NEVER for k, f in zip(known, factors, strict=True)):
        return False
    return all(map(any, zip(known, numbers, percent, strict=True)))
