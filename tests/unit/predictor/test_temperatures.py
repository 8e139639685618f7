"""Probabilities of classes at the temperature that the validation part asks for."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_predictors import ETHANOL, METHANE, WATER, make_predictor
from scipy.optimize import minimize
from scipy.special import log_softmax

from atomlens.datasets import load_dataset
from atomlens.errors import ModelError
from atomlens.explain.question import Question
from atomlens.predictor.core import Predictor
from atomlens.predictor.folder.card import model_card
from atomlens.predictor.trust.calibration import Calibration, ClassCalibration, fit_temperature
from atomlens.structures.arrays import StructureArrays
from atomlens.targets import Target
from atomlens.training import TrainSettings, train
from terms_makers import classes_predictor

HOT = ClassCalibration(temperature=2.5, n=40, cross_entropy=0.9, calibrated=0.6)
CLASSES = Target(name="k", kind="classification", classes=("a", "b", "c"))


def _hot(model: Predictor) -> Predictor:
    return replace(model, calibration=replace(model.calibration, classes=(HOT,)))


def _logits(n: int, sharpness: float) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are ``sharpness`` times those that the labels are drawn from."""
    rng = np.random.default_rng(2)
    logits = rng.normal(size=(n, 3))
    shares = np.exp(log_softmax(logits, axis=1)).cumsum(axis=1)
    labels = (rng.random((n, 1)) > shares).sum(axis=1).astype(np.float64)
    return sharpness * logits, labels


@pytest.mark.parametrize("sharpness", [0.7, 3.0])
def test_the_temperature_has_the_least_cross_entropy(sharpness: float) -> None:
    logits, labels = _logits(4000, sharpness)
    found = fit_temperature(logits, labels)
    assert found is not None
    assert found.temperature == pytest.approx(sharpness, rel=0.1)

    def cost(log_temperature: np.ndarray) -> float:
        shares = log_softmax(logits / np.exp(log_temperature[0]), axis=1)
        return float(-shares[np.arange(4000), labels.astype(int)].mean())

    other = minimize(cost, [0.0])
    assert found.temperature == pytest.approx(np.exp(other.x[0]), rel=1e-3)
    assert found.calibrated == pytest.approx(other.fun)
    assert found.cross_entropy == pytest.approx(cost(np.zeros(1)))


def test_a_temperature_never_makes_the_values_worse_that_it_was_fitted_to() -> None:
    for sharpness in (0.001, 0.3, 1.0, 40.0):
        found = fit_temperature(*_logits(30, sharpness))
        assert found is not None
        assert found.calibrated <= found.cross_entropy
        assert 0.5 <= found.temperature <= 100.001
    logits, labels = _logits(30, 1.0)
    assert fit_temperature(logits[1:], labels[1:]) is None
    assert fit_temperature(logits, np.where(np.arange(30) == 4, np.nan, labels)) is None
    assert fit_temperature(logits, np.ones(30)) is None  # of one class nothing is learned


def test_a_temperature_that_chance_explains_is_one() -> None:
    """100 values, of which one in ten is wrong, nearly as their probabilities of 0.88 promise."""
    labels = (np.arange(100) % 10 == 0).astype(np.float64)
    logits = np.tile([np.log(0.88 / 0.12), 0.0], (100, 1))
    logits[labels == 1, 1] = 1e-3  # no column of one number
    found = fit_temperature(logits, labels)
    assert found is not None
    assert found.temperature == 1
    many = fit_temperature(np.tile(logits, (100, 1)), np.tile(labels, 100))
    assert many is not None
    assert many.temperature == pytest.approx(np.log(0.88 / 0.12) / np.log(9), rel=1e-2)


def test_probabilities_are_at_the_temperature_and_the_class_stays() -> None:
    cold = make_predictor(CLASSES)
    cold = replace(cold, models=(cold.models[0], make_predictor(CLASSES).models[0]))
    hot, atoms = _hot(cold), [WATER, METHANE, ETHANOL]
    before, after = cold.predict(atoms), hot.predict(atoms)
    assert np.array_equal(before.values, after.values)
    own, found = before.probabilities[0], after.probabilities[0]
    assert own is not None
    assert found is not None
    assert not np.allclose(own, found)
    np.testing.assert_allclose(found, np.exp(log_softmax(np.log(own) / 2.5, axis=1)))


