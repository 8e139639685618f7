"""Conditions over the columns of a table, as typed: ``gap > 1 and formation_energy < 0``.

Python's own parser takes the text apart; of what it finds, only what stands in this module means
something. Nothing is evaluated by Python itself.
"""

import ast
import math
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, final

from atomlens.datasets.tables.cells import is_empty, is_missing, shown_cell
from atomlens.datasets.tables.headers import bare_name, parse_header
from atomlens.datasets.tables.numerals import advice_on, read_numerals
from atomlens.elements import ATOMIC_NUMBERS, symbols_meant
from atomlens.errors import SettingsError, unknown_name
from atomlens.printing import counted, cut, one_line, short
from atomlens.screening.columns import FORMULA, NUMBERS

Row = Mapping[str, Any]
_Evaluate = Callable[[Row], Any]

_LONGEST, _DEEPEST = 2000, 40
ELEMENTS = "elements"
"""What stands for the list of symbols of a row's formula."""
_NEITHER = "nothing that is true or false"
_ONE_LETTER = frozenset("HBCNOFPSKVYIWU")


def _mean(values: Any) -> float:
    return math.fsum(values) / len(values)


_OF_NUMBERS: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "sqrt": math.sqrt,
    "log": math.log,
    "log10": math.log10,
    "exp": math.exp,
}
_OF_LISTS: dict[str, Callable[..., Any]] = {"min": min, "max": max, "mean": _mean}
_FUNCTIONS = (*_OF_NUMBERS, *_OF_LISTS, "known")
_COMPARISONS: dict[type, Callable[[Any, Any], bool]] = {
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}
_ARITHMETIC: dict[type, Callable[[float, float], float]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.Mod: lambda a, b: a % b,
    ast.Pow: lambda a, b: math.pow(a, b),
}


_AS_CONDITION = {
    "number": ("a number", "{} > 1"),
    "whole": ("a number", "{} > 1"),
    "text": ("a text", "{} == 'x'"),
    "list": ("a list", "'O' in {}"),
}
"""What stands where a condition is wanted, and how one is made of it, by what it holds."""


class _NumberText(str):
    """A cell of a table without types that reads as a number."""

    __slots__ = ("number",)
    number: float


class _NothingText(str):
    """A cell with a word for nothing: ``NA``, ``nan``; the text where it meets such a word."""

    __slots__ = ()


def _cell(row: Row, name: str) -> Any:
    """Return a cell, None if it is empty; texts that read as numbers or as nothing told apart.

    What a text is as a number depends on the others of its column, so it was found where the table
    was read. A cell alone is read by itself.
    """
    value = row.get(name)
    if is_empty(value):
        return None
    if not isinstance(value, str):
        return value
    if is_missing(value) and value.strip() != "Na":
        return _NothingText(value)
    known = row.get(NUMBERS) or {}
    number = known.get(name) if name in known else _number_alone(value)
    if number is None or not math.isfinite(number):
        return value
    found = _NumberText(value)
    found.number = number
    return found


def _number_alone(text: str) -> float | None:
    found = read_numerals([text])
    return None if found.problem else found.numbers[0]


def _plain(value: Any) -> Any:
    if isinstance(value, _NothingText):
        return None
    return value.number if isinstance(value, _NumberText) else value


def _is_word_for_nothing(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_is_word_for_nothing, value))
    return isinstance(value, str) and is_missing(value)


@dataclass(slots=True)
class _Meeting:
    """How often two things met that can be compared or calculated with, and how often not."""

    where: str
    columns: str
    follows: str
    advice: str
    n_fits: int = 0
    n_misfits: int = 0

    def hear(self, fits: bool) -> None:
        if fits:
            self.n_fits += 1
        else:
            self.n_misfits += 1

    def said(self) -> str:
        return (
            f"{self.columns} has {self.follows} in any of {counted(self.n_misfits, 'row')}; "
            f"{self.advice}."
        )


