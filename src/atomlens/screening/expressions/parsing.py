"""From what was typed to an `Expression`."""

import ast
import math
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, final

from atomlens.errors import SettingsError
from atomlens.printing import counted, short
from atomlens.screening.expressions.cells import Row, cell_of, is_number, plain_value
from atomlens.screening.expressions.compiler import ELEMENTS, Compiler
from atomlens.screening.expressions.evaluating import Evaluate
from atomlens.screening.expressions.hearing import NEITHER, CellsHeard, KnownHeard, Meeting

_LONGEST = 2000


@final
@dataclass(frozen=True, slots=True)
class Expression:
    """An expression over the columns of a row."""

    text: str
    names: frozenset[str]
    """The columns that it asks for."""
    as_numbers: frozenset[str]
    """Those of them whose cells may have to be numbers"""
    _evaluate: Evaluate
    _meetings: tuple["Meeting", ...] = ()
    _cells: tuple["CellsHeard", ...] = ()
    _known: "KnownHeard" = field(default_factory=KnownHeard)

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
        found = plain_value(self.value(row))
        if self._meetings and found is not None:
            self._meetings[0].hear(is_number(found))
        return float(found) if is_number(found) else math.nan

    def _hear_cells(self, row: Row) -> None:
        for one in self._cells:
            one.hear(cell_of(row, one.column))

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
        if "`" in _without_backticks(text, {}):
            raise SettingsError(
                f"{where}: a backtick (`) is not closed; a column with blanks or other signs in "
                "its name stands between two of them."
            ) from problem
        odd = [c for c in columns if not c.isidentifier() and c in text and f"`{c}`" not in text]
        meant = max(odd, key=len, default="")
        raise SettingsError(
            f"{where}: the column {meant} has other signs than letters, digits and _, so it stands "
            f"between backticks: `{meant}`."
            if meant
            else f'{where}: this is no expression ({said}); write it as in "gap > 1 and '
            'formation_energy < 0".'
        ) from problem
    held = {**dict.fromkeys(columns, "any"), **(kinds or {}), ELEMENTS: "list"}
    compiler = Compiler(where, held, quoted)
    names, evaluate = compiler.compiled(tree.body)
    if option != "--by" and kinds is not None:
        compiler.check_condition(tree.body)
    meetings = compiler.meetings
    follows = "no number, so the order says nothing" if option == "--by" else NEITHER
    advice = "look at what the column holds"
    if isinstance(tree.body, ast.Name) and follows == NEITHER:
        advice = compiler.comparing(tree.body)
    meetings = [compiler.meeting(tree.body, follows, advice), *meetings]
    numbers, texts, either = compiler.uses(tree.body, is_number=option == "--by")
    cells = tuple(CellsHeard(where, name) for name in sorted(numbers - texts))
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
