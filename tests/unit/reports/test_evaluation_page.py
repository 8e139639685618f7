"""The page of an evaluation."""

from pathlib import Path

import pytest

from atomlens.reports.evaluation_page import (
    calibration_sentence,
    probability_sentence,
    write_evaluation_page,
)
from atomlens.reports.figures import draw_calibration


@pytest.mark.parametrize(
    ("inside", "word"),
    [(0.9, "keep their promise"), (0.7, "too narrow"), (0.99, "wider than they need")],
)
def test_the_sentence_says_whether_intervals_keep_their_promise(inside: float, word: str) -> None:
    figures = {"target": "gap", "interval_coverage": inside, "miscalibration_area": 0.034}
    said = calibration_sentence(figures)
    assert word in said
    assert "3.4 %" in said
    assert "calibration error" not in said
    assert "21 %" in calibration_sentence(figures | {"calibration_error": 0.21})
    assert calibration_sentence(figures | {"interval_coverage": None}) == ""
    some = calibration_sentence(figures | {"n": 50, "n_judged": 10})
    assert "10 of 50 values" in some
    assert "so few values (10) do not tell" in some
    assert "too narrow" in calibration_sentence(
        figures | {"interval_coverage": 0.2, "n": 10, "n_judged": 10}
    )
    assert word in calibration_sentence(figures | {"n": 5000, "n_judged": 5000})


def test_the_page_holds_table_plots_and_notes_and_nothing_of_it_is_markup(tmp_path: Path) -> None:
    plot = draw_calibration([0.2, 0.5, 0.8], [0.1, 0.4, 0.7], tmp_path / "calibration-<b>.png")
    page = write_evaluation_page(
        tmp_path / "index.html",
        title="<i>12 structures",
        rows=[{"": "MAE", "<script>": "0.1 eV"}],
        judged=[{"target": "<u>", "interval_coverage": 0.8, "miscalibration_area": 0.1}],
        figures={plot: "calibration <b>"},
        notes=["see `--all` & <b>"],
    )
    text = page.read_text()
    for part in (
        "&lt;i&gt;12",
        "&lt;script&gt;",
        "&lt;u&gt;",
        "<code>--all</code> &amp; &lt;b&gt;",
    ):
        assert part in text
    assert text.count("data:image/png;base64,") == 1
    assert "too narrow" in text
    assert "calibration &lt;b&gt;" in text
    assert "<b>" not in text.split("pictures'>")[1].split("</figcaption>")[0]


def test_the_sentence_on_probabilities_names_its_measures_and_their_sources() -> None:
    figures = {
        "target": "metal",
        "classes": ["no", "yes"],
        "n": 60,
        "n_judged": 60,
        "accuracy": 0.8,
        "confidence": 0.9,
        "brier": 0.1234,
        "class_calibration_error": 0.05,
    }
    said = probability_sentence(figures)
    for part in ("90.0 %", "80.0 % of 60", "0.123", "Brier 1950", "5.0 %", "Naeini et al. 2015"):
        assert part in said
    assert "learned from" not in said
    several = probability_sentence(figures | {"classes": ["a", "b", "c"], "n_judged": 40})
    assert "Guo et al. 2017" in several
    assert "added up over the classes" in several
    assert "20 of the 60 samples are of structures that the model has learned from" in several
    assert "nothing is said" in probability_sentence(figures | {"class_calibration_error": None})
    assert probability_sentence(figures | {"brier": None}) == ""
