"""Numbers with their nouns and verbs: ``1 line follows``, never ``1 lines follow``."""

import re
from pathlib import Path

import pytest

from atomlens.printing import counted


@pytest.mark.parametrize(
    ("n", "verb", "said"),
    [
        (1, "", "1 line"),
        (0, "follow", "0 lines follow"),
        (1, "follow", "1 line follows"),
        (1, "are", "1 line is"),
        (1, "were", "1 line was"),
        (1, "have", "1 line has"),
        (1200, "have", "1,200 lines have"),
    ],
)
def test_a_number_agrees_with_its_noun_and_verb(n: int, verb: str, said: str) -> None:
    assert counted(n, "line", verb) == said


def test_what_readers_count_is_said_with_counted() -> None:
    """A count in a message of a reader may be one; ``len(...)`` beside a plural is a slip."""
    root = Path(__file__).parents[2] / "src" / "atomlens" / "structures" / "formats"
    slip = re.compile(r"\{(?:n_rows|filled|len\((?:rows|atoms|positions|lines)\))\} [a-z]+s\b")
    slips = [
        f"{path.name}: {found[0]}"
        for path in sorted(root.glob("*.py"))
        for found in slip.finditer(path.read_text(encoding="utf-8"))
    ]
    assert not slips
