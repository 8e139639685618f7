"""The documentation, opened as files without a server: search, looks, and nothing complains."""

from pathlib import Path

import pytest
from chromium import Chromium


@pytest.mark.slow
def test_the_search_works_where_the_site_is_opened_as_a_file(browser: Chromium, site: Path) -> None:
    browser.requests.clear()
    browser.call("Page.navigate", url=(site / "studies" / "orbits.html").as_uri())
    browser.wait("document.readyState === 'complete' && !!document.querySelector('.md-search')")
    browser.run("document.querySelector('[data-md-component=search-query]').focus()")
    browser.call("Input.insertText", text="counterfactual")
    browser.wait(  # what was typed before the page listened is told again
        "(() => { const typed = document.querySelector('[data-md-component=search-query]'); "
        "for (const kind of ['focus', 'keyup', 'input']) "
        "typed.dispatchEvent(new Event(kind, {bubbles: true})); "
        "return document.querySelectorAll('.md-search-result__item').length > 0; })()"
    )
    first = browser.run("document.querySelector('.md-search-result__item a').href")
    assert "/counterfactuals.html" in first
    assert first.startswith("file:")
    assert all(url.startswith(("file:", "data:", "about:")) for url in browser.requests)


@pytest.mark.slow
def test_the_site_is_dark_where_the_system_is_whatever_it_was_before(
    browser: Chromium, site: Path
) -> None:
    for scheme, looks in (("light", "default"), ("dark", "slate"), ("light", "default")):
        wanted = {"name": "prefers-color-scheme", "value": scheme}
        browser.call("Emulation.setEmulatedMedia", features=[wanted])
        browser.call("Page.navigate", url="about:blank")
        browser.call("Page.navigate", url=(site / "view.html").as_uri())
        browser.wait("document.readyState === 'complete'")
        browser.wait(f"document.body.dataset.mdColorScheme === '{looks}'")
        paper = browser.run("getComputedStyle(document.body).backgroundColor")
        light = sum(int(part) for part in paper[4:-1].split(",")) > 384
        assert light == (scheme == "light"), paper
