"""The application as a chemist meets it: served on this machine, in a real browser."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import Chromium

pytest.importorskip("fastapi")

from atomlens.web.serving import start_server
from view_makers import hold_jobs

XYZ = "3\nwater\nO 0 0 0.12\nH 0 0.76 -0.48\nH 0 -0.76 -0.48\n"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The application, served by a thread of the test."""
    running = start_server()
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    yield running.address
    running.stop()
    thread.join(timeout=20)


@pytest.fixture
def page(browser: Chromium, address: str, tmp_path: Path) -> Iterator[Chromium]:
    """The page with an empty table; what it saves goes to a folder of the test."""
    browser.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    browser.open(address, width=1300, height=900)
    browser.run("document.getElementById('shelf').hidden || app.clear()")
    yield browser
    browser.run("app.clear()")


def shown(page: Chromium) -> dict[str, str]:
    return json.loads(page.run("JSON.stringify(document.documentElement.dataset)"))


def text(page: Chromium, selector: str) -> str:
    return page.run(f"document.querySelector({json.dumps(selector)}).innerText")


def click(page: Chromium, selector: str) -> None:
    page.click(*page.centre(selector))


def place(page: Chromium, atom: int) -> tuple[float, float]:
    """Return where an atom of the first view is drawn in the window."""
    spot = page.run(
        "(() => { document.getElementById('stage').scrollIntoView({block: 'center'}); "
        f"const s = app.a.view.stage.seen()[{atom}], "
        "b = document.getElementById('gl').getBoundingClientRect(); "
        "return [s.x + b.left, s.y + b.top]; })()"
    )
    return spot[0], spot[1]


def write(page: Chromium, words: str) -> None:
    page.call("Input.insertText", text=words)


def give(page: Chromium, words: str, n: int) -> None:
    """Type a text into the form, add it and wait until so many rows have values."""
    page.run("document.getElementById('text').focus()")
    write(page, words)
    click(page, "#add")
    page.wait(
        f"document.querySelectorAll('#rows tbody tr').length === {n} && "
        "![...document.querySelectorAll('#rows td')].some((c) => c.innerText === '…') && "
        "document.documentElement.dataset.panelA"
    )


def choose(page: Chromium, selector: str, value: str) -> None:
    page.run(
        f"(() => {{ const n = document.querySelector({json.dumps(selector)}); n.value = "
        f"{json.dumps(value)}; n.dispatchEvent(new Event('change', {{bubbles: true}})); }})()"
    )


def drop(page: Chromium, **files: str) -> None:
    """Drop files onto the page."""
    parts = ", ".join(f"[{json.dumps(name)}, {json.dumps(text)}]" for name, text in files.items())
    page.run(
        "(() => { const t = new DataTransfer(); "
        f"for (const [name, text] of [{parts}]) t.items.add(new File([text], name)); "
        "for (const kind of ['dragenter', 'dragover', 'drop']) window.dispatchEvent("
        "new DragEvent(kind, {dataTransfer: t, bubbles: true, cancelable: true})); })()"
    )


def saved(folder: Path, name: str) -> str:
    """Wait for a file that the page saves."""
    for _ in range(15_000):
        if (folder / name).is_file() and (folder / name).stat().st_size:
            return (folder / name).read_text(encoding="utf-8", errors="replace")
        time.sleep(0.02)
    raise AssertionError(f"{name} was not saved: {sorted(p.name for p in folder.iterdir())}")


def test_a_smiles_is_answered_with_value_interval_likeness_and_atoms(page: Chromium) -> None:
    give(page, "CCO ethanol", 1)
    assert text(page, "#name") == "ethanol"
    assert "±" in text(page, "#prediction")
    assert "90 % interval" in text(page, "[data-part=interval]")
    assert "training data" in text(page, "[data-part=unlike-text]")
    assert page.run("document.querySelectorAll('#atoms tbody tr').length") == 9
    assert page.complaints == []
    assert {url.split("/")[2].split(":")[0] for url in page.requests if "://" in url} == {
        "127.0.0.1"
    }


def test_files_are_dropped_and_a_broken_one_is_a_message(page: Chromium) -> None:
    drop(page, **{"water.xyz": XYZ, "broken.xyz": XYZ.replace("0.76", "zero", 1)})
    page.wait("!!document.documentElement.dataset.panelA && !!document.querySelector('.message')")
    assert text(page, "#name") == "water"
    message = text(page, ".message")
    assert message.startswith("broken.xyz: ")
    assert page.run("document.querySelector('.message').getAttribute('role')") == "alert"
    click(page, ".message button")
    assert page.run("document.querySelector('.message')") is None


