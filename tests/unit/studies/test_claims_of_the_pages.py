"""The verdicts of the documentation: one record, and pages that say the same."""

import csv
import re
from pathlib import Path
from typing import get_args

import pytest

from atomlens.studies.base import Verdict

DOCS = Path(__file__).parents[3] / "docs"
VERDICTS = get_args(Verdict)
CLAIMS = [f"S{i}" for i in range(1, 13)] + [f"A{i}" for i in range(1, 6)]
CLAIMS += [f"F{i}" for i in range(1, 12)]


def record() -> dict[str, str]:
    with (DOCS / "claims.csv").open() as file:
        return {row["claim"]: row["verdict"] for row in csv.DictReader(file)}


def table_rows(page: str) -> list[list[str]]:
    """Cells of the rows that begin with claims."""
    lines = (DOCS / page).read_text().splitlines()
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in lines
        if re.match(r"\| [SAF]\d+\b", line)
    ]


def test_every_claim_has_one_verdict_of_the_four_words() -> None:
    assert list(record()) == CLAIMS
    assert set(record().values()) <= set(VERDICTS)


def test_the_pages_of_the_record_exist() -> None:
    with (DOCS / "claims.csv").open() as file:
        assert all((DOCS / row["page"]).is_file() for row in csv.DictReader(file))


@pytest.mark.parametrize(("page", "column"), [("studies.md", 1), ("finder-claims.md", 2)])
def test_the_tables_say_what_the_record_says(page: str, column: int) -> None:
    rows = table_rows(page)
    assert len(rows) > 10
    for cells in rows:
        named = re.match(r"([SAF]\d+(?:, [SAF]\d+)*)", cells[0])
        assert named is not None
        for claim in named.group(1).split(", "):
            assert cells[column] == record()[claim], (page, claim)
