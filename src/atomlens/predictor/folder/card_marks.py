"""The marks of a model card: names that a browser shows as they are, and tables."""

import re
from collections.abc import Iterable, Sequence

from atomlens.printing import one_line
from atomlens.targets import Target
from atomlens.units import unit_text


def plain(text: str) -> str:
    """Return a name as plain text: no link, no picture, no tag in a card that a browser shows."""
    return re.sub(r"([\\\[\]<>`|*!])", r"\\\1", one_line(text))


def code(text: object) -> str:
    """Return a name between backticks."""
    return f"`{one_line(str(text)).replace('`', chr(39))}`"


def unit_of(target: Target) -> str:
    """Return its unit in brackets, behind a blank; empty if it has none."""
    return f" ({plain(unit_text(target.unit))})" if target.unit else ""


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table, whose cells may hold marks."""
    lines = [f"| {' | '.join(cells)} |" for cells in (heads, *rows)]
    return [lines[0], "|---" * len(heads) + "|", *lines[1:]]
