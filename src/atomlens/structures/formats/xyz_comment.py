"""The comment line of XYZ: cell, flags and units as several programs write them.

Extended XYZ (Lattice, Properties, pbc) is read in any case of letters; cells of i-PI, OpenMX,
CRYST1 and under other keys are understood, and so are units other than Å. What speaks of a cell
and is not understood is told.
"""

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.errors import StructureError
from atomlens.printing import short
from atomlens.structures.doubts import Doubt
from atomlens.structures.records import odd_number
from atomlens.units import BOHR_IN_ANGSTROM, is_unit

_NUMBER = r"[-+]?(?:\d++\.?\d*+|\.\d++)(?:[eEdD][-+]?\d++)?"
_KEY = (
    r"(?<![\w.])(?P<key>lattice(?:[_ ]?vectors?)?|(?:unit|super|simulation|sim)?[_ ]?cell"
    r"(?:[_ ]?(?:vectors?|matrix|parameters|lengths))?|box(?:[_ ]?(?:vectors?|size))?|cryst1|"
    r"supercell)(?P<kind>[({\[][a-zA-Z]+[)}\]])?"
)
_CELL = re.compile(
    rf"{_KEY}\s*[=:]?\s*(?P<open>[\"'{{\[(]*)\s*(?P<numbers>{_NUMBER}(?:[\s,;\]\[]+{_NUMBER})*)"
    r"\s*[\"'}\])]*",
    re.IGNORECASE,
)
_PARAMETERS = re.compile(
    rf"(?:\b(?:a|b|c|alpha|beta|gamma)\s*=\s*{_NUMBER}[\s,;]*){{6}}", re.IGNORECASE
)
_UNIT_WORDS = {
    "angstrom": 1.0,
    "angstroms": 1.0,
    "ang": 1.0,
    "å": 1.0,
    "a": 1.0,
    "bohr": BOHR_IN_ANGSTROM,
    "bohrs": BOHR_IN_ANGSTROM,
    "au": BOHR_IN_ANGSTROM,
    "a.u.": BOHR_IN_ANGSTROM,
    "a.u": BOHR_IN_ANGSTROM,
    "atomic_unit": BOHR_IN_ANGSTROM,
    "atomic_units": BOHR_IN_ANGSTROM,
    "atomic": BOHR_IN_ANGSTROM,
    "nm": 10.0,
    "nanometer": 10.0,
    "nanometers": 10.0,
    "nanometre": 10.0,
    "pm": 0.01,
    "picometer": 0.01,
    "picometers": 0.01,
    "m": 1e10,
    "meter": 1e10,
}
_OTHER_UNITS = frozenset(
    ("ev", "mev", "hartree", "ha", "ry", "rydberg", "kcal", "kj", "metal", "real", "k", "gpa", "fs")
)
"""Units of energies and the like, and LAMMPS's names of systems whose length is Å."""
_SCALED = frozenset(("fractional", "scaled", "reduced", "crystal", "direct", "frac"))
_UNIT = re.compile(
    r"(?<![\w/*])(?P<what>(?:length|position|coordinate|coord|distance|cell|lattice|xyz)?s?"
    r"[_ ]?(?:units?)|positions?|coordinates?|coords?|cell|xyz)"
    r"\s*(?:=|:|\bin\b|\bare\b|[{(\[])+\s*[\"'{(\[]*(?:units? of\s+)?"
    r"(?P<unit>atomic[_ ]units?|[a-zå][a-zå._]*)(?![\w*/^-])",
    re.IGNORECASE,
)
_LONG_UNIT = r"(?:bohrs?(?:[ ](?:units?|radii))?|a\.\s?u\.|atomic[ _]units?)(?![\w*/^-])"
_GEOMETRY = r"(?:(?:the[ ])?(?:cartesian[ ])?(?:coordinates|coords|positions|geometry|units?|xyz))"
_PLAIN_UNIT = re.compile(
    rf"(?:^|[,;|])\s*(?:{_GEOMETRY}\s+)?(?:in\s+)?(?P<alone>{_LONG_UNIT})(?:\s+{_GEOMETRY})?\s*(?=$|[,;|])"
    rf"|[({{\[]\s*(?:in\s+|units?\s*[:=]?\s*)?(?P<inside>{_LONG_UNIT})\s*[)}}\]](?!\s*[=:]|\s*-?\d)"
    rf"|(?<!\w)in\s+(?P<behind>{_LONG_UNIT})(?=\s*(?:$|[,;|.)\]]|(?:from|for|by|with|at|as)\s+[a-z\d]))",
    re.IGNORECASE,
)
"""Bohr as the unit of all there is: alone between commas, in brackets, or behind ``in``."""
_LONG_WORD = re.compile(
    r"(?<![\w/*^.-])(?:(?-i:bohrs?)(?![\w*/^-])|(?<=\d )bohrs?(?![\w*/^-])"
    r"|a\.\s?u\.|atomic[ _]units?)",
    re.IGNORECASE,
)
"""A mention: a capital letter without a number before it is the name of a person."""
_NEGATED = re.compile(
    r"\b(?:no|not|non|never|without|instead of|rather than|than|from)\W+(?:\w+\W+)?$", re.IGNORECASE
)
_OTHER_QUANTITY = re.compile(
    r"(?:energ\w*|forc\w*|gradients?|dipol\w*|charges?|stress\w*|time|mass\w*|velocit\w*|"
    r"frequenc\w*|distances?|separation|radius|radii|length|moments?)\W*$",
    re.IGNORECASE,
)
_ELEMENTS = ("Au", "Pm")
"""Symbols that are units in other letters."""
_ENERGY_WORD = re.compile(r"energ|force|dipole|charge|grad|(?<!\w)E\s*[=:]|gnorm", re.IGNORECASE)
_SCALED_WORD = re.compile(
    r"(?<!\w)(?:fractional|scaled|reduced|crystal|direct)[_ ](?:coordinates|coords|positions)"
    r"|(?<!\w)(?:coordinates|coords|positions)\s*(?:=|:|in|are)?\s*(?:fractional|scaled|reduced)",
    re.IGNORECASE,
)
_CELL_WORD = re.compile(
    r"(?<![\w-])(?:lattice|(?:unit|super)?[_ ]?cell|box|pbc|cryst1?|periodic|vec1)(?![a-z])",
    re.IGNORECASE,
)
_FLAGS = {
    **dict.fromkeys(("t", "true", "1", "yes", "y", "p", "on", ".true."), True),
    **dict.fromkeys(("f", "false", "0", "no", "n", "s", "m", "off", ".false."), False),
}


