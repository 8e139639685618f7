"""What the header of a column says: what the column is, its name and its unit."""

import re
from collections.abc import Iterable

from atomlens.printing import clean_name, cut
from atomlens.units import is_unit, same_unit

TEXTS = ("file", "smiles", "formula", "composition")
"""Each cell is a text that stands for a structure; the first of them that is there counts."""
HOLDERS = ("structure", "molecule", "atoms", "cif", "poscar")
"""Each cell holds a structure, if it looks like one."""
SITES = ("species", "coords", "frac_coords", "lattice")
"""The cells of a row are a structure together."""
NAMES = ("name", "id", "identifier", "material_id", "mp_id", "jid", "mbid")
"""Each cell is what its row is called; the first of them that is there counts."""
FOLDS = ("fold", "test_fold")
"""Each cell says in which round of a cross-validation its row is tested."""
IGNORED = ("", "index", "unnamed: 0", "source")
"""Numbers of rows, and where they are from: no targets unless asked for by name."""

_SAME_SMILES = frozenset(
    f"{first}{second}"
    for kind in (
        "canonical",
        "canon",
        "isomeric",
        "iso",
        "rdkit",
        "standardized",
        "standard",
        "std",
    )
    for first, second in ((kind, "smiles"), ("smiles", kind))
) | {
    *("smiles", "smi", "smile", "smilesstring", "smilesstr", "smilescode", "molsmiles"),
    *("moleculesmiles", "compoundsmiles", "ligandsmiles", "drugsmiles"),
}
"""Headers of columns with the SMILES of a row's molecule, their letters alone."""
_SAME_FORMULA = frozenset(
    ("formulapretty", "prettyformula", "chemicalformula", "reducedformula", "formulareduced")
)
"""Headers of columns with formulas, as the Materials Project, OPTIMADE and others write them."""
_SAME_NAME = (
    *("compoundname", "moleculename", "compoundid", "moleculeid", "molid", "sampleid"),
    *("moleculechemblid", "chemblid", "compoundchemblid", "cas", "casnumber", "casno", "casrn"),
    *("compoundcid", "pubchemcid", "cid"),
)
"""Headers of columns with what a row's molecule is called, letters alone, the best first."""