@dataclass(slots=True)
class _Known:
    """Of how many rows a condition is true or false, or something else, and of how many nothing."""

    n_known: int = 0
    n_unknown: int = 0

    def hear(self, is_known: bool) -> None:
        if is_known:
            self.n_known += 1
        else:
            self.n_unknown += 1


@dataclass(slots=True)
class _Cells:
    """How many cells of a column that is asked for as a number are numbers, and how many not."""

    where: str
    column: str
    n_numbers: int = 0
    n_others: int = 0
    example: Any = None

    def hear(self, cell: Any) -> None:
        if cell is None or is_missing(cell):
            return
        if _is_number(_plain(cell)):
            self.n_numbers += 1
            return
        self.example = cell if self.n_others == 0 else self.example
        self.n_others += 1

    def said(self) -> str:
        n = counted(self.n_numbers + self.n_others, "row")
        advice = advice_on(self.example) if isinstance(self.example, str) else "correct it"
        return (
            f"{self.where}: {self.column!r} is no number in {self.n_others:,} of {n} that have "
            f"something there, such as {shown_cell(self.example)}, and counts as unknown in "
            f"{'it' if self.n_others == 1 else 'them'}; {advice}."
        )


@final
@dataclass(frozen=True, slots=True)
class Expression:
    """An expression over the columns of a row."""

    text: str
    names: frozenset[str]
    """The columns that it asks for."""
    as_numbers: frozenset[str]
    """Those of them whose cells may have to be numbers"""
    _evaluate: _Evaluate
    _meetings: tuple["_Meeting", ...] = ()
    _cells: tuple["_Cells", ...] = ()
    _known: "_Known" = field(default_factory=_Known)

    def value(self, row: Row) -> Any:
        """Return the value for a row: a number, a truth value, a text or a list.

        None stands for what is unknown: a number that is missing, a division by zero, a text that
        is compared with a number. What is compared with it is unknown too; ``False and unknown``
        is False and ``True or unknown`` is True. The cells of a CSV file are texts: one that reads
        as a number is that number where it meets one, and stays the text where it meets a text.
        ``row`` has under `NUMBERS` which numbers those are by the convention of their column.
        """
        return self._evaluate(row)

    def holds(self, row: Row) -> bool:
        """Say whether a condition is true for a row; one that is unknown does not hold."""
        self._hear_cells(row)
        found = self.value(row)
        self._known.hear(found is not None)
        if self._meetings and found is not None:
            self._meetings[0].hear(isinstance(found, bool))
        return found is True

    def number(self, row: Row) -> float:
        """Return the number for a row; NaN where it is unknown or none."""
        self._hear_cells(row)
        found = _plain(self.value(row))
        if self._meetings and found is not None:
            self._meetings[0].hear(_is_number(found))
        return float(found) if _is_number(found) else math.nan

    def _hear_cells(self, row: Row) -> None:
        for one in self._cells:
            one.hear(_cell(row, one.column))

    def doubts(self) -> list[str]:
        """Return what was asked of the rows so far and could not be said of them.

        That is the first of what could be said of none, and each column that is no number in some.
        """
        some = [one for one in self._cells if one.n_others and one.n_numbers]
        told = {repr(one.column) for one in some}
        said = [
            f"{m.where}: {m.said()}"
            for m in self._meetings
            if m.n_misfits and not m.n_fits and m.columns not in told
        ]
        if not said and self._known.n_unknown and not self._known.n_known:
            n = counted(self._known.n_unknown, "row")
            where = f"--where {short(self.text)}"
            said = [f"{where}: it is neither true nor false of any of {n}, so none passes."]
        none = [one for one in self._cells if one.n_others and not one.n_numbers]
        return [*said[:1], *(one.said() for one in [*some, *([] if said else none)])]


