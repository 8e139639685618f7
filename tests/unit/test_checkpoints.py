"""Published checkpoints are read as arrays, and every defect is named."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from atomlens.checkpoints import import_scann
from atomlens.checkpoints.scann_keras import read_scann_checkpoint
from atomlens.errors import ModelError
from atomlens.models.scann import Scann, ScannConfig
from checkpoint_makers import SETTINGS, keras_arrays

h5py = pytest.importorskip("h5py")


@pytest.fixture
def model() -> Scann:
    torch.manual_seed(0)
    made = Scann(ScannConfig(n_layers=2, n_features=16, n_heads=4, n_embedding=6, n_elements=10))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter))
    return made


def write(folder: Path, model: Scann, first: int = 0, **changes: object) -> tuple[Path, Path]:
    weights, settings = folder / "model.h5", folder / "model.json"
    with h5py.File(weights, "w") as file:
        for name, array in keras_arrays(model, first).items():
            file[f"model_weights/{name}"] = array
    settings.write_text(json.dumps({"model": {**SETTINGS, **changes}, "hyper": {"target": "lumo"}}))
    return weights, settings


@pytest.mark.parametrize("first", [0, 9])
def test_every_array_finds_its_place(tmp_path: Path, model: Scann, first: int) -> None:
    """Also when the counters of the layer names do not begin at zero, or pass ten."""
    read = read_scann_checkpoint(*write(tmp_path, model, first))
    assert read.target == "lumo"
    assert read.model.config.readout == "reference"
    for name, value in model.state_dict().items():
        assert torch.equal(read.model.state_dict()[name], value), name


def test_a_checkpoint_with_ring_flags_is_imported_with_a_builder_that_makes_them(
    tmp_path: Path,
) -> None:
    torch.manual_seed(0)
    small = {"n_layers": 2, "n_features": 16, "n_heads": 4, "n_embedding": 6, "n_elements": 10}
    made = Scann(ScannConfig(**small, ring_features=True))  # type: ignore[arg-type]
    predictor = import_scann(*write(tmp_path, made, use_ring=True))
    assert torch.equal(
        predictor.models[0].state_dict()["ring_input.weight"], made.ring_input.weight
    )
    assert predictor.builder.settings()["ring_flags"] is True
    assert np.isfinite(predictor.predict("c1ccccc1").values).all()


@pytest.mark.parametrize(
    ("hyper", "given", "scaling"),
    [
        ({}, {}, (0.0, 1.0)),
        ({"target_mean": "-6.5", "target_std": "0.6"}, {}, (-6.5, 0.6)),
        ({"target_mean": "-6.5", "target_std": "0.6"}, {"mean": 0.0, "std": 2.0}, (0.0, 2.0)),
    ],
)
def test_the_scaling_is_that_of_the_settings_file_unless_it_is_given(
    tmp_path: Path,
    model: Scann,
    hyper: dict[str, str],
    given: dict[str, float],
    scaling: tuple[float, float],
) -> None:
    weights, settings = write(tmp_path, model)
    settings.write_text(json.dumps({"model": SETTINGS, "hyper": hyper}))
    found = import_scann(weights, settings, **given).scaling  # type: ignore[arg-type]
    assert (found.means[0], found.stds[0]) == scaling


@pytest.mark.parametrize("value", ["0", "nan", "much"])
def test_an_impossible_scaling_in_the_settings_file_is_named(
    tmp_path: Path, model: Scann, value: str
) -> None:
    weights, settings = write(tmp_path, model)
    settings.write_text(json.dumps({"model": SETTINGS, "hyper": {"target_std": value}}))
    with pytest.raises(ModelError, match="target_std"):
        import_scann(weights, settings)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"n_attention": 3}, "2 local attention layers"),
        ({"use_ring": True}, "extra_embed"),
        ({"feature": "cgcnn"}, "92-d element vectors"),
        ({"embedding_dim": 48}, "shape"),
        ({"global_dim": 64}, "differ"),
    ],
)
def test_settings_that_do_not_fit_are_named(
    tmp_path: Path, model: Scann, changes: dict[str, object], words: str
) -> None:
    with pytest.raises(ModelError, match=words):
        read_scann_checkpoint(*write(tmp_path, model, **changes))


def test_a_truncated_checkpoint_is_named(tmp_path: Path, model: Scann) -> None:
    weights, settings = write(tmp_path, model)
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(ModelError, match=r"model\.h5: the checkpoint is no HDF5 file"):
        read_scann_checkpoint(weights, settings)


def test_a_missing_checkpoint_is_named(tmp_path: Path, model: Scann) -> None:
    weights, settings = write(tmp_path, model)
    weights.unlink()
    with pytest.raises(ModelError, match="does not exist"):
        read_scann_checkpoint(weights, settings)


def test_a_settings_file_of_another_kind_is_named(tmp_path: Path, model: Scann) -> None:
    weights, settings = write(tmp_path, model)
    settings.write_text("[1, 2]")
    with pytest.raises(ModelError, match="no section `model`"):
        read_scann_checkpoint(weights, settings)


def test_an_incomplete_settings_file_is_named(tmp_path: Path, model: Scann) -> None:
    weights, settings = write(tmp_path, model)
    content = {k: v for k, v in SETTINGS.items() if k != "num_head"}
    settings.write_text(json.dumps({"model": content}))
    with pytest.raises(ModelError, match="num_head"):
        read_scann_checkpoint(weights, settings)