class Comment(NamedTuple):
    """What a comment line says of the geometry."""

    plain: str
    """The line for ase: keys of extended XYZ in their usual case, without what is read here"""
    cell: NDArray[np.float64] | None
    """(3, 3) rows are lattice vectors, Å"""
    pbc: tuple[bool, bool, bool] | None
    unit: float
    """Å in one unit of the coordinates"""
    scaled: bool
    """Whether the coordinates are fractions of the cell"""
    doubts: tuple[str, ...]
    texts: dict[str, str]
    """Values that ase would take for numbers, and that are none or may be another, and units of
    others by key: ``energy_unit`` of ``energy=-1.5 Ha``"""


_FORTRAN_VALUE = re.compile(r"(=\s*[-+]?(?:\d+\.\d*|\.\d+))[dD]([-+]?\d+)(?=[\s,;]|$)")
"""A value with an exponent of Fortran, ``energy=-0.42D+02``, which ase drops or keeps as text."""


def read_comment(text: str) -> Comment:
    """Take a comment line apart; raises StructureError for a cell or flag that makes no sense."""
    doubts: list[str] = []
    _refuse_twice(text)
    units = _units(text)
    unit = units.get("positions", 1.0)
    scaled = units.get("scaled", 0.0) > 0 or _SCALED_WORD.search(text) is not None
    if "positions" not in units and not scaled:
        unit = _plainly_said(text)
        if unit == 1.0 and _mentions_bohr(text):
            doubts.append(
                Doubt(
                    f"its title speaks of bohr or atomic units ({short(text.strip())}), but not as "
                    "the unit of the coordinates, which were taken as Å; write units=bohr if they "
                    "are not",
                    "distances",
                )
            )
    if unit != 1.0 and not scaled:
        doubts.append(
            f"its title ({short(text.strip())}) says that 1 is {unit:.4g} Å; the coordinates were "
            "converted"
        )
    plain = re.sub(r"(?<![\w.])properties\s*=\s*", "Properties=", text, flags=re.IGNORECASE)
    plain = _FORTRAN_VALUE.sub(r"\1e\2", plain)
    plain, units_of_values = _without_units(plain)
    plain, pbc = _without_flags(plain)
    plain, cell = _without_cell(plain, units.get("cell", unit if unit != 1.0 else 1.0))
    if cell is None and _CELL_WORD.search(text) and not (pbc is not None and not any(pbc)):
        doubts.append(
            f"its title speaks of a cell that was not understood ({short(text.strip())}); it was "
            "read as a molecule"
        )
    lengths = {
        m[1].lower() for m in re.finditer(rf"\b([abc])\s*=\s*{_NUMBER}", text, re.IGNORECASE)
    }
    if cell is None and not doubts and pbc is None and lengths == {"a", "b", "c"}:
        doubts.append(
            f"its title gives a, b and c, which may be those of a cell ({short(text.strip())}); it "
            "was read as a molecule"
        )
    if cell is None and not doubts and _holds_numbers_of_a_cell(text):
        doubts.append("its title is a row of numbers that may be a cell; it was read as a molecule")
    doubts += _told_apart_by_case(plain)
    return Comment(
        plain, cell, pbc, unit, scaled, tuple(doubts), units_of_values | _kept_as_text(plain)
    )


