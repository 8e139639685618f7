"""Alloys: weight percent, and amounts that stand in another order than in formulas."""

import re
from collections.abc import Mapping
from fractions import Fraction

from atomlens.elements import SYMBOLS
from atomlens.elements.masses import ATOMIC_MASSES
from atomlens.errors import StructureError
from atomlens.structures.formulas.grammar import NUMBER, element_in, refuse

BY_WEIGHT = "wt:"
"""Stands in front of an alloy whose numbers are weight percent."""
NOMINAL = re.compile(
    rf"[A-Z][a-z]?(?:\s?[-–]\s?{NUMBER}\s?[A-Z][a-z]?)+"
    r"(?P<unit>\s*\(?\s*(?:wt|mass|weight)\.?\s*-?%\s*\)?)?"
)
"""An alloy by weight, the first element the rest: Fe-18Cr-8Ni."""
ALLOY = re.compile(rf"[A-Z][a-z]?(?:{NUMBER}[A-Z][a-z]?){{2,}}")
"""The same without dashes, which may also be atoms: Ti6Al4V."""
_BASES = frozenset(("Ti", "Zr", "Mg", "Fe", "Co", "Ni", "Cu"))
"""Elements whose alloys are named so."""
_IN_TITANIUM = frozenset("Al V Nb Zr Mo Sn Cr Fe Ta".split())
_ALLOYED = _IN_TITANIUM | frozenset("Ti Mg Co Ni Cu Zn Mn W Si Y Nd Gd Ce La Hf Re Be".split())
_METALS = _ALLOYED | frozenset("Al Zn Pb Sn Ag Au Pt Pd U".split())
"""Elements that may be the rest of an alloy written with dashes."""


def is_by_weight(text: str) -> bool:
    """Say whether a text has the prefix ``wt:``."""
    return text.lstrip()[: len(BY_WEIGHT)].lower() == BY_WEIGHT


def _added(text: str) -> list[tuple[str, float]]:
    """Return the elements behind the first of an alloy's name, each with the number before it."""
    return [(e, float(n)) for n, e in re.findall(rf"({NUMBER})\s?([A-Z][a-z]?)", text)]


def is_alloy(found: re.Match[str] | None) -> bool:
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


def weights_in_name(name: str, text: str) -> dict[str, float] | None:
    """Return the weight percent that the name of an alloy says, its first element the rest.

    Args:
        name: ``Ti-6Al-4V``, ``Ti6Al4V``.
        text: What was given, for messages.

    Returns:
        None for a text that is no such name.

    Raises:
        StructureError: the amounts leave no rest, or an element is none or stands twice.
    """
    if not (NOMINAL.fullmatch(name) or ALLOY.fullmatch(name)):
        return None
    base = re.findall(r"[A-Z][a-z]?", name)[0]
    added = _added(name)
    rest = 100 - sum(weight for _, weight in added)
    weights = {base: rest, **dict(added)}
    if rest <= 0:
        refuse(text, f"{100 - rest:g} weight percent leave nothing for {base}")
    if len(weights) <= len(added):
        refuse(text, "an element stands in it twice")
    for symbol in weights:
        element_in(symbol, text)
    return weights


def atoms_of_weights(weights: Mapping[str, float]) -> dict[str, Fraction]:
    """Return the atoms of an alloy given by weight, in shares of 10,000."""
    moles = {s: w / float(ATOMIC_MASSES[SYMBOLS.index(s)]) for s, w in weights.items() if w > 0}
    total = sum(moles.values())
    return {s: Fraction(max(1, round(10_000 * m / total))) for s, m in moles.items()}


def not_by_weight(text: str) -> str:
    """Return why a text that is the name of an alloy is no formula; ``""`` for others."""
    stripped = text.strip()
    found = NOMINAL.fullmatch(stripped)
    if found and _METALS.issuperset(re.findall(r"[A-Z][a-z]?", stripped)[:1]):
        name = stripped.removesuffix(found["unit"] or "")
        try:
            weights = weights_in_name(name, text)
        except StructureError:
            return ""
        amounts = atoms_of_weights(weights or {})
        whole = float(sum(amounts.values()))
        atoms = "".join(f"{s}{float(a) / whole:.3g}" for s, a in amounts.items())
        return (
            f"it names an alloy in weight percent, the rest {next(iter(amounts))}; write "
            f"{BY_WEIGHT}{name}, or the atoms, {atoms}"
        )
    symbols = re.findall(r"[A-Z][a-z]?", stripped)
    is_titanium = symbols[:1] == ["Ti"] and _IN_TITANIUM.issuperset(symbols[1:])
    if is_titanium and is_alloy(ALLOY.fullmatch(stripped)):
        return (
            f"it may name an alloy in weight percent or count atoms; write {BY_WEIGHT}{stripped}, "
            f"or {stripped}1 for the atoms"
        )
    return ""


_BEFORE = re.compile(rf"(?:{NUMBER}\s?[A-Z][a-z]?\s?){{2,}}")
"""Elements behind their amounts: 50Fe50Ni."""
_MIXED_ALLOY = re.compile(
    rf"\((?P<group>(?:[A-Z][a-z]?(?:{NUMBER})?){{2,}})\)(?P<much>{NUMBER})"
    rf"(?P<rest>(?:[A-Z][a-z]?{NUMBER})*)"
)
"""An alloy whose first elements stand in brackets: (CoCrFeNi)95Al5."""


def other_order(text: str) -> str:
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
    group = re.findall(rf"([A-Z][a-z]?)({NUMBER})?", found["group"])
    n_inside = sum(float(n or 1) for _, n in group)
    around = [float(n) for n in re.findall(NUMBER, found["rest"])]
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
