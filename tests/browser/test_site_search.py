"""The documentation, opened as files without a server: the search works, and nothing complains."""

import subprocess
import sys
from pathlib import Path

import pytest
from chromium import Chromium

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_search_works_where_the_site_is_opened_as_a_file(
    browser: Chromium, tmp_path: Path
) -> None:
    pytest.importorskip("material")
    pytest.importorskip("mkdocstrings")
    typed = [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(typed, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    url = (tmp_path / "site" / "studies" / "orbits.html").as_uri()
    browser.call("Page.navigate", url=url)
    browser.wait("document.readyState === 'complete' && !!document.querySelector('.md-search')")
    browser.run("document.querySelector('[data-md-component=search-query]').focus()")
    browser.call("Input.insertText", text="counterfactual")
    found = "document.querySelectorAll('.md-search-result__item').length"
    browser.wait(f"{found} > 0")
    first = browser.run("document.querySelector('.md-search-result__item a').href")
    assert "/counterfactuals.html" in first
    assert first.startswith("file:")
    assert all(url.startswith(("file:", "data:", "about:")) for url in browser.requests)
