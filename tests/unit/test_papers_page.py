"""The page of the papers has a row for every table and figure, and no row leaves a question."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PANELS = {
    "P Fig. 4": "ab",
    "P Fig. 5": "ab",
    "F Fig. 4": "ab",
    "F Fig. 5": "abcdef",
    "F Fig. 6": "abcdef",
}
"""Figures of which the parts are different things."""
FIGURES = {"P": 7, "A": 3, "F": 6}
TABLES = {"P": ("I", "II"), "N": ("1", "2"), "A": ("I", "II", "III"), "F": ("1", "2", "3", "4")}
EVERYTHING = [f"{paper} Table {n}" for paper, numbers in TABLES.items() for n in numbers]
EVERYTHING += [
    f"{figure}{panel}"
    for paper, n in FIGURES.items()
    for figure in (f"{paper} Fig. {k}" for k in range(1, n + 1))
    for panel in PANELS.get(figure, ("",))
]


def rows() -> list[list[str]]:
    """Cells of the three tables that begin with a paper."""
    lines = (DOCS / "papers.md").read_text().splitlines()
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in lines
        if re.match(r"\| [PNAF] ?(?:Table|Fig\.|text|data|code|methods|supplement|:|,)", line)
        or re.match(r"\| [PNAF], ", line)
    ]


def named(cell: str) -> list[str]:
    """What a row is about: ``P Table II, N Table 1: ...`` and ``F Fig. 5c, 5d: ...``."""
    found, paper, kind = [], "", ""
    for part in cell.split(":")[0].split(", "):
        whole = re.fullmatch(r"([PNAF]) (Table|Fig\.) (\w+)", part)
        if whole is not None:
            paper, kind = whole[1], whole[2]
            found.append(part)
        elif kind and re.fullmatch(r"\d[a-f]?", part):
            found.append(f"{paper} {kind} {part}")
    return found


@pytest.mark.parametrize("what", EVERYTHING)
def test_every_table_and_figure_has_a_row(what: str) -> None:
    assert what in {name for cells in rows() for name in named(cells[0])}


def test_no_row_leaves_out_our_number_its_page_or_its_compute() -> None:
    found = rows()
    assert len(found) > 40
    for cells in found:
        assert len(cells) == 5, cells[0]
        assert all(cells), cells[0]


def test_what_was_not_made_says_why_or_what_it_would_cost() -> None:
    for cells in rows():
        if re.search(r"not run|not made|out of reach", cells[2]):
            assert re.search(
                r"\d ?(?:CPU|GPU|s\b|targets)|at hand|deposit|package|download|GPL|network",
                cells[2],
            ), cells[0]
