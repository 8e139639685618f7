"""Maps open in chemiscope's own viewer, in a real browser."""

import json
from pathlib import Path

import pytest
from chromium import Chromium

from atomlens.cli import main

chemiscope = pytest.importorskip("chemiscope")
VIEWER = Path(chemiscope.__file__).parent / "sphinx" / "static" / "chemiscope.min.js"
PAGE = """<!DOCTYPE html><meta charset="utf-8"><title>map</title>
<style>body {{ margin: 0; display: flex }} div {{ flex: none }}
#map, #structure {{ width: 600px; height: 600px }}</style>
<div><div id="meta"></div><div id="map"></div></div>
<div><div id="structure"></div><div id="info"></div></div>
<script src="{viewer}"></script>
<script>
window.problem = '';
const config = {{meta: 'meta', map: 'map', info: 'info', structure: 'structure'}};
Chemiscope.DefaultVisualizer.load(config, {content}).then((found) => {{
  window.seen = found;
  document.documentElement.dataset.ready = 'yes';
}}).catch((error) => {{
  window.problem = String(error);
  document.documentElement.dataset.ready = 'yes';
}});
</script>
"""

INSIDE = "[...document.querySelectorAll('*')].map((e) => e.shadowRoot).filter((root) => root)"


@pytest.mark.filterwarnings("ignore")
def test_the_map_of_a_study_is_walked_in_the_viewer(browser: Chromium, tmp_path: Path) -> None:
    path, smiles = tmp_path / "map.json", ["CCO", "CC", "c1ccccc1", "CC(=O)O", "CN"]
    typed = ["study", "embeddings", *smiles, "--model", "qm9", "--out", str(tmp_path / "study")]
    assert main([*typed, "--all", "--quiet", "--chemiscope", str(path)]) == 0
    page = tmp_path / "page.html"
    page.write_text(PAGE.format(viewer=VIEWER.as_uri(), content=path.read_text()))
    browser.open(page, width=1250, height=900)
    assert browser.run("problem") == ""
    assert browser.complaints == []
    browser.wait(f"{INSIDE}.some((root) => root.querySelector('canvas'))")  # map and structure
    browser.wait(f"{INSIDE}.some((root) => root.textContent.includes('map 2'))")  # an axis
    shown = json.loads(browser.run("JSON.stringify(seen.saveSettings())"))
    assert shown["map"]["x"]["property"] == "map 1"
    assert shown["map"]["color"]["property"] == "homo"
    assert shown["structure"][0]["color"]["property"] == "contribution"
    browser.run("seen.select(seen.indexer.fromStructure(2, 'structure'))")
    browser.wait(f"{INSIDE}.some((root) => root.textContent.includes('c1ccccc1'))")
