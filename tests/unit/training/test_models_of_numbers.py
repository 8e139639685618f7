"""Models that learn numbers refuse classes before anything is computed."""

import pytest

from atomlens.errors import SettingsError
from atomlens.selection import tune
from atomlens.training import train

CLASSES = {"formula": ["NaCl", "MgO", "Fe2O3", "CuO", "ZnS"] * 2, "metal": ["no", "yes"] * 5}


@pytest.mark.parametrize("model", ["ridge", "rf-magpie", "mean"])
def test_a_search_of_classes_refuses_at_once_and_runs_no_trial(model: str) -> None:
    pytest.importorskip("optuna")
    trials: list[object] = []
    with pytest.raises(SettingsError, match="learns numbers, not classes"):
        tune(
            CLASSES,
            model=model,
            target="metal",
            n_trials=3,
            told=lambda trial, n: trials.append(trial),
        )
    assert not trials


def test_a_training_of_classes_names_models_that_learn_them() -> None:
    with pytest.raises(SettingsError, match=r"those that learn classes of formulas are .*finder"):
        train(CLASSES, model="ridge", target="metal")
