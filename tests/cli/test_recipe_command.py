"""``atomlens train --config RECIPE``: data, target and model may stand in the file."""

import json
from pathlib import Path

import pytest

from atomlens.cli import main

RECIPE = """\
recipe: {data: toy, target: TARGET, model: scann, source: this test}
published: {test_mae: 0.1, unit: eV}
training: {epochs: 1, batch_size: 16, limit: 80, split: "random:.5/.25/.25"}
model: {n_layers: 2, n_features: 16, n_heads: 2, n_embedding: 8}
reduced:
  training: {epochs: 2}
  model: {n_layers: 1}
results: {8: {test_mae: 0.3}}
"""


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from atomlens.datasets import DATASETS

    monkeypatch.chdir(tmp_path)
    path = tmp_path / "toy-test.yaml"
    path.write_text(RECIPE.replace("TARGET", DATASETS["toy"].available_targets[0].name))
    return path


def settings_in(folder: Path) -> dict[str, dict[str, dict[str, object]]]:
    content: dict[str, dict[str, dict[str, object]]] = json.loads(
        (folder / "settings.json").read_text()
    )
    return content


def test_a_recipe_needs_no_other_argument(recipe: Path, tmp_path: Path) -> None:
    assert main(["train", "--config", str(recipe), "--quiet", "--set", "cache_dir=cache"]) == 0
    settings = settings_in(tmp_path / "runs" / "toy-test")
    assert settings["model"]["config"]["n_layers"] == 2
    assert settings["training"]["settings"]["epochs"] == 1


def test_a_subset_is_trained_in_the_reduced_form_with_the_whole_test_part(
    recipe: Path, tmp_path: Path
) -> None:
    fixed = ["train", "--config", str(recipe), "--quiet", "--set", "cache_dir=cache"]
    assert main([*fixed, "--subset", "12"]) == 0
    assert main([*fixed, "--subset", "24"]) == 0
    splits = {}
    for size in (12, 24):
        out = tmp_path / "runs" / f"toy-test-{size}"
        splits[size] = json.loads((out / "split.json").read_text())
        assert settings_in(out)["model"]["config"]["n_layers"] == 1
        assert settings_in(out)["training"]["settings"]["epochs"] == 2
    assert [len(splits[12][part]) for part in ("train", "test")] == [12, 20]
    assert splits[12]["test"] == splits[24]["test"]
    assert set(splits[12]["train"]) < set(splits[24]["train"])


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("recipe: {dataa: qm9}", "data"),
        ("recipe: {data: toy}\nreduced: {modell: {}}", "model"),
        ("recipes: {data: toy}", "recipe"),
        ("training: {epochs: 3}", "DATA"),
    ],
)
def test_a_wrong_recipe_is_one_sentence(
    text: str, word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    assert main(["train", "--config", str(path)]) == 2
    assert word in capsys.readouterr().err


def test_too_large_a_subset_is_refused(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--config", str(recipe), "--subset", "5000"]) == 2
    assert "5000" in capsys.readouterr().err
