"""The demo, small: the files of the contract, the three molecules, C60 seen as equal atoms."""

import json
import warnings
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from atomlens import load, training
from atomlens.cli import demo_training, main
from atomlens.cli.demo import (
    DemoSettings,
    buckminsterfullerene,
    first_answer,
    molecules,
    run_demo,
    story,
)
from atomlens.predictor.inputs import gather

SMALL = DemoSettings(n_train=60, n_validation=20, n_test=20, epochs=2, n_layers=1, n_features=16)


def test_the_molecules_are_the_ones_that_are_named() -> None:
    formulas = {
        atoms.info["name"]: str(atoms.symbols.formula.format("hill")) for atoms in molecules()
    }
    assert formulas == {
        "thymine": "C5H6N2O2",
        "2,3-dimethylbutadiene": "C6H10",
        "C60": "C60",
    }


def test_every_atom_of_c60_has_one_short_and_two_long_bonds() -> None:
    distances = buckminsterfullerene().get_all_distances()
    short, long = np.isclose(distances, 1.401), np.isclose(distances, 1.458)
    assert short.sum(axis=1).tolist() == [1] * 60
    assert long.sum(axis=1).tolist() == [2] * 60


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], list[Any]]:
    """A small demo."""
    if find_spec("qm9pack") is None:
        pytest.skip("qm9pack is not installed")
    folder = tmp_path_factory.mktemp("demo")
    metrics, explanations = run_demo(folder, SMALL)
    return folder, metrics, explanations


def test_the_metrics_file_has_the_keys_of_the_contract(
    demo: tuple[Path, dict[str, Any], list[Any]],
) -> None:
    metrics = json.loads((demo[0] / "metrics.json").read_text())
    keys = {"mae", "mae_mean", "mae_ridge", "unit", "n_train", "n_test", "seconds"}
    assert set(metrics) == keys
    assert (metrics["unit"], metrics["n_train"], metrics["n_test"]) == ("eV", 60, 20)
    assert min(metrics["mae"], metrics["mae_mean"], metrics["mae_ridge"]) > 0


def test_every_molecule_has_its_files_and_there_is_an_index(
    demo: tuple[Path, dict[str, Any], list[Any]],
) -> None:
    names = {p.name for p in demo[0].iterdir()}
    for stem in ("thymine", "2_3-dimethylbutadiene", "C60"):
        assert {f"{stem}.{s}" for s in ("html", "png", "extxyz", "json")} <= names
    assert "index.html" in names
    page = (demo[0] / "index.html").read_text(encoding="utf-8")
    assert "thymine" in page
    assert 'src="http' not in page


def test_all_atoms_of_c60_get_the_same_share(
    demo: tuple[Path, dict[str, Any], list[Any]],
) -> None:
    scores = demo[2][2].scores
    assert scores == pytest.approx(np.full(60, 1 / 60), rel=1e-4)


def test_the_story_names_the_errors_and_the_next_commands(
    demo: tuple[Path, dict[str, Any], list[Any]],
) -> None:
    folder, metrics, explanations = demo
    told = story(metrics, explanations, folder)
    assert f"{metrics['mae_ridge']:.4f}" in told
    assert f"atomlens predict {folder / 'model'}" in told


def test_the_model_can_be_used_and_a_second_demo_replaces_the_first(
    demo: tuple[Path, dict[str, Any], list[Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, metrics, _ = demo
    again, _ = run_demo(folder, SMALL)
    assert again["mae"] == metrics["mae"]
    assert main(["predict", str(folder / "model"), "CCO", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["unit"] == "eV"


def test_a_model_for_which_time_ran_out_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if find_spec("qm9pack") is None:
        pytest.skip("qm9pack is not installed")

    def hurried(settings: Any, seconds: float, run: Any) -> Any:
        return run(replace(settings, epochs=50, max_seconds=0.1), seconds)

    monkeypatch.setattr(demo_training, "train_in_time", hurried)
    run_demo(tmp_path, SMALL)
    ended = json.loads((tmp_path / "model" / "settings.json").read_text())["training"]["ended"]
    assert "time budget" in ended
    assert main(["predict", str(tmp_path / "model"), "CCO", "--format", "json"]) == 0
    assert "stopped" not in capsys.readouterr().err


def test_the_model_of_the_box_answers_in_the_words_of_predict() -> None:
    told = first_answer()
    rows = {line.split("  ")[0]: line for line in reversed(told.splitlines())}
    said = load("qm9").predict(gather(molecules())).to_summary()
    assert said[0]["homo (eV)"] in rows["thymine"]
    assert said[2]["homo (eV)"] in rows["C60"]
    assert rows["C60"].endswith("⚠")
    assert "⚠ C60: it has 60 atoms" in told


def test_nothing_is_said_of_a_baseline_but_its_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    if find_spec("qm9pack") is None:
        pytest.skip("qm9pack is not installed")
    doubts = {"mean": "its intervals are too narrow", "ridge": "it learned nothing"}
    honest = training.train

    def train(data: Any, **given: Any) -> Any:
        if given["model"] in doubts:
            warnings.warn(doubts[given["model"]], UserWarning, stacklevel=1)
        return honest(data, **given)

    monkeypatch.setattr(training, "train", train)
    run_demo(tmp_path, SMALL)
    said = " ".join(str(warning.message) for warning in recwarn)
    assert not any(words in said for words in doubts.values())