UNIT = (
    r"m?eV(/(\w+|\(\w+\)))?|m?Ry|[km]?Ha(/\w+)?|[hH]artree(/\w+)?|E_?h|k?(J|cal)/mol(/\w+)?|[GMk]Pa"
    r"|Å|bohr(\^\d)?|Å\^\d|cm\^?-1|1/cm|nm|[dD]ebye"
)
"""A pattern of the usual units, which are told from a part of a name without a space in front."""
LETTER_UNIT = "[KVDAJ]"
"""Units of one letter, which stand behind a name with blanks or a comma only: ``T / K``."""
_UNITS_BEHIND = {
    "ev": "eV",
    "mev": "meV",
    "ev_atom": "eV/atom",
    "ev_per_atom": "eV/atom",
    "mev_atom": "meV/atom",
    "mev_per_atom": "meV/atom",
    "hartree": "hartree",
    "kj_mol": "kJ/mol",
    "kj_per_mol": "kJ/mol",
    "kcal_mol": "kcal/mol",
    "kcal_per_mol": "kcal/mol",
    "gpa": "GPa",
    "nm": "nm",
    "angstrom": "Å",
    "debye": "debye",
}
"""Units as names of columns have them (``gap_eV``, ``e_kj_mol``), in small letters.

Capital letters stand for them too, unless `_BY_CASE` says otherwise.
"""
_BY_CASE = {
    "mev": r"m[eE][vV]|(?P<own>MeV)",
    "mev_atom": r"m[eE][vV]_[aA]tom",
    "mev_per_atom": r"m[eE][vV]_[pP]er_[aA]tom",
    "nm": r"nm|(?P<own>nM)",
}
"""How a unit is spelled, and another (``own``) of the same letters; else it may be either."""
_EITHER = {
    "mev": ("meV", "MeV"),
    "mev_atom": ("meV/atom", "MeV/atom"),
    "mev_per_atom": ("meV/atom", "MeV/atom"),
    "nm": ("nm", "nM"),
    "ha": ("Ha", "ha"),
}
"""Two units that the end of a header may be, by its small letters."""
_MOLAR = re.compile(r"(.*[^a-z])?(p?[ieglatd][cd]?_?\d\d|k_?[dim]|conc\w*|affinity|potency)", re.I)
"""Names of columns in which ``nm`` is likely nM: ``ic50_nm``, ``ki_nm`` of a lowered header."""
_TIME = (
    r"(?i:time|half|life|duration|retention|age(?![a-z])|incubat|delay|period|interval)"
    r"|(?i:relax|decay|gelation|dwell|delta_?t(?![a-z]))"
    r"|[tτ](?![a-z])|t_\w+$|tau|R[Tt](?![a-z])|T_?[12]\*?(?![a-zA-Z\d])"
)
_WORDS_THAT_ARE_UNITS = {
    "min": _TIME,
    "s": _TIME,
    "h": _TIME,
    "g": r"(?i:mass|weight|wt|dose|amount|quantity|loading|yield|m(?![a-z]))",
    "l": r"(?i:vol)|V(?![a-z])",
    "L": r"(?i:vol)|[VL](?![a-z])",
    "m": (
        r"(?i:length|distance|size|thick|width|height|depth|diam|radius|path|position|displace"
        r"|wave|spacing|period|perimeter|lattice)|[abcdhlrxyzL](?![a-zA-Z])|lambda|λ"
    ),
    "S": r"(?i:\w*conduct|admit|susceptance)|[gGBY](?![a-z])|g_?m|sigma|σ",
    "C": (
        r"(?i:temp|\w*point|[mb]\.?p(?![a-z])|\w*therm|melting|boiling|freezing|softening"
        r"|annealing|sintering|glass|phase.transition|(?:transition|decomposition)$|curie|n[eé]el)"
        r"|[TtQq](?![a-z])|T_\w+$|T(?:[a-z]|dec|deg|onset|max|min|melt|boil|sub)(?![a-zA-Z])"
    ),
    "N": r"(?i:force|load|weight|thrust|tension)|F(?![a-z])",
    "F": r"(?i:\w*capacit|temp|\w*point|[mb]\.?p(?![a-z]))|[TC](?![a-z])",
    "P": r"(?i:viscos)|eta|η",
    "U": r"(?i:activity|enzyme|dose|unit)",
    "W": r"(?i:power|\w*dissipation|heat)|P(?![a-z])",
    "e": r"(?i:\w*charge|electron|n_?e(?![a-z]))|[qQZ](?![a-z])",
    "T": (
        r"(?i:field|\w*magnet|flux|remanence|coerciv|saturation|induction)"
        r"|[BH](?![a-z])|[HB]_?(?:c|r|s|ext|max|irr|app)(?![a-z])|M[sr](?![a-z])|mu(?![a-z])"
    ),
}
"""Units that also say which of several values a column has (S and R, min and max, gas and solid,
an element), and what a column of the unit is called."""


def known_headers(headers: Iterable[str]) -> dict[str, str]:
    """Return headers by their words in small letters, the first of several.

    ``Isomeric SMILES``, ``SMILES string`` and their kin are also ``smiles`` where nothing else of
    `TEXTS` is there, then ``formula_pretty`` and its kin ``formula``; ``Compound ID`` is a ``name``
    where nothing else of `NAMES` is.
    """
    known: dict[str, str] = {}
    letters: dict[str, str] = {}
    for header in headers:
        known.setdefault(header.strip().lower(), header)
        letters.setdefault(re.sub("[^a-z]", "", header.lower()), header)
    if not any(t in known for t in TEXTS):
        same = [header for header in letters.values() if is_of_smiles(header)]
        same.sort(key=lambda header: "iso" not in header.lower())  # its hand is written there
        known |= {"smiles": same[0]} if same else {}
    if not any(t in known for t in TEXTS):
        formulas = [header for name, header in letters.items() if name in _SAME_FORMULA]
        known |= {"formula": formulas[0]} if formulas else {}
    if not any(n in known for n in NAMES):
        called = [letters[n] for n in _SAME_NAME if n in letters]
        known |= {"name": called[0]} if called else {}
    return known


def is_of_smiles(header: str) -> bool:
    """Say whether a column is headed as one of SMILES: canonical_smiles, SMILES_std."""
    return re.sub("[^a-z]", "", header.lower()) in _SAME_SMILES


def parse_header(header: str) -> tuple[str, str]:
    """Return name and unit of headers like ``homo [eV]`` or ``homo (eV)``; else unit ''.

    What is no unit is part of the name: ``logP (shake-flask)``, ``LogP [exp]``, ``ee (S)``,
    ``activity (min)``, ``dHf (g)``. Without a space
    in front, parentheses must hold a usual unit: ``log10(K_VRH)`` is a name, but ``homo(eV)`` has
    a unit. Of several brackets the last one that holds a unit says it: ``gap (DFT) (eV)`` and
    ``gap (eV) (DFT)`` are ``gap (DFT)`` in eV. A unit must also be what stands behind a slash
    (``U0 / Ha``), a comma (``gap, eV``) or an underscore (``gap_eV``, ``IC50_nM``), in letters that
    leave no doubt which one it is.
    """
    name, unit = in_brackets(header)
    if not unit:
        return _behind(name)
    first, before = in_brackets(name)
    if before and not (is_unit(before) and not _is_descriptor(before, first)):
        before = ""
    if before and unit.startswith(("per ", "/")):  # E (eV) (per atom)
        return first, f"{before} {unit}"
    if is_unit(unit) and not _is_descriptor(unit, name):
        return name, unit
    header = clean_name(header)
    return (f"{first} {header[len(name) :].strip()}", before) if before else (header, "")