def test_only_the_lines_that_failed_stay_in_the_form(page: Chromium) -> None:
    give(page, "CCO\nethanol\nCCN amine\nC1CC", 2)
    page.wait("!!document.querySelector('.message')")
    assert page.run("document.getElementById('text').value") == "ethanol\nC1CC"


def test_model_property_and_method_are_switched(page: Chromium) -> None:
    give(page, "CCO", 1)
    choose(page, "#property", "gap")
    page.wait("document.documentElement.dataset.panelA.endsWith('|gap|contribution')")
    assert text(page, "#target").startswith("gap")
    choose(page, "#method", "occlusion")
    page.wait("document.documentElement.dataset.panelA.endsWith('|gap|occlusion')")
    click(page, "[data-part=targets] li:nth-child(2) button")
    page.wait("document.documentElement.dataset.panelA.endsWith('|lumo|occlusion')")
    assert "lumo" in text(page, "#shelf-unit")


def test_an_atom_is_changed_by_a_click_and_the_prediction_moves(page: Chromium) -> None:
    give(page, "CCO ethanol", 1)
    page.click(*place(page, 2))
    assert text(page, "[data-part=atom]") == "O2"
    before = page.run("app.a.view.structure.prediction")
    page.run("app.a.part('element').focus()")
    write(page, "N")
    page.press("Enter")
    page.wait("!document.querySelector('[data-part=moved]').hidden")
    after = page.run("app.a.view.structure.prediction")
    assert after != before
    assert page.run("app.a.view.structure.formula_plain") == "C2H7N"
    told = text(page, "[data-part=moved]")
    assert "O2 → N" in told
    sign = "+" if after > before else "−"
    assert f"{sign}{abs(after - before):.3g}"[:5] in told
    assert page.run("document.querySelectorAll('#rows tbody tr').length") == 2


def test_the_delete_key_takes_the_chosen_atom_out(page: Chromium) -> None:
    give(page, "CCO", 1)
    page.click(*place(page, 2))
    page.press("Delete")
    page.wait("!document.querySelector('[data-part=moved]').hidden")
    assert page.run("app.a.view.structure.formula_plain") == "C2H6"


def test_what_was_and_what_is_stand_side_by_side_with_linked_views(page: Chromium) -> None:
    give(page, "CCO ethanol", 1)
    page.run("app.a.view.choose(2); app.a.part('element').value = 'S'; app.a.change('S')")
    page.wait("!document.querySelector('[data-part=moved]').hidden")
    click(page, "[data-part=compare]")
    page.wait("document.documentElement.dataset.panels === '2'")
    assert text(page, "#name-b") == "ethanol"
    page.run("void app.a.view.stage.viewer.rotate(40, 'y')")
    a, b = page.run("[app.a.view.stage.viewer.getView(), app.b.view.stage.viewer.getView()]")
    assert a[4:] == pytest.approx(b[4:])
    page.run("app.a.view.hover(2)")
    assert page.run("app.b.view.hot") == 2  # sulphur stands where oxygen was
    page.run("app.a.part('link').click()")
    page.run("void app.a.view.stage.viewer.rotate(40, 'y')")
    a, b = page.run("[app.a.view.stage.viewer.getView(), app.b.view.stage.viewer.getView()]")
    assert a[4:] != pytest.approx(b[4:])


def test_two_models_are_compared_on_one_structure(page: Chromium) -> None:
    choose(page, "#model", "formula-gap")
    page.wait("app.model === 'formula-gap'")
    give(page, "formula:TiO2", 1)
    click(page, "[data-part=compare]")
    page.wait("document.documentElement.dataset.panels === '2'")
    assert page.run("app.a.structure.id === app.b.structure.id")
    assert page.run("app.a.model !== app.b.model")
    choose(page, "#panel-b [data-part=model]", "formula-formation-energy")
    page.wait("document.documentElement.dataset.panelB.includes('formula-formation-energy')")
    assert "formation" in text(page, "#target-b")


