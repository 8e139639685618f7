"""What the site needs beside mkdocs: decisions in the menu, files of the repository as text."""

import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[1] / "docs"
_LINK = re.compile(r"\[([^\]]+)\]\(((?:\.\./)+[^)#\s]+)(#[^)]*)?\)")


def on_config(config: Any) -> Any:
    """Put every decision record into the menu, and pages that nobody put anywhere, by heading."""
    listed = set(_paths(config["nav"]))
    others = [page for page in sorted(DOCS.rglob("*.md")) if page.parent.name != "decisions"]
    names = {page.relative_to(DOCS).as_posix(): page for page in others}
    more = [{_heading(page): name} for name, page in names.items() if name not in listed]
    if more:
        config["nav"].append({"More": more})
    pages = sorted((DOCS / "decisions").glob("*.md"))
    decisions = [{_heading(page): f"decisions/{page.name}"} for page in pages]
    config["nav"].append({"Decisions": decisions})
    return config


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Name files of the repository instead of linking to nowhere; show the changelog."""
    if page.file.src_path == "changelog.md":
        text = (DOCS.parent / "CHANGELOG.md").read_text(encoding="utf-8")
        return text.replace("](docs/", "](")
    here = (DOCS / page.file.src_path).parent

    def named(match: re.Match[str]) -> str:
        target = (here / match[2]).resolve()
        if target.is_relative_to(DOCS):
            return match[0]
        return f"{match[1]} (`{target.relative_to(DOCS.parent)}` in the repository)"

    return _LINK.sub(named, markdown)


def _paths(nav: Any) -> list[str]:
    """Return every page that the menu names."""
    if isinstance(nav, str):
        return [nav]
    entries = nav.values() if isinstance(nav, dict) else nav
    return [path for entry in entries for path in _paths(entry)]


def _heading(page: Path) -> str:
    first = page.read_text(encoding="utf-8").lstrip().splitlines()[0]
    return re.sub(r"^#\s*\d*\.?\s*", "", first)
