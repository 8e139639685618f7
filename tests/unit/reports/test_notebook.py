"""What objects show of themselves in a notebook: all of it text, however hostile the names."""

import html
import io
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

import atomlens as al
from atomlens.datasets.base import Dataset
from atomlens.progress import ProgressBar
from atomlens.reports.notebook import N_ROWS, frame, structure_page, table_html
from atomlens.structures.arrays import StructureArrays
from atomlens.studies.base import Claim, Effect, StudyResult
from atomlens.targets import Target

HOSTILE = "</td><script>alert(1)</script><img src=x onerror='a()'> \"{{title}}\""
SAFE = {"div", "p", "b", "table", "thead", "tbody", "tr", "th", "td", "iframe"}


class _Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data


def _checked(text: str) -> _Tags:
    """Return the tags, after looking that no others and no handlers are among them."""
    found = _Tags(text)
    for tag, attributes in found.tags:
        assert tag in SAFE, tag
        assert not [name for name in attributes if name.startswith("on") or name == "src"]
    return found


def test_names_are_text_and_numbers_are_short() -> None:
    found = _checked(table_html([{HOSTILE: HOSTILE, "gap": 1.23456789, "n": np.int64(3)}]))
    assert "1.2346" in found.words
    assert "alert(1)" in found.words


def test_long_tables_are_cut_and_say_so() -> None:
    found = _checked(table_html([{"i": i} for i in range(N_ROWS + 5)]))
    assert f"{N_ROWS} of {N_ROWS + 5} rows are shown." in found.words
    assert [tag for tag, _ in found.tags].count("tr") == N_ROWS + 1


def test_no_colour_of_its_own_but_that_of_the_notebook() -> None:
    text = table_html([{"a": 1}], title="t", notes=["n"])
    assert not re.search(r"#[0-9a-f]{3,6}\b|\bwhite;|\bblack\b", text)


def test_a_prediction_shows_values_and_failures() -> None:
    with pytest.warns(UserWarning, match="could not be used"):
        prediction = al.load("qm9").predict(["CCO", "no-such-thing"])
    found = _checked(prediction._repr_html_())
    assert "C2H6O" in found.words
    assert "1 of 2 inputs failed." in found.words


def test_an_explanation_is_a_page_in_a_frame_that_reaches_nothing() -> None:
    explanation = al.load("qm9").explain("CCO")
    found = _checked(explanation._repr_html_())
    ((tag, attributes),) = found.tags
    assert tag == "iframe"
    assert attributes["sandbox"] == "allow-scripts allow-downloads"
    document = attributes["srcdoc"]
    assert document is not None
    assert "default-src 'none'" in document
    assert "atomlens-data" in document


def test_a_model_is_a_line_and_a_table_of_its_errors() -> None:
    model = al.load("qm9")
    found = _checked(model._repr_html_())
    assert all(word in found.words for word in ("homo", "MAE, test", "cv"))
    data = _data()
    for one in (model, data, data.structures, model.predict(["CCO"])):
        assert len(repr(one)) < 150, type(one)
    assert "lens, 3 networks, homo [eV]" in repr(model)


def test_answers_print_as_a_line() -> None:
    explanation = al.load("qm9").explain("CCO", target="homo")
    assert re.match(
        r"<Explanation: homo of CCO = .7\.\d+ ± 0\.\d+ eV by contribution; O2 .0\.",
        repr(explanation),
    )
    changes = al.counterfactual(al.load("qm9"), "smiles:CO", target="homo")
    assert re.fullmatch(
        r"<Counterfactuals: homo of CO = .\d+\.\d+ ± \S+ eV; \d+ of \d+ changes>", repr(changes)
    )
    found = _checked(changes._repr_html_())
    assert "change" in found.words
    data = _data()
    folds = al.cv(data, model="mean", folds=2)
    assert re.fullmatch(
        r"<CrossValidation: 2 folds, <Metrics of \d+ samples: \w+ MAE \S+.*>>", repr(folds)
    )
    assert "mae" in _checked(folds._repr_html_()).words


def test_metrics_show_their_figures() -> None:
    data = _data()
    metrics = al.train(data, model="mean", split="random:1./0./0.").evaluate(data)
    found = _checked(metrics._repr_html_())
    assert "MAE" in found.words
    assert "4 samples" in found.words