_UNIT_BEHIND = re.compile(
    rf"(?<![^\s,;])(?P<key>[A-Za-z_]\w*)\s*=\s*(?P<value>{_NUMBER})"
    r"\s+(?P<open>[\[(])?(?P<unit>[^\s=\"'\[\](),;\d][^\s=\"'\[\](),;]+)(?(open)[\])])(?!\s*=)(?=[\s,;]|$)"
)
"""A number with a word behind it, which ase takes for a flag: ``energy=-1.5 Ha``."""
_UNIT_OF_KEY = re.compile(
    r"(?<![^\s,;])(?P<key>[A-Za-z_]\w*)(?:\[(?P<square>[^\s\]=]+)\]|\((?P<round>[^\s)=]+)\))(?=\s*=)"
)
"""A key with a unit, as a header of a table has it: ``energy[Ha]=-1.5``."""


def _without_units(text: str) -> tuple[str, dict[str, str]]:
    """Return a title without the units of its values, and those by key: ``energy_unit``."""
    units: dict[str, str] = {}

    def behind(found: re.Match[str]) -> str:
        if not is_unit(found["unit"]):
            return found[0]
        units[f"{found['key']}_unit"] = found["unit"]
        return f"{found['key']}={found['value']}"

    def of_key(found: re.Match[str]) -> str:
        unit = found["square"] or found["round"]
        if not is_unit(unit):
            return found[0]
        units[f"{found['key']}_unit"] = unit
        return found["key"]

    text = _UNIT_BEHIND.sub(behind, text)
    return _UNIT_OF_KEY.sub(of_key, text), units


_VALUE = re.compile(
    r"(?<![^\s,;])([A-Za-z_][^\s=,;\"'{}\[\]]*)\s*=\s*"
    r"(\"[^\"]*\"|'[^']*'|\{[^}]*\}|\[[^\]]*\]|[^\s\"'{}\[\]]+)"
)
"""A key of extended XYZ and its value, with what stands around it."""
_WITH_COMMAS = re.compile(r"[-+]?\d[\d.]*,\d[\d,.]*(?:[eE][-+]?\d+)?")


