"""The page as a reader meets it: from a file, in a real browser."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk, molecule
from ase.io import read
from chromium import Chromium
from matplotlib import image

from atomlens.reports.colours import SCORE_COLOURS, atom_colours
from atomlens.reports.content import ScoredEdges
from atomlens.reports.demo_page import write_index
from atomlens.reports.page import write_page
from atomlens.reports.scene import build_scene
from atomlens.structures import to_atoms
from explained_makers import HOSTILE_NAME, explained


def shown(browser: Chromium) -> dict[str, str]:
    return json.loads(browser.run("JSON.stringify(document.documentElement.dataset)"))


def place(browser: Chromium, atom: int) -> tuple[float, float]:
    """Return where an atom is drawn in the window."""
    spot = browser.run(
        f"(() => {{ const s = atomlens.stage.seen()[{atom}], "
        "b = document.getElementById('gl').getBoundingClientRect(); "
        "return [s.x + b.left, s.y + b.top]; })()"
    )
    return spot[0], spot[1]


def rows(browser: Chromium, state: str = "") -> list[int]:
    return browser.run(
        f"[...document.querySelectorAll('tbody tr{state}')].map((r) => Number(r.dataset.atom))"
    )


def test_the_page_opens_from_a_file_and_asks_for_nothing(
    browser: Chromium, methanol_page: Path
) -> None:
    browser.open(methanol_page)
    assert shown(browser)["renderer"] == "webgl"
    assert browser.requests == [methanol_page.as_uri()]
    assert browser.complaints == []
    text = browser.run("document.body.innerText")
    for part in ("methanol", "−6.42 ± 0.12 eV", "ensemble", "What it does not mean"):
        assert part in text


def test_code_in_sentences_is_code_and_nothing_is_in_backticks(
    browser: Chromium, tmp_path: Path
) -> None:
    structure = explained(
        molecule("CH3OH"), method="contribution", warning="Raise `cutoff` & <b>read</b> `--help`."
    )
    browser.open(write_page([structure], tmp_path / "page.html", extra={"made by": "`atomlens x`"}))
    assert "`" not in browser.run("document.body.innerText")
    found = browser.run("[...document.querySelectorAll('p code')].map((c) => c.textContent)")
    assert {"cutoff", "--help", "atomlens x"} == set(found)
    assert "& <b>read</b>" in browser.run("document.getElementById('warning').textContent")


def test_atoms_are_marked_where_the_viewer_draws_them(
    browser: Chromium, methanol_page: Path
) -> None:
    browser.open(methanol_page)
    browser.run("void atomlens.stage.viewer.rotate(30, 'y').zoom(1.2)")
    ours = np.array([place(browser, i) for i in range(6)])
    theirs = browser.run(
        "atomlens.stage.viewer.modelToScreen(atomlens.stage.drawn.map(({x, y, z}) => ({x, y, z})))"
    )
    scroll = browser.run("[scrollX, scrollY]")
    assert ours == pytest.approx(np.array([[p["x"], p["y"]] for p in theirs]) - scroll, abs=0.6)


def test_the_first_view_is_that_of_the_picture(browser: Chromium, methanol_page: Path) -> None:
    browser.open(methanol_page)
    atoms = molecule("CH3OH")
    on_paper = atoms.positions @ build_scene(atoms).rotation[:2].T
    on_screen = np.array([place(browser, i) for i in range(6)]) * (1, -1)
    for axis in (0, 1):
        assert np.corrcoef(on_paper[:, axis], on_screen[:, axis])[0, 1] > 0.99


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (1000, 700), (420, 800)])
def test_the_first_view_holds_all_atoms_however_tall_the_stage_has_become(
    browser: Chromium, tmp_path: Path, width: int, height: int
) -> None:
    atoms = molecule("trans-butane")
    atoms.numbers[:6] = [6, 7, 8, 9, 16, 17]  # rows of the chart, which the stage grows with
    ends = np.stack([np.arange(14), np.roll(np.arange(14), 1)], axis=1)
    edges = ScoredEdges(
        ends=ends,
        lengths=np.linalg.norm(atoms.positions[ends[:, 0]] - atoms.positions[ends[:, 1]], axis=1),
        scores=np.arange(14.0),
    )
    page = write_page([explained(atoms, edges=edges), explained(atoms)], tmp_path / "page.html")
    browser.open(page, width=width, height=height)
    browser.run("new Promise((seen) => setTimeout(seen, 400))")
    assert browser.run(
        "(() => { const {clientWidth: w, clientHeight: h} = atomlens.stage.root; return "
        "atomlens.stage.seen().every((s) => s.x > s.r && s.x + s.r < w && s.y > s.r && "
        "s.y + s.r < h); })()"
    )
    browser.run("void atomlens.stage.viewer.rotate(30, 'y')")
    turned = browser.run("String(atomlens.stage.viewer.getView())")
    browser.resize(width, height + 200)
    browser.run("new Promise((seen) => setTimeout(seen, 300))")
    assert browser.run("String(atomlens.stage.viewer.getView())") == turned


def test_atoms_have_the_colours_of_the_scale(
    browser: Chromium, methanol_page: Path, tmp_path: Path
) -> None:
    browser.open(methanol_page)
    browser.run("atomlens.stage.set({labels: 'none'})")
    last = browser.run("atomlens.structure.order[0]")
    x, y = place(browser, last)
    pixels = image.imread(browser.screenshot(tmp_path / "a.png"))[..., :3] * 255
    seen = pixels[round(y), round(x)]
    wanted = [int(SCORE_COLOURS[-1][i : i + 2], 16) for i in (1, 3, 5)]
    assert seen == pytest.approx(wanted, abs=14)


def test_pointing_at_an_atom_lights_its_row_and_the_other_way_round(
    browser: Chromium, methanol_page: Path
) -> None:
    browser.open(methanol_page)
    browser.move(*place(browser, 1))
    assert rows(browser, ".hot") == [1]
    browser.move(*browser.centre("tr[data-atom='0']"))
    assert browser.run("atomlens.stage.hot") == 0


def test_a_click_chooses_an_atom_and_a_click_beside_it_lets_go(
    browser: Chromium, methanol_page: Path
) -> None:
    browser.open(methanol_page)
    browser.click(*place(browser, 0))
    assert shown(browser)["chosen"] == "0"
    assert rows(browser, ".chosen") == [0]
    left, top = browser.run(
        "(({left, top}) => [left, top])(document.getElementById('stage').getBoundingClientRect())"
    )
    browser.click(left + 6, top + 6)
    assert shown(browser)["chosen"] == ""


def test_what_raises_and_lowers_the_value_stands_by_size_and_adds_up_above_the_table(
    browser: Chromium, tmp_path: Path
) -> None:
    scores = np.array([0.1, -0.5, 0.02, 0.3, -0.01, 0.0])
    structure = explained(
        molecule("CH3OH"),
        method="contribution",
        baseline=0.0,
        scores=scores,
        offset=-6.5,
        prediction=-6.5 + scores.sum(),
    )
    browser.open(write_page([structure], tmp_path / "page.html"))
    heading = "document.querySelector('th[data-key=score]')"
    assert rows(browser) == [1, 3, 0, 2, 4, 5]
    assert browser.run(f"{heading}.ariaSort") == "other"
    assert browser.run("document.getElementById('sum').textContent") == (
        "−6.500 (mean of the training values) − 0.090 (sum of the atoms) = −6.590 eV."
    )
    for order in ([3, 0, 2, 5, 4, 1], [1, 4, 5, 2, 0, 3], [1, 3, 0, 2, 4, 5]):
        browser.run(f"{heading}.querySelector('button').click()")
        assert rows(browser) == order


def test_the_table_sorts_by_any_column(browser: Chromium, methanol_page: Path) -> None:
    browser.open(methanol_page)
    assert rows(browser) == [5, 4, 3, 2, 1, 0]
    browser.click(*browser.centre("th[data-key='index'] button"))
    assert rows(browser) == [0, 1, 2, 3, 4, 5]
    browser.click(*browser.centre("th[data-key='z'] button"))
    z = molecule("CH3OH").positions[:, 2]
    assert z[rows(browser)] == pytest.approx(np.sort(z))
    assert browser.run("document.querySelector('th[data-key=z]').ariaSort") == "ascending"


def test_the_keyboard_walks_the_table_and_chooses(browser: Chromium, methanol_page: Path) -> None:
    browser.open(methanol_page)
    browser.run("document.querySelector('tbody tr').focus()")
    browser.press("ArrowDown")
    browser.press("ArrowDown")
    assert rows(browser, ".hot") == [3]
    browser.press("Enter")
    assert shown(browser)["chosen"] == "3"
    browser.press("Escape")
    assert shown(browser)["chosen"] == ""


def test_the_keyboard_turns_the_structure(browser: Chromium, methanol_page: Path) -> None:
    browser.open(methanol_page)
    first = browser.run("atomlens.stage.viewer.getView()")
    browser.run("document.getElementById('stage').focus()")
    browser.press("ArrowLeft")
    browser.press("+")
    assert browser.run("atomlens.stage.viewer.getView()") != first
    browser.press("0")
    assert browser.run("atomlens.stage.viewer.getView()") == pytest.approx(first, abs=1e-6)


def test_colours_around_the_even_share_are_shown_everywhere(
    browser: Chromium, methanol_page: Path
) -> None:
    browser.open(methanol_page)
    first = browser.run("document.querySelector('tr[data-atom=\"0\"] i').style.background")
    browser.click(*browser.centre("[data-colours='baseline']"))
    assert shown(browser)["mode"] == "baseline"
    now = browser.run("document.querySelector('tr[data-atom=\"0\"] i').style.background")
    assert now != first
    style = "getComputedStyle(document.querySelector('{}'))"
    dot = browser.run(style.format('circle[data-atom="0"]') + ".fill")
    assert dot == browser.run(style.format('tr[data-atom="0"] i') + ".backgroundColor")
    assert "even share 1/6" in browser.run("document.getElementById('legend').innerText")


def test_the_downloads_hold_the_same_numbers(
    browser: Chromium, many_page: Path, tmp_path: Path
) -> None:
    browser.open(many_page.as_uri() + "#1")
    layer = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    expected = explained(layer)
    path = tmp_path / "a.extxyz"
    path.write_text(browser.run("atomlens.extxyz()"), encoding="utf-8")
    back = read(path)
    assert back.positions == pytest.approx(layer.positions)
    assert back.pbc.tolist() == [True, True, False]
    assert back.arrays["attention"].tolist() == expected.scores.tolist()
    assert back.info["homo"] == expected.prediction
    table = np.genfromtxt(
        io.StringIO(browser.run("atomlens.csv()")),
        delimiter=",",
        names=True,
        dtype=None,
        encoding="utf-8",
    )
    assert table["score"].tolist() == expected.scores.tolist()
    assert table["score_over_baseline"] == pytest.approx(expected.scores * 8)


def test_names_that_look_like_markup_are_shown_as_they_are(
    browser: Chromium, many_page: Path, tmp_path: Path
) -> None:
    browser.open(many_page)
    assert browser.run("document.getElementById('name').textContent") == HOSTILE_NAME
    assert browser.run("document.title") == HOSTILE_NAME
    assert browser.run("document.querySelectorAll('#name b, .page-head b').length") == 0
    path = tmp_path / "a.extxyz"
    path.write_text(browser.run("atomlens.extxyz()"), encoding="utf-8")
    assert read(path).info["name"] == HOSTILE_NAME
    assert browser.complaints == []


def test_structures_are_found_by_name_and_walked_with_arrows(
    browser: Chromium, many_page: Path
) -> None:
    browser.open(many_page)
    browser.run("document.getElementById('picker-list').focus()")
    browser.press("ArrowDown")
    assert browser.run("document.getElementById('name').textContent") == "layer"
    browser.run(
        "(() => { const s = document.getElementById('picker-search'); s.value = 'fe2';"
        " s.dispatchEvent(new Event('input')); })()"
    )
    visible = "[...document.querySelectorAll('#picker-list li')].filter((i) => !i.hidden)"
    assert browser.run(f"{visible}.map((i) => i.querySelector('b').textContent)") == ["rust"]


def test_copies_of_an_atom_are_the_atom(browser: Chromium, many_page: Path) -> None:
    browser.open(many_page.as_uri() + "#1")
    copies = browser.run("atomlens.stage.drawn.map((d) => d.atom)")
    atom = copies[-1]
    assert len(copies) > 8 > atom
    browser.run(f"atomlens.choose({atom})")
    assert rows(browser, ".chosen") == [atom]
    assert browser.run("atomlens.stage.structure.scene.cell_edges.length") == 4


def test_a_formula_shows_its_composition(browser: Chromium, many_page: Path) -> None:
    browser.open(many_page.as_uri() + "#2")
    assert shown(browser)["renderer"] == "composition"
    text = browser.run("document.getElementById('composition').innerText")
    assert "Fe 40 %" in text
    assert "O × 3" in text
    assert browser.run("document.querySelector('[data-colours=baseline]').disabled")
    assert "x / Å" not in browser.run("document.querySelector('thead').innerText")


def test_equal_scores_are_said_to_be_equal(browser: Chromium, many_page: Path) -> None:
    browser.open(many_page.as_uri() + "#3")
    assert "same within 1 %" in browser.run("document.getElementById('legend').innerText")
    assert browser.run("new Set(atomlens.stage.drawn.map((d) => d.colour)).size") == 1


@pytest.mark.parametrize("page", ["methanol_page", "many_page"])
def test_nothing_sticks_out_of_a_narrow_window(
    browser: Chromium, page: str, request: pytest.FixtureRequest
) -> None:
    browser.open(request.getfixturevalue(page), width=390, height=600, touch=True)
    for width in (340, 390, 700, 1000):
        browser.resize(width, 600, touch=width < 500)
        assert browser.run("innerWidth") == width
        assert browser.run("document.documentElement.scrollWidth") <= width


def test_the_demo_page_fits_a_phone(browser: Chromium, tmp_path: Path) -> None:
    path = write_index(
        tmp_path / "index.html",
        title="A demo with a rather long title in its first line",
        metrics={
            "mae": 0.1,
            "mae_mean": 0.4,
            "mae_ridge": 0.2,
            "unit": "eV",
            "n_train": 2500,
            "n_test": 500,
            "seconds": 150.0,
            "model": "scann-plus",
        },
        explained=[explained(molecule("CH4"))],
        commands=[("predict", "atomlens predict demo/model a_long_file_name.xyz --out table.csv")],
    )
    browser.open(path, width=360, height=800, touch=True)
    assert browser.run("document.documentElement.scrollWidth") <= 360
    assert browser.complaints == []


def test_dark_mode_is_dark_and_its_text_light(browser: Chromium, methanol_page: Path) -> None:
    browser.open(methanol_page, dark=True)
    luminance = "((c) => c.match(/\\d+/g).slice(0, 3).reduce((a, b) => a + Number(b), 0) / 765)"
    background = browser.run(f"{luminance}(getComputedStyle(document.body).backgroundColor)")
    ink = browser.run(f"{luminance}(getComputedStyle(document.body).color)")
    assert background < 0.15
    assert ink > 0.75


def test_a_tap_chooses_an_atom(browser: Chromium, methanol_page: Path) -> None:
    browser.open(methanol_page, width=390, height=844, touch=True)
    browser.centre("#stage")
    x, y = place(browser, 1)
    browser.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
    browser.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    assert shown(browser)["chosen"] == "1"


@pytest.mark.slow
def test_a_crystal_of_five_thousand_atoms_opens(browser: Chromium, tmp_path: Path) -> None:
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True) * (9, 9, 8)
    path = write_page([explained(atoms)], tmp_path / "big.html")
    browser.open(path, width=600, height=500)
    assert browser.run("atomlens.stage.drawn.length") == len(atoms) == 5184
    assert shown(browser)["rows"] == "500"
    browser.run("atomlens.choose(0)")
    assert rows(browser, ".chosen") == [0]


def test_the_saved_picture_is_larger_than_the_view(browser: Chromium, methanol_page: Path) -> None:
    browser.open(methanol_page, width=500, height=480)
    size = browser.run(
        "new Promise((done) => { HTMLCanvasElement.prototype.toBlob = function () {"
        " const pen = this.getContext('2d').getImageData(0, 0, this.width, this.height).data;"
        " let coloured = 0;"
        " for (let i = 0; i < pen.length; i += 4) coloured += pen[i] > pen[i + 2] + 60;"
        " done([this.width, this.height, coloured]); };"
        " document.getElementById('save-png').click(); })"
    )
    assert size[0] > 800
    assert size[1] > 700
    assert size[2] > 1000


def test_without_webgl_the_page_shows_its_picture(
    methanol_page: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    plain = Chromium(tmp_path_factory.mktemp("plain"), "--disable-3d-apis")
    try:
        plain.open(methanol_page)
        assert shown(plain)["renderer"] == "picture"
        assert plain.run("document.getElementById('picture').naturalWidth") > 300
        assert rows(plain) == [5, 4, 3, 2, 1, 0]
        assert plain.run("document.querySelector('.toolbar').hidden")
        assert [r for r in plain.requests if not r.startswith("data:")] == [methanol_page.as_uri()]
    finally:
        plain.close()


def test_without_scripts_the_page_shows_its_picture(browser: Chromium, many_page: Path) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.call("Page.navigate", url=many_page.as_uri())
        browser.wait("document.readyState === 'complete'")
        widths = browser.run("[...document.querySelectorAll('.still img')].map((i) => i.width)")
        assert len(widths) == 4
        assert min(widths) > 300
        assert browser.run("document.getElementById('viewer').hidden")
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


def test_print_has_the_structure_as_it_is_seen(browser: Chromium, methanol_page: Path) -> None:
    browser.open(methanol_page, dark=True)
    browser.run("dispatchEvent(new Event('beforeprint'))")
    browser.call("Emulation.setEmulatedMedia", media="print")
    snapshot = "document.querySelector('.snapshot canvas')"
    assert browser.run(f"{snapshot}.getBoundingClientRect().height") > 200
    assert (
        browser.run(
            f"(() => {{ const c = {snapshot}; let n = 0;"
            " const pen = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
            " for (let i = 0; i < pen.length; i += 4) n += pen[i] > pen[i + 2] + 60; return n; })()"
        )
        > 1000
    )
    assert browser.run("getComputedStyle(document.getElementById('gl')).display") == "none"
    assert browser.run("getComputedStyle(document.body).color") == "rgb(29, 36, 43)"
    assert browser.run("document.getElementById('scroll').scrollHeight") <= browser.run(
        "document.getElementById('scroll').clientHeight"
    )
    browser.call("Emulation.setEmulatedMedia", media="")


def test_scores_have_their_unit_wherever_they_stand(browser: Chromium, tmp_path: Path) -> None:
    changes = explained(
        molecule("CH3OH"), scores=np.linspace(-0.2, 0.4, 6), baseline=0.0, score_unit="eV"
    )
    browser.open(write_page([changes], tmp_path / "a.html"))
    assert browser.run("document.getElementById('legend').textContent").endswith(
        "0.400 eVno effect"
    )
    headings = browser.run("[...document.querySelectorAll('h3')].map((h) => h.textContent)")
    assert headings[:2] == ["Scores by element · scores in eV", "Atoms · scores in eV"]
    assert "0.400 eV" in browser.run("document.querySelector('#chart title').textContent")


def test_scores_that_differ_little_are_pale_and_it_is_said(
    browser: Chromium, tmp_path: Path
) -> None:
    scores = np.linspace(0.94, 1.04, 6) / 6
    path = write_page([explained(molecule("CH3OH"), scores=scores)], tmp_path / "a.html")
    browser.open(path)
    assert "differ little: 0.94 to 1.04" in browser.run(
        "document.getElementById('legend').textContent"
    )
    colour = browser.run("atomlens.stage.drawn.find((d) => d.atom === 5).colour")
    assert 0 < SCORE_COLOURS.index(colour) < len(SCORE_COLOURS) / 3


@pytest.mark.parametrize("labels", ["symbols", "numbers", "scores"])
def test_labels_do_not_pile_up(browser: Chromium, tmp_path: Path, labels: str) -> None:
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True) * (2, 2, 2)
    browser.open(write_page([explained(atoms)], tmp_path / "a.html"), width=900, height=600)
    boxes = browser.run(
        "(() => { const boxes = [], fill = CanvasRenderingContext2D.prototype.fillText;"
        " CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {"
        "  const size = parseFloat(this.font.match(/([\\d.]+)px/)[1]);"
        "  boxes.push([x, y, this.measureText(text).width / 2, size * 0.36]); };"
        f" atomlens.stage.set({{ labels: '{labels}', cell: false }});"
        " CanvasRenderingContext2D.prototype.fillText = fill; return boxes; })()"
    )
    boxes = sorted(set(map(tuple, boxes)))  # the view may have been drawn twice
    assert len(boxes) > 3
    piled = [
        (a, b)
        for i, a in enumerate(boxes)
        for b in boxes[:i]
        if abs(a[0] - b[0]) < a[2] + b[2] and abs(a[1] - b[1]) < a[3] + b[3]
    ]
    assert piled == []


def test_plots_of_the_demo_are_dark_in_the_dark(browser: Chromium, tmp_path: Path) -> None:
    from atomlens.reports.figures import draw_parity

    plot = draw_parity([0, 1], [0, 1], target="x", unit="", path=tmp_path / "plot.png")
    metrics = {"mae": 1.0, "mae_mean": 2.0, "mae_ridge": 1.5, "unit": "eV"}
    page = write_index(
        tmp_path / "index.html",
        title="demo",
        metrics=metrics | {"n_train": 10, "n_test": 2, "seconds": 3.0},
        explained=[explained(molecule("CH3OH"))],
        figures={"parity": plot},
    )

    def corner(dark: bool) -> float:
        browser.open(page, width=900, height=900, dark=dark)
        x, y = browser.centre(".figures img")
        picture = image.imread(io.BytesIO(browser.screenshot(tmp_path / "s.png").read_bytes()))
        box = browser.run(
            "(() => { const b = document.querySelector('.figures img').getBoundingClientRect();"
            " return [b.left, b.top, b.width, b.height]; })()"
        )
        assert box[0] < x < box[0] + box[2]
        return float(np.median(picture[int(box[1]) + 5 : int(y), int(x) - 100 : int(x) + 100, :3]))

    assert corner(dark=False) > 0.9
    assert corner(dark=True) < 0.2


def test_a_molecule_is_shown_on_paper_with_its_groups(browser: Chromium, tmp_path: Path) -> None:
    atoms = to_atoms("smiles:CC(=O)OC")
    scores = np.zeros(len(atoms))
    scores[2], scores[3] = -0.4, 0.2
    structure = explained(atoms, scores=scores, scores_std=None, baseline=0.0, score_unit="eV")
    browser.open(write_page([structure], tmp_path / "page.html"))
    browser.click(*browser.centre("[data-draw='2d']"))
    assert shown(browser)["renderer"] == "drawing"
    discs = browser.run(
        "[...document.querySelectorAll('.disc')].map((d) => d.getAttribute('fill'))"
    )
    assert discs == atom_colours(scores[:5], 0.0)
    first = "document.querySelector('.group-row')"
    assert browser.run(f"{first}.innerText").split("\n") == ["carbonyl O of an ester", "−0.400"]
    browser.run(f"{first}.focus()")
    lit = "[...document.querySelectorAll('.spot.hot')].map((s) => Number(s.dataset.atom))"
    assert browser.run(lit) == [2]
    browser.click(*browser.centre(".spot[data-atom='3']"))
    assert shown(browser)["chosen"] == "3"
    assert rows(browser, ".chosen") == [3]
    browser.click(*browser.centre("[data-draw='3d']"))
    assert shown(browser)["renderer"] == "webgl"
    assert browser.complaints == []


def test_what_has_no_drawing_has_no_button_for_it(browser: Chromium, methanol_page: Path) -> None:
    browser.open(methanol_page)
    assert browser.run("document.getElementById('draw').hidden") is True


def test_pairs_of_neighbours_are_lines_and_a_list(browser: Chromium, tmp_path: Path) -> None:
    atoms = molecule("CH3OH")
    ends = np.array([[0, 1], [1, 0], [0, 2], [1, 3]])
    lengths = np.linalg.norm(atoms.positions[ends[:, 0]] - atoms.positions[ends[:, 1]], axis=1)
    edges = ScoredEdges(ends=ends, lengths=lengths, scores=np.array([0.3, 0.2, 0.4, 0.1]))
    structure = explained(atoms, method="learnt-mask-edges", edges=edges)
    browser.open(write_page([structure, explained(atoms)], tmp_path / "page.html"))
    listed = browser.run(
        "[...document.querySelectorAll('#links .group-row')].map((r) => r.innerText)"
    )
    assert [row.split()[0] + row.split()[2] for row in listed] == ["C0O1", "C0H2", "O1H3"]
    assert "0.500" in listed[0]
    pressed = "document.querySelector('[data-toggle=links]').getAttribute('aria-pressed')"
    assert browser.run(pressed) == "true"
    assert browser.run("atomlens.stage.options.links")
    browser.run("document.querySelector('[data-toggle=links]').click()")
    assert not browser.run("atomlens.stage.options.links")
    browser.run("atomlens.go(1)")
    assert browser.run("document.querySelector('[data-toggle=links]').hidden")
    assert browser.run("document.getElementById('links-card').hidden")
    assert browser.complaints == []
