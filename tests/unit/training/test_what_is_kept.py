"""What a training takes from which part, and which weights it keeps."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from atomlens.datasets import load_dataset
from atomlens.datasets.base import Dataset
from atomlens.datasets.splits import make_split, reduced_formulas
from atomlens.neighbors import make_builder
from atomlens.predictor import Calibration
from atomlens.targets.scaling import TargetScaling
from atomlens.training import TrainSettings, train
from atomlens.training.data import prepare
from atomlens.training.member import MemberTraining
from atomlens.training.optimizer import make_optimizer
from model_makers import small_model
from table_makers import table_of_formulas

pytestmark = pytest.mark.usefixtures("no_pictures")

SMALL: dict[str, Any] = {"n_layers": 1, "n_features": 8, "n_heads": 2, "n_embedding": 4}


@pytest.fixture
def table(tmp_path: Path) -> Dataset:
    """120 samples of 60 formulas, each twice."""
    return table_of_formulas(tmp_path / "table.csv", 2)


def trained(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> MemberTraining:
    """The training of one member, after its last epoch."""
    seen: list[MemberTraining] = []
    run = MemberTraining.run
    monkeypatch.setattr(MemberTraining, "run", lambda self: (seen.append(self), run(self)))
    train(
        load_dataset("toy", limit=40),
        model="scann-plus",
        model_settings=SMALL,
        epochs=1,
        batch_size=8,
        n_threads=1,
        **settings,
    )
    monkeypatch.undo()
    return seen[0]


def test_the_average_is_kept_and_the_training_goes_on_from_its_own_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = trained(monkeypatch)
    averaged = trained(monkeypatch, ema_decay=0.9)
    assert averaged.average is not None
    for name, mean in averaged.average.state().items():
        own = averaged.model.state_dict()[name]
        assert torch.equal(own, plain.model.state_dict()[name]), name
        assert torch.equal(averaged.best[name], mean), name
        assert torch.equal(plain.best[name], own), name
    assert not torch.equal(averaged.best["input.weight"], plain.best["input.weight"])


def test_a_penalty_adds_its_gradient_to_the_kernels_that_the_model_names() -> None:
    """Of λ Σ W² that is 2 λ W, which is Adam's weight decay of 2 λ."""
    model = small_model("scann")
    optimizer = make_optimizer(model, TrainSettings(regularization=0.25), torch.device("cpu"))
    decay = {id(p): g["weight_decay"] for g in optimizer.param_groups for p in g["params"]}
    named = {id(p) for p in model.regularized_parameters()}
    assert 0 < len(named) < len(decay)
    assert all(found == (0.5 if key in named else 0.0) for key, found in decay.items())


def test_the_scale_is_that_of_the_training_part(table: Dataset) -> None:
    data = prepare(table, make_builder("formula"), TrainSettings(split="random:.3/.4/.3"), None)
    rows = data.split.train
    own = TargetScaling.fit(table.targets, table.values[rows], table.structures.subset(rows))
    every = TargetScaling.fit(table.targets, table.values, table.structures)
    assert (data.scaling.means, data.scaling.stds) == (own.means, own.stds)
    assert own.means != every.means


def test_a_model_knows_the_elements_of_its_training_part(table: Dataset) -> None:
    split = make_split("elements:0/5", table)
    model = train(table, model="mean", target="gap", split="elements:0/5")
    known = table.structures.subset(split.train).atomic_numbers
    assert set(model.elements) == set(known.tolist())
    assert len(model.elements) < len(np.unique(table.structures.atomic_numbers))
    least = model.record.least_shares  # metals are a third of the atoms with two fluorines
    assert (least["F"], least["O"]) == pytest.approx((2 / 3, 1 / 2), abs=1e-3)
    assert set(least.values()) == {0.333, 0.5, 0.667}


def test_values_of_one_formula_calibrate_together(
    table: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[np.ndarray] = []
    fit = Calibration.fit

    def listen(*given: Any, groups: np.ndarray, **more: Any) -> Calibration:
        heard.append(groups)
        return fit(*given, groups=groups, **more)

    monkeypatch.setattr(Calibration, "fit", listen)
    train(table, model="mean", target="gap", split="random:.3/.4/.3")
    split = make_split("random:.3/.4/.3", table)
    rows = table.structures.subset(split.validation)
    assert heard[0].tolist() == reduced_formulas(rows).tolist()