def test_the_table_sorts_by_value_and_by_uncertainty(page: Chromium) -> None:
    give(page, "CCO\nC\nc1ccccc1\nN", 4)

    def column(key: str) -> list[float]:
        cells = page.run(
            "[...document.querySelectorAll('#rows tbody tr')].map((r) => app.table.value("
            f"{json.dumps(key)}, app.table.rows.get(r.dataset.id)))"
        )
        return [float(cell) for cell in cells]

    for key in ("value", "std", "unlike"):
        click(page, f"#rows th[data-key={key}] button")
        first = column(key)
        click(page, f"#rows th[data-key={key}] button")
        assert first in (sorted(first), sorted(first, reverse=True))
        assert column(key) == pytest.approx(first[::-1])
        assert page.run(f"document.querySelector('#rows th[data-key={key}]').ariaSort") in (
            "ascending",
            "descending",
        )


def test_the_keyboard_alone_is_enough(page: Chromium) -> None:
    page.run("document.activeElement.blur()")
    page.press("/")
    write(page, "CCO\nCCN")
    page.press("Enter")
    page.wait("document.querySelectorAll('#rows tbody tr').length === 2 && !!app.a.view")
    page.run("document.querySelector('#rows tbody tr').focus()")
    page.press("ArrowDown")
    page.press("Enter")
    page.wait("document.getElementById('name').textContent === 'CCN'")
    page.press("ArrowUp")
    page.press("c")
    page.wait("document.documentElement.dataset.panels === '2'")
    assert text(page, "#name-b") == "CCO"
    page.press("Delete")
    page.wait("document.querySelectorAll('#rows tbody tr').length === 1")
    assert shown(page)["panels"] == "1"
    assert page.run("document.activeElement.dataset.id === app.a.structure.id")


def test_an_atom_is_changed_by_the_keyboard_alone(page: Chromium) -> None:
    give(page, "CCO", 1)
    page.run("document.querySelector(\"#atoms tbody tr[data-atom='2']\").focus()")
    page.press("Enter")
    assert text(page, "[data-part=atom]") == "O2"
    page.press("e")
    write(page, "S")
    page.press("Enter")
    page.wait("!document.querySelector('[data-part=moved]').hidden")
    assert page.run("app.a.view.structure.formula_plain") == "C2H6S"
    assert page.run("document.activeElement.id") == "stage"  # the arrows turn it at once


def test_every_control_has_a_name_and_every_id_is_one(page: Chromium) -> None:
    give(page, "CCO\nCCN", 2)
    click(page, "[data-part=compare]")
    page.wait("document.documentElement.dataset.panels === '2'")
    nameless = page.run(
        "[...document.querySelectorAll('button, select, input, textarea')].filter((n) => "
        "n.type !== 'hidden' && !(n.innerText || n.textContent || '').trim() && !n.ariaLabel && "
        "!(n.labels && n.labels.length) && !n.title).map((n) => n.outerHTML)"
    )
    assert nameless == []
    doubled = page.run(
        "(() => { const ids = [...document.querySelectorAll('[id]')].map((n) => n.id); "
        "return ids.filter((id, i) => ids.indexOf(id) !== i); })()"
    )
    assert doubled == []


def test_molecules_are_drawn_on_paper_and_saved(page: Chromium, tmp_path: Path) -> None:
    give(page, "CC(=O)O acid", 1)
    click(page, "#draw [data-draw='2d']")
    assert page.run("app.a.view.renderer") == "drawing"
    assert page.run("document.querySelectorAll('#paper .disc').length") == 4
    click(page, "#paper .spot[data-atom='2']")
    assert text(page, "[data-part=atom]") == "O2"
    click(page, "[data-part=svg]")
    assert "contribution per atom with its hydrogens, eV" in saved(tmp_path, "acid.svg")
    click(page, "#save-png")
    assert saved(tmp_path, "acid.png")
    assert (tmp_path / "acid.png").read_bytes().startswith(b"\x89PNG")
    assert page.complaints == []


def test_tables_structures_and_the_page_are_saved(page: Chromium, tmp_path: Path) -> None:
    give(page, "CCO ethanol\nC methane", 2)
    click(page, "#table-csv")
    assert saved(tmp_path, "atomlens.csv").count("\n") == 3
    click(page, "#table-xyz")
    assert saved(tmp_path, "atomlens.extxyz").startswith("9\n")
    click(page, "[data-part=page]")
    text_of_page = saved(tmp_path, "ethanol.html")
    assert text_of_page.startswith("<!doctype html>")
    click(page, "#save-csv")
    assert saved(tmp_path, "ethanol.csv").startswith("index,element")