def parse(
    text: str,
    columns: Iterable[str],
    option: str = "--where",
    kinds: Mapping[str, str] | None = None,
) -> Expression:
    """Return an expression that was typed: with ``--where`` a condition, else a value.

    There are ``and or not``, ``< <= > >= == != in``, ``+ - * / % **``, numbers, texts in quotation
    marks, ``[lists]``, the functions ``abs sqrt log log10 exp min max mean known``, the columns,
    those with other signs than letters, digits and ``_`` between backticks, and ``elements``, the
    symbols in the formula.

    Args:
        text: The expression.
        columns: What a row has.
        option: Where it was typed; begins the sentence about what is wrong.
        kinds: What columns hold, where that is known: ``number``, ``whole``, ``text``, ``list``,
            ``any``. What can be no condition is then refused as the whole of one, too.

    Raises:
        SettingsError: it is none, asks for a column that is not there, or has something as a
            condition that is neither true nor false.
    """
    where = f"{option} {short(text)}"
    if not text.strip():
        raise SettingsError(f'{option}: the expression is empty; give one such as "gap > 1".')
    if len(text) > _LONGEST:
        raise SettingsError(f"{where}: it has {len(text)} letters, more than {_LONGEST}.")
    quoted: dict[str, str] = {}
    try:
        with warnings.catch_warnings():  # of Python about texts such as "\\d"
            warnings.simplefilter("ignore")
            tree = ast.parse(_without_backticks(text, quoted).strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as problem:
        said = getattr(problem, "msg", None) or "it is nested too deeply"
        raise SettingsError(
            f'{where}: this is no expression ({said}); write it as in "gap > 1 and '
            'formation_energy < 0".'
        ) from problem
    held = {**dict.fromkeys(columns, "any"), **(kinds or {}), ELEMENTS: "list"}
    compiler = _Compiler(where, held, quoted)
    names, evaluate = compiler.compiled(tree.body)
    if option != "--by" and kinds is not None:
        compiler.check_condition(tree.body)
    meetings = compiler.meetings
    follows = "no number, so the order says nothing" if option == "--by" else _NEITHER
    advice = "look at what the column holds"
    if isinstance(tree.body, ast.Name) and follows == _NEITHER:
        advice = compiler.comparing(tree.body)
    meetings = [compiler.meeting(tree.body, follows, advice), *meetings]
    numbers, texts, either = compiler.uses(tree.body, is_number=option == "--by")
    cells = tuple(_Cells(where, name) for name in sorted(numbers - texts))
    return Expression(text, names, numbers | either, evaluate, tuple(meetings), cells)


def _without_backticks(text: str, quoted: dict[str, str]) -> str:
    """Return a text with a plain name for each that stands between backticks."""

    def plain(match: re.Match[str]) -> str:
        if match[1] is None:  # a text in quotation marks
            return match[0]
        name = f"column_{len(quoted)}_"
        quoted[name] = match[1]
        return f" {name} "

    return re.sub(r"\"[^\"]*\"|'[^']*'|`([^`]+)`", plain, text)


class _Compiler:
    """Makes a function of rows from a syntax tree, node by node."""

    def __init__(self, where: str, columns: Mapping[str, str], quoted: Mapping[str, str]) -> None:
        self.where, self.columns, self.quoted = where, columns, quoted
        self.names: set[str] = set()
        self.meetings: list[_Meeting] = []
        self.only_numbers: frozenset[str] = frozenset()

    def meeting(
        self, node: ast.expr, follows: str, advice: str = "look at what the column holds"
    ) -> _Meeting:
        """Return what hears of the columns of a part of the expression."""
        named = [n.id for n in ast.walk(node) if isinstance(n, ast.Name)]
        called = dict.fromkeys(self.quoted.get(name, name) for name in named)
        columns = [name for name in called if name in self.columns]
        return _Meeting(self.where, " and ".join(map(repr, columns)) or "it", follows, advice)

    def heard(self, node: ast.expr) -> _Meeting:
        """Return such a one, and keep it."""
        met = self.meeting(node, "nothing that this can be said of")
        self.meetings.append(met)
        return met

    def compiled(self, node: ast.expr) -> tuple[frozenset[str], _Evaluate]:
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

    def of(self, node: ast.expr, depth: int) -> _Evaluate:
        if depth > _DEEPEST:
            raise SettingsError(f"{self.where}: it is nested too deeply; write it more simply.")
        deeper = depth + 1
        match node:
            case ast.BoolOp():
                parts = [self.condition(value, deeper) for value in node.values]
                return _joined(parts, decisive=isinstance(node.op, ast.Or))
            case ast.UnaryOp(op=ast.Not()):
                return _not(self.condition(node.operand, deeper))
            case ast.UnaryOp(op=ast.USub()):
                return _calculated(lambda a: -a, self.heard(node), self.of(node.operand, deeper))
            case ast.UnaryOp(op=ast.UAdd()):
                return self.of(node.operand, deeper)
            case ast.BinOp() if type(node.op) in _ARITHMETIC:
                sides = (self.of(node.left, deeper), self.of(node.right, deeper))
                return _calculated(_ARITHMETIC[type(node.op)], self.heard(node), *sides)
            case ast.Compare() if all(type(op) in _COMPARISONS for op in node.ops):
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
                    f"not, + - * / ** %, numbers, 'texts', [lists] and {', '.join(_FUNCTIONS)}."
                )

    def condition(self, node: ast.expr, depth: int) -> _Evaluate:
        """Return what must be true or false; a column may hold that, a number is no condition.

        Raises:
            SettingsError: it can never be one.
        """
        evaluate = self.of(node, depth)
        self.check_condition(node)
        if self.holding(node) == "truth":
            return evaluate
        met = self.meeting(node, _NEITHER, self.comparing(node))
        self.meetings.append(met)

        def heard(row: Row) -> Any:
            found = evaluate(row)
            found = None if isinstance(found, _NothingText) else found
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
            name = called[0] if len(called) == 1 else name
        if name not in self.columns:
            raise SettingsError(f"{self.where}: {unknown_name('column', name, self.columns)}")
        return name

    def column(self, name: str) -> _Evaluate:
        name = self.column_of(name)
        if name == ELEMENTS:
            self.names.add("formula")
            return _elements
        self.names.add(name)
        return lambda row: _cell(row, name)

    def comparison(self, node: ast.Compare, depth: int) -> _Evaluate:
        self.refuse_letters(node)
        self.refuse_no_symbols(node)
        sides = [self.of(side, depth) for side in (node.left, *node.comparators)]
        met = self.heard(node)
        steps = [
            _compared(_COMPARISONS[type(op)], a, b, isinstance(op, ast.In | ast.NotIn), met)
            for op, a, b in zip(node.ops, sides, sides[1:], strict=False)
        ]
        return steps[0] if len(steps) == 1 else _joined(steps, decisive=False)

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

    def call(self, name: str, node: ast.Call, depth: int) -> _Evaluate:
        if name not in _FUNCTIONS:
            raise SettingsError(f"{self.where}: {unknown_name('function', name, _FUNCTIONS)}")
        given = [self.of(argument, depth) for argument in node.args]
        if name in _OF_LISTS:
            return _over_list(_OF_LISTS[name], given, self.heard(node))
        if len(given) != 1:
            raise SettingsError(f"{self.where}: {name} takes one value, {len(given)} are given.")
        if name == "known":
            return self.known(node.args[0], given[0])
        return _calculated(_OF_NUMBERS[name], self.heard(node), given[0])

    def known(self, node: ast.expr, given: _Evaluate) -> _Evaluate:
        """Return whether something is known: no cell is that is empty or says ``NA``.

        In a column that is asked for as a number and as nothing else, a number is wanted.
        """
        column = self.column_of(node.id) if isinstance(node, ast.Name) else ""

        def evaluate(row: Row) -> bool:
            found = _plain(given(row))
            return found is not None and not (
                isinstance(found, str) and column in self.only_numbers
            )

        return evaluate


