"""The element of each atom of a CIF: from its type, else its label, both held against the formula.

A label is a name, not an element: ``CA1`` may be calcium or an alpha carbon, ``Wat`` is the
oxygen of a water, ``T1`` a tetrahedral site. What the sum formula does not have is not guessed.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple, NoReturn

from atomlens.elements import SYMBOLS
from atomlens.errors import StructureError
from atomlens.printing import short

_WATER = re.compile(r"(wat(er)?|w?h2o|hoh|wtr|aqua?|oh2)\d*[a-z']*", re.IGNORECASE)
_RARE_EARTH = re.compile(r"REE?\d*")
"""Rhenium in capitals, or any of the rare earths."""
_HYDROXYL = re.compile(r"(o[-_]?h|hydroxyl?)\d*[a-z']*", re.IGNORECASE)
_WATER_OXYGEN = re.compile(r"o\d*\(?w(at(er)?)?\)?\(?\d*\)?[a-z']*", re.IGNORECASE)
"""``OW``, ``O1W``, ``Ow(2)``: the oxygen of a water."""
_TYPE = re.compile(r"([A-Za-z]{1,2})(?:\d*(?:\.\d+)?[+-]+\d*|[+-]?\d*(?:\.\d+)?)")
"""An element, with a charge or a number behind it."""

_AMMONIUM = re.compile(r"N(?:H|h(?=\d))([1-4])?\+?")
"""Groups of nitrogen and hydrogen, no nihonium."""
_RARE = 84
"""From polonium on, two capitals are more likely two elements (``PO4``, ``NO3``, ``CN``)."""

_MADE = 98
"""From californium on this holds without a number behind them as well (``CN``, ``CF``)."""

_HEAVIEST = 104
"""Nobody has a crystal of these (``SG``, ``OG``: atoms of proteins)."""
_NONMETALS_OF_MOLECULES = frozenset(("H", "C", "N", "O", "F", "P", "S", "Cl", "Br"))
_CLOSED = frozenset("HCNOFS")
"""Elements whose labels often go on with a small letter that is no part of the symbol (``Ow``)."""


class Element(NamedTuple):
    """What an atom is, and what its name says besides."""

    symbol: str
    """An element, or D or T."""
    hydrogens: int = 0
    """Hydrogens of a water or hydroxyl that its name stands for."""
    guessed: bool = False
    """The label alone says it, and it might say something else."""
    corrected: str = ""
    """The element that its type says, where the sum formula has another one."""


def element_of(row: Callable[[], str], label: str, kind: str, formula: frozenset[str]) -> Element:
    """Return the element of an atom.

    Args:
        row: Returns what messages call it.
        label: Its label; empty if it has none.
        kind: Its type symbol; empty if it has none.
        formula: The elements of the sum formula; empty if the file has none.

    Raises StructureError where nothing says for certain which element it is.
    """
    for name in (kind, "" if kind else label):
        if _RARE_EARTH.fullmatch(name) and "Re" not in formula:
            raise StructureError(
                f"{row()}: {short(name)} may be rhenium or a rare earth; write Re, or the element"
            )
    if kind:
        if species_of(kind):
            raise StructureError(
                f"{row()}: its type {short(kind)} names several species without the share of each; "
                "give each a row of its own with its occupancy"
            )
        found = _by_type(kind, formula)
        if found is not None and _WATER.fullmatch(label) and not _may_be_water(found, formula):
            raise StructureError(
                f"{row()}: its label {short(label)} is that of a water and its type "
                f"{short(kind)}; correct _atom_site_type_symbol (O for the oxygen of a water)"
            )
        if found is not None:
            return found
        if _is_element_like(kind) or not label:
            _refuse_unknown(row, kind)
        return _by_label(row, kind, formula, "_atom_site_type_symbol")
    return _by_label(row, label, formula, "the label")


_JOINED = re.compile(r"[\s+,/&|;:-]+\(?[A-Z\d.□v]|\.\d+[A-Z]")
_OXIDATION = re.compile(
    r"\([IVX]+\)|\s[IVX]{2,}(?![A-Za-z])"
    r"|(?<=[A-Za-z])\s?(?:\d?[+-](?![A-Z\d.])|[+-]\d(?![\d.]))"
)
_PIECE = re.compile(r"\d*\.?\d+|[A-Z][a-z]*|[^\s+,/&|;:()\d-]+")
_VACANCY = ("Va", "Vac", "vac", "Vacancy", "vacancy", "□")


@lru_cache(maxsize=1024)
def species_of(kind: str) -> tuple[tuple[str, float | None], ...]:
    """Return the elements that a type symbol names and the share of each, None where not said.

    Databases of alloys and minerals write the mixture of a shared site there: ``0.75Si + 0.25Al``,
    ``Cu0.5Au0.5``, ``Ca2+/Mg2+``, ``0.9Cu, 0.1Va``. There are none
    where it names one element and no vacancy.
    """
    if not _JOINED.search(kind):
        return ()
    pieces = _PIECE.findall(_OXIDATION.sub(" ", kind))
    names = [piece for piece in pieces if not piece[-1].isdigit()]
    elements = [name for name in names if _is_element(name)]
    if len(names) < 2 or not elements or any(n not in (*elements, *_VACANCY) for n in names):
        return ()
    if len(set(names)) == 1:  # of one element in two states
        return ()
    shares = [float(piece) for piece in pieces if piece[-1].isdigit()]
    if len(shares) != len(names):
        return tuple((symbol, None) for symbol in elements)
    return tuple((n, share) for n, share in zip(names, shares, strict=True) if n in elements)


def element_in(label: str) -> str:
    """Return the element of two letters that a label names for certain, such as ``Na1``, or ``""``.

    One letter may be the name of a site or of a kind (``W1``, ``B2``, ``X``).
    """
    match = re.match(r"([A-Z][a-z])(?![A-Za-z])", label)
    return match[1] if match and _is_element(match[1]) else ""


_NAMED_NONMETAL = re.compile(r"([HCNOFPS])(?=\d|$)")


def contradicted(label: str, symbol: str) -> str:
    """Return the element that a label names where its atom is another one, else ``""``.

    ``Na1`` of a chlorine, ``Cr1`` of a cobalt; ``Ca`` may be the first of the carbons. One letter
    counts where both are nonmetals (``N1`` of a carbon): others name sites as well.
    """
    name = element_in(label)
    if name:
        return name if name[0] != symbol[0] or (len(symbol) == 2 and name != symbol) else ""
    if re.fullmatch(r"Q\d+", label) and symbol in ("C", "H"):
        return "a peak of electron density"  # as SHELX calls those that are no atoms yet
    found = _NAMED_NONMETAL.match(label)
    is_other = found is not None and found[1] != symbol and symbol in _NONMETALS_OF_MOLECULES
    return found[1] if found is not None and is_other else ""


def hydrogens_of_name(label: str, dry: bool) -> int:
    """Return how many hydrogens the name of an oxygen says that it has: of a water or hydroxyl.

    Args:
        label: Its name.
        dry: The sum formula has no hydrogen: then ``OW`` may be any oxygen, but ``Wat`` none.
    """
    label = label.strip()
    if _WATER.fullmatch(label) or (_WATER_OXYGEN.fullmatch(label) and not dry):
        return 2
    return 1 if _HYDROXYL.fullmatch(label) else 0


def _may_be_water(found: Element, formula: frozenset[str]) -> bool:
    return found.symbol in ("O", "H", "D") or found.symbol in formula


def _is_element_like(kind: str) -> bool:
    return _WATER.fullmatch(kind) is None and _HYDROXYL.fullmatch(kind) is None


@lru_cache(maxsize=1024)
def _by_type(kind: str, formula: frozenset[str]) -> Element | None:
    match = _TYPE.fullmatch(kind.strip()) or re.fullmatch(r"([A-Za-z]{1,2})[^A-Za-z].*", kind)
    if match is None or _names_two(kind) or _WATER.fullmatch(kind) or _HYDROXYL.fullmatch(kind):
        return None
    ammonium = _AMMONIUM.fullmatch(kind)
    if ammonium and "Nh" not in formula:
        return Element("N", hydrogens=int(ammonium[1] or 1))
    symbol = match[1].capitalize()
    if symbol == "T" and formula and not formula & {"T", "H"}:
        return None
    if not _is_element(symbol):
        return None
    first = symbol[0]
    is_name = len(symbol) == 2 and kind[:2].isupper()  # CA and CD are names of atoms as well
    if is_name and symbol not in formula and first in formula:
        return Element(first, corrected=symbol)
    least = _RARE if kind[2:] else _MADE
    if is_name and symbol not in formula and _is_rare(symbol, least) and "+" not in kind:
        return None
    return Element(symbol, guessed=is_name and not formula and _is_element(first))


def _is_rare(symbol: str, least: int) -> bool:
    number = SYMBOLS.index(symbol)
    return number >= _HEAVIEST or (number >= least and _is_element(symbol[1].upper()))


def _names_two(text: str) -> bool:
    """Say whether a name joins two elements, as those of shared sites do (``Si/Al``, ``FeNi``)."""
    if re.match(r"[A-Z][a-z]?\d*\.\d+[/,&+;: ]*[A-Z]", text):  # Cu0.5Au0.5
        return True
    match = re.match(r"([A-Z][a-z]?)(.*)", text)
    if match is None:
        return False
    second = re.match(r"\d*[/,&+;]?([A-Z][a-z])(?![a-z])|\d*[/,&;]([A-Z])(?![a-z])", match[2])
    return second is not None and _is_element(match[1]) and _is_element(second[1] or second[2])


def _by_label(row: Callable[[], str], label: str, formula: frozenset[str], what: str) -> Element:
    if _WATER.fullmatch(label) or _HYDROXYL.fullmatch(label):
        n = 2 if _WATER.fullmatch(label) else 1
        if not formula or "O" in formula:
            return Element("O", hydrogens=n)
    if _names_two(label):
        raise StructureError(
            f"{row()}: {what} {short(label)} names two elements; add the column "
            "_atom_site_type_symbol and a row for each of them"
        )
    match = re.match(r"\s*([A-Za-z]*)", label)
    letters = match[1] if match else ""
    one, two = letters[:1].capitalize(), letters[:2].capitalize()
    options = [s for s in dict.fromkeys((two, one)) if _is_element(s)]
    if formula:
        return _by_formula(row, label, letters, options, formula)
    options = [s for s in options if s != "T"]
    if not options:
        _refuse_unknown(row, label)
    tail = letters[len(options[0]) :]
    if len(options) == 2 and not letters[1:2].islower():
        _refuse_two(row, one, two)
    is_word = tail[:2].islower() and len(tail) > 1  # Oct: an octahedral site
    if (options[0] not in _CLOSED and tail[:1].islower()) or is_word or len(tail) > 3:
        raise StructureError(
            f"{row()}: {what} {short(label)} names no element for certain; add the column "
            "_atom_site_type_symbol or the sum formula"
        )
    return Element(options[0], guessed=len(options) == 2)


def _by_formula(
    row: Callable[[], str], label: str, letters: str, options: list[str], formula: frozenset[str]
) -> Element:
    """Choose what the sum formula has."""
    listed = [s for s in options if s in formula or (s == "D" and "H" in formula)]
    if len(listed) == 2 and not letters[1:2].islower():
        _refuse_two(row, listed[1], listed[0])
    if listed:
        return Element(listed[0])
    if not options and _is_element(letters.capitalize()):
        return Element(letters.capitalize())
    if letters[:1].upper() == "W" and "O" in formula and "H" in formula:
        return Element("O", hydrogens=2)
    if not options:
        _refuse_unknown(row, label)
    raise StructureError(
        f"{row()}: the label {short(label)} reads as {' or '.join(options)}, which the sum formula "
        f"does not have (it has {', '.join(sorted(formula))}); correct the one that is wrong or "
        "add the column _atom_site_type_symbol"
    )


def _refuse_unknown(row: Callable[[], str], text: str) -> NoReturn:
    shown = text or "?"
    raise StructureError(
        f"{row()}: {shown!r} is not an element; correct _atom_site_type_symbol or remove the atom"
    )


def _refuse_two(row: Callable[[], str], one: str, two: str) -> NoReturn:
    raise StructureError(
        f"{row()}: the label may mean {one} or {two}; add the column _atom_site_type_symbol"
    )


def _is_element(symbol: str) -> bool:
    return symbol in SYMBOLS[1:] or symbol in ("D", "T")
