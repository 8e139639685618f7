"""Pages say of the models of the box what these say of themselves."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
BOX = ROOT / "src" / "atomlens" / "box"
MODELS = sorted(path.parent.name for path in BOX.glob("*/metrics.json"))
WORDS = {"yes": "passes", "no": "does not pass", "undecided": "undecided"}
"""Verdicts of the tables of the page, as `faithful` has them."""


def metrics(model: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((BOX / model / "metrics.json").read_text())
    return found


def rows(page: str, n_columns: int) -> list[list[str]]:
    """Return the rows of the tables of so many columns; an empty first cell is the one above."""
    found: list[list[str]] = []
    for line in (ROOT / "docs" / page).read_text().splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) != n_columns or cells[1].startswith("--"):
            continue
        found.append([cells[0] or found[-1][0], *cells[1:]])
    return found


@pytest.mark.parametrize("model", MODELS)
def test_the_page_of_the_box_has_the_errors_of_the_cards(model: str) -> None:
    parts = metrics(model)
    told = {row[1].split(" ")[0]: row for row in rows("box.md", 9) if row[0] == f"`{model}`"}
    assert set(told) == set(parts["test"]["targets"])
    for target, figures in parts["test"]["targets"].items():
        assert told[target][2] == f"{figures['mae']:.3g}", target
        assert told[target][6] == f"{figures['interval_coverage']:.1%}", target
    for row in rows("box.md", 8):
        if row[0] == f"`{model}`":
            assert row[4] == f"{parts['test']['targets'][row[1]]['mae']:.3g}", row[1]


def told_of_methods() -> dict[tuple[str, str, str], list[str]]:
    """Return the last row of the page for each model, property and method."""
    found = {}
    for row in rows("faithful.md", 6):
        named = re.match(r"`([\w-]+)`, (\w+)$", row[0])
        if named:
            found[named[1], named[2], row[1]] = row
    return found


@pytest.mark.parametrize("model", MODELS)
def test_the_page_about_faithfulness_has_the_figures_of_the_cards(model: str) -> None:
    told = {key[1:]: row for key, row in told_of_methods().items() if key[0] == model}
    recorded = {(t, m): r for t, of in metrics(model)["faithful"].items() for m, r in of.items()}
    assert set(told) == set(recorded)
    for key, record in recorded.items():
        assert WORDS[told[key][5]] == record["verdict"], key
        for meaning, cell in zip(("mask", "graph"), told[key][2:4], strict=True):
            figures = record["meanings"][meaning]
            asked = [figures[name] for name in ("deletion", "table", "untrained")]
            found = re.match(r"([\d.]+), .* \(([\d.]+)[^;]*; ([\d.]+)", cell)
            assert found is not None, cell
            assert list(found.groups()) == [f"{number:.2f}" for number in asked], (key, meaning)
