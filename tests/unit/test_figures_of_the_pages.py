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


QUOTED = {
    "CHANGELOG.md": ["formation energies {E:.3g} eV/atom, gaps {gap:.3g} eV"],
    "docs/accuracy.md": [
        "today {E:.3g}, {gap:.3g}, {n:.3f}, {K:.3g}",
        "Muon](#muon) in place of AdamW | **{E:.4f}** (four) | **{gap:.4f}**",
        "the four networks of today have {mp_E:.3g}",
    ],
    "docs/box.md": ["in the table above, {gap:.3g} and {mp_gap:.3g} eV, are of different sets"],
    "docs/claims-again.md": ["today's has {E:.3g}, and"],
    "docs/papers.md": [
        "E_f {E:.3g} eV/atom, gap {gap:.3g} eV, log K {K:.3g}, log G {G:.3g}, "
        "phonons {ph:.3g}, n {n:.3f}",
        "{homo:.1f}, {lumo:.1f}, {qm_gap:.1f} meV, {alpha:.3f}, {cv:.3g}; an ensemble of three",
        "{saved:.1f} % by the errors of the two cards ({E:.3g}, {mp_E:.3g};",
        "`lens` {mp_meV:.1f} on 94,222",
        "`lens` {mp_gap_meV:.0f} meV, the same ensemble",
    ],
}
"""Sentences elsewhere that quote errors of the box on its test parts."""


def quoted() -> dict[str, float]:
    error = {
        (model, target): figures["mae"]
        for model in MODELS
        for target, figures in metrics(model)["test"]["targets"].items()
    }
    found = {name: error["qm9", name] for name in ("alpha", "cv")}
    found |= {name: 1000 * error["qm9", name] for name in ("homo", "lumo")}
    found |= {"qm_gap": 1000 * error["qm9", "gap"]}
    found |= {"E": error["formula-formation-energy", "formation_energy"]}
    found |= {"gap": error["formula-gap", "band_gap"]}
    found |= {"K": error["formula-moduli", "log_bulk_modulus"]}
    found |= {"G": error["formula-moduli", "log_shear_modulus"]}
    found |= {"ph": error["formula-phonons", "last_phonon_peak"]}
    found |= {"n": error["formula-refractive-index", "refractive_index"]}
    found |= {"mp_E": error["mp", "formation_energy"], "mp_gap": error["mp", "band_gap"]}
    found |= {"mp_meV": 1000 * found["mp_E"], "mp_gap_meV": 1000 * found["mp_gap"]}
    return found | {"saved": 100 * (1 - found["mp_E"] / found["E"])}


@pytest.mark.parametrize("page", QUOTED)
def test_what_other_pages_quote_of_the_box_is_what_the_cards_say(page: str) -> None:
    text = (ROOT / page).read_text()
    for sentence in QUOTED[page]:
        assert sentence.format(**quoted()) in text


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