def _kept_as_text(text: str) -> dict[str, str]:
    """Return the values of a title that ase makes other numbers of than anybody means.

    ``id=12_3`` is a name (ase, as Python: 123). ``gap=7,4`` may be a decimal comma, which the
    column of all structures tells as it does in a table (ase: 7 and 4); with three numbers and more
    it is a list, unless the commas part thousands.
    """
    said: dict[str, str] = {}
    kept: dict[str, str] = {}
    for key, value in _VALUE.findall(text):
        bare = value.strip("\"'{}[] ")
        if said.setdefault(key, bare) != bare:
            raise StructureError(
                f"its title gives {key} twice, with two values ({short(said[key])} and "
                f"{short(bare)}); remove the wrong one"
            )
        is_list = value.count(",") > 1 and not re.fullmatch(r"[-+]?\d{1,3}(,\d{3})+\.?\d*", value)
        if odd_number(bare.replace(",", " ")) or (_WITH_COMMAS.fullmatch(value) and not is_list):
            kept[key] = bare
    return kept


def _told_apart_by_case(text: str) -> list[str]:
    """Return a sentence where keys that differ in capitals alone (``Energy``) have two numbers."""
    said: dict[str, tuple[str, float]] = {}
    for key, value in _VALUE.findall(text):
        if len(key) < 3 or not re.fullmatch(_NUMBER, value):
            continue  # U and u are two
        number = float(value.lower().replace("d", "e"))
        other, before = said.setdefault(key.lower(), (key, number))
        if other != key and before != number:
            return [
                f"its title gives {other} = {before:g} and {key} = {number:g}, two targets whose "
                "names differ in capitals alone; remove or rename one if they are meant as one"
            ]
    return []


_RUN = re.compile(rf"(?<![\w.=\"'{{(\[-]){_NUMBER}(?:[\s,]+{_NUMBER}){{2,}}(?![\w.])")
_LEAST_LENGTH = 1.5
"""Å; no cell is shorter."""


def _holds_numbers_of_a_cell(text: str) -> bool:
    """Say whether a title has numbers in a row such as those of a cell.

    Nine, lengths and angles, or the three edges of a box if there is nothing else.
    """
    for run in _RUN.finditer(text):
        numbers = [float(w.lower().replace("d", "e")) for w in re.findall(_NUMBER, run[0])]
        if len(numbers) == 9 and "=" not in text:
            return True
        is_whole = run[0] == text.strip()
        if len(numbers) == 6 and (is_whole or _are_lengths_and_angles(numbers)):
            return True
        is_box = len(numbers) == 3 and min(numbers) > _LEAST_LENGTH and run[0].count(".") == 3
        if is_whole and is_box:
            return True
    return False


def _are_lengths_and_angles(numbers: list[float]) -> bool:
    return min(numbers[:3]) > _LEAST_LENGTH and all(30 <= angle <= 150 for angle in numbers[3:])


_CHARGE = re.compile(r"(?<![\w.])(?:total|net)?[ _]?charge\s*[:= ]\s*([-+]?\d{1,2})(?![\w.])", re.I)
_MULTIPLICITY = re.compile(
    r"(?<![\w.])(?:spin)?[ _]?mult(?:iplicity)?\s*[:= ]\s*(\d{1,2})(?![\w.])", re.I
)


def charge_and_multiplicity(text: str, n_protons: int) -> tuple[int, int]:
    """Return charge and multiplicity of a title such as ``-1 2`` or ``charge: -1``; 0 and 1 else.

    Two bare numbers count if so many electrons can have that multiplicity.

    Args:
        text: The title.
        n_protons: The atomic numbers of all atoms, added up.
    """
    bare = re.fullmatch(r"\s*([-+]?\d{1,2})[\s,]+([1-9])\s*", text)
    if bare and (n_protons - int(bare[1]) - int(bare[2]) + 1) % 2 == 0:
        return int(bare[1]), int(bare[2])
    charge, multiplicity = _CHARGE.search(text), _MULTIPLICITY.search(text)
    return int(charge[1]) if charge else 0, int(multiplicity[1]) if multiplicity else 1