def test_long_work_shows_its_progress_and_is_stopped(
    page: Chromium, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold_jobs(monkeypatch)
    lines = "\\n".join(f"{'C' * (3 + i % 20)}O m{i}" for i in range(1500))
    page.run(f"void app.give([], '{lines}')")
    page.wait(
        "!document.getElementById('work').hidden && "
        "document.getElementById('work-count').textContent.includes('of 1500')"
    )
    click(page, "#work-stop")
    page.wait("document.getElementById('work').hidden")
    page.wait("!!document.querySelector('.message')")
    assert text(page, ".message p") == "Stopped."
    assert page.run("document.querySelectorAll('#rows tbody tr').length") == 0


def at_each(page: Chromium, widths: tuple[int, ...]) -> Iterator[int]:
    """Give the window one width after the other, and the page time to follow."""
    for width in widths:
        page.resize(width, 800)
        page.wait(f"innerWidth === {width}")
        page.run("new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))")
        yield width


@pytest.mark.parametrize(("widths", "dark"), [((1300, 800, 390), False), ((390, 800, 1300), True)])
def test_nothing_is_wider_than_the_window(
    browser: Chromium, address: str, widths: tuple[int, ...], dark: bool
) -> None:
    browser.open(address, width=widths[0], height=800, dark=dark)
    give(browser, "CC(=O)Oc1ccccc1C(=O)O aspirin\nCCO", browser.run("app.table.rows.size") + 2)
    click(browser, "[data-part=compare]")
    browser.wait("document.documentElement.dataset.panels === '2'")
    for width in at_each(browser, widths):
        assert browser.run("document.documentElement.scrollWidth") <= width
    browser.run("app.clear()")


@pytest.mark.parametrize("widths", [(1300, 1251, 1100, 900, 390, 340), (340, 900, 1300)])
def test_no_column_of_the_atoms_is_cut(
    browser: Chromium, address: str, widths: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atomlens.explain.masks.N_STEPS", 3)
    browser.open(address, width=widths[0], height=800)
    give(browser, "CC(=O)Oc1ccccc1C(=O)O aspirin", browser.run("app.table.rows.size") + 1)
    for method in ("contribution", "learnt-mask"):  # the second has a column more
        choose(browser, "#method", method)
        browser.wait(f"document.documentElement.dataset.panelA.endsWith('|{method}')")
        for width in at_each(browser, widths):
            browser.wait("document.getElementById('atoms').clientWidth > 0")
            drawn, room = browser.run(
                "[document.getElementById('atoms').scrollWidth, "
                "document.getElementById('scroll').clientWidth]"
            )
            assert drawn <= room, (method, width)
    browser.run("app.clear()")


def test_two_views_stand_at_one_height(page: Chromium) -> None:
    give(page, "CC(=O)Oc1ccccc1C(=O)O a molecule with a name that takes several lines\nCCO", 2)
    click(page, "[data-part=compare]")
    page.wait("document.documentElement.dataset.panels === '2'")
    for part in (".headline", ".answers", ".drawing"):
        tops = page.run(
            f"[...document.querySelectorAll('.panel {part}')].map((n) => "
            "n.getBoundingClientRect().top)"
        )
        assert tops[0] == pytest.approx(tops[1], abs=1), part


def test_words_stand_in_the_middle_of_their_buttons_on_a_phone(
    browser: Chromium, address: str
) -> None:
    browser.open(address, width=390, height=800)
    give(browser, "CCO", browser.run("app.table.rows.size") + 1)
    off = browser.run(
        "[...document.querySelectorAll('.chips button b')].map((word) => {"
        "const text = document.createRange(); text.selectNodeContents(word);"
        "const [own, all] = [text, word.parentElement].map((n) => n.getBoundingClientRect());"
        "return Math.abs(own.top + own.bottom - all.top - all.bottom) / 2; })"
    )
    assert len(off) > 1
    assert max(off) < 1.5
    browser.run("app.clear()")


def test_units_are_typeset(page: Chromium) -> None:
    give(page, "CCO", 1)
    for name, unit in (("alpha", "bohr³"), ("cv", "cal/(mol·K)")):
        choose(page, "#property", name)
        page.wait(f"document.documentElement.dataset.panelA.includes('|{name}|')")
        for selector in ("#prediction", "#shelf-unit", "[data-part=interval]"):
            assert unit in text(page, selector), selector
    assert "^" not in text(page, "body")


def test_a_hostile_name_is_only_a_name(page: Chromium) -> None:
    drop(page, **{"<img src=x onerror=alert(1)>.xyz": XYZ})
    page.wait("document.documentElement.dataset.panelA")
    assert page.run("document.querySelectorAll('img[src=x]').length") == 0
    assert page.complaints == []


def test_the_table_says_that_a_text_is_a_formula_to_this_model(page: Chromium) -> None:
    give(page, "CO", 1)
    assert "CH" in text(page, "#rows .quiet")
    choose(page, "#model", "formula-gap")
    page.wait(
        "document.documentElement.dataset.panelA.includes('formula-gap') && "
        "document.querySelector('#rows .quiet').innerText === 'formula CO'"
    )
    assert page.run("app.a.view.structure.symbols.join('')") == "CO"
    assert text(page, "#facts").startswith("2 atoms")


def test_warnings_and_the_ends_of_long_names_are_seen(page: Chromium) -> None:
    strange = XYZ.replace("O ", "Se ")
    drop(page, **{f"a_long_name_of_a_run_at_300_kelvin-{i:04d}.xyz": strange for i in range(2)})
    page.wait("document.querySelectorAll('#rows .doubt').length === 2 && !!app.a.view")
    for width in at_each(page, (1300, 1000, 390)):
        check_names(page, width)


def check_names(page: Chromium, width: int) -> None:
    for row, end in ((1, "0000"), (2, "0001")):
        told = page.run(
            f"(() => {{ const cell = document.querySelector('#rows tbody tr:nth-child({row}) td'), "
            "name = cell.querySelector('b'), own = cell.getBoundingClientRect(), range = "
            "document.createRange(); range.selectNode(name.lastChild); return [own.right, "
            "cell.querySelector('.doubt').getBoundingClientRect().right, "
            "range.getBoundingClientRect().right, name.textContent, name.title, "
            "name.lastChild.textContent]; })()"
        )
        assert max(told[1:3]) <= told[0], (width, told)
        assert told[3] == told[4] == f"a_long_name_of_a_run_at_300_kelvin-{end}"
        assert told[5].endswith(end)


def name_and_answer(page: Chromium) -> str:
    """Return who answers in the bar, in the table and in the view, and about what."""
    words = page.run(
        "[document.getElementById('model').value, document.getElementById('shelf-unit').innerText, "
        "app.a.view.structure.model, document.getElementById('target').innerText, "
        "document.documentElement.dataset.panelA.split('|')[1]].join('; ')"
    )
    return str(words)


def both_are(page: Chromium, model: str, words: str) -> bool:
    """Say whether bar, table and view are of one model, whose property has these words."""
    bar, table, view, target, panel = name_and_answer(page).split("; ")
    return (
        {bar, table.rpartition("model ")[2], view, panel} == {model}
        and words in table
        and words in target
    )


def hold(page: Chromium, path: str) -> None:
    """Let answers of the server to one kind of question wait in `window.held`."""
    page.run(
        "(() => { const real = app.work.result.bind(app.work); window.held = []; "
        "app.work.result = async (path, ...rest) => { const found = await real(path, ...rest); "
        f"if (path === {json.dumps(path)}) await new Promise((go) => window.held.push(go)); "
        "return found; }; })()"
    )


def release(page: Chromium, which: str = "while (held.length) held.shift()()") -> None:
    """Let what waits go on, and everything after it end."""
    page.run(f"delete app.work.result; {which}")
    page.wait("app.work.running.size === 0 && !document.querySelector('[aria-busy]')")


GAP, FORMATION = "formula-gap", "formula-formation-energy"


def open_formula(page: Chromium, model: str = GAP) -> None:
    choose(page, "#model", model)
    page.wait(f"app.model === '{model}'")
    give(page, "formula:TiO2", 1)


@pytest.mark.parametrize("how", ["#clear", "#rows [data-act=remove]"])
def test_a_view_that_was_emptied_forgets_its_model(page: Chromium, how: str) -> None:
    open_formula(page)
    click(page, how)
    page.wait("document.getElementById('shelf').hidden")
    assert not page.run("document.getElementById('welcome').hidden")
    open_formula(page, FORMATION)
    assert both_are(page, FORMATION, "formation"), name_and_answer(page)
    choose(page, "#model", GAP)
    page.wait("!document.body.classList.contains('choosing')")
    assert both_are(page, GAP, "gap"), name_and_answer(page)


def test_the_bar_names_the_model_of_the_only_view(page: Chromium) -> None:
    open_formula(page)
    click(page, "[data-part=compare]")
    page.wait("document.documentElement.dataset.panels === '2'")
    choose(page, "#panel-b [data-part=model]", FORMATION)
    page.wait(f"document.documentElement.dataset.panelB?.includes('{FORMATION}')")
    click(page, "#panel-a [data-part=close]")
    page.wait(f"app.model === '{FORMATION}' && !document.body.classList.contains('choosing')")
    assert shown(page)["panels"] == "1"
    assert both_are(page, FORMATION, "formation"), name_and_answer(page)


def test_a_structure_that_comes_during_a_choice_is_answered_by_the_new_model(
    page: Chromium,
) -> None:
    open_formula(page)
    page.run("app.describe('formula-formation-energy')")
    hold(page, "api/explanations")
    choose(page, "#model", FORMATION)
    page.wait("held.length === 1")
    page.run("void app.give([], 'formula:MgO')")
    page.wait("held.length === 2")
    release(page)
    page.wait("document.getElementById('name').innerText.includes('MgO')")
    assert both_are(page, FORMATION, "formation"), name_and_answer(page)


def test_the_last_choice_counts_whichever_answer_comes_last(page: Chromium) -> None:
    open_formula(page)
    hold(page, "api/explanations")
    choose(page, "#model", FORMATION)
    page.wait("held.length === 1")
    choose(page, "#model", GAP)
    page.wait("held.length === 2")
    release(page, "held[1](); held[0]()")
    page.wait("!document.body.classList.contains('choosing')")
    assert both_are(page, GAP, "gap"), name_and_answer(page)


def test_nothing_of_a_structure_that_is_gone_comes_late(page: Chromium) -> None:
    open_formula(page)
    hold(page, "api/explanations")
    page.run("void app.give([], 'formula:MgO')")
    page.wait("held.length === 1")
    page.run("app.remove(app.a.wanted.structure)")
    release(page)
    assert text(page, "#name") == "TiO2"
    assert page.run("app.a.wanted.structure === app.a.structure.id")
    hold(page, "api/explanations")
    choose(page, "#method", "occlusion")
    page.wait("held.length === 1")
    page.run("app.clear()")
    release(page)
    assert shown(page)["panels"] == "0"
    assert "panelA" not in shown(page)
    assert page.run("document.querySelector('.message')") is None


def test_a_row_that_goes_while_all_are_asked_about_takes_no_other_with_it(page: Chromium) -> None:
    hold(page, "api/explanations")
    page.run("void app.give([], 'CCO\\nCCN\\nCCC')")
    page.wait("held.length === 1")
    click(page, "#rows tr:nth-child(2) [data-act=remove]")
    release(page)
    page.wait("![...document.querySelectorAll('#rows td')].some((c) => c.innerText === '…')")
    assert page.run("document.querySelectorAll('#rows tbody tr').length") == 2
    assert page.run("document.querySelector('.message')") is None


def test_where_a_model_has_no_answer_the_one_of_another_gives_way(page: Chromium) -> None:
    choose(page, "#model", GAP)
    page.wait(f"app.model === '{GAP}'")
    give(page, "formula:TiO2", 1)
    choose(page, "#model", "qm9")
    page.wait("app.model === 'qm9' && !document.body.classList.contains('choosing')")
    assert page.run("document.getElementById('panels').hidden")
    assert text(page, "#unanswered h2") == "qm9 has no answer about TiO2"
    choose(page, "#model", GAP)
    page.wait("!document.body.classList.contains('choosing')")
    assert page.run("document.getElementById('unanswered').hidden")
    assert both_are(page, GAP, "gap"), name_and_answer(page)


@pytest.mark.parametrize("path", ["api/predictions", "api/explanations"])
def test_a_choice_that_is_stopped_is_taken_back_everywhere(page: Chromium, path: str) -> None:
    open_formula(page)
    value = text(page, "#rows tbody td:nth-child(2)")
    page.run(
        "(() => { const real = window.fetch; window.fetch = (path, options) => { "
        f"if (path !== {json.dumps(path)}) return real(path, options); window.fetch = real; "
        "return Promise.resolve(new Response(JSON.stringify({ id: 'x', state: 'stopped' }))); }; "
        "})()"
    )
    choose(page, "#model", FORMATION)
    page.wait("!!document.querySelector('.message')")
    page.wait("!document.body.classList.contains('choosing')")
    assert text(page, ".message p") == "Stopped."
    assert both_are(page, GAP, "gap"), name_and_answer(page)
    assert text(page, "#rows tbody td:nth-child(2)") == value
