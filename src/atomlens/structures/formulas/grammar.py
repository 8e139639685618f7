"""One part of a formula, symbol by symbol: elements, amounts, brackets."""

import re
import unicodedata
from collections.abc import Sequence
from fractions import Fraction
from typing import NoReturn

from atomlens.elements import NONMETALS, SYMBOLS
from atomlens.errors import StructureError
from atomlens.printing import short
from atomlens.structures.formulas.judging import meant_amounts

_OPENING = {"(": ")", "[": "]", "{": "}"}
LONGEST_FORMULA = 3000
"""Letters; what takes off subscripts and spaces takes the square of their number."""
TOKEN = re.compile(r"(?P<number>\d+/\d+|\d+(?:\.\d+)?|\.\d+)|(?P<element>[A-Z][a-z]?)|(?P<sign>.)")
ELEMENTS = frozenset(SYMBOLS[1:])
NO_METALS = frozenset(SYMBOLS[z] for z in NONMETALS)


def sum_of(parts: Sequence[str], text: str) -> dict[str, Fraction]:
    """Return the amounts of several parts together."""
    total: dict[str, Fraction] = {}
    for part in parts:
        for symbol, amount in part_amounts(part, text).items():
            total[symbol] = total.get(symbol, Fraction(0)) + amount
    return total


NUMBER = r"\d+(?:\.\d+)?"


def part_amounts(part: str, text: str) -> dict[str, Fraction]:
    """Return the amounts of one part, such as the ``5H2O`` of ``CuSO4·5H2O``."""
    tokens = list(TOKEN.finditer(part))
    numbers = [token["number"] for token in tokens if token["number"]]
    meant = iter(meant_amounts([_amount(number, text) for number in numbers], numbers))
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
            group = [(element_in(token["element"], text), Fraction(1))]
        elif len(stack) > 1 and token[0] == stack[-1][0]:
            group = stack.pop()[1]
        else:
            refuse(text, _unexpected(token[0]))
        if position < len(tokens) and tokens[position]["number"]:
            multiple = next(meant)
            position += 1
            group = [(symbol, amount * multiple) for symbol, amount in group]
            if group and max(amount for _, amount in group) > 10**15:
                refuse(text, "its numbers multiply to more atoms than there can be")
        stack[-1][1].extend(group)
    if len(stack) > 1:
        refuse(text, f"a bracket is not closed: {stack[-1][0]!r} is missing")
    if not stack[0][1]:
        refuse(text, "a part of it has no element")
    amounts: dict[str, Fraction] = {}
    for symbol, amount in stack[0][1]:
        amounts[symbol] = amounts.get(symbol, Fraction(0)) + amount * factor
    return amounts


def element_in(symbol: str, text: str) -> str:
    """Return the element that a symbol stands for: hydrogen for its isotopes."""
    if symbol in ("D", "T"):
        return "H"
    if symbol not in SYMBOLS[1:]:
        refuse(text, f"{symbol!r} is not an element")
    return symbol


def _amount(number: str, text: str) -> Fraction:
    """Return an amount as it is written."""
    if len(number) > 15:
        refuse(text, f"the amount {number[:12]}... is too long")
    try:
        value = Fraction(number)
    except ZeroDivisionError:
        value = Fraction(0)
    if value == 0:
        refuse(text, f"an amount is zero ({number})")
    return value


def has_thirds(part: str) -> bool:
    """Say whether decimals of a part are taken as thirds or sixths."""
    numbers = [token["number"] for token in TOKEN.finditer(part) if token["number"]]
    amounts = [Fraction(number) for number in numbers]
    return meant_amounts(amounts, numbers) != amounts


def _unexpected(sign: str) -> str:
    for letter in sign:
        name = unicodedata.name(letter, "").lower()
        if name.startswith(("cyrillic", "greek")):
            return f"{letter!r} is a letter of another alphabet ({name}); write the Latin one"
    if sign.islower():
        return f"{sign!r} is neither an element (they begin with a capital) nor a number"
    if sign in "+-":
        return f"{sign!r} (a charge or a bond) does not belong in a formula"
    return f"{sign!r} is out of place"


def refuse(text: str, why: str) -> NoReturn:
    """Raise the error of a text that is no formula; ``why`` is part of its sentence."""
    advice = "" if "; write" in why else "; write one like Fe2O3, Ca(OH)2 or Li0.5CoO2"
    raise StructureError(f"{short(text)} is not a formula: {why}{advice}")
