"""A setting of a training that changes nothing is refused, or said to be ignored, and why."""

from pathlib import Path
from typing import Any

import pytest

import atomlens as al
from atomlens.errors import SettingsError
from atomlens.models import MODELS, model_config
from atomlens.selection.space import search_space
from atomlens.targets import Target
from atomlens.training import TrainSettings
from atomlens.training.idle import ignored_model_settings, ignored_settings

NUMBER = (Target(name="y"),)
CLASSES = (Target(name="y", kind="classification", classes=("a", "b")),)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rows = [f"{'C' * n},{n}" for n in range(1, 13)]
    path = tmp_path / "table.csv"
    path.write_text("\n".join(["smiles,y", *rows]) + "\n")
    return path


@pytest.mark.parametrize(
    ("model", "targets", "given", "said"),
    [
        ("lens", NUMBER, {"attention_weight": 0.5}, "it belongs to attention_labels, and there is"),
        ("lens", NUMBER, {"target_weights": "y:3"}, "there is one target"),
        ("lens", CLASSES, {"scaling": "none"}, "classes have none"),
        ("geo-cgcnn", NUMBER, {"regularization": 0.1}, "'geo-cgcnn' names no weights to penalise"),
        (
            "cgcnn",
            NUMBER,
            {"weight_decay": 0.1},
            "it belongs to optimizer=adamw or muon, and optimizer is",
        ),
        ("ridge", NUMBER, {"calibration_share": 0.5}, "'ridge' is not trained in steps"),
    ],
)
def test_an_idle_setting_is_told_with_the_reason(
    model: str, targets: tuple[Target, ...], given: dict[str, Any], said: str
) -> None:
    (sentence,) = ignored_settings(MODELS[model], model, TrainSettings(**given), targets)
    assert sentence.startswith(f"{next(iter(given))} is ignored: {said}")


@pytest.mark.parametrize(
    ("model", "given"),
    [
        ("lens", {"target_weights": "y:3"}),
        ("lens", {"scaling": "none"}),
        ("cgcnn", {"regularization": 0.1}),
        ("geo-cgcnn", {"optimizer": "adamw", "weight_decay": 0.1}),
        ("ridge", {"scaling": "none", "seed": 3}),
    ],
)
def test_nothing_is_said_of_settings_that_are_read(model: str, given: dict[str, Any]) -> None:
    both = (*NUMBER, Target(name="z"))
    assert not list(ignored_settings(MODELS[model], model, TrainSettings(**given), both))


def test_idle_settings_of_a_model_are_told() -> None:
    asked = {"smallest_angle": 0.5, "smallest_weight": 0.3, "dropout": 0.2, "n_layers": 7}
    said = list(ignored_model_settings("scann", model_config("scann", **asked), asked))
    assert said == [
        "model.smallest_angle, model.smallest_weight are ignored: they belong to smooth=true, and "
        "smooth is false."
    ]
    read = {**asked, "smooth": True}
    assert not list(ignored_model_settings("scann", model_config("scann", **read), read))


@pytest.mark.parametrize("model", ["mean", "ridge", "rf-magpie", "rescnn"])
def test_neighbours_that_a_model_does_not_read_are_refused(model: str, table: Path) -> None:
    with pytest.raises(SettingsError, match="reads which atoms there are and no neighbours"):
        al.train(table, model=model, builder="voronoi", epochs=1)


def test_noise_is_decided_by_the_loss(table: Path) -> None:
    with pytest.raises(SettingsError, match="predict_scale=True: loss=mae decides"):
        al.train(table, model="cgcnn", epochs=1, model_settings={"predict_scale": True})


def test_a_search_has_no_trials_that_are_all_the_same() -> None:
    assert [d.key for d in search_space("ridge", "formula")] == ["model.l2"]
    with pytest.raises(SettingsError, match="'mean' has no setting to search for"):
        search_space("mean", "formula")
    with pytest.raises(
        SettingsError, match="learning_rate is not searched for: 'ridge' is not trained in steps"
    ):
        search_space("ridge", "formula", ["learning_rate"])
    with pytest.raises(SettingsError, match="decay is not searched for: it belongs to schedule=ex"):
        search_space("cgcnn", "nearest", ["decay"])
    assert search_space("cgcnn", "nearest", {"decay": [0.9, 0.99], "schedule": ["exponential"]})
    with pytest.raises(SettingsError, match="smallest_angle is not searched for"):
        search_space("scann", "voronoi", ["model.smallest_angle"])
    smooth = TrainSettings(model_settings={"smooth": True})
    assert search_space("scann", "voronoi", ["model.smallest_angle"], smooth)
