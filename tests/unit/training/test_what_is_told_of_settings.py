"""What a Python caller hears of a fine-tuning and of its settings, and what may hear a training."""

import warnings
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

import atomlens as al
from atomlens.datasets import Dataset
from atomlens.errors import SettingsError, TrainingStopped
from atomlens.models import MODELS
from atomlens.structures.arrays import StructureArrays
from atomlens.targets import Target
from atomlens.training import TrainingProgress, TrainSettings
from atomlens.training.idle import ignored_settings
from atomlens.training.progress import TrainingBar, listener
from hearing import heard

TINY: dict[str, Any] = {"n_layers": 1, "n_features": 8, "n_heads": 1, "n_embedding": 4}
QUICK: dict[str, Any] = {"epochs": 1, "batch_size": 16, "n_threads": 1, "split": "random:.6/.2/.2"}


def molecules(names: list[str], target: Target) -> Dataset:
    """Each molecule a few times, a little shaken; the value is the number of its atoms."""
    atoms: list[Atoms] = []
    for seed in range(4):
        for name in names:
            one = molecule(name)
            one.rattle(0.05, seed=seed)
            atoms.append(one)
    values = np.array([float(len(one)) for one in atoms])[:, None]
    structures = StructureArrays.from_atoms(atoms)
    return Dataset(name="own", structures=structures, targets=(target,), values=values)


def n_of(said: list[str], words: str) -> int:
    return sum(words in text for text in said)


@pytest.fixture(scope="module")
def source() -> al.Predictor:
    """An ensemble of two that knows no sulphur and no chlorine, and its noise."""
    data = molecules(["CH4", "NH3", "H2O", "C2H6"], Target(name="gap", unit="eV"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return al.train(
            data, model="scann-plus", model_settings=TINY, ensemble=2, loss="gaussian", **QUICK
        )


def test_what_a_fine_tuning_makes_fresh_is_heard_once(source: al.Predictor) -> None:
    data = molecules(["CH4", "SH2", "HCl", "CH3SH"], Target(name="melting", unit="K"))
    said = heard(lambda: al.train(data, start_from=source, fresh_output=False, **QUICK))
    for words in (
        "has not learned S, Cl, which get fresh embeddings",
        "The output of gap is taken for melting.",
        "gap was learned in eV and is learned in K now",
        "log-scale outputs are left out",
        "ensemble of 2, of which the first is used; --ensemble 2 (in Python ensemble=2)",
    ):
        assert n_of(said, words) == 1, words
    classes = Target(name="kind", kind="classification", classes=("a", "b"))
    labels = molecules(["CH4", "H2O"], classes)
    labels.values[:, 0] = np.arange(8) % 2
    said = heard(lambda: al.train(labels, start_from=source, ensemble=2, **QUICK))
    assert n_of(said, "The output layer is fresh: kind") == 1


def test_what_was_asked_for_is_no_warning(source: al.Predictor) -> None:
    data = molecules(["CH4", "NH3", "H2O"], Target(name="gap", unit="eV"))
    asked = {"ensemble": 2, "loss": "gaussian", "frozen_layers": 1, "fresh_output": True}
    said = heard(lambda: al.train(data, start_from=source, **asked, **QUICK))
    assert not [text for text in said if "fresh" in text or "frozen" in text or "taken" in text]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"attention_weight": 0.9}, "attention_weight is ignored: it belongs to attention_labels"),
        ({"warmup_epochs": 30, "epochs": 1}, "never reaches learning_rate"),
        ({"patience": 50, "epochs": 1}, "patience is ignored: the training is over after 1 epoch"),
        ({"schedule": "plateau", "epochs": 4}, "schedule=plateau has no effect"),
        ({"target_weights": "gap:3"}, "target_weights is ignored"),
        ({"schedule": "constant", "min_learning_rate": 1e-6}, "min_learning_rate is ignored"),
    ],
)
def test_settings_without_effect_are_told(settings: dict[str, Any], words: str) -> None:
    (said,) = ignored_settings(
        MODELS["lens"], "lens", TrainSettings(**settings), [Target(name="gap")]
    )
    assert words in said


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"attention_labels": "x.csv", "attention_weight": 0.9},
        {"warmup_epochs": 0.5, "epochs": 1},
        {"patience": 5, "epochs": 60},
        {"schedule": "plateau"},
        {"schedule": "exponential", "min_learning_rate": 1e-6},
        {"schedule": "constant", "learning_rate": 1e-6},
    ],
)
def test_settings_with_an_effect_are_not(settings: dict[str, Any]) -> None:
    assert not list(ignored_settings(MODELS["lens"], "lens", TrainSettings(**settings)))


def test_a_small_step_size_lowers_the_smallest_that_nobody_chose() -> None:
    chosen = TrainSettings(learning_rate=1e-6)
    assert (chosen.learning_rate, chosen.min_learning_rate) == (1e-6, 1e-6)
    assert TrainSettings(learning_rate=2e-5).min_learning_rate == 1e-5
    with pytest.raises(SettingsError, match=r"min_learning_rate=0\.1 is above"):
        TrainSettings(min_learning_rate=0.1)


def test_a_training_is_heard_by_a_function_a_listener_or_a_bar() -> None:
    steps: list[tuple[int, int]] = []
    data = molecules(["CH4", "NH3", "H2O"], Target(name="y"))
    heard(
        lambda: al.train(
            data,
            model="lens",
            progress=lambda done, total: steps.append((done, total)),
            **{**QUICK, "epochs": 2, "batch_size": 4},
        )
    )
    assert steps
    assert steps == sorted(steps)
    assert steps[-1] == (4, 4)
    assert isinstance(listener(True), TrainingBar)
    ear = TrainingProgress()
    assert listener(ear) is ear
    for none in (None, False):
        assert type(listener(none)) is TrainingProgress
    for wrong in (3, "yes", TrainingProgress):
        with pytest.raises(SettingsError, match=r"progress is .* a function"):
            listener(wrong)  # type: ignore[arg-type]


def test_ctrl_c_of_a_training_is_no_error_that_a_loop_could_skip() -> None:
    assert issubclass(TrainingStopped, KeyboardInterrupt)
    assert not issubclass(TrainingStopped, Exception)
