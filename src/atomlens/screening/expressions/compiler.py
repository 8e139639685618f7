"""From a syntax tree to a function of rows, node by node; what has no meaning is refused."""

import ast
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from atomlens.datasets.tables.headers import bare_name, loosely, parse_header
from atomlens.elements import ATOMIC_NUMBERS, symbols_meant
from atomlens.errors import SettingsError, unknown_name
from atomlens.printing import cut, one_line, short
from atomlens.screening.columns import FORMULA
from atomlens.screening.expressions.cells import (
    NothingText,
    Row,
    amounts_key,
    cell_of,
    elements_of,
    formula_meant,
    is_word_for_nothing,
    plain_value,
)
from atomlens.screening.expressions.evaluating import (
    ARITHMETIC,
    COMPARISONS,
    FUNCTIONS,
    OF_LISTS,
    OF_NUMBERS,
    Evaluate,
    calculated,
    compared,
    joined,
    negated,
    over_list,
)
from atomlens.screening.expressions.hearing import NEITHER, Meeting

ELEMENTS = "elements"
"""What stands for the list of symbols of a row's formula."""
_ONE_LETTER = frozenset("HBCNOFPSKVYIWU")
_AS_CONDITION = {
    "number": ("a number", "{} > 1"),
    "whole": ("a number", "{} > 1"),
    "text": ("a text", "{} == 'x'"),
    "list": ("a list", "'O' in {}"),
}
"""What stands where a condition is wanted, and how one is made of it, by what it holds."""


