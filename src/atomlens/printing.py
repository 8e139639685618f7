"""Text from outside made safe to show: on one line, printable, of a bounded length.

Names of files, titles in files and cells of tables come from strangers. Whatever of them goes to
a terminal, a file or a message goes through here, so that no escape sequence, no byte that is no
text and no endless name leaves the program.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from reprlib import Repr
from typing import Any

LONGEST_NAME = 200
"""Letters of the name of a structure; longer ones are cut."""
LONGEST_MESSAGE = 2000
"""Letters of a message."""
_NAMED = 3
"""Names of those of which the same is said."""
_LONGEST_STEM = 120
"""Bytes of a file name without its ending; file systems take 255 with it."""

_SURROGATES = re.compile("[\ud800-\udfff]")
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
)
"""Control signs other than line feed and tab, and signs that turn the direction of writing."""
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_FORMULA = ("=", "+", "-", "@")


NO_STDIN = "standard input is not read; give a file"


def is_stdin(text: str) -> bool:
    """Say whether a text is how one calls standard input."""
    return re.fullmatch(r"-|/dev/(stdin|fd/0)|/proc/self/fd/0", text.strip()) is not None


def printable(text: str) -> str:
    """Return a text of any number of lines without what a terminal would obey.

    Bytes of a file name that are no text become the replacement sign, other control signs ``?``.
    """
    return _CONTROLS.sub("?", encodable(text))


def encodable(text: str) -> str:
    """Return a text that can be written as UTF-8: lone surrogates become the replacement sign."""
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)


def one_line(text: str) -> str:
    """Return a text without line breaks, and with ``?`` for what cannot be printed."""
    if text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()
    line = encodable(" ".join(text.split()))
    return line if line.isprintable() else "".join(c if c.isprintable() else "?" for c in line)


def few(names: Iterable[object], most: int = 12) -> str:
    """Return the first names and how many more there are, as part of a sentence; ``none`` of none.

    Names come from strangers, and there may be thousands.
    """
    known = [str(name) for name in names]
    return _with_more(known[:most], len(known))


def _with_more(first: Sequence[str], n: int) -> str:
    """Return the first of ``n`` names and how many more there are; ``none`` of none."""
    more = f" and {n - len(first)} more" if n > len(first) else ""
    return (", ".join(cut(one_line(name), 60) for name in first) or "none") + more


@dataclass(slots=True)
class Named:
    """The first names of those of which the same is said, and how many there are."""

    first: list[str] = field(default_factory=list)
    n: int = 0

    def add(self, name: str) -> None:
        """Take in one more."""
        self.n += 1
        self.first += [name] if self.n <= _NAMED else []

    def __str__(self) -> str:
        """Return the names as the beginning of a sentence; one alone is whole."""
        return self.first[0] if self.n == 1 else _with_more(self.first, self.n)


def none_of(names: Iterable[object]) -> str:
    """Return names behind a "no value of": ``a and b``; of more than five ``any of a, b ...``."""
    known = list(map(str, names))
    return f"any of {few(known, 5)}" if len(known) > 5 else " and ".join(known)


def cut(text: str, most: int) -> str:
    """Return a text, its end replaced by three dots if it is longer than ``most`` letters."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def origin_of(error: BaseException) -> str:
    """Return kind, place and words of an error, on one short line: ``KeyError at a.py:7: 'x'``."""
    import traceback

    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{PurePath(frame.filename).name}:{frame.lineno}"
    return f"{type(error).__name__} at {place}: {cut(one_line(str(error)[:1000]), 200)}"


def short(text: str) -> str:
    """Return a text in quotes, on one line and cut to a readable length."""
    return repr(cut(one_line(text[:240]), 60))


def clean_name(text: str) -> str:
    """Return the name of a structure as it is kept and shown; may be empty."""
    return cut(one_line(text[: 20 * LONGEST_NAME]), LONGEST_NAME)