def _is_in_no_formula(letters: str) -> bool:
    """Say whether letters cannot stand in a formula one behind the other."""
    return letters.isalpha() and not re.fullmatch(r"[a-z]?([A-Z][a-z]?)*", letters)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _calculated(function: Callable[..., Any], met: _Meeting, *arguments: _Evaluate) -> _Evaluate:
    def evaluate(row: Row) -> Any:
        values = [_plain(argument(row)) for argument in arguments]
        if not any(value is None for value in values):
            met.hear(all(map(_is_number, values)))
        if not all(map(_is_number, values)):
            return None
        try:
            found = function(*values)
        except (ArithmeticError, ValueError):
            return None
        return found if _is_number(found) and math.isfinite(found) else None

    return evaluate


def _over_list(function: Callable[[Any], Any], given: list[_Evaluate], met: _Meeting) -> _Evaluate:
    def evaluate(row: Row) -> Any:
        values = [one(row) for one in given]
        if len(values) == 1 and isinstance(values[0], list):
            values = values[0]
        values = [_plain(value) for value in values]
        if values and not any(value is None for value in values):
            met.hear(all(map(_is_number, values)))
        return function(values) if values and all(map(_is_number, values)) else None

    return evaluate


def _compared(
    function: Callable[[Any, Any], bool],
    left: _Evaluate,
    right: _Evaluate,
    is_in: bool,
    met: _Meeting,
) -> _Evaluate:
    def evaluate(row: Row) -> bool | None:
        a, b = left(row), right(row)
        if a is None or b is None:
            return None
        for one, other in ((a, b), (b, a)):
            if isinstance(one, _NothingText) and not _is_word_for_nothing(other):
                return None
        a, b = (str(one) if isinstance(one, _NothingText) else one for one in (a, b))
        if is_in:
            fits = isinstance(b, list) or (isinstance(a, str) and isinstance(b, str))
            if isinstance(b, list):
                fits = not isinstance(a, list) or any(isinstance(item, list) for item in b)
                a, b = _alike_in(a, b)
        else:
            a, b = _alike(a, b)
            both_lists = isinstance(a, list) and isinstance(b, list)
            fits = (_is_number(a) and _is_number(b)) or type(a) is type(b) or both_lists
        met.hear(fits)
        try:
            return bool(function(a, b)) if fits else None
        except TypeError:  # lists of different things
            return None

    return evaluate