class Compiler:
    """Makes a function of rows from a syntax tree, node by node."""

    def __init__(self, where: str, columns: Mapping[str, str], quoted: Mapping[str, str]) -> None:
        self.where, self.columns, self.quoted = where, columns, quoted
        self.names: set[str] = set()
        self.meetings: list[Meeting] = []
        self.only_numbers: frozenset[str] = frozenset()

    def meeting(
        self, node: ast.expr, follows: str, advice: str = "look at what the column holds"
    ) -> Meeting:
        """Return what hears of the columns of a part of the expression."""
        named = [n.id for n in ast.walk(node) if isinstance(n, ast.Name)]
        called = dict.fromkeys(self.quoted.get(name, name) for name in named)
        columns = [name for name in called if name in self.columns]
        return Meeting(self.where, " and ".join(map(repr, columns)) or "it", follows, advice)

    def heard(self, node: ast.expr) -> Meeting:
        """Return such a one, and keep it."""
        met = self.meeting(node, "nothing that this can be said of")
        self.meetings.append(met)
        return met

    def compiled(self, node: ast.expr) -> tuple[frozenset[str], Evaluate]:
        """Return the columns that a whole expression asks for, and what evaluates it."""
        evaluate = self.of(node, 0)
        return frozenset(self.names), evaluate

    def uses(
        self, tree: ast.expr, *, is_number: bool
    ) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
        """Return the columns that meet numbers, those that meet texts, and that meet columns.

        ``is_number``: the whole expression is wanted as a number.
        """
        numbers: set[str] = set()
        texts: set[str] = set()
        either: set[str] = set()

        def note(node: ast.expr, met: str) -> None:
            if not isinstance(node, ast.Name) or self.holding(node) not in ("any", "text"):
                return
            into = {"number": numbers, "whole": numbers, "text": texts, "any": either}.get(met)
            if into is not None:
                into.add(self.column_of(node.id))

        if is_number:
            note(tree, "number")
        for node in ast.walk(tree):
            match node:
                case ast.BinOp():
                    note(node.left, "number")
                    note(node.right, "number")
                case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
                    note(node.operand, "number")
                case ast.Call(func=ast.Name(id=name)) if name != "known":
                    for argument in node.args:
                        note(argument, "number")
                case ast.Compare():
                    for left, right in pairwise((node.left, *node.comparators)):
                        for one, other in ((left, right), (right, left)):
                            listed = other.elts if isinstance(other, ast.List | ast.Tuple) else ()
                            for item in (other, *listed):
                                note(one, self.holding(item))
                            for item in listed:
                                note(item, self.holding(one))
        self.only_numbers = frozenset(numbers - texts)
        return frozenset(numbers), frozenset(texts), frozenset(either)

    def of(self, node: ast.expr, depth: int) -> Evaluate:
        """Return what evaluates a part of the expression, so many parts deep.

        Raises:
            SettingsError: it has no meaning, or names what is not there.
        """
        if depth > _DEEPEST:
            raise SettingsError(f"{self.where}: it is nested too deeply; write it more simply.")
        deeper = depth + 1
        match node:
            case ast.BoolOp():
                parts = [self.condition(value, deeper) for value in node.values]
                return joined(parts, decisive=isinstance(node.op, ast.Or))
            case ast.UnaryOp(op=ast.Not()):
                return negated(self.condition(node.operand, deeper))
            case ast.UnaryOp(op=ast.USub()):
                return calculated(lambda a: -a, self.heard(node), self.of(node.operand, deeper))
            case ast.UnaryOp(op=ast.UAdd()):
                return self.of(node.operand, deeper)
            case ast.BinOp() if type(node.op) in ARITHMETIC:
                sides = (self.of(node.left, deeper), self.of(node.right, deeper))
                return calculated(ARITHMETIC[type(node.op)], self.heard(node), *sides)
            case ast.Compare() if all(type(op) in COMPARISONS for op in node.ops):
                return self.comparison(node, deeper)
            case ast.Call(func=ast.Name(id=name), keywords=[]) if node.args:
                return self.call(name, node, deeper)
            case ast.Name():
                return self.column(node.id)
            case ast.Constant() if isinstance(node.value, int | float | str | bool):
                value = node.value
                if isinstance(value, int) and not isinstance(value, bool):
                    value = self.as_float(value)
                return lambda _row: value
            case ast.List() | ast.Tuple():
                items = [self.of(item, deeper) for item in node.elts]
                return lambda row: [item(row) for item in items]
            case _:
                part = short(ast.unparse(node))
                raise SettingsError(
                    f"{self.where}: {part} has no meaning here; there are comparisons, and, or, "
                    f"not, + - * / ** %, numbers, 'texts', [lists] and {', '.join(FUNCTIONS)}."
                )

    def condition(self, node: ast.expr, depth: int) -> Evaluate:
        """Return what must be true or false; a column may hold that, a number is no condition.

        Raises:
            SettingsError: it can never be one.
        """
        evaluate = self.of(node, depth)
        self.check_condition(node)
        if self.holding(node) == "truth":
            return evaluate
        met = self.meeting(node, NEITHER, self.comparing(node))
        self.meetings.append(met)

        def heard(row: Row) -> Any:
            found = evaluate(row)
            found = None if isinstance(found, NothingText) else found
            if found is not None:
                met.hear(isinstance(found, bool))
            return found

        return heard

    def check_condition(self, node: ast.expr) -> None:
        """Raise a SettingsError for a number, text or list in the place of a condition."""
        what = _AS_CONDITION.get(self.holding(node))
        if what is not None:
            part = self.typed(node)
            raise SettingsError(
                f"{self.where}: {part} is {what[0]} and is no condition; compare it, as in "
                f"`{what[1].format(part)}`."
            )

    def comparing(self, node: ast.expr) -> str:
        """Return how a condition is made of a column."""
        part = self.typed(node)
        return f"compare it, as in `{part} > 1` or `{part} == 'x'`"

    def typed(self, node: ast.expr) -> str:
        """Return a part of the expression as it was typed, cut where it is long."""
        text = ast.unparse(node)
        for plain, name in self.quoted.items():
            text = text.replace(plain, f"`{name}`")
        return cut(one_line(text), 60)

    def holding(self, node: ast.expr) -> str:
        """Return what a part of the expression is: ``truth``, or what a column can hold."""
        match node:
            case ast.BoolOp() | ast.Compare() | ast.UnaryOp(op=ast.Not()):
                return "truth"
            case ast.UnaryOp(op=ast.UAdd()):
                return self.holding(node.operand)
            case ast.Call(func=ast.Name(id=name)):
                return "truth" if name == "known" else "number"
            case ast.Constant(value=bool()):
                return "truth"
            case ast.Constant(value=str()):
                return "text"
            case ast.List() | ast.Tuple():
                return "list"
            case ast.Name():
                return self.columns[self.column_of(node.id)]
            case _:
                return "number"

    def as_float(self, value: int) -> float:
        """Return a whole number as one that is calculated with."""
        try:
            return float(value)
        except OverflowError:
            raise SettingsError(f"{self.where}: a number in it is too large.") from None

    def column_of(self, name: str) -> str:
        """Return the column that a name means.

        Raises:
            SettingsError: there is none.
        """
        name = self.quoted.get(name, name)
        if name not in self.columns:
            called = [column for column in self.columns if parse_header(column)[0] == name]
            called = called or [column for column in self.columns if bare_name(column) == name]
            called = called or [c for c in self.columns if loosely(c) == loosely(name)]
            name = called[0] if len(called) == 1 else name
        if name not in self.columns:
            raise SettingsError(f"{self.where}: {unknown_name('column', name, self.columns)}")
        return name

    def column(self, name: str) -> Evaluate:
        """Return what reads a column."""
        name = self.column_of(name)
        if name == ELEMENTS:
            self.names.add("formula")
            return elements_of
        self.names.add(name)
        return lambda row: cell_of(row, name)

    def comparison(self, node: ast.Compare, depth: int) -> Evaluate:
        """Return what compares values, one behind the other."""
        self.refuse_letters(node)
        self.refuse_no_symbols(node)
        nodes = (node.left, *node.comparators)
        sides = [self.of(side, depth) for side in nodes]
        met = self.heard(node)
        steps = []
        for op, own, values in zip(node.ops, pairwise(nodes), pairwise(sides), strict=True):
            a, b = self.as_formulas(op, *own) or values
            is_in = isinstance(op, ast.In | ast.NotIn)
            steps.append(compared(COMPARISONS[type(op)], a, b, is_in, met))
        return steps[0] if len(steps) == 1 else joined(steps, decisive=False)

    def as_formulas(
        self, operation: ast.cmpop, left: ast.expr, right: ast.expr
    ) -> tuple[Evaluate, Evaluate] | None:
        """Return both sides as amounts of elements, where formulas are compared; else None.

        So ``formula == 'ClNa'`` holds of NaCl.

        Raises:
            SettingsError: a text that the formula shall be is none.
        """
        sides = [left, right]
        if isinstance(operation, ast.Eq | ast.NotEq) and isinstance(left, ast.Constant):
            sides.reverse()
        elif not isinstance(operation, ast.Eq | ast.NotEq | ast.In | ast.NotIn):
            return None
        column, given = sides
        if not isinstance(column, ast.Name) or self.column_of(column.id) != FORMULA:
            return None
        is_in = isinstance(operation, ast.In | ast.NotIn)
        if is_in != isinstance(given, ast.List | ast.Tuple):
            return None
        texts = [
            one.value if isinstance(one, ast.Constant) else None
            for one in (given.elts if isinstance(given, ast.List | ast.Tuple) else [given])
        ]
        if not all(isinstance(text, str) and not is_word_for_nothing(text) for text in texts):
            return None
        keys = [self.key_of(str(text)) for text in texts]
        wanted: Any = keys if is_in else keys[0]

        def of_row(row: Row) -> Any:
            cell = cell_of(row, FORMULA)
            return (amounts_key(cell) or cell) if isinstance(cell, str) else cell

        return of_row, lambda _row: wanted

    def key_of(self, text: str) -> str:
        """Return a formula that was typed as its amounts.

        Raises:
            SettingsError: it is none.
        """
        key = amounts_key(text)
        if key is None:
            meant = formula_meant(text)
            advice = f"did you mean {meant!r}?" if meant else "write one such as 'Fe2O3'."
            raise SettingsError(f"{self.where}: {short(text)} is no formula; {advice}")
        return key

    def refuse_letters(self, node: ast.Compare) -> None:
        """Refuse to look for an element of one letter in a formula, whose S is in Si as well."""
        for left, operation, right in zip(
            (node.left, *node.comparators), node.ops, node.comparators, strict=False
        ):
            if not isinstance(operation, ast.In | ast.NotIn) or not isinstance(right, ast.Name):
                continue
            letter = left.value if isinstance(left, ast.Constant) else None
            column = self.quoted.get(right.id, right.id)
            if letter in _ONE_LETTER and re.search("formula|composition", column, re.IGNORECASE):
                word = "in" if isinstance(operation, ast.In) else "not in"
                raise SettingsError(
                    f"{self.where}: {letter!r} is looked for as a letter there, with which other "
                    f"symbols begin as well; write {letter!r} {word} {ELEMENTS}."
                )
            if column == FORMULA and isinstance(letter, str) and _is_in_no_formula(letter):
                word = "in" if isinstance(operation, ast.In) else "not in"
                meant = symbols_meant(letter)
                advice = (
                    f"write {meant[0]!r} {word} {ELEMENTS}" if len(meant) == 1 else "correct it"
                )
                raise SettingsError(f"{self.where}: no formula has {letter!r} in it; {advice}.")

    def refuse_no_symbols(self, node: ast.Compare) -> None:
        """Refuse what is compared with the elements of a formula and is the symbol of none."""
        for left, right in pairwise((node.left, *node.comparators)):
            for one, other in ((left, right), (right, left)):
                if not isinstance(one, ast.Name) or self.column_of(one.id) != ELEMENTS:
                    continue
                for part in ast.walk(other):
                    if not isinstance(part, ast.Constant) or part.value in ATOMIC_NUMBERS:
                        continue
                    meant = symbols_meant(str(part.value))
                    advice = "write one such as 'Pb'"
                    if len(meant) == 1:
                        advice = f"did you mean {meant[0]!r}?"
                    elif meant:
                        each = " and ".join(f"{symbol!r} in {ELEMENTS}" for symbol in meant)
                        advice = f"ask for one at a time, as in {each}"
                    raise SettingsError(
                        f"{self.where}: {part.value!r} is no symbol of an element; {advice}"
                        f"{'' if advice.endswith('?') else '.'}"
                    )

    def call(self, name: str, node: ast.Call, depth: int) -> Evaluate:
        """Return what a function makes of its arguments."""
        if name not in FUNCTIONS:
            raise SettingsError(f"{self.where}: {unknown_name('function', name, FUNCTIONS)}")
        given = [self.of(argument, depth) for argument in node.args]
        if name in OF_LISTS:
            return over_list(OF_LISTS[name], given, self.heard(node))
        if len(given) != 1:
            raise SettingsError(f"{self.where}: {name} takes one value, {len(given)} are given.")
        if name == "known":
            return self.known(node.args[0], given[0])
        return calculated(OF_NUMBERS[name], self.heard(node), given[0])

    def known(self, node: ast.expr, given: Evaluate) -> Evaluate:
        """Return whether something is known: no cell is that is empty or says ``NA``.

        In a column that is asked for as a number and as nothing else, a number is wanted.
        """
        column = self.column_of(node.id) if isinstance(node, ast.Name) else ""

        def evaluate(row: Row) -> bool:
            found = plain_value(given(row))
            return found is not None and not (
                isinstance(found, str) and column in self.only_numbers
            )

        return evaluate


def _is_in_no_formula(letters: str) -> bool:
    """Say whether letters cannot stand in a formula one behind the other."""
    return letters.isalpha() and not re.fullmatch(r"[a-z]?([A-Z][a-z]?)*", letters)


_DEEPEST = 40
