"""Functions of rows that the parts of an expression become; None stands for what is unknown."""

import ast
import math
from collections.abc import Callable
from typing import Any

from atomlens.screening.expressions.cells import (
    NothingText,
    Row,
    alike,
    alike_in,
    is_number,
    is_word_for_nothing,
    plain_value,
)
from atomlens.screening.expressions.hearing import Meeting

Evaluate = Callable[[Row], Any]


def _mean(values: Any) -> float:
    return math.fsum(values) / len(values)


OF_NUMBERS: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "sqrt": math.sqrt,
    "log": math.log,
    "log10": math.log10,
    "exp": math.exp,
}
OF_LISTS: dict[str, Callable[..., Any]] = {"min": min, "max": max, "mean": _mean}
FUNCTIONS = (*OF_NUMBERS, *OF_LISTS, "known")
COMPARISONS: dict[type, Callable[[Any, Any], bool]] = {
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}
ARITHMETIC: dict[type, Callable[[float, float], float]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.Mod: lambda a, b: a % b,
    ast.Pow: lambda a, b: math.pow(a, b),
}


def calculated(function: Callable[..., Any], met: Meeting, *arguments: Evaluate) -> Evaluate:
    """Return what calculates a number of numbers, and what is unknown of all else."""

    def evaluate(row: Row) -> Any:
        values = [plain_value(argument(row)) for argument in arguments]
        if not any(value is None for value in values):
            met.hear(all(map(is_number, values)))
        if not all(map(is_number, values)):
            return None
        try:
            found = function(*values)
        except (ArithmeticError, ValueError):
            return None
        return found if is_number(found) and math.isfinite(found) else None

    return evaluate


def over_list(function: Callable[[Any], Any], given: list[Evaluate], met: Meeting) -> Evaluate:
    """Return what makes one number of several, or of those in a list."""

    def evaluate(row: Row) -> Any:
        values = [one(row) for one in given]
        if len(values) == 1 and isinstance(values[0], list):
            values = values[0]
        values = [plain_value(value) for value in values]
        if values and not any(value is None for value in values):
            met.hear(all(map(is_number, values)))
        return function(values) if values and all(map(is_number, values)) else None

    return evaluate


def compared(
    function: Callable[[Any, Any], bool],
    left: Evaluate,
    right: Evaluate,
    is_in: bool,
    met: Meeting,
) -> Evaluate:
    """Return what compares two values; ``is_in``: looks for the left in the right one."""

    def evaluate(row: Row) -> bool | None:
        a, b = left(row), right(row)
        if a is None or b is None:
            return None
        for one, other in ((a, b), (b, a)):
            if isinstance(one, NothingText) and not is_word_for_nothing(other):
                return None
        a, b = (str(one) if isinstance(one, NothingText) else one for one in (a, b))
        if is_in:
            fits = isinstance(b, list) or (isinstance(a, str) and isinstance(b, str))
            if isinstance(b, list):
                fits = not isinstance(a, list) or any(isinstance(item, list) for item in b)
                a, b = alike_in(a, b)
        else:
            a, b = alike(a, b)
            both_lists = isinstance(a, list) and isinstance(b, list)
            fits = (is_number(a) and is_number(b)) or type(a) is type(b) or both_lists
        met.hear(fits)
        try:
            return bool(function(a, b)) if fits else None
        except TypeError:  # lists of different things
            return None

    return evaluate


def joined(parts: list[Evaluate], decisive: bool) -> Evaluate:
    """Return what joins conditions: one that is ``decisive`` (True: or, False: and) settles all."""

    def evaluate(row: Row) -> bool | None:
        unknown = False
        for part in parts:
            found = part(row)
            if not isinstance(found, bool):
                unknown = True
            elif found is decisive:
                return found
        return None if unknown else not decisive

    return evaluate


def negated(part: Evaluate) -> Evaluate:
    """Return the opposite of a condition."""

    def evaluate(row: Row) -> bool | None:
        found = part(row)
        return (not found) if isinstance(found, bool) else None

    return evaluate
