"""The documentation builds as a site without a warning, and asks no other machine for anything."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_every_page_is_there_and_in_the_menu(site: Path) -> None:
    home = (site / "index.html").read_text(encoding="utf-8")
    for page in (ROOT / "docs").rglob("*.md"):
        built = page.relative_to(ROOT / "docs").with_suffix(".html")
        assert (site / built).is_file(), built
        assert f'href="{built.as_posix()}"' in home, built


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img|iframe)[^>]+src=\"?(https?:[^\"\s>]+)", text)
        loaded += re.findall(
            r"<link[^>]+rel=\"?(?:stylesheet|preconnect)[^>]+href=\"?(https?:\S+)", text
        )
        assert not loaded, (page.name, loaded[:3])


def test_the_reference_says_what_the_docstrings_say(site: Path) -> None:
    page = (site / "reference/training.html").read_text(encoding="utf-8")
    for words in ("Fold", "n_folds", "Largest step size of the optimiser", "median"):
        assert words in page
    tools = (site / "reference/tools.html").read_text(encoding="utf-8")
    assert "AtomlensCalculator" in tools
    assert "central differences" in tools


def test_the_changelog_is_the_one_of_the_repository(site: Path) -> None:
    assert "First light" in (site / "changelog.html").read_text(encoding="utf-8")
