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


def test_the_page_of_the_box_says_what_the_record_says() -> None:
    """A claim with several rows holds if all do; one that fails decides, then one of controls."""
    with (DOCS / "claims.csv").open() as file:
        recorded = {row["claim"]: row["verdict of the box"] for row in csv.DictReader(file)}
    found: dict[str, set[str]] = {}
    for cells in table_rows("claims-again.md"):
        if len(cells) != 5:  # the numbers of a claim, training by training
            continue
        verdict = re.sub(r"\*|, \d+ of \d+$", "", cells[3])
        found.setdefault(cells[0].split()[0], set()).add(verdict)
    assert len(found) > 10
    assert {claim for claim, verdict in recorded.items() if verdict} == set(found)
    strictest = ("fails", "as much in controls", "not tested", "holds")
    for claim, verdicts in found.items():
        assert verdicts <= set(VERDICTS), (claim, verdicts)
        assert recorded[claim] == next(v for v in strictest if v in verdicts), claim