def test_what_is_explained_is_the_probability_that_is_said() -> None:
    hot = _hot(make_predictor(CLASSES))
    structures = StructureArrays.from_atoms([WATER, METHANE])
    shares = hot.predict([WATER, METHANE]).probabilities[0]
    assert shares is not None
    question = Question.about(hot, structures, target="k", device="cpu")
    assert question.values == pytest.approx(shares.max(axis=1), rel=1e-5)
    with torch.no_grad():
        said = question.answer_to([model(question.batch) for model in question.models])
    assert said.numpy() == pytest.approx(question.values, rel=1e-6)
    alone = question.answers(question.batch, structures, np.arange(2)).by_member
    assert alone[0] == pytest.approx(shares.max(axis=1), rel=1e-5)


def test_contributions_to_a_class_add_up_to_the_odds_of_its_probability() -> None:
    hot = _hot(classes_predictor())
    explained = hot.explain(ETHANOL, method="contribution")  # two C, one O: the logits are equal
    water = hot.explain(WATER, method="contribution")
    share = water.prediction
    assert water.scores.sum() == pytest.approx(np.log(share / (1 - share)), rel=1e-5)
    assert share == pytest.approx(1 / (1 + np.exp(-2 / 2.5)), rel=1e-5)
    assert explained.scores.sum() == pytest.approx(0, abs=1e-6)


def test_a_temperature_is_kept_and_a_folder_without_has_none(tmp_path: Path) -> None:
    hot = _hot(make_predictor(CLASSES))
    hot.save(tmp_path / "hot")
    assert Predictor.load(tmp_path / "hot").calibration == hot.calibration
    settings = tmp_path / "hot" / "settings.json"
    content = json.loads(settings.read_text())
    assert content["temperatures"][0]["temperature"] == 2.5
    for damage in ([{**content["temperatures"][0], "temperature": 0}], [None, None], 3):
        settings.write_text(json.dumps({**content, "temperatures": damage}))
        with pytest.raises(ModelError):
            Predictor.load(tmp_path / "hot")
    del content["temperatures"], content["answers_sha256"]  # as folders of earlier days
    settings.write_text(json.dumps(content))
    assert Predictor.load(tmp_path / "hot").calibration.temperature(0) == 1


def test_the_card_says_whether_probabilities_are_calibrated() -> None:
    model = make_predictor(CLASSES)
    assert "not calibrated, which takes 30 values" in model_card(model)
    assert "a temperature of 2.5 (Guo et al. 2017), fitted to 40 values" in model_card(_hot(model))
    same = replace(HOT, temperature=1.0, calibrated=0.9)
    plain = replace(model, calibration=Calibration(targets=(None,), classes=(same,)))
    assert "No temperature makes them clearly better on 40 values" in model_card(plain)


def test_a_training_fits_the_temperature_to_its_validation_part(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    cations = ("Li", "Na", "K", "Mg", "Ca", "Sr", "Ba", "Al", "Zn", "Cd")
    formulas = [f"{m}{x}{n}" for m in cations for x in ("O", "S", "Cl") for n in (2, 3)]
    rows = [f"{f},{'yes' if random.random() < 0.6 else 'no'}" for f in formulas]
    (tmp_path / "table.csv").write_text("\n".join(["formula,active", *rows]))
    data = load_dataset(tmp_path / "table.csv")
    settings = TrainSettings(epochs=2, split="random:rest/30/4", seed=1)
    trained = train(data, model="lens", out=tmp_path / "run", settings=settings)
    (found,) = trained.calibration.classes
    assert found is not None
    assert found.n == 30
    measured = trained.metrics["validation"]["targets"]["active"]["cross_entropy"]
    assert measured == pytest.approx(found.calibrated, rel=1e-4)
    assert Predictor.load(tmp_path / "run").calibration.classes == (found,)
