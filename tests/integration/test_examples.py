"""The examples of the documentation run as they are."""

import re
import runpy
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("own_folder")

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def _run(name: str, capsys: pytest.CaptureFixture[str]) -> str:
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    return capsys.readouterr().out


def test_the_example_counts_neighbours_and_bonds(capsys: pytest.CaptureFixture[str]) -> None:
    shown = _run("look_at_neighbours.py", capsys)
    assert "Counter({0: 6, 1: 6})" in shown
    assert "180 directed bonds, 3 an atom" in shown
    assert "60 between two hexagons, 120 between a hexagon and a pentagon" in shown


def test_the_example_trains_on_a_table(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    shown = _run("train_on_a_table.py", capsys)
    assert "54 molecules, boiling_point in °C" in shown
    assert "scann-plus: MAE" in shown
    assert "CCCCCO" in shown
    assert (tmp_path / "boiling-model" / "README.md").is_file()


def test_the_example_explains_a_molecule(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    shown = _run("explain_a_molecule.py", capsys)
    assert "top atom decides in" in shown
    assert (tmp_path / "explained.html").is_file()


def test_the_example_cross_validates_two_models(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("sklearn")
    lines = _run("cross_validate.py", capsys).splitlines()
    errors = {line.split(":")[0]: float(line.split()[2]) for line in lines}
    assert errors["ridge"] < errors["mean"]


def test_the_example_adds_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    said, found, explained = _run("a_model_of_your_own.py", capsys).splitlines()
    assert said == "SchNet keeps its promises"
    error, mean = re.findall(r"(\d+)(?: °C on|\))", found)
    assert int(error) < int(mean)
    prediction, total = re.findall(r"([\d.]+) °C", explained)
    assert prediction == total


def test_the_page_about_a_model_of_your_own_shows_that_file() -> None:
    page = (EXAMPLES.parent / "docs" / "a-model-of-your-own.md").read_text(encoding="utf-8")
    script = (EXAMPLES / "a_model_of_your_own.py").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) >= 4
    for block in blocks:
        assert block in script