class _Shown(Repr):
    """Short forms of values of any depth and size."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxdict, self.maxlist, self.maxtuple, self.maxset = 3, 4, 4, 4, 4
        self.maxstring, self.maxother, self.maxlong = 60, 60, 40

    def repr_int(self, x: Any, level: int) -> str:
        """Return a whole number; those that Python does not write out are only described."""
        if abs(x).bit_length() > 1000:
            return f"a whole number of {abs(x).bit_length()} bits"
        return super().repr_int(x, level)


_SHOWN = _Shown()


def shown(value: Any) -> str:
    """Return a value of a file as it can stand in a message: short, on one line."""
    return cut(one_line(_SHOWN.repr(value)), 100)


def kind_of_object(thing: Any) -> str:
    """Return the class of an object with its article: ``an Atoms object``."""
    if thing is None:
        return "None"
    name = one_line(type(thing).__name__)
    return f"{'an' if name[:1] in tuple('AEIOaeio') else 'a'} {name} object"


def percent(share: float) -> float | None:
    """Return a share in percent with one digit, cut and not rounded; None if it is no number.

    100 says that there is no more to come: 99.96 is not yet 100.
    """
    return math.floor(share * 10) / 10 if math.isfinite(share) else None


_OF_PYTHON = re.compile(
    r"indices must be|not subscriptable|not iterable|object is not|unsupported operand"
    r"|object cannot be|has no len\(\)|inhomogeneous|not supported between"
)
"""What Python and numpy say of values of other kinds than a program expects."""


def reason(problem: BaseException) -> str:
    """Return an exception of another package as part of one line."""
    if isinstance(problem, MemoryError):
        return "it needs more memory than there is"
    if isinstance(problem, RecursionError):
        return "it is nested too deeply"
    if isinstance(problem, KeyError) and problem.args and isinstance(problem.args[0], str):
        return f"{shown(problem.args[0])} is missing"
    words = one_line(str(problem)[:1000])
    if isinstance(problem, AttributeError | IndexError) or _OF_PYTHON.search(words):
        return "a part of it is missing or of another kind"
    if isinstance(problem, AssertionError) and not words:
        return "its parts do not fit together"
    text = f"{type(problem).__name__}: {words}" if words else type(problem).__name__
    return cut(text, 160)


def said_by_system(problem: OSError) -> str:
    """Return what the system, or a package in its name, says, without the name of the file."""
    text = problem.strerror or cut(one_line(str(problem)[:1000]), 160) or reason(problem)
    return f"{text[:1].lower()}{text[1:]}"


_OF_ONE = {"are": "is", "were": "was", "have": "has", "do": "does"}


def counted(n: int, noun: str, verb: str = "") -> str:
    """Return a number with its noun, maybe with a verb: ``1 line follows``, ``20 lines follow``."""
    said = f"{n:,} {noun}{'' if n == 1 else 's'}"
    if not verb:
        return said
    return f"{said} {_OF_ONE.get(verb, f'{verb}s') if n == 1 else verb}"


def cell(text: str) -> str:
    """Return a text as a cell of a table that no spreadsheet runs as a formula.

    A text that begins with ``=``, ``+``, ``-`` or ``@`` gets an apostrophe in front, unless it
    is a number; `uncell` takes it away again.
    """
    text = printable(text)
    begin = text.lstrip()
    if begin.startswith(_FORMULA) and not is_number(begin):
        return f"'{text}"
    return text


def uncell(text: str) -> str:
    """Return what `cell` was given."""
    return text[1:] if text.startswith("'") and text[1:].lstrip().startswith(_FORMULA) else text


def is_number(text: str) -> bool:
    """Say whether a text is a number as Python writes it."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def file_stem(name: str) -> str:
    """Return a name made safe for use as a file name, without ending, on every system."""
    last = PurePath(name.replace("\0", "_")).name
    safe = "".join(c if c.isalnum() or c in "-_.+" else "_" for c in encodable(last))
    while len(safe.encode()) > _LONGEST_STEM:
        safe = safe[: max(1, len(safe) * _LONGEST_STEM // (len(safe.encode()) + 1))]
    safe = safe.strip("._")
    return f"_{safe}" if _RESERVED.fullmatch(safe) else safe or "structure"
