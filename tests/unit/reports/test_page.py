"""The page holds the numbers that went in, asks for nothing, and cannot be broken by a name."""

import hashlib
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111

from atomlens.errors import ExplanationError, SettingsError
from atomlens.reports.content import ExplainedStructure
from atomlens.reports.demo_page import write_index
from atomlens.reports.page import MAX_PICTURES, fill, resource, write_page
from explained_makers import explained, formula, water

HOSTILE = [
    "</script><script>document.title='broken'</script>",
    "\"quotes' & <b>tags</b>",
    "水 \u2028 µ \U0001f9ea",
    "{{style}} ${x} `tick` \\n",
    "<!-- <script>",
]
METRICS = {
    "mae": 0.12,
    "mae_mean": 0.44,
    "mae_ridge": 0.22,
    "unit": "eV",
    "n_train": 2500,
    "n_test": 500,
    "seconds": 187.0,
}
OWN_SCRIPTS = ["colours.js", "labels.js", "stage.js", "charts.js", "table.js", "downloads.js"]


class Reader(HTMLParser):
    """Collects elements, their attributes and the text of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.scripts: list[tuple[dict[str, str], str]] = []
        self.words: list[str] = []
        self._inside: str | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.elements.append((tag, attributes))
        self._inside = tag if tag in ("script", "style", "title") else self._inside
        if tag == "script":
            self.scripts.append((attributes, ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            attributes, text = self.scripts[-1]
            self.scripts[-1] = (attributes, text + data)
        elif self._inside != "style":
            self.words.append(data)


def page(tmp_path: Path, *structures: ExplainedStructure, **options: Any) -> str:
    return write_page(structures, tmp_path / "a.html", **options).read_text(encoding="utf-8")


def embedded(text: str) -> dict[str, Any]:
    data = [t for a, t in Reader(text).scripts if a.get("type") == "application/json"]
    assert len(data) == 1
    return json.loads(data[0])


def loads(text: str) -> Iterator[str]:
    """Yield every address that the page would fetch on its own."""
    for tag, attributes in Reader(text).elements:
        for name in ("src", "href", "srcset", "poster", "data", "action"):
            if name in attributes and not (tag == "a" and name == "href"):
                yield attributes[name]
    for style in re.findall(r"<style>(.*?)</style>", text, re.DOTALL):
        yield from re.findall(r"url\(([^)]*)\)", style)
        yield from re.findall(r"@import\s+(\S+)", style)


def test_the_embedded_numbers_are_those_that_went_in(tmp_path: Path) -> None:
    structure = explained(water())
    (data,) = embedded(page(tmp_path, structure))["structures"]
    assert data["scores"] == structure.scores.tolist()
    assert data["scores_std"] == structure.scores_std.tolist()
    assert data["symbols"] == ["O", "H", "H"]
    assert np.array(data["positions"]) == pytest.approx(structure.atoms.positions)
    assert data["prediction"] == structure.prediction
    assert data["prediction_text"] == "−6.42 ± 0.12 eV"
    assert data["baseline"] == pytest.approx(1 / 3)
    assert data["cell"] is None


def test_a_slab_keeps_its_cell_and_partial_periodicity(tmp_path: Path) -> None:
    slab = fcc111("Pt", (2, 2, 2), vacuum=6.0)
    (data,) = embedded(page(tmp_path, explained(slab)))["structures"]
    assert np.array(data["cell"]) == pytest.approx(slab.cell[:], abs=1e-6)
    assert data["pbc"] == [True, True, False]
    assert data["periodicity"] == "slab"
    assert len(data["scene"]["cell_edges"]) == 4


def test_atoms_drawn_twice_point_to_the_atom_they_copy(tmp_path: Path) -> None:
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    (data,) = embedded(page(tmp_path, explained(atoms)))["structures"]
    scene = data["scene"]
    assert len(scene["atom_index"]) == len(scene["positions"]) == 27
    assert set(scene["atom_index"]) == set(range(8))


def test_a_formula_has_parts_and_no_scene(tmp_path: Path) -> None:
    (data,) = embedded(page(tmp_path, explained(formula("Fe2O3"))))["structures"]
    assert data["is_formula"]
    assert data["scene"] is None
    assert data["formula_parts"] == [["Fe", 2], ["O", 3]]


def test_the_page_loads_nothing(tmp_path: Path) -> None:
    text = page(tmp_path, explained(water()), title="t", extra={"model": "m"})
    assert all(not address or address.startswith("data:") for address in loads(text))
    policy = next(
        a["content"]
        for t, a in Reader(text).elements
        if "content" in a and t == "meta" and a.get("http-equiv") == "Content-Security-Policy"
    )
    assert "default-src 'none'" in policy
    assert "http" not in policy


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_a_name(name: str, tmp_path: Path) -> None:
    structure = explained(water(), name=name, target=name, model=name, unit=name, method=name)
    text = page(tmp_path, structure, title=name, extra={name: name})
    (data,) = embedded(text)["structures"]
    assert data["name"] == data["target"] == data["model"] == name
    reader = Reader(text)
    assert len(reader.scripts) == 3
    assert name in "".join(reader.words)
    assert "b" not in {tag for tag, _ in reader.elements}


def test_several_structures_stay_in_order(tmp_path: Path) -> None:
    names = [f"number {i}" for i in range(MAX_PICTURES + 2)]
    text = page(tmp_path, *(explained(water(), name=n) for n in names))
    assert [d["name"] for d in embedded(text)["structures"]] == names
    assert list(stills(text)) == [str(i) for i in range(MAX_PICTURES)]


def stills(text: str) -> dict[str, str]:
    """The pictures for browsers without JavaScript or WebGL, by number of the structure."""
    (inside,) = re.findall(r'<noscript id="stills">(.*?)</noscript>', text, re.DOTALL)
    pictures = [a for tag, a in Reader(inside).elements if tag == "img"]
    return {a["data-structure"]: a["src"] for a in pictures}


def test_without_scripts_there_is_a_picture(tmp_path: Path) -> None:
    text = page(tmp_path, explained(formula("Fe2O3")))
    assert stills(text)["0"].startswith("data:image/png;base64,iVBOR")
    assert text.count("data:image/png") == 1  # held once, for the viewer as well
    text = page(tmp_path, explained(water()))
    assert stills(text)["0"].startswith("data:image/svg+xml;base64,")
    assert text.count("data:image/svg+xml") == 1


def test_a_page_says_when_scores_differ_little(tmp_path: Path) -> None:
    scores = np.array([0.94, 1.02, 1.04]) / 3
    (data,) = embedded(page(tmp_path, explained(water(), scores=scores)))["structures"]
    assert data["little_difference"] == "The scores differ little: 0.94 to 1.04 even shares."
    (data,) = embedded(page(tmp_path, explained(water())))["structures"]
    assert data["little_difference"] == ""


def test_the_same_input_gives_the_same_page(tmp_path: Path) -> None:
    assert page(tmp_path, explained(water())) == page(tmp_path, explained(water()))


def test_the_page_is_small_beside_the_viewer(tmp_path: Path) -> None:
    text = page(tmp_path, explained(water()))
    assert len(text) - len(resource("vendor/3Dmol-min.js")) < 150_000


def test_the_viewer_is_the_file_whose_sum_we_state_and_brings_its_licences(tmp_path: Path) -> None:
    library = files("atomlens.reports").joinpath("vendor/3Dmol-min.js").read_bytes()
    version = resource("vendor/VERSION")
    assert hashlib.sha256(library).hexdigest() in version
    text = page(tmp_path, explained(water()))
    for owner in (
        "University of Pittsburgh",
        "three.js Authors",
        "biochem_fan",
        "John Resig",
        "Vitaly Puzrin",
        "Photopea",
        "EDTSurf",
        "Simon Rodriguez",
    ):
        assert owner in text


def test_no_structures_and_bad_scores_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(ExplanationError, match="no explained structure"):
        write_page([], tmp_path / "a.html")
    with pytest.raises(ExplanationError, match="Give one number for each atom"):
        write_page([explained(water(), scores=np.ones(5))], tmp_path / "a.html")
    assert not list(tmp_path.iterdir())


def test_missing_numbers_become_null(tmp_path: Path) -> None:
    structure = explained(
        water(), prediction=float("nan"), std=None, baseline=None, scores_std=None
    )
    (data,) = embedded(page(tmp_path, structure))["structures"]
    assert data["prediction"] is None
    assert data["prediction_text"] == "– eV"
    assert data["baseline"] is None
    assert data["scores_std"] is None
    assert "no error estimate" in data["std_words"]


def test_what_is_put_into_a_template_is_not_read_again() -> None:
    assert fill("{{a}}-{{b}}", {"a": "{{b}}", "b": "x"}) == "{{b}}-x"


@pytest.mark.parametrize("name", [*OWN_SCRIPTS, "page.js", "demo.js"])
def test_our_scripts_write_no_markup_and_load_nothing(name: str) -> None:
    text = resource(name)
    for word in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "fetch(",
        "XMLHttpRequest",
        "import(",
        "</script",
    ):
        assert word not in text


def test_the_demo_page_shows_errors_figures_and_commands(tmp_path: Path) -> None:
    from atomlens.reports.figures import draw_parity

    figure = draw_parity([1, 2], [1, 2.1], target="x", unit="eV", path=tmp_path / "p.png")
    text = write_index(
        tmp_path / "index.html",
        title="A <demo>",
        metrics=METRICS,
        explained=[explained(water())],
        figures={"parity & more": figure},
        notes=["a < b"],
        commands=[("predict", 'atomlens predict demo/model "CCO" > out')],
    ).read_text(encoding="utf-8")
    words = "".join(Reader(text).words)
    for part in (
        "0.120 eV",
        "0.220 eV",
        "0.440 eV",
        "2,500",
        "500",
        "3.1 minutes",
        "A <demo>",
        "1.8 times smaller",
        "a < b",
        'atomlens predict demo/model "CCO" > out',
    ):
        assert part in words
    assert all(address.startswith("data:") for address in loads(text) if address)
    assert embedded(text)["structures"][0]["name"] == "sample"


def test_the_demo_page_says_when_the_model_is_worse(tmp_path: Path) -> None:
    path = write_index(tmp_path / "i.html", title="t", metrics=METRICS | {"mae": 0.44})
    text = path.read_text(encoding="utf-8")
    assert "needs more training" in text
    assert not [a for a, _ in Reader(text).scripts if a.get("type") == "application/json"]


def test_the_demo_page_names_missing_metrics_and_figures(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="lack mae_ridge, seconds"):
        write_index(
            tmp_path / "i.html",
            title="t",
            metrics={k: v for k, v in METRICS.items() if k not in ("mae_ridge", "seconds")},
        )
    with pytest.raises(SettingsError, match=r"no\.png: this figure cannot be read"):
        write_index(
            tmp_path / "i.html", title="t", metrics=METRICS, figures={"x": tmp_path / "no.png"}
        )


def test_an_odd_element_is_shown(tmp_path: Path) -> None:
    data = embedded(page(tmp_path, explained(Atoms("Og"))))
    assert data["scales"]["elements"]["Og"]["radius"] > 0