def _refuse_twice(text: str) -> None:
    """Raise a StructureError for a key of the geometry that is given again with another value."""
    said: dict[str, str] = {}
    cells = [
        (m["key"].lower(), " ".join(re.split(r"[\s,;\]\[]+", m["numbers"])))
        for m in _CELL.finditer(text)
        if _means_cell(m)
    ]
    others = [
        (m[1].lower(), m[2].strip("\"'").lower())
        for m in re.finditer(r"(?<![\w.])(pbc|properties)\s*=\s*(\"[^\"]*\"|\S+)", text, re.I)
    ]
    for key, value in (*cells, *others):
        if said.setdefault(key, value) != value:
            raise StructureError(
                f"its title gives {key} twice, with two values ({short(said[key])} and "
                f"{short(value)}); remove the wrong one"
            )
    whole = [(key, v) for key, v in cells if len(v.split()) == 9]
    for key, value in whole[1:]:
        one, two = (
            [float(x.lower().replace("d", "e")) for x in v.split()] for v in (whole[0][1], value)
        )
        if not np.allclose(one, two, rtol=1e-3, atol=1e-3):
            raise StructureError(
                f"its title gives two cells, {whole[0][0]} ({short(whole[0][1])}) and {key} "
                f"({short(value)}), which differ; remove the wrong one"
            )


def _plainly_said(text: str) -> float:
    """Return the Å in the unit that a title states without saying of what, as ``(bohr)``; 1 else.

    ``Niels Bohr``, ``no bohr here``, ``dipole (a.u.)`` and ``hartree/bohr`` state nothing.
    """
    for match in _PLAIN_UNIT.finditer(text):
        before = text[: match.start()]
        is_atomic = match[match.lastgroup or 0].lower().startswith("a")
        if _NEGATED.search(before) or _OTHER_QUANTITY.search(before):
            continue
        if is_atomic and _ENERGY_WORD.search(text):
            continue
        return BOHR_IN_ANGSTROM
    return 1.0


def _mentions_bohr(text: str) -> bool:
    return not _ENERGY_WORD.search(text) and any(
        not _NEGATED.search(text[: match.start()]) for match in _LONG_WORD.finditer(text)
    )


def _units(text: str) -> dict[str, float]:
    """Return what the line says of units: ``positions``, ``cell`` (Å), ``scaled``."""
    found: dict[str, float] = {}
    is_ipi = re.search(r"#?\s*CELL\s*[({\[](abcABC|H|GENH)[)}\]]", text) is not None
    for match in _UNIT.finditer(text):
        asked_for_units = match["what"].lower().endswith(("unit", "units"))
        if match["unit"] in _ELEMENTS and not asked_for_units:
            continue  # "coordinates: Au surface"
        before = text[: match.start()]
        if match["what"].lower() in ("unit", "units") and _OTHER_QUANTITY.search(before):
            continue
        if _NEGATED.search(before):
            continue
        word = match["unit"].lower().replace(" ", "_").rstrip(".,;")
        word = word if word in _UNIT_WORDS else f"{word}."
        what = "cell" if match["what"].lower().startswith(("cell", "lattice")) else "positions"
        if word.rstrip(".") in _SCALED:
            found["scaled"] = 1.0
        elif word in _UNIT_WORDS:
            if found.setdefault(what, _UNIT_WORDS[word]) != _UNIT_WORDS[word]:
                raise StructureError(
                    f"its title ({short(text.strip())}) gives two units of the {what}; remove the "
                    "wrong one"
                )
        elif re.search(r"units$|length.?unit$", match["what"], re.IGNORECASE) and (
            "=" in match[0] and word.rstrip(".") not in _OTHER_UNITS
        ):
            raise StructureError(
                f"its title gives the unit {short(match['unit'])}, which is not known; write the "
                "coordinates in Å"
            )
    if is_ipi and "positions" not in found:
        raise StructureError(
            "the title is i-PI's, but does not give the unit of the positions; write "
            "positions{angstrom} or positions{atomic_unit}"
        )
    if is_ipi:
        found.setdefault("cell", BOHR_IN_ANGSTROM)
    return found