def _data() -> Dataset:
    atoms = [molecule(m) for m in ("H2O", "CH4", "NH3")] + [bulk("NaCl", "rocksalt", a=5.6)]
    for one, name in zip(atoms, (HOSTILE, "b", "c", "d"), strict=True):
        one.info["name"] = name
    structures = StructureArrays.from_atoms(atoms)
    return Dataset(
        name=HOSTILE,
        structures=structures,
        targets=(
            Target(name="gap", unit="eV"),
            Target(name="kind", kind="classification", classes=("<a>", "b")),
        ),
        values=np.array([[1.0, 0], [2.0, 1], [np.nan, 1], [3.0, 1]]),
    ).select_targets(["gap"])


def test_a_data_set_shows_targets_structures_and_the_first_in_3d() -> None:
    found = _checked(_data()._repr_html_())
    assert "4 samples" in found.words
    assert "ClNa" in found.words.replace("NaCl", "ClNa")
    assert [tag for tag, _ in found.tags].count("iframe") == 1
    _checked(_data()[0]._repr_html_())
    empty = _data().subset([])
    assert "0 samples" in _checked(empty._repr_html_()).words


def test_a_study_shows_effects_with_controls_and_claims() -> None:
    result = StudyResult(
        study="orbits",
        question=HOSTILE,
        models=("a",),
        settings={},
        n_structures=3,
        effects=(
            Effect(
                name=HOSTILE, value=0.5, low=0.1, high=np.nan, n=3, controls={"untrained": 0.25}
            ),
        ),
        claims=(
            Claim(identifier="S6", statement=HOSTILE, criterion="", verdict="fails", evidence="no"),
        ),
        notes=(HOSTILE,),
    )
    words = _checked(result._repr_html_()).words
    for part in ("0.25", "untrained (control)", "S6", "fails", "3 structures"):
        assert part in words


def test_a_structure_is_drawn_with_bonds_and_cell_and_its_name_is_text() -> None:
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    atoms.info["name"] = HOSTILE
    page = structure_page(atoms)
    assert "<img" not in page
    assert page.count("<script") == 3  # data, viewer, ours
    assert html.escape(HOSTILE) in page
    view = al.show("smiles:CCO")
    assert "iframe" in view._repr_html_()
    formula = _checked(al.show("Fe2O3")._repr_html_())
    assert "iframe" not in [tag for tag, _ in formula.tags]


def test_a_frame_holds_the_page_as_it_is() -> None:
    page = '<p title="a\'b">&amp; </iframe></p>'
    (tag,) = _Tags(frame(page, height=10)).tags
    assert tag[1]["srcdoc"] == page


def test_progress_in_a_log_is_a_few_lines() -> None:
    stream = io.StringIO()
    bar = ProgressBar("predicting", stream=stream)
    for done in range(1, 101):
        bar(done, 100)
    bar(50, 100)
    bar(100, 100, "half")
    assert re.fullmatch(
        r"predicting: 100/100, \d s\npredicting: 100/100, \d s, half\n", stream.getvalue()
    )


def test_progress_without_a_known_end_is_a_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atomlens.progress._SECONDS_BETWEEN_LINES", -1.0)
    stream = io.StringIO()
    bar = ProgressBar("screening", stream=stream)
    bar(512)
    bar(700)
    bar.close()
    assert re.fullmatch(r"screening: 512, \d s\nscreening: 700, \d s\n", stream.getvalue())


def test_progress_on_a_terminal_is_a_bar() -> None:
    pytest.importorskip("tqdm")
    stream = io.StringIO()
    stream.isatty = lambda: True  # type: ignore[method-assign]
    bar = ProgressBar("predicting", stream=stream, leave=True)
    bar(1, 2, "so far")
    bar.write("a sentence")
    bar(2, 2)
    shown = stream.getvalue()
    assert "100%" in shown
    assert "so far" in shown
    assert "a sentence\n" in shown


def test_progress_true_is_heard_of(capsys: pytest.CaptureFixture[str]) -> None:
    model = al.train(_data(), model="mean", split="random:1./0./0.", progress=True)
    model.predict(_data().structures, progress=True)
    assert "predicting: 4/4" in capsys.readouterr().err
    model.predict(Atoms("H2", [(0, 0, 0), (0, 0, 0.7)]), progress=False)
    assert capsys.readouterr().err == ""
