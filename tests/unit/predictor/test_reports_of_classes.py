"""What is written about models of classes: card, page, metrics.json, predictions.csv."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from made_predictors import ETHANOL, METHANE, WATER, make_predictor

from atomlens.datasets.base import Dataset
from atomlens.predictor.core import Compared, Predictor
from atomlens.predictor.folder.card import model_card
from atomlens.predictor.report import write_evaluation
from atomlens.structures.arrays import StructureArrays
from atomlens.targets import Target

TRUE = Target(name="metal", kind="classification", classes=("false", "true"))


def _compared(counts: dict[str, tuple[int, ...]]) -> tuple[Predictor, Compared]:
    model = make_predictor(TRUE)
    model = replace(model, record=replace(model.record, class_counts=counts))
    structures = StructureArrays.from_atoms([WATER, METHANE, ETHANOL])
    values = np.array([[0.0], [1], [1]])
    data = Dataset(name="three", structures=structures, targets=(TRUE,), values=values)
    return model, model.compare(data)


def test_a_class_called_true_and_the_truth_have_columns_of_their_own(tmp_path: Path) -> None:
    _, found = _compared({})
    write_evaluation(found.prediction, found.true, found.metrics, tmp_path)
    with (tmp_path / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    shares = found.prediction.probabilities[0]
    assert shares is not None
    assert [float(row["metal_true"]) for row in rows] == shares[:, 1].tolist()
    assert [row["metal_true_"] for row in rows] == ["false", "true", "true"]


def test_page_card_and_json_tell_of_each_class(tmp_path: Path) -> None:
    model, found = _compared({"metal": (6, 2)})
    write_evaluation(found.prediction, found.true, found.metrics, tmp_path)
    content = json.loads((tmp_path / "metrics.json").read_text())
    figures = content["targets"]["metal"]
    assert [one["n"] for one in figures["by_class"]] == [1, 2]
    assert np.array(figures["confusion"]).sum(axis=1).tolist() == [1, 2]
    page = (tmp_path / "index.html").read_text()
    card = model_card(replace(model, metrics={"test": content}))
    for text in (page, card):
        assert "by class" in text
        assert "F1 of true" in text
        assert "class shares of the training part" in text
    recall = figures["by_class"][1]["recall"]
    assert f"| true | 2 | {figures['by_class'][1]['n_said']} | {recall:.4g} |" in card


def test_the_counts_of_the_classes_are_kept_with_the_model(tmp_path: Path) -> None:
    model, _ = _compared({"metal": (6, 2)})
    model.save(tmp_path / "model")
    assert Predictor.load(tmp_path / "model").record.class_counts == {"metal": (6, 2)}


def test_the_page_has_the_figures_of_a_classification(tmp_path: Path) -> None:
    _, found = _compared({"metal": (6, 2)})
    written = write_evaluation(found.prediction, found.true, found.metrics, tmp_path)
    pictures = [path.name for path in written if path.suffix == ".png"]
    assert pictures == ["confusion.png", "precision-recall.png", "roc.png"]
    page = (tmp_path / "index.html").read_text()
    assert page.count("data:image/png;base64,") == 3
    assert "Can probabilities be believed?" in page
    assert "metal: confusion matrix." in page


def test_twenty_samples_have_a_reliability_diagram_and_its_numbers(tmp_path: Path) -> None:
    model = make_predictor(TRUE)
    structures = StructureArrays.from_atoms([WATER, METHANE, ETHANOL] * 10)
    values = np.tile([[0.0], [1], [1]], (10, 1))
    data = Dataset(name="thirty", structures=structures, targets=(TRUE,), values=values)
    found = model.compare(data)
    written = write_evaluation(found.prediction, found.true, found.metrics, tmp_path)
    assert tmp_path / "reliability.png" in written
    groups = json.loads((tmp_path / "metrics.json").read_text())["targets"]["metal"]["reliability"]
    assert sum(group["n"] for group in groups) == 30
    page = (tmp_path / "index.html").read_text()
    assert "metal, by the probability of true" in page
    assert "share that is true" in page
