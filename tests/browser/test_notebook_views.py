"""Views of notebooks in a real browser."""

from pathlib import Path

from ase.build import bulk
from chromium import Chromium

import atomlens as al
from atomlens.reports.notebook import structure_html


def test_a_structure_draws_itself_in_a_frame_without_a_network(
    browser: Chromium, tmp_path: Path
) -> None:
    page = al.show(bulk("NaCl", "rocksalt", a=5.64, cubic=True)).to_html(tmp_path / "salt.html")
    browser.open(page)
    browser.wait("document.documentElement.dataset.drawn")
    assert int(browser.run("document.documentElement.dataset.drawn")) > 8  # copies on the faces
    assert browser.requests == [page.as_uri()]
    assert browser.complaints == []


def test_notebook_html_stands_in_a_page(browser: Chromium, tmp_path: Path) -> None:
    prediction = al.load("qm9").predict(["CCO", "CC"])
    atoms = al.read("CCO")[0]
    page = tmp_path / "cells.html"
    page.write_text(
        f"<html data-ready='yes'><body>{prediction._repr_html_()}{structure_html(atoms)}</body>"
    )
    browser.open(page)
    assert "C2H6O" in browser.run("document.body.innerText")
    assert browser.run("document.querySelector('iframe').getBoundingClientRect().height") == 380
    assert browser.complaints == []