def _without_flags(text: str) -> tuple[str, tuple[bool, bool, bool] | None]:
    match = re.search(
        r"(?<![\w.])pbc\s*=\s*(\"[^\"]*\"|'[^']*'|\[[^\]]*\]|\{[^}]*\}|\S+)", text, re.IGNORECASE
    )
    if match is None:
        return text, None
    inside = match[1].strip("\"'[]{} ").lower()
    words = [w for w in re.split(r"[\s,;]+", inside) if w]
    if len(words) == 1 and words[0] not in _FLAGS:
        if re.fullmatch(r"[tfpsmn01]{3}", words[0]):
            words = list(words[0])
        elif re.fullmatch(r"[xyz]{1,3}", words[0]):
            words = ["t" if axis in words[0] else "f" for axis in "xyz"]
        elif words[0] in ("none", "nonperiodic", "molecule"):
            words = ["f"]
        elif words[0] == "all":
            words = ["t"]
    words = words * 3 if len(words) == 1 else words
    if len(words) != 3 or any(w not in _FLAGS for w in words):
        raise StructureError(f'pbc is {short(match[1])}; write for example pbc="T T F"')
    flags = (_FLAGS[words[0]], _FLAGS[words[1]], _FLAGS[words[2]])
    return text[: match.start()] + text[match.end() :], flags


def _without_cell(text: str, unit: float) -> tuple[str, NDArray[np.float64] | None]:
    from ase.geometry import cellpar_to_cell

    match = next((m for m in _CELL.finditer(text) if _means_cell(m)), None)
    if match is None:
        six = _PARAMETERS.search(text) if re.search(r"\balpha\s*=", text, re.IGNORECASE) else None
        if six is None:
            return text, None
        pairs = re.findall(rf"\b(a|b|c|alpha|beta|gamma)\s*=\s*({_NUMBER})", six[0], re.IGNORECASE)
        given = {key.lower(): float(value) for key, value in pairs}
        numbers = [given.get(key, np.nan) for key in ("a", "b", "c", "alpha", "beta", "gamma")]
        start, end = six.span()
        kind = ""
    else:
        words = re.split(r"[\s,;\]\[]+", match["numbers"])
        numbers = [float(w.lower().replace("d", "e")) for w in words]
        start, end = match.span()
        kind = (match["kind"] or "").strip("(){}[]")
    rest = text[:start] + " " + text[end:]
    if len(numbers) == 9:
        cell = np.array(numbers).reshape(3, 3) * unit
        return rest, cell.T if kind in ("H", "GENH") else cell
    if len(numbers) == 6:
        with np.errstate(all="ignore"):
            try:
                cell = np.asarray(cellpar_to_cell(numbers), dtype=float)
            except AssertionError:
                cell = np.full((3, 3), np.nan)
        if not np.isfinite(cell).all():
            shown = ", ".join(f"{n:g}" for n in numbers)
            raise StructureError(f"lengths and angles {shown} do not form a cell; correct them")
        return rest, cell * unit
    if len(numbers) == 3:
        return rest, np.diag(numbers) * unit
    raise StructureError(
        f"its title gives a cell of {len(numbers)} numbers ({short(text[start:end].strip())}); "
        "give the three lattice vectors, nine numbers"
    )


def _means_cell(match: re.Match[str]) -> bool:
    """Say whether a key with numbers behind it is a cell, and not, say, the number of one."""
    numbers = re.split(r"[\s,;\]\[]+", match["numbers"])
    n = len(numbers)
    if "super" in match["key"].lower() and all(x.lstrip("+-").isdecimal() for x in numbers):
        return False  # how often the cell is repeated
    return n in (3, 6, 9) or match["key"].lower() == "lattice"


_ENERGY = r"(-?\d+\.\d+(?:[eE][-+]?\d+)?)"
_ENERGIES = {
    "xtb": re.compile(rf"\s*energy:\s*{_ENERGY}\s+(?:gnorm|xtb):.*"),
    "ORCA": re.compile(rf"\s*Coordinates from ORCA-job\s.*?\sE\s+{_ENERGY}\s*"),
    "": re.compile(r"\s*(-\d+\.\d{4,})(?:\s+!\S+)?\s*"),
}
"""Titles with a total energy in hartree, by program; a number alone, as CREST writes it, is one
only if all structures have it."""


def energy_of_title(text: str) -> tuple[str, float] | None:
    """Return the program that wrote a title, and the energy (hartree) that it says; else None.

    The program is empty for a title that is nothing but a negative number with four decimals or
    more, perhaps with ``!CONF1`` behind, as CREST writes it.
    """
    for program, form in _ENERGIES.items():
        found = form.fullmatch(text)
        if found is not None:
            return program, float(found[1])
    return None
