"""Models that learn numbers refuse classes before anything is computed; baselines learn both."""

from pathlib import Path
from typing import Any, final

import numpy as np
import pytest
import torch
from torch import nn

from atomlens.errors import SettingsError
from atomlens.graphs import GraphBatch
from atomlens.models import ClosedFormModel, ModelOutput
from atomlens.models.baselines import BaselineConfig, uniform_attention
from atomlens.predictor import Predictor
from atomlens.selection import cross_validate, tune
from atomlens.training import train

CLASSES = {"formula": ["NaCl", "MgO", "Fe2O3", "CuO", "ZnS"] * 2, "metal": ["no", "yes"] * 5}


@final
class NumbersAlone(ClosedFormModel[BaselineConfig]):
    """Says one number."""

    Config = BaselineConfig
    default_builder = ("formula", {})

    def __init__(self, config: BaselineConfig) -> None:
        super().__init__(config)
        self.mean = nn.Parameter(torch.zeros(config.n_outputs))

    def forward(self, batch: GraphBatch) -> ModelOutput:
        """Return it."""
        values = self.mean.expand(batch.n_graphs, -1)
        return ModelOutput(values=values, node_attention=uniform_attention(batch))

    def fit(self, batch: GraphBatch, targets: torch.Tensor) -> None:
        """Learn nothing."""


def test_a_search_of_classes_refuses_at_once_and_runs_no_trial() -> None:
    pytest.importorskip("optuna")
    trials: list[object] = []
    with pytest.raises(SettingsError, match="learns numbers, not classes"):
        tune(
            CLASSES,
            model=NumbersAlone,
            target="metal",
            n_trials=3,
            told=lambda trial, n: trials.append(trial),
        )
    assert not trials


def test_a_cross_validation_of_classes_refuses_before_its_first_fold(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="learns numbers, not classes"):
        cross_validate(CLASSES, model=NumbersAlone, target="metal", n_folds=2, out=tmp_path / "cv")
    assert not (tmp_path / "cv").exists()


@pytest.mark.parametrize("ask", [train, cross_validate])
@pytest.mark.parametrize("said", [{"classification": True}, {"kinds": {"metal": "classification"}}])
def test_classes_that_are_asked_for_are_refused_before_anything_is_read(
    ask: Any, said: dict[str, Any]
) -> None:
    with pytest.raises(SettingsError, match="learns numbers, not classes"):
        ask("no-such-table.csv", model=NumbersAlone, target="metal", **said)


def test_a_training_of_classes_names_models_that_learn_them() -> None:
    with pytest.raises(
        SettingsError, match=r"those that learn classes of formulas are .*finder.*rf-magpie"
    ):
        train(CLASSES, model=NumbersAlone, target="metal")


@pytest.mark.parametrize("model", ["mean", "ridge", "rf-magpie"])
def test_the_baselines_learn_classes_beside_numbers(model: str, tmp_path: Path) -> None:
    if model == "rf-magpie":
        pytest.importorskip("sklearn")
    random = np.random.default_rng(0)
    metals, others = ["Na", "Fe", "Cu", "Zn"], ["O", "S", "Cl", "F"]
    chosen = [random.choice(metals, 2, replace=False) for _ in range(30)]
    chosen += [[random.choice(metals), random.choice(others)] for _ in range(30)]
    n = random.integers(1, 5, (60, 2))
    data = {
        "formula": [f"{a}{i}{b}{j}" for (a, b), (i, j) in zip(chosen, n, strict=True)],
        "kind": ["alloy"] * 30 + ["oxide" if b == "O" else "other" for _, b in chosen[30:]],
        "size": n.sum(axis=1).astype(float),
    }
    trained = train(
        data, model=model, target=["kind", "size"], out=tmp_path / "run", split="random:.7/.2/.1"
    )
    assert (tmp_path / "run" / "confusion_kind.png").exists()
    again = Predictor.load(tmp_path / "run").predict(data["formula"])
    found = trained.predict(data["formula"])
    shares, same = found.probabilities[0], again.probabilities[0]
    assert shares is not None
    assert same is not None
    assert np.array_equal(shares, same)
    assert np.allclose(shares.sum(axis=1), 1)
    right = np.array(trained.targets[0].classes)[found.values[:, 0].astype(int)] == data["kind"]
    assert right.mean() > (0.4 if model == "mean" else 0.9)
    if model == "mean":
        assert len(np.unique(shares, axis=0)) == 1
