"""What training says of classes: those that no part judges, models that learn none, the card."""

import json
import warnings
from pathlib import Path

import numpy as np

from atomlens.datasets import load_dataset
from atomlens.datasets.base import Dataset
from atomlens.predictor import Predictor
from atomlens.training import TrainSettings, train

SMILES = [f"{'C' * n}{x}" for n in range(1, 6) for x in ("O", "N", "F", "Cl")]
PARTS = {"train": list(range(12)), "validation": [12, 13, 14, 15], "test": [16, 17, 18, 19]}


def _data(classes: str) -> Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        words = [f"class-{letter}" for letter in classes]
        return load_dataset({"smiles": SMILES, "k": words}, target=["k"])


def _trained(classes: str, folder: Path) -> Predictor:
    (folder / "parts.json").write_text(json.dumps(PARTS))
    settings = TrainSettings(split=str(folder / "parts.json"), epochs=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return train(_data(classes), model="lens", target=["k"], settings=settings)


def test_a_class_of_the_training_part_alone_is_not_tested(tmp_path: Path) -> None:
    said = " ".join(_trained("ab" * 5 + "ac" + "ab" * 4, tmp_path).record.remarks)
    assert (
        "class class-c of k has 1 sample, none in the validation or test part: what the model says "
        "of it is not tested." in said
    )
    assert "stratified" not in said  # which helps no single sample
    said = " ".join(_trained("ab" * 4 + "accc" + "ab" * 4, tmp_path).record.remarks)
    assert "class class-c of k has 3 samples" in said
    assert "--split stratified:.8/.1/.1" in said


def test_a_class_that_the_test_part_lacks_is_told_with_the_split_that_has_it(
    tmp_path: Path,
) -> None:
    said = " ".join(_trained("ab" * 8 + "aaaa", tmp_path).record.remarks)
    assert "No sample of the test part is of class class-b of k" in said
    assert "--split stratified:.8/.1/.1" in said
    assert "class-a" not in " ".join(_trained("ab" * 10, tmp_path).record.remarks)


def test_the_card_of_classes_shows_the_loss_that_was_used(tmp_path: Path) -> None:
    trained = _trained("ab" * 10, tmp_path)
    card = trained.save(tmp_path / "model") / "README.md"
    text = card.read_text()
    assert "| loss | `cross entropy` |" in text
    assert "| scaling |" not in text
    assert np.isfinite(trained.metrics["test"]["targets"]["k"]["accuracy"])
