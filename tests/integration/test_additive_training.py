"""A head that adds up, from training to an explanation and to a model that is trained further."""

from pathlib import Path

import numpy as np
import pytest
import torch

import atomlens as al


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small cgcnn with the additive head, for both numbers of the toy data."""
    out = tmp_path_factory.mktemp("additive") / "model"
    al.train(
        al.load_dataset("toy", limit=60),
        model="cgcnn",
        out=out,
        epochs=2,
        batch_size=16,
        model_settings={"n_layers": 1, "n_features": 16, "head": "additive"},
        cache_dir=str(out.parent / "cache"),
    )
    return out


def test_a_trained_additive_head_explains_by_contributions(folder: Path) -> None:
    model = al.load(folder)
    for target in model.targets:
        found = model.explain("CCO", target=target.name)
        assert found.method == "contribution"
        assert found.offset is not None
        total = found.offset + float(found.scores.sum())
        assert total == pytest.approx(found.prediction, rel=1e-5)


def test_the_terms_of_a_target_that_stays_are_taken_along(folder: Path, tmp_path: Path) -> None:
    before = al.load(folder)
    name = before.targets[-1].name
    after = al.train(
        al.load_dataset("toy", target=name, limit=60),
        model="cgcnn",
        out=tmp_path / "one",
        start_from=folder,
        epochs=1,
        batch_size=16,
        learning_rate=1e-12,
        min_learning_rate=0.0,
        cache_dir=str(tmp_path / "cache"),
    )
    old, new = before.models[0].readout, after.models[0].readout
    width = new.query.weight.shape[1]
    torch.testing.assert_close(new.query.weight, old.query.weight[-width:], atol=1e-5, rtol=0)
    torch.testing.assert_close(new.output.weight[0], old.output.weight[-1], atol=1e-5, rtol=0)
    assert np.isfinite(after.explain("CCO").scores).all()