def _alike(a: Any, b: Any) -> tuple[Any, Any]:
    """Return cells that read as numbers as what they meet: a number, or the text."""
    if any(isinstance(x, str) and not isinstance(x, _NumberText) for x in (a, b)):
        return _as_text(a), _as_text(b)
    return _plain(a), _plain(b)


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, _NumberText) else value


def _alike_in(a: Any, items: list[Any]) -> tuple[bool, list[bool]]:
    """Return True and, of each item of the list, whether it is the value: a number or a text."""
    pairs = [_alike(a, item) for item in items]
    return True, [bool(x == y) for x, y in pairs]


def _joined(parts: list[_Evaluate], decisive: bool) -> _Evaluate:
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


def _not(part: _Evaluate) -> _Evaluate:
    def evaluate(row: Row) -> bool | None:
        found = part(row)
        return (not found) if isinstance(found, bool) else None

    return evaluate


class _Elements(list[str]):
    """The symbols of a formula, which are the same in any order."""

    __slots__ = ()
    __hash__ = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, list) and sorted(self) == sorted(map(str, other))

    def __ne__(self, other: object) -> bool:
        return not self == other


def _elements(row: Row) -> list[str] | None:
    formula = row.get("formula")
    return _Elements(re.findall(r"[A-Z][a-z]?", formula)) if isinstance(formula, str) else None