def second_unit(header: str) -> str:
    """Return the unit in brackets before another one, as in ``gap [eV] [meV]``; else ''."""
    name, unit = in_brackets(header)
    first, before = in_brackets(name)
    both = ((before, first), (unit, name))
    if not all(is_unit(text) and not _is_descriptor(text, of) for text, of in both):
        return ""
    return "" if same_unit(before, unit) else before


def bare_name(header: str) -> str:
    """Return the name of a column without what stands in brackets behind it, unit or not."""
    name, inside = in_brackets(header)
    if not inside:
        return parse_header(header)[0]
    while inside:
        name, inside = in_brackets(name)
    return name


def loosely(name: str) -> str:
    """Return a name in small letters, with one sign for blanks, hyphens and underscores."""
    return re.sub(r"[\s_-]+", "_", name.strip().lower())


def _behind(header: str) -> tuple[str, str]:
    """Return name and unit of headers without brackets: ``U0 / Ha``, ``gap, eV``, ``gap_eV``."""
    known = rf"(?P<unit>{UNIT})"
    found = re.fullmatch(rf"(?P<name>.*[^\s/,])\s*[/,]\s*{known}", header) or re.fullmatch(
        rf"(?P<name>.*[^\s/,])(\s+/\s+|\s*,\s+)(?P<unit>{LETTER_UNIT})", header
    )
    if found is not None and not re.fullmatch(UNIT, header):  # eV/Å is one unit
        return found["name"], found["unit"]
    for place in (at.start() for at in re.finditer("_", header)):
        unit = _spelled(header[place + 1 :], header[:place])
        if unit and header[:place]:
            return header[:place], unit
    return header, ""


def _spelled(text: str, name: str) -> str:
    """Return the unit that stands behind a name and an underscore; empty if it is not certain."""
    lowered = text.lower()
    unit = _UNITS_BEHIND.get(lowered, "")
    if not unit:
        return text if re.fullmatch(UNIT, text) else ""
    if text == "nm" and _MOLAR.fullmatch(name):
        return ""
    if lowered not in _BY_CASE:
        return unit
    found = re.fullmatch(_BY_CASE[lowered], text)
    return "" if found is None else found.groupdict().get("own") or unit


def _is_descriptor(text: str, name: str) -> bool:
    """Say whether what could be a unit says which of several values a column has."""
    of = _WORDS_THAT_ARE_UNITS.get(text)
    return of is not None and re.search(rf"(?<![a-zA-Z])(?:{of})", name) is None


def open_unit(header: str) -> str:
    """Return what a header without a unit may end in, as part of a sentence; else ''."""
    header = header.strip()
    for ending, (first, second) in _EITHER.items():
        name = header[: -len(ending) - 1]
        if name and header.lower() == f"{name}_{ending}".lower() and not header.endswith("_HA"):
            called = cut(name, 60)
            return (
                f"may end in the unit {first} or {second}, so none is taken; write it as in "
                f"{called} [{first}]"
            )
    return ""


def in_brackets(header: str) -> tuple[str, str]:
    """Return a header without the brackets at its end, and what stands in them; else ''."""
    header = clean_name(header)
    name, unit = header, ""
    if header.endswith("]"):
        place = _opening(header, "[]")
        name, unit = header[:place].rstrip(), header[place + 1 : -1]
    elif header.endswith(")"):
        place = _opening(header, "()")
        name, unit = header[:place].rstrip(), header[place + 1 : -1]
        if len(name) == place and not re.fullmatch(UNIT, unit):
            name = ""
    if unit and re.search(r"\s[/,]$|[^\s],$", name):  # E / (eV/atom)
        name = name[:-1].rstrip()
    return (name, unit.strip()) if name else (header, "")


def _opening(text: str, pair: str) -> int:
    """Return where the bracket opens that the last letter of a text closes; 0 if nowhere."""
    depth = 0
    for place in range(len(text) - 1, -1, -1):
        depth += (text[place] == pair[1]) - (text[place] == pair[0])
        if depth == 0:
            return place
    return 0
